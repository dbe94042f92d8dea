"""Our samples against pyedflib, mne and edfio, on every kind of valid file of the tests: equal to float32 rounding.

mne brings all channels of a call to one rate, so it is asked for the channels of one rate at a time. Where a reader
refuses a valid file, `LEFT_OUT` says which and why (spec faults.md, section 3); nothing here asserts what others do.
"""

import datetime
import warnings
from collections import defaultdict
from pathlib import Path

import edfio
import mne
import numpy as np
import pyedflib
import pytest
import yaml

from pipeline.corpora.simulated_scalp import patients, write_patient
from pipeline.findings import Findings
from pipeline.settings.simulation import SimulationSettings
from pipeline.signals.edf_annotations import annotations
from pipeline.signals.edf_header import read_header
from pipeline.signals.edf_samples import decode, scale_of, unit_factor
from tests.signals.edf_builder import Channel, EdfFile, annotation_channel, eeg, scalp_channels

REPOSITORY = Path(__file__).resolve().parents[2]
REAL = REPOSITORY.parent / "shared" / "real-eeg"
READERS = ("pyedflib", "mne", "edfio")
RANGES = [(-3276.7, 3276.7), (-4999.85, 4999.85), (-5482.28, 5482.28), (-800, 800), (-200.0, 3000.0)]  # T28


def rng():
    return np.random.default_rng(11)


def stamps(n, size=30):
    return annotation_channel([f"+{i}\x14\x14\0+{i}.25\x150.5\x14note {i}\x14\0" for i in range(n)], size)


def with_ranges():
    made = []
    for i, (low, high) in enumerate(RANGES):
        channel = Channel(f"EEG C{i}-REF", rng().integers(-32768, 32767, (5, 128)), pmin=str(low), pmax=str(high))
        channel.dmin, channel.dmax = ("-2048", "2047") if i == 3 else ("-32768", "32767")
        channel.samples = np.clip(channel.samples, int(channel.dmin), int(channel.dmax))
        made.append(channel)
    return made


def at_rates(*rates, records=6):
    return [Channel(f"EEG C{i}-REF", eeg(rng(), records=records, per_record=rate)) for i, rate in enumerate(rates)]


def in_units(*units):
    return [Channel(f"EEG C{i}-REF", eeg(rng(), records=4, per_record=64), unit=unit) for i, unit in enumerate(units)]


KINDS = {
    "scalp": lambda: EdfFile(scalp_channels(rng())),
    "ranges": lambda: EdfFile(with_ranges()),
    "corners": lambda: EdfFile([Channel("C3", np.array([[-32767, -1, 0, 1, 32766, 32767]]))]),
    "both ranges inverted": lambda: EdfFile(
        [Channel("C3", eeg(rng(), records=3, per_record=64), pmin="500", pmax="-500", dmin="32767", dmax="-32767")]
    ),
    "rates": lambda: EdfFile(at_rates(256, 512, 128, 1, 250, 400)),
    "half-second records": lambda: EdfFile(at_rates(128, 100, records=9), record_s="0.5"),
    "long records": lambda: EdfFile(at_rates(2560, 10), record_s="10"),
    "fractional rate": lambda: EdfFile(at_rates(1000, records=4), record_s="2.501"),
    "one record": lambda: EdfFile(at_rates(70_000, records=1), record_s="100"),
    "units": lambda: EdfFile(in_units("uV", "mV", "V", "nV")),
    "duplicate labels": lambda: EdfFile([*at_rates(64), *at_rates(64)]),
    "EDF+C": lambda: EdfFile([*scalp_channels(rng()), stamps(20)], reserved="EDF+C"),
    "EDF+C, annotations first": lambda: EdfFile([stamps(6), *at_rates(256, 128)], reserved="EDF+C"),
    "EDF+C, three annotation signals": lambda: EdfFile(
        [*at_rates(256), stamps(6), *scalp_channels(rng(), records=6, per_record=128), stamps(6, 40), stamps(6)],
        reserved="EDF+C",
    ),
    "EDF+D without gaps": lambda: EdfFile([*scalp_channels(rng()), stamps(20)], reserved="EDF+D"),
    "label of another script": lambda: EdfFile([Channel("EEG C3 \xe9\xdf", eeg(rng(), records=3, per_record=64))]),
}
LEFT_OUT = {  # what a reader refuses or does otherwise, as measured
    ("pyedflib", "EDF+D without gaps"): "refuses EDF+D",
    ("pyedflib", "label of another script"): "refuses labels that are not ASCII",
    ("mne", "duplicate labels"): "renames them, so that they cannot be asked for by name",
    ("mne", "units"): "knows no nV",
}


def ours(path):
    """Header, and µV (s,) of every channel with a scale, by its number in the file."""
    header = read_header(path, Findings())
    found = {}
    for signal in header.signals:
        scale = None if signal.is_annotation else scale_of(signal, path.name, Findings())
        if scale is not None and signal.samples_per_record > 0:
            found[signal.index] = decode(header, [signal], [scale], 0, header.n_records)[0]
    return header, found


def by_pyedflib(path, header):
    with pyedflib.EdfReader(str(path)) as reader:
        data = [signal for signal in header.signals if not signal.is_annotation]
        return {signal.index: reader.readSignal(i) * (unit_factor(signal.unit) or 1) for i, signal in enumerate(data)}


def by_edfio(path, header):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = edfio.read_edf(path)
        data = [signal for signal in header.signals if not signal.is_annotation]
        factors = [unit_factor(signal.unit) or 1 for signal in data]
        return {s.index: theirs.data * k for s, theirs, k in zip(data, read.signals, factors, strict=True)}


def by_mne(path, header):
    with open(path, "rb") as file:  # the labels as they stand; ours leave out what is no word of the field
        file.seek(256)
        labels = [file.read(16).decode("latin1").strip() for _ in header.signals]
    groups = defaultdict(list)
    for signal in header.signals:
        if not signal.is_annotation and signal.samples_per_record:
            groups[signal.samples_per_record].append(signal)
    found = {}
    for signals in groups.values():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            raw = mne.io.read_raw_edf(path, include=[labels[signal.index] for signal in signals], stim_channel=None,
                                      preload=True, encoding="latin1", verbose="error")  # fmt: skip
        for signal in signals:
            if labels[signal.index] in raw.ch_names:
                found[signal.index] = raw.get_data(picks=[raw.ch_names.index(labels[signal.index])])[0] * 1e6
    return found


THEIRS = {"pyedflib": by_pyedflib, "mne": by_mne, "edfio": by_edfio}


def tolerance_uv(signal):
    """A float32 holds the physical range to one part in 2**23; three roundings here, one more in a reader's volts."""
    reach = max(abs(signal.physical_min or 0.0), abs(signal.physical_max or 0.0)) * (unit_factor(signal.unit) or 1.0)
    return 4 * reach * 2**-23


def assert_equal(path, reader, *, least=1):
    """Every channel that both read is equal; returns how many they are, at least `least`."""
    header, found = ours(path)
    theirs = THEIRS[reader](path, header)
    both = sorted(set(found) & set(theirs))
    assert len(both) >= least
    for index in both:
        signal = header.signals[index]
        np.testing.assert_allclose(
            found[index], theirs[index], rtol=0, atol=tolerance_uv(signal), err_msg=f"{path.name} {signal.label}"
        )
    return len(both)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", KINDS)
def test_T24_T28_every_kind_of_fixture(tmp_path, kind, reader):
    if reason := LEFT_OUT.get((reader, kind)):
        pytest.skip(f"{reader} {reason}")
    file = KINDS[kind]()
    path = file.write(tmp_path / "a.edf")
    assert_equal(path, reader, least=sum(not channel.label.startswith("EDF") for channel in file.channels))


@pytest.mark.parametrize("layout", ["tusz_v1", "tusz_v2", "bids", "chbmit", "siena"])
def test_simulated_files_of_every_format(tmp_path, layout):
    """All channels of one patient's recordings, dummies and slow channels included, by all three readers."""
    values = yaml.safe_load((REPOSITORY / "config.yaml").read_text())["corpora"]["synthetic"]["simulate"]
    small = {"cohort": {"CF": {"train": 1}}, "minutes": 0.5, "recordings_per_patient": 1, "format": layout}
    traps = {**values["traps"], "one_hz_channel": 1.0}
    settings = SimulationSettings.model_validate({**values, **small, "traps": traps})
    write_patient(tmp_path / "c", tmp_path / "t", settings, patients(settings)[0])
    paths = sorted((tmp_path / "c").rglob("*.edf"))
    assert len(paths) == 1
    for path in paths:
        for reader in READERS:
            assert_equal(path, reader, least=17)


@pytest.mark.skipif(not REAL.is_dir(), reason="the folder real-eeg is not beside the repository")
@pytest.mark.parametrize("reader", READERS)
def test_real_files(reader):
    paths = sorted(REAL.rglob("*.edf"))
    assert len(paths) == 33
    for path in paths:
        assert_equal(path, reader)


@pytest.mark.parametrize("rates", [(256, 256, 256), (250, 400, 512, 1, 256), (200,), (1000, 1000)])
def test_T24_T28_files_of_pyedflib(tmp_path, rates):
    """Written by another hand: each channel at its own rate and on its own scale."""
    path = tmp_path / "made.edf"
    with pyedflib.EdfWriter(str(path), len(rates), file_type=pyedflib.FILETYPE_EDF) as writer:
        for i, rate in enumerate(rates):
            low, high = RANGES[i % len(RANGES)]
            head = {
                "label": f"EEG C{i}-REF", "dimension": "uV", "sample_frequency": rate, "physical_min": low,
                "physical_max": high, "digital_min": -32768, "digital_max": 32767, "transducer": "", "prefilter": "",
            }  # fmt: skip
            writer.setSignalHeader(i, head)
        writer.writeSamples([rng().uniform(*RANGES[i % len(RANGES)], size=r * 12) for i, r in enumerate(rates)])
    for reader in READERS:
        assert assert_equal(path, reader) == len(rates)


def test_files_of_mne(tmp_path):
    data = rng().normal(0, 50e-6, (4, 256 * 10))
    raw = mne.io.RawArray(data, mne.create_info(4, 256.0, "eeg", verbose="error"), verbose="error")
    mne.export.export_raw(tmp_path / "mne.edf", raw, verbose="error")
    for reader in READERS:
        assert assert_equal(tmp_path / "mne.edf", reader) == 4


def test_files_of_edfio_with_annotations(tmp_path):
    """A start at a fraction of a second and several rates; annotations to the digit."""
    signals = [edfio.EdfSignal(rng().normal(0, 40, r * 8), r, label=f"C{r}", physical_dimension="uV")
               for r in (100, 256, 500)]  # fmt: skip
    notes = [edfio.EdfAnnotation(2.5, 3.25, "sz_foc"), edfio.EdfAnnotation(0, None, "déjà vu")]
    path = tmp_path / "edfio.edf"
    edfio.Edf(signals, annotations=notes, starttime=datetime.time(1, 2, 3, 500_000)).write(path)
    for reader in READERS:
        assert assert_equal(path, reader) == 3
    found = [(note.onset_s, note.duration_s, note.text) for note in annotations(read_header(path, Findings()))]
    assert found == [(0, None, "déjà vu"), (2.5, 3.25, "sz_foc")]


@pytest.mark.parametrize("kind", ["EDF+C", "EDF+C, annotations first", "EDF+C, three annotation signals"])
def test_annotations_equal_those_of_the_readers(tmp_path, kind):
    """Onset, duration and text; mne leaves time-keeping entries out as we do."""
    path = KINDS[kind]().write(tmp_path / "a.edf")
    found = sorted((note.onset_s, note.duration_s, note.text) for note in annotations(read_header(path, Findings())))
    read = [note for note in edfio.read_edf(path).annotations if note.text]  # without time-keeping
    theirs = sorted((float(note.onset), float(note.duration), note.text) for note in read)
    assert found == theirs
    noted = mne.read_annotations(path)
    assert sorted(zip(noted.onset, noted.duration, noted.description, strict=True)) == found
