"""Score a run of the SOZ arm and write the table of contacts, as a BIDS derivative (spec soz.md, sections 7 and 11).

In: predictions and cards of every fold and seed, of the run and of those that are compared with it; the baselines on
the same folds, folds, rows of the tokens, and the index tables of all shards. Out, in a folder: channel_soz.tsv and
.json, dataset_description.json, metrics.parquet (patients, cohort, strata; the run, compared runs, baselines),
comparisons.parquet (the run against each of them), contacts.parquet (its scores by seed), cohort.json.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.metrics.soz_channels import bids_cells, channel_table, description, place_table, sidecar
from pipeline.metrics.soz_contacts import BOTH, Calibrators, contact_intervals, contact_scores
from pipeline.metrics.soz_evaluation import MODEL, comparisons_table, headline, metrics_table
from pipeline.metrics.soz_patients import patient_rows
from pipeline.metrics.soz_summary import cohort_summary, findings_by_code
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.soz import SozEvaluation
from pipeline.settings.soz_made import Made
from pipeline.stages import command
from pipeline.store import read_json, read_table, read_tables, write_json, write_table, write_tsv
from pipeline.training.soz_abstention import abstention
from pipeline.training.soz_calibration import Calibrator
from pipeline.training.soz_folds import fold_hash


class Settings(Section):
    """What this stage uses."""

    run: str
    corpus: str
    compared: list[str]  # runs whose predictions are given, too
    evaluation: SozEvaluation
    made: Made  # written down for soz_bundle


@dataclass(frozen=True)
class Models:
    """The models of a run: test predictions of all, and by fold and seed what belongs to each."""

    predictions: pd.DataFrame
    calibrators: Calibrators
    cards: dict[tuple[int, int], dict[str, Any]]

    @property
    def conditions(self) -> str:
        """The condition whose clips they were trained on and judge by, or BOTH."""
        return str(next(iter(self.cards.values()))["settings"]["finetuning"]["conditions"])

    @property
    def hashes(self) -> dict[int, str]:
        """model_hash of each fold, comma-joined over seeds."""
        folds = sorted({fold for fold, _ in self.cards})
        return {
            fold: ",".join(str(card["model_hash"]) for (own, _), card in sorted(self.cards.items()) if own == fold)
            for fold in folds
        }


def read_models(predictions: Sequence[Path], cards: Sequence[Path], folds: pd.DataFrame) -> Models:
    """Read and check them. Raises StageError where a model is of other folds, or has seen who it is tested on."""
    tables, found = [], {}
    for path, card_path in zip(predictions, cards, strict=True):
        table, card = read_table(path), read_json(card_path)
        key = (int(card["fold"]), int(card["seed"]))
        if key in found:
            raise command.StageError(f"{card_path}: fold {key[0]}, seed {key[1]} is there twice")
        check_model(table, card, folds, path)
        found[key] = card
        tables.append(table[table["part"] == "test"])
    wanted = {(int(fold), seed) for fold in set(folds["fold"]) for _, seed in found}
    if missing := sorted(wanted - set(found)):
        raise command.StageError(f"fold {missing[0][0]}, seed {missing[0][1]} is missing; predict it, then evaluate")
    calibrators = {key: Calibrator.from_json(card["calibrator"]) for key, card in found.items()}
    return Models(pd.concat(tables, ignore_index=True), calibrators, found)


def check_model(table: pd.DataFrame, card: dict[str, Any], folds: pd.DataFrame, path: Path) -> None:
    """Raise StageError where predictions, card and folds do not belong together."""
    own = folds[folds["fold"] == card["fold"]]
    if fold_hash(own) != card["fold_hash"]:
        raise command.StageError(f"{path}: its model is of other folds; train and predict it anew")
    if len(table) and set(zip(table["fold"], table["seed"], strict=True)) != {(card["fold"], card["seed"])}:
        raise command.StageError(f"{path}: predictions of another fold or seed than its card")
    tested = set(table.loc[table["part"] == "test", "patient"])
    taught = {name for part in ("train", "inner") for name in card["patients"][part]}
    dealt = set(own.loc[own["part"] == "test", "patient"])
    if seen := sorted(tested & taught) or sorted(tested - dealt):
        raise command.StageError(f"{path}: patient {seen[0]} is no test patient of fold {card['fold']}")


def patient_facts(folds: pd.DataFrame, patients: pd.DataFrame, recordings: pd.DataFrame) -> pd.DataFrame:
    """patient, fold, outcome, implant, lesion, rate_hz (lowest of the recordings; text, empty unknown) of the tested.

    Raises StageError for a patient that two folds test.
    """
    tested = folds.loc[folds["part"] == "test", ["patient", "fold"]].sort_values("patient", ignore_index=True)
    if (twice := tested["patient"].duplicated()).any():
        raise command.StageError(f"patient {tested['patient'][twice].iloc[0]} is tested in two folds; deal them anew")
    known = patients.drop_duplicates("patient").set_index("patient")
    for name in ("outcome", "implant", "lesion"):
        tested[name] = tested["patient"].map(known[name]).fillna("").astype(str)
    rates = recordings.groupby("patient")["rate_hz"].min()
    found = tested["patient"].map(rates)
    return tested.assign(rate_hz=["" if pd.isna(rate) else f"{rate:g}" for rate in found])


def _simulated(recordings: pd.DataFrame) -> bool:
    """Whether any recording says of itself that a simulator made it."""
    return bool(recordings["synthetic"].fillna(False).any())


def main() -> None:
    """Read, score, write."""
    parser = command.parser(__doc__)
    for name in ("predictions", "cards", "rows", "contacts", "patients", "recordings", "findings"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    for name in ("baselines", "folds"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("other-predictions", "other-cards"):
        parser.add_argument(f"--{name}", type=Path, nargs="*", default=[], help="of the runs of `compared`, run by run")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    folds, index = read_table(arguments.folds), read_tables(arguments.contacts)
    models = read_models(arguments.predictions, arguments.cards, folds)
    recordings = read_tables(arguments.recordings)
    facts, synthetic = patient_facts(folds, read_tables(arguments.patients), recordings), _simulated(recordings)
    others = other_models(settings.compared, arguments.other_predictions, arguments.other_cards, models, folds)
    baselines = baseline_scores(read_table(arguments.baselines))
    check_names(others, [MODEL, *baselines])
    runs = {MODEL: models, **others}
    scores = {name: contact_scores(own.predictions, own.calibrators) for name, own in runs.items()} | baselines
    flagged = read_tables(arguments.rows, columns=["patient", "channel", "flags"]).drop_duplicates()
    places = place_table(index, scores[MODEL], flagged)
    places = places[places["patient"].isin(facts["patient"])]
    judged = {name: own.conditions for name, own in runs.items()}
    rows = {name: patient_rows(own, facts, places, judged=judged.get(name, BOTH)) for name, own in scores.items()}
    metrics = metrics_table(rows, scores, facts, settings.evaluation)
    channels = contact_table(models, scores[MODEL], places, facts, settings.evaluation)
    summary = cohort_summary(
        metrics=metrics,
        contacts=scores[MODEL],
        channels=channels,
        facts=facts,
        abstained=abstained(scores[MODEL], {key: float(card["threshold"]) for key, card in models.cards.items()}),
        index=index[index["patient"].isin(facts["patient"])],
        settings=settings.evaluation,
    )
    told = provenance(models, folds) | {"findings": findings_by_code(read_tables(arguments.findings))}
    out = arguments.out
    write_tsv(out / "channel_soz.tsv", bids_cells(channels))
    write_json(out / "channel_soz.json", sidecar(synthetic=synthetic))
    what = f"{settings.corpus}, run {settings.run}"
    write_json(out / "dataset_description.json", description(what, synthetic=synthetic))
    write_table(out / "metrics.parquet", metrics)
    write_table(out / "comparisons.parquet", comparisons_table(rows, MODEL, settings.evaluation))
    write_table(out / "contacts.parquet", scores[MODEL])
    about = {"run": settings.run, "corpus": settings.corpus, "synthetic": synthetic, "compared": settings.compared}
    write_json(out / "cohort.json", about | {"made": settings.made.model_dump(mode="json")} | summary | told)
    for metric in ("auroc", "auprc"):
        log.info("%s %s", metric, headline(metrics, metric)[["value", "low", "high", "n_patients"]].to_dict())


def baseline_scores(baselines: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """contact_scores of every baseline by its name, of test patients."""
    tested = baselines[baselines["part"] == "test"]
    return {str(name): contact_scores(own) for name, own in tested.groupby("baseline", sort=False)}


def other_models(
    names: Sequence[str], predictions: Sequence[Path], cards: Sequence[Path], models: Models, folds: pd.DataFrame
) -> dict[str, Models]:
    """The models of every run that is compared, by its name. Files lie run by run, as many of each as models.

    Raises StageError where a run lacks a model, has other seeds, or does not fit the folds.
    """
    n, found = len(models.cards), {}
    if not len(predictions) == len(cards) == n * len(names):
        raise command.StageError(
            f"{len(predictions)} predictions and {len(cards)} cards of the runs {', '.join(names) or '(none)'}; each "
            f"has to have {n} of both, as the run itself"
        )
    for k, name in enumerate(names):
        own = read_models(predictions[k * n : (k + 1) * n], cards[k * n : (k + 1) * n], folds)
        if own.cards.keys() != models.cards.keys():
            raise command.StageError(f"{name}: other folds or seeds than the run itself; train it on the same")
        found[name] = own
    return found


def check_names(others: Iterable[str], taken: Iterable[str]) -> None:
    """Raise StageError for a run that is called as a baseline, or as the model is in the tables."""
    if twice := sorted(set(others) & set(taken)):
        raise command.StageError(f"soz.compared: {twice[0]!r} is also the name of a baseline; name the run otherwise")


def contact_table(
    models: Models, contacts: pd.DataFrame, places: pd.DataFrame, facts: pd.DataFrame, evaluation: SozEvaluation
) -> pd.DataFrame:
    """channel_soz.tsv of the run."""
    how = {"draws": evaluation.bootstrap, "confidence": evaluation.confidence, "seed": evaluation.seed}
    intervals = contact_intervals(models.predictions, models.calibrators, **how)  # type: ignore[arg-type]
    implants = dict(zip(facts["patient"], facts["implant"], strict=True))
    return channel_table(contacts, intervals, places, implants, models.hashes)


def abstained(contacts: pd.DataFrame, thresholds: dict[tuple[int, int], float]) -> dict[str, str]:
    """By patient why its models name no contact; empty where they do."""
    found = {}
    for patient, own in contacts[contacts["condition"] == BOTH].groupby("patient", sort=True):
        p = own.pivot(index="seed", columns="channel", values="p_cal").to_numpy(dtype=float)  # seed, contact
        fold = int(own["fold"].iloc[0])
        limits = np.array([thresholds[fold, int(seed)] for seed in sorted(set(own["seed"]))])
        most = int((p >= limits[:, None]).sum(axis=0).max())
        found[str(patient)] = abstention(float(p.mean(axis=0).max()), float(limits.mean()), most, len(p))
    return found


def provenance(models: Models, folds: pd.DataFrame) -> dict[str, Any]:
    """Folds, and the models' calibrators, thresholds and hashes."""
    parts = folds.groupby(["fold", "part"]).size()
    return {
        "seeds": sorted({seed for _, seed in models.cards}),
        "conditions": models.conditions,
        "folds": {
            "hash": fold_hash(folds),
            "folds": [
                {"fold": int(fold), "hash": fold_hash(folds[folds["fold"] == fold])}
                | {part: int(parts.get((fold, part), 0)) for part in ("train", "inner", "test")}
                for fold in sorted(set(folds["fold"]))
            ],
        },
        "models": [
            {"fold": fold, "seed": seed} | {name: card[name] for name in ("model_hash", "threshold", "parameters")}
            | {name: card["calibrator"][name] for name in ("kind", "asked", "reason", "slope", "intercept")}
            for (fold, seed), card in sorted(models.cards.items())
        ],
    }  # fmt: skip


if __name__ == "__main__":
    command.run(main)
