"""A tree of the size and layout of TUSZ v1.5.2, made in seconds: true EDF headers, sparse samples, true annotations.

Counts are those of Tang et al. 2022, Tables 1 and 5: 4,599 recordings of 592 patients in `train`, 900 of 45 in `dev`,
and 113 more there of five patients who are in `train`, too, and whose test recordings are to be left out. The 5,499
that remain have 903 hours. Types of seizures as in Table 5; their places and lengths are drawn with a seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ELECTRODES = (
    "FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T3", "T4", "T5", "T6", "FZ", "CZ", "PZ",
)  # fmt: skip
PATIENTS = {"train": 592, "dev": 45}
RECORDINGS = {"train": 4599, "dev": 900}
IN_BOTH, RECORDINGS_IN_BOTH = 5, 113
HOURS = 903
TYPES = {  # events of the 4 classes (Table 5), and myoclonic ones, by folder
    "train": {"fnsz": 1868, "gnsz": 409, "absz": 50, "tcsz": 48, "mysz": 2},
    "dev": {"fnsz": 297, "gnsz": 114, "absz": 49, "tcsz": 61, "mysz": 1},
}
RATE_HZ, RECORD_S, SLOT_S, SHORTEST_S = 250, 1, 200, 40
SEIZURE_SHARE = 0.34  # of the patients; 201 of 592 have seizures of the four classes


@dataclass(frozen=True)
class Made:
    """One recording that stands in the tree: where, how long, and its seizures (onset_s, offset_s, code)."""

    folder: str
    patient: str
    duration_s: int
    events: tuple[tuple[float, float, str], ...]


def make_tree(root: Path, *, share: float = 1.0, seed: int = 0) -> list[Made]:
    """Write the tree below `root`/edf, or a `share` of it; what was written."""
    rng = np.random.default_rng(seed)
    made: list[Made] = []
    for folder in ("train", "dev"):
        owners = _owners(folder, share, rng)
        durations = _durations(len(owners), share, rng)
        events = _events(folder, owners, durations, share, rng)
        made += [Made(folder, owners[i], int(durations[i]), tuple(events.get(i, ()))) for i in range(len(owners))]
    both = [f"{number:08d}" for number in range(max(1, round(IN_BOTH * share)))]
    extra = max(len(both), round(RECORDINGS_IN_BOTH * share))
    made += [Made("dev", both[i % len(both)], 600, ()) for i in range(extra)]
    for path, one in places(root, made):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_edf(path, one.duration_s)
        path.with_suffix(".tse").write_text(annotations(one))
    return made


def _owners(folder: str, share: float, rng: np.random.Generator) -> list[str]:
    """The patient of each recording: every patient has one at least, some have many."""
    n, first = max(6, round(PATIENTS[folder] * share)), {"train": 0, "dev": 5000}[folder]
    more = rng.choice(n, max(n, round(RECORDINGS[folder] * share)) - n, p=rng.dirichlet(np.full(n, 0.8)))
    return [f"{first + number:08d}" for number in sorted([*range(n), *more.tolist()])]


def _durations(n: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """Whole seconds with the hours of this part of the corpus as their sum."""
    drawn = rng.lognormal(0.0, 0.7, n)
    total = round(HOURS * 3600 * n / sum(RECORDINGS.values()))
    seconds = np.maximum(SHORTEST_S, np.floor(drawn / drawn.sum() * (total - SHORTEST_S * n)) + SHORTEST_S)
    seconds[np.argmax(seconds)] += total - seconds.sum()
    return seconds


def _events(
    folder: str, owners: list[str], durations: np.ndarray, share: float, rng: np.random.Generator
) -> dict[int, list[tuple[float, float, str]]]:
    """Seizures by recording, one in a slot of 200 s, only in recordings of a third of the patients."""
    patients = sorted(set(owners))
    ill = set(rng.choice(patients, max(4, round(SEIZURE_SHARE * len(patients))), replace=False).tolist())
    slots = [(i, k) for i, owner in enumerate(owners) if owner in ill for k in range(int(durations[i]) // SLOT_S)]
    codes = [code for code, number in TYPES[folder].items() for _ in range(max(1, round(number * share)))]
    found: dict[int, list[tuple[float, float, str]]] = {}
    for place, code in zip(rng.permutation(len(slots))[: len(codes)], codes, strict=False):
        i, k = slots[place]
        length_s = min(5 + rng.exponential(63), SLOT_S - 20)
        onset_s = k * SLOT_S + 10 + rng.random() * (SLOT_S - 20 - length_s)
        found.setdefault(i, []).append((round(onset_s, 4), round(onset_s + length_s, 4), code))
    return {i: sorted(own) for i, own in found.items()}


def places(root: Path, made: list[Made]) -> Iterator[tuple[Path, Made]]:
    """edf/<folder>/<montage>/<bucket>/<patient>/<session>/<file>, as v1.5.2 has it (docs/corpora.md)."""
    counts: dict[tuple[str, str], int] = {}
    for one in made:
        number = counts[(one.folder, one.patient)] = counts.get((one.folder, one.patient), -1) + 1
        session, montage = f"s{number // 4 + 1:03d}", ("01_tcp_ar", "02_tcp_le")[int(one.patient) % 2]
        stem = f"{one.patient}_{session}_t{number % 4:03d}{'' if one.folder == 'train' else 'd'}"
        where = root / "edf" / one.folder / montage / one.patient[-5:-2] / one.patient / f"{session}_2010_01_01"
        yield where / f"{stem}.edf", one


def write_edf(path: Path, duration_s: int, samples: np.ndarray | None = None) -> None:
    """A header of 19 electrodes, and samples (n, s) in 0.1 µV; None: all zero, which takes no room on the disk."""
    reference = "LE" if "tcp_le" in str(path) else "REF"
    labels = [f"EEG {name}-{reference}" for name in ELECTRODES]
    n = len(labels)
    fixed = (
        ("0", 8), ("X X X X", 80), ("Startdate X X X X", 80), ("01.01.10", 8), ("00.00.00", 8),
        (str(256 * (n + 1)), 8), ("", 44), (str(duration_s // RECORD_S), 8), (str(RECORD_S), 8), (str(n), 4),
    )  # fmt: skip
    columns = (
        (16, labels), (80, [""] * n), (8, ["uV"] * n), (8, ["-3276.7"] * n), (8, ["3276.7"] * n), (8, ["-32767"] * n),
        (8, ["32767"] * n), (80, [""] * n), (8, [str(RATE_HZ * RECORD_S)] * n), (32, [""] * n),
    )  # fmt: skip
    head = "".join(text.ljust(width) for text, width in fixed)
    head += "".join(text.ljust(width) for width, texts in columns for text in texts)
    with path.open("wb") as file:
        file.write(head.encode("ascii"))
        if samples is not None:
            records = (
                samples.astype("<i2").reshape(n, duration_s, RATE_HZ * RECORD_S).swapaxes(0, 1)
            )  # by record, then n
            file.write(records.tobytes())
        file.truncate(len(head) + 2 * RATE_HZ * n * duration_s)


def annotations(one: Made) -> str:
    """A `.tse` file: seizures, and background between them."""
    lines, at = ["version = tse_v1.0.0", ""], 0.0
    for onset_s, offset_s, code in one.events:
        lines += [f"{at:.4f} {onset_s:.4f} bckg 1.0000", f"{onset_s:.4f} {offset_s:.4f} {code} 1.0000"]
        at = offset_s
    return "\n".join([*lines, f"{at:.4f} {one.duration_s:.4f} bckg 1.0000", ""])
