"""Mean learned graph of each class, summed chunk by chunk from a store of learned graphs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.explain.graph_store import GraphBlock, GraphStore


@dataclass(frozen=True)
class ClassMean:
    """Mean over the clips of a true class: A (l, n, n) of each clip's mean over its seconds, prior (n, n)."""

    name: str
    n_clips: int
    n_patients: int
    A: NDArray[np.float64]
    prior: NDArray[np.float64]


def over_time(block: GraphBlock) -> NDArray[np.float64]:
    """(c, l, n, n): mean over the valid seconds of each clip."""
    valid = (np.arange(block.A.shape[2]) < block.lengths[:, None])[:, None, :, None, None]
    A = np.where(valid, block.A, 0.0).astype(np.float64)
    return A.sum(axis=2) / np.maximum(block.lengths, 1)[:, None, None, None]


def class_means(store: GraphStore) -> list[ClassMean]:
    """One for each class that has a clip, in their order; clips count alike, correctly predicted or not."""
    about, (_, layers, _, n, _) = store.about, store.shape
    k = len(about.classes)
    A, prior = np.zeros((k, layers, n, n)), np.zeros((k, n, n))
    for rows, block in store.blocks():
        label = about.label[rows]
        np.add.at(A, label, over_time(block))
        np.add.at(prior, label, block.prior)
    found = []
    for number, name in enumerate(about.classes):
        patients = [patient for patient, label in zip(about.patients, about.label, strict=True) if label == number]
        if patients:
            count = len(patients)
            found.append(ClassMean(name, count, len(set(patients)), A[number] / count, prior[number] / count))
    return found
