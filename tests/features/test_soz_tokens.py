"""Tokens of the SOZ models: spec soz.md, section 2, each value and edge case; slow loops as oracles."""

import numpy as np
import pandas as pd
import pytest
import pywt
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features._soz_montage import Montage, flat_rows, montage_of
from pipeline.features._soz_tokens import clip_tokens, energies, usable_bands, without_mains
from pipeline.settings.soz_data import SozTokens

RATE_HZ, MARGIN, BANDS, SECONDS = 512, 256, 32, 35
SAMPLES = SECONDS * RATE_HZ + 2 * MARGIN  # 36 s
TOKENS = SozTokens(
    montage="average", notch=False, wavelet="db4", level=5, frame_s=1, floor_share=1e-3, source="wpt"
)  # fmt: skip
ALL = np.ones(BANDS, bool)


def signal_of(channels: int, seed: int = 0, samples: int = SAMPLES) -> np.ndarray:
    """(c, s) of random walks, so that low bands hold more, with an offset of their own."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(0, 1, (channels, samples)), axis=1) * 0.2 + rng.normal(0, 3, (channels, samples))
    return (walk + rng.normal(0, 500, (channels, 1))).astype(np.float32)


def contacts_of(n: int, **columns: list) -> pd.DataFrame:
    """Contacts A1, A2 … of one shaft."""
    table = pd.DataFrame(
        {"channel": [f"A{i + 1}" for i in range(n)], "shaft": "A", "contact": range(1, n + 1), "hemisphere": "L",
         "x_mm": np.arange(n) * 2.0, "y_mm": 1.0, "z_mm": 0.0, "soz": False, "resected": False, "flags": "",
         "order": range(n), "good": True}
    ).assign(**columns)  # fmt: skip
    return table.astype({"contact": "Int64", "soz": "boolean", "resected": "boolean"})


def tokens_of(signal: np.ndarray, chosen: SozTokens = TOKENS, *, margin: int = MARGIN):
    made, valid = montage_of(contacts_of(len(signal)), chosen.montage).apply(signal)
    energy = energies(made, chosen, rate_hz=RATE_HZ, margin=margin)
    return clip_tokens(energy, valid, ALL, floor_share=chosen.floor_share)


def energies_by_loop(signal: np.ndarray) -> np.ndarray:
    """(c, 32, 35): each channel's tree by itself, 8 coefficients dropped at both ends, 16 to the second."""
    made = np.zeros((len(signal), BANDS, SECONDS))
    for c, row in enumerate(signal):
        tree = pywt.WaveletPacket(row.astype(np.float64), "db4", "periodization", 5)
        for k, node in enumerate(tree.get_level(5, "freq")):
            kept = node.data[8:-8]
            for t in range(SECONDS):
                made[c, k, t] = np.mean(kept[16 * t : 16 * (t + 1)] ** 2)
    return made


def tokens_by_loop(signal: np.ndarray) -> np.ndarray:
    """z (c, 32, 35) after a common average, written out."""
    centred = signal - signal.mean(axis=1, keepdims=True, dtype=np.float64)
    energy = energies_by_loop(centred - centred.mean(axis=0))
    log = np.stack([np.log(e + 1e-3 * np.median(e)) for e in energy])
    z = np.zeros_like(log)
    for k in range(BANDS):
        centre = np.median(log[:, k])
        z[:, k] = (log[:, k] - centre) / (1.4826 * np.median(np.abs(log[:, k] - centre)))
    return z


def test_energies_equal_the_loop_over_channels_bands_and_seconds():
    signal = signal_of(3)
    signal -= signal.mean(axis=1, keepdims=True)
    made = energies(signal, TOKENS, rate_hz=RATE_HZ, margin=MARGIN)
    assert made.shape == (3, BANDS, SECONDS)
    np.testing.assert_allclose(made, energies_by_loop(signal), rtol=2e-3)


def test_tokens_equal_the_loop():
    signal = signal_of(4)
    np.testing.assert_allclose(tokens_of(signal).tokens, tokens_by_loop(signal), atol=5e-3)


def test_35_seconds_without_a_margin_give_as_many_frames():
    assert tokens_of(signal_of(2, samples=SECONDS * RATE_HZ), margin=0).tokens.shape == (2, BANDS, SECONDS)


@pytest.mark.parametrize("source", ["wpt", "bandpower"])
def test_a_sine_of_100_hz_is_band_12_of_every_second(source):
    sine = np.sin(2 * np.pi * 100 * np.arange(SAMPLES) / RATE_HZ, dtype=np.float32)[None]
    energy = energies(sine, TOKENS.model_copy(update={"source": source}), rate_hz=RATE_HZ, margin=MARGIN)[0]
    assert (energy.argmax(axis=0) == 12).all()
    np.testing.assert_allclose(energy.sum(axis=0), BANDS / 2, rtol=0.05)  # 32 times the sine's variance of a half


@pytest.mark.parametrize("source", ["wpt", "bandpower"])
@pytest.mark.parametrize("montage", ["average", "bipolar", "recorded"])
@pytest.mark.parametrize("scale", [1e-6, 1e3])
def test_the_unit_does_not_matter(source, montage, scale):
    """Volts for microvolts: the same tokens; levels, which are as recorded, all move by the same."""
    chosen = TOKENS.model_copy(update={"source": source, "montage": montage})
    signal = signal_of(5)
    signal[2] = 7.0  # flat, in any unit
    ours, scaled = tokens_of(signal, chosen), tokens_of((signal * np.float64(scale)).astype(np.float32), chosen)
    np.testing.assert_allclose(scaled.tokens, ours.tokens, atol=1e-3)
    np.testing.assert_array_equal(scaled.valid, ours.valid)
    moved = (scaled.level - ours.level)[ours.valid]
    np.testing.assert_allclose(moved, 2 * np.log(scale), atol=1e-3)


def test_scaling_by_a_power_of_two_changes_no_bit():
    signal = signal_of(5)
    np.testing.assert_array_equal(tokens_of(signal * np.float32(2.0**-20)).tokens, tokens_of(signal).tokens)


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(6)))
def test_permuting_channels_permutes_tokens(order):
    signal = signal_of(6)
    ours, permuted = tokens_of(signal), tokens_of(signal[list(order)])
    np.testing.assert_allclose(permuted.tokens, ours.tokens[list(order)], atol=1e-4)
    np.testing.assert_allclose(permuted.level, ours.level[list(order)], atol=1e-4)


def test_a_flat_channel_is_invalid_and_changes_nothing_for_the_others():
    signal = signal_of(5)
    flat = np.concatenate([signal, np.full((1, SAMPLES), 812.4, np.float32)])
    ours, with_flat = tokens_of(signal), tokens_of(flat)
    assert with_flat.valid.tolist() == [True] * 5 + [False]
    np.testing.assert_array_equal(with_flat.tokens[:5], ours.tokens)
    assert not with_flat.tokens[5].any()
    assert not with_flat.level[5].any()


def test_flat_is_told_from_a_small_signal_on_a_large_offset():
    steps = np.zeros(1000)
    steps[::2] = 1.0
    rows = np.stack([np.zeros(1000), np.full(1000, 5e3), steps * 0.5 + 5e3, steps * 1e-9, 5e3 + steps * 1e-4])
    assert flat_rows(rows).tolist() == [True, True, False, False, True]


def test_where_the_spread_is_zero_so_is_z():
    energy = np.ones((3, BANDS, SECONDS))
    energy[0, 4, 0] = 50.0  # one of 105 values differs: the MAD of band 4 is 0
    made = clip_tokens(energy, np.ones(3, bool), ALL, floor_share=1e-3)
    assert np.isfinite(made.tokens).all()
    assert not made.tokens.any()


def test_a_channel_silent_for_most_of_the_clip_stays_finite():
    energy = np.random.default_rng(0).uniform(1, 2, (4, BANDS, SECONDS))
    energy[1, :, 5:] = 0.0
    energy[2] = 0.0
    made = clip_tokens(energy, np.ones(4, bool), ALL, floor_share=1e-3)
    assert made.valid.tolist() == [True, True, False, True]
    assert np.isfinite(made.tokens).all()
    assert np.isfinite(made.level).all()


def test_no_valid_channel_and_one_channel():
    nothing = clip_tokens(np.zeros((2, BANDS, SECONDS)), np.zeros(2, bool), ALL, floor_share=1e-3)
    assert not nothing.valid.any()
    assert not nothing.tokens.any()
    alone = tokens_of(signal_of(1))  # an average over itself would be silence: it stays as recorded
    assert alone.valid.all()
    assert alone.tokens.any()


@pytest.mark.parametrize(("rate_hz", "first_masked"), [(256, 16), (200, 13), (500, 32), (512, 32), (1024, 32)])
def test_bands_above_the_recorded_nyquist_are_masked(rate_hz, first_masked):
    assert np.flatnonzero(usable_bands(rate_hz, rate_hz=512, bands=32)).tolist() == list(range(first_masked))


def test_masked_bands_are_zero_and_do_not_enter_the_median():
    energy = np.random.default_rng(0).uniform(1, 2, (3, BANDS, SECONDS))
    usable = usable_bands(256, rate_hz=512, bands=32)
    silenced = energy.copy()
    silenced[:, 16:] = 0.0
    made = clip_tokens(energy, np.ones(3, bool), usable, floor_share=1e-3)
    without = clip_tokens(silenced, np.ones(3, bool), usable, floor_share=1e-3)
    np.testing.assert_array_equal(made.tokens, without.tokens)
    assert not made.tokens[:, 16:].any()
    assert made.tokens[:, :16].any(axis=2).all()


def test_the_average_is_over_good_channels_alone():
    signal = signal_of(4)
    montage = montage_of(contacts_of(4, good=[True, True, True, False]), "average")
    made, _ = montage.apply(signal)
    centred = signal - signal.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(made, centred - centred[:3].mean(axis=0), atol=1e-3)


def test_bipolar_pairs_are_neighbours_on_a_shaft_and_positive_if_either_is():
    table = contacts_of(
        6, shaft=["A", "A", "A", "B", "B", ""], contact=[1, 2, 4, 4, 5, None],
        channel=["A1", "A2", "A4", "B4", "B5", "X"], soz=[False, True, None, None, False, True],
        flags=["", "soz_bad", "", "", "xyz_missing", ""], x_mm=[0.0, 2.0, 4.0, 6.0, np.nan, 1.0],
    )  # fmt: skip
    montage = montage_of(table, "bipolar")
    made = montage.channels
    assert made["channel"].tolist() == ["A1-A2", "B4-B5"]
    assert made["soz"].tolist() == [True, pd.NA]
    assert made["flags"].tolist() == ["soz_bad", "xyz_missing"]
    assert made["x_mm"].iloc[0] == 1.0
    assert np.isnan(made["x_mm"].iloc[1])
    signal = signal_of(6)
    applied, _ = montage.apply(signal)
    centred = signal - signal.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(applied, [centred[0] - centred[1], centred[3] - centred[4]], atol=1e-3)


def test_two_contacts_that_recorded_the_same_make_an_invalid_pair():
    signal = np.repeat(signal_of(1), 2, axis=0)
    montage: Montage = montage_of(contacts_of(2), "bipolar")
    assert montage.apply(signal)[1].tolist() == [False]


def test_the_notch_takes_mains_and_harmonics_and_little_else():
    t = np.arange(SAMPLES) / RATE_HZ
    kept, mains = np.sin(2 * np.pi * 40 * t), np.sin(2 * np.pi * 60 * t) + np.sin(2 * np.pi * 180 * t)
    made = without_mains((kept + mains)[None].astype(np.float32), 60.0, rate_hz=RATE_HZ)[0, MARGIN:-MARGIN]
    np.testing.assert_allclose(made, kept[MARGIN:-MARGIN], atol=0.05)
