"""mne-bids as the oracle of our reading of side files (DESIGN.md, Decisions), on a small tree that the test writes."""

import math

import mne
import mne_bids
import pytest

from pipeline.corpora.ieeg.adapter import load_adapter
from pipeline.corpora.ieeg.tables import IndexRows, Reading, index_patient
from pipeline.corpora.ieeg.tree import side_files
from pipeline.corpora.ieeg_bids import find
from pipeline.findings import Findings
from tests.corpora.ieeg_tree import CONTACTS, Made, tone_hz, write_participants

RUNS = (("ictal", 1), ("ictal", 2), ("interictal", 1))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two patients; the second one's side files stand in the EDF's order, and have a byte order mark."""
    folder = tmp_path_factory.mktemp("oracle") / "bids"
    folder.mkdir()
    write_participants(folder, "sub-01\t1A\tS\tSEEG", "sub-02\t3\tF\tECOG")
    kinds = {"EKG1": "ECG"}
    Made(kinds=kinds, bad=("LA3", "EKG1")).write(folder, *RUNS)
    second = Made(patient="02", kinds=kinds, frame="MNI305", unit="m")
    second.xyz = {name: tuple(value / 1000 for value in place) for name, place in second.xyz.items()}
    second.write(folder, *RUNS)
    for path in second.folder(folder).glob("*.tsv"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    return folder


@pytest.fixture(scope="module")
def rows(root):
    made, findings = IndexRows(), Findings()
    reading = Reading(adapter=load_adapter("ds004100"), soz_bad="drop", low_rate_hz=500, signals=True)
    for patient in ("01", "02"):
        listed = [files for files in find(root, "auto") if files.patient == patient]
        index_patient(root, listed, {}, reading, made, findings)
    return made


def oracle_paths(root):
    return {path.basename.removesuffix("_ieeg.edf"): path for path in mne_bids.find_matching_paths(
        root, datatypes="ieeg", suffixes="ieeg", extensions=".edf"
    )}  # fmt: skip


def test_the_same_recordings_and_side_files(root):
    ours = {files.recording: files for files in find(root, "auto")}
    theirs = oracle_paths(root)
    assert set(ours) == set(theirs)
    assert len(ours) == 6
    for recording, path in theirs.items():
        for suffix, extension in (("channels", ".tsv"), ("ieeg", ".json"), ("coordsystem", ".json")):
            found = path.find_matching_sidecar(suffix=suffix, extension=extension)
            assert side_files(ours[recording], suffix + extension) == [found.relative_to(root).as_posix()]


@pytest.fixture(scope="module")
def read(root):
    """Every recording as mne-bids reads it."""
    with mne.utils.use_log_level("ERROR"):
        return {name: mne_bids.read_raw_bids(path) for name, path in oracle_paths(root).items()}


@pytest.mark.filterwarnings("ignore")
def test_names_rows_status_and_types(rows, read):
    for recording, raw in read.items():
        own = [row for row in rows.contacts if row["recording"] == recording]
        assert {row["channel"]: row["edf_row"] for row in own} == {name: raw.ch_names.index(name) for name in CONTACTS}
        assert {row["channel"] for row in own if row["status"] == "bad"} == set(raw.info["bads"])
        seeg = [raw.ch_names[i] for i in mne.pick_types(raw.info, seeg=True, exclude=[])]
        assert {row["channel"] for row in own if row["intracranial"]} == set(seeg)


@pytest.mark.filterwarnings("ignore")
def test_the_samples_at_our_row_are_those_of_the_name(rows, read):
    for recording, raw in read.items():
        rate_hz = raw.info["sfreq"]
        for row in (row for row in rows.contacts if row["recording"] == recording):
            samples = raw.get_data(picks=[row["edf_row"]])[0]
            crossings = sum((samples[:-1] < 0) & (samples[1:] >= 0)) / (len(samples) / rate_hz)
            assert crossings == pytest.approx(tone_hz(row["channel"]), abs=0.1)


@pytest.mark.filterwarnings("ignore")
def test_places_mains_and_durations(rows, read):
    facts = {row["recording"]: row for row in rows.recordings}
    for recording, raw in read.items():
        assert facts[recording]["mains_hz"] == raw.info["line_freq"]
        assert facts[recording]["rate_hz"] == raw.info["sfreq"]
        assert facts[recording]["duration_s"] == raw.n_times / raw.info["sfreq"]
        places = raw.get_montage().get_positions()["ch_pos"]
        for row in (row for row in rows.contacts if row["recording"] == recording and not math.isnan(row["x_mm"])):
            own = [row["x_mm"], row["y_mm"], row["z_mm"]]
            assert [1000 * float(value) for value in places[row["channel"]]] == pytest.approx(own)


@pytest.mark.filterwarnings("ignore")
def test_onsets(rows, read):
    for recording, raw in read.items():
        onsets = [float(one["onset"]) for one in raw.annotations if one["description"] == "sz onset"]
        assert onsets == [row["onset_s"] for row in rows.seizures if row["recording"] == recording]
