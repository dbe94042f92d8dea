"""Losses by name, against plain numpy; names that are none are refused wherever they stand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from training_files import fit_settings, make_files

from pipeline.settings.base import SettingsError, parse_section
from pipeline.settings.config import parse_config
from pipeline.settings.training import AuxiliarySettings, FitSettings, LoopSettings
from pipeline.store import read_json, read_table
from pipeline.training.job import Inputs, Outputs, run_job
from pipeline.training.losses import class_weights, loss_function, task_loss
from workflow.lib import job_settings

ROOT = Path(__file__).parents[2]
STD = 1.7
RNG = np.random.default_rng(3)
FRAMES, TARGET = RNG.normal(size=(2, 4, 12, 19, 5))
LOGITS, LABELS = RNG.normal(size=(40, 4)) * 3, RNG.integers(0, 4, 40)
FORECASTS = {
    "mae": lambda: np.abs(FRAMES - TARGET).mean() * STD,
    "mse": lambda: ((FRAMES - TARGET) ** 2).mean() * STD**2,
    "rmse": lambda: np.sqrt(((FRAMES - TARGET) ** 2).mean()) * STD,
}


def loop(**changes: Any) -> LoopSettings:
    return LoopSettings.model_validate(fit_settings("classification")["loop"] | changes)


def test_ssl_loss_value() -> None:
    """Defect 3 of SGLC: 'MAE' for 'mae' chose the other loss. Each has its value; any other name is refused."""
    for kind, value in FORECASTS.items():
        loss = loss_function(kind, std=STD)(torch.from_numpy(FRAMES), torch.from_numpy(TARGET))
        assert float(loss) == pytest.approx(value(), rel=1e-12)
    content = yaml.safe_load((ROOT / "config.yaml").read_text())
    for kind in ("MAE", "Mae", "l1", ""):
        with pytest.raises(ValueError, match=r"no loss .*there are bce, ce, mae, rmse, mse"):
            loss_function(kind, std=STD)
        with pytest.raises(SettingsError, match=r"compat.ssl_loss: Input should be 'mae', 'rmse' or 'mse'"):
            parse_config(content | {"compat": content["compat"] | {"ssl_loss": kind}})
        with pytest.raises(SettingsError, match="loss: Input should be"):
            parse_section(FitSettings, fit_settings("pretraining", loss=kind))
        with pytest.raises(SettingsError, match="loss: Input should be"):
            parse_section(AuxiliarySettings, {"seen_s": 6, "horizon_s": 6, "weight": 1.0, "loss": kind})


def test_the_switch_says_what_pre_training_minimises() -> None:
    content = yaml.safe_load((ROOT / "config.yaml").read_text())
    for kind in FORECASTS:
        made = parse_config(content | {"compat": content["compat"] | {"ssl_loss": kind}})
        assert job_settings.pretrain(made, "sglc-fft-correlation", 12)["loop"]["loss"] == kind


def cross_entropies() -> np.ndarray:
    """-ln p_y of every clip, by the definition."""
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(LABELS)), LABELS])


def test_weighted_cross_entropy_weighs_by_inverse_frequency() -> None:
    labels = np.array([0] * 12 + [1] * 3 + [3] * 1)
    weights = class_weights(labels, 4)
    assert weights[labels].mean() == pytest.approx(1.0)  # mean 1 over the clips
    assert weights[0] * 12 == pytest.approx(weights[1] * 3) == pytest.approx(weights[3] * 1)
    assert weights[2] == 1.0
    loss = task_loss(loop(loss="weighted_ce"), std=STD, weights=torch.from_numpy(weights))
    value = float(loss(torch.from_numpy(LOGITS), torch.from_numpy(LABELS)))
    assert value == pytest.approx((weights[LABELS] * cross_entropies()).mean(), rel=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_loss_by_its_definition(gamma: float) -> None:
    loss = task_loss(loop(loss="focal", focal_gamma=gamma), std=STD, weights=None)
    plain = cross_entropies()
    value = float(loss(torch.from_numpy(LOGITS), torch.from_numpy(LABELS)))
    assert value == pytest.approx(((1 - np.exp(-plain)) ** gamma * plain).mean(), rel=1e-9)
    sure = torch.tensor([[80.0, 0.0, 0.0, 0.0]], requires_grad=True)  # p_y = 1 to the last bit
    loss(sure, torch.tensor([0])).backward()
    assert bool(torch.isfinite(sure.grad).all())


def test_gamma_goes_with_focal_alone() -> None:
    for changes in ({"loss": "focal"}, {"loss": "ce", "focal_gamma": 2.0}):
        with pytest.raises(ValueError, match=r"focal_gamma: .*it goes with loss: focal alone"):
            loop(**changes)
    content = yaml.safe_load((ROOT / "config.yaml").read_text())
    for kind, expected in (("ce", None), ("weighted_ce", None), ("focal", 1.5)):
        content["training"]["classification"][12] |= {"loss": kind, "focal_gamma": 1.5}
        told = job_settings.train(parse_config(content), "dist-ssl", "classification", 12, 0)["loop"]
        assert (told["loss"], told.get("focal_gamma")) == (kind, expected)


@pytest.mark.parametrize("changes", [{"loss": "weighted_ce"}, {"loss": "focal", "focal_gamma": 2.0}])
def test_a_classifier_learns_by_it_and_its_card_says_so(tmp_path: Path, changes: dict[str, Any]) -> None:
    files = make_files(tmp_path / "files", "classification", clips_per_shard=40)
    settings = fit_settings("classification", epochs=4, dropout=0.0)
    settings["loop"] |= changes
    outputs = Outputs(*(tmp_path / name for name in ("model.safetensors", "card.json", "history.parquet")))
    run_job(
        Inputs(**files.job(slice(0, 3), "distance"), encoder=None), outputs, code="code",
        settings=FitSettings.model_validate(settings), checkpoints=tmp_path / "checkpoints",
    )  # fmt: skip
    card, history = read_json(outputs.card), read_table(outputs.history)
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    assert card["settings"]["loop"]["loss"] == changes["loss"]
    assert card["settings"]["loop"].get("focal_gamma") == changes.get("focal_gamma")
    if changes["loss"] == "focal":
        assert "class_weights" not in card
    else:
        assert card["class_weights"]["CF"] == pytest.approx(1.0)  # every class has 16 of the 64 clips
        assert set(card["class_weights"]) == {"CF", "GN", "AB", "CT"}
