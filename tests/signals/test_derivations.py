"""Bipolar recordings, and referential ones with derivations as nodes (T31, T32, T36; docs/montages.md)."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.findings import Findings, Rejected
from pipeline.settings.config import parse_config
from pipeline.settings.signals import SignalCompat
from pipeline.signals import quality
from pipeline.signals.edf_annotations import Stretch
from pipeline.signals.edf_header import read_header
from pipeline.signals.edf_samples import digital_parts, scale_of
from pipeline.signals.montages import DOUBLE_BANANA, electrodes_of
from pipeline.signals.recording import open_recording
from tests.signals.edf_builder import ELECTRODES, Channel, EdfFile, eeg

REAL = Path(__file__).parents[3] / "shared" / "real-eeg"
CONFIG = parse_config(yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text()))
GAIN = 0.1  # µV in one digital step of the builder's channels
CHB_MIT = [
    "FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FP2-F4", "F4-C4", "C4-P4", "P4-O2",
    "FP2-F8", "F8-T8", "T8-P8", "P8-O2", "FZ-CZ", "CZ-PZ", "P7-T7", "T7-FT9", "FT9-FT10", "FT10-T8", "T8-P8",
]  # fmt: skip
OLDER = {"T7": "T3", "T8": "T4", "P7": "T5", "P8": "T6"}


def opened(path, *, rate_hz=256, **channels):
    """Samples (18, s) of the first segment, and the findings. At 256 Hz nothing is resampled."""
    findings = Findings()
    recording = open_recording(
        path,
        channels=CONFIG.channels.model_copy(update={"montage": "bipolar", **channels}),
        signals=CONFIG.signals.model_copy(update={"rate_hz": rate_hz, "block_s": 7.0}),
        compat=SignalCompat(zero_unreadable=False, resample_length="seconds"),
        findings=findings,
    )
    assert recording.electrodes == DOUBLE_BANANA
    return np.concatenate([block for _, block in recording.blocks(recording.segments[0])], axis=1), list(findings)


def refused(path, **channels):
    with pytest.raises(Rejected) as caught:
        opened(path, **channels)
    return caught.value.finding


def codes(findings):
    return sorted(finding.code for finding in findings)


@pytest.fixture
def head():
    """Digital samples (record, sample) of the 19 electrodes, FT9 and FT10, by name."""
    rng = np.random.default_rng(11)
    return {name: eeg(rng, records=20, per_record=256) for name in [*ELECTRODES, "FT9", "FT10"]}


def difference(head, label):
    first, second = (OLDER.get(end, end) for end in label.split("-"))
    return head[first] - head[second]


def referential(head, template="EEG {}-REF", names=ELECTRODES):
    return [Channel(template.format(name), head[name]) for name in names]


def recorded(head, labels):
    return [Channel(label, difference(head, label)) for label in labels]


def expected(head):
    return np.stack([difference(head, node).reshape(-1) * GAIN for node in DOUBLE_BANANA])


def test_a_referential_file_is_the_derivation_file_of_the_same_recording(tmp_path, head):
    """Equal to float32 rounding, also after resampling: subtraction and resampling are both linear."""
    for rate_hz in (256, 200):
        one, found = opened(EdfFile(referential(head)).write(tmp_path / "r.edf"), rate_hz=rate_hz)
        two, found_too = opened(EdfFile(recorded(head, DOUBLE_BANANA)).write(tmp_path / "b.edf"), rate_hz=rate_hz)
        assert found == found_too == []
        np.testing.assert_allclose(one, two, atol=2e-4)  # µV; one digital step is 0.1
        if rate_hz == 256:
            np.testing.assert_allclose(one, expected(head), atol=2e-4)


def test_T31_T32_chb_mit_labels(tmp_path, head):
    """23 signals with one name twice, five dummies; T7-P7 is T3-T5, and P7-T7 stays unused."""
    dummy = [Channel("-", np.zeros((20, 256), np.int16), dmin="0", dmax="0", pmin="0", pmax="0")] * 5
    channels = recorded(head, CHB_MIT)
    signal, findings = opened(EdfFile([*channels[:5], *dummy, *channels[5:]]).write(tmp_path / "a.edf"))
    np.testing.assert_allclose(signal, expected(head), atol=2e-4)
    assert [(finding.code, finding.channel) for finding in findings] == [("duplicate_label", "T4-T6")]
    assert findings[0].action == "repair"


def test_T31_the_same_name_with_other_samples(tmp_path, head):
    channels = recorded(head, CHB_MIT)
    channels[-1] = Channel("T8-P8", channels[-1].samples + 1)
    path = EdfFile(channels).write(tmp_path / "a.edf")
    assert refused(path).code == "duplicate_label"
    signal, _ = opened(path, duplicates="first")
    np.testing.assert_allclose(signal, expected(head), atol=2e-4)


def test_a_reversed_derivation_is_turned_and_told(tmp_path, head):
    labels = ["F7-FP1" if node == "FP1-F7" else node for node in DOUBLE_BANANA]
    signal, findings = opened(EdfFile(recorded(head, labels)).write(tmp_path / "a.edf"))
    np.testing.assert_allclose(signal, expected(head), atol=2e-4)
    assert [(f.code, f.channel, f.action) for f in findings] == [("derivation_reversed", "FP1-F7", "note")]


@pytest.mark.parametrize("template", ["EEG {}-REF", "EEG {}-LE", "EEG {}", "{}", "{}-CS2", "{}-Avg", "{}-A2",
                                      "{}-Mean", "{} -CAR", "{}-A1A2", "{}-REF-0"])  # fmt: skip
def test_any_one_reference_will_do(tmp_path, head, template):
    """chb12 has files on CS2; what the reference is called does not matter, it cancels."""
    signal, findings = opened(EdfFile(referential(head, template)).write(tmp_path / "a.edf"))
    np.testing.assert_allclose(signal, expected(head), atol=2e-4)
    assert findings == []


def test_two_references_are_never_mixed(tmp_path, head):
    """Left on A1, right on A2: both chains follow, and the midline on its own; FZ on another one than CZ does not."""
    left = [name for name in ELECTRODES if name[-1] in "13579"]
    rest = [name for name in ELECTRODES if name not in left]
    channels = [*referential(head, "{}-A1", left), *referential(head, "{}-A2", [*rest, "C3"])]
    signal, _ = opened(EdfFile(channels).write(tmp_path / "a.edf"))
    np.testing.assert_allclose(signal, expected(head), atol=2e-4)
    channels = [*referential(head, "{}-A1", [*left, "FZ"]), *referential(head, "{}-A2", [e for e in rest if e != "FZ"])]
    finding = refused(EdfFile(channels).write(tmp_path / "b.edf"))
    assert (finding.code, finding.value) == ("missing_derivation", "FZ-CZ")


def test_a_laplacian_is_no_reference_to_subtract_on(tmp_path, head):
    """It is another signal at each electrode: it does not cancel."""
    finding = refused(EdfFile(referential(head, "{}-Lap")).write(tmp_path / "a.edf"), missing="interpolate")
    assert finding.code == "missing_derivation"


def test_average_and_linked_ears_are_never_mixed(tmp_path, head):
    """FZ against the average, all else against linked ears: FZ-CZ is not to be had."""
    others = [name for name in ELECTRODES if name != "FZ"]
    channels = [*referential(head, "{}-CAR", ["FZ"]), *referential(head, "{}-A1A2", others)]
    finding = refused(EdfFile(channels).write(tmp_path / "a.edf"))
    assert (finding.code, finding.value) == ("missing_derivation", "FZ-CZ")


def test_T32_a_file_may_mix_derivations_and_electrodes(tmp_path, head):
    """As in chb12: half of the chains as recorded, the others from referential channels."""
    half = [
        *recorded(head, DOUBLE_BANANA[:8]),
        *referential(head, "{}-CS2", [e for e in ELECTRODES if e not in ("F7",)]),
    ]
    signal, findings = opened(EdfFile(half).write(tmp_path / "a.edf"))
    np.testing.assert_allclose(signal, expected(head), atol=2e-4)
    assert [(f.code, f.value) for f in findings] == [("mixed_montage", "8 10")]


@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=[*HealthCheck])
@given(st.randoms(use_true_random=False))
def test_the_order_of_channels_in_the_file_changes_nothing(tmp_path, head, random):
    channels = [*recorded(head, DOUBLE_BANANA[:6]), *referential(head)]
    plain, _ = opened(EdfFile(channels).write(tmp_path / "a.edf"))
    random.shuffle(channels)
    shuffled, _ = opened(EdfFile(channels).write(tmp_path / "b.edf"))
    np.testing.assert_array_equal(plain, shuffled)


def test_amplitudes_scale_with_the_file(tmp_path, head):
    plain, _ = opened(EdfFile(referential(head)).write(tmp_path / "a.edf"))
    louder = [Channel(f"EEG {name}-REF", head[name] * 3) for name in ELECTRODES]
    np.testing.assert_allclose(opened(EdfFile(louder).write(tmp_path / "b.edf"))[0], 3 * plain, atol=1e-3)


def test_units_and_scales_differ_between_the_two_electrodes(tmp_path, head):
    """Each to microvolts first: the same samples in mV, or on another scale, give the same difference."""
    channels = referential(head)
    channels[ELECTRODES.index("F3")] = Channel("EEG F3-REF", head["F3"], unit="mV", pmin="-3.2767", pmax="3.2767")
    channels[ELECTRODES.index("C3")] = Channel("EEG C3-REF", head["C3"] * 2, pmin="-1638.35", pmax="1638.35")
    signal, findings = opened(EdfFile(channels).write(tmp_path / "a.edf"))
    np.testing.assert_allclose(signal, expected(head), atol=2e-3)
    assert codes(findings) == ["unit_converted"]


def test_electrodes_of_two_rates_are_resampled_before_they_are_subtracted(tmp_path):
    """Sines of one phase at 256 and 128 Hz: their difference is a sine of the difference in amplitude."""
    rng = np.random.default_rng(4)
    amplitude = dict(zip(ELECTRODES, rng.permutation(19) + 3, strict=True))  # hundreds of digital steps

    def sine(name, per_record):
        seconds = np.arange(20 * per_record) / per_record
        wave = 100 * amplitude[name] * np.sin(2 * np.pi * 5 * seconds)
        return Channel(f"EEG {name}-REF", np.round(wave).astype(np.int16).reshape(20, per_record))

    channels = [sine(name, 128 if name in ("F3", "O1") else 256) for name in ELECTRODES]
    signal, findings = opened(EdfFile(channels).write(tmp_path / "a.edf"), rate_hz=200)
    assert codes(findings) == ["mixed_rate"]
    wave = np.sin(2 * np.pi * 5 * np.arange(4000) / 200)
    for node, found in zip(DOUBLE_BANANA, signal, strict=True):
        first, second = electrodes_of(node)
        expected_uv = 100 * GAIN * (amplitude[first] - amplitude[second]) * wave
        np.testing.assert_allclose(found[200:-200], expected_uv[200:-200], atol=1.0)  # of up to 180 µV; 1 s at each end


def test_a_dead_electrode_does_not_hide_as_a_live_derivation(tmp_path, head):
    """F7 flat at some offset: FP1-F7 would look alive, being FP1; it is missing, and so is F7-T3."""
    head["F7"] = np.full((20, 256), 500, np.int16)
    finding = refused(EdfFile(referential(head)).write(tmp_path / "a.edf"))
    assert (finding.code, finding.value) == ("missing_derivation", "FP1-F7, F7-T3")
    assert "channels.missing: interpolate" in finding.message


def test_bridged_electrodes_are_a_flat_derivation(tmp_path, head):
    """F3 and C3 are alive but show one signal (gel between them)."""
    head["C3"] = head["F3"]
    findings = Findings()
    path = EdfFile(referential(head)).write(tmp_path / "a.edf")
    with pytest.raises(Rejected) as caught:
        open_recording(
            path, channels=CONFIG.channels.model_copy(update={"montage": "bipolar"}), signals=CONFIG.signals,
            compat=SignalCompat(zero_unreadable=False, resample_length="seconds"), findings=findings,
        )  # fmt: skip
    assert (caught.value.finding.code, caught.value.finding.value) == ("missing_derivation", "F3-C3")
    assert [(f.code, f.channel) for f in findings] == [("bad_channel", "F3-C3")]


@pytest.mark.parametrize(("records", "per_record"), [(40, 128), (1, 5120)])
def test_differences_are_measured_in_one_pass(tmp_path, head, records, per_record, monkeypatch):
    """Standard deviations as numpy has them on the whole, whatever the blocks; the file is read once for all nodes."""
    rng = np.random.default_rng(2)
    bridge = 20_000 + np.arange(5120) // 8  # far from zero beside its spread; the other electrode differs by one step
    channels = [Channel(f"EEG {name}-REF", head[name].reshape(records, per_record)) for name in ELECTRODES]
    for name, extra in (("F3", 0), ("C3", rng.integers(0, 2, 5120))):
        channels[ELECTRODES.index(name)].samples = (bridge + extra).reshape(records, per_record)
    channels[ELECTRODES.index("CZ")].pmax = "1000"  # another gain than FZ
    path = EdfFile(channels, record_s=str(20 / records)).write(tmp_path / "a.edf")
    header = read_header(path, Findings())
    lines = {s.label[4:-4]: (s, scale_of(s, "a", Findings())) for s in header.signals}
    pairs = [tuple(lines[end] for end in electrodes_of(node)) for node in DOUBLE_BANANA]
    reads = []

    def counted(header, signals, first, stop, *, block_s):
        reads.append(len(signals))
        return digital_parts(header, signals, first, stop, block_s=block_s)

    monkeypatch.setattr(quality, "digital_parts", counted)
    monkeypatch.setattr(quality, "_CACHED", 300)
    found = quality.difference_stds_uv(header, pairs, [Stretch(first=0, stop=records, start_s=0.0)], block_s=3.0)
    whole = {c.label[4:-4]: c.samples.reshape(-1) * lines[c.label[4:-4]][1].gain for c in channels}
    oracle = [np.std(whole[a] - whole[b]) for a, b in map(electrodes_of, DOUBLE_BANANA)]
    np.testing.assert_allclose(found, oracle, rtol=1e-9)
    assert found[DOUBLE_BANANA.index("F3-C3")] == pytest.approx(0.05, rel=0.01)
    assert reads == [19]


def test_a_flat_recorded_derivation_is_missing(tmp_path, head):
    channels = recorded(head, DOUBLE_BANANA)
    channels[3] = Channel("T5-O1", np.zeros((20, 256), np.int16))
    path = EdfFile(channels).write(tmp_path / "a.edf")
    assert refused(path).value == "T5-O1"
    finding = refused(path, missing="interpolate")
    assert (finding.code, finding.value) == ("missing_derivation", "T5-O1")
    assert "derivations never" in finding.message


def test_missing_electrodes_are_interpolated_before_subtracting(tmp_path, head):
    """The derivations of the interpolated recording, as referential mode makes it."""
    path = EdfFile(referential(head, names=[e for e in ELECTRODES if e not in ("FZ", "T3")])).write(tmp_path / "a.edf")
    assert refused(path).value == "F7-T3, T3-T5, FZ-CZ"
    signal, findings = opened(path, missing="interpolate")
    recording = open_recording(
        path, channels=CONFIG.channels.model_copy(update={"missing": "interpolate"}),
        signals=CONFIG.signals.model_copy(update={"rate_hz": 256}),
        compat=SignalCompat(zero_unreadable=False, resample_length="seconds"), findings=Findings(),
    )  # fmt: skip
    ((_, electrodes),) = recording.blocks(recording.segments[0])
    row = dict(zip(ELECTRODES, electrodes, strict=True))
    made = np.stack([row[first] - row[second] for first, second in map(electrodes_of, DOUBLE_BANANA)])
    np.testing.assert_allclose(signal, made, atol=1e-3)
    assert [(f.code, f.channel) for f in findings] == [
        ("electrode_interpolated", "T3-REF"), ("electrode_interpolated", "FZ-REF"),
    ]  # fmt: skip
    assert refused(path, missing="interpolate", max_interpolated=1).code == "missing_derivation"


def test_every_electrode_of_the_file_serves_the_interpolation(tmp_path, head):
    """Also those whose derivations are recorded as such."""
    present = [name for name in ELECTRODES if name != "F8"]
    alone, _ = opened(EdfFile(referential(head, names=present)).write(tmp_path / "a.edf"), missing="interpolate")
    few = referential(head, "EEG {}-LE", ["C3", "C4"])  # another reference, on which there is nothing to go by
    mixed = [*few, *recorded(head, DOUBLE_BANANA[:8]), *referential(head, names=present)]
    signal, findings = opened(EdfFile(mixed).write(tmp_path / "b.edf"), missing="interpolate")
    np.testing.assert_allclose(signal, alone, atol=1e-3)
    assert codes(findings) == ["electrode_interpolated", "mixed_montage"]


def test_nothing_is_interpolated_on_an_electrode_as_reference(tmp_path, head):
    """Against CZ every derivation follows; but CZ itself, a zero, would be missing from the spline."""
    head = {name: samples - head["CZ"] for name, samples in head.items()}
    channels = referential(head, "{}-CZ", [name for name in ELECTRODES if name != "CZ"])
    signal, _ = opened(EdfFile(channels).write(tmp_path / "a.edf"))
    np.testing.assert_allclose(signal, expected(head), atol=2e-4)
    channels[ELECTRODES.index("F3")] = Channel("F3-CZ", np.zeros((20, 256), np.int16))
    finding = refused(EdfFile(channels).write(tmp_path / "b.edf"), missing="interpolate")
    assert (finding.code, finding.value) == ("missing_derivation", "FP1-F3, F3-C3")


def test_links_of_a_chain_are_no_basis_for_interpolation(tmp_path, head):
    """Without P3-O1 nothing is guessed from T5-O1 and the like, nor summed along the chain."""
    labels = [label for label in CHB_MIT if label != "P3-O1"]
    path = EdfFile(recorded(head, labels)).write(tmp_path / "a.edf")
    for missing in ("skip", "interpolate"):
        finding = refused(path, missing=missing)
        assert (finding.code, finding.value) == ("missing_derivation", "P3-O1")
        assert "P7-T7" in finding.message  # says what there is


def test_a_file_without_any_electrode(tmp_path):
    rng = np.random.default_rng(0)
    channels = [Channel(label, eeg(rng, records=2, per_record=256)) for label in ("SPO2", "HR", "-", "EKG1-CHIN")]
    assert refused(EdfFile(channels).write(tmp_path / "a.edf")).code == "not_eeg"


def incidence(nodes, electrodes):
    """What each derivation (d, n) sees of the electrodes: 1 and -1."""
    links = np.zeros((len(nodes), len(electrodes)))
    for row, node in zip(links, nodes, strict=True):
        first, second = electrodes_of(node)
        row[electrodes.index(first)], row[electrodes.index(second)] = 1, -1
    return links


def test_the_temporal_tie_of_chb_mit_lets_errors_add_up():
    """The figures of docs/montages.md: rank 19 of 21, and what noise of 1 on each derivation does to a difference."""
    electrodes = [*ELECTRODES, "FT9", "FT10"]
    links = incidence([*DOUBLE_BANANA, "T3-FT9", "FT9-FT10", "FT10-T4"], electrodes)
    assert np.linalg.matrix_rank(links) == 19
    inverse = np.linalg.pinv(links)
    for pair, noise in (("T3-T4", 1.73), ("FP1-FP2", 2.45), ("C3-C4", 2.65)):
        assert np.linalg.norm(incidence([pair], electrodes)[0] @ inverse) == pytest.approx(noise, abs=0.005)


def test_no_referential_recording_follows_from_a_double_banana():
    """The argument of docs/montages.md: rank 16 of 19, so that three signals of time would have to be guessed."""
    links = incidence(DOUBLE_BANANA, ELECTRODES)
    assert np.linalg.matrix_rank(links) == 16
    kernel = np.linalg.svd(links)[2][16:]  # what no derivation sees: a constant on each of three islands
    islands = [{ELECTRODES[e] for e in np.flatnonzero(np.abs(kernel.T @ kernel)[k] > 1e-9)} for k in range(19)]
    assert sorted({len(island) for island in islands}) == [3, 8]
    assert islands[ELECTRODES.index("CZ")] == {"FZ", "CZ", "PZ"}
    assert not islands[ELECTRODES.index("T3")] & islands[ELECTRODES.index("T4")]


@pytest.mark.skipif(not REAL.is_dir(), reason="the folder real-eeg is not beside the repository")
def test_real_headers_of_chb_mit_have_all_derivations():
    """Their samples are white noise, which is what is said in the end; also of T8-P8, whose two copies differ there."""
    for name in ("chb01_01_sample", "chb05_06"):
        path = REAL / "headers_whitenoise" / f"{name}.edf"
        assert refused(path).code == "duplicate_label"
        assert refused(path, duplicates="first").code == "fixture"


@pytest.mark.skipif(not REAL.is_dir(), reason="the folder real-eeg is not beside the repository")
def test_real_referential_recordings_subtract_exactly():
    path = sorted((REAL / "iiic_sparcnet").glob("*.edf"))[0]
    nodes, _ = opened(path, rate_hz=200)
    recording = open_recording(
        path, channels=CONFIG.channels, signals=CONFIG.signals,
        compat=SignalCompat(zero_unreadable=False, resample_length="seconds"), findings=Findings(),
    )  # fmt: skip
    ((_, electrodes),) = recording.blocks(recording.segments[0])
    row = dict(zip(ELECTRODES, electrodes, strict=True))
    for node, found in zip(DOUBLE_BANANA, nodes, strict=True):
        first, second = electrodes_of(node)
        np.testing.assert_array_equal(found, row[first] - row[second])
