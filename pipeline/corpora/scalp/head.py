"""A head: electrodes of the 10-20 system, radial current dipoles on a shell of the cortex, and the lead field.

Four-shell sphere of MNE (Berg and Scherg 1994) fitted to the standard electrode positions (simulator.md, section 2).
Lengths in metres, dipole moments in nAm, potentials in µV.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

ELECTRODES = (
    "FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T3", "T4", "T5", "T6", "FZ", "CZ", "PZ",
    "A1", "A2",
)  # fmt: skip
N_SOURCES = 400
SHELL = 0.85  # radius of the source shell, in head radii
CAP = 0.65  # the sources lie on the upper 65 % of the shell
SIGMAS = (0.33, 1.0, 0.004, 0.33)  # S/m: brain, CSF, skull, scalp (MNE's default)
GOLDEN_ANGLE = np.pi * (3 - 5**0.5)
EYE_DIRECTIONS = np.array([[-0.33, 0.87, -0.36], [0.33, 0.87, -0.36]])  # left, right


@dataclass(frozen=True)
class Head:
    """Geometry and lead field of one patient.

    positions (21, 3), sources (400, 3); lead (21, 400) µV per nAm; distance (400, 400) m along the shell;
    reach (21, 400) m from each electrode's foot point on the shell to each source; eyes (21, 2, 3) µV per nAm.
    """

    positions: Array
    sources: Array
    lead: Array
    distance: Array
    reach: Array
    eyes: Array


def electrode_index(name: str) -> int:
    """Row of an electrode in every array of this simulator."""
    return ELECTRODES.index(name)


@cache
def standard_positions() -> tuple[Array, float]:
    """Unit directions (21, 3) of the standard 10-20 positions from the centre of the fitted sphere, and its radius."""
    import mne

    montage = mne.channels.make_standard_montage("colin27_1020").get_positions()["ch_pos"]
    upper = {name.upper(): place for name, place in montage.items()}
    points = np.array([upper[name] for name in ELECTRODES])
    scalp = points[:-2]  # the ear lobes hang off the sphere
    # Sphere by least squares: |p|² = 2 p·c + (r² − |c|²)
    solution = np.linalg.lstsq(np.c_[2 * scalp, np.ones(len(scalp))], (scalp**2).sum(1), rcond=None)[0]
    centre, radius = solution[:3], float(np.sqrt(solution[3] + solution[:3] @ solution[:3]))
    return _unit(points - centre), radius


def fibonacci_cap(n: int) -> Array:
    """Unit vectors (n, 3), evenly spread over the upper `CAP` of the sphere."""
    k = np.arange(n) + 0.5
    z = 1 - 2 * CAP * k / n
    r, angle = np.sqrt(1 - z**2), k * GOLDEN_ANGLE
    return np.c_[r * np.cos(angle), r * np.sin(angle), z]


def build_head(*, radius_factor: float, skull_factor: float, jitter_m: Array) -> Head:
    """The head of one patient: scaled sphere, scaled skull conductivity, electrodes moved by `jitter_m` (21, 3)."""
    directions, radius = standard_positions()
    radius = radius * radius_factor
    electrodes = _unit(directions * radius + jitter_m)
    cap = fibonacci_cap(N_SOURCES)
    gain = _lead_field(electrodes * radius, np.r_[cap, EYE_DIRECTIONS] * SHELL * radius, radius, skull_factor)
    shell = SHELL * radius
    return Head(
        positions=electrodes * radius,
        sources=cap * shell,
        lead=np.einsum("nsd,sd->ns", gain[:, :N_SOURCES], cap),
        distance=_arc(cap, cap) * shell,
        reach=_arc(electrodes, cap) * shell,
        eyes=gain[:, N_SOURCES:],
    )


def patch(head: Head, centre: int, width_m: float) -> Array:
    """Potentials (21,) of a Gaussian patch of sources around source `centre`, scaled to a peak of one."""
    weights = np.exp(-0.5 * (head.distance[centre] / width_m) ** 2)
    field = head.lead @ weights
    return field / np.abs(field).max()


def nearest_source(head: Head, electrode: int) -> int:
    """The source under an electrode."""
    return int(head.reach[electrode].argmin())


def nearest_electrode(head: Head, source: int) -> int:
    """The scalp electrode (not an ear lobe) above a source."""
    return int(head.reach[:-2, source].argmin())


def _lead_field(electrodes: Array, sources: Array, radius: float, skull_factor: float) -> Array:
    """Potentials (n, s, 3) in µV per nAm at `electrodes` (n, 3) of dipoles at `sources` (s, 3) along x, y, z."""
    import mne

    sigmas = (SIGMAS[0], SIGMAS[1], SIGMAS[2] * skull_factor, SIGMAS[3])
    with mne.utils.use_log_level("ERROR"):
        sphere = mne.make_sphere_model(r0=(0.0, 0.0, 0.0), head_radius=radius, sigmas=sigmas)
        montage = mne.channels.make_dig_montage(dict(zip(ELECTRODES, electrodes, strict=True)), coord_frame="head")
        info = mne.create_info(list(ELECTRODES), 250.0, "eeg")
        info.set_montage(montage)
        space = mne.setup_volume_source_space(pos={"rr": sources, "nn": _unit(sources)}, sphere=sphere)
        forward = mne.make_forward_solution(info, trans=None, src=space, bem=sphere, meg=False, mindist=0.0)
    if forward["nsource"] != len(sources):
        raise ValueError(f"{len(sources) - forward['nsource']} sources lie outside the inner skull")
    return forward["sol"]["data"].reshape(len(electrodes), len(sources), 3) * 1e-3  # V/Am -> µV/nAm


def _unit(vectors: Array) -> Array:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _arc(a: Array, b: Array) -> Array:
    """Angles (len(a), len(b)) between unit vectors."""
    return np.arccos(np.clip(a @ b.T, -1.0, 1.0))
