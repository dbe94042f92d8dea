"""config.yaml: typed, complete, and unforgiving before any job starts."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.settings.base import SettingsError, parse_section
from pipeline.settings.config import parse_config
from pipeline.settings.training import FitSettings
from pipeline.signals.montages import DOUBLE_BANANA
from workflow.lib import job_settings, planning

ROOT = Path(__file__).parents[2]
PRESETS = sorted((ROOT / "workflow" / "presets").glob("*.yaml"))


def load() -> dict:
    return yaml.safe_load((ROOT / "config.yaml").read_text())


def changed(where: tuple, value: object) -> dict:
    """config.yaml with one value changed."""
    values = load()
    section = values
    for key in where[:-1]:
        section = section[key]
    section[where[-1]] = value
    return values


def merged(base: dict, over: dict) -> dict:
    """Overlay as Snakemake does: mappings are merged, everything else is replaced."""
    both = dict(base)
    for key, value in over.items():
        both[key] = merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
    return both


def test_the_default_and_every_preset_are_valid() -> None:
    planning.check(parse_config(load()))
    assert {path.stem for path in PRESETS} >= {"tiny", "demo", "trial"}
    for path in PRESETS:
        planning.check(parse_config(merged(load(), yaml.safe_load(path.read_text()))))


@pytest.mark.parametrize(
    ("where", "typo", "meant"),
    [
        (("signals",), "rate", "rate_hz"),
        (("training", "detection", 12), "lerning_rate", "learning_rate"),
        (("corpora", "synthetic", "simulate"), "sed", "seed"),
        (("models", "dcrnn"), "unit", "units"),
        ((), "occlusio", "occlusion"),
    ],
)
def test_an_unknown_key_names_the_nearest_valid_one(where: tuple, typo: str, meant: str) -> None:
    values = load()
    section = values
    for key in where:
        section = section[key]
    section[typo] = 1
    with pytest.raises(SettingsError, match=f"{typo}.*did you mean '{meant}'"):
        parse_config(values)


def test_a_plan_that_names_an_unknown_run_stops() -> None:
    values = load()
    values["plan"][0]["run"] = "dist-sssl"
    with pytest.raises(planning.PlanError, match=r"plan\[0\].run: 'dist-sssl' is not in runs"):
        planning.check(parse_config(values))


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("training", "detection", 12, "epochs"), 0, "training.detection.12.epochs: .*greater than or equal to 1"),
        (("training", "pretraining", 12, "loss"), "mae", "training.pretraining.12.loss: unknown key"),
        (("training", "detection", 12, "loss"), "ce", "training.detection.12.loss: .*'bce'"),
        (("signals", "rate_hz"), -200, "signals.rate_hz: .*greater than 0"),
        (("localisation", "threshold"), 1.5, "localisation.threshold: .*less than or equal to 1"),
        (("evaluation", "confidence"), 95, "evaluation.confidence: .*less than 1"),
        (("models", "dcrnn", "units"), 0, "units: .*greater than or equal to 1"),
        (("training", "detection", 12, "learning_rate"), math.inf, "training.detection.12.learning_rate: .*finite"),
        (("training", "detection", 12, "gate_bias"), math.nan, "training.detection.12.gate_bias: .*finite"),
        (("models", "dcrnn", "init", "gate_bias"), 1e39, "init.gate_bias: .*less than or equal to 100"),
        (("models", "dcrnn", "init", "gate_bias"), -math.inf, "init.gate_bias: .*finite"),
        (("runs", "dist-aux-1", "auxiliary"), math.inf, "runs.dist-aux-1.auxiliary: .*finite"),
        (("augment", "scale_low"), 1.3, "augment: .*scale_low: 1.3 is above scale_high: 1.2"),
    ],
)
def test_a_value_out_of_range_stops(where: tuple, value: object, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_config(changed(where, value))


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("plan", 0, "seeds"), [0, 0], r"plan\[0\].seeds: .* names a seed twice"),
        (("trial", "corpora"), ["nowhere"], "trial.corpora: 'nowhere' is not in corpora"),
        (("real_segments", "run"), "dist", "real_segments.run: 'dist' is not in runs"),
        (("real_segments", "length_s"), 13, "real_segments.length_s: .* 13 s"),
        (("channels", "electrodes", 0), "FPX", "channels.electrodes: 'FPX' has no position"),
        (("channels", "electrodes", 0), "FP2", "channels.electrodes: 'FP2' stands twice"),
        (("clips", "forecast_s"), 13, "clips.forecast_s: 13; but training.pretraining.12 has clips of 12 s"),
        (("training", "auxiliary", 12, "seen_s"), 7, "training.auxiliary.12: .* make 13 s, a clip has 12"),
        (("compat", "resample_length"), "published", "compat.resample_length: published needs signals.resampling: fft"),
        (("features", "raw-samples"), {"kind": "time", "floor_amplitude": 1e-8}, "features.raw-samples: .* small"),
        (("runs", "dist-ssl", "features"), "ftt", "runs.dist-ssl.features: 'ftt' is not in features;"),
    ],
)
def test_a_name_that_nothing_has_stops(where: tuple, value: object, message: str) -> None:
    with pytest.raises(planning.PlanError, match=message):
        planning.check(parse_config(changed(where, value)))


def test_the_gate_bias_of_the_model_holds_unless_the_task_has_its_own() -> None:
    """The defaults are those of the paper for short clips and 2 for long ones."""
    config = parse_config(changed(("models", "dcrnn", "init", "gate_bias"), 0.7))
    for length_s, plain, moved in ((12, 0.0, 0.7), (60, 2.0, 2.0)):
        for made, expected in ((parse_config(load()), plain), (config, moved)):
            fits = [job_settings.pretrain(made, "dcrnn-fft-distance", length_s)] if length_s == 12 else []
            fits += [
                job_settings.train(made, "dist-ssl", task, length_s, 0) for task in ("detection", "classification")
            ]
            for fit in fits:
                assert gate_bias(fit) == expected


def test_a_forecast_ends_within_the_next_clip() -> None:
    """Beyond it lie the frames of another clip or recording: neither the workflow nor a job takes it."""
    fit = json.loads(job_settings.as_text(job_settings.pretrain(parse_config(load()), "dcrnn-fft-distance", 12)))
    assert FitSettings.model_validate(fit).horizon_s == 12
    with pytest.raises(SettingsError, match="horizon_s: 13, but the clip to predict has 12 s"):
        parse_section(FitSettings, fit | {"horizon_s": 13})


def gate_bias(fit: dict) -> float:
    """As pipeline.training.model_io.model_options resolves it (which needs torch)."""
    own = fit["gate_bias"]
    return fit["options"]["init"]["gate_bias"] if own is None else own


def test_compat_reaches_every_stage_that_it_concerns() -> None:
    values = changed(("compat", "threshold_strict"), True)
    values["compat"]["ssl_loss"] = "rmse"
    config = parse_config(values)
    assert job_settings.predict(config, "detection", 12)["threshold_strict"]
    assert job_settings.score_segments(config)["threshold_strict"]
    assert job_settings.evaluate(config, "dist-ssl", "detection", 12)["evaluation"]["threshold_strict"]
    assert job_settings.pretrain(config, "dcrnn-fft-distance", 12)["loop"]["loss"] == "rmse"


def test_two_settings_that_swap_values_give_another_text() -> None:
    values = load()
    before = job_settings.as_text(job_settings.train(parse_config(values), "dist-ssl", "detection", 12, 0))
    loop = values["training"]["detection"][12]
    loop["learning_rate"], loop["weight_decay"] = loop["weight_decay"], loop["learning_rate"]
    after = job_settings.as_text(job_settings.train(parse_config(values), "dist-ssl", "detection", 12, 0))
    assert before != after
    assert sorted(before) == sorted(after)


def test_no_two_runs_share_a_path() -> None:
    from workflow.lib.inventory import files_of, run_files

    config = parse_config(load())
    made = [path for entry in planning.grid_plan(config) for path in files_of(run_files(config, "synthetic", entry))]
    assert len(made) == len(set(made))
    assert len(made) > 60


def snakemake(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_snakemake_says_it_too_before_any_job() -> None:
    answer = snakemake("--config", "results=/nowhere", "resuls=x")
    assert answer.returncode != 0
    assert "did you mean 'results'" in answer.stdout + answer.stderr


@pytest.mark.parametrize("preset", ["tiny", "demo"])
def test_the_presets_plan_from_nothing(preset: str, tmp_path: Path) -> None:
    answer = snakemake("--configfile", f"workflow/presets/{preset}.yaml", "--config", f"results={tmp_path}")
    assert answer.returncode == 0, answer.stderr[-3000:]
    for rule in ("simulate", "ingest", "pretrain", "train", "occlude", "localise", "report"):
        assert f"\n{rule} " in answer.stdout


BIPOLAR = {"channels": {"montage": "bipolar"}}


def test_the_bipolar_montage_reaches_every_job_that_has_nodes() -> None:
    config = parse_config(merged(load(), BIPOLAR))
    planning.check(config)
    nodes = config.channels.nodes
    assert nodes == config.channels.derivations == DOUBLE_BANANA
    assert job_settings.graph_distance(config)["electrodes"] == nodes
    assert job_settings.train(config, "dist-ssl", "detection", 12, 0)["electrodes"] == nodes
    assert job_settings.pretrain(config, "dcrnn-fft-distance", 12)["electrodes"] == nodes
    assert job_settings.ingest(config, "synthetic")["channels"].nodes == nodes
    assert job_settings.score_segments(config)["channels"].nodes == nodes
    assert parse_config(load()).channels.nodes == parse_config(load()).channels.electrodes


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, "FP1-FP9", "'FP1-FP9' is not <electrode>-<electrode>"),
        (0, "FP1", "'FP1' is not <electrode>-<electrode>"),
        (0, "F7-FP1", "'F8-FP2', the mirror image of 'F7-FP1', is not in the list"),
        (0, "F7-T3", "'F7-T3' stands twice"),
    ],
)
def test_wrong_derivations_stop_where_they_are_used(place: int, value: str, message: str) -> None:
    values = changed(("channels", "derivations", place), value)
    planning.check(parse_config(values))
    with pytest.raises(planning.PlanError, match=f"channels.derivations: {message}"):
        planning.check(parse_config(merged(values, BIPOLAR)))


@pytest.mark.parametrize("switch", ["zero_unreadable", "mirror_pairs", "mirror_graph"])
def test_what_was_published_of_electrodes_is_refused_for_derivations(switch: str) -> None:
    values = merged(changed(("compat", switch), True if switch == "zero_unreadable" else "published"), BIPOLAR)
    with pytest.raises(planning.PlanError, match=f"compat.{switch}"):
        planning.check(parse_config(values))


def test_an_unknown_montage_stops() -> None:
    with pytest.raises(SettingsError, match=r"channels.montage: .*'referential' or 'bipolar'"):
        parse_config(changed(("channels", "montage"), "laplacian"))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([{"a": 1}], "corpora: "),
        (None, "corpora: "),
        ({"synthetic": {"like": ["x"]}}, "corpora.synthetic.like: .* is not another corpus"),
        ({None: {"like": 3}}, "like: '3' is not another corpus"),
    ],
)
def test_corpora_of_another_shape_are_a_wrong_setting(value: object, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_config(changed(("corpora",), value))


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "[" * 5000, "nul", "\0"])
def test_a_stage_says_that_its_settings_are_no_json(text: str) -> None:
    from pipeline.settings.base import Section, parse_settings

    with pytest.raises(SettingsError, match=r"--settings: .*is no JSON"):
        parse_settings(Section, text)
