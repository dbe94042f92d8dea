"""The search: seeded trials within their ranges, more of them keep the first, and nothing of the test is asked for."""

import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.settings.base import SettingsError
from pipeline.settings.config import Config, parse_config
from pipeline.settings.runs import Overrides
from pipeline.stages import search_table
from pipeline.store import digest_result, read_table, write_json, write_table
from workflow.lib import planning, search
from workflow.lib.planning import PlanError

sys.path.insert(0, str(Path(__file__).parent))
from tiny_project import ROOT, TinyProject, copy_project

INTEGERS = {"top_neighbours": (2, 4), "layers": (2, 5), "diffusion_steps": (2, 4)}
NOTHING = dict.fromkeys(Overrides.model_fields)


def config(**changed: Any) -> Config:
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    values["search"] = values["search"] | changed
    return parse_config(values)


def ranges(**changed: Any) -> dict[str, Any]:
    return config().search.ranges.model_dump() | changed


def overrides(given: Config) -> list[Overrides]:
    return [run.overrides for run in search.trials(given).values()]


def test_trials_lie_within_the_published_ranges_and_reach_all_of_them() -> None:
    found = overrides(config(trials=300))
    rates = [one.learning_rate for one in found]
    assert min(rates) >= 5e-5
    assert max(rates) <= 1e-3
    logs = np.log(np.array(rates) / 5e-5) / math.log(20)
    assert [np.mean(logs < share) for share in (0.25, 0.5, 0.75)] == pytest.approx([0.25, 0.5, 0.75], abs=0.08)
    assert all(0 <= one.dropout <= 0.5 for one in found)
    assert {one.units for one in found} == {32, 64, 128}
    for name, (low, high) in INTEGERS.items():
        assert {getattr(one, name) for one in found} == set(range(low, high + 1))


def test_trials_follow_the_seed_and_more_of_them_keep_the_first() -> None:
    few, many = overrides(config(trials=5)), overrides(config(trials=40))
    assert many[:5] == few
    assert overrides(config(trials=5, seed=1)) != few
    assert len({one.model_dump_json() for one in many}) == 40
    assert few[0] == Overrides(  # a change of the draws would orphan every trial that was ever trained
        learning_rate=0.000395, dropout=0.446, top_neighbours=4, layers=2, diffusion_steps=3, units=64
    )


def test_a_range_that_is_left_out_keeps_the_other_numbers() -> None:
    whole, fewer = overrides(config()), overrides(config(ranges=ranges(dropout=None)))
    assert [one.model_copy(update={"dropout": None}) for one in whole] == fewer


def test_trials_are_runs_beside_the_others_and_the_grid_leaves_them_out() -> None:
    plain = config(trials=3)
    given = search.with_trials(plain)
    assert list(given.runs)[-3:] == ["search-000", "search-001", "search-002"]
    base = given.runs[given.search.run]
    assert given.runs["search-001"].model_copy(update={"overrides": Overrides()}) == base
    assert planning.grid_plan(given) == planning.grid_plan(plain)
    planning.check(given)


def test_a_small_space_is_searched_without_repetition_and_then_is_used_up() -> None:
    narrow = NOTHING | {"layers": [2, 3], "units": [32, 64]}
    assert len({(one.layers, one.units) for one in overrides(config(trials=4, ranges=narrow))}) == 4
    with pytest.raises(PlanError, match=r"search\.trials: 5, but"):
        search.trials(config(trials=5, ranges=narrow))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"run": "corr-scratsch"}, "did you mean 'corr-scratch'"),
        ({"run": "dist-scratch"}, r"search\.ranges\.top_neighbours: only the correlation graph has it"),
        ({"run": "corr-ssl"}, r"search\.ranges\.layers: 5, but the encoder has"),
        ({"run": "lstm"}, r"search\.ranges\.diffusion_steps: model lstm has no such setting"),
        ({"run": "corr-aux-1"}, "auxiliary loss or overrides"),
        ({"length_s": 7}, r"search\.length_s: training\.detection has no entry for 7 s"),
    ],
)
def test_what_cannot_be_searched_is_told_with_its_key(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        search.with_trials(config(**changed))


@pytest.mark.parametrize("run", ["densecnn", "cnn-lstm"])
def test_a_dropout_that_the_model_does_not_use_is_not_searched(run: str) -> None:
    with pytest.raises(PlanError, match=r"search\.ranges\.dropout: model .* does not use the dropout of training"):
        search.with_trials(config(run=run, trials=2, ranges=NOTHING | {"dropout": [0.0, 0.5]}))
    assert search.with_trials(config(run="lstm", trials=2, ranges=NOTHING | {"dropout": [0.0, 0.5]}))


def test_falling_ranges_and_taken_names_are_told() -> None:
    with pytest.raises(SettingsError, match=r"search\.ranges\.layers"):
        config(ranges=ranges(layers=[5, 2]))
    given = config()
    taken = given.model_copy(update={"runs": given.runs | {"search-000": given.runs["dist-scratch"]}})
    with pytest.raises(PlanError, match="names that begin with search-"):
        search.with_trials(taken)


def trained(folder: Path, values: list[float | None], losses: list[float]) -> dict[str, list[str]]:
    """Cards and histories of trials with the given validation AUROC and loss in their kept epoch, and one duration."""
    named: dict[str, list[str]] = {"cards": [], "histories": [], "benchmarks": []}
    for k, (value, loss) in enumerate(zip(values, losses, strict=True)):
        paths = [folder / f"{k}-{name}" for name in ("card.json", "history.parquet", "train.tsv")]
        write_json(paths[0], {"parameters": 1000 + k})
        epochs = {"epoch": [1, 2], "kept": [False, True], "validation_loss": [0.1, loss]}
        write_table(paths[1], pd.DataFrame({**epochs, "validation_auroc": [0.99, value]}))
        if k == 0:
            paths[2].write_text("s\th:m:s\n12.5\t0:00:12\n")
        for name, path in zip(named, paths, strict=True):
            named[name].append(str(path))
    return named


def test_ranking_is_by_the_kept_epoch_and_the_overlay_holds_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = search.with_trials(config(trials=4))
    told = {name: run.overrides.model_dump() for name, run in given.runs.items() if name.startswith("search-")}
    what = {"run": "corr-scratch", "model": "dcrnn", "task": "detection", "length_s": 12, "checkpoint": "auroc"}
    files = trained(tmp_path, [0.7, 0.9, None, 0.9], [0.5, 0.6, 0.1, 0.4])
    line = ["search_table", "--settings", json.dumps(what | {"trials": told}), "--out", str(tmp_path)]
    line += [part for name, paths in files.items() for part in (f"--{name}", *paths)]
    monkeypatch.setattr(sys, "argv", [*line, "--seconds", str(tmp_path / "seconds.tsv")])
    search_table.main()
    table = read_table(tmp_path / "search.parquet")
    assert table["run"].tolist() == ["search-003", "search-001", "search-000", "search-002"]  # equal AUROC: lower loss
    assert table["rank"].tolist() == [1, 2, 3, 4]
    assert table.loc[0, ["value", "validation_loss", "epochs", "parameters"]].tolist() == [0.9, 0.4, 2, 1003]
    best = given.runs["search-003"].overrides
    assert table.loc[0, "learning_rate"] == best.learning_rate
    timed = pd.read_csv(tmp_path / "seconds.tsv", sep="\t").set_index("run")["seconds"]
    assert timed["search-000"] == 12.5
    assert timed.isna().sum() == 3
    assert_overlay_gives_the_trial(tmp_path / "best.yaml", given, best)
    first = digest_result(tmp_path / "search.parquet")
    Path(files["benchmarks"][0]).write_text("s\th:m:s\n99\t0:00:99\n")  # a slower machine: the same results
    search_table.main()
    assert digest_result(tmp_path / "search.parquet") == first


def assert_overlay_gives_the_trial(path: Path, given: Config, best: Overrides) -> None:
    """Pasted into config.yaml, the overlay gives the searched run what the trial had as overrides."""
    pasted = yaml.safe_load(path.read_text())
    assert pasted["training"]["detection"][12] == {"learning_rate": best.learning_rate, "dropout": best.dropout}
    sizes = {"layers": best.layers, "units": best.units, "diffusion_steps": best.diffusion_steps}
    assert pasted["models"]["dcrnn"] == sizes
    assert pasted["graphs"] == {"top_neighbours": best.top_neighbours}
    assert set(pasted["models"]["dcrnn"]) <= set(given.models["dcrnn"])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    made = copy_project(tmp_path_factory.mktemp("search"))
    (made.folder / "on-disk.yaml").write_text("search: {trials: 3}\n")
    return made


def test_no_job_of_the_search_reads_or_makes_anything_of_a_test_patient(project: TinyProject) -> None:
    planned = project.plan("--forceall", "--verbose", "--printshellcmds", "search")
    assert planned.counts["train"] == 3
    assert planned.counts["search"] == 1
    assert "search-002" in planned.text
    jobs = planned.text.partition("Building DAG of jobs...")[2].replace(str(project.folder), "")
    assert "validation-00" in jobs
    assert not re.findall(r"\btest-\d", jobs)  # of no machine and no scratch folder of such a name
    assert not {"predict", "evaluate", "check_splits"} & planned.rules
