"""The QC page of one corpus: what became of every EDF, why, and what can be done.

In: the manifests (every EDF that was found), the tables of `index` and `ingest` with their findings, and for a corpus
on disk what the dealing into splits left out. Out: index.html, and findings and recordings as TSV and Parquet. Stops on
nothing: a corpus that cannot be used needs this page most; `check_splits` is what stops.
"""

from pathlib import Path

import pandas as pd

from pipeline.corpora.shards import read_manifest
from pipeline.findings import Finding, Findings
from pipeline.leaks import leaks, report_duplicates
from pipeline.report.outcomes import outcomes
from pipeline.report.page import render
from pipeline.report.qc import Checked, qc_page, summary
from pipeline.settings.base import Count, Positive, Section, parse_settings
from pipeline.stages.command import parser, run, start
from pipeline.store import read_json, read_table, read_tables, replacing, write_table, write_tsv


class Settings(Section):
    """What this stage uses: the corpus, whether it is simulated, and three values of `report`.

    names: where the pseudonyms are resolved; None without pseudonyms.
    """

    corpus: str
    synthetic: bool
    names: str | None
    title: str
    dpi: Count
    max_mb: Positive


def main() -> None:
    """Read everything, decide the outcomes, write tables and page."""
    options = parser(__doc__)
    for name in ("manifests", "recordings", "seizures", "segments"):
        options.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    options.add_argument("--earlier", type=Path, nargs="+", required=True, help="findings of `index` and `ingest`")
    options.add_argument("--dealing", type=Path, help="findings of the dealing of patients into splits (JSON)")
    options.add_argument("--out", type=Path, required=True, help="folder for index.html and the tables")
    arguments = options.parse_args()
    logger = start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    recordings, segments = read_tables(arguments.recordings), read_tables(arguments.segments)
    dealt_out = [Finding(**row) for row in read_json(arguments.dealing)] if arguments.dealing else []
    findings = all_findings(settings.corpus, arguments.earlier, dealt_out, segments)
    found = found_edfs(arguments.manifests, dealt_out)
    table = outcomes(found, recordings, read_tables(arguments.seizures), segments, findings)
    synthetic = settings.synthetic or (len(recordings) > 0 and bool(recordings["synthetic"].any()))
    checked = Checked(settings.corpus, synthetic, table, findings, leaks(segments), settings.names)
    for name, frame in (("findings", findings), ("recordings", table)):
        write_table(arguments.out / f"{name}.parquet", frame)
        write_tsv(arguments.out / f"{name}.tsv", frame)
    page = render(qc_page(checked, title=settings.title, dpi=settings.dpi), max_mb=settings.max_mb)
    with replacing(arguments.out / "index.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    logger.info("%s %d findings", summary(table), len(findings))


def found_edfs(manifests: list[Path], dealt_out: list[Finding]) -> pd.DataFrame:
    """recording, patient, split of every EDF: those of the manifests, then those that were dealt into no split."""
    rows = [
        (row.recording, row.patient, row.split)
        for path in manifests
        for row in read_manifest(path)
        if row.role == "edf"
    ]
    rows += [(finding.recording, finding.value, "none") for finding in dealt_out if finding.recording]
    found = pd.DataFrame(rows, columns=["recording", "patient", "split"], dtype="string")
    order = {"train": 0, "validation": 1, "test": 2}
    rank = found["split"].map(lambda split: order.get(split, 3))
    return found.assign(rank=rank).sort_values(["rank", "recording"], kind="stable").drop(columns="rank")


def all_findings(corpus: str, earlier: list[Path], dealt_out: list[Finding], segments: pd.DataFrame) -> pd.DataFrame:
    """Findings of dealing, index and ingest, and samples that are there twice; by recording, in the order they came.

    `index` and `ingest` both read the header and say the same of it: once is enough.
    """
    late = Findings(corpus=corpus)
    late.extend(dealt_out)
    report_duplicates(segments, late)
    parts = [frame for frame in (*map(read_table, earlier), late.to_frame()) if len(frame)]
    whole = pd.concat(parts, ignore_index=True) if parts else late.to_frame()
    return whole.drop_duplicates().sort_values("recording", kind="stable", ignore_index=True)


if __name__ == "__main__":
    run(main)
