"""What every reader does with the rows of an annotation file: codes, clipping to the recording, union of overlaps.

Only seizures leave this module. `nesz` is not one (T17): membership is an explicit set, never a pattern.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import isfinite

from pipeline.corpora.records import WHOLE_RECORDING, Event
from pipeline.findings import Finding, Findings, Rejected
from pipeline.signals.labels import shown_channel, shown_code

SEIZURE_CODES = frozenset(["seiz", "fnsz", "gnsz", "spsz", "cpsz", "absz", "tnsz", "cnsz", "tcsz", "atsz", "mysz"])
NOT_EPILEPTIC = "nesz"
OTHER_CODES = frozenset(
    ["bckg", "null", "(null)", "spsw", "gped", "pled", "eybl", "artf", "intr", "slow", "eyem", "chew", "shiv", "musc",
     "elpp", "elst", "calb", "hphs", "trip", "elec"]
)  # fmt: skip
OUTSIDE_SHARE = 0.05  # of the annotated time beyond the recording: more than this and the annotation is not of this EDF
DISAGREE_S = 1.0  # two files of one recording, or a file and the EDF, may differ by this much
OUTSIDE_SLACK_S = 1.0  # the EDF may end within the second that the annotation ends in (T15)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of an annotation file, as written; `place` (file and line) is for messages."""

    start_s: float
    stop_s: float
    label: str
    place: str
    channel: str = WHOLE_RECORDING
    confidence: float = 1.0


def seizures(rows: Iterable[Row], duration_s: float, findings: Findings) -> list[Row]:
    """Seizure rows in order of time, clipped to the recording, overlaps of one channel and code united.

    Raises Rejected (`annotation_outside`) where more than 5 % of the annotated time lies outside the recording.
    """
    kept, inside_s, outside_s = [], 0.0, 0.0
    for row in map(_with_known_channel, rows):
        if not _is_seizure(row, findings):
            continue
        clipped = _clip(row, duration_s, findings)
        if clipped is not None:
            kept.append(clipped)
            inside_s += clipped.stop_s - clipped.start_s
            outside_s += (row.stop_s - row.start_s) - (clipped.stop_s - clipped.start_s)
        elif row.stop_s > row.start_s and isfinite(row.stop_s - row.start_s):
            outside_s += row.stop_s - row.start_s
    if outside_s > OUTSIDE_SLACK_S and outside_s > OUTSIDE_SHARE * (inside_s + outside_s):
        message = f"{outside_s:.1f} s of the annotated seizures lie outside the recording of {duration_s:.1f} s"
        finding = Finding(code="annotation_outside", severity="error", action="skip", message=message)
        raise Rejected(finding)
    return _unite(kept, findings)


def stated_seizures(rows: Sequence[Row], duration_s: float, findings: Findings) -> list[Row]:
    """`seizures` of a source whose silence means none: raises Rejected (`annotation_invalid`) where it states some and
    none is left, since a recording with a seizure that has no place is not free of seizures."""
    kept = seizures(rows, duration_s, findings)
    stated = next((row for row in rows if row.label in SEIZURE_CODES), None)
    if stated is not None and not kept:
        message = f"{stated.place}: a seizure is stated, and no time that can be right; correct it and run again"
        raise refused("annotation_invalid", message)
    return kept


def refused(code: str, message: str, value: str = "") -> Rejected:
    """The error that leaves a whole recording out."""
    return Rejected(Finding(code=code, severity="error", action="error", message=message, value=value[:80]))


def settle_types(rows: Sequence[Row], findings: Findings) -> list[Row]:
    """Seizure rows, those of the whole recording that overlap under several codes made one (faults.md, row 14).

    The code with the most channel-seconds names it; a row that lists no channels counts as one. Ties go by the
    alphabet. Rows of channels stay as they are.
    """
    whole = sorted((row for row in rows if row.channel == WHOLE_RECORDING), key=lambda row: (row.start_s, row.stop_s))
    channels = [row for row in rows if row.channel != WHOLE_RECORDING]
    groups: list[list[Row]] = []
    end_s = float("-inf")
    for row in whole:
        if groups and row.start_s < end_s:
            groups[-1].append(row)
        else:
            groups.append([row])
        end_s = max(end_s, row.stop_s)
    named = [_named(group, channels, findings) for group in groups]
    return sorted([*named, *channels], key=lambda row: (row.start_s, row.channel, row.stop_s, row.label))


def _named(group: Sequence[Row], channels: Sequence[Row], findings: Findings) -> Row:
    """One row out of rows of the whole recording that overlap."""
    if len(group) == 1:
        return group[0]
    start_s, stop_s = group[0].start_s, max(row.stop_s for row in group)
    inside = [row for row in channels if row.start_s < stop_s and start_s < row.stop_s]
    weights = {code: max(_length_s(group, code), _length_s(inside, code)) for code in {row.label for row in group}}
    label = min(weights, key=lambda code: (-weights[code], code))
    message = f"{group[0].place}: seizures of {', '.join(sorted(weights))} overlap; one seizure, named {label}"
    findings.add("annotation_overlap", message, channel=WHOLE_RECORDING, value=f"{start_s:.4f}-{stop_s:.4f}")
    confidence = max(row.confidence for row in group)
    return replace(group[0], stop_s=stop_s, label=label, confidence=confidence)


def _length_s(rows: Sequence[Row], code: str) -> float:
    return sum(row.stop_s - row.start_s for row in rows if row.label == code)


def _with_known_channel(row: Row) -> Row:
    """The row with `?` for a channel that is no word of the field: it may be a name (docs/privacy.md)."""
    known = row.channel == WHOLE_RECORDING or shown_channel(row.channel) == row.channel
    return row if known else replace(row, channel=shown_channel(row.channel))


def _is_seizure(row: Row, findings: Findings) -> bool:
    if row.label in SEIZURE_CODES:
        return True
    if row.label == NOT_EPILEPTIC:
        message = f"{row.place}: nesz is a non-epileptic event and never a seizure"
        findings.add("class_excluded", message, severity="info", action="note", channel=row.channel, value=row.label)
    elif row.label not in OTHER_CODES:
        message = f"{row.place}: label {shown_code(row.label)} is not in the list; the row is left out"
        findings.add("unknown_label", message, action="skip", channel=row.channel, value=shown_code(row.label))
    return False


def _clip(row: Row, duration_s: float, findings: Findings) -> Row | None:
    span = f"{row.start_s:.4f}-{row.stop_s:.4f}"
    if not (row.stop_s > row.start_s and isfinite(row.start_s) and isfinite(row.stop_s)):
        message = f"{row.place}: {span} s has no length; dropped"
        findings.add("annotation_invalid", message, channel=row.channel, value=span)
        return None
    if row.start_s >= duration_s or row.stop_s <= 0.0:
        message = f"{row.place}: {span} s is outside the recording of {duration_s:.4f} s; dropped"
        lost = row.stop_s - row.start_s
        findings.add("annotation_outside", message, channel=row.channel, value=span, seconds_affected=lost)
        return None
    if row.start_s >= 0.0 and row.stop_s <= duration_s:
        return row
    clipped = replace(row, start_s=max(row.start_s, 0.0), stop_s=min(row.stop_s, duration_s))
    lost = (row.stop_s - row.start_s) - (clipped.stop_s - clipped.start_s)
    message = f"{row.place}: {span} s reaches outside the recording of {duration_s:.4f} s; clipped"
    findings.add("annotation_clipped", message, channel=row.channel, value=span, seconds_affected=lost)
    return clipped


def _unite(rows: Sequence[Row], findings: Findings) -> list[Row]:
    """Unite rows of one channel and code that overlap (T14). Rows that only touch stay apart: two seizures."""
    united: list[Row] = []
    for row in sorted(rows, key=lambda row: (row.channel, row.label, row.start_s, row.stop_s)):
        last = united[-1] if united else None
        if last and (last.channel, last.label) == (row.channel, row.label) and row.start_s < last.stop_s:
            message = f"{row.place}: overlaps a row of {row.channel} with the label {row.label}; united"
            findings.add("annotation_overlap", message, channel=row.channel, value=f"{row.start_s:.4f}")
            confidence = max(last.confidence, row.confidence)
            united[-1] = replace(last, stop_s=max(last.stop_s, row.stop_s), confidence=confidence)
        else:
            united.append(row)
    return sorted(united, key=lambda row: (row.start_s, row.channel, row.stop_s, row.label))


def whole_recording(rows: Sequence[Row]) -> list[Row]:
    """File-level seizures from seizures of single channels: their union over the channels (T16).

    Rows of one code that overlap or touch form one seizure. Where seizures of several codes overlap, the one with the
    most channel-seconds names them all (faults.md, row 14); in a tie, the first in alphabetical order.
    """
    by_code: list[tuple[Row, dict[str, float]]] = []
    for code in sorted({row.label for row in rows}):
        by_code += _merge([row for row in rows if row.label == code])
    groups = sorted(by_code, key=lambda group: (group[0].start_s, group[0].stop_s, group[0].label))
    merged: list[tuple[Row, dict[str, float]]] = []
    for row, weights in groups:
        if merged and row.start_s < merged[-1][0].stop_s:
            last, known = merged[-1]
            weights = {code: known.get(code, 0.0) + weights.get(code, 0.0) for code in {*known, *weights}}
            merged[-1] = (replace(last, stop_s=max(last.stop_s, row.stop_s)), weights)
        else:
            merged.append((row, weights))
    return [replace(row, label=min(weights, key=lambda code: (-weights[code], code))) for row, weights in merged]


def _merge(rows: Sequence[Row]) -> list[tuple[Row, dict[str, float]]]:
    """Rows of one code united over the channels, each with the channel-seconds of its code."""
    merged: list[tuple[Row, dict[str, float]]] = []
    for row in sorted(rows, key=lambda row: row.start_s):
        weight = row.stop_s - row.start_s
        last = merged[-1][0] if merged else None
        if last and row.start_s <= last.stop_s:
            confidence = max(last.confidence, row.confidence)
            total = {row.label: merged[-1][1][row.label] + weight}
            merged[-1] = (replace(last, stop_s=max(last.stop_s, row.stop_s), confidence=confidence), total)
        else:
            merged.append((replace(row, channel=WHOLE_RECORDING), {row.label: weight}))
    return merged


def disagreement_s(one: Sequence[Row], other: Sequence[Row]) -> float:
    """Seconds in which one of two lists has a seizure (on any channel) and the other has none."""
    edges = sorted({edge for row in [*one, *other] for edge in (row.start_s, row.stop_s)})
    differing = 0.0
    for start, stop in pairwise(edges):
        inside = [any(row.start_s < stop and start < row.stop_s for row in rows) for rows in (one, other)]
        differing += (stop - start) * (inside[0] != inside[1])
    return differing


def to_events(rows: Iterable[Row]) -> list[Event]:
    """The rows as events, file-level ones first, in order of time."""
    events = [
        Event(onset_s=row.start_s, offset_s=row.stop_s, code=row.label, channel=row.channel, confidence=row.confidence)
        for row in rows
    ]
    return sorted(
        events, key=lambda event: (event.channel != WHOLE_RECORDING, event.onset_s, event.channel, event.code)
    )
