"""SGLC, the spatio-graph learning cell: a gated recurrent network that estimates the electrode graph every second.

Specification sglc.md, sections 3 to 8; docs/sglc.md. Read from top to bottom: the graph it starts from, one layer,
the stack, classifier, forecaster. The learners stand in _sglc_learner.py, the graph network in _sglc_ggnn.py.

    A_t = learner(x_t, s_{t-1}, graphs before)
    [r, u] = sigmoid(GGNN_gate(A_t, [x_t | s])), c = tanh(GGNN_candidate(A_t, [x_t | r s])), s' = u s + (1 - u) c

`variant: published` is the published code with its defects. Its learner carries A from second to second and from the
last second of a layer into the first of the next, so that padding, and the future, reach the upper layer. `corrected`
anchors every A_t in the clip's prior A_0; beyond a clip's end state and graph are held.

Axes: b clip, t second, n electrode, f feature, h hidden, p head. Inside this file time comes first, (t, b, n, f).
"""

from collections.abc import Callable
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.models._sglc_ggnn import GGNN
from pipeline.models._sglc_graphs import published_prior, random_graph, row_stochastic_prior, uniform_graph
from pipeline.models._sglc_heads import layer_heads
from pipeline.models._sglc_learner import CorrectedLearner, PublishedLearner
from pipeline.models._sglc_penalties import penalties
from pipeline.settings.model_sglc import ModelSettings

Step = Callable[[Tensor, list[Tensor]], list[Tensor]]
FIXED = {"uniform": uniform_graph, "random": random_graph}


# The graph that a clip starts from


def supports(weights: np.ndarray, graph: str, settings: ModelSettings) -> np.ndarray:
    """A_0 (..., 1, n, n) of correlation weights (..., n, n), or the fixed graph of the ablation."""
    prior = published_prior if settings.variant == "published" else row_stochastic_prior
    made = FIXED.get(settings.adjacency, prior)(weights)
    return np.ascontiguousarray(made[..., None, :, :], dtype=np.float32)


def _prior(supports: Tensor, x: Tensor) -> Tensor:
    """A_0 (b, n, n) of supports (1, n, n) or (b, 1, n, n) for the clips x (b, t, n, f)."""
    n = x.shape[2]
    return supports.select(-3, 0).expand(len(x), n, n)


# One layer


class Trace(NamedTuple):
    """What a layer leaves behind after every second: states (t, b, n, h) and graphs (t, b, n, n)."""

    states: Tensor
    graphs: Tensor


class SGLCLayer(nn.Module):
    """One spatio-graph learning cell; without a learner it runs on the graph that it is given."""

    def __init__(self, settings: ModelSettings, *, n_inputs: int) -> None:
        super().__init__()
        self.n_inputs, units, width = n_inputs, settings.units, n_inputs + settings.units
        self.gate = GGNN(width, 2 * units, steps=settings.ggnn_steps)
        self.candidate = GGNN(width, units, steps=settings.ggnn_steps)
        with torch.no_grad():
            self.gate.out.bias.add_(settings.init.gate_bias)
        self.learner: PublishedLearner | CorrectedLearner | None = None

    def add_learner(self, settings: ModelSettings) -> None:
        """Draw the learner, if this model has one: after all else, so that the rest starts alike in every ablation."""
        if settings.adjacency == "learned":
            kind = PublishedLearner if settings.variant == "published" else CorrectedLearner
            self.learner = kind(settings, n_inputs=self.n_inputs)

    def step(self, x: Tensor, s: Tensor, A: Tensor) -> Tensor:
        """State (b, n, h) after one second x (b, n, f), from state s, on the graph A (b, n, n)."""
        r, u = self.gate(torch.cat([x, s], dim=-1), A).sigmoid().chunk(2, dim=-1)
        c = self.candidate(torch.cat([x, r * s], dim=-1), A).tanh()
        return torch.lerp(c, s, u)  # u s + (1 - u) c

    def forward(self, x: Tensor, s: Tensor, A: Tensor, A_0: Tensor) -> Trace:
        """Trace over the seconds of x (t, b, n, f), from state s (b, n, h), graph A and prior A_0 (b, n, n)."""
        with torch.autocast(x.device.type, enabled=False):  # under mixed precision, too: rounding would be fed back
            return self._trace(x.to(s.dtype), s, A, A_0)

    def _trace(self, x: Tensor, s: Tensor, A: Tensor, A_0: Tensor) -> Trace:
        if self.learner is None:
            states = []
            for second in x:
                states.append(s := self.step(second, s, A_0))
            return Trace(torch.stack(states), A_0.expand(len(x), *A_0.shape))
        given, states, graphs = self.learner.prepare(x, A_0), [], []
        for t, second in enumerate(x):
            A = self.learner(given, t, s, A, A_0)
            s = self.step(second, s, A)
            states.append(s)
            graphs.append(A)
        return Trace(torch.stack(states), torch.stack(graphs))


# The stack


class Encoder(nn.Module):
    """A stack of layers over one sequence, started from zero and from the clip's prior."""

    def __init__(self, settings: ModelSettings, *, n_layers: int, n_features: int) -> None:
        super().__init__()
        self.units, self.published = settings.units, settings.variant == "published"
        self.mixes_padded_clips = self.published and n_layers > 1
        inputs = [n_features] + [settings.units] * (n_layers - 1)
        self.layers = nn.ModuleList(SGLCLayer(settings, n_inputs=n_in) for n_in in inputs)

    def stack(self) -> list[SGLCLayer]:
        """The layers, first to last."""
        return cast(list[SGLCLayer], list(self.layers))

    def forward(self, x: Tensor, lengths: Tensor, A_0: Tensor) -> list[Trace]:
        """Trace of each layer, of x (b, t, n, f). Corrected: state and graph are held beyond a clip's `lengths` (b,).

        Published: the padded seconds run on, and a layer's last graph is the next layer's first.
        """
        b, t, n, _ = x.shape
        current = x.transpose(0, 1)  # b t n f -> t b n f
        last = torch.minimum(torch.arange(t, device=x.device)[:, None], lengths - 1)  # (t, b)
        if not self.published:
            current = current.masked_fill((torch.arange(t, device=x.device)[:, None] >= lengths)[..., None, None], 0.0)
        traces, A, clips = [], A_0, torch.arange(b, device=x.device)
        for layer in self.stack():
            trace = layer(current, x.new_zeros(b, n, self.units), A, A_0)
            if self.published:
                A = trace.graphs[-1]
            else:  # no gradient reaches the seconds that are passed over
                trace = Trace(trace.states[last, clips], trace.graphs[last, clips])
            traces.append(trace)
            current = trace.states
        return traces


def _at_end(states: Tensor, lengths: Tensor) -> Tensor:
    """(t, b, n, h) -> (b, n, h): the state after each clip's last valid second."""
    return states[lengths - 1, torch.arange(states.shape[1], device=states.device)]


def _add_learners(layers: list[SGLCLayer], settings: ModelSettings) -> None:
    for layer in layers:
        layer.add_learner(settings)


# The models


class Classifier(nn.Module):
    """Encoder, then per electrode dropout, ReLU and a linear layer, then the largest logit over electrodes."""

    def __init__(self, settings: ModelSettings, *, n_features: int, n_classes: int, dropout: float) -> None:
        super().__init__()
        self.encoder = Encoder(settings, n_layers=settings.layers, n_features=n_features)
        self.dropout, self.linear = nn.Dropout(dropout), nn.Linear(settings.units, n_classes)
        self.allow_depth_mismatch = settings.allow_depth_mismatch
        self.mixes_padded_clips = self.encoder.mixes_padded_clips
        _add_learners(self.encoder.stack(), settings)

    def forward(self, x: Tensor, lengths: Tensor, supports: Tensor) -> Tensor:
        """Logits (b, classes) of standardised x (b, t, n, f)."""
        return self.head(_at_end(self.traces(x, lengths, supports)[-1].states, lengths))

    def traces(self, x: Tensor, lengths: Tensor, supports: Tensor) -> list[Trace]:
        """States and graphs of every layer, see `Encoder`."""
        return self.encoder(x, lengths, _prior(supports, x))

    def head(self, h: Tensor) -> Tensor:
        """Logits (b, classes) of the top layer's last state (b, n, h)."""
        return self.linear(torch.relu(self.dropout(h))).max(dim=1).values

    # To share work between inputs that agree up to a second (occlusion). Carried: graph, then state, of each layer.

    @property
    def causal(self) -> bool:
        """Whether what is carried depends on no later second; published, the upper layer's graph does (defect 9)."""
        return not self.encoder.published

    def operator(self, supports: Tensor) -> Tensor:
        """A_0 (n, n) of a clip's supports (1, n, n)."""
        return supports[0]

    def encode(self, x: Tensor, operator: Tensor) -> list[Tensor]:
        """Graph (t, b, n, n) and state (t, b, n, h) of every layer after every second, of x (b, t, n, f)."""
        lengths = torch.full((len(x),), x.shape[1], device=x.device)
        return [part for trace in self.traces(x, lengths, operator[None]) for part in (trace.graphs, trace.states)]

    def first_inputs(self, x: Tensor, operator: Tensor) -> Tensor:
        """What layer 1 is given of each second: x itself, (t, b, n, f)."""
        return x.transpose(0, 1)

    def begin(self, operator: Tensor) -> list[Tensor]:
        """Graph (1, n, n) and state (1, n, h) of each layer before the first second."""
        state = operator.new_zeros(1, len(operator), self.encoder.units)
        return [operator[None], state] * len(self.encoder.layers)

    def stepper(self, operator: Tensor) -> Step:
        """One second: (x (1, b, n, f), what each layer carries) -> what it carries after it."""

        def step(x: Tensor, carried: list[Tensor]) -> list[Tensor]:
            after: list[Tensor] = []
            A_0 = operator.expand(x.shape[1], -1, -1)
            for layer, A, s in zip(self.encoder.stack(), carried[::2], carried[1::2], strict=True):
                x, graphs = layer(x, s, A, A_0)
                after += [graphs[0], x[0]]
            return after

        return step

    def regularised(self, x: Tensor, lengths: Tensor, supports: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits, and what the graphs are penalised by: `smooth`, `degree` and `sparsity`, each one number."""
        traces = self.traces(x, lengths, supports)
        return self.head(_at_end(traces[-1].states, lengths)), _penalties(x, lengths, traces)

    def graphs(self, x: Tensor, lengths: Tensor, supports: Tensor) -> Tensor:
        """A_t (layers, b, t, n, n), row = receiver; NaN beyond a clip's `lengths` (b,)."""
        found = torch.stack([trace.graphs for trace in self.traces(x, lengths, supports)]).transpose(1, 2)
        beyond = torch.arange(x.shape[1], device=x.device) >= lengths[:, None]
        return found.masked_fill(beyond[None, :, :, None, None], torch.nan)

    def head_graphs(self, x: Tensor, lengths: Tensor, supports: Tensor) -> Tensor | None:
        """What each head attends to, (layers, b, t, p, n, n); None where no graph is learned."""
        A_0, traces, found = _prior(supports, x), self.traces(x, lengths, supports), []
        current, first = x.transpose(0, 1), A_0
        for layer, trace in zip(self.encoder.stack(), traces, strict=True):
            if layer.learner is None:
                return None
            found.append(layer_heads(layer.learner, current, trace.states, trace.graphs, first, A_0))
            current, first = trace.states, trace.graphs[-1] if self.encoder.published else A_0
        return torch.stack(found).transpose(1, 2)


def _penalties(x: Tensor, lengths: Tensor, traces: list[Trace]) -> dict[str, Tensor]:
    """Penalties of the encoder's graphs, each layer's with the layer's own input."""
    inputs = [x.transpose(0, 1), *(trace.states for trace in traces[:-1])]
    return penalties([(given, trace.graphs) for given, trace in zip(inputs, traces, strict=True)], lengths)


class Forecaster(nn.Module):
    """Encoder and decoder: predicts the next seconds, feeding its own output back (no teacher forcing)."""

    def __init__(self, settings: ModelSettings, *, n_features: int) -> None:
        super().__init__()
        self.encoder = Encoder(settings, n_layers=settings.pretraining_layers, n_features=n_features)
        self.decoder = _decoder_layers(settings, n_layers=settings.pretraining_layers, n_features=n_features)
        self.projection = nn.Linear(settings.units, n_features)
        self.mixes_padded_clips = self.encoder.mixes_padded_clips
        _add_learners([*self.encoder.stack(), *cast(list[SGLCLayer], list(self.decoder))], settings)

    def forward(self, x: Tensor, lengths: Tensor, supports: Tensor, horizon: int) -> Tensor:
        """The `horizon` seconds after x (b, t, n, f), standardised as x is: (b, horizon, n, f)."""
        return self.regularised(x, lengths, supports, horizon, penalised=False)[0]

    def regularised(
        self, x: Tensor, lengths: Tensor, supports: Tensor, horizon: int, *, penalised: bool = True
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The same, and the penalties of the encoder's graphs."""
        A_0 = _prior(supports, x)
        traces = self.encoder(x, lengths, A_0)
        states = [_at_end(trace.states, lengths) for trace in traces]
        frames = _decode(self.decoder, self.projection, states, A_0, horizon, threaded=self.encoder.published)
        return frames, _penalties(x, lengths, traces) if penalised else {}


def _decoder_layers(settings: ModelSettings, *, n_layers: int, n_features: int) -> nn.ModuleList:
    """A decoder's own layers; with `decoder_tied` the second serves for all later ones."""
    inputs = [n_features] + [settings.units] * (min(n_layers - 1, 1) if settings.decoder_tied else n_layers - 1)
    return nn.ModuleList(SGLCLayer(settings, n_inputs=n_in) for n_in in inputs)


def _decode(
    decoder: nn.ModuleList, projection: nn.Linear, states: list[Tensor], A_0: Tensor, horizon: int, *, threaded: bool
) -> Tensor:
    """The `horizon` seconds (b, horizon, n, f) that follow the encoder's `states` (b, n, h), one of each layer.

    Every layer starts from A_0. `threaded` (published): one graph runs through the layers of a second, then on to the
    first layer of the next second.
    """
    own, states = cast(list[SGLCLayer], list(decoder)), list(states)
    layers = [own[min(depth, len(own) - 1)] for depth in range(len(states))]  # tied: layer 3 is layer 2
    graphs, outputs = [A_0] * len(layers), []
    second = states[0].new_zeros(1, *states[0].shape[:2], projection.out_features)  # GO is zero
    for _ in range(horizon):
        current = second
        for depth, layer in enumerate(layers):
            before = graphs[depth - 1] if threaded else graphs[depth]  # depth 0: the last layer of the second before
            current, graph = layer(current, states[depth], before, A_0)
            states[depth], graphs[depth] = current[-1], graph[-1]
        second = projection(current)
        outputs.append(second)
    return torch.cat(outputs).transpose(0, 1)  # t b n f -> b t n f


class JointClassifier(Classifier):
    """A classifier whose encoder also feeds a decoder, for the auxiliary task (Tang et al. 2022, Table 10)."""

    def __init__(self, settings: ModelSettings, *, n_features: int, n_classes: int, dropout: float) -> None:
        super().__init__(settings, n_features=n_features, n_classes=n_classes, dropout=dropout)
        self.decoder = _decoder_layers(settings, n_layers=settings.layers, n_features=n_features)
        self.projection = nn.Linear(settings.units, n_features)
        _add_learners(cast(list[SGLCLayer], list(self.decoder)), settings)

    def joint(self, x: Tensor, lengths: Tensor, supports: Tensor, *, seen: int, horizon: int) -> tuple[Tensor, Tensor]:
        """Logits (b, classes) of x (b, t, n, f), and the `horizon` seconds predicted from its first `seen` seconds."""
        traces, A_0 = self.traces(x, lengths, supports), _prior(supports, x)
        halfway = [trace.states[seen - 1] for trace in traces]
        frames = _decode(self.decoder, self.projection, halfway, A_0, horizon, threaded=self.encoder.published)
        return self.head(_at_end(traces[-1].states, lengths)), frames


def classifier(
    settings: ModelSettings,
    *,
    n_features: int,
    n_classes: int,
    n_supports: int,
    dropout: float,
    n_nodes: int,
    length_s: int,
) -> Classifier:
    """The network of detection (one logit) and classification; initial weights come from torch's seeded generator.

    It fits any number of electrodes and seconds: `n_supports`, `n_nodes` and `length_s` change nothing.
    """
    return Classifier(settings, n_features=n_features, n_classes=n_classes, dropout=dropout)


def joint_classifier(
    settings: ModelSettings,
    *,
    n_features: int,
    n_classes: int,
    n_supports: int,
    dropout: float,
    n_nodes: int,
    length_s: int,
) -> JointClassifier:
    """The network of detection that is trained to predict, too."""
    return JointClassifier(settings, n_features=n_features, n_classes=n_classes, dropout=dropout)


def forecaster(settings: ModelSettings, *, n_features: int, n_supports: int) -> Forecaster:
    """The network of self-supervised pre-training."""
    return Forecaster(settings, n_features=n_features)


def transfer(classifier: Classifier, encoder_state: dict[str, Tensor]) -> list[str]:
    """Copy every tensor of the encoder, learners included; the head stays new. Returns the names of what was copied.

    Raises KeyError if the pre-trained network lacks a tensor, ValueError if a shape or the depth differs. With
    `allow_depth_mismatch` a deeper encoder gives its first layers.
    """
    own = {f"encoder.{name}": value for name, value in classifier.encoder.state_dict().items()}
    for name, value in own.items():
        if encoder_state[name].shape != value.shape:
            raise ValueError(
                f"encoder weight {name}: {tuple(encoder_state[name].shape)} does not fit {tuple(value.shape)}; "
                "pre-train with the same features, units, heads and variant"
            )
    left = sorted(name for name in encoder_state if name.startswith("encoder.") and name not in own)
    if left and not classifier.allow_depth_mismatch:
        raise ValueError(
            f"encoder weight {left[0]}: the classifier has no such tensor; pre-train as many layers as it has "
            "(models.<name>.pretraining_layers), or say allow_depth_mismatch: true"
        )
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(encoder_state[name])
    return sorted(own)
