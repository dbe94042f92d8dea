"""The scoreboard: every table and figure of the paper on one page, measured beside published."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.report.blocks import Block, Figure, Links, Note, Points, Section, Table, Text, cell, with_interval
from pipeline.report.caveats import caveats
from pipeline.report.figure_cells import figure_cells
from pipeline.report.page import Page
from pipeline.report.picture import Picture, plural
from pipeline.report.provenance import versions
from pipeline.report.published import SOURCE
from pipeline.report.scoreboard_tables import count_table, ordered, remarks, score_table
from pipeline.report.tables import records
from pipeline.settings.evaluation import OcclusionSettings
from pipeline.settings.paper import ScoreboardSettings
from pipeline.store import read_json, read_table

SYNTHETIC_LINE = (
    "SYNTHETIC DATA: every published number on this page is context only. It was measured on other data (TUSZ v1.5.2), "
    "so no difference between measured and published says anything about the method. No clinical claim."
)
REAL_LINE = "Recordings supplied by the user. Research use only; not a medical device."
VALUE = ("model", "pretraining", "graph", "input_domain", "task", "clip_s", "split", "metric", "class")
COUNTED = ("table01", "table05", "table07")
WORDS = {
    "table01": "Train holds the validation patients, too, as the paper's table does; they also stand by themselves.",
    "table05": "What the published code counts, but the paper does not print, is noted below.",
    "table07": "Training and validation patients of the corpus that table 8 starts from; the published one is private.",
    "table10": "Of the weights of the auxiliary loss, the one with the highest validation AUROC is shown.",
}


@dataclass
class Board:
    """What the page shows: contents of the tables' JSON files, pictures, comparisons between runs."""

    tables: list[dict[str, Any]]
    figures: list[Picture]
    comparisons: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def synthetic(self) -> bool:
        """Whether the main corpus of any table is."""
        return any(content["synthetic"] for content in self.tables)


def read_board(folder: Path) -> Board:
    """Read table*.json, figure*.png with their JSON, and comparisons.parquet where it is there."""
    tables = [read_json(path) for path in sorted(folder.glob("table*.json"))]
    figures = [read_picture(path) for path in sorted(folder.glob("figure*.json"))]
    compared = folder / "comparisons.parquet"
    return Board(tables, figures, read_table(compared) if compared.exists() else pd.DataFrame())


def read_picture(path: Path) -> Picture:
    """A figure from its JSON and the PNG beside it."""
    content = read_json(path)
    words = {name: content[name] for name in ("title", "caption", "alt", "numbers")}
    return Picture(name=path.stem, png=path.with_suffix(".png").read_bytes(), **words)


def board_page(
    board: Board, settings: ScoreboardSettings, *, occlusion: OcclusionSettings, compat: Mapping[str, bool | str]
) -> Page:
    """The whole page."""
    corpus = board.tables[0]["corpus"] if board.tables else ""
    parts = [_brief(board), _protocol(board, compat)]
    parts += [_table_section(content, board.comparisons) for content in board.tables]
    parts += [_figures(board)]
    return Page(
        title=f"{settings.title}: scoreboard",
        subtitle=f"Every table and figure of Tang et al., ICLR 2022, measured on corpus “{corpus}” beside published",
        banner=SYNTHETIC_LINE if board.synthetic else REAL_LINE,
        synthetic=board.synthetic,
        sections=parts,
        caveats=caveats(synthetic=board.synthetic, occlusion=occlusion),
        provenance=[*versions(), ("Corpus", corpus), ("Published numbers", SOURCE)],
    )


def all_cells(board: Board) -> pd.DataFrame:
    """The cells of every table, and the numbers that the paper prints in figures 2 and 4, in one frame."""
    cells = [one for content in board.tables for one in content["cells"]]
    numbers = {picture.name: picture.numbers for picture in board.figures}
    return pd.DataFrame([*cells, *figure_cells(numbers, cells)])


def _brief(board: Board) -> Section:
    rows = []
    for content in board.tables:
        cells = content["cells"]
        printed = {_value_of(one): one for one in cells if one["published"] is not None}  # once, whatever folds give
        measured = {_value_of(one) for one in cells if one["published"] is not None and one["measured"] is not None}
        why = "; ".join(dict.fromkeys(one["reason"] for key, one in printed.items() if key not in measured))
        rows.append([content["title"], cell(len(printed)), cell(len(measured)), why or "–"])
    heads = ["table", "published values", "of them measured", "why not all"]
    counts = Table("brief", "What was measured", heads, rows, frozenset({1, 2}))
    text = (
        "Measured scores are means over seeds, ± their standard deviation, with the bootstrap interval over test "
        "patients in brackets; published ones are means ± standard deviation over five runs. Tables 1, 5 and 7 are "
        "counts, which have neither. Letters mark where the protocol differs from the published one; below each "
        "table the differences of every run and count stand in words."
    )
    return Section("brief", "In brief", [Text(text), counts])


def _value_of(one: dict[str, Any]) -> tuple[Any, ...]:
    """The key of a published value."""
    return tuple(one[name] for name in VALUE)


def _protocol(board: Board, compat: Mapping[str, bool | str]) -> Section:
    """The grid that was run, computed from what the cells say, and the switches of `compat`."""
    cells = [one for content in board.tables for one in content["cells"] if one["run"]]
    rows = _differences([one for content in board.tables for one in content["cells"]])
    meaning = {letter: text for content in board.tables for letter, text in content["marks"].items()}
    blocks: list[Block] = [Points([(f"{letter}:", f"{text}.") for letter, text in ordered(meaning).items()])]
    if rows:
        caption = "Every difference from the published protocol, and the runs or tables of counts that it concerns"
        blocks.append(Table("protocol", caption, ["difference", "how many", "names"], rows, folded=True))
    grid = {(one["run"], one["task"], one["clip_s"], one["corpus"]) for one in cells}
    seeds = sorted({int(one["n_seeds"]) for one in cells if one["n_seeds"]})
    if grid:
        text = f"Grid that was run: {plural(len({run for run, *_ in grid}), 'run')}, on {len(grid)} combinations with "
        several = plural(seeds[0], "seed") if len(seeds) == 1 else f"{' or '.join(map(str, seeds))} seeds"
        text += f"task, clip length and corpus; {several if seeds else 'no seed'} each."
        blocks.append(Text(text))
    switches = ", ".join(f"{name}: {value}" for name, value in sorted(compat.items()))
    text = "Switches of the published code's defects (docs/compat.md), which bear no mark but for those named above"
    blocks.append(Text(f"{text}: {switches}."))
    return Section("protocol", "Protocol: how this differs from the paper", blocks)


def _differences(cells: list[dict[str, Any]]) -> list[list[str]]:
    """One row a mark: how many runs or tables of counts it concerns, and which."""
    found: dict[str, dict[str, set[str]]] = {}
    everything = set()
    for one in cells:
        name = one["run"] or f"counts of table {int(one['table'].removeprefix('table'))}"
        if one["run"] or one["measured"] is not None:
            everything.add(name)
        for mark in filter(None, one["marks"].split("; ") if name in everything else []):
            letter, _, words = mark.partition(" ")
            found.setdefault(letter, {}).setdefault(words, set()).add(name)
    return [
        [f"{letter} {words}", str(len(names)), "all" if names == everything else ", ".join(sorted(names))]
        for letter, known in sorted(found.items())
        for words, names in known.items()
    ]


def _table_section(content: dict[str, Any], comparisons: pd.DataFrame) -> Section:
    name, cells = content["table"], content["cells"]
    origin = "other data, context only" if content["synthetic"] else SOURCE
    make = count_table if name in COUNTED else score_table
    blocks: list[Block] = [Text(text) for text in [WORDS.get(name)] if text]
    blocks += [make(name, f"Measured beside published ({origin})", cells), *remarks(content)]
    if len(comparisons) and len(own := comparisons[comparisons["table"].astype(str).str.zfill(2) == name[-2:]]):
        blocks.append(comparison_table(name, own))
    return Section(name, content["title"], blocks)


def comparison_table(name: str, rows: pd.DataFrame) -> Table:
    """Paired differences between runs of one table, Holm-corrected within it (docs/statistics.md)."""
    texts = []
    for row in records(rows):
        n = f"{plural(int(row['n_clips']), 'clip')}, {plural(int(row['n_patients']), 'patient')}"
        texts.append([
            f"{row['first']} less {row['second']}", f"{row['task']}, {row['length_s']} s",
            with_interval(row["difference"], row["low"], row["high"]), cell(row["p"]), cell(row["p_holm"]),
            f"{n}, {plural(int(row['n_seeds']), 'seed')}", row["words"],
        ])  # fmt: skip
    heads = ["comparison", "task", "difference [interval]", "p", "p, Holm", "n", "in words"]
    caption = "Paired comparisons on the same test clips, over patients and seeds; Holm over this table"
    return Table(f"{name}-comparisons", caption, heads, texts, frozenset({3, 4}), folded=len(texts) > 8)


def _figures(board: Board) -> Section:
    if not board.figures:
        return Section("figures", "Figures", [Note("No figure was drawn.")])
    blocks: list[Block] = []
    for picture in board.figures:
        kinds = [(f"{picture.name}.{kind}", f"{picture.name}.{kind}") for kind in ("csv", "parquet", "json", "png")]
        blocks += [Figure(picture), Links(kinds)]
    return Section("figures", "Figures", blocks)
