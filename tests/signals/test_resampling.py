"""Resampling: equal to scipy, the same however it is cut into blocks, exact for a constant."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.signals.resampling import by_fft, polyphase, rate_ratio

RATES = [Fraction(rate) for rate in (64, 100, 200, 250, 256, 400, 512, 1000, "399.832")]


def brown(n, seed=0, offset=0.0):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(n).cumsum() + offset).astype(np.float32)


def resampled(x, rate, n_out, cuts):
    ratio = rate_ratio(rate, 200.0)
    edges = [0, *sorted(cuts), n_out]
    spans = [(a, b) for a, b in pairwise(edges) if b > a]
    parts = [polyphase(lambda low, high: x[None, low:high], len(x), ratio, a, b) for a, b in spans]
    return np.concatenate(parts, axis=1)[0]


@pytest.mark.parametrize("rate", RATES)
def test_polyphase_equals_scipy(rate):
    """scipy's own filter, but for the gain of each phase at 0 Hz: 5e-4 of the amplitude at most."""
    x = brown(int(rate * 10))
    ratio = rate_ratio(rate, 200.0)
    theirs = scipy.signal.resample_poly(x.astype(float), ratio.numerator, ratio.denominator, padtype="edge")[:2000]
    ours = resampled(x, rate, 2000, [])
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours[: len(theirs)], theirs, rtol=0, atol=1e-3 * np.abs(x).max())


@pytest.mark.parametrize("rate", RATES)
def test_polyphase_keeps_a_constant(rate):
    """An electrode offset of 5 mV must not turn into a rhythm."""
    ours = resampled(np.full(int(rate * 5), 5000.0, np.float32), rate, 1000, [])
    np.testing.assert_allclose(ours, 5000.0, rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(rate=st.sampled_from(RATES), cuts=st.sets(st.integers(1, 799), max_size=6), seed=st.integers(0, 99))
def test_any_blocks_give_equal_output(rate, cuts, seed):
    x = brown(int(rate * 4), seed, offset=300)
    whole = resampled(x, rate, 800, [])
    np.testing.assert_allclose(resampled(x, rate, 800, cuts), whole, rtol=1e-6, atol=1e-6 * np.abs(x).max())


def test_polyphase_reads_no_more_than_it_needs():
    asked = []

    def read(low, high):
        asked.append((low, high))
        return np.zeros((2, high - low), np.float32)

    assert polyphase(read, 256 * 100, Fraction(25, 32), 2000, 4000).shape == (2, 2000)
    ((low, high),) = asked
    assert 2560 - 20 <= low < high <= 5120 + 20


@pytest.mark.parametrize("rate", [100, 250, 256, 400])
@pytest.mark.parametrize("hz", [1.0, 10.0, 40.0])
def test_polyphase_keeps_a_sine(rate, hz):
    x = np.sin(2 * np.pi * hz * np.arange(rate * 20) / rate).astype(np.float32)
    expected = np.sin(2 * np.pi * hz * np.arange(4000) / 200)
    np.testing.assert_allclose(resampled(x, Fraction(rate), 4000, [])[200:-200], expected[200:-200], atol=0.01)


def test_polyphase_leaves_out_what_would_fold():
    x = np.sin(2 * np.pi * 170.0 * np.arange(512 * 10) / 512).astype(np.float32)  # would fold to 30 Hz
    assert np.abs(resampled(x, Fraction(512), 2000, [])[200:-200]).max() < 0.01


@pytest.mark.parametrize(
    ("n_in", "n_out"), [(2560, 2000), (2500, 2000), (1000, 2000), (2561, 2000), (2557, 1999), (999, 2000)]
)
def test_fft_equals_scipy(n_in, n_out):
    x = brown(n_in, offset=100)
    np.testing.assert_allclose(by_fft(x, n_out), scipy.signal.resample(x.astype(float), n_out), rtol=0, atol=1e-4)


def test_rates_are_exact():
    assert rate_ratio(Fraction(256), 200.0) == Fraction(25, 32)
    assert rate_ratio(Fraction("399.832"), 200.0) == Fraction(25000, 49979)
    odd = Fraction(1000003, 2503)
    assert abs(rate_ratio(odd, 200.0) * odd / 200 - 1) < 1e-9
