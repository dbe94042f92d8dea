"""The distance graph by a Gaussian kernel without threshold (Tang et al. 2022, figure 9); no model is trained on it."""

from collections.abc import Sequence

import numpy as np

from pipeline.graphs.distance import pairwise_distances


def gaussian_weights(nodes: Sequence[str], *, bandwidth: float) -> np.ndarray:
    """Weights W (n, n) float64: exp(-d²/2h²) / (√(2π) h), h = `bandwidth`, d in radii of the head."""
    distances = pairwise_distances(nodes)
    return np.exp(-np.square(distances) / (2 * bandwidth**2)) / (np.sqrt(2 * np.pi) * bandwidth)
