"""Gaps, record durations and sampling rates (faults.md, rows 4, 5 and 11)."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from pipeline.clips import cut_clips
from pipeline.corpora.folder import find, read_events
from pipeline.corpora.records import RecordingFiles
from pipeline.findings import Findings, Rejected
from pipeline.settings.clips import ClipCompat, ClipSettings
from pipeline.settings.corpora import IndexSettings
from pipeline.signals.edf_annotations import annotations, stretches
from pipeline.signals.edf_header import read_header
from pipeline.signals.edf_samples import LONG_RECORD, decode, decode_span, scale_of
from pipeline.stages.index import index
from tests.signals.edf_builder import Channel, EdfFile, annotation_channel, eeg, scalp_channels
from tests.signals.opening import opened, refused, samples

RULES = ClipSettings(before_onset_s=2, forecast_s=12)
HALF_OPEN = ClipCompat(label_edge="half_open", clip_start_offset=False)


def stamped(onsets, notes=(), *, reserved="EDF+D", per_record=200, record_s="1", seed=1):
    """A scalp recording whose records start at `onsets` (texts); `notes` (record, list) are written into records."""
    lists = [f"+{onset}\x14\x14\0" for onset in onsets]
    for record, text in notes:
        lists[record] += text
    channels = scalp_channels(np.random.default_rng(seed), records=len(onsets), per_record=per_record)
    return EdfFile([*channels, annotation_channel(lists)], reserved=reserved, record_s=record_s)


def test_row04_no_window_crosses_a_gap_and_annotations_lie_on_real_time(tmp_path):
    """30 s, a gap of an hour, 40 s; a seizure at 3610 s of real time lies in the second piece, 8 s after its start."""
    onsets = [*range(30), *range(3602, 3642)]
    file = stamped(onsets, [(35, "+3610\x1510\x14sz_foc\x14\0")])
    path = file.write(tmp_path / "p_gap.edf")
    recording, codes = opened(path)
    assert codes == ["discontinuous"]
    spans = [(s.start_s, s.start_s + s.n_samples / 200) for s in recording.segments]
    assert spans == [(0.0, 30.0), (3602.0, 3642.0)]
    (files,) = find(tmp_path, "stems")
    events = read_events(tmp_path, files, 3642.0, Findings())
    assert [(event.onset_s, event.offset_s, event.code) for event in events] == [(3610.0, 3620.0, "fnsz")]
    segments = pd.DataFrame([
        {"recording": "r", "segment": s.name, "start_s": s.start_s, "duration_s": s.n_samples / 200,
         "n_samples": s.n_samples, "patient": "p", "session": "", "split": "train", "rate_hz": 200.0}
        for s in recording.segments
    ])  # fmt: skip
    seizures = pd.DataFrame(
        [{"recording": "r", "channel": e.channel, "onset_s": e.onset_s, "offset_s": e.offset_s, "code": e.code}
         for e in events]
    )  # fmt: skip
    for task in ("detection", "classification", "pretraining"):
        clips = cut_clips(
            segments, seizures, task=task, length_s=12, settings=RULES, compat=HALF_OPEN, findings=Findings()
        )
        assert len(clips)
        inside = [any(a <= start and start + length <= b for a, b in spans) for start, length in
                  zip(clips["start_s"], clips["length_s"], strict=True)]  # fmt: skip
        assert all(inside)
        if task == "detection":
            assert clips.loc[clips["label"] == 1, "start_s"].tolist() == [3602.0, 3614.0]
    whole = np.concatenate([channel.samples.reshape(-1) for channel in file.channels[:1]]) * 0.1
    np.testing.assert_allclose(samples(recording, 1)[0], whole[30 * 200 :], atol=1e-3)  # 200 Hz: nothing is resampled


def test_row04_strict_refuses_gaps(tmp_path):
    path = stamped([0, 1, 2, 50, 51]).write(tmp_path / "a.edf")
    assert refused(path, signals={"strict": True}).code == "discontinuous"


def test_row04_pieces_under_a_second_are_left_out_and_told(tmp_path):
    path = stamped(["0", "0.5", "1", "10", "20", "20.5"], record_s="0.5", per_record=100).write(tmp_path / "a.edf")
    recording, codes = opened(path)
    assert [(s.start_s, s.n_samples) for s in recording.segments] == [(0.0, 200), (20.0, 200)]
    assert sorted(codes) == ["discontinuous", "fraction_cut", "too_short"]


@pytest.mark.parametrize(
    "onsets",
    [[f"{i + 0.004 * (i % 2):.3f}" for i in range(20)], [f"{i + 0.0039}" for i in range(20)], list(range(7, 27))],
)
def test_row04_onsets_rounded_to_milliseconds_are_no_gaps(tmp_path, onsets):
    recording, codes = opened(stamped(onsets).write(tmp_path / "a.edf"))
    assert codes == []
    assert len(recording.segments) == 1


def test_row04_a_clock_that_runs_off_is_cut_before_labels_move(tmp_path):
    """4 ms a record stay within the jitter of one step; a segment never drifts by more than a tenth of a second."""
    onsets = [Fraction(1004, 1000) * i for i in range(100)]
    path = stamped([f"{float(onset):.3f}" for onset in onsets]).write(tmp_path / "a.edf")
    pieces = stretches(read_header(path, Findings()), Findings())
    assert 3 <= len(pieces) <= 5
    for piece in pieces:
        assert piece.start_s == pytest.approx(float(onsets[piece.first]))
        last = piece.stop - 1
        assert abs(piece.start_s + (last - piece.first) - float(onsets[last])) <= 0.1001


def test_row04_records_that_overlap_in_time_are_refused(tmp_path):
    finding = refused(stamped([0, 1, 2, 3, 2.5, 3.5]).write(tmp_path / "a.edf"))
    assert finding.code == "header_invalid"
    assert "record 4 starts 1.500 s before record 3 ends" in finding.message


@pytest.mark.parametrize("stamp", ["", "\x14\x14", "+x\x14\x14", "+" + "9" * 40 + "\x14\x14"])
def test_row04_a_record_without_onset_is_refused(tmp_path, stamp):
    file = stamped([0, 1, 2])
    lists = ["+0\x14\x14\0", f"{stamp}\0", "+2\x14\x14\0"]
    file.channels[-1] = annotation_channel(lists)
    assert refused(file.write(tmp_path / "a.edf")).code == "header_invalid"


def test_row04_discontinuous_without_annotation_channel_is_refused(tmp_path):
    file = EdfFile(scalp_channels(np.random.default_rng(0), records=3), reserved="EDF+D")
    assert refused(file.write(tmp_path / "a.edf")).code == "header_invalid"


@pytest.mark.parametrize("reserved", ["EDF+C", ""])
def test_row04_gaps_in_a_file_that_calls_itself_continuous(tmp_path, reserved):
    recording, codes = opened(stamped([0, 1, 2, 50, 51], reserved=reserved).write(tmp_path / "a.edf"))
    assert codes == ["discontinuous"]
    assert [(s.start_s, s.n_samples) for s in recording.segments] == [(0.0, 600), (50.0, 400)]


@pytest.mark.parametrize("onsets", [[0, 0, 0, 0], [5, 4, 3, 2]])
def test_row04_a_continuous_file_with_useless_onsets_stays_continuous(tmp_path, onsets):
    recording, codes = opened(stamped(onsets, reserved="EDF+C").write(tmp_path / "a.edf"))
    assert codes == []
    assert [(s.start_s, s.n_samples) for s in recording.segments] == [(0.0, 800)]


@pytest.mark.parametrize("first", ["", "\x14\x14", "+x\x14\x14", "\x14\x14\0+5\x1510\x14note\x14"])
@pytest.mark.parametrize("start", [0, 7.25])
def test_row04_zero_is_record_0_although_it_does_not_tell_its_onset(tmp_path, first, start):
    """An event 5 s after the first sample lies at 5 s, not at 4 s: record 1 tells when record 0 began."""
    lists = [f"{first}\0", *(f"+{start + i}\x14\x14\0" for i in range(1, 20))]
    lists[9] += f"+{start + 5}\x1510\x14sz\x14\0"
    file = stamped(range(20), reserved="EDF+C")
    file.channels[-1] = annotation_channel(lists)
    path = file.write(tmp_path / "a.edf")
    (event,) = [note for note in annotations(read_header(path, Findings())) if note.text == "sz"]
    assert (event.onset_s, event.duration_s) == (5.0, 10.0)
    findings = Findings()
    assert len(stretches(read_header(path, Findings()), findings)) == 1
    assert [(f.code, f.action, f.value) for f in findings] == [("onset_missing", "repair", "1")]
    assert refused(path, signals={"strict": True}).code == "onset_missing"


def test_row04_without_any_onset_annotations_count_from_the_start_of_the_header(tmp_path):
    """An event is no time-keeping: its own onset is not zero."""
    file = stamped(range(20), reserved="EDF+C")
    file.channels[-1] = annotation_channel(["+5\x1510\x14sz\x14\0", *["\0"] * 19])
    path = file.write(tmp_path / "a.edf")
    assert [note.onset_s for note in annotations(read_header(path, Findings()))] == [5.0]
    recording, codes = opened(path)
    assert (len(recording.segments), codes) == (1, ["onset_missing"])


def test_row04_a_gap_shows_although_record_0_does_not_tell_its_onset(tmp_path):
    """Then the onsets decide, and that of record 0 is needed."""
    file = stamped([0, 1, 2, 50, 51], reserved="EDF+C")
    file.channels[-1] = annotation_channel(["\0", *(f"+{onset}\x14\x14\0" for onset in (1, 2, 50, 51))])
    finding = refused(file.write(tmp_path / "a.edf"))
    assert (finding.code, finding.value) == ("header_invalid", "0")


def test_row04_annotations_of_a_discontinuous_file_need_the_onset_of_record_0(tmp_path):
    file = stamped([0, 1, 2])
    file.channels[-1] = annotation_channel(["\0", "+1\x14\x14\0", "+2\x14\x14+2\x141\x14sz\x14\0"])
    with pytest.raises(Rejected, match="record 0 of a discontinuous file"):
        annotations(read_header(file.write(tmp_path / "a.edf"), Findings()))


@pytest.mark.parametrize(
    "text", ["0", "-1", "-0.5", "nan", "inf", "-inf", "", "one", "1/3", "1e999999", "1e-99999", "0.0", "1 2"]
)
def test_row05_record_duration_that_gives_no_rate(tmp_path, text):
    file = EdfFile(scalp_channels(np.random.default_rng(0), records=2), record_s=text)
    finding = refused(file.write(tmp_path / "a.edf"))
    assert (finding.code, finding.severity) == ("header_invalid", "error")


@pytest.mark.parametrize(("text", "rate"), [("99999999", "2.56e-06"), ("0.000001", "2.56e+08")])
def test_row05_a_rate_that_no_eeg_has(tmp_path, text, rate):
    """Records of years would ask for a store of 10**11 samples."""
    file = EdfFile(scalp_channels(np.random.default_rng(0), records=20 if text[0] == "9" else 1), record_s=text)
    for channel in file.channels if text[0] == "0" else ():
        channel.samples = np.repeat(channel.samples, 4, axis=0)
    finding = refused(file.write(tmp_path / "a.edf"))
    assert finding.code in ("rate_implausible", "too_short")
    if text[0] == "9":
        assert (finding.code, float(finding.value)) == ("rate_implausible", pytest.approx(float(rate)))


def test_row05_an_electrode_at_one_hertz_counts_as_missing(tmp_path):
    channels = scalp_channels(np.random.default_rng(0))
    channels[4] = Channel("EEG C3-REF", np.ones((20, 1)))
    path = EdfFile(channels).write(tmp_path / "a.edf")
    assert refused(path).code == "missing_electrode"
    recording, codes = opened(path, channels={"missing": "interpolate"})
    assert codes == ["rate_implausible", "electrode_interpolated"]
    assert samples(recording)[4].std() > 1


def test_row05_an_electrode_without_samples(tmp_path):
    channels = scalp_channels(np.random.default_rng(0))
    channels[4] = Channel("EEG C3-REF", np.zeros((20, 0)))
    path = EdfFile(channels).write(tmp_path / "a.edf")
    findings = Findings()
    assert refused(path).code == "missing_electrode"
    _, codes = opened(path, channels={"missing": "interpolate"})
    assert codes == ["empty_channel", "electrode_interpolated"]
    header = read_header(path, findings)
    others = [signal for signal in header.signals if signal.samples_per_record]
    decoded = decode(header, others, [scale_of(signal, "a", findings) for signal in others], 0, 20)
    expected = np.stack([channel.samples.reshape(-1) * 0.1 for channel in channels if channel.samples.size])
    np.testing.assert_allclose(decoded, expected, atol=1e-3)  # the channels behind it have not moved


@pytest.mark.parametrize("reserved", ["EDF+C", "EDF+D"])
def test_row05_annotations_alone_with_records_of_no_duration_are_accepted(tmp_path, reserved):
    """As CPAP machines write them (holgern/pyedflib#19): read, but there is no EEG to use."""
    lists = ["+0\x14\x14\0", "+1\x14\x14\0+3\x152\x14sz\x14\0"]
    path = EdfFile([annotation_channel(lists)], record_s="0", reserved=reserved).write(tmp_path / "p_notes.edf")
    header = read_header(path, Findings())
    assert [(note.onset_s, note.duration_s, note.text) for note in annotations(header)] == [(3.0, 2.0, "sz")]
    findings = Findings()
    files = RecordingFiles(recording="p_notes", patient="p", session="", montage="", edf="p_notes.edf")
    rows, _ = index(tmp_path, [files], IndexSettings(corpus="c", reader="folder", version="auto"), findings)
    assert rows == []
    assert [(finding.code, finding.action) for finding in findings] == [("not_eeg", "skip")]
    assert refused(path).code == "not_eeg"


@pytest.mark.parametrize(("per_record", "record_s"), [(1000, "2.501"), (1000, "2.50105"), (833, "2.0834"), (400, "1")])
def test_row11_fractional_rates_keep_frequencies_to_the_end(tmp_path, per_record, record_s):
    """399.84, 399.832, 399.827 and 400 Hz: a 10-Hz sine of the true rate is one of 10 Hz at 200 Hz."""
    rate, records = per_record / float(record_s), 40
    rng = np.random.default_rng(5)
    made = scalp_channels(rng, records=records, per_record=per_record)
    times = np.arange(records * per_record) / rate
    made[0].samples = np.round(500 * np.sin(2 * np.pi * 10 * times)).reshape(records, per_record)
    recording, codes = opened(EdfFile(made, record_s=record_s).write(tmp_path / "a.edf"))
    assert set(codes) <= {"fraction_cut"}
    (segment,) = recording.segments
    assert segment.n_samples == int(records * Fraction(record_s)) * 200
    expected = 50 * np.sin(2 * np.pi * 10 * np.arange(segment.n_samples) / 200)
    np.testing.assert_allclose(samples(recording)[0][100:-100], expected[100:-100], atol=0.5)


def test_row11_each_needed_channel_is_resampled_by_its_own_ratio(tmp_path):
    """One pulse a second at four rates in one file: the pulses of all channels lie in the same places."""
    rates, records = (200, 256, 400, 512), 12
    channels = []
    for i, channel in enumerate(scalp_channels(np.random.default_rng(1), records=records)):
        rate = rates[i % 4]
        t = (np.arange(rate) / rate - 0.5) / 0.02
        noise = eeg(np.random.default_rng(i), records=records, per_record=rate, rms=10)
        channels.append(Channel(channel.label, noise + np.round(3000 * np.exp(-t * t)).astype(int)))
    recording, codes = opened(EdfFile(channels).write(tmp_path / "a.edf"))
    assert codes == ["mixed_rate"]
    peaks = samples(recording).reshape(19, records, 200)[:, 1:-1].argmax(axis=2)
    assert set(np.unique(peaks)) <= {99, 100, 101}


def test_row11_strict_and_channels_that_are_not_needed(tmp_path):
    """Other rates among channels that nobody asked for are no finding."""
    channels = scalp_channels(np.random.default_rng(2))
    channels += [Channel("IBI", np.ones((20, 1))), Channel("EEG EKG1-REF", np.ones((20, 100)))]
    path = EdfFile(channels).write(tmp_path / "a.edf")
    assert opened(path)[1] == []
    assert opened(path, signals={"strict": True})[1] == []


def test_row02_records_of_any_length_give_the_same_samples(tmp_path):
    """A whole recording in one record: read in parts, and the same as in records of one second."""
    rate, seconds = 512, 140
    assert rate * seconds > LONG_RECORD
    channels = scalp_channels(np.random.default_rng(3), records=seconds, per_record=rate)
    usual = EdfFile(channels).write(tmp_path / "usual.edf")
    for channel in channels:
        channel.samples = channel.samples.reshape(1, -1)
    single = EdfFile(channels, record_s=str(seconds)).write(tmp_path / "single.edf")
    cut = {"block_s": 33.0}
    expected, codes = opened(usual, signals=cut)
    found, other = opened(single, signals=cut)
    assert codes == other == []
    np.testing.assert_array_equal(samples(found), samples(expected))
    header = read_header(single, Findings())
    scales = [scale_of(signal, "a", Findings()) for signal in header.signals]
    whole = decode(header, header.signals, scales, 0, 1)
    for low, high in ((0, 5), (70_000, 70_003), (100, 71_000), (0, rate * seconds)):
        np.testing.assert_array_equal(decode_span(header, header.signals, scales, 0, low, high), whole[:, low:high])


def test_row04_index_and_ingest_agree_on_a_file_they_refuse(tmp_path):
    """What `index` cannot place in time does not come to `ingest`."""
    stamped([0, 1, 2, 1, 2]).write(tmp_path / "p_bad.edf")
    findings = Findings()
    files = RecordingFiles(recording="p_bad", patient="p", session="", montage="", edf="p_bad.edf")
    rows, _ = index(tmp_path, [files], IndexSettings(corpus="c", reader="folder", version="auto"), findings)
    assert rows == []
    assert [(finding.code, finding.severity, finding.recording) for finding in findings] == [
        ("header_invalid", "error", "p_bad")
    ]
    with pytest.raises(Rejected):
        opened(tmp_path / "p_bad.edf")
