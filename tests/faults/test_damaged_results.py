"""Fault row 21: a bit that flipped in a result is never used; what can be made anew is made anew."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.sealing import MARK, DamagedFile
from pipeline.store import (
    digest_result,
    read_json,
    read_table,
    reading_store,
    write_json,
    write_table,
    writing_store,
)
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.model_io import load_weights, save_weights
from tests.training.training_files import fit_settings, make_files

ROOT = Path(__file__).parents[2]


def write_store(path: Path) -> None:
    with writing_store(path, {"electrodes": ["F3", "F4"], "items": ["a/000"]}) as group:
        for name in ("a/000", "b/000"):
            array = group.create_array(name, shape=(2, 90), chunks=(2, 30), dtype="float32", compressors=None)
            array[...] = np.arange(180, dtype=np.float32).reshape(2, 90)


RESULTS: dict[str, tuple[str, Any, Any]] = {
    "store": ("x.zarr.zip", write_store, digest_result),
    "table": (
        "x.parquet",
        lambda path: write_table(path, pd.DataFrame({"recording": ["a", "b"], "start_s": [0.5, 1.25]})),
        lambda path: read_table(path).to_json(),
    ),
    "json": ("x.json", lambda path: write_json(path, {"mean": 3.25, "std": 1.5}), lambda path: str(read_json(path))),
    "weights": (
        "x.safetensors",
        lambda path: save_weights(path, {"w": torch.arange(24.0).reshape(4, 6)}),
        lambda path: {name: value.tolist() for name, value in load_weights(path).items()},
    ),
}


@pytest.mark.parametrize("kind", RESULTS)
def test_row21_a_flipped_bit_anywhere_is_found_or_harmless(tmp_path: Path, kind: str) -> None:
    name, write, read = RESULTS[kind]
    path = tmp_path / name
    write(path)
    whole, expected, refused = path.read_bytes(), read(path), 0
    dice = random.Random(21)
    places = range(len(whole)) if len(whole) < 900 else sorted(dice.sample(range(len(whole)), 900))
    for at in places:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << dice.randrange(8)]) + whole[at + 1 :])
        try:
            assert read(path) == expected, f"other content, silently, from byte {at} on"
        except DamagedFile as error:
            refused += str(error).startswith(f"{path}: damaged") and "delete it and run again" in str(error)
    assert refused > 0.8 * len(places)  # harmless: the dates of a ZIP's entries, the mark of the seal itself


@pytest.mark.parametrize("kind", RESULTS)
def test_row21_a_cut_result_is_refused(tmp_path: Path, kind: str) -> None:
    name, write, read = RESULTS[kind]
    path = tmp_path / name
    write(path)
    whole = path.read_bytes()
    for length in (0, 1, len(whole) // 3, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedFile):
            read(path)


def test_row21_an_array_that_lost_its_entry_is_no_array_of_zeros(tmp_path: Path) -> None:
    """Zarr fills in what a store does not hold; a name that changed in the table of entries must not do that."""
    path = tmp_path / "x.zarr.zip"
    write_store(path)
    data = path.read_bytes()
    at = data.rindex(b"b/000/c/0/1")  # in the table of entries, behind all data
    path.write_bytes(data[:at] + b"B" + data[at + 1 :])
    with pytest.raises(DamagedFile, match="table of entries"), reading_store(path) as group:
        group["b/000"][...]


def test_row21_the_same_content_is_the_same_bytes_seal_and_all(tmp_path: Path) -> None:
    for name, write, _ in RESULTS.values():
        write(tmp_path / name)
        first = (tmp_path / name).read_bytes()
        write(tmp_path / name)
        assert (tmp_path / name).read_bytes() == first
        assert first.count(MARK) == 1


def test_row21_other_programs_read_sealed_files(tmp_path: Path) -> None:
    for name, write, _ in RESULTS.values():
        write(tmp_path / name)
    assert pd.read_parquet(tmp_path / "x.parquet")["start_s"].tolist() == [0.5, 1.25]
    assert json.loads((tmp_path / "x.json").read_text())["mean"] == 3.25
    from safetensors.torch import load_file

    assert load_file(tmp_path / "x.safetensors")["w"][3, 5] == 23.0


def scaler(folder: Path, files: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.stages.scaler", "--settings", '{"task": "detection", "length_s": 5}']
    shards = ["--features", *map(str, files.features[:2]), "--clips", *map(str, files.clips[:2])]
    return subprocess.run(
        [*command, *shards, "--scaler", str(folder / "out.json")], cwd=ROOT, capture_output=True, text=True
    )


def test_row21_a_stage_stops_in_one_line_and_puts_the_damaged_result_aside(tmp_path: Path) -> None:
    files = make_files(tmp_path)
    assert scaler(tmp_path, files).returncode == 0
    expected = (tmp_path / "out.json").read_bytes()
    (tmp_path / "out.json").unlink()
    victim = files.features[1]
    whole = victim.read_bytes()
    at = len(whole) // 2  # within the frames
    victim.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
    stopped = scaler(tmp_path, files)
    assert stopped.returncode == 1
    assert "Traceback" not in stopped.stderr
    assert f"{victim}: damaged" in stopped.stderr
    assert not (tmp_path / "out.json").exists()
    assert not victim.exists(), "it is missing, so that the next run makes it anew"
    assert victim.with_name(f"{victim.name}.damaged").exists()
    victim.write_bytes(whole)
    assert scaler(tmp_path, files).returncode == 0
    assert (tmp_path / "out.json").read_bytes() == expected


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_row21_a_damaged_state_is_thrown_away_and_the_training_begins_anew(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Checkpoints(tmp_path, {"job": 1}) as job:
        job.save({"model.w": torch.ones(3)}, {"history": [{"epoch": 1}]})
        data = job.state.read_bytes()
        flipped = data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]
        job.state.write_bytes({"flip": flipped, "cut": data[:40], "empty": b""}[damage])
        assert job.load() is None
        assert not job.state.exists()
    assert "begins anew" in caplog.text


def test_row21_weights_that_are_not_finite_or_do_not_fit_the_card_are_refused(tmp_path: Path) -> None:
    from pipeline.settings.base import SettingsError
    from pipeline.settings.training import FitSettings
    from pipeline.training.model_io import build_model, load_model

    settings = FitSettings.model_validate(fit_settings())
    state = build_model(settings, n_features=6).state_dict()
    card = {"settings": settings.model_dump(mode="json"), "n_features": 6}
    path = tmp_path / "model.safetensors"
    save_weights(path, {**state, "broken": torch.tensor([float("nan")])})
    with pytest.raises(DamagedFile, match="'broken' are not finite"):
        load_model(path, card, device=torch.device("cpu"))
    save_weights(path, state)
    load_model(path, card, device=torch.device("cpu"))
    with pytest.raises(DamagedFile, match="do not fit the card"):
        load_model(path, card | {"n_features": 7}, device=torch.device("cpu"))
    for wrong in ({}, {"settings": card["settings"]}, card | {"n_features": "six"}, card | {"n_features": 10**30}):
        with pytest.raises(SettingsError, match="card"):
            load_model(path, wrong, device=torch.device("cpu"))
