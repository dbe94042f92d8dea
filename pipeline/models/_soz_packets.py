"""The wavelet packets of pipeline/features/wpt.py in torch: on any device, and differentiable down to the samples.

Tokens are made by pywavelets, which needs no torch and is faster on a CPU. This is for what asks a model about
samples. Both agree to 1e-5 of the signal's amplitude in float32 (test).
"""

import pywt
import torch
from torch import Tensor
from torch.nn import functional


def packets(signal: Tensor, *, wavelet: str, level: int) -> Tensor:
    """Coefficients (..., 2 ** level, s / 2 ** level) of signals (..., s), in the order of frequency.

    Raises ValueError where s is no multiple of 2 ** level.
    """
    bands, samples = 1 << level, signal.shape[-1]
    if samples % bands:
        raise ValueError(f"{samples} samples are no multiple of {bands}")
    filters = _filters(wavelet, signal)
    nodes = signal.reshape(-1, 1, samples)  # ... s -> n 1 s
    for _ in range(level):
        halves = _split(nodes.flatten(0, 1)[:, None], filters)  # n m s -> (n m) 1 s -> (n m) 2 s'
        nodes = halves.reshape(len(nodes), -1, halves.shape[-1])  # (n m) 2 s' -> n (m 2) s'
    k = torch.arange(bands, device=signal.device)
    return nodes[:, k ^ (k >> 1)].reshape(*signal.shape[:-1], bands, samples // bands)


def _filters(wavelet: str, like: Tensor) -> Tensor:
    """(2, 1, f): the low and the high pass, reversed, as a convolution of torch slides them."""
    bank = pywt.Wavelet(wavelet).filter_bank[:2]
    return torch.tensor(bank, dtype=like.dtype, device=like.device).flip(-1)[:, None]


def _split(nodes: Tensor, filters: Tensor) -> Tensor:
    """(n, 2, s / 2) of nodes (n, 1, s): both filters at every second sample of the periodic signal."""
    samples, beyond = nodes.shape[-1], filters.shape[-1] // 2 - 1
    around = torch.arange(-beyond, samples + beyond, device=nodes.device) % samples
    return functional.conv1d(nodes[..., around], filters, stride=2)
