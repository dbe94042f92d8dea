"""The scalp from above: from the unit sphere to the plane in which heads are drawn."""

import numpy as np
from numpy.typing import NDArray


def project(positions: NDArray[np.floating]) -> NDArray[np.float64]:
    """Unit-sphere coordinates (n, 3), x right, y front, z up -> plane (n, 2); the equator has radius 1."""
    x, y, z = np.asarray(positions, dtype=np.float64).T
    polar = np.arccos(np.clip(z, -1.0, 1.0)) / (np.pi / 2)
    flat = np.hypot(x, y)
    scale = np.divide(polar, flat, out=np.zeros_like(polar), where=flat > 1e-9)
    return np.stack([x * scale, y * scale], axis=1)
