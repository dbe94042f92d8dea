"""One training job from files to files: what the stages `pretrain` and `train` share."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pipeline.metrics.thresholds import best_f1_threshold
from pipeline.sealing import DamagedFile
from pipeline.settings.base import SettingsError
from pipeline.settings.training import FitSettings
from pipeline.store import digest_file, read_json, write_json, write_table
from pipeline.training.card import make_card
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.clip_data import ClipData, load_clips
from pipeline.training.device import prepare_device
from pipeline.training.followed import FollowedCheckpoints
from pipeline.training.forward import predict_logits, probabilities
from pipeline.training.imported_card import SEEN
from pipeline.training.loop import Fitted, fit, weights_of_classes
from pipeline.training.model_io import PaddingModel, class_names, count_parameters, save_weights
from pipeline.training.processes import Processes
from pipeline.training.sampling import training_rows
from pipeline.training.start import UnfitWeights, described, drawn_model, start_from_detector, start_from_encoder
from pipeline.training.team import Team, check_divisible

LOGGER = logging.getLogger("ictograph")


class UnfitData(ValueError):
    """The clips do not allow training; the message says what is missing."""


# What files and settings may have in them that no model can be trained with.
UNFIT = (UnfitData, UnfitWeights, SettingsError, DamagedFile, OSError)


@dataclass(frozen=True)
class Inputs:
    """Files of training shards, then validation shards; one graph file for distance; an encoder to start from."""

    features: Sequence[Path]
    clips: Sequence[Path]
    graphs: Sequence[Path]
    scaler: Path
    encoder: Path | None
    detector: Path | None = None  # a trained detector to start from, in place of an encoder

    def to_json(self) -> dict[str, Any]:
        """As text, for another process."""
        return json.loads(json.dumps(asdict(self), default=str))

    @staticmethod
    def from_json(told: dict[str, Any]) -> "Inputs":
        """Back from `to_json`."""
        features, clips, graphs = ([Path(path) for path in told[role]] for role in ("features", "clips", "graphs"))
        encoder, detector = (Path(told[role]) if told[role] else None for role in ("encoder", "detector"))
        return Inputs(features, clips, graphs, Path(told["scaler"]), encoder, detector)

    def digests(self) -> dict[str, list[str]]:
        """Digests of the files of each role."""
        roles = asdict(self) | {"scaler": [self.scaler], "encoder": [self.encoder] if self.encoder else []}
        roles |= {"detector": [self.detector] if self.detector else []}
        return {role: [digest_file(path) for path in paths] for role, paths in roles.items()}


@dataclass(frozen=True)
class Outputs:
    """Where the weights, the card and the history go."""

    weights: Path
    card: Path
    history: Path


def run_job(
    inputs: Inputs,
    outputs: Outputs,
    *,
    settings: FitSettings,
    code: str,
    checkpoints: Path,
    checkpoint_minutes: float | None = None,
    memory_gb: float | None = None,
) -> None:
    """Train one model and write it, from the job's last state if an earlier attempt was killed.

    A state is kept after every epoch, and within one every `checkpoint_minutes` (None: not within one). `memory_gb`:
    see load_clips; the processes of a training share it.
    """
    size = settings.loop.processes
    device, digests = prepare_device(settings.device, alone=True, processes=size), inputs.digests()
    share_gb = None if memory_gb is None else memory_gb / size
    identity = {"settings": settings.model_dump(mode="json"), "code": code, "inputs": digests}
    with Checkpoints(checkpoints, identity, minutes=checkpoint_minutes) as job:
        told = {"settings": identity["settings"], "inputs": inputs.to_json(), "state": str(job.state)}
        with Processes(size, {**told, "memory_gb": share_gb}, device=device) as team:
            given = _given(inputs, settings, device, memory_gb=share_gb)
            fitted = given.fit(settings, job, team)
        data, model, train, validation = given.data, given.model, given.train, given.validation
        model.load_state_dict(fitted.weights)
        card = make_card(
            settings,
            fitted=fitted,
            scaler=read_json(inputs.scaler),
            threshold=_threshold(model, data, validation, settings),
            inputs=digests,
            counts=_counts(data, train, validation),
            n_features=data.frames.shape[-1],
            n_parameters=count_parameters(model),
        )
        card |= {"initial_weights": described(settings, encoder=inputs.encoder is not None)}
        _write(outputs, fitted, card | _of_classes(data, train, settings))
        job.clear()


def follow_job(
    inputs: Inputs, *, settings: FitSettings, state: Path, team: Team, device: torch.device, memory_gb: float | None
) -> None:
    """Compute the part of a process other than the first in the training of `run_job`; writes nothing.

    `state`: of the first one's checkpoints. Raises one of UNFIT where this process alone meets it.
    """
    try:
        given = _given(inputs, settings, device, memory_gb=memory_gb)
    except UNFIT:
        team.wait(device)  # the first meets the same, says it and ends this process; or else it comes here, too
        raise
    given.fit(settings, FollowedCheckpoints(state), team)


@dataclass(frozen=True)
class _Given:
    """What a training begins with: clips, a model with its first weights, rows to train on and to validate on."""

    data: ClipData
    model: nn.Module
    train: np.ndarray
    validation: np.ndarray

    def fit(self, settings: FitSettings, checkpoints: Checkpoints, team: Team) -> Fitted:
        return fit(
            self.model,
            self.data,
            train=self.train,
            validation=self.validation,
            settings=settings,
            checkpoints=checkpoints,
            team=team,
        )


def _given(inputs: Inputs, settings: FitSettings, device: torch.device, *, memory_gb: float | None) -> _Given:
    data = load_clips(
        features=inputs.features,
        clips=inputs.clips,
        graphs=inputs.graphs,
        scaler=read_json(inputs.scaler),
        settings=settings,
        device=device,
        memory_gb=memory_gb,
    )
    data.check_room(max(-(-settings.loop.batch // settings.loop.processes), settings.loop.batch_evaluation))
    train, validation = _rows(data, settings)
    n_features, zero = data.frames.shape[-1], -data.scaler.mean / data.scaler.std
    model = drawn_model(settings, n_features=n_features, zero=zero)
    if settings.loop.processes > 1:
        check_divisible(model, settings.model, padded=int(data.lengths.min()) < int(data.lengths.max()))
    _start(model, inputs, settings, n_features=n_features, zero=zero)
    return _Given(data, model.to(device), train, validation)


def _start(model: nn.Module, inputs: Inputs, settings: FitSettings, *, n_features: int, zero: float) -> None:
    """Give a new model the weights that it is to start from, if any; what it pads with stays that of its own scaler."""
    if inputs.encoder is not None:
        copied = start_from_encoder(model, inputs.encoder, settings)
        LOGGER.info("%d tensors come from %s", len(copied), inputs.encoder)
        if settings.start is not None and settings.start.init == "imported":
            LOGGER.warning("%s: %s", inputs.encoder, SEEN)
    if inputs.detector is not None:
        copied = start_from_detector(model, inputs.detector, settings, n_features=n_features)
        LOGGER.info("%d of %d tensors come from %s", len(copied), len(model.state_dict()), inputs.detector)
        if isinstance(model, PaddingModel):
            model.pad_with(zero)


def _rows(data: ClipData, settings: FitSettings) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the table to train on and to validate on. Raises UnfitData where there are none, or test clips."""
    foreign = data.table[~data.table["split"].isin(["train", "validation"])]
    if len(foreign):
        raise UnfitData(
            f"clip {foreign['clip'].iloc[0]} is of the {foreign['split'].iloc[0]} split: nothing may see it"
        )
    rows, validation = data.rows_of("train"), data.rows_of("validation")
    chosen = training_rows(
        data.table["patient"].iloc[rows], data.labels[rows], settings=settings.sampling, seed=settings.seed
    )
    train = rows[chosen]
    for name, found in (("training", train), ("validation", validation)):
        if not len(found):
            raise UnfitData(f"no {name} clip for {settings.task} of {settings.length_s} s; add {name} patients")
    _check_classes(data.labels[rows], data.labels[validation], settings)
    LOGGER.info("%d training clips, %d validation clips", len(train), len(validation))
    return train, validation


def _check_classes(train: np.ndarray, validation: np.ndarray, settings: FitSettings) -> None:
    """A share of the labels has to hold every class. Raises UnfitData for one that is judged, but never learnt."""
    if settings.sampling.label_fraction == 1:
        return
    if absent := sorted(set(validation) - set(train)):
        name = class_names(settings)[absent[0]] if settings.task == "classification" else f"label {absent[0]}"
        raise UnfitData(
            f"no training patient has a clip of {name}, which validation clips are of: no share of the labels can hold "
            "it; add training patients, or set label_fraction: 1"
        )


def _of_classes(data: ClipData, train: np.ndarray, settings: FitSettings) -> dict[str, Any]:
    """For the card of a classifier: of a share of the labels, its clips of each class; the weights of the classes."""
    names, card = class_names(settings), dict[str, Any]()
    if settings.task == "classification" and settings.sampling.label_fraction < 1:
        counts = np.bincount(data.labels[train], minlength=len(names))
        card["training_clips"] = dict(zip(names, counts.tolist(), strict=True))
    if (weights := weights_of_classes(data, train, settings)) is not None:
        card["class_weights"] = dict(zip(names, weights.tolist(), strict=True))
    return card


def _threshold(model: nn.Module, data: ClipData, rows: np.ndarray, settings: FitSettings) -> float | None:
    """Detection: the operating point of largest F1 on the validation clips."""
    if settings.task != "detection":
        return None
    logits = predict_logits(model, data, rows, batch_size=settings.loop.batch_evaluation)
    return best_f1_threshold(data.labels[rows], probabilities(logits)[:, 0])


def _counts(data: ClipData, train: np.ndarray, validation: np.ndarray) -> dict[str, int]:
    patients = data.table["patient"]
    return {
        "training_clips": len(train),
        "training_patients": int(patients.iloc[train].nunique()),
        "validation_clips": len(validation),
        "validation_patients": int(patients.iloc[validation].nunique()),
    }


def _write(outputs: Outputs, fitted: Fitted, card: dict[str, Any]) -> None:
    save_weights(outputs.weights, fitted.weights)
    write_json(outputs.card, card)
    write_table(outputs.history, fitted.history)
