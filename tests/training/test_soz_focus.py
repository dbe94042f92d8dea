"""The published focal term is nearly idle under `denominator: all`, and works under `negatives` (spec soz.md, 4)."""

import pytest
import torch
from torch import Tensor

from pipeline.models.soz import unit_length
from pipeline.training.soz_losses import log_probabilities, roles, supcon

LABELS = torch.tensor([[1] * 8 + [0] * 98]).expand(20, -1)  # 20 clips with 8 contacts in the onset zone
VALID = torch.ones_like(LABELS, dtype=torch.bool)
NONE, STRONG = 0.0, 1.4  # of a class's own axis, beside noise of length 1 in 64 dimensions


def embeddings(strength: float) -> Tensor:
    """Unit z (20, 106, 64)."""
    z = torch.randn(*LABELS.shape, 64, generator=torch.Generator().manual_seed(0)) / 8
    return unit_length(z + strength * torch.eye(2, 64)[LABELS])


def focus(denominator: str, strength: float) -> list[float]:
    """Mean (1 - p)^2 over the positives of non-SOZ anchors, and of SOZ anchors."""
    _, positives, negatives = roles(LABELS, VALID)
    log_p = log_probabilities(embeddings(strength), positives, negatives, temperature=0.1, denominator=denominator)
    power = torch.expm1(log_p).square()
    return [power[positives & LABELS[:, :, None].eq(c)].mean().item() for c in (0, 1)]


@pytest.mark.parametrize(
    ("denominator", "apart", "wanted"),
    [
        ("all", NONE, [0.981, 0.986]),
        ("all", STRONG, [0.980, 0.757]),
        ("negatives", NONE, [0.803, 0.982]),
        ("negatives", STRONG, [0.002, 0.046]),
    ],
)
def test_the_values_of_the_specification(denominator: str, apart: float, wanted: list[float]) -> None:
    assert focus(denominator, apart) == pytest.approx(wanted, abs=0.025)


def test_the_published_focus_hardly_moves_for_the_larger_class() -> None:
    before, after = focus("all", NONE)[0], focus("all", STRONG)[0]
    assert abs(before - after) < 0.005
    before, after = focus("negatives", NONE)[0], focus("negatives", STRONG)[0]
    assert before - after > 0.75


@pytest.mark.parametrize(("denominator", "least", "most"), [("all", 0.9, 1.0), ("negatives", 0.0, 0.05)])
def test_so_gamma_changes_only_one_of_the_losses(denominator: str, least: float, most: float) -> None:
    """Of separated non-SOZ contacts, gamma 2 takes 2 % of the published loss away, and nearly all of the other."""
    z, options = embeddings(STRONG), {"temperature": 0.1, "beta": 0.0, "denominator": denominator}
    counts = torch.tensor([98, 0])  # the loss of non-SOZ anchors alone
    plain, _ = supcon(z, LABELS, VALID, gamma=0.0, counts=counts, **options)
    focal, _ = supcon(z, LABELS, VALID, gamma=2.0, counts=counts, **options)
    assert least <= (focal / plain).item() <= most
