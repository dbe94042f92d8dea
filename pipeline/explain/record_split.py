"""Guard G5 of the simulator: does a split by recording flatter a model? (spec simulator.md, section 10)

Two models are tested on the same clips, those of the last recording of each test patient. One has learnt from other
patients only. For the other some of these clips were exchanged for as many clips of the tested patients' other
recordings, positives for positives: what a split by recording lets happen. If patients differ, it scores higher.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.explain.answers import difference
from pipeline.explain.measured import Floats
from pipeline.explain.questions import Corpus, detection_auroc, pooled
from pipeline.settings.experiments import ExperimentSettings
from pipeline.settings.training import SamplingSettings
from pipeline.training.sampling import generator, training_rows

EXCHANGED = 100  # stream of random numbers, beside those of pipeline/training/sampling.py
PATIENT, RECORD = "patient", "record"
QUESTION = "Does a split by recording score higher than one by patient?"


@dataclass(frozen=True)
class Deal:
    """Names of clips: `tested` by both models, and those that each model learns from, in the order of the table."""

    tested: list[str]
    patient: list[str]
    record: list[str]


def deal(clips: pd.DataFrame, *, sampling: SamplingSettings, seed: int) -> Deal:
    """Deal the clips table of all splits; `patient` are the clips that a run with this seed learns from anyway.

    Test patients with one recording have no other one to leak, and are left out.
    """
    learnt, others, tested = _learnt(clips, "train", sampling, seed), *_last_recordings(clips)
    entering = _learnt(clips[clips["clip"].isin(others)], "test", sampling, seed)
    rng = generator(seed, EXCHANGED)
    enter: list[str] = []
    leave: list[str] = []
    for label in (0, 1):
        new, old = _named(entering, label), _named(learnt, label)
        count = min(len(new), len(old))
        enter += rng.choice(new, size=count, replace=False).tolist()
        leave += rng.choice(old, size=count, replace=False).tolist()
    patient = learnt["clip"].tolist()
    record = (set(patient) - set(leave)) | set(enter)
    return Deal(tested, patient, [name for name in clips["clip"] if name in record])


def _learnt(clips: pd.DataFrame, split: str, sampling: SamplingSettings, seed: int) -> pd.DataFrame:
    """The clips of a split that training would see: balanced as the run balances them."""
    own = clips[clips["split"] == split]
    if not len(own):
        return own
    return own.iloc[training_rows(own["patient"], own["label"].to_numpy(dtype=np.int64), settings=sampling, seed=seed)]


def _named(clips: pd.DataFrame, label: int) -> NDArray[Any]:
    return clips.loc[clips["label"] == label, "clip"].to_numpy(dtype=object)


def _last_recordings(clips: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Clips of the other recordings, and of the last one, of every test patient who has several."""
    test = clips[clips["split"] == "test"]
    recordings = test[["patient", "session", "recording"]].drop_duplicates()
    recordings = recordings.sort_values(["patient", "session", "recording"])
    several = recordings[recordings.duplicated("patient", keep=False)]
    last = several.drop_duplicates("patient", keep="last")["recording"]
    others = several.loc[~several["recording"].isin(last), "recording"]
    return (
        test.loc[test["recording"].isin(others), "clip"].tolist(),
        test.loc[test["recording"].isin(last), "clip"].tolist(),
    )


def redealt(clips: pd.DataFrame, learnt: Sequence[str]) -> pd.DataFrame:
    """A clips table whose training clips are `learnt`, whatever their split was; validation stays, the rest goes."""
    training = clips["clip"].isin(learnt)
    kept = clips[training | (clips["split"] == "validation")]
    return kept.assign(split=np.where(training[kept.index], "train", kept["split"]))


def record_split_answer(tables: Sequence[pd.DataFrame], settings: ExperimentSettings) -> dict[str, Any]:
    """The answer over one or several corpora, from tables (clip, patient, label, logit_patient, logit_record)."""
    corpora = [_corpus(table) for table in tables if len(table)]
    if not corpora:
        nothing = {"value": None, "low": None, "high": None, "n_clips": 0, "n_patients": 0}
        words = "Undecided: no test patient has two recordings, so that one could be learnt from."
        return {"question": QUESTION, "answer": "undecided", **nothing, "sentence": words}
    scores = {name: _mean_auroc(corpora, name) for name in (PATIENT, RECORD)}
    shown = {name: "undefined" if score is None else f"{score:.3f}" for name, score in scores.items()}
    answer = difference(
        QUESTION,
        pooled(_gain, corpora, settings, np.random.default_rng(settings.seed)),
        what=f"AUROC {shown[RECORD]} having learnt from other recordings of the tested patients, {shown[PATIENT]} "
        "having learnt from as many clips of other patients only; the difference",
    )
    return {**answer, **{f"auroc_{name}": score for name, score in scores.items()}}


def _corpus(table: pd.DataFrame) -> Corpus:
    return Corpus(
        patients=table["patient"].to_numpy(dtype=object).astype(str),
        labels=table["label"].to_numpy(dtype=np.int64),
        channels={},
        logit={name: table[f"logit_{name}"].to_numpy(dtype=float)[None] for name in (PATIENT, RECORD)},
        permuted={},
        predicted={},
    )


def _gain(corpus: Corpus, weights: Floats) -> Floats:
    return detection_auroc(RECORD)(corpus, weights) - detection_auroc(PATIENT)(corpus, weights)


def _mean_auroc(corpora: Sequence[Corpus], name: str) -> float | None:
    values = [detection_auroc(name)(corpus, np.ones((1, len(corpus.labels))))[0] for corpus in corpora]
    mean = float(np.mean(values))
    return mean if np.isfinite(mean) else None
