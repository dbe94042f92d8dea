"""Sizes that contradict each other or the file (faults.md, rows 1-3): at once, in little memory, never a guess."""

import os
import time
import tracemalloc

import numpy as np
import pytest

from pipeline.findings import Findings, Rejected
from pipeline.signals.edf_header import read_header
from pipeline.signals.edf_samples import decode, scale_of
from tests.signals.edf_builder import Channel, EdfFile, scalp_channels
from tests.signals.opening import opened, refused

HEADER_BYTES = 1024  # of `small`


def small(records=10, per_record=16, channels=3):
    """A valid file of three channels; sample k of a channel is k."""
    samples = np.arange(records * per_record).reshape(records, per_record)
    return EdfFile([Channel(f"EEG C{i}-REF", samples) for i in range(channels)])


def rejected(path, *, header_bytes=HEADER_BYTES):
    """Code by which the file is refused: within 50 ms of computing (best of three), the size of the header and 1 MB."""
    times = []
    for _ in range(3):
        begin = time.thread_time()
        with pytest.raises(Rejected):
            read_header(path, Findings())
        times.append(time.thread_time() - begin)
    assert min(times) < 0.05
    tracemalloc.start()
    with pytest.raises(Rejected) as caught:
        read_header(path, Findings())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < header_bytes + 1_000_000
    assert path.name in str(caught.value)
    assert (caught.value.finding.severity, caught.value.finding.action) == ("error", "skip")
    return caught.value.finding.code


@pytest.mark.parametrize("cut", [0, 1, 100, 255, 256, 257, 300, 700, HEADER_BYTES - 1])
def test_row01_no_bytes_or_a_part_of_the_header(tmp_path, cut):
    path = tmp_path / "short.edf"
    path.write_bytes(small().content()[:cut])
    assert rejected(path) == "header_invalid"


def test_row01_nothing_but_a_header(tmp_path):
    path = tmp_path / "empty.edf"
    path.write_bytes(small().content()[:HEADER_BYTES])
    assert rejected(path) == "header_invalid"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("header_bytes", "1000"), ("header_bytes", "1280"), ("header_bytes", "-1"), ("header_bytes", ""),
        ("header_bytes", "1024.0"), ("signals", "0"), ("signals", "-3"), ("signals", "9999"), ("signals", "abc"),
        ("signals", ""), ("signals", "3.0"), ("version", "1"), ("version", "\xffBIOSEM"),
    ],
)  # fmt: skip
def test_row01_header_bytes_and_number_of_signals(tmp_path, name, text):
    file = small()
    file.fields[name] = text
    assert rejected(file.write(tmp_path / "bad.edf")) == "header_invalid"


@pytest.mark.parametrize("samples", [b"\0" * 8, b"256     "])
def test_row01_9999_signals_in_a_file_that_is_large_enough_for_their_header(tmp_path, samples):
    """2.5 MB of header agree with each other; the samples that they claim do not agree with the file."""
    n = 9999
    file = small()
    file.fields.update(signals=str(n), header_bytes=str(256 * (n + 1)))
    path = tmp_path / "many.edf"
    content = file.content()[:256] + b" " * 216 * n + samples * n + b" " * 32 * n + b"\0" * 100_000
    path.write_bytes(content)
    assert len(content) == 256 * (n + 1) + 100_000
    assert rejected(path, header_bytes=256 * (n + 1)) == "header_invalid"


def test_row01_a_folder_a_missing_file_a_file_without_rights(tmp_path):
    (tmp_path / "folder.edf").mkdir()
    assert rejected(tmp_path / "folder.edf") == "file_unreadable"
    assert rejected(tmp_path / "none.edf") == "file_unreadable"
    locked = small().write(tmp_path / "locked.edf")
    locked.chmod(0)
    if os.access(locked, os.R_OK):
        pytest.skip("this user reads files without rights")
    assert rejected(locked) == "file_unreadable"


@pytest.mark.parametrize("samples", ["99999999", "-1", "", "x", "1e3", "16.5"])
def test_row02_absurd_samples_a_record(tmp_path, samples):
    file = small()
    file.channels[1].per_record = samples
    assert rejected(file.write(tmp_path / "bad.edf")) == "header_invalid"


@pytest.mark.parametrize("stated", ["12", "99999999"])
def test_row02_more_records_than_the_file_holds(tmp_path, stated):
    file = small()
    file.record_s = "2"
    file.fields["records"] = stated
    findings = Findings()
    header = read_header(file.write(tmp_path / "count.edf"), findings)
    (finding,) = findings
    assert header.n_records == 10
    assert (finding.code, finding.action, finding.value, finding.expected) == ("truncated", "repair", "10", stated)
    assert finding.seconds_affected == 2 * (int(stated) - 10)
    values = decode(header, header.signals[:1], [scale_of(header.signals[0], "x", Findings())], 0, 10)[0]
    np.testing.assert_allclose(values, np.arange(160) * 0.1, atol=1e-4)  # nothing beyond the end


def test_row02_more_samples_than_the_file_holds(tmp_path):
    """Twice the samples a record, in a file of ten: five whole records, and the header promised ten."""
    file = small()
    for channel in file.channels:
        channel.per_record = "32"
    findings = Findings()
    assert read_header(file.write(tmp_path / "count.edf"), findings).n_records == 5
    assert [(finding.code, finding.seconds_affected) for finding in findings] == [("truncated", 5.0)]


@pytest.mark.parametrize(
    ("stated", "cut", "code", "n_records", "seconds"),
    [
        ("-1", 0, "nrec_unknown", 10, 0.0), ("", 0, "nrec_unknown", 10, 0.0), ("0", 0, "nrec_unknown", 10, 0.0),
        ("10", -96, "truncated", 9, 1.0),  # the last record is gone
        ("10", -50, "truncated", 9, 1.0),  # cut within it
        ("10", 7, "trailing_records", 10, 0.0),  # stray bytes
        ("8", 0, "trailing_records", 8, 2.0),
    ],
)  # fmt: skip
def test_row03_counts_that_the_file_does_not_bear_out(tmp_path, stated, cut, code, n_records, seconds):
    file = small()
    file.fields["records"] = stated
    content = file.content()
    path = tmp_path / "count.edf"
    path.write_bytes(content[:cut] if cut < 0 else content + b"\0" * cut)
    findings = Findings()
    assert read_header(path, findings).n_records == n_records
    (finding,) = findings
    assert (finding.code, finding.action, finding.severity) == (code, "repair", "warn")
    assert finding.seconds_affected == seconds


def test_row03_count_unknown_and_cut_within_a_record(tmp_path):
    file = small()
    file.fields["records"] = "-1"
    path = tmp_path / "both.edf"
    path.write_bytes(file.content()[:-50])
    findings = Findings()
    assert read_header(path, findings).n_records == 9
    assert [finding.code for finding in findings] == ["nrec_unknown", "truncated"]


@pytest.mark.parametrize(
    ("records", "cut", "code"),
    [("-1", 0, "nrec_unknown"), ("99", 0, "truncated"), ("20", -100, "truncated"), ("18", 0, "trailing_records")],
)
def test_row03_strict_refuses_what_is_else_repaired(tmp_path, records, cut, code):
    file = EdfFile(scalp_channels(np.random.default_rng(0)), fields={"records": records})
    path = tmp_path / "count.edf"
    path.write_bytes(file.content()[: cut or None])
    assert opened(path)[1] == [code]
    finding = refused(path, signals={"strict": True})
    assert (finding.code, finding.severity) == (code, "error")
