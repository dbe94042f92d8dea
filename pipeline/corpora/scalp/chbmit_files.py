"""A simulated recording as CHB-MIT has it: derivations, WFDB annotations, one summary a case (formats.md, section 10).

Of the 23 derivations those with FT9 or FT10 are left out: the simulated head has no such electrodes. Rates are as
simulated (the corpus has 256 Hz); physical limits are the corpus's, so that amplitudes beyond 800 µV are cut.
"""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.corpora.records import Event, RecordingFiles
from pipeline.corpora.scalp.annotations import whole_events
from pipeline.corpora.scalp.edf import Channel, Scale
from pipeline.corpora.scalp.files import READ_ME, Written, write_bytes, write_signals, write_splits, write_text
from pipeline.corpora.scalp.recording import Recording
from pipeline.corpora.scalp.signals import derivation, electrodes
from pipeline.corpora.scalp.wall_clock import clock, started_s
from pipeline.signals.montages import ALIASES, electrodes_of

SCALE = Scale(("-800", "800"), (-2048, 2047))  # 0.39 µV a step
NOTHING = Scale(("-800", "800"), (0, 0))
DERIVATIONS = (
    "FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FP2-F4", "F4-C4", "C4-P4", "P4-O2",
    "FP2-F8", "F8-T8", "T8-P8", "P8-O2", "FZ-CZ", "CZ-PZ", "P7-T7", "T8-P8",
)  # fmt: skip
WITH_DUMMIES = (  # the order of chb12 and others, a dummy between the chains (T32)
    "FP1-F7", "F7-T7", "T7-P7", "P7-O1", "-", "FP1-F3", "F3-C3", "C3-P3", "P3-O1", "-", "FZ-CZ", "CZ-PZ", "-",
    "FP2-F4", "F4-C4", "C4-P4", "P4-O2", "-", "FP2-F8", "F8-T8", "T8-P8", "P8-O2", "-", "P7-T7", "T8-P8",
)  # fmt: skip
NOTE, ONSET, END, SKIP, AUX = 22, 32, 33, 59, 63  # WFDB annotation codes


def write_recording(root: Path, files: RecordingFiles, made: Recording, session: int, *, dummies: bool) -> Written:
    """The EDF, and `.edf.seizures` where there is a seizure."""
    channels = _channels(made, WITH_DUMMIES if dummies else DERIVATIONS)
    rate_hz, seizures = channels[0].rate_hz, f"{files.edf}.seizures"
    write_signals(root / files.edf, channels, scale=SCALE, clock=clock(started_s(session), "."))
    if made.events:
        write_bytes(root / seizures, wfdb_annotations(whole_events(made.events, binary=True), rate_hz))
        files = replace(files, annotations=(seizures, *files.annotations))
    else:
        (root / seizures).unlink(missing_ok=True)  # of an earlier corpus in this folder
    labels = tuple(channel.label for channel in channels)
    return Written(files, session, labels, rate_hz, made.duration_s, made.events)


def _channels(made: Recording, names: Sequence[str]) -> list[Channel]:
    present = electrodes(made)
    rate_hz, n = present["CZ"].rate_hz, len(present["CZ"].samples)
    channels = []
    for name in names:
        if name == "-":
            channels.append(Channel("-", np.zeros(n, np.float32), rate_hz, scale=NOTHING))
            continue
        older = "-".join(ALIASES.get(electrode, electrode) for electrode in electrodes_of(name))
        if set(electrodes_of(older)) <= set(present):
            channels.append(replace(derivation(present, older), label=name))
    return channels


def wfdb_annotations(events: Sequence[Event], rate_hz: int) -> bytes:
    """Begin and end of each event in samples, in the MIT annotation format (16-bit words, code and time step)."""
    words = [_note(f"## time resolution: {rate_hz}"), _note("synthetic")]
    last = 0
    edges = [edge for event in events for edge in ((event.onset_s, ONSET), (event.offset_s, END))]
    for time_s, code in edges:
        sample = round(time_s * rate_hz)
        high, low = divmod(sample - last, 1 << 16)
        words.append(b"".join(_word(value) for value in (SKIP << 10, high, low, code << 10)))
        last = sample
    return b"".join(words) + _word(0)


def _note(text: str) -> bytes:
    return _word(NOTE << 10) + _word(AUX << 10 | len(text)) + text.encode("ascii") + bytes(len(text) % 2)


def _word(value: int) -> bytes:
    return value.to_bytes(2, "little")


def write_case(root: Path, case: Sequence[Written]) -> None:
    """The summary of the case, and the corpus's list of records with seizures as far as it is made."""
    lines = [f"Data Sampling Rate: {case[0].rate_hz} Hz", "*************************", "# synthetic", ""]
    channels: tuple[str, ...] = ()
    for one in case:
        if one.labels != channels:
            lines += ["Channels changed:" if channels else "Channels in EDF Files:", "**********************"]
            lines += [f"Channel {place}: {label}" for place, label in enumerate(one.labels, start=1)]
            lines, channels = [*lines, ""], one.labels
        lines += [*_summary(one), ""]
    write_text(root / case[0].files.annotations[-1], "\n".join(lines))
    with _alone(root):
        found = sorted(path.relative_to(root).as_posix() for path in root.glob("chb*/*.edf.seizures"))
        text = "".join(f"{name.removesuffix('.seizures')}\n" for name in found)
        write_text(root / "RECORDS-WITH-SEIZURES", text)


def _summary(one: Written) -> list[str]:
    """Times of a file: the clock runs on over 24 h (T33), seizures in whole seconds."""
    start_s, seizures = started_s(one.session), whole_events(one.events, binary=True)
    lines = [
        f"File Name: {Path(one.files.edf).name}",
        f"File Start Time: {clock(start_s, ':', wrap=False)}",
        f"File End Time: {clock(start_s + one.duration_s, ':', wrap=False)}",
        f"Number of Seizures in File: {len(seizures)}",
    ]
    for number, event in enumerate(seizures, start=1):
        name = f"Seizure {number}" if len(seizures) > 1 else "Seizure"
        lines += [
            f"{name} Start Time: {round(event.onset_s)} seconds",
            f"{name} End Time: {round(event.offset_s)} seconds",
        ]
    return lines


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Shards are made by several processes: the last to write the common list must see what all others made."""
    with open(root / ".lock", "w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        yield


def write_tree(root: Path, listed: Sequence[RecordingFiles]) -> None:
    """Records, subjects, splits, read-me."""
    write_text(root / "README.txt", READ_ME.format(corpus="the CHB-MIT Scalp EEG Database"))
    write_text(root / "RECORDS", "".join(f"{files.edf}\n" for files in listed))
    people = sorted({files.patient for files in listed})
    rows = ["Case\tGender\tAge (years)", "", *(f"{patient}\tn/a\tsynthetic" for patient in people)]
    write_text(root / "SUBJECT-INFO", "\n".join(rows) + "\n")
    write_splits(root, listed)
