"""Public incidents of reading EDFs (faults.md, section 4), each against its cure here. Labels: test_label_incidents.py.

A test names the repository and the number of the report. Where a fault row has the same cause, the row's test has the
cases and this one the incident's own.
"""

from fractions import Fraction

import edfio
import numpy as np
import pyedflib
import pytest

from pipeline.corpora import folder
from pipeline.corpora.records import RecordingFiles
from pipeline.corpora.scalp.edf import Channel as Written
from pipeline.corpora.scalp.edf import FileFields, Scale, write_edf
from pipeline.findings import Findings
from pipeline.signals.edf_annotations import annotations
from pipeline.signals.edf_header import read_header
from pipeline.signals.edf_samples import decode, scale_of
from tests.signals.edf_builder import ELECTRODES, Channel, EdfFile, annotation_channel, eeg, scalp_channels
from tests.signals.opening import opened, refused, samples

BIPOLAR = ["FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FP2-F4", "F4-C4", "C4-P4",
           "P4-O2", "FP2-F8", "F8-T8", "T8-P8", "P8-O2", "FZ-CZ", "CZ-PZ", "P7-T7", "T7-FT9", "FT9-FT10", "FT10-T8",
           "T8-P8"]  # fmt: skip


@pytest.fixture
def channels():
    return scalp_channels(np.random.default_rng(3))


def physical(header, index=0):
    signal = header.signals[index]
    return decode(header, [signal], [scale_of(signal, "a", Findings())], 0, header.n_records)[0]


def read(path):
    findings = Findings()
    header = read_header(path, findings)
    return header, [(finding.code, finding.seconds_affected) for finding in findings]


def notes_of(path):
    """Onset, duration, text of the annotations that a file holds."""
    return [(n.onset_s, n.duration_s, n.text) for n in annotations(read_header(path, Findings()))]


def test_incident_mne_4028_and_4132_count_minus_one_with_mixed_rates(tmp_path, channels):
    """The count comes from the bytes of a record, not from bytes over signals: rates differ."""
    channels.append(Channel("IBI", np.ones((20, 1))))
    path = EdfFile(channels, fields={"records": "-1"}).write(tmp_path / "a.edf")
    header, codes = read(path)
    assert (header.n_records, codes) == (20, [("nrec_unknown", 0.0)])
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.8)])  # as in the report's own test
    header, codes = read(path)
    assert header.n_records == 15  # 80 % of the bytes, header included, are 15.8 records
    assert codes == [("nrec_unknown", 0.0), ("truncated", 1.0)]
    np.testing.assert_allclose(physical(header), channels[0].samples[:15].reshape(-1) * 0.1, atol=1e-3)


@pytest.mark.parametrize("extra", [-300, 300])
def test_incident_edfio_41_size_unlike_the_header(tmp_path, channels, extra):
    content = EdfFile(channels).content()
    path = tmp_path / "a.edf"
    path.write_bytes(content[:extra] if extra < 0 else content + b"\1" * extra)
    header, codes = read(path)
    assert (header.n_records, codes) == ((19, [("truncated", 1.0)]) if extra < 0 else (20, [("trailing_records", 0.0)]))


def test_incident_edf_jl_65_truncation_can_be_found_out(tmp_path, channels):
    """Lost seconds are a number in the findings, not only a shorter signal."""
    path = tmp_path / "a.edf"
    path.write_bytes(EdfFile(channels).content()[: -7 * 19 * 512 - 11])
    header, codes = read(path)
    assert (header.n_records, codes) == (12, [("truncated", 8.0)])
    assert refused(path, signals={"strict": True}).code == "truncated"


def test_incident_pyedflib_17_a_file_larger_than_its_header_says(tmp_path, channels):
    """chb17b_69: refused by a reader. Here the stated records are read and the rest is told."""
    path = EdfFile(channels, fields={"records": "15"}).write(tmp_path / "a.edf")
    recording, codes = opened(path)
    assert codes == ["trailing_records"]
    assert recording.segments[0].n_samples == 15 * 200


def gapped(channels, notes=(), reserved="EDF+D"):
    """20 records, ten from second 0 on and ten from second 600 on."""
    lists = [f"+{i if i < 10 else i + 590}\x14\x14\0" for i in range(20)]
    for record, text in notes:
        lists[record] += text
    return EdfFile([*channels, annotation_channel(lists)], reserved=reserved)


def test_incident_mne_13429_and_edf_jl_77_gaps_are_not_closed_up(tmp_path, channels):
    """An annotation at 605 s belongs to the sixth second after the gap, and no time is invented between the pieces."""
    path = gapped(channels, [(15, "+605\x152\x14sz\x14\0")]).write(tmp_path / "p_a.edf")
    recording, codes = opened(path)
    assert codes == ["discontinuous"]
    assert [(s.start_s, s.n_samples) for s in recording.segments] == [(0.0, 2000), (600.0, 2000)]
    assert notes_of(path) == [(605.0, 2.0, "sz")]
    files = RecordingFiles(recording="p_a", patient="p", session="", montage="", edf="p_a.edf")
    (event,) = folder.read_events(tmp_path, files, 610.0, Findings())
    assert (event.onset_s, event.offset_s) == (605.0, 607.0)


def test_incident_pyedflib_63_discontinuous_files_are_read_piece_by_piece(tmp_path, channels):
    """Each piece equals the same records as a file of their own."""
    recording, _ = opened(gapped(channels).write(tmp_path / "a.edf"))
    for piece, part in enumerate((slice(0, 10), slice(10, 20))):
        alone = [Channel(channel.label, channel.samples[part]) for channel in channels]
        expected, _ = opened(EdfFile(alone).write(tmp_path / f"{piece}.edf"))
        np.testing.assert_array_equal(samples(recording, piece), samples(expected))


def test_incident_pyedflib_19_a_discontinuous_file_of_events_alone(tmp_path):
    lists = ["+0\x14\x14\0", "+0\x14\x14\0+34.5\x1510\x14Hypopnea\x14\0"]
    path = EdfFile([annotation_channel(lists)], record_s="0", reserved="EDF+D").write(tmp_path / "EVE.edf")
    assert notes_of(path) == [(34.5, 10.0, "Hypopnea")]


def test_incident_mne_3790_several_annotation_signals_of_one_name(tmp_path, channels):
    """Four signals `EDF Annotations`: all of them are read, none is a duplicate of another."""
    first = [f"+{i}\x14\x14\0" for i in range(20)]
    others = [[f"+{i}.{k}\x14note {i}-{k}\x14\0" for i in range(20)] for k in (1, 2, 3)]
    made = [annotation_channel(lists) for lists in (first, *others)]
    path = EdfFile([*channels[:7], *made, *channels[7:]], reserved="EDF+C").write(tmp_path / "a.edf")
    assert opened(path)[1] == []
    found = notes_of(path)
    assert len(found) == 60
    assert found[:3] == [(0.1, None, "note 0-1"), (0.2, None, "note 0-2"), (0.3, None, "note 0-3")]


def test_incident_mne_3890_T31_chb_mit_has_one_derivation_twice(tmp_path):
    made = scalp_channels(np.random.default_rng(0), labels=BIPOLAR)
    made[-1].samples = made[BIPOLAR.index("T8-P8")].samples
    recording, codes = opened(EdfFile(made).write(tmp_path / "chb04_07.edf"), channels={"montage": "bipolar"})
    assert codes == ["duplicate_label"]
    assert len(recording.electrodes) == len(set(recording.electrodes)) == 18


def test_incident_mne_4305_every_channel_has_the_same_name(tmp_path):
    """22 channels called `EEG`: no electrode is guessed from their order."""
    made = scalp_channels(np.random.default_rng(0), labels=["EEG"] * 22)
    assert refused(EdfFile(made).write(tmp_path / "a.edf")).code == "not_eeg"


def test_incident_mne_12518_choosing_among_duplicates_does_not_shift_others(tmp_path, channels):
    """A duplicate in front, in the middle or at the end leaves every electrode's samples its own."""
    expected = samples(opened(EdfFile(channels).write(tmp_path / "a.edf"))[0])
    for place in (0, 9, 19):
        copy = Channel("EEG O2-REF", channels[ELECTRODES.index("O2")].samples)
        path = EdfFile([*channels[:place], copy, *channels[place:]]).write(tmp_path / f"{place}.edf")
        recording, codes = opened(path)
        assert codes == ["duplicate_label"]
        np.testing.assert_array_equal(samples(recording), expected)


def test_incident_mne_5820_depth_contacts_are_no_scalp_electrodes(tmp_path, channels):
    """Contacts F'3, C13, O12, EEG F11-REF beside the scalp: none is taken for F3, C3, O1; alone they are no scalp EEG.

    A contact that is called exactly like a scalp electrode cannot be told from it, and is refused as its duplicate.
    """
    rng = np.random.default_rng(1)
    depth = scalp_channels(rng, labels=["F'3", "C13", "O12", "EEG F11-REF", "EEG C33-REF", "POL FZ1", "LA3"])
    expected = samples(opened(EdfFile(channels).write(tmp_path / "a.edf"))[0])
    recording, codes = opened(EdfFile([*depth, *channels]).write(tmp_path / "b.edf"))
    assert codes == []
    np.testing.assert_array_equal(samples(recording), expected)
    assert refused(EdfFile(depth).write(tmp_path / "c.edf")).code == "not_eeg"
    same = scalp_channels(rng, labels=["C3"])
    assert refused(EdfFile([*channels, *same]).write(tmp_path / "d.edf")).code == "duplicate_label"


def test_incident_mne_10053_prefixes_that_are_stripped_make_duplicates(tmp_path, channels):
    """`EEG C3`, `ECG C3`: only the first is an electrode; `Sum Rate`, `Pulse Rate` do not become one `Rate`."""
    extra = scalp_channels(np.random.default_rng(1), labels=["ECG C3", "EMG C3", "Sum Rate", "Pulse Rate", "Leg (Imp)"])
    recording, codes = opened(EdfFile([*extra, *channels]).write(tmp_path / "a.edf"))
    assert codes == []
    np.testing.assert_array_equal(samples(recording), samples(opened(EdfFile(channels).write(tmp_path / "b.edf"))[0]))


def with_notes(channels, text):
    lists = [f"+{i}\x14\x14\0" for i in range(20)]
    lists[3] += text
    return EdfFile([*channels, annotation_channel(lists, 200)], reserved="EDF+C")


def events_of(tmp_path, file):
    """Events (onset, offset) of an EDF+ with its own annotations, and the findings' codes."""
    file.write(tmp_path / "p_a.edf")
    files = RecordingFiles(recording="p_a", patient="p", session="", montage="", edf="p_a.edf")
    findings = Findings()
    events = folder.read_events(tmp_path, files, 20.0, findings)
    return [(e.onset_s, e.offset_s) for e in events], [finding.code for finding in findings]


def test_incident_mne_6389_an_annotation_before_the_recording(tmp_path, channels):
    """The file stays readable, the event is clipped, and both are told."""
    file = with_notes(channels, "-0.5\x154\x14sz\x14\0+10\x155\x14sz\x14\0")
    assert events_of(tmp_path, file) == ([(0.0, 3.5), (10.0, 15.0)], ["annotation_clipped"])
    assert opened(tmp_path / "p_a.edf")[1] == []


@pytest.mark.parametrize(
    ("text", "events", "codes"),
    [
        ("+19\x151.9\x14sz\x14\0+2\x1515\x14sz\x14\0", [(2.0, 17.0), (19.0, 20.0)], ["annotation_clipped"]),
        ("+20\x150.5\x14sz\x14\0+2\x1515\x14sz\x14\0", [(2.0, 17.0)], ["annotation_outside"]),
    ],
)
def test_incident_mne_5019_and_7092_annotations_outside_the_data_are_told(tmp_path, channels, text, events, codes):
    """Neither an error nor silence: what lies outside is clipped or dropped with a finding that gives the seconds."""
    assert events_of(tmp_path, with_notes(channels, text)) == (events, codes)


def test_incident_mne_13201_and_12911_what_is_written_keeps_its_values(tmp_path):
    """Our writer against two readers: within half a digit of what was handed over, and no channel rescales another."""
    rng = np.random.default_rng(0)
    rows = [rng.normal(0, sd, 256 * 8) for sd in (5.0, 50.0, 700.0)]
    made = [Written(f"EEG C{i}-REF", row.astype(np.float32), 256) for i, row in enumerate(rows)]
    fields = FileFields("X X X X", "Startdate X X X X", "00.00.00", Scale(("-3276.7", "3276.7"), (-32767, 32767)))
    write_edf(tmp_path / "a.edf", made, fields)
    header = read_header(tmp_path / "a.edf", Findings())
    with pyedflib.EdfReader(str(tmp_path / "a.edf")) as reader:
        for i, row in enumerate(rows):
            np.testing.assert_allclose(physical(header, i), row, atol=0.0501)
            np.testing.assert_allclose(reader.readSignal(i), row, atol=0.0501)


def test_incident_fieldtrip_684_one_inverted_range_alters_one_channel(tmp_path, channels):
    expected = samples(opened(EdfFile(channels).write(tmp_path / "a.edf"))[0])
    channels[5].pmin, channels[5].pmax = channels[5].pmax, channels[5].pmin
    recording, codes = opened(EdfFile(channels).write(tmp_path / "b.edf"))
    assert codes == ["inverted_polarity"]
    expected[5] *= -1
    np.testing.assert_allclose(samples(recording), expected, atol=1e-3)


@pytest.mark.parametrize("block_s", [1.0, 2.5, 7.0, 60.0])
def test_incident_mne_10635_blocks_leave_no_edges_where_rates_differ(tmp_path, channels, block_s):
    """Channels at 256, 250 and 400 Hz: the samples do not depend on how many are resampled at a time."""
    rng = np.random.default_rng(2)
    for i, rate in ((2, 250), (7, 400)):
        channels[i].samples = eeg(rng, records=20, per_record=rate)
    path = EdfFile(channels).write(tmp_path / "a.edf")
    whole = samples(opened(path, signals={"block_s": 600.0})[0])
    np.testing.assert_array_equal(samples(opened(path, signals={"block_s": block_s})[0]), whole)


def test_incident_pyedflib_34_and_187_more_annotations_than_seconds(tmp_path, channels):
    """350 in 20 s, as edfio writes them: every one comes out, in order, to the digit."""
    signals = [edfio.EdfSignal(c.samples.reshape(-1) * 0.1, 256, label=c.label) for c in channels[:3]]
    expected = [(float(Fraction(k, 20)), 0.25, f"marker {k}") for k in range(350)]
    notes = [edfio.EdfAnnotation(*note) for note in expected]
    edfio.Edf(signals, annotations=notes).write(tmp_path / "a.edf")
    assert notes_of(tmp_path / "a.edf") == expected


def test_incident_pyedflib_215_long_annotations_are_not_cut(tmp_path, channels):
    """Beyond 40 characters, with letters of two and three bytes across the place of the cut."""
    long = "a seizure that begins in the left hand, später 右手, " * 3
    assert notes_of(with_notes(channels, f"+2\x151\x14{long}\x14\0").write(tmp_path / "a.edf")) == [
        (2.0, 1.0, long.strip())
    ]
