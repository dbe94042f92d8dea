"""Models by name: `like` another section, complete after parsing, with paths, code and settings of their own."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.models.__main__ import configured, parameter_counts
from pipeline.settings.base import SettingsError
from pipeline.settings.config import Config, parse_config
from pipeline.settings.overlay import overlaid
from workflow.lib import job_settings, planning
from workflow.lib.budget import Estimator
from workflow.lib.corpus import Corpora
from workflow.lib.paths import ENCODER, encoder_of, encoder_run

ROOT = Path(__file__).parents[2]
RUN = {"features": "fft", "graph": "distance", "init": "ssl", "scheme": "four", "label_fraction": 1.0}


def values(models: dict[str, Any], run: str = "dcrnn") -> dict[str, Any]:
    """config.yaml with further models, and a run `mine` of one of them."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text())
    content["models"] |= models
    content["runs"]["mine"] = RUN | {"model": run}
    return content


def config(models: dict[str, Any], run: str = "dcrnn") -> Config:
    made = parse_config(values(models, run))
    planning.check(made)
    return made


def test_a_section_takes_over_what_it_does_not_give() -> None:
    models = {
        "small": {"like": "dcrnn", "units": 16, "init": {"gate_bias": 1.0}},
        "shallow": {"like": "small", "layers": 1},
    }
    made = config(models)
    base = made.models["dcrnn"]
    assert made.models["small"] == base | {"units": 16, "init": {"gate_bias": 1.0}}
    assert made.models["shallow"] == made.models["small"] | {"layers": 1}
    assert [made.plugin_of(name) for name in ("dcrnn", "small", "shallow", "lstm")] == ["dcrnn"] * 3 + ["lstm"]


def test_an_overlay_of_the_first_section_reaches_those_like_it() -> None:
    content = values({"small": {"like": "dcrnn", "layers": 1}})
    content["models"]["dcrnn"]["units"] = 8  # as the preset tiny does
    assert parse_config(content).models["small"]["units"] == 8


def test_a_run_of_a_named_model_has_its_plug_in_its_options_and_an_encoder_of_its_own() -> None:
    made = config({"small_2": {"like": "dcrnn", "units": 16}}, "small_2")
    train = job_settings.train(made, "mine", "detection", 12, 0)
    assert (train["model"], train["options"]["units"]) == ("dcrnn", 16)
    encoder = encoder_of(made.runs["mine"])
    assert encoder == "small_2-fft-distance" != encoder_of(made.runs["dist-ssl"])
    assert re.fullmatch(ENCODER, encoder)
    pretrain = job_settings.pretrain(made, encoder, 12)
    assert (pretrain["model"], pretrain["options"]["units"]) == ("dcrnn", 16)
    assert encoder_run(encoder).model == "small_2"


def test_the_name_alone_changes_no_settings_of_a_job() -> None:
    """Another name for the same options trains the same model: names are in paths only."""
    made = config({"small": {"like": "dcrnn"}}, "small")
    own, same = (job_settings.train(made, run, "detection", 12, 0) for run in ("mine", "dist-ssl"))
    assert job_settings.as_text(own) == job_settings.as_text(same)


def test_parameters_of_named_models_are_counted() -> None:
    made = config({"small": {"like": "dcrnn", "units": 16}})
    found = {row[:3]: row.parameters for row in parameter_counts(configured(made))}
    key = ("detection", "distance")
    assert found["small", *key] < found["dcrnn", *key] == 168_641


def test_step_times_are_those_of_the_section_or_else_of_the_plug_in() -> None:
    """A dry run's hours: a section that was measured by itself counts before the architecture."""
    made = config({})
    row = {"device": "bench", "task": "detection", "graph": "correlation", "features": "fft", "length_s": 12}
    row |= {"clips": 8, "forward_s": 0.1}
    times = [row | {"model": name, "step_s": float(k)} for k, name in enumerate(("sglc", "sglc_prior"))]
    estimator = Estimator(made, Corpora(made, main_process=False), times)
    runs = {name: made.runs[name] for name in ("sglc-random", "sglc-prior")}
    found = {name: estimator._row(run, "classification", 12, "bench") for name, run in runs.items()}
    assert [found[name]["step_s"] for name in found] == [0.0, 1.0]
    assert estimator._row(made.runs["corr-ssl"], "classification", 12, "bench") is None


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({"small": {"like": "dcrn"}}, r"models.small.like: 'dcrn' is not another model; there are dcrnn, "),
        ({"small": {"like": "small"}}, "models.small.like: 'small' is not another model"),
        ({"small": {"like": "more"}, "more": {"like": "small"}}, r"models.more.like: 'small' is not another model"),
        ({"small": {"like": ["dcrnn"]}}, "models.small.like: .* is not another model"),
        ({"lstm": {"like": "dcrnn"}}, "models.lstm.like: lstm is a plug-in of its own"),
        ({"small": {"units": 16}}, "models.small: there is no pipeline/settings/model_small.py; .*like: <other model>"),
        ({"small": {"like": "dcrnn", "unit": 16}}, "models.small.unit: unknown key; did you mean 'units'"),
        ({"small-2": {"like": "dcrnn"}}, "models.small-2: a model is named in small letters, digits and _"),
        ({"small": 3}, r"models.small: Input should be a valid dictionary"),
        ({"small": {"like": "dcrnn", "unit": 1}, "big": {"like": "dcrnn", "layers": 0}}, "small.unit.*\n.*big.layers"),
    ],
)
def test_what_is_no_model_stops_by_its_key(models: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_config(values(models))


def test_the_checks_of_a_run_look_at_the_plug_in() -> None:
    with pytest.raises(planning.PlanError, match=r"runs.mine.graph: 'distance' does not fit model narrow; .*is none"):
        config({"narrow": {"like": "lstm", "units": 8}}, "narrow")
    with pytest.raises(planning.PlanError, match=r"runs.mine.model: 'smal' is not in models; did you mean 'small'"):
        config({"small": {"like": "dcrnn"}}, "smal")


def with_preset(name: str) -> Config:
    """config.yaml under a preset, as Snakemake lays it over."""
    made = parse_config(overlaid(values({}), yaml.safe_load((ROOT / f"workflow/presets/{name}.yaml").read_text())))
    planning.check(made)
    return made


def test_the_demo_and_its_preset_have_a_reduced_width() -> None:
    (line,) = [line for line in config({}).plan if config({}).runs[line.run].model == "sglc_small"]
    assert (line.task, line.length_s, config({}).runs[line.run].init) == ("classification", 12, "ssl")
    small = config({}).models["sglc_small"]
    demo = with_preset("sglc-demo")
    for section in ("sglc", "sglc_published", "sglc_prior", "sglc_uniform", "sglc_random"):
        assert demo.models[section]["units"] == small["units"] == 16
        assert demo.models[section]["ggnn_steps"] == small["ggnn_steps"] == 2
    assert (demo.sglc.seeds, demo.sglc.fractions) == ([0, 1], [25, 100])


def test_published_numbers_of_the_training() -> None:
    """Specification sglc.md, sections 4, 8 and 9."""
    made = with_preset("sglc-tusz")
    training = made.training
    for loop, epochs, rate in (
        (made.training.pretraining[12], 350, 5e-4),
        (made.training.classification[12], 60, 3e-4),
    ):
        assert (loop.epochs, loop.learning_rate, loop.batch, loop.weight_decay) == (epochs, rate, 48, 0.0)
        assert (loop.clip_norm, loop.patience) == (5.0, 5)
    assert (training.pretraining_seed, made.sglc.seeds[0]) == (123, 123)
    published = made.models["sglc_published"]
    sizes = {"units": 64, "layers": 2, "pretraining_layers": 3, "ggnn_steps": 5, "learner_units": 70, "heads": 8}
    assert {name: published[name] for name in sizes} == sizes
    assert (published["mixing"], published["edge_threshold"], published["attention_dropout"]) == (0.3, 0.3, 0.5)
    for name in ("sglc-published-ssl", "sglc-published-scratch", "sglc-published-ssl-8", "sglc-published-scratch-8"):
        assert made.runs[name].overrides.top_neighbours == 18  # section 4: no pruning among 19 electrodes


def test_runs_of_a_share_differ_from_the_whole_in_the_share_alone() -> None:
    made = config({})
    for run in ("sglc-ssl", "sglc-scratch", "dist-ssl", "dist-scratch", "corr-ssl", "corr-scratch"):
        for share in (25, 50, 75):
            part = made.runs[f"{run}-{share}"]
            assert part.label_fraction == share / 100
            assert part.model_copy(update={"label_fraction": 1.0}) == made.runs[run]
            told, whole = (job_settings.train(made, name, "classification", 12, 3) for name in (f"{run}-{share}", run))
            assert told.pop("sampling") == whole.pop("sampling") | {
                "label_fraction": share / 100,
                "label_unit": "patient",
            }
            assert job_settings.as_text(told) == job_settings.as_text(whole)
            assert not any(line.run == f"{run}-{share}" for line in planning.grid_plan(made))
