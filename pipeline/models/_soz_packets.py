"""The wavelet packets of pipeline/features/wpt.py in torch: on any device, and differentiable down to the samples.

Tokens are made by pywavelets, which needs no torch and is faster on a CPU. This is for what asks a model about
samples. Both agree to 1e-5 of the signal's amplitude in float32 (test).
"""

import pywt
import torch
from torch import Tensor


def packets(signal: Tensor, *, wavelet: str, level: int) -> Tensor:
    """Coefficients (..., 2 ** level, s / 2 ** level) of signals (..., s), in the order of frequency.

    Raises ValueError where s is no multiple of 2 ** level.
    """
    bands, samples = 1 << level, signal.shape[-1]
    if samples % bands:
        raise ValueError(f"{samples} samples are no multiple of {bands}")
    bank = torch.tensor(pywt.Wavelet(wavelet).filter_bank[:2], dtype=signal.dtype, device=signal.device)
    nodes = signal[..., None, :]  # ... s -> ... 1 s
    for _ in range(level):
        halves = _split(nodes, bank.flip(-1))  # ... m s -> ... m 2 s'
        nodes = halves.flatten(-3, -2)  # ... m 2 s' -> ... (m 2) s'
    k = torch.arange(bands, device=signal.device)
    return nodes[..., k ^ (k >> 1), :]


def _split(nodes: Tensor, filters: Tensor) -> Tensor:
    """(..., 2, s / 2) of nodes (..., s): low and high pass (2, f), at every second sample of the periodic signal.

    A product of matrices: a convolution on a GPU would round to 10 bits (TF32) unless it is told not to.
    """
    samples, length = nodes.shape[-1], filters.shape[-1]
    around = torch.arange(1 - length // 2, samples + length // 2 - 1, device=nodes.device) % samples
    windows = nodes[..., around].unfold(-1, length, 2)  # ... s -> ... s' f
    return (windows @ filters.T).transpose(-1, -2)
