"""Which training clips are seen, and in which order: all of it follows from the seed and the epoch.

A share of the labels (`label_fraction`) is of whole patients or of each patient's clips (`label_unit`). Either way the
larger share of one seed holds the smaller one, and every class that the training clips hold stays in it.
"""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from pipeline.settings.training import SamplingSettings

PUBLISHED_NEGATIVE_SEED = 123  # defect D7: the same negatives in every run
# Streams of random numbers that one seed gives. TORCH of epoch 0 seeds torch twice: for the first weights, and again
# for the dropout of the first epoch. They use the numbers differently; a stream more would change every trained model.
NEGATIVES, LABELS, ORDER, AUGMENT, TORCH = range(5)
BLOCK, WINDOW = 256, 64  # clips that lie together in the store, and how many such blocks are shuffled together


def generator(seed: int, stream: int, epoch: int = 0) -> np.random.Generator:
    """The generator of one purpose (`stream`) in one epoch of the run with this seed."""
    return np.random.default_rng([seed, stream, epoch])


def training_rows(patients: pd.Series, labels: np.ndarray, *, settings: SamplingSettings, seed: int) -> np.ndarray:
    """Rows (ascending) of the training clips that a run sees, of `patients` (clips,) and their class numbers (clips,).

    First a share of the labels, then, if balanced, all positives and as many negatives.
    """
    rows = np.arange(len(labels))
    if settings.label_fraction < 1 and settings.label_unit == "clip":
        rows = labelled_clips(patients, labels, settings.label_fraction, seed)
    elif settings.label_fraction < 1:
        chosen = labelled_patients(patients, labels, settings.label_fraction, seed)
        rows = np.flatnonzero(patients.isin(chosen).to_numpy())
    if not settings.balance:
        return rows
    positives, negatives = rows[labels[rows] == 1], rows[labels[rows] == 0]
    rng = generator(PUBLISHED_NEGATIVE_SEED if settings.negative_seed == "published" else seed, NEGATIVES)
    kept = rng.choice(negatives, size=min(len(positives), len(negatives)), replace=False)
    return np.sort(np.concatenate([positives, kept]))


def labelled_patients(patients: pd.Series, labels: np.ndarray, fraction: float, seed: int) -> list[str]:
    """The patients whose labels may be used: `fraction` of each stratum, rounded, halves up; sorted.

    A patient's stratum is the rarest class of `labels` that it holds; rare is a class that few patients hold, of two
    alike the lower number. One order of the patients, drawn from the seed, serves every fraction. Before it come, class
    by class from the rarest, the first patient of a class that none of those before holds.
    """
    names = sorted(patients.unique())
    position = {name: k for k, name in enumerate(names)}
    held = np.zeros((len(names), max(0, labels.max(initial=-1)) + 1), dtype=bool)
    known = labels >= 0
    held[patients[known].map(position).to_numpy(dtype=np.int64), labels[known]] = True
    n_holders = held.sum(axis=0)
    stratum = np.where(held, n_holders, len(names) + 1).argmin(axis=1)
    order = generator(seed, LABELS).permutation(len(names))
    first = _covering(held, stratum, order)
    order = np.concatenate([first, order[~np.isin(order, first)]])
    chosen: list[int] = []
    for members in (order[stratum[order] == k] for k in range(held.shape[1])):
        count = max(int(np.isin(members, first).sum()), math.floor(fraction * len(members) + 0.5))
        chosen += list(members[:count])
    return sorted(names[k] for k in chosen)


def _covering(held: np.ndarray, stratum: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Patients that hold, between them, every class that any holds; `held` (patients, classes), see above."""
    found: list[int] = []
    n_holders = held.sum(axis=0)
    for k in (k for k in np.argsort(n_holders, kind="stable") if n_holders[k] and not held[found, k].any()):
        own = order[(stratum[order] == k)]
        found.append(int(own[0] if len(own) else order[held[order, k]][0]))
    return np.array(found, dtype=np.int64)


def labelled_clips(patients: pd.Series, labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Rows (ascending) of the clips whose labels may be used: `fraction` of each patient's clips of each class.

    The clips of one patient and class are put in a random order at even distances from a random start, between 0 and
    1; those below `fraction` are chosen, so that their number is right on average however few they are. The lowest clip
    of each class is always chosen.
    """
    place = np.empty(len(labels))
    rng = generator(seed, LABELS)
    for rows in _groups(patients, labels):
        place[rows] = (rng.permutation(len(rows)) + rng.random()) / len(rows)
    lowest = [rows[place[rows].argmin()] for k in np.unique(labels) for rows in [np.flatnonzero(labels == k)]]
    return np.union1d(np.flatnonzero(place < fraction), lowest)


def _groups(patients: pd.Series, labels: np.ndarray) -> Iterator[np.ndarray]:
    """Rows of each patient and class, sorted by both."""
    groups = pd.DataFrame({"patient": patients.to_numpy(), "label": labels}).groupby(["patient", "label"], sort=True)
    yield from (rows.to_numpy() for rows in groups.groups.values())


def epoch_order(n_clips: int, rng: np.random.Generator, *, block: int = BLOCK, window: int = WINDOW) -> np.ndarray:
    """An order of `n_clips`: blocks of neighbours shuffled, then the clips within each window of blocks.

    A reader that streams finds most of a group's clips near each other in the file. Up to block x window clips it is a
    plain shuffle.
    """
    blocks = np.array_split(np.arange(n_clips), max(1, -(-n_clips // block)))
    blocks = [blocks[k] for k in rng.permutation(len(blocks))]
    windows = [np.concatenate(blocks[k : k + window]) for k in range(0, len(blocks), window)]
    return np.concatenate([rng.permutation(held) for held in windows])
