"""BIDS-EEG trees and their event tables; the number of the trap (formats.md) stands in the name of its test."""

import json

import pytest

from pipeline.corpora._bids_tree import event_paths
from pipeline.corpora.bids import find, read_events
from pipeline.corpora.records import Event
from pipeline.findings import CorpusError, Findings, Rejected

HEAD = "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration\n"
STEM = "sub-01/ses-02/eeg/sub-01_ses-02_task-szMonitoring_run-00"


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")


def read(root, text, duration_s=100.0):
    touch(root, f"{STEM}_eeg.edf")
    (root / f"{STEM}_events.tsv").write_bytes(text.encode())
    (files,) = find(root, "auto")
    findings = Findings()
    events = read_events(root, files, duration_s, findings)
    return events, [finding.code for finding in findings]


def refused(root, text):
    with pytest.raises(Rejected) as caught:
        read(root, text)
    assert caught.value.finding.code == "annotation_invalid"
    return caught.value.finding.message


def test_names(tmp_path):
    touch(
        tmp_path,
        f"{STEM}_eeg.edf",
        "sub-2b/eeg/sub-2b_task-rest_eeg.edf",
        "participants.tsv",
        "dataset_description.json",
    )
    touch(tmp_path, "derivatives/clean/sub-01/eeg/sub-01_eeg.edf", "sub-01/ses-02/ieeg/sub-01_ses-02_ieeg.edf")
    found = {files.recording: files for files in find(tmp_path, "auto")}
    assert set(found) == {"sub-01_ses-02_task-szMonitoring_run-00", "sub-2b_task-rest"}
    assert [(files.patient, files.session) for files in found.values()] == [("01", "02"), ("2b", "")]
    assert found["sub-2b_task-rest"].annotations == ("participants.tsv",)


@pytest.mark.parametrize(
    "path",
    [
        "sub-01/eeg/recording.edf",
        "sub-01/eeg/sub-02_task-x_eeg.edf",
        "sub-01/eeg/sub-01_ses-01_task-x_eeg.edf",
        "sub-01/ses-01/sub-01_ses-01_task-x_eeg.edf",
        "sub-01/eeg/sub-01_task-x_eeg.vhdr",
        "sub-01/eeg/sub-01_task-x_eeg.bdf",
        "sub-01/eeg/sub-01_task-x_eeg.edf.gz",
        "sub-01/eeg/sub-01_task-x_eeg.cnt",
        "sub-01/eeg/sub-01_task-x_eeg.nwb",
        "sub-01/eeg/Sub-01_task-x_EEG.SET",
        "Sub-01/eeg/Sub-01_task-x_eeg.edf",
        "sub-01_task-x_eeg.edf",
        "patients/sub-01/eeg/sub-01_task-x_eeg.edf",
    ],
)
def test_an_eeg_file_that_fits_nowhere_is_an_error(tmp_path, path):
    touch(tmp_path, path)
    with pytest.raises(CorpusError, match=r"(?i)sub-01"):
        find(tmp_path, "auto")
    with pytest.raises(CorpusError, match="known is auto"):
        find(tmp_path, "v2")


def test_T41_one_row_of_background_is_no_seizure(tmp_path):
    assert read(tmp_path, HEAD + "0.00\t100.00\tbckg\tn/a\tn/a\tn/a\t100.00\n") == ([], [])


def test_T41_a_header_without_rows_is_no_seizure_and_noted(tmp_path):
    assert read(tmp_path, HEAD) == ([], ["annotation_invalid"])


@pytest.mark.parametrize(
    ("event_type", "code"),
    [
        ("sz", "seiz"), ("sz_foc", "fnsz"), ("sz_foc_a", "spsz"), ("sz_foc_ia_m_automatisms", "cpsz"),
        ("sz_foc_ua", "fnsz"), ("sz_foc_ua_nm_sensory", "fnsz"), ("sz_foc_f2b", "fnsz"), ("sz_gen", "gnsz"),
        ("sz_gen_m_tonicClonic", "tcsz"), ("sz_gen_m_myoTC", "gnsz"), ("sz_gen_nm", "absz"),
        ("sz_gen_nm_typical", "absz"), ("sz_gen_nm_myoclonic", "mysz"), ("sz_uo", "seiz"), ("sz_uo_nm", "seiz"),
    ],
)  # fmt: skip
def test_T42_event_types_of_the_list(tmp_path, event_type, code):
    events, codes = read(tmp_path, HEAD + f"1.00\t2.50\t{event_type}\t0.70\tn/a\t2020-01-01 00:00:00\t100.00\n")
    assert events == [Event(onset_s=1.0, offset_s=3.5, code=code, confidence=0.7)]
    assert codes == []


@pytest.mark.parametrize(
    ("event_type", "near"),
    [("SZ", "sz"), ("Sz_Foc_ia", "sz_foc_ia"), ("sz_gen_typical", "sz_gen_nm_typical"), ("seiz", "sz"), ("n/a", "sz"),
     ("sz_foc_xy", "sz_foc"), ("fnsz", "sz_foc"), ("", "sz")],
)  # fmt: skip
def test_T42_an_unknown_type_names_line_and_nearest(tmp_path, event_type, near):
    message = refused(tmp_path, HEAD + f"0\t1\tsz\tn/a\tn/a\tn/a\t100\n5\t6\t{event_type}\tn/a\tn/a\tn/a\t100\n")
    assert "_events.tsv, line 3" in message
    assert f"nearest is '{near}" in message
    assert (event_type or "blank") in message or f"text of {len(event_type)} characters" in message


def test_T43_runs_are_paired_by_name(tmp_path):
    """Runs from 00 in one session, from 01 in another; one recording has no table."""
    runs = {"01": ["00", "01"], "02": ["01", "02"]}
    for session, numbers in runs.items():
        for run in numbers:
            stem = f"sub-01/ses-{session}/eeg/sub-01_ses-{session}_task-szMonitoring_run-{run}"
            touch(tmp_path, f"{stem}_eeg.edf")
            onset = 10 * int(session) + int(run)
            if (session, run) != ("02", "02"):
                (tmp_path / f"{stem}_events.tsv").write_text(HEAD + f"{onset}\t1\tsz\tn/a\tn/a\tn/a\t100\n")
    found = {files.recording: files for files in find(tmp_path, "auto")}
    onsets = {}
    for files in found.values():
        findings = Findings()
        events = read_events(tmp_path, files, 100.0, findings)
        onsets[files.session, files.recording[-2:]] = None if events is None else events[0].onset_s
        assert [finding.code for finding in findings] == ([] if events else ["annotation_missing"])
    assert onsets == {("01", "00"): 10, ("01", "01"): 11, ("02", "01"): 21, ("02", "02"): None}


@pytest.mark.parametrize("column", ["eventType", "trial_type"])
def test_T44_core_bids_bom_and_crlf(tmp_path, column):
    text = f"\ufeffonset\tduration\t{column}\r\n5\t10\tsz_foc_ia\r\n20.5\t1\tbckg\r\n"
    events, codes = read(tmp_path, text)
    assert [(event.onset_s, event.offset_s, event.code) for event in events] == [(5, 15, "cpsz")]
    assert codes == []


def test_T44_the_rate_of_the_sidecar_is_not_needed(tmp_path):
    """`"512.0"` as text is met there; the EDF has the rate, and the file is not opened."""
    (tmp_path / STEM).parent.mkdir(parents=True)
    (tmp_path / f"{STEM}_eeg.json").write_text(json.dumps({"SamplingFrequency": "512.0"}))
    assert read(tmp_path, HEAD + "0.00\t100.00\tbckg\tn/a\tn/a\tn/a\t100.00\n") == ([], [])
    (files,) = find(tmp_path, "auto")
    assert not any(path.endswith("json") for path in files.annotations)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "n/a\t5\tsz\n", "line 2: onset is no number"),
        (HEAD + "1\t5\tsz\n\n2\tn/a\tsz\n", "line 4: duration is no number"),
        (HEAD + "1\n", "line 2: duration is no number of seconds but blank"),
        (HEAD + "1\tnan\tsz\n", "of seconds but nan"),
        ("onset\tduration\n1\t5\n", "no column eventType"),
        ("start\tstop\teventType\n1\t5\tsz\n", "no column onset, duration"),
        ("", "no column onset, duration"),
    ],
)
def test_a_row_that_cannot_be_read_rejects_the_recording(tmp_path, text, said):
    assert said in refused(tmp_path, text)


def test_a_recording_duration_that_is_unknown_or_differs_is_noted(tmp_path):
    """The EDF decides (T15)."""
    assert read(tmp_path, HEAD + "1\t2\tsz\tn/a\tn/a\tn/a\tn/a\n")[1] == []
    assert read(tmp_path, HEAD + "1\t2\tsz\tn/a\tn/a\tn/a\tlong\n")[1] == ["annotation_invalid"]
    assert read(tmp_path, HEAD + "1\t2\tsz\tn/a\tn/a\tn/a\t120\n")[1] == ["duration_disagrees"]


def test_events_outside_the_recording_are_clipped_or_refused(tmp_path):
    events, codes = read(tmp_path, HEAD + "-1\t50\tsz\n60\t40.5\tsz\n")
    assert [(event.onset_s, event.offset_s) for event in events] == [(0, 49), (60, 100)]
    assert codes == ["annotation_clipped", "annotation_clipped"]
    with pytest.raises(Rejected) as caught:
        read(tmp_path, HEAD + "90\t50\tsz\n")
    assert caught.value.finding.code == "annotation_outside"


@pytest.mark.parametrize("span", ["10\t0", "10\t-5", "100\t0.5"])
def test_row13_the_only_seizure_without_length_leaves_the_recording_out(tmp_path, span):
    assert "a seizure is stated" in refused(tmp_path, HEAD + f"{span}\tsz\n0\t9\tbckg\n")
    events, codes = read(tmp_path, HEAD + f"{span}\tsz\n50\t9\tsz\n")  # beside another it is dropped, and told
    assert [(event.onset_s, event.offset_s) for event in events] == [(50, 59)]
    assert len(codes) == 1


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(10, 50, "sz_foc", "n/a"), (20, 20, "sz_gen", "n/a")], (10, 60, "fnsz")),
        ([(10, 20, "sz_foc", "n/a"), (20, 50, "sz_gen", "n/a")], (10, 70, "gnsz")),
        ([(20, 20, "sz_gen", "n/a"), (10, 20, "sz_foc", "n/a")], (10, 40, "fnsz")),  # a tie: by the alphabet
        ([(10, 30, "sz_foc", "n/a"), (20, 20, "sz_gen", "F7-T3,T3-C3")], (10, 40, "gnsz")),  # 40 channel-seconds
    ],
)
def test_row14_types_that_overlap_are_one_seizure(tmp_path, rows, expected):
    text = HEAD + "".join(f"{a}\t{b}\t{kind}\tn/a\t{channels}\n" for a, b, kind, channels in rows)
    events, codes = read(tmp_path, text)
    whole = [(event.onset_s, event.offset_s, event.code) for event in events if event.channel == "TERM"]
    assert (whole, codes) == ([expected], ["annotation_overlap"])


def test_a_separator_of_lines_inside_a_cell_ends_no_row(tmp_path):
    text = "onset\tduration\teventType\tremark\n10\t5\tsz\ta\u2028b\x85c\x0bd\n"
    assert [event.onset_s for event in read(tmp_path, text)[0]] == [10]
    assert [event.onset_s for event in read(tmp_path, text.replace("\n", "\r"))[0]] == [10]


def test_channels_become_events_of_their_own(tmp_path):
    events, _ = read(tmp_path, HEAD + "1\t2\tsz\tn/a\tf7-t3, T3 - C3\tn/a\t100\n")
    assert [event.channel for event in events] == ["TERM", "F7-T3", "T3-C3"]


def test_a_line_for_channels_within_a_whole_one_is_no_second_seizure(tmp_path):
    """Simulated corpora give a seizure once for the whole recording, then with the times of its channels."""
    rows = [(10, 20, "sz", "n/a"), (12, 5, "sz", "F7-T3"), (30, 5, "sz", "n/a"), (50, 5, "sz", "T3-C3"),
            (31, 1, "sz_gen", "O1")]  # fmt: skip
    text = "".join(f"{onset}\t{length}\t{kind}\tn/a\t{channels}\n" for onset, length, kind, channels in rows)
    events, codes = read(tmp_path, HEAD + text)
    whole = [(event.onset_s, event.offset_s, event.code) for event in events if event.channel == "TERM"]
    assert whole == [(10, 30, "seiz"), (30, 35, "seiz"), (50, 55, "seiz")]  # 31-32 is within another
    assert [(e.onset_s, e.channel) for e in events if e.channel != "TERM"] == [(12, "F7-T3"), (31, "O1"), (50, "T3-C3")]
    assert codes == ["annotation_overlap"]


def test_the_list_of_participants_is_read_for_its_ids(tmp_path):
    (tmp_path / "participants.tsv").write_text("participant_id\tage\tname\nsub-01\t40\tCANARY\n")
    text = HEAD + "1\t2\tsz\tn/a\tn/a\tn/a\t100\n"
    assert read(tmp_path, text)[1] == []
    (tmp_path / "participants.tsv").write_text("participant_id\tage\nsub-77\t40\n")
    assert read(tmp_path, text)[1] == ["patient_unlisted"]
    (tmp_path / "participants.tsv").write_text("id\nsub-01\n")
    assert read(tmp_path, text)[1] == ["patient_unlisted"]


@pytest.mark.parametrize("stem", ["sub-01_ses-02_task-szMonitoring_run-00", "sub-2b_task-rest_acq-x1_run-03", "sub-7"])
def test_names_mean_what_mne_bids_reads_in_them(tmp_path, stem):
    from mne_bids import get_entities_from_fname

    entities = get_entities_from_fname(f"{stem}_eeg.edf")
    session = entities["session"]
    above = f"sub-{entities['subject']}" + (f"/ses-{session}" if session else "")
    touch(tmp_path, f"{above}/eeg/{stem}_eeg.edf")
    (files,) = find(tmp_path, "auto")
    assert (files.patient, files.session) == (entities["subject"], session or "")


def test_exported_names_are_bids_names_to_mne_bids():
    from mne_bids import get_entities_from_fname

    (path,) = event_paths([("r", "p-1", "s001", "edf/r.edf")]).values()
    entities = get_entities_from_fname(path.rsplit("/", 1)[1], on_error="raise")
    assert path.split("/")[:2] == [f"sub-{entities['subject']}", f"ses-{entities['session']}"]
    assert (entities["session"], entities["task"], entities["run"]) == ("s001", "szMonitoring", "00")
