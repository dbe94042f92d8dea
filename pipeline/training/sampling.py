"""Which training clips are seen, and in which order: all of it follows from the seed and the epoch."""

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

    First a share of the patients (`label_fraction`), then, if balanced, all positives and as many negatives.
    """
    rows = np.flatnonzero(patients.isin(labelled_patients(patients, settings.label_fraction, seed)).to_numpy())
    if not settings.balance:
        return rows
    positives, negatives = rows[labels[rows] == 1], rows[labels[rows] == 0]
    rng = generator(PUBLISHED_NEGATIVE_SEED if settings.negative_seed == "published" else seed, NEGATIVES)
    kept = rng.choice(negatives, size=min(len(positives), len(negatives)), replace=False)
    return np.sort(np.concatenate([positives, kept]))


def labelled_patients(patients: pd.Series, fraction: float, seed: int) -> list[str]:
    """The patients whose labels may be used: the first of one fixed order, so that larger shares hold smaller ones."""
    names = sorted(patients.unique())
    count = max(1, round(fraction * len(names)))
    return [names[k] for k in generator(seed, LABELS).permutation(len(names))[:count]]


def epoch_order(n_clips: int, rng: np.random.Generator, *, block: int = BLOCK, window: int = WINDOW) -> np.ndarray:
    """An order of `n_clips`: blocks of neighbours shuffled, then the clips within each window of blocks.

    A reader that streams from the store holds one window at a time and gives the very same order; up to block x window
    clips it is a plain shuffle.
    """
    blocks = np.array_split(np.arange(n_clips), max(1, -(-n_clips // block)))
    blocks = [blocks[k] for k in rng.permutation(len(blocks))]
    windows = [np.concatenate(blocks[k : k + window]) for k in range(0, len(blocks), window)]
    return np.concatenate([rng.permutation(held) for held in windows])
