"""Wavelet packets as features of the scalp models: the augmentation, the hidden second and the training take them."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from training_files import MEAN, STD, Files, fit_settings, make_files

from pipeline.explain.hiding import fill_value
from pipeline.settings.evaluation import OcclusionSettings
from pipeline.settings.features import FeatureSettings
from pipeline.settings.training import FitSettings
from pipeline.store import read_json
from pipeline.training.augment import Draws
from pipeline.training.clip_data import load_clips
from pipeline.training.job import Inputs, Outputs, run_job

WPT = {"kind": "wpt", "floor_amplitude": 1e-8, "wavelet": "db4", "level": 5}
SETTINGS = FitSettings.model_validate(fit_settings(features=WPT, epochs=2))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("wpt"))


def test_scaling_a_signal_shifts_its_log_amplitudes(files: Files) -> None:
    job = files.job(slice(0, 2), "distance") | {"scaler": {"mean": MEAN, "std": STD}}
    data = load_clips(**job, settings=SETTINGS, device=torch.device("cpu"))
    plain = data.batch(np.array([0, 1]), Draws(np.array([False, False]), np.ones(2))).x
    scaled = data.batch(np.array([0, 1]), Draws(np.array([False, False]), np.array([1.2, 0.8]))).x
    for clip, scale in enumerate((1.2, 0.8)):
        np.testing.assert_allclose(scaled[clip] - plain[clip], math.log(scale) / STD, atol=1e-6)


def test_a_silent_second_is_the_floor_and_not_zero_microvolts() -> None:
    hidden = OcclusionSettings.model_construct(value="zero", graph="held")
    found = fill_value(hidden, FeatureSettings.model_validate(WPT), {"mean": MEAN, "std": STD})
    assert found == pytest.approx((math.log(1e-8) - MEAN) / STD)


def test_a_model_trains_on_them_and_its_card_says_so(files: Files, tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "model.safetensors", tmp_path / "card.json", tmp_path / "history.parquet")
    job = Inputs(**files.job(slice(0, 3), "distance"), encoder=None)
    run_job(job, outputs, settings=SETTINGS, code="", checkpoints=tmp_path / "keep")
    card = read_json(outputs.card)
    assert card["settings"]["features"] == WPT
    assert FitSettings.model_validate(card["settings"]) == SETTINGS
