"""Samples against three public readers, and the faults of scale, unit and continuity (faults.md, rows 4, 6, 12)."""

import datetime
from pathlib import Path

import edfio
import mne
import numpy as np
import pyedflib
import pytest

from pipeline.findings import Findings
from pipeline.signals.edf_annotations import annotations, stretches
from pipeline.signals.edf_header import read_header
from pipeline.signals.edf_samples import decode, digital, scale_of, unit_factor
from tests.signals.edf_builder import Channel, EdfFile, annotation_channel, eeg

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "real-eeg"
RANGES = [(-3276.7, 3276.7), (-4999.85, 4999.85), (-5482.28, 5482.28), (-800, 800), (-200.0, 3000.0)]  # T28


def read_all(path):
    """Label and µV (s,) of every channel that has a scale."""
    header = read_header(path, Findings())
    read = {}
    for signal in header.signals:
        scale = None if signal.is_annotation else scale_of(signal, path.name, Findings())
        if scale is not None and signal.samples_per_record > 0:
            read[signal.index] = decode(header, [signal], [scale], 0, header.n_records)[0]
    return header, read


def tolerance(header, index):
    """A float32 holds the physical range to one part in 2**23; three roundings."""
    signal = header.signals[index]
    return 3 * max(abs(signal.physical_min), abs(signal.physical_max)) * 2**-23


def written_by_pyedflib(path, rates, seed):
    rng = np.random.default_rng(seed)
    with pyedflib.EdfWriter(str(path), len(rates), file_type=pyedflib.FILETYPE_EDF) as writer:
        for i, rate in enumerate(rates):
            low, high = RANGES[i % len(RANGES)]
            writer.setSignalHeader(
                i,
                {
                    "label": f"EEG C{i}-REF", "dimension": "uV", "sample_frequency": rate, "physical_min": low,
                    "physical_max": high, "digital_min": -32768, "digital_max": 32767, "transducer": "",
                    "prefilter": "",
                },
            )  # fmt: skip
        signals = [rng.uniform(*RANGES[i % len(RANGES)], size=rate * 12) for i, rate in enumerate(rates)]
        writer.writeSamples(signals)
    return path


@pytest.mark.parametrize("rates", [(256, 256, 256), (250, 400, 512, 1, 256), (200,), (1000, 1000)])
def test_T24_T28_equals_pyedflib_and_edfio(tmp_path, rates):
    """Each channel at its own rate and on its own scale."""
    path = written_by_pyedflib(tmp_path / "made.edf", rates, seed=len(rates))
    header, read = read_all(path)
    with pyedflib.EdfReader(str(path)) as reader:
        other = edfio.read_edf(path)
        for i, rate in enumerate(rates):
            assert header.rate_hz(header.signals[i]) == rate
            np.testing.assert_allclose(read[i], reader.readSignal(i), rtol=0, atol=tolerance(header, i))
            np.testing.assert_allclose(read[i], other.signals[i].data, rtol=0, atol=tolerance(header, i))


def test_equals_mne_on_files_of_mne(tmp_path):
    rng = np.random.default_rng(5)
    data = rng.normal(0, 50e-6, (4, 256 * 10))
    raw = mne.io.RawArray(data, mne.create_info(4, 256.0, "eeg", verbose="error"), verbose="error")
    mne.export.export_raw(tmp_path / "mne.edf", raw, verbose="error")
    theirs = mne.io.read_raw_edf(tmp_path / "mne.edf", preload=True, verbose="error").get_data() * 1e6
    header, read = read_all(tmp_path / "mne.edf")
    for i in range(4):
        np.testing.assert_allclose(read[i], theirs[i], rtol=0, atol=2 * tolerance(header, i))


def test_equals_edfio_on_files_of_edfio(tmp_path):
    rng = np.random.default_rng(6)
    signals = [edfio.EdfSignal(rng.normal(0, 40, rate * 8), rate, label=f"C{rate}") for rate in (100, 256, 500)]
    notes = [edfio.EdfAnnotation(2.5, 3.25, "sz_foc"), edfio.EdfAnnotation(0, None, "déjà vu")]
    edfio.Edf(signals, annotations=notes, starttime=datetime.time(1, 2, 3, 500_000)).write(tmp_path / "edfio.edf")
    header, read = read_all(tmp_path / "edfio.edf")
    with pyedflib.EdfReader(str(tmp_path / "edfio.edf")) as reader:
        for i in read:
            theirs = reader.readSignal(i if i < reader.signals_in_file else i - 1)
            np.testing.assert_allclose(read[i], theirs, rtol=0, atol=1e-3)
    found = annotations(header)
    assert [(note.onset_s, note.duration_s, note.text) for note in found] == [
        (0, None, "déjà vu"),
        (2.5, 3.25, "sz_foc"),
    ]


@pytest.mark.skipif(not REAL.is_dir(), reason="the folder real-eeg is not beside the repository")
def test_equals_pyedflib_on_the_33_real_files():
    paths = sorted(REAL.rglob("*.edf"))
    assert len(paths) == 33
    for path in paths:
        header, read = read_all(path)
        with pyedflib.EdfReader(str(path)) as reader:
            signals = [signal for signal in header.signals if not signal.is_annotation]
            for i, signal in enumerate(signals):
                if signal.index in read:
                    theirs = reader.readSignal(i)
                    np.testing.assert_allclose(
                        read[signal.index], theirs, rtol=0, atol=tolerance(header, signal.index), err_msg=path.name
                    )


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
