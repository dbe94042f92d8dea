"""All that the page of one patient shows, gathered from the results of a run. Reads no recording and no network."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.explain.soz_graph_store import PatientGraphs, graphs_of
from pipeline.metrics.soz_contacts import BOTH, contact_scores
from pipeline.report.soz_channels import Answer, answer, of_patient, read_run
from pipeline.report.soz_left_out import over_models
from pipeline.report.soz_maps import ClipTokens
from pipeline.report.soz_seizures import clip_table
from pipeline.store import read_json, read_table, read_tables, reading_store
from pipeline.training.soz_calibration import Calibrator

CLIP_S = 35.0  # frames of a token, one a second


@dataclass(frozen=True)
class PatientFiles:
    """Where a run's results lie."""

    channels: Path
    predictions: Sequence[Path]
    cards: Sequence[Path]
    attention: Sequence[Path]
    shafts: Sequence[Path]
    tokens: Sequence[Path]
    rows: Sequence[Path]
    recordings: Sequence[Path]
    contacts: Sequence[Path]
    patients: Sequence[Path]
    seizures: Sequence[Path]
    findings: Sequence[Path]


@dataclass(frozen=True)
class PatientResults:
    """What is known of one patient. `channels`: rows of `of_patient`, in canonical order; empty: nothing was scored."""

    patient: str
    facts: dict[str, Any]
    channels: pd.DataFrame
    contacts: pd.DataFrame  # every contact of the side files, once
    clips: pd.DataFrame  # of `clip_table`
    predictions: pd.DataFrame
    cards: list[dict[str, Any]]
    answer: Answer
    findings: pd.DataFrame
    changes: pd.DataFrame  # of `over_models`
    recordings: pd.DataFrame
    graphs: list[PatientGraphs] = field(default_factory=list)
    shown_clip: ClipTokens | None = None

    @property
    def synthetic(self) -> bool:
        """Whether a recording says of itself that it is simulated."""
        return "synthetic" in self.recordings and bool(self.recordings["synthetic"].fillna(False).any())


def read_patient(files: PatientFiles, patient: str) -> PatientResults:
    """Everything of one patient. Raises UnfitChannels, DamagedFile."""
    tables = {name: _of(getattr(files, name), patient) for name in ("recordings", "contacts", "patients")}
    recordings, contacts = tables["recordings"], tables["contacts"].drop_duplicates("channel")
    channels = of_patient(read_run(files.channels), patient)
    order = dict(zip(contacts["channel"], contacts["order"], strict=True))
    places = channels["channel"].map(order).fillna(len(order))
    channels = channels.iloc[np.argsort(places.to_numpy(), kind="stable")].reset_index(drop=True)
    predictions = _of(files.predictions, patient)
    predictions = predictions[predictions["part"] == "test"].reset_index(drop=True)
    cards = [card for card in map(read_json, files.cards) if patient in card["patients"]["test"]]
    clips = clip_table(predictions, read_tables(list(files.seizures)), clip_s=CLIP_S)
    return PatientResults(
        patient=patient,
        facts={str(name): value for name, value in next(iter(tables["patients"].to_dict("records")), {}).items()},
        channels=channels,
        contacts=contacts,
        clips=clips,
        predictions=predictions,
        cards=cards,
        answer=answer(channels, _by_model(predictions, cards), _thresholds(cards)),
        findings=_findings(read_tables(list(files.findings)), patient, recordings),
        changes=over_models(read_tables(list(files.shafts)), patient),
        recordings=recordings,
        graphs=graphs_of(list(files.attention), patient)[0],
        shown_clip=_shown_clip(files, clips),
    )


def _of(paths: Sequence[Path], patient: str) -> pd.DataFrame:
    table = read_tables(list(paths))
    return table[table["patient"] == patient].reset_index(drop=True)


def _by_model(predictions: pd.DataFrame, cards: list[dict[str, Any]]) -> pd.DataFrame:
    """fold, seed, channel, p_cal of each model that tests the patient, over both conditions."""
    if predictions.empty:
        return pd.DataFrame(columns=["fold", "seed", "channel", "p_cal"])
    calibrators = {(card["fold"], card["seed"]): Calibrator.from_json(card["calibrator"]) for card in cards}
    scores = contact_scores(predictions, calibrators)
    return scores[scores["condition"] == BOTH][["fold", "seed", "channel", "p_cal"]]


def _thresholds(cards: list[dict[str, Any]]) -> dict[tuple[int, int], float]:
    return {(card["fold"], card["seed"]): float(card["threshold"]) for card in cards}


def _findings(table: pd.DataFrame, patient: str, recordings: pd.DataFrame) -> pd.DataFrame:
    """Findings on the patient's recordings, also on those that were left out and so are in no other table."""
    names = table["recording"].fillna("").astype(str)
    own = names.isin(recordings["recording"]) | names.str.startswith(f"sub-{patient.removeprefix('sub-')}_")
    return table[own].sort_values(["severity", "code", "recording"], kind="stable", ignore_index=True)


def _shown_clip(files: PatientFiles, clips: pd.DataFrame) -> ClipTokens | None:
    """The tokens of the first seizure, or of the first interictal clip; None where there is none."""
    for phase in ("ictal", "interictal"):
        own = clips[clips["phase"] == phase]
        if len(own):
            first = own.iloc[0]
            return _tokens(files, str(first["clip"]), str(first["label"]), -float(first["from_s"]))
    return None


def _tokens(files: PatientFiles, clip: str, label: str, onset_s: float) -> ClipTokens | None:
    for store, rows in zip(files.tokens, files.rows, strict=True):
        table = read_table(rows)
        names = table.loc[table["clip"] == clip, "channel"].astype(str).tolist()
        if not names:
            continue
        with reading_store(store) as group:
            told: dict[str, Any] = dict(group.attrs)
            place = told["clips"].index(clip)
            span = slice(told["starts"][place], told["starts"][place] + told["lengths"][place])
            arrays: dict[str, Any] = dict(group.arrays())
            valid = np.asarray(arrays["valid"][span], dtype=bool)
            tokens = np.asarray(arrays["tokens"][span], dtype=np.float64)[valid]
            usable = np.asarray(arrays["band_mask"][place], dtype=bool)
        kept = [name for name, good in zip(names, valid, strict=True) if good]
        return ClipTokens(label, kept, tokens, usable, onset_s) if kept else None
    return None
