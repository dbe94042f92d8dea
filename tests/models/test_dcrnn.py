"""The DCRNN against plain NumPy loops, published parameter counts, and the invariants of a graph recurrence."""

import numpy as np
import pytest
import torch

from pipeline.graphs.distance import distance_weights
from pipeline.models import dcrnn
from pipeline.settings.model_dcrnn import InitSettings, ModelSettings

ELECTRODES = (
    "FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T3", "T4", "T5", "T6", "FZ", "CZ", "PZ",
)  # fmt: skip
PUBLISHED = ModelSettings(
    units=64, layers=2, pretraining_layers=3, diffusion_steps=2, decoder_tied=True, init=InitSettings(gate_bias=0.0),
    diffusion_recursion="powers",
)  # fmt: skip
SMALL = PUBLISHED.model_copy(update={"units": 5})
N, F = 19, 7


def graph_supports(graph: str, clips: int, rng: np.random.Generator) -> torch.Tensor:
    """(p, n, n) of the distance graph, or (clips, 2, n, n) of random directed graphs."""
    if graph == "distance":
        return torch.from_numpy(dcrnn.supports(distance_weights(ELECTRODES, kappa=0.9), graph, SMALL))
    weights = rng.random((clips, N, N)) * (rng.random((clips, N, N)) < 0.2) + np.eye(N)
    return torch.from_numpy(dcrnn.supports(weights, graph, SMALL))


def model_for(graph: str, *, n_classes: int = 3, gate_bias: float = 0.3, **changes: object) -> dcrnn.Classifier:
    settings = SMALL.model_copy(update={"init": InitSettings(gate_bias=gate_bias), **changes})
    n_supports = 1 if graph == "distance" else 2
    return dcrnn.Classifier(settings, n_features=F, n_classes=n_classes, n_supports=n_supports, dropout=0.0).eval()


def plain_terms(S: np.ndarray, x: np.ndarray, recursion: str) -> list[np.ndarray]:
    """Terms of one diffusion convolution as section 4 of the specification writes them; S (p, n, n), x (n, d)."""
    if len(S) == 1:
        return [x, S[0] @ x, 2 * S[0] @ (S[0] @ x) - x]
    terms, base = [x], x
    for one in S:
        first = one @ base
        second = one @ first if recursion == "powers" else 2 * one @ first - base
        terms += [first, second]
        base = first if recursion == "published" else x
    return terms


def plain_gconv(S, x, h, weight, bias, recursion):
    """Weight row feature * m + term, input features first: a loop over electrodes, features and terms."""
    terms = plain_terms(S, np.concatenate([x, h], axis=1), recursion)
    out = np.tile(bias, (len(x), 1))
    for node in range(len(x)):
        for feature in range(terms[0].shape[1]):
            for k, term in enumerate(terms):
                out[node] += term[node, feature] * weight[feature * len(terms) + k]
    return out


def plain_classifier(model: dcrnn.Classifier, x, length: int, S, recursion: str) -> np.ndarray:
    """Logits of one clip x (t, n, f) in float64."""
    sequence = list(x[:length].astype(np.float64))
    state = {name: value.detach().numpy().astype(np.float64) for name, value in model.state_dict().items()}
    for depth in range(2):
        gate, candidate = f"encoder.layers.{depth}.gate", f"encoder.layers.{depth}.candidate"
        h, states = np.zeros((N, 5)), []
        for second in sequence:
            gates = plain_gconv(S, second, h, state[f"{gate}.weight"], state[f"{gate}.bias"], recursion)
            r, u = np.split(1 / (1 + np.exp(-gates)), 2, axis=1)
            c = np.tanh(
                plain_gconv(S, second, r * h, state[f"{candidate}.weight"], state[f"{candidate}.bias"], recursion)
            )
            h = u * h + (1 - u) * c
            states.append(h)
        sequence = states
    return (np.maximum(sequence[-1], 0) @ state["linear.weight"].T + state["linear.bias"]).max(axis=0)


@pytest.mark.parametrize(
    ("graph", "recursion"),
    [("distance", "powers"), ("correlation", "powers"), ("correlation", "chebyshev"), ("correlation", "published")],
)
def test_forward_equals_plain_loop(graph: str, recursion: str) -> None:
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    model = model_for(graph, diffusion_recursion=recursion)
    S = graph_supports(graph, 2, rng)
    x, lengths = rng.normal(size=(2, 4, N, F)).astype(np.float32), [4, 3]
    found = model(torch.from_numpy(x), torch.tensor(lengths), S).detach().numpy()
    for clip in range(2):
        own = (S if graph == "distance" else S[clip]).numpy().astype(np.float64)
        expected = plain_classifier(model, x[clip], lengths[clip], own, recursion)
        np.testing.assert_allclose(found[clip], expected, atol=1e-6)


@pytest.mark.parametrize(("n_supports", "expected"), [(1, 491_492), (2, 814_052)])
def test_untied_decoder_counts(n_supports: int, expected: int) -> None:
    untied = PUBLISHED.model_copy(update={"decoder_tied": False})
    model = dcrnn.forecaster(untied, n_features=100, n_supports=n_supports)
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


@pytest.mark.parametrize("graph", ["distance", "correlation"])
def test_gradients_equal_finite_differences(graph: str) -> None:
    rng = np.random.default_rng(1)
    operator = dcrnn.diffusion_operator(graph_supports(graph, 2, rng).double(), steps=2, recursion="powers")
    m, (b, t, h) = operator.shape[-2] // N, (2, 3, 2)
    draw = lambda *shape: torch.from_numpy(rng.normal(size=shape)).requires_grad_()  # noqa: E731
    state = (draw(t, b, N, 3 * h), draw(b, N, h), operator, draw(m * h, 2 * h), draw(m * h, h))
    assert torch.autograd.gradcheck(dcrnn._Scan.apply, state, fast_mode=True)
    assert torch.autograd.gradcheck(dcrnn._Diffusion.apply, (draw(t, b, N, 2), operator), fast_mode=True)


def test_xavier_and_gate_bias() -> None:
    torch.manual_seed(0)
    model = dcrnn.Classifier(
        PUBLISHED.model_copy(update={"init": InitSettings(gate_bias=2.0)}),
        n_features=100, n_classes=1, n_supports=1, dropout=0.0,
    )  # fmt: skip
    layer = model.encoder.stack()[0]
    assert layer.gate.weight.shape == (492, 128)
    expected = 1.414 * np.sqrt(2 / (492 + 128))
    assert float(layer.gate.weight.detach().std()) == pytest.approx(expected, rel=0.02)
    assert (layer.gate.bias == 2).all()
    assert (layer.candidate.bias == 0).all()


@pytest.mark.parametrize("graph", ["distance", "correlation"])
def test_permuting_electrodes_and_graph_changes_nothing(graph: str) -> None:
    rng = np.random.default_rng(2)
    model, S = model_for(graph), graph_supports(graph, 3, rng)
    x, lengths = torch.from_numpy(rng.normal(size=(3, 5, N, F)).astype(np.float32)), torch.tensor([5, 4, 5])
    order = torch.from_numpy(rng.permutation(N))
    permuted = model(x[:, :, order], lengths, S[..., order[:, None], order[None, :]])
    torch.testing.assert_close(permuted, model(x, lengths, S), atol=2e-6, rtol=0)
    assert not torch.allclose(model(x[:, :, order], lengths, S), model(x, lengths, S), atol=1e-4)


@pytest.mark.parametrize("graph", ["distance", "correlation"])
def test_padding_changes_nothing(graph: str) -> None:
    rng = np.random.default_rng(3)
    model, S = model_for(graph), graph_supports(graph, 2, rng)
    x, lengths = torch.from_numpy(rng.normal(size=(2, 20, N, F)).astype(np.float32)), torch.tensor([6, 14])
    longer, other = x.clone(), x.clone()
    longer[0, 6:], longer[1, 14:] = 0.0, 0.0
    other[0, 6:], other[1, 14:] = 7.0, -3.0
    torch.testing.assert_close(model(longer, lengths, S), model(other, lengths, S), atol=0, rtol=0)
    torch.testing.assert_close(model(x[:, :14], lengths, S), model(x, lengths, S), atol=1e-6, rtol=0)


def test_states_are_causal() -> None:
    rng = np.random.default_rng(4)
    model, S = model_for("distance"), graph_supports("distance", 1, rng)
    operator = model.operator(S)
    x = torch.from_numpy(rng.normal(size=(1, 15, N, F)).astype(np.float32))
    later = x.clone()
    later[:, 9:] += 1.0
    for before, after in zip(model.encode(x, operator), model.encode(later, operator), strict=True):
        torch.testing.assert_close(before[:9], after[:9], atol=0, rtol=0)
        assert not torch.allclose(before[9:], after[9:], atol=1e-3)


@pytest.mark.parametrize("graph", ["distance", "correlation"])
def test_resuming_from_shared_states_equals_the_whole_forward(graph: str) -> None:
    """Occlusion's way: every electrode of second 8 hidden in turn, seconds before shared, later inputs shared."""
    rng = np.random.default_rng(5)
    model, S = model_for(graph), graph_supports(graph, 1, rng)
    x, hidden_s = torch.from_numpy(rng.normal(size=(1, 15, N, F)).astype(np.float32)), 8
    with torch.no_grad():
        operator = model.operator(S)
        states, inputs = model.encode(x, operator), model.first_inputs(x, operator)
        hidden = x[:, hidden_s : hidden_s + 1].repeat(N, 1, 1, 1)
        hidden[torch.arange(N), 0, torch.arange(N)] = 0.0
        many = operator.expand(N, *operator.shape[-2:]) if graph == "correlation" else operator
        changed = model.first_inputs(hidden, many)
        rest = torch.cat([changed, inputs[hidden_s + 1 :].expand(-1, N, -1, -1)])
        start = [layer[hidden_s - 1].expand(N, -1, -1) for layer in states]
        step = model.stepper(many)
        for second in rest:
            start = step(second[None], start)
        found = model.head(start[-1])
        for electrode in range(N):
            whole = x.clone()
            whole[0, hidden_s, electrode] = 0.0
            expected = model(whole, torch.tensor([15]), S)[0]
            torch.testing.assert_close(found[electrode], expected, atol=1e-6, rtol=0)


def test_inference_equals_training_forward() -> None:
    rng = np.random.default_rng(6)
    model, S = model_for("correlation"), graph_supports("correlation", 2, rng)
    x, lengths = torch.from_numpy(rng.normal(size=(2, 14, N, F)).astype(np.float32)), torch.tensor([14, 14])
    with torch.no_grad():
        quiet = model(x, lengths, S)
    torch.testing.assert_close(quiet, model(x, lengths, S).detach(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("tied", [True, False])
def test_forecaster_feeds_back_its_own_output(tied: bool) -> None:
    """The first seconds of a long forecast are the short forecast, and each second depends on the one before."""
    rng = np.random.default_rng(7)
    torch.manual_seed(1)
    settings = SMALL.model_copy(update={"decoder_tied": tied})
    model = dcrnn.forecaster(settings, n_features=F, n_supports=1)
    S, lengths = graph_supports("distance", 1, rng), torch.tensor([4, 4])
    x = torch.from_numpy(rng.normal(size=(2, 4, N, F)).astype(np.float32))
    short, long = model(x, lengths, S, 2), model(x, lengths, S, 5)
    assert long.shape == (2, 5, N, F)
    torch.testing.assert_close(short, long[:, :2], atol=1e-6, rtol=0)
    with torch.no_grad():
        model.projection.bias += 0.5
    moved = model(x, lengths, S, 5)
    torch.testing.assert_close(moved[:, 0], long[:, 0] + 0.5, atol=1e-6, rtol=0)
    assert not torch.allclose(moved[:, 1], long[:, 1] + 0.5, atol=1e-3)
    assert (len(model.decoder) == 2) is tied


def test_transfer_copies_two_layers_and_leaves_the_head() -> None:
    source = dcrnn.forecaster(SMALL, n_features=F, n_supports=1)
    model = model_for("distance")
    head = model.linear.weight.detach().clone()
    names = dcrnn.transfer(model, source.state_dict())
    assert len(names) == 8
    for depth in (0, 1):
        own, given = model.encoder.stack()[depth], source.encoder.stack()[depth]
        assert all(torch.equal(a, b) for a, b in zip(own.parameters(), given.parameters(), strict=True))
    assert torch.equal(model.linear.weight, head)
    wider = dcrnn.forecaster(PUBLISHED, n_features=F, n_supports=1)
    with pytest.raises(ValueError, match="does not fit"):
        dcrnn.transfer(model, wider.state_dict())
