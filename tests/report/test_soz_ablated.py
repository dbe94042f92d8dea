"""The section of ablations on the cohort page: shown of this run as it is now, and of nothing else."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.metrics.soz_contacts import contact_scores
from pipeline.metrics.soz_evaluation import MODEL, metrics_table
from pipeline.metrics.soz_patients import patient_rows
from pipeline.report.blocks import Note, Section, Table, Text
from pipeline.report.soz_ablated import ablations
from pipeline.report.soz_cohort import CohortResults
from pipeline.settings.soz import SozEvaluation
from pipeline.stages.soz_ablations import ablation_table
from pipeline.store import write_tsv
from tests.metrics.soz_predictions import facts, places, predictions

SETTINGS = SozEvaluation(bootstrap=60, confidence=0.95, seed=0)
LOOK = {"synthetic": True, "dpi": 40}


@dataclass(frozen=True)
class Scored:
    """A run: its metrics and contacts."""

    metrics: pd.DataFrame
    contacts: pd.DataFrame


def scored(effect: float, *, slope: float = 1.0, confidence: float = 0.95) -> Scored:
    table = predictions(8, effect=effect, folds=3)
    contacts = contact_scores(table, {(fold, 0): lambda x: 1 / (1 + np.exp(-slope * x)) for fold in range(3)})
    rows = patient_rows(contacts, facts(table), places(table))
    settings = SETTINGS.model_copy(update={"confidence": confidence})
    return Scored(metrics_table({MODEL: rows}, {MODEL: contacts}, facts(table), settings), contacts)


@pytest.fixture(scope="module")
def runs() -> dict[str, Scored]:
    return {"main": scored(1.0), "weak": scored(0.0), "platt": scored(1.0, slope=0.3)}


@pytest.fixture
def table(runs: dict[str, Scored], tmp_path: Path) -> pd.DataFrame:
    """As soz_ablations writes it, and the page reads it."""
    made = [{name: getattr(run, what) for name, run in runs.items()} for what in ("metrics", "contacts")]
    write_tsv(tmp_path / "ablations.tsv", ablation_table(*made, "main", SETTINGS))
    return pd.read_csv(tmp_path / "ablations.tsv", sep="\t")


def section(metrics: pd.DataFrame, table: pd.DataFrame | None, run: str = "main") -> tuple[Section, list[str]]:
    nothing = pd.DataFrame()
    found = CohortResults(metrics, nothing, nothing, nothing, {}, nothing, nothing, nothing, table, synthetic=True)
    made, pictures = ablations(found, run, LOOK)
    return made, [one.picture.alt for one in pictures]


def notes(made: Section) -> str:
    return " ".join(block.text for block in made.blocks if isinstance(block, Note))


def test_differences_are_shown_where_the_table_is_of_this_run_as_it_is(
    runs: dict[str, Scored], table: pd.DataFrame
) -> None:
    made, told = section(runs["main"].metrics, table)
    difference = table[(table["run"] == "weak") & (table["metric"] == "auroc")]["difference"].item()
    assert told == [f"Differences in AUROC: weak {difference:+.2f}."]  # platt ranks as main does
    assert not notes(made)
    assert any("ranked just as in main by: platt." in block.text for block in made.blocks if isinstance(block, Text))
    shown = next(block for block in made.blocks if isinstance(block, Table) and block.name == "ablations")
    assert len(shown.rows) == len(table)
    brier = next(row for row in shown.rows if row[:2] == ["platt", "brier_cal"])
    assert brier[5] not in ("–", "0.000")  # the difference that a calibrator makes


def test_a_table_of_another_run_is_not_shown(runs: dict[str, Scored], table: pd.DataFrame) -> None:
    made, told = section(runs["platt"].metrics, table, run="platt")
    assert told == []
    assert "sets its runs beside main, this page is of platt" in notes(made)
    assert not [block for block in made.blocks if isinstance(block, Table)]


@pytest.mark.parametrize(
    "changed", [{"effect": 1.1}, {"effect": 1.0, "slope": 0.9}, {"effect": 1.0, "confidence": 0.9}]
)
def test_a_table_of_earlier_results_is_not_shown(table: pd.DataFrame, changed: dict[str, float]) -> None:
    made, told = section(scored(**changed).metrics, table)  # type: ignore[arg-type]
    assert told == []
    assert "was made from earlier results of main. Build the target soz_ablations" in notes(made)


def test_a_table_that_lacks_columns_or_is_not_there_says_so(runs: dict[str, Scored], table: pd.DataFrame) -> None:
    metrics = runs["main"].metrics
    assert "has no column reference_run" in notes(section(metrics, table.drop(columns="reference_run"))[0])
    assert "were not there" in notes(section(metrics, None)[0])
    assert "earlier results" in notes(section(metrics, table[table["run"] != "main"])[0])
