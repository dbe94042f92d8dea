"""Index one shard of an intracranial corpus: recordings, contacts, patients, seizures (spec soz.md, section 8).

In: a manifest and the corpus folder. Out: the four tables (Parquet) and the findings, every check by its name. A
recording that cannot be used is left out with a finding; with --strict the first finding that is a repair, a skip or a
rejection stops the stage.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.corpora.ieeg.adapter import load_adapter
from pipeline.corpora.ieeg.participants import check_listed, check_participants, patients_of, read_participants
from pipeline.corpora.ieeg.tables import IndexRows, Reading, index_patient
from pipeline.corpora.records import RecordingFiles
from pipeline.corpora.shards import read_manifest, recordings_of
from pipeline.findings import COLUMN_TYPES, CorpusError, Findings, refuse_first
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.corpora import IndexSettings
from pipeline.settings.soz_data import SozReading
from pipeline.stages.command import StageError, parser, run, start
from pipeline.stages.index import RECORDINGS, SEIZURES
from pipeline.store import write_rows, write_table

if TYPE_CHECKING:
    import pandas as pd

RECORDINGS_SOZ = RECORDINGS | {"task": "string", "run": "string", "implant": "string", "mains_hz": "float64"}
PATIENTS = {
    "patient": "string", "implant": "string", "engel": "string", "outcome": "string", "therapy": "string",
    "lesion": "string", "target": "string", "age": "float64", "sex": "string", "frame": "string",
    "shared_with": "string",
}  # fmt: skip
CONTACTS = {
    "recording": "string", "patient": "string", "channel": "string", "label": "string", "edf_row": "int64",
    "good": "bool", "used": "bool", "soz": "boolean", "resected": "boolean", "shaft": "string", "contact": "Int64",
    "hemisphere": "string", "x_mm": "float64", "y_mm": "float64", "z_mm": "float64", "region": "string",
    "flags": "string", "order": "int64", "status": "string", "intracranial": "bool",
}  # fmt: skip


class Settings(Section):
    """Sections of config.yaml that this stage uses."""

    index: IndexSettings
    reading: SozReading


def main() -> None:
    """Read the manifest, index each patient, write the tables."""
    options = parser(__doc__)
    for name in ("manifest", "root", "recordings", "contacts", "patients", "seizures", "findings"):
        options.add_argument(f"--{name}", type=Path, required=True)
    options.add_argument(
        "--present", nargs="*", default=[], help="all patients of the corpus; given to one shard alone"
    )
    options.add_argument("--strict", action="store_true", help="stop at the first repair or rejection (signals.strict)")
    arguments = options.parse_args()
    logger = start(arguments, heads=True)
    settings = parse_settings(Settings, arguments.settings)
    findings = Findings(corpus=settings.index.corpus)
    try:
        listed = recordings_of(read_manifest(arguments.manifest))
    except CorpusError as error:
        raise StageError(str(error)) from None
    rows = index(arguments.root, listed, set(arguments.present), reading_of(settings.reading), findings)
    if arguments.strict:
        refuse_first(findings)
    named = [row | {"corpus": settings.index.corpus} for row in rows.recordings]
    write_rows(arguments.recordings, named, RECORDINGS_SOZ)
    write_table(arguments.contacts, contacts_frame(rows.contacts))
    write_rows(arguments.patients, rows.patients, PATIENTS)
    write_rows(arguments.seizures, rows.seizures, SEIZURES)
    write_rows(arguments.findings, findings.to_rows(), COLUMN_TYPES)
    logger.info(
        "%d of %d recordings of %d patients indexed, %d seizures, %d findings",
        len(rows.recordings), len(listed), len(rows.patients), len(rows.seizures), len(findings),
    )  # fmt: skip


def reading_of(settings: SozReading, *, signals: bool = True) -> Reading:
    """How side files are read. Raises SettingsError for an adapter that is unknown or refused."""
    return Reading(
        adapter=load_adapter(settings.adapter),
        soz_bad=settings.soz_bad,
        low_rate_hz=settings.low_rate_hz,
        signals=signals,
    )


def index(
    root: Path, listed: list[RecordingFiles], present: set[str], reading: Reading, findings: Findings
) -> IndexRows:
    """Rows of the tables for the recordings of `listed`.

    `present` are all patients of the corpus with recordings, given to the one shard that says what concerns the corpus
    as a whole; empty for the others.
    """
    by_patient: dict[str, list[RecordingFiles]] = {}
    for files in sorted(listed, key=lambda files: files.recording):
        by_patient.setdefault(files.patient, []).append(files)
    table = read_participants(root, findings if present else Findings())
    participants: Mapping[str, Mapping[str, str]] = patients_of(table)
    if present:
        check_participants(table, present, findings)
    check_listed(sorted(by_patient), table, findings)
    rows = IndexRows()
    for patient in sorted(by_patient):
        index_patient(root, by_patient[patient], participants.get(patient, {}), reading, rows, findings)
    return rows


def contacts_frame(rows: list[dict[str, Any]]) -> "pd.DataFrame":
    """The contacts as a table, with labels and numbers that may be unknown."""
    import pandas as pd

    return pd.DataFrame(rows, columns=list(CONTACTS)).astype(CONTACTS)


if __name__ == "__main__":
    run(main)
