"""Controls of attention: planted dependence is found, in its direction, and a common reference is none of it."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import coherence as welch_coherence

from pipeline.explain import soz_controls as controls

N, RATE_HZ, SECONDS = 6, 512, 35
Signal = NDArray[np.float64]


def white(seed: int = 0) -> Signal:
    """(n, s) at MODEL_HZ."""
    return np.random.default_rng(seed).standard_normal((N, SECONDS * controls.MODEL_HZ))


def chained() -> Signal:
    """0 drives 1 three samples later; the rest is noise."""
    x = white()
    x[1, 3:] += 0.9 * x[0, :-3]
    return (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)


@pytest.mark.parametrize("measure", [controls.granger, controls.partial_directed_coherence])
def test_direction_is_source_in_the_column(measure: controls.Floats) -> None:
    weights = measure(chained())  # type: ignore[operator]
    assert np.unravel_index(weights.argmax(), weights.shape) == (1, 0)
    assert weights[1, 0] > 10 * weights[0, 1]
    assert weights[1, 0] > 10 * np.median(weights)


def test_granger_against_least_squares_of_one_pair() -> None:
    x = chained()
    weights = controls.granger(x)
    for i, j in ((1, 0), (0, 1), (2, 5)):
        past = [x[k, controls.LAGS - lag : -lag] for k in (i, j) for lag in range(1, controls.LAGS + 1)]
        now = x[i, controls.LAGS :]
        left = []
        for rows in (np.array(past[: controls.LAGS]), np.array(past)):
            gram = rows @ rows.T / len(now) + controls.RIDGE * np.eye(len(rows))
            right = rows @ now / len(now)
            left.append((now**2).mean() - right @ np.linalg.solve(gram, right))
        assert weights[i, j] == pytest.approx(max(np.log(left[0] / left[1]), 0), abs=1e-9)


def test_coherence_is_scipys() -> None:
    x = chained()
    size = controls.MODEL_HZ
    weights = controls.coherence(controls.windowed_spectra(x))
    hz, wanted = welch_coherence(
        x[0], x[1], fs=controls.MODEL_HZ, window=np.hanning(size), nperseg=size, noverlap=size // 2, detrend="constant"
    )
    band = (hz >= controls.LOWEST_HZ) & (hz < controls.HIGHEST_HZ)
    assert weights[0, 1] == pytest.approx(wanted[band].mean(), rel=0.02)
    np.testing.assert_allclose(weights, weights.T)
    assert np.unravel_index(weights.argmax(), weights.shape) in {(0, 1), (1, 0)}


def test_phase_lag_index_knows_a_lag_and_no_common_reference() -> None:
    t = np.arange(SECONDS * controls.MODEL_HZ) / controls.MODEL_HZ
    x = 0.5 * white(1)
    wave = np.sin(2 * np.pi * 10 * t + np.cumsum(0.05 * white(2)[0]))
    x[0] += wave
    x[1] += np.roll(wave, 3)
    x[2:4] += wave  # without a lag between them
    spectra = controls.windowed_spectra(x)
    near10 = spectra[8:11]
    weights = controls.phase_lag_index(near10)
    assert weights[0, 1] > 0.9
    assert weights[2, 3] < 0.4
    assert controls.coherence(near10)[2, 3] > 0.6
    one = near10[:, :, [0, 1]]
    lags = np.abs(np.sign((one[..., 0] * one[..., 1].conj()).imag).mean(axis=1)).mean()
    assert weights[0, 1] == pytest.approx(lags)


def test_all_controls_of_a_signal() -> None:
    rng = np.random.default_rng(0)
    signal = 1e-6 * rng.standard_normal((N, SECONDS * RATE_HZ))  # volts
    signal[4] = 0  # flat
    found = controls.signal_controls(signal, RATE_HZ)
    louder = controls.signal_controls(1e6 * signal, RATE_HZ)
    assert set(found) == {"coherence", "pli", "pdc", "granger"}
    for name, weights in found.items():
        assert weights.shape == (N, N)
        assert np.isfinite(weights).all()
        assert (weights >= 0).all()
        assert not np.diag(weights).any()
        np.testing.assert_allclose(louder[name], weights, rtol=1e-6, atol=1e-9)
        assert not weights[4].any()


def test_proximity() -> None:
    shafts = np.array(["A", "A", "A", "B", "", ""])
    places = np.array([1, 2, 4, 1, np.nan, np.nan])
    weights = controls.proximity(shafts, places)
    assert weights[0].tolist() == [0, 1, pytest.approx(1 / 3), 0, 0, 0]
    assert not weights[3:].any()


def test_as_attention_has_rows_of_one() -> None:
    A = controls.as_attention(controls.proximity(np.array(["A", "A", "A", "B"]), np.arange(4.0)))
    np.testing.assert_allclose(A.sum(axis=1), 1)
    assert A[3].tolist() == [pytest.approx(1 / 3)] * 3 + [0]
