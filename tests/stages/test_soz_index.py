"""soz_index over small trees with EDFs: contacts by name, checks of the EDF, labels (spec soz.md, 8, 9)."""

import json
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.corpora.ieeg_bids import find
from pipeline.corpora.shards import manifest_rows, write_manifest
from pipeline.findings import CODES, REMEDIES, StrictError
from pipeline.settings.base import SettingsError
from pipeline.signals.edf_header import FIXED_BYTES
from pipeline.stages import soz_index
from pipeline.store import digest_result, read_table
from tests.corpora.ieeg_tree import CONTACTS, XYZ, Made, write_edf, write_participants

TABLES = ("recordings", "contacts", "patients", "seizures", "findings")
CLEAN = {"EKG1": "ECG"}  # a tree without faults types it so
ICTAL = "sub-01_ses-presurgery_task-ictal_acq-seeg_run-01"


def indexed(
    root: Path,
    *words: str,
    patients: tuple[str, ...] = (),
    told: bool = True,
    out: Path | None = None,
    **reading: object,
):
    """Run the stage on a tree; the tables by name."""
    out = out or root.parent / "out"
    files = [one for one in find(root, "auto") if not patients or one.patient in patients]
    write_manifest(out / "m.tsv", manifest_rows(root, [replace(one, split="train") for one in files]))
    chosen = {"soz_bad": "drop", "low_rate_hz": 500, "rate_hz": 512, "block_s": 60, "adapter": "ds004100"} | reading
    settings = {"index": {"corpus": "made", "reader": "ieeg_bids", "version": "auto"}, "reading": chosen}
    options = [word for name in TABLES for word in (f"--{name}", str(out / f"{name}.parquet"))]
    options += ["--present", *sorted({one.patient for one in find(root, "auto")})] if told else []
    command = ["soz_index", "--settings", json.dumps(settings), "--manifest", str(out / "m.tsv"), "--root", str(root)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [*command, *options, *words])
        try:
            soz_index.main()
        finally:
            logging.getLogger("ictograph").handlers.clear()
    return {name: read_table(out / f"{name}.parquet") for name in TABLES}


@pytest.fixture
def root(tmp_path):
    """A tree's folder with a list of participants."""
    folder = tmp_path / "bids"
    folder.mkdir()
    write_participants(folder, "sub-01\t1A\tS\tSEEG")
    return folder


def codes(tables):
    return sorted(tables["findings"]["code"])


def test_a_tree_without_faults(root):
    Made(kinds=CLEAN).write(root, ("ictal", 1), ("interictal", 1))
    tables = indexed(root, "--strict")
    assert codes(tables) == []
    recordings, contacts = tables["recordings"], tables["contacts"]
    assert recordings["task"].tolist() == ["ictal", "interictal"]
    assert recordings["labelled"].all()
    assert recordings[["duration_s", "rate_hz", "mains_hz"]].values.tolist() == [[40.0, 512.0, 60.0]] * 2
    own = contacts[contacts["recording"] == ICTAL].set_index("channel")
    assert own.index.tolist() == ["LA1", "LA2", "LA3", "RB1", "RB2", "EKG1"]
    assert own["edf_row"].tolist() == [0, 1, 2, 3, 4, 5]
    assert own["contact"].tolist()[:5] == [1, 2, 3, 1, 2]
    assert own["hemisphere"].tolist() == ["L", "L", "L", "R", "R", ""]
    assert own["used"].tolist() == [True] * 5 + [False]
    assert own["x_mm"].tolist()[:2] == [-30.0, -34.0]
    assert own.loc[own["soz"].fillna(False)].index.tolist() == ["LA2"]
    assert own.loc[own["resected"].fillna(False)].index.tolist() == ["LA2", "LA3"]
    assert own.loc["EKG1", ["soz", "resected"]].isna().all()
    assert tables["patients"].loc[0, ["engel", "outcome", "implant"]].tolist() == ["1A", "good", "SEEG"]
    assert tables["seizures"][["recording", "onset_s", "offset_s", "code"]].values.tolist() == [
        [ICTAL, 2.0, 38.5, "seiz"]
    ]
    assert str(contacts["soz"].dtype) == "boolean"
    assert str(contacts["contact"].dtype) == "Int64"


def test_channels_in_reversed_order_are_found_by_name(root):
    """Acceptance 5: each contact keeps its own samples, whatever the order of the side file."""
    Made(kinds=CLEAN, edf=CONTACTS[::-1]).write(root, ("ictal", 1), ("interictal", 1))
    tables = indexed(root)
    assert codes(tables) == ["name_order", "name_order"]
    contacts = tables["contacts"]
    assert (contacts["channel"] == contacts["label"]).all()
    rows = {name: len(CONTACTS) - 1 - i for i, name in enumerate(CONTACTS)}
    assert all(rows[row.channel] == row.edf_row for row in contacts.itertuples())
    with pytest.raises(StrictError, match=r"name_order.*reordered by name"):
        indexed(root, "--strict")


def test_a_wrong_name_stops_with_the_names_that_differ(root):
    """Acceptance 5: nothing is renamed by position."""
    made = Made(kinds=CLEAN).write(root, ("ictal", 1), ("interictal", 1))
    write_edf(made.folder(root) / f"{made.stem('ictal', 1)}_ieeg.edf", ("LA1", "LA2", "LA7", "RB1", "RB2", "EKG1"))
    tables = indexed(root)
    (row,) = tables["findings"].itertuples()
    assert (row.code, row.action, row.recording) == ("name_order", "error", ICTAL)
    assert "Only in the EDF: LA7. Only in channels.tsv: LA3." in row.message
    assert tables["recordings"]["task"].tolist() == ["interictal"]
    with pytest.raises(StrictError, match=r"Only in the EDF: LA7"):
        indexed(root, "--strict")


@pytest.mark.parametrize(("edf", "code"), [(CONTACTS[:-1], "name_order"), ((*CONTACTS, "XX9"), "name_order")])
def test_one_channel_more_or_less_stops(root, edf, code):
    Made(kinds=CLEAN, edf=edf).write(root, ("ictal", 1), ("interictal", 1))
    tables = indexed(root)
    assert codes(tables) == [code, code]
    assert tables["recordings"].empty
    assert tables["patients"].empty


def test_names_that_nobody_lists_are_not_shown(root):
    edf = (*CONTACTS[:2], "Doe John", *CONTACTS[3:])
    Made(kinds=CLEAN, edf=edf).write(root, ("ictal", 1), ("interictal", 1))
    assert "Doe" not in " ".join(indexed(root)["findings"]["message"])


def test_another_spelling_is_matched_by_shaft_and_number(root):
    edf = ("EEG RB 02-Ref", "EEG LA 01-Ref", "EEG LA 02-Ref", "EEG LA 03-Ref", "EEG RB 01-Ref", "EEG EKG 01-Ref")
    Made(kinds=CLEAN, edf=edf).write(root, ("ictal", 1), ("interictal", 1))
    tables = indexed(root)
    assert codes(tables) == ["name_order"] * 4  # spelling, and order
    labels = tables["contacts"].set_index("channel")["label"]
    assert set(labels["RB2"]) == {"EEG RB 02-Ref"}
    assert set(labels["LA1"]) == {"EEG LA 01-Ref"}


def test_pointers_of_git_annex_stop(root):
    made = Made(kinds=CLEAN).write(root, ("ictal", 1), ("interictal", 1), ("interictal", 2))
    link, pointer = (made.folder(root) / f"{made.stem('interictal', run)}_ieeg.edf" for run in (1, 2))
    link.unlink()
    os.symlink("../../../.git/annex/objects/aa/bb/MD5E-s1--0.edf", link)
    pointer.write_text("/annex/objects/MD5E-s1--0.edf\n")
    tables = indexed(root)
    assert codes(tables) == ["annex_pointer", "annex_pointer"]
    assert tables["recordings"]["task"].tolist() == ["ictal"]
    for message in tables["findings"]["message"]:  # to be pasted in the tree's folder
        assert (root / message.split("datalad get ")[1]).parent == made.folder(root)


def patched(path: Path, field: int, width: int, index: int, text: bytes, n: int = len(CONTACTS)) -> None:
    """Write one signal's field into an EDF header; `field` is the bytes of the fields before it."""
    content = bytearray(path.read_bytes())
    start = FIXED_BYTES + n * field + width * index
    content[start : start + width] = text.ljust(width)
    path.write_bytes(bytes(content))


def test_duplicate_labels_stop(root):
    made = Made(kinds=CLEAN).write(root, ("ictal", 1), ("interictal", 1))
    patched(made.folder(root) / f"{made.stem('ictal', 1)}_ieeg.edf", 0, 16, 1, b"LA1")
    tables = indexed(root)
    assert codes(tables) == ["edf_header"]
    assert tables["findings"].loc[0, "action"] == "error"
    assert tables["recordings"]["task"].tolist() == ["interictal"]


def test_labels_in_latin1(root):
    names = ("Hé1", *CONTACTS[1:])
    edf = ("HX1", *CONTACTS[1:])
    made = Made(kinds=CLEAN, names=names, edf=edf, xyz=XYZ | {"Hé1": (-9.0, 0, 0)})
    made.write(root, ("ictal", 1), ("interictal", 1))
    for task in ("ictal", "interictal"):
        patched(made.folder(root) / f"{made.stem(task, 1)}_ieeg.edf", 0, 16, 0, "Hé1".encode("latin-1"))
    tables = indexed(root)
    assert set(codes(tables)) == {"edf_header"}
    assert set(tables["findings"]["value"]) == {"encoding"}
    assert (tables["contacts"].query("channel == 'Hé1'")["edf_row"] == 0).all()


def test_an_empty_range_costs_the_contact(root):
    made = Made(kinds=CLEAN).write(root, ("ictal", 1), ("interictal", 1))
    for field in (104, 112):  # physical limits
        patched(made.folder(root) / f"{made.stem('ictal', 1)}_ieeg.edf", field, 8, 2, b"0")
    tables = indexed(root)
    assert codes(tables) == ["edf_header"]
    assert tables["findings"].loc[0, "value"] == "range"
    rows = tables["contacts"].query(f"recording == '{ICTAL}'").set_index("channel")
    assert not rows.loc["LA3", "used"]
    assert rows.loc["LA3", "flags"] == "edf_header"
    assert rows["used"].sum() == 4


def test_rates(root):
    Made(kinds=CLEAN, rate_hz=256, stated_hz="256").write(root, ("ictal", 1), ("interictal", 1))
    assert codes(indexed(root)) == ["low_rate", "low_rate"]
    Made(kinds=CLEAN, rate_hz=512, stated_hz="1024").write(root, ("ictal", 1), ("interictal", 1))
    tables = indexed(root)
    assert codes(tables) == ["edf_header", "edf_header"]
    assert set(tables["recordings"]["rate_hz"]) == {512.0}


def test_bad_contacts_by_policy(root):
    Made(kinds=CLEAN, bad=("EKG1", "LA2", "RB1"), marks={"LA2": "soz", "LA3": "soz"}).write(
        root, ("ictal", 1), ("interictal", 1)
    )
    used = {}
    for policy in ("drop", "keep"):
        tables = indexed(root, soz_bad=policy)
        (row,) = tables["findings"].itertuples()
        assert (row.code, row.value, row.expected) == ("soz_bad", "1", "2")
        rows = tables["contacts"].query(f"recording == '{ICTAL}'").set_index("channel")
        used[policy] = set(rows.index[rows["used"]])
        assert rows.loc["LA2", "flags"] == "soz_bad"
        assert not rows.loc["LA2", "good"]
    assert used["drop"] == {"LA1", "LA3", "RB2"}
    assert used["keep"] == {"LA1", "LA2", "LA3", "RB1", "RB2"}  # what is no contact of the brain stays out


@pytest.mark.parametrize("policy", ["drop", "keep"])
@pytest.mark.parametrize("marks", [{"LA2": "soz"}, {"LA1": "soz", "RB1": "soz"}, {"RB2": "resect"}])
def test_no_label_decides_who_is_input(root, policy, marks):
    """Bad contacts, too: a test patient's labels must not choose what the model is given."""
    Made(kinds=CLEAN, bad=("LA2", "RB1"), marks=marks).write(root, ("ictal", 1), ("interictal", 1))
    rows = indexed(root, soz_bad=policy)["contacts"]
    unmarked = {"drop": {"LA1", "LA3", "RB2"}, "keep": {"LA1", "LA2", "LA3", "RB1", "RB2"}}
    assert set(rows.loc[rows["used"], "channel"]) == unmarked[policy]


def test_the_first_ictal_run_labels_all_recordings(root):
    made = Made(kinds=CLEAN).write(root, ("ictal", 2), ("interictal", 1))
    replace(made, marks={"RB1": "soz"}).write_run(root, "ictal", 1)
    tables = indexed(root)
    assert codes(tables) == ["label_run_disagreement", "label_run_disagreement"]
    soz = tables["contacts"][tables["contacts"]["soz"].fillna(False)]
    assert soz["channel"].tolist() == ["RB1"] * 3


def test_a_patient_without_a_token_is_unlabelled(root):
    Made(kinds=CLEAN, marks={"LA3": "resect"}).write(root, ("ictal", 1), ("interictal", 1))
    tables = indexed(root)
    assert codes(tables) == ["soz_unlabelled"]
    assert tables["contacts"]["soz"].isna().all()
    assert not tables["recordings"]["labelled"].any()
    assert tables["contacts"]["resected"].fillna(False).sum() == 2


def test_coordinates_in_every_unit_are_mm(root):
    for unit, scale, found in (("mm", 1, []), ("m", 1e-3, []), ("cm", 0.1, []), ("m", 1, ["coord_units"])):
        xyz = {name: tuple(scale * value for value in place) for name, place in XYZ.items()}
        Made(kinds=CLEAN, unit=unit, xyz=xyz).write(root, ("ictal", 1), ("interictal", 1))
        tables = indexed(root)
        assert codes(tables) == found
        places = tables["contacts"].query("channel == 'LA2'")[["x_mm", "y_mm", "z_mm"]].values.tolist()[0]
        assert places == pytest.approx(XYZ["LA2"])


def test_places_that_are_not_known(root):
    Made(kinds=CLEAN, unit="pixels", xyz={k: v for k, v in XYZ.items() if k != "RB2"}).write(
        root, ("ictal", 1), ("interictal", 1)
    )
    tables = indexed(root)
    assert codes(tables) == ["coord_units", "xyz_missing"]
    assert tables["contacts"]["x_mm"].isna().all()
    assert tables["contacts"].set_index("channel")["hemisphere"]["RB2"].tolist() == ["R", "R"]  # by the shaft's name


def test_a_unit_that_is_not_stated_is_said_to_be_missing(root):
    made = Made(kinds=CLEAN).write(root, ("ictal", 1), ("interictal", 1))
    (path,) = made.folder(root).glob("*_coordsystem.json")
    path.write_text(json.dumps({"iEEGCoordinateSystem": "MNI152Lin"}))
    found = indexed(root)["findings"].set_index("code")["message"]
    assert "no iEEGCoordinateUnits" in found["coord_units"]
    assert "none" not in found["coord_units"]


def test_the_frame_of_the_readme(root):
    (root / "README").write_text("Localised in ICBM152 MNI space.")
    Made(kinds=CLEAN, frame="fsaverage").write(root, ("ictal", 1), ("interictal", 1))
    tables = indexed(root)
    assert codes(tables) == ["coord_frame"]
    assert tables["patients"].loc[0, "frame"] == "fsaverage"


def test_what_concerns_the_corpus_is_written_by_one_shard(root):
    write_participants(root, "sub-01\t1A\tS\tSEEG", "sub-09 \t3\tF\tECOG")
    Made(kinds=CLEAN).write(root, ("ictal", 1), ("interictal", 1))
    Made(kinds=CLEAN, patient="02").write(root, ("ictal", 1), ("interictal", 1))
    first, second = indexed(root, patients=("01",)), indexed(root, patients=("02",), told=False)
    assert codes(first) == ["subject_absent", "text_format"]
    assert first["findings"].loc[0, "value"] == "09"
    assert codes(second) == ["patient_unlisted"]
    assert second["patients"].loc[0, "outcome"] == ""


def test_conditions_seizures_and_scalp(root):
    Made(seizure_s=(5.0, 15.0)).write(root, ("ictal", 1))  # EKG1 typed SEEG
    tables = indexed(root)
    assert codes(tables) == ["condition_missing", "nonbrain_named", "short_seizure"]
    assert tables["contacts"].set_index("channel").loc["EKG1", "flags"] == "nonbrain_named"


@pytest.mark.parametrize(
    ("ending", "content", "code"),
    [
        ("channels.tsv", b"", "side_file_invalid"),
        ("channels.tsv", b"name\tstatus\nLA1\tgood\n", "side_file_invalid"),
        ("channels.tsv", b"name\ttype\nLA1\tSEEG\nLA1\tSEEG\n", "side_file_invalid"),
        ("channels.tsv", None, "side_file_missing"),
        ("events.tsv", b"onset\tduration\n2\t0\n", "side_file_invalid"),
        ("events.tsv", b"onset\tduration\ttrial_type\n2 s\t0\tsz onset\n", "side_file_invalid"),
        ("events.tsv", b"onset\tduration\ttrial_type\n900\t0\tsz onset\n", "annotation_invalid"),
    ],
)
def test_a_broken_side_file_costs_its_recording(root, ending, content, code):
    made = Made(kinds=CLEAN).write(root, ("ictal", 1), ("interictal", 1))
    path = made.folder(root) / f"{made.stem('ictal', 1)}_{ending}"
    path.unlink() if content is None else path.write_bytes(content)
    tables = indexed(root)
    assert tables["recordings"]["task"].tolist() == ["interictal"]
    (row,) = tables["findings"].query("severity == 'error'").itertuples()
    assert (row.code, row.recording) == (code, ICTAL)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("_electrodes.tsv", b"name\tx\nLA1\t1\n"),
        ("_coordsystem.json", b"[]"),
        ("_ieeg.json", b"{"),
        ("_electrodes.tsv", b"\xff\xfe\x00"),
    ],
)
def test_a_broken_side_file_that_can_be_spared_is_a_finding(root, name, content):
    made = Made(kinds=CLEAN).write(root, ("ictal", 1), ("interictal", 1))
    for path in made.folder(root).glob(f"*{name}"):
        path.write_bytes(content)
    tables = indexed(root)
    assert "side_file_invalid" in codes(tables)
    assert len(tables["recordings"]) == 2


@pytest.mark.parametrize(("ending", "left"), [("channels.tsv", 1), ("events.tsv", 1), ("ieeg.json", 2)])
def test_a_side_file_that_is_a_link_to_nowhere(root, ending, left):
    made = Made(kinds=CLEAN).write(root, ("ictal", 1), ("interictal", 1))
    path = made.folder(root) / f"{made.stem('ictal', 1)}_{ending}"
    path.unlink()
    path.symlink_to("nowhere")
    tables = indexed(root)
    assert "side_file_invalid" in codes(tables)
    assert len(tables["recordings"]) == left
    assert not tables["findings"]["message"].str.contains(str(root)).any()


def test_an_unknown_task_is_left_out(root):
    Made(kinds=CLEAN).write(root, ("ictal", 1), ("interictal", 1), ("naming", 1))
    tables = indexed(root)
    assert codes(tables) == ["unknown_label"]
    assert "naming" in tables["findings"].loc[0, "message"]
    with pytest.raises(SettingsError, match="ds003029"):
        indexed(root, adapter="ds003029")


def test_equal_input_gives_equal_bytes(root, tmp_path):
    Made().write(root, ("ictal", 1), ("interictal", 1))
    digests = []
    for out in (tmp_path / "a", tmp_path / "b"):
        indexed(root, out=out)
        digests.append({name: digest_result(out / f"{name}.parquet") for name in TABLES})
    assert digests[0] == digests[1]


def test_every_check_of_the_specification_has_a_code_and_a_remedy():
    checks = (
        "label_run_disagreement coord_units coord_frame nonbrain_named soz_bad xyz_missing text_format name_parse "
        "name_order subject_absent condition_missing short_seizure low_rate annex_pointer edf_header"
    )
    assert set(checks.split()) <= set(CODES)
    assert set(CODES) == set(REMEDIES)
