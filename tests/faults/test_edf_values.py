"""Ranges, units and bad channels (faults.md, rows 6, 10 and 12): no NaN, no guess, each with its finding."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pipeline.features import fft
from pipeline.findings import Findings
from pipeline.settings.features import FeatureSettings
from pipeline.signals.edf_header import read_header
from pipeline.signals.edf_samples import decode, scale_of
from pipeline.stages import features as features_stage
from pipeline.stages.command import StageError
from pipeline.training import predicting
from tests.signals.edf_builder import ELECTRODES, Channel, EdfFile, eeg, scalp_channels
from tests.signals.opening import opened, refused, samples

C3 = ELECTRODES.index("C3")


@pytest.fixture
def channels():
    return scalp_channels(np.random.default_rng(3))


@pytest.mark.parametrize(
    "fields",
    [
        {"dmin": "5", "dmax": "5"}, {"pmin": "1", "pmax": "1"}, {"pmin": "0", "pmax": "0"}, {"pmax": "nan"},
        {"pmin": "NaN"}, {"pmin": "-inf"}, {"pmax": "inf"}, {"dmax": ""}, {"dmin": "nan"}, {"pmax": "many"},
        {"pmax": "1e300"}, {"pmax": "9e99"}, {"dmin": "0", "dmax": "1e-99"}, {"pmax": "1e9", "unit": "V"},
        {"pmax": "1_000"}, {"pmax": "0x10"},
    ],
)  # fmt: skip
def test_row06_no_scale_makes_a_bad_channel_and_no_nan(tmp_path, channels, fields):
    for name, text in fields.items():
        setattr(channels[C3], name, text)
    path = EdfFile(channels).write(tmp_path / "a.edf")
    assert refused(path).code == "missing_electrode"
    recording, codes = opened(path, channels={"missing": "interpolate"})
    assert codes == ["scale_invalid", "electrode_interpolated"]
    clean = samples(recording)
    assert np.isfinite(clean).all()
    assert 1 < clean[C3].std() < 100  # from the neighbours


def test_row06_every_channel_without_scale(tmp_path, channels):
    for channel in channels:
        channel.pmax = "nan"
    assert refused(EdfFile(channels).write(tmp_path / "a.edf")).code == "scale_invalid"


def test_row06_decimal_comma_is_a_point_and_told(tmp_path, channels):
    expected = samples(opened(EdfFile(channels).write(tmp_path / "a.edf"))[0])
    channels[C3].pmin, channels[C3].pmax = "-3276,7", "3276,7"
    path = EdfFile(channels, record_s="1,0").write(tmp_path / "b.edf")
    recording, codes = opened(path)
    assert codes == ["header_repaired"] * 3
    np.testing.assert_array_equal(samples(recording), expected)
    assert refused(path, signals={"strict": True}).code == "header_repaired"


@pytest.mark.parametrize(
    "fields",
    [{"pmin": "3276.7", "pmax": "-3276.7"}, {"dmin": "32767", "dmax": "-32767"}],
)
def test_row06_inverted_ranges_are_applied_as_written(tmp_path, channels, fields):
    expected = samples(opened(EdfFile(channels).write(tmp_path / "a.edf"))[0])
    for name, text in fields.items():
        setattr(channels[C3], name, text)
    path = EdfFile(channels).write(tmp_path / "b.edf")
    recording, codes = opened(path)
    assert codes == ["inverted_polarity"]
    clean = samples(recording)
    np.testing.assert_allclose(clean[C3], -expected[C3], atol=1e-3)
    others = [i for i in range(19) if i != C3]
    np.testing.assert_array_equal(clean[others], expected[others])
    assert refused(path, signals={"strict": True}).code == "inverted_polarity"


def test_row06_both_ranges_inverted_is_no_inversion(tmp_path, channels):
    expected = samples(opened(EdfFile(channels).write(tmp_path / "a.edf"))[0])
    for channel in channels:
        channel.pmin, channel.pmax, channel.dmin, channel.dmax = "3276.7", "-3276.7", "32767", "-32767"
    recording, codes = opened(EdfFile(channels).write(tmp_path / "b.edf"))
    assert codes == []
    np.testing.assert_allclose(samples(recording), expected, atol=1e-3)


FAULTS = {
    "flat": lambda rng: np.full((20, 256), 7),
    "saturated": lambda rng: np.where(rng.random((20, 256)) < 0.3, 32767, eeg(rng, records=20, per_record=256)),
    "saturated low": lambda rng: np.where(rng.random((20, 256)) < 0.3, -32768, eeg(rng, records=20, per_record=256)),
    "mains only 50": lambda rng: np.round(900 * np.sin(2 * np.pi * 50 * np.arange(5120) / 256)).reshape(20, 256),
    "mains only 60": lambda rng: np.round(900 * np.sin(2 * np.pi * 60 * np.arange(5120) / 256)).reshape(20, 256),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_row10_bad_channels_are_listed_and_count_as_missing(tmp_path, channels, kind):
    channels[C3] = Channel("EEG C3-REF", FAULTS[kind](np.random.default_rng(1)))
    path = EdfFile(channels).write(tmp_path / "a.edf")
    finding = refused(path)
    assert (finding.code, finding.value) == ("missing_electrode", "C3")
    findings = Findings()
    recording, codes = opened(path, channels={"missing": "interpolate"})
    assert codes == ["bad_channel", "electrode_interpolated"]
    assert recording.missing == ("C3",)
    clean = samples(recording)
    assert np.isfinite(clean).all()
    others = [i for i in range(19) if i != C3]
    healthy = EdfFile([channels[i] for i in others]).write(tmp_path / "b.edf")
    without, _ = opened(healthy, channels={"missing": "interpolate"})
    np.testing.assert_array_equal(clean, samples(without))  # nothing of the bad channel is left anywhere
    assert len(findings) == 0


def test_row10_every_channel_bad(tmp_path):
    channels = [Channel(f"EEG {name}-REF", np.full((20, 256), 7)) for name in ELECTRODES]
    assert refused(EdfFile(channels).write(tmp_path / "a.edf")).code == "bad_channel"


@pytest.mark.parametrize("value", [0.0, 3e11, -3e11, 1e-30])
def test_row10_frames_of_extreme_signals_are_finite(value):
    """The largest scale that a header may give, and silence."""
    settings = FeatureSettings(kind="fft", floor_amplitude=1e-8)
    signal = np.full((19, 400), value, np.float32)
    signal[3, ::2] *= -1
    assert np.isfinite(fft.frames(signal, 200.0, settings)).all()


def test_row10_frames_that_are_no_numbers_stop_the_stage():
    kind = fft
    signals = {"r/000": np.full((19, 400), np.nan, np.float32)}
    segments = {"item": ["r/000"], "array": ["r/000"], "first": [0], "seconds": [2]}
    settings = features_stage.Settings(features=FeatureSettings(kind="fft", floor_amplitude=1e-8), rate_hz=200.0)
    with pytest.raises(StageError, match="r/000"):
        list(features_stage.compute(signals, segments, kind, settings))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_row10_predictions_that_are_no_numbers_name_the_clip(monkeypatch, value):
    table = pd.DataFrame({name: ["a", "b", "c"] for name in predicting.KEPT})
    data = SimpleNamespace(labels=np.array([0, -1, 1]), table=table)
    monkeypatch.setattr(predicting, "predict_logits", lambda *_, **__: np.array([[0.5], [value]]))
    with pytest.raises(predicting.NotFinite, match="clip c"):
        predicting.prediction_table(None, data, {"classes": ["seizure"]}, batch_size=2, strict=False)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("uV", 1.0), ("UV", 1.0), (" uV ", 1.0), ("\xb5V", 1.0), ("\xc2\xb5V", 1.0), ("mV", 1e3), ("MV", 1e3),
        ("V", 1e6), ("nV", 1e-3),
    ],
)  # fmt: skip
def test_row12_known_units_are_converted(tmp_path, unit, factor):
    """The same signal in another unit: equal samples. In the header, `mV` and `MV` are both millivolts."""
    channels = scalp_channels(np.random.default_rng(3))
    expected = samples(opened(EdfFile(channels).write(tmp_path / "a.edf"))[0])
    for channel in channels:
        channel.unit = unit
        channel.pmin, channel.pmax = f"{-3300 / factor:.7g}", f"{3300 / factor:.7g}"
        channel.dmin, channel.dmax = "-33000", "33000"  # 0.1 uV a digit, in eight characters whatever the unit
    recording, codes = opened(EdfFile(channels).write(tmp_path / "b.edf"))
    assert codes == ([] if factor == 1.0 else ["unit_converted"] * 19)
    np.testing.assert_allclose(samples(recording), expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("unit", ["", "%", "bpm", "degC", "uV/cm", "Volt", "\xff\xfe", "counts"])
def test_row12_unknown_and_blank_units_are_errors(tmp_path, unit):
    """A blank unit may mean uV as well as V, a factor of a million: nothing is guessed."""
    channels = scalp_channels(np.random.default_rng(3))
    channels[C3].unit = unit
    path = EdfFile(channels).write(tmp_path / "one.edf")
    assert refused(path).code == "missing_electrode"
    assert opened(path, channels={"missing": "interpolate"})[1] == ["unit_unknown", "electrode_interpolated"]
    for channel in channels:
        channel.unit = unit
    finding = refused(EdfFile(channels).write(tmp_path / "all.edf"))
    assert (finding.code, finding.severity) == ("unit_unknown", "error")
    assert "no electrode" in finding.message


@pytest.mark.parametrize(("unit", "warned"), [("uV", False), ("mV", True), ("nV", True), ("V", True)])
def test_row12_amplitudes_that_no_scalp_has_are_told(tmp_path, unit, warned):
    channels = scalp_channels(np.random.default_rng(3))
    for channel in channels:
        channel.unit = unit
    recording, codes = opened(EdfFile(channels).write(tmp_path / "a.edf"), quality={"flat_uv": 1e-6})
    assert ("amplitude_implausible" in codes) is warned
    assert recording.segments  # used all the same


def test_row12_a_unit_of_a_channel_that_is_not_needed_is_no_finding(tmp_path):
    channels = scalp_channels(np.random.default_rng(3))
    channels += [Channel("SPO2", np.full((20, 1), 97), unit="%", pmin="0", pmax="0")]
    assert opened(EdfFile(channels).write(tmp_path / "a.edf"))[1] == []


def test_row06_row12_the_formula_of_the_standard(tmp_path):
    """Physical value by hand, for every corner of the 16-bit range and several scales."""
    corners = np.array([[-32768, -32767, -1, 0, 1, 32766, 32767]])
    for pmin, pmax, dmin, dmax in ((-3276.7, 3276.7, -32767, 32767), (-200, 3000, -2048, 2047), (5, -7, -100, 50)):
        channel = Channel("C3", corners, pmin=str(pmin), pmax=str(pmax), dmin=str(dmin), dmax=str(dmax))
        header = read_header(EdfFile([channel]).write(tmp_path / "a.edf"), Findings())
        scale = scale_of(header.signals[0], "a", Findings())
        by_hand = (corners[0] - dmin) * (pmax - pmin) / (dmax - dmin) + pmin
        np.testing.assert_allclose(decode(header, header.signals, [scale], 0, 1)[0], by_hand, rtol=1e-5, atol=1e-3)
