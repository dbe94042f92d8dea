"""Cut the intracranial recordings of one shard into clips (spec soz.md, section 2).

In: the shard's recordings, segments and seizures. Out: the clips table, and seizures that give no clip or no baseline.
"""

from pathlib import Path

from pipeline.features._soz_clips import cut_soz_clips
from pipeline.findings import Findings, refuse_first
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.soz_data import SozClips
from pipeline.stages import command
from pipeline.store import read_table, write_table


class Settings(Section):
    """Sections of config.yaml that this stage uses."""

    corpus: str
    clips: SozClips


def main() -> None:
    """Read, cut, write."""
    parser = command.parser(__doc__)
    for name in ("recordings", "segments", "seizures", "clips", "findings"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--strict", action="store_true", help="stop where a seizure gives no clip (signals.strict)")
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    findings = Findings(corpus=settings.corpus)
    recordings, segments, seizures = (
        read_table(path) for path in (arguments.recordings, arguments.segments, arguments.seizures)
    )
    clips = cut_soz_clips(recordings, segments, seizures, settings.clips, findings)
    if arguments.strict:
        refuse_first(findings)
    write_table(arguments.clips, clips)
    write_table(arguments.findings, findings.to_frame())
    counts = clips.loc[clips["shift"] == 0, "phase"].value_counts()
    log.info(
        "%d clips and %d shifted copies (%s), %d at the edge of a file, %d of short seizures",
        counts.sum(), len(clips) - counts.sum(), ", ".join(f"{n} {phase}" for phase, n in counts.items()),
        clips["edge_wrap"].sum(), (clips["short_seizure"] & (clips["phase"] == "ictal") & (clips["shift"] == 0)).sum(),
    )  # fmt: skip


if __name__ == "__main__":
    command.run(main)
