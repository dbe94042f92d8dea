"""The defects of the published SGLC code, each by the test that specification sglc.md, section 11 names for it.

Where the published variant keeps a defect, the test shows it there, too. test_vectorised_equals_loop (8) stands in
test_sglc.py, test_ssl_loss_value (3) and test_cli_smoke (6) stand with training.
"""

from typing import Any

import numpy as np
import pytest
import torch
from sglc_oracle import PUBLISHED, settings

from pipeline.graphs.correlation import correlation_weights
from pipeline.graphs.electrodes import mirror_permutation
from pipeline.metrics.evaluation import Predicted, metrics_table
from pipeline.models import sglc
from pipeline.settings.base import SettingsError, parse_section
from pipeline.settings.evaluation import EvaluationSettings
from pipeline.settings.features import GraphSettings
from pipeline.settings.model_sglc import ModelConfig, ModelSettings
from pipeline.settings.training import AugmentSettings
from pipeline.training.augment import mirrored_weights

ELECTRODES = (
    "FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T3", "T4", "T5", "T6", "FZ", "CZ", "PZ",
)  # fmt: skip
N, F, T = 19, 4, 6
LOG_N = float(np.log(N))
VARIANTS = pytest.mark.parametrize("changes", [{}, PUBLISHED], ids=["corrected", "published"])


def prior_of(x: np.ndarray, s_: ModelSettings) -> torch.Tensor:
    """Supports (b, 1, n, n) of clips x (b, t, n, f)."""
    top = N - 1 if s_.variant == "published" else 3
    graphs = GraphSettings(kappa=0.9, top_neighbours=top, correlation_input="raw")
    return torch.from_numpy(sglc.supports(correlation_weights(x, graphs), "correlation", s_))


def noise(b: int = 3, seed: int = 0) -> tuple[torch.Tensor, np.ndarray]:
    x = np.random.default_rng(seed).normal(size=(b, T, N, F)).astype(np.float32)
    return torch.from_numpy(x), x


def classifier(s_: ModelSettings, seed: int = 0, strength: float = 1.0) -> sglc.Classifier:
    torch.manual_seed(seed)
    model = sglc.Classifier(s_, n_features=F, n_classes=4, dropout=0.5)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if ".learner." in name:
                value *= strength
    return model.eval()


def row_entropy(A: torch.Tensor) -> torch.Tensor:
    """Entropy of each row over log n."""
    return -(A * A.clamp_min(1e-30).log()).sum(dim=-1) / LOG_N


# 1: the graph of the first second is uniform, and hardly less so afterwards


def driven(b: int, seconds: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A planted graph: clips (b, t, n, F) in which every electrode repeats what one driver recorded a second before.

    Feature 1 marks the driver (b,), another in each clip; the third result is feature 0 of the next second (b, n).
    """
    draw = np.random.default_rng(seed)
    x, driver = 0.5 * draw.normal(size=(b, seconds + 1, N, F)), draw.integers(N, size=b)
    lead = draw.normal(size=(b, seconds + 1))
    x[:, 1:, :, 0] = lead[:, :-1, None] + 0.1 * draw.normal(size=(b, seconds, N))
    x[..., 1] = 0.0
    x[np.arange(b), :, driver, 0], x[np.arange(b), :, driver, 1] = lead, 2.0
    found = torch.from_numpy(x.astype(np.float32))
    return found[:, :seconds], torch.from_numpy(driver), found[:, seconds, :, 0]


def trained_on_driven(
    s_: ModelSettings, *, seconds: int, epochs: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Graphs (b, t, n, n) of new clips by a cell that has learned what comes next, their priors and drivers."""
    torch.manual_seed(1)
    model = sglc.Classifier(s_, n_features=F, n_classes=1, dropout=0.0)
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-2)
    x, _, target = driven(192, seconds, seed=0)
    supports, lengths = prior_of(x.numpy(), s_), torch.full((192,), seconds)
    for _ in range(epochs):
        for rows in torch.randperm(192).split(32):
            optimiser.zero_grad()
            states = model.traces(x[rows], lengths[rows], supports[rows])[-1].states[-1]
            (model.linear(states)[..., 0] - target[rows]).square().mean().backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
    x, driver, _ = driven(64, seconds, seed=1)
    supports = prior_of(x.numpy(), s_)
    with torch.no_grad():
        return model.eval().graphs(x, torch.full((64,), seconds), supports)[0], supports[:, 0], driver


ONE_LAYER = {"units": 6, "layers": 1, "pretraining_layers": 1, "ggnn_steps": 1, "heads": 4, "learner_units": 8}


def test_graph_informative() -> None:
    """Corrected, without any thinning out: the planted driver is the hub of the learned graph."""
    s_ = settings(**ONE_LAYER, sparsify="eps", edge_threshold=0.0)
    A, A_0, driver = trained_on_driven(s_, seconds=2, epochs=16)
    torch.testing.assert_close(A.sum(dim=-1), torch.ones(64, 2, N), atol=1e-5, rtol=0)
    assert float(row_entropy(A).mean()) < 0.95
    learned = (A - s_.mixing * A_0[:, None]) / (1 - s_.mixing)
    assert float(row_entropy(learned).mean()) < 0.95  # it is not the prior that brings the entropy down
    assert float(learned.std(dim=2).mean()) > 0.001  # rows differ
    hub = learned[:, -1].sum(dim=-2).argmax(dim=-1)
    assert float((hub == driver).double().mean()) > 0.25  # by chance 0.05


def test_graph_informative_published_is_uniform() -> None:
    """Published, trained alike: uniform in second 1, and within a few hundredths of it at the end."""
    s_ = settings(**ONE_LAYER, variant="published")
    A, A_0, _ = trained_on_driven(s_, seconds=T, epochs=2)
    first = (A[:, 0] - s_.mixing * A_0) / (1 - s_.mixing)
    torch.testing.assert_close(first, torch.full_like(first, 1 / N), atol=1e-6, rtol=0)
    assert float(row_entropy(A[:, -1]).mean()) > 0.97
    for t in range(1, T):
        later = (A[:, t] - s_.mixing * A[:, t - 1]) / (1 - s_.mixing)
        assert float(later.min()) > 0.0425  # whatever the weights
        assert float(later.max()) < 0.1715


def test_published_graph_forgets_its_prior() -> None:
    """After 12 seconds the share of A_0 is .3^12."""
    s_ = settings(**ONE_LAYER | {"variant": "published", "heads": 1}, edge_threshold=1.0)
    x = torch.randn(1, 12, N, F, dtype=torch.float64)
    A_0, model = prior_of(x.numpy(), s_).double(), classifier(s_).double()
    with torch.no_grad():  # twice the prior has the same signs, and so the same masks
        graphs = [model.graphs(x, torch.tensor([12]), A_0 * scale)[0, 0, -1] for scale in (1.0, 2.0)]
    torch.testing.assert_close(graphs[1] - graphs[0], A_0[0, 0] * 0.3**12, atol=1e-15, rtol=1e-6)


# 2: eight heads with one set of weights


def test_heads_differ() -> None:
    x, frames = noise()
    lengths = torch.full((3,), T)
    for changes, equal in (({}, False), (PUBLISHED, True)):
        s_ = settings(**changes)
        heads = classifier(s_).head_graphs(x, lengths, prior_of(frames, s_))
        assert heads is not None
        assert heads.shape == (2, 3, T, s_.heads, N, N)
        between = float((heads[:, :, :, 0] - heads[:, :, :, 1]).detach().abs().max())
        assert between < 1e-6 if equal else between > 1e-2  # heads of one set of weights differ by rounding
        torch.testing.assert_close(heads.sum(dim=-1), torch.ones(2, 3, T, s_.heads, N))
    learner = classifier(settings()).encoder.stack()[0].learner
    assert learner is not None
    assert learner.W.shape == (3, F + 5, 4)  # each head its own map of input and state
    assert not torch.equal(learner.W[0], learner.W[1])


# 4: fine-tuning left the graph network and the learner at random


@VARIANTS
def test_transfer_complete(changes: dict[str, Any]) -> None:
    s_ = settings(**changes)
    torch.manual_seed(1)
    source = sglc.Forecaster(s_, n_features=F).state_dict()
    model = classifier(s_)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    copied = sglc.transfer(model, source)
    encoder = [name for name in before if name.startswith("encoder.")]
    assert copied == sorted(encoder)  # 100 %
    assert all(torch.equal(model.state_dict()[name], source[name]) for name in encoder)
    assert any(".learner." in name for name in copied)
    unlike = [name for name in encoder if not torch.equal(before[name], source[name])]
    assert set(encoder) - set(unlike) == {name for name in encoder if name.endswith("legacy_unused")}
    assert torch.equal(model.linear.weight, before["linear.weight"])
    with pytest.raises(ValueError, match="does not fit"):
        sglc.transfer(classifier(settings(**changes, units=6)), source)
    with pytest.raises(KeyError, match="learner"):
        sglc.transfer(model, {name: value for name, value in source.items() if ".learner." not in name})


# 5: learners of the decoder were neither trained nor saved


@VARIANTS
def test_params_registered(changes: dict[str, Any]) -> None:
    model = sglc.Forecaster(settings(**changes), n_features=F)
    named = dict(model.named_parameters())
    assert named.keys() == model.state_dict().keys()
    assert all(value.is_leaf for value in named.values())
    for layer in [*model.encoder.layers, *model.decoder]:
        own = {id(value) for value in layer.learner.parameters()}
        assert {id(layer.learner.W), id(layer.learner.a)} <= own <= {id(value) for value in named.values()}
    frozen = {name for name, value in named.items() if not value.requires_grad}
    unused = {name for name in named if name.endswith("legacy_unused")}
    assert frozen == unused
    assert len(unused) == (5 if changes else 0)  # three layers and the two of the decoder
    assert all(value.dtype == torch.float64 for value in model.double().parameters())


def test_grad_reaches_learner() -> None:
    """Every learner of encoder and decoder, through the forecast."""
    x, frames = noise()
    s_ = settings()
    model = sglc.Forecaster(s_, n_features=F)
    model(x, torch.full((3,), T), prior_of(frames, s_), 3).square().mean().backward()
    for layer in [*model.encoder.layers, *model.decoder]:
        for value in (layer.learner.W, layer.learner.a):
            per_head = value.grad.flatten(1).norm(dim=1)
            assert (per_head > 0).all()


def test_grad_reaches_learner_published_only_past_the_threshold() -> None:
    """All edges are masked in second 1, and attention below .3 is a constant: no gradient there."""
    x, frames = noise()
    s_ = settings(**PUBLISHED)
    for seconds, strength, reached in ((1, 9.0, False), (T, 0.01, False), (T, 9.0, True)):
        model = classifier(s_, strength=strength)
        model(x[:, :seconds], torch.full((3,), seconds), prior_of(frames, s_)).square().mean().backward()
        learner = model.encoder.stack()[0].learner
        assert learner is not None
        assert (float(learner.W.grad.norm()) > 0) is reached, (seconds, strength)


# 7: three layers were pre-trained, two fine-tuned


def test_depth_guard() -> None:
    three = settings().model_dump() | {"pretraining_layers": 3}
    with pytest.raises(SettingsError, match=r"models\.sglc.*pretraining_layers: 3, but layers: 2"):
        parse_section(ModelConfig, three, where="models.sglc")
    fewer = settings().model_dump() | {"layers": 3, "allow_depth_mismatch": True}
    with pytest.raises(SettingsError, match="cannot start a classifier of 3"):
        parse_section(ModelConfig, fewer, where="models.sglc")
    deeper = settings(pretraining_layers=3, allow_depth_mismatch=True)
    source = sglc.Forecaster(deeper, n_features=F).state_dict()
    with pytest.raises(ValueError, match="allow_depth_mismatch"):
        sglc.transfer(classifier(settings()), source)
    model = classifier(deeper)
    sglc.transfer(model, source)
    assert all(torch.equal(value, source[f"encoder.{name}"]) for name, value in model.encoder.state_dict().items())
    assert {name.split(".")[1] for name in model.encoder.state_dict()} == {"0", "1"}


# 9: padding changed the graph, and the upper layer saw the future through it


@pytest.mark.parametrize("changes", [{}, {"recurrence": "recurrent"}, {"adjacency": "random"}], ids=str)
def test_padding_invariance(changes: dict[str, Any]) -> None:
    s_ = settings(**changes)
    model, lengths = classifier(s_, strength=3.0), torch.tensor([2, 6, 4])
    x, frames = noise()
    other, supports = x.clone(), prior_of(frames, s_)
    other[0, 2:], other[2, 4:] = 7.0, torch.nan
    other.requires_grad_()
    found = model(other, lengths, supports)
    assert torch.equal(found, model(x, lengths, supports))
    for clip, length in enumerate(lengths.tolist()):
        alone = model(x[clip : clip + 1, :length], lengths[clip : clip + 1], supports[clip])
        torch.testing.assert_close(found[clip], alone[0], atol=1e-6, rtol=0)
    for trace in model.traces(other, lengths, supports):  # held
        assert torch.equal(trace.states[1:, 0], trace.states[1:2, 0].expand(T - 1, -1, -1))
        assert torch.equal(trace.graphs[3:, 2], trace.graphs[3:4, 2].expand(T - 3, -1, -1))
    found.sum().backward()
    assert other.grad is not None
    assert not other.grad[0, 2:].any()  # no gradient
    assert all(torch.isfinite(value.grad).all() for value in model.parameters() if value.grad is not None)


def test_padding_invariance_published_leaks() -> None:
    s_ = settings(**PUBLISHED)
    model, lengths = classifier(s_, strength=3.0), torch.tensor([2, 6, 4])
    x, frames = noise()
    other = x.clone()
    other[0, 2:] = 7.0
    before, after = (model(given, lengths, prior_of(frames, s_)) for given in (x, other))
    assert not torch.allclose(before[0], after[0], atol=1e-5)
    torch.testing.assert_close(before[1:], after[1:], atol=1e-6, rtol=0)


@pytest.mark.parametrize("changes", [{}, {"recurrence": "recurrent"}, {"adjacency": "uniform"}, PUBLISHED], ids=str)
def test_causality(changes: dict[str, Any]) -> None:
    """Edit second 5; A_0 stays. Corrected: states and graphs of seconds 1 to 4 stay. Published: not in layer 2."""
    s_ = settings(**changes)
    model, lengths = classifier(s_, strength=3.0), torch.full((3,), T)
    x, frames = noise()
    later, supports = x.clone(), prior_of(frames, s_)
    later[:, 4:] += 1.0
    pairs = list(zip(model.traces(x, lengths, supports), model.traces(later, lengths, supports), strict=True))
    for layer, (before, after) in enumerate(pairs):
        sees_the_future = bool(changes.get("variant")) and layer == 1
        assert torch.equal(before.states[:4], after.states[:4]) is not sees_the_future
        assert torch.equal(before.graphs[:4], after.graphs[:4]) is not sees_the_future
        assert not torch.allclose(before.states[4], after.states[4], atol=1e-3)


# 10: the AUROC of tonic seizures was left out


def test_all_classes_reported() -> None:
    """Every class has its row, with a value or with the reason why there is none."""
    draw = np.random.default_rng(0)
    classes = ("CF", "GN", "AB", "CT")
    logits = draw.normal(size=(60, 4))
    labels = draw.integers(3, size=60)  # no clip of CT
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    patients = np.array([f"p{k % 12}" for k in range(60)])
    one = Predicted(0, labels, shares, logits.argmax(axis=1), patients)
    chosen = EvaluationSettings(bootstrap=20, confidence=0.95, seed=0, calibration_bins=10, threshold_strict=False)
    table = metrics_table([one], classes, chosen)
    for metric in ("auroc", "recall", "f1"):
        rows = table[(table["metric"] == metric) & (table["seed"] == 0)].set_index("class")
        assert set(rows.index) == set(classes)
        assert rows.loc[list(classes[:3]), "value"].notna().all()
    rows = table[(table["class"] == "CT") & table["metric"].isin(["auroc", "recall"])]
    assert rows["value"].isna().all()
    assert (rows["reason"].str.len() > 0).all()


# 11: mirrored signals kept the graph of the unmirrored ones


@pytest.mark.parametrize(
    "changes", [{}, PUBLISHED, {"adjacency": "random"}], ids=["corrected", "published", "random graph"]
)
def test_mirror_equivariance(changes: dict[str, Any]) -> None:
    """A_0(Px) = P A_0 P^T, from the signals and by the augmentation; and the network follows."""
    s_ = settings(**changes)
    x, frames = noise()
    order = mirror_permutation(ELECTRODES)
    top = N - 1 if s_.variant == "published" else 3
    graphs = GraphSettings(kappa=0.9, top_neighbours=top, correlation_input="raw")
    augment = AugmentSettings(
        reflect_probability=0.5, scale_low=1.0, scale_high=1.0, mirror_pairs="all", mirror_graph="correct",
        scale_zero_bins=False,
    )  # fmt: skip
    weights = mirrored_weights(correlation_weights(frames, graphs), ELECTRODES, augment, graph="correlation")
    mirrored, A_0 = torch.from_numpy(sglc.supports(weights, "correlation", s_)), prior_of(frames, s_)
    torch.testing.assert_close(mirrored, A_0[..., order, :][..., order], atol=1e-6, rtol=0)
    assert not torch.allclose(mirrored, A_0, atol=1e-2)
    if s_.adjacency != "random":  # it is drawn from a digest: there the last digit matters
        torch.testing.assert_close(prior_of(frames[:, :, order], s_), mirrored)
    model, lengths = classifier(s_, strength=2.0).double(), torch.full((3,), T)
    x = x.double()
    torch.testing.assert_close(model(x[:, :, order], lengths, mirrored.double()), model(x, lengths, A_0.double()))
    kept = model(x[:, :, order], lengths, A_0.double())  # what compat.mirror_graph: published does (D6)
    if s_.variant == "corrected":  # published, A_0 is forgotten and changes next to nothing
        assert not torch.allclose(kept, model(x, lengths, A_0.double()), atol=1e-4)
