"""What made a result: one JSON record beside the results of each job, written by the frame of the stages.

The log `<folder>/logs/<name>.log` of a job has its record at `<folder>/provenance/<name>.json`. It holds the settings,
the digest of the code, inputs and outputs with digests, versions, device, host, scheduler, times and peak memory
(docs/workflow.md, Provenance). A job that has not ended has no record, but a note `<name>.started`, from which the next
attempt learns its number. No module of this name is part of a code digest: what it writes is about results and in none.
"""

import argparse
import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import provenance_machine as machine
from pipeline.provenance_files import PRIVATE, Places, Watch, files_of, state_of
from pipeline.store import replacing, write_json

RESULTS = "ICTOGRAPH_RESULTS"  # set by the workflow: the results folder, to which names of files are relative
LOGS, RECORDS, STARTED = "logs", "provenance", ".started"
OUTSIDE = "{outside}"
PATHS = ("root", "pseudonym_key", "file", "clips", "patients")  # settings that are paths also where they have no slash


@dataclass
class Job:
    """A job that is running: where its record goes, and what is known of it at its start."""

    record: Path
    arguments: argparse.Namespace
    given: dict[Path, tuple[int, int, int] | None]
    heads: bool
    started_s: float
    attempt: int
    notes: dict[str, Any] = field(default_factory=dict)


_WATCH = Watch()
_job: Job | None = None


def note(key: str, value: str | int | float | bool | None) -> None:
    """Put a fact into the record of the running job, e.g. `note("resumed_from_epochs", 3)`; nothing without a job."""
    if _job is not None:
        _job.notes[key] = value


def record_path(log: Path) -> Path:
    """Where the record of the job with this log lies: `logs` becomes `provenance`, or else beside the log."""
    parts = log.parts
    if LOGS not in parts[:-1]:
        return log.with_name(f"{log.stem}.provenance.json")
    at = len(parts) - 2 - parts[-2::-1].index(LOGS)
    return Path(*parts[:at], RECORDS, *parts[at + 1 :]).with_suffix(".json")


def begin(arguments: argparse.Namespace, *, heads: bool = False) -> None:
    """A job starts: watch what it opens. Without a log, or without settings (stages run by hand), there is no record.

    `heads`: it looks at headers of recordings, which are then not read as a whole for a digest.
    """
    global _job
    _job = None
    if arguments.log is None or not hasattr(arguments, "settings"):
        return
    record = record_path(arguments.log)
    started_s = time.time() - machine.age_s()
    record.unlink(missing_ok=True)  # of an earlier run, whose results are being replaced
    attempt = _count(record, arguments, started_s)
    _job = Job(record, arguments, state_of(_given(arguments)), heads, started_s, attempt)
    _WATCH.begin()


def finish(stage: str) -> None:
    """The job has ended well: write its record. Raises OSError where it cannot be written."""
    global _job
    job, _job = _job, None
    if job is None:
        return
    seen = _WATCH.end()
    places = _places(job.record, job.arguments)
    inputs, outputs = files_of(seen, job.given, places=places, heads=job.heads)
    ended, ended_s = machine.now()
    content = {
        "stage": stage,
        "job": job_name(job.record, places.results),
        "settings": (told := told_settings(job.arguments.settings, hidden=places.hidden)),
        "settings_digest": digest_settings(told),
        "code": job.arguments.code,
        "source": machine.source(),
        "inputs": inputs,
        "outputs": outputs,
        "versions": machine.versions(),
        "device": machine.device(),
        "host": socket.gethostname(),
        "scheduler": machine.scheduler(),
        "started": machine.utc(job.started_s),
        "finished": ended,
        "duration_s": round(ended_s - job.started_s, 3),
        "attempt": job.attempt,
        "notes": job.notes,
        **machine.memory(),
    }
    write_json(job.record, content)
    _marker(job.record).unlink(missing_ok=True)


def told_settings(text: str, *, hidden: bool) -> Any:
    """Settings JSON as a record tells it: of a path outside the last name alone, the same on every machine.

    `hidden`: the corpus stands under pseudonyms, and any path, also a relative one, may bear a person's name: it is
    `{outside}` and no more.
    """
    try:
        return _without_folders(json.loads(text), hidden)
    except ValueError:
        return OUTSIDE if hidden else text  # no JSON: the stage will say so


def _without_folders(value: Any, hidden: bool) -> Any:
    if isinstance(value, dict):
        told = {key: _without_folders(inner, hidden) for key, inner in value.items()}
        return told | {key: OUTSIDE for key in PATHS if hidden and isinstance(told.get(key), str) and told[key]}
    if isinstance(value, list):
        return [_without_folders(inner, hidden) for inner in value]
    if not isinstance(value, str):
        return value
    if hidden and ("/" in value or value.startswith("~")):
        return OUTSIDE
    return f"{OUTSIDE}/{Path(value).name}" if value.startswith(("/", "~")) else value


def digest_settings(told: Any) -> str:
    """Digest (hex, 16 characters) of settings as they are told, whatever the order of their keys."""
    return hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=8).hexdigest()


def _marker(record: Path) -> Path:
    return record.with_suffix(STARTED)


def _count(record: Path, arguments: argparse.Namespace, started_s: float) -> int:
    """The number of this attempt: one more than that of the last one of equal settings and code that did not end."""
    marker = _marker(record)
    told = told_settings(arguments.settings, hidden=_places(record, arguments).hidden)
    identity = {"settings_digest": digest_settings(told), "code": arguments.code}
    attempt = 1
    try:
        before = json.loads(marker.read_text())
        if identity.items() <= before.items():
            attempt += int(before["attempt"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # none, or one that was torn by a crash: the first as far as is known
    content = identity | {
        "attempt": attempt,
        "host": socket.gethostname(),
        "scheduler": machine.scheduler(),
        "started": machine.utc(started_s),
    }
    with replacing(marker) as temporary:
        temporary.write_text(json.dumps(content, sort_keys=True) + "\n")
    return attempt


def _places(record: Path, arguments: argparse.Namespace) -> Places:
    folder = _folder(record)
    results = Path(os.path.abspath(os.environ.get(RESULTS) or folder.parent))
    if not folder.is_relative_to(results):  # a stage run by hand elsewhere, in the environment of a run
        results = folder.parent
    root = getattr(arguments, "root", None)
    own = folder.relative_to(results).parts[:1]
    hidden = Path(results, *own, PRIVATE).is_dir()
    return Places(results, Path(os.path.abspath(root)) if root else None, hidden)


def _folder(record: Path) -> Path:
    """The folder that a record speaks for: that which holds `provenance/`."""
    path = Path(os.path.abspath(record))
    return next((parent.parent for parent in path.parents if parent.name == RECORDS), path.parent)


def job_name(record: Path, results: Path) -> str:
    """The job's name: the path of its record (or of the note that it has started) below the results."""
    path = Path(os.path.abspath(record)).relative_to(results).with_suffix("")
    return Path(*(part for part in path.parts if part != RECORDS)).as_posix()


def _given(arguments: argparse.Namespace) -> Iterator[Path]:
    """Every path on the command line but that of the log."""
    for name, value in vars(arguments).items():
        if name != "log":
            yield from (path for path in (value if isinstance(value, list) else [value]) if isinstance(path, Path))
