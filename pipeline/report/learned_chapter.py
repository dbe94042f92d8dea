"""The chapter on learned graphs: what each run's model joined, how it changes over a clip, single clips."""

from dataclasses import dataclass, field
from typing import Any, TypedDict

import pandas as pd

from pipeline.explain.graph_means import class_means
from pipeline.explain.graph_store import reading_graphs
from pipeline.report.blocks import Block, Figure, Note, Section, Text, table_of
from pipeline.report.cases import maps_of
from pipeline.report.explained import title_of
from pipeline.report.inventory import Results, RunEntry
from pipeline.report.learned_clips import chosen_clips, clip_picture, clip_rows, key_of, read_clip
from pipeline.report.learned_heads import class_picture, difference_picture, mean_rows
from pipeline.report.learned_time import entropy_picture, heads_picture, time_rows
from pipeline.report.overview import Chapter
from pipeline.report.picture import Picture, plural
from pipeline.settings.report import ReportSettings
from pipeline.store import read_table

ALIKE = 0.005  # nats: less than the page shows
BEGAN = {
    "ssl": "with pre-training",
    "scratch": "without pre-training",
    "imported": "with imported pre-training",
    "transfer": "from a detector's weights",
}
HEADING = "Learned graph (SGLC)"
INTRODUCTION = (
    "The model estimates its own graph of the channels, second by second and in each layer, from the clip's prior "
    "graph A₀. Row i of A says to which channels i listens. It is attention that training found useful: a learned "
    "dependence, not effective connectivity. Two models with equal scores may join the channels differently."
)


class Look(TypedDict):
    """What every picture is told."""

    synthetic: bool
    dpi: int


@dataclass(frozen=True)
class Shown:
    """Pictures of one run, and the tables of their numbers by the same names."""

    pictures: list[Picture] = field(default_factory=list)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


def learned_chapters(results: Results, settings: ReportSettings) -> list[Chapter]:
    """One chapter, where a run has learned graphs; else none."""
    entries = [entry for entry in results.inventory.runs if entry.learned]
    if not entries:
        return []
    blocks: list[Block] = [Text(INTRODUCTION)]
    tables: dict[str, pd.DataFrame] = {}
    for entry in entries:
        own, found = run_blocks(results, entry, settings)
        blocks += own
        tables |= found
    return [Chapter(Section("learned-graph", HEADING, blocks), tables)]


def run_blocks(
    results: Results, entry: RunEntry, settings: ReportSettings
) -> tuple[list[Block], dict[str, pd.DataFrame]]:
    """One run: what it is, its measures by layer, its pictures; and the tables behind them."""
    card = results.cards[entry.cards[0]]
    measured = measures_of(entry)
    if not len(measured):
        return [Note(f"{title_of(entry)}: no test clip, so there is no learned graph to show.")], {}
    shown = run_pictures(results, entry, dpi=settings.dpi)
    clips = clip_pictures(results, entry, settings) if entry.task == "classification" else Shown()
    summary = summary_table(measured)
    key = key_of(entry)
    blocks: list[Block] = [Text(in_words(entry, card, measured))]
    blocks.append(table_of(f"learned-{key}", f"Learned graphs by layer, {title_of(entry)}", summary))
    blocks += [Figure(picture) for picture in [*shown.pictures, *clips.pictures]]
    return blocks, {f"learned-{key}": summary, **shown.tables, **clips.tables}


def measures_of(entry: RunEntry) -> pd.DataFrame:
    """The measures of every seed, below one another, with a column `seed`."""
    pairs = zip(entry.seeds, entry.learned_tables, strict=True)
    return pd.concat([read_table(path).assign(seed=seed) for seed, path in pairs], ignore_index=True)


def run_pictures(results: Results, entry: RunEntry, *, dpi: int) -> Shown:
    """Class means and differences (first seed); entropy and heads against time (all seeds)."""
    key, look = key_of(entry), Look(synthetic=results.synthetic, dpi=dpi)
    with reading_graphs(entry.learned[0]) as store:
        about, means = store.about, class_means(store)
    if not means:
        return Shown()
    measured, nodes = measures_of(entry), about.electrodes
    where = f"{title_of(entry)}, seed {about.seed}"
    names = {part: f"learned-{part}-{key}" for part in ("mean", "difference", "entropy", "heads")}
    pictures = [
        class_picture(names["mean"], f"Mean learned graph, {where}", means, nodes, **look),
        difference_picture(names["difference"], f"Change from the prior, {where}", means, nodes, **look),
        entropy_picture(
            names["entropy"], f"Learned graphs against time, {title_of(entry)}", measured, n_nodes=len(nodes), **look
        ),
    ]
    tables = {names["mean"]: mean_rows(means, nodes), names["entropy"]: time_rows(measured)}
    if measured["head_disagreement"].notna().any():
        heads = int(results.cards[entry.cards[0]]["settings"]["options"]["heads"])
        title = f"Disagreement of the heads, {title_of(entry)}"
        pictures.append(heads_picture(names["heads"], title, measured, n_heads=heads, **look))
    return Shown(pictures, tables)


def clip_pictures(results: Results, entry: RunEntry, settings: ReportSettings) -> Shown:
    """A few clips of a classification run with maps, each beside its learned graph; detection has them in its cases."""
    if not entry.maps:
        return Shown()
    drops, _ = maps_of(entry.maps[0])
    predictions = read_table(entry.predictions[0])
    classes = list(results.cards[entry.cards[0]]["classes"])
    chosen = chosen_clips(predictions, drops, classes, settings.example_clips)
    found = [read_clip(entry, clip, why, drops[clip]) for clip, why in chosen]
    seen = [one for one in found if one is not None]
    look: dict[str, Any] = {"run": title_of(entry), "synthetic": results.synthetic, "dpi": settings.dpi}
    tables = [clip_rows(one, entry.run) for one in seen]
    named = {f"learned-clips-{key_of(entry)}": pd.concat(tables, ignore_index=True)} if tables else {}
    return Shown([clip_picture(one, entry, **look) for one in seen], named)


def summary_table(measured: pd.DataFrame) -> pd.DataFrame:
    """One row a layer: medians over clips and seconds, and the channel that is most often listened to most."""
    rows = []
    for layer, part in measured.groupby("layer"):
        hubs = part["hub"].value_counts()
        rows.append({
            "layer": layer, "clips": part["clip"].nunique(), "seconds": len(part),
            "row entropy (nats)": part["entropy_mean"].median(), "of log N": part["entropy_mean_share"].median(),
            "entropy of the prior": part["entropy_prior"].median(), "|A - A0|": part["distance_from_prior"].median(),
            "off the diagonal": part["off_diagonal"].median(),
            "disagreement of heads": part["head_disagreement"].median(),
            "hub": str(hubs.index[0]), "share of seconds": float(hubs.iloc[0]) / len(part),
        })  # fmt: skip
    return pd.DataFrame(rows)


def in_words(entry: RunEntry, card: dict[str, Any], measured: pd.DataFrame) -> str:
    """What the model is, and by how much its rows differ from even ones."""
    options = card["settings"]["options"]
    last = measured[measured["layer"] == measured["layer"].max()]
    share, prior = last["entropy_mean_share"].median(), last["entropy_prior"].median()
    text = (
        f"{title_of(entry)}: SGLC {BEGAN[entry.init]}, variant "
        f"{options.get('variant', 'unknown')}, graph {options.get('adjacency', 'learned')}. In the last layer the "
        f"entropy of a row is {share:.1%} of log N (median of {plural(len(last), 'clip-second')}; 100 %: every channel "
        "listens to all alike)."
    )
    if pd.notna(prior):
        own = last["entropy_mean"].median()
        word = "equal to" if abs(own - prior) < ALIKE else "below" if own < prior else "above"
        text += f" That is {word} the prior's own, {prior:.2f} nats."
    return text
