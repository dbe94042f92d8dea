"""Traps T23-T30 of TUH's EDFs (formats.md, section 9), each through the whole of `open_recording`.

More on T24 and T28 in test_outside_readers.py, on labels in test_channels.py.
"""

import numpy as np
import pytest

from pipeline.findings import Findings
from pipeline.signals.edf_header import read_header
from pipeline.signals.interpolation import interpolation_matrix
from tests.signals.edf_builder import ELECTRODES, Channel, EdfFile, eeg, scalp_channels
from tests.signals.opening import opened, refused, samples

EXTRAS = ["EEG EKG1-REF", "EEG T1-REF", "EEG T2-REF", "EEG C3P-REF", "EEG C4P-REF", "EEG SP1-REF", "EEG SP2-REF",
          "EEG ROC-REF", "EEG LOC-REF", "EEG PG1-REF", "EEG OZ-REF", "EEG A1-REF", "EEG A2-REF", "EMG-REF",
          "PHOTIC-REF", "PH", "DC1-DC", "DC8-DC", "IBI", "BURSTS", "SUPPR",
          *[f"EEG {number}-REF" for number in range(20, 33)]]  # fmt: skip


@pytest.fixture
def channels():
    return scalp_channels(np.random.default_rng(3))


@pytest.mark.parametrize("rate", [250, 256, 400, 512, 1000])
@pytest.mark.parametrize("record_s", ["1", "0.5", "4"])
def test_T23_the_rate_is_samples_over_the_duration_of_a_record(tmp_path, rate, record_s):
    """Records of half a second, one and four (holgern/pyedflib#179): a 10-Hz sine comes out as one."""
    per_record, seconds = int(rate * float(record_s)), 12
    records = int(seconds / float(record_s))
    made = scalp_channels(np.random.default_rng(0), records=records, per_record=per_record)
    sine = np.round(500 * np.sin(2 * np.pi * 10 * np.arange(rate * seconds) / rate))
    made[0].samples = sine.reshape(records, per_record)
    path = EdfFile(made, record_s=record_s).write(tmp_path / "a.edf")
    header = read_header(path, Findings())
    assert header.rate_hz(header.signals[0]) == rate
    recording, codes = opened(path)
    assert codes == []
    expected = 50 * np.sin(2 * np.pi * 10 * np.arange(seconds * 200) / 200)
    np.testing.assert_allclose(samples(recording)[0][50:-50], expected[50:-50], atol=0.5)


def test_T24_slow_channels_between_the_electrodes_move_nothing(tmp_path, channels):
    expected = samples(opened(EdfFile(channels).write(tmp_path / "a.edf"))[0])
    mixed = []
    for i, channel in enumerate(channels):
        mixed += [channel, Channel(("IBI", "BURSTS", "SUPPR")[i % 3], np.full((20, 1 + i % 2), i))]
    recording, codes = opened(EdfFile(mixed).write(tmp_path / "b.edf"))
    assert codes == []
    np.testing.assert_array_equal(samples(recording), expected)


def test_T25_nothing_but_the_wanted_electrodes_is_taken(tmp_path, channels):
    """42 and more signals, every extra that was met in front of them: equal samples, no finding."""
    expected = samples(opened(EdfFile(channels).write(tmp_path / "a.edf"))[0])
    extra = scalp_channels(np.random.default_rng(9), labels=EXTRAS)
    recording, codes = opened(EdfFile([*extra, *channels]).write(tmp_path / "b.edf"))
    assert codes == []
    assert recording.electrodes == tuple(ELECTRODES)
    np.testing.assert_array_equal(samples(recording), expected)
    assert refused(EdfFile(extra).write(tmp_path / "c.edf")).code == "not_eeg"


@pytest.mark.parametrize("change", [str.lower, str.title, str.upper])
def test_T26_aliases_and_case(tmp_path, channels, change):
    newer = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8", "O1": "01", "O2": "02"}
    expected = samples(opened(EdfFile(channels).write(tmp_path / "a.edf"))[0])
    for channel, electrode in zip(channels, ELECTRODES, strict=True):
        channel.label = change(f"EEG {newer.get(electrode, electrode)}-REF")
    recording, codes = opened(EdfFile(channels).write(tmp_path / "b.edf"))
    assert codes == []
    np.testing.assert_array_equal(samples(recording), expected)


@pytest.mark.parametrize("missing", [["FZ", "PZ"], ["CZ"]])
def test_T27_older_files_without_midline_electrodes(tmp_path, channels, missing):
    kept = [channel for channel, name in zip(channels, ELECTRODES, strict=True) if name not in missing]
    path = EdfFile(kept).write(tmp_path / "a.edf")
    assert (refused(path).code, refused(path).value) == ("missing_electrode", ", ".join(missing))
    recording, codes = opened(path, channels={"missing": "interpolate"})
    assert codes == ["electrode_interpolated"] * len(missing)
    clean = samples(recording)
    present = [name for name in ELECTRODES if name not in missing]
    rows = clean[[ELECTRODES.index(name) for name in present]]
    there = clean[[ELECTRODES.index(name) for name in missing]]
    np.testing.assert_allclose(there, interpolation_matrix(present, missing) @ rows, atol=1e-3)


def test_T28_every_channel_has_its_own_range(tmp_path, channels):
    """The same signal on five scales, and a DC channel of 5 V beside it."""
    reach = [3276.7, 4999.85, 5482.28, 800.0, 32767.0]
    physical = eeg(np.random.default_rng(1), records=20, per_record=256).astype(float) * 0.1
    for i, channel in enumerate(channels):
        limit = reach[i % 5]
        channel.pmin, channel.pmax = f"{-limit}", f"{limit}"
        channel.samples = np.round(physical / limit * 32767).astype(int)
    channels.append(Channel("DC1-DC", channels[0].samples, pmin="-4999850", pmax="4999850"))
    recording, codes = opened(EdfFile(channels).write(tmp_path / "a.edf"))
    assert codes == []
    clean = samples(recording)
    for i in range(19):
        np.testing.assert_allclose(clean[i], clean[0], atol=2 * reach[i % 5] / 32767 + 0.2)


@pytest.mark.parametrize(
    "date", ["01.01.99", "01.01.00", "31.12.99", "01:01:85", "00.00.00", "99.99.99", "yesterda", ""]
)
@pytest.mark.parametrize("patient", ["X X X X", "F 34Y", "\xff" * 80, ""])
def test_T29_dates_and_identity_decide_nothing(tmp_path, channels, date, patient):
    expected = samples(opened(EdfFile(channels[:]).write(tmp_path / "a.edf"))[0])
    fields = {"date": date, "time": date, "patient": patient, "recording": patient}
    recording, codes = opened(EdfFile(channels, fields=fields).write(tmp_path / "b.edf"))
    assert codes == []
    np.testing.assert_array_equal(samples(recording), expected)


@pytest.mark.parametrize(("stated", "code", "seconds"), [("-1", "nrec_unknown", 20), ("7", "trailing_records", 7),
                                                         ("999", "truncated", 20)])  # fmt: skip
def test_T30_counts_in_conflict_with_the_size(tmp_path, channels, stated, code, seconds):
    expected = samples(opened(EdfFile(channels).write(tmp_path / "a.edf"))[0])
    recording, codes = opened(EdfFile(channels, fields={"records": stated}).write(tmp_path / "b.edf"))
    assert codes == [code]
    clean = samples(recording)
    assert clean.shape == (19, seconds * 200)
    np.testing.assert_allclose(clean[:, : seconds * 200 - 20], expected[:, : seconds * 200 - 20], atol=1e-3)
