"""Log-FFT and raw frames against a plain loop over seconds and channels."""

import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features import fft, time
from pipeline.plugins import load_plugin, plugin_names
from pipeline.settings.features import FeatureSettings

RATE = 200
FFT = FeatureSettings(kind="fft", floor_amplitude=1e-8)
TIME = FeatureSettings(kind="time", floor_amplitude=1e-8)
OPTIONS = {"wpt": {"wavelet": "db4", "level": 5}}


def log_fft_by_loop(signal: np.ndarray) -> np.ndarray:
    """ln |FFT| of every second of every channel on its own, in float64."""
    n, samples = signal.shape
    out = np.zeros((samples // RATE, n, RATE // 2))
    for second in range(samples // RATE):
        for channel in range(n):
            window = signal[channel, second * RATE : (second + 1) * RATE].astype(np.float64)
            amplitude = np.abs(scipy.fft.fft(window))[: RATE // 2]
            amplitude[amplitude == 0] = 1e-8
            out[second, channel] = np.log(amplitude)
    return out


def eeg(seconds: float, n: int = 19, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(3, 30, (n, round(seconds * RATE))).astype(np.float32)


@pytest.mark.parametrize("seconds", [1, 3.7, fft.BLOCK_SECONDS, 2 * fft.BLOCK_SECONDS + 5.5])
def test_log_fft_equals_the_loop_over_seconds(seconds):
    signal = eeg(seconds)
    made, expected = fft.frames(signal, RATE, FFT), log_fft_by_loop(signal)
    assert made.dtype == np.float32
    assert made.shape == expected.shape == (int(seconds), 19, 100)
    np.testing.assert_allclose(np.exp(made.astype(float)), np.exp(expected), rtol=1e-5, atol=1e-2)
    np.testing.assert_allclose(made, expected, atol=2e-3)


def test_a_sine_stands_in_its_own_bin_and_the_mean_in_bin_zero():
    t = np.arange(4 * RATE) / RATE
    signal = np.stack([20 * np.sin(2 * np.pi * 7 * t), np.full_like(t, -5.0)])
    made = fft.frames(signal, RATE, FFT)
    assert made[:, 0].argmax(axis=-1).tolist() == [7] * 4
    np.testing.assert_allclose(made[:, 0, 7], np.log(20 * RATE / 2), atol=1e-5)
    np.testing.assert_allclose(made[:, 1, 0], np.log(5 * RATE), atol=1e-5)


def test_silence_is_the_floor():
    made = fft.frames(np.zeros((2, 400), np.float32), RATE, FFT)
    np.testing.assert_array_equal(made, np.float32(np.log(np.float32(1e-8))))


@settings(max_examples=25, deadline=None)
@given(st.floats(0.8, 1.2), st.integers(0, 99))
def test_scaling_a_signal_shifts_its_log_amplitudes(scale, seed):
    """What the augmentation relies on: scaling raw samples by s adds ln s to every bin that is not exactly zero."""
    signal = eeg(2, n=4, seed=seed).astype(np.float64)
    shift = fft.frames(scale * signal, RATE, FFT) - fft.frames(signal, RATE, FFT)
    np.testing.assert_allclose(shift, np.log(scale), atol=1e-2)
    assert abs(float(np.median(shift)) - np.log(scale)) < 1e-5


@pytest.mark.parametrize("kind", plugin_names("features"))
def test_every_kind_keeps_the_contract(kind):
    """Frames of a stretch are the frames of its seconds: they do not hang on where a block starts."""
    made = load_plugin("features", kind)
    settings_of = FeatureSettings.model_validate({"kind": kind, "floor_amplitude": 1e-8, **OPTIONS.get(kind, {})})
    signal = eeg(90)
    whole = made.frames(signal, RATE, settings_of)
    np.testing.assert_array_equal(whole[37:52], made.frames(signal[:, 37 * RATE : 52 * RATE], RATE, settings_of))
    empty = made.frames(signal[:, :150], RATE, settings_of)
    assert empty.shape == (0, *whole.shape[1:])


def test_raw_frames_are_the_samples():
    signal = eeg(5.5)
    made = time.frames(signal, RATE, TIME)
    assert made.shape == (5, 19, 200)
    np.testing.assert_array_equal(made[3, 11], signal[11, 600:800])
