"""The scoreboard page: every published cell is on it, synthetic data are called so first, what is missing says why."""

import html
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.report.blocks import Table
from pipeline.report.figure_cells import figure_cells
from pipeline.report.page import render
from pipeline.report.paper_inventory import read_paper_inventory
from pipeline.report.paper_tables import TITLES, paper_table, table_content
from pipeline.report.picture import Picture, drawing, finish
from pipeline.report.published import table_rows
from pipeline.report.scoreboard import _brief, all_cells, board_page, read_board
from pipeline.settings.evaluation import OcclusionSettings
from pipeline.settings.paper import ScoreboardSettings
from pipeline.store import write_json, write_table
from tests.report.paper_table_inputs import EVALUATION, corpus_inventory, make_inventory, make_run

ROOT = Path(__file__).parents[2]
OCCLUSION = {"value": "mean", "graph": "held", "batch": 8, "clips": "correct"}
SETTINGS = {"page": {"title": "Ictograph", "max_mb": 8}, "occlusion": OCCLUSION, "compat": {"mirror_graph": "correct"}}
COMPARED = {
    "table": "02", "task": "detection", "length_s": 12, "metric": "auroc", "first": "dist-ssl", "second": "lstm",
    "value_first": 0.9, "value_second": 0.8, "difference": 0.1, "low": 0.02, "high": 0.18, "p": 0.004, "p_holm": 0.012,
    "n_comparisons": 3, "n_seeds": 2, "n_patients": 9, "n_clips": 60, "reason": "", "words": "dist-ssl above <lstm>",
}  # fmt: skip


def make_board(folder: Path, *, synthetic: bool = True, comparisons: bool = True) -> Path:
    """All tables of a made-up corpus with two runs, one picture and one comparison; the folder."""
    out = folder / "paper"
    runs = [
        make_run(folder, "dist-ssl", init="ssl", seeds=[0, 1], loop={"epochs": 6}, scores={("auroc", ""): 0.9123}),
        make_run(folder, "lstm", model="lstm", graph="none", scores={("auroc", ""): 0.8456}),
    ]
    for table in TITLES:
        main = corpus_inventory(folder, "made-up", synthetic=synthetic) | {"runs": runs if table == "table02" else []}
        inventory = read_paper_inventory(make_inventory(folder, table, [], main=main))
        write_json(out / f"{table}.json", table_content(inventory, paper_table(inventory, EVALUATION)))
    with drawing(2, 1) as figure:
        figure.text(0.1, 0.5, "x")
        png = finish(figure, synthetic=synthetic, dpi=40)
    Picture("figure08", "Graphs", "n = 19 electrodes.", "Graphs <of> 19", {"edges": 36}, png).write(out)
    if comparisons:
        write_table(out / "comparisons.parquet", pd.DataFrame([COMPARED]))
    return out


def page_of(folder: Path) -> str:
    settings = ScoreboardSettings(title="Ictograph", max_mb=8)
    page = board_page(
        read_board(folder), settings, occlusion=OcclusionSettings(**OCCLUSION), compat={"padding": "after"}
    )
    return render(page, max_mb=8)


def words(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", page)).replace("\u00a0", " ")


def printed(table: str, row: dict[str, Any]) -> str:
    """A published value as the page shows it."""
    if table not in {"table01", "table05", "table07"}:
        return f"{row['mean']:.3f}"
    return f"{row['mean']:,.1f}" if row["metric"].endswith("_pct") else f"{round(row['mean']):,}"


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_board(tmp_path_factory.mktemp("board"))


def test_every_published_value_is_on_the_page(board: Path) -> None:
    text = words(page_of(board))
    for table in TITLES:
        for row in table_rows(table).to_dict("records"):
            if pd.isna(row["mean"]):
                continue
            assert f"published {printed(table, row)}" in text, (table, row)


def test_measured_stands_beside_published_with_n_and_marks(board: Path) -> None:
    text = re.sub(r"\s+", " ", words(page_of(board)))
    assert "0.912 ± 0.020 [0.81, 1.01] published 0.866 ± 0.016 difference +0.046 2 seeds · SNE" in text
    assert "0.846 ± 0.020 [0.75, 0.95] published 0.786 ± 0.014 difference +0.060 5 seeds · S" in text
    assert "n = 60 clips, 9 patients" in text
    assert "epochs 6 (published 100)" in text
    assert "padding: after" in text


def test_the_first_line_says_that_synthetic_data_are_no_target(board: Path, tmp_path: Path) -> None:
    first = re.search(r"<body>\s*<p[^>]*>(.*?)</p>", page_of(board), re.DOTALL)
    assert first is not None
    assert "SYNTHETIC DATA" in first.group(1)
    assert "context only" in first.group(1)
    real = page_of(make_board(tmp_path, synthetic=False))
    assert "SYNTHETIC" not in words(real)


def test_empty_cells_say_why(board: Path) -> None:
    text = words(page_of(board))
    assert "paper.source_corpus" in text
    assert "paper.fold_corpora" in text
    assert "not measured" in text


def test_comparisons_stand_under_their_table(board: Path, tmp_path: Path) -> None:
    page = page_of(board)
    chapter = page[page.index('id="table02"') : page.index('id="table03"')]
    assert "dist-ssl less lstm" in chapter
    assert "0.100 [0.02,\u00a00.18]" in chapter
    assert "dist-ssl above &lt;lstm&gt;" in chapter
    assert page.count("dist-ssl less lstm") == 1
    assert "less lstm" not in page_of(make_board(tmp_path, comparisons=False))


def test_the_page_is_self_contained_and_links_to_the_files_beside_it(board: Path) -> None:
    page = page_of(board)
    assert not re.search(r"(src|href)=\"https?:", page)
    assert "default-src 'none'" in html.unescape(page)
    assert "data:image/png;base64," in page
    for name in ("table02.csv", "table02.parquet", "figure08.csv", "figure08.json"):
        assert f'href="{name}"' in page
    assert 'alt="Graphs &lt;of&gt; 19 Synthetic data."' in page


def test_the_stage_writes_page_and_cells_twice_alike(board: Path) -> None:
    def run(out: str) -> bytes:
        command = [sys.executable, "-m", "pipeline.stages.scoreboard", "--settings", json.dumps(SETTINGS),
                   "--folder", str(board), "--out", str(board / out)]  # fmt: skip
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert answer.returncode == 0, answer.stderr
        return (board / out).read_bytes()

    assert run("index.html") == run("again.html")
    cells: Any = pd.read_parquet(board / "scoreboard.parquet")
    assert len(cells) == len(all_cells(read_board(board)))
    assert set(cells["table"]) == {*TITLES, "figure02", "figure04"}
    assert (board / "scoreboard.csv").stat().st_size > 10_000


def test_heads_say_how_many_clips_and_patients_have_a_seizure(board: Path) -> None:
    assert "n = 60 clips, 9 patients; with a seizure 7 clips of 2 patients" in words(page_of(board))


def test_counts_have_letters_and_a_difference_and_their_marks_in_words(board: Path) -> None:
    page = page_of(board)
    chapter = re.sub(r"\s+", " ", words(page[page.index('id="table01"') : page.index('id="table02"')]))
    assert "4 published 4,599 difference -4,595 S" in chapter
    assert "files, patients, seizures S synthetic corpus" in chapter
    protocol = re.sub(r"\s+", " ", words(page[page.index('id="protocol"') : page.index('id="table01"')]))
    assert "E epochs 6 (published 100) 1 dist-ssl" in protocol
    assert re.search(r"S synthetic corpus \d+ all", protocol)


def test_in_brief_counts_a_published_value_once(board: Path) -> None:
    folder = board.parent / "twice"
    content = json.loads((board / "table02.json").read_text())
    cells = [{**one, "over": over} for one in content["cells"] for over in ("mean of folds", "all folds together")]
    write_json(folder / "table02.json", {**content, "cells": cells})
    table = next(one for one in _brief(read_board(folder)).blocks if isinstance(one, Table))
    assert table.rows[0][1:3] == ["28", "2"]


def test_one_seed_is_not_seeds(tmp_path: Path) -> None:
    run = make_run(tmp_path, "lstm", model="lstm", graph="none", seeds=[0], scores={("auroc", ""): 0.8})
    inventory = read_paper_inventory(make_inventory(tmp_path, "table02", [run]))
    write_json(tmp_path / "paper/table02.json", table_content(inventory, paper_table(inventory, EVALUATION)))
    assert "; 1 seed each." in words(page_of(tmp_path / "paper"))


def test_numbers_printed_in_figures_stand_beside_measured_ones() -> None:
    roc = {"label": "Dist-DCRNN with pre-training", "run": "dist-ssl", "sensitivity": 0.9, "sensitivity_std": 0.01,
           "n_seeds": 2, "n_clips": 60, "n_patients": 9}  # fmt: skip
    matrix = {"label": "LSTM", "run": "lstm", "rows": ["AB"], "answers": ["AB"], "shares": [[0.8]], "n": [5.0],
              "n_seeds": 2}  # fmt: skip
    precise = {"value": 0.3, "low": 0.2, "high": 0.4, "n_clips": 7, "n_patients": 3}
    model = {"label": "Dense-CNN", "run": "densecnn", "precise": precise, "seeds": [0]}
    table = [{"run": "dist-ssl", "task": "detection", "clip_s": 12.0, "corpus": "c", "protocol": "S", "marks": "S x"}]
    cells = figure_cells({"figure02": {"roc": [roc], "confusion": [matrix]}, "figure04": {"models": [model]}}, table)
    assert len(cells) == 15
    found = {(one["over"], one["model"], one["class"]): one for one in cells if one["measured"] is not None}
    assert set(found) == {("fig2a", "DCRNN", "all"), ("fig2b", "best baseline", "AB"), ("fig4c", "Dense-CNN", "focal")}
    first = found["fig2a", "DCRNN", "all"]
    assert (first["published"], first["difference"], first["protocol"]) == (0.843, pytest.approx(0.057), "S")
    assert found["fig4c", "Dense-CNN", "focal"]["published"] == pytest.approx(0.035)
    assert found["fig4c", "Dense-CNN", "focal"]["low"] == 0.2
