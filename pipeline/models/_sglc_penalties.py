"""Penalties on learned graphs (specification sglc.md, section 12; Tang et al., CHIL 2023, GraphS4mer).

With As = (A + A^T) / 2, L = diag(As 1) - As and X the input of the layer, of each second:

    smooth    tr(X^T L X) / n^2          joined electrodes should look alike
    degree    -mean_j log(sum_i A_ij)    every electrode should be heard (rows sum to 1, columns need not)
    sparsity  |A|_F^2 / n^2

Each is a mean over layers, clips and valid seconds.
"""

import torch
from torch import Tensor

SMALLEST_DEGREE = 1e-12


def penalties(layers: list[tuple[Tensor, Tensor]], lengths: Tensor) -> dict[str, Tensor]:
    """Means of the three over `layers`, pairs of input X (t, b, n, f) and graph A (t, b, n, n); `lengths` (b,)."""
    t = layers[0][0].shape[0]
    valid = torch.arange(t, device=lengths.device)[:, None] < lengths  # (t, b)
    values = {"smooth": _smooth, "degree": _degree, "sparsity": _sparsity}
    with torch.autocast(lengths.device.type, enabled=False):  # smooth is a difference of large numbers
        given = [(X[valid], A[valid]) for X, A in layers]  # an invalid second is left out, not multiplied by 0
        return {name: torch.stack([of(X, A).mean() for X, A in given]).mean() for name, of in values.items()}


def _smooth(X: Tensor, A: Tensor) -> Tensor:
    """(m,) of m seconds: tr(X^T L X) = sum_i degree_i |x_i|^2 - sum_ij As_ij x_i . x_j."""
    As = (A + A.mT) / 2
    degree = As.sum(dim=-1)
    return ((degree * X.square().sum(dim=-1)).sum(dim=-1) - (As * (X @ X.mT)).sum(dim=(-2, -1))) / A.shape[-1] ** 2


def _degree(X: Tensor, A: Tensor) -> Tensor:
    return -(A.sum(dim=-2) + SMALLEST_DEGREE).log().mean(dim=-1)


def _sparsity(X: Tensor, A: Tensor) -> Tensor:
    return A.square().sum(dim=(-2, -1)) / A.shape[-1] ** 2
