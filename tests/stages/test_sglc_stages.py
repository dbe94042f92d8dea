"""The targets of the learned graph, from predictions to tables, curves and page, through the stages' command lines."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
from sglc_inputs import COMPARISONS, EVALUATION, configured, corpus_clips, make_results

from pipeline.report.page import render
from pipeline.report.scoreboard import read_picture
from pipeline.report.sglc_page import read_contents, read_pictures
from pipeline.report.sglc_page import sglc_page as page_of
from pipeline.report.sglc_tables import ablation_table
from pipeline.stages import command, graph_ablation, label_fraction, sglc_page, sglc_table
from pipeline.store import digest_result, read_json, read_table, write_json, write_table

STAGES = {"sglc_table": sglc_table, "label_fraction": label_fraction, "graph_ablation": graph_ablation}
HALF = {"half": {"without": ["test0", "test1", "test2", "test3"]}}
SKILL = {"sglc-scratch": 1.0, "sglc-prior": 0.2, "sglc-uniform": 0.2, "sglc-random": 1.0}


def run(monkeypatch: pytest.MonkeyPatch, target: str, inventory: Path, out: Path, **lists: Any) -> pd.DataFrame:
    """Run a stage; its table."""
    numbers = {"comparisons": COMPARISONS} if target == "graph_ablation" else {"evaluation": EVALUATION}
    settings = numbers | {"lists": {"four": lists, "eight": lists}, "dpi": 40}
    line = ["stage", "--settings", json.dumps(settings), "--inventory", str(inventory), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", line)
    STAGES[target].main()
    return read_table(out / f"{target}.parquet")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All three targets with a list beside all test clips; CT is in no test clip."""
    folder = tmp_path_factory.mktemp("sglc")
    with pytest.MonkeyPatch.context() as monkeypatch:
        for target in STAGES:
            inventory = make_results(folder / target, target, skill=SKILL, codes=("fnsz", "gnsz", "absz"))
            run(monkeypatch, target, inventory, folder / "out", **HALF)
    return folder


def test_table_holds_every_run_list_and_class(results: Path) -> None:
    table = read_table(results / "out/sglc_table.parquet")
    measured = table[table["origin"] == "measured"]
    assert set(measured["list"]) == {"all", "half"}
    assert measured.groupby(["classes", "run"]).ngroups == 16
    assert not measured.duplicated(["list", "run", "metric", "class"]).any()
    recall = measured[(measured["run"] == "sglc-ssl") & (measured["list"] == "all") & (measured["metric"] == "recall")]
    assert list(recall["class"]) == ["CF", "GN", "AB", "CT"]
    assert recall["value"].isna().tolist() == [False, False, False, True]
    assert (recall["reason"] != "").tolist() == [False, False, False, True]


def test_scores_are_those_of_the_clips_of_their_list(results: Path) -> None:
    """Against scikit-learn on the predictions of each seed."""
    table = read_table(results / "out/sglc_table.parquet")
    for name, left_out in (("all", []), ("half", HALF["half"]["without"])):
        wanted = []
        for seed in (0, 1):
            answers = read_table(results / f"sglc_table/dist-ssl/seed{seed}/predictions.parquet")
            answers = answers[(answers["split"] == "test") & ~answers["patient"].isin(left_out)]
            wanted.append(f1_score(answers["label"], answers["predicted"], average="weighted"))
        row = table[(table["run"] == "dist-ssl") & (table["list"] == name) & (table["metric"] == "weighted_f1")].iloc[0]
        assert row["value"] == pytest.approx(np.mean(wanted))
        assert row["std"] == pytest.approx(np.std(wanted, ddof=1))
        assert (row["n_clips"], row["n_patients"], row["n_seeds"]) == (36 - 3 * len(left_out), 12 - len(left_out), 2)
        assert row["low"] <= row["value"] <= row["high"]


def test_published_numbers_bear_their_own_list(results: Path) -> None:
    """83.8 has no list that is known, Tang's have theirs: neither may be read as a score on ours."""
    table = read_table(results / "out/sglc_table.parquet")
    printed = table[table["origin"] == "published"].set_index(["list", "classes", "label"])["value"]
    assert printed["not stated", 4, "SGLC, with pre-training"] == 0.838
    assert printed["not stated", 8, "SGLC, with pre-training"] == 0.735
    assert printed["not stated", 4, "SGLC, without pre-training"] == 0.763
    assert printed["not stated", 8, "SGLC, without pre-training"] == 0.635
    assert set(printed.index.get_level_values("list")) == {"not stated", "tang2022"}
    assert not {"not stated", "tang2022"} & set(table.loc[table["origin"] == "measured", "list"])


def test_fractions_say_what_was_learnt_from(results: Path) -> None:
    table = read_table(results / "out/label_fraction.parquet")
    assert set(table["fraction"]) == {25, 100}
    assert set(table["seed"]) == {-1, 0, 1}
    assert table.groupby(["model", "label", "init"]).ngroups == 6
    whole = table[(table["fraction"] == 100) & (table["seed"] == 0)]
    assert set(whole["n_patients"]) == {24}
    assert set(whole["n_clips_CF"]) == {18}
    part = table[(table["fraction"] == 25) & (table["seed"] == 1)]
    assert (part["n_patients"] < 12).all()
    assert (part[["n_clips_CF", "n_clips_GN", "n_clips_AB", "n_clips_CT"]] > 0).all().all()
    for name in ("weighted_f1", "macro_f1"):
        assert (table[f"{name}_low"] <= table[f"{name}_high"]).all()


def test_a_benefit_is_claimed_only_where_the_interval_leaves_0_out(results: Path) -> None:
    table = read_table(results / "out/graph_ablation.parquet")
    assert list(table["list"]) == ["all"] * 3 + ["half"] * 3
    assert set(table["n_comparisons"]) == {3}
    for row in table.to_dict("records"):
        assert row["benefit"] == (row["low"] > 0 and row["p_holm"] < 0.05)
        assert row["claim"].startswith("Learning the graph helps") == row["benefit"]
    all_clips = table[table["list"] == "all"].set_index("second")
    assert all_clips["benefit"].to_dict() == {"sglc-prior": True, "sglc-uniform": True, "sglc-random": False}
    assert "holds 0" in all_clips.loc["sglc-random", "claim"]
    budget = read_json(results / "out/graph_ablation.json")["budget"]
    assert {row["setting"] for row in budget} == {"options.adjacency", "parameters"}


def changed_cards(folder: Path, run_name: str, **changes: Any) -> None:
    for path in folder.glob(f"{run_name}/seed*/card.json"):
        card = {key: value for key, value in read_json(path).items() if key != "checksum"}
        options = card["settings"]["options"] | changes.get("options", {})
        card |= {key: value for key, value in changes.items() if key != "options"}
        write_json(path, card | {"settings": card["settings"] | {"options": options}})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"options": {"units": 8}}, "options.units"),
        ({"inputs": {"encoder": ["cd" * 32]}}, "encoder"),
        ({"counts": {"training_clips": 5, "training_patients": 2}}, "counts.training_clips"),
    ],
)
def test_nothing_is_claimed_where_more_than_the_graph_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], named: str
) -> None:
    """Of the comparisons with that run; the others stand."""
    inventory = make_results(tmp_path, "graph_ablation", skill=SKILL)
    changed_cards(tmp_path, "sglc-prior", **changes)
    table = run(monkeypatch, "graph_ablation", inventory, tmp_path / "out").set_index("second")
    assert table["benefit"].to_dict() == {"sglc-prior": False, "sglc-uniform": True, "sglc-random": False}
    assert table.loc["sglc-prior", "low"] > 0
    assert table.loc["sglc-prior", "claim"].startswith("Nothing is claimed about the prior: the two runs differ in ")
    assert named in table.loc["sglc-prior", "claim"]
    budget = read_json(tmp_path / "out/graph_ablation.json")["budget"]
    assert named in {row["setting"] for row in budget}


def test_what_only_a_learner_reads_is_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = make_results(tmp_path, "graph_ablation", skill=SKILL)
    changed_cards(tmp_path, "sglc-scratch", options={"heads": 8, "mixing": 0.3})
    table = run(monkeypatch, "graph_ablation", inventory, tmp_path / "out").set_index("second")
    assert table.loc["sglc-prior", "benefit"]
    changed_cards(tmp_path, "sglc-scratch", options={"depth": 8})
    table = run(monkeypatch, "graph_ablation", inventory, tmp_path / "out").set_index("second")
    assert not table["benefit"].any()


def test_one_seed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A benefit is then one of two models, and no seed is drawn."""
    one_seed = configured(sglc={"seeds": [0]})
    inventory = make_results(tmp_path, "graph_ablation", skill=SKILL, config=one_seed)
    table = run(monkeypatch, "graph_ablation", inventory, tmp_path / "out").set_index("second")
    assert table.loc["sglc-prior", "benefit"]
    assert "helps against the prior, for these models, one of each (" in table.loc["sglc-prior", "claim"]
    content = read_json(tmp_path / "out/graph_ablation.json")
    assert "over patients (one seed)" in ablation_table(content["rows"]).caption
    assert "over patients (one seed)" in read_picture(tmp_path / "out/figures/graph_ablation.json").caption


def test_no_column_of_the_page_holds_two_lists(results: Path) -> None:
    """Every column of scores names one list in its head, and its cells are the scores on that list."""
    contents = read_contents(results / "out")
    page = page_of(contents, read_pictures(results / "out"), title="Ictograph", graphs=[])
    known = {"all", "half", "not stated", "tang2022"}
    named = {"scores-4", "scores-8", "fractions"}
    tables = {block.name: block for part in page.sections for block in part.blocks if block.kind == "table"}
    assert named <= set(tables)
    for name in named:
        heads = [head for head in tables[name].columns if "list" in head]
        assert len(heads) >= 4
        for head in heads:
            assert sum(f"list {one}" in head or f"list: {one}" in head for one in known) == 1, head
    rows = {row[0]: row for row in tables["scores-4"].rows}
    scores = {(row["label"], row["list"]): row["value"] for row in contents["sglc_table"]["rows"]
              if (row["metric"], row["classes"], row["origin"]) == ("weighted_f1", 4, "measured")}  # fmt: skip
    for (label, name), value in scores.items():
        column = next(k for k, head in enumerate(tables["scores-4"].columns) if f"weighted F1, list {name}" in head)
        assert rows[label][column].startswith(f"{value:.3f}")
    assert "0.838" in rows["SGLC, with pre-training"][-2:][0] + rows["SGLC, with pre-training"][-1]
    assert {"recall-4-all", "recall-4-half", "recall-8-all"} <= set(tables)
    assert tables["recall-4-all"].rows[0][-1] == "n/a"


def without_pictures(html: str) -> str:
    """In a megabyte of base64 any short word may stand."""
    return re.sub(r"data:image/png;base64,[^\"]+", "", html)


def test_page_states_the_lists_and_the_grid(results: Path) -> None:
    contents = read_contents(results / "out")
    html = render(page_of(contents, read_pictures(results / "out"), title="Ictograph", graphs=[]), max_mb=8)
    for words in ("SYNTHETIC DATA", "521", "0.414", "0.498", "shares of the labels 25 %, 100 %", "with 2 seeds each"):
        assert words in without_pictures(html)
    assert html.count("data:image/png;base64") == 3


def test_page_is_written_with_its_size_kept(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the command line, without a run whose learned graphs were exported."""
    empty: dict[str, Any] = {name: [] for name in ("recordings", "seizures", "segments", "findings")}
    write_json(tmp_path / "sglc.json", empty | {"corpus": "made-up", "synthetic": True, "clips": {}, "graphs": {}})
    shown = {"title": "Ictograph", "example_clips": 1, "dpi": 40, "max_mb": 5}
    line = ["stage", "--settings", json.dumps({"report": shown, "max_mb": 8}), "--folder", str(results / "out")]
    line += ["--inventory", str(tmp_path / "sglc.json"), "--out", str(tmp_path / "index.html")]
    monkeypatch.setattr(sys, "argv", line)
    sglc_page.main()
    html = (tmp_path / "index.html").read_text()
    assert "SYNTHETIC DATA" in html
    assert "http" not in without_pictures(html).split("<body")[1].split("<script")[0]
    monkeypatch.setattr(sys, "argv", [*line[:2], json.dumps({"report": shown, "max_mb": 0.02}), *line[3:]])
    sglc_page.main()
    assert (tmp_path / "index.html").read_text().count("data:image/png;base64") == 0


def test_equal_inputs_give_equal_bytes(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "graph_ablation", results / "graph_ablation/inventories/graph_ablation.json", tmp_path, **HALF)
    for name in ("graph_ablation.parquet", "graph_ablation.json", "figures/graph_ablation.png"):
        assert digest_result(tmp_path / name) == digest_result(results / "out" / name)


def test_runs_on_other_clips_share_no_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = make_results(tmp_path, "graph_ablation")
    for seed in (0, 1):
        path = tmp_path / f"sglc-uniform/seed{seed}/predictions.parquet"
        write_table(path, read_table(path).iloc[:-1])
    with pytest.raises(command.StageError, match="sglc-scratch and sglc-uniform answered test clips of other clips"):
        run(monkeypatch, "graph_ablation", inventory, tmp_path / "out")


def test_a_card_of_other_clips_or_another_encoder_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = make_results(tmp_path, "label_fraction")
    path = tmp_path / "sglc-ssl-25/seed1/card.json"
    card = {key: value for key, value in read_json(path).items() if key != "checksum"}
    write_json(path, card | {"inputs": {"encoder": ["another"]}})
    with pytest.raises(command.StageError, match=r"encoder and validation clips .*another"):
        run(monkeypatch, "label_fraction", inventory, tmp_path / "out")
    write_json(path, card | {"counts": card["counts"] | {"training_clips": 5}})
    with pytest.raises(command.StageError, match=r"training_clips 5, but .* are chosen"):
        run(monkeypatch, "label_fraction", inventory, tmp_path / "out")


def test_markers_of_clips_are_read_with_the_seizures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second seizure of each of two recordings, by a published list's lines."""
    inventory = make_results(tmp_path, "graph_ablation")
    clips = corpus_clips("test", 12)
    (tmp_path / "list.txt").write_text("test0_s1_t0.edf,0,1\ntest1_s1_t0.edf,1,1\n")
    chosen = {"two": {"clips": str(tmp_path / "list.txt"), "labels": ["CF", "GN", "AB", "CT"]}}
    table = run(monkeypatch, "graph_ablation", inventory, tmp_path / "out", **chosen)
    assert set(table.loc[table["list"] == "two", "n_clips"]) == {2}
    assert set(table.loc[table["list"] == "all", "n_clips"]) == {len(clips)}
