"""Side files read leniently, and refused in typed words where they cannot be (spec soz.md, section 8: text_format)."""

import math

import numpy as np
import pytest

from pipeline.corpora.ieeg.events import COMMON, read_seizures
from pipeline.corpora.ieeg.sidecars import SideFileError, number, read_json, read_tsv
from pipeline.findings import Findings, Rejected

PLAIN = "name\tsampling_frequency\tstatus_description\nLA1\t512\tsoz\nLA2\t512\tn/a\n"
EVENTS = "onset\tduration\ttrial_type\n"


def read(tmp_path, content):
    path = tmp_path / "x_channels.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_tsv(path)


def test_a_plain_table_has_no_marks(tmp_path):
    table = read(tmp_path, PLAIN)
    assert table.columns == ("name", "sampling_frequency", "status_description")
    assert not table.marks
    assert [row["name"] for row in table.rows] == ["LA1", "LA2"]


@pytest.mark.parametrize(
    ("content", "marks"),
    [
        ("\ufeff" + PLAIN, {"bom"}),
        (PLAIN.replace("\n", "\r\n"), {"crlf"}),
        (PLAIN.replace("\n", "\r"), {"crlf"}),
        (PLAIN.replace("512", "512.0"), {"number"}),
        (PLAIN.replace("LA1", "LA1 "), {"blank"}),
        (PLAIN.replace("soz", '"soz"'), {"quoted"}),
        (PLAIN.replace("LA2\t512\tn/a", "LA2\t512"), {"ragged"}),
        (PLAIN.replace("n/a\n", "n/a\t\t\n"), set()),
        (PLAIN.encode("utf-16"), {"encoding"}),
        (PLAIN.replace("\n", "\n\n"), set()),
    ],
)
def test_each_leniency_is_marked_and_changes_no_cell(tmp_path, content, marks):
    table = read(tmp_path, content)
    assert set(table.marks) == marks
    cells = [[row["name"], number(row["sampling_frequency"]), row["status_description"]] for row in table.rows]
    assert cells == [["LA1", 512.0, "soz"], ["LA2", 512.0, "n/a"]]


def test_latin1_is_read(tmp_path):
    table = read(tmp_path, PLAIN.replace("LA1", "Hé1").encode("latin-1"))
    assert table.rows[0]["name"] == "Hé1"
    assert table.marks == {"encoding": "byte 44"}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"name\tname\nA\tB\n", "twice"),
        (b"name\t\nA\tB\n", "blank column"),
        (b"name\nA\tB\n", "line 2: 2 cells under 1"),
        (b"name\tx\nA\0\t1\n", "no text"),
    ],
)
def test_a_broken_table_is_refused_with_its_name(tmp_path, content, told):
    with pytest.raises(SideFileError, match=f"x_channels.tsv.*{told}"):
        read(tmp_path, content)


@pytest.mark.parametrize("content", [PLAIN.replace("LA2", "LA1"), PLAIN.replace("LA2", "n/a"), "other\nA\n"])
def test_names_are_needed_once_each(tmp_path, content):
    with pytest.raises(SideFileError, match=r"x_channels.tsv: .*(twice|blank|no column)"):
        read(tmp_path, content).by("name")


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff\xfe", b'{"a": NaN', b"[" * 100_000])
def test_broken_json_is_refused_with_its_name(tmp_path, content):
    (tmp_path / "x_ieeg.json").write_bytes(content)
    with pytest.raises(SideFileError, match=r"x_ieeg\.json"):
        read_json(tmp_path / "x_ieeg.json")


@pytest.mark.parametrize("cell", ["n/a", "", "inf", "nan", "1,5", None, [1], True, {}])
def test_what_is_no_number_is_nan(cell):
    assert math.isnan(number(cell))


def seizures(tmp_path, text, duration_s=100.0):
    path = tmp_path / "x_events.tsv"
    path.write_text(EVENTS + text)
    findings = Findings()
    events = read_seizures(path, COMMON, duration_s, findings)
    return [(event.onset_s, event.offset_s) for event in events], [finding.code for finding in findings]


@pytest.mark.parametrize(
    ("text", "expected", "codes"),
    [
        ("20\t0\tsz onset\n50\t0\tsz offset\n", [(20, 50)], []),
        ("50\t0\tSZ Offset\n20\t0\tSZ Onset\n", [(20, 50)], []),
        ("20\t12.5\tseizure\n", [(20, 32.5)], []),
        ("20\t0\tsz onset\n", [(20, 100)], ["annotation_invalid"]),
        ("5\t0\tsz onset\n20\t0\tsz onset\n30\t0\tsz offset\n", [(5, 20), (20, 30)], ["annotation_invalid"]),
        ("20\t0\tsz onset\n101\t0\tsz offset\n", [(20, 100)], ["annotation_clipped"]),
        ("20\tn/a\tsz onset\n50\tn/a\tsz offset\n", [(20, 50)], []),
        ("1\t0\tlights off\n", [], []),
        ("1\t0\tclinical seizure, patient asleep\n", [], ["unknown_label"]),
        ("", [], []),
    ],
)
def test_seizures_of_events(tmp_path, text, expected, codes):
    assert seizures(tmp_path, text) == (expected, codes)


def test_an_onset_that_is_no_number_is_refused(tmp_path):
    with pytest.raises(SideFileError, match=r"x_events.tsv: onset 'soon'"):
        seizures(tmp_path, "soon\t0\tsz onset\n")


def test_a_seizure_without_a_place_in_the_recording_is_refused(tmp_path):
    with pytest.raises(Rejected):
        seizures(tmp_path, "500\t0\tsz onset\n550\t0\tsz offset\n")


def test_random_bytes_give_a_table_or_a_typed_error(tmp_path):
    """Mutations of a table: no other error than SideFileError, and never more cells than columns."""
    rng = np.random.default_rng(6)
    base, refused = ("\ufeff" + PLAIN).encode(), 0
    for _ in range(300):
        content = bytearray(base * int(rng.integers(1, 3)))
        for place in rng.integers(0, len(content), rng.integers(1, 12)):
            content[place] = rng.choice([0, 9, 10, 13, 34, 92, 233, 255, int(rng.integers(256))])
        content = content[: int(rng.integers(0, len(content) + 1))]
        try:
            table = read(tmp_path, bytes(content))
        except SideFileError:
            refused += 1
        else:
            assert all(set(row) == set(table.columns) for row in table.rows)
    assert 15 < refused < 285
