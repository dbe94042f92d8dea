"""Checkpoints with the published keys and shapes: their forward pass in plain NumPy, and files that are refused.

The oracle follows dcrnn.md, sections 4 and 5, alone: it reads the published names and layout, not ours.
"""

import csv
import io
import os
import pickle
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.graphs.supports import random_walks, scaled_laplacian
from pipeline.settings.training import FitSettings
from pipeline.stages.command import StageError
from pipeline.stages.import_weights import length_in
from pipeline.store import read_json
from pipeline.training.model_io import build_model, load_model, load_weights
from pipeline.training.published_card import UnfitEncoder, check_start, published_card, published_settings
from pipeline.training.published_weights import (
    MAX_BYTES,
    TABLE,
    Published,
    RefusedCheckpoint,
    published_shapes,
    read_checkpoint,
)

ROOT = Path(__file__).parents[2]
SPECIFICATION = ROOT.parent / "shared" / "spec" / "published_checkpoints.csv"
KINDS = [(graph, length_s) for graph in ("distance", "correlation") for length_s in (12, 60)]
PARAMETERS = {"distance": 417_572, "correlation": 690_980}  # dcrnn.md, section 5
N, HORIZON = 19, 12


def listed(graph: str, length_s: int) -> dict[str, list[int]]:
    """Key and shape of one published file."""
    with TABLE.open(newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return {
        row["key"]: [int(size) for size in row["shape"].split("x")]
        for row in rows
        if (row["graph"], row["clip_s"]) == (graph, str(length_s))
    }


def made_up(graph: str, length_s: int = 12, *, tied: bool = True) -> dict[str, torch.Tensor]:
    """A state dict with the published keys and shapes and random values; layers 2 and 3 of the decoder are one."""
    rng = np.random.default_rng(length_s)
    state = {
        key: torch.from_numpy(rng.normal(0, 0.08, shape).astype(np.float32))
        for key, shape in listed(graph, length_s).items()
    }
    if tied:
        state |= {key: state[key.replace("cells.2", "cells.1")] for key in state if "decoding_cells.2" in key}
    return state


def saved(folder: Path, content: object, name: str = "made_up_12s.pth.tar", **options: object) -> Path:
    path = folder / name
    torch.save(content, path, **options)
    return path


def as_published(state: dict[str, torch.Tensor]) -> dict[str, object]:
    """What the published code saves beside the weights."""
    optimiser = {
        "state": {0: {"step": 3, "exp_avg": torch.zeros(2)}},
        "param_groups": [{"lr": 5e-4, "betas": (0.9, 0.999), "params": [0]}],
    }
    return {"epoch": 7, "model_state": state, "optimizer_state": optimiser}


# The oracle: section 4 and 5 of the specification, in loops


def supports_of(graph: str, rng: np.random.Generator) -> np.ndarray:
    """(p, n, n) of a random graph by section 4, written out."""
    W = rng.random((N, N)) * (rng.random((N, N)) < 0.3) + np.eye(N)
    if graph == "distance":
        A = np.maximum(W, W.T)
        root = np.diag(A.sum(1) ** -0.5)
        laplacian = np.eye(N) - root @ A @ root
        return (2 / np.linalg.eigvalsh(laplacian)[-1] * laplacian - np.eye(N))[None]
    return np.stack([(np.diag(1 / W.sum(1)) @ W).T, (np.diag(1 / W.sum(0)) @ W.T).T])


def terms(S: np.ndarray, x: np.ndarray) -> list[np.ndarray]:
    """[x, S0 x, 2 S0 S0 x - x] and, chained as published (D10), [S1 S0 x, 2 S1 S1 S0 x - S0 x]."""
    first = S[0] @ x
    found = [x, first, 2 * S[0] @ first - x]
    if len(S) == 2:
        second = S[1] @ first
        found += [second, 2 * S[1] @ second - first]
    return found


def gconv(S: np.ndarray, x: np.ndarray, h: np.ndarray, state: dict, name: str) -> np.ndarray:
    """Concatenated terms of [x; h] times the weight, whose row is feature * m + term, plus the bias."""
    found = np.stack(terms(S, np.concatenate([x, h], axis=1)), axis=-1)  # n feature term
    return found.reshape(N, -1) @ state[f"{name}.weight"] + state[f"{name}.biases"]


def cell(S: np.ndarray, x: np.ndarray, h: np.ndarray, state: dict, name: str) -> np.ndarray:
    r, u = np.split(1 / (1 + np.exp(-gconv(S, x, h, state, f"{name}.dconv_gate"))), 2, axis=1)
    return u * h + (1 - u) * np.tanh(gconv(S, x, r * h, state, f"{name}.dconv_candidate"))


def forecast(S: np.ndarray, x: np.ndarray, state: dict) -> tuple[list[np.ndarray], np.ndarray]:
    """Final encoder states and the 12 predicted seconds (t, n, f) of one clip x (t, n, f), in float64."""
    states, sequence = [], list(x)
    for depth in range(3):
        h = np.zeros((N, 64))
        sequence = [h := cell(S, second, h, state, f"encoder.encoding_cells.{depth}") for second in sequence]
        states.append(h)
    final, second, predicted = list(states), np.zeros((N, 100)), []
    for _ in range(HORIZON):
        below = second
        for depth in range(3):
            states[depth] = below = cell(S, below, states[depth], state, f"decoder.decoding_cells.{depth}")
        second = below @ state["decoder.projection_layer.weight"].T + state["decoder.projection_layer.bias"]
        predicted.append(second)
    return final, np.stack(predicted)


def imported(folder: Path, file: Path, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pipeline.stages.import_weights", str(file), "--out", str(folder), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(("graph", "length_s"), KINDS)
def test_imported_forward_pass_equals_numpy(tmp_path: Path, graph: str, length_s: int) -> None:
    state = made_up(graph, length_s)
    done = imported(tmp_path / "out", saved(tmp_path, as_published(state), f"pretrained_{graph}_graph_{length_s}s.pth"))
    assert done.returncode == 0, done.stderr
    card = read_json(tmp_path / "out" / "card.json")
    model, settings = load_model(tmp_path / "out" / "encoder.safetensors", card, device=torch.device("cpu"))
    assert (card["graph"], card["length_s"], settings.graph, settings.length_s) == (graph, length_s) * 2
    assert card["parameters"] == sum(value.numel() for value in model.parameters()) == PARAMETERS[graph]

    rng = np.random.default_rng(5)
    S, x = supports_of(graph, rng), rng.normal(size=(length_s, N, 100))
    plain = {key: value.numpy().astype(np.float64) for key, value in state.items()}
    states, expected = forecast(S, x, plain)
    given = torch.from_numpy(x.astype(np.float32))[None], torch.from_numpy(S.astype(np.float32))
    with torch.no_grad():
        encoded = model.encoder(given[0], model.encoder.operator(given[1]))
        found = model(given[0], torch.tensor([length_s]), given[1], HORIZON)
    for own, theirs in zip(encoded, states, strict=True):
        np.testing.assert_allclose(own[-1, 0].numpy(), theirs, atol=1e-5)
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-5)
    assert np.abs(expected).max() > 0.1  # of a size that 1e-5 says something about


def test_correlation_needs_the_published_recursion(tmp_path: Path) -> None:
    """The oracle is far from what the same weights give by powers: the switch in the card is needed."""
    published = read_checkpoint(saved(tmp_path, made_up("correlation")))
    settings = published_settings(published, 12)
    rng = np.random.default_rng(5)
    S, x = torch.from_numpy(supports_of("correlation", rng).astype(np.float32)), torch.from_numpy(
        rng.normal(size=(1, 12, N, 100)).astype(np.float32)
    )  # fmt: skip
    outputs = []
    for recursion in ("published", "powers"):
        options = settings.options | {"diffusion_recursion": recursion}
        model = build_model(settings.model_copy(update={"options": options}), n_features=100)
        model.load_state_dict(published.weights)
        outputs.append(model(x, torch.tensor([12]), S, HORIZON))
    assert float((outputs[0] - outputs[1]).detach().abs().max()) > 1e-2


def test_supports_are_those_of_the_product() -> None:
    """The oracle's supports, of a random graph, are what the product computes."""
    for graph, ours in (("distance", scaled_laplacian), ("correlation", random_walks)):
        rng = np.random.default_rng(3)
        expected = supports_of(graph, rng)
        rng = np.random.default_rng(3)
        W = rng.random((N, N)) * (rng.random((N, N)) < 0.3) + np.eye(N)
        np.testing.assert_allclose(ours(W), expected, atol=1e-12)


def test_table_is_the_specification_s() -> None:
    if not SPECIFICATION.is_file():
        pytest.skip("the specification is not beside this checkout")
    own = [line for line in TABLE.read_text().splitlines() if not line.startswith("#")]
    assert own == SPECIFICATION.read_text().splitlines()
    assert all(listed(graph, 12) == listed(graph, 60) for graph in ("distance", "correlation"))


@pytest.mark.parametrize("key", ["model_state", "state_dict", None])
@pytest.mark.parametrize("zipped", [True, False])
def test_usual_ways_to_save_are_read(tmp_path: Path, key: str | None, zipped: bool) -> None:
    state = made_up("distance")
    path = saved(tmp_path, {key: state} if key else state, _use_new_zipfile_serialization=zipped)
    assert read_checkpoint(path).weights.keys() == read_checkpoint(saved(tmp_path, state)).weights.keys()


def test_untied_decoder_keeps_its_layers_apart(tmp_path: Path) -> None:
    published = read_checkpoint(saved(tmp_path, made_up("distance", tied=False)))
    assert not published.tied
    assert sum(value.numel() for value in published.weights.values()) == 491_492  # dcrnn.md, section 5
    model = build_model(published_settings(published, 12), n_features=100)
    model.load_state_dict(published.weights)


def test_a_run_starts_from_it_as_from_our_own(tmp_path: Path) -> None:
    from pipeline.models import dcrnn

    published = read_checkpoint(saved(tmp_path, made_up("correlation")))
    settings = published_settings(published, 12).model_copy(update={"task": "detection"})
    model = build_model(settings, n_features=100)
    assert sum(value.numel() for value in model.parameters()) == 280_769
    copied = dcrnn.transfer(model, published.weights)
    assert len(copied) == 8
    for name in copied:
        assert torch.equal(model.state_dict()[name], published.weights[name])


def test_card_and_run_must_agree() -> None:
    settings = published_settings(Published("correlation", True, {}), 12)
    card = published_card(Published("correlation", True, {}), 12, file_name="x", digest="0")
    check_start(card, settings, where="here")
    powers = settings.options | {"diffusion_recursion": "powers"}
    for changes, named in (
        ({"length_s": 60}, "clip length"),
        ({"graph": "distance", "options": powers}, "graph"),
        ({"options": powers}, "diffusion_recursion"),
        ({"electrodes": settings.electrodes[::-1]}, "electrodes"),
    ):
        with pytest.raises(UnfitEncoder, match=named):
            check_start(card, FitSettings.model_validate(settings.model_dump() | changes), where="here")
    distance = published_card(Published("distance", True, {}), 12, file_name="x", digest="0")
    wanted = settings.model_dump() | {"graph": "distance", "options": powers}
    check_start(distance, FitSettings.model_validate(wanted), where="here")  # one support: the switch is no matter


def test_length_from_the_name() -> None:
    assert length_in("pretrained_correlation_graph_60s.pth.tar") == 60
    for name in ("best.pth.tar", "12s_60s.pth", "model_30s.pth", "112.pth", "12seizures.pth"):
        with pytest.raises(StageError, match="--length-s"):
            length_in(name)


# Files that are refused


class Payload:
    """Unpickled, it leaves a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def with_payload(folder: Path, trace: Path) -> list[Path]:
    content = as_published(made_up("distance")) | {"best": Payload(trace)}
    zipped = saved(folder, content, "payload.pth")
    legacy = saved(folder, content, "old.pth", _use_new_zipfile_serialization=False)
    plain = folder / "plain.pth"
    plain.write_bytes(pickle.dumps(Payload(trace)))
    return [zipped, legacy, plain]


def test_code_in_a_file_is_refused_by_name_and_does_nothing(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    for path in with_payload(tmp_path, trace):
        with pytest.raises(RefusedCheckpoint, match=r"mkdir|STACK_GLOBAL"):
            read_checkpoint(path)
        assert not trace.exists()
    torch.load(path.parent / "payload.pth", weights_only=False)
    assert trace.exists()  # the payload works where somebody unpickles it


def changed(**changes: object) -> dict[str, object]:
    """The distance checkpoint with some weights replaced; None removes one."""
    state = dict(made_up("distance")) | changes
    return {key: value for key, value in state.items() if value is not None}


GATE, BIAS = "encoder.encoding_cells.0.dconv_gate.weight", "decoder.projection_layer.bias"
NAN = torch.full((100,), float("nan"))
WRONG = {
    "a missing key": (changed(**{BIAS: None}), re.escape(BIAS)),
    "an unknown key": (changed(extra=torch.zeros(3)), "extra"),
    "other keys": ({"fc.weight": torch.zeros(3, 3)}, "lacks .* more"),
    "a wrong first shape": (changed(**{GATE: torch.zeros(491, 128)}), r"dconv_gate.*\(491, 128\).*492.*820"),
    "rows of the other graph": (changed(**{GATE: torch.zeros(820, 128)}), "dconv_gate.biases|candidate.weight"),
    "a wrong shape": (changed(**{BIAS: torch.zeros(99)}), r"bias: \(99,\)"),
    "a transposed weight": (changed(**{GATE: torch.zeros(128, 492)}), r"\(128, 492\)"),
    "another dtype": (changed(**{BIAS: torch.zeros(100, dtype=torch.float64)}), "float64"),
    "whole numbers": (changed(**{BIAS: torch.zeros(100, dtype=torch.int64)}), "int64"),
    "no number": (changed(**{BIAS: NAN}), f"{re.escape(BIAS)}.*not finite"),
    "infinity": (changed(**{BIAS: NAN.nan_to_num(nan=float("inf"))}), "not finite"),
    "text for a weight": (changed(**{BIAS: "zeros"}), "a str"),
    "a list": ([1, 2], "one list"),
    "a tensor alone": (torch.zeros(3), "one Tensor"),
    "keys that are numbers": ({1: torch.zeros(3)}, "lacks"),
    "a whole network": (torch.nn.Linear(2, 2), "torch.nn"),
    "a sparse weight": (changed(**{BIAS: torch.zeros(100).to_sparse()}), "_rebuild_sparse_tensor"),
}


@pytest.mark.parametrize("kind", list(WRONG))
def test_wrong_content_is_refused_with_the_key(tmp_path: Path, kind: str) -> None:
    content, reason = WRONG[kind]
    with pytest.raises(RefusedCheckpoint, match=reason):
        read_checkpoint(saved(tmp_path, content))


def zip_of(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def claims(size: tuple[int, ...], stride: tuple[int, ...], numel: int) -> bytes:
    """A pickle of the protocol that torch writes: one float tensor of a claimed size on a storage of one number."""
    out = io.BytesIO()

    def number(value: int) -> bytes:
        return b"\x8a\x08" + struct.pack("<q", value)  # LONG1

    def several(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(map(number, values)) + b"t"

    out.write(b"\x80\x02}X\x01\x00\x00\x00xctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage")
    out.write(b"ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu" + number(numel) + b"tQK\x00")
    out.write(several(size) + several(stride) + b"\x89ccollections\nOrderedDict\n)RtRs.")
    return out.getvalue()


def test_broken_and_hostile_files_are_refused(tmp_path: Path) -> None:
    good = saved(tmp_path, as_published(made_up("distance"))).read_bytes()
    big = tmp_path / "big.pth"
    with big.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "text.pth").write_text("epoch,loss\n1,0.5\n")
    (tmp_path / "page.pth").write_text("<html>404</html>")
    (tmp_path / "half.pth").write_bytes(good[: len(good) // 2])
    os.mkfifo(tmp_path / "pipe.pth")
    nothing = {"a/data.pkl": b"\x80\x02}.", "a/version": b"3\n"}
    bomb = zip_of(tmp_path / "bomb.pth", nothing | {"a/data/0": bytes(MAX_BYTES)}, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 1 << 20
    small = zip_of(tmp_path / "deflated.pth", nothing, zipfile.ZIP_DEFLATED)
    many = zip_of(tmp_path / "many.pth", {f"a/data/{k}": b"" for k in range(10_001)})
    for path, reason in (
        (big, "64 MiB"), (tmp_path / "empty.pth", "no checkpoint"), (tmp_path / "text.pth", "no checkpoint|calls"),
        (tmp_path / "page.pth", "no checkpoint"), (tmp_path / "half.pth", "no checkpoint"), (tmp_path, "no such file"),
        (tmp_path / "absent.pth", "no such file"), (tmp_path / "pipe.pth", "no such file"), (bomb, "unpacked above"),
        (small, "compressed"), (many, "10001 entries"),
    ):  # fmt: skip
        with pytest.raises(RefusedCheckpoint, match=reason) as caught:
            read_checkpoint(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("size", "stride", "numel"),
    [((10**7, 10**7), (10**7, 1), 1), ((10**6, 10**6), (0, 0), 1), ((2**62,), (1,), 2**62), ((4,), (1,), 10**12)],
)
def test_a_claimed_size_costs_nothing(tmp_path: Path, size, stride, numel) -> None:
    """Sizes that the file does not hold: refused, with less than 64 MiB of memory touched."""
    entries = {
        "a/data.pkl": claims(size, stride, numel),
        "a/data/0": bytes(4),
        "a/version": b"3\n",
        "a/byteorder": b"little",
    }
    path = zip_of(tmp_path / "claim.pth", entries)
    before = resident_bytes()
    with pytest.raises(RefusedCheckpoint, match=r"no checkpoint|lacks"):
        read_checkpoint(path)
    assert resident_bytes() - before < 64 << 20


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_flipped_bytes_are_refused_or_still_fit(tmp_path: Path) -> None:
    """Seeded damage to the pickle and the table of entries: a typed refusal, or weights that pass every check."""
    whole = read_checkpoint(saved(tmp_path, made_up("distance"))).weights
    for zipped in (True, False):
        refused = 0
        good = saved(tmp_path, made_up("distance"), _use_new_zipfile_serialization=zipped).read_bytes()
        rng = np.random.default_rng(0)
        spots = [*range(0, 6000), *range(len(good) - 4000, len(good))]
        for _ in range(150):
            data = bytearray(good)
            for at in rng.choice(spots, rng.integers(1, 4), replace=False):
                data[at] = rng.integers(256)
            path = tmp_path / "damaged.pth"
            path.write_bytes(data)
            try:
                found = read_checkpoint(path)
            except RefusedCheckpoint:
                refused += 1
                continue
            assert all(value.shape == found.weights[name].shape for name, value in whole.items())
            assert all(bool(torch.isfinite(value).all()) for value in found.weights.values())
        assert refused > 20


def test_the_stage_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    done = imported(tmp_path / "out", saved(tmp_path, WRONG["a wrong shape"][0]))
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "decoder.projection_layer.bias" in done.stderr
    assert not (tmp_path / "out").exists()
    assert len(published_shapes()["distance"]) == 26


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    path = saved(tmp_path, made_up("distance"))
    for name in ("one", "two"):
        assert imported(tmp_path / name, path, "--length-s", "60").returncode == 0
    for name in ("encoder.safetensors", "card.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    card = read_json(tmp_path / "one" / "card.json")
    assert (card["length_s"], card["scaler"]["mean"]) == (60, 3.808307)
    assert load_weights(tmp_path / "one" / "encoder.safetensors").keys() == read_checkpoint(path).weights.keys()
