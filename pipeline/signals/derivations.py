"""The derivations of the bipolar montage from the channels of an EDF (docs/montages.md; formats.md, T31, T32, T36).

A channel measures one electrode against another or against a reference: `EEG F7-REF` is (F7, REF), `F7-T7` (F7, T3).
The derivation F7-T3 is such a channel, or one with its sign turned, or the difference of (F7, R) and (T3, R) for one
and the same R. All three are exact. Nothing is summed along a chain, and electrodes on two references are never mixed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.findings import Findings
from pipeline.settings.signals import ChannelSettings
from pipeline.signals.channels import channel_pair, settle_duplicates
from pipeline.signals.edf_annotations import Stretch
from pipeline.signals.edf_header import EdfHeader, EdfSignal, reject
from pipeline.signals.interpolation import interpolation_matrix
from pipeline.signals.labels import LAPLACIAN
from pipeline.signals.montages import electrodes_of
from pipeline.signals.quality import difference_stds_uv

if TYPE_CHECKING:
    from pipeline.signals.sources import Source

Candidates = dict[tuple[str, str], list[EdfSignal]]  # (electrode, other electrode or reference) -> its channels


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A node as channel `plus` less channel `minus`; one of the two is None where the derivation itself is recorded."""

    node: str
    plus: str | None
    minus: str | None

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels that it needs."""
        return tuple(name for name in (self.plus, self.minus) if name is not None)


@dataclass(frozen=True, kw_only=True)
class Montage:
    """How channels become nodes; `filled` are channels of missing electrodes, interpolated from those of `basis`."""

    recipes: tuple[Recipe, ...]
    filled: tuple[str, ...]
    basis: tuple[str, ...]

    def nodes(self, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        """Nodes (n, s) float32 µV from the channels' samples, each (s,)."""
        if self.filled:
            weights = interpolation_matrix(_electrodes(self.basis), _electrodes(self.filled))
            made = weights @ np.stack([rows[name] for name in self.basis])  # (filled, basis) (basis, s)
            rows = {**rows, **dict(zip(self.filled, made, strict=True))}
        return np.stack([_difference(rows, recipe) for recipe in self.recipes])


def _difference(rows: Mapping[str, np.ndarray], recipe: Recipe) -> np.ndarray:
    if recipe.plus is None:
        return -rows[str(recipe.minus)]
    return rows[recipe.plus] if recipe.minus is None else rows[recipe.plus] - rows[recipe.minus]


def find_derivations(
    header: EdfHeader, settings: ChannelSettings, findings: Findings
) -> tuple[dict[str, EdfSignal], tuple[Recipe, ...]]:
    """The channels that the derivations need, by name, and how each derivation comes from them.

    Raises Rejected: `not_eeg` without any channel of the 10-20 system, `missing_derivation` where one cannot be had,
    `duplicate_label` for two channels of one name with different samples unless the policy is `first`.
    """
    candidates = _candidates(header, settings)
    if not candidates:
        message = f"{header.path.name}: no electrode of the 10-20 system; has {_labels(header)[:120]}"
        raise reject("not_eeg", message, value=_labels(header)[:200])
    fill = _fill_reference(candidates, settings) if settings.missing == "interpolate" else None
    recipes = {node: _recipe(node, candidates, fill) for node in settings.derivations}
    if lost := [node for node, recipe in recipes.items() if recipe is None]:
        raise _lost(header, lost, settings)
    chosen = tuple(recipe for recipe in recipes.values() if recipe is not None)
    _note(header, chosen, findings)
    wanted = {name for recipe in chosen for name in recipe.channels}
    if fill is not None and any(len(recipe.channels) == 2 for recipe in chosen):
        wanted |= {_name(pair) for pair in candidates if pair[1] == fill}
    named = {_name(pair): signals for pair, signals in candidates.items()}
    settled = {
        name: settle_duplicates(header, name, signals, settings, findings)
        for name, signals in named.items()
        if name in wanted
    }
    return settled, chosen


def settle_montage(
    header: EdfHeader,
    recipes: Sequence[Recipe],
    sources: "Mapping[str, Source]",
    flat: Sequence[str],
    settings: ChannelSettings,
    findings: Findings,
) -> Montage:
    """The montage from the channels that turned out usable; `flat` are nodes whose two electrodes show one signal.

    A missing electrode of a referential recording is interpolated if `channels.missing` says so, before anything is
    subtracted; a recorded derivation cannot be. Raises Rejected (`missing_derivation`).
    """
    absent = list(dict.fromkeys(name for recipe in recipes for name in recipe.channels if name not in sources))
    filled, basis = _interpolated(absent, sources, settings)
    dead = set(absent) - set(filled)
    lost = [recipe.node for recipe in recipes if set(recipe.channels) & dead or recipe.node in flat]
    if lost:
        raise _lost(header, lost, settings)
    for name in filled:
        message = f"{header.path.name}: {name} is interpolated from its neighbours"
        findings.add("electrode_interpolated", message, channel=name)
    return Montage(recipes=tuple(recipes), filled=tuple(filled), basis=basis)


def flat_differences(
    header: EdfHeader,
    recipes: Sequence[Recipe],
    sources: "Mapping[str, Source]",
    pieces: Sequence[Stretch],
    *,
    block_s: float,
    flat_uv: float,
    findings: Findings,
) -> list[str]:
    """Nodes whose two electrodes are each alive but show the same signal, as two that are bridged by gel do."""
    pairs = {}
    for recipe in recipes:
        pair = [sources[name] for name in recipe.channels if name in sources]
        if len(pair) == 2 and pair[0].rate_hz == pair[1].rate_hz:
            pairs[recipe.node] = ((pair[0].signal, pair[0].scale), (pair[1].signal, pair[1].scale))
    stds_uv = difference_stds_uv(header, list(pairs.values()), pieces, block_s=block_s)
    flat = []
    for node, std_uv in zip(pairs, stds_uv, strict=True):
        if std_uv < flat_uv:
            flat.append(node)
            message = (
                f"{header.path.name}: {node} is flat ({std_uv:.3g}, limit {flat_uv:.3g}): both electrodes "
                "show one signal; treated as missing"
            )
            findings.add("bad_channel", message, action="skip", channel=node, value=f"{std_uv:.3g}", expected=flat_uv)
    return flat


def _candidates(header: EdfHeader, settings: ChannelSettings) -> Candidates:
    """Channels of the montage's electrodes, by what they measure; annotations and dummies (`-`, T32) name nothing."""
    wanted = {electrode for node in settings.derivations for electrode in electrodes_of(node)}
    found: Candidates = {}
    for signal in header.signals:
        pair = None if signal.is_annotation else channel_pair(signal.label)
        if pair is not None and pair[0] in wanted and signal.samples_per_record > 0:
            found.setdefault(pair, []).append(signal)
    return found


def _recipe(node: str, candidates: Candidates, fill: str | None) -> Recipe | None:
    """Recorded, recorded the other way round, or the difference on a reference that both electrodes share.

    `fill`: the reference on which a missing electrode may be interpolated.
    """
    first, second = electrodes_of(node)
    if (first, second) in candidates:
        return Recipe(node=node, plus=_name((first, second)), minus=None)
    if (second, first) in candidates:
        return Recipe(node=node, plus=None, minus=_name((second, first)))
    shared = (ref for ref in _references(candidates) if {(first, ref), (second, ref)} <= candidates.keys())
    chosen = next(shared, fill)
    if chosen is None:
        return None
    return Recipe(node=node, plus=_name((first, chosen)), minus=_name((second, chosen)))


def _references(candidates: Candidates) -> list[str]:
    """What electrodes are measured against, the one that most share first; ties in the order of the file.

    A Laplacian is none: it is another signal at each electrode, and does not cancel.
    """
    counts: dict[str, int] = {}
    for _, reference in candidates:
        if reference != LAPLACIAN:
            counts[reference] = counts.get(reference, 0) + 1
    return sorted(counts, key=lambda reference: -counts[reference])


def _fill_reference(candidates: Candidates, settings: ChannelSettings) -> str | None:
    """The reference on which to interpolate: none but one that is no electrode of the montage."""
    electrodes = {electrode for node in settings.derivations for electrode in electrodes_of(node)}
    return next((reference for reference in _references(candidates) if reference not in electrodes), None)


def _interpolated(
    absent: list[str], sources: Iterable[str], settings: ChannelSettings
) -> tuple[list[str], tuple[str, ...]]:
    """Which of the absent channels are interpolated, and from which; nothing where there are too many of them."""
    if settings.missing == "skip" or not absent or len(absent) > settings.max_interpolated:
        return [], ()
    reference = absent[0].partition("-")[2]
    if reference in settings.electrodes:  # a recorded derivation, or an electrode on another one
        return [], ()
    basis = tuple(name for name in sources if name.partition("-")[2] == reference)
    fillable = [name for name in absent if name.partition("-")[2] == reference]
    return (fillable, basis) if len(basis) > len(fillable) else ([], ())


def _note(header: EdfHeader, recipes: Sequence[Recipe], findings: Findings) -> None:
    """Findings on derivations that are turned round, and on a file that mixes recorded and subtracted ones."""
    for recipe in recipes:
        if recipe.plus is None:
            message = f"{header.path.name}: {recipe.node} is recorded as {recipe.minus}; its sign is turned"
            findings.add("derivation_reversed", message, severity="info", action="note", channel=recipe.node)
    subtracted = sum(len(recipe.channels) == 2 for recipe in recipes)
    if 0 < subtracted < len(recipes):
        recorded = len(recipes) - subtracted
        message = f"{header.path.name}: {recorded} derivations as recorded, {subtracted} as differences of electrodes"
        findings.add("mixed_montage", message, severity="info", action="note", value=f"{recorded} {subtracted}")


def _lost(header: EdfHeader, nodes: Sequence[str], settings: ChannelSettings) -> Exception:
    names = ", ".join(nodes)
    remedy = (
        "channels.missing: interpolate fills missing electrodes of a referential recording"
        if settings.missing == "skip"
        else f"at most channels.max_interpolated ({settings.max_interpolated}) electrodes of a referential recording "
        "are interpolated, derivations never"
    )
    message = (
        f"{header.path.name}: no usable {names}: neither recorded nor the difference of two channels on one reference "
        f"({remedy}); has {_labels(header)[:160]}"
    )
    return reject("missing_derivation", message, value=names)


def _labels(header: EdfHeader) -> str:
    return ", ".join(signal.label for signal in header.signals if not signal.is_annotation) or "annotations only"


def _name(pair: tuple[str, str]) -> str:
    """`F7-REF`, `F7-T3`; `F7` where the label names no reference."""
    return "-".join(part for part in pair if part)


def _electrodes(channels: Iterable[str]) -> list[str]:
    return [name.partition("-")[0] for name in channels]
