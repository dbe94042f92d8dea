"""SGLC as its specification writes it (sglc.md, sections 4, 5, 7, 8): NumPy loops over heads, clips and electrodes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.settings.model_sglc import ModelSettings

Array = NDArray[np.float64]
SETTINGS = ModelSettings(
    variant="corrected", adjacency="learned", units=5, layers=2, pretraining_layers=2, allow_depth_mismatch=False,
    ggnn_steps=3, learner_units=4, heads=3, mixing=0.3, attention_dropout=0.5, sparsify="topk", keep_edges=3,
    edge_threshold=0.3, recurrence="anchored", support="all", decoder_tied=True,
    regularisers={"smooth": 0, "degree": 0, "sparsity": 0}, init={"gate_bias": 0.0},
)  # fmt: skip
PUBLISHED = {"variant": "published", "pretraining_layers": 3, "allow_depth_mismatch": True}


def settings(**changes: Any) -> ModelSettings:
    """The small model of the tests, with other options."""
    return ModelSettings(**SETTINGS.model_dump() | changes)


def published_prior(C: Array) -> Array:
    n = len(C)
    A = np.zeros((n, n))
    degree = [sum(max(C[i, j], C[j, i]) for j in range(n)) for i in range(n)]
    for i in range(n):
        for j in range(n):
            A[i, j] = -max(C[i, j], C[j, i]) / np.sqrt(degree[i] * degree[j])
    return A


def corrected_prior(C: Array) -> Array:
    A = C.copy()
    for i in range(len(C)):
        A[i, i] = 1.0
        A[i] /= A[i].sum()
    return A


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softmax(x: Array) -> Array:
    raised = np.exp(x - x.max())
    return raised / raised.sum()


def ggnn(weights: dict[str, Array], name: str, A: Array, h: Array, steps: int) -> Array:
    """Wr, Wz, Wh are D x 3D maps of [m_in, m_out, h]; the stored tensors hold them transposed."""
    D = h.shape[1]
    gates, candidate = weights[f"{name}.W_gates"], weights[f"{name}.W_candidate"]
    W, b = [gates[:, :D].T, gates[:, D:].T, candidate.T], weights[f"{name}.bias"].reshape(3, D)
    for _ in range(steps):
        new = np.empty_like(h)
        for i in range(len(h)):
            m_in = sum(A[i, j] * h[j] for j in range(len(h)))
            m_out = sum(A[j, i] * h[j] for j in range(len(h)))
            r = sigmoid(W[0] @ np.concatenate([m_in, m_out, h[i]]) + b[0])
            z = sigmoid(W[1] @ np.concatenate([m_in, m_out, h[i]]) + b[1])
            c = np.tanh(W[2] @ np.concatenate([m_in, m_out, r * h[i]]) + b[2])
            new[i] = (1 - z) * h[i] + z * c
        h = new
    return h @ weights[f"{name}.out.weight"].T + weights[f"{name}.out.bias"]


def learned(weights: dict[str, Array], name: str, x: Array, s: Array, A: Array, A_0: Array, s_: ModelSettings) -> Array:
    return (published_learner if s_.variant == "published" else corrected_learner)(weights, name, x, s, A, A_0, s_)


def edge_scores(q: Array, W: Array, a: Array) -> Array:
    n, z = len(q), q @ W
    e = np.array([[a[0] @ z[i] + a[1] @ z[j] for j in range(n)] for i in range(n)])
    return np.where(e > 0, e, 0.2 * e)


def published_learner(weights, name, x, s, A, A_0, s_):
    n, heads = len(x), []
    for _ in range(s_.heads):
        e = edge_scores(x, weights[f"{name}.W"], weights[f"{name}.a"])
        for i in range(n):
            for j in range(n):
                if A[i, j] <= 0:
                    e[i, j] = -9e15
        heads.append(np.array([softmax(row) for row in e]))
    alpha = np.mean(heads, axis=0)
    alpha[alpha <= s_.edge_threshold] = -1e20
    new = np.array([softmax(np.log1p(np.exp(row))) for row in alpha])
    return s_.mixing * A + (1 - s_.mixing) * new


def corrected_learner(weights, name, x, s, A, A_0, s_):
    n, heads = len(x), []
    q = np.concatenate([x, s], axis=1)
    for p in range(s_.heads):
        e = edge_scores(q, weights[f"{name}.W"][p], weights[f"{name}.a"][p])
        if s_.support == "prior":
            e[A_0 == 0] = -np.inf
        heads.append(np.array([softmax(row) for row in e]))
    alpha = np.mean(heads, axis=0)
    new = np.zeros((n, n))
    for i in range(n):
        others = sorted((alpha[i, j] for j in range(n) if j != i), reverse=True)
        least = others[min(s_.keep_edges, n - 1) - 1] if s_.sparsify == "topk" else np.nextafter(s_.edge_threshold, 1)
        for j in range(n):
            if i == j or alpha[i, j] >= least:
                new[i, j] = alpha[i, j]
        new[i] = new[i] / new[i].sum() if new[i].sum() > 0 else A_0[i]
    mixed = A if s_.recurrence == "recurrent" else A_0
    return s_.mixing * mixed + (1 - s_.mixing) * new


def cell(weights, name, x, s, A, A_0, s_) -> tuple[Array, Array]:
    """State and graph after one second of one clip."""
    A = learned(weights, f"{name}.learner", x, s, A, A_0, s_) if s_.adjacency == "learned" else A_0
    gates = sigmoid(ggnn(weights, f"{name}.gate", A, np.concatenate([x, s], axis=1), s_.ggnn_steps))
    r, u = np.split(gates, 2, axis=1)
    c = np.tanh(ggnn(weights, f"{name}.candidate", A, np.concatenate([x, r * s], axis=1), s_.ggnn_steps))
    return u * s + (1 - u) * c, A


def encode(weights, x: Array, length: int, A_0: Array, s_: ModelSettings, n_layers: int) -> list[tuple[Array, Array]]:
    """States (t, n, h) and graphs (t, n, n) of every layer of one clip x (t, n, f), padding included."""
    current, A, traces = x, A_0, []
    for depth in range(n_layers):
        s, states, graphs = np.zeros((x.shape[1], s_.units)), [], []
        if s_.variant == "corrected":
            A = A_0
        for t, second in enumerate(current):
            if s_.variant == "published" or t < length:
                s, A = cell(weights, f"encoder.layers.{depth}", second, s, A, A_0, s_)
            states.append(s)
            graphs.append(A)
        current = np.array(states)
        traces.append((current, np.array(graphs)))
    return traces


def classify(weights, x: Array, length: int, A_0: Array, s_: ModelSettings) -> Array:
    """Logits (k,) of one clip."""
    s = encode(weights, x, length, A_0, s_, s_.layers)[-1][0][length - 1]
    return np.max([weights["linear.weight"] @ np.maximum(node, 0) + weights["linear.bias"] for node in s], axis=0)


def forecast(weights, x: Array, length: int, A_0: Array, s_: ModelSettings, horizon: int) -> Array:
    """The next seconds (horizon, n, f) of one clip."""
    depth = s_.pretraining_layers
    states = [trace[0][length - 1] for trace in encode(weights, x, length, A_0, s_, depth)]
    graphs, one, second, found = [A_0] * depth, A_0, np.zeros_like(x[0]), []
    for _ in range(horizon):
        current = second
        for layer in range(depth):
            name = f"decoder.{min(layer, 1) if s_.decoder_tied else layer}"
            before = one if s_.variant == "published" else graphs[layer]
            states[layer], one = cell(weights, name, current, states[layer], before, A_0, s_)
            graphs[layer], current = one, states[layer]
        second = current @ weights["projection.weight"].T + weights["projection.bias"]
        found.append(second)
    return np.array(found)
