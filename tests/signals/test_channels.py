"""Labels to electrodes (T25, T26), duplicates (row 7), bipolar files (row 9), montages (T19, T20)."""

import numpy as np
import pytest

from pipeline.findings import Findings, Rejected
from pipeline.settings.signals import ChannelSettings
from pipeline.signals.channels import (
    channel_pair,
    derivation_of,
    electrode_of,
    electrodes_of_labels,
    find_electrodes,
    missing_electrodes,
    reference_of,
)
from pipeline.signals.edf_header import read_header
from pipeline.signals.labels import EARS, REFERENCES, is_known_label
from pipeline.signals.montages import DOUBLE_BANANA, MONTAGES, TCP, TCP_A, derivations_of, electrodes_of
from tests.signals.edf_builder import ELECTRODES, Channel, EdfFile, scalp_channels


def settings(**changes):
    values = {
        "montage": "referential", "electrodes": ELECTRODES, "derivations": DOUBLE_BANANA, "missing": "skip",
        "max_interpolated": 3, "duplicates": "error",
    }  # fmt: skip
    return ChannelSettings(**{**values, **changes})


def found(tmp_path, channels, **changes):
    """Label of each electrode's signal, and the findings."""
    header = read_header(EdfFile(channels).write(tmp_path / "a.edf"), Findings())
    findings = Findings()
    chosen = find_electrodes(header, settings(**changes), findings)
    return {electrode: signal.label for electrode, signal in chosen.items()}, findings


@pytest.mark.parametrize(
    ("label", "electrode"),
    [
        ("EEG FP1-REF", "FP1"), ("EEG FP1-LE", "FP1"), ("eeg Fp1-ref", "FP1"), ("EEG Fp1", "FP1"), ("Fp1", "FP1"),
        ("EEG T7-REF", "T3"), ("T8", "T4"), ("P7", "T5"), ("EEG P8-LE", "T6"), ("EEG 01-REF", "O1"),
        ("EEG  C3-REF", "C3"),
        ("C3-Avg", "C3"), ("01", None), ("EEG 20-REF", None), ("EEG FP1-F7", None), ("F7-T3", None), ("61", None),
        ("EDF Annotations", None), ("EKG EKG", None), ("", None), ("EEG C3-P3-REF", None),
        ("P3 -REF", "P3"), ("EEG P3 - Ref", "P3"), ("Fp1-REF-0", "FP1"), ("Fp1-REF-", None), ("Fp1-REF-123", None),
        ("Fp1-REFX", None), ("XFp1-REF-REF", None), ("Fp1-LAP", None), ("Fp1-A1", None), ("A1-T3", None),
    ],
)  # fmt: skip
def test_T25_T26_labels(label, electrode):
    assert electrode_of(label) == electrode


@pytest.mark.parametrize("reference", [*REFERENCES, "REF-0", "Mean", "Car", *EARS])
def test_T25_any_one_reference_is_referential(tmp_path, reference):
    """Each name that labels.py knows is accepted here: a reference, not the other end of a derivation."""
    labels = [f"EEG {electrode}-{reference}" for electrode in ELECTRODES]
    chosen, findings = found(tmp_path, scalp_channels(np.random.default_rng(0), records=2, labels=labels))
    assert list(chosen.values()) == labels
    assert list(findings) == []
    assert {reference_of(label) for label in labels} == {reference.upper().removesuffix("-0")}
    assert all(is_known_label(label) for label in labels)


@pytest.mark.parametrize("crossed", [False, True])
def test_T25_each_side_against_an_ear(tmp_path, crossed):
    """Two references, told as such. T3-A1 and T4-A2 are then electrodes like the others."""
    odd, even = ("A2", "A1") if crossed else ("A1", "A2")
    labels = [f"{electrode}-{odd if electrode[-1] in '13579' else even}" for electrode in ELECTRODES]
    chosen, findings = found(tmp_path, scalp_channels(np.random.default_rng(0), records=2, labels=labels))
    assert list(chosen.values()) == labels
    assert [(finding.code, finding.value, finding.action) for finding in findings] == [
        ("mixed_reference", "A1 and A2", "note")
    ]


@pytest.mark.parametrize("ears", [("A1-T3", "T4-A2"), ("T3-A1", "A2-T4"), ("T7-A1", "T8-A2")])
def test_T25_the_ears_of_tcp_are_derivations(tmp_path, ears):
    """A file of TCP derivations holds no electrode, although two of its channels end on an ear."""
    labels = [*ears, *TCP_A]
    assert electrodes_of_labels(labels) == [None] * 22
    with pytest.raises(Rejected) as caught:
        found(tmp_path, scalp_channels(np.random.default_rng(0), records=2, labels=labels))
    assert caught.value.finding.code == "bipolar_only"


def test_T25_channels_to_an_ear_beside_the_same_electrodes_are_extras(tmp_path):
    """As in sleep recordings; eyes against an ear make nobody an electrode."""
    labels = [*(f"{electrode}-Ref" for electrode in ELECTRODES), "C3-A2", "C4-A1", "O1-M2", "E1-M2", "LOC-A2"]
    chosen, findings = found(tmp_path, scalp_channels(np.random.default_rng(0), records=2, labels=labels))
    assert list(chosen.values()) == labels[:19]
    assert list(findings) == []
    assert electrodes_of_labels(["T4-A2", "LOC-A2", "E1-M2"]) == [None, None, None]


def test_laplacian_channels_are_no_electrodes(tmp_path):
    """Each is against a mean of its own neighbours."""
    labels = [f"{electrode}-Lap" for electrode in ELECTRODES]
    with pytest.raises(Rejected, match="Export it against one reference") as caught:
        found(tmp_path, scalp_channels(np.random.default_rng(0), records=2, labels=labels))
    assert caught.value.finding.code == "bipolar_only"


def test_T25_extras_are_not_taken_for_electrodes(tmp_path):
    rng = np.random.default_rng(0)
    extras = ["EEG EKG1-REF", "EEG T1-REF", "EEG C3P-REF", "EEG SP1-REF", "EEG ROC-REF", "EEG PG1-REF", "EEG OZ-REF",
              "EEG 20-REF", "EMG-REF", "PHOTIC-REF", "PH", "DC1-DC", "IBI", "EEG 32-REF"]  # fmt: skip
    channels = scalp_channels(rng, records=2) + scalp_channels(rng, records=2, labels=extras)
    chosen, findings = found(tmp_path, channels[::-1])
    assert chosen == {electrode: f"EEG {electrode}-REF" for electrode in ELECTRODES}
    assert list(chosen) == ELECTRODES  # in the wanted order, whatever the file's
    assert len(findings) == 0


def test_T27_what_is_missing_is_named(tmp_path):
    rng = np.random.default_rng(0)
    chosen, _ = found(
        tmp_path, [c for c in scalp_channels(rng, records=2) if c.label not in ("EEG FZ-REF", "EEG PZ-REF")]
    )
    assert missing_electrodes(chosen, settings()) == ["FZ", "PZ"]


def test_two_channels_of_one_name(tmp_path):
    rng = np.random.default_rng(0)
    channels = scalp_channels(rng, records=3)
    copy = Channel("EEG T7-REF", channels[ELECTRODES.index("T3")].samples)
    chosen, findings = found(tmp_path, [*channels, copy])
    assert chosen["T3"] == "EEG T3-REF"
    assert [finding.code for finding in findings] == ["duplicate_label"]
    other = Channel("EEG T3-REF", copy.samples + 1)
    with pytest.raises(Rejected) as caught:
        found(tmp_path, [*channels, other])
    assert caught.value.finding.code == "duplicate_label"
    assert found(tmp_path, [*channels, other], duplicates="first")[0]["T3"] == "EEG T3-REF"
    scaled = Channel("EEG T3-REF", copy.samples, pmax="100")  # the same numbers mean another signal
    with pytest.raises(Rejected):
        found(tmp_path, [*channels, scaled])


def test_T36_bipolar_files_are_refused_with_the_remedy(tmp_path):
    with pytest.raises(Rejected, match=r"channels\.montage: bipolar") as caught:
        found(
            tmp_path, scalp_channels(np.random.default_rng(0), records=2, labels=["FP1-F7", "F7-T7", "T8-P8", "T8-P8"])
        )
    assert caught.value.finding.code == "bipolar_only"
    with pytest.raises(Rejected) as caught:
        found(tmp_path, scalp_channels(np.random.default_rng(0), records=2, labels=["SPO2", "HR"]))
    assert caught.value.finding.code == "not_eeg"


def test_several_references_in_one_file_are_told(tmp_path):
    rng = np.random.default_rng(0)
    labels = [f"EEG {electrode}-{'LE' if electrode == 'CZ' else 'REF'}" for electrode in ELECTRODES]
    _, findings = found(tmp_path, scalp_channels(rng, records=2, labels=labels))
    assert [finding.code for finding in findings] == ["mixed_reference"]


def test_derivations():
    assert derivation_of("EEG T7-P7") == ("T3", "T5")
    assert derivation_of("T8-P8-0") == ("T4", "T6")
    assert derivation_of("EEG F3-REF") is None


def test_T19_channel_numbers_shift_without_the_ears():
    assert (len(TCP), len(TCP_A)) == (22, 20)
    assert TCP_A[:8] == TCP[:8]
    assert TCP_A[8:13] == ("T3-C3", "C3-CZ", "CZ-C4", "C4-T4", "FP1-F3")
    assert TCP_A[19] == "P4-O2"
    assert MONTAGES["03_tcp_ar_a"] == MONTAGES["04_tcp_le_a"] == TCP_A


def test_T20_midline_and_degrees():
    """Degrees in the 22-montage as formats.md section 8 gives them."""
    ends = [electrode for name in TCP for electrode in electrodes_of(name)]
    degree = {electrode: ends.count(electrode) for electrode in [*ELECTRODES, "A1", "A2"]}
    assert {e for e in degree if degree[e] == 4} == {"T3", "T4", "C3", "C4"}
    assert {e for e in degree if degree[e] == 0} == {"FZ", "PZ"}
    assert degree["A1"] == degree["A2"] == 1
    assert [e for name in TCP_A for e in electrodes_of(name)].count("T3") == 3
    assert len(set(DOUBLE_BANANA)) == 18
    assert {electrode for name in DOUBLE_BANANA for electrode in electrodes_of(name)} == set(ELECTRODES)


def test_unknown_montage_has_the_derivations_of_its_electrodes():
    assert set(derivations_of("", set(ELECTRODES))) == set(TCP_A)
    assert derivations_of("", {"F7", "T3", "CZ"}) == ("F7-T3",)


def test_a_bipolar_file_has_the_derivations_that_it_records_in_either_polarity():
    recorded = frozenset(frozenset(pair) for pair in [("F7", "T3"), ("T5", "T3"), ("FZ", "CZ"), ("C3", "A2")])
    assert derivations_of("", set(), recorded) == ("F7-T3", "T3-T5")


@pytest.mark.parametrize(
    ("label", "pair"),
    [
        ("EEG F7-REF", ("F7", "REF")), ("Fp1", ("FP1", "")), ("T8-P8-1", ("T4", "T6")), ("F7-CS2", ("F7", "CS2")),
        ("C3-A2", ("C3", "A2")), ("-", None), ("--1", None), (".", None), ("EDF Annotations", None), ("", None),
    ],
)  # fmt: skip
def test_T32_what_a_channel_measures_against_what(label, pair):
    assert channel_pair(label) == pair
