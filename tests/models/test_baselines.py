"""LSTM, CNN-LSTM and Dense-CNN against plain NumPy, their published sizes, and what each of them must not depend on."""

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.explain.occlusion import Clip, PartedModel, hide, occlusion_map
from pipeline.models import cnn_lstm, densecnn, lstm
from pipeline.settings import model_cnn_lstm, model_densecnn, model_lstm
from pipeline.settings.base import SettingsError

N, F, CLASSES = 7, 70, 3  # electrodes, features: 700 features in 10 s
NO_GRAPH = torch.zeros(0, N, N)
MODELS = ("lstm", "cnn_lstm", "densecnn")


def dense_settings(**changes: object) -> model_densecnn.ModelSettings:
    plain = {"width": 0.05, "dropout": 0.2, "allocate_unused": False, "padding": "after"}
    return model_densecnn.ModelSettings.model_validate(plain | changes)


def build(name: str, *, length_s: int = 12, **changes: object) -> nn.Module:
    """A small network in evaluation mode, from seed 0."""
    torch.manual_seed(0)
    shape = {
        "n_features": F, "n_classes": CLASSES, "n_supports": 0, "dropout": 0.5, "n_nodes": N, "length_s": length_s,
    }  # fmt: skip
    if name == "lstm":
        return lstm.classifier(model_lstm.ModelSettings(units=5, layers=2), **shape).eval()
    if name == "cnn_lstm":
        plain = {"channels": 4, "embedding": 6, "units": 5, "layers": 2, "cnn_lstm_batch_axis": False}
        return cnn_lstm.classifier(model_cnn_lstm.ModelSettings.model_validate(plain | changes), **shape).eval()
    model = densecnn.classifier(dense_settings(**changes), **shape).eval()
    torch.manual_seed(1)
    with torch.no_grad():  # statistics as if it had been trained
        model.norm.running_mean.normal_()
        model.norm.running_var.uniform_(0.5, 2.0)
    return model


def clips(lengths: list[int], *, seconds: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """x (b, t, n, f), zero beyond `lengths`, and the lengths."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(len(lengths), seconds, N, F)).astype(np.float32)
    for clip, length in enumerate(lengths):
        x[clip, length:] = 0.0
    return torch.from_numpy(x), torch.tensor(lengths)


# The same in NumPy, from the specification


def weights_of(model: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy().astype(np.float64) for name, value in model.state_dict().items()}


def plain_lstm(weights: dict[str, np.ndarray], sequence: list[np.ndarray]) -> np.ndarray:
    """Last output of a stack of two LSTM layers; gates in the order input, forget, candidate, output."""
    for layer in range(2):
        Wx, Wh = weights[f"lstm.weight_ih_l{layer}"], weights[f"lstm.weight_hh_l{layer}"]
        bias = weights[f"lstm.bias_ih_l{layer}"] + weights[f"lstm.bias_hh_l{layer}"]
        h = c = np.zeros(Wh.shape[1])
        states = []
        for second in sequence:
            i, f, g, o = np.split(Wx @ second + Wh @ h + bias, 4)
            i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
            c = f * c + i * np.tanh(g)
            h = o * np.tanh(c)
            states.append(h)
        sequence = states
    return sequence[-1]


def linear(weights: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    return weights[f"{name}.weight"] @ x + weights[f"{name}.bias"]


def convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """x (c, h, w) -> (o, h', w'), no padding: kernel cell by kernel cell."""
    _, _, p, q = weight.shape
    rows, columns = x.shape[1] - p + 1, x.shape[2] - q + 1
    out = np.tile(bias[:, None, None], (1, rows, columns))
    for i in range(p):
        for j in range(q):
            out += np.einsum("oc,chw->ohw", weight[:, :, i, j], x[:, i : i + rows, j : j + columns])
    return out


def pooled(x: np.ndarray, height: int, width: int) -> np.ndarray:
    """Largest value of each whole window of (c, h, w)."""
    rows, columns = x.shape[1] // height, x.shape[2] // width
    cut = x[:, : rows * height, : columns * width]
    return cut.reshape(len(x), rows, height, columns, width).max(axis=(2, 4))


def plain_cnn_lstm(weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    sequence = []
    for second in x:
        image = convolved(second[None], weights["first.weight"], weights["first.bias"])
        image = convolved(image, weights["second.weight"], weights["second.bias"])
        sequence.append(linear(weights, "embedding", pooled(image, 2, 2).ravel()))
    return linear(weights, "linear", plain_lstm(weights, sequence))


def plain_row(weights: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    """One convolution along time of (c, l, n), same length, and ReLU."""
    weight = weights[f"{name}.0.weight"].swapaxes(2, 3)  # (o, c, k, 1)
    edge = weight.shape[2] // 2
    return np.maximum(convolved(np.pad(x, ((0, 0), (edge, edge), (0, 0))), weight, weights[f"{name}.0.bias"]), 0.0)


def plain_inception(weights: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    found = []
    for branch, depth in enumerate((2, 3, 2)):
        y = x
        for layer in range(depth):
            y = plain_row(weights, f"{name}.branches.{branch}.{layer}", y)
        found.append(y)
    return np.concatenate(found)


def plain_densecnn(weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """Logits of a whole clip x (t, n, f): an image of time by electrodes, as the specification has it."""
    image = x.transpose(0, 2, 1).reshape(1, -1, N)  # t n f -> 1 (t f) n
    for stage, pool in enumerate((7, 5, 5, 4)):
        second = {0: "blocks.1", 1: "blocks.1"}.get(stage, "blocks.0")  # stages 3 and 4 apply one block twice
        u = plain_inception(weights, f"stages.{stage}.blocks.0", image)
        if stage:
            u = plain_row(weights, f"stages.{stage}.reduce.0", u)
        v = plain_inception(weights, f"stages.{stage}.{second}", u)
        if stage:
            v = plain_row(weights, f"stages.{stage}.reduce.1", v)
        image = pooled(plain_row(weights, f"stages.{stage}.merge", np.concatenate([u, v])), pool, 1)
    hidden = linear(weights, "hidden", image.ravel())
    centred = (hidden - weights["norm.running_mean"]) / np.sqrt(weights["norm.running_var"] + 1e-5)
    return linear(weights, "linear", np.maximum(centred * weights["norm.weight"] + weights["norm.bias"], 0.0))


def plain(name: str, model: nn.Module, x: np.ndarray, length: int) -> np.ndarray:
    weights, x = weights_of(model), x.astype(np.float64)
    if name == "densecnn":
        return plain_densecnn(weights, x)
    if name == "cnn_lstm":
        return plain_cnn_lstm(weights, x[:length])
    top = plain_lstm(weights, [second.ravel() for second in x[:length]])
    return linear(weights, "linear", np.maximum(top, 0.0))


@pytest.mark.parametrize("name", MODELS)
def test_forward_equals_plain_numpy(name: str) -> None:
    model = build(name)
    x, lengths = clips([12, 7])
    found = model(x, lengths, NO_GRAPH).detach().numpy()
    for clip in range(2):
        expected = plain(name, model, x[clip].numpy(), int(lengths[clip]))
        np.testing.assert_allclose(found[clip], expected, atol=1e-5)
    assert np.abs(found[0] - found[1]).max() > 1e-3


@pytest.mark.parametrize("name", MODELS)
def test_what_lies_beyond_a_clip_does_not_matter(name: str) -> None:
    model = build(name)
    x, lengths = clips([12, 7])
    other, shorter = x.clone(), x[1:, :7]
    other[1, 7:] = 5.0
    expected = model(x, lengths, NO_GRAPH)
    torch.testing.assert_close(model(other, lengths, NO_GRAPH), expected, atol=0, rtol=0)
    torch.testing.assert_close(model(shorter, lengths[1:], NO_GRAPH), expected[1:], atol=1e-5, rtol=0)


def test_two_convolutions_in_one_have_the_gradients_of_two() -> None:
    model = build("cnn_lstm")
    x, lengths = clips([3, 3], seconds=3)
    model(x, lengths, NO_GRAPH).square().sum().backward()
    merged = {name: value.grad.clone() for name, value in model.named_parameters()}
    model.zero_grad()
    images = model.second(model.first(x.flatten(0, 1).unsqueeze(1)))
    embedded = model.embedding(nn.functional.max_pool2d(images, 2).flatten(1)).view(2, 3, -1)
    model.combine(embedded, lengths).square().sum().backward()
    for name, value in model.named_parameters():
        torch.testing.assert_close(merged[name], value.grad, atol=1e-6, rtol=1e-4)


def test_D15_cnn_lstm_recurs_over_seconds_or_over_the_batch() -> None:
    """The published code takes the clips of a batch for seconds: a clip's logit hangs on those before it."""
    x, lengths = clips([12, 12, 12])
    for batch_axis in (False, True):
        model = build("cnn_lstm", cnn_lstm_batch_axis=batch_axis)
        alone, among = model(x[2:], lengths[2:], NO_GRAPH)[0], model(x, lengths, NO_GRAPH)[2]
        assert torch.allclose(alone, among, atol=1e-6) is not batch_axis
        order = torch.tensor([1, 0, 2])
        assert torch.allclose(model(x[order], lengths, NO_GRAPH)[2], among, atol=1e-6) is not batch_axis
        earlier = x.clone()
        earlier[:, :11] += 1.0  # the published one sees nothing of a clip but its last second
        assert torch.allclose(model(earlier, lengths, NO_GRAPH), model(x, lengths, NO_GRAPH)) is batch_axis


def test_D16_dense_cnn_pads_after_or_before_standardising() -> None:
    """A frame of zeros becomes -mean / std when it is standardised; the pad value is that or zero."""
    x, lengths = clips([12, 7])
    models = {padding: build("densecnn", padding=padding) for padding in ("after", "before")}
    for model in models.values():
        model.pad_with(-2.5)
    after, before = (models[padding](x, lengths, NO_GRAPH) for padding in ("after", "before"))
    torch.testing.assert_close(after[0], before[0], atol=0, rtol=0)
    assert (after[1] - before[1]).abs().max() > 1e-3
    padded = x.clone()
    padded[1, 7:] = -2.5
    torch.testing.assert_close(models["after"](padded, torch.tensor([12, 12]), NO_GRAPH), before, atol=0, rtol=0)
    assert float(models["before"].state_dict()["padding"]) == -2.5  # goes with the weights


def test_D20_unused_blocks_are_counted_and_change_nothing() -> None:
    without, with_them = build("densecnn"), build("densecnn", allocate_unused=True)
    x, lengths = clips([12, 7])
    torch.testing.assert_close(without(x, lengths, NO_GRAPH), with_them(x, lengths, NO_GRAPH), atol=0, rtol=0)
    with_them(x, lengths, NO_GRAPH).sum().backward()
    idle = [name for name, value in with_them.named_parameters() if value.grad is None]
    assert idle
    assert all(name.startswith("unused.") for name in idle)
    assert len(idle) == len(list(with_them.parameters())) - len(list(without.parameters()))


def test_dense_cnn_initial_deviation_and_width() -> None:
    torch.manual_seed(0)
    shape = {"n_features": 100, "n_classes": 1, "n_nodes": 19, "length_s": 12}
    model = densecnn.Classifier(dense_settings(width=1.0), **shape)
    layer = model.stages[1].blocks[0].branches[2][0][0]  # 90 -> 90 channels, 21 long
    assert layer.weight.shape == (90, 90, 1, 21)
    assert float(layer.weight.detach().std()) == pytest.approx(np.sqrt(2 / (21 * 90)), rel=0.01)
    narrow = densecnn.Classifier(dense_settings(width=0.25), **shape)
    widths = [stage.merge[0].out_channels for stage in narrow.stages]
    assert widths == [23, 45, 45, 90]  # 22.5 is rounded up
    assert narrow.stages[0].blocks[0].branches[0][0][0].out_channels == 3  # 2.5, too
    thinnest = densecnn.Classifier(dense_settings(width=0.001), **shape)
    assert thinnest(torch.randn(2, 12, 19, 100), torch.tensor([12, 12]), NO_GRAPH).shape == (2, 1)


def test_clips_too_short_for_pooling_are_refused_in_words() -> None:
    with pytest.raises(SettingsError, match=r"models.densecnn: 9 s of 70 features are 630 numbers.*needs 700"):
        build("densecnn", length_s=9)
    settings = model_cnn_lstm.ModelSettings(channels=2, embedding=2, units=2, layers=1, cnn_lstm_batch_axis=False)
    with pytest.raises(SettingsError, match=r"models.cnn_lstm: needs 6 electrodes.*has 5 electrodes"):
        cnn_lstm.Classifier(settings, n_nodes=5, n_features=100, n_classes=1)


def test_a_training_batch_of_one_is_normalised_by_the_running_statistics() -> None:
    model = build("densecnn").train()
    model.dropout.p = 0.0
    x, lengths = clips([12, 12])
    model(x, lengths, NO_GRAPH)
    before = {name: value.clone() for name, value in model.norm.state_dict().items()}
    one = model(x[:1], lengths[:1], NO_GRAPH)
    assert all(torch.equal(value, before[name]) for name, value in model.norm.state_dict().items())
    torch.testing.assert_close(one, model.eval()(x[:1], lengths[:1], NO_GRAPH), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("electrodes_only", [False, True])
def test_occlusion_map_is_that_of_the_definition(name: str, electrodes_only: bool) -> None:
    model = build(name, padding="before") if name == "densecnn" else build(name)
    if name == "densecnn":
        model.pad_with(0.7)
    x, _ = clips([11])
    clip = Clip(x[0], 11, NO_GRAPH, 2)
    drop, logit = occlusion_map(model, clip, fill=-0.5, batch=17, electrodes_only=electrodes_only)
    assert isinstance(model, PartedModel) is (name != "lstm")
    cells = torch.cartesian_prod(torch.arange(1 if electrodes_only else 11), torch.arange(N))
    hidden = hide(x[0, :11], cells, fill=-0.5, whole=electrodes_only)
    with torch.no_grad():
        own = model(x[:1, :11], torch.tensor([11]), NO_GRAPH)[0, 2]
        each = torch.cat([model(one[None], torch.tensor([11]), NO_GRAPH)[:, 2] for one in hidden])
    expected = (own - each).view(-1, N).mT
    assert expected.abs().max() > 1e-4
    torch.testing.assert_close(drop, expected, atol=1e-5, rtol=0)
    assert logit == pytest.approx(float(own), abs=1e-6)
