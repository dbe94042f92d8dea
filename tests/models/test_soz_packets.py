"""The packets in torch equal those of pywavelets, and let gradients through."""

import numpy as np
import pytest
import torch

from pipeline.features import wpt
from pipeline.models._soz_packets import packets


@pytest.mark.parametrize("wavelet", ["db4", "db8", "sym8", "coif3"])
@pytest.mark.parametrize("samples", [32, 224, 17_920, 18_432])
def test_both_ways_agree_to_a_hundred_thousandth(wavelet, samples):
    signal = np.random.default_rng(0).normal(0, 1, (2, 3, samples)).astype(np.float32)
    made = packets(torch.from_numpy(signal), wavelet=wavelet, level=5)
    assert made.dtype == torch.float32
    expected = wpt.packets(signal, wavelet=wavelet, level=5)
    assert made.shape == expected.shape
    assert np.abs(made.numpy() - expected).max() < 1e-5


def test_energy_is_kept_and_its_gradient_is_twice_the_signal():
    """The transform is orthogonal: d(sum of squares) / d(signal) = 2 signal."""
    signal = torch.randn(2, 256, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    energy = packets(signal, wavelet="db4", level=5).square().sum()
    energy.backward()
    assert energy.item() == pytest.approx(signal.detach().square().sum().item(), rel=1e-6)
    assert signal.grad is not None
    torch.testing.assert_close(signal.grad, 2 * signal.detach(), rtol=1e-6, atol=1e-6)


def test_a_length_that_would_gain_energy_is_refused():
    with pytest.raises(ValueError, match="no multiple of 32"):
        packets(torch.zeros(1, 100), wavelet="db4", level=5)
