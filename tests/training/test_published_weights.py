"""Checkpoints with the published keys and shapes: their forward pass in plain NumPy, and files that are refused.

The oracle follows dcrnn.md, sections 4 and 5, alone: it reads the published names and layout, not ours.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoint_files import as_published, imported, listed, made_up, saved

from pipeline.graphs.supports import random_walks, scaled_laplacian
from pipeline.settings.training import FitSettings
from pipeline.stages.command import StageError
from pipeline.stages.import_weights import length_in, write
from pipeline.store import read_json, write_json
from pipeline.training import job
from pipeline.training.imported_card import differences
from pipeline.training.model_io import build_model, load_model, load_weights
from pipeline.training.published_card import published_settings
from pipeline.training.published_weights import (
    TABLE,
    read_checkpoint,
)
from pipeline.training.start import UnfitWeights, start_from_encoder

ROOT = Path(__file__).parents[2]
SPECIFICATION = ROOT.parent / "shared" / "spec" / "published_checkpoints.csv"
KINDS = [(graph, length_s) for graph in ("distance", "correlation") for length_s in (12, 60)]
PARAMETERS = {"distance": 417_572, "correlation": 690_980}  # dcrnn.md, section 5
N, HORIZON = 19, 12


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


def started(settings: FitSettings, **changes: object) -> FitSettings:
    """A detection run from an imported encoder."""
    start = {"init": "imported", "corpus": None, "run": None}
    return FitSettings.model_validate(settings.model_dump() | {"task": "detection", "start": start} | changes)


def test_card_and_run_must_agree(tmp_path: Path) -> None:
    published = read_checkpoint(saved(tmp_path, made_up("correlation")))
    write(tmp_path / "corr", published, 12, file=tmp_path / "made_up_12s.pth.tar")
    path, settings = tmp_path / "corr" / "encoder.safetensors", published_settings(published, 12)
    model = build_model(started(settings), n_features=100)
    for name in start_from_encoder(model, path, started(settings)):
        assert torch.equal(model.state_dict()[name], published.weights[name])
    powers = settings.options | {"diffusion_recursion": "powers"}
    for changes, named in (
        ({"length_s": 60}, "clip length: 12 of the encoder, 60 of the run"),
        ({"graph": "distance", "options": powers}, "graph: 'correlation'"),
        ({"options": powers}, "compat.diffusion_recursion: 'published' of the encoder, 'powers'"),
        ({"electrodes": settings.electrodes[::-1]}, "electrodes"),
        ({"features": {"kind": "time", "floor_amplitude": 1e-8}}, "features: 'fft'"),
    ):
        with pytest.raises(UnfitWeights, match=named):
            start_from_encoder(model, path, started(settings, **changes))
    (tmp_path / "corr" / "card.json").unlink()
    with pytest.raises(UnfitWeights, match=r"card\.json"):
        start_from_encoder(model, path, started(settings))
    assert differences(path, started(settings)) != []


def test_a_card_of_another_form_is_a_sentence_and_not_a_traceback(tmp_path: Path) -> None:
    published = read_checkpoint(saved(tmp_path, made_up("correlation")))
    write(tmp_path, published, 12, file=tmp_path / "made_up_12s.pth.tar")
    path, run = tmp_path / "encoder.safetensors", started(published_settings(published, 12))
    card = read_json(tmp_path / "card.json")
    assert differences(path, run) == []
    for changed, named in (
        ({"settings": [1]}, "features: None"),
        ({"settings": {"features": None, "options": None}}, "compat.diffusion_recursion: None"),
        ({"settings": {"features": [], "options": "published"}}, "features: None"),
        ({"electrodes": "x" * 10_000}, "electrodes: 'xxx"),
    ):
        write_json(tmp_path / "card.json", card | changed)
        found = "; ".join(differences(path, run))
        assert named in found
        assert len(found) < 1000
    for other in ([1], None, 3):
        (tmp_path / "card.json").write_text(json.dumps(other))
        assert "not of `import_weights`" in differences(path, run)[0]


def test_an_encoder_trained_here_is_not_imported(tmp_path: Path) -> None:
    """By `init: imported` it would come past check_source, the proof that it saw no test patient."""
    published = read_checkpoint(saved(tmp_path, made_up("distance")))
    write(tmp_path, published, 12, file=tmp_path / "made_up_12s.pth.tar")
    path, run = tmp_path / "encoder.safetensors", started(published_settings(published, 12))
    card = read_json(tmp_path / "card.json")
    for changed in ({key: card[key] for key in card if key != "imported"}, card | {"imported": True}):
        write_json(tmp_path / "card.json", changed)
        with pytest.raises(UnfitWeights, match="init: ssl with source"):
            start_from_encoder(build_model(run, n_features=100), path, run)


def test_a_start_from_published_weights_says_whom_they_have_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    published = read_checkpoint(saved(tmp_path, made_up("distance")))
    write(tmp_path, published, 12, file=tmp_path / "made_up_12s.pth.tar")
    run = started(published_settings(published, 12))
    inputs = job.Inputs((), (), (), tmp_path / "scaler.json", tmp_path / "encoder.safetensors")
    monkeypatch.setattr(job.LOGGER, "propagate", True)
    for settings, warned in ((run, True), (run.model_copy(update={"start": None}), False)):
        caplog.clear()
        job._start(build_model(settings, n_features=100), inputs, settings, n_features=100, zero=0.0)
        assert ("official train: of TUSZ v1.5.2" in caplog.text) == warned


def test_recursion_is_no_matter_with_one_support(tmp_path: Path) -> None:
    published = read_checkpoint(saved(tmp_path, made_up("distance")))
    write(tmp_path / "dist", published, 12, file=tmp_path / "made_up_12s.pth.tar")
    settings = published_settings(published, 12)
    for recursion in ("powers", "published"):
        run = started(settings, options=settings.options | {"diffusion_recursion": recursion})
        assert differences(tmp_path / "dist" / "encoder.safetensors", run) == []


def test_length_from_the_name() -> None:
    assert length_in("pretrained_correlation_graph_60s.pth.tar") == 60
    for name in ("best.pth.tar", "12s_60s.pth", "model_30s.pth", "112.pth", "12seizures.pth"):
        with pytest.raises(StageError, match="--length-s"):
            length_in(name)


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    path = saved(tmp_path, made_up("distance"))
    for name in ("one", "two"):
        assert imported(tmp_path / name, path, "--length-s", "60").returncode == 0
    for name in ("encoder.safetensors", "card.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    card = read_json(tmp_path / "one" / "card.json")
    assert (card["length_s"], card["scaler"]["mean"]) == (60, 3.808307)
    assert load_weights(tmp_path / "one" / "encoder.safetensors").keys() == read_checkpoint(path).weights.keys()
