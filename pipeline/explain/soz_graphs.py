"""Attention graphs of one patient: mean over clips, measures against nulls and controls (spec soz.md, section 6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from pipeline.explain import soz_controls as controls
from pipeline.explain.soz_attention import FEWEST, Floats, key_strength, lift, mean_graph, rollout
from pipeline.explain.soz_graph_store import PatientGraphs
from pipeline.explain.soz_measures import (
    PAIRS,
    edge_p,
    graph_numbers,
    known_auroc,
    mixed_shafts,
    pair_lifts,
    rank_correlation,
    shaft_shuffles,
    shuffle_p,
)
from pipeline.models.soz import SozEncoder, SozInputs

DIFFERENCE = "ictal-interictal"
WHOLE = -1  # layer and head of a graph that is of none
PROXIMITY = "proximity"


@dataclass(frozen=True)
class Clip:
    """One clip of a patient: its inputs (b = 1, no padding), and which of the patient's contacts they are (c,)."""

    inputs: SozInputs
    contacts: NDArray[np.int64]


@torch.inference_mode()
def clip_graph(model: SozEncoder, clip: Clip, n: int) -> NDArray[np.float32]:
    """A (l, h, n, n) among all n contacts of the patient, NaN for those that the clip lacks."""
    A = model.attention(clip.inputs)[1][0].float().cpu().numpy()
    whole = np.full((*A.shape[:2], n, n), np.nan, np.float32)
    whole[..., clip.contacts[:, None], clip.contacts] = A
    return whole


def mean_attention(model: SozEncoder, clips: list[Clip], n: int) -> Floats:
    """A (l, h, n, n), mean over the clips, among all n contacts of the patient."""
    return mean_graph(np.stack([clip_graph(model, clip, n) for clip in clips]))


def patient_graphs(
    A: Floats, null: Floats, clips: list[Clip], contacts: pd.DataFrame, *, condition: str, patient: str
) -> PatientGraphs | None:
    """The mean graph A (l, h, n, n) of the clips, with each edge's place among those of the `null`; None of fewer than
    three contacts. `contacts`: of the patient, in order; those that no clip has are left out."""
    there = np.isin(np.arange(len(contacts)), np.concatenate([clip.contacts for clip in clips]))
    if there.sum() < FEWEST:
        return None
    A, null = (among(one, there) for one in (A, null))
    own = contacts[there].reset_index(drop=True)
    return PatientGraphs(patient, condition, own, len(clips), A, edge_p(lift(A), lift(null)), rollout(A))


def among(A: Floats, kept: NDArray[np.bool_]) -> Floats:
    """A (…, n, n) among the contacts that are kept (n,)."""
    return A[..., kept, :][..., kept]


@dataclass(frozen=True)
class Judge:
    """What the graphs of one patient and condition are held against: shuffled labels, and controls (n, n) by name."""

    contacts: pd.DataFrame
    shuffled: Floats
    controls: Mapping[str, Floats]

    @property
    def soz(self) -> Floats:
        """(n,) 1, 0, NaN."""
        return labels_of(self.contacts)

    def rows(self, A: Floats, graph: str) -> list[dict[str, Any]]:
        """One row for each layer and head of A (l, h, n, n)."""
        numbers = graph_numbers(A, self.soz, distances(self.contacts)) | shuffle_p(A, self.soz, self.shuffled)
        numbers |= {f"rho_{name}": rank_correlation(lift(A), _hollow(one)) for name, one in self.controls.items()}
        return _flat(numbers, A.shape[:2], graph)

    def whole(self, weights: Floats, graph: str) -> list[dict[str, Any]]:
        """One row of a graph (n, n) that is of no layer; rows sum to 1."""
        return [row | {"layer": WHOLE, "head": WHOLE} for row in self.rows(weights[None, None], graph)]

    def difference(self, first: Floats, second: Floats) -> list[dict[str, Any]]:
        """Of two conditions' A (l, h, n, n): how lift and key strength differ."""
        G = lift(first) - lift(second)
        lifts = np.moveaxis(pair_lifts(G, self.soz), -1, 0)
        numbers = dict(zip((f"lift_{pair}" for pair in PAIRS), lifts, strict=True))
        return _flat(numbers | {"source_auroc": known_auroc(key_strength(G), self.soz)}, G.shape[:2], "attention")


def judge(
    contacts: pd.DataFrame, dependence: Mapping[str, Floats], *, permutations: int, rng: np.random.Generator
) -> Judge:
    """The nulls and controls of some contacts; `dependence` (n, n) between signals, by name."""
    shafts, places = shaft_names(contacts), contacts["contact"].to_numpy(dtype=np.float64, na_value=np.nan)
    near = {PROXIMITY: controls.proximity(shafts, places)}
    shuffled = shaft_shuffles(labels_of(contacts), shafts, permutations, rng)
    return Judge(contacts, shuffled, near | dict(dependence))


def control_rows(judged: Judge) -> list[dict[str, Any]]:
    """Rows of the controls themselves: does the onset zone stand out of a plain dependence, too?"""
    return [row for name, one in judged.controls.items() for row in judged.whole(controls.as_attention(one), name)]


def mean_dependence(
    found: list[tuple[NDArray[np.int64], dict[str, Floats]]], n: int, kept: NDArray[np.int64]
) -> dict[str, Floats]:
    """Mean over clips of the dependences among a patient's n contacts, of those `kept`; 0 where no clip has both.

    `found`: contacts (c,) and weights (c, c) by name.
    """
    made = {}
    for name in found[0][1] if found else ():
        whole = np.full((len(found), n, n), np.nan)
        for clip, (contacts, weights) in enumerate(found):
            whole[clip][np.ix_(contacts, contacts)] = weights[name]
        known = ~np.isnan(whole)
        count = known.sum(axis=0)
        mean = np.divide(np.where(known, whole, 0).sum(axis=0), count, out=np.zeros((n, n)), where=count > 0)
        made[name] = mean[np.ix_(kept, kept)]
    return made


def labels_of(contacts: pd.DataFrame) -> Floats:
    """(n,) 1 in the onset zone, 0 not, NaN unknown."""
    return np.array(contacts["soz"].astype("Float64").fillna(np.nan), dtype=np.float64)


def shaft_names(contacts: pd.DataFrame) -> NDArray[np.str_]:
    """(n,) hemisphere and shaft; empty where the shaft is unknown."""
    pairs = zip(contacts["hemisphere"].fillna(""), contacts["shaft"].fillna(""), strict=True)
    return np.array([f"{hemisphere} {shaft}".strip() if shaft else "" for hemisphere, shaft in pairs], dtype=str)


def distances(contacts: pd.DataFrame) -> Floats:
    """(n, n) mm between contacts; NaN where one has no coordinates."""
    xyz = contacts[["x_mm", "y_mm", "z_mm"]].to_numpy(dtype=np.float64)
    made: Floats = np.sqrt(np.square(xyz[:, None] - xyz[None]).sum(axis=-1))
    return made


def facts(judged: Judge) -> dict[str, Any]:
    """Columns that all rows of a judge share."""
    soz = judged.soz
    known = soz[~np.isnan(soz)]
    mixed = mixed_shafts(soz, shaft_names(judged.contacts))
    return {"n_contacts": len(soz), "n_soz": int((known == 1).sum()), "mixed_shafts": mixed}


def _flat(numbers: Mapping[str, Floats], shape: tuple[int, ...], graph: str) -> list[dict[str, Any]]:
    return [
        {"graph": graph, "layer": layer, "head": head, **{name: float(v[layer, head]) for name, v in numbers.items()}}
        for layer, head in np.ndindex(*shape)
    ]


def _hollow(weights: Floats) -> Floats:
    return np.where(np.eye(len(weights), dtype=bool), np.nan, weights)
