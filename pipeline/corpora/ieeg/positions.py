"""Where contacts lie: electrodes.tsv and coordsystem.json, in mm whatever they say (spec soz.md, section 8)."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from pipeline.corpora.ieeg.names import ContactName, parse_name, side_by_name
from pipeline.corpora.ieeg.sidecars import SideFileError, number, read_json, read_tsv
from pipeline.corpora.ieeg.tree import READMES, bids_name, side_files
from pipeline.corpora.records import RecordingFiles
from pipeline.findings import Findings

MM_OF = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
LARGEST_HEAD_M = 1.0  # no contact lies 1 m from the origin: such numbers are mm
SMALLEST_HEAD_MM = 1.0  # nor do all lie within 1 mm: such numbers are m
MIDLINE_MM = 15.0  # a strip below the frontal lobe reaches over; nearer than this its name is asked first
_MNI = re.compile(r"\b(?:MNI|ICBM)", re.IGNORECASE)
Xyz = tuple[float, float, float]
NOWHERE: Xyz = (math.nan, math.nan, math.nan)


@dataclass(frozen=True, kw_only=True)
class Positions:
    """Places (mm), cells and frame of one session's contacts; empty where no electrodes.tsv is there."""

    xyz: Mapping[str, Xyz] = field(default_factory=dict)  # by name in electrodes.tsv, and by its key
    cells: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    keys: Mapping[tuple[str, int], str] = field(default_factory=dict)
    frame: str = ""
    marks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # path -> marks

    def entry(self, name: ContactName) -> str | None:
        """The name in electrodes.tsv of a contact of channels.tsv; None where it has none."""
        return name.label if name.label in self.cells else self.keys.get(name.key)


def read_positions(root: Path, files: RecordingFiles, findings: Findings) -> Positions:
    """Positions of the contacts of a recording's session.

    Findings `coord_units`, `coord_frame`, `side_file_missing` and `side_file_invalid`: without coordinates a patient is
    still of use.
    """
    path = _chosen(side_files(files, "electrodes.tsv"))
    if path is None:
        findings.add("side_file_missing", f"{files.edf}: no electrodes.tsv; places are unknown", action="note")
        return Positions()
    try:
        table = read_tsv(root / path).require("x", "y", "z")
        cells = table.by("name")
    except SideFileError as problem:
        findings.add("side_file_invalid", f"{problem}; places are unknown", value=path)
        return Positions()
    unit, frame, marks = _system(root, files, path, findings)
    raw = {name: (number(row["x"]), number(row["y"]), number(row["z"])) for name, row in cells.items()}
    scale = _to_mm(table.name, unit, raw, findings)
    xyz = {name: _scaled(place, scale) for name, place in raw.items()}
    _check_frame(root, files, frame, findings)
    return Positions(xyz=xyz, cells=cells, keys=_keys(cells), frame=frame, marks={path: table.marks, **marks})


def _chosen(paths: list[str]) -> str | None:
    """Of several spaces an MNI one, else the most specific file."""
    return max(paths, key=lambda path: (bool(_MNI.search(_space(path))), paths.index(path)), default=None)


def _space(path: str) -> str:
    parsed = bids_name(path)
    return parsed.entities.get("space", "") if parsed is not None else ""


def _system(
    root: Path, files: RecordingFiles, electrodes: str, findings: Findings
) -> tuple[str, str, dict[str, Mapping[str, str]]]:
    """Unit, frame and marks of the coordsystem file of the same space."""
    paths = [path for path in side_files(files, "coordsystem.json") if _space(path) == _space(electrodes)]
    if not paths:
        findings.add("side_file_missing", f"{electrodes}: no coordsystem.json of its space", action="note")
        return "n/a", _space(electrodes), {}
    try:
        values, marks = read_json(root / paths[-1])
    except SideFileError as problem:
        findings.add("side_file_invalid", f"{problem}; unit and frame are unknown", value=paths[-1])
        return "n/a", _space(electrodes), {}
    unit, frame = values.get("iEEGCoordinateUnits"), values.get("iEEGCoordinateSystem")
    return "" if unit is None else str(unit).strip().lower(), str(frame or _space(electrodes)), {paths[-1]: marks}


def _to_mm(name: str, unit: str, places: Mapping[str, Xyz], findings: Findings) -> float:
    """Millimetres of one unit of the table; NaN where that cannot be known."""
    largest = max((abs(value) for place in places.values() for value in place if not math.isnan(value)), default=0.0)
    if largest == 0:
        return 1.0
    if unit == "m" and largest > LARGEST_HEAD_M:
        message = f"{name}: coordinates up to {largest:.1f} are said to be m; they are taken as mm"
        findings.add("coord_units", message, value="m", expected="mm")
        return 1.0
    if unit == "mm" and largest < SMALLEST_HEAD_MM:
        message = f"{name}: coordinates up to {largest:.4f} are said to be mm; they are taken as m"
        findings.add("coord_units", message, value="mm", expected="m")
        return MM_OF["m"]
    if unit not in MM_OF:
        why = f"coordinates of unit {unit[:20]!r} cannot be turned into mm"
        if not unit:
            why = "its coordsystem.json has no iEEGCoordinateUnits (mm, cm or m)"
        message = f"{name}: {why}; places are unknown"
        findings.add("coord_units", message, value=unit[:20], expected="mm", action="skip")
        return math.nan
    return MM_OF[unit]


def _scaled(place: Xyz, scale: float) -> Xyz:
    x, y, z = (value * scale for value in place)
    return NOWHERE if any(math.isnan(value) for value in (x, y, z)) else (x, y, z)


def _keys(cells: Mapping[str, object]) -> dict[tuple[str, int], str]:
    """Names by shaft and number, where that tells them apart."""
    found: dict[tuple[str, int], list[str]] = {}
    for name in cells:
        found.setdefault(parse_name(name).key, []).append(name)
    return {key: names[0] for key, names in found.items() if len(names) == 1}


def _check_frame(root: Path, files: RecordingFiles, frame: str, findings: Findings) -> None:
    readme = next((path for path in files.annotations if path in READMES), None)
    if readme is None or not frame or _MNI.search(frame):
        return
    try:
        stated_frame = _MNI.search((root / readme).read_bytes().decode("utf-8", "replace"))
    except OSError:  # a link to nowhere: it says nothing
        return
    if stated_frame is not None:
        message = (
            f"{readme} speaks of {stated_frame[0]} coordinates, the coordsystem file of {frame[:40]}; kept as they are"
        )
        findings.add("coord_frame", message, action="note", value=frame[:40], expected=stated_frame[0])


def hemispheres(names: Mapping[str, ContactName], positions: Mapping[str, Xyz]) -> dict[str, str]:
    """`L`, `R` or empty for every label: by the shaft's median x (right is positive), near the midline by its name."""
    xs: dict[str, list[float]] = {}
    for label, one in names.items():
        x = positions.get(label, NOWHERE)[0]
        if not math.isnan(x):
            xs.setdefault(one.shaft or label, []).append(x)
    return {label: _side(one, xs.get(one.shaft or label, [])) for label, one in names.items()}


def _side(name: ContactName, xs: list[float]) -> str:
    middle = median(xs) if xs else 0.0
    by_place = "R" if middle > 0 else "L" if middle < 0 else ""
    return by_place if abs(middle) > MIDLINE_MM else side_by_name(name.shaft) or by_place
