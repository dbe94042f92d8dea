"""Lines of the plan that ask for learned graphs: which may, and what the report's inventory then names."""

from pathlib import Path

import pytest
import yaml

from pipeline.report.inventory import Inventory, graph_paths
from pipeline.settings.config import Config, parse_config
from pipeline.settings.overlay import overlaid
from pipeline.settings.runs import PlanEntry
from workflow.lib import job_settings, planning
from workflow.lib.inventory import files_of, run_files

ROOT = Path(__file__).parents[2]


def config_with(**changes: object) -> Config:
    return parse_config(overlaid(yaml.safe_load((ROOT / "config.yaml").read_text()), changes))


def line(run: str, **changes: object) -> PlanEntry:
    plain = {"run": run, "task": "classification", "length_s": 12, "seeds": [0, 1], "maps": False}
    return PlanEntry.model_validate(plain | changes)


def test_only_models_that_learn_a_graph_may_ask() -> None:
    planning.check(config_with(plan=[line("sglc-ssl", graphs=True).model_dump()]))
    with pytest.raises(planning.PlanError, match=r"plan\[0\].graphs: the model of corr-ssl learns no graph"):
        planning.check(config_with(plan=[line("corr-ssl", graphs=True).model_dump()]))
    with pytest.raises(planning.PlanError, match=r"plan\[0\].graphs: the model of sglc-prior learns no graph"):
        planning.check(config_with(plan=[line("sglc-prior", graphs=True).model_dump()]))


def test_stores_and_tables_of_every_seed_are_wanted_where_asked_for() -> None:
    config = config_with()
    asked = files_of(run_files(config, "synthetic", line("sglc-ssl", graphs=True)))
    plain = files_of(run_files(config, "synthetic", line("sglc-ssl")))
    folder = "results/synthetic/classification-12s/sglc-ssl"
    ends = ("learned_graphs.zarr.zip", "learned_graphs.parquet")
    assert set(asked) - set(plain) == {f"{folder}/seed{seed}/{end}" for seed in (0, 1) for end in ends}


def test_graphs_are_merged_as_maps_are() -> None:
    first, second = line("sglc-ssl", maps=True), line("sglc-ssl", graphs=True)
    (merged,) = planning.merged([first], [second])
    assert (merged.maps, merged.graphs) == (True, True)


def test_the_job_is_told_precision_and_batch_alone() -> None:
    config = config_with(learned_graphs={"precision": "float32"})
    assert job_settings.learned_graphs(config) == {"device": config.device, "learned_graphs": config.learned_graphs}
    assert config.learned_graphs.precision == "float32"


def test_a_run_with_its_own_number_of_neighbours_finds_its_own_graphs() -> None:
    config = config_with()
    told = run_files(config, "synthetic", line("sglc-published-ssl"))
    assert told["top_neighbours"] == 18
    stores = {f"correlation-fft{own}/classification-12s": [f"g{own}"] for own in ("", "-k18", "-k4")}
    content = {"corpus": "c", "synthetic": True, "clips": {}, "graphs": {"distance": "d", **stores}}
    content |= {name: [] for name in ("recordings", "seizures", "segments", "findings")}
    made = Inventory.model_validate(content)
    found = [graph_paths(made, "correlation", "classification-12s", top_neighbours=own) for own in (None, 18, 4, 3)]
    assert found == [["g"], ["g-k18"], ["g-k4"], []]
    assert graph_paths(made, "distance", "classification-12s") == ["d"]
