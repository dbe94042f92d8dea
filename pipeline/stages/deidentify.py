"""Copy EDFs without personal data: python -m pipeline.stages.deidentify SRC DST

SRC is an EDF or a folder of them; DST a new folder. Names, ids, dates, free text and file names go; samples, times of
records and the types of seizures stay, byte for byte. What was written is then searched for every text that was taken
out; where one is found, nothing is written. docs/privacy.md says what stays, and what no tool can know.

Pseudonyms and shifts follow from the secret key, the patient and the path of a file below SRC: for the same ones again,
give the same key and the same SRC. A single EDF as SRC has other names than within its folder.

The private folder (beside DST unless --private names another; never inside it) holds the secret key, `names.tsv`,
which leads from pseudonyms to files, and `findings.tsv`: what was removed, left out or rejected. Do not share it.
"""

import argparse
import logging
import os
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from pipeline.corpora._pseudonyms import Pseudonyms, checked_key, load_key, made_key, private_folder
from pipeline.deidentify.search import has_letter
from pipeline.deidentify.tree import Copied, Leak, NothingWritten, Outcome, Plan, check_target, deidentify, planned
from pipeline.deidentify.words import listed_words
from pipeline.findings import CorpusError
from pipeline.plugins import UnknownPlugin
from pipeline.stages import command
from pipeline.store import write_tsv

KEY_VARIABLE = "ICTOGRAPH_KEY"
LEAK = "leak.txt"
WORDS_HELP = "If its words are harmless, add them (--words)"
NO_WORDS_HELP = "Numbers and dates that come out are a fault of this program: report it, without that text"


def main() -> None:
    """Read the options, copy, verify, write the private tables."""
    options = _parser()
    arguments = options.parse_args()
    logger = command.start(arguments)
    source, target = arguments.source, arguments.target.resolve()
    private = arguments.private or target.with_name(f"{target.name}-private")
    check_places(source, target, private)
    words = listed_words(arguments.words)
    plan = _plan(source, arguments.reader, arguments.version)
    names = Pseudonyms(_key(arguments.key, private, logger))
    (private / LEAK).unlink(missing_ok=True)
    try:
        outcome = deidentify(plan, target, names=names, words=words)
    except NothingWritten as problem:
        raise command.StageError(f"{problem}; {_told(private, problem)}") from None
    write_private(private, outcome)
    codes = outcome.findings.to_frame()["code"].value_counts().sort_index()
    rejected = sum(finding.severity == "error" for finding in outcome.findings)
    logger.info("%d EDFs copied, %d rejected; verified", len(outcome.copied), rejected)
    for code, count in codes.items():
        logger.info("%s: %d", code, count)
    logger.info("what was what: %s (private)", private / "names.tsv")


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("source", type=Path, metavar="SRC", help="an EDF, or a folder of EDFs; is only read")
    made.add_argument("target", type=Path, metavar="DST", help="the copy: a folder that is not there yet, or empty")
    made.add_argument("--private", type=Path, help="folder for the key, names.tsv and findings.tsv (DST-private)")
    made.add_argument(
        "--key", type=Path, help=f"file with the secret key; else ${KEY_VARIABLE}, else PRIVATE/key, made"
    )
    made.add_argument("--words", type=Path, help="file of more words that annotations may keep (one a line)")
    made.add_argument("--reader", default="folder", help="reader of SRC: tells patients and events (docs/corpora.md)")
    made.add_argument("--version", default="auto", help="layout of SRC, as that reader knows it")
    made.add_argument("--log", type=Path, help="also write the log to this file")
    return made


def check_places(source: Path, target: Path, private: Path) -> None:
    """Raise StageError or CorpusError for a place that cannot be used; before anything is written.

    The output must be new and not lie in the source, nor the private folder in the output.
    """
    if not source.exists():
        raise command.StageError(f"{source}: is not there; name an EDF or a folder of EDFs")
    places = {"DST": target.resolve(), "the private folder": private.resolve()}
    inside = {"DST": source.resolve(), "the private folder": target.resolve()}
    for name, place in places.items():
        if place == inside[name] or inside[name] in place.parents:
            raise command.StageError(f"{place}: {name} must not lie in {inside[name]}; name another folder")
    check_target(target)


def _plan(source: Path, reader: str, version: str) -> Plan:
    """The files of SRC; an error names the options that it hangs on."""
    try:
        return planned(source, reader=reader, version=version)
    except (CorpusError, UnknownPlugin) as problem:
        raise command.StageError(f"{problem} (--reader {reader}, --version {version})") from None


def _told(private: Path, problem: NothingWritten) -> str:
    """Write what the owner needs to see why there is no copy; what to say of it."""
    table = private_folder(private) / "findings.tsv"
    _write(table, problem.findings.to_frame())
    if not isinstance(problem, Leak):
        return str(table)
    shown = private / LEAK
    shown.write_text(problem.text.decode("utf-8", "replace") + "\n", encoding="utf-8")
    shown.chmod(0o600)
    return f"which text: {shown} (private). {WORDS_HELP if has_letter(problem.text) else NO_WORDS_HELP}"


def _key(path: Path | None, private: Path, logger: logging.Logger) -> bytes:
    """The secret key: of the file, of the environment, or the private folder's own, made where there is none."""
    if path is not None:
        return load_key(path)
    if given := os.environ.get(KEY_VARIABLE):
        return checked_key(given.encode(), f"${KEY_VARIABLE}")
    if not (private / "key").exists():
        logger.info("a new secret key: %s. Without it, the same files get other names next time", private / "key")
    return made_key(private / "key")


def write_private(private: Path, outcome: Outcome) -> None:
    """names.tsv and findings.tsv, for the owner alone."""
    private_folder(private)
    columns = list(Copied.__dataclass_fields__)
    names = pd.DataFrame([asdict(row) for row in outcome.copied], columns=columns)
    _write(private / "names.tsv", names)
    _write(private / "findings.tsv", outcome.findings.to_frame())


def _write(path: Path, table: pd.DataFrame) -> None:
    write_tsv(path, table)
    path.chmod(0o600)


if __name__ == "__main__":
    command.run(main)
