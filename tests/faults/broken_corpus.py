"""Sixty recordings as a TUSZ v2 tree: twenty sound ones, unlike each other in what must not matter, and forty that are
each broken in another way. `python -m tests.faults.broken_corpus FOLDER` writes them; `make broken-corpus` also runs
the target `qc` on them. All samples are noise with the spectrum of EEG.

`SOUND` and `BROKEN` say of each what it is, which row of faults.md or trap of formats.md it stands for, and what must
become of it: the outcome and the exact set of finding codes.
"""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.report.outcomes import NOTED, REJECTED, SKIPPED, USED
from tests.signals.edf_builder import ELECTRODES, Channel, EdfFile, annotation_channel, eeg

SECONDS = 30
SEIZURE = ["F7-T3,8.0000,17.0000,cpsz,1.0000", "T3-T5,9.5000,16.0000,cpsz,1.0000"]
HEAD = [
    "# version = csv_v1.0.0",
    f"# duration = {SECONDS}.00 secs",
    "#",
    "channel,start_time,stop_time,label,confidence",
]
BIPOLAR = ["FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP2-F8", "F8-T8", "T8-P8", "P8-O2"]


@dataclass
class Draft:
    """A recording before it is written; a case changes it."""

    patient: str
    split: str
    rng: np.random.Generator
    edf: EdfFile
    rows: list[str] = field(default_factory=lambda: list(SEIZURE))
    rows_bi: list[str] | None = None
    head: list[str] = field(default_factory=lambda: list(HEAD))
    montage: str = "01_tcp_ar"
    mend: Callable[[bytes], bytes] = lambda content: content
    linked: bool = False  # the EDF is a link that leads nowhere

    def channel(self, electrode: str) -> Channel:
        """The channel of an electrode."""
        return self.edf.channels[ELECTRODES.index(electrode)]

    def channels(self, *, rate: int = 256, records: int = SECONDS, label: str = "EEG {}-REF") -> list[Channel]:
        """The 19 electrodes anew."""
        samples = [eeg(self.rng, records=records, per_record=rate) for _ in ELECTRODES]
        return [Channel(label.format(name), row) for name, row in zip(ELECTRODES, samples, strict=True)]

    def add(self, label: str, *, rate: int = 256, records: int = SECONDS) -> None:
        """One more channel."""
        self.edf.channels.append(Channel(label, eeg(self.rng, records=records, per_record=rate)))

    def each(self, **fields: str) -> None:
        """The same header fields for every channel."""
        for channel in self.edf.channels:
            for name, value in fields.items():
                setattr(channel, name, value)


Change = Callable[[Draft], object]


@dataclass(frozen=True)
class Case:
    """One recording: what it is, where the specification names it, what must become of it, how it is made."""

    words: str
    source: str
    change: Change
    outcome: str = USED
    codes: frozenset[str] = frozenset()


def sound(source: str, words: str, change: Change = lambda draft: None) -> Case:
    return Case(words, source, change)


def broken(source: str, words: str, outcome: str, codes: str, change: Change) -> Case:
    return Case(words, source, change, outcome, frozenset(codes.split()))


def at_rate(rate: int) -> Change:
    return lambda draft: setattr(draft.edf, "channels", draft.channels(rate=rate))


def labelled(pattern: str, montage: str = "01_tcp_ar") -> Change:
    def change(draft: Draft) -> None:
        draft.edf.channels, draft.montage = draft.channels(label=pattern), montage

    return change


def renamed(**names: str) -> Change:
    def change(draft: Draft) -> None:
        for old, new in names.items():
            draft.channel(old).label = f"EEG {new}-REF"

    return change


def fields(**values: str) -> Change:
    return lambda draft: draft.edf.fields.update(values)


def rows(*lines: str) -> Change:
    return lambda draft: setattr(draft, "rows", list(lines))


def content(mend: Callable[[bytes], bytes]) -> Change:
    return lambda draft: setattr(draft, "mend", mend)


def samples(electrodes: list[str], make: Callable[[Draft], np.ndarray]) -> Change:
    def change(draft: Draft) -> None:
        for electrode in electrodes:
            draft.channel(electrode).samples = make(draft)

    return change


def half_second_records(draft: Draft) -> None:
    draft.edf.channels, draft.edf.record_s = draft.channels(rate=128, records=2 * SECONDS), "0.5"


def fractional_rate(draft: Draft) -> None:
    draft.edf.channels, draft.edf.record_s = draft.channels(rate=100, records=121), "0.250105"  # 399.832 Hz


def one_hertz_channels(draft: Draft) -> None:
    for label in ("IBI", "BURSTS", "SUPPR"):
        draft.add(label, rate=1)


def other_channels(draft: Draft) -> None:
    for label in ("EEG EKG1-REF", "EEG T1-REF", "EEG 20-REF", "EMG-REF", "PHOTIC-REF", "PH"):
        draft.add(label)


def own_ranges(draft: Draft) -> None:
    for channel, limit in zip(draft.edf.channels, (4999.85, 3276.7, 5482.28) * 7, strict=False):
        channel.pmin, channel.pmax = f"{-limit:g}", f"{limit:g}"


def edf_plus(draft: Draft) -> None:
    draft.edf.reserved = "EDF+C"
    draft.edf.channels.append(annotation_channel([f"+{second}\x14\x14\0" for second in range(SECONDS)]))


def with_gap(draft: Draft) -> None:
    draft.edf.reserved = "EDF+D"
    onsets = [second if second < 20 else second + 3600 for second in range(SECONDS)]
    draft.edf.channels.append(annotation_channel([f"+{onset}\x14\x14\0" for onset in onsets], size=40))
    draft.head[1] = f"# duration = {SECONDS + 3600}.00 secs"


def background_only(draft: Draft) -> None:
    draft.rows, draft.rows_bi = [], [f"TERM,0.0000,{SECONDS}.0000,bckg,1.0000"]


def twice(change: Callable[[Draft, Channel], np.ndarray]) -> Change:
    def add(draft: Draft) -> None:
        first = draft.channel("T3")
        draft.edf.channels.append(Channel(first.label, change(draft, first)))

    return add


def kept(labels: Callable[[str], bool]) -> Change:
    def change(draft: Draft) -> None:
        draft.edf.channels = [c for c in draft.edf.channels if labels(c.label.split()[1].split("-")[0])]

    return change


def bipolar(draft: Draft) -> None:
    draft.edf.channels = [Channel(label, eeg(draft.rng, records=SECONDS, per_record=256)) for label in BIPOLAR]


def ecg_only(draft: Draft) -> None:
    draft.edf.channels = []
    draft.add("ECG"), draft.add("RESP")


def mains(draft: Draft) -> np.ndarray:
    t = np.arange(SECONDS * 256) / 256
    return np.round(500 * np.sin(2 * np.pi * 60 * t)).astype(np.int16).reshape(SECONDS, 256)


def white(draft: Draft) -> np.ndarray:
    return draft.rng.normal(0, 300, (SECONDS, 256)).astype(np.int16)


def half_second(draft: Draft) -> None:
    draft.edf.channels, draft.edf.record_s, draft.rows = draft.channels(rate=128, records=1), "0.5", []
    draft.head[1], draft.rows_bi = "# duration = 0.50 secs", ["TERM,0.0000,0.5000,bckg,1.0000"]


def two_rates(draft: Draft) -> None:
    for electrode in ("O1", "O2"):
        draft.channel(electrode).samples = eeg(draft.rng, records=SECONDS, per_record=128)


def other_side(draft: Draft) -> None:
    draft.patient, draft.split = patient_of("clean", 0), "eval"


def same_samples(draft: Draft) -> None:
    draft.edf, draft.split = draft_of(SOUND[0], "clean", 0).edf, "train"


def no_annotation(draft: Draft) -> None:
    draft.rows, draft.rows_bi, draft.head = [], None, []


def disagreeing(draft: Draft) -> None:
    draft.rows_bi = ["TERM,20.0000,25.0000,seiz,1.0000"]


SAMPLES_FIELD = 256 + 19 * 216  # of the header: samples a record of the first channel
PAGE = b"<!DOCTYPE html><html><body>404 Not Found: the file that you asked for has moved.</body></html>" + b" " * 600

SOUND = [
    sound("T25", "19 electrodes, `EEG X-REF`, 256 Hz, a focal seizure"),
    sound("T23", "250 Hz", at_rate(250)),
    sound("T23", "400 Hz", at_rate(400)),
    sound("T23", "512 Hz", at_rate(512)),
    sound("T23", "data records of half a second", half_second_records),
    sound("T25", "linked ears: `EEG X-LE`", labelled("EEG {}-LE", "02_tcp_le")),
    sound("T25", "labels without reference", labelled("EEG {}")),
    sound("T26", "newer names T7, T8, P7, P8", renamed(T3="T7", T4="T8", T5="P7", T6="P8")),
    sound("T26", "`01` and `02` with a zero", renamed(O1="01", O2="02")),
    sound("T24", "1 Hz channels beside the EEG", one_hertz_channels),
    sound("T25", "channels that are no electrode of the 10-20 system", other_channels),
    sound("T28", "another physical range for each channel", own_ranges),
    sound("T29", "a start date that cannot be", fields(date="00:00:99")),
    sound("T13", "annotation without comment lines", lambda draft: setattr(draft, "head", HEAD[-1:])),
    sound("T12", "no seizure: one background row", background_only),
    sound("row 15", "a seizure from the first to the last second", rows(f"CZ-C4,0.0000,{SECONDS}.0000,gnsz,1.0000")),
    sound("row 15", "a seizure of 0.6 s", rows("CZ-C4,12.2000,12.8000,absz,1.0000")),
    sound("row 4", "EDF+ without gaps", edf_plus),
    sound("row 14", "rows that touch", rows("F7-T3,8.0,12.0,fnsz,1.0", "F7-T3,12.0,15.0,fnsz,1.0")),
    sound("T23", "200 Hz: nothing to resample", at_rate(200)),
]

BROKEN = [
    broken("row 1", "0 bytes", SKIPPED, "header_invalid", content(lambda _: b"")),
    broken("row 1", "cut within the header", SKIPPED, "header_invalid", content(lambda whole: whole[:700])),
    broken("row 1", "wrong number of header bytes", SKIPPED, "header_invalid", fields(header_bytes="2048")),
    broken("row 1", "9999 signals", SKIPPED, "header_invalid", fields(signals="9999", header_bytes="2560000")),
    broken(
        "row 1", "a web server's error page under the name of an EDF", SKIPPED, "header_invalid",
        content(lambda _: PAGE),
    ),
    broken("row 2", "500 data records promised, 30 there", NOTED, "truncated", fields(records="500")),
    broken(
        "row 2", "99999999 samples a record", SKIPPED, "header_invalid",
        content(lambda whole: whole[:SAMPLES_FIELD] + b"99999999" + whole[SAMPLES_FIELD + 8 :]),
    ),
    broken("row 3", "-1 data records", NOTED, "nrec_unknown", fields(records="-1")),
    broken(
        "row 3", "5000 bytes after the last record", NOTED, "trailing_records",
        content(lambda whole: whole + bytes(5000)),
    ),
    broken("row 4", "EDF+D with a gap of an hour", NOTED, "discontinuous", with_gap),
    broken(
        "row 5", "data records of 0 s", SKIPPED, "header_invalid",
        lambda draft: setattr(draft.edf, "record_s", "0"),
    ),
    broken(
        "row 6", "digital minimum equals maximum", SKIPPED, "scale_invalid missing_electrode",
        lambda draft: setattr(draft.channel("C3"), "dmin", "32767"),
    ),
    broken("row 6", "decimal comma", NOTED, "header_repaired", lambda draft: draft.each(pmin="-3276,7", pmax="3276,7")),
    broken(
        "row 6", "inverted physical range", NOTED, "inverted_polarity",
        lambda draft: draft.each(pmin="3276.7", pmax="-3276.7"),
    ),
    broken("row 7", "a channel twice, equal samples", NOTED, "duplicate_label", twice(lambda draft, c: c.samples)),
    broken(
        "row 7", "a name twice, other samples", REJECTED, "duplicate_label",
        twice(lambda draft, c: eeg(draft.rng, records=SECONDS, per_record=256)),
    ),
    broken("row 8, T27", "no FZ, no PZ", SKIPPED, "missing_electrode", kept(lambda name: name not in ("FZ", "PZ"))),
    broken("row 9, T36", "derivations only", REJECTED, "bipolar_only", bipolar),
    broken(
        "row 10", "a flat channel", SKIPPED, "bad_channel missing_electrode",
        samples(["C4"], lambda draft: np.zeros((SECONDS, 256), np.int16)),
    ),
    broken(
        "row 10", "a saturated channel", SKIPPED, "bad_channel missing_electrode",
        samples(["O2"], lambda draft: np.where(draft.rng.random((SECONDS, 256)) < 0.5, 32767, -32767).astype(np.int16)),
    ),
    broken(
        "row 10", "a channel of nothing but mains", SKIPPED, "bad_channel missing_electrode",
        samples(["FP2"], mains),
    ),
    broken("row 11", "electrodes of two rates", NOTED, "mixed_rate", two_rates),
    broken("row 11", "399.832 Hz", NOTED, "fraction_cut", fractional_rate),
    broken(
        "row 12", "millivolts", NOTED, "unit_converted",
        lambda draft: draft.each(unit="mV", pmin="-3.2767", pmax="3.2767"),
    ),
    broken("row 12", "an unknown unit", REJECTED, "unit_unknown", lambda draft: draft.each(unit="g/l")),
    broken(
        "row 12", "amplitudes a hundred times too large", NOTED, "amplitude_implausible",
        lambda draft: draft.each(pmin="-327670", pmax="327670"),
    ),
    broken(
        "row 13, T14", "a seizure that ends 0.5 s after the EDF", NOTED, "annotation_clipped",
        rows("F7-T3,12.0,30.5,fnsz,1.0"),
    ),
    broken(
        "row 13", "an annotation that belongs to a longer EDF", REJECTED, "annotation_clipped annotation_outside",
        rows("F7-T3,20.0,95.0,fnsz,1.0"),
    ),
    broken(
        "row 13, T15", "annotation and EDF differ in duration", NOTED, "duration_disagrees",
        lambda draft: draft.head.__setitem__(1, "# duration = 61.00 secs"),
    ),
    broken(
        "row 14, T14", "rows that overlap on one channel", NOTED, "annotation_overlap",
        rows("F7-T3,8.0,15.0,fnsz,1.0", "F7-T3,12.0,20.0,fnsz,1.0"),
    ),
    broken("T16", ".csv and .csv_bi disagree", NOTED, "annotation_disagrees", disagreeing),
    broken(
        "T17", "a label that is not in the list", NOTED, "unknown_label",
        rows(*SEIZURE, "C3-CZ,20.0,22.0,foosz,1.0"),
    ),
    broken("T17", "a non-epileptic event (nesz)", NOTED, "class_excluded", rows("C3-CZ,20.0,22.0,nesz,1.0")),
    broken("T12", "no annotation file", SKIPPED, "annotation_missing", no_annotation),
    broken("row 10", "white noise in every channel", SKIPPED, "fixture", samples(ELECTRODES, white)),
    broken("row 5", "half a second of signal", SKIPPED, "too_short", half_second),
    broken("row 8", "no EEG at all", SKIPPED, "not_eeg", ecg_only),
    broken(
        "row 16, T02", "a patient of the training side, once more in eval", SKIPPED, "patient_in_two_splits",
        other_side,
    ),
    broken("row 16, T46", "the samples of another recording", NOTED, "duplicate_samples", same_samples),
    broken(
        "row 1", "a link that leads nowhere", SKIPPED, "file_unreadable",
        lambda draft: setattr(draft, "linked", True),
    ),
]  # fmt: skip


def patient_of(kind: str, number: int) -> str:
    """Eight lower-case letters, as TUSZ v2 has them."""
    return f"{kind}{chr(97 + number // 26)}{chr(97 + number % 26)}z"


def draft_of(case: Case, kind: str, number: int) -> Draft:
    """The recording of a case, not yet written; the same each time."""
    rng = np.random.default_rng([number, len(kind), kind == "clean"])
    split = {8: "dev", 9: "eval"}.get(number % 10, "train")
    draft = Draft(patient_of(kind, number), split, rng, EdfFile([]))
    draft.edf.channels = draft.channels()
    draft.edf.fields["recording"] = "Startdate X X X synthetic"
    case.change(draft)
    return draft


def write(folder: Path, draft: Draft, session: int) -> str:
    """Write one recording; its id."""
    stem = f"{draft.patient}_s{session:03d}_t000"
    place = folder / "edf" / draft.split / draft.patient / f"s{session:03d}_2012" / draft.montage
    place.mkdir(parents=True, exist_ok=True)
    if draft.linked:
        (place / f"{stem}.edf").symlink_to("../../.git/annex/objects/not-fetched.edf")
    else:
        (place / f"{stem}.edf").write_bytes(draft.mend(draft.edf.content()))
    for extension, lines in ((".csv", draft.rows or None), (".csv_bi", draft.rows_bi)):
        if lines is not None:
            (place / f"{stem}{extension}").write_text("\n".join([*draft.head, *lines]) + "\n")
    return stem


def write_corpus(folder: Path) -> dict[str, Case]:
    """Write all sixty below `folder` (removed first); recording -> case."""
    shutil.rmtree(folder, ignore_errors=True)
    written = {}
    for kind, cases, session in (("clean", SOUND, 1), ("fault", BROKEN, 2)):
        for number, case in enumerate(cases):
            written[write(folder, draft_of(case, kind, number), session)] = case
    return written


def main() -> None:
    """Write the corpus and print the table of what must become of it."""
    for recording, case in write_corpus(Path(sys.argv[1])).items():
        print(f"{recording}  {case.source:12} {case.outcome:19} {' '.join(sorted(case.codes)):40} {case.words}")


if __name__ == "__main__":
    main()
