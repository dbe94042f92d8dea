"""TUSZ trees and annotation files; the number of the trap (formats.md) stands in the name of its test. All invented."""

import os
import time

import pytest

from pipeline.corpora._event_rules import Row, disagreement_s
from pipeline.corpora._szcore import szcore_code
from pipeline.corpora.records import Event
from pipeline.corpora.tusz import find, read_events
from pipeline.findings import CorpusError, Findings, Rejected

V1 = "edf/{split}/{montage}/012/{patient}/{session}_2013_03_29/{patient}_{session}_t000"
V2 = "edf/{split}/{patient}/{session}_2013/{montage}/{patient}_{session}_t000"
TSE = "version = tse_v1.0.0\n\n0.0000 12.5000 bckg 1.0000\n12.5000 40.2500 fnsz 1.0000\n40.2500 61.0000 bckg 1.0000\n"
CSV_HEAD = (
    "# version = csv_v1.0.0\n# bname = x\n# duration = 61.00 secs\n# montage_file = x\n#\n"
    "channel,start_time,stop_time,label,confidence\n"
)
SYMBOLS = ["(null)", "spsw", "gped", "pled", "eybl", "artf", "bckg", "seiz", "fnsz", "gnsz", "spsz", "cpsz"]


def touch(root, stem, extensions, **names):
    values = {"split": "train", "montage": "01_tcp_ar", "session": "s001", **names}
    for extension in extensions:
        path = root / f"{stem.format(**values)}.{extension}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def read(tmp_path, duration_s=61.0, **contents):
    """Events and findings of one recording whose annotation files have these contents, by extension."""
    stem = V1 if any(extension.startswith(("tse", "lbl")) for extension in contents) else V2
    touch(tmp_path, stem, ["edf", *contents], patient="00000001")
    (files,) = find(tmp_path, "auto")
    for path in files.annotations:
        (tmp_path / path).write_text(contents[path.rsplit(".", 1)[1]])
    findings = Findings()
    return read_events(tmp_path, files, duration_s, findings), findings


def codes(findings):
    return [finding.code for finding in findings]


def spans(events, channel="TERM"):
    return [(event.onset_s, event.offset_s, event.code) for event in events if event.channel == channel]


def lbl(labels, montage="0, FP1-F7: EEG FP1-REF --  EEG F7-REF|1, F7-T3 : EEG F7-REF --EEG T3-REF", symbols=SYMBOLS):
    lines = ["version = lbl_v1.0.0", *(f"montage =  {line}" for line in montage.split("|")), "number_of_levels = 1"]
    listed = ", ".join(f"{number}: '{symbol}'" for number, symbol in enumerate(symbols))
    return "\n".join([*lines, "level[0] = 1", f"symbols[0] = {{{listed}}}", *labels]) + "\n"


def label(start, stop, channel, name, symbols=SYMBOLS):
    vector = ", ".join("1.0" if symbol == name else "0.0" for symbol in symbols)
    return f"label = {{0, 0, {start:.4f}, {stop:.4f}, {channel}, [{vector}]}}"


def test_T01_the_patient_is_the_id_not_the_folder(tmp_path):
    for montage, session in (("01_tcp_ar", "s001"), ("03_tcp_ar_a", "s002")):
        touch(tmp_path, V1, ["edf", "tse"], patient="00000001", montage=montage, session=session)
    found = find(tmp_path, "auto")
    assert {files.patient for files in found} == {"00000001"}
    assert {files.montage for files in found} == {"01_tcp_ar", "03_tcp_ar_a"}


def test_T01_one_stem_in_two_folders_has_two_ids(tmp_path):
    for montage in ("01_tcp_ar", "02_tcp_le"):
        touch(tmp_path, V1, ["edf", "tse"], patient="00000001", montage=montage)
    assert len({files.recording for files in find(tmp_path, "auto")}) == 2


def test_T03_reports_are_not_touched(tmp_path):
    touch(tmp_path, V1, ["edf", "tse", "lbl", "tse_bi", "lbl_bi"], patient="00000001")
    (tmp_path / "edf/train/01_tcp_ar/012/00000001/s001_2013_03_29/00000001_s001.txt").write_text("secret")
    (files,) = find(tmp_path, "v1")
    assert [os.path.splitext(path)[1] for path in files.annotations] == [".lbl", ".lbl_bi", ".tse", ".tse_bi"]
    assert files.session == "s001"  # without its date


@pytest.mark.parametrize(
    ("stem", "split", "official"), [(V1, "dev_test", "dev"), (V1, "train", "train"), (V2, "eval", "eval")]
)
@pytest.mark.parametrize("below", ["", "edf"])
def test_T04_both_layouts(tmp_path, stem, split, official, below):
    touch(tmp_path, stem, ["edf", "tse" if stem == V1 else "csv"], patient="aaaaaabc", split=split)
    (files,) = find(tmp_path / below, "auto")
    assert (files.patient, files.session, files.montage, files.official) == ("aaaaaabc", "s001", "01_tcp_ar", official)
    assert files.recording == "aaaaaabc_s001_t000"


def test_T05_mixed_generations_need_a_name(tmp_path):
    touch(tmp_path, V1, ["edf", "tse"], patient="00000001")
    touch(tmp_path, V2, ["edf", "csv", "csv_bi"], patient="aaaaaabc")
    with pytest.raises(CorpusError, match="version"):
        find(tmp_path, "auto")
    assert [files.patient for files in find(tmp_path, "v1")] == ["00000001"]
    assert [files.patient for files in find(tmp_path, "v2")] == ["aaaaaabc"]
    with pytest.raises(CorpusError, match="v3"):
        find(tmp_path, "v3")


def test_T05_extensions_of_the_other_generation_are_mixed_too(tmp_path):
    touch(tmp_path, V1, ["edf", "tse", "csv"], patient="00000001")
    with pytest.raises(CorpusError, match="v1 and v2"):
        find(tmp_path, "auto")
    assert [path.rsplit(".")[-1] for path in find(tmp_path, "v1")[0].annotations] == ["tse"]


@pytest.mark.parametrize(
    "path",
    [
        "edf/train/loose.edf", "a.edf", "edf/train/01_tcp_ar/x.edf",
        "edf/train/p-1/s001_2013/01_tcp_ar/p_s001_t000.edf",
    ],
)  # fmt: skip
def test_a_file_that_fits_nowhere_is_an_error(tmp_path, path):
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_bytes(b"")
    with pytest.raises(CorpusError, match="edf"):
        find(tmp_path, "auto")


def test_tse(tmp_path):
    events, findings = read(tmp_path, tse=TSE)
    assert events == [Event(onset_s=12.5, offset_s=40.25, code="fnsz")]
    assert codes(findings) == []


def test_tse_irregular(tmp_path):
    text = "\n# comment\nversion=tse_v1.0.0\n\n0.0 \t 5.0  bckg 1.0\n5.0\t7.5\tgnsz\t0.75\n7.5 9.0 gnsz 1.0\n"
    text += "9.0 oops bckg 1\n"
    events, findings = read(tmp_path, tse=text, duration_s=9.0)
    assert spans(events) == [(5.0, 7.5, "gnsz"), (7.5, 9.0, "gnsz")]  # two rows that touch are two seizures
    assert events[0].confidence == 0.75
    assert codes(findings) == ["annotation_invalid"]


def test_T06_the_label_is_the_third_field(tmp_path):
    events, findings = read(tmp_path, tse="version = tse_v1.0.0\n\n0 30 bckgseiz 1.0\n30 61 fnsz_like 1.0\n")
    assert events == []
    assert codes(findings) == ["unknown_label", "unknown_label"]


def test_T07_symbol_numbers_come_from_the_file(tmp_path):
    shuffled = ["bckg", "cpsz", "(null)", "fnsz"]
    text = lbl([label(1, 5, 0, "cpsz", shuffled), label(1, 6, 1, "fnsz", shuffled)], symbols=shuffled)
    events, _ = read(tmp_path, lbl=text)
    assert spans(events, "FP1-F7") == [(1.0, 5.0, "cpsz")]
    assert spans(events, "F7-T3") == [(1.0, 6.0, "fnsz")]


def test_T08_a_lost_brace(tmp_path):
    events, findings = read(tmp_path, lbl=lbl([label(1, 5, 0, "fnsz").replace("{", "")]))
    assert spans(events, "FP1-F7") == [(1.0, 5.0, "fnsz")]
    assert codes(findings) == []


@pytest.mark.parametrize("channel", ["-1", "all", "TERM"])
def test_T09_all_channels_are_those_of_the_montage_block(tmp_path, channel):
    events, findings = read(tmp_path, lbl=lbl([label(1, 5, channel, "seiz")]))
    assert [(event.channel, event.onset_s) for event in events] == [("TERM", 1.0), ("F7-T3", 1.0), ("FP1-F7", 1.0)]
    assert codes(findings) == []


@pytest.mark.parametrize("channel", ["-1", "all"])
def test_T09_all_channels_without_a_montage_block(tmp_path, channel):
    text = lbl([label(1, 5, channel, "seiz")])
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("montage"))
    events, _ = read(tmp_path, lbl=bare)
    assert [(event.channel, event.onset_s) for event in events] == [("TERM", 1.0)]


def test_T09_a_channel_beyond_the_montage(tmp_path):
    events, findings = read(tmp_path / "a", lbl=lbl([label(1, 5, 7, "seiz"), label(6, 9, 0, "seiz")]))
    assert spans(events) == [(6.0, 9.0, "seiz")]
    assert codes(findings) == ["annotation_invalid"]
    with pytest.raises(Rejected, match="no row that can be read"):
        read(tmp_path / "b", lbl=lbl([label(1, 5, 7, "seiz")]))


def test_T10_T19_names_come_from_the_montage_of_the_file(tmp_path):
    """Channel 8 is A1-T3 in the full montage and T3-C3 in `_a`; only the file says which."""
    montage = "0, FP1-F7: EEG FP1-REF -- EEG F7-REF|8, T3-C3  :EEG T3-REF--   EEG C3-REF"
    events, _ = read(tmp_path, lbl=lbl([label(1, 5, 8, "seiz")], montage=montage))
    assert {event.channel for event in events} == {"TERM", "T3-C3"}


def test_T11_the_largest_probability(tmp_path):
    vector = ", ".join("0.6" if symbol == "cpsz" else "0.3" if symbol == "bckg" else "0.0" for symbol in SYMBOLS)
    rows = [f"label = {{0, 0, 1.0, 5.0, 0, [{vector}]}}", label(6, 7, 0, "nothing")]
    events, findings = read(tmp_path, lbl=lbl(rows))
    assert spans(events, "FP1-F7") == [(1.0, 5.0, "cpsz")]
    assert [event.confidence for event in events] == [0.6, 0.6]
    assert codes(findings) == ["annotation_invalid"]  # zero everywhere


def test_T12_a_file_without_seizures(tmp_path):
    events, findings = read(tmp_path, csv_bi=CSV_HEAD + "TERM,0.0000,61.0000,bckg,1.0000\n")
    assert events == []
    assert codes(findings) == []


def test_T13_comments_are_skipped_by_their_sign(tmp_path):
    text = "# duration = 61.0000 secs\nchannel,start_time,stop_time,label,confidence\n# more\nTERM,1.0,5.0,seiz,1.0\n"
    events, findings = read(tmp_path, csv_bi=text)
    assert spans(events) == [(1.0, 5.0, "seiz")]
    assert codes(findings) == []


def test_T14_rows_past_the_end_and_overlaps(tmp_path):
    rows = "F7-T3,10.0,20.0,fnsz,1.0\nF7-T3,15.0,30.0,fnsz,1.0\nFP1-F7,50.0,61.9,fnsz,1.0\nFP1-F7,61.5,62.0,fnsz,1.0\n"
    events, findings = read(tmp_path, csv=CSV_HEAD + rows)
    assert spans(events, "F7-T3") == [(10.0, 30.0, "fnsz")]
    assert spans(events, "FP1-F7") == [(50.0, 61.0, "fnsz")]
    assert sorted(codes(findings)) == ["annotation_clipped", "annotation_outside", "annotation_overlap"]


def test_T14_annotations_of_another_recording_are_refused(tmp_path):
    with pytest.raises(Rejected) as caught:
        read(tmp_path, csv=CSV_HEAD + "F7-T3,50.0,90.0,fnsz,1.0\n")
    assert caught.value.finding.code == "annotation_outside"


def test_T15_the_edf_decides_on_the_duration(tmp_path):
    _, findings = read(tmp_path, csv_bi=CSV_HEAD + "TERM,1.0,5.0,seiz,1.0\n", duration_s=61.9)
    assert codes(findings) == []
    _, findings = read(tmp_path, csv_bi=CSV_HEAD + "TERM,1.0,5.0,seiz,1.0\n", duration_s=70.0)
    assert codes(findings) == ["duration_disagrees"]


def test_T16_file_level_is_the_union_over_channels(tmp_path):
    rows = "F7-T3,14.0,33.5,cpsz,1.0\nT3-T5,30.0,40.0,cpsz,1.0\nFP1-F7,40.0,45.0,cpsz,1.0\nFP1-F7,50.0,55.0,fnsz,1.0\n"
    events, findings = read(tmp_path, csv=CSV_HEAD + rows, csv_bi=CSV_HEAD + "TERM,14.0,45.0,seiz,1.0\n")
    assert spans(events) == [(14.0, 45.0, "cpsz"), (50.0, 55.0, "fnsz")]
    assert [event.channel for event in events[:3]] == ["TERM", "TERM", "F7-T3"]
    (finding,) = findings
    assert (finding.code, finding.seconds_affected) == ("annotation_disagrees", 5.0)


def test_T16_overlapping_types_take_the_one_with_most_channel_seconds(tmp_path):
    rows = "F7-T3,10.0,30.0,gnsz,1.0\nT3-T5,10.0,30.0,gnsz,1.0\nFP1-F7,25.0,35.0,fnsz,1.0\n"
    events, _ = read(tmp_path, csv=CSV_HEAD + rows)
    assert spans(events) == [(10.0, 35.0, "gnsz")]


def test_T16_v1_files_are_compared_too(tmp_path):
    events, findings = read(tmp_path, tse=TSE, lbl=lbl([label(20, 40.25, 0, "fnsz")]))
    assert spans(events) == [(12.5, 40.25, "fnsz")]
    assert spans(events, "FP1-F7") == [(20.0, 40.25, "fnsz")]
    assert codes(findings) == ["annotation_disagrees"]


def test_T17_nesz_is_never_a_seizure(tmp_path):
    events, findings = read(tmp_path, tse="version = tse_v1.0.0\n\n0 30 nesz 1.0\n30 61 bckg 1.0\n")
    assert events == []
    assert codes(findings) == ["class_excluded"]


def test_T18_codes_are_kept_as_written(tmp_path):
    events, _ = read(tmp_path, tse="version = tse_v1.0.0\n\n0 30 mysz 1.0\n30 61 bckg 1.0\n")
    assert spans(events) == [(0.0, 30.0, "mysz")]
    assert szcore_code("sz_gen_nm_myoclonic") == "mysz"
    assert szcore_code("sz_foc_ia_something") == "cpsz"
    assert szcore_code("SZ") is None


def test_events_before_the_start_and_without_length(tmp_path):
    text = "version = tse_v1.0.0\n\n-0.5 20.0 fnsz 1.0\n30 30 fnsz 1.0\n40 35 fnsz 1.0\n50 61 bckg 1.0\n"
    events, findings = read(tmp_path, tse=text)
    assert spans(events) == [(0.0, 20.0, "fnsz")]
    assert sorted(codes(findings)) == ["annotation_clipped", *["annotation_invalid"] * 3]  # and 30 s without a row


def test_no_annotation_is_not_no_seizure(tmp_path):
    touch(tmp_path, V2, ["edf"], patient="aaaaaabc")
    (files,) = find(tmp_path, "auto")
    with pytest.raises(Rejected) as caught:
        read_events(tmp_path, files, 61.0, Findings())
    assert caught.value.finding.code == "annotation_missing"


def test_disagreement_against_a_grid():
    def rows(*pairs):
        return [Row(start_s=a, stop_s=b, label="seiz", place="") for a, b in pairs]

    first, second = rows((1, 5), (4, 8), (20, 30)), rows((2, 8), (25, 35))
    inside = [[any(r.start_s <= t / 10 < r.stop_s for r in side) for t in range(400)] for side in (first, second)]
    assert disagreement_s(first, second) == sum(a != b for a, b in zip(*inside, strict=True)) / 10


def test_a_large_tree_is_found_fast(tmp_path):
    """Names only: 1,000 recordings with their annotations in well under a second (6,000 in a corpus)."""
    for i in range(1000):
        touch(tmp_path, V2, ["edf", "csv", "csv_bi"], patient=f"p{i:04d}")
    begin = time.thread_time()
    assert len(find(tmp_path, "auto")) == 1000
    assert time.thread_time() - begin < 2.0


@pytest.mark.parametrize("probability", ["nan", "inf", "-inf", "1e999"])
def test_a_probability_that_is_no_number_leaves_the_row_out(tmp_path, probability):
    tse = f"version = tse_v1.0.0\n\n0.0 12.5 bckg 1.0\n12.5 40.25 fnsz {probability}\n50.0 61.0 gnsz 0.5\n"
    events, findings = read(tmp_path / "tse", tse=tse)
    assert spans(events) == [(50.0, 61.0, "gnsz")]
    assert "annotation_invalid" in codes(findings)
    head = "channel,start_time,stop_time,label,confidence\n"
    rows = f"F7-T3,12.5,40.25,fnsz,{probability}\nF7-T3,50.0,55.0,gnsz,0.5\n"
    events, findings = read(tmp_path / "csv", csv=head + rows)
    assert spans(events) == [(50.0, 55.0, "gnsz")]
    assert codes(findings) == ["annotation_invalid"]
    numbers = label(12.5, 40.25, 0, "fnsz").replace("1.0,", f"{probability},")
    events, findings = read(tmp_path / "lbl", lbl=lbl([numbers, label(50, 55, 0, "gnsz")]))
    assert (spans(events), codes(findings)) == ([(50.0, 55.0, "gnsz")], ["annotation_invalid"])


def test_a_row_without_a_channel_is_left_out(tmp_path):
    text = "channel,start_time,stop_time,label,confidence\n,12.5,40.25,fnsz,1.0\nF7-T3,50.0,55.0,gnsz,1.0\n"
    events, findings = read(tmp_path, csv=text)
    assert spans(events) == [(50.0, 55.0, "gnsz")]
    assert codes(findings) == ["annotation_invalid"]


@pytest.mark.parametrize("line", ["montage =  {n}, FP1-F7: EEG FP1-REF --  EEG F7-REF", "symbols[{n}] = {{0: 'bckg'}}"])
def test_a_number_of_five_thousand_digits_is_a_finding(tmp_path, line):
    text = lbl([label(12.5, 40.25, 0, "fnsz")]) + line.format(n="9" * 5000) + "\n"
    events, findings = read(tmp_path, lbl=text)
    assert spans(events, "FP1-F7") == [(12.5, 40.25, "fnsz")]
    assert codes(findings) == ["annotation_invalid"]


def test_T15_a_duration_that_is_no_number_is_passed_over(tmp_path):
    text = "# duration = 61...00 secs\nchannel,start_time,stop_time,label,confidence\nTERM,1.0,2.0,seiz,1.0\n"
    events, findings = read(tmp_path, csv_bi=text)
    assert spans(events) == [(1.0, 2.0, "seiz")]
    assert codes(findings) == []


NO_ROW = {
    "tse": ["", "version = tse_v1.0.0\n", "\0" * 300, "version = tse_v1.0.0\n\n0.0 12", "x\ny\n"],
    "tse_bi": ["", "version = tse_v1.0.0\n"],
    "lbl": ["", lbl([])],
    "lbl_bi": [""],
    "csv": ["", CSV_HEAD, "\0" * 300, CSV_HEAD.splitlines()[-1]],
    "csv_bi": ["", CSV_HEAD, CSV_HEAD + "TERM,12.5"],
}
EMPTY = [(extension, text) for extension, texts in NO_ROW.items() for text in texts]


@pytest.mark.parametrize(("extension", "text"), EMPTY)
def test_T12_an_empty_file_is_not_no_seizure(tmp_path, extension, text):
    """A recording without seizures has a row of background."""
    with pytest.raises(Rejected, match=f"t000.{extension}: no row that can be read") as caught:
        read(tmp_path, **{extension: text})
    assert (caught.value.finding.code, caught.value.finding.severity) == ("annotation_invalid", "error")


@pytest.mark.parametrize(("extension", "text"), EMPTY)
def test_T12_beside_an_empty_file_the_whole_one_counts(tmp_path, extension, text):
    other, whole = ("csv_bi", CSV_HEAD + "TERM,12.5,40.25,seiz,1.0\n") if "csv" in extension else ("tse_bi", TSE)
    if extension in ("csv_bi", "tse_bi"):
        other = other.removesuffix("_bi")
    events, findings = read(tmp_path, **{extension: text, other: whole.replace("fnsz", "seiz")})
    assert spans(events) == [(12.5, 40.25, "seiz")]
    assert any(f"t000.{extension}: no row that can be read" in finding.message for finding in findings)
    assert set(codes(findings)) == {"annotation_invalid"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize(("extension", "text"), [("tse", TSE), ("csv_bi", CSV_HEAD + "TERM,12.5,40.25,fnsz,1.0\n")])
def test_label_files_in_other_encodings(tmp_path, extension, text, encoding):
    touch(tmp_path, V1 if extension == "tse" else V2, ["edf", extension], patient="00000001")
    (files,) = find(tmp_path, "auto")
    (tmp_path / files.annotations[0]).write_bytes(text.encode(encoding))
    findings = Findings()
    assert spans(read_events(tmp_path, files, 61.0, findings)) == [(12.5, 40.25, "fnsz")]
    assert codes(findings) == []


@pytest.mark.parametrize("extension", ["tse", "tse_bi"])
def test_row13_a_tse_that_ends_early_says_nothing_of_the_rest(tmp_path, extension):
    """Its rows cover the recording, background included (section 3); a second of slack is T15's."""
    short = TSE.replace("40.2500 61.0000 bckg 1.0000\n", "")
    with pytest.raises(Rejected, match=r"its rows end at 40\.25 s of 61\.00 s") as caught:
        read(tmp_path / "a", **{extension: short})
    assert caught.value.finding.severity == "error"
    assert spans(read(tmp_path / "b", **{extension: short}, duration_s=41.0)[0]) == [(12.5, 40.25, "fnsz")]
    other = "tse" if extension == "tse_bi" else "tse_bi"
    whole = TSE.replace("40.2500 61.0000 bckg", "40.2500 50.0000 bckg 1.0\n50.0000 61.0000 fnsz")
    events, findings = read(tmp_path / "c", **{extension: short, other: whole})
    assert spans(events) == [(12.5, 40.25, "fnsz"), (50.0, 61.0, "fnsz")]
    assert set(codes(findings)) == {"annotation_invalid", "duration_disagrees"}


def test_a_gap_between_rows_of_a_tse_is_told(tmp_path):
    events, findings = read(tmp_path, tse=TSE.replace("0.0000 12.5000 bckg 1.0000\n", ""))
    assert spans(events) == [(12.5, 40.25, "fnsz")]
    (finding,) = findings
    assert (finding.code, finding.severity, finding.seconds_affected) == ("annotation_invalid", "warn", 12.5)


@pytest.mark.parametrize(
    ("extension", "text"),
    [
        ("tse", TSE.replace("fnsz", "bckg").replace("12.5000 40", "12.5000 x40")),
        ("csv_bi", CSV_HEAD + "TERM,x,20,seiz,1\nTERM,20.0,61.0,bckg,1.0\n"),
        ("lbl", lbl([label(1, 5, 7, "seiz"), label(5, 61, 0, "bckg")])),
    ],
)
def test_a_lost_row_where_no_other_is_a_seizure_is_not_no_seizure(tmp_path, extension, text):
    with pytest.raises(Rejected, match="rows that cannot be read and may be seizures: 1"):
        read(tmp_path, **{extension: text})


@pytest.mark.parametrize("span", ["30 30", "40 35", "61.2 61.9"])
def test_row13_the_only_seizure_without_a_time_leaves_the_recording_out(tmp_path, span):
    with pytest.raises(Rejected, match="no time that can be right"):
        read(tmp_path / "a", tse=f"version = tse_v1.0.0\n\n0 61 bckg 1.0\n{span} fnsz 1.0\n")
    with pytest.raises(Rejected, match="no time that can be right"):
        read(tmp_path / "b", csv_bi=CSV_HEAD + f"TERM,{span.replace(' ', ',')},seiz,1.0\n")
