"""Get an open corpus: list it, resume it, check every byte of it. Run by hand; no rule of the graph downloads anything.

    python -m pipeline.stages.fetch list                          what can be fetched, sizes, licences
    python -m pipeline.stages.fetch chbmit --to DIR --dry-run     every file with size, checksum and state
    python -m pipeline.stages.fetch chbmit --to DIR --only 'chb01/*' --jobs 4
    python -m pipeline.stages.fetch verify DIR                    read everything again and compare
    python -m pipeline.stages.fetch tusz                          where to ask; exit status 2

In: a public server. Out: the files below DIR, and `.ictograph-fetch.tsv` with the SHA-256 of each. Run it again after
an interruption: what is there is not fetched again. Exit status 1 where a file is not in place at the end. See
docs/data.md.
"""

import argparse
import logging
import math
import os
import random
import shutil
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from pipeline.fetching.client import INTERRUPTED, STOPPED, Client, Manners, check_address
from pipeline.fetching.listing import Listing, RemoteFile, list_bucket, list_physionet
from pipeline.fetching.manifest import Manifest, locked, verify
from pipeline.fetching.names import FetchError
from pipeline.fetching.sources import SOURCES, TUSZ, Source
from pipeline.fetching.transfer import Outcome, State, fetch_all, state_of
from pipeline.stages.command import StageError, run, start
from pipeline.store import replacing

MOST_JOBS = 8  # connections to one public server
SPARE = 1 << 28  # bytes left free on the disk
GB = 1e9
MOST_ROWS = 40  # of a table of failures


def options() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("list", help="the corpora: size, licence, where from")
    commands.add_parser("tusz", help="how to ask for the TUH EEG Seizure Corpus")
    commands.add_parser("verify", help="compare a fetched folder with its manifest").add_argument("folder", type=Path)
    for source in SOURCES.values():
        command = commands.add_parser(source.name, help=f"{source.title}, {source.gigabytes} GB, {source.licence}")
        _add_fetch_options(command, source.base)
    return parser


def _add_fetch_options(command: argparse.ArgumentParser, base: str) -> None:
    usual, add = Manners(), command.add_argument
    add("--to", type=Path, required=True, metavar="DIR", help="folder for the files")
    add("--only", action="append", default=[], metavar="PATTERN", help="such as 'chb01/*'; may be given several times")
    add("--jobs", type=int, default=usual.jobs, help=f"connections, 1 to {MOST_JOBS}; %(default)s")
    add("--tries", type=int, default=usual.tries, help="tries in a row that bring nothing new; %(default)s")
    add("--timeout", type=float, default=usual.timeout_s, help="seconds without a byte; %(default)s")
    add("--mirror", metavar="URL", help=f"take it from here instead of {base}")
    add("--dry-run", action="store_true", help="list the files, fetch none")
    add("--replace", action="store_true", help="read every file again, replace those that differ")
    add("--log", type=Path, default=None, help="also write the log to this file")


def main() -> None:
    """Read the command line and run it; Ctrl-C ends it with status 130."""
    arguments = options().parse_args()
    try:
        dispatch(arguments)
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr, flush=True)
        os._exit(130)  # without waiting for connections that are silent: what is on the disk is fit to go on from


def dispatch(arguments: argparse.Namespace) -> None:
    """Run the sub-command."""
    if arguments.command == "list":
        print(corpora_table())
    elif arguments.command == "tusz":
        print(TUSZ)
        sys.exit(2)
    elif arguments.command == "verify":
        verify_folder(arguments.folder)
    else:
        fetch(SOURCES[arguments.command], arguments)


def corpora_table() -> str:
    """What can be fetched, one paragraph a corpus."""
    rows = []
    for one in SOURCES.values():
        size = f"{one.gigabytes:5.1f} GB, {one.edfs:3d} EDFs of {one.patients} patients"
        rows.append(f"{one.name:9s} {size}  {one.title}\n{'':9s} {one.licence}; {one.cite}; {one.page}")
    return "\n".join([*rows, f"{'tusz':9s} on signed agreement only: `fetch tusz` says how to ask"])


def verify_folder(folder: Path) -> None:
    """Read every fetched file again. Raises StageError listing those that are not what was fetched."""
    wrong = verify(folder)
    if wrong:
        raise StageError(
            f"{folder}: {_counted(len(wrong))} not as fetched\n{_table(wrong)}\nFetch again with --replace"
        )
    print(f"{folder}: {len(Manifest(folder).rows)} files as fetched")


def fetch(source: Source, arguments: argparse.Namespace) -> None:
    """List, say what it takes, fetch, report. Raises StageError where a file is not in place at the end."""
    logger, root = start(arguments), arguments.to
    if root.exists() and not root.is_dir():
        raise StageError(f"--to {root} is a file; name a folder")
    client, base = connect(source, arguments, logger)
    with nullcontext() if arguments.dry_run else locked(root):
        manifest = Manifest(root, keep=not arguments.dry_run)
        listing = list_files(client, source, base, arguments.only, manifest)
        here, problems = survey(root, listing, manifest, replace=arguments.replace)
        wanted = [file for file in listing.files if file.name not in problems and here[file.name][0] != "present"]
        print_listing(listing, here, problems)
        demand_space(root, listing, wanted, here)
        if arguments.dry_run:
            return
        for name, text in listing.texts.items():
            with replacing(root / name) as temporary:
                temporary.write_bytes(text)
        progress = Progress(logger, len(wanted))
        outcomes = fetch_all(client, root, wanted, manifest, replace=arguments.replace, report=progress.say)
        manifest.tidy()
    ended = {outcome.name: outcome.problem for outcome in outcomes}
    ended = {file.name: ended.get(file.name, STOPPED) for file in wanted}
    problems |= {name: why for name, why in ended.items() if why}
    if problems:
        raise StageError(f"{not_in_place(problems)}\n{_table(problems)}")
    logger.info("%d files in %s; %s, %s", len(listing.files), root, source.licence, source.cite)


def not_in_place(problems: dict[str, str]) -> str:
    """How many files are missing, and of how many another run may bring more: those that were interrupted."""
    again = sum(any(mark in why for mark in INTERRUPTED) for why in problems.values())
    head = f"{_counted(len(problems))} not in place"
    if not again:
        return f"{head}; the same command again does not help: see why"
    return f"{head}; run again to go on" + ("" if again == len(problems) else f" with {again} of them")


def _counted(number: int) -> str:
    return "1 file is" if number == 1 else f"{number} files are"


def connect(source: Source, arguments: argparse.Namespace, logger: logging.Logger) -> tuple[Client, str]:
    """(client, base address). Raises StageError or FetchError for options that are out of range."""
    if not 1 <= arguments.jobs <= MOST_JOBS or arguments.tries < 1 or not 0 < arguments.timeout < math.inf:
        raise StageError(f"--jobs takes 1 to {MOST_JOBS}, --tries 1 or more, --timeout more than 0")
    base = check_address(arguments.mirror or source.base, allow_http=arguments.mirror is not None)
    if base.startswith("http:"):
        logger.warning("%s is not encrypted: who sits on the way can change files and checksums alike", base)
    manners = Manners(jobs=arguments.jobs, tries=arguments.tries, timeout_s=arguments.timeout)
    return Client(manners=manners, generator=random.Random()), base


@dataclass
class Progress:
    """One line in the log for each file that is done."""

    logger: logging.Logger
    total: int
    done: int = 0

    def say(self, outcome: Outcome) -> None:
        """Log `outcome`."""
        self.done += 1
        what = outcome.problem or f"in place, {outcome.received / 1e6:.1f} MB received"
        self.logger.info("%d of %d %s: %s", self.done, self.total, outcome.name, what)


def list_files(client: Client, source: Source, base: str, only: list[str], manifest: Manifest) -> Listing:
    """What the server holds. A file that is here as it was fetched needs no question for its size."""
    if source.kind == "s3":
        return list_bucket(client, base, source.prefix, only)

    def known(name: str, checksum: str) -> int | None:
        row = manifest.unchanged(name)
        return row.size if row is not None and row.verified == checksum else None

    return list_physionet(client, base, only, known=known)


def survey(
    root: Path, listing: Listing, manifest: Manifest, *, replace: bool
) -> tuple[dict[str, tuple[State, int]], dict[str, str]]:
    """(name -> state and bytes that are here, name -> why it is not to be fetched)."""
    here: dict[str, tuple[State, int]] = {}
    problems = {name: f"refused: {why}" for name, why in listing.refused.items()}
    for file in listing.files:
        try:
            here[file.name] = state_of(root, file, manifest, trust=not replace)
        except FetchError as error:
            problems[file.name] = str(error)
            continue
        if here[file.name][0] == "differs" and not replace:
            problems[file.name] = "is here with other content; move it away, or give --replace"
    return here, problems


def print_listing(listing: Listing, here: dict[str, tuple[State, int]], problems: dict[str, str]) -> None:
    """One line a file: bytes, state, checksum, name; then what is left out and why."""
    for file in listing.files:
        state = here[file.name][0] if file.name in here else "refused"
        print(f"{file.size:13d}  {state:8s} {file.checksum or 'size only':71s} {file.name}")
    for name, why in sorted(problems.items()):
        print(f"left out: {name!a}: {why}")


def demand_space(root: Path, listing: Listing, wanted: list[RemoteFile], here: dict[str, tuple[State, int]]) -> None:
    """Print the totals. Raises StageError where the disk is too small for what is to be fetched."""
    total = sum(file.size for file in listing.files) / GB
    needed = sum(file.size - here[file.name][1] for file in wanted)
    free = shutil.disk_usage(next(place for place in (root, *root.absolute().parents) if place.exists())).free
    summary = f"{len(wanted)} files, {needed / GB:.3f} GB to fetch; {free / GB:.3f} GB free in {root}"
    print(f"{len(listing.files)} files, {total:.3f} GB in all; {summary}")
    if needed + SPARE > free:
        raise StageError(f"{summary}; choose with --only, or another disk")


def _table(problems: dict[str, str]) -> str:
    causes_first = sorted(problems.items(), key=lambda item: (item[1] == STOPPED, item[0]))
    rows = [f"  {name!a}: {why}" for name, why in causes_first]
    more = [f"  and {len(rows) - MOST_ROWS} more"] if len(rows) > MOST_ROWS else []
    return "\n".join([*rows[:MOST_ROWS], *more])


if __name__ == "__main__":
    run(main)
