"""Coverage and localisation of occlusion maps, and the two nulls they are compared with.

Tang et al. 2022, section 2.5 (spec dcrnn.md, section 8): a map is scaled to [0, 1] within its clip; a cell above 0.5 is
marked; coverage is the share of annotated cells that are marked, localisation the share of marked cells that are
annotated. The nulls keep the map's values and permute its electrodes (are the places right, given the seconds?) or its
seconds (are the seconds right, given the places?).
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.explain.annotation import Annotation, EdgeValue, edge_values
from pipeline.settings.evaluation import LocalisationSettings

Rule = Literal["any", "majority", "edges"]
Policy = Literal["masked", "negative"]
# An edge joins two labelled electrodes, so FZ and PZ cannot be counted there.
CASES: tuple[tuple[Rule, Policy], ...] = (
    ("any", "masked"), ("any", "negative"), ("majority", "masked"), ("majority", "negative"), ("edges", "masked"),
)  # fmt: skip
# A map of derivations needs no rule: a derivation is annotated or not. FZ-CZ and CZ-PZ can be counted as negative.
DIRECT_CASES: tuple[tuple[Rule, Policy], ...] = (("edges", "masked"), ("edges", "negative"))
FLAT_LOGITS = 1e-6  # a map that spans less than the rounding of a float32 logit says nothing
UNDEFINED = float("nan")


@dataclass(frozen=True, kw_only=True)
class Score:
    """One map under one label rule. Shares are NaN where they have no sense, and `reason` then says why."""

    rule: Rule
    fz_pz: Policy
    coverage: float = UNDEFINED
    localisation: float = UNDEFINED
    null_electrodes: float = UNDEFINED
    null_seconds: float = UNDEFINED
    n_annotated: int = 0
    n_marked: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Target:
    """What a map is held against: `annotated` (r, t) for rows that are electrodes, or edges when `ends` is given.

    `rows`: the map's electrodes that take part; `ends` (r, len(rows)) bool: the two electrodes of each edge.
    """

    annotated: NDArray[np.bool_]
    rows: NDArray[np.intp]
    ends: NDArray[np.bool_] | None = None
    edge_value: EdgeValue = field(default="max", kw_only=True)

    def marked(self, values: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
        """Marked cells (..., r, t) of values (..., len(rows), t)."""
        return (values if self.ends is None else edge_values(values, self.ends, self.edge_value)) > threshold


def normalise(drop: NDArray[np.floating]) -> NDArray[np.float64] | None:
    """The map (n, t) scaled to [0, 1] within the clip; None when it is flat, where scaling has no sense."""
    drop = drop.astype(np.float64)
    low, high = drop.min(), drop.max()
    return None if high - low <= FLAT_LOGITS else (drop - low) / (high - low)


def target(annotation: Annotation, rule: Rule, policy: Policy, *, edge_value: EdgeValue) -> Target:
    """Annotated cells under a label rule; `masked` leaves FZ and PZ out, `negative` counts them as not annotated."""
    if rule == "edges" and not annotation.direct:
        complete = annotation.complete
        rows = np.flatnonzero(annotation.incidence[complete].any(axis=0))
        ends = annotation.incidence[complete][:, rows]
        return Target(annotation.edges[complete], rows, ends, edge_value=edge_value)
    n = annotation.incidence.shape[1]
    rows = np.flatnonzero(annotation.labelled) if policy == "masked" else np.arange(n)
    return Target(annotation.labels("any" if rule == "edges" else rule)[rows], rows)


def shares(marked: NDArray[np.bool_], annotated: NDArray[np.bool_]) -> tuple[NDArray, NDArray]:
    """(coverage, localisation), each (...), of marked cells (..., r, t) against annotated (r, t); NaN for 0 / 0."""
    both = (marked & annotated).sum(axis=(-2, -1)).astype(float)
    n_marked = marked.sum(axis=(-2, -1)).astype(float)
    coverage = both / annotated.sum() if annotated.any() else np.full_like(both, UNDEFINED)
    return coverage, np.divide(both, n_marked, out=np.full_like(both, UNDEFINED), where=n_marked > 0)


def score_clip(
    drop: NDArray[np.floating], annotation: Annotation, settings: LocalisationSettings, *, rng: np.random.Generator
) -> Iterator[Score]:
    """Scores of one clip's map (n, t) of logit drops, one for each case."""
    values = normalise(drop)
    for rule, policy in cases(direct=annotation.direct):
        held = target(annotation, rule, policy, edge_value=settings.edge_value)
        yield _score(values, held, settings, rng, Score(rule=rule, fz_pz=policy, n_annotated=int(held.annotated.sum())))


def unscored(reason: str, *, direct: bool) -> Iterator[Score]:
    """The scores of a clip that cannot be scored under any rule."""
    return (Score(rule=rule, fz_pz=policy, reason=reason) for rule, policy in cases(direct=direct))


def cases(*, direct: bool) -> tuple[tuple[Rule, Policy], ...]:
    """Ways of counting, the main one first. `direct`: the map's rows are derivations themselves."""
    return DIRECT_CASES if direct else CASES


def _score(
    values: NDArray[np.float64] | None,
    held: Target,
    settings: LocalisationSettings,
    rng: np.random.Generator,
    empty: Score,
) -> Score:
    if values is None:
        return replace(empty, reason="flat map")
    kept = values[held.rows]
    marked = held.marked(kept, settings.threshold)
    if not held.annotated.any():
        return replace(empty, n_marked=int(marked.sum()), reason="nothing annotated under this rule")
    if not marked.any():
        return replace(empty, coverage=0.0, reason="no marked cell where the montage has labels")
    coverage, localisation = shares(marked, held.annotated)
    return replace(
        empty,
        coverage=float(coverage),
        localisation=float(localisation),
        null_electrodes=null_localisation(kept, held, settings, rng=rng, keep="seconds"),
        null_seconds=null_localisation(kept, held, settings, rng=rng, keep="electrodes"),
        n_marked=int(marked.sum()),
    )


def null_localisation(
    values: NDArray[np.float64],
    held: Target,
    settings: LocalisationSettings,
    *,
    rng: np.random.Generator,
    keep: Literal["seconds", "electrodes"],
) -> float:
    """Mean localisation of the map (rows, t) with its electrodes (keep="seconds") or its seconds permuted."""
    axis = 0 if keep == "seconds" else 1
    n = values.shape[axis]
    if n < 2:
        return UNDEFINED
    orders = rng.permuted(np.tile(np.arange(n), (settings.permutations, 1)), axis=1)  # (draw, n)
    shuffled = values[orders] if axis == 0 else np.moveaxis(values[:, orders], 1, 0)  # (draw, rows, t)
    localisation = shares(held.marked(shuffled, settings.threshold), held.annotated)[1]
    return float(np.nanmean(localisation)) if np.isfinite(localisation).any() else UNDEFINED


def clip_generator(seed: int, clip: str) -> np.random.Generator:
    """A clip's own generator: its nulls do not depend on which other clips there are."""
    return np.random.default_rng([seed, zlib.crc32(clip.encode())])
