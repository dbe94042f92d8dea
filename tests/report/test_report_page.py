"""The page and the stage: honest, closed to the network, escaped, small, and the same when built again."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from report_inputs import LOCALISATION_SETTINGS, OCCLUSION, REPORT, make_results, settings_json

from pipeline.report.blocks import Note, Section
from pipeline.report.build import Built, build, write
from pipeline.report.inventory import RunEntry, read_results
from pipeline.report.page import Page, render
from pipeline.report.published import published
from pipeline.report.score_tables import Scored
from pipeline.report.tables import guarded
from pipeline.settings.base import SettingsError
from pipeline.store import read_json, read_table, write_json, write_table

ROOT = Path(__file__).parents[2]
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Strict(HTMLParser):
    """Checks that elements nest, and keeps what the tests look at."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"script", "style"}:
            self.text.append(data)


def parsed(html: str) -> Strict:
    parser = Strict()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


def built_page(inventory: Path) -> Built:
    return build(read_results(inventory), REPORT, localisation=LOCALISATION_SETTINGS, occlusion=OCCLUSION)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Built, str]:
    """Folder of made-up results, the report built from them, its HTML."""
    folder = tmp_path_factory.mktemp("results")
    built = built_page(make_results(folder, label="<script>alert(2)</script>"))
    return folder, built, render(built.page, max_mb=5)


def test_the_stage_writes_the_bytes_of_a_second_build_and_a_stamp_only_where_asked(tmp_path: Path) -> None:
    inventory = make_results(tmp_path / "in")
    command = [sys.executable, "-m", "pipeline.stages.report", "--settings", settings_json(), "--inventory", inventory]
    subprocess.run([*command, "--out", tmp_path / "a", "--stamp", "on a Monday"], check=True, cwd=ROOT)
    write(built_page(inventory), tmp_path / "b", max_mb=REPORT.max_mb)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert {path.parts[0] for path in files} == {"index.html", "figures", "tables"}
    for file in files:
        if file.name != "index.html":
            assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
    stamped, plain = ((tmp_path / out / "index.html").read_text() for out in "ab")
    assert re.sub(r' <span id="stamp">.*?</span>', "", stamped) == plain != stamped


def test_the_page_parses_and_reaches_nothing_outside_itself(made: tuple[Path, Built, str]) -> None:
    tree = parsed(made[2])
    for tag, attributes in tree.tags:
        assert tag not in {"link", "iframe", "object", "form", "base"}
        assert "style" not in attributes  # the policy would drop it
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            if value := attributes.get(name):
                assert value.startswith(("data:image/png;base64,", "#")), value[:60]
    assert "://" not in re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", made[2])
    policy = next(a["content"] for tag, a in tree.tags if tag == "meta" and a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_markup_in_data_stays_text(made: tuple[Path, Built, str]) -> None:
    html = made[2]
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html  # the channel label in the findings
    island = re.search(r'<script type="application/json" id="island">(.*?)</script>', html, re.S)
    assert island is not None
    assert "<" not in island[1]
    spans = [n["spans"] for name, n in json.loads(island[1]).items() if name.startswith("traces")]
    assert spans[0][0]["code"] == "<script>alert(2)</script>"  # the annotation


def test_a_synthetic_page_says_so_first_and_everywhere(made: tuple[Path, Built, str]) -> None:
    tree = parsed(made[2])
    body = " ".join(text for text in tree.text if text.strip())
    assert "SYNTHETIC" in body.split("Ictograph")[0]
    assert body.index("SYNTHETIC DATA") < body.index("In brief")
    assert "no clinical claim" in body.lower()
    images = [attributes for tag, attributes in tree.tags if tag == "img"]
    assert len(images) == len(made[1].pictures) >= 8
    assert all("Synthetic data." in str(image["alt"]) for image in images)


def test_pages_of_real_data_do_not_say_synthetic(tmp_path: Path) -> None:
    html = render(built_page(make_results(tmp_path, synthetic=False)).page, max_mb=5)
    assert "Research use only" in html
    assert "synthetic" not in re.sub(r"<style>.*?</style>", "", html, flags=re.S).lower()


def test_one_recording_that_says_synthetic_marks_the_whole_page(tmp_path: Path) -> None:
    inventory = make_results(tmp_path, synthetic=False)
    table = read_table(tmp_path / "recordings.parquet")
    assert not read_results(inventory).synthetic
    write_table(tmp_path / "recordings.parquet", table.assign(synthetic=[True] + [False] * (len(table) - 1)))
    assert read_results(inventory).synthetic


def test_the_scores_of_a_map_are_defined_where_they_are_first_used(made: tuple[Path, Built, str]) -> None:
    body = " ".join(" ".join(parsed(made[2]).text).split())
    assert body.index("Localisation: share of the marked") < body.index("(localisation 0.")
    assert body.index("Coverage: share of the annotated") < body.index("are precisely localised")
    assert body.index("Precisely localised: localisation above 0.8") < body.index("are precisely localised")
    assert "each scaled within its clip: shows where, not how much" in body


def test_canaries_in_paths_do_not_reach_the_page_or_the_tables(made: tuple[Path, Built, str], tmp_path: Path) -> None:
    folder, built, html = made
    write(built, tmp_path, max_mb=5)
    assert "CANARY" in read_table(folder / "recordings.parquet")["path"].iloc[0]
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or b"CANARY" not in file.read_bytes(), file
    assert str(folder) not in html


def test_every_table_has_headers_and_every_number_its_n(made: tuple[Path, Built, str]) -> None:
    tree = parsed(made[2])
    tags = [tag for tag, _ in tree.tags]
    assert tags.count("table") == tags.count("caption") == tags.count("thead") > 4
    scopes = [attributes.get("scope") for tag, attributes in tree.tags if tag == "th"]
    assert set(scopes) == {"col", "row"}
    assert {"main", "nav", "header", "footer"} <= set(tags)
    assert re.search(r"AUROC 1\.000 .*n = 4 clips of 2 patients, 1 seed", made[2])


def test_published_values_stand_beside_measured_ones(made: tuple[Path, Built, str]) -> None:
    assert published("detection", 12, "auroc", graph="distance", init="ssl") == (0.866, 0.016)  # Table 2
    assert published("detection", 60, "precise", graph="correlation", init="ssl", klass="focal") == (
        0.254,
        None,
    )  # Fig 4c
    assert published("detection", 13, "auroc", graph="distance", init="ssl") is None
    metrics = made[1].tables["metrics"]
    row = metrics[(metrics["task"] == "detection") & (metrics["metric"] == "auroc")].iloc[0]
    assert row["published_mean"] == 0.793
    assert "published 0.793" in made[2].replace("\u00a0", " ")


def test_caveats_state_how_occlusion_was_done(made: tuple[Path, Built, str]) -> None:
    text = " ".join(parsed(made[2]).text)
    for words in ("cannot be compared", "no physical meaning", "FZ and PZ", "training mean", "not a medical device"):
        assert words in text


def test_beyond_the_cap_pictures_are_named_instead_of_shown(made: tuple[Path, Built, str]) -> None:
    whole = len(made[2].encode()) / 1e6
    cut = render(made[1].page, max_mb=whole * 0.6)
    assert len(cut.encode()) <= whole * 0.6e6
    assert "left out to keep this page below" in cut
    parsed(cut)


def test_a_corpus_without_anything_gives_a_page_that_says_why(tmp_path: Path) -> None:
    full = read_json(make_results(tmp_path))
    for name in ("recordings", "seizures", "segments", "findings"):
        write_table(tmp_path / f"{name}.parquet", read_table(tmp_path / f"{name}.parquet").iloc[:0])
    write_json(tmp_path / "empty.json", {**full, "runs": [], "clips": {}, "signals": []})
    text = " ".join(parsed(render(built_page(tmp_path / "empty.json").page, max_mb=5)).text)
    for words in ("No recording", "No model was trained", "Nothing was repaired", "No occlusion map", "no history"):
        assert words in text, words


def test_runs_without_maps_and_without_seizures_are_shown(tmp_path: Path) -> None:
    full = read_json(make_results(tmp_path))
    bare = [{**run, "maps": [], "localisation": None, "summary": None} for run in full["runs"]]
    write_table(tmp_path / "seizures.parquet", read_table(tmp_path / "seizures.parquet").iloc[:0])
    curves = read_json(tmp_path / "detection-curves.json")
    lost = {"fpr": [], "tpr": [], "recall": [], "precision": [], "point": {}}
    curves["seeds"] = [seed | lost for seed in curves["seeds"]]
    write_json(tmp_path / "detection-curves.json", curves)
    write_json(tmp_path / "bare.json", {**full, "runs": bare})
    text = " ".join(parsed(render(built_page(tmp_path / "bare.json").page, max_mb=5)).text)
    assert "one class only" in text
    assert "nothing to show here" in text


def test_answers_are_told_also_when_they_are_no(tmp_path: Path) -> None:
    full = read_json(make_results(tmp_path))
    answer = {"question": "Does pre-training help?", "answer": "no", "sentence": "It is -0.01 [-0.02, -0.01]: no.",
              "value": -0.01, "low": -0.02, "high": -0.01, "n_clips": 4, "n_patients": 2}  # fmt: skip
    write_json(tmp_path / "experiments.json", {"answers": [answer], "permutations": 10})
    write_json(tmp_path / "asked.json", {**full, "experiments": str(tmp_path / "experiments.json")})
    built = built_page(tmp_path / "asked.json")
    text = " ".join(parsed(render(built.page, max_mb=5)).text)
    assert "Does pre-training help?" in text
    assert answer["sentence"] in text
    assert len(built.tables["experiments"]) == 1


def test_an_unknown_key_of_the_inventory_is_named(tmp_path: Path) -> None:
    full = read_json(make_results(tmp_path))
    write_json(tmp_path / "wrong.json", {**full, "recordngs": []})
    with pytest.raises(SettingsError, match="did you mean 'recordings'"):
        read_results(tmp_path / "wrong.json")


def test_text_that_a_spreadsheet_would_run_is_disarmed() -> None:
    made = guarded(pd.DataFrame({"=a": ["=1+1", "-x", "plain"], "n": [-1.0, 2.0, 3.0]}))
    assert made.iloc[:, 0].tolist() == ["'=1+1", "'-x", "plain"]
    assert made.columns[0] == "'=a"
    assert made["n"].tolist() == [-1.0, 2.0, 3.0]


def test_the_style_of_a_page_is_covered_by_its_policy() -> None:
    page = Page("T", "S", "B", synthetic=False, sections=[Section("a", "A", [Note("why")])], caveats=[])
    html = render(page, max_mb=5)
    assert html.count("sha256-") == 2
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_only_dcrnn_on_log_amplitudes_has_published_scores_beside_it() -> None:
    """The paper has no SGLC, and its DCRNN on raw samples has scores of its own (Table 4)."""
    fixed = {
        "run": "x", "task": "classification", "length_s": 12, "seeds": [0], "graph": "correlation", "init": "ssl",
        "metrics": "",
    }  # fmt: skip
    cells = [
        Scored(RunEntry(**fixed, model=model, features=features), pd.DataFrame(), {}).printed("weighted_f1")
        for model, features in (("dcrnn", "fft"), ("sglc", "fft"), ("dcrnn", "time"))
    ]
    assert cells == [(0.723, 0.017), None, None]
