"""The page of the cohort: how well contacts are ranked, beside what, for whom it fails, on which folds (soz.md, 11)."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.metrics.soz_contacts import BOTH, CONDITIONS
from pipeline.metrics.soz_evaluation import COMPARED, FACTORS
from pipeline.metrics.soz_ranking import RANKING, UNITS
from pipeline.report.blocks import Block, Links, Note, Section, Table, Text, cell, with_interval
from pipeline.report.page import Page
from pipeline.report.picture import plural
from pipeline.report.provenance import versions
from pipeline.report.scoreboard import REAL_LINE
from pipeline.report.soz_ablated import PAIRS, ablations
from pipeline.report.soz_cohort import CohortResults, Rows, against_half, against_other, by_metric, headline_words
from pipeline.report.soz_cohort_pictures import (
    patients_picture,
    reliability_picture,
    strata_picture,
    systems_picture,
)
from pipeline.report.soz_dependence import attention_section
from pipeline.report.soz_gallery import gallery
from pipeline.report.soz_patient_page import SYNTHETIC_LINE
from pipeline.report.soz_shown import Shown
from pipeline.report.tables import records
from pipeline.training.soz_folds import fold_hash

FOLDED = 30  # rows of a table that stands unfolded
POOLED = {
    "pooled_auroc": "AUROC of all contacts of all patients in one list (secondary: mixes patients)",
    "ece_raw": "expected calibration error, 10 bins of equal mass, before", "ece_cal": "the same, after calibration",
    "brier_raw": "Brier score, before", "brier_cal": "the same, after calibration",
}  # fmt: skip
RESECTED = {
    "auroc_resected": "AUROC of the probabilities for what was resected",
    "resected_mass": "share of the predicted mass that was resected",
    "resected_contacts": "share of the contacts that was resected",
    "resected_soz": "share of the marked contacts that was resected (no prediction enters it)",
}
OUTCOME = {
    "outcome_auroc_resected_mass": "by the resected share of the predicted mass",
    "outcome_auroc_resected_contacts": "by the resected share of the contacts",
    "outcome_auroc_resected_soz": "by the resected share of the marked contacts",
}
CAVEATS = [
    ("Use.", "Research use only; not a medical device."),
    ("Labels.", "A contact is right where clinicians marked it. Marks differ between people, and where surgery did not "
     "help (Engel II to IV) they are doubtful."),
    ("Accuracy.", "It is left out: few contacts are marked, so that calling none would look good."),
    ("Intervals.", "From the lower of two lower limits to the higher of two higher ones: of patients and seeds, drawn "
     "anew, and of folds, since patients of one fold share a model (Student's t over folds left out in turn). None "
     "where patients are fewer than six or folds fewer than three. All folds share one corpus, and each teaches the "
     "others' models, which no interval within it can tell: they are no test. A patient with one class has no score."),
    ("Comparisons.", "Wilcoxon's p over patients; Holm's within each metric and condition. A model is called higher "
     "or lower only where interval and Holm's p both say so. A large p shows no equality."),
    ("Attention.", "Learned dependence, not effective connectivity."),
]  # fmt: skip

PRIOR = (
    "Where a simulated corpus has an effect, the focus is drawn more often in temporal regions: the baseline "
    "`coordinates`, and a run that is told positions, then rank above chance without any signal (docs/soz.md)."
)


def cohort_page(
    found: CohortResults, *, title: str, corpus: str, run: str, synthetic: bool, dpi: int
) -> tuple[Page, list[Shown]]:
    """The page, and its pictures with their tables. `synthetic`: whether the corpus is simulated."""
    look: dict[str, Any] = {"synthetic": synthetic, "dpi": dpi}
    parts, shown = [_results(found)], list[Shown]()
    for make in (_baselines, _patients, _calibration, _strata):
        section, pictures = make(found, look)
        parts.append(section)
        shown += pictures
    section, pictures = ablations(found, run, look)
    lowest, seen = gallery(found, look)
    attention = attention_section(found.measures, found.faithfulness, found.tested_in, found.evaluation)
    parts += [_outcome(found), attention, section, lowest, _folds(found)]
    page = Page(
        title=f"{title}: seizure onset zone",
        subtitle=f"Every tested patient of corpus “{corpus}”, run “{run}”",
        banner=SYNTHETIC_LINE if synthetic else REAL_LINE,
        synthetic=synthetic,
        sections=parts,
        caveats=CAVEATS,
        provenance=[*versions(), ("Corpus", corpus), ("Run", run), ("Fold hash", fold_hash(found.folds))],
    )
    return page, [*shown, *pictures, *seen]


def _results(found: CohortResults) -> Section:
    tables = {condition: by_metric(found.cohort(condition=condition)) for condition in CONDITIONS}
    blocks: list[Block] = []
    if row := tables[BOTH].get("auroc"):
        blocks.append(Text(headline_words(row)))
    rows = [
        [name, *(_interval_cell(tables[condition], name) for condition in CONDITIONS), UNITS[name]] for name in RANKING
    ]
    heads = ["metric", *(f"{condition} [interval], n" for condition in CONDITIONS), "what it is"]
    blocks += _judged_by(found)
    caption = "Ranking of contacts within a patient, mean over patients"
    blocks.append(Table("ranking", caption, heads, rows, frozenset({1, 2, 3})))
    blocks += _excluded(found)
    return Section("results", "How well are contacts ranked?", blocks)


def _judged_by(found: CohortResults) -> list[Block]:
    """What this run is judged by, where that is less or other than all contacts in both conditions."""
    conditions, montage = found.summary["conditions"], found.summary["made"]["tokens"]["montage"]
    blocks: list[Block] = []
    if conditions != BOTH:
        blocks.append(
            Note(f"This run is trained on and judged by {conditions} clips alone, whatever others a patient has. The "
                 "baselines beside it are judged by both conditions.")
        )  # fmt: skip
    if montage == "bipolar":
        blocks.append(Note(f"This run ranks pairs of contacts. {PAIRS}"))
    return blocks


def _interval_cell(table: Rows, metric: str) -> str:
    row = table.get(metric)
    if row is None or not np.isfinite(row["value"]):
        return "–"
    return f"{with_interval(row['value'], row['low'], row['high'])}, {row['n_patients']}"


def _excluded(found: CohortResults) -> list[Block]:
    """Who has no score, by reason."""
    patients = found.of_patients()
    out = patients[patients["auroc"].isna()]
    if out.empty:
        return [Text(f"All {plural(len(patients), 'tested patient')} have a score.")]
    rows = [[str(reason) or "–", cell(len(own)), ", ".join(own["patient"])] for reason, own in out.groupby("reason")]
    words = f"{plural(len(out), 'patient')} of {len(patients)} tested have no ranking score, and enter no mean:"
    return [Text(words), Table("excluded", "Left out", ["reason", "patients", "who"], rows, frozenset({1}))]


def _baselines(found: CohortResults, look: dict[str, Any]) -> tuple[Section, list[Shown]]:
    picture = systems_picture(found.metrics, **look)
    blocks: list[Block] = [] if picture is None else picture.blocks(caption="The model and baselines")
    if picture is None:
        blocks.append(Note("No patient has both classes: nothing can be compared."))
    if others := found.summary["compared"]:
        blocks.append(Text(f"Runs of the same model with other settings, folds and seeds alike: {', '.join(others)}."))
    if look["synthetic"] and "coordinates" in set(found.comparisons["second"]):
        blocks.append(Text(PRIOR))
    table = found.comparisons[found.comparisons["metric"].isin(COMPARED) & (found.comparisons["condition"] == BOTH)]
    confidence = found.evaluation.confidence
    rows = [
        [row["second"], row["metric"], with_interval(row["difference"], row["low"], row["high"]), cell(row["p"]),
         cell(row["p_holm"]), cell(int(row["n_patients"])), row["reason"] or against_other(row, confidence)]
        for row in records(table.fillna({"reason": ""}))
    ]  # fmt: skip
    if rows:
        heads = ["baseline or run", "metric", "model less this", "p", "p (Holm)", "patients", "in words"]
        blocks.append(Table("comparisons", "Paired differences, both conditions", heads, rows, frozenset({2, 3, 4, 5})))
    return Section("baselines", "Beside baselines on the same folds", blocks), [] if picture is None else [picture]


def _patients(found: CohortResults, look: dict[str, Any]) -> tuple[Section, list[Shown]]:
    patients, answers = found.of_patients(), found.abstained
    picture = patients_picture(patients, **look)
    silent, n = sum(bool(why) for why in answers.values()), plural(len(answers), "scored patient")
    blocks: list[Block] = [Text(f"The models say nothing (abstain) of {silent} of {n}.")]
    if picture is None:
        blocks.append(Note("No patient has both classes: there is no AUROC."))
    else:
        blocks += picture.blocks(caption="Patient by patient")
    facts = found.facts.set_index("patient")
    rows = []
    for row in records(patients.sort_values("patient", kind="stable")):
        name, said = row["patient"], answers.get(row["patient"])
        told = "nothing scored" if said is None else "abstains" if said else "given"
        of = [str(facts[key].get(name, "") or "–") if key in facts else "–" for key in ("implant", "engel", "lesion")]
        numbers = [cell(row.get(key), decimals=places) for key, places in (
            ("n_contacts", 0), ("n_soz", 0), ("auroc", 2), ("auprc_ratio", 1), ("recall_at_soz", 2), ("top1", 2),
            ("mm_to_soz", 0))]  # fmt: skip
        rows.append([name, *of, *numbers, told])
    heads = ["patient", "implant", "Engel", "lesion", "contacts", "SOZ", "AUROC", "AUPRC / prevalence", "recall at SOZ",
             "top 1", "mm to SOZ", "answer"]  # fmt: skip
    numeric = frozenset(range(4, 11))
    blocks.append(Table("patients", "Every tested patient", heads, rows, numeric, folded=len(rows) > FOLDED))
    blocks.append(Links([(f"Page of {name}", f"pages/{name}.html") for name in sorted(patients["patient"])]))
    return Section("patients", "Patient by patient", blocks), [] if picture is None else [picture]


def _calibration(found: CohortResults, look: dict[str, Any]) -> tuple[Section, list[Shown]]:
    picture = reliability_picture(found.summary["reliability"][BOTH], **look)
    table = by_metric(found.cohort())
    rows = [[name, _interval_cell(table, name), words] for name, words in POOLED.items()]
    heads = ["metric", "value [interval], n", "what it is"]
    blocks: list[Block] = [Table("pooled", "All contacts together", heads, rows, frozenset({1}))]
    if picture is not None:
        blocks += picture.blocks(caption="Reliability")
    kinds = [
        [f"fold {model['fold']}, seed {model['seed']}", model["kind"], model["reason"] or "–", cell(model["slope"]),
         cell(model["intercept"]), cell(model["threshold"]), str(model["model_hash"])[:16]]
        for model in found.summary["models"]
    ]  # fmt: skip
    heads = ["model", "calibrator", "why not as asked", "slope", "intercept", "threshold", "weights"]
    caption = "How each model was calibrated"
    blocks.append(Table("calibrators", caption, heads, kinds, frozenset({3, 4, 5}), folded=True))
    return Section("calibration", "Calibration", blocks), [] if picture is None else [picture]


def _strata(found: CohortResults, look: dict[str, Any]) -> tuple[Section, list[Shown]]:
    parts = [found.cohort(factor=factor) for factor in FACTORS]
    table = pd.concat(parts, ignore_index=True)
    rows = table[table["metric"] == "auroc"][["factor", "level", "value", "low", "high", "n_patients", "n_excluded"]]
    picture = strata_picture(rows, **look)
    if picture is None:
        return Section("strata", "Strata and subgroups", [Note("No group has a patient with both classes.")]), []
    return Section("strata", "Strata and subgroups", picture.blocks(caption="AUROC by group")), [picture]


def _outcome(found: CohortResults) -> Section:
    """Resection and outcome: shares by outcome, and whether they tell Engel I from II to IV."""
    table, strata = by_metric(found.cohort()), found.cohort(factor="outcome")
    by_level = {str(level): by_metric(strata[strata["level"] == level]) for level in dict.fromkeys(strata["level"])}
    rows = [
        [words, _interval_cell(table, name), *(_interval_cell(own, name) for own in by_level.values())]
        for name, words in RESECTED.items()
    ]
    heads = ["share or score", "everybody [interval], n", *(f"outcome {level}" for level in by_level)]
    told = [
        [words, _interval_cell(table, name), row["reason"] or against_half(row["value"], row["low"], row["high"])]
        for name, words in OUTCOME.items()
        if (row := table.get(name))
    ]
    blocks: list[Block] = [Table("resection", "What was resected", heads, rows)]
    if told:
        columns = ["AUROC of Engel I against II to IV", "value [interval], n", "in words"]
        blocks.append(Table("outcome", "Does it tell outcomes apart?", columns, told))
    return Section("outcome", "Resection and outcome", blocks)


def _folds(found: CohortResults) -> Section:
    rows = []
    for number, own in found.folds.groupby("fold", sort=True):
        counts = own["part"].value_counts()
        sizes = [cell(int(counts.get(part, 0))) for part in ("train", "inner", "test")]
        rows.append([f"fold {number}", *sizes, fold_hash(own)])
    table = Table("folds", "Who is of which part: patients, and the hash of the fold",
                  ["fold", "train", "inner", "test", "hash"], rows, frozenset({1, 2, 3}))  # fmt: skip
    text = Text(
        f"Hash of all folds: {fold_hash(found.folds)}. Pre-training, standardising, early stop, calibration and "
        "threshold of a fold saw its train and inner patients alone."
    )
    names = {"All contacts as TSV": "channel_soz.tsv", "Metrics": "metrics.parquet",
             "Comparisons": "comparisons.parquet", "Summary": "cohort.json"}  # fmt: skip
    links = Links(list(names.items()))
    return Section("folds", "Folds and files", [text, table, links])
