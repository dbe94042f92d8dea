"""Check that no patient and no samples are in two splits; where they are, no number of this corpus may come out.

In: the `segments` of all shards; for a corpus on disk also what the dealing into splits left out (T02). Out: `splits`
(patient, split, recordings, duplicates, dropped_elsewhere), and findings: what the dealing left out, and samples that
are twice within one split (formats.md, T46). Stops with an error that lists what leaks, or that says why no recording
could be used (from the findings of `index` and `ingest`); with --strict also where anything was left out.
"""

from collections import Counter
from pathlib import Path

import pandas as pd

from pipeline.findings import CODES, REMEDIES, Finding, Findings, refuse_first
from pipeline.folds import with_splits
from pipeline.leaks import leaks, report_duplicates
from pipeline.settings.base import Section, parse_settings
from pipeline.stages.command import StageError, parser, run, start
from pipeline.store import read_json, read_table, read_tables, write_table

DEALING = ("patient_in_two_splits", "split_missing")  # findings of pipeline.corpora.shards about a patient


class Settings(Section):
    """Sections of config.yaml that this stage uses."""

    corpus: str


def main() -> None:
    """Read all segments, check them, write the splits."""
    options = parser(__doc__)
    options.add_argument("--segments", type=Path, nargs="+", required=True)
    options.add_argument("--folds", type=Path, help="of a fold: the split of each patient, in place of the segments'")
    options.add_argument("--dealing", type=Path, help="findings of the dealing of patients into splits (JSON)")
    options.add_argument("--earlier", type=Path, nargs="+", default=[], help="findings of `index` and `ingest`")
    options.add_argument("--strict", action="store_true", help="stop on whatever was left out (signals.strict)")
    options.add_argument("--findings", type=Path, required=True)
    options.add_argument("--splits", type=Path, required=True)
    arguments = options.parse_args()
    logger = start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    segments = read_tables(arguments.segments, ["recording", "segment", "patient", "split", "digest"])
    if arguments.folds is not None:
        segments = with_splits(segments, read_table(arguments.folds))
    if segments.empty:
        raise StageError(why_nothing_is_left(settings.corpus, arguments.earlier))
    problems = leaks(segments)
    if problems:
        raise StageError(f"corpus {settings.corpus}: " + "; ".join(problems))
    findings = Findings(corpus=settings.corpus)
    findings.extend([Finding(**row) for row in read_json(arguments.dealing)] if arguments.dealing else [])
    left_out = {row.value: row.expected for row in findings if row.code in DEALING}
    duplicates = report_duplicates(segments, findings)
    if arguments.strict:
        refuse_first(findings)
    write_table(arguments.splits, splits_table(segments, duplicates, left_out))
    write_table(arguments.findings, findings.to_frame())
    logger.info("%d patients, each in one split; %d duplicates", segments["patient"].nunique(), len(duplicates))


def why_nothing_is_left(corpus: str, earlier: list[Path]) -> str:
    """What to say of a corpus without one usable recording: the most frequent reason, one example, the remedy."""
    head = f"corpus {corpus} has no usable recording"
    findings = read_tables(earlier) if earlier else pd.DataFrame({"severity": []})
    reasons = findings[findings["severity"] == "error"]
    if reasons.empty:
        return f"{head}; the findings of `index` and `ingest` say why"
    code, number = Counter(reasons["code"]).most_common(1)[0]
    example = reasons[reasons["code"] == code].iloc[0]
    return (
        f"{head}. Main reason, {number} of {len(reasons)}: {code} ({CODES[code]}), e.g. {example['message']}. "
        f"Remedy: {REMEDIES[code]}. The page qc/index.html of the target qc lists all"
    )


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
