"""Recordings and side files of an iEEG-BIDS tree by their names."""

import pytest

from pipeline.corpora.ieeg.tree import bids_name, find_listed, side_files
from pipeline.corpora.ieeg_bids import find, read_events
from pipeline.findings import CorpusError, Findings, Rejected
from tests.corpora.ieeg_tree import Made, write_participants

IEEG = "sub-01/ses-a/ieeg/"
STEM = f"{IEEG}sub-01_ses-a_task-ictal_run-01"


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")


def test_recordings_and_what_belongs_to_them(tmp_path):
    write_participants(tmp_path, "sub-01\t1A\tS\tSEEG")
    Made().write(tmp_path, ("ictal", 1), ("interictal", 1), signals=False)
    touch(
        tmp_path, *(f"sub-01/ses-presurgery/ieeg/{Made().stem(task, 1)}_ieeg.edf" for task in ("ictal", "interictal"))
    )
    touch(tmp_path, "derivatives/x/sub-01/ieeg/sub-01_task-x_ieeg.edf", "sub-01/ses-presurgery/eeg/sub-01_eeg.edf")
    ictal, interictal = find(tmp_path, "auto")
    assert (ictal.recording, ictal.patient, ictal.session) == (Made().stem("ictal", 1), "01", "presurgery")
    assert len(side_files(ictal, "events.tsv")) == 1
    assert not side_files(interictal, "events.tsv")
    for ending in ("channels.tsv", "ieeg.json", "electrodes.tsv", "coordsystem.json", "participants.tsv"):
        assert len(side_files(interictal, ending)) == 1


def test_inheritance_takes_the_nearest_table_and_all_json(tmp_path):
    own, session, top = f"{STEM}_channels.tsv", f"{IEEG}sub-01_ses-a_channels.tsv", "task-ictal_channels.tsv"
    touch(tmp_path, f"{STEM}_ieeg.edf", own, session, top, "task-ictal_ieeg.json", f"{STEM}_ieeg.json")
    touch(tmp_path, "task-rest_ieeg.json", f"{IEEG}sub-01_ses-a_task-ictal_run-02_channels.tsv")
    (files,) = find(tmp_path, "auto")
    assert side_files(files, "channels.tsv") == [own]
    assert side_files(files, "ieeg.json") == ["task-ictal_ieeg.json", f"{STEM}_ieeg.json"]
    (tmp_path / own).unlink()
    assert side_files(find(tmp_path, "auto")[0], "channels.tsv") == [session]
    (tmp_path / session).unlink()
    assert side_files(find(tmp_path, "auto")[0], "channels.tsv") == [top]


@pytest.mark.parametrize(
    "path",
    [
        f"{IEEG}recording.edf",
        f"{IEEG}sub-01_ses-a_ieeg.edf",
        f"{IEEG}sub-02_ses-a_task-x_ieeg.edf",
        "sub-01/ieeg/sub-01_ses-a_task-x_ieeg.edf",
        f"{IEEG}sub-01_ses-a_task-x_ieeg.vhdr",
        f"{IEEG}sub-01_ses-a_task-x_ieeg.edf.gz",
        f"{IEEG}sub-01_ses-a_task-x_task-y_ieeg.edf",
        "sub-01_task-x_ieeg.edf",
    ],
)
def test_an_ieeg_file_that_fits_nowhere_is_an_error(tmp_path, path):
    touch(tmp_path, path)
    with pytest.raises(CorpusError, match=path.rsplit("/", 1)[-1]):
        find(tmp_path, "auto")


def test_versions(tmp_path):
    with pytest.raises(CorpusError, match="known is auto"):
        find(tmp_path, "v2")


def test_an_inventory_stands_for_the_recordings(tmp_path):
    Made().write(tmp_path, ("ictal", 1), signals=False)
    assert find(tmp_path, "auto") == []
    (files,) = find_listed(tmp_path, [f"sub-01/ses-presurgery/ieeg/{Made().stem('ictal', 1)}_ieeg.edf"])
    assert len(side_files(files, "channels.tsv")) == 1


def test_names_taken_apart():
    name = bids_name(f"{STEM}_ieeg.edf")
    assert name.entities == {"sub": "01", "ses": "a", "task": "ictal", "run": "01"}
    assert name.run == (1, "01")
    assert bids_name("sub-01_sub-02_ieeg.edf") is None
    assert bids_name("README") is None


def test_read_events_of_the_plug_in(tmp_path):
    Made().write(tmp_path, ("ictal", 1), ("interictal", 1))
    ictal, interictal = find(tmp_path, "auto")
    findings = Findings()
    (event,) = read_events(tmp_path, ictal, 40.0, findings)
    assert (event.onset_s, event.offset_s, event.code) == (2.0, 38.5, "seiz")
    assert not len(findings)
    assert read_events(tmp_path, interictal, 40.0, findings) is None
    assert [finding.code for finding in findings] == ["annotation_missing"]
    (tmp_path / side_files(ictal, "events.tsv")[0]).write_text("nothing\there\n")
    with pytest.raises(Rejected) as caught:
        read_events(tmp_path, ictal, 40.0, findings)
    assert caught.value.finding.code == "side_file_invalid"
