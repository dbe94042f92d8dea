"""Names of channels (faults.md, rows 7-9): duplicates, missing electrodes, derivations."""

import numpy as np
import pytest

from pipeline.signals.interpolation import interpolation_matrix
from tests.signals.edf_builder import ELECTRODES, Channel, EdfFile, scalp_channels
from tests.signals.opening import opened, refused, samples

T3 = ELECTRODES.index("T3")


@pytest.fixture
def channels():
    return scalp_channels(np.random.default_rng(3))


@pytest.mark.parametrize("label", ["EEG T3-REF", "EEG T7-REF", "T3", "t7", "EEG T3-LE"])
def test_row07_the_same_samples_twice_are_dropped_and_told(tmp_path, channels, label):
    expected = samples(opened(EdfFile(channels).write(tmp_path / "a.edf"))[0])
    path = EdfFile([*channels, Channel(label, channels[T3].samples)]).write(tmp_path / "b.edf")
    recording, codes = opened(path)
    assert codes == ["duplicate_label"]
    np.testing.assert_array_equal(samples(recording), expected)
    assert refused(path, signals={"strict": True}).code == "duplicate_label"


@pytest.mark.parametrize(
    ("label", "changes"),
    [
        ("EEG T3-REF", {"samples": 1}), ("EEG T7-REF", {"samples": 1}), ("EEG T3-REF", {"pmax": "100"}),
        ("EEG T3-REF", {"unit": "mV"}), ("EEG T3-REF", {"dmax": "16000"}),
    ],
)  # fmt: skip
def test_row07_other_samples_under_one_name(tmp_path, channels, label, changes):
    """A difference of one digit in one sample, or of the scale, makes another signal."""
    other = Channel(label, channels[T3].samples.copy())
    for name, value in changes.items():
        if name == "samples":
            other.samples[13, 101] += value
        else:
            setattr(other, name, value)
    path = EdfFile([*channels, other]).write(tmp_path / "a.edf")
    finding = refused(path)
    assert (finding.code, finding.severity) == ("duplicate_label", "error")
    assert "channels.duplicates: first" in finding.message
    recording, codes = opened(path, channels={"duplicates": "first"})
    assert "duplicate_label" in codes
    first = samples(recording)[T3]
    swapped = EdfFile([other, *channels]).write(tmp_path / "b.edf")
    second, _ = opened(swapped, channels={"duplicates": "first"})
    assert not np.array_equal(samples(second)[T3], first)  # the first of the file, whichever that is


def test_row07_duplicates_of_channels_that_are_not_needed_are_no_finding(tmp_path, channels):
    rng = np.random.default_rng(0)
    extra = [Channel("EKG", rng.integers(-9, 9, (20, 256))) for _ in range(2)]
    extra += [Channel("-", np.zeros((20, 256))) for _ in range(3)]
    assert opened(EdfFile([*channels, *extra]).write(tmp_path / "a.edf"))[1] == []


def test_row07_three_of_a_name_of_which_the_last_differs(tmp_path, channels):
    copies = [Channel("EEG T3-REF", channels[T3].samples), Channel("EEG T3-REF", channels[T3].samples + 1)]
    assert refused(EdfFile([*channels, *copies]).write(tmp_path / "a.edf")).code == "duplicate_label"


@pytest.mark.parametrize("electrode", ELECTRODES)
def test_row08_a_missing_electrode_skips_or_is_interpolated(tmp_path, channels, electrode):
    at = ELECTRODES.index(electrode)
    path = EdfFile(channels[:at] + channels[at + 1 :]).write(tmp_path / "a.edf")
    finding = refused(path)
    assert (finding.code, finding.value) == ("missing_electrode", electrode)
    assert "channels.missing: interpolate" in finding.message
    recording, codes = opened(path, channels={"missing": "interpolate"})
    assert codes == ["electrode_interpolated"]
    clean = samples(recording)
    present = [name for name in ELECTRODES if name != electrode]
    weights = interpolation_matrix(present, [electrode])[0]
    np.testing.assert_allclose(clean[at], weights @ np.delete(clean, at, axis=0), atol=1e-3)
    assert clean[at].std() > 1  # never zero inside an average


@pytest.mark.parametrize(
    "style", ["EEG {}-REF", "EEG {}-LE", "eeg {}-ref", "EEG {}", "{}", "{}-Avg", "EEG  {}-REF", "EEG {}-AR"]
)
def test_row08_prefixes_references_and_case(tmp_path, channels, style):
    expected = samples(opened(EdfFile(channels).write(tmp_path / "a.edf"))[0])
    for channel, electrode in zip(channels, ELECTRODES, strict=True):
        channel.label = style.format(electrode.capitalize() if "Avg" in style else electrode)
    recording, codes = opened(EdfFile(channels).write(tmp_path / "b.edf"))
    assert codes == []
    np.testing.assert_array_equal(samples(recording), expected)


def test_row08_synonyms(tmp_path, channels):
    expected = samples(opened(EdfFile(channels).write(tmp_path / "a.edf"))[0])
    newer = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8", "O1": "01", "O2": "02"}
    for channel, electrode in zip(channels, ELECTRODES, strict=True):
        channel.label = f"EEG {newer.get(electrode, electrode)}-REF"
    recording, codes = opened(EdfFile(channels[::-1]).write(tmp_path / "b.edf"))
    assert codes == []
    np.testing.assert_array_equal(samples(recording), expected)


def test_row08_too_many_missing(tmp_path, channels):
    path = EdfFile(channels[4:]).write(tmp_path / "a.edf")
    finding = refused(path, channels={"missing": "interpolate"})
    assert (finding.code, finding.value) == ("missing_electrode", "FP1, FP2, F3, F4")
    assert "max_interpolated" in finding.message


@pytest.mark.parametrize(
    "labels",
    [["FP1-F7", "F7-T7", "T8-P8", "T8-P8-1"], ["EEG F7-T3", "EEG T3-T5"], ["FP1-F7", "ECG"], ["A1-T3", "T4-A2"]],
)
def test_row09_a_file_of_derivations_under_a_referential_model(tmp_path, labels):
    rng = np.random.default_rng(0)
    finding = refused(EdfFile(scalp_channels(rng, records=2, labels=labels)).write(tmp_path / "a.edf"))
    assert (finding.code, finding.severity) == ("bipolar_only", "error")
    assert "channels.montage: bipolar" in finding.message  # the hint


@pytest.mark.parametrize("labels", [["SPO2", "HR"], ["EEG A1-REF", "EEG EKG1-REF"], ["1", "2", "MK"], ["LA1", "LA2"]])
def test_row09_no_scalp_eeg_at_all(tmp_path, labels):
    rng = np.random.default_rng(0)
    assert refused(EdfFile(scalp_channels(rng, records=2, labels=labels)).write(tmp_path / "a.edf")).code == "not_eeg"
