"""Section of the cohort page: other runs beside this one, where their table is of this run as it is now."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.metrics.soz_cohort import NO_CHANGE
from pipeline.report.blocks import Block, Note, Section, Text, table_of
from pipeline.report.soz_cohort import CohortResults, by_metric
from pipeline.report.soz_cohort_pictures import ablation_picture
from pipeline.report.soz_shown import Shown

PAIRS = (
    "A pair is positive where either end is marked: positives are more, and AUPRC, recall and mm answer another "
    "question than in a run over contacts."
)
CALIBRATORS = (
    "A calibrator moves no contact past another: what it changes are ece_cal and brier_cal of the table, of which less "
    "is better."
)
SHOWN = ["run", "metric", "value", "low", "high", "difference", "difference_low", "difference_high", "p", "p_holm",
         "n_patients", "n_seeds", "reason"]  # fmt: skip
NUMBERS = ["value", "low", "high"]
ROUNDED = 1e-5  # the table has six digits


def ablations(found: CohortResults, run: str, look: dict[str, Any]) -> tuple[Section, list[Shown]]:
    """The section and its picture; a sentence instead where there is no table, or it is of another run or result."""
    if why := unfit(found, run):
        return Section("ablations", "Ablations", [Note(why)]), []
    assert found.ablations is not None
    table = found.ablations.fillna({"reason": "–"})
    ranked_alike = _ranked_alike(table)
    picture = ablation_picture(table[~table["run"].isin(ranked_alike)], reference=run, **look)
    blocks: list[Block] = [] if picture is None else picture.blocks(caption="Differences in AUROC")
    if ranked_alike:
        blocks.append(Text(f"Contacts are ranked just as in {run} by: {', '.join(ranked_alike)}. {CALIBRATORS}"))
    blocks.append(Text(f"A run with the montage `bipolar` ranks pairs of contacts. {PAIRS}"))
    blocks.append(table_of("ablations", f"Every run and metric; differences from {run}", table[SHOWN], folded=True))
    return Section("ablations", "Ablations", blocks), [] if picture is None else [picture]


def unfit(found: CohortResults, run: str) -> str:
    """Why the table of ablations says nothing on this page; empty where it does.

    It is one file a corpus, and not asked for by the page: it may be of another soz.run, or older than the results.
    """
    table = found.ablations
    if table is None:
        return "The ablations were not there when this page was built (target soz_ablations)."
    anew = "Build the target soz_ablations, then this page."
    if missing := sorted({*SHOWN, "reference_run"} - set(table.columns)):
        return f"soz/ablations.tsv has no column {missing[0]}: another version of the program wrote it. {anew}"
    if others := sorted(set(table["reference_run"].astype(str)) - {run}):
        return f"soz/ablations.tsv sets its runs beside {others[0]}, this page is of {run}. {anew}"
    if not _current(table[table["run"] == run], found):
        return f"soz/ablations.tsv was made from earlier results of {run}. {anew}"
    return ""


def _current(own: pd.DataFrame, found: CohortResults) -> bool:
    """Whether the run of reference has in the table the values and limits that it has now."""
    now = by_metric(found.cohort())
    if own.empty or not set(own["metric"]) <= set(now):
        return False
    then = own[NUMBERS].to_numpy(dtype=float)
    held = np.array([[now[metric][name] for name in NUMBERS] for metric in own["metric"]], dtype=float)
    return bool(np.allclose(then, held, rtol=ROUNDED, atol=1e-9, equal_nan=True))


def _ranked_alike(table: pd.DataFrame) -> list[str]:
    """Runs whose AUROC differs from that of the run of reference in no patient."""
    own = table[(table["metric"] == "auroc") & (table["reason"] == NO_CHANGE)]
    return [str(run) for run in own["run"]]
