"""Looking through every text that was written for every text that was taken out (faults.md, row 28).

Texts of four characters and more, in any case of letters, whole and word by word; the words of the field, which may
stay, do not count. What the tool computes (pseudonyms, numbers, times of day) can equal anything by chance: its form is
checked, and what has another form is searched. A start date, too, can equal another file's: it is checked to be the
file's own, moved. Samples are numbers that can spell a short word: there, only texts of eight characters and more that
have a letter count.
"""

import re
import string
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pipeline.corpora._events_tsv import COLUMNS
from pipeline.corpora._pseudonyms import ALPHABET, LENGTH
from pipeline.deidentify.edf import (
    DAYS,
    NO_DAY,
    STAMP,
    annotation_spans,
    identity_texts,
    odd_numbers,
    start_day,
    startdate,
)
from pipeline.deidentify.words import is_allowed
from pipeline.findings import Findings
from pipeline.signals.edf_header import SAMPLE_BYTES, EdfHeader, read_header
from pipeline.signals.labels import is_known_label

SHORTEST, SHORTEST_IN_SAMPLES = 4, 8
WRITTEN = frozenset(
    ["startdate", "synthetic", "annotations", "train", "validation", "test", "eval", "events", "edf", "tsv", "sub",
     "rec", *(column.lower() for column in COLUMNS)]
)  # fmt: skip  # what the tool itself writes
BLOCK_BYTES = 1 << 22
_WORD_BEFORE, _WORD_AFTER = re.compile(rb"[a-z0-9_]+$"), re.compile(rb"[a-z0-9_]+")
_EDGES = string.punctuation + string.whitespace
_PARTS = re.compile(r"[^\W_]+")
_OWN_NAME = re.compile(rf"(?:sub|rec)-[{ALPHABET}]{{{LENGTH}}}(?![A-Za-z0-9])|_eeg\.edf$|_events\.tsv$")
_STAMPS = re.compile(rb"(?<![^\0])" + STAMP.pattern)  # at the start of a list; elsewhere it is part of a text
_NUMBER_CELL = re.compile(r"[0-9]+\.[0-9]{2}")
_RECORDING = re.compile(rb"Startdate (?:X|[0-9]{2}-[A-Z]{3}-[0-9]{4}) X X X *")


def wanted_texts(texts: Iterable[str], words: frozenset[str]) -> set[bytes]:
    """What must not come out: each text and each of its words, in lower case, but for words of the field."""
    found: set[str] = set()
    for text in texts:
        found.update(part.strip(_EDGES) for part in (text, *text.split(), *_PARTS.findall(text)))
    may_stay = words | WRITTEN
    kept = {text.lower() for text in found if len(text) >= SHORTEST and not _of_the_field(text, may_stay)}
    return {form for text in kept for form in (text.encode("utf-8", "replace"), text.encode("latin-1", "replace"))}


def _of_the_field(text: str, words: frozenset[str]) -> bool:
    return is_known_label(text) or is_allowed(text, words)


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
        return len(whole) > length and bool(self._words) and _of_the_field(whole.decode("latin-1"), self._words)


class Searches:
    """The two searches: in texts, and in samples."""

    def __init__(self, wanted: set[bytes], words: frozenset[str]) -> None:
        self.texts = Search(wanted, words | WRITTEN)
        spelled = (text for text in wanted if len(text) >= SHORTEST_IN_SAMPLES and has_letter(text))
        self.samples = Search(spelled, frozenset())


def has_letter(text: bytes) -> bool:
    """Whether a text is more than digits and the marks between them."""
    return any(sign.isalpha() for sign in text.decode("utf-8", "replace"))


def leak_in(path: Path, name: str, searches: Searches, *, was: bytes, shift_days: int) -> tuple[str, bytes] | None:
    """Where in a written file, or in its `name` below the output, one of the texts stands, and which.

    `was` is the header of the EDF that it was made of, `shift_days` by how many days its dates had to move.
    """
    if leak := searches.texts.found_in(_OWN_NAME.sub("\0", name).encode()):
        return "name", leak
    if path.suffix == ".edf":
        return leak_in_edf(path, searches, was=was, shift_days=shift_days)
    leak = searches.texts.found_in(_texts_of_table(path))
    return ("table of events", leak) if leak else None


def _texts_of_table(path: Path) -> bytes:
    """The cells of a table of events that are no numbers as the tool writes them."""
    cells = re.split(r"[\t\n]", path.read_text(encoding="utf-8"))
    return "\0".join(cell for cell in cells if not _NUMBER_CELL.fullmatch(cell)).encode()


def leak_in_edf(path: Path, searches: Searches, *, was: bytes, shift_days: int) -> tuple[str, bytes] | None:
    """Where in a written EDF (header, annotations, samples) one of the texts stands, and which; None: nowhere."""
    header = read_header(path, Findings())
    with open(path, "rb") as file:
        raw = file.read(header.header_bytes)
        if not dates_moved(was, raw, shift_days):
            return "start dates", was[168:176]
        if leak := searches.texts.found_in(_texts_of_header(raw, header)):
            return "header", leak
        size = SAMPLE_BYTES * header.record_samples
        tail = b""
        while block := file.read(max(1, BLOCK_BYTES // size) * size):
            lists, samples = _parted(block, header)
            if leak := searches.texts.found_in(_STAMPS.sub(b"\0", lists)):
                return "annotations", leak
            if leak := searches.samples.found_in(tail + samples):
                return "samples", leak
            tail = samples[-256:]
    return None


def dates_moved(was: bytes, now: bytes, shift_days: int) -> bool:
    """Whether both start dates of a header are those of another, moved by `shift_days`, or none where it has none."""
    pairs = [(start_day(was), start_day(now)), (startdate(was), startdate(now))]
    moved = [old is None or (new is not None and (new - old).days % DAYS == shift_days % DAYS) for old, new in pairs]
    blank = [now[168:176] == NO_DAY, now[88:168].startswith(b"Startdate X ")]
    return all(moved) and all(old is not None or none for (old, _), none in zip(pairs, blank, strict=True))


def _texts_of_header(raw: bytes, header: EdfHeader) -> bytes:
    """All that is text in a header, but for the tool's own recording field, whose date is checked apart."""
    recording = b"".ljust(80) if _RECORDING.fullmatch(raw[88:168]) else raw[88:168]
    texts = [text.encode("latin-1") for text in identity_texts(raw[:88] + recording + raw[168:], header)]
    return b"\0".join([*texts, *odd_numbers(raw, header)])


def _parted(block: bytes, header: EdfHeader) -> tuple[bytes, bytes]:
    """The annotation lists of some records, and their samples."""
    records = np.frombuffer(block, np.uint8).reshape(-1, SAMPLE_BYTES * header.record_samples)
    inside = np.zeros(records.shape[1], bool)
    for low, high in annotation_spans(header):
        inside[low:high] = True
    return records[:, inside].tobytes(), records[:, ~inside].tobytes()
