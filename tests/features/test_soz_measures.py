"""What the baselines rank contacts by: planted events are counted, whatever the unit."""

import numpy as np
import pytest

from pipeline.features._soz_measures import MEASURES, channel_measures

RATE_HZ, MARGIN, SAMPLES = 512, 256, 18_432
MINUTES = 35 / 60
BACKGROUND = np.random.default_rng(3).normal(0, 10, (3, SAMPLES)).astype(np.float32)
ENERGY = np.ones((3, 32, 35))


def measured(signal: np.ndarray, *, recorded_hz: float = 512, energy: np.ndarray = ENERGY) -> dict[str, np.ndarray]:
    found = channel_measures(signal, energy, rate_hz=RATE_HZ, recorded_hz=recorded_hz, margin=MARGIN)
    assert list(found) == MEASURES
    return found


def with_events(wave: np.ndarray, seconds: list[float]) -> np.ndarray:
    """The background with `wave` on channel 1 at each of the seconds after the start of the clip."""
    signal = BACKGROUND.copy()
    for second in seconds:
        start = MARGIN + round(second * RATE_HZ)
        signal[1, start : start + len(wave)] += wave.astype(np.float32)
    return signal


def test_spikes_are_counted_on_the_channel_that_has_them():
    spike = 300 * np.exp(-(((np.arange(52) - 26) / 8) ** 2))
    seconds = [2.0, 5.0, 9.5, 20.0, 30.0]
    rate = measured(with_events(spike, seconds))["spike_rate"]
    assert rate[1] == pytest.approx(len(seconds) / MINUTES)
    assert max(rate[0], rate[2]) <= 1 / MINUTES


def test_spikes_less_than_a_tenth_of_a_second_apart_are_one():
    spike = 300 * np.exp(-(((np.arange(26) - 13) / 5) ** 2))
    assert measured(with_events(spike, [4.0, 4.06, 10.0]))["spike_rate"][1] == pytest.approx(2 / MINUTES)


def test_bursts_are_high_frequency_oscillations_and_slow_waves_are_not():
    t = np.arange(60) / RATE_HZ
    burst = 120 * np.hanning(60) * np.sin(2 * np.pi * 140 * t)
    slow = 400 * np.hanning(256) * np.sin(2 * np.pi * 6 * np.arange(256) / RATE_HZ)
    assert measured(with_events(burst, [3.0, 8.0, 21.0]))["hfo_rate"][1] == pytest.approx(3 / MINUTES)
    assert measured(with_events(slow, [3.0, 8.0, 21.0]))["hfo_rate"][1] <= 1 / MINUTES


def test_line_length_is_the_mean_absolute_step():
    kept = BACKGROUND[:, MARGIN:-MARGIN].astype(np.float64)
    expected = [sum(abs(row[i + 1] - row[i]) for i in range(len(row) - 1)) / (len(row) - 1) * RATE_HZ for row in kept]
    np.testing.assert_allclose(measured(BACKGROUND)["line_length"], expected, rtol=1e-5)


def test_high_gamma_is_a_ratio_of_bands():
    energy = np.ones((3, 32, 35))
    energy[1, 10:19] = np.e**2
    energy[2] = 0.0
    found = measured(BACKGROUND, energy=energy)["high_gamma_ratio"]
    np.testing.assert_allclose(found[:2], [0.0, 2.0], atol=1e-12)
    assert np.isnan(found[2])


def test_what_the_recorded_rate_cannot_hold_is_unknown():
    at_256, at_170 = measured(BACKGROUND, recorded_hz=256), measured(BACKGROUND, recorded_hz=170)
    assert np.isfinite(at_256["hfo_rate"]).all()  # 80 to 115 Hz
    assert np.isnan(at_256["high_gamma_ratio"]).all()
    assert np.isnan(at_170["hfo_rate"]).all()


def test_the_unit_moves_line_length_alone():
    ours, scaled = measured(BACKGROUND), measured(BACKGROUND * np.float32(1e-6))
    for name in ("spike_rate", "hfo_rate", "high_gamma_ratio"):
        np.testing.assert_array_equal(scaled[name], ours[name])
    np.testing.assert_allclose(scaled["line_length"], ours["line_length"] * 1e-6, rtol=1e-5)


def test_a_silent_channel_has_no_events():
    signal = BACKGROUND.copy()
    signal[0] = 0.0
    found = measured(signal)
    assert found["spike_rate"][0] == found["hfo_rate"][0] == found["line_length"][0] == 0.0
