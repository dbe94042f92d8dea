"""Predictions of clips by the schema of soz_predict, and what belongs to them, made up for tests. No real recording."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

TYPES = {"soz": "boolean", "resected": "boolean"}


def evaluation_settings(**evaluation: Any) -> dict[str, Any]:
    """What soz_evaluate is told of a run that is compared with no other; reading, clips and tokens of config.yaml."""
    soz = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())["soz"]
    made = {"corpora": ["made-up"], "reading": soz["reading"] | {"adapter": soz["adapter"]}}
    made |= {name: soz[name] for name in ("clips", "tokens")}
    return {"run": "main", "corpus": "made-up", "compared": [], "evaluation": evaluation, "made": made}


def predictions(
    n_patients: int = 6,
    *,
    effect: float = 2.0,
    seeds: Sequence[int] = (0,),
    conditions: Mapping[str, Sequence[str]] | None = None,
    unlabelled: Sequence[str] = (),
    one_class: Sequence[str] = (),
    folds: int = 2,
    random: int = 0,
) -> pd.DataFrame:
    """Patients P00, P01 … dealt into folds; 8 to 14 contacts, of which 2 to 4 in the SOZ; 2 ictal clips, 1 pre, 3
    others.

    conditions: of a patient the conditions that it has, both unless it is named. A pre-ictal clip's logits are absurd:
    they must not count.
    """
    rng, rows = np.random.default_rng(random), []
    for number in range(n_patients):
        patient = f"P{number:02d}"
        n, n_soz = int(rng.integers(8, 15)), int(rng.integers(2, 5))
        own = rng.normal(size=n) * 0.5
        for condition, phase, k in [("ictal", "ictal", 0), ("ictal", "ictal", 1), ("ictal", "pre", 0),
                                    *(("interictal", "interictal", k) for k in range(3))]:  # fmt: skip
            for c in range(n):
                for seed in seeds:
                    soz = c < n_soz and patient not in one_class
                    logit = 1e3 * c if phase == "pre" else own[c] + effect * soz + rng.normal() * 0.5 - 1
                    if condition in (conditions or {}).get(patient, ("ictal", "interictal")):
                        rows.append({
                            "clip": f"{patient}_{condition}/0@{k}{phase}", "patient": patient, "condition": condition,
                            "phase": phase, "channel": f"A{c + 1}", "part": "test", "logit": logit,
                            "soz": None if patient in unlabelled else soz, "resected": 1 <= c <= n_soz,
                            "fold": number % folds, "seed": seed,
                        })  # fmt: skip
    table = pd.DataFrame(rows)
    p = 1 / (1 + np.exp(-table["logit"]))
    return table.assign(p_raw=p, p_cal=p).astype(TYPES)


def facts(table: pd.DataFrame) -> pd.DataFrame:
    """patient, fold, outcome, implant, lesion, rate_hz of everybody in the table; some unknown."""
    found = table.drop_duplicates("patient")[["patient", "fold"]].sort_values("patient", ignore_index=True)
    n = np.arange(len(found))
    return found.assign(
        outcome=np.array(["good", "poor", ""])[n % 3], implant=np.array(["SEEG", "ECOG"])[n % 2], lesion="",
        rate_hz=np.array(["512", "256"])[n % 2],
    )  # fmt: skip


def places(table: pd.DataFrame, *, unknown: Sequence[str] = ()) -> pd.DataFrame:
    """A straight shaft, 5 mm between contacts; unknown for the patients named."""
    found = table.drop_duplicates(["patient", "channel"])[["patient", "channel"]].reset_index(drop=True)
    number = found["channel"].str.removeprefix("A").astype(float)
    x = (5 * number).where(~found["patient"].isin(list(unknown)))
    return found.assign(x_mm=x, y_mm=0.0, z_mm=0.0)


def rows_of(table: pd.DataFrame, *, flat: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Rows of the token store, as far as the table of contacts asks: `flat` is a channel by its clip."""
    rows = table.drop_duplicates(["clip", "channel"])[["clip", "patient", "channel"]]
    marked = [(flat or {}).get(clip) == channel for clip, channel in zip(rows["clip"], rows["channel"], strict=True)]
    return rows.assign(flags=["flat" if one else "" for one in marked]).astype("string")


def index_contacts(table: pd.DataFrame, *, extra: Sequence[Mapping[str, Any]] = ()) -> pd.DataFrame:
    """The index's table of contacts: two recordings of every patient, and `extra` rows."""
    known = table.drop_duplicates(["patient", "channel"])[["patient", "channel", "soz", "resected"]]
    number = known["channel"].str.removeprefix("A").astype(int)
    known = known.assign(
        shaft="A", contact=number, hemisphere="L", x_mm=5.0 * number, y_mm=0.0, z_mm=0.0, region="", flags="",
        order=number, used=True, good=True,
    )  # fmt: skip
    rows = [known.assign(recording=known["patient"] + f"_r{k}") for k in range(2)]
    made = pd.concat([*rows, pd.DataFrame(extra)] if extra else rows, ignore_index=True)
    return made.astype(TYPES | {"contact": "Int64", "order": "int64", "used": "bool"})
