"""channel_soz.tsv: columns of the specification, what is missing, bipolar channels, ranks, and reading it back."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from soz_predictions import facts, index_contacts, predictions, rows_of

from pipeline.metrics.soz_channels import (
    COLUMNS,
    NOT_SCORED,
    bids_cells,
    channel_table,
    place_table,
    read_channels,
)
from pipeline.metrics.soz_contacts import contact_intervals, contact_scores
from pipeline.store import write_tsv

# Section 11 of the specification, word for word.
SPECIFIED = """participant_id, channel, shaft, contact, hemisphere, x, y, z, region, implant, p_raw, p_cal, ci_low,
ci_high, rank, p_ictal, p_interictal, n_clips_ictal, n_clips_interictal, seed_sd, label_soz, resected, fold, model_hash,
flags"""


def made(table: pd.DataFrame, index: pd.DataFrame | None = None, flat: dict[str, str] | None = None) -> pd.DataFrame:
    models = {(fold, seed): expit for fold in (0, 1) for seed in sorted(set(table["seed"]))}
    contacts = contact_scores(table, models)
    intervals = contact_intervals(table, models, draws=50, confidence=0.9, seed=0)
    places = place_table(index_contacts(table) if index is None else index, contacts, rows_of(table, flat=flat))
    who = facts(table)
    return channel_table(contacts, intervals, places, dict(zip(who["patient"], who["implant"], strict=True)),
                         {0: "aa,bb", 1: "cc,dd"})  # fmt: skip


def test_columns_are_those_of_the_specification() -> None:
    assert list(COLUMNS) == [name.strip() for name in SPECIFIED.replace("\n", " ").split(",")]
    assert all(told["Description"] for told in COLUMNS.values())
    assert list(made(predictions(2)).columns) == list(COLUMNS)


def test_one_row_a_contact_in_canonical_order_with_ranks_from_one() -> None:
    found = made(predictions(3, seeds=(0, 1)))
    for patient, own in found.groupby("participant_id"):
        assert str(patient).startswith("sub-P")
        assert own["contact"].tolist() == list(range(1, len(own) + 1))
        assert sorted(own["rank"]) == list(range(1, len(own) + 1))
        assert own.sort_values("rank")["p_cal"].is_monotonic_decreasing
        assert (own["ci_low"] <= own["ci_high"]).all()
        assert own["seed_sd"].notna().all()
    assert set(found["model_hash"]) == {"aa,bb", "cc,dd"}
    assert set(found.loc[found["participant_id"] == "sub-P01", "implant"]) == {"ECOG"}


def test_a_missing_condition_is_na_and_the_other_one_counts() -> None:
    found = made(predictions(2, conditions={"P01": ("interictal",)}))
    own = found[found["participant_id"] == "sub-P01"]
    assert own["p_ictal"].isna().all()
    assert set(own["n_clips_ictal"]) == {0}
    assert set(own["n_clips_interictal"]) == {3}
    np.testing.assert_allclose(own["p_cal"], own["p_interictal"])
    assert own["seed_sd"].isna().all()


def test_used_contacts_without_a_score_are_there_and_flagged() -> None:
    table = predictions(2)
    extra = [{"recording": "P00_r0", "patient": "P00", "channel": name, "shaft": "B", "contact": 1, "hemisphere": "L",
              "x_mm": np.nan, "y_mm": np.nan, "z_mm": np.nan, "region": "", "flags": "xyz_missing", "order": 99,
              "used": used, "good": True, "soz": True, "resected": None}
             for name, used in (("B1", True), ("B2", False))]  # fmt: skip
    found = made(table, index_contacts(table, extra=extra))
    assert "B2" not in set(found["channel"])
    row = found[found["channel"] == "B1"].iloc[0]
    assert pd.isna(row["p_cal"])
    assert pd.isna(row["rank"])
    assert row["flags"] == f"xyz_missing,{NOT_SCORED}"
    assert row["label_soz"] == 1
    assert pd.isna(row["resected"])


def test_flags_are_those_of_every_recording_and_clip() -> None:
    table = predictions(2)
    index = index_contacts(table)
    late = (index["channel"] == "A3") & (index["recording"] == "P00_r1")  # not the patient's first recording
    index.loc[late, "flags"] = "edf_header,xyz_missing"
    clip = sorted(table.loc[table["patient"] == "P00", "clip"].unique())[-1]
    found = made(table, index, flat={clip: "A3"}).set_index(["participant_id", "channel"])["flags"]
    assert found["sub-P00", "A3"] == "edf_header,flat,xyz_missing"
    assert (found.drop(("sub-P00", "A3")) == "").all()


def test_an_unlabelled_patient_has_no_labels_and_probabilities() -> None:
    found = made(predictions(2, unlabelled=["P00"]), index_contacts(predictions(2, unlabelled=["P00"])))
    own = found[found["participant_id"] == "sub-P00"]
    assert own["label_soz"].isna().all()
    assert own["p_cal"].notna().all()


def test_a_bipolar_channel_lies_between_its_contacts() -> None:
    table = predictions(2)
    index = index_contacts(table)
    number = table["channel"].str.removeprefix("A").astype(int)
    pairs = table.assign(channel=table["channel"] + "-A" + (number - 1).astype(str))[number > 1]
    found = made(pairs, index)
    assert set(found["channel"]) == set(pairs["channel"])  # single contacts are no rows
    row = found[(found["channel"] == "A3-A2") & (found["participant_id"] == "sub-P00")].iloc[0]
    assert (row["x"], row["shaft"]) == (12.5, "A")


def test_written_and_read_back_it_is_the_same(tmp_path: Path) -> None:
    found = made(predictions(3, conditions={"P01": ("ictal",)}, unlabelled=["P02"]))
    found = found.assign(x=-found["x"], channel="-" + found["channel"])  # a sign is no formula
    path = tmp_path / "channel_soz.tsv"
    write_tsv(path, bids_cells(found))
    lines = path.read_text().splitlines()
    assert lines[0].split("\t") == list(COLUMNS)
    assert all(len(line.split("\t")) == len(COLUMNS) for line in lines)
    assert not any(cell in ("", "nan", "<NA>", "None") for line in lines for cell in line.split("\t"))
    back = read_channels(path)
    for name in ("x", "p_raw", "p_cal", "ci_low", "p_ictal", "rank", "label_soz", "fold"):
        np.testing.assert_allclose(
            back[name].to_numpy(dtype=float, na_value=np.nan), found[name].to_numpy(dtype=float, na_value=np.nan),
            rtol=1e-5,
        )  # fmt: skip
    assert back.loc[0, "x"] == pytest.approx(-5.0)
