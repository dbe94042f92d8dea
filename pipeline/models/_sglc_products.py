"""Matrix products for hand-written passes, on the fastest float32 route of the processor; no gradient flows through.

torch gives a plain float32 product to MKL, which keeps to AVX2 on processors that are not Intel's. oneDNN, which comes
with torch, uses AVX-512 wherever it is there: on an AMD EPYC of 2025 (Zen 5) the same product takes half the time
(docs/sglc.md, Cost). It is float32 throughout; only the order of additions differs. torch has no public name for it, so
the operator is tried once, and where it is missing or elsewhere than on a CPU in float32, torch's own product serves.
"""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

Function = Literal["none", "sigmoid", "tanh"]
APPLY: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x, "sigmoid": Tensor.sigmoid_, "tanh": Tensor.tanh_,
}  # fmt: skip


def _onednn() -> Any:
    """oneDNN's function(x weight^T + bias), of x, weight (out, in), bias, function; None where torch has none."""
    x = torch.ones(2, 2)
    try:
        operator = torch.ops.mkldnn._linear_pointwise
        found = operator(x, x, None, "none", [], ""), operator.binary(x, x, x, None, "add")
    except (AttributeError, RuntimeError, TypeError):  # a build without oneDNN, or a torch that calls it otherwise
        return None
    return operator if torch.equal(found[0], 2 * x) and torch.equal(found[1], 3 * x) else None


ONEDNN = _onednn()


def _fast(x: Tensor) -> bool:
    return ONEDNN is not None and x.device.type == "cpu" and x.dtype == torch.float32


def affine(x: Tensor, W: Tensor, bias: Tensor | None, function: Function = "none") -> Tensor:
    """function(x W + bias), of x (m, k) and W (k, n)."""
    if _fast(x):
        return ONEDNN(x, W.mT, bias, function, [], "")
    return APPLY[function](x @ W if bias is None else torch.addmm(bias, x, W))


def add_product(y: Tensor, x: Tensor, W: Tensor) -> Tensor:
    """y + x W, of y (m, n), x (m, k) and W (k, n)."""
    return ONEDNN.binary(x, y, W.mT, None, "add") if _fast(x) else torch.addmm(y, x, W)
