"""Leaving a shaft out, against a model that is given the clip without the contacts of that shaft at all."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.explain.soz_shafts import BOTH, COLUMNS, patient_rows
from pipeline.models.soz import SozEncoder, SozInputs
from pipeline.settings.soz_jobs import SozTrainJob
from pipeline.training.soz_calibration import Calibrator
from pipeline.training.soz_card import Trained
from pipeline.training.soz_data import SozBatches, fit_scaler, load_clips
from tests.training.soz_files import DEVICE, FINETUNING, MODEL, patient_facts, write_cohort

PATIENT = "P00"
JOB = {"fold": 0, "seed": 0, "labels": "soz", "model": MODEL, "device": DEVICE, "finetuning": FINETUNING,
       "calibration": "temperature"}  # fmt: skip
CALIBRATOR = Calibrator("temperature", "temperature", "", 0.5, 0.0, (), (), 2, 20, 4)


def prepared(root: Path, **model: Any) -> tuple[Trained, SozBatches, dict[str, str]]:
    """An untrained network, the clips of one patient, and its shafts: two of six contacts, and some of none."""
    files = write_cohort(root, patient_facts(2))  # each in a shard of its own
    settings = SozTrainJob.model_validate(JOB | {"model": MODEL | model})
    data = load_clips(files.tokens[:1], files.rows[:1], patients=[PATIENT], labels="soz", shifted=False)
    torch.manual_seed(0)
    scaler = fit_scaler(data, [PATIENT])
    trained = Trained(SozEncoder(settings.model).eval(), settings, scaler, CALIBRATOR, 0.5)
    names = sorted(set(data.rows["channel"]), key=lambda name: int(name[1:]))
    shafts = {name: "L A" if k < 6 else "R B" if k < 9 else "" for k, name in enumerate(names)}
    return trained, SozBatches(data, scaler, torch.device("cpu")), shafts


def without(inputs: SozInputs, kept: np.ndarray) -> SozInputs:
    """The clip as if the others had never been implanted."""
    per_contact = {"tokens", "stats", "valid", "xyz", "has_xyz"}
    cut = {one.name: getattr(inputs, one.name)[:, torch.from_numpy(kept)] for one in fields(inputs)
           if one.name in per_contact}  # fmt: skip
    return replace(inputs, **cut)


def slow_p(trained: Trained, batches: SozBatches, shafts: dict[str, str], shaft: str) -> dict[str, float]:
    """p of each contact of the other shafts over both conditions: loops over clips that lack the shaft's contacts."""
    logits: dict[str, dict[str, list[float]]] = {}
    for number in batches.data.select({PATIENT}, scored=True):
        rows = slice(batches.starts[number], batches.starts[number] + batches.lengths[number])
        channels = batches.data.rows["channel"].to_numpy()[rows]
        kept = np.array([shafts[name] != shaft for name in channels])
        with torch.no_grad():
            found = trained.model(without(batches.batch(np.array([number]))[0], kept))[0].tolist()
        condition = batches.data.clips["condition"].iloc[number]
        for name, logit in zip(channels[kept], found, strict=True):
            logits.setdefault(name, {}).setdefault(condition, []).append(logit)
    means = {name: np.mean([np.mean(own) for own in conditions.values()]) for name, conditions in logits.items()}
    return {name: float(1 / (1 + np.exp(-0.5 * logit))) for name, logit in means.items()}


def test_a_hidden_shaft_is_as_good_as_none(tmp_path: Path) -> None:
    trained, batches, shafts = prepared(tmp_path)
    table = pd.DataFrame(patient_rows(trained, batches, PATIENT, shafts))
    assert set(table["condition"]) == {"ictal", "interictal", BOTH}
    assert set(table["shaft"]) == {"L A", "R B"}
    both = table[table["condition"] == BOTH]
    whole = slow_p(trained, batches, shafts, "nobody's")
    for shaft, own in both.groupby("shaft"):
        expected = slow_p(trained, batches, shafts, str(shaft))
        found = own.set_index("channel")
        assert set(found.index) == {name for name, line in shafts.items() if line != shaft}
        for name, p in expected.items():
            assert found.loc[name, "p_without"] == pytest.approx(p, abs=1e-6)
            assert found.loc[name, "p"] == pytest.approx(whole[name], abs=1e-6)
            assert found.loc[name, "change"] == pytest.approx(p - whole[name], abs=2e-6)
    assert both["change"].abs().max() > 1e-4
    assert set(COLUMNS) - set(table.columns) == {"fold", "seed"}


def test_without_a_layer_nothing_changes_and_without_a_shaft_there_is_no_row(tmp_path: Path) -> None:
    trained, batches, shafts = prepared(tmp_path, layers=0)
    rows = patient_rows(trained, batches, PATIENT, shafts)
    assert max(abs(row["change"]) for row in rows) < 1e-7
    assert patient_rows(trained, batches, PATIENT, dict.fromkeys(shafts, "")) == []
    assert patient_rows(trained, batches, PATIENT, dict.fromkeys(shafts, "L A")) == []


def test_the_calibrator_is_asked_for_the_mean_logit_not_for_the_mean_of_probabilities(tmp_path: Path) -> None:
    trained, batches, shafts = prepared(tmp_path)
    hot = replace(trained, calibrator=replace(CALIBRATOR, slope=0.0))
    assert {row["p"] for row in patient_rows(hot, batches, PATIENT, shafts)} == {0.5}
