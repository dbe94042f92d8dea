"""Cut the recordings of one shard into clips (Tang et al. 2022, section 3.1).

In: the shard's segments and seizures; of a fold also the split of each patient. Out: the clips table of one task and
length, and findings.
"""

from pathlib import Path

from pipeline.clips import cut_clips, labelled_only
from pipeline.findings import Findings
from pipeline.folds import with_splits
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.clips import ClipCompat, ClipSettings, Task
from pipeline.stages import command
from pipeline.store import read_table, write_table


class Settings(Section):
    """What this stage uses."""

    task: Task
    length_s: int
    clips: ClipSettings
    compat: ClipCompat


def main() -> None:
    """Read, cut, write."""
    parser = command.parser(__doc__)
    for name in ("segments", "seizures", "clips", "findings"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--folds", type=Path, default=None, help="of a fold: the split of each patient")
    parser.add_argument("--split", default=None, help="of a fold: the split whose patients are cut")
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    findings = Findings()
    segments = read_table(arguments.segments)
    if arguments.folds is not None:
        segments = with_splits(segments, read_table(arguments.folds))
        segments = segments[segments["split"] == arguments.split].reset_index(drop=True)
    if settings.task != "pretraining":
        segments = labelled_only(segments, findings)
    clips = cut_clips(
        segments, read_table(arguments.seizures), task=settings.task,
        length_s=settings.length_s, settings=settings.clips, compat=settings.compat, findings=findings,
    )  # fmt: skip
    write_table(arguments.clips, clips)
    write_table(arguments.findings, findings.to_frame())
    log.info(
        "%d %s clips of %d s (%d positive), %d findings", len(clips), settings.task, settings.length_s,
        int((clips["label"] == 1).sum()), len(findings),
    )  # fmt: skip


if __name__ == "__main__":
    command.run(main)
