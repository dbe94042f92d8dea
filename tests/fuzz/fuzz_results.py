"""Fuzz targets that read results: stores, tables, JSON, weights, cards and the state of a training.

What is read from a file that this program wrote is what was written, or an error: never something else (row 21).
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save as to_safetensors

from pipeline.sealing import MARK, seal
from pipeline.settings.training import FitSettings
from pipeline.store import (
    digest_result,
    read_json,
    read_table,
    write_json,
    write_table,
    writing_store,
)
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.model_io import build_model, load_model, save_weights
from tests.fuzz.fuzz_mutations import mutate_bytes, mutate_mapping
from tests.training.training_files import fit_settings

CPU = torch.device("cpu")


@dataclass
class SealedKind:
    """A result that bears a checksum: intact or refused, whichever byte is changed."""

    name: str
    path: Path
    read: Callable[[Path], str]
    megabytes: int = 64
    data: bytes = b""
    expected: str = ""

    def __post_init__(self) -> None:
        self.data, self.expected = self.path.read_bytes(), self.read(self.path)

    def mutated(self, dice: random.Random) -> bytes:
        """Broken bytes; half of the time a single one, as on a disk."""
        if dice.random() < 0.5:
            at, changed = dice.randrange(len(self.data)), bytearray(self.data)
            changed[at] ^= dice.randrange(1, 256)
            return bytes(changed)
        return mutate_bytes(self.data, dice, others=[self.data])

    def consume(self, data: bytes) -> str:
        """Read it; what comes out is what was written."""
        self.path.write_bytes(data)
        found = self.read(self.path)
        assert found == self.expected or MARK not in data, "other content than was written"
        return "as written" if found == self.expected else "no seal left, other content"


def store_kind(folder: Path) -> SealedKind:
    """A zarr store."""
    path, rng = folder / "x.zarr.zip", np.random.default_rng(0)
    with writing_store(path, {"electrodes": ["F3", "F4"], "items": ["a/000"]}) as group:
        array = group.create_array("a/000", shape=(2, 600), chunks=(2, 200), dtype="float32", compressors=None)
        array[...] = rng.normal(size=(2, 600)).astype(np.float32)
    return SealedKind("store", path, digest_result, megabytes=256)


def table_kind(folder: Path) -> SealedKind:
    """A Parquet table."""
    path = folder / "x.parquet"
    rows = {"recording": [f"r{k % 7}" for k in range(60)], "start_s": np.arange(60) / 7, "labels": [["F3"]] * 60}
    write_table(path, pd.DataFrame(rows))
    return SealedKind("table", path, lambda file: read_table(file).to_json(), megabytes=256)


def json_kind(folder: Path) -> SealedKind:
    """A JSON file, here a scaler."""
    path = folder / "scaler.json"
    write_json(path, {"mean": 3.217, "std": 1.004, "n_values": 123456, "n_clips": 789})
    return SealedKind("json", path, lambda file: json.dumps(read_json(file), sort_keys=True))


def small_model() -> tuple[FitSettings, torch.nn.Module]:
    """A small detector with repeatable weights."""
    settings = FitSettings.model_validate(fit_settings())
    torch.manual_seed(0)
    return settings, build_model(settings, n_features=6)


def card_of(settings: FitSettings) -> dict[str, Any]:
    """What a card says that loading depends on."""
    return {"settings": settings.model_dump(mode="json"), "n_features": 6, "threshold": 0.4, "seed": 1}


def weights_kind(folder: Path) -> SealedKind:
    """Sealed weights through `load_model`."""
    settings, model = small_model()
    path = folder / "model.safetensors"
    save_weights(path, model.state_dict())

    def read(file: Path) -> str:
        loaded, _ = load_model(file, card_of(settings), device=CPU)
        return repr({name: value.double().sum().item() for name, value in loaded.state_dict().items()})

    return SealedKind("weights", path, read, megabytes=256)


@dataclass
class ForeignWeightsKind:
    """Weights without a seal, as another program writes them: typed errors, finite numbers."""

    folder: Path
    name: str = "foreign_weights"
    megabytes: int = 256

    def __post_init__(self) -> None:
        self.path = self.folder / "foreign.safetensors"
        self.settings, model = small_model()
        self.data = to_safetensors({name: value.contiguous() for name, value in model.state_dict().items()})

    def mutated(self, dice: random.Random) -> bytes:
        """Broken bytes, two in three of them in the header."""
        return mutate_bytes(self.data, dice, fields=[(at, dice.choice((1, 4, 8))) for at in range(0, 900, 3)])

    def consume(self, data: bytes) -> str:
        """Load the model."""
        self.path.write_bytes(data)
        model, _ = load_model(self.path, card_of(self.settings), device=CPU)
        assert all(bool(torch.isfinite(value).all()) for value in model.state_dict().values())
        return "used"


@dataclass
class CardKind:
    """A model's card with wrong values, well sealed: someone edited it."""

    folder: Path
    name: str = "card"
    megabytes: int = 256

    def __post_init__(self) -> None:
        self.weights, self.path = self.folder / "carded.safetensors", self.folder / "card.json"
        self.settings, model = small_model()
        save_weights(self.weights, model.state_dict())

    def mutated(self, dice: random.Random) -> str:
        """A well-formed card with wrong values."""
        values = mutate_mapping(json.loads(json.dumps(card_of(self.settings))), dice)
        return json.dumps(values, default=repr, skipkeys=True)

    def consume(self, text: str) -> str:
        """Load the model that it describes."""
        self.path.write_text(text)
        load_model(self.weights, read_json(self.path), device=CPU)
        return "used"


@dataclass
class CheckpointKind:
    """The state of a training that was killed: as saved, or thrown away."""

    folder: Path
    name: str = "checkpoint"
    megabytes: int = 256
    record: dict[str, Any] = field(default_factory=lambda: {"history": [{"epoch": 1, "validation_loss": 0.25}]})

    def __post_init__(self) -> None:
        self.tensors = {"model.w": torch.arange(12.0).reshape(3, 4), "best.w": torch.ones(3, 4)}
        self.job = Checkpoints(self.folder / "checkpoints", {"job": 1})
        self.job.folder.mkdir(parents=True, exist_ok=True)
        self.job.save(self.tensors, self.record)
        self.data = self.job.state.read_bytes()

    def mutated(self, dice: random.Random) -> bytes:
        """Broken bytes; one time in five sealed again, so that what lies behind the seal is reached."""
        changed = mutate_bytes(self.data, dice, others=[self.data])
        return changed if dice.random() < 0.8 else self._sealed(changed)

    def _sealed(self, data: bytes) -> bytes:
        at = data.find(MARK)
        if at < 0:
            return data
        start = at + len(MARK)
        path = self.folder / "resealed"
        path.write_bytes(data[:start] + b"0" * 32 + data[start + 32 :])
        if path.read_bytes().count(MARK) == 1:
            seal(path)
        return path.read_bytes()

    def consume(self, data: bytes) -> str:
        """Load the state as a training that starts does."""
        self.job.state.write_bytes(data)
        stored = self.job.load()
        if stored is None:
            assert not self.job.state.exists()
            return "thrown away"
        tensors, record = stored
        same = record == self.record and all(
            name in tensors and torch.equal(tensors[name], value) for name, value in self.tensors.items()
        )
        return "resumed" if same else "resumed (sealed again)"
