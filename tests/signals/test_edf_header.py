"""Headers as read, and what is corrected on the way; broken ones stand in tests/faults/."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.findings import Findings, Rejected
from pipeline.signals.edf_header import read_header
from tests.signals.edf_builder import Channel, EdfFile


def small(records=10, per_record=16, channels=3):
    """A valid file of three channels."""
    samples = np.arange(records * per_record).reshape(records, per_record)
    return EdfFile([Channel(f"EEG C{i}-REF", samples) for i in range(channels)])


def codes(findings):
    return [finding.code for finding in findings]


def test_valid_header(tmp_path):
    findings = Findings()
    header = read_header(small().write(tmp_path / "a.edf"), findings)
    assert (header.n_records, header.record_s, header.continuous) == (10, 1, True)
    assert [signal.offset for signal in header.signals] == [0, 16, 32]
    assert header.rate_hz(header.signals[0]) == 16
    assert len(findings) == 0


@pytest.mark.parametrize(
    ("stated", "code", "n_records"),
    [
        ("10", None, 10), ("-1", "nrec_unknown", 10), ("", "nrec_unknown", 10), ("12", "truncated", 10),
        ("99999999", "truncated", 10), ("8", "trailing_records", 8),
    ],
)  # fmt: skip
def test_T30_record_counts(tmp_path, stated, code, n_records):
    file = small()
    file.fields["records"] = stated
    findings = Findings()
    assert read_header(file.write(tmp_path / "count.edf"), findings).n_records == n_records
    assert codes(findings) == ([code] if code else [])


def test_T30_cut_within_a_record(tmp_path):
    path = tmp_path / "cut.edf"
    path.write_bytes(small().content()[:-50])
    findings = Findings()
    assert read_header(path, findings).n_records == 9
    (finding,) = findings
    assert (finding.code, finding.seconds_affected) == ("truncated", 1.0)


def test_trailing_bytes_are_told(tmp_path):
    path = tmp_path / "more.edf"
    path.write_bytes(small().content() + b"\0" * 7)
    findings = Findings()
    assert read_header(path, findings).n_records == 10
    assert codes(findings) == ["trailing_records"]


def test_missing_file(tmp_path):
    with pytest.raises(Rejected) as caught:
        read_header(tmp_path / "none.edf", Findings())
    assert caught.value.finding.code == "file_unreadable"


def test_decimal_comma_is_read_and_told(tmp_path):
    file = small()
    file.record_s = "0,5"
    file.channels[0].pmax = "3276,7"
    findings = Findings()
    header = read_header(file.write(tmp_path / "comma.edf"), findings)
    assert header.record_s == Fraction(1, 2)
    assert header.signals[0].physical_max == 3276.7
    assert codes(findings) == ["header_repaired", "header_repaired"]


def test_T23_rate_is_samples_over_record_duration(tmp_path):
    file = small(per_record=1000)
    file.record_s = "2.5"
    header = read_header(file.write(tmp_path / "rate.edf"), Findings())
    assert header.rate_hz(header.signals[0]) == 400


@pytest.mark.parametrize("date", ["01:01:85", "00.00.00", "99.99.99", "yesterda", ""])
def test_T29_dates_decide_nothing(tmp_path, date):
    file = small()
    file.fields.update(date=date, time="xx:yy:zz")
    findings = Findings()
    assert read_header(file.write(tmp_path / "date.edf"), findings).n_records == 10
    assert len(findings) == 0


def test_names_with_blanks_and_other_scripts(tmp_path):
    file = small()
    file.channels[0].label = "Elektrode \xe9\xdf"
    header = read_header(file.write(tmp_path / "Ordner mit Leerzeichen" / "ünïcode.edf"), Findings())
    assert header.signals[0].label == "ch 01"  # no word of the field: it may be a name


@settings(max_examples=150, deadline=None, suppress_health_check=[*HealthCheck])
@given(position=st.integers(0, 1023), value=st.integers(0, 255), length=st.integers(0, 2000))
def test_any_byte_may_be_wrong(tmp_path, position, value, length):
    """A header with one wrong byte and any length is read, or refused with a finding; nothing else."""
    content = bytearray(small().content())
    content[position] = value
    path = tmp_path / "fuzz.edf"
    path.write_bytes(bytes(content[: max(length, 0)]) if length < 1500 else bytes(content))
    try:
        header = read_header(path, Findings())
    except Rejected:
        return
    available = path.stat().st_size - header.header_bytes
    assert 0 < header.n_records * header.record_samples * 2 <= available
