"""Fuzz targets that read a corpus: EDFs, annotation files, manifests. What is accepted must also make sense."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from pipeline.corpora._event_rules import SEIZURE_CODES
from pipeline.corpora.records import Event, RecordingFiles
from pipeline.corpora.scalp.annotations import annotation_text
from pipeline.corpora.scalp.chbmit_files import wfdb_annotations
from pipeline.corpora.shards import manifest_rows, read_manifest, recordings_of, write_manifest
from pipeline.findings import Findings
from pipeline.plugins import load_plugin
from pipeline.settings.signals import ChannelSettings, SignalCompat, SignalSettings
from pipeline.signals.edf_annotations import annotations, stretches
from pipeline.signals.edf_header import FIXED_BYTES, read_header
from pipeline.signals.montages import TCP
from pipeline.signals.recording import open_recording
from tests.fuzz.fuzz_mutations import mutate_bytes, mutate_text
from tests.signals.edf_builder import ELECTRODES, Channel, EdfFile, annotation_channel, eeg, scalp_channels

TUSZ_KINDS = ("tse", "tse_bi", "lbl", "lbl_bi", "csv", "csv_bi")
DURATION_S = 61.0
WIDTHS = (8, 80, 80, 8, 8, 8, 44, 8, 8, 4)  # of the fields in the first 256 bytes
SIGNAL_WIDTHS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
CHBMIT = [
    "FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FP2-F4", "F4-C4", "C4-P4", "P4-O2",
    "FP2-F8", "F8-T8", "T8-P8", "P8-O2", "FZ-CZ", "CZ-PZ", "P7-T7", "T7-FT9", "FT9-FT10", "FT10-T8",
]  # fmt: skip
EVENTS = [
    Event(onset_s=12.5, offset_s=40.25, code="fnsz", channel="F7-T3"),
    Event(onset_s=14.0, offset_s=33.5, code="fnsz", channel="T3-T5"),
    Event(onset_s=45.0, offset_s=50.0, code="gnsz", channel="FP1-F7"),
]


def recording_settings() -> dict[str, Any]:
    """Settings of config.yaml, but for interpolation: more of what is broken then gets through to the samples."""
    values = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())
    compat = {name: values["compat"][name] for name in SignalCompat.model_fields}
    return {
        "channels": ChannelSettings.model_validate(values["channels"] | {"missing": "interpolate"}),
        "signals": SignalSettings.model_validate(values["signals"]),
        "compat": SignalCompat.model_validate(compat),
    }


def check_events(events: list[Event] | None) -> None:
    """Events inside the recording, with a code of the list, in finite numbers."""
    for event in events or []:
        assert 0.0 <= event.onset_s < event.offset_s <= DURATION_S, event
        assert event.code in SEIZURE_CODES, event
        assert math.isfinite(event.confidence), event
        assert event.channel, event


def outcome(findings: Findings) -> str:
    """How an accepted file was used."""
    return "used with findings" if len(findings) else "used"


@dataclass
class EdfKind:
    """EDF bytes through header, stretches, annotations, channels, quality and the first block of samples."""

    folder: Path
    name: str = "edf"
    montage: Literal["referential", "bipolar"] = "referential"
    megabytes: int = 64

    def __post_init__(self) -> None:
        self.path, self.settings = self.folder / "fuzzed.edf", recording_settings()
        if self.montage == "bipolar":
            bipolar = {"montage": "bipolar", "missing": "skip"}
            self.settings["channels"] = self.settings["channels"].model_copy(update=bipolar)
        self.bases = [(data, list(_fields(data))) for data in _edfs()]

    def mutated(self, dice: random.Random) -> bytes:
        """A broken EDF."""
        data, fields = dice.choice(self.bases)
        return mutate_bytes(data, dice, fields=fields, others=[other for other, _ in self.bases])

    def consume(self, data: bytes) -> str:
        """Read it as `index` and `ingest` do."""
        self.path.write_bytes(data)
        findings = Findings()
        header = read_header(self.path, findings)
        pieces = stretches(header, findings)
        assert all(0 <= piece.first < piece.stop <= header.n_records for piece in pieces)
        assert all(math.isfinite(piece.start_s) for piece in pieces), pieces
        for annotation in annotations(header):
            assert math.isfinite(annotation.onset_s), annotation
            assert annotation.duration_s is None or math.isfinite(annotation.duration_s), annotation
        recording = open_recording(self.path, **self.settings, findings=findings)
        for segment in recording.segments:
            first, block = next(recording.blocks(segment))
            assert (first, block.dtype) == (0, np.dtype("float32"))
            assert block.shape == (len(self.settings["channels"].nodes), recording.block_samples(segment))
            assert np.isfinite(block).all(), "samples that are not finite"
        return outcome(findings)


def _edfs() -> Iterator[bytes]:
    rng = np.random.default_rng(7)
    plain = scalp_channels(rng, records=4, per_record=128)
    yield EdfFile(plain).content()
    yield EdfFile([replace(channel, unit="mV", pmin="-3.2767", pmax="3.2767") for channel in plain]).content()
    stamps = [f"+{k}\x14\x14\0+{k}.5\x152\x14sz_foc\x14\0" for k in range(4)]
    yield EdfFile([*plain, annotation_channel(stamps)], reserved="EDF+C").content()
    gaps = [f"+{2 * k}\x14\x14\0" for k in range(4)]
    yield EdfFile([*plain, annotation_channel(gaps)], reserved="EDF+D").content()
    slow = Channel("IBI", np.ones((4, 1), np.int16))
    others = [Channel("EEG FP1-REF", eeg(rng, records=4, per_record=100)), *plain[1:], slow]
    yield EdfFile(others, record_s="0.999").content()
    yield EdfFile(
        scalp_channels(rng, records=4, per_record=64, labels=[f"EEG {n.title()}" for n in ELECTRODES])
    ).content()
    yield EdfFile(scalp_channels(rng, records=4, per_record=64, labels=[*TCP, "T4-T6"])).content()
    yield EdfFile(scalp_channels(rng, records=4, per_record=64, labels=CHBMIT)).content()


def _fields(data: bytes) -> Iterator[tuple[int, int]]:
    """Offset and width of every header field; those that decide sizes three times."""
    offset = 0
    for width in WIDTHS:
        yield from [(offset, width)] * (3 if offset >= 184 else 1)
        offset += width
    n = int(data[252:256])
    for number, width in enumerate(SIGNAL_WIDTHS):
        for signal in range(n):
            weight = 2 if number in (3, 4, 5, 6, 8) else 1
            yield from [(offset + signal * width, width)] * weight
        offset += n * width
    assert offset == FIXED_BYTES * (n + 1)


@dataclass
class AnnotationKind:
    """Text of one annotation file through `read_events` of a reader."""

    folder: Path
    name: str
    reader: str
    path: str
    texts: tuple[str, ...]
    edf: str = "p_s001_t000.edf"
    also: tuple[tuple[str, str], ...] = ()  # further files that the reader wants, which stay as they are
    contents: tuple[bytes, ...] = ()  # instead of texts, where the file is binary
    megabytes: int = 64

    def __post_init__(self) -> None:
        for name, text in self.also:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
        (self.folder / self.path).parent.mkdir(parents=True, exist_ok=True)
        self.read_events = load_plugin("corpora", self.reader).read_events
        found = (self.path, *(name for name, _ in self.also))
        self.files = RecordingFiles(
            recording=Path(self.edf).stem, patient="p", session="s001", montage="01_tcp_ar", edf=self.edf,
            annotations=found,
        )  # fmt: skip

    def mutated(self, dice: random.Random) -> bytes:
        """A broken annotation file."""
        if self.contents:
            return mutate_bytes(dice.choice(self.contents), dice, others=self.contents)
        return mutate_text(dice.choice(self.texts), dice, others=self.texts)

    def consume(self, data: bytes) -> str:
        """Read it as `index` does."""
        (self.folder / self.path).write_bytes(data)
        findings = Findings()
        check_events(self.read_events(self.folder, self.files, DURATION_S, findings))
        return outcome(findings)


def tusz_kind(folder: Path, extension: str) -> AnnotationKind:
    """One of the six kinds of TUSZ annotation file."""
    texts = [
        annotation_text(extension, events, stem="p_s001_t000", duration_s=DURATION_S, derivations=TCP, reference="REF")
        for events in (EVENTS, EVENTS[:1], [])
    ]
    return AnnotationKind(folder, extension, "tusz", f"p_s001_t000.{extension}", tuple(texts))


SUMMARY = """Data Sampling Rate: 256 Hz
*************************

Channels in EDF Files:
**********************
Channel 1: FP1-F7
Channel 2: F7-T7

File Name: chb01_01.edf
File Start Time: 11:42:54
File End Time: 12:42:54
Number of Seizures in File: 0

File Name: chb01_03.edf
File Start Time: 13:43:04
File End Time: 14:43:04
Number of Seizures in File: 2
Seizure 1 Start Time: 12 seconds
Seizure 1 End Time: 20 seconds
Seizure 2 Start Time:             40 seconds
Seizure 2 End Time: 51 seconds
"""
SIENA_LIST = """PN00
Sampling rate: 512 Hz

Channels in EDF files:
Channel 1: Fp1
Channel 2: F3

Seizure n 1
File name: PN00-1.edf
Registration start time: 19.39.33
Registration end time:  19.40.34
Seizure start time: 19.39.45
Seizure end time: 19.40.10

Seizure n 2 (in sleep)
File name: PN00-1.edf
Registration start time: 19:39:33
Registration end time: 19:40:34
Seizure start time: 19:40:12
Seizure end time: 19:40:20
"""


def chbmit_kinds(folder: Path, name: str) -> AnnotationKind:
    """The summary of a case of CHB-MIT, or the binary annotations of one recording."""
    edf = "chb01/chb01_03.edf"
    if name == "chbmit_summary":
        return AnnotationKind(folder, name, "chbmit", "chb01/chb01-summary.txt", (SUMMARY,), edf=edf)
    contents = tuple(wfdb_annotations(events, 256) for events in (EVENTS[::2], EVENTS[:1]))
    return AnnotationKind(folder, name, "chbmit", f"{edf}.seizures", (), edf=edf, contents=contents)


def siena_kind(folder: Path) -> AnnotationKind:
    """The list of seizures of a patient of the Siena corpus."""
    return AnnotationKind(
        folder, "siena_list", "siena", "PN00/Seizures-list-PN00.txt", (SIENA_LIST,), edf="PN00/PN00-1.edf"
    )


def bids_kind(folder: Path) -> AnnotationKind:
    """`events.tsv` of a BIDS corpus."""
    head = "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration"
    texts = (
        f"{head}\n12.50\t27.75\tsz_foc_ia\t0.9\tF7,T3\t2020-01-01 00:00:00\t61.00\n"
        "45.00\t5.00\tsz_gen\tn/a\tn/a\tn/a\t61.00\n",
        f"{head}\n0.00\t61.00\tbckg\tn/a\tn/a\tn/a\t61.00\n",
    )
    stem = "sub-01/eeg/sub-01_task-szMonitoring_run-00"
    return AnnotationKind(folder, "bids_events", "bids", f"{stem}_events.tsv", texts, edf=f"{stem}_eeg.edf")


def events_tsv_kind(folder: Path) -> AnnotationKind:
    """`_events.tsv` through the reader of plain folders."""
    head = "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration"
    texts = (
        f"{head}\n12.50\t27.75\tsz_foc_ia\t0.9\tF7,T3\t2020-01-01 00:00:00\t61.00\n"
        "45.00\t5.00\tsz_gen\tn/a\tn/a\tn/a\t61.00\n",
        f"{head}\n0.00\t61.00\tbckg\tn/a\tn/a\tn/a\t61.00\n",
        "onset,duration,trial_type\n1.0,2.5,seizure\n30,10.25,sz_gen_nm\n",
        "# version = csv_v1.0.0\nchannel,start_time,stop_time,label,confidence\nTERM,12.5,40.25,seiz,1.0\n",
    )
    return AnnotationKind(folder, "events_tsv", "folder", "p_events.tsv", texts, edf="p.edf")


@dataclass
class ManifestKind:
    """A shard's manifest through `read_manifest` and `recordings_of`."""

    folder: Path
    name: str = "manifest"
    megabytes: int = 64

    def __post_init__(self) -> None:
        self.path = self.folder / "train-00.tsv"
        files = []
        for number in range(3):
            edf, csv = f"a/r{number}.edf", f"a/r{number}.csv"
            for name in (edf, csv):
                (self.folder / name).parent.mkdir(exist_ok=True)
                (self.folder / name).write_text("x")
            recording = RecordingFiles(
                recording=f"r{number}", patient="a", session="s", montage="", edf=edf, annotations=(csv,), split="train"
            )
            files.append(recording)
        write_manifest(self.path, manifest_rows(self.folder, files))
        self.text = self.path.read_text()

    def mutated(self, dice: random.Random) -> bytes:
        """A broken manifest."""
        return mutate_text(self.text, dice)

    def consume(self, data: bytes) -> str:
        """Read it as `index` does."""
        self.path.write_bytes(data)
        for files in recordings_of(read_manifest(self.path)):
            for path in (files.edf, *files.annotations):
                assert (self.folder / path).resolve().is_relative_to(self.folder.resolve()), path
        return "used"
