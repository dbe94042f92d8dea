"""Check that no patient and no samples are in two splits; where they are, no number of this corpus may come out.

In: the `segments` of all shards; for a corpus on disk also what the dealing into splits left out (T02). Out: `splits`
(patient, split, recordings, duplicates, dropped_elsewhere), and findings: what the dealing left out, and samples that
are twice within one split (formats.md, T46). Stops with an error that lists what leaks.
"""

from pathlib import Path

import pandas as pd

from pipeline.findings import Finding, Findings
from pipeline.settings.base import Section, parse_settings
from pipeline.stages.command import StageError, parser, run, start
from pipeline.store import read_json, read_tables, write_table

DEALING = ("patient_in_two_splits", "split_missing")  # findings of pipeline.corpora.shards about a patient


class Settings(Section):
    """Sections of config.yaml that this stage uses."""

    corpus: str


def main() -> None:
    """Read all segments, check them, write the splits."""
    options = parser(__doc__)
    options.add_argument("--segments", type=Path, nargs="+", required=True)
    options.add_argument("--dealing", type=Path, help="findings of the dealing of patients into splits (JSON)")
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
    findings.extend([Finding(**row) for row in read_json(arguments.dealing)] if arguments.dealing else [])
    left_out = {row.value: row.expected for row in findings if row.code in DEALING}
    duplicates = report_duplicates(segments, findings)
    write_table(arguments.splits, splits_table(segments, duplicates, left_out))
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


def splits_table(segments: pd.DataFrame, duplicates: set[str], left_out: dict[str, str]) -> pd.DataFrame:
    """One row a patient: split, number of recordings, how many of them repeat another, and what the dealing left out.

    `left_out`: patient -> split that it was kept in (empty: none), where an official list had it in two or in none.
    """
    recordings = segments.drop_duplicates("recording")
    grouped = recordings.assign(duplicate=recordings["recording"].isin(duplicates)).groupby(["split", "patient"])
    table = grouped.agg(recordings=("recording", "size"), duplicates=("duplicate", "sum")).reset_index()
    absent = sorted(set(left_out) - set(table["patient"]))
    rows = pd.DataFrame({"patient": absent, "split": "none", "recordings": 0, "duplicates": 0})
    table = pd.concat([table, rows], ignore_index=True) if absent else table
    table["dropped_elsewhere"] = table["patient"].isin([patient for patient, kept in left_out.items() if kept])
    columns = ["patient", "split", "recordings", "duplicates", "dropped_elsewhere"]
    return table[columns].astype({"recordings": "int64", "duplicates": "int64"})


if __name__ == "__main__":
    run(main)
