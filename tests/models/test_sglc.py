"""SGLC against plain loops, its prior graphs, penalties, options and settings (specification sglc.md)."""

from typing import Any

import numpy as np
import pytest
import torch
from sglc_oracle import PUBLISHED, classify, corrected_prior, encode, forecast, published_prior, settings

from pipeline.graphs.correlation import correlation_weights
from pipeline.models import sglc
from pipeline.models._sglc_learner import CorrectedLearner, Prepared
from pipeline.settings.base import SettingsError, parse_section
from pipeline.settings.features import GraphSettings
from pipeline.settings.model_sglc import ModelConfig, ModelSettings, unread

N, F, T = 6, 7, 4
LENGTHS = [4, 2, 3]
OPTIONS: list[dict[str, Any]] = [
    {},
    PUBLISHED,
    {"support": "prior"},
    {"sparsify": "eps", "edge_threshold": 0.2},
    {"recurrence": "recurrent"},
    {"adjacency": "prior"},
    {"adjacency": "uniform"},
    {"adjacency": "random", "heads": 1},
]


def weights_of(model: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in model.state_dict().items()}


def clips(n: int = N, seed: int = 0, top: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Frames (3, T, n, F) in float64 and their correlation weights (3, n, n)."""
    x = np.random.default_rng(seed).normal(size=(3, T, n, F))
    graphs = GraphSettings(kappa=0.9, top_neighbours=top or 3, correlation_input="raw")
    return x, correlation_weights(x, graphs)


def stirred(model: torch.nn.Module) -> torch.nn.Module:
    """float64, and learners so strong that some edges matter and others fall away."""
    model.double().eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            if ".learner." in name:
                value *= 3.0
    return model


def given(s_: ModelSettings) -> tuple[np.ndarray, torch.Tensor, np.ndarray]:
    """Clips, their supports, and A_0 (3, n, n) of the oracle."""
    x, C = clips(top=N - 1 if s_.variant == "published" else 3)
    supports = torch.from_numpy(sglc.supports(C, "correlation", s_)).double()
    plain = published_prior if s_.variant == "published" else corrected_prior
    A_0 = np.array([plain(one) for one in C])
    if s_.adjacency == "learned":
        np.testing.assert_allclose(supports[:, 0], A_0, atol=1e-7)
    return x, supports, supports[:, 0].numpy()


@pytest.mark.parametrize("changes", OPTIONS, ids=str)
def test_vectorised_equals_loop(changes: dict[str, Any]) -> None:
    """Defect 8: the classifier, its graphs and states, against loops over heads, clips and electrodes."""
    s_ = settings(**changes)
    torch.manual_seed(0)
    model = stirred(sglc.Classifier(s_, n_features=F, n_classes=3, dropout=0.5))
    x, supports, A_0 = given(s_)
    lengths = torch.tensor(LENGTHS)
    with torch.no_grad():
        logits, graphs = (
            model(torch.from_numpy(x), lengths, supports),
            model.graphs(torch.from_numpy(x), lengths, supports),
        )
    for clip, length in enumerate(LENGTHS):
        expected = classify(weights_of(model), x[clip], length, A_0[clip], s_)
        np.testing.assert_allclose(logits[clip], expected, atol=1e-6, rtol=0)
        for layer, (_, plain) in enumerate(encode(weights_of(model), x[clip], length, A_0[clip], s_, 2)):
            np.testing.assert_allclose(graphs[layer, clip, :length], plain[:length], atol=1e-6, rtol=0)
            assert torch.isnan(graphs[layer, clip, length:]).all()


@pytest.mark.parametrize(
    "changes",
    [{}, PUBLISHED, {"recurrence": "recurrent"}, {"decoder_tied": False, "layers": 3, "pretraining_layers": 3}],
    ids=str,
)
def test_forecast_equals_loop(changes: dict[str, Any]) -> None:
    s_ = settings(**changes)
    torch.manual_seed(1)
    model = stirred(sglc.Forecaster(s_, n_features=F))
    x, supports, A_0 = given(s_)
    with torch.no_grad():
        found = model(torch.from_numpy(x), torch.tensor(LENGTHS), supports, 3)
    for clip, length in enumerate(LENGTHS):
        expected = forecast(weights_of(model), x[clip], length, A_0[clip], s_, 3)
        np.testing.assert_allclose(found[clip], expected, atol=1e-6, rtol=0)


def test_a_row_that_sparsifying_empties_is_that_of_the_prior() -> None:
    """Two senders share the attention and neither reaches the threshold; the self-loop has underflowed to 0."""
    s_ = settings(sparsify="eps", edge_threshold=0.9, heads=1, mixing=0.0)
    learner = CorrectedLearner(s_, n_inputs=F).double().eval()
    A_0 = torch.softmax(torch.randn(1, N, N, dtype=torch.float64), dim=-1)
    scores = torch.zeros(1, 1, 2, N, dtype=torch.float64)
    scores[0, 0, 1, :2] = 1000.0  # two senders far above all others
    A = learner(Prepared(scores, torch.zeros(2, 5).double()), 0, torch.zeros(1, N, 5).double(), A_0, A_0)
    assert torch.equal(A[0, 2:], A_0[0, 2:])
    torch.testing.assert_close(A[0, :2], torch.eye(N, dtype=torch.float64)[:2])  # they hear themselves


def test_prior_of_a_silent_channel_is_its_self_loop() -> None:
    x, _ = clips()
    x[:, :, 2] = 0.0
    C = correlation_weights(x, GraphSettings(kappa=0.9, top_neighbours=3, correlation_input="raw"))
    A_0 = sglc.supports(C, "correlation", settings())[:, 0]
    loop = np.eye(N, dtype=np.float32)[2]
    assert (A_0[:, 2] == loop).all()
    assert (A_0[:, :, 2] == loop).all()
    np.testing.assert_allclose(A_0.sum(axis=-1), 1, atol=1e-6)
    model = sglc.Classifier(settings(support="prior"), n_features=F, n_classes=2, dropout=0.0).eval()
    A = model.graphs(torch.from_numpy(x).float(), torch.tensor(LENGTHS), torch.from_numpy(A_0)[:, None])
    assert (A[:, 0, :, 2] == torch.from_numpy(loop)).all()


def test_published_prior_is_the_scaled_laplacian_of_largest_eigenvalue_two() -> None:
    _, C = clips(top=N - 1)
    A_0 = sglc.supports(C, "correlation", settings(**PUBLISHED))[:, 0]
    assert (A_0 < 0).all()
    np.testing.assert_allclose(A_0, A_0.swapaxes(1, 2), atol=1e-7)
    np.testing.assert_allclose(np.linalg.eigvalsh(A_0)[:, 0], -1, atol=1e-6)  # L = I + A_0 has eigenvalue 0


def test_random_graph_has_the_degrees_of_the_prior_and_stays_with_its_clip() -> None:
    _, C = clips()
    random, prior = (sglc.supports(C, "correlation", settings(adjacency=kind))[:, 0] for kind in ("random", "prior"))
    np.testing.assert_allclose(random.sum(axis=-1), 1, atol=1e-6)
    for axis in (-1, -2):  # in- and out-degrees
        np.testing.assert_allclose(np.sort(random.sum(axis=axis)), np.sort(prior.sum(axis=axis)), atol=1e-6)
        assert (np.sort((random > 0).sum(axis=axis)) == np.sort((prior > 0).sum(axis=axis))).all()
    assert not np.allclose(random, prior)
    again = sglc.supports(C[::-1], "correlation", settings(adjacency="random"))[::-1, 0]
    assert np.array_equal(again, random)  # whatever the other clips of the shard are
    assert (sglc.supports(C, "correlation", settings(adjacency="uniform")) == np.float32(1 / N)).all()


def test_what_is_fixed_starts_from_the_same_weights_as_what_is_learned() -> None:
    started = {}
    for kind in ("learned", "prior", "uniform", "random"):
        torch.manual_seed(5)
        model = sglc.Classifier(settings(adjacency=kind), n_features=F, n_classes=3, dropout=0.5)
        started[kind] = {name: value for name, value in model.state_dict().items() if ".learner." not in name}
        assert any(".learner." in name for name in model.state_dict()) is (kind == "learned")
    for kind in ("prior", "uniform", "random"):
        assert all(torch.equal(value, started["learned"][name]) for name, value in started[kind].items())


def test_edge_dropout_never_empties_a_row_and_spares_evaluation() -> None:
    torch.manual_seed(2)
    learner = CorrectedLearner(settings(attention_dropout=0.95), n_inputs=F)
    x, s, A_0 = torch.randn(2, 40, N, F), torch.randn(40, N, 5), torch.full((40, N, N), 1 / N)
    given = learner.prepare(x, A_0)
    alpha = learner.attention(given, 1, s, A_0)
    assert (torch.diagonal(alpha, dim1=-2, dim2=-1) > 0).all()
    torch.testing.assert_close(alpha.sum(-1), torch.ones(40, 3, N))
    dropped = (alpha == 0).double().sum() / (40 * 3 * N * (N - 1))
    assert float(dropped) == pytest.approx(0.95, abs=0.02)
    assert not torch.equal(given.masks[0], given.masks[1])  # each second its own
    learner.eval()
    assert (learner.attention(learner.prepare(x, A_0), 1, s, A_0) > 0).all()


def test_one_head_ranks_senders_alike_for_every_receiver_and_two_need_not() -> None:
    """Static attention (Brody et al. 2022): what docs/sglc.md says of what the learner can express."""
    x, A_0 = torch.randn(1, 1, N, F), torch.full((1, N, N), 1 / N)
    one = CorrectedLearner(settings(heads=1), n_inputs=F).eval()
    order = one.attention(one.prepare(x, A_0), 0, torch.randn(1, N, 5), A_0)[0, 0].argsort(dim=-1)
    assert (order == order[0]).all()
    two = CorrectedLearner(settings(heads=2), n_inputs=F).eval()
    numbers = torch.zeros(1, 1, 4, N)  # receivers of both heads, senders of both heads
    numbers[0, 0, 0, : N // 2] = numbers[0, 0, 1, N // 2 :] = 20.0  # the first half is sharp in head 1, the rest in 2
    numbers[0, 0, 0, N // 2 :] = numbers[0, 0, 1, : N // 2] = -20.0
    numbers[0, 0, 2, 0] = numbers[0, 0, 3, 1] = 6.0  # head 1 looks for electrode 0, head 2 for electrode 1
    alpha = two.attention(Prepared(numbers, torch.zeros(4, 5)), 0, torch.zeros(1, N, 5), A_0).mean(dim=1)[0]
    assert alpha.argmax(dim=-1).tolist() == [0] * (N // 2) + [1] * (N - N // 2)


def test_gate_bias_is_added_to_the_gates_alone() -> None:
    models = []
    for bias in (0.0, 2.0):
        torch.manual_seed(3)
        models.append(sglc.Classifier(settings(init={"gate_bias": bias}), n_features=F, n_classes=2, dropout=0.0))
    for name, value in models[0].state_dict().items():
        shift = 2.0 if name.endswith("gate.out.bias") else 0.0
        assert torch.equal(models[1].state_dict()[name], value + shift), name


@pytest.mark.parametrize("changes", [{}, PUBLISHED], ids=str)
def test_penalties_equal_their_formulae(changes: dict[str, Any]) -> None:
    """Section 12, second by second: tr(X^T L X), column sums, Frobenius norm; mean over valid seconds and clips."""
    s_ = settings(**changes)
    torch.manual_seed(4)
    model = stirred(sglc.Classifier(s_, n_features=F, n_classes=3, dropout=0.5))
    x, supports, A_0 = given(s_)
    logits, found = model.regularised(torch.from_numpy(x), torch.tensor(LENGTHS), supports)
    assert torch.equal(logits, model(torch.from_numpy(x), torch.tensor(LENGTHS), supports))
    expected: dict[str, list[float]] = {"smooth": [], "degree": [], "sparsity": []}
    for clip, length in enumerate(LENGTHS):
        current = x[clip]
        for states, graphs in encode(weights_of(model), x[clip], length, A_0[clip], s_, 2):
            for X, A in zip(current[:length], graphs[:length], strict=True):
                As = (A + A.T) / 2
                expected["smooth"].append(np.trace(X.T @ (np.diag(As.sum(1)) - As) @ X) / N**2)
                expected["degree"].append(-np.mean(np.log(A.sum(axis=0) + 1e-12)))
                expected["sparsity"].append(np.linalg.norm(A) ** 2 / N**2)
            current = states
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert float(found[name].detach()) == pytest.approx(np.mean(values), abs=1e-9), name
    sum(found.values()).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_forecaster_is_penalised_for_the_graphs_of_its_encoder() -> None:
    s_ = settings()
    torch.manual_seed(4)
    model, other = (stirred(sglc.Forecaster(s_, n_features=F)) for _ in range(2))
    classifier = stirred(sglc.Classifier(s_, n_features=F, n_classes=2, dropout=0.0))
    sglc.transfer(classifier, model.state_dict())
    x, supports, _ = given(s_)
    asked = (torch.from_numpy(x), torch.tensor(LENGTHS), supports)
    frames, found = model.regularised(*asked, 3)
    assert torch.equal(frames, model(*asked, 3))
    torch.testing.assert_close(found, classifier.regularised(*asked)[1])
    assert not torch.allclose(other.regularised(*asked, 3)[1]["sparsity"], found["sparsity"], rtol=1e-6, atol=0)


def test_joint_classifier_is_the_classifier_and_a_forecast_of_the_first_seconds() -> None:
    s_ = settings()
    torch.manual_seed(6)
    model = stirred(sglc.JointClassifier(s_, n_features=F, n_classes=1, dropout=0.5))
    x, supports, A_0 = given(s_)
    lengths = torch.full((3,), T)
    with torch.no_grad():
        logits, frames = model.joint(torch.from_numpy(x), lengths, supports, seen=2, horizon=2)
        assert torch.equal(logits, model(torch.from_numpy(x), lengths, supports))
    for clip in range(3):
        expected = forecast(weights_of(model), x[clip, :2], 2, A_0[clip], s_, 2)
        np.testing.assert_allclose(frames[clip], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"variant": "published", "adjacency": "prior"}, "published has only learned"),
        ({"sparsify": "median"}, "sparsify"),
        ({"attention_dropout": 1.0}, "attention_dropout"),
        ({"mixing": 1.5}, "mixing"),
        ({"heads": 0}, "heads"),
        ({"head": 8}, "did you mean 'heads'"),
        ({"regularisers": {"smooth": -1, "degree": 0, "sparsity": 0}}, "smooth"),
    ],
)
def test_wrong_options_are_refused_by_name(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        parse_section(ModelConfig, settings().model_dump() | changes, where="models.sglc")


@pytest.mark.parametrize("changes", [{}, PUBLISHED, {"adjacency": "uniform"}], ids=str)
def test_mixed_precision_leaves_the_recurrence_in_float32(changes: dict[str, Any]) -> None:
    """bfloat16 is for the head and the projection: graphs, states and penalties are those of float32, bit by bit."""
    s_ = settings(**changes)
    torch.manual_seed(7)
    model, forecaster = sglc.Classifier(s_, n_features=F, n_classes=3, dropout=0.0), sglc.Forecaster(s_, n_features=F)
    x, supports, _ = given(s_)
    asked = (torch.from_numpy(x).float(), torch.tensor(LENGTHS), supports.float())
    logits, found = model.eval().regularised(*asked)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed, mixed_found = model.regularised(*asked)
        traces, frames = model.traces(*asked), forecaster(*asked, 3)
    assert mixed.dtype == frames.dtype == torch.bfloat16
    torch.testing.assert_close(mixed.float(), logits, atol=0.02, rtol=0)
    assert all(torch.equal(mixed_found[name], value) for name, value in found.items())
    for own, other in zip(traces, model.traces(*asked), strict=True):
        assert torch.equal(own.states, other.states)
        assert torch.equal(own.graphs, other.graphs)
    (mixed.float().sum() + frames.float().sum()).backward()
    assert all(torch.isfinite(p.grad).all() for p in forecaster.parameters() if p.grad is not None)


@pytest.mark.parametrize(
    "changes", [{}, {"sparsify": "eps"}, PUBLISHED, {"adjacency": "prior"}, {"adjacency": "random"}]
)
def test_what_a_job_is_not_told_changes_no_model(changes: dict[str, Any]) -> None:
    """`unread` options may be anything, or be left out: weights and answers in training are the same."""
    full = settings(**changes).model_dump()
    left = {name: value for name, value in full.items() if name not in unread(full)}
    assert len(left) < len(full)
    answers = []
    for options in (full, left):
        s_ = ModelSettings.model_validate(options)
        x, supports, _ = given(s_)
        torch.manual_seed(0)
        model = sglc.Classifier(s_, n_features=F, n_classes=3, dropout=0.5).double()
        logits = model(torch.from_numpy(x), torch.tensor(LENGTHS), supports)
        answers.append((logits, sum(value.double().sum() for value in model.parameters()), list(model.state_dict())))
    assert torch.equal(answers[0][0], answers[1][0])
    assert answers[0][1:] == answers[1][1:]
    with pytest.raises(ValueError, match="units"):
        ModelSettings.model_validate({name: value for name, value in left.items() if name != "units"})
