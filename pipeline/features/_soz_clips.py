"""Which 35 s of which recording an SOZ model sees (spec soz.md, section 2): ictal, pre-ictal and interictal clips.

- ictal: from shortly before an onset; at the edge of a file as close to that as a whole clip can lie;
- pre-ictal: the baseline of each ictal clip, ending a gap before it begins; none where a seizure or the edge is in it;
- interictal: of recordings of that task, non-overlapping and off every seizure, spread evenly where there are many;
- copies of ictal and interictal clips shifted by less than a second, for training alone: packets are not
  shift-invariant.

Times are seconds after the first sample of the file. All starts lie on samples of the signal store.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from pipeline.clips import seizure_events
from pipeline.findings import Findings
from pipeline.settings.soz_data import SozClips

TYPES = {
    "clip": "string", "recording": "string", "segment": "string", "patient": "string", "implant": "string",
    "phase": "string", "condition": "string", "seizure": "int64", "start_s": "float64", "shift": "int64",
    "read_from_s": "float64", "read_s": "float64", "edge_wrap": "bool", "short_seizure": "bool", "n_channels": "int64",
}  # fmt: skip
CONDITIONS = {"ictal": "ictal", "pre": "ictal", "interictal": "interictal"}  # of each phase


@dataclass(frozen=True)
class Span:
    """One segment in samples at `rate_hz`, which `margin` and `length` count, too; `seizures` in samples as well."""

    start_s: float
    n_samples: int
    rate_hz: float
    length: int
    margin: int
    seizures: tuple[tuple[float, float], ...]  # from, to, counted from the start of the segment

    def at(self, time_s: float) -> int:
        """The sample nearest to a time of the file."""
        return round((time_s - self.start_s) * self.rate_hz)

    def holds(self, first: int) -> bool:
        """Whether a whole clip lies at sample `first`."""
        return 0 <= first <= self.n_samples - self.length

    def is_free(self, first: int) -> bool:
        """Whether no seizure meets the clip at sample `first`."""
        return all(stop <= first or start >= first + self.length for start, stop in self.seizures)

    def reading(self, first: int) -> tuple[int, int, bool]:
        """First sample and number of samples to read, and whether there is no room for the margins."""
        room = first >= self.margin and first + self.length + self.margin <= self.n_samples
        return (first - self.margin, self.length + 2 * self.margin, False) if room else (first, self.length, True)


@dataclass(frozen=True)
class Cut:
    """One clip before it has a name: `first` sample within its segment."""

    phase: str
    first: int
    seizure: int = -1
    short: bool = False
    shift: int = 0
    origin: int = -1  # of a shifted copy: the first sample of the clip that it is a copy of


def cut_soz_clips(
    recordings: pd.DataFrame, segments: pd.DataFrame, seizures: pd.DataFrame, settings: SozClips, findings: Findings
) -> pd.DataFrame:
    """The clips of one shard (columns `TYPES`), by recording, segment and start; copies follow what they copy.

    Seizures without a clip or without a baseline, and segments shorter than a clip, are reported in `findings`.
    """
    known = recordings.drop_duplicates("recording").set_index("recording")
    events = seizure_events(seizures)
    rows: list[dict[str, Any]] = []
    for recording, own in segments.sort_values(["recording", "start_s"], kind="stable").groupby("recording"):
        about = known.loc[recording]
        noted = findings.for_recording(str(recording))
        spans = {str(row.segment): (row, _span(row, events, settings)) for row in own.itertuples()}
        cuts = _ictal(spans, events[events["recording"] == recording], settings, noted)
        if about["task"] == "interictal":
            cuts += _interictal(spans, settings, noted)
        for segment, cut in _ordered(cuts):
            row, span = spans[segment]
            whole = (cut, *_shifted(cut, span, settings, f"{recording}/{segment}"))
            rows += [_row(row, span, one, str(about["implant"])) for one in whole]
    return pd.DataFrame(rows, columns=list(TYPES)).astype(TYPES)


def _span(segment: Any, events: pd.DataFrame, settings: SozClips) -> Span:
    rate = segment.rate_hz
    own = events[events["recording"] == segment.recording]
    limits = ((own[name] - segment.start_s) * rate for name in ("onset_s", "offset_s"))
    return Span(
        start_s=segment.start_s,
        n_samples=segment.n_samples,
        rate_hz=rate,
        length=round(settings.length_s * rate),
        margin=round(settings.margin_s * rate),
        seizures=tuple(zip(*limits, strict=True)),
    )


def _ordered(cuts: list[tuple[str, Cut]]) -> list[tuple[str, Cut]]:
    """By segment and start, each place once: two onsets near the edge of a file may give the same seconds."""
    ordered = sorted(cuts, key=lambda pair: (pair[0], pair[1].first))
    places = [(segment, cut.first) for segment, cut in ordered]
    return [pair for i, pair in enumerate(ordered) if i == 0 or places[i] != places[i - 1]]


def _ictal(
    spans: dict[str, tuple[Any, Span]], events: pd.DataFrame, settings: SozClips, findings: Findings
) -> list[tuple[str, Cut]]:
    """The clip and the baseline of each seizure of a recording; a shorter one than a clip is marked."""
    cuts: list[tuple[str, Cut]] = []
    for number, (onset_s, offset_s) in enumerate(zip(events["onset_s"], events["offset_s"], strict=True)):
        home = next((name for name, (_, span) in spans.items() if 0 <= span.at(onset_s) < span.n_samples), None)
        if home is None or spans[home][1].n_samples < spans[home][1].length:
            message = (
                f"no {settings.length_s} s without a gap about the onset at {onset_s:g} s; the seizure gives no clip"
            )
            findings.add("seizure_not_cut", message, action="skip", value=onset_s)
            continue
        span = spans[home][1]
        wanted = span.at(onset_s - settings.before_onset_s)
        first = min(max(wanted, 0), span.n_samples - span.length)
        cuts.append((home, Cut("ictal", first, number, offset_s - onset_s < settings.length_s)))
        before = first - round(settings.pre_ictal_gap_s * span.rate_hz) - span.length
        if span.holds(before) and span.is_free(before):
            cuts.append((home, Cut("pre", before, number, offset_s - onset_s < settings.length_s)))
            continue
        message = f"no {settings.length_s} s free of seizures before the onset at {onset_s:g} s; no ratio to a baseline"
        findings.add("pre_ictal_missing", message, action="note", value=onset_s)
    return cuts


def _interictal(spans: dict[str, tuple[Any, Span]], settings: SozClips, findings: Findings) -> list[tuple[str, Cut]]:
    """Clips of a recording, a step apart; where there are more than are wanted, evenly spread over it."""
    slots = [(name, first) for name, (_, span) in spans.items() for first in _slots(span, settings)]
    if not slots:
        message = f"no {settings.length_s} s without a gap or a seizure; the recording gives no interictal clip"
        findings.add("no_whole_clip", message, action="skip")
    wanted = min(len(slots), settings.max_interictal)
    chosen = np.unique(np.linspace(0, len(slots) - 1, wanted).round().astype(int))
    return [(slots[i][0], Cut("interictal", slots[i][1])) for i in chosen]


def _slots(span: Span, settings: SozClips) -> Iterator[int]:
    """First samples of successive clips off every seizure, with room for a margin at both ends where there is any."""
    step = max(round(settings.interictal_step_s * span.rate_hz), span.length)
    spare = (span.n_samples - span.length) % step
    if span.n_samples >= span.length:
        for first in range(min(span.margin, spare // 2), span.n_samples - span.length + 1, step):
            if span.is_free(first):
                yield first


def _shifted(cut: Cut, span: Span, settings: SozClips, place: str) -> Iterator[Cut]:
    """Copies less than a second earlier or later, as far as the segment has room; drawn from (seed, clip)."""
    if cut.phase == "pre":
        return
    rng = np.random.default_rng([settings.seed, zlib.crc32(f"{place}@{cut.first}".encode())])
    steps = rng.integers(1, round(span.rate_hz), settings.shifts) * rng.choice([-1, 1], settings.shifts)
    for number, step in enumerate(steps.tolist(), start=1):
        first = next((cut.first + way for way in (step, -step) if span.holds(cut.first + way)), None)
        if first is not None:
            yield replace(cut, first=first, shift=number, origin=cut.first)


def _row(segment: Any, span: Span, cut: Cut, implant: str) -> dict[str, Any]:
    origin = cut.first if cut.shift == 0 else cut.origin
    name = f"{segment.recording}/{segment.segment}@{span.start_s + origin / span.rate_hz:.3f}"
    read, n_read, edge = span.reading(cut.first)
    return {
        "clip": f"{name}#{cut.shift}" if cut.shift else name,
        "recording": segment.recording,
        "segment": segment.segment,
        "patient": segment.patient,
        "implant": implant,
        "phase": cut.phase,
        "condition": CONDITIONS[cut.phase],
        "seizure": cut.seizure,
        "start_s": span.start_s + cut.first / span.rate_hz,
        "shift": cut.shift,
        "read_from_s": span.start_s + read / span.rate_hz,
        "read_s": n_read / span.rate_hz,
        "edge_wrap": edge,
        "short_seizure": cut.short,
        "n_channels": segment.n_channels,
    }
