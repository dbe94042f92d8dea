"""Broken bytes give typed errors or findings, in bounded time and memory; the fuzzer itself can fail."""

import multiprocessing
import random
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from tests.fuzz.fuzz_runner import LIMIT_S, Tally, attempt, distinct, kinds, run, run_kind, split, table


def assert_clean(tallies: list[Tally]) -> None:
    failures = [failure for tally in tallies for failure in tally.failures]
    assert not failures, "\n\n".join([table(tallies), *distinct(failures)[:10]])


def test_a_seeded_share_of_the_mutations_gives_only_typed_errors_and_findings(tmp_path, capsys) -> None:
    plan = split(1500, list(kinds(tmp_path)))
    tallies = run(plan, seed=20, workers=1)
    assert_clean(tallies)
    assert {tally.kind: tally.mutations for tally in tallies} == plan
    assert sum(tally.outcomes["used with findings"] for tally in tallies) > 300
    assert all(tally.slowest[0] < LIMIT_S for tally in tallies)


@pytest.mark.slow
def test_twenty_thousand_mutations(tmp_path, capsys) -> None:
    tallies = run(split(20_000, list(kinds(tmp_path))), seed=0, workers=2)
    with capsys.disabled():
        print(f"\n{table(tallies)}")
    assert_clean(tallies)


class Broken:
    """A target with the faults that the fuzzer is there to find, one for each number."""

    name = "broken"
    megabytes = 64

    def mutated(self, dice: random.Random) -> int:
        return 0

    def consume(self, payload: int) -> str:
        raise KeyError("not typed")


class Hanging(Broken):
    def consume(self, payload: int) -> str:
        until = time.process_time() + LIMIT_S + 60
        while time.process_time() < until:
            pass
        return "used"


class Greedy(Broken):
    def consume(self, payload: int) -> str:
        return str(np.ones(30_000_000).sum())


def unreported(number: int) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def fresh_process():
    """Where the fuzzer runs its targets: here, threads of other tests that end meanwhile would lift the cap."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize(("target", "name"), [(Broken, "KeyError"), (Greedy, "MemoryError")])
def test_the_fuzzer_reports_what_is_not_typed_and_what_takes_too_much_memory(fresh_process, target, name) -> None:
    tally = fresh_process.submit(run_kind, target(), 3, range(2), unreported).result()
    assert tally.outcomes == {f"FAILED: {name}": 2}
    assert "--replay broken:1 --seed 3" in tally.failures[1]


def test_the_fuzzer_ends_what_hangs() -> None:
    import signal

    from tests.fuzz.fuzz_runner import _hang

    before = signal.signal(signal.SIGPROF, _hang)
    try:
        began = time.process_time()
        outcome, failure = attempt(Hanging(), 0, 5)
    finally:
        signal.signal(signal.SIGPROF, before)
    assert outcome == "FAILED: Hung"
    assert "broken:5" in failure
    assert time.process_time() - began < LIMIT_S + 30, "two clocks: the kernel's ticks end it"


def test_a_mutation_is_a_function_of_seed_kind_and_number(tmp_path) -> None:
    from tests.fuzz.fuzz_runner import dice_of

    for name in ("edf", "csv", "settings", "siena_list"):
        target = kinds(tmp_path)[name]()
        one, same, other = (target.mutated(dice_of(7, name, number)) for number in (3, 3, 4))
        assert repr(one) == repr(same)
        assert repr(one) != repr(other)
