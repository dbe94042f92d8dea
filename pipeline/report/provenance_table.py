"""The records of what made each result, in the order of the graph, and one table of them.

In: `results/<corpus>/**/provenance/**.json` (pipeline/provenance.py). One row a job; a job that has started and not
ended well has a row, too, so that what died is seen.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.provenance import RECORDS, STARTED, job_name
from pipeline.provenance_files import digest_content
from pipeline.store import read_json

Record = dict[str, Any]
COLUMNS = {
    "job": "string", "stage": "string", "state": "string", "settings": "string", "code": "string", "commit": "string",
    "inputs": "Int64", "inputs_digest": "string", "outputs": "Int64", "outputs_digest": "string", "python": "string",
    "device": "string", "threads": "Int64", "host": "string", "slurm_job": "string", "partition": "string",
    "attempt": "Int64", "notes": "string", "started": "string", "finished": "string", "duration_s": "Float64",
    "peak_memory_mb": "Float64", "peak_gpu_memory_mb": "Float64",
}  # fmt: skip
SHOWN = ("job", "state", "settings", "code", "device", "duration_s", "peak_memory_mb", "finished", "host")
AS_MADE, CHANGED, MISSING, UNFINISHED = "as made", "changed", "missing", "unfinished"


def record_folders(folder: Path) -> list[Path]:
    """Folders of records in a results folder or in one corpus of it."""
    found = {path for depth in ("", "*/", "*/*/") for path in folder.glob(f"{depth}{RECORDS}") if path.is_dir()}
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def read_records(folder: Path) -> list[Record]:
    """Every record below `folder`, in the order of the graph. Raises DamagedFile."""
    found = [read_json(path) for base in record_folders(folder) for path in sorted(base.rglob("*.json"))]
    return in_order([record for record in found if isinstance(record, dict) and "settings_digest" in record])


def results_of(folder: Path) -> Path:
    """The folder that names of files are relative to: as far above `folder` as the jobs of its records say.

    Where none of them has ended, `folder` is taken for that of a corpus if it has records of its own.
    """
    folder = folder.absolute()
    for base in record_folders(folder):
        for path in sorted(base.rglob("*.json")):
            record = read_json(path)
            if isinstance(record, dict) and "job" in record:
                above = len(Path(record["job"]).parts) - len(Path(job_name(path, folder)).parts)
                return folder.parents[above - 1] if above > 0 else folder
    return folder.parent if (folder / RECORDS).is_dir() else folder


def in_order(records: Sequence[Record]) -> list[Record]:
    """What makes an input comes before what reads it; jobs of equal rank by stage and name: shards side by side."""
    makers = {row["name"]: record["job"] for record in records for row in record["outputs"]}
    before = {
        record["job"]: {makers[row["name"]] for row in record["inputs"] if row["name"] in makers} - {record["job"]}
        for record in records
    }
    after: dict[str, list[str]] = {job: [] for job in before}
    for job, jobs in before.items():
        for other in jobs:
            after[other].append(job)
    ranks = dict.fromkeys(before, 0)  # the longest way from a job without inputs
    waiting = {job: len(jobs) for job, jobs in before.items()}
    ready = [job for job, count in waiting.items() if not count]
    while ready:
        job = ready.pop()
        for other in after[job]:
            ranks[other] = max(ranks[other], ranks[job] + 1)
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    last = len(ranks)  # what files that were made by hand put into a ring
    key = {job: (last if waiting[job] else ranks[job]) for job in ranks}
    return sorted(records, key=lambda record: (key[record["job"]], record["stage"], record["job"]))


def table_of(records: Iterable[Record], *, results: Path) -> pd.DataFrame:
    """One row a record. `results`: the folder that names of files are relative to, to see what became of them."""
    rows = [row_of(record, state_of(record, results)) for record in records]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def row_of(record: Record, state: str) -> Record:
    """The row of one record."""
    source, scheduler, device = record["source"] or {}, record["scheduler"] or {}, record["device"]
    commit = (source.get("commit") or "")[:10] + (" and changes" if source.get("clean") is False else "")
    cards = [f"{name} x{device['gpus'].count(name)}" for name in dict.fromkeys(device["gpus"])]
    return {
        **{name: record[name] for name in COLUMNS if name in record},
        "state": state,
        "settings": record["settings_digest"],
        "commit": commit,
        "inputs": len(record["inputs"]),
        "inputs_digest": digest_of(record["inputs"]),
        "outputs": len(record["outputs"]),
        "outputs_digest": digest_of(record["outputs"]),
        "python": record["versions"]["python"],
        "device": ", ".join(cards) or device["cpu"],
        "threads": device["threads"],
        "slurm_job": scheduler.get("job"),
        "partition": scheduler.get("partition"),
        "notes": json.dumps(record["notes"], sort_keys=True) if record["notes"] else "",
    }


def digest_of(rows: Sequence[Record]) -> str:
    """One digest (hex, 16 characters) of the names and contents of files."""
    text = json.dumps([[row["name"], row["size"], row["digest"]] for row in rows])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def state_of(record: Record, results: Path) -> str:
    """Whether the outputs of a job still are what it made. A file is read only if its time of change differs."""
    state = AS_MADE
    for row in record["outputs"]:
        if row["name"].startswith("{"):  # of a corpus or elsewhere: not ours to follow
            continue
        path = results / row["name"]
        if not path.is_file():
            return MISSING
        status = path.stat()
        if status.st_mtime_ns != row["mtime_ns"] and (
            status.st_size != row["size"] or digest_content(path) != row["digest"]
        ):
            state = CHANGED
    return state


def unfinished(folder: Path, *, results: Path) -> pd.DataFrame:
    """One row for each job that has started and not ended well: running, or dead."""
    rows = []
    for base in record_folders(folder):
        for path in sorted(base.rglob(f"*{STARTED}")):
            try:
                begun = json.loads(path.read_text())
            except (OSError, ValueError):
                continue  # it has ended just now
            scheduler = begun["scheduler"] or {}
            own = {"job": job_name(path, results), "state": UNFINISHED, "slurm_job": scheduler.get("job")}
            kept = {name: begun[name] for name in ("host", "started", "attempt", "code")}
            rows.append(own | kept | {"settings": begun["settings_digest"], "partition": scheduler.get("partition")})
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def lines_of(table: pd.DataFrame, shown: Sequence[str] = SHOWN) -> list[str]:
    """Some columns of a table as lines of text for a terminal, numbers on the right."""
    columns = []
    for name in shown:
        values = table[name]
        number = pd.api.types.is_numeric_dtype(values)
        texts = ["" if pd.isna(value) else f"{value:.1f}" if number else str(value) for value in values]
        width = max(len(text) for text in (name, *texts))
        columns.append([text.rjust(width) if number else text.ljust(width) for text in (name, *texts)])
    return ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]
