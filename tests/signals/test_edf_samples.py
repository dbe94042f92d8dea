"""Samples of any selection of channels, scales and units, pieces of an EDF+D."""

import numpy as np
import pytest

from pipeline.findings import Findings
from pipeline.signals.edf_annotations import annotations, stretches
from pipeline.signals.edf_header import read_header
from pipeline.signals.edf_samples import decode, digital, scale_of, unit_factor
from tests.signals.edf_builder import Channel, EdfFile, annotation_channel, eeg


def test_any_selection_in_any_order(tmp_path):
    """Channels decoded together, in any order, equal each decoded alone; so does any range of records."""
    rng = np.random.default_rng(0)
    channels = [Channel(f"C{i}", eeg(rng, records=210, per_record=8), pmax=str(1000 + i)) for i in range(6)]
    channels[2] = Channel("slow", eeg(rng, records=210, per_record=4))
    header = read_header(EdfFile(channels).write(tmp_path / "a.edf"), Findings())
    scales = [scale_of(signal, "a", Findings()) for signal in header.signals]
    for order in ([5, 0, 1], [3, 4], [0], [5, 4, 3, 1, 0]):
        together = decode(header, [header.signals[i] for i in order], [scales[i] for i in order], 7, 205)
        for row, i in zip(together, order, strict=True):
            slow = scales[i].gain * digital(header, header.signals[i], 0, 210).astype(float) + scales[i].offset
            np.testing.assert_allclose(row, slow[7 * 8 : 205 * 8], rtol=0, atol=1e-3)
    with pytest.raises(ValueError):
        decode(header, header.signals[1:3], scales[1:3], 0, 10)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("uV", 1), ("UV", 1), ("mV", 1e3), ("V", 1e6), ("nV", 1e-3), ("\xb5V", 1), ("", None), ("%", None), ("bpm", None)],
)
def test_units(tmp_path, unit, factor):
    assert unit_factor(unit) == factor
    channel = Channel("C3", np.full((2, 4), 100), unit=unit)
    header = read_header(EdfFile([channel]).write(tmp_path / "unit.edf"), Findings())
    findings = Findings()
    scale = scale_of(header.signals[0], "unit.edf", findings)
    if factor is None:
        assert scale is None
        assert [finding.code for finding in findings] == ["unit_unknown"]
    else:
        np.testing.assert_allclose(decode(header, header.signals, [scale], 0, 2), 10.0 * factor, rtol=1e-5)
        assert [finding.code for finding in findings] == ([] if factor == 1 else ["unit_converted"])


@pytest.mark.parametrize(
    "fields",
    [
        {"dmin": "5", "dmax": "5"}, {"pmin": "1", "pmax": "1"}, {"pmax": "nan"}, {"pmin": "inf"}, {"dmax": ""},
    ],
)  # fmt: skip
def test_no_scale_no_samples(tmp_path, fields):
    channel = Channel("C3", np.ones((2, 4)), **fields)
    header = read_header(EdfFile([channel]).write(tmp_path / "scale.edf"), Findings())
    findings = Findings()
    assert scale_of(header.signals[0], "scale.edf", findings) is None
    assert [finding.code for finding in findings] == ["scale_invalid"]


def test_inverted_range_is_applied_as_written(tmp_path):
    channel = Channel("C3", np.array([[-32767, 0, 32767]]), pmin="3276.7", pmax="-3276.7")
    header = read_header(EdfFile([channel]).write(tmp_path / "inverted.edf"), Findings())
    findings = Findings()
    scale = scale_of(header.signals[0], "inverted.edf", findings)
    np.testing.assert_allclose(decode(header, header.signals, [scale], 0, 1)[0], [3276.7, 0, -3276.7], atol=1e-3)
    assert [finding.code for finding in findings] == ["inverted_polarity"]


def discontinuous(onsets):
    rng = np.random.default_rng(1)
    lists = [f"+{onset}\x14\x14\0" for onset in onsets]
    lists[1] += f"+{onsets[1]}\x150.5\x14seizure\x14\0"
    channels = [Channel("C3", eeg(rng, records=len(onsets), per_record=64)), annotation_channel(lists)]
    return EdfFile(channels, reserved="EDF+D")


def test_gaps_cut_a_recording_into_segments(tmp_path):
    header = read_header(discontinuous(["10.5", "11.5", "12.5", "3600", "3601"]).write(tmp_path / "d.edf"), Findings())
    findings = Findings()
    pieces = stretches(header, findings)
    assert [(piece.first, piece.stop, piece.start_s) for piece in pieces] == [(0, 3, 0.0), (3, 5, 3589.5)]
    (finding,) = findings
    assert (finding.code, finding.seconds_affected) == ("discontinuous", 3600 - 13.5)
    assert [(note.onset_s, note.text) for note in annotations(header)] == [(1.0, "seizure")]


def test_a_discontinuous_file_without_gaps_is_whole(tmp_path):
    header = read_header(discontinuous(["0", "1", "2"]).write(tmp_path / "d.edf"), Findings())
    findings = Findings()
    assert len(stretches(header, findings)) == 1
    assert len(findings) == 0


def test_annotations_alone(tmp_path):
    """An EDF+ of annotations only has records of 0 s; its header is accepted."""
    file = EdfFile([annotation_channel(["+0\x14\x14\0+3\x152\x14sz\x14\0"])], record_s="0", reserved="EDF+C")
    header = read_header(file.write(tmp_path / "notes.edf"), Findings())
    assert [(note.onset_s, note.duration_s, note.text) for note in annotations(header)] == [(3.0, 2.0, "sz")]
