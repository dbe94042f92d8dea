"""The synthetic intracranial tree: equal bytes, what outside readers and our own find in it, and every planted trap."""

import csv
import json
import logging
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from ieeg_corpus import ROOT, ieeg

from pipeline.corpora import ieeg_bids, simulated_ieeg
from pipeline.corpora.ieeg.names import parse_name
from pipeline.corpora.shards import manifest_rows, recordings_of
from pipeline.findings import Findings
from pipeline.settings.soz_data import SozReading
from pipeline.stages.soz_index import contacts_frame, index, reading_of
from pipeline.stages.soz_ingest import Settings, ingest
from pipeline.store import writing_store

SECTION_8 = {
    "label_run_disagreement", "coord_units", "coord_frame", "nonbrain_named", "soz_bad", "xyz_missing", "text_format",
    "name_parse", "name_order", "subject_absent", "condition_missing", "short_seizure", "low_rate", "annex_pointer",
    "edf_header",
}  # fmt: skip
READING = SozReading.model_validate(
    {**yaml.safe_load((ROOT / "config.yaml").read_text())["soz"]["reading"], "adapter": "ds004100"}
)
SHORT = {"ictal": [1, 2], "interictal": [1, 1], "interictal_s": 12, "before_onset_s": 6, "seizure_s": [30, 40],
         "after_offset_s": 3}  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A small corpus with every trap on disk: settings, folder, and the recordings as they were written."""
    settings, home = ieeg(runs=SHORT), tmp_path_factory.mktemp("ieeg")
    return settings, home, written(settings, home)


def written(settings, home, places=None):
    """The recordings that the generator writes below `home`, of all patients or of some."""
    simulated_ieeg.write_tree(home / "corpus", settings)
    people = simulated_ieeg.patients(settings)
    return [
        files
        for place in (range(len(people)) if places is None else places)
        for files in simulated_ieeg.write_patient(home / "corpus", home / "truth", settings, people[place])
    ]


def content(home):
    """Bytes, or the link, and time of every file below a folder."""
    files = sorted(path for path in home.rglob("*") if path.is_symlink() or path.is_file())
    return {
        path.relative_to(home).as_posix(): path.readlink().as_posix()
        if path.is_symlink()
        else (path.read_bytes(), path.stat().st_mtime_ns if "corpus" in path.parts else 0)
        for path in files
        if path.name != ".lock"
    }


def table(path):
    """Lines of a TSV, read as a person would."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def truths(home):
    """(patient's truth, its recordings' truths by name) of every patient."""
    for path in sorted((home / "truth").glob("*/patient.json")):
        runs = [json.loads(one.read_text()) for one in sorted(path.parent.glob("sub-*.json"))]
        yield json.loads(path.read_text()), {run["recording"]: run for run in runs}


def test_a_patients_files_depend_on_nobody_else(corpus, tmp_path):
    settings, home, _ = corpus
    written(settings, tmp_path, places=[5, 0])  # another order, and without the others
    again, first = content(tmp_path), content(home)
    assert set(again) < set(first)
    assert {name: first[name] for name in again} == again


def test_another_seed_makes_another_corpus_of_other_people(corpus):
    settings, _, _ = corpus
    people, others = (simulated_ieeg.patients(ieeg(seed=seed)) for seed in (settings.seed, 2))
    assert not {one.patient for one in people} & {one.patient for one in others}


def test_the_reader_finds_what_was_written(corpus):
    _, home, made = corpus
    found = {one.recording: replace(one, split="train") for one in ieeg_bids.find(home / "corpus", "auto")}
    assert found == {one.recording: one for one in made}
    rows = manifest_rows(home / "corpus", made)
    assert recordings_of(rows) == made
    assert sum(row.size == 0 for row in rows) == 1  # the link that leads nowhere


def test_truth_agrees_with_the_tree(corpus):
    _, home, _ = corpus
    for person, runs in truths(home):
        folder = home / "corpus" / person["participant"] / "ses-presurgery" / "ieeg"
        for name, run in runs.items():
            rows = {row["name"]: row for row in table(folder / f"{name}_channels.tsv")}
            if not run["trap"] and "run-02" not in name:
                marks = ["soz" in rows[label]["status_description"].split(",") for label in person["labels"]]
                assert marks == person["soz"], name
                assert [rows[label]["status"] == "bad" for label in person["labels"]] == person["bad"]
            if run["onset_s"] is not None:
                events = table(folder / f"{name}_events.tsv")
                assert [float(row["onset"]) for row in events] == pytest.approx([run["onset_s"], run["offset_s"]])
                assert min(delay for delay in run["delay_s"] if delay is not None) == 0.0
            side = json.loads((folder / f"{name}_ieeg.json").read_text())
            assert side["SamplingFrequency"] == person["rate_hz"]
            assert side["RecordingDuration"] == run["duration_s"]


def test_names_are_taken_apart_as_they_were_put_together(corpus):
    _, home, _ = corpus
    styles = set()
    for person, _ in truths(home):
        styles.add(person["style"])
        for label, shaft, contact in zip(person["labels"], person["shafts"], person["contacts"], strict=True):
            parsed = parse_name(label)
            if "LAMY" not in label:
                assert (parsed.shaft.replace("é", ""), parsed.contact) == (shaft, contact)
    assert len(styles) >= 3


def test_it_says_that_it_is_synthetic(corpus):
    _, home, _ = corpus
    root = home / "corpus"
    assert "SYNTHETIC" in (root / "README.txt").read_text()
    assert "synthetic" in json.loads((root / "dataset_description.json").read_text())["Name"]
    edfs = [path for path in root.rglob("*.edf") if path.exists()]
    assert all(b"synthetic" in path.read_bytes()[:256] for path in edfs)
    assert len(edfs) > 10


def planted(home):
    """Rows of truth/traps.tsv."""
    return table(home / "truth" / "traps.tsv")


def test_every_check_is_planted_and_no_trap_stands_twice(corpus):
    _, home, _ = corpus
    rows = planted(home)
    assert {row["check"] for row in rows} >= SECTION_8
    assert len({tuple(row.values()) for row in rows}) == len(rows)
    assert all((home / "corpus" / row["file"]).exists() or row["check"] == "annex_pointer" for row in rows)


def expected_findings(home):
    """What the index must say: (check, recording or patient, value), by the list of traps."""
    found = Counter()
    for row in planted(home):
        check, detail, name = row["check"], row["detail"], row["file"].rsplit("/", 1)[-1]
        patient, stem = row["participant"].removeprefix("sub-"), name.rsplit("_", 1)[0]
        value = {
            "subject_absent": patient, "text_format": f"{detail}: 1", "coord_units": "m", "coord_frame": "fsaverage",
            "nonbrain_named": str(detail.count(",") + 1), "label_run_disagreement": detail.split(" ")[0],
        }.get(check, detail)  # fmt: skip
        if check == "name_parse" and detail not in ("padded", "hyphen", "padded,prefix"):
            value = "unparsed"
        if check in ("name_order", "edf_header", "annex_pointer"):
            value = {"reversed": "moved", "latin-1": "encoding", "rates": "rates", "range": "range"}.get(
                detail.split(" ")[0], "stop"
            )
            if detail.startswith("flat"):
                continue  # seen in the samples alone: the next test
        whole = check in ("subject_absent",) or name == "participants.tsv"
        by_run = check in (
            "label_run_disagreement", "name_order", "short_seizure", "low_rate", "annex_pointer", "edf_header",
        )  # fmt: skip
        found[check, "" if whole else stem if by_run else patient, value] += 1
    return found


def test_the_index_finds_exactly_the_planted_traps(corpus):
    _, home, made = corpus
    findings = Findings(corpus="made")
    present = {one.patient for one in made}
    rows = index(home / "corpus", made, present, reading_of(READING), findings)
    found = Counter()
    for one in findings.to_rows():
        code, recording, value = one["code"], one["recording"], str(one["value"])
        by_run = code in (
            "label_run_disagreement", "name_order", "short_seizure", "low_rate", "annex_pointer", "edf_header",
        )  # fmt: skip
        if code in ("name_order", "edf_header", "annex_pointer"):
            value = "stop" if one["action"] == "error" else value if code == "edf_header" else "moved"
        where = recording if by_run or not recording else recording.removeprefix("sub-").split("_", 1)[0]
        found[code, where, value] += 1
    assert found == expected_findings(home)
    stopped = sum(key[2] == "stop" for key in found)
    assert stopped == 3
    assert len(rows.recordings) == len(made) - stopped


def test_ingest_finds_exactly_the_flat_contact(corpus, tmp_path):
    """Seen in the samples alone: what the index cannot find."""
    _, home, made = corpus
    rows = [row for row in planted(home) if row["detail"].startswith("flat")]
    hosts = {row["participant"].removeprefix("sub-") for row in rows}
    chosen = [one for one in made if one.patient in {*hosts, made[0].patient}]
    indexed = index(home / "corpus", chosen, hosts, reading_of(READING), Findings())
    findings, recordings = Findings(), pd.DataFrame(indexed.recordings).assign(corpus="made")
    settings = Settings(corpus="made", reading=READING)
    with writing_store(tmp_path / "signals.zarr.zip") as store:
        contacts = contacts_frame(indexed.contacts)
        segments = ingest(home / "corpus", recordings, contacts, settings, findings, store, logging.getLogger())
    found = [(one["recording"], one["channel"]) for one in findings.to_rows() if one["value"] == "flatline"]
    wanted = [(row["file"].rsplit("/", 1)[-1].removesuffix("_ieeg.edf"), row["detail"][5:]) for row in rows]
    assert [(recording, parse_name(label).name) for recording, label in wanted] == found
    assert len(wanted) == 1
    assert len(segments) == len(indexed.recordings)


def samples(path):
    """Digital samples (signal, s) and labels of an EDF of one rate with one-second records; plain and slow."""
    raw = path.read_bytes()
    count, records = int(raw[252:256]), int(raw[236:244])
    labels = [raw[256 + 16 * i : 272 + 16 * i].decode("latin-1").strip() for i in range(count)]
    values = np.frombuffer(raw, "<i2", offset=256 * (count + 1)).reshape(records, count, -1)
    return values.transpose(1, 0, 2).reshape(count, -1), labels


@pytest.mark.filterwarnings("ignore")
def test_mne_bids_reads_it_the_same_way(corpus):
    """The oracle for names, statuses, onsets, places and samples, on a recording without traps of text."""
    mne_bids = pytest.importorskip("mne_bids")
    _, home, _ = corpus
    person, runs = next((p, r) for p, r in truths(home) if "label_run_disagreement" in p["traps"])
    name = next(name for name in runs if "task-ictal" in name)
    path = mne_bids.BIDSPath(
        root=home / "corpus", subject=person["participant"].removeprefix("sub-"), session="presurgery", task="ictal",
        acquisition=person["implant"].lower(), run="01", datatype="ieeg",
    )  # fmt: skip
    raw = mne_bids.read_raw_bids(path, verbose="error")
    bad = [label for label, is_bad in zip(person["labels"], person["bad"], strict=True) if is_bad]
    assert raw.ch_names[: len(person["labels"])] == person["labels"]
    assert sorted(raw.info["bads"]) == sorted(bad)
    assert raw.info["sfreq"] == person["rate_hz"]
    assert len(raw.times) == runs[name]["duration_s"] * person["rate_hz"]
    onsets = dict(zip(raw.annotations.description, raw.annotations.onset, strict=True))
    assert onsets["sz onset"] == pytest.approx(runs[name]["onset_s"])
    values, _ = samples(path.fpath)
    assert np.allclose(raw.get_data()[: len(person["labels"])] * 1e6, values[: len(person["labels"])] * 0.1, atol=0.01)
    xyz = np.array([raw.info["chs"][i]["loc"][:3] for i in range(len(person["labels"]))]) * 1000
    assert np.abs(np.linalg.norm(xyz[1] - xyz[0]) - np.linalg.norm(np.subtract(*person["xyz_mm"][1::-1]))) < 0.01
