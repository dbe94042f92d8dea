"""Made-up results of a SOZ run, in the files that its stages write: two folds, two seeds, every kind of patient.

P1: depth electrodes, two seizures, found. P2: no coordinates, interictal clips alone, nobody marked anything. P3: grid
recorded at 256 Hz, everything wrong. P4: no clip at all. P5: one seizure alone, every contact marked.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.explain.soz_graph_store import CONTACTS, PatientGraphs, write_graphs
from pipeline.explain.soz_shafts import COLUMNS as SHAFTS
from pipeline.metrics.soz_contacts import BOTH, contact_scores, over_seeds, ranks
from pipeline.report.soz_patient import PatientFiles
from pipeline.store import read_tables, write_json, write_table, writing_store
from pipeline.training.soz_calibration import Calibrator
from pipeline.training.soz_folds import COLUMNS as FOLDS
from pipeline.training.soz_folds import fold_hash

BANDS, FRAMES, LAYERS, HEADS = 32, 35, 2, 2
REPORT = {"title": "Ictograph", "example_clips": 1, "dpi": 50, "max_mb": 20.0}
CALIBRATOR = {
    "kind": "temperature", "asked": "temperature", "reason": "", "slope": 1.0, "intercept": 0.0, "x": [], "y": [],
    "n_patients": 2, "n_contacts": 20, "n_positives": 4,
}  # fmt: skip


@dataclass(frozen=True)
class Fact:
    """One made-up patient."""

    name: str
    shafts: dict[str, int]
    phases: tuple[str, ...]
    fold: int
    soz: tuple[int, ...] | None = ()  # numbers of contacts that are marked; None: unlabelled
    found: bool = True
    placed: bool = True
    usable: int = BANDS
    implant: str = "SEEG"

    @property
    def size(self) -> int:
        return sum(self.shafts.values())


PATIENTS = (
    Fact("P1", {"LA": 6, "RB": 6, "LC": 5}, ("interictal", "interictal", "pre", "ictal", "pre", "ictal"), 0, (1, 2)),
    Fact("P2", {"LA": 4, "LB": 4}, ("interictal", "interictal"), 0, None, placed=False),
    Fact("P3", {"G": 12}, ("interictal", "pre", "ictal"), 1, (3, 4, 5), found=False, usable=16, implant="ECOG"),
    Fact("P4", {"LA": 4}, (), 1, (1,)),
    Fact("P5", {"LA": 3, "RB": 3}, ("ictal",), 1, tuple(range(6))),
)


def contacts_of(fact: Fact) -> pd.DataFrame:
    """Index rows of the contacts of a patient; the last one of the second shaft has no coordinates, one is bad."""
    rows = []
    for line, (shaft, count) in enumerate(fact.shafts.items()):
        for number in range(1, count + 1):
            k = len(rows)
            place = (10.0 * line - 20, 5.0 * number, 3.0 * line + number) if fact.placed else (np.nan,) * 3
            rows.append({
                "recording": f"sub-{fact.name}_run-01", "patient": fact.name, "channel": f"{shaft}{number}",
                "label": f"{shaft}{number}", "edf_row": k, "good": True, "used": True,
                "soz": None if fact.soz is None else k in fact.soz, "resected": fact.soz is not None and k < 4,
                "shaft": shaft, "contact": number, "hemisphere": shaft[0] if shaft[0] in "LR" else "",
                **dict(zip(("x_mm", "y_mm", "z_mm"), place, strict=True)), "region": "", "flags": "", "order": k,
            })  # fmt: skip
    bad = rows[0] | {"channel": "EKG1", "label": "EKG1", "good": False, "used": False, "soz": None, "order": len(rows)}
    table = pd.DataFrame([*rows, bad | {"shaft": "", "contact": None}])
    if fact.placed and len(rows) > 8:
        table.loc[len(rows) - 1, ["x_mm", "y_mm", "z_mm"]] = np.nan
    return table.astype({"soz": "boolean", "resected": "boolean", "contact": "Int64"})


def clips_of(fact: Fact) -> list[tuple[str, str, str]]:
    """clip, phase, condition of each clip; an ictal one begins at 60 s, its baseline at 20 s."""
    made, ictal = [], 0
    for number, phase in enumerate(fact.phases):
        if phase == "interictal":
            made.append((f"sub-{fact.name}_inter/000@{35.0 * number:.3f}", phase, phase))
            continue
        start_s = 20.0 if phase == "pre" else 60.0
        made.append((f"sub-{fact.name}_run-{ictal + 1:02d}/000@{start_s:.3f}", phase, "ictal"))
        ictal += phase == "ictal"
    return made


def predictions_of(fact: Fact, seed: int) -> pd.DataFrame:
    """Logits of one model; where nothing is found the marked contacts come last."""
    contacts = contacts_of(fact)
    contacts = contacts[contacts["used"]]
    rows = []
    for number, (clip, phase, condition) in enumerate(clips_of(fact)):
        rng = np.random.default_rng([int(fact.name[1:]), number, seed])
        inside = contacts["soz"].fillna(False).to_numpy(dtype=bool)
        logits = rng.normal(-2, 0.3, fact.size) + np.where(inside, 3.0 if fact.found else -3.0, 0.0)
        own = contacts[["patient", "channel", "soz", "resected"]].assign(clip=clip, phase=phase, condition=condition)
        p = 1 / (1 + np.exp(-logits))
        rows.append(own.assign(part="test", logit=logits, p_raw=p, p_cal=p, fold=fact.fold, seed=seed))
    return pd.concat(rows, ignore_index=True)


def graphs_of(fact: Fact, condition: str) -> PatientGraphs:
    contacts = contacts_of(fact).loc[lambda table: table["used"], list(CONTACTS)].astype(CONTACTS)
    rng, n = np.random.default_rng(int(fact.name[1:])), fact.size
    A = rng.dirichlet(np.ones(n), (LAYERS, HEADS, n))
    return PatientGraphs(fact.name, condition, contacts.reset_index(drop=True), 1, A, np.zeros_like(A), A[0, 0])


def write_results(
    root: Path, *, facts: tuple[Fact, ...] = PATIENTS, layers: int = LAYERS, conditions: str = BOTH
) -> PatientFiles:
    """All files that the page of a patient reads."""
    root.mkdir(parents=True, exist_ok=True)
    paths: dict[str, list[Path]] = {name: [] for name in ("predictions", "cards", "attention", "shafts")}
    parts = []
    for fold in (0, 1):
        for seed in (0, 1):
            own, folder = [fact for fact in facts if fact.fold == fold], root / f"fold{fold}/seed{seed}"
            folder.mkdir(parents=True, exist_ok=True)
            none = predictions_of(PATIENTS[0], seed).head(0)
            table = pd.concat([predictions_of(fact, seed) for fact in own if fact.phases] or [none])
            table = table[(table["condition"] == conditions) | (conditions == BOTH)]
            parts.append(table)
            _write_model(folder, facts, table, fold=fold, seed=seed, layers=layers, conditions=conditions)
            for name, ending in (("predictions", "parquet"), ("cards", "json"), ("attention", "zarr.zip"),
                                 ("shafts", "parquet")):  # fmt: skip
                paths[name].append(folder / f"{name}.{ending}")
    _write_channels(root / "channel_soz.tsv", pd.concat(parts, ignore_index=True), facts)
    tables = _write_index(root, facts)
    return PatientFiles(channels=root / "channel_soz.tsv", **paths, **tables)


def _write_model(
    folder: Path, facts: tuple[Fact, ...], table: pd.DataFrame, *, fold: int, seed: int, layers: int, conditions: str
) -> None:
    own, types = [fact for fact in facts if fact.fold == fold], {"soz": "boolean", "resected": "boolean"}
    write_table(folder / "predictions.parquet", table.astype(types).reset_index(drop=True))
    folds = folds_of(facts)
    hash_of_fold = fold_hash(folds[folds["fold"] == fold])
    card = {
        "fold": fold, "seed": seed, "threshold": 0.4, "calibrator": CALIBRATOR, "fold_hash": hash_of_fold,
        "model_hash": f"{seed}" * 32, "patients": {"train": [], "inner": [], "test": [fact.name for fact in own]},
        "settings": {"model": {"layers": layers}, "finetuning": {"conditions": conditions}}, "parameters": 7,
    }  # fmt: skip
    write_json(folder / "cards.json", card)
    drawn = (
        [graphs_of(fact, name) for fact in own for name in sorted({c for _, _, c in clips_of(fact)})] if layers else []
    )
    write_graphs(folder / "attention.zarr.zip", iter(drawn), fold=fold, seed=seed, model_hash="", precision="float32")
    rows = [row for fact in own for row in _shaft_rows(fact, table, fold, seed)]
    write_table(folder / "shafts.parquet", pd.DataFrame(rows, columns=list(SHAFTS)).astype(SHAFTS))


def _shaft_rows(fact: Fact, table: pd.DataFrame, fold: int, seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng([fold, seed])
    if len(fact.shafts) < 2 or not fact.phases:
        return []
    about = {"patient": fact.name, "condition": BOTH, "n_clips": len(fact.phases), "fold": fold, "seed": seed}
    return [
        about | {"shaft": shaft, "channel": channel, "p": 0.5, "p_without": 0.5 + change, "change": change}
        for shaft in fact.shafts
        for channel in contacts_of(fact).query("used and shaft != @shaft")["channel"]
        for change in [float(rng.uniform(-0.2, 0.2))]
    ]  # fmt: skip


def _write_channels(path: Path, predictions: pd.DataFrame, facts: tuple[Fact, ...]) -> None:
    """channel_soz.tsv with the columns of section 11."""
    calibrators = {(fold, seed): Calibrator.from_json(CALIBRATOR) for fold in (0, 1) for seed in (0, 1)}
    scores = over_seeds(contact_scores(predictions, calibrators))
    index = pd.concat([contacts_of(fact) for fact in facts]).set_index(["patient", "channel"])
    both = scores[scores["condition"] == BOTH].set_index(["patient", "channel"])
    table = both.join(index[["shaft", "contact", "hemisphere", "x_mm", "y_mm", "z_mm", "region", "flags"]])
    for condition in ("ictal", "interictal"):
        own = scores[scores["condition"] == condition].set_index(["patient", "channel"])
        table[f"p_{condition}"], table[f"n_clips_{condition}"] = own["p_cal"], own["n_clips"]
    table = table.reset_index()
    parts = [
        part.assign(rank=ranks(part["p_cal"], part["p_raw"], part["channel"])) for _, part in table.groupby("patient")
    ]
    table = pd.concat(parts).rename(columns={"x_mm": "x", "y_mm": "y", "z_mm": "z", "soz": "label_soz"})
    table = table.assign(
        participant_id="sub-" + table["patient"], implant="SEEG", ci_low=table["p_cal"] * 0.8, ci_high=table["p_cal"],
        model_hash="abc",
    )  # fmt: skip
    for name in ("label_soz", "resected"):
        table[name] = table[name].astype("Int64")
    for name in ("n_clips_ictal", "n_clips_interictal"):
        table[name] = table[name].fillna(0).astype(int)
    text = table.drop(columns=["patient", "logit", "condition", "n_clips"]).astype(object)
    text.where(text.notna() & (text != ""), "n/a").to_csv(path, sep="\t", index=False)


def _write_index(root: Path, facts: tuple[Fact, ...]) -> dict[str, list[Path]]:
    """Index tables, tokens and rows, as one shard."""
    names = ("recordings", "contacts", "patients", "seizures", "findings", "rows", "tokens")
    made = {name: root / f"train-00.{name}.parquet" for name in names} | {"tokens": root / "tokens.zarr.zip"}
    recordings = [{"recording": clip.split("/")[0], "patient": fact.name, "synthetic": False, "rate_hz": 512.0}
                  for fact in facts for clip, _, _ in clips_of(fact)]  # fmt: skip
    write_table(made["recordings"], pd.DataFrame(recordings).drop_duplicates())
    write_table(made["contacts"], pd.concat([contacts_of(fact) for fact in facts], ignore_index=True))
    about = {"engel": "1A", "outcome": "good", "lesion": "", "age": np.nan}
    patients = [{"patient": fact.name, "implant": fact.implant} | about for fact in facts]
    write_table(made["patients"], pd.DataFrame(patients))
    seizures = [{"recording": clip.split("/")[0], "channel": "TERM", "onset_s": 65.0, "offset_s": 95.0, "code": "seiz"}
                for fact in facts for clip, phase, _ in clips_of(fact) if phase == "ictal"]  # fmt: skip
    write_table(made["seizures"], pd.DataFrame(seizures))
    finding = {"severity": "warn", "channel": "", "value": "<b>", "message": "made up", "recording": "sub-P1_run-01"}
    write_table(
        made["findings"],
        pd.DataFrame([finding | {"code": "coord_units"}, finding | {"code": "soz_bad", "recording": "sub-P4_x"}]),
    )
    _write_tokens(made["tokens"], made["rows"], facts)
    return {name: [path] for name, path in made.items()}


def _write_tokens(store: Path, rows: Path, facts: tuple[Fact, ...]) -> None:
    tables, masks = [], []
    for fact in facts:
        used = contacts_of(fact).query("used")[["patient", "channel"]]
        for clip, phase, condition in clips_of(fact):
            tables.append(used.assign(clip=clip, phase=phase, condition=condition, shift=0, flags=""))
            masks.append(np.arange(BANDS) < fact.usable)
    lengths = [len(table) for table in tables]
    told = {"clips": [table["clip"].iloc[0] for table in tables], "lengths": lengths,
            "starts": (np.cumsum(lengths) - lengths).tolist()}  # fmt: skip
    tokens = np.random.default_rng(0).standard_normal((sum(lengths), BANDS, FRAMES)).astype("float32")
    with writing_store(store, told) as group:
        for name, values in (("tokens", tokens), ("valid", np.ones(len(tokens), bool)), ("band_mask", np.stack(masks))):
            kind = "bool" if values.dtype == bool else "float32"
            group.create_array(name, shape=values.shape, dtype=kind, compressors=None)[...] = values
    write_table(rows, pd.concat(tables, ignore_index=True))


def folds_of(facts: tuple[Fact, ...]) -> pd.DataFrame:
    """folds.parquet: everybody is tested once, and trains the other fold."""
    rows = [
        {"fold": fold, "patient": fact.name, "part": "test" if fact.fold == fold else "train", "soz": True,
         "strict": True, "implant": fact.implant, "outcome": "good", "corpus": "made-up"}
        for fold in (0, 1) for fact in facts
    ]  # fmt: skip
    return pd.DataFrame(rows)[list(FOLDS)].astype(FOLDS)


def evaluation_options(root: Path, files: PatientFiles, facts: tuple[Fact, ...] = PATIENTS) -> dict[str, Any]:
    """Options of the stage soz_evaluate on these results; writes folds and one baseline, which is noise."""
    write_table(root / "folds.parquet", folds_of(facts))
    table = read_tables(list(files.predictions)).query("seed == 0")
    noise = np.random.default_rng(0).normal(size=len(table))
    write_table(root / "baselines.parquet", table.assign(baseline="noise", logit=noise, p_raw=np.nan, p_cal=np.nan))
    names = ("predictions", "cards", "rows", "contacts", "patients", "recordings", "findings")
    own = {name: getattr(files, name) for name in names}
    own |= {"other-predictions": files.predictions, "other-cards": files.cards}  # a run that answers as this one does
    return own | {"baselines": root / "baselines.parquet", "folds": root / "folds.parquet", "out": root}


def cohort_options(root: Path, files: PatientFiles) -> dict[str, Any]:
    """Options of the stage soz_cohort_page on what soz_evaluate wrote; writes measures of attention."""
    write_table(root / "measures.parquet", measures_of())
    hidden = {"condition": "ictal", "value": 0.1, "null_mean": 0.0}
    tested = [("P1", "rollout", [True, True, True, False]), ("P3", "rollout", [False]), ("P1", "largest", [False]),
              ("P1", "shaft", [None])]  # fmt: skip
    rows = [hidden | {"patient": patient, "kind": kind, "clip": f"{patient}@{number}", "failed": failed}
            for patient, kind, results in tested for number, failed in enumerate(results)]  # fmt: skip
    write_table(root / "faithfulness.parquet", pd.DataFrame(rows).astype({"failed": "boolean"}))
    one = {name: root / f"{name}.parquet" for name in ("metrics", "comparisons", "folds", "measures", "faithfulness")}
    return one | {
        "channels": root / "channel_soz.tsv", "summary": root / "cohort.json", "patients": list(files.patients),
        "recordings": list(files.recordings), "ablations": root / "ablations.tsv", "out": root / "index.html",
    }  # fmt: skip


def measures_of() -> pd.DataFrame:
    """Measures of attention of two patients, seeds and heads; P3 has no shaft of both classes."""
    rows = [
        {"patient": patient, "condition": "ictal", "graph": graph, "layer": 0, "head": head, "seed": seed,
         "mixed_shafts": mixed, "source_auroc": source + 0.1 * head, "source_auroc_null": null,
         "source_auroc_mean_p": p}
        for graph, source in (("attention", 0.6), ("untrained", 0.4))
        for patient, mixed, null in (("P1", 2, 0.5), ("P3", 0, 0.9))
        for seed, p in ((0, 0.01), (1, 0.3))
        for head in (0, 1)
    ]  # fmt: skip
    return pd.DataFrame(rows)
