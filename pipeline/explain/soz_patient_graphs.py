"""All graphs of a patient that a model tests: measures, nulls, controls and faithfulness (spec soz.md, section 6)."""

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pipeline.explain.soz_attention import FEWEST
from pipeline.explain.soz_faithfulness import clip_faithfulness
from pipeline.explain.soz_graph_store import PatientGraphs
from pipeline.explain.soz_graphs import (
    DIFFERENCE,
    Clip,
    Judge,
    among,
    control_rows,
    facts,
    judge,
    mean_attention,
    mean_dependence,
    patient_graphs,
    shaft_names,
)
from pipeline.explain.soz_signals import ClipSignals
from pipeline.models.soz import SozEncoder
from pipeline.settings.soz import SozAttention
from pipeline.training.soz_card import Trained
from pipeline.training.soz_data import SozBatches


@dataclass(frozen=True)
class Work:
    """What the graphs of one patient after the other are made from; `contacts`: of all patients, CONTACTS."""

    settings: SozAttention
    trained: Trained
    encoders: dict[str, SozEncoder]  # `attention`: the trained one; `untrained`, and `pretrained` if there is one
    batches: SozBatches
    contacts: pd.DataFrame
    signals: ClipSignals

    def generator(self, *names: str) -> np.random.Generator:
        """Draws that depend on the seed and what they are for, not on who came before."""
        return np.random.default_rng([self.settings.seed, *(zlib.crc32(name.encode()) for name in names)])

    def clips(self, patient: str, condition: str, contacts: pd.DataFrame) -> list[tuple[str, Clip]]:
        """The scored clips of a patient and condition, each by itself."""
        places, data = pd.Index(contacts["channel"]), self.batches.data
        found = []
        for number in data.select({patient}, conditions=condition, scored=True):
            start, length = self.batches.starts[number], self.batches.lengths[number]
            own = places.get_indexer(pd.Index(data.rows["channel"].iloc[start : start + length]))
            inputs, _ = self.batches.batch(np.array([number]))
            found.append((str(data.clips["clip"].iloc[number]), Clip(inputs, own.astype(np.int64))))
        return found


@dataclass
class Explained:
    """What was found of one patient or of several: graphs, rows of measures, rows of what hiding contacts does."""

    graphs: list[PatientGraphs] = field(default_factory=list)
    measures: list[dict[str, Any]] = field(default_factory=list)
    faithful: list[dict[str, Any]] = field(default_factory=list)

    def add(self, other: "Explained") -> None:
        """Put another patient's behind."""
        self.graphs += other.graphs
        self.measures += other.measures
        self.faithful += other.faithful


def one_patient(work: Work, patient: str) -> Explained:
    """A patient in every condition that it has."""
    contacts = work.contacts[work.contacts["patient"] == patient].reset_index(drop=True)
    made, judges = Explained(), []
    for condition in work.settings.conditions:
        if work.trained.settings.finetuning.conditions not in ("both", condition):
            continue  # of seconds that the model was never trained on
        clips = work.clips(patient, condition, contacts)
        if not clips:
            continue
        own, about = [clip for _, clip in clips], {"condition": condition, "patient": patient}
        means = {name: mean_attention(encoder, own, len(contacts)) for name, encoder in work.encoders.items()}
        found = patient_graphs(means["attention"], means["untrained"], own, contacts, **about)
        if found is None:
            continue
        few = [clips[k] for k in np.unique(np.linspace(0, len(clips) - 1, work.settings.clips).astype(int))]
        judged = judged_by(work, found, few, contacts)
        kept = contacts["channel"].isin(found.contacts["channel"]).to_numpy()
        rows = [row for name, A in means.items() for row in judged.rows(among(A, kept), name)]
        rows += [*judged.whole(found.rollout, "rollout"), *control_rows(judged)]
        made.measures += [row | about | facts(judged) | {"n_clips": len(clips)} for row in rows]
        made.faithful += hidden_rows(work, few, contacts, **about)
        made.graphs.append(found)
        judges.append(judged)
    made.measures += difference_rows(made.graphs, judges)
    return made


def judged_by(work: Work, graphs: PatientGraphs, few: list[tuple[str, Clip]], contacts: pd.DataFrame) -> Judge:
    """Nulls and controls of the contacts of a graph; the controls are means over a `few` of its clips."""
    names = contacts["channel"].astype(str).tolist()
    found = [
        (clip.contacts, work.signals.controls(name, [names[k] for k in clip.contacts]))
        for name, clip in few
        if len(clip.contacts) >= FEWEST
    ]
    kept = pd.Index(contacts["channel"]).get_indexer(pd.Index(graphs.contacts["channel"])).astype(np.int64)
    rng = work.generator("labels", graphs.patient, graphs.condition)
    permutations = work.settings.permutations
    return judge(graphs.contacts, mean_dependence(found, len(names), kept), permutations=permutations, rng=rng)


def difference_rows(graphs: list[PatientGraphs], judges: list[Judge]) -> list[dict[str, Any]]:
    """Ictal less interictal, of the contacts that both graphs have."""
    found = {one.condition: (one, judged) for one, judged in zip(graphs, judges, strict=True)}
    if not {"ictal", "interictal"} <= found.keys():
        return []
    (ictal, judged), (interictal, _) = found["ictal"], found["interictal"]
    both = set(ictal.contacts["channel"]) & set(interictal.contacts["channel"])
    if len(both) < FEWEST:
        return []
    kept, other = (one.contacts["channel"].isin(both).to_numpy() for one in (ictal, interictal))
    first, second = among(ictal.A, kept), among(interictal.A, other)
    own = Judge(ictal.contacts[kept].reset_index(drop=True), judged.shuffled[:, kept], {})
    about = {"patient": ictal.patient, "condition": DIFFERENCE, "n_clips": ictal.n_clips + interictal.n_clips}
    return [row | about | facts(own) for row in own.difference(first, second)]


def hidden_rows(
    work: Work, few: list[tuple[str, Clip]], contacts: pd.DataFrame, *, condition: str, patient: str
) -> list[dict[str, Any]]:
    """Faithfulness of a few clips."""
    shafts, rows = shaft_names(contacts), []
    for name, clip in few:
        rng = work.generator("masks", name)
        own = clip_faithfulness(
            work.trained.model, clip.inputs, shafts[clip.contacts], masks=work.settings.masks, rng=rng
        )
        rows += [row | {"patient": patient, "condition": condition, "clip": name} for row in own]
    return rows
