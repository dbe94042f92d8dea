"""Wavelet packets: spec soz.md, section 2, and pywavelets' own tree node by node as the slow way."""

import json

import numpy as np
import pytest
import pywt
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features.wpt import frames, frequency_order, packets
from pipeline.settings.base import SettingsError, parse_section
from pipeline.settings.features import FeatureSettings
from pipeline.settings.wavelets import ORDERS

RATE_HZ, LEVEL, BANDS = 512, 5, 32
SCALP = FeatureSettings(kind="wpt", floor_amplitude=1e-8, wavelet="db4", level=LEVEL)


def packets_by_tree(signal: np.ndarray, wavelet: str) -> np.ndarray:
    """(n, 32, s / 32) of one channel after another, by the tree of pywavelets in its own frequency order."""
    made = []
    for row in signal.astype(np.float64):
        tree = pywt.WaveletPacket(row, wavelet, "periodization", LEVEL)
        made.append([node.data for node in tree.get_level(LEVEL, "freq")])
    return np.array(made)


def noise(n: int, samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(2, 30, (n, samples)).astype(np.float32)


def share_by_band(signal: np.ndarray) -> np.ndarray:
    energy = (packets(signal, wavelet="db4", level=LEVEL) ** 2).sum(axis=-1)
    return energy / energy.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("wavelet", ["db4", "db8", "sym8"])
@pytest.mark.parametrize("samples", [32, 512, 17_920, 18_432])
def test_batched_packets_equal_the_tree_of_each_channel(wavelet, samples):
    signal = noise(3, samples)
    made = packets(signal, wavelet=wavelet, level=LEVEL)
    assert made.dtype == np.float32
    assert made.shape == (3, BANDS, samples // BANDS)
    np.testing.assert_allclose(made, packets_by_tree(signal, wavelet), atol=2e-4)


def test_a_sine_of_100_hz_lies_in_band_12():
    """The shares of the specification: 0.58 in band 12, 0.24 in band 11."""
    share = share_by_band(np.sin(2 * np.pi * 100 * np.arange(18_432) / RATE_HZ)[None])[0]
    assert share.argmax() == 12
    assert share[12] == pytest.approx(0.58, abs=0.01)
    assert share[11] == pytest.approx(0.24, abs=0.01)


@pytest.mark.parametrize("band", range(BANDS))
def test_a_sine_in_the_middle_of_a_band_has_its_greatest_share_there(band):
    sine = np.sin(2 * np.pi * (8 * band + 4) * np.arange(18_432) / RATE_HZ + 0.3)
    assert share_by_band(sine[None])[0].argmax() == band


def test_the_order_of_frequency_is_the_gray_code():
    assert frequency_order(8).tolist() == [0, 1, 3, 2, 6, 7, 5, 4]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.sampled_from(["db4", "db8", "sym8"]), st.integers(0, 99))
def test_energy_is_kept(blocks, wavelet, seed):
    signal = noise(2, 32 * blocks, seed).astype(np.float64)
    made = packets(signal, wavelet=wavelet, level=LEVEL)
    np.testing.assert_allclose((made**2).sum(axis=(1, 2)) / (signal**2).sum(axis=1), 1, atol=1e-6)


def test_a_length_that_would_gain_energy_is_refused():
    with pytest.raises(ValueError, match="33 samples are no multiple of 32"):
        packets(noise(1, 33), wavelet="db4", level=LEVEL)


def test_scalp_frames_equal_the_loop_over_seconds_and_channels():
    signal = noise(4, 700)
    made = frames(signal, 200, SCALP)
    assert made.shape == (3, 4, BANDS)
    for second in range(3):
        padded = np.pad(signal[:, 200 * second : 200 * (second + 1)], ((0, 0), (12, 12)), mode="reflect")
        expected = np.log(np.sqrt((packets_by_tree(padded, "db4") ** 2).mean(axis=-1)))
        np.testing.assert_allclose(made[second], expected, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.8, 1.2), st.integers(0, 99))
def test_scaling_a_signal_shifts_its_frames(scale, seed):
    """What the augmentation relies on, as of the log-FFT frames."""
    signal = noise(3, 400, seed).astype(np.float64)
    shift = frames(scale * signal, 200, SCALP) - frames(signal, 200, SCALP)
    np.testing.assert_allclose(shift, np.log(scale), atol=1e-3)


def test_silence_is_the_floor():
    np.testing.assert_array_equal(frames(np.zeros((2, 400)), 200, SCALP), np.float32(np.log(np.float32(1e-8))))


def test_other_kinds_are_written_as_before_and_packets_need_their_options():
    fft = FeatureSettings(kind="fft", floor_amplitude=1e-8)
    assert json.loads(fft.model_dump_json()) == {"kind": "fft", "floor_amplitude": 1e-8}
    whole = SCALP.model_dump(mode="json")
    assert whole == {"kind": "wpt", "floor_amplitude": 1e-8, "wavelet": "db4", "level": 5}
    for wrong in ({**whole, "kind": "fft"}, {**whole, "level": None}, {**whole, "wavelet": "haar; rm"}):
        with pytest.raises(SettingsError, match="features"):
            parse_section(FeatureSettings, wrong, where="features.wpt")


def test_the_wavelets_that_a_setting_may_name_are_those_of_the_library() -> None:
    """Orthogonal families, from the first to the last; `db0` and `db99` are refused before any job."""
    allowed = {f"{family}{k}" for family, (first, last) in ORDERS.items() for k in range(first, last + 1)}
    assert allowed == {name for family in ORDERS for name in pywt.wavelist(family)}
    assert all(pywt.Wavelet(name).orthogonal for name in allowed)
    features = {"kind": "wpt", "floor_amplitude": 1e-8, "level": 5}
    assert FeatureSettings.model_validate(features | {"wavelet": "sym20"}).wavelet == "sym20"
    for name in ("db0", "db39", "db04", "sym1", "haar", "db"):
        with pytest.raises(SettingsError, match=r"wavelet: .*db1 to db38, sym2 to sym20, coif1 to coif17"):
            parse_section(FeatureSettings, features | {"wavelet": name})
