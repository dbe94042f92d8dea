"""Which clips make a batch: one clip of each of some patients, of about as many channels (spec soz.md, section 3)."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def epoch_batches(
    clips: pd.DataFrame, chosen: NDArray[np.int64], *, size: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Batches that hold each of the clips `chosen` once, counting a clip and its shifted copies as one.

    `clips`: patient, base, length (channels); `chosen`: numbers of its rows. Of a clip and its copies one is drawn. A
    patient's clips are spread evenly over the epoch's rounds, no round has two of one patient, and a round is cut into
    batches by the number of channels, so that little is padding.
    """
    drawn = _one_copy_each(clips["base"].to_numpy()[chosen], chosen, rng)
    rounds = _rounds(clips["patient"].to_numpy()[drawn], rng)
    length = clips["length"].to_numpy()
    batches = []
    for number in np.unique(rounds):
        own = drawn[rounds == number]
        own = own[np.argsort(length[own], kind="stable")]
        batches += np.array_split(own, -(-len(own) // size))
    return [batches[k] for k in rng.permutation(len(batches))]


def _one_copy_each(bases: NDArray[np.object_], chosen: NDArray[np.int64], rng: np.random.Generator) -> NDArray:
    """One of the clips of each base, in a random order."""
    order = rng.permutation(len(chosen))
    _, first = np.unique(bases[order].astype(str), return_index=True)
    return chosen[order[np.sort(first)]]


def _rounds(patients: NDArray[np.object_], rng: np.random.Generator) -> NDArray[np.int64]:
    """The round of each clip; as many rounds as the patient with the most clips needs."""
    names, owner, counts = np.unique(patients.astype(str), return_inverse=True, return_counts=True)
    n_rounds, rounds = counts.max(initial=0), np.zeros(len(patients), np.int64)
    for k in range(len(names)):
        places = (np.arange(counts[k]) + rng.random()) * n_rounds / counts[k]
        rounds[owner == k] = places.astype(np.int64)
    return rounds
