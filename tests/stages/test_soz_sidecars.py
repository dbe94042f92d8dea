"""The dry run over the side files of the real ds004100: every number and trap that the specification lists.

Skipped where the metadata (../shared/ds004100-metadata) is not at hand. Numbers: spec soz.md, section 8.
"""

import json
import logging
import sys
from pathlib import Path

import pytest

from pipeline.findings import CODES
from pipeline.settings.base import SettingsError
from pipeline.stages import soz_sidecars
from pipeline.stages.command import StageError
from pipeline.store import read_json, read_table
from tests.corpora.ieeg_tree import Made, write_participants

REPOSITORY = Path(__file__).resolve().parents[2]
REAL = REPOSITORY.parent / "shared" / "ds004100-metadata"
real = pytest.mark.skipif(not REAL.is_dir(), reason="no metadata of ds004100 beside the repository")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The folder that one dry run over ds004100 wrote."""
    out = tmp_path_factory.mktemp("ds004100")
    dry_run("--root", str(REAL), "--inventory", str(REAL / "edf_inventory.tsv"), "--out", str(out))
    return out


def dry_run(*words):
    """Run the command as its user would, within this process."""
    config = str(REPOSITORY / "config.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["soz_sidecars", "--config", config, "--adapter", "ds004100", *words])
        try:
            soz_sidecars.main()
        finally:
            logging.getLogger("ictograph").handlers.clear()


@pytest.fixture(scope="module")
def findings(ran):
    table = read_table(ran / "findings.parquet")
    table["patient"] = table["recording"].str.extract(r"sub-([^_]+)_")[0]
    return table


@real
def test_counts(ran):
    counts = read_json(ran / "summary.json")
    expected = {
        "patients": 57, "recordings": 319, "ictal recordings": 208, "interictal recordings": 111,
        "good contacts": 6314, "good contacts without coordinates": 127,
        "good contacts a patient": "36-195, median 106",
        "SOZ contacts": 555, "SOZ contacts that are good": 542, "SOZ contacts that are bad": 13,
        "SOZ contacts a patient": "2-38, median 8", "seizures": 208, "seizures under 35 s": 43,
        "median seizure (s)": 68.0, "implants": {"ECOG": 20, "SEEG": 37}, "outcomes": {"good": 36, "poor": 21},
        "sampling rates (patients)": {"512": 29, "1024": 15, "500": 12, "256": 1},
    }  # fmt: skip
    assert {name: counts[name] for name in expected} == expected
    assert (counts["good contacts dropped by name"], counts["contacts in use"]) == (1, 6313)  # HUP117's FZ


@real
def test_findings_by_check(findings):
    assert findings.groupby("code").size().to_dict() == {
        "condition_missing": 2, "coord_frame": 57, "coord_units": 57, "label_run_disagreement": 1, "low_rate": 7,
        "name_parse": 31, "nonbrain_named": 57, "short_seizure": 43, "soz_bad": 6, "subject_absent": 1,
        "text_format": 118, "xyz_missing": 11,
    }  # fmt: skip
    assert not (findings["severity"] == "error").any()
    assert set(findings["code"]) <= set(CODES)


@real
def test_the_labels_of_HUP180_run_02(ran, findings):
    (row,) = findings[findings["code"] == "label_run_disagreement"].itertuples()
    assert row.recording == "sub-HUP180_ses-presurgery_task-interictal_acq-seeg_run-02"
    assert (row.value, row.expected) == ("2", "8")
    contacts = read_table(ran / "contacts.parquet")
    own = contacts[contacts["patient"] == "HUP180"]
    assert (own.groupby("recording")["soz"].sum() == 8).all()  # the set of ictal run-01 counts everywhere
    assert own["flags"].str.contains("label_run_disagreement").groupby(own["recording"]).sum().eq(6).all()


@real
def test_patients_of_each_check(findings):
    patients = {code: rows["patient"].tolist() for code, rows in findings.groupby("code")}
    values = {code: dict(zip(rows["patient"], rows["value"], strict=True)) for code, rows in findings.groupby("code")}
    assert values["soz_bad"] == {"HUP065": "7", "HUP177": "2"} | dict.fromkeys(
        ["HUP087", "HUP133", "HUP160", "HUP171"], "1"
    )
    assert values["condition_missing"] == {"HUP158": "interictal", "HUP165": "ictal"}
    assert set(patients["low_rate"]) == {"HUP173"}
    assert len(set(patients["coord_units"])) == 57
    assert findings.loc[findings["code"] == "subject_absent", "value"].tolist() == ["HUP132"]
    missing = values["xyz_missing"]
    assert {name: int(n) for name, n in missing.items() if n != "1"} == {"HUP089": 69, "HUP116": 38, "HUP126": 12}
    assert sum(map(int, missing.values())) == 127


@real
def test_scalp_contacts(ran, findings):
    good = findings[(findings["code"] == "nonbrain_named") & (findings["channel"] != "")]
    assert good[["patient", "channel"]].values.tolist() == [["HUP117", "FZ"]]
    contacts = read_table(ran / "contacts.parquet")
    dropped = contacts[contacts["flags"].str.contains("nonbrain_named")]
    assert not dropped["used"].any()
    assert dropped["soz"].isna().all()
    words = set(dropped["channel"].str.replace(r"\d+$", "", regex=True).str.upper())
    assert words <= {"EKG", "ECG", "LOC", "ROC", "RR", "RATE", "C", "F", "FP", "O", "P", "T", "CZ", "FZ", "PZ"}


@real
def test_text_formats(findings):
    text = findings[findings["code"] == "text_format"]
    kinds = text["value"].str.split(": ", expand=True)
    of_recordings = kinds[text["recording"] != ""]
    assert of_recordings[1].astype(int).groupby(of_recordings[0]).sum().to_dict() == {
        "bom": 208 + 57, "crlf": 20, "number": 299, "quoted": 1,
    }  # fmt: skip
    assert set(text.loc[kinds[0] == "crlf", "patient"].dropna()) == {"HUP180", "HUP181", "HUP188"}
    of_corpus = text[text["recording"] == ""]
    assert sorted(of_corpus["value"]) == ["blank: 1", "crlf: 1"]


@real
def test_every_contact_has_one_place_in_the_order(ran):
    contacts = read_table(ran / "contacts.parquet")
    assert contacts.groupby("patient").apply(lambda rows: rows.groupby("channel")["order"].nunique().eq(1).all()).all()
    for _, rows in contacts.groupby("recording"):
        ranked = rows["hemisphere"].map({"L": 0, "R": 1, "": 2})
        assert rows["order"].is_monotonic_increasing
        assert ranked.is_monotonic_increasing
        assert rows["channel"].is_unique
    assert contacts.loc[contacts["good"], "contact"].notna().all()  # every good contact has a shaft
    assert contacts[["x_mm", "y_mm", "z_mm"]].abs().max().max() < 110  # mm


@real
def test_the_side_of_a_shaft_is_that_of_its_name(ran):
    """Names of ds004100 begin with L or R as a rule; sides come from the coordinates, wherever those are clear."""
    contacts = read_table(ran / "contacts.parquet")
    named = contacts[contacts["good"] & contacts["shaft"].str.match("[LR][A-Z]")]
    assert len(named) > 30_000
    assert (named["shaft"].str[0] == named["hemisphere"]).all()


@real
def test_patients(ran):
    patients = read_table(ran / "patients.parquet").set_index("patient")
    assert patients.loc["HUP151", "engel"] == "2A"  # its id has a blank at the end
    assert patients["lesion"].value_counts().to_dict() == {"non-lesional": 29, "lesional": 27, "": 1}
    assert set(patients["frame"]) == {"fsaverage"}


def test_a_tree_without_faults_has_none(tmp_path, capsys):
    write_participants(tmp_path, "sub-01\t1A\tS\tSEEG")
    Made(kinds={"EKG1": "ECG"}).write(tmp_path, ("ictal", 1), ("interictal", 1))
    dry_run("--root", str(tmp_path))
    shown = capsys.readouterr().out
    assert "SOZ contacts that are good            1" in shown
    assert not [code for code in CODES if f"\n{code} " in shown]


def test_every_recording_that_cannot_be_used_is_told_with_file_value_and_remedy(tmp_path, capsys):
    made = Made().write(tmp_path, ("ictal", 1), ("ictal", 2), ("interictal", 1))
    (made.folder(tmp_path) / f"{made.stem('ictal', 1)}_events.tsv").write_text("onset\tduration\n")
    channels = made.folder(tmp_path) / f"{made.stem('interictal', 1)}_channels.tsv"
    channels.write_text(channels.read_text() + channels.read_text().splitlines()[1] + "\n")  # LA1 a second time
    with pytest.raises(StageError, match="2 of the recordings cannot be used") as stopped:
        dry_run("--root", str(tmp_path))
    told = str(stopped.value).splitlines()[1:]
    assert len(told) == 2
    for line, stem, words in zip(
        told, (made.stem("interictal", 1), made.stem("ictal", 1)), ("LA1", "trial_type"), strict=True
    ):
        assert stem in line
        assert words in line
        assert "Remedy: mend the line that is named" in line
    shown = capsys.readouterr().out
    assert "side_file_invalid" in shown
    assert "good contacts" in shown  # the counts of the rest, too


def test_the_first_of_each_warning_is_shown_with_its_remedy(tmp_path, capsys):
    Made(bad=("EKG1", "LA2"), marks={"LA2": "soz", "LA3": "soz"}).write(tmp_path, ("ictal", 1), ("interictal", 1))
    dry_run("--root", str(tmp_path))
    shown = capsys.readouterr().out
    assert "1 of 2 SOZ contacts are bad: LA2" in shown
    assert "Remedy: soz.reading.soz_bad" in shown


def test_what_it_needs_is_told(tmp_path):
    with pytest.raises(StageError, match="inventory"):
        dry_run("--root", str(tmp_path))
    (tmp_path / "list.tsv").write_text("file\nx\n")
    with pytest.raises(StageError, match="column path"):
        dry_run("--root", str(tmp_path), "--inventory", str(tmp_path / "list.tsv"))
    (tmp_path / "c.yaml").write_text(json.dumps({"soz": {}}))
    with pytest.raises(SettingsError, match=r"soz\.reading"):
        soz_sidecars.reading_settings(tmp_path / "c.yaml", None)
