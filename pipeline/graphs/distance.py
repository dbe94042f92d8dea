"""The distance graph (Tang et al. 2022, section 2.2.1): one matrix, from electrode positions alone."""

from collections.abc import Sequence

import numpy as np

from pipeline.graphs.electrodes import coordinates


def distance_weights(nodes: Sequence[str], *, kappa: float) -> np.ndarray:
    """Weights W (n, n) float64: exp(-(d/sigma)²) where d <= `kappa` (both in radii of the head), else 0; diagonal 1.

    d is the straight-line distance on the unit sphere, sigma the population standard deviation of all n² distances.
    """
    distances = pairwise_distances(nodes)
    return np.where(distances <= kappa, np.exp(-np.square(distances / distances.std())), 0.0)


def pairwise_distances(nodes: Sequence[str]) -> np.ndarray:
    """Straight-line distances (n, n) float64 between electrodes, or derivations, on the unit sphere."""
    positions = coordinates(nodes)
    return np.linalg.norm(positions[:, None] - positions[None], axis=-1)
