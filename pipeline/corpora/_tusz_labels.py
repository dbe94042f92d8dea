"""Annotation files of TUSZ: `.tse`, `.lbl` (v1) and `.csv` (v2), each also as `_bi` (formats.md, sections 3-5).

The formats are known from public readers and guideline text rather than from corpus files, so these readers bear
with irregular spacing, lost braces and missing comment lines, and report every row that they cannot read.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.corpora._event_rules import Row
from pipeline.corpora._tree import decoded, split_lines
from pipeline.corpora.records import WHOLE_RECORDING
from pipeline.findings import Findings

_MONTAGE = re.compile(r"montage\s*=\s*(\d{1,6})\s*,\s*([^:]+?)\s*:", re.IGNORECASE)
_SYMBOLS = re.compile(r"symbols\s*\[\s*(\d{1,6})\s*\]\s*=(.*)", re.IGNORECASE)
_SYMBOL = re.compile(r"(\d+)\s*:\s*['\"]([^'\"]*)['\"]")
_LABEL = re.compile(r"label\s*=(.*)", re.IGNORECASE)
_DURATION = re.compile(r"#\s*duration\s*=\s*(\d{1,9}(?:\.\d*)?)(?![\d.])", re.IGNORECASE)


@dataclass
class LabelFile:
    """Rows of one annotation file. `duration_s`: of the recording, as the file states it or as its rows cover it.

    `lost`: how many rows could not be read.
    """

    rows: list[Row] = field(default_factory=list)
    duration_s: float | None = None
    lost: int = 0


def read_label_file(path: Path, findings: Findings) -> LabelFile:
    """Read any of the TUSZ annotation files, by its extension."""
    read = {".tse": _read_tse, ".lbl": _read_lbl}.get(path.suffix.lower().removesuffix("_bi"), _read_csv)
    problems = Findings()
    found = read(split_lines(decoded(path.read_bytes())), path.name, problems)
    found.lost = len(problems)
    findings.extend(problems)
    return found


def _lines(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Number and text of the lines that are neither blank nor comments (never by count: T13)."""
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()


def _invalid(findings: Findings, place: str, line: str, why: str) -> None:
    findings.add("annotation_invalid", f"{place}: {why}; row left out", action="skip", value=f"{len(line)} characters")


def _read_tse(lines: list[str], name: str, findings: Findings) -> LabelFile:
    found = LabelFile()
    for number, line in _lines(lines):
        if line.lower().startswith("version"):
            continue
        fields = line.split()
        try:
            start_s, stop_s = float(fields[0]), float(fields[1])
            label = fields[2].lower()  # the whole third field (T06)
            confidence = _probability(fields[3]) if len(fields) > 3 else 1.0
        except (ValueError, IndexError):
            _invalid(findings, f"{name}, line {number}", line, "not `start stop label probability`")
            continue
        place = f"{name}, line {number}"
        found.rows.append(Row(start_s=start_s, stop_s=stop_s, label=label, place=place, confidence=confidence))
        found.duration_s = max(found.duration_s or 0.0, stop_s)
    return found


def _read_lbl(lines: list[str], name: str, findings: Findings) -> LabelFile:
    montage: dict[int, str] = {}
    symbols: dict[int, list[str]] = {}
    found = LabelFile()
    for number, line in _lines(lines):
        if match := _MONTAGE.match(line):
            montage[int(match[1])] = _derivation_name(match[2])
        elif match := _SYMBOLS.match(line):
            symbols[int(match[1])] = [symbol.lower() for _, symbol in _SYMBOL.findall(match[2])]
        elif match := _LABEL.match(line):
            try:
                found.rows += _lbl_rows(match[1], montage, symbols, f"{name}, line {number}")
            except ValueError as problem:
                _invalid(findings, f"{name}, line {number}", line, str(problem))
        elif line.lower().startswith(("montage", "symbols", "label")):
            _invalid(findings, f"{name}, line {number}", line, "no montage, symbols or label row")
    found.duration_s = max((row.stop_s for row in found.rows), default=None)
    return found


def _lbl_rows(text: str, montage: dict[int, str], symbols: dict[int, list[str]], place: str) -> list[Row]:
    """A label row, once for each channel it names; braces may be lost (T08). Raises ValueError saying what is wrong."""
    head, bracket, tail = text.replace("{", " ").replace("}", " ").partition("[")
    fields = [cell.strip() for cell in head.split(",") if cell.strip()]
    if len(fields) != 5 or not bracket:
        raise ValueError("not `level, sublevel, start, stop, channel, [probabilities]`")
    probabilities = [_probability(cell) for cell in tail.replace("]", " ").split(",") if cell.strip()]
    names = symbols.get(int(fields[0]), symbols.get(0, []))  # numbers come from the file itself (T07)
    if not probabilities or len(probabilities) > len(names) or max(probabilities) <= 0.0:
        raise ValueError(f"{len(probabilities)} probabilities for {len(names)} symbols, or all of them zero")
    best = max(range(len(probabilities)), key=probabilities.__getitem__)  # T11
    row = Row(
        start_s=float(fields[2]),
        stop_s=float(fields[3]),
        label=names[best],
        place=place,
        confidence=probabilities[best],
    )
    return [replace(row, channel=channel) for channel in _lbl_channels(fields[4], montage)]


def _lbl_channels(text: str, montage: dict[int, str]) -> list[str]:
    """Derivations of a label row: one, or all of the montage block for -1 or what is no integer (T09)."""
    if not text.isdigit():
        return list(dict.fromkeys(montage.values())) or [WHOLE_RECORDING]
    if int(text) not in montage:
        raise ValueError(f"channel {text} is not in the montage of the file")
    return [montage[int(text)]]


def _read_csv(lines: list[str], name: str, findings: Findings) -> LabelFile:
    found = LabelFile()
    for line in lines:
        if match := _DURATION.match(line.strip()):
            found.duration_s = float(match[1])
    for number, line in _lines(lines):
        cells = [cell.strip() for cell in line.split(",")]
        if cells[0].lower() == "channel":
            continue
        if not cells[0]:
            _invalid(findings, f"{name}, line {number}", line, "no channel")
            continue
        try:
            channel, start_s, stop_s, label = _derivation_name(cells[0]), float(cells[1]), float(cells[2]), cells[3]
            confidence = _probability(cells[4]) if len(cells) > 4 and cells[4] else 1.0
        except (ValueError, IndexError):
            _invalid(findings, f"{name}, line {number}", line, "not `channel,start_time,stop_time,label,confidence`")
            continue
        found.rows.append(
            Row(
                start_s=start_s,
                stop_s=stop_s,
                label=label.lower(),
                place=f"{name}, line {number}",
                channel=channel,
                confidence=confidence,
            )
        )
    return found


def _probability(text: str) -> float:
    """A finite number; raises ValueError for `nan` and `inf`."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text.strip()!r} is no probability")
    return value


def _derivation_name(text: str) -> str:
    """`fp1 - f7` -> `FP1-F7`: spacing and case are irregular (T10)."""
    return "".join(text.upper().split())
