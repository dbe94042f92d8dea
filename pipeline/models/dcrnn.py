"""DCRNN: a gated recurrent network whose every product diffuses over the electrode graph.

Tang et al., ICLR 2022, sections 2.3 (DCGRU, classifier) and 2.4 (sequence-to-sequence pre-training); Li et al., ICLR
2018, for the diffusion convolution. Read from top to bottom: diffusion terms, one layer, classifier, forecaster.

Axes: b clip, t second, n electrode, f feature, h hidden, p support, m diffusion term (m = p K + 1). Inside this file
time comes first, (t, b, n, f), so that one second is one contiguous block.

Two things make it fast. The input half of each convolution does not depend on the state, so it is computed for many
seconds in one product. All terms of the graph stand in one operator (n m, n) whose result, (b, n m, h), is already
the (b n, m h) operand of the weight product: no concatenation, no copy. `_Scan` writes the backward pass of the
recurrence out by hand, which gathers each weight gradient into one product over all seconds.

To share work between inputs that agree up to a second (occlusion): `Classifier.encode` gives the states of every
layer at every second, `Classifier.first_inputs` the input half of layer 1, `Classifier.stepper` continues from given
states second by second, `Classifier.head` turns the last state into logits.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.amp import custom_bwd, custom_fwd
from torch.autograd.function import once_differentiable

from pipeline.graphs.supports import random_walks, scaled_laplacian
from pipeline.settings.model_dcrnn import ModelSettings

PIECE_S = 12  # seconds whose input half is computed at once; longer pieces fall out of the cache (60 s: a third slower)
XAVIER_GAIN = 1.414  # published code
Recursion = Literal["powers", "chebyshev", "published"]
Step = Callable[[Tensor, list[Tensor]], list[Tensor]]


# The graph: weights -> supports -> one operator that holds every diffusion term


def supports(weights: np.ndarray, graph: str, settings: ModelSettings) -> np.ndarray:
    """Supports (..., p, n, n) of graph weights (..., n, n): one scaled Laplacian, or two random walks."""
    made = scaled_laplacian(weights) if graph == "distance" else random_walks(weights)
    return np.ascontiguousarray(made, dtype=np.float32)


def diffusion_operator(supports: Tensor, *, steps: int, recursion: Recursion) -> Tensor:
    """All diffusion terms as one operator (..., n m, n), row n m + k holding row n of term k.

    One support (distance graph): Chebyshev polynomials I, T1(S), ... Two (correlation): I and, per support, its powers
    (Eq. 1); `chebyshev` has polynomials instead, `published` chains them: its recursion for the second support starts
    at the last but one term of the first (defect D10; with one support it changes nothing).
    """
    n = supports.shape[-1]
    identity = torch.eye(n, dtype=supports.dtype, device=supports.device).expand(*supports.shape[:-3], n, n)
    chebyshev = supports.shape[-3] == 1 or recursion != "powers"
    terms, base = [identity], identity
    for S in supports.unbind(-3):
        before, last = base, S @ base
        terms.append(last)
        for _ in range(steps - 1):
            before, last = last, 2 * S @ last - before if chebyshev else S @ last
            terms.append(last)
        base = before if recursion == "published" else identity
    return torch.stack(terms, dim=-2).flatten(-3, -2)


def _diffuse(operator: Tensor, x: Tensor, out: Tensor) -> Tensor:
    """out[t, b] = operator[b] @ x[t, b]; operator (i, j) or per clip (b, i, j), x (t, b, j, f), out (t, b, i, f)."""
    if operator.dim() == 2:
        torch.bmm(operator.expand(x.shape[0] * x.shape[1], -1, -1), x.flatten(0, 1), out=out.view(-1, *out.shape[2:]))
    else:
        for second, result in zip(x, out, strict=True):
            torch.bmm(operator, second, out=result)
    return out


class _Diffusion(torch.autograd.Function):
    """x (t, b, n, f) -> its diffusion terms (t, b, n, m f)."""

    @staticmethod
    @custom_fwd(device_type="cuda", cast_inputs=torch.float32)
    def forward(ctx: Any, x: Tensor, operator: Tensor) -> Tensor:
        ctx.save_for_backward(operator)
        t, b, n, f = x.shape
        return _diffuse(operator, x.contiguous(), x.new_empty(t, b, operator.shape[-2], f)).view(t, b, n, -1)

    @staticmethod
    @once_differentiable
    @custom_bwd(device_type="cuda")
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (operator,) = ctx.saved_tensors
        t, b, n, _ = grad.shape
        grad = grad.contiguous().view(t, b, operator.shape[-2], -1)
        return _diffuse(operator.mT, grad, grad.new_empty(t, b, n, grad.shape[-1])), None


# One layer


class _Kept(NamedTuple):
    """What the backward pass of a scan needs, for all seconds: states h (t+1, b, n, h), gates r and u, candidate c."""

    states: Tensor
    gates: Tensor
    candidate: Tensor
    terms_gate: Tensor
    terms_candidate: Tensor


def _scan(inputs: Tensor, h: Tensor, operator: Tensor, Wg: Tensor, Wc: Tensor, *, keep: bool) -> _Kept:
    """Run the gated recurrence over all seconds (Tang et al. 2022, Eq. 2).

    inputs (t, b, n, 3h): input half of r, u and c with biases; h (b, n, h); Wg (m h, 2h), Wc (m h, h).
    Without `keep` the buffers of one second are used again for the next.
    """
    (t, (b, n, H)), nm = (inputs.shape[0], h.shape), operator.shape[-2]
    P = operator.expand(b, nm, n)
    kept_s = t if keep else 1
    states, gates = h.new_empty(t + 1, b, n, H), h.new_empty(kept_s, b * n, 2 * H)
    candidate, reset = h.new_empty(kept_s, b * n, H), torch.empty_like(h)
    terms_gate, terms_candidate = h.new_empty(2, kept_s, b, nm, H)
    states[0] = h
    for s in range(t):
        i, h, x = s % kept_s, states[s], inputs[s].reshape(b * n, 3 * H)
        torch.bmm(P, h, out=terms_gate[i])
        torch.addmm(x[:, : 2 * H], terms_gate[i].view(b * n, -1), Wg, out=gates[i]).sigmoid_()
        r, u = gates[i].view(b, n, 2 * H).split(H, dim=-1)
        torch.bmm(P, torch.mul(r, h, out=reset), out=terms_candidate[i])
        torch.addmm(x[:, 2 * H :], terms_candidate[i].view(b * n, -1), Wc, out=candidate[i]).tanh_()
        torch.lerp(candidate[i].view(b, n, H), h, u, out=states[s + 1])  # u h + (1 - u) c
    return _Kept(states, gates, candidate, terms_gate, terms_candidate)


class _Scan(torch.autograd.Function):
    """`_scan` with its backward pass: (t, b, n, h) states after each second. No gradient reaches the operator."""

    @staticmethod
    @custom_fwd(device_type="cuda", cast_inputs=torch.float32)
    def forward(ctx: Any, inputs: Tensor, h: Tensor, operator: Tensor, Wg: Tensor, Wc: Tensor) -> Tensor:
        kept = _scan(inputs, h, operator, Wg, Wc, keep=True)
        ctx.save_for_backward(operator, Wg, Wc, *kept)
        return kept.states[1:]

    @staticmethod
    @once_differentiable
    @custom_bwd(device_type="cuda")
    def backward(  # type: ignore[override]
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, Tensor, None, Tensor, Tensor]:
        operator, Wg, Wc, *tensors = ctx.saved_tensors
        kept = _Kept(*tensors)
        (t, b, n, H), nm = grad.shape, operator.shape[-2]
        P = operator.mT.expand(b, n, nm)
        d_inputs = grad.new_empty(t, b * n, 3 * H)
        d_terms, d_reset = grad.new_empty(b * n, nm // n * H), grad.new_empty(b, n, H)
        dh = torch.zeros_like(d_reset)
        for s in reversed(range(t)):
            dh += grad[s]
            h, c = kept.states[s], kept.candidate[s].view(b, n, H)
            r, u = kept.gates[s].view(b, n, 2 * H).split(H, dim=-1)
            d_gates, d_candidate = d_inputs[s].split([2 * H, H], dim=-1)
            dr, du = d_gates.view(b, n, 2 * H).split(H, dim=-1)
            torch.mul(dh * (1 - u), 1 - c * c, out=d_candidate.view(b, n, H))
            torch.mul(dh * (h - c), u * (1 - u), out=du)
            dh = dh * u
            torch.mm(d_candidate, Wc.mT, out=d_terms)
            torch.bmm(P, d_terms.view(b, nm, H), out=d_reset)  # gradient of r * h
            dh.addcmul_(d_reset, r)
            torch.mul(d_reset * h, r * (1 - r), out=dr)
            torch.mm(d_gates, Wg.mT, out=d_terms)
            dh.baddbmm_(P, d_terms.view(b, nm, H))
        d_all = d_inputs.view(t * b * n, 3 * H)
        dWg = kept.terms_gate.view(t * b * n, -1).mT @ d_all[:, : 2 * H]
        dWc = kept.terms_candidate.view(t * b * n, -1).mT @ d_all[:, 2 * H :]
        return d_inputs.view(t, b, n, 3 * H), dh, None, dWg, dWc


class GraphConvolution(nn.Module):
    """Weight and bias of one diffusion convolution; row feature * m + term, input features first, then the state's."""

    def __init__(self, n_inputs: int, n_units: int, n_outputs: int, n_terms: int, *, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty((n_inputs + n_units) * n_terms, n_outputs))
        self.bias = nn.Parameter(torch.full((n_outputs,), bias))
        nn.init.xavier_normal_(self.weight, gain=XAVIER_GAIN)

    def halves(self, n_inputs: int, n_terms: int) -> tuple[Tensor, Tensor]:
        """Weights of the input (m f, out) and of the state (m h, out), terms outermost as in the operator's result."""
        by_feature = self.weight.view(-1, n_terms, self.weight.shape[1])
        return by_feature[:n_inputs].transpose(0, 1).flatten(0, 1), by_feature[n_inputs:].transpose(0, 1).flatten(0, 1)


class LayerWeights(NamedTuple):
    """A layer's weights as they are multiplied: Wx (m f, 3h), bias (3h), Wg (m h, 2h), Wc (m h, h)."""

    Wx: Tensor
    bias: Tensor
    Wg: Tensor
    Wc: Tensor


class DCGRULayer(nn.Module):
    """One diffusion-convolutional gated recurrent layer:

    [r|u] = sigmoid(gconv_gate(x, h)), c = tanh(gconv_candidate(x, r h)), h' = u h + (1 - u) c.
    """

    def __init__(self, n_inputs: int, n_units: int, n_terms: int, *, gate_bias: float) -> None:
        super().__init__()
        self.n_inputs, self.n_units, self.n_terms = n_inputs, n_units, n_terms
        self.gate = GraphConvolution(n_inputs, n_units, 2 * n_units, n_terms, bias=gate_bias)
        self.candidate = GraphConvolution(n_inputs, n_units, n_units, n_terms)

    def weights(self) -> LayerWeights:
        """The parameters rearranged for `input_terms` and `scan`; do it once, not once a second."""
        gate_x, Wg = self.gate.halves(self.n_inputs, self.n_terms)
        candidate_x, Wc = self.candidate.halves(self.n_inputs, self.n_terms)
        return LayerWeights(
            torch.cat([gate_x, candidate_x], 1), torch.cat([self.gate.bias, self.candidate.bias]), Wg, Wc
        )

    def input_terms(self, x: Tensor, operator: Tensor, weights: LayerWeights | None = None) -> Tensor:
        """Input half of r, u and c with biases, (t, b, n, 3h), of x (t, b, n, f); linear in x."""
        w = weights or self.weights()
        return nn.functional.linear(_Diffusion.apply(x, operator), w.Wx.mT, w.bias)

    def scan(self, inputs: Tensor, h: Tensor, operator: Tensor, weights: LayerWeights | None = None) -> Tensor:
        """States (t, b, n, h) after each second, from state h (b, n, h) and `inputs` of `input_terms`."""
        w = weights or self.weights()
        if torch.is_grad_enabled():
            return _Scan.apply(inputs, h, operator, w.Wg, w.Wc)
        return _scan(inputs.float(), h, operator, w.Wg, w.Wc, keep=False).states[1:]

    def forward(self, x: Tensor, h: Tensor, operator: Tensor, weights: LayerWeights | None = None) -> Tensor:
        """States (t, b, n, h) of input x (t, b, n, f), piece by piece."""
        w, states = weights or self.weights(), []
        for piece in x.split(PIECE_S):
            states.append(self.scan(self.input_terms(piece, operator, w), h, operator, w))
            h = states[-1][-1]
        return states[0] if len(states) == 1 else torch.cat(states)


class Encoder(nn.Module):
    """A stack of DCGRU layers over one sequence, started from zero."""

    def __init__(self, settings: ModelSettings, *, n_layers: int, n_features: int, n_supports: int) -> None:
        super().__init__()
        self.units, self.steps = settings.units, settings.diffusion_steps
        self.recursion: Recursion = settings.diffusion_recursion
        self.layers = nn.ModuleList(
            DCGRULayer(n_in, settings.units, n_supports * self.steps + 1, gate_bias=settings.init.gate_bias)
            for n_in in [n_features] + [settings.units] * (n_layers - 1)
        )

    def stack(self) -> list[DCGRULayer]:
        """The layers, first to last."""
        return cast(list[DCGRULayer], list(self.layers))

    def operator(self, supports: Tensor) -> Tensor:
        """Every diffusion term of supports (p, n, n) or (b, p, n, n), see `diffusion_operator`."""
        return diffusion_operator(supports, steps=self.steps, recursion=self.recursion)

    def forward(self, x: Tensor, operator: Tensor) -> list[Tensor]:
        """States (t, b, n, h) of each layer, of x (b, t, n, f)."""
        current = x.transpose(0, 1).contiguous()  # b t n f -> t b n f
        states = []
        for layer in self.layers:
            current = layer(current, x.new_zeros(x.shape[0], x.shape[2], self.units), operator)
            states.append(current)
        return states


def _at_end(states: Tensor, lengths: Tensor) -> Tensor:
    """(t, b, n, h) -> (b, n, h): the state after each clip's last valid second."""
    return states[lengths - 1, torch.arange(states.shape[1], device=states.device)]


# The models


class Classifier(nn.Module):
    """Encoder, then per electrode dropout, ReLU and a linear layer, then the largest logit over electrodes."""

    causal = True  # no state depends on a later second

    def __init__(
        self, settings: ModelSettings, *, n_features: int, n_classes: int, n_supports: int, dropout: float
    ) -> None:
        super().__init__()
        self.encoder = Encoder(settings, n_layers=settings.layers, n_features=n_features, n_supports=n_supports)
        self.dropout, self.linear = nn.Dropout(dropout), nn.Linear(settings.units, n_classes)

    def forward(self, x: Tensor, lengths: Tensor, supports: Tensor) -> Tensor:
        """Logits (b, classes) of standardised x (b, t, n, f); what lies beyond `lengths` (b,) does not matter."""
        return self.head(_at_end(self.encoder(x, self.encoder.operator(supports))[-1], lengths))

    def head(self, h: Tensor) -> Tensor:
        """Logits (b, classes) of the top layer's last state (b, n, h)."""
        return self.linear(torch.relu(self.dropout(h))).max(dim=1).values

    def operator(self, supports: Tensor) -> Tensor:
        """The diffusion operator that the methods below take: (n m, n), or (b, n m, n) from supports per clip."""
        return self.encoder.operator(supports)

    def encode(self, x: Tensor, operator: Tensor) -> list[Tensor]:
        """States (t, b, n, h) of every layer after every second, of x (b, t, n, f)."""
        return self.encoder(x, operator)

    def first_inputs(self, x: Tensor, operator: Tensor) -> Tensor:
        """Input half of layer 1, (t, b, n, 3h), of x (b, t, n, f): of each second by itself."""
        return self.encoder.stack()[0].input_terms(x.transpose(0, 1).contiguous(), operator)

    def begin(self, operator: Tensor) -> list[Tensor]:
        """States (1, n, h) of each layer before the first second."""
        return [operator.new_zeros(1, operator.shape[-1], layer.n_units) for layer in self.encoder.stack()]

    def stepper(self, operator: Tensor) -> Step:
        """One second: (inputs (1, b, n, 3h) of `first_inputs`, states (b, n, h) of each layer) -> states after it."""
        layers = [(layer, layer.weights()) for layer in self.encoder.stack()]

        def step(inputs: Tensor, states: list[Tensor]) -> list[Tensor]:
            after: list[Tensor] = []
            for (layer, weights), h in zip(layers, states, strict=True):
                given = layer.input_terms(after[-1][None], operator, weights) if after else inputs
                after.append(layer.scan(given, h, operator, weights)[0])
            return after

        return step


class Forecaster(nn.Module):
    """Encoder and decoder: predicts the next seconds, feeding its own output back (no teacher forcing)."""

    def __init__(self, settings: ModelSettings, *, n_features: int, n_supports: int) -> None:
        super().__init__()
        n_layers = settings.pretraining_layers
        self.encoder = Encoder(settings, n_layers=n_layers, n_features=n_features, n_supports=n_supports)
        self.decoder = _decoder_layers(settings, n_layers=n_layers, n_features=n_features, n_supports=n_supports)
        self.projection = nn.Linear(settings.units, n_features)

    def forward(self, x: Tensor, lengths: Tensor, supports: Tensor, horizon: int) -> Tensor:
        """The `horizon` seconds after x (b, t, n, f), standardised as x is: (b, horizon, n, f)."""
        operator = self.encoder.operator(supports)
        states = [_at_end(layer, lengths) for layer in self.encoder(x, operator)]
        return _decode(self.decoder, self.projection, states, operator, horizon)


def _decoder_layers(settings: ModelSettings, *, n_layers: int, n_features: int, n_supports: int) -> nn.ModuleList:
    """A decoder's own layers; with `decoder_tied` the second serves for all later ones."""
    inputs = [n_features] + [settings.units] * (min(n_layers - 1, 1) if settings.decoder_tied else n_layers - 1)
    n_terms = n_supports * settings.diffusion_steps + 1
    return nn.ModuleList(
        DCGRULayer(n_in, settings.units, n_terms, gate_bias=settings.init.gate_bias) for n_in in inputs
    )


def _decode(
    decoder: nn.ModuleList, projection: nn.Linear, states: list[Tensor], operator: Tensor, horizon: int
) -> Tensor:
    """The `horizon` seconds (b, horizon, n, f) that follow the encoder's `states` (b, n, h), one of each layer."""
    own, states = cast(list[DCGRULayer], list(decoder)), list(states)
    layers = [own[min(depth, len(own) - 1)] for depth in range(len(states))]  # tied: layer 3 is layer 2
    weights = {layer: layer.weights() for layer in own}
    second, outputs = states[0].new_zeros(1, *states[0].shape[:2], projection.out_features), []  # GO is zero
    for _ in range(horizon):
        current = second
        for depth, layer in enumerate(layers):
            current = layer(current, states[depth], operator, weights[layer])
            states[depth] = current[-1]
        second = projection(current)
        outputs.append(second)
    return torch.cat(outputs).transpose(0, 1)  # t b n f -> b t n f


class JointClassifier(Classifier):
    """A classifier whose encoder also feeds a decoder, for the auxiliary task (Tang et al. 2022, appendix, Table 10).

    Called as a module it is the classifier alone. What the decoder adds is drawn last, so that from one seed encoder
    and head start as those of `Classifier` do.
    """

    def __init__(
        self, settings: ModelSettings, *, n_features: int, n_classes: int, n_supports: int, dropout: float
    ) -> None:
        super().__init__(settings, n_features=n_features, n_classes=n_classes, n_supports=n_supports, dropout=dropout)
        self.decoder = _decoder_layers(settings, n_layers=settings.layers, n_features=n_features, n_supports=n_supports)
        self.projection = nn.Linear(settings.units, n_features)

    def joint(self, x: Tensor, lengths: Tensor, supports: Tensor, *, seen: int, horizon: int) -> tuple[Tensor, Tensor]:
        """Logits (b, classes) of x (b, t, n, f), and the `horizon` seconds predicted from its first `seen` seconds."""
        operator = self.encoder.operator(supports)
        states = self.encoder(x, operator)
        halfway = [layer[seen - 1] for layer in states]
        frames = _decode(self.decoder, self.projection, halfway, operator, horizon)
        return self.head(_at_end(states[-1], lengths)), frames


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

    It fits any number of electrodes and seconds: `n_nodes` and `length_s` change nothing.
    """
    return Classifier(settings, n_features=n_features, n_classes=n_classes, n_supports=n_supports, dropout=dropout)


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
    """The network of detection that is trained to predict, too; `n_nodes` and `length_s` change nothing."""
    return JointClassifier(settings, n_features=n_features, n_classes=n_classes, n_supports=n_supports, dropout=dropout)


def forecaster(settings: ModelSettings, *, n_features: int, n_supports: int) -> Forecaster:
    """The network of self-supervised pre-training."""
    return Forecaster(settings, n_features=n_features, n_supports=n_supports)


def transfer(classifier: Classifier, encoder_state: dict[str, Tensor]) -> list[str]:
    """Copy the encoder layers that both networks have; the head stays new. Returns the names of what was copied.

    Raises KeyError if the pre-trained network lacks a layer, ValueError if a shape differs (another graph or size).
    """
    own = {f"encoder.{name}": value for name, value in classifier.encoder.state_dict().items()}
    for name, value in own.items():
        if encoder_state[name].shape != value.shape:
            raise ValueError(
                f"encoder weight {name}: {tuple(encoder_state[name].shape)} does not fit {tuple(value.shape)}; "
                "pre-train with the same graph, features and units"
            )
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(encoder_state[name])
    return sorted(own)
