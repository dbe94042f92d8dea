"""Where the rules that make signals, clips and graphs of recordings differ from the published ones.

Published: Tang et al. 2022, sections 2.2 and 3.1 and appendix; edge rules and the parting of the two myoclonic events
from the code published with it. Which recordings were left out for their signal: none.
"""

from typing import Any

from pipeline.report.protocol import Mark, differs
from pipeline.settings.base import Section
from pipeline.settings.clips import ClipSettings, MyoclonicSplit
from pipeline.settings.features import GraphSettings
from pipeline.settings.signals import SignalSettings

PUBLISHED_NODES = (
    "FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T3", "T4", "T5", "T6", "FZ", "CZ", "PZ",
)  # fmt: skip
KEPT_QUALITY: dict[str, Any] = {"flat_uv": 0.0, "saturated_share": 1.0, "mains_share": 1.0, "white_noise": "keep"}


class Rules(Section):
    """The settings of one corpus from which its signals, clips and graphs follow."""

    nodes: tuple[str, ...]  # electrodes or derivations
    missing: str  # channels.missing
    signals: SignalSettings
    clips: ClipSettings
    graphs: GraphSettings
    label_edge: str  # of compat, as the next two
    clip_start_offset: bool
    mysz_split: MyoclonicSplit


def signal_marks(rules: Rules) -> list[Mark]:
    """Differences of what every number that needs signals rests on."""
    signals, quality = rules.signals, rules.signals.quality.model_dump()
    changed = [name for name, wanted in KEPT_QUALITY.items() if quality[name] != wanted]
    left_out = [f"{name.replace('_', ' ')} {quality[name]}" for name in changed]
    found = _marks([
        ("resampling", signals.resampling, "fft"),
        ("rate hz", signals.rate_hz, 200.0),
        ("missing channels", rules.missing, "skip"),
    ])  # fmt: skip
    if left_out:
        found.append(Mark("O", f"recordings are left out for their signal, {', '.join(left_out)} (published: none)"))
    if rules.nodes != PUBLISHED_NODES:
        found.append(Mark("O", f"other nodes: {len(rules.nodes)}, {rules.nodes[0]} first (published 19 electrodes)"))
    return found


def clip_marks(rules: Rules, task: str, scheme: str = "") -> list[Mark]:
    """Differences of the rules that cut and label clips of a task; `scheme` counts for classification alone."""
    if task == "pretraining":
        return _marks([("forecast s", rules.clips.forecast_s, 12)])
    if task == "detection":
        return _marks([("label edge", rules.label_edge, "touching")])
    found = _marks([
        ("before onset s", rules.clips.before_onset_s, 2.0),
        ("clip start offset", rules.clip_start_offset, True),
    ])  # fmt: skip
    parted = "split of myoclonic events by patient (published: one patient's two to train and validation)"
    return found + ([Mark("O", parted)] if scheme == "eight" and rules.mysz_split != "published" else [])


def graph_marks(rules: Rules, graph: str, *, top_neighbours: int | None = None) -> list[Mark]:
    """Differences of the graph that a model reads; `top_neighbours` is the run's own number, if it has one."""
    if graph == "distance":
        return _marks([("kappa", rules.graphs.kappa, 0.9)])
    if graph != "correlation":
        return []
    return _marks([
        ("top neighbours", top_neighbours or rules.graphs.top_neighbours, 3),
        ("correlation input", rules.graphs.correlation_input, "raw"),
    ])  # fmt: skip


def _marks(values: list[tuple[str, Any, Any]]) -> list[Mark]:
    return [Mark("O", differs(name, value, published)) for name, value, published in values if value != published]
