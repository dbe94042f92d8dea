"""Pages of the SOZ arm on made-up results: what they must carry, and what they must not say in any outcome."""

import html
import io
import json
import logging
import re
import sys
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image
from soz_inputs import PATIENTS, REPORT, Fact, cohort_options, evaluation_options, measures_of, write_results

from pipeline.report.soz_channels import UnfitChannels, answer, read_run
from pipeline.report.soz_cohort import against_half, against_other, headline_words
from pipeline.report.soz_dependence import hidden_rows, source_rows
from pipeline.report.soz_left_out import over_models
from pipeline.report.soz_patient import PatientFiles, read_patient
from pipeline.report.soz_seizures import clip_table
from pipeline.settings.soz import SozEvaluation
from pipeline.stages import command, soz_cohort_page, soz_evaluate, soz_patient_page
from pipeline.store import read_table, write_json, write_table
from pipeline.training.soz_abstention import ABSTAINED
from tests.metrics.soz_predictions import evaluation_settings

PAGE = {"corpus": "made-up", "run": "main", "synthetic": True, "report": REPORT}
EVALUATION = evaluation_settings(bootstrap=60, confidence=0.95, seed=0) | {"compared": ["no-attention"]}
EVALUATED = SozEvaluation.model_validate(EVALUATION["evaluation"])
TESTED_IN = {fact.name: fact.fold for fact in PATIENTS}


def call(patch: pytest.MonkeyPatch, stage: Any, settings: dict[str, Any], options: dict[str, Any]) -> None:
    """Run a stage's `main`; lists become several values."""
    logging.getLogger("ictograph").handlers.clear()
    line = ["stage", "--settings", json.dumps(settings)]
    for name, value in options.items():
        line += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    patch.setattr(sys, "argv", line)
    stage.main()


class Words(HTMLParser):
    """The text of a page, without script and style, and the attributes of its pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.images, self.silent = "", [], 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.silent += tag in ("script", "style")
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        self.text += "" if self.silent else f"{data} "


@cache
def words(path: Path) -> Words:
    found = Words()
    found.feed(path.read_text(encoding="utf-8"))
    found.text = re.sub(r"\s+", " ", found.text)
    return found


def leave_white(patch: pytest.MonkeyPatch) -> None:
    """Pictures are laid out and not drawn, which takes most of the time: what is written is one white dot."""
    dot = io.BytesIO()
    Image.new("RGB", (1, 1), "white").save(dot, "PNG")
    patch.setattr(Figure, "savefig", lambda self, file, **options: file.write(dot.getvalue()))


@pytest.fixture(autouse=True)
def undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only slow tests draw."""
    if request.node.get_closest_marker("slow") is None:
        leave_white(monkeypatch)


def build(patch: pytest.MonkeyPatch, root: Path) -> PatientFiles:
    """Files of all made-up patients, evaluated, with every page."""
    files = write_results(root)
    call(patch, soz_evaluate, EVALUATION, evaluation_options(root, files))
    for fact in PATIENTS:
        options = vars(files) | {"patient": fact.name, "out": root / "pages" / f"{fact.name}.html"}
        call(patch, soz_patient_page, PAGE, options)
    call(patch, soz_cohort_page, PAGE, cohort_options(root, files))
    return files


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Root and files of all made-up patients; pictures are not drawn."""
    root = tmp_path_factory.mktemp("soz")
    with pytest.MonkeyPatch.context() as patch:
        leave_white(patch)
        return root, build(patch, root)


def page(made: Any, name: str) -> Words:
    return words(made[0] / ("index.html" if name == "cohort" else f"pages/{name}.html"))


@pytest.mark.parametrize("name", ["P1", "P2", "P3", "P4", "P5", "cohort"])
def test_every_page_bears_the_notice_and_the_mark_of_synthetic_data(made: Any, name: str) -> None:
    found = page(made, name)
    assert "SYNTHETIC DATA" in found.text
    assert "Research use only; not a medical device." in found.text
    assert all(len(image["alt"]) > 20 and image["alt"].endswith("Synthetic data.") for image in found.images)
    assert all(image["src"].startswith("data:image/png;base64,") for image in found.images)


def test_every_picture_lies_beside_its_page_with_numbers_and_table(made: Any) -> None:
    for folder in (made[0] / "figures", made[0] / "pages" / "figures"):
        pictures = sorted(folder.glob("*.png"))
        assert pictures
        for picture in pictures:
            told = json.loads(picture.with_suffix(".json").read_text())
            assert told["numbers"]
            assert "NaN" not in picture.with_suffix(".json").read_text()
            assert len(read_table(picture.with_suffix(".parquet"))) == len(pd.read_csv(picture.with_suffix(".csv")))


def test_links_of_the_pages_lead_to_files_that_the_pages_wrote(made: Any) -> None:
    for path in (made[0] / "index.html", *(made[0] / "pages").glob("*.html")):
        for target in re.findall(r'href="([^"#]+)"', path.read_text()):
            if not target.endswith((".zip",)):  # of soz_connectivity
                assert (path.parent / target).is_file(), target


def test_the_patient_who_was_found_has_all_sections(made: Any) -> None:
    found = page(made, "P1").text
    for part in ("What the models say", "Where", "Seizure by seizure", "Energy by band and second", "Attention",
                 "Without one shaft", "Checks", "Provenance"):  # fmt: skip
        assert part in found
    assert "Of the 2 contacts of the highest ranks, as many as are marked, 2 are marked." in found
    assert "reach the threshold 0.400" in found
    assert ABSTAINED not in found
    assert len(page(made, "P1").images) == 9


def test_all_wrong_is_said_as_such(made: Any) -> None:
    found = page(made, "P3").text
    assert "Of the 3 contacts of the highest ranks, as many as are marked, 0 are marked." in found
    assert "16 bands that the recorded rate does not hold" in found
    assert ABSTAINED[1:] in found
    assert "The ranking below is no answer." in found


def test_without_coordinates_labels_and_seizures_nothing_is_said_of_them(made: Any) -> None:
    found = page(made, "P2").text
    assert "No scored contact has coordinates" in found
    assert "the labels are unknown" in found
    assert "There is no ictal clip" in found
    assert "Do the seizures agree?" not in found
    assert "as many as are marked" not in found
    assert "The implant in space" not in found


def test_one_class_gives_no_sentence_about_the_ranking(made: Any) -> None:
    found = page(made, "P5").text
    assert "All labels are of one class" in found
    assert "as many as are marked" not in found
    assert "There is no interictal clip" in found


def test_a_patient_without_a_clip_has_a_page_with_the_reason(made: Any) -> None:
    found = page(made, "P4")
    assert "No contact of this patient was scored" in found.text
    assert "sub-P4_x" in found.text  # a recording that was left out is in no other table
    assert not found.images


def test_findings_are_escaped_and_say_what_to_do(made: Any) -> None:
    text = (made[0] / "pages" / "P1.html").read_text()
    assert "&lt;b&gt;" in text
    assert "<b>" not in text
    assert "What to do:" in html.unescape(text)


def test_the_cohort_says_who_is_left_out_and_nothing_of_accuracy(made: Any) -> None:
    found = page(made, "cohort").text
    why = "without an interval: nothing follows (fewer than 6 patients have a value: no interval)"
    assert f"mean over 2 patients: 0.500; {why}." in found
    assert "patients of one fold share a model" in found
    assert "3 patients of 5 tested have no ranking score" in found
    for why in ("no contact is labelled", "the scored contacts are of one class", "no score for any contact"):
        assert why in found
    assert "The ablations were not there" in found
    assert found.count("accuracy") + found.count("Accuracy") == 1  # the caveat that says why it is left out
    hashes = json.loads((made[0] / "cohort.json").read_text())["folds"]
    assert hashes["hash"] in found
    assert all(fold["hash"] in found for fold in hashes["folds"])


def test_other_runs_stand_in_the_picture_and_the_table_of_baselines(made: Any) -> None:
    found = page(made, "cohort")
    assert "Runs of the same model with other settings, folds and seeds alike: no-attention." in found.text
    systems = next(image["alt"] for image in found.images if image["alt"].startswith("AUROC: "))
    assert re.fullmatch(r"AUROC: (\w+ )?model 0\.\d\d.*no-attention 0\.\d\d.*", systems)
    rows = re.findall(r"<tr>(.*?)</tr>", (made[0] / "index.html").read_text(), re.DOTALL)
    own = [row for row in rows if "no-attention" in row and "the two never differ" in row]
    assert len(own) >= 3  # AUROC, AUPRC, recall


def test_the_simulators_prior_is_told_beside_the_baseline_that_profits(
    made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The made-up baseline is not `coordinates`: its page says nothing of places."""
    root, files = made
    assert "temporal regions" not in page(made, "cohort").text
    options = cohort_options(root, files)
    table = read_table(options["comparisons"])
    write_table(tmp_path / "c.parquet", table.assign(second=table["second"].replace("noise", "coordinates")))
    told = {}
    for synthetic in (True, False):
        out = tmp_path / f"{synthetic}.html"
        settings = PAGE | {"synthetic": synthetic}
        call(monkeypatch, soz_cohort_page, settings, options | {"comparisons": tmp_path / "c.parquet", "out": out})
        told[synthetic] = "temporal regions" in words(out).text
    assert told == {True: True, False: False}


def test_the_gallery_is_of_the_lowest_scores_and_links_their_pages(made: Any) -> None:
    text = (made[0] / "index.html").read_text()
    gallery = text[text.index('<section id="gallery"') : text.index('<section id="folds"')]
    assert gallery.index("P3, AUROC 0.00") < gallery.index("P1, AUROC 1.00")
    assert 'href="pages/P3.html"' in gallery


def test_the_cohort_and_the_patients_pages_agree_on_who_is_abstained_of(made: Any) -> None:
    silent = {one["patient"]: one["abstained"] for one in json.loads((made[0] / "cohort.json").read_text())["patients"]}
    for fact in PATIENTS:
        assert read_patient(made[1], fact.name).answer.abstained == silent[fact.name] or not fact.phases


@pytest.mark.slow
def test_all_pictures_can_be_drawn_and_again_in_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = build(monkeypatch, tmp_path)
    pictures = sorted(tmp_path.rglob("figures/*.png"))
    assert len(pictures) > 30
    for path in pictures:
        pixels = np.asarray(Image.open(path).convert("L"))
        assert min(pixels.shape) > 60
        assert np.ptp(pixels) > 100, path
    out = tmp_path / "again" / "P5.html"
    call(monkeypatch, soz_patient_page, PAGE, vars(files) | {"patient": "P5", "out": out})
    assert out.read_bytes() == (tmp_path / "pages" / "P5.html").read_bytes()


def test_a_table_that_lacks_a_column_stops_in_plain_words(
    made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.read_csv(made[0] / "channel_soz.tsv", sep="\t", dtype=str, keep_default_na=False)
    table.drop(columns="p_cal").to_csv(tmp_path / "channel_soz.tsv", sep="\t", index=False)
    with pytest.raises(UnfitChannels, match=r"no column p_cal; build channel_soz\.tsv anew"):
        read_run(tmp_path / "channel_soz.tsv")
    options = vars(replace(made[1], channels=tmp_path / "channel_soz.tsv")) | {"patient": "P1", "out": tmp_path / "x"}
    with pytest.raises(command.StageError, match="p_cal"):
        call(monkeypatch, soz_patient_page, PAGE, options)


@pytest.mark.slow
def test_a_model_without_layers_says_so_instead_of_drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_results(tmp_path, facts=PATIENTS[4:], layers=0)
    call(monkeypatch, soz_patient_page, PAGE, vars(files) | {"patient": "P5", "out": tmp_path / "P5.html"})
    found = words(tmp_path / "P5.html").text
    assert "no shaft can matter" in found
    assert "there is no graph" in found
    assert "Who looks at whom" not in found


@pytest.mark.slow
def test_a_run_of_one_condition_says_so_and_denies_no_clip(
    made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_results(tmp_path, facts=PATIENTS[2:3], conditions="interictal")
    call(monkeypatch, soz_patient_page, PAGE, vars(files) | {"patient": "P3", "out": tmp_path / "P3.html"})
    found = words(tmp_path / "P3.html").text
    assert "judged by interictal clips alone" in found
    assert "There is no ictal clip" not in found
    told = json.loads((made[0] / "cohort.json").read_text())
    assert told["conditions"] == "both"
    told["conditions"], told["made"]["tokens"]["montage"] = "interictal", "bipolar"
    write_json(tmp_path / "cohort.json", told)
    options = cohort_options(*made) | {"summary": tmp_path / "cohort.json", "out": tmp_path / "index.html"}
    call(monkeypatch, soz_cohort_page, PAGE, options)
    for own, there in ((tmp_path, True), (made[0], False)):
        found = words(own / "index.html").text
        assert ("judged by interictal clips alone" in found) is there
        assert ("This run ranks pairs of contacts" in found) is there


def test_real_recordings_bear_no_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_results(tmp_path, facts=PATIENTS[3:])
    call(
        monkeypatch,
        soz_patient_page,
        PAGE | {"synthetic": False},
        vars(files) | {"patient": "P4", "out": tmp_path / "x"},
    )
    assert "SYNTHETIC" not in words(tmp_path / "x").text


# The parts


def test_clips_know_their_seizure_and_where_they_lie_to_its_onset(made: Any) -> None:
    clips = read_patient(made[1], "P1").clips.set_index("label")
    assert clips.loc["seizure 1", "from_s"] == clips.loc["seizure 2", "from_s"] == -5.0
    assert clips.loc["before seizure 2", "from_s"] == -45.0
    assert clips.loc["before seizure 2", "recording"] == clips.loc["seizure 2", "recording"]
    assert clips.loc["interictal 2", "seizure"] == 0
    assert np.isnan(clips.loc["interictal 2", "from_s"])


def test_two_seizures_of_one_recording_keep_their_own_baselines() -> None:
    phases = {"r/000@10.000": "pre", "r/000@50.000": "ictal", "r/000@110.000": "pre", "r/000@150.000": "ictal"}
    table = pd.DataFrame({"clip": list(phases), "phase": phases.values(), "condition": "ictal"})
    found = clip_table(table, pd.DataFrame({"recording": "r", "onset_s": [55.0, 155.0]}), clip_s=35.0)
    assert found["seizure"].tolist() == [1, 1, 2, 2]
    assert found["from_s"].tolist() == [-45.0, -5.0, -45.0, -5.0]


@pytest.mark.parametrize(
    ("interval", "said"),
    [((0.7, 0.6, 0.8), "above"), ((0.3, 0.2, 0.4), "below"), ((0.5, 0.4, 0.6), "holds it"), ((0.5, 0.5, 0.6), "holds"),
     ((0.9, np.nan, np.nan), "nothing follows"), ((np.nan, np.nan, np.nan), "undefined")],
)  # fmt: skip
def test_what_an_interval_says_of_chance(interval: tuple[float, float, float], said: str) -> None:
    assert said in against_half(*interval)


def test_the_first_sentence_claims_no_more_than_where_the_interval_lies() -> None:
    row = {"value": 0.8, "low": 0.7, "high": 0.9, "n_patients": 8, "reason": ""}
    assert headline_words(row).endswith("0.800 [0.70,\u00a00.90]; the interval lies above 0.5, which is no test (see "
                                        "“Intervals” at the end).")  # fmt: skip
    few = headline_words(row | {"low": np.nan, "high": np.nan, "n_patients": 4, "reason": "too few"})
    assert few.endswith("mean over 4 patients: 0.800; without an interval: nothing follows (too few).")
    assert "chance" not in headline_words(row) + few


@pytest.mark.parametrize(
    ("low", "high", "p_holm", "said"),
    [(0.12, 0.23, 0.07, "not told apart after Holm"), (0.12, 0.23, 0.04, "the model is higher"),
     (-0.3, -0.1, 0.04, "the model is lower"), (-0.3, -0.1, 0.06, "not told apart after Holm"),
     (-0.1, 0.2, 0.01, "not told apart"), (0.0, 0.2, 0.01, "not told apart"), (np.nan, np.nan, 0.01, "nothing follows"),
     (0.1, 0.2, np.nan, "not told apart after Holm")],
)  # fmt: skip
def test_a_model_is_higher_only_after_holm(low: float, high: float, p_holm: float, said: str) -> None:
    row = {"low": low, "high": high, "p_holm": p_holm}
    assert against_other(row, 0.95).endswith(said)


def test_sources_are_one_value_a_patient_beside_labels_exchanged_within_shafts() -> None:
    found = source_rows(measures_of(), TESTED_IN, EVALUATED).set_index("graph")
    own = found.loc["attention"]
    assert (own["n_patients"], own["n_mixed"]) == (2, 1)
    assert own["value"] == pytest.approx(0.65)
    assert own["null"] == 0.5  # of P1 alone: P3 has no shaft of both classes
    assert own["above"] == pytest.approx(0.15)
    assert own["beyond"] == 0.5  # one of its two seeds
    assert found.loc["untrained", "above"] == pytest.approx(-0.05)
    many = pd.concat([measures_of().assign(patient=lambda table, k=k: table["patient"] + f"-{k}") for k in range(7)])
    folds = {patient: place % 3 for place, patient in enumerate(sorted(set(many["patient"])))}
    many["source_auroc"] += np.random.default_rng(0).normal(0, 0.05, len(many))
    wide = source_rows(many, folds, EVALUATED).set_index("graph").loc["attention"]
    assert (wide["n_patients"], wide["n_mixed"]) == (14, 7)
    assert wide["above_low"] < wide["above"] < wide["above_high"]
    difference = measures_of().drop(columns=["source_auroc_null", "source_auroc_mean_p"])
    mixed = pd.concat([measures_of(), difference.assign(condition="ictal-interictal")])
    assert np.isnan(
        source_rows(mixed, TESTED_IN, EVALUATED).set_index("condition").loc["ictal-interictal", "beyond"]
    ).all()
    assert source_rows(measures_of().head(0), TESTED_IN, EVALUATED).empty


def test_of_hidden_contacts_a_patient_counts_once(made: Any) -> None:
    found = hidden_rows(read_table(made[0] / "faithfulness.parquet"), TESTED_IN, EVALUATED).set_index("kind")
    assert list(found.index) == ["largest", "rollout"]
    assert found.loc["rollout", "failed"] == pytest.approx((3 / 4 + 0) / 2)  # of five clips three failed
    assert found.loc["rollout", ["n_patients", "clips"]].tolist() == [2, 5]


@pytest.mark.parametrize(
    ("p", "votes", "abstained"),
    [([0.6, 0.1], [[0.9, 0.1], [0.9, 0.1]], False), ([0.2, 0.1], [[0.2, 0.1], [0.2, 0.1]], True),
     ([0.6, 0.6], [[0.9, 0.3], [0.3, 0.9]], True)],
)  # fmt: skip
def test_an_answer_needs_the_threshold_and_more_than_half_of_the_models(
    p: list[float], votes: list[list[float]], abstained: bool
) -> None:
    channels = pd.DataFrame({"channel": ["A", "B"], "p_cal": p})
    rows = [{"fold": 0, "seed": seed, "channel": name, "p_cal": value}
            for seed, own in enumerate(votes) for name, value in zip("AB", own, strict=True)]  # fmt: skip
    found = answer(channels, pd.DataFrame(rows), {(0, 0): 0.4, (0, 1): 0.5})
    assert found.threshold == pytest.approx(0.45)
    assert bool(found.abstained) is abstained
    assert found.called == sum(value >= 0.45 for value in p)


def test_changes_without_a_shaft_are_means_over_models(made: Any) -> None:
    files: PatientFiles = made[1]
    tables = [read_table(path) for path in files.shafts]
    found = over_models(pd.concat(tables), "P1").set_index(["shaft", "channel"])
    own = [
        table[(table["patient"] == "P1") & (table["shaft"] == "LA") & (table["channel"] == "RB1")] for table in tables
    ]
    expected = np.mean([table["change"].iloc[0] for table in own if len(table)])
    assert found.loc[("LA", "RB1"), "change"] == pytest.approx(expected)
    assert found.loc[("LA", "RB1"), "n_models"] == 2
    assert ("LA", "LA1") not in found.index


def test_a_contact_without_a_shaft_has_a_row_of_its_own(tmp_path: Path) -> None:
    files = write_results(tmp_path, facts=(Fact("P6", {"LA": 3}, ("interictal",), 0, (0,)),))
    table = pd.read_csv(files.channels, sep="\t", dtype=str, keep_default_na=False)
    table.loc[2, ["shaft", "contact"]] = "n/a"
    table.to_csv(files.channels, sep="\t", index=False)
    assert read_run(files.channels)["line"].tolist() == ["L LA", "L LA", "no shaft"]
