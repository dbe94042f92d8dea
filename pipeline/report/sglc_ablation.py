"""What the graph ablation may say: a benefit where the interval leaves 0 out, after Holm too; equal budgets."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipeline.metrics.clip_metrics import Key
from pipeline.report.tables import records

METRIC = Key("weighted_f1", "")
GRAPH = "options.adjacency"  # the one setting in which the runs are to differ
FIXED = {"sglc-prior": "the prior", "sglc-uniform": "a uniform graph", "sglc-random": "a random graph"}


def with_claims(frame: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """The comparisons with `benefit` (claimed or not) and `claim` (the sentence); column `list` first."""
    rows = [row | {"benefit": benefit(row, confidence), "claim": claim(row, confidence)} for row in records(frame)]
    named = pd.DataFrame(rows, columns=[*frame.columns, "benefit", "claim"]).drop(columns="table")
    return named[["list", *[name for name in named.columns if name != "list"]]]


def benefit(row: Mapping[str, Any], confidence: float) -> bool:
    """Whether the learned graph is said to be better: interval above 0, and p after Holm small enough."""
    return bool(row["low"] > 0 and row["p_holm"] < 1 - confidence)


def claim(row: Mapping[str, Any], confidence: float) -> str:
    """What follows from one comparison."""
    other = FIXED.get(row["second"], row["second"])
    if pd.isna(row["p"]):
        return f"Learned graph and {other}: cannot be compared, since {row['reason']}."
    amount = f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
    shown = f"(weighted F1, learned less {other}: {amount}; p after Holm {row['p_holm']:.3f})"
    if benefit(row, confidence):
        return f"Learning the graph helps against {other} {shown}."
    if row["high"] < 0 and row["p_holm"] < 1 - confidence:
        return f"Learning the graph does worse than {other} {shown}."
    if row["low"] > 0 or row["high"] < 0:
        return f"No difference from {other} is claimed: the interval leaves 0 out, but not after Holm {shown}."
    return f"No benefit over {other} is claimed: the interval holds 0 {shown}."


def budget_differences(cards: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Settings in which the runs differ, and their numbers of parameters: equal budget means the graph alone."""
    flat = {run: _flat(card["settings"]) for run, card in cards.items()}
    names = sorted({name for one in flat.values() for name in one})
    varied = [name for name in names if len({str(one.get(name)) for one in flat.values()}) > 1]
    rows = [{"setting": name, "values": {run: str(one.get(name)) for run, one in flat.items()}} for name in varied]
    return [*rows, {"setting": "parameters", "values": {run: str(card["parameters"]) for run, card in cards.items()}}]


def equal_budget(differences: list[dict[str, Any]]) -> bool:
    """Whether nothing but the graph differs; a fixed graph has no learner, and so fewer parameters."""
    return {row["setting"] for row in differences} <= {GRAPH, "parameters"}


def _flat(value: Any, above: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {above: value}
    return {
        name: inner
        for key, own in value.items()
        for name, inner in _flat(own, f"{above}.{key}" if above else str(key)).items()
    }
