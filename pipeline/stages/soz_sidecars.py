"""Check the side files of an intracranial corpus without its recordings. Run by hand; nothing is written but on demand.

    python -m pipeline.stages.soz_sidecars --root <bids> [--inventory <tsv>] [--adapter NAME] [--out DIR]

In: a BIDS tree. With --inventory, a TSV with the column `path`, the EDFs are those of that list, and need not be there.
Out: the counts of the corpus, the findings by check with the first of each and its remedy, and every error, on the
terminal; with --out also the tables of `soz_index`, findings.tsv and summary.json. Ends with status 1 where a recording
cannot be used. The adapter and `soz.reading` are
those of config.yaml (--config). See docs/soz.md, Side files.
"""

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from pipeline.corpora.ieeg.sidecars import SideFileError, read_tsv
from pipeline.corpora.ieeg.summary import summary
from pipeline.corpora.ieeg.tables import IndexRows
from pipeline.corpora.ieeg.tree import find_listed, find_recordings
from pipeline.corpora.records import RecordingFiles
from pipeline.findings import CODES, COLUMN_TYPES, REMEDIES, Finding, Findings
from pipeline.settings.base import SettingsError, check_extent, parse_section
from pipeline.settings.soz_data import SozReading
from pipeline.stages.command import StageError, run, start
from pipeline.stages.index import SEIZURES
from pipeline.stages.soz_index import PATIENTS, RECORDINGS_SOZ, contacts_frame, index, reading_of
from pipeline.store import write_json, write_rows, write_table, write_tsv


def options() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--root", type=Path, required=True, help="the BIDS tree")
    made.add_argument("--inventory", type=Path, default=None, metavar="TSV", help="list of EDFs that need not be there")
    made.add_argument("--adapter", default=None, help="of the labels; without, soz.adapter of config.yaml")
    made.add_argument("--config", type=Path, default=Path("config.yaml"), metavar="YAML")
    made.add_argument("--out", type=Path, default=None, metavar="DIR", help="also write the tables here")
    made.add_argument("--log", type=Path, default=None, help="also write the log to this file")
    return made


def main() -> None:
    """Read the side files, count, say what was found."""
    arguments = options().parse_args()
    start(arguments)
    settings = reading_settings(arguments.config, arguments.adapter)
    rows, findings = check(arguments.root, arguments.inventory, settings)
    counts = summary(rows)
    print("\n".join(_lines(counts, findings)))
    if arguments.out is not None:
        _write(arguments.out, rows, findings, counts)
    if errors := [finding for finding in findings if finding.severity == "error"]:
        lost = sorted({finding.recording for finding in errors})
        raise StageError(
            "\n".join([f"{len(lost)} of the recordings cannot be used:", *(_told(finding) for finding in errors)])
        )


def reading_settings(config: Path, adapter: str | None) -> SozReading:
    """`soz.reading` of a configuration, with its adapter or another. Raises SettingsError naming the key."""
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{config}: {error}") from None
    check_extent(content, where=str(config))
    soz = content.get("soz") if isinstance(content, dict) else None
    if not isinstance(soz, dict) or not isinstance(soz.get("reading"), dict):
        raise SettingsError(f"{config}: no section soz.reading; name another file with --config")
    return parse_section(SozReading, soz["reading"] | {"adapter": adapter or soz.get("adapter")}, where="soz.reading")


def check(root: Path, inventory: Path | None, settings: SozReading) -> tuple[IndexRows, Findings]:
    """Rows and findings of the side files below `root`; no EDF is opened."""
    listed = find_recordings(root) if inventory is None else find_listed(root, _inventory(inventory))
    if not listed:
        raise StageError(f"{root}: no sub-…/ieeg/…_ieeg.edf; where only side files are there, give --inventory")
    findings = Findings()
    rows = index(root, listed, _patients(listed), reading_of(settings, signals=False), findings)
    return rows, findings


def _patients(listed: list[RecordingFiles]) -> set[str]:
    return {files.patient for files in listed}


def _inventory(path: Path) -> list[str]:
    try:
        return [row["path"] for row in read_tsv(path).require("path").rows]
    except SideFileError as problem:
        raise StageError(f"{problem}; give a TSV with the column path") from None


def _lines(counts: dict[str, Any], findings: Findings) -> list[str]:
    found = Counter(finding.code for finding in findings)
    first = {finding.code: finding for finding in reversed(list(findings))}
    width = max(map(len, [*counts, *found]))
    shown = [f"{name:{width}}  {value}" for name, value in counts.items()]
    for code, times in sorted(found.items()):
        shown += ["", f"{code:{width}}  {times:4d}  {CODES[code]}", f"  first: {_told(first[code])}"]
    return shown


def _told(finding: Finding) -> str:
    """A finding with its remedy; what concerns the corpus as a whole is of no recording."""
    remedy = REMEDIES.get(finding.code, "see docs/corpora.md")
    return f"{f'{finding.recording}: ' if finding.recording else ''}{finding.message}. Remedy: {remedy}"


def _write(out: Path, rows: IndexRows, findings: Findings, counts: dict[str, Any]) -> None:
    write_rows(out / "recordings.parquet", [row | {"corpus": ""} for row in rows.recordings], RECORDINGS_SOZ)
    write_table(out / "contacts.parquet", contacts_frame(rows.contacts))
    write_rows(out / "patients.parquet", rows.patients, PATIENTS)
    write_rows(out / "seizures.parquet", rows.seizures, SEIZURES)
    write_rows(out / "findings.parquet", findings.to_rows(), COLUMN_TYPES)
    write_tsv(out / "findings.tsv", findings.to_frame())
    write_json(out / "summary.json", counts)


if __name__ == "__main__":
    run(main)
