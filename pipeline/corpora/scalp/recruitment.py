"""Which source joins a discharge when: shortest paths from the focus over the cortex (spec simulator.md, section 5)."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from pipeline.corpora.scalp.head import ELECTRODES, Head, electrode_index, nearest_source

Array = NDArray[np.floating]
LOCAL_M = 0.025  # sources nearer than this are joined; also the decay length of the coupling
LONG_EDGES = (
    ("F7", "F8"), ("T3", "T4"), ("T5", "T6"), ("F3", "F4"), ("C3", "C4"), ("P3", "P4"), ("O1", "O2"),  # mirror sites
    ("T3", "F3"), ("T4", "F4"), ("T5", "F7"), ("T6", "F8"),  # temporal to frontal
)  # fmt: skip
LONG_OPEN = 0.2  # chance that a long edge conducts in a given seizure
LONG_DELAY_S = (3.0, 15.0)
LOCAL_BLOCKED = 0.15  # share of local edges that do not conduct
NEIGHBOURS_M = 0.062  # electrodes with feet nearer than this on the shell are neighbours (kappa 0.9 of the unit sphere)


def couplings(head: Head) -> sparse.csr_matrix:
    """Row-normalised local coupling (400, 400): exp(-D / 25 mm) within twice that distance, none with itself."""
    weights = np.where(head.distance < 2 * LOCAL_M, np.exp(-head.distance / LOCAL_M), 0.0)
    np.fill_diagonal(weights, 0.0)
    return sparse.csr_matrix((weights / weights.sum(1, keepdims=True)).astype(np.float32))


def spread(
    draw: np.random.Generator, head: Head, focus: int, *, speed_m_s: float, patch_m: float, barrier_m: float | None
) -> Array:
    """Seconds (400,) from the onset until each source joins; infinite where the discharge never arrives.

    Sources within `patch_m` of the focus begin together. Nothing crosses a distance of `barrier_m` from the focus, so
    that the seizure stays focal; without a barrier some local edges are blocked at random and some long edges conduct.
    """
    distance = head.distance
    local = np.triu((distance < LOCAL_M) & (distance > 0))
    if barrier_m is not None:
        inside = distance[focus] < barrier_m
        local &= inside[:, None] == inside[None, :]
    else:
        local &= draw.random(local.shape) > LOCAL_BLOCKED
    speeds = speed_m_s * draw.lognormal(0.0, 0.15, local.shape)
    costs = np.where(local, distance / speeds, 0.0)
    if barrier_m is None:
        _open_long_edges(draw, head, costs)
    began = distance[focus] < patch_m
    arrival = dijkstra(sparse.csr_matrix(costs), directed=False, indices=np.flatnonzero(began), min_only=True)
    arrival[began] = draw.uniform(0.0, 1.0, int(began.sum()))
    return arrival


def _open_long_edges(draw: np.random.Generator, head: Head, costs: Array) -> None:
    for one, other in LONG_EDGES:
        delay = draw.uniform(*LONG_DELAY_S)
        if draw.random() < LONG_OPEN:
            a, b = (nearest_source(head, electrode_index(name)) for name in (one, other))
            costs[min(a, b), max(a, b)] = delay


def scattered_sites(draw: np.random.Generator, head: Head, count: int) -> list[int]:
    """At most `count` scalp electrodes in random order, of which no two are neighbours."""
    feet = head.positions / np.linalg.norm(head.positions, axis=1, keepdims=True) * np.linalg.norm(head.sources[0])
    chord = np.linalg.norm(feet[:, None] - feet[None], axis=2)
    chosen: list[int] = []
    for electrode in draw.permutation(len(ELECTRODES) - 2):
        if all(chord[electrode, other] > 1.15 * NEIGHBOURS_M for other in chosen) and len(chosen) < count:
            chosen.append(int(electrode))
    return chosen


def scattered_arrival(draw: np.random.Generator, head: Head, sites: list[int], *, patch_m: float) -> Array:
    """Seconds (400,) until each source joins a seizure-like event: patches under `sites`, one after the other."""
    arrival, time = np.full(head.distance.shape[0], np.inf), 0.0
    for electrode in sites:
        patch = head.distance[nearest_source(head, electrode)] < patch_m
        arrival[patch] = np.minimum(arrival[patch], time + draw.uniform(0.0, 1.0, int(patch.sum())))
        time += float(draw.uniform(3.0, 14.0))
    return arrival
