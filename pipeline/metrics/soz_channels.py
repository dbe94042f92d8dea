"""channel_soz.tsv: one row a contact of every tested patient, as a BIDS derivative (spec soz.md, section 11)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.features._soz_montage import joined_flags
from pipeline.metrics.soz_contacts import BOTH, over_seeds, ranks

USE = "Research use only. p is the probability that clinicians marked the contact as seizure onset zone; no diagnosis."
SYNTHETIC = "SYNTHETIC: the recordings were made by a simulator; nothing here is of a person."
NOT_SCORED = "not_scored"  # flag of a contact of which no clip could be used
COLUMNS: dict[str, dict[str, Any]] = {
    "participant_id": {"Description": "Patient"},
    "channel": {"Description": "Contact, or pair A-B of a bipolar montage"},
    "shaft": {"Description": "Electrode (shaft, strip or grid) of the contact"},
    "contact": {"Description": "Number of the contact on its electrode"},
    "hemisphere": {"Description": "Side", "Levels": {"L": "left", "R": "right"}},
    **{axis: {"Description": f"Coordinate {axis} as recorded by the corpus", "Units": "mm"} for axis in "xyz"},
    "region": {"Description": "Region as the side files name it"},
    "implant": {"Description": "Implant", "Levels": {"SEEG": "depth electrodes", "ECOG": "grids and strips"}},
    "p_raw": {"Description": "Sigmoid of the mean logit, mean over seeds; the training loss distorts it"},
    "p_cal": {"Description": "Probability calibrated on inner patients of the fold, mean over seeds"},
    "ci_low": {"Description": "Lower end of the interval of p_cal over clips and seeds"},
    "ci_high": {"Description": "Upper end of the interval of p_cal over clips and seeds"},
    "rank": {"Description": "Rank within the patient by p_cal, then p_raw, then name; 1 is the most likely"},
    "p_ictal": {"Description": "p_cal from ictal clips alone"},
    "p_interictal": {"Description": "p_cal from interictal clips alone"},
    "n_clips_ictal": {"Description": "Ictal clips that were scored"},
    "n_clips_interictal": {"Description": "Interictal clips that were scored"},
    "seed_sd": {"Description": "Standard deviation of p_cal over seeds; n/a with one seed"},
    "label_soz": {"Description": "Marked as seizure onset zone", "Levels": {"1": "yes", "0": "no"}},
    "resected": {"Description": "Resected", "Levels": {"1": "yes", "0": "no"}},
    "fold": {"Description": "Fold whose models tested the patient"},
    "model_hash": {"Description": "Digests of the models' weights, one a seed, comma-joined"},
    "flags": {
        "Description": "Checks that concern the contact in any recording; flat: it does not move in some clip; "
        f"{NOT_SCORED}: no clip of it could be used"
    },
}
TEXT = ("shaft", "hemisphere", "region", "implant", "flags")


def place_table(contacts: pd.DataFrame, channels: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Facts of every scored channel and of every used contact without a score, one row a patient and channel.

    contacts: the index's table; channels: patient, channel of what was scored; rows: patient, channel and flags of the
    token store. Flags are those of any recording and clip. A bipolar channel `A-B` lies in the middle of its contacts,
    and bears the flags of both; where pairs were scored, single contacts are left out.
    """
    known = contacts.groupby(["patient", "channel"])
    own = known["flags"].agg(lambda each: joined_flags(*each.fillna("")))
    facts = contacts.assign(used=known["used"].transform("any")).sort_values(["patient", "order", "recording"])
    facts = facts.drop_duplicates(["patient", "channel"]).drop(columns="flags").join(own, on=["patient", "channel"])
    by_name = {(row["patient"], row["channel"]): row for row in facts.to_dict("records")}
    scored = channels.drop_duplicates(["patient", "channel"])
    paired, found, done = set(), [], set()
    for patient, channel in scored[["patient", "channel"]].itertuples(index=False):
        row = by_name.get((patient, channel)) or _pair(by_name, patient, channel)
        paired |= {patient} if (patient, channel) not in by_name else set()
        found.append(row | {"patient": patient, "channel": channel, "scored": True})
        done.add((patient, channel))
    for (patient, channel), row in by_name.items():
        if row["used"] and (patient, channel) not in done and patient not in paired:
            found.append(row | {"scored": False})
    names = ["patient", "channel", "shaft", "contact", "hemisphere", "x_mm", "y_mm", "z_mm", "region", "flags", "order"]
    table = pd.DataFrame(found, columns=[*names, "soz", "resected", "scored"])
    of_clips = rows.groupby(["patient", "channel"])["flags"].agg(lambda each: joined_flags(*set(each.fillna(""))))
    keys = zip(table["patient"], table["channel"], table["flags"], strict=True)
    table["flags"] = [joined_flags(flags, of_clips.get((patient, channel), "")) for patient, channel, flags in keys]
    return table.sort_values(["patient", "order", "channel"], ignore_index=True)


def _pair(by_name: Mapping[Any, dict[Any, Any]], patient: str, channel: str) -> dict[Any, Any]:
    """Facts of a bipolar channel; only what is known where its contacts are not. Its labels are the predictions'."""
    labels = {"soz": pd.NA, "resected": pd.NA}
    for cut in (k for k, letter in enumerate(channel) if letter == "-"):
        one, other = (by_name.get((patient, name)) for name in (channel[:cut], channel[cut + 1 :]))
        if one is not None and other is not None:
            place = {name: (one[name] + other[name]) / 2 for name in ("x_mm", "y_mm", "z_mm")}
            return one | place | labels | {"flags": joined_flags(one["flags"], other["flags"])}
    unknown = dict.fromkeys(("x_mm", "y_mm", "z_mm"), np.nan) | dict.fromkeys(("shaft", "hemisphere", "region"), "")
    return unknown | labels | {"contact": pd.NA, "flags": "", "order": len(by_name)}


def channel_table(
    contacts: pd.DataFrame,
    intervals: pd.DataFrame,
    places: pd.DataFrame,
    implants: Mapping[str, str],
    hashes: Mapping[int, str],
) -> pd.DataFrame:
    """Columns COLUMNS, patients by name, contacts in canonical order; unknown values are NaN or NA.

    contacts: contact_scores of the run; places: `place_table`; hashes: model_hash of each fold.
    """
    said = over_seeds(contacts)
    both = said[said["condition"] == BOTH]
    table = places.merge(both, on=["patient", "channel"], how="left", suffixes=("_indexed", ""))
    for name in ("soz", "resected"):
        table[name] = table[name].astype("boolean").fillna(table[f"{name}_indexed"].astype("boolean"))
    for condition in ("ictal", "interictal"):
        own = said[said["condition"] == condition][["patient", "channel", "p_cal", "n_clips"]]
        renamed = own.rename(columns={"p_cal": f"p_{condition}", "n_clips": f"n_clips_{condition}"})
        table = table.merge(renamed, on=["patient", "channel"], how="left")
        table[f"n_clips_{condition}"] = table[f"n_clips_{condition}"].fillna(0).astype("int64")
    table = table.merge(intervals, on=["patient", "channel"], how="left")
    folds = contacts.drop_duplicates("patient").set_index("patient")["fold"]
    table["fold"] = table["patient"].map(folds).astype("Int64")
    flags = [flagged(text, scored=scored) for text, scored in zip(table["flags"], table["scored"], strict=True)]
    made = table.assign(
        flags=flags,
        rank=_ranked(table),
        model_hash=table["fold"].map(hashes),
        implant=table["patient"].map(implants),
        participant_id="sub-" + table["patient"].astype(str).str.removeprefix("sub-"),
        label_soz=table["soz"].astype("Int64"),
        resected=table["resected"].astype("Int64"),
        **{axis: table[f"{axis}_mm"] for axis in "xyz"},
    )
    return made[list(COLUMNS)]


def flagged(flags: str, *, scored: bool) -> str:
    """Flags of a contact; one more where no clip of it was scored."""
    return flags if scored else ",".join(filter(None, (flags, NOT_SCORED)))


def _ranked(table: pd.DataFrame) -> pd.Series:
    """Rank within each patient of the contacts that have a probability."""
    found = pd.Series(pd.NA, index=table.index, dtype="Int64")
    for _, own in table[table["p_cal"].notna()].groupby("patient", sort=False):
        found.loc[own.index] = ranks(own["p_cal"], own["p_raw"], own["channel"])
    return found


def bids_cells(table: pd.DataFrame) -> pd.DataFrame:
    """The table with `n/a` where nothing is known, and numbers of six digits, for store.write_tsv."""
    return table.astype(object).map(_cell)


def _cell(value: Any) -> Any:
    if pd.isna(value) or value == "":
        return "n/a"
    return float(f"{value:.6g}") if isinstance(value, float) else value


def read_channels(text: Any) -> pd.DataFrame:
    """channel_soz.tsv back as a table: numbers as numbers, unknown values NaN or NA. `text`: a path or a file."""
    table = pd.read_csv(text, sep="\t", dtype="string", keep_default_na=False, na_values=["n/a"])
    numbers = [name for name in COLUMNS if name.startswith(("p_", "ci_")) or name in (*"xyz", "seed_sd")]
    whole = ["contact", "rank", "n_clips_ictal", "n_clips_interictal", "label_soz", "resected", "fold"]
    types = dict.fromkeys(numbers, "float64") | dict.fromkeys(whole, "Int64")
    return table.astype(dict.fromkeys(types, "Float64")).astype(types)


def sidecar(*, synthetic: bool) -> dict[str, Any]:
    """channel_soz.json: what each column holds, and that there is no patient where recordings are simulated."""
    person = {"participant_id": {"Description": f"Patient. {SYNTHETIC}"}} if synthetic else {}
    return COLUMNS | person


def description(what: str, *, synthetic: bool) -> dict[str, Any]:
    """dataset_description.json of the derivative; `what` says whose probabilities, by what."""
    return {
        "Name": f"SOZ probabilities of {what}" + (", SYNTHETIC recordings" if synthetic else ""),
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "Ictograph", "Description": f"{SYNTHETIC} {USE}" if synthetic else USE}],
    }
