"""Which seconds of which recording form one sample, and its label (Tang et al. 2022, sections 2.1, 3.1 and appendix).

In: usable segments of recordings and their seizures. Out: the clips table (docs/architecture.md). Three tasks:

- detection: the whole, non-overlapping L-second clips of each segment; positive if a seizure meets them;
- pre-training: the same clips, each with the first seconds of the next clip of its segment as target;
- classification: one clip per seizure event, from shortly before its onset.

Seizures are the file-level events (channel `TERM`). All arithmetic is on whole columns. docs/clips-and-graphs.md says
where the published code differs.
"""

import numpy as np
import pandas as pd

from pipeline.findings import Findings
from pipeline.settings.clips import ClipCompat, ClipSettings, Task

SCHEMES: dict[str, dict[str, tuple[str, ...]]] = {  # spec formats.md, section 6; fixed, never inferred from data
    "four": {"CF": ("fnsz", "spsz", "cpsz"), "GN": ("gnsz",), "AB": ("absz",), "CT": ("tnsz", "tcsz")},
    "seven": {
        "FN": ("fnsz",), "GN": ("gnsz",), "SP": ("spsz",), "CP": ("cpsz",), "AB": ("absz",), "TN": ("tnsz",),
        "TC": ("tcsz",),
    },
    "eight": {
        "FN": ("fnsz",), "GN": ("gnsz",), "SP": ("spsz",), "CP": ("cpsz",), "AB": ("absz",), "TN": ("tnsz",),
        "TC": ("tcsz",), "MY": ("mysz",),
    },
}  # fmt: skip
UNTYPED = "seiz"
MYOCLONIC = "mysz"
FOCAL_CODES = ("fnsz", "spsz", "cpsz")
GENERALISED_CODES = ("gnsz", "absz", "tnsz", "cnsz", "tcsz", "atsz", "mysz")
SEIZURE_CODES = (*FOCAL_CODES, *GENERALISED_CODES, UNTYPED)  # an explicit set: `nesz` is not epileptic (T17)
WHOLE_RECORDING = "TERM"
COLUMNS = [
    "clip", "recording", "segment", "patient", "session", "split", "start_s", "length_s", "label", "code", "codes",
    "focal", "item", "frame", "target_frame",
]  # fmt: skip
TEXT_COLUMNS = ["clip", "recording", "segment", "patient", "session", "split", "code", "codes", "focal", "item"]
MICROSECONDS = 1_000_000  # annotations have four decimals: in whole microseconds, touching and overlapping are exact
RECORDING_STRIDE = 1 << 44  # above any time in microseconds (203 days): recordings never meet on the joined axis


def classes(scheme: str) -> tuple[str, ...]:
    """Class names of a scheme, in the order of their numbers."""
    return tuple(SCHEMES[scheme])


def class_numbers(codes: pd.Series, scheme: str) -> np.ndarray:
    """Class number (int64) of each seizure code under `scheme`; -1 where the scheme leaves the code out."""
    number = {code: k for k, members in enumerate(SCHEMES[scheme].values()) for code in members}
    return codes.astype(object).map(number).fillna(-1).to_numpy(dtype=np.int64)


def cut_clips(
    segments: pd.DataFrame,
    seizures: pd.DataFrame,
    *,
    task: Task,
    length_s: int,
    settings: ClipSettings,
    compat: ClipCompat,
    findings: Findings,
) -> pd.DataFrame:
    """The clips of one task and length, ordered by recording, segment and start.

    Events without any clip and segments shorter than a clip are reported in `findings`.
    """
    segments = segments.sort_values(["recording", "start_s"], kind="stable").reset_index(drop=True)
    events = seizure_events(seizures)
    if task == "classification":
        placed = _event_windows(segments, events, before_onset_s=settings.before_onset_s, compat=compat)
        cut = _event_clips(placed, length_s=length_s, findings=findings)
        return _finish(_part_myoclonic(cut, findings) if compat.mysz_split == "published" else cut)
    clips = _grid_clips(segments, length_s=length_s, findings=findings)
    if task == "pretraining":
        return _finish(_with_targets(clips, length_s))
    return _finish(_label_detection(clips, events, length_s=length_s, touching=compat.label_edge == "touching"))


def seizure_events(seizures: pd.DataFrame) -> pd.DataFrame:
    """File-level seizures (recording, onset_s, offset_s, code), each with its type where derivations tell it.

    TUSZ v2 says only `seiz` for the whole recording; the type then is the code that the overlapping derivation rows
    bear for the longest time in sum (a tie goes to the first in SEIZURE_CODES). Anything that is not in SEIZURE_CODES
    is no seizure.
    """
    known = seizures[seizures["code"].isin(SEIZURE_CODES) & (seizures["offset_s"] > seizures["onset_s"])]
    whole = known["channel"] == WHOLE_RECORDING
    events = known.loc[whole, ["recording", "onset_s", "offset_s", "code"]].astype({"code": object})
    events = events.sort_values(["recording", "onset_s", "offset_s"], kind="stable").reset_index(drop=True)
    votes = known.loc[~whole & (known["code"] != UNTYPED), ["recording", "onset_s", "offset_s", "code"]]
    return events.assign(code=_elected(events, votes).reindex(events.index).fillna(events["code"]))


def _elected(events: pd.DataFrame, votes: pd.DataFrame) -> pd.Series:
    """Of each untyped event with overlapping `votes` (rows of derivations): the code with the most seconds."""
    untyped = events[events["code"] == UNTYPED].drop(columns="code").reset_index(names="event")
    pairs = untyped.merge(votes, on="recording", suffixes=("", "_row"))
    end = np.minimum(pairs["offset_s"], pairs["offset_s_row"])
    pairs = pairs.assign(seconds=end - np.maximum(pairs["onset_s"], pairs["onset_s_row"]))
    pairs = pairs[pairs["seconds"] > 0].assign(rank=pairs["code"].map(SEIZURE_CODES.index))
    totals = pairs.groupby(["event", "rank", "code"])["seconds"].sum().round(6).reset_index()
    totals = totals.sort_values(["event", "seconds", "rank"], ascending=[True, False, True], kind="stable")
    return totals.drop_duplicates("event").set_index("event")["code"]


def focal_kind(meets: np.ndarray, codes: tuple[str, ...]) -> np.ndarray:
    """`focal`, `generalised`, `mixed` or empty, from the codes that each row of `meets` (rows, codes) has."""
    focal = meets[:, [code in FOCAL_CODES for code in codes]].any(axis=1)
    generalised = meets[:, [code in GENERALISED_CODES for code in codes]].any(axis=1)
    return np.select([focal & generalised, focal, generalised], ["mixed", "focal", "generalised"], default="")


def labelled_only(segments: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Segments of recordings with annotations. Without any, seconds are neither seizure nor background: a finding."""
    for recording in segments.loc[~segments["labelled"], "recording"].unique():
        message = f"{recording}: nothing says whether it holds a seizure; used for pre-training only"
        findings.for_recording(str(recording)).add("annotation_missing", message, severity="info", action="skip")
    return segments[segments["labelled"]]


def _grid_clips(segments: pd.DataFrame, *, length_s: int, findings: Findings) -> pd.DataFrame:
    """Every whole `length_s` of every segment; column `number` counts within the segment, `count` is their number."""
    whole_s = segments["n_samples"].to_numpy() // _samples_per_second(segments)
    count = whole_s // length_s
    for row in segments[count == 0].to_dict("records"):
        findings.for_recording(row["recording"]).add(
            "no_whole_clip", f"segment {row['segment']} has {row['duration_s']:g} s, a clip {length_s} s",
            severity="info", action="skip", value=row["duration_s"], expected=length_s,
            seconds_affected=row["duration_s"],
        )  # fmt: skip
    clips = segments.loc[np.repeat(segments.index, count)].reset_index(drop=True)
    clips["count"] = np.repeat(count, count)
    clips["number"] = np.arange(len(clips)) - np.repeat(np.cumsum(count) - count, count)
    clips["segment_start_s"] = clips["start_s"]
    clips["start_s"] = clips["start_s"] + clips["number"] * float(length_s)
    clips["item"] = item_names(clips)
    return clips.assign(
        clip=_clip_names(clips, length_s), length_s=length_s, frame=clips["number"] * length_s, target_frame=-1,
        label=-1, code="", codes="", focal="",
    )  # fmt: skip


def item_names(segments: pd.DataFrame) -> pd.Series:
    """`<recording>/<segment>`: the name of a segment's array of samples and of its frames on the whole-second grid."""
    return segments["recording"].astype(str) + "/" + segments["segment"].astype(str)


def _clip_names(clips: pd.DataFrame, length_s: int) -> list[str]:
    places = zip(item_names(clips), clips["start_s"], strict=True)
    return [f"{item}@{start_s:.3f}+{length_s}" for item, start_s in places]


def _samples_per_second(table: pd.DataFrame) -> np.ndarray:
    """Whole samples per second of each row; a rate that is no whole number cannot be cut into seconds."""
    rate = table["rate_hz"].to_numpy(dtype=np.float64)
    if (rate != np.rint(rate)).any():
        raise ValueError(f"rate_hz {rate[rate != np.rint(rate)][0]}: clips need a whole number of samples per second")
    return rate.astype(np.int64)


def _with_targets(clips: pd.DataFrame, length_s: int) -> pd.DataFrame:
    """Clips whose successor in the same segment is whole; the successor's first frame is the target's."""
    clips = clips[clips["number"] + 1 < clips["count"]].reset_index(drop=True)
    return clips.assign(target_frame=clips["frame"] + length_s)


def _label_detection(clips: pd.DataFrame, events: pd.DataFrame, *, length_s: int, touching: bool) -> pd.DataFrame:
    """label, codes, focal of grid clips: 1 if a seizure overlaps the clip (or, with `touching`, meets its edge)."""
    meets = np.zeros((len(clips), len(SEIZURE_CODES)), dtype=bool)
    for k, code in enumerate(SEIZURE_CODES):
        alike = events[events["code"] == code]
        if len(alike):
            meets[:, k] = _meets(clips, alike, length_s=length_s, touching=touching)
    return clips.assign(
        label=meets.any(axis=1).astype(np.int64), codes=_joined(meets), focal=focal_kind(meets, SEIZURE_CODES)
    )


def _meets(clips: pd.DataFrame, events: pd.DataFrame, *, length_s: int, touching: bool) -> np.ndarray:
    """For each clip: does an event of its recording meet it?

    Counting needs no pairs: events that overlap = events that began before the clip's end - events over by its start.
    All recordings lie behind one another on one axis of integers, so that one search serves them all.
    """
    names = pd.Index(pd.concat([clips["recording"], events["recording"]]).unique())
    offset = {kind: names.get_indexer(table["recording"]) * RECORDING_STRIDE for kind, table in
              (("clips", clips), ("events", events))}  # fmt: skip
    ticks = _in_samples(clips, events, length_s) if touching else _in_microseconds(clips, events, length_s)
    start, end = (offset["clips"] + tick for tick in ticks[:2])
    onsets, offsets = (np.sort(offset["events"] + tick) for tick in ticks[2:])
    began = np.searchsorted(onsets, end, side="right" if touching else "left")
    over = np.searchsorted(offsets, start, side="left" if touching else "right")
    return began > over


def _in_microseconds(clips: pd.DataFrame, events: pd.DataFrame, length_s: int) -> list[np.ndarray]:
    """start and end of clips, onset and offset of events, int64."""
    start = clips["start_s"].to_numpy()
    times = [start, start + length_s, events["onset_s"].to_numpy(), events["offset_s"].to_numpy()]
    return [np.rint(time * MICROSECONDS).astype(np.int64) for time in times]


def _in_samples(clips: pd.DataFrame, events: pd.DataFrame, length_s: int) -> list[np.ndarray]:
    """The same in samples, cut to whole ones as the published code does."""
    rate = _samples_per_second(clips)
    start = np.rint(clips["segment_start_s"].to_numpy() * rate).astype(np.int64)
    start = start + clips["number"].to_numpy() * length_s * rate
    rates = pd.Series(rate, clips["recording"]).groupby(level=0).first().reindex(events["recording"]).fillna(1)
    times = [rates.to_numpy() * events[name].to_numpy() for name in ("onset_s", "offset_s")]
    return [start, start + length_s * rate, *(np.trunc(time).astype(np.int64) for time in times)]


def _joined(meets: np.ndarray) -> np.ndarray:
    """Comma-joined codes of each row of `meets` (rows, codes)."""
    kinds, row = np.unique(meets, axis=0, return_inverse=True)
    texts = [",".join(code for code, has in zip(SEIZURE_CODES, kind, strict=True) if has) for kind in kinds]
    return np.array(texts or [""], dtype=object)[row.reshape(-1)]


def _event_clips(placed: pd.DataFrame, *, length_s: int, findings: Findings) -> pd.DataFrame:
    """One clip per placed seizure event (see `_event_windows`): its first sample and number of whole seconds."""
    rate = _samples_per_second(placed)
    low = np.maximum(placed["from_sample"], placed["segment_sample"])
    high = np.minimum(low + rate * length_s, np.minimum(placed["offset_sample"], placed["segment_end"]))
    placed["length_s"] = (high - low) // rate
    placed["start_s"] = low / rate
    _report_events(placed, findings)
    clips = placed[placed["length_s"] >= 1].reset_index(drop=True)
    clips["clip"] = _clip_names(clips, length_s)
    meets = clips["code"].to_numpy(dtype=object)[:, None] == np.array(SEIZURE_CODES, dtype=object)
    return clips.assign(
        item=clips["clip"], frame=0, target_frame=-1, label=-1, codes=clips["code"],
        focal=focal_kind(meets, SEIZURE_CODES),
    )  # fmt: skip


def _part_myoclonic(clips: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """The split of myoclonic clips as in Table 9: a patient's first in training, the second in validation, and so on.

    Only of training and validation patients who have two or more; clips of any other type stay with their patient.
    The two of TUSZ v1.5.2 are one patient's, so that the paper validates on a patient of the training set.
    """
    chosen = clips[(clips["code"] == MYOCLONIC) & (clips["split"] != "test")]
    chosen = chosen[chosen["patient"].duplicated(keep=False)].sort_values(["patient", "recording", "start_s"])
    place = chosen.groupby("patient").cumcount()
    parted = pd.Series(np.where(place % 2, "validation", "train"), chosen.index, dtype=object)
    for row in chosen[chosen["split"] != parted].to_dict("records"):
        findings.for_recording(row["recording"]).add(
            "clip_in_other_split", f"{row['code']} clip from {row['start_s']:g} s leaves the {row['split']} split",
            severity="warn", action="note", value=row["split"], seconds_affected=float(row["length_s"]),
        )  # fmt: skip
    return clips.assign(split=parted.reindex(clips.index).fillna(clips["split"]))


def _event_windows(
    segments: pd.DataFrame, events: pd.DataFrame, *, before_onset_s: float, compat: ClipCompat
) -> pd.DataFrame:
    """Events of the recordings that have signal, each joined to the first segment that ends after its onset.

    A clip starts `before_onset_s` before the onset, but never within an earlier seizure of the recording. An event that
    lies wholly in a gap keeps a segment that starts after its end, and so no seconds.
    """
    segments = segments.drop(columns="start_s").assign(
        segment_sample=np.rint(segments["start_s"] * segments["rate_hz"]).astype(np.int64)
    )
    segments["segment_end"] = segments["segment_sample"] + segments["n_samples"]
    pairs = events.reset_index(names="event").merge(segments, on="recording")
    pairs["onset_sample"] = np.trunc(pairs["rate_hz"] * pairs["onset_s"]).astype(np.int64)
    pairs["offset_sample"] = np.trunc(pairs["rate_hz"] * pairs["offset_s"]).astype(np.int64)
    pairs["after"] = pairs["segment_end"] > pairs["onset_sample"]
    pairs = pairs.sort_values(["event", "after", "segment_sample"], ascending=[True, False, True], kind="stable")
    pairs = pairs.drop_duplicates("event").reset_index(drop=True)
    earlier_end = pairs.groupby("recording")["offset_sample"].cummax().groupby(pairs["recording"]).shift()
    first_sample = 1 if compat.clip_start_offset else 0
    free_from = earlier_end.add(1).fillna(first_sample).astype(np.int64)
    wanted = np.trunc(pairs["rate_hz"] * (pairs["onset_s"] - before_onset_s)).astype(np.int64)
    return pairs.assign(from_sample=np.maximum(free_from, wanted))


def _report_events(placed: pd.DataFrame, findings: Findings) -> None:
    """A row for each event that gives no clip, and for each whose type is in no class of some scheme."""
    for row in placed.to_dict("records"):
        duration_s = row["offset_s"] - row["onset_s"]
        event = f"{row['code']} at {row['onset_s']:g} s"
        here = findings.for_recording(row["recording"])
        without = [name for name, members in SCHEMES.items() if row["code"] not in sum(members.values(), ())]
        if row["length_s"] < 1:
            here.add(
                "seizure_too_short", f"{event} leaves less than one whole second of signal",
                action="skip", value=duration_s, expected=1.0, seconds_affected=duration_s,
            )  # fmt: skip
        elif without:
            here.add(
                "class_excluded", f"{event} is in no class of: {', '.join(without)}",
                severity="info", action="skip", value=row["code"], seconds_affected=duration_s,
            )  # fmt: skip


def _finish(clips: pd.DataFrame) -> pd.DataFrame:
    """Columns and types of the contract, whatever was cut (also nothing)."""
    kinds = dict.fromkeys(TEXT_COLUMNS, "string") | dict.fromkeys(
        ["length_s", "label", "frame", "target_frame"], "int64"
    )
    return clips[COLUMNS].astype({**kinds, "start_s": "float64"})
