"""Where a graph was planted: does learning one help, and is it the planted one? (docs/sglc.md, The planted graph)

In: an inventory (JSON) with learned graphs and card of every seed, what its model reads of test shards, frames and
clips of training shards; what the stage `graph_ablation` wrote of the runs that are compared.
Out: planted_graph.parquet and .csv (one row an answer: paired differences in weighted F1, AUROC of edges, the same less
that of untrained weights, controls of the corpus), planted_graph.png with .json of its numbers, and the page.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.corpora.driven.envelopes import planted_edges
from pipeline.explain.learned_graphs import NoGraph
from pipeline.explain.planted_controls import Clips, control_rows, read_clips
from pipeline.explain.planted_edges import OtherClips, edge_rows, mean_graphs
from pipeline.explain.planted_untrained import seed_graphs
from pipeline.report.page import render
from pipeline.report.picture import tidy
from pipeline.report.planted_page import planted_page
from pipeline.report.planted_pictures import edges_picture
from pipeline.report.scoreboard import read_picture
from pipeline.report.tables import records, write_both
from pipeline.settings.base import Count, Positive, Section, parse_settings
from pipeline.settings.driven import DrivenSettings
from pipeline.settings.planted import EdgeSettings
from pipeline.settings.training import DeviceSettings
from pipeline.stages import command
from pipeline.store import read_json, replacing


class Settings(Section):
    """What this stage uses: how the corpus was made, how edges are compared, the look of the page."""

    simulate: DrivenSettings
    edges: EdgeSettings
    device: DeviceSettings
    batch: Count  # of clips whose graphs are computed at once
    length_s: int
    electrodes: tuple[str, ...]
    title: str
    dpi: int
    max_mb: Positive


def answers(ablation: dict[str, Any], edges: pd.DataFrame, controls: pd.DataFrame) -> pd.DataFrame:
    """All answers in one table: question, about (a pair of runs, a class, a control), value, interval, p."""
    compared = [
        {"question": "weighted F1, learned less fixed", "about": f"{row['first']} less {row['second']}",
         "value": row["difference"], "low": row["low"], "high": row["high"], "p": row["p_holm"],
         "n_patients": row["n_patients"], "n_clips": row["n_clips"], "n_seeds": row["n_seeds"]}
        for row in ablation["rows"]
    ]  # fmt: skip
    found = [
        {"question": f"AUROC of {row['direction']} edges", "about": row["class"], "value": row["auroc"],
         "low": row["low"], "high": row["high"], "p": row["p"], "n_patients": row["n_patients"],
         "n_clips": row["n_clips"], "n_seeds": row["n_seeds"]}
        for row in records(edges)
    ]  # fmt: skip
    learned = [
        {"question": f"AUROC of {row['direction']} edges, trained less untrained", "about": row["class"],
         "value": row["difference"], "low": row["difference_low"], "high": row["difference_high"],
         "p": row["difference_p"], "n_patients": row["n_patients"], "n_clips": row["n_clips"],
         "n_seeds": row["n_seeds"]}
        for row in records(edges)
    ]  # fmt: skip
    checked = [
        {"question": "accuracy without a model", "about": row["control"], "value": row["accuracy"], "low": row["low"],
         "high": row["high"], "p": None, "n_patients": row["n_patients"], "n_clips": row["n_clips"], "n_seeds": 0}
        for row in records(controls)
    ]  # fmt: skip
    return pd.DataFrame([*compared, *found, *learned, *checked])


def main() -> None:
    """Read, measure, write."""
    parser = command.parser(__doc__)
    parser.add_argument("--inventory", type=Path, required=True)
    parser.add_argument("--ablation", type=Path, required=True, help="graph_ablation.json")
    parser.add_argument("--out", type=Path, required=True, help="folder")
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    inventory, ablation = read_json(arguments.inventory), read_json(arguments.ablation)
    planted = planted_edges(settings.simulate, settings.electrodes)
    try:
        seeds = [
            seed_graphs(
                Path(store), Path(card), inventory["test"], list(planted), device=settings.device, batch=settings.batch
            )
            for store, card in zip(inventory["learned"], inventory["cards"], strict=True)
        ]
        edges = edge_rows(seeds, planted, settings.edges)
    except (OtherClips, NoGraph) as error:
        raise command.StageError(str(error)) from error
    controls = _controls(inventory, settings)
    frame = answers(ablation, edges, controls)
    write_both(arguments.out, "planted_graph", frame)
    picture = edges_picture(edges, planted, mean_graphs(seeds), settings.electrodes, dpi=settings.dpi)
    picture.write(arguments.out)
    compared = read_picture(arguments.ablation.parent / "figures" / "graph_ablation.json")
    content = {"edges": [tidy(row) for row in records(edges)], "controls": [tidy(row) for row in records(controls)]}
    page = planted_page(ablation, content, compared, picture, settings.simulate, title=settings.title)
    with replacing(arguments.out / "index.html") as temporary:
        temporary.write_text(render(page, max_mb=settings.max_mb), encoding="utf-8")
    for row in records(frame):
        log.info("%(question)s, %(about)s: %(value).3f", row)


def _controls(inventory: dict[str, Any], settings: Settings) -> pd.DataFrame:
    """Controls of the corpus, from the frames that the models saw."""

    def clips(split: str) -> Clips:
        files = [[Path(path) for path in inventory[split][name]] for name in ("features", "clips")]
        return read_clips(files[0], files[1], split, settings.length_s)

    how, made = settings.edges, settings.simulate
    return control_rows(
        clips("train"),
        clips("test"),
        made,
        settings.electrodes,
        draws=how.draws,
        confidence=how.confidence,
        seed=how.seed,
    )


if __name__ == "__main__":
    command.run(main)
