"""What the target planted_graph plans, and what it refuses before any job."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.settings.config import Config, parse_config
from pipeline.settings.overlay import overlaid
from workflow.lib import planning, planted

REPOSITORY = Path(__file__).parents[2]


def configured(**section: Any) -> Config:
    """config.yaml with the preset; `section`: changes of `planted_graph`."""
    files = ("config.yaml", "workflow/presets/planted-graph.yaml")
    base, preset = (yaml.safe_load((REPOSITORY / name).read_text()) for name in files)
    return parse_config(overlaid(overlaid(base, preset), {"planted_graph": section}))


def test_runs_differ_in_their_graph_alone_and_one_exports_it():
    config = configured()
    planning.check(config)
    planted.check(config)
    lines = planted.plan(config)
    assert [(line.run, line.graphs) for line in lines] == [
        ("sglc-scratch", True), ("sglc-prior", False), ("sglc-uniform", False), ("sglc-random", False)
    ]  # fmt: skip
    assert all(line.seeds == [0, 1, 2] for line in lines)
    sizes = [{**config.models[config.runs[line.run].model], "adjacency": ""} for line in lines]
    assert all(one == sizes[0] for one in sizes)
    assert sizes[0]["units"] == 16  # the preset's sizes reach the sections that are like `sglc`


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            {"learned": "sglc-scrach"},
            "planted_graph.learned: 'sglc-scrach' is not in runs; did you mean 'sglc-scratch'",
        ),
        ({"fixed": ["sglc-prio"]}, "planted_graph.fixed: 'sglc-prio' is not in runs"),
        ({"fixed": ["sglc-scratch"]}, "names a run twice"),
        ({"seeds": [0, 0]}, "names a seed twice"),
        ({"length_s": 13}, "training.classification has no entry for 13 s"),
    ],
)
def test_a_section_that_cannot_be_measured_is_refused(section: dict[str, Any], message: str):
    with pytest.raises(planning.PlanError, match=message):
        planted.check(configured(**section))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"models": {"sglc": {"recurrence": "recurrent"}}},
            "models.sglc: the prior can be taken out of learned graphs",
        ),
        ({"planted_graph": {"learned": "sglc-ssl"}}, "runs.sglc-ssl.init: ssl; set scratch"),
        ({"planted_graph": {"learned": "dist-scratch"}}, "planted_graph.learned: dist-scratch learns no graph"),
        (
            {"planted_graph": {"learned": "sglc-prior", "fixed": ["sglc-scratch"]}},
            "planted_graph.learned: sglc-prior learns no graph",
        ),
        (
            {"planted_graph": {"fixed": ["sglc-scratch-8"]}},
            "planted_graph.fixed: sglc-scratch-8 has scheme: eight; that of learned is four",
        ),
        ({"learned_graphs": {"precision": "float16"}}, "learned_graphs.precision: float16 is too coarse"),
        ({"clips": {"before_onset_s": 3}}, "clips.before_onset_s: 3; receivers follow from 2.5 s before the onset"),
    ],
)
def test_scores_that_would_mean_something_else_are_refused(changes: dict[str, Any], message: str):
    files = ("config.yaml", "workflow/presets/planted-graph.yaml")
    base, preset = (yaml.safe_load((REPOSITORY / name).read_text()) for name in files)
    with pytest.raises(planning.PlanError, match=message):
        planted.simulated(parse_config(overlaid(overlaid(base, preset), changes)))


def test_the_clips_are_counted_while_planning():
    """What a dry run prints of hours hangs on it: all patients are of one kind, with so many events each."""
    made = planted.simulated(configured())
    (kind,) = made.cohort
    assert made.cohort[kind] == made.patients
    assert made.seizures[kind] == [16]
    assert made.minutes * 60 == made.total_s


def test_electrodes_of_the_groups_are_nodes():
    config = configured()
    fewer = config.channels.model_copy(update={"electrodes": config.channels.electrodes[:10]})
    with pytest.raises(planning.PlanError, match=r"simulate.groups.left.electrodes: 'F7' is no node"):
        planted.simulated(config.model_copy(update={"channels": fewer}))
