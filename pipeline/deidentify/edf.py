"""One EDF without what its header and its annotations say about a person (faults.md, row 28; docs/privacy.md).

Samples are copied byte for byte. The header is written anew from a list of what may stay: numbers, known labels and
units, filters. What was there and is gone comes back as text, so that `search` can look for it in what was written.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import BinaryIO

from pipeline.corpora._seizure_words import may_mean_seizure
from pipeline.deidentify.words import is_allowed
from pipeline.findings import Findings
from pipeline.signals.edf_header import FIELD_WIDTHS, FIXED_BYTES, SAMPLE_BYTES, EdfHeader, read_header, reject
from pipeline.store import replacing

LABEL, TRANSDUCER, UNIT, PREFILTER, RESERVED = 0, 1, 2, 7, 9  # columns of FIELD_WIDTHS
TEXT_COLUMNS = (LABEL, TRANSDUCER, UNIT, PREFILTER, RESERVED)
FIRST_DAY, DAYS = date(1985, 1, 1), 36525  # what the two-digit years of EDF can say: 1985 to 2084
NO_DAY = b"01.01.85"
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
BLOCK_BYTES = 1 << 24  # copied at a time
_DAY = re.compile(rb"(\d\d)[.:/-](\d\d)[.:/-](\d\d)")
_TIME = re.compile(rb"(\d\d)[.:](\d\d)[.:](\d\d)")
_STARTDATE = re.compile(rb"Startdate (\d\d)-([A-Za-z]{3})-(\d{4})\b")
_KIND = re.compile(rb"^EDF\+[CD]")
_BLANKS = re.compile(r"\b(?:X|Startdate|synthetic)\b", re.IGNORECASE)  # what is there anew
_NUMBER = re.compile(rb"[+-]?[0-9]*[.,]?[0-9]*(?:[eE][+-]?[0-9]{1,2})?")
_FILTER = re.compile(
    r"(?:HP|LP|N|NOTCH|BP) ?[:=]? ?(?:DC|OFF|[0-9]{1,4}(?:[.,][0-9]{1,3})?) ?(?:m?Hz|kHz|s)?", re.IGNORECASE
)
_LIST = re.compile(  # a stamp with a whole text or the start of a long one: by chance about once in 10 GB of noise
    rb"[+-]\d+(?:\.\d*)?(?:\x15\d+(?:\.\d*)?)?\x14(?:[ -~\x80-\xff]{0,80}\x14\x00|[ -~]{12})"
)
STAMP = re.compile(rb"[+-]\d+(?:\.\d*)?(?:\x15\d+(?:\.\d*)?)?\x14")
_LOOSE_STAMP = re.compile(rb"([+-]\d+(?:\.\d*)?)\x15[^\x14]*\x14")  # of a duration that is no number
DOUBT = b"szs"  # stands for a removed text that may mean a seizure: no known type, so that the copy is as unsure


@dataclass
class Removed:
    """Texts that were in an EDF and must not be in its copy; how many annotations went."""

    texts: list[str] = field(default_factory=list)
    annotations: int = 0


def copy_edf(source: Path, target: Path, *, shift_days: int, words: frozenset[str], findings: Findings) -> Removed:
    """Write `source` without personal data to `target`, which appears whole or not at all.

    Both start dates move by `shift_days`. Whole records only: what follows the last one is not copied. Raises Rejected
    for a file that is no EDF, or whose annotations bear another label than the standard's.
    """
    header = read_header(source, findings)
    removed = Removed()
    with open(source, "rb") as read, replacing(target) as temporary, open(temporary, "wb") as written:
        raw = read.read(header.header_bytes)
        _check_annotation_labels(raw, header)
        removed.texts += [*identity_texts(raw, header), _text(raw[168:176])]
        written.write(clean_header(raw, header, shift_days))
        for block in _blocks(read, header):
            _check_samples(block, header)
            written.write(_clean_block(block, header, words, removed))
    if removed.annotations:
        message = (
            f"{header.path.name}: {removed.annotations} texts of annotations are not in the list of words; removed"
        )
        findings.add("annotation_scrubbed", message, value=removed.annotations)
    return removed


def _check_annotation_labels(raw: bytes, header: EdfHeader) -> None:
    """A channel called nearly like one of annotations would be copied as samples, its texts with it."""
    for signal in header.signals:
        if b"ANNOT" in cell(raw, header, LABEL, signal.index).upper() and not signal.is_annotation:
            message = (
                f"{header.path.name}: channel {signal.index + 1} is nearly called EDF Annotations; correct its label"
            )
            raise reject("header_invalid", message)


def cell(raw: bytes, header: EdfHeader, column: int, index: int) -> bytes:
    """Field `column` (of FIELD_WIDTHS) of a signal, from the bytes of a header."""
    start = FIXED_BYTES + len(header.signals) * sum(FIELD_WIDTHS[:column]) + FIELD_WIDTHS[column] * index
    return raw[start : start + FIELD_WIDTHS[column]]


def identity_texts(raw: bytes, header: EdfHeader) -> list[str]:
    """Every text of a header that may say something about a person; known labels, units and filters do not.

    Apart from the cleaning, so that a fault there is found by the search for these.
    """
    texts = [_BLANKS.sub("", _text(part)) for part in (raw[8:88], raw[88:168], _KIND.sub(b"", raw[192:236]))]
    for signal in header.signals:
        cells = {column: _text(cell(raw, header, column, signal.index)) for column in TEXT_COLUMNS}
        known = {LABEL: signal.label, UNIT: signal.unit, PREFILTER: _filters(cells[PREFILTER])}
        texts += [text for column, text in cells.items() if text != known.get(column)]
    return texts


def odd_numbers(raw: bytes, header: EdfHeader) -> list[bytes]:
    """What a header holds that is neither number, date nor time, in the fields that are for these alone."""
    columns = [column for column in range(len(FIELD_WIDTHS)) if column not in TEXT_COLUMNS]
    numbers = [raw[:8], raw[184:192], raw[236:244], raw[244:252], raw[252:256]]
    numbers += [cell(raw, header, column, signal.index) for column in columns for signal in header.signals]
    odd = [text for text in numbers if text.strip(b" \0") != _number(text)]
    return odd + [text for text, form in ((raw[168:176], _DAY), (raw[176:184], _TIME)) if not form.fullmatch(text)]


def clean_header(raw: bytes, header: EdfHeader, shift_days: int) -> bytes:
    """The header's bytes anew, of what may stay."""
    kind = _KIND.match(raw[192:236])
    time, n = _TIME.fullmatch(raw[176:184]), len(header.signals)
    fixed = [
        (b"0", 8), (b"X X X X" + (b" synthetic" if header.synthetic else b""), 80),
        (b"Startdate " + _shifted_startdate(raw, shift_days) + b" X X X", 80),
        (_shifted_day(raw, shift_days), 8), (b".".join(time.groups()) if time else b"00.00.00", 8),
        (str(header.header_bytes).encode(), 8), (kind[0] if kind else b"", 44), (str(header.n_records).encode(), 8),
        (_number(raw[244:252]), 8), (str(n).encode(), 4),
    ]  # fmt: skip
    cells = ((column, i) for column in range(len(FIELD_WIDTHS)) for i in range(n))
    entries = b"".join(_clean_cell(raw, header, column, i).ljust(FIELD_WIDTHS[column]) for column, i in cells)
    return b"".join(text.ljust(width) for text, width in fixed) + entries


def _clean_cell(raw: bytes, header: EdfHeader, column: int, index: int) -> bytes:
    was, signal = cell(raw, header, column, index), header.signals[index]
    if column in (TRANSDUCER, RESERVED):
        return b""
    if column not in TEXT_COLUMNS:
        return _number(was)
    kept = {LABEL: signal.label, UNIT: signal.unit.replace("?", ""), PREFILTER: _filters(_text(was))}
    return kept[column].encode("latin-1", "replace")


def _filters(text: str) -> str:
    """The filters that a prefilter field names, if it names nothing else."""
    found = "".join(match[0] for match in _FILTER.finditer(text))
    return text if found.replace(" ", "") == text.replace(" ", "") else ""


def _text(raw: bytes) -> str:
    return raw.decode("latin-1").strip(" \0")


def _number(raw: bytes) -> bytes:
    text = raw.strip(b" \0")
    return text if _NUMBER.fullmatch(text) else b""


def shifted(day: date, shift_days: int) -> date:
    """A day moved within 1985 to 2084, round which it goes: days apart stay apart, and EDF can say the year."""
    return FIRST_DAY + timedelta(days=((day - FIRST_DAY).days + shift_days) % DAYS)


def start_day(raw: bytes) -> date | None:
    """The start date of a header; None: its field is no date."""
    found = _DAY.fullmatch(raw[168:176])
    return _date((int(found[3]) - 85) % 100 + 1985, int(found[2]), int(found[1])) if found else None


def startdate(raw: bytes) -> date | None:
    """The start date of EDF+ in the recording field of a header; None: there is none."""
    found = _STARTDATE.match(raw[88:168])
    month = found[2].decode().upper() if found else ""
    return _date(int(found[3]), MONTHS.index(month) + 1, int(found[1])) if found and month in MONTHS else None


def _shifted_day(raw: bytes, shift_days: int) -> bytes:
    """The start date of the header; one that is none becomes EDF's own 01.01.85."""
    day = start_day(raw)
    return shifted(day, shift_days).strftime("%d.%m.%y").encode() if day else NO_DAY


def _shifted_startdate(raw: bytes, shift_days: int) -> bytes:
    """The start date of EDF+ in the recording field, or X."""
    day = startdate(raw)
    if day is None:
        return b"X"
    moved = shifted(day, shift_days)
    return f"{moved.day:02d}-{MONTHS[moved.month - 1]}-{moved.year}".encode()


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _blocks(file: BinaryIO, header: EdfHeader) -> Iterator[bytes]:
    """Whole records, many at a time."""
    size = SAMPLE_BYTES * header.record_samples
    many = max(1, BLOCK_BYTES // size)
    for first in range(0, header.n_records, many):
        count = min(many, header.n_records - first)
        block = file.read(size * count)
        if len(block) < size * count:
            raise reject("file_unreadable", f"{header.path.name}: ended while it was read; copy it again")
        yield block


def annotation_spans(header: EdfHeader) -> list[tuple[int, int]]:
    """First and last byte of each annotation signal within a record."""
    return [
        (SAMPLE_BYTES * signal.offset, SAMPLE_BYTES * (signal.offset + signal.samples_per_record))
        for signal in header.signals
        if signal.is_annotation
    ]


def _check_samples(block: bytes, header: EdfHeader) -> None:
    """Raise Rejected where samples read like annotations: a damaged label or size would pass their texts on."""
    samples, size = bytearray(block), SAMPLE_BYTES * header.record_samples
    for low, high in annotation_spans(header):
        for start in range(0, len(block), size):
            samples[start + low : start + high] = bytes(high - low)
    if _LIST.search(samples):
        message = f"{header.path.name}: annotations among the samples: a label or size of the header is damaged"
        raise reject("header_invalid", f"{message}; export the file anew")


def _clean_block(block: bytes, header: EdfHeader, words: frozenset[str], removed: Removed) -> bytes:
    spans = annotation_spans(header)
    if not spans:
        return block
    made, size = bytearray(block), SAMPLE_BYTES * header.record_samples
    for start in range(0, len(block), size):
        for number, (low, high) in enumerate(spans):
            lists = clean_lists(block[start + low : start + high], words, removed, keeps_time=number == 0)
            made[start + low : start + high] = lists.ljust(high - low, b"\0")
    return bytes(made)


def clean_lists(content: bytes, words: frozenset[str], removed: Removed, *, keeps_time: bool) -> bytes:
    """The annotation lists of one record with allowed texts only; the record's own onset stays (`keeps_time`).

    What is left reads as it did: only a list that told when the record starts does so. Never longer than `content`,
    even where its lists lack their ends.
    """
    kept: list[bytes] = []
    for place, entry in enumerate(content.split(b"\0")):
        stamp = _stamp(entry, removed)
        if stamp is None:
            if entry:
                removed.texts.append(entry.decode("utf-8", "replace"))
            continue
        begin, texts = stamp
        tells_onset = keeps_time and place == 0 and b"\x15" not in begin and not texts[0]
        staying = _staying(texts, words, removed)
        if tells_onset:
            kept.append((begin + b"\x14".join(staying))[: len(entry)])
        elif any(staying):  # without blank texts in front, which would make an onset of it
            kept.append(begin + b"\x14".join([*filter(None, staying), b""]))
    return b"\0".join([*kept, b""])[: len(content)] if kept else b""


def _stamp(entry: bytes, removed: Removed) -> tuple[bytes, list[bytes]] | None:
    """What a list begins with, its texts. A duration that is no number goes: it is read as none, and may be a text."""
    stamp = STAMP.match(entry)
    if stamp is not None:
        return stamp[0], entry[stamp.end() :].split(b"\x14")
    loose = _LOOSE_STAMP.match(entry)
    if loose is None:
        return None
    removed.texts.append(loose[0][len(loose[1]) :].decode("utf-8", "replace"))
    return loose[1] + b"\x14", entry[loose.end() :].split(b"\x14")


def _staying(texts: list[bytes], words: frozenset[str], removed: Removed) -> list[bytes]:
    """Those texts that may stay, blank ones too: they end lists. For one that may mean a seizure stands DOUBT."""
    staying = []
    for text in texts:
        shown = text.decode("utf-8", "replace")
        if is_allowed(shown, words):
            staying.append(text)
        else:
            removed.texts.append(shown)
            removed.annotations += 1
            if may_mean_seizure(shown) and len(text) >= len(DOUBT):
                staying.append(DOUBT)
    return staying
