"""One EDF as clean segments: quality, missing electrodes, whole seconds, gaps, and the published switches."""

import numpy as np
import pytest
import scipy.signal
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.findings import Findings, Rejected
from pipeline.settings.base import SettingsError
from pipeline.settings.signals import SignalCompat
from pipeline.signals.interpolation import interpolation_matrix
from pipeline.signals.recording import open_recording
from tests.signals.edf_builder import ELECTRODES, Channel, EdfFile, annotation_channel, eeg, scalp_channels
from tests.signals.opening import CONFIG, opened, refused, samples


def physical(channel):
    return channel.samples.reshape(-1) * 0.1


@pytest.fixture
def channels():
    return scalp_channels(np.random.default_rng(3))


def test_a_good_recording(tmp_path, channels):
    recording, codes = opened(EdfFile(channels[::-1]).write(tmp_path / "a.edf"))
    assert codes == []
    clean = samples(recording)
    assert (clean.shape, clean.dtype) == ((19, 4000), np.float32)
    for row, channel in zip(clean, channels, strict=True):
        expected = scipy.signal.resample_poly(physical(channel), 25, 32, padtype="edge")
        np.testing.assert_allclose(row, expected, atol=0.2)


@hypothesis_settings(max_examples=12, deadline=None, suppress_health_check=[*HealthCheck])
@given(block_s=st.floats(1.0, 25.0))
def test_any_block_length_gives_equal_samples(tmp_path, channels, block_s):
    path = EdfFile(channels).write(tmp_path / "a.edf")
    whole = samples(opened(path, signals={"block_s": 600.0})[0])
    np.testing.assert_array_equal(samples(opened(path, signals={"block_s": block_s})[0]), whole)


def test_fft_is_scipy_over_the_whole_record(tmp_path, channels):
    recording, _ = opened(EdfFile(channels).write(tmp_path / "a.edf"), signals={"resampling": "fft"})
    for row, channel in zip(samples(recording), channels, strict=True):
        np.testing.assert_allclose(row, scipy.signal.resample(physical(channel), 4000), atol=1e-3)


def test_D02_a_fraction_of_a_second_is_cut_or_squeezed(tmp_path):
    """D2: 20.5 s give 4,000 samples; of the first 20 s by default, of all 20.5 s as published."""
    rng = np.random.default_rng(0)
    made = scalp_channels(rng, records=41, per_record=128)
    path = EdfFile(made, record_s="0.5").write(tmp_path / "a.edf")
    cut, codes = opened(path, signals={"resampling": "fft"})
    assert codes == ["fraction_cut"]
    squeezed, _ = opened(path, signals={"resampling": "fft"}, resample_length="published")
    x = physical(made[0])
    np.testing.assert_allclose(samples(cut)[0], scipy.signal.resample(x[: 20 * 256], 4000), atol=1e-3)
    np.testing.assert_allclose(samples(squeezed)[0], scipy.signal.resample(x, 4000), atol=1e-3)
    with pytest.raises(SettingsError, match="fft"):
        opened(path, resample_length="published")


def test_D01_T24_electrodes_of_other_rates(tmp_path, channels):
    rng = np.random.default_rng(9)
    channels[4] = Channel("EEG C3-REF", eeg(rng, records=20, per_record=400))
    channels.append(Channel("IBI", np.ones((20, 1))))
    path = EdfFile(channels).write(tmp_path / "a.edf")
    recording, codes = opened(path)
    assert codes == ["mixed_rate"]
    expected = scipy.signal.resample_poly(physical(channels[4]), 1, 2, padtype="edge")
    np.testing.assert_allclose(samples(recording)[4], expected, atol=0.2)
    published, _ = opened(path, zero_unreadable=True)  # D1
    assert not samples(published)[4].any()
    assert samples(published)[5].any()


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda rng: np.full((20, 256), 7), "flat"),
        (lambda rng: np.where(rng.random((20, 256)) < 0.3, 32767, eeg(rng, records=20, per_record=256)), "saturated"),
        (lambda rng: np.round(900 * np.sin(2 * np.pi * 60 * np.arange(5120) / 256)).reshape(20, 256), "mains only"),
    ],
)
def test_bad_channels_count_as_missing(tmp_path, channels, make, kind):
    channels[6] = Channel("EEG P3-REF", make(np.random.default_rng(1)))
    path = EdfFile(channels).write(tmp_path / "a.edf")
    findings = Findings()
    with pytest.raises(Rejected, match="P3"):
        open_recording(
            path,
            channels=CONFIG.channels,
            signals=CONFIG.signals,
            compat=SignalCompat(zero_unreadable=False, resample_length="seconds"),
            findings=findings,
        )
    (finding,) = findings
    assert (finding.code, finding.channel) == ("bad_channel", "P3")
    assert kind in finding.message
    recording, codes = opened(path, channels={"missing": "interpolate"})
    assert codes == ["bad_channel", "electrode_interpolated"]
    assert np.isfinite(samples(recording)).all()


def test_mains_on_top_of_eeg_is_no_fault(tmp_path, channels):
    hum = np.round(9000 * np.sin(2 * np.pi * 60 * np.arange(5120) / 256)).reshape(20, 256).astype(np.int16)
    for channel in channels:
        channel.samples = channel.samples + hum
    assert opened(EdfFile(channels).write(tmp_path / "a.edf"))[1] == []


def test_T27_missing_electrodes(tmp_path, channels):
    kept = [channel for channel in channels if channel.label not in ("EEG FZ-REF", "EEG PZ-REF")]
    path = EdfFile(kept).write(tmp_path / "a.edf")
    finding = refused(path)
    assert (finding.code, finding.value) == ("missing_electrode", "FZ, PZ")
    recording, codes = opened(path, channels={"missing": "interpolate"})
    assert codes == ["electrode_interpolated"] * 2
    clean = samples(recording)
    present = [electrode for electrode in ELECTRODES if electrode not in ("FZ", "PZ")]
    weights = interpolation_matrix(present, ["FZ", "PZ"])
    rows = clean[[ELECTRODES.index(electrode) for electrode in present]]
    np.testing.assert_allclose(clean[[16, 18]], weights @ rows, atol=1e-3)
    assert refused(path, channels={"missing": "interpolate", "max_interpolated": 1}).code == "missing_electrode"


def test_interpolation_restores_a_smooth_field():
    """Spherical splines reproduce a constant and come near a slow gradient."""
    import mne

    positions = mne.channels.make_standard_montage("colin27_1020").get_positions()["ch_pos"]
    names = {name.upper(): place for name, place in positions.items()}
    present = [electrode for electrode in ELECTRODES if electrode not in ("CZ", "F3")]
    weights = interpolation_matrix(present, ["CZ", "F3"])
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=0.02)
    gradient = {electrode: names[electrode] @ [300.0, 500.0, 200.0] for electrode in ELECTRODES}
    guess = weights @ np.array([gradient[electrode] for electrode in present])
    span = max(gradient.values()) - min(gradient.values())
    np.testing.assert_allclose(guess, [gradient["CZ"], gradient["F3"]], atol=0.1 * span)


def test_gaps_make_segments(tmp_path):
    rng = np.random.default_rng(2)
    lists = [f"+{onset}\x14\x14\0" for onset in (0, 1, 2, 3, 3600, 3601)]
    made = [*scalp_channels(rng, records=6), annotation_channel(lists)]
    path = EdfFile(made, reserved="EDF+D").write(tmp_path / "d.edf")
    recording, codes = opened(path)
    assert codes == ["discontinuous"]
    assert [(s.name, s.start_s, s.n_samples) for s in recording.segments] == [("000", 0.0, 800), ("001", 3600.0, 400)]
    alone = scipy.signal.resample_poly(made[0].samples[4:].reshape(-1) * 0.1, 25, 32, padtype="edge")
    np.testing.assert_allclose(samples(recording, 1)[0], alone, atol=0.2)  # nothing of the first segment leaks in
    assert refused(path, signals={"strict": True}).code == "discontinuous"


def test_strict_refuses_repairs(tmp_path, channels):
    file = EdfFile(channels)
    file.fields["records"] = "99"
    path = file.write(tmp_path / "a.edf")
    assert opened(path)[1] == ["truncated"]
    assert refused(path, signals={"strict": True}).code == "truncated"


def test_white_noise_is_no_eeg(tmp_path):
    rng = np.random.default_rng(4)
    made = [Channel(f"EEG {name}-REF", rng.integers(-500, 500, (10, 256))) for name in ELECTRODES]
    path = EdfFile(made).write(tmp_path / "noise.edf")
    assert refused(path).code == "fixture"
    assert opened(path, quality={"white_noise": "keep"})[0].segments


def test_an_implausible_unit_is_told(tmp_path, channels):
    for channel in channels:
        channel.unit = "mV"
    _, codes = opened(EdfFile(channels).write(tmp_path / "a.edf"))
    assert set(codes) == {"unit_converted", "amplitude_implausible"}


def test_too_short(tmp_path):
    made = scalp_channels(np.random.default_rng(0), records=3, per_record=64)
    assert refused(EdfFile(made, record_s="0.25").write(tmp_path / "a.edf")).code == "too_short"


def test_a_fractional_rate_keeps_frequencies(tmp_path, channels):
    """1000 samples in 2.501 s are 399.84 Hz: a 10-Hz sine stays one, to the end of the recording."""
    rate = 1000 / 2.501
    sine = np.round(500 * np.sin(2 * np.pi * 10 * np.arange(40_000) / rate)).reshape(40, 1000)
    rng = np.random.default_rng(5)
    made = [Channel(channel.label, eeg(rng, records=40, per_record=1000)) for channel in channels]
    made[0].samples = sine
    recording, codes = opened(EdfFile(made, record_s="2.501").write(tmp_path / "a.edf"))
    assert codes == ["fraction_cut"]
    (segment,) = recording.segments
    assert segment.n_samples == 100 * 200
    expected = 50 * np.sin(2 * np.pi * 10 * np.arange(20_000) / 200)
    np.testing.assert_allclose(samples(recording)[0][100:-100], expected[100:-100], atol=0.5)
