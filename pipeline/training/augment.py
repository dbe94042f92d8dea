"""Augmentation of training clips: left and right swapped, amplitudes scaled (Tang et al. 2022, section 3.1).

Applied to standardised frames with the effect that it would have before standardising. What is drawn is drawn for a
whole epoch at once, so that it does not depend on how clips are batched.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.graphs.electrodes import mirror_permutation
from pipeline.settings.training import AugmentSettings


@dataclass(frozen=True)
class Draws:
    """What happens to each clip: reflect (b,) bool, scale (b,) float64."""

    reflect: np.ndarray
    scale: np.ndarray

    def __getitem__(self, part: slice) -> "Draws":
        return Draws(self.reflect[part], self.scale[part])


def draw(n_clips: int, settings: AugmentSettings, rng: np.random.Generator) -> Draws:
    """Independent draws for `n_clips` clips."""
    reflect = rng.random(n_clips) < settings.reflect_probability
    return Draws(reflect, rng.uniform(settings.scale_low, settings.scale_high, n_clips))


def scale_log_amplitudes(z: Tensor, scale: Tensor, *, std: float, spare: Tensor | None) -> Tensor:
    """z (b, t, n, f) of log amplitudes whose signal is scaled by `scale` (b,): ln s is added, in units of std.

    `spare` (b, t, n, f) marks bins of exactly zero amplitude, and padding: they stay (compat.scale_zero_bins: only
    padding stays).
    """
    shift = (scale.log() / std).to(z.dtype)[:, None, None, None]
    return z.add_(shift) if spare is None else torch.where(spare, z, z + shift)


def scale_samples(z: Tensor, scale: Tensor, *, mean: float, std: float, spare: Tensor | None) -> Tensor:
    """z (b, t, n, s) of raw samples x = z std + mean, scaled: s x."""
    s = scale.to(z.dtype)[:, None, None, None]
    scaled = z * s + (s - 1) * (mean / std)
    return scaled if spare is None else torch.where(spare, z, scaled)


def mirrored_weights(
    weights: np.ndarray, electrodes: tuple[str, ...], settings: AugmentSettings, *, graph: str
) -> np.ndarray:
    """Graph weights (1 or clips, n, n) of the reflected clip.

    The distance graph stays: where electrodes lie does not change with what they record. `mirror_graph: published`
    keeps each clip's correlation graph (D6) and corrupts the shared distance graph (D5).
    """
    order = mirror_permutation(electrodes, settings.mirror_pairs)
    if settings.mirror_graph == "correct":
        return weights if graph == "distance" else weights[..., order[:, None], order[None, :]]
    return weights if graph == "correlation" else _published_mirror(weights[0], order)[None]


def _published_mirror(W: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Rows and columns swapped pair by pair, each from the original: edges between two pairs end across the midline."""
    mirrored = W.copy()
    for left, right in enumerate(order):
        if left < right:
            mirrored[left], mirrored[right] = W[right], W[left]
            mirrored[:, left], mirrored[:, right] = W[:, right], W[:, left]
            mirrored[left, right], mirrored[right, left] = W[right, left], W[left, right]
            np.fill_diagonal(mirrored, 1.0)
    return mirrored
