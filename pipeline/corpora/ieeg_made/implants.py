"""Where an invented patient's contacts lie and what they are called: depth electrodes, or a grid with strips.

Coordinates are in mm, in a frame like MNI's (x to the right, y to the front, z up). Targets and entries are round
numbers near the structures that they are named after; nobody was measured. Names follow the four styles that ds004100
has (soz.md, section 8).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.settings.ieeg_simulation import ImplantSettings

Array = NDArray[np.float64]
Point = tuple[float, float, float]
STYLES = ("plain", "padded", "clinical", "region")  # LA3 · LA03 · EEG LA 03-Ref · AMY-A3
SPACINGS_MM = (3.5, 5.0)  # of depth electrodes
GRID_MM = 10.0
JITTER_MM = 2.0


@dataclass(frozen=True)
class Site:
    """A depth electrode's usual path on the right side: innermost contact and a point further out."""

    letter: str
    word: str
    region: str
    target: Point
    outward: Point


SITES = (
    Site("A", "AMY-A", "amygdala", (22, -4, -20), (62, -6, -18)),
    Site("B", "HIP-A", "anterior hippocampus", (26, -16, -18), (66, -18, -14)),
    Site("C", "HIP-P", "posterior hippocampus", (28, -30, -8), (68, -34, -4)),
    Site("D", "TPOL-A", "temporal pole", (34, 10, -34), (56, 16, -24)),
    Site("E", "INS-A", "insula", (36, 14, 0), (60, 26, 10)),
    Site("F", "CING-A", "anterior cingulate", (6, 30, 22), (46, 38, 30)),
    Site("G", "OF-A", "orbitofrontal", (10, 36, -16), (48, 46, -6)),
    Site("H", "TBAS-P", "basal temporal", (38, -40, -18), (66, -46, -12)),
    Site("I", "PAR-M", "parietal", (10, -52, 34), (46, -58, 46)),
    Site("J", "SMA-A", "supplementary motor", (8, 2, 56), (44, 6, 66)),
    Site("K", "OCC-M", "occipital", (10, -78, 8), (48, -84, 14)),
)
STRIPS = (  # letters, region, first contact, direction of the next ones
    ("AST", "subtemporal", (40, 2, -34), (-4, -9, 0)),
    ("MST", "subtemporal", (46, -18, -30), (-9, -3, 0)),
    ("PST", "subtemporal", (48, -38, -26), (-9, -3, 1)),
    ("FPS", "frontal pole", (24, 60, 6), (9, -4, 0)),
    ("IHS", "interhemispheric", (4, 20, 50), (0, -9, 4)),
    ("OFS", "orbitofrontal", (16, 40, -20), (9, -3, 0)),
)
GRID = ("G", "lateral convexity", (60, 22, -14), (0, -GRID_MM, 0), (-2, 0, GRID_MM))  # origin, columns, rows
TEMPORAL = (
    "amygdala",
    "anterior hippocampus",
    "posterior hippocampus",
    "temporal pole",
    "basal temporal",
    "subtemporal",
)


@dataclass(frozen=True)
class Implant:
    """All contacts of a patient, shaft after shaft; every tuple and `xyz_mm` (n, 3) have n rows."""

    kind: str  # SEEG ECOG
    style: str
    names: tuple[str, ...]  # as the EDF and the side files spell them
    shafts: tuple[str, ...]
    contacts: tuple[int, ...]
    hemispheres: tuple[str, ...]
    regions: tuple[str, ...]
    xyz_mm: Array

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class _Lead:
    """One electrode, before its contacts are named."""

    shaft: str
    hemisphere: str
    region: str
    xyz_mm: Array  # (contacts, 3)


def draw_implant(draw: np.random.Generator, kind: str, settings: ImplantSettings) -> Implant:
    """Contacts of one patient."""
    style = STYLES[int(draw.integers(len(STYLES)))]
    leads = _depth(draw, settings, style) if kind == "SEEG" else _subdural(draw, settings, style)
    rows = [(lead, number) for lead in leads for number in range(1, len(lead.xyz_mm) + 1)]
    return Implant(
        kind=kind,
        style=style,
        names=tuple(spelled(lead.shaft, number, style) for lead, number in rows),
        shafts=tuple(lead.shaft for lead, _ in rows),
        contacts=tuple(number for _, number in rows),
        hemispheres=tuple(lead.hemisphere for lead, _ in rows),
        regions=tuple(lead.region for lead, _ in rows),
        xyz_mm=np.round(np.concatenate([lead.xyz_mm for lead in leads]), 3),
    )


def spelled(shaft: str, number: int, style: str) -> str:
    """A contact's name in one of STYLES."""
    return {
        "plain": f"{shaft}{number}",
        "padded": f"{shaft}{number:02d}",
        "clinical": f"EEG {shaft} {number:02d}-Ref",
        "region": f"{shaft}{number}",
    }[style]


def _depth(draw: np.random.Generator, settings: ImplantSettings, style: str) -> list[_Lead]:
    """Shafts on one side, or on both; each straight, its contacts equally far apart."""
    main = "LR"[int(draw.integers(2))]
    other = {"L": "R", "R": "L"}[main]
    both = style != "region" and draw.uniform() < 0.4  # a name without a side would stand for two shafts
    pool = [(site, main) for site in SITES] + [(site, other) for site in SITES[:4] if both]
    count = min(_between(draw, settings.shafts), len(pool))
    chosen = sorted(int(i) for i in draw.choice(len(pool), count, replace=False))
    return [_shaft(draw, *pool[i], style, _between(draw, settings.contacts)) for i in chosen]


def _shaft(draw: np.random.Generator, site: Site, side: str, style: str, contacts: int) -> _Lead:
    mirror = np.array([-1.0 if side == "L" else 1.0, 1.0, 1.0])
    target = np.array(site.target) + draw.normal(0, JITTER_MM, 3)
    way = np.array(site.outward) + draw.normal(0, JITTER_MM, 3) - target
    spacing = SPACINGS_MM[int(draw.integers(len(SPACINGS_MM)))]
    steps = np.arange(contacts)[:, None] * spacing
    name = site.word if style == "region" else side + site.letter
    return _Lead(name, side, site.region, mirror * (target + steps * way / np.linalg.norm(way)))


def _subdural(draw: np.random.Generator, settings: ImplantSettings, style: str) -> list[_Lead]:
    """A grid over one side's convexity, and strips beside it."""
    side = "LR"[int(draw.integers(2))]
    mirror = np.array([-1.0 if side == "L" else 1.0, 1.0, 1.0])
    prefix = "" if style == "region" else side
    rows, columns = settings.grids[int(draw.integers(len(settings.grids)))]
    letters, region, origin, along, up = GRID
    place = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), -1).reshape(-1, 2)
    start = np.array(origin) + draw.normal(0, 2 * JITTER_MM, 3)
    leads = [_Lead(prefix + letters, side, region, mirror * (start + place @ np.array([up, along], float)))]
    count = min(_between(draw, settings.strips), len(STRIPS))
    for i in sorted(int(i) for i in draw.choice(len(STRIPS), count, replace=False)):
        letters, region, origin, step = STRIPS[i]
        start, way = np.array(origin) + draw.normal(0, JITTER_MM, 3), np.array(step, float)
        steps = np.arange(_between(draw, settings.strip_contacts))[:, None] * GRID_MM
        leads.append(_Lead(prefix + letters, side, region, mirror * (start + steps * way / np.linalg.norm(way))))
    return leads


def _between(draw: np.random.Generator, limits: tuple[int, int]) -> int:
    return int(draw.integers(limits[0], limits[1] + 1))
