"""Scores on a published list of test clips: which clips it names, and what is scored on it (spec sglc.md, section 2).

A marker names a seizure of a file by its place in the file's annotations, counted from 0 over seizures of every type,
as the code published with Tang et al. 2022 and with ASGPF counts. A clip never starts within an earlier seizure of its
recording (pipeline/clips.py), so its seizure's place is the number of seizures that had ended by then.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.clips import SCHEMES, seizure_events
from pipeline.metrics.evaluation import Predicted
from pipeline.settings.base import SettingsError
from pipeline.settings.clip_lists import ClipList
from pipeline.settings.evaluation import ALL

OTHER_VERSION = "is it of another version of the corpus, or are its clips not in the test split?"


@dataclass(frozen=True)
class NamedList:
    """Clips of one list, by name; None: every test clip. `absent`: patients to leave out who are no test patients."""

    name: str
    clips: NDArray[Any] | None
    absent: tuple[str, ...] = ()


class Marker(NamedTuple):
    """One line of a published list."""

    recording: str
    seizure: int
    label: int


def named_lists(
    lists: Mapping[str, ClipList], table: pd.DataFrame, *, patients: Collection[str], seizures: pd.DataFrame | None
) -> list[NamedList]:
    """`all` and every list, on the test clips in `table` (clip, recording, patient, start_s, code).

    `patients`: every test patient of the corpus. `seizures`: those of the test recordings as they were indexed, where a
    list names clips. Raises SettingsError where a list names what is not there.
    """
    found = [NamedList(ALL, None)]
    for name, chosen in lists.items():
        where = f"evaluation.test_lists.{name}"
        if chosen.clips is not None:
            if seizures is None:
                raise SettingsError(f"{where}.clips: needs the seizures of the test recordings; give --seizures")
            found.append(NamedList(name, _of_markers(chosen, table, seizures, where=f"{where}.clips: {chosen.clips}")))
        elif chosen.patients is not None:
            kept = _patients_of(Path(chosen.patients), patients, where=f"{where}.patients: {chosen.patients}")
            found.append(NamedList(name, _clips(table[table["patient"].isin(kept)])))
        else:
            left_out = chosen.without or []
            absent = tuple(patient for patient in left_out if patient not in patients)
            found.append(NamedList(name, _clips(table[~table["patient"].isin(left_out)]), absent))
    return found


def listed(one: Predicted, chosen: NamedList) -> Predicted:
    """The clips of a list among one seed's predictions, in their order."""
    if chosen.clips is None:
        return one
    assert one.clips is not None
    kept = np.isin(one.clips, chosen.clips)
    parts = {name: getattr(one, name)[kept] for name in ("labels", "probabilities", "predicted", "patients", "clips")}
    return replace(one, **parts, scaled=None if one.scaled is None else one.scaled[kept])


def read_markers(path: Path) -> list[Marker]:
    """The lines of a published list. Raises SettingsError naming the line that is none."""
    found = []
    for number, line in enumerate(_lines(path), start=1):
        cells = [cell.strip() for cell in line.split(",")]
        if not any(cells) or (number == 1 and cells[0] == "file"):
            continue
        if len(cells) != 3 or not (cells[1].isdecimal() and cells[2].isdecimal()):
            raise SettingsError(f"{path}, line {number}: {line[:80]!r} is not file,label,seizure_index")
        found.append(Marker(PurePosixPath(cells[0]).stem, int(cells[2]), int(cells[1])))
    if not found:
        raise SettingsError(f"{path}: names no clip; give lines file,label,seizure_index")
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: is no text in UTF-8: {error}; give the published list as it is") from None


def _of_markers(chosen: ClipList, table: pd.DataFrame, seizures: pd.DataFrame, *, where: str) -> NDArray[Any]:
    """Clips in the order of the table."""
    assert chosen.clips is not None
    markers = read_markers(Path(chosen.clips))
    places = [(marker.recording, marker.seizure) for marker in markers]
    if len(set(places)) < len(places):
        twice = next(place for place in places if places.count(place) > 1)
        raise SettingsError(f"{where}: {twice[0]}, seizure {twice[1]} stands twice; leave one")
    known = list(zip(table["recording"].astype(str), places_of(table, seizures), strict=True))
    codes = dict(zip(known, table["code"].astype(str), strict=True))
    missing = [place for place in places if place not in codes]
    if missing:
        raise SettingsError(
            f"{where}: {len(missing)} of {len(places)} clips are no test clips of this run; first {missing[0][0]}, "
            f"seizure {missing[0][1]}; {OTHER_VERSION}"
        )
    if chosen.labels is not None:
        _check_labels(markers, codes, chosen.labels, where=where)
    wanted = set(places)
    return _clips(table[[place in wanted for place in known]])


def places_of(table: pd.DataFrame, seizures: pd.DataFrame) -> list[int]:
    """For each clip (recording, start_s) the place of its seizure among those of its recording, from 0."""
    events = seizure_events(seizures)
    ends = {str(name): np.sort(of["offset_s"].to_numpy()) for name, of in events.groupby("recording")}
    nothing = np.zeros(0)
    return [
        int(np.searchsorted(ends.get(str(recording), nothing), start_s, side="right"))
        for recording, start_s in zip(table["recording"], table["start_s"], strict=True)
    ]


def _check_labels(markers: list[Marker], codes: Mapping[tuple[str, int], str], names: list[str], *, where: str) -> None:
    """Raise SettingsError where a list gives a clip another type than the corpus does, or one without a name."""
    members = {name: codes for scheme in SCHEMES.values() for name, codes in scheme.items()}
    if unknown := [name for name in names if name not in members]:
        raise SettingsError(f"{where}: labels: {unknown[0]!r} is no class; known are {', '.join(members)}")
    if high := [marker for marker in markers if marker.label >= len(names)]:
        raise SettingsError(f"{where}: label {high[0].label} of {high[0].recording} has no name in labels: {names}")
    wrong = [one for one in markers if codes[one.recording, one.seizure] not in members[names[one.label]]]
    if wrong:
        one = wrong[0]
        raise SettingsError(
            f"{where}: {len(wrong)} of {len(markers)} clips are of another type in the corpus; first {one.recording}, "
            f"seizure {one.seizure}: {names[one.label]}, here {codes[one.recording, one.seizure]}; correct labels, or "
            "set it to null so that types are not compared"
        )


def _patients_of(path: Path, patients: Collection[str], *, where: str) -> list[str]:
    named = [line.strip() for line in _lines(path) if line.strip()]
    if not named:
        raise SettingsError(f"{where}: names no patient; give one a line")
    if missing := [name for name in named if name not in patients]:
        raise SettingsError(
            f"{where}: {len(missing)} of {len(named)} patients are no test patients; first {missing[0]}; "
            f"{OTHER_VERSION}"
        )
    return named


def _clips(table: pd.DataFrame) -> NDArray[Any]:
    return table["clip"].to_numpy(dtype=object).astype(str)
