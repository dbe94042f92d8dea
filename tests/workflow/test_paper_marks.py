"""The presets and the marks of the paper's tables: one is the paper to the letter, the other says where it is not."""

import json
from typing import Any

import pytest
import yaml

from pipeline.report.paper_inventory import PaperInventory
from pipeline.report.protocol import training_marks
from pipeline.report.rule_marks import clip_marks, graph_marks, signal_marks
from pipeline.settings.base import parse_section
from pipeline.settings.config import Config
from tests.workflow.test_paper_targets import configured
from workflow.lib import job_settings, paper
from workflow.lib.corpus import Corpora
from workflow.lib.paths import encoder_of

SCORED = ("table02", "table03", "table04", "table06", "table08", "table09", "table10")


def as_card(settings: dict[str, Any], task: str) -> dict[str, Any]:
    return {"task": task, "settings": json.loads(job_settings.as_text(settings))}


def marks(config: Config, table: str) -> set[str]:
    """What differs from the published protocol in any run of a table, as its cards and rules will say."""
    corpora = Corpora(config, main_process=False)
    corpora.known = {name: Corpora(configured("paper-demo"), False).shards("paper-demo") for name in config.corpora}
    content = yaml.safe_load(yaml.safe_dump(paper.table_inventory(config, corpora, table)))
    inventory = parse_section(PaperInventory, content)
    found = signal_marks(inventory.rules)
    for entry in [*inventory.main.runs, *(run for runs in inventory.folds.values() for run in runs)]:
        own, run = config.of(config.corpus), config.runs[entry.run]
        cards = [
            as_card(job_settings.train(own, entry.run, entry.task, entry.length_s, k), entry.task) for k in entry.seeds
        ]
        encoder = job_settings.pretrain(own, encoder_of(run), entry.length_s) if run.init == "ssl" else None
        found += training_marks(cards, [("pre-training", as_card(encoder, "pretraining"))] if encoder else [])
        found += clip_marks(inventory.rules, entry.task, entry.scheme) + clip_marks(inventory.rules, "pretraining")
        found += graph_marks(inventory.rules, entry.graph, top_neighbours=entry.top_neighbours)
    return {mark.text for mark in found}


@pytest.mark.parametrize("table", SCORED)
def test_the_published_preset_bears_no_mark_of_settings(table: str) -> None:
    assert marks(configured("tusz-v1.5.2"), table) == set()


def test_the_preset_of_v2_says_that_its_rules_are_others() -> None:
    found = marks(configured("tusz-v2"), "table02")
    assert {
        "label edge half_open (published touching)", "resampling polyphase (published fft)",
        "clip start offset False (published True)",
    } <= found  # fmt: skip
    assert any(text.startswith("recordings are left out for their signal") for text in found)
    assert any("myoclonic" in text for text in marks(configured("tusz-v2"), "table09"))


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"graphs": {"kappa": 0.7}}, "kappa 0.7 (published 0.9)"),
        ({"graphs": {"top_neighbours": 2}}, "top neighbours 2 (published 3)"),
        ({"augment": {"reflect_probability": 0.0}}, "reflect probability 0 (published 0.5)"),
        ({"features": {"fft": {"floor_amplitude": 1.0}}}, "floor amplitude 1 (published 1e-08)"),
        ({"clips": {"forecast_s": 6}}, "forecast s 6 (published 12)"),
        ({"compat": {"label_edge": "half_open"}}, "label edge half_open (published touching)"),
    ],
)
def test_a_changed_setting_reaches_the_marks(over: dict[str, Any], words: str) -> None:
    assert words in marks(configured("tusz-v1.5.2", **over), "table02")


def test_a_transferred_run_names_the_card_of_its_detector() -> None:
    demo = configured("paper-demo")
    content = paper.table_inventory(demo, Corpora(demo, main_process=False), "table08")
    named = {(run["run"], run["task"], run["length_s"]): run["detector"] for run in content["main"]["runs"]}
    assert named["dist-ssl-from", "detection", 12] is None
    assert named["dist-transfer", "classification", 60] == (
        f"{demo.results}/{demo.paper.source_corpus}/detection-60s/dist-scratch/seed0/card.json"
    )
