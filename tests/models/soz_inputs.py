"""Made-up inputs of the SOZ encoder."""

from typing import Any

import torch

from pipeline.models.soz import SozInputs
from pipeline.settings.soz import SozModel

DEFAULT: dict[str, Any] = {
    "width": 64, "heads": 8, "layers": 2, "feedforward": 128, "dropout": 0.3, "projection": 64, "phase": True,
    "position": False, "baseline_ratio": True,
}  # fmt: skip


def settings(**changes: Any) -> SozModel:
    """The default encoder, with changes."""
    return SozModel(**DEFAULT | changes)


def small(**changes: Any) -> SozModel:
    """A quick one."""
    return settings(**{"width": 16, "heads": 4, "feedforward": 32, "projection": 8, "dropout": 0.0} | changes)


def inputs(b: int = 2, c: int = 7, *, seed: int = 0) -> SozInputs:
    """Noise for b clips of c contacts, the last band-masked above band 15, the last contact without coordinates."""
    generator = torch.Generator().manual_seed(seed)
    band_mask = torch.ones(b, 32, dtype=torch.bool)
    band_mask[-1, 16:] = False
    has_xyz = torch.ones(b, c, dtype=torch.bool)
    has_xyz[:, -1] = False
    xyz = 30 * torch.randn(b, c, 3, generator=generator)
    return SozInputs(
        tokens=torch.randn(b, c, 32, 35, generator=generator),
        stats=torch.randn(b, c, 64, generator=generator),
        valid=torch.ones(b, c, dtype=torch.bool),
        band_mask=band_mask,
        phase=torch.arange(b) % 3,
        xyz=xyz.masked_fill(~has_xyz[..., None], torch.nan),
        has_xyz=has_xyz,
    )


def padded(x: SozInputs, n: int, fill: float = torch.nan) -> SozInputs:
    """The same clips with n more contacts that hold rubbish and are not valid."""
    b = len(x.valid)

    def more(values: torch.Tensor, value: float) -> torch.Tensor:
        return torch.cat([values, torch.full((b, n, *values.shape[2:]), value).to(values.dtype)], dim=1)

    return SozInputs(
        more(x.tokens, fill), more(x.stats, fill), more(x.valid, False), x.band_mask, x.phase, more(x.xyz, fill),
        more(x.has_xyz, True),
    )  # fmt: skip


def reordered(x: SozInputs, order: torch.Tensor) -> SozInputs:
    """The same clips with contact order[i] in place i."""
    return SozInputs(
        x.tokens[:, order], x.stats[:, order], x.valid[:, order], x.band_mask, x.phase, x.xyz[:, order],
        x.has_xyz[:, order],
    )  # fmt: skip
