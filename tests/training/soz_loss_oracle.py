"""Double loops over the formulas of spec soz.md, sections 4 and 5, in float64: slow and plain."""

import math
from collections.abc import Sequence

Rows = Sequence[Sequence[float]]


def weights(counts: Sequence[int], beta: float, cap: float | None = None) -> list[float]:
    """w_c of classes with `counts` contacts."""
    raw = [(1 - beta) / (1 - beta**n + 1e-6) if n else 0.0 for n in counts]
    if cap is not None and all(counts):
        raw[1] = min(raw[1], cap * raw[0])
    present = sum(1 for n in counts if n)
    return [w * present / sum(raw) for w in raw] if present else raw


def supcon_clip(
    z: Rows,
    y: Sequence[int],
    valid: Sequence[bool],
    *,
    temperature: float,
    beta: float,
    gamma: float,
    denominator: str,
    counts: Sequence[int] | None = None,
    weight_cap: float | None = None,
) -> tuple[float, int]:
    """(loss, anchors) of one clip; loss 0 without an anchor."""
    V = [i for i in range(len(y)) if valid[i] and y[i] >= 0]
    w = weights(counts or [sum(y[i] == c for i in V) for c in (0, 1)], beta, weight_cap)

    def unit(v: Sequence[float]) -> list[float]:
        length = math.sqrt(sum(a * a for a in v))
        return [a / length if length >= 1e-12 else 0.0 for a in v]

    u = [unit(v) for v in z]
    total = mass = 0.0
    n_anchors = 0
    for i in V:
        P = [p for p in V if p != i and y[p] == y[i]]
        N = [k for k in V if y[k] != y[i]]
        if not P or not N:
            continue
        s = {k: sum(a * b for a, b in zip(u[i], u[k], strict=True)) / temperature for k in V}
        li = 0.0
        for p in P:
            keys = [*P, *N] if denominator == "all" else [p, *N]
            log_p = s[p] - math.log(sum(math.exp(s[k]) for k in keys))
            li += max(-math.expm1(log_p), 0.0) ** gamma * -log_p
        total += w[y[i]] * li / len(P)
        mass += w[y[i]]
        n_anchors += 1
    return (total / mass if mass else 0.0), n_anchors


def bce(
    x: Rows, y: Sequence[Sequence[int]], valid: Sequence[Sequence[bool]], *, beta: float, gamma: float,
    counts: Sequence[int] | None = None,
) -> float:  # fmt: skip
    """Mean over labelled valid contacts of w_y q^gamma BCE."""
    total, n = 0.0, 0
    for xs, ys, vs in zip(x, y, valid, strict=True):
        V = [i for i in range(len(ys)) if vs[i] and ys[i] >= 0]
        w = weights(counts or [sum(ys[i] == c for i in V) for c in (0, 1)], beta)
        for i in V:
            p = 1 / (1 + math.exp(-xs[i]))
            p_true = p if ys[i] else 1 - p
            total += w[ys[i]] * (1 - p_true) ** gamma * -math.log(p_true)
            n += 1
    return total / n if n else 0.0
