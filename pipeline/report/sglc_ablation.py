"""What the graph ablation may say: a benefit where the interval leaves 0 out, after Holm too, and budgets are equal."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pipeline.metrics.clip_metrics import Key
from pipeline.report.tables import records
from pipeline.settings.model_sglc import LEARNER_OPTIONS

METRIC = Key("weighted_f1", "")
GRAPH = "options.adjacency"  # the one setting in which the runs are to differ
PARAMETERS = "parameters"
FIXED = {"sglc-prior": "the prior", "sglc-uniform": "a uniform graph", "sglc-random": "a random graph"}
OF_A_LEARNER = {f"options.{name}" for name in LEARNER_OPTIONS}  # a fixed graph has none, and does not read them
SHORT = 8  # characters of a digest that are shown

Card = Mapping[str, Any]


def with_claims(frame: pd.DataFrame, confidence: float, cards: Mapping[str, Card]) -> pd.DataFrame:
    """The comparisons with `benefit` (claimed or not) and `claim` (the sentence); column `list` first.

    `cards`: one of each run, of the same seed.
    """
    rows = []
    for row in records(frame):
        uneven = beside_the_graph(budget_differences({run: cards[run] for run in (row["first"], row["second"])}))
        rows.append(
            row | {"benefit": benefit(row, confidence, uneven=uneven), "claim": claim(row, confidence, uneven=uneven)}
        )
    named = pd.DataFrame(rows, columns=[*frame.columns, "benefit", "claim"]).drop(columns="table")
    return named[["list", *[name for name in named.columns if name != "list"]]]


def benefit(row: Mapping[str, Any], confidence: float, *, uneven: Sequence[str]) -> bool:
    """Whether the learned graph is said to be better: interval above 0, p after Holm small enough, nothing `uneven`."""
    return bool(row["low"] > 0 and row["p_holm"] < 1 - confidence and not uneven)


def claim(row: Mapping[str, Any], confidence: float, *, uneven: Sequence[str]) -> str:
    """What follows from one comparison; `uneven`: settings beside the graph in which the two runs differ."""
    other = FIXED.get(row["second"], row["second"])
    if pd.isna(row["p"]):
        return f"Learned graph and {other}: cannot be compared, since {row['reason']}."
    amount = f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
    shown = f"(weighted F1, learned less {other}: {amount}; p after Holm {row['p_holm']:.3f})"
    if uneven:
        return f"Nothing is claimed about {other}: the two runs differ in {', '.join(uneven)} as well {shown}."
    of = ", for these models, one of each" if row["n_seeds"] == 1 else ""
    if benefit(row, confidence, uneven=uneven):
        return f"Learning the graph helps against {other}{of} {shown}."
    if row["high"] < 0 and row["p_holm"] < 1 - confidence:
        return f"Learning the graph does worse than {other}{of} {shown}."
    if row["low"] > 0 or row["high"] < 0:
        return f"No difference from {other} is claimed: the interval leaves 0 out, but not after Holm {shown}."
    return f"No benefit over {other} is claimed: the interval holds 0 {shown}."


def drawn_over(rows: Sequence[Mapping[str, Any]]) -> str:
    """What the intervals of differences are drawn over: of one seed there is nothing to draw."""
    return "patients and seeds" if any(row["n_seeds"] > 1 for row in rows) else "patients (one seed)"


def budget_differences(cards: Mapping[str, Card]) -> list[dict[str, Any]]:
    """In what the runs differ: settings, first weights, numbers of patients and clips; and their parameters.

    What only a learner reads is no difference where the other graph is fixed.
    """
    flat = {run: _budget(card) for run, card in cards.items()}
    names = sorted({name for one in flat.values() for name in one})
    rows = []
    for name in names:
        given = {run: str(one[name]) for run, one in flat.items() if name in one}
        if len(set(given.values())) > 1 or (len(given) < len(flat) and name not in OF_A_LEARNER):
            rows.append({"setting": name, "values": {run: given.get(run, "none") for run in flat}})
    return [*rows, {"setting": PARAMETERS, "values": {run: str(card["parameters"]) for run, card in cards.items()}}]


def equal_budget(differences: Sequence[Mapping[str, Any]]) -> bool:
    """Whether nothing but the graph differs; a fixed graph has no learner, and so fewer parameters."""
    return not beside_the_graph(differences)


def beside_the_graph(differences: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of what differs beside the graph and the number of parameters."""
    return [row["setting"] for row in differences if row["setting"] not in (GRAPH, PARAMETERS)]


def _budget(card: Card) -> dict[str, Any]:
    encoder = "".join(card["inputs"].get("encoder", ()))[:SHORT]
    known = {"settings": card["settings"], "encoder": encoder or "none", "counts": card["counts"]}
    return {name.removeprefix("settings."): value for name, value in _flat(known).items()}


def _flat(value: Any, above: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {above: value}
    return {
        name: inner
        for key, own in value.items()
        for name, inner in _flat(own, f"{above}.{key}" if above else str(key)).items()
    }
