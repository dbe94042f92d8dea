"""The auxiliary task of detection (Tang et al. 2022, appendix, Table 10): one encoder, two losses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional
from training_files import STD, Files, fit_settings, make_files

from pipeline.models import dcrnn
from pipeline.settings.training import FitSettings
from pipeline.store import digest_result, read_json, read_table
from pipeline.training import loop, objective
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.clip_data import ClipData, load_clips
from pipeline.training.forward import joint_forward, later_frames
from pipeline.training.job import Inputs, Outputs, run_job
from pipeline.training.model_io import build_model, load_model, load_weights
from pipeline.training.objective import Share

LENGTH_S, SEEN_S, HORIZON_S = 5, 2, 3
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("auxiliary"), "detection", length_s=LENGTH_S, steady=1.0)


def joint_settings(weight: float, graph: str = "distance", **changes: Any) -> dict[str, Any]:
    task = {"weight": weight, "seen_s": SEEN_S, "horizon_s": HORIZON_S, "loss": "mae"}
    return fit_settings("detection", graph, **changes) | {"auxiliary": task}


def data_of(files: Files, settings: dict[str, Any]) -> ClipData:
    job = files.job(slice(0, 3), settings["graph"]) | {"scaler": read_json(files.scaler)}
    return load_clips(**job, settings=FitSettings.model_validate(settings), device=CPU)


def train(files: Files, out: Path, settings: dict[str, Any]) -> Outputs:
    outputs = Outputs(out / "model.safetensors", out / "card.json", out / "history.parquet")
    inputs = Inputs(**files.job(slice(0, 3), settings["graph"]), encoder=None)
    fit = FitSettings.model_validate(settings)
    run_job(inputs, outputs, settings=fit, code="code", checkpoints=out / "checkpoints")
    return outputs


def seeded(settings: dict[str, Any], seed: int = 3) -> torch.nn.Module:
    torch.manual_seed(seed)
    return build_model(FitSettings.model_validate(settings), n_features=6)


# A plain float64 oracle, one clip and one second at a time, with torch's own derivatives


def plain_layer(
    state: dict[str, torch.Tensor], name: str, x: torch.Tensor, h: torch.Tensor, S: torch.Tensor
) -> torch.Tensor:
    """One step of a DCGRU layer: x (n, f), h (n, h), S (p, n, n)."""

    def gconv(part: str, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        both = torch.cat([left, right], dim=1)
        terms = [both]
        for one in S:
            first = one @ both
            terms += [first, 2 * one @ first - both if len(S) == 1 else one @ first]
        rows = torch.stack(terms, dim=2).flatten(1)  # column feature * m + term
        return rows @ state[f"{name}.{part}.weight"] + state[f"{name}.{part}.bias"]

    r, u = torch.sigmoid(gconv("gate", x, h)).chunk(2, dim=1)
    return u * h + (1 - u) * torch.tanh(gconv("candidate", x, r * h))


def plain_clip(state: dict[str, torch.Tensor], x: torch.Tensor, S: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Logit of a clip x (t, n, f), and the seconds predicted from its first SEEN_S."""
    units = state["linear.weight"].shape[1]
    h = [torch.zeros(x.shape[1], units, dtype=x.dtype) for _ in range(2)]
    halfway: list[torch.Tensor] = []
    for second in range(LENGTH_S):
        h[0] = plain_layer(state, "encoder.layers.0", x[second], h[0], S)
        h[1] = plain_layer(state, "encoder.layers.1", h[0], h[1], S)
        halfway = list(h) if second == SEEN_S - 1 else halfway
    logit = (torch.relu(h[1]) @ state["linear.weight"].T + state["linear.bias"]).max()
    frame, predicted = torch.zeros_like(x[0]), []
    for _ in range(HORIZON_S):
        halfway[0] = plain_layer(state, "decoder.0", frame, halfway[0], S)
        halfway[1] = plain_layer(state, "decoder.1", halfway[0], halfway[1], S)
        frame = halfway[1] @ state["projection.weight"].T + state["projection.bias"]
        predicted.append(frame)
    return logit, torch.stack(predicted)


@pytest.mark.parametrize("graph", ["distance", "correlation"])
def test_gradient_of_the_joint_loss_equals_that_of_a_plain_oracle(files: Files, graph: str) -> None:
    settings, weight = joint_settings(0.7, graph, dropout=0.0), 0.7
    data = data_of(files, settings)
    model = seeded(settings)
    batch = data.batch(np.arange(6))
    run = loop._Run(model, data, FitSettings.model_validate(settings))
    run.objective(batch, Share())[0].backward()

    state = {name: value.detach().double().requires_grad_() for name, value in model.named_parameters()}
    x = batch.x.double()
    detection, forecast = [], []
    for clip in range(len(x)):
        S = (batch.supports if graph == "distance" else batch.supports[clip]).double()
        logit, frames = plain_clip(state, x[clip], S)
        detection.append(functional.binary_cross_entropy_with_logits(logit, batch.target[clip].double()))
        forecast.append((frames - x[clip, SEEN_S : SEEN_S + HORIZON_S]).abs().mean() * STD)
    loss = torch.stack(detection).mean() + weight * torch.stack(forecast).mean()
    gradients = torch.autograd.grad(loss, list(state.values()))
    assert float(run.objective(batch, Share())[0].detach()) == pytest.approx(float(loss.detach()), rel=1e-6)
    for (name, parameter), expected in zip(model.named_parameters(), gradients, strict=True):
        assert parameter.grad is not None, name
        assert float(expected.abs().max()) > 1e-6, name  # every weight takes part
        torch.testing.assert_close(parameter.grad.double(), expected, atol=2e-6, rtol=2e-4, msg=name)


def test_the_forecast_sees_the_first_half_only_and_detection_the_whole_clip(files: Files) -> None:
    settings = joint_settings(1.0)
    fit, data, model = FitSettings.model_validate(settings), data_of(files, settings), seeded(settings).eval()
    assert fit.auxiliary is not None
    batch = data.batch(np.arange(4))
    logits, frames = joint_forward(model, batch, fit.auxiliary, fit.device)
    assert frames.shape == later_frames(batch, fit.auxiliary).shape == (4, HORIZON_S, 19, 6)
    assert torch.equal(later_frames(batch, fit.auxiliary), batch.x[:, 2:5])
    assert torch.equal(logits, model(batch.x, batch.lengths, batch.supports))
    batch.x[:, SEEN_S:] += 1.0
    changed, same = joint_forward(model, batch, fit.auxiliary, fit.device)
    assert torch.equal(same, frames)
    assert not torch.allclose(changed, logits)


@pytest.mark.parametrize(("length_s", "seconds"), [(12, slice(6, 12)), (60, slice(30, 36))])
def test_the_published_seconds(length_s: int, seconds: slice) -> None:
    """12 s: 7 to 12 from 1 to 6; 60 s: 31 to 36 from 1 to 30 (counted from 1)."""
    from types import SimpleNamespace

    import yaml

    written = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())["training"]["auxiliary"]
    task = FitSettings.model_validate(
        fit_settings(length_s=length_s) | {"auxiliary": {"weight": 0.1, "loss": "mae", **written[length_s]}}
    ).auxiliary
    assert task is not None
    assert task.seen_s == length_s // 2
    x = torch.arange(length_s)[None]
    assert torch.equal(later_frames(SimpleNamespace(x=x), task), x[:, seconds])  # type: ignore[arg-type]


def test_the_decoder_is_drawn_after_the_classifier() -> None:
    alone, joint = seeded(fit_settings()).state_dict(), seeded(joint_settings(0.1)).state_dict()
    assert all(torch.equal(joint[name], value) for name, value in alone.items())
    added = sorted({name.split(".")[0] for name in set(joint) - set(alone)})
    assert added == ["decoder", "projection"]


def test_lambda_zero_is_plain_detection_bit_by_bit(
    files: Files, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The network with a decoder, its forecast multiplied by zero, learns what detection alone learns."""
    plain = fit_settings(clip_norm=1e9)  # the norm is a sum over all weights: more of them may round another way
    alone = load_weights(train(files, tmp_path / "alone", plain).weights)
    settings = joint_settings(1.0, clip_norm=1e9)
    forecast = objective.loss_function

    def without_forecast(kind: str, *, std: float) -> Any:
        whole = forecast(kind, std=std)
        return (lambda output, target: whole(output, target) * 0.0) if kind == "mae" else whole

    monkeypatch.setattr(objective, "loss_function", without_forecast)
    joint = load_weights(train(files, tmp_path / "joint", settings).weights)
    assert set(alone) < set(joint)
    assert all(torch.equal(joint[name], value) for name, value in alone.items())


def test_no_auxiliary_task_is_what_a_job_without_the_setting_has(files: Files, tmp_path: Path) -> None:
    without = train(files, tmp_path / "without", fit_settings())
    none = train(files, tmp_path / "none", fit_settings() | {"auxiliary": None})
    for left, right in zip(vars(without).values(), vars(none).values(), strict=True):
        assert digest_result(left) == digest_result(right)
    assert "validation_forecast_loss" not in read_table(none.history)


def test_both_losses_fall_and_the_model_is_read_back(files: Files, tmp_path: Path) -> None:
    outputs = train(files, tmp_path, joint_settings(0.5, "distance", epochs=25, dropout=0.0, patience=25))
    history, card = read_table(outputs.history), read_json(outputs.card)
    assert history["validation_forecast_loss"].iloc[-1] < 0.9 * history["validation_forecast_loss"].iloc[0]
    assert history["validation_auroc"].max() > 0.8
    assert card["settings"]["auxiliary"] == {"weight": 0.5, "seen_s": 2, "horizon_s": 3, "loss": "mae"}
    model, _ = load_model(outputs.weights, card, device=CPU)
    assert isinstance(model, dcrnn.JointClassifier)
    assert card["parameters"] == sum(parameter.numel() for parameter in model.parameters())


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the code under test catches it."""


@pytest.mark.parametrize("epoch", [0, 2])
def test_resumed_equals_uninterrupted_byte_for_byte(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int
) -> None:
    settings = joint_settings(0.1, epochs=4)
    whole, save = train(files, tmp_path / "whole", settings), loop._Run.save

    def kill_after_epoch(run: loop._Run, checkpoints: Checkpoints, history: list[Any], best: Any) -> None:
        save(run, checkpoints, history, best)
        if len(history) == epoch + 1:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "save", kill_after_epoch)
        with pytest.raises(Killed):
            train(files, tmp_path / "killed", settings)
    again = train(files, tmp_path / "killed", settings)
    for left, right in zip(vars(again).values(), vars(whole).values(), strict=True):
        assert digest_result(left) == digest_result(right)


@pytest.mark.parametrize(
    ("task", "changes", "message"),
    [("classification", {}, "only for detection"), ("pretraining", {}, "only for detection"),
     ("detection", {"seen_s": 4}, "make 7 s, a clip has 5"), ("detection", {"weight": 0.0}, "greater than 0")],
)  # fmt: skip
def test_what_cannot_be_is_refused(task: str, changes: dict[str, Any], message: str) -> None:
    wrong = {"weight": 0.1, "seen_s": SEEN_S, "horizon_s": HORIZON_S, "loss": "mae"} | changes
    with pytest.raises(ValidationError, match=message):
        FitSettings.model_validate(fit_settings(task) | {"auxiliary": wrong})
