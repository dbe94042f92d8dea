"""The QC page: outcomes add up, nothing is lost in silence, odd corpora and odd names do not break it."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from pipeline.findings import CODES, CONTRADICTIONS, Finding, Findings, Rejected, StrictError, refuse_first
from pipeline.leaks import leaks, report_duplicates
from pipeline.report.outcomes import OUTCOMES, counted, outcomes
from pipeline.report.overview import findings_chapter
from pipeline.report.page import render
from pipeline.report.qc import SHOWN, Checked, code_table, files_of_code, qc_page
from pipeline.store import write_tsv

EMPTY_SEIZURES = pd.DataFrame(columns=["recording", "channel", "onset_s", "offset_s", "code", "confidence"])


def corpus(names, used, findings, *, split="train"):
    """The outcome of recordings that were all indexed, of which `used` have one segment of a minute."""
    found = pd.DataFrame({"recording": names, "patient": [f"p-{name}" for name in names], "split": split})
    recordings = found.assign(duration_s=60.0, rate_hz=256.0, n_signals=19, labelled=True, synthetic=False)
    segments = pd.DataFrame({"recording": used, "duration_s": [60.0] * len(used)})
    return outcomes(found, recordings, EMPTY_SEIZURES, segments, findings.to_frame())


def left_out(findings, name, code, message="why"):
    finding = Rejected(Finding(code=code, severity="error", action="skip", message=message)).finding
    findings.for_recording(name).extend([finding])


def html_of(table, findings, **changes):
    checked = Checked("c", False, table, findings.to_frame(), **{"leaks": [], **changes})
    return render(qc_page(checked, title="T", dpi=40), max_mb=5)


def test_the_way_back_from_a_pseudonym_stands_at_a_glance():
    findings = Findings(corpus="c")
    table = corpus(["a"], ["a"], findings)
    hidden = html_of(table, findings, names="results/c/private/names.tsv")
    glance = hidden.split("At a glance")[-1].split("What to do")[0]
    assert "results/c/private/names.tsv" in glance
    assert "pseudonym" not in html_of(table, findings)


def test_files_that_are_not_read_stand_at_a_glance():
    findings = Findings(corpus="c")
    findings.add("not_read", "only .edf is read; also there: 2 .bdf", action="skip")
    page = html_of(corpus(["a"], ["a"], findings), findings)
    assert "Only .edf is read; also there: 2 .bdf." in page.split("At a glance")[-1].split("What to do")[0]
    assert "1 EDF was found: 1 used" in page
    assert "not_read: 1 finding on 0 recordings" in page


def test_each_outcome_follows_from_segments_and_findings():
    findings = Findings(corpus="c")
    findings.for_recording("b").add("fraction_cut", "cut", severity="info", action="note")
    left_out(findings, "c", "header_invalid")
    left_out(findings, "d", "bipolar_only")
    findings.for_recording("e").add("split_missing", "no split", action="skip")
    table = corpus(list("abcde"), ["a", "b"], findings)
    assert list(table["outcome"]) == ["used", "used with findings", "skipped", "rejected", "skipped"]
    assert list(table["reason"]) == ["", "", "why", "why", "no split"]
    assert list(table["seizures"]) == [0] * 5


def test_an_edf_that_nothing_explains_is_an_error():
    with pytest.raises(ValueError, match="b was found and is neither used nor explained"):
        corpus(["a", "b"], ["a"], Findings())
    notes = Findings()
    notes.for_recording("b").add("mixed_rate", "two rates")  # says nothing about why it is not used
    with pytest.raises(ValueError, match="b was found"):
        corpus(["a", "b"], ["a"], notes)


@pytest.mark.parametrize("seed", range(5))
def test_outcomes_add_up_by_split_and_by_patient(seed):
    rng = np.random.default_rng(seed)
    codes = sorted(CODES)
    findings, names = Findings(), [f"r{i}" for i in range(40)]
    used = [name for name in names if rng.random() < 0.5]
    for name in names:
        if name not in used:
            left_out(findings, name, codes[rng.integers(len(codes))])
        elif rng.random() < 0.5:
            findings.for_recording(name).add(codes[rng.integers(len(codes))], "noted")
    table = corpus(names, used, findings)
    for by in ("split", "patient"):
        rows = counted(table, by)
        assert rows["EDFs found"].sum() == 40
        assert (rows[list(OUTCOMES)].sum(axis=1) == rows["EDFs found"]).all()
    assert table["outcome"].isin(["used", "used with findings"]).sum() == len(used)


def test_the_matrix_says_what_is_rejected():
    """faults.md, section 2: E for rows 7, 9, 12, 13; S for rows 1, 5, 8."""
    for code in CODES:
        finding = Rejected(Finding(code=code, severity="error", action="skip", message="m")).finding
        assert finding.action == ("error" if code in CONTRADICTIONS else "skip")
    assert {"duplicate_label", "bipolar_only", "unit_unknown", "annotation_outside"} <= CONTRADICTIONS
    assert not {"header_invalid", "missing_electrode", "too_short"} & CONTRADICTIONS


def test_strict_passes_notes_and_names_the_first_of_the_rest():
    findings = Findings(corpus="c")
    findings.for_recording("a").add("fraction_cut", "cut", severity="info", action="note")
    refuse_first(findings)
    findings.for_recording("b").add("truncated", "b.edf: 3 records lost")
    left_out(findings, "c", "header_invalid")
    with pytest.raises(StrictError, match=r"^signals.strict: b: truncated: b.edf: 3 records lost. Remedy: fetch"):
        refuse_first(findings)


def test_a_corpus_without_findings_and_one_without_a_usable_file():
    html = html_of(corpus(["a"], ["a"], Findings()), Findings())
    assert "1 EDF was found: 1 used, 0 used with findings, 0 skipped, 0 rejected." in html
    assert "Nothing was repaired, skipped or rejected" in html
    findings = Findings()
    left_out(findings, "a", "header_invalid")
    html = html_of(corpus(["a"], [], findings), findings)
    assert "No recording can be used" in html
    assert "1 recording, header_invalid:" in html


def test_leaks_are_shown():
    html = html_of(corpus(["a"], ["a"], Findings()), Findings(), leaks=["patient p is in test and train"])
    assert "Stop: patient p is in test and train." in html


def test_text_of_a_file_is_escaped_on_the_page_and_in_the_table(tmp_path):
    findings = Findings(corpus="c")
    left_out(findings, "a", "not_eeg", "<script>alert(1)</script>")
    findings.for_recording("b").add("unit_unknown", "=cmd|' /C calc'!A0\tx\ny", channel="@x", value="+1")
    table = corpus(["a", "b"], ["b"], findings)
    html = html_of(table, findings)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    write_tsv(tmp_path / "f.tsv", findings.to_frame())
    lines = (tmp_path / "f.tsv").read_text().split("\n")
    assert len(lines) == 4
    assert {len(line.split("\t")) for line in lines[:3]} == {10}
    assert "'=cmd|' /C calc'!A0\\tx\\ny" in lines[2]
    assert lines[2].split("\t")[2:3] + lines[2].split("\t")[6:7] == ["'@x", "'+1"]


def test_a_large_corpus_keeps_the_page_small():
    findings, names = Findings(), [f"recording-{i:05d}" for i in range(7361)]  # as many as TUSZ v2.0.3 has
    for name in names[:2000]:
        findings.for_recording(name).add("unit_converted", f"{name}.edf: from mV", channel="EEG FP1-REF")
    table = corpus(names, names, findings)
    html = html_of(table, findings)
    assert len(html) < 2e6
    assert f"The first {SHOWN} of 2000 recordings" in html
    assert f"The first {SHOWN} of 5361 recordings used" in html


def test_findings_of_a_code_are_one_row_a_recording():
    findings = Findings(corpus="c")
    for electrode in ("FP1", "FP2", "F3", "F4"):
        findings.for_recording("a").add("unit_converted", f"{electrode} from mV", channel=electrode, seconds_affected=2)
    findings.for_recording("b").add("unit_converted", "T3 from mV", channel="T3")
    rows = files_of_code(findings.to_frame())
    assert rows[["recording", "findings", "channels"]].to_numpy().tolist() == [
        ["a", 4, "4\u00a0channels"],
        ["b", 1, "T3"],
    ]
    overview = code_table(findings.to_frame())
    assert overview[["findings", "recordings", "seconds"]].to_numpy().tolist() == [[5, 2, 8.0]]


def test_T46_repeated_samples_are_found_within_and_across_splits():
    columns = ["recording", "segment", "patient", "split", "digest"]
    rows = [("a", "000", "p", "train", "x"), ("b", "000", "q", "train", "x"), ("c", "000", "r", "train", "y")]
    segments = pd.DataFrame(rows, columns=columns)
    findings = Findings()
    assert report_duplicates(segments, findings) == {"b"}
    assert [(row.recording, row.code) for row in findings] == [("b", "duplicate_samples")]
    assert leaks(segments) == []
    across = pd.concat([segments, pd.DataFrame([("d", "000", "s", "test", "y")], columns=columns)])
    assert leaks(across) == ["the same samples are in c/000 (train) and d/000 (test)"]


def test_the_main_report_shows_the_same_counts_and_the_way_to_the_page(tmp_path):
    from types import SimpleNamespace

    findings = Findings()
    left_out(findings, "b", "header_invalid")
    table = corpus(["a", "b"], ["a"], findings)
    chapter = findings_chapter(SimpleNamespace(findings=findings.to_frame(), outcomes=table))
    text = chapter.section.blocks[0].text
    assert text == "2 EDFs were found: 1 used, 0 used with findings, 1 skipped, 0 rejected."
    assert [path for block in chapter.section.blocks if block.kind == "links" for _, path in block.links] == [
        "../qc/index.html"
    ]


def test_the_picture_holds_its_numbers():
    findings = Findings()
    left_out(findings, "b", "header_invalid")
    html = html_of(corpus(["a", "b"], ["a"], findings), findings)
    island = json.loads(re.search(r'id="island">(.*?)</script>', html)[1])
    assert island["outcomes"]["train"] == {"used": 1, "used with findings": 0, "skipped": 1, "rejected": 0}
