"""Runs mutations in worker processes: outcomes counted, time and memory bounded, every failure with what replays it.

A mutation fails by any exception that is not one of ALLOWED, by taking over LIMIT_S, by memory beyond its kind's cap,
or by ending the process.
"""

import contextlib
import logging
import multiprocessing
import multiprocessing.connection
import multiprocessing.process
import random
import resource
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pipeline.findings import CorpusError, Rejected
from pipeline.plugins import UnknownPlugin
from pipeline.sealing import DamagedFile
from pipeline.settings.base import SettingsError
from pipeline.stages.command import StageError
from workflow.lib.planning import PlanError

ALLOWED = (Rejected, CorpusError, SettingsError, StageError, UnknownPlugin, DamagedFile, PlanError)
LIMIT_S = 2.0  # of the processor, so that a busy machine is no failure; what blocks is ended by FAR_TOO_LONG_S
FAR_TOO_LONG_S = 60.0  # without a word from a worker: its process is ended
STARTED_S = 600.0  # more before the first: on a busy machine the imports of a new process take minutes
MEBI = 2**20


class Hung(BaseException):
    """One mutation took too long."""


@dataclass
class Tally:
    """What came of the mutations of one kind."""

    kind: str
    mutations: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, int] = (0.0, -1)  # seconds, number of the mutation
    peak_mb: float = 0.0
    failures: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Take in the tally of another worker."""
        self.mutations += other.mutations
        self.seconds += other.seconds
        self.outcomes += other.outcomes
        self.slowest = max(self.slowest, other.slowest)
        self.peak_mb = max(self.peak_mb, other.peak_mb)
        self.failures += other.failures


def kinds(folder: Path) -> dict[str, Callable[[], Any]]:
    """What makes each kind's target, with a folder of its own below `folder`."""
    from tests.fuzz import fuzz_recordings as recordings
    from tests.fuzz import fuzz_results as results
    from tests.fuzz import fuzz_settings as settings

    def own(name: str) -> Path:
        (folder / name).mkdir(parents=True, exist_ok=True)
        return folder / name

    made: dict[str, Callable[[], Any]] = {
        "edf": lambda: recordings.EdfKind(own("edf")),
        "edf_bipolar": lambda: recordings.EdfKind(own("edf_bipolar"), "edf_bipolar", "bipolar"),
        **{name: (lambda name=name: recordings.tusz_kind(own(name), name)) for name in recordings.TUSZ_KINDS},
        "events_tsv": lambda: recordings.events_tsv_kind(own("events_tsv")),
        "bids_events": lambda: recordings.bids_kind(own("bids_events")),
        **{
            name: (lambda name=name: recordings.chbmit_kinds(own(name), name))
            for name in ("chbmit_summary", "chbmit_seizures")
        },
        "siena_list": lambda: recordings.siena_kind(own("siena_list")),
        "manifest": lambda: recordings.ManifestKind(own("manifest")),
        "config": lambda: settings.ConfigKind(own("config")),
        "settings": lambda: settings.SettingsKind(own("settings")),
        "stage_settings": lambda: settings.StageSettingsKind(own("stage_settings")),
        "store": lambda: results.store_kind(own("store")),
        "table": lambda: results.table_kind(own("table")),
        "json": lambda: results.json_kind(own("json")),
        "weights": lambda: results.weights_kind(own("weights")),
        "foreign_weights": lambda: results.ForeignWeightsKind(own("foreign_weights")),
        "card": lambda: results.CardKind(own("card")),
        "checkpoint": lambda: results.CheckpointKind(own("checkpoint")),
    }
    return made


SHARES = {
    "edf": 0.3, "edf_bipolar": 0.1, "config": 0.03, "store": 0.03, "weights": 0.03, "foreign_weights": 0.03,
    "card": 0.03,
}  # fmt: skip


def split(mutations: int, names: list[str]) -> dict[str, int]:
    """How many mutations each kind gets: the shares above, the rest in equal parts; at least one each."""
    fixed = {name: SHARES[name] for name in names if name in SHARES}
    free = [name for name in names if name not in SHARES]
    scale = 1.0 if free else 1.0 / sum(fixed.values())
    rest = (1.0 - sum(fixed.values())) / max(len(free), 1)
    return {name: max(1, round(mutations * (fixed[name] * scale if name in fixed else rest))) for name in names}


def dice_of(seed: int, kind: str, number: int) -> random.Random:
    """The generator of one mutation."""
    return random.Random(f"{seed}|{kind}|{number}")


def attempt(target: Any, seed: int, number: int) -> tuple[str, str]:
    """(outcome, failure or nothing) of one mutation."""
    try:
        payload = target.mutated(dice_of(seed, target.name, number))
        signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
        return target.consume(payload), ""
    except Rejected as rejected:
        return f"Rejected: {rejected.finding.code}", ""
    except ALLOWED as error:
        return type(error).__name__, ""
    except BaseException as error:  # the fuzzer's purpose is to see whatever comes; an interrupt is passed on
        if isinstance(error, KeyboardInterrupt):
            raise
        where = traceback.format_exc(limit=-4)
        return f"FAILED: {type(error).__name__}", f"--replay {target.name}:{number} --seed {seed}\n{where}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)


def run_kind(target: Any, seed: int, numbers: range, report: Callable[[int], None]) -> Tally:
    """All mutations of one kind whose numbers are given, in this process."""
    signal.signal(signal.SIGPROF, _hang)
    tally = Tally(target.name)
    for warm in (1, 2, 3):  # imports, caches and threads are no memory of a mutation
        attempt(target, seed, -warm)
    with capped_memory(target.megabytes):
        _reset_peak()
        start_mb, began = _status_mb("VmRSS"), time.monotonic()
        for number in numbers:
            report(number)
            before = time.process_time()
            outcome, failure = attempt(target, seed, number)
            tally.slowest = max(tally.slowest, (time.process_time() - before, number))
            tally.outcomes[outcome] += 1
            tally.failures += [failure] if failure else []
        tally.mutations, tally.seconds = len(numbers), time.monotonic() - began
        tally.peak_mb = max(_status_mb("VmHWM") - start_mb, 0.0)
    if tally.peak_mb > target.megabytes:
        tally.failures.append(f"{target.name}: {tally.peak_mb:.0f} MiB above the start, cap {target.megabytes}")
    return tally


def _hang(*_: Any) -> None:
    raise Hung(f"over {LIMIT_S} s")


@contextlib.contextmanager
def capped_memory(megabytes: int) -> Iterator[None]:
    """Let this process take no more than so much data beyond what it has: MemoryError rather than a full machine."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (int((_status_mb("VmData") + megabytes) * MEBI), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _status_mb(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def work(plan: dict[str, int], seed: int, worker: int, workers: int, pipe: Connection) -> None:
    """One worker: its share of every kind, reported through `pipe` as ("at", kind, number) and ("done", Tally)."""
    logging.disable()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        made = kinds(Path(folder))
        for name, mutations in plan.items():
            numbers = range(worker, mutations, workers)
            pipe.send(
                ("done", run_kind(made[name](), seed, numbers, lambda number, n=name: pipe.send(("at", n, number))))
            )
    pipe.close()


@dataclass
class Worker:
    """A process and what was heard of it last."""

    process: multiprocessing.process.BaseProcess
    pipe: Connection
    at: tuple[str, int] = ("", -1)  # kind and number of the mutation in work
    heard: float = field(default_factory=lambda: time.monotonic() + STARTED_S)
    open: bool = True

    def listen(self, tallies: dict[str, Tally]) -> None:
        """Take in what it reports; end it where it has been silent for too long."""
        while self.open and self.pipe.poll():
            self.heard = time.monotonic()
            try:
                message, *content = self.pipe.recv()
            except EOFError:
                self.open = False
                continue
            if message == "at":
                self.at = (content[0], content[1])
            else:
                tallies[content[0].kind].add(content[0])
        if self.open and time.monotonic() - self.heard > FAR_TOO_LONG_S:
            self.process.kill()


def run(plan: dict[str, int], *, seed: int, workers: int) -> list[Tally]:
    """Run the plan (kind -> mutations) in fresh processes."""
    context = multiprocessing.get_context("spawn")
    tallies, crew = {name: Tally(name) for name in plan}, []
    for number in range(workers):
        receiving, sending = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(plan, seed, number, workers, sending))
        process.start()
        sending.close()
        crew.append(Worker(process, receiving))
    while waiting := [worker.pipe for worker in crew if worker.open]:
        multiprocessing.connection.wait(waiting, timeout=1.0)
        for worker in crew:
            worker.listen(tallies)
    for worker in crew:
        worker.process.join()
        if worker.process.exitcode:
            name, number = worker.at if worker.at[0] else (next(iter(plan)), -1)
            ended = f"--replay {name}:{number} --seed {seed}\nthe process ended with {worker.process.exitcode}"
            tallies[name].failures.append(ended)
    return list(tallies.values())


def distinct(failures: list[str]) -> list[str]:
    """The first failure of each last line of a traceback, with the number of those like it."""
    groups: dict[str, list[str]] = {}
    for failure in failures:
        lines = failure.strip().splitlines()
        place = next((line for line in reversed(lines) if line.lstrip().startswith("File ")), lines[0])
        groups.setdefault(f"{place} {lines[-1][:20]}", []).append(failure)
    return [f"{len(alike)} of this kind: {alike[0]}" for alike in groups.values()]


def table(tallies: list[Tally]) -> str:
    """Kind, mutations, seconds, slowest, peak memory, outcomes by type."""
    lines = [f"{'kind':16} {'mutations':>9} {'seconds':>8} {'slowest':>14} {'peak MiB':>8}  outcomes"]
    for tally in tallies:
        outcomes = ", ".join(f"{name} {count}" for name, count in tally.outcomes.most_common())
        slowest = f"{tally.slowest[0]:.2f}s :{tally.slowest[1]}"
        bounds = f"{tally.seconds:8.1f} {slowest:>14} {tally.peak_mb:8.1f}"
        lines.append(f"{tally.kind:16} {tally.mutations:9} {bounds}  {outcomes}")
    total, seconds = sum(tally.mutations for tally in tallies), sum(tally.seconds for tally in tallies)
    failed = sum(len(tally.failures) for tally in tallies)
    return "\n".join([*lines, f"{'in all':16} {total:9} {seconds:8.1f} {'':14} {'':8}  {failed} failures"])
