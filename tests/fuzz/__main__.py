"""Fuzz the readers: `python -m tests.fuzz --mutations 20000 --seed 0 [--kind edf tse …] [--replay KIND:NUMBER]`."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: the mutations are small, the workers are many

from tests.fuzz.fuzz_runner import dice_of, distinct, kinds, run, split, table


def main() -> None:
    """Run, print the table and every failure; exit status 1 where there is one."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        known = list(kinds(Path(folder)))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kind", nargs="+", choices=known, default=known)
    parser.add_argument("--replay", metavar="KIND:NUMBER", help="one mutation, with its whole traceback")
    arguments = parser.parse_args()
    if arguments.replay:
        replay(arguments.replay, arguments.seed)
        return
    tallies = run(split(arguments.mutations, arguments.kind), seed=arguments.seed, workers=arguments.workers)
    print(table(tallies))
    failures = [failure for tally in tallies for failure in tally.failures]
    for failure in distinct(failures)[:40]:
        print(f"\n{failure}")
    sys.exit(bool(failures))


def replay(which: str, seed: int) -> None:
    """Do one mutation again; its bytes are shown and its error is raised."""
    name, number = which.split(":")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        target = kinds(Path(folder))[name]()
        payload = target.mutated(dice_of(seed, name, int(number)))
        print(repr(payload)[:3000])
        print(target.consume(payload))


if __name__ == "__main__":
    main()
