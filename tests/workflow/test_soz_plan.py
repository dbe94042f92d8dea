"""The section `soz`: what runs overlay, what is refused before any job, which file is whose, who is told what."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.settings.base import SettingsError
from pipeline.settings.config import Config, parse_config
from pipeline.settings.overlay import overlaid
from workflow.lib import job_settings, job_settings_soz, planning, soz, soz_checks
from workflow.lib.code import code_modules
from workflow.lib.corpus import Corpora

ROOT = Path(__file__).parents[2]
PRESETS = ("soz-full", "soz-null", "poster", "ds004100")


class Wildcards(dict[str, Any]):
    """As Snakemake's: by key and by attribute."""

    __getattr__ = dict.__getitem__


def configured(section: dict[str, Any] | None = None, *presets: str, **sections: Any) -> Config:
    """config.yaml with presets, then with changes of `soz` and of other sections."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    for name in presets:
        values = overlaid(values, yaml.safe_load((ROOT / f"workflow/presets/{name}.yaml").read_text()))
    return parse_config(overlaid(values, {"soz": section or {}, **sections}))


def checked(section: dict[str, Any] | None = None, *presets: str, **sections: Any) -> Config:
    config = configured(section, *presets, **sections)
    planning.check(config)
    soz_checks.check(config)
    return config


def inputs(config: Config) -> soz.SozInputs:
    return soz.SozInputs(config, Corpora(config, main_process=False), soz.SozPaths(config.results))


def of(config: Config, **wildcards: Any) -> Wildcards:
    return Wildcards({"corpus": config.soz.corpus, "run": "main", "fold": "0", "seed": "0"} | wildcards)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_fit_to_build(preset: str) -> None:
    config = checked(None, preset)
    assert config.soz.run in config.soz.runs
    assert config.corpora[config.soz.corpus].splits.test_share == 0  # all lie in `train`; folds say who is tested


@pytest.mark.parametrize("preset", PRESETS)
def test_runs_on_the_page_differ_from_its_run_in_what_they_are_named_after(preset: str) -> None:
    made = checked(None, preset).soz
    own = made.of(made.run).model_dump()
    changed = {"pretraining": "enabled", "model": "layers"}
    for name, (section, key) in zip(made.compared, changed.items(), strict=True):
        its = made.of(name).model_dump()
        assert its[section].pop(key) != own[section][key]
        assert its == own | {section: {other: value for other, value in own[section].items() if other != key}}


def test_a_run_changes_what_it_names_and_nothing_else() -> None:
    config = configured({"runs": {"mine": {"tokens": {"montage": "bipolar"}, "finetuning": {"gamma": 1.0}}}})
    main, mine = config.soz.of("main"), config.soz.of("mine")
    assert (mine.tokens.montage, mine.finetuning.gamma) == ("bipolar", 1.0)
    assert main == config.soz.of("main") == mine.model_copy(
        update={"tokens": main.tokens, "finetuning": main.finetuning}
    )  # fmt: skip
    assert mine.finetuning.model_copy(update={"gamma": 2.0}) == main.finetuning


def test_every_ablation_of_the_specification_differs_from_main() -> None:
    soz_section = configured().soz
    main = soz_section.of("main")
    same = [name for name in soz_section.ablations if soz_section.of(name) == main]
    assert same == []
    twins = [name for name, n in Counter(str(soz_section.of(name)) for name in soz_section.runs).items() if n > 1]
    assert twins == []


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"runs": {"mine": {"finetunning": {}}}}, r"soz.runs.mine.finetunning: unknown key; did you mean 'finetuning'"),
        ({"runs": {"mine": {"model": {"layer": 1}}}}, r"soz.runs.mine.model.layer: unknown key; did you mean 'layers'"),
        ({"runs": {"mine": {"clips": {"shifts": 0}}}}, r"soz.runs.mine.clips: unknown key"),
        ({"runs": {"mine": {"pretraining": {"gamma": 0.5}}}}, r"soz.runs.mine.pretraining.gamma: .*infinite"),
        ({"pretraining": {"beta": 1.0}}, r"soz.pretraining.beta: .*less than 1"),
        ({"folds": {"outer": 1}}, r"soz.folds.outer: .*greater than or equal to 2"),
        ({"tokens": {"level": 6}}, r"soz.tokens.level: "),
        ({"tokens": {"montage": "laplacian"}}, r"soz.tokens.montage: "),
        ({"tokens": {"wavelet": "db99"}}, r"soz.tokens.wavelet: .*'db99' is no wavelet .* db1 to db38, sym2"),
        ({"runs": {"mine": {"tokens": {"wavelet": "coif18"}}}}, r"soz.runs.mine.tokens.wavelet: .*coif1 to coif17"),
        ({"reading": {"rate_hz": 256}}, r"soz.reading.rate_hz: .*512"),
        ({"clips": {"length_s": 30}}, r"soz.clips.length_s: .*35"),
        ({"clips": {"interictal_step_s": 10}}, r"soz.clips.interictal_step_s: .*greater than or equal to 35"),
        ({"adapters": "x"}, r"soz.adapters: unknown key; did you mean 'adapter'"),
    ],
)
def test_a_wrong_setting_names_its_key_and_the_nearest(section: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        configured(section)


def test_a_run_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingsError, match=r"soz.runs: there is no run 'mian'; there are main, "):
        configured().soz.of("mian")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"corpus": "synthetic-ieg"}, "soz.corpus: 'synthetic-ieg' is not in corpora; did you mean 'synthetic-ieeg'"),
        ({"corpus": "synthetic"}, "soz.corpus: 'synthetic' is read by tusz, which reads no intracranial corpus"),
        ({"joined": {"synthetic": "ds004100"}}, "soz.joined: 'synthetic' is read by tusz"),
        ({"joined": {"synthetic-ieeg": "ds004100"}}, "soz.joined: 'synthetic-ieeg' is soz.corpus itself"),
        ({"adapter": "ds004101"}, "soz.adapter: there is no adapter 'ds004101' .* did you mean 'ds004100'"),
        ({"beside": "sintetic"}, "soz.beside: 'sintetic' is not in corpora; did you mean 'synthetic'"),
        ({"run": "mian"}, "soz.run: 'mian' is not in soz.runs; did you mean 'main'"),
        ({"ablations": ["frozn"]}, "soz.ablations: 'frozn' is not in soz.runs; did you mean 'frozen'"),
        ({"ablations": ["main"]}, "soz.ablations: 'main' is soz.run itself, .*; give a list without it"),
        ({"ablations": ["poster", "poster"]}, "soz.ablations: .* names a run twice"),
        ({"compared": ["frozn"]}, "soz.compared: 'frozn' is not in soz.runs; did you mean 'frozen'"),
        ({"compared": ["main"]}, "soz.compared: 'main' is soz.run itself, .*; give a list without it"),
        ({"compared": ["strict"]}, "soz.compared: 'strict' has other folds.labels than soz.run, 'main'"),
        ({"run": "bipolar"}, r"'no-attention' has other tokens.montage than soz.run, 'bipolar', .*soz.compared: \[\]"),
        (
            {"runs": {"mine": {"folds": {"outer": 3}}}, "ablations": ["mine"]},
            "soz.ablations: 'mine' has other folds than soz.run, 'main'",
        ),
        ({"runs": {"mine": {"folds": {"seed": 1}}}, "compared": ["mine"]}, "soz.compared: 'mine' has other folds than"),
        ({"seeds": []}, "soz.seeds: give at least one seed"),
        ({"seeds": [1, 1]}, "soz.seeds: .* names a seed twice"),
        ({"runs": {"Mine": {}}}, "soz.runs.Mine: a run is named in small letters"),
        (
            {"runs": {"mine": {"model": {"width": 60}}}},
            "soz.runs.mine.model.width: 60 is no multiple",
        ),
        (
            {"runs": {"mine": {"folds": {"scheme": "corpora"}}}},
            "soz.runs.mine.folds.scheme: .* in soz.joined",
        ),
        ({"clips": {"margin_s": 0.51}}, "soz.clips.margin_s: 0.51 s at 512 Hz is no whole number of coefficients"),
        (
            {"runs": {"mine": {"pretraining": {"enabled": False}, "finetuning": {"freeze_encoder": True}}}},
            "soz.runs.mine.finetuning.freeze_encoder: true on pretraining.enabled: false keeps an encoder",
        ),
        ({"adapter": "ds003029"}, "soz.adapter: adapter 'ds003029' is refused: .*spreadsheet"),
        ({"clips": {"before_onset_s": 35}}, "soz.clips.before_onset_s: 35; a clip of 35 s ends before the onset"),
    ],
)
def test_a_section_that_cannot_be_built_is_refused(section: dict[str, Any], message: str) -> None:
    with pytest.raises(planning.PlanError, match=message):
        checked(section)


def test_an_intracranial_corpus_is_no_main_corpus_and_has_no_scalp_target() -> None:
    with pytest.raises(planning.PlanError, match=r"corpus: 'synthetic-ieeg' is intracranial; name it in soz.corpus"):
        checked(corpus="synthetic-ieeg")
    with pytest.raises(planning.PlanError, match=r"trial.corpora: 'synthetic-ieeg' is intracranial"):
        checked(trial={"corpora": ["synthetic-ieeg"]})
    with pytest.raises(planning.PlanError, match=r"corpus synthetic-ieeg: its contacts are intracranial"):
        soz_checks.check_scalp_corpus(configured(), "synthetic-ieeg")
    soz_checks.check_scalp_corpus(configured(), "synthetic")


def test_results_of_another_corpus_are_refused() -> None:
    made = inputs(configured())
    for asked in (made.of_folding, made.of_fit, made.of_evaluate, made.of_connectivity, made.of_cohort_page):
        with pytest.raises(planning.PlanError, match=r"synthetic: SOZ results are made of soz.corpus"):
            asked(Wildcards(corpus="synthetic", run="main"))


def test_a_corpus_without_a_folder_says_so_when_it_is_asked_for() -> None:
    config = checked(None, "ds004100")
    with pytest.raises(ValueError, match=r"corpora.ds004100: give either root, --config 'corpora={ds004100: .*FOLDER"):
        inputs(config).page_files("main")


def test_side_files_are_found_by_name_so_that_pseudonyms_are_refused(tmp_path: Path) -> None:
    (tmp_path / "sub-a" / "ieeg").mkdir(parents=True)
    (tmp_path / "sub-a" / "ieeg" / "sub-a_task-ictal_ieeg.edf").touch()
    config = configured(None, "ds004100", corpora={"ds004100": {"root": str(tmp_path), "pseudonyms": "always"}})
    with pytest.raises(ValueError, match=r"corpora.ds004100.pseudonyms: always; but reader 'ieeg_bids' finds"):
        inputs(config).page_files("main")


def test_more_folds_than_patients_stop_before_any_job() -> None:
    assert inputs(checked({"folds": {"outer": 8}})).page_files("main")
    with pytest.raises(ValueError, match=r"soz.folds.outer: 9, and there are 8 patients, .*; set it lower"):
        inputs(checked({"folds": {"outer": 9}})).page_files("main")


def test_what_is_wrong_for_every_run_is_told_once() -> None:
    with pytest.raises(planning.PlanError) as error:
        checked({"model": {"width": 60}})
    assert str(error.value).splitlines() == ["soz.model.width: 60 is no multiple of model.heads, 8; change one of them"]


def test_tokens_and_folds_are_shared_by_the_runs_that_ask_for_the_same() -> None:
    made = inputs(configured())
    files = {run: made.tokens(run)["tokens"][0] for run in ("main", "frozen", "large", "bipolar", "db8")}
    assert files["main"] == files["frozen"] == files["large"]
    assert len(set(files.values())) == 3
    folds = {run: made.folds_file(run) for run in made.config.soz.runs}
    assert set(folds.values()) == {"results/synthetic-ieeg/soz/folds.parquet"}  # strict labels move nobody
    other = inputs(configured({"runs": {"mine": {"folds": {"seed": 1}}}}))
    assert other.folds_file("mine") != other.folds_file("main") == folds["main"]


def test_an_encoder_is_shared_where_pre_training_is_the_same() -> None:
    made = inputs(configured())
    names = {run: soz.encoder_name(made.config, run) for run in made.config.soz.runs}
    assert len({names[run] for run in ("main", "frozen", "platt", "ictal", "counts-segment")}) == 1
    others = ("main", "negatives", "tau-05", "bipolar", "large", "no-phase", "strict")
    assert len({names[run] for run in others}) == len(others)
    assert all(names[soz.run_of_encoder(made.config, name)] == name for name in names.values())
    with pytest.raises(SettingsError, match=r"encoder 00000000: no run of soz.runs is pre-trained so"):
        soz.run_of_encoder(made.config, "00000000")
    assert "encoder" not in made.of_train(of(made.config, run="no-pretraining"))
    encoder = made.of_train(of(made.config, run="frozen", fold="1"))["encoder"]
    assert encoder == f"results/synthetic-ieeg/soz/encoders/{names['main']}/fold1/seed0/encoder.safetensors"


def test_a_run_that_is_put_first_moves_no_encoder() -> None:
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    values["soz"]["runs"] = {"first": {"calibration": "platt"}} | values["soz"]["runs"]
    before, after = configured(), parse_config(values)
    assert soz.encoder_name(before, "main") == soz.encoder_name(after, "main") == soz.encoder_name(after, "first")


def test_there_are_as_many_folds_as_the_scheme_says() -> None:
    assert list(inputs(configured()).fold_numbers("main")) == [0, 1]
    assert list(inputs(configured(None, "soz-full")).fold_numbers("main")) == [0, 1, 2, 3, 4]
    alone = inputs(configured({"folds": {"scheme": "patients"}}))
    assert len(alone.fold_numbers("main")) == len(alone.patients()) == 8
    twin = {"synthetic-ieeg-2": {"like": "synthetic-ieeg", "simulate": {"seed": 2}}}
    both = inputs(
        configured({"folds": {"scheme": "corpora"}, "joined": {"synthetic-ieeg-2": "ds004100"}}, corpora=twin)
    )
    assert len(both.fold_numbers("main")) == 2
    assert len(both.patients()) == 16
    assert {path.split("/")[1] for path in both.tokens("main")["tokens"]} == {"synthetic-ieeg", "synthetic-ieeg-2"}


def test_folds_are_told_whom_the_plan_counted() -> None:
    for scheme, names in (("patients", inputs(configured()).patients()), ("corpora", ["synthetic-ieeg", "twin"])):
        twin = {"twin": {"like": "synthetic-ieeg", "simulate": {"seed": 2}}}
        joined = {"twin": "ds004100"} if scheme == "corpora" else {}
        made = inputs(configured({"runs": {"mine": {"folds": {"scheme": scheme}}}, "joined": joined}, corpora=twin))
        dealt = soz.dealt_name(made.config, made.config.soz.of("mine").folds)
        assert made.listed(Wildcards(dealt=dealt)) == "--listed " + " ".join(names)
        assert len(made.fold_numbers("mine")) == len(names)
        assert made.listed(Wildcards(dealt="")) == ""


def test_the_page_of_the_chosen_run_alone_is_scored_beside_other_runs() -> None:
    made = inputs(configured({"seeds": [0, 1]}))
    own, other = (made.of_evaluate(of(made.config, run=run)) for run in ("main", "frozen"))
    folder = "results/synthetic-ieeg/soz/"
    expected = [f"{folder}{run}/fold{fold}/seed{seed}/" for run in ("no-pretraining", "no-attention") for fold in (0, 1)
                for seed in (0, 1)]  # fmt: skip
    assert own["other_predictions"] == [f"{one}predictions.parquet" for one in expected]
    assert own["other_cards"] == [f"{one}card.json" for one in expected]
    assert other["other_predictions"] == other["other_cards"] == []
    told = [job_settings_soz.soz_evaluate(made.config, run)["compared"] for run in ("main", "frozen")]
    assert told == [["no-pretraining", "no-attention"], []]
    alone = inputs(checked({"compared": [], "run": "strict", "ablations": ["main"]}))
    assert alone.of_evaluate(of(alone.config, run="strict"))["other_cards"] == []


def test_no_two_runs_folds_and_seeds_share_a_file() -> None:
    made = inputs(configured({"seeds": [0, 1]}))
    files = [path for run in made.config.soz.runs for path in made.models(run, "model.safetensors")]
    assert len(files) == len(set(files)) == len(made.config.soz.runs) * 2 * 2


def told(config: Config) -> dict[str, str]:
    """What jobs of the SOZ arm are told, by rule."""
    make = job_settings_soz
    tokens = soz.tokens_name(config.soz.of("main").tokens)
    made = {
        "simulate": job_settings.simulate(config, config.soz.corpus),
        "index": make.soz_index(config, config.soz.corpus), "ingest": make.soz_ingest(config, config.soz.corpus),
        "clips": make.soz_clips(config, config.soz.corpus), "tokens": make.soz_tokens(config, tokens),
        "folds": make.soz_folds(config, ""),
        "pretrain": make.soz_pretrain(config, soz.encoder_name(config, "main"), 0, 0),
        "train": make.soz_train(config, "main", 0, 0), "predict": make.soz_predict(config),
        "baselines": make.soz_baselines(config), "connectivity": make.soz_connectivity(config),
    }  # fmt: skip
    return {name: job_settings.as_text(values) for name, values in made.items()}


@pytest.mark.parametrize(
    ("section", "changed"),
    [
        ({"finetuning": {"epochs": 7}}, {"train"}),
        ({"calibration": "platt"}, {"train"}),
        ({"pretraining": {"epochs": 7}}, {"pretrain"}),
        ({"model": {"dropout": 0.1}}, {"pretrain", "train"}),
        ({"folds": {"labels": "strict"}}, {"pretrain", "train"}),
        ({"folds": {"seed": 3}}, {"folds"}),
        ({"reading": {"soz_bad": "keep"}}, {"index", "ingest"}),
        ({"clips": {"shifts": 3}}, {"clips", "tokens"}),
        ({"tokens": {"notch": True}}, {"tokens"}),
        ({"evaluation": {"bootstrap": 9}, "attention": {"masks": 3}, "seeds": [5], "ablations": []}, set()),
    ],
)
def test_a_stage_is_told_the_sections_that_it_uses(section: dict[str, Any], changed: set[str]) -> None:
    before, after = told(configured()), told(configured(section))
    assert {name for name in before if before[name] != after[name]} == changed


def test_scalp_jobs_run_no_code_of_the_soz_arm_and_the_reverse() -> None:
    scalp = code_modules(ROOT, "train", "models.dcrnn") | code_modules(ROOT, "ingest", "corpora.tusz")
    assert not [name for name in scalp if "soz" in name or ".ieeg" in name]
    tokens = code_modules(ROOT, "soz_tokens")
    assert not [name for name in tokens if ".training" in name or ".models" in name or ".explain" in name]
    train = code_modules(ROOT, "soz_train")
    assert not [name for name in train if ".corpora.ieeg" in name or name.endswith(("models.dcrnn", "models.sglc"))]
    data = [
        name
        for name in ("index", "ingest", "clips", "tokens")
        if "pipeline.settings.soz" in code_modules(ROOT, f"soz_{name}")
    ]
    assert data == []  # another option of the trainings moves no data
    for stage in ("soz_index", "soz_tokens", "soz_train"):  # a new run, or a new one of its checks, reruns nothing
        assert "pipeline.settings.soz_runs" not in code_modules(ROOT, stage)


def planned(tmp_path: Path, *arguments: str) -> tuple[dict[str, int], str]:
    """Jobs by rule of a dry run of config.yaml, and all that it printed."""
    answer = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", *arguments,
         "--config", f"results={tmp_path / 'results'}"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    counts = {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", answer.stdout, re.MULTILINE)}
    return counts, answer.stdout + answer.stderr


def test_the_target_plans_every_stage_once_for_each_shard_fold_and_patient(tmp_path: Path) -> None:
    config = configured()
    shards = len(Corpora(config, main_process=False).shards("synthetic-ieeg").names)
    counts, text = planned(tmp_path, "soz")
    per_shard = ("simulate", "soz_index", "soz_ingest", "soz_clips", "soz_tokens")
    expected = dict.fromkeys(per_shard, shards) | dict.fromkeys(("soz_attention", "soz_shafts"), 2)
    expected |= dict.fromkeys(("soz_train", "soz_predict"), 6)  # main, no-pretraining, no-attention
    expected["soz_pretrain"] = 4
    expected |= dict.fromkeys(("soz_folds", "soz_baselines", "soz_evaluate", "soz_cohort_page", "soz"), 1)
    expected |= dict.fromkeys(("soz_patient_page", "soz_connectivity"), 8)
    counts.pop("total", None)
    assert counts == expected, text[-3000:]
    assert "GPU jobs: 10 (4 soz_pretrain, 6 soz_train)" in text


def test_files_that_cannot_be_are_refused_in_words(tmp_path: Path) -> None:
    for path, words in (
        ("synthetic-ieeg/detection-12s/dist-ssl/metrics.parquet", "its contacts are intracranial"),
        ("synthetic/soz/main/index.html", "SOZ results are made of soz.corpus, which is 'synthetic-ieeg'"),
    ):
        _, text = planned(tmp_path, str(tmp_path / "results" / path))
        assert words in text
