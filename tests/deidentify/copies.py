"""What the tests of de-identification share: a key, the words, a copy, the command."""

from pathlib import Path

import numpy as np

from pipeline.corpora._pseudonyms import Pseudonyms
from pipeline.deidentify import tree
from pipeline.deidentify.words import listed_words
from pipeline.stages import deidentify as command_line
from pipeline.stages.command import run
from tests.signals.edf_builder import EdfFile, scalp_channels

WORDS = listed_words(None)
KEY = Pseudonyms(b"k" * 32)


def copied(
    source: Path, target: Path, *, reader: str = "folder", version: str = "auto"
) -> tuple[tree.Outcome, list[Path]]:
    """De-identify; the outcome and the EDFs that came out."""
    outcome = tree.deidentify(tree.planned(source, reader=reader, version=version), target, names=KEY, words=WORDS)
    return outcome, sorted(target.rglob("*.edf"))


def small_edf(path: Path, *, records: int = 2, **fields: str) -> Path:
    """Two channels of noise; `fields` of the header by name."""
    channels = scalp_channels(np.random.default_rng(0), records=records, labels=["EEG C3-REF", "EEG C4-REF"])
    return EdfFile(channels, fields=fields).write(path)


def command(monkeypatch, *words: str) -> int:
    """Run the command with these words; its exit status."""
    monkeypatch.setattr("sys.argv", ["deidentify", *words])
    try:
        run(command_line.main)
    except SystemExit as end:
        return int(end.code or 0)
    return 0
