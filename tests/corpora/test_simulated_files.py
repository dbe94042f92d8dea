"""The synthetic corpus on disk: names, bytes, headers, and one event table behind every annotation file."""

import hashlib
import json
import platform
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyedflib
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from numpy._core._multiarray_umath import __cpu_features__
from simulated_corpus import REPOSITORY, cases, simulation

from pipeline.corpora import tusz
from pipeline.corpora._szcore import COLUMNS
from pipeline.corpora._wfdb import read_wfdb
from pipeline.corpora.records import Event, RecordingFiles
from pipeline.corpora.scalp.annotations import whole_events
from pipeline.corpora.scalp.chbmit_files import SCALE as CHBMIT
from pipeline.corpora.scalp.chbmit_files import wfdb_annotations
from pipeline.corpora.scalp.edf import Channel
from pipeline.corpora.scalp.files import write_signals
from pipeline.corpora.scalp.tusz_files import SCALE as TUSZ_SCALE
from pipeline.corpora.shards import read_manifest
from pipeline.corpora.simulated_scalp import files_of, patients, write_patient, write_tree
from pipeline.findings import Findings
from pipeline.plugins import load_plugin
from pipeline.settings.base import SettingsError
from pipeline.settings.config import parse_config
from pipeline.settings.simulation import READER_OF
from pipeline.signals.montages import MONTAGES
from workflow.lib.code import code_modules

ONE_EACH = {kind: {"train": 1} for kind in ("CF", "AB")}
SMALL = {"cohort": ONE_EACH, "minutes": 1.5, "recordings_per_patient": 2, "seizures": {"CF": [1], "AB": [2]}}
TUSZ = ["tusz_v1", "tusz_v2"]
NO_ROOM = re.compile(r"RECORDS.*|.*_events\.tsv")  # neither a comment nor another column is allowed in these


def tree(root: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file below a folder; the lock between writers is no content."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(root).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def identity(files: RecordingFiles) -> tuple[object, ...]:
    """All but the lists of the whole tree, which a shard's manifest leaves out: they change with other shards."""
    own = tuple(sorted(name for name in files.annotations if "/" in name))
    return files.recording, files.patient, files.session, files.montage, files.edf, own


@pytest.fixture(scope="module", params=list(READER_OF))
def corpus(request, tmp_path_factory):
    """A small corpus on disk: its settings and root."""
    settings = simulation(**SMALL, format=request.param)
    root = tmp_path_factory.mktemp(request.param)
    write_tree(root / "corpus", settings)
    written = [
        files
        for patient in patients(settings)
        for files in write_patient(root / "corpus", root / "truth", settings, patient)
    ]
    return settings, root, written


def test_the_cohort_needs_only_the_standard_library():
    code = (
        "import sys, pipeline.corpora.simulated_scalp as s; "
        "print([m for m in ('numpy', 'scipy', 'pandas', 'mne', 'torch') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_a_larger_cohort_keeps_the_patients_it_had():
    small, large = simulation(), simulation(cohort={**simulation().cohort, "CF": {"train": 15, "test": 6}})
    before = {one.patient for one in patients(small) if (one.kind, one.split) == ("CF", "train")}
    after = {one.patient for one in patients(large) if (one.kind, one.split) == ("CF", "train")}
    assert before < after
    assert len(after) == 15


def test_default_cohort_has_two_of_every_class_in_every_split():
    found = [(one.kind, one.split) for one in patients(simulation())]
    counts = {key: found.count(key) for key in found}
    assert len(found) == 44
    assert set(counts) == {(k, s) for k in ("CF", "GN", "AB", "CT") for s in ("train", "validation", "test")}
    assert min(counts.values()) >= 2


def test_ids_fit_the_corpus_generation():
    old, new = (patients(simulation(format=layout)) for layout in ("tusz_v1", "tusz_v2"))
    assert all(len(one.patient) == 8 and one.patient.isdigit() and one.patient > "90000000" for one in old)
    assert all(len(one.patient) == 8 and one.patient.isalpha() and one.patient.islower() for one in new)
    assert [one.number for one in old] == [one.number for one in new]
    assert len({one.patient for one in new}) == len(new)


def test_the_reader_finds_what_was_written(corpus):
    settings, root, written = corpus
    found = load_plugin("corpora", READER_OF[settings.format]).find(root / "corpus", "auto")
    assert {identity(files) for files in found} == {identity(files) for files in written}
    named = {files_of(settings, patient, session).edf for patient in patients(settings) for session in (1, 2)}
    assert {files.edf for files in found} == named


@pytest.mark.parametrize("corpus", TUSZ, indirect=True)
def test_annotations_read_back_as_the_same_events(corpus):
    settings, root, _ = corpus
    files = {one.recording: one for one in tusz.find(root / "corpus", "auto")}
    seen = 0
    for case in cases(settings):
        session = seen % settings.recordings_per_patient + 1
        name = files_of(settings, case.who, session).recording
        findings = Findings()
        read = tusz.read_events(root / "corpus", files[name], case.made.duration_s, findings)
        assert not list(findings)
        key = lambda e: (e.channel, round(e.onset_s, 4), round(e.offset_s, 4), e.code)  # noqa: E731
        written = [*case.made.events, *whole_events(case.made.events, binary=False)]
        assert sorted(map(key, read)) == sorted(map(key, written))
        seen += 1
    assert seen == 4


@pytest.mark.parametrize("corpus", TUSZ, indirect=True)
def test_samples_survive_the_file_to_half_a_bit(corpus):
    settings, root, _ = corpus
    case = next(iter(cases(settings)))
    files = files_of(settings, case.who, 1)
    with pyedflib.EdfReader(str(root / "corpus" / files.edf)) as reader:
        assert reader.filetype == pyedflib.FILETYPE_EDF
        assert reader.getSignalLabels()[:2] == [channel.label for channel in case.made.channels[:2]]
        read = np.array([reader.readSignal(row) for row in range(19)])
    assert b"synthetic" in (root / "corpus" / files.edf).read_bytes()[88:168]
    clipped = np.clip(case.scalp, -3276.7, 3276.7)
    assert np.abs(read - clipped).max() <= 0.0501


def test_G4_bytes_do_not_depend_on_company_order_or_process(corpus, tmp_path):
    """The stage makes each patient in a process of its own, both at the same time."""
    settings, root, _ = corpus
    ids = [one.patient for one in patients(settings)]
    started = []
    for shard, patient in (("train-01", ids[1]), ("train-00", ids[0])):
        command = [
            sys.executable, "-m", "pipeline.stages.simulate",
            "--settings", json.dumps({"simulate": settings.model_dump(mode="json")}),
            "--root", str(tmp_path / "corpus"), "--truth", str(tmp_path / "truth"),
            "--shard", shard, "--patients", patient, "--manifest", str(tmp_path / f"{shard}.tsv"),
        ]  # fmt: skip
        started.append(subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.DEVNULL))
    assert [process.wait(timeout=300) for process in started] == [0, 0]
    assert tree(tmp_path / "corpus") == tree(root / "corpus")
    assert {k: v[0] for k, v in tree(tmp_path / "truth").items()} == {k: v[0] for k, v in tree(root / "truth").items()}
    rows = read_manifest(tmp_path / "train-00.tsv")
    assert {row.patient for row in rows} == {ids[0]}
    assert all((tmp_path / "corpus" / row.path).stat().st_size == row.size for row in rows)


def test_G4_both_generations_hold_the_same_samples(tmp_path):
    content = []
    for layout in ("tusz_v1", "tusz_v2"):
        settings = simulation(**{**SMALL, "cohort": {"CF": {"test": 1}}, "recordings_per_patient": 1}, format=layout)
        (files,) = write_patient(tmp_path / layout, tmp_path / "truth", settings, patients(settings)[0])
        content.append((tmp_path / layout / files.edf).read_bytes())
    assert content[0] == content[1]


def test_G6_every_file_says_that_it_is_synthetic(corpus):
    _, root, _ = corpus
    for name, (content, _) in tree(root).items():
        if name.startswith("truth/"):
            assert b'"synthetic": true' in content, name
        elif not NO_ROOM.fullmatch(name.rsplit("/", 1)[-1]):
            assert b"synthetic" in content.lower(), name
    assert b"SYNTHETIC" in (root / "corpus" / "README.txt").read_bytes()


def test_hidden_truth_is_in_no_annotation(corpus):
    _, root, _ = corpus
    for name, (content, _) in tree(root / "corpus").items():
        if not name.endswith(".edf"):
            assert not any(word in content for word in (b"focus", b"recruit", b"truth", b"seizure_like")), name


FROZEN = {  # names, annotations and headers; mean magnitude of the EEG (µV), which no rounding of a product moves
    "tusz_v1": ("40bbc3d3bfd96f74", 29.176),
    "tusz_v2": ("168acae4bf0e3b1d", 29.176),
}


@pytest.mark.parametrize("corpus", TUSZ, indirect=True)
def test_the_simulator_is_frozen(corpus):
    """Scores of earlier runs can be compared as long as these stand (docs/simulator.md)."""
    if platform.machine() in ("x86_64", "AMD64") and not __cpu_features__["FMA3"]:
        pytest.skip("without fused multiplication a last bit, and with it the end of an event, may differ")
    settings, root, _ = corpus
    digest, sizes = hashlib.blake2b(digest_size=8), []
    for name, (content, _) in tree(root / "corpus").items():
        header = content[: 256 * (int(content[252:256]) + 1)] if name.endswith(".edf") else content
        digest.update(name.encode() + header)
        if name.endswith(".edf"):
            with pyedflib.EdfReader(str(root / "corpus" / name)) as reader:
                sizes.append(np.mean([np.abs(reader.readSignal(row)).mean() for row in range(19)]))
    expected = FROZEN[settings.format]
    assert digest.hexdigest() == expected[0]
    assert np.mean(sizes) == pytest.approx(expected[1], abs=0.01)


TRAPS = {"two_montages": 1.0, "missing_midline": 1.0, "one_hz_channel": 1.0, "dummy_channels": 1.0}


def test_T01_T24_T27_traps_are_planted_on_request():
    settings = simulation(**{**SMALL, "cohort": {"CF": {"train": 1}}}, traps=TRAPS)
    folders = {files_of(settings, patients(settings)[0], session).montage for session in (1, 2)}
    assert len(folders) == 2
    channels = next(iter(cases(settings))).made.channels
    assert not {"FZ", "PZ"} & {channel.label.split()[-1].split("-")[0] for channel in channels}
    assert [channel.rate_hz for channel in channels if channel.label == "IBI"] == [1]


def test_T12_a_seizure_free_file_has_one_background_row(tmp_path):
    settings = simulation(**{**SMALL, "seizures": {"CF": [0], "AB": [0]}, "cohort": {"CF": {"train": 1}}})
    written = write_patient(tmp_path, tmp_path / "truth", settings, patients(settings)[0])
    rows = [line for line in (tmp_path / written[0].annotations[1]).read_text().splitlines() if line[0] != "#"]
    assert rows[1:] == ["TERM,0.0000,90.0000,bckg,1.0000"]


def test_T19_label_channels_count_in_the_montage_of_the_file(tmp_path):
    settings = simulation(**SMALL, format="tusz_v1", montages={"03_tcp_ar_a": 1.0})
    patient = patients(settings)[0]
    files = write_patient(tmp_path, tmp_path / "truth", settings, patient)[0]
    lines = (tmp_path / next(name for name in files.annotations if name.endswith(".lbl"))).read_text().splitlines()
    montage = [line.split(",")[1].split(":")[0].strip() for line in lines if line.startswith("montage")]
    assert tuple(montage) == MONTAGES["03_tcp_ar_a"]
    assert {int(line.split(",")[4]) for line in lines if line.startswith("label")} == set(range(20))


def test_T31_T32_dummy_channels_change_the_montage_within_a_case(tmp_path):
    """T8-P8 is there twice with the same samples; some recordings have five `-` channels, and the summary says so."""
    traps = {**TRAPS, "two_montages": 0.0, "missing_midline": 0.0, "dummy_channels": 0.5}
    settings = simulation(**{**SMALL, "recordings_per_patient": 4, "minutes": 1}, format="chbmit", traps=traps)
    written = write_patient(tmp_path, tmp_path / "truth", settings, patients(settings)[0])
    dummies = []
    for files in written:
        with pyedflib.EdfReader(str(tmp_path / files.edf)) as reader:
            labels = reader.getSignalLabels()
            twice = [row for row, label in enumerate(labels) if label == "T8-P8"]
            assert len(twice) == 2
            assert np.array_equal(*(reader.readSignal(row, digital=True) for row in twice))
            none = [row for row, label in enumerate(labels) if label == "-"]
            assert all(reader.getDigitalMinimum(row) == reader.getDigitalMaximum(row) for row in none)
            assert len(labels) == 20 + len(none)
            dummies.append(len(none))
    assert set(dummies) == {0, 5}
    changes = sum(one != other for one, other in pairwise(dummies))
    summary = (tmp_path / written[0].annotations[-1]).read_text()
    assert summary.count("Channels changed:") == changes > 0


def test_T37_the_first_recording_of_a_patient_goes_over_midnight(tmp_path):
    settings = simulation(**{**SMALL, "cohort": {"AB": {"train": 1}}}, format="siena")
    (files, *_) = write_patient(tmp_path, tmp_path / "truth", settings, patients(settings)[0])
    text = (tmp_path / files.annotations[0]).read_text()
    assert re.search(r"Registration start time: 23\.59\.00\nRegistration end time:  00\.00\.30\n", text)
    assert (tmp_path / files.edf).read_bytes()[176:184] == b"23.59.00"


def test_T33_the_summary_has_both_spellings_and_hours_beyond_23(tmp_path):
    settings = simulation(**{**SMALL, "cohort": {"AB": {"train": 1}}, "seizures": {"AB": [1, 2]}}, format="chbmit")
    settings = settings.model_copy(update={"recordings_per_patient": 4})
    (files, *_) = write_patient(tmp_path, tmp_path / "truth", settings, patients(settings)[0])
    text = (tmp_path / files.annotations[-1]).read_text()
    assert re.search(r"^File Start Time: 25:29:00$", text, re.MULTILINE)
    assert re.search(r"^Seizure Start Time: \d+ seconds$", text, re.MULTILINE)
    assert re.search(r"^Seizure 2 Start Time: \d+ seconds$", text, re.MULTILINE)


def test_T41_a_seizure_free_bids_recording_has_one_background_row(tmp_path):
    settings = simulation(**{**SMALL, "cohort": {"CF": {"train": 1}}, "seizures": {"CF": [0]}}, format="bids")
    (files, *_) = write_patient(tmp_path, tmp_path / "truth", settings, patients(settings)[0])
    rows = (tmp_path / files.annotations[0]).read_text().splitlines()
    assert rows[0].split("\t") == list(COLUMNS)
    assert rows[1:] == ["0.00\t90.00\tbckg\tn/a\tn/a\t2015-01-01 00:00:00\t90.00"]


def test_no_invented_patient_bears_the_id_of_a_real_one():
    """Nor of one that a table names: chb01 and chb21, the five in both splits of TUSZ v1.5.2."""
    for layout, real in {"chbmit": r"chb\d\d", "siena": r"PN\d\d", "tusz_v1": r"0000\d+"}.items():
        ids = [one.patient for one in patients(simulation(format=layout))]
        assert len(set(ids)) == 44
        assert not any(re.fullmatch(real, name) for name in ids)


def test_an_edit_of_a_reader_does_not_make_the_corpus_anew():
    """What `simulate` runs holds no code that reads EDFs or annotations."""
    modules = code_modules(REPOSITORY, "simulate", "corpora.simulated_scalp")
    readers = {"channels", "edf_header", "edf_samples", "_events_tsv", "_event_rules", "_tusz_labels", "_wfdb"}
    assert not readers & {name.rsplit(".", 1)[-1] for name in modules}


def test_T34_annotations_of_chbmit_are_encoded_as_in_the_real_file():
    """A real `.edf.seizures`, decoded and encoded again, says the same; and so do times beyond 16 bits of samples."""
    path = REPOSITORY.parent / "shared" / "real-eeg" / "headers_whitenoise" / "chb06_04.edf.seizures"
    if not path.exists():
        pytest.skip(f"{path.name}: the real files are not here")
    real = read_wfdb(path.read_bytes())
    events = [Event(onset_s=start_s, offset_s=stop_s, code="seiz") for start_s, stop_s in real.spans_s()]
    again = wfdb_annotations(events, 256)
    assert again.endswith(path.read_bytes()[36:])
    assert read_wfdb(again).spans_s() == real.spans_s() == [(327.0, 347.0), (6211.0, 6231.0)]


@given(st.lists(st.integers(0, 24 * 3600 * 400), min_size=2, max_size=8, unique=True), st.sampled_from([250, 256, 400]))
def test_annotations_of_chbmit_keep_every_sample(edges, rate_hz):
    pairs = list(zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False))
    events = [Event(onset_s=one / rate_hz, offset_s=two / rate_hz, code="seiz") for one, two in pairs]
    assert read_wfdb(wfdb_annotations(events, rate_hz)).spans_s() == [(e.onset_s, e.offset_s) for e in events]


def test_amplitudes_beyond_a_format_s_range_are_cut_at_its_limit(tmp_path):
    wave = np.array([-5000.0, -900.0, 0.0, 900.0, 5000.0] * 2, np.float32)
    for scale, limit_uv in ((CHBMIT, 800.0), (TUSZ_SCALE, 3276.7)):
        path = tmp_path / f"{limit_uv:.0f}.edf"
        write_signals(path, [Channel("EEG CZ", wave, 5)], scale=scale, clock="00.00.00")
        with pyedflib.EdfReader(str(path)) as reader:
            assert reader.readSignal(0) == pytest.approx(np.clip(wave, -limit_uv, limit_uv), abs=0.2)


def test_a_reader_of_another_format_stops_before_any_job():
    values = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    values["corpora"]["synthetic"]["simulate"]["format"] = "siena"
    with pytest.raises(SettingsError, match=r"'tusz' does not read .* 'siena'; set reader: siena"):
        parse_config(values)
    values["corpora"]["synthetic"]["reader"] = "siena"
    parse_config(values)
