"""Check that no patient and no samples are in two splits; where they are, no number of this corpus may come out.

In: the `segments` of all shards. Out: `splits` (patient, split, recordings, duplicates), and findings for samples that
are twice within one split (formats.md, T46). Stops with an error that lists what leaks.
"""

from pathlib import Path

import pandas as pd

from pipeline.findings import Findings
from pipeline.settings.base import Section, parse_settings
from pipeline.stages.command import StageError, parser, run, start
from pipeline.store import read_tables, write_table


class Settings(Section):
    """Sections of config.yaml that this stage uses."""

    corpus: str


def main() -> None:
    """Read all segments, check them, write the splits."""
    options = parser(__doc__)
    options.add_argument("--segments", type=Path, nargs="+", required=True)
    options.add_argument("--findings", type=Path, required=True)
    options.add_argument("--splits", type=Path, required=True)
    arguments = options.parse_args()
    logger = start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    segments = read_tables(arguments.segments, ["recording", "segment", "patient", "split", "digest"])
    if segments.empty:
        raise StageError(f"corpus {settings.corpus} has no usable recording; the findings of `ingest` say why")
    problems = leaks(segments)
    if problems:
        raise StageError(f"corpus {settings.corpus}: " + "; ".join(problems))
    findings = Findings(corpus=settings.corpus)
    duplicates = report_duplicates(segments, findings)
    write_table(arguments.splits, splits_table(segments, duplicates))
    write_table(arguments.findings, findings.to_frame())
    logger.info("%d patients, each in one split; %d duplicates", segments["patient"].nunique(), len(duplicates))


def leaks(segments: pd.DataFrame) -> list[str]:
    """One sentence for each patient, and each set of equal samples, that is in more than one split."""
    problems = []
    for patient, group in segments.groupby("patient", sort=True):
        if group["split"].nunique() > 1:
            problems.append(f"patient {patient} is in {' and '.join(sorted(group['split'].unique()))}")
    for _, group in segments.groupby("digest", sort=True):
        if group["split"].nunique() > 1:
            names = sorted(f"{row.recording}/{row.segment} ({row.split})" for row in group.itertuples())
            problems.append(f"the same samples are in {' and '.join(names)}")
    return problems


def report_duplicates(segments: pd.DataFrame, findings: Findings) -> set[str]:
    """Recordings that repeat the samples of another in their split; each set of them is one finding."""
    repeated: set[str] = set()
    for _, group in segments.groupby("digest", sort=True):
        names = sorted(group["recording"].unique())
        if len(group) > 1:
            patients = sorted(group["patient"].unique())
            message = f"the same samples in {', '.join(names)} (patients {', '.join(patients)})"
            findings.for_recording(names[0]).add("duplicate_samples", message, action="note", value=", ".join(names))
            repeated |= set(names[1:])
    return repeated


def splits_table(segments: pd.DataFrame, duplicates: set[str]) -> pd.DataFrame:
    """One row a patient: split, number of recordings, and how many of them repeat another."""
    recordings = segments.drop_duplicates("recording")
    grouped = recordings.assign(duplicate=recordings["recording"].isin(duplicates)).groupby(["split", "patient"])
    table = grouped.agg(recordings=("recording", "size"), duplicates=("duplicate", "sum")).reset_index()
    return table[["patient", "split", "recordings", "duplicates"]].astype(
        {"recordings": "int64", "duplicates": "int64"}
    )


if __name__ == "__main__":
    run(main)
