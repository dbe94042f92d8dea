"""Looking through every byte that was written for every text that was taken out (faults.md, row 28).

Texts of four characters and more, in any case of letters, whole and word by word. Samples are numbers that can spell a
short word by chance: in them only words of eight characters and more count. Words of digits count in texts, not in
numbers. The words of the field, which may stay, do not count.
"""

import re
import string
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pipeline.corpora._events_tsv import COLUMNS
from pipeline.deidentify.edf import LABEL, PREFILTER, STAMP, UNIT, annotation_spans, cell
from pipeline.findings import Findings
from pipeline.signals.edf_header import SAMPLE_BYTES, EdfHeader, read_header
from pipeline.signals.labels import is_known_label

SHORTEST, SHORTEST_IN_SAMPLES = 4, 8
WRITTEN = frozenset(
    ["startdate", "synthetic", "annotations", "edf annotations", "train", "validation", "test", "eval", "events",
     *(column.lower() for column in COLUMNS)]
)  # fmt: skip  # what the tool itself writes
BLOCK_BYTES = 1 << 22
_WORD_BEFORE, _WORD_AFTER = re.compile(rb"[a-z0-9_]+$"), re.compile(rb"[a-z0-9_]+")
_EDGES = string.punctuation + string.whitespace
_PARTS = re.compile(r"[^\W_]+")


def wanted_texts(texts: Iterable[str], words: frozenset[str]) -> set[bytes]:
    """What must not come out: each text and each of its words, in lower case, but for words of the field."""
    found: set[str] = set()
    for text in texts:
        found.update(part.strip(_EDGES) for part in (text, *text.split(), *_PARTS.findall(text)))
    kept = {text.lower() for text in found if len(text) >= SHORTEST and not is_known_label(text)} - words - WRITTEN
    return {form for text in kept for form in (text.encode("utf-8", "replace"), text.encode("latin-1", "replace"))}


class Search:
    """Finds any of many strings by their first four bytes; parts of a word that may stay do not count."""

    def __init__(self, strings: Iterable[bytes], words: frozenset[str]) -> None:
        self._words = words
        self._by_start: dict[bytes, list[bytes]] = {}
        self._first, self._second = np.zeros(1 << 16, bool), np.zeros(1 << 16, bool)
        for text in strings:
            self._by_start.setdefault(text[:4], []).append(text)
            first, second = np.frombuffer(text[:4], "<u2")
            self._first[first] = self._second[second] = True

    def found_in(self, content: bytes) -> bytes | None:
        """One of the strings that stands anywhere in it, letters in any case; None: none does."""
        if not self._by_start or len(content) < SHORTEST:
            return None
        lower = content.lower()
        flat = np.frombuffer(lower, np.uint8).astype(np.uint16)
        pairs = flat[:-1] | (flat[1:] << 8)
        for place in np.flatnonzero(self._first[pairs[:-2]] & self._second[pairs[2:]]):
            for text in self._by_start.get(lower[place : place + 4], ()):
                if lower.startswith(text, place) and not self._in_a_word(lower, int(place), len(text)):
                    return text
        return None

    def _in_a_word(self, content: bytes, place: int, length: int) -> bool:
        """Whether the bytes are part of one longer word that may stay, as `onic` is of `tonic`."""
        before = _WORD_BEFORE.search(content[max(0, place - 40) : place])
        after = _WORD_AFTER.match(content[place + length : place + length + 40])
        whole = (before[0] if before else b"") + content[place : place + length] + (after[0] if after else b"")
        return len(whole) > length and whole.decode("latin-1") in self._words


class Searches:
    """The three searches: in texts, in anything that holds numbers too, and in samples."""

    def __init__(self, wanted: set[bytes], words: frozenset[str]) -> None:
        named = {text for text in wanted if not text.isdigit()}
        self.texts, self.anything = Search(wanted, words | WRITTEN), Search(named, words | WRITTEN)
        self.samples = Search((text for text in named if len(text) >= SHORTEST_IN_SAMPLES), frozenset())


def leak_in(path: Path, name: str, searches: Searches) -> tuple[str, bytes] | None:
    """Where in a written file, or in its `name` below the output, one of the texts stands, and which."""
    if leak := searches.anything.found_in(name.encode()):
        return "name", leak
    if path.suffix == ".edf":
        return leak_in_edf(path, searches)
    leak = searches.anything.found_in(path.read_bytes())
    return ("table of events", leak) if leak else None


def leak_in_edf(path: Path, searches: Searches) -> tuple[str, bytes] | None:
    """Where in a written EDF (header, annotations, samples) one of the texts stands, and which; None: nowhere."""
    header = read_header(path, Findings())
    with open(path, "rb") as file:
        raw = file.read(header.header_bytes)
        shown = [cell(raw, header, column, s.index) for column in (LABEL, UNIT, PREFILTER) for s in header.signals]
        texts = b"\0".join([raw[8:88], raw[192:236], *shown])
        if leak := searches.anything.found_in(raw) or searches.texts.found_in(texts):
            return "header", leak
        size = SAMPLE_BYTES * header.record_samples
        tail = b""
        while block := file.read(max(1, BLOCK_BYTES // size) * size):
            lists, samples = _parted(block, header)
            if leak := searches.texts.found_in(STAMP.sub(b"\0", lists)):
                return "annotations", leak
            if leak := searches.samples.found_in(tail + samples):
                return "samples", leak
            tail = samples[-256:]
    return None


def _parted(block: bytes, header: EdfHeader) -> tuple[bytes, bytes]:
    """The annotation lists of some records, and their samples."""
    records = np.frombuffer(block, np.uint8).reshape(-1, SAMPLE_BYTES * header.record_samples)
    inside = np.zeros(records.shape[1], bool)
    for low, high in annotation_spans(header):
        inside[low:high] = True
    return records[:, inside].tobytes(), records[:, ~inside].tobytes()
