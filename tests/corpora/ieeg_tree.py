"""A small iEEG-BIDS tree for tests, written as ds004100 is laid out: every file can be changed or left out."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import edfio
import numpy as np

RATE_HZ, SECONDS = 512, 40
CONTACTS = ("LA1", "LA2", "LA3", "RB1", "RB2", "EKG1")
XYZ = {"LA1": (-30.0, 1, 2), "LA2": (-34.0, 1, 2), "LA3": (-38.0, 1, 2), "RB1": (31.0, 4, 5), "RB2": (35.0, 4, 5)}
HEAD = "name\ttype\tunits\tsampling_frequency\tstatus\tstatus_description\n"


@dataclass
class Made:
    """One patient's files; `marks` are cells of status_description, `edf` the labels in the EDF's order."""

    patient: str = "01"
    names: tuple[str, ...] = CONTACTS
    edf: tuple[str, ...] | None = None
    kinds: dict[str, str] = field(default_factory=dict)
    bad: tuple[str, ...] = ("EKG1",)
    marks: dict[str, str] = field(default_factory=lambda: {"LA2": "soz,resect", "LA3": "resect"})
    rate_hz: int = RATE_HZ
    stated_hz: str = "512"
    xyz: dict[str, tuple[float, float, float]] = field(default_factory=lambda: dict(XYZ))
    unit: str = "mm"
    frame: str = "MNI152NLin2009aSym"
    seizure_s: tuple[float, float] = (2.0, 38.5)

    def folder(self, root: Path) -> Path:
        """Where the recordings lie."""
        return root / f"sub-{self.patient}" / "ses-presurgery" / "ieeg"

    def stem(self, task: str, run: int) -> str:
        """The name that a recording's files have in common."""
        return f"sub-{self.patient}_ses-presurgery_task-{task}_acq-seeg_run-{run:02d}"

    def write(self, root: Path, *runs: tuple[str, int], signals: bool = True) -> "Made":
        """Write the recordings (`("ictal", 1)` …) with all their side files."""
        folder = self.folder(root)
        folder.mkdir(parents=True, exist_ok=True)
        for task, run in runs:
            self.write_run(root, task, run, signals=signals)
        rows = [f"{name}\t{x}\t{y}\t{z}\tn/a" for name, (x, y, z) in self.xyz.items()]
        space = f"sub-{self.patient}_ses-presurgery_acq-seeg_space-{self.frame}"
        (folder / f"{space}_electrodes.tsv").write_text("name\tx\ty\tz\tsize\n" + "\n".join(rows) + "\n")
        system = {"iEEGCoordinateSystem": self.frame, "iEEGCoordinateUnits": self.unit}
        (folder / f"{space}_coordsystem.json").write_text(json.dumps(system))
        return self

    def write_run(self, root: Path, task: str, run: int, *, signals: bool = True) -> None:
        """One recording: EDF, channels.tsv, ieeg.json and, where it is ictal, events.tsv."""
        start = self.folder(root) / self.stem(task, run)
        rows = [
            f"{name}\t{self.kinds.get(name, 'SEEG')}\tµV\t{self.stated_hz}\t{'bad' if name in self.bad else 'good'}\t"
            f"{self.marks.get(name, 'n/a')}"
            for name in self.names
        ]
        Path(f"{start}_channels.tsv").write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
        facts = {"TaskName": task, "PowerLineFrequency": 60, "SamplingFrequency": self.rate_hz}
        facts |= {"RecordingDuration": SECONDS, "iEEGReference": "n/a", "SoftwareFilters": "n/a"}
        Path(f"{start}_ieeg.json").write_text(json.dumps(facts))
        if task == "ictal":
            onset, offset = self.seizure_s
            lines = f"{onset}\t0.0\tsz onset\t2\t1\n{offset}\t0.0\tsz offset\t1\t2\n"
            Path(f"{start}_events.tsv").write_text("onset\tduration\ttrial_type\tvalue\tsample\n" + lines)
        if signals:
            write_edf(Path(f"{start}_ieeg.edf"), self.edf or self.names, rate_hz=self.rate_hz)


def write_edf(path: Path, labels: tuple[str, ...], *, rate_hz: int = RATE_HZ, seconds: int = SECONDS) -> None:
    """An EDF whose signal of a label is a sine of its own, so that channels can be told apart by their samples."""
    time = np.arange(rate_hz * seconds) / rate_hz
    signals = [
        edfio.EdfSignal(
            100.0 * np.sin(2 * np.pi * tone_hz(label) * time), rate_hz, label=label, physical_dimension="uV"
        )
        for label in labels
    ]
    edfio.Edf(signals).write(path)


def tone_hz(label: str) -> int:
    """Which sine a label has."""
    return 2 + sum(map(ord, label)) % 97


def write_participants(root: Path, *rows: str, head: str = "participant_id\tengel\toutcome\timplant") -> None:
    """participants.tsv and the description that BIDS asks for."""
    (root / "participants.tsv").write_text("\n".join([head, *rows]) + "\n")
    (root / "dataset_description.json").write_text(json.dumps({"Name": "made up", "BIDSVersion": "1.8.0"}))
