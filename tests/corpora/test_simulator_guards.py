"""Guards of the simulator (spec simulator.md, section 10) and its calibration against real segments (section 9).

G1 and G5 need trained models; they are experiments of the report. G4 and G6 are in test_simulated_files.py.
"""

from functools import cache

import numpy as np
import pyedflib
import pytest
from scipy import signal
from scipy.stats import rankdata
from simulated_corpus import REPOSITORY, Case, cases, head_of, simulation

from pipeline.corpora.scalp.annotations import whole_events
from pipeline.corpora.scalp.files import write_signals
from pipeline.corpora.scalp.head import ELECTRODES, standard_positions
from pipeline.corpora.scalp.patient import draw_patient
from pipeline.corpora.scalp.recording import simulate_recording
from pipeline.corpora.scalp.streams import generator
from pipeline.corpora.scalp.tusz_files import SCALE
from pipeline.corpora.scalp.visibility import Truth, label_seizures

REAL = REPOSITORY.parent / "shared" / "real-eeg" / "iiic_sparcnet"
FOCAL = ("fnsz", "cpsz", "spsz")


@pytest.fixture(scope="module")
def corpus() -> list[Case]:
    """The first recording of each patient of the built-in corpus."""
    return list(cases(simulation(recordings_per_patient=1)))


def auroc(score: np.ndarray, truth: np.ndarray) -> float:
    rank = rankdata(score)
    n_true, n_false = truth.sum(), (~truth).sum()
    return float((rank[truth].sum() - n_true * (n_true + 1) / 2) / (n_true * n_false))


def clip_scores(corpus: list[Case]) -> tuple[np.ndarray, np.ndarray]:
    """Line length (clip, 19) within 0.5-40 Hz of 12-s clips, and whether a seizure meets each."""
    scores, truth = [], []
    for case in corpus:
        rate, ictal = case.patient.rate_hz, case.ictal_seconds()
        steps = np.abs(np.diff(filtered(case.scalp, rate), axis=1)) * rate
        for start in range(0, len(ictal) - 11, 12):
            scores.append(steps[:, start * rate : (start + 12) * rate - 1].mean(1))
            truth.append(ictal[start : start + 12].any())
    return np.array(scores), np.array(truth)


def filtered(samples: np.ndarray, rate_hz: float) -> np.ndarray:
    return signal.sosfiltfilt(signal.butter(4, [0.5, 40], "band", fs=rate_hz, output="sos"), samples, axis=1)


def test_G2_one_channel_does_not_solve_the_task(corpus):
    scores, truth = clip_scores(corpus)
    assert 0.1 < truth.mean() < 0.5
    per_channel = [auroc(scores[:, row], truth) for row in range(19)]
    for score in (max(per_channel), auroc(scores.max(1), truth), auroc(np.median(scores, 1), truth)):
        assert 0.55 < score < 0.87, score


def test_G3_where_no_seizure_is_a_recording_is_the_same_as_one_without(tmp_path):
    """Length, header and size are equal, and so is every sample before, between and after the seizures."""
    traps = {"two_montages": 0.0, "missing_midline": 0.0, "one_hz_channel": 0.5, "dummy_channels": 0.0}
    changed = {"minutes": 4, "traps": traps}
    for kind in ("CF", "GN", "AB"):
        patient = draw_patient(generator("guard", kind), kind, (0.8, 4.0))
        head, made = head_of(patient), []
        for count in (0, 2):
            settings = simulation(**changed, seizures={kind: [count]})
            made.append(simulate_recording(settings, patient, head, key=(5, 1), montage="01_tcp_ar"))
            write_signals(tmp_path / f"{kind}{count}.edf", made[-1].channels, scale=SCALE, clock="00.00.00")
        without, with_ = ((tmp_path / f"{kind}{count}.edf").read_bytes() for count in (0, 2))
        header = 256 * (len(made[0].channels) + 1)
        assert len(without) == len(with_)
        assert without[:header] == with_[:header]
        outside = np.ones(made[0].brain.shape[1], bool)
        for discharge in (*made[1].truth["seizures"], *dropped(made)):
            first, last = (discharge["onset_s"] - 0.1), (discharge["offset_s"] + 2.1)
            outside[int(first * patient.rate_hz) : int(last * patient.rate_hz)] = False
        assert 0.2 < outside.mean() < 1.0
        for one, other in zip(made[0].channels[:19], made[1].channels[:19], strict=True):
            np.testing.assert_array_equal(one.samples[outside], other.samples[outside])
            assert not np.array_equal(one.samples, other.samples)


def dropped(made: list) -> list[dict]:
    """Seizure-like events that gave way to a seizure."""
    kept = {event["onset_s"] for event in made[1].truth["seizure_like"]}
    return [event for event in made[0].truth["seizure_like"] if event["onset_s"] not in kept]


def test_G3_sizes_and_lengths_do_not_tell(corpus):
    """Over a corpus: samples a second, duration and channels of files with and without a seizure overlap fully."""
    having = np.array([bool(case.made.events) for case in corpus])
    assert 0.2 < having.mean() < 0.98
    for value in (
        [case.made.duration_s for case in corpus],
        [len(case.made.channels) for case in corpus],
        [case.patient.rate_hz for case in corpus],
    ):
        assert 0.25 < auroc(np.array(value, float), having) < 0.75


def test_G7_an_invisible_seizure_has_no_label(corpus):
    checked = 0
    for case in corpus[:12]:
        made, rate = case.made, case.patient.rate_hz
        truths = [Truth(one["code"], one["onset_s"], one["offset_s"] + 2.0) for one in made.truth["seizures"]]
        arguments = (made.brain, rate, truths, made.derivations)
        assert label_seizures(made.seizure, *arguments) == made.events
        assert label_seizures(0.0 * made.seizure, *arguments) == []
        weaker = label_seizures(0.5 * made.seizure, *arguments)
        assert labelled_s(weaker) <= labelled_s(made.events)
        checked += bool(made.events)
    assert checked > 3


def labelled_s(events: list) -> float:
    return sum(event.offset_s - event.onset_s for event in events)


def test_G7_the_focus_is_labelled_first_in_most_focal_seizures(corpus):
    first = []
    for case in corpus:
        for whole in whole_events(case.made.events, binary=False):
            if whole.code in FOCAL:
                own = [e for e in case.made.events if whole.onset_s <= e.onset_s < whole.offset_s]
                earliest = [e.channel for e in own if e.onset_s == min(one.onset_s for one in own)]
                first.append(any(case.patient.focus in channel.split("-") for channel in earliest))
    assert len(first) >= 10
    assert np.mean(first) > 0.7


def test_labels_follow_the_rule_sample_by_sample():
    """A plain loop over seconds, with two thresholds, on one derivation."""
    rate, seconds = 100, 60
    draw = np.random.default_rng(0)
    brain = draw.normal(size=(21, rate * seconds)).astype(np.float32)
    seizure = np.zeros_like(brain)
    level = np.interp(np.arange(seconds * rate) / rate, [10, 20, 40, 50], [0.0, 1.5, 1.5, 0.0])
    seizure[ELECTRODES.index("T3")] = level * np.sqrt(4) * np.sin(np.arange(seconds * rate) * 0.3)
    (event,) = label_seizures(seizure, brain, rate, [Truth("fnsz", 8.0, 52.0)], ("F7-T3",))
    rms = lambda x, at: np.sqrt((x[int(at * rate) - 50 : int(at * rate) + 50] ** 2).mean())  # noqa: E731
    on, off = None, None
    one, other = ELECTRODES.index("F7"), ELECTRODES.index("T3")
    for step in range(80, 521):
        ratio = rms(seizure[one] - seizure[other], step / 10) / rms(brain[one] - brain[other], step / 10)
        if on is None and ratio > 0.7:
            on = step / 10
        if on is not None and off is None and ratio < 0.4:
            off = step / 10
    assert (event.onset_s, event.offset_s) == (pytest.approx(on), pytest.approx(off))
    assert (event.code, event.channel) == ("fnsz", "F7-T3")


@cache
def pairs() -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Near (< 75 mm) and far (> 130 mm) pairs of the 19 electrodes, and the indices of all pairs."""
    directions, radius = standard_positions()
    points = directions[:19] * radius
    upper = np.triu_indices(19, 1)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)[upper]
    return apart < 0.075, apart > 0.130, upper


def measures(samples: np.ndarray, rate_hz: float) -> tuple[float, float, float, float]:
    """PSD slope 2-40 Hz, correlation of near and of far electrodes, RMS of the median channel; median reference."""
    samples = filtered(samples, rate_hz)
    samples = samples - np.median(samples, 0)
    frequencies, power = signal.welch(samples, rate_hz, nperseg=int(2 * rate_hz))
    used = (frequencies >= 2) & (frequencies <= 40)
    slopes = [np.polyfit(np.log(frequencies[used]), np.log(row[used]), 1)[0] for row in power]
    near, far, upper = pairs()
    correlation = np.corrcoef(samples)[upper]
    return -np.median(slopes), correlation[near].mean(), correlation[far].mean(), np.median(samples.std(1))


@pytest.mark.skipif(not REAL.exists(), reason=f"no real segments at {REAL}")
def test_targets_are_what_the_real_segments_give():
    rows = []
    for path in sorted(REAL.glob("*.edf")):
        with pyedflib.EdfReader(str(path)) as reader:
            names = [label.split()[-1].split("-")[0].upper() for label in reader.getSignalLabels()]
            order = [names.index(name) for name in ELECTRODES[:19]]
            rate = reader.getSampleFrequency(0)
            samples = np.array([reader.readSignal(row) for row in order])
        rows.append(measures(samples[:, int(10 * rate) : int(40 * rate)], rate))
    quartiles = np.percentile(np.array(rows), [25, 50, 75], axis=0).T
    assert len(rows) == 24
    np.testing.assert_allclose(quartiles[0], [1.7, 2.4, 2.6], atol=0.25)
    np.testing.assert_allclose(quartiles[1], [0.50, 0.61, 0.66], atol=0.04)
    np.testing.assert_allclose(quartiles[2], [-0.35, -0.32, -0.26], atol=0.04)


def test_medians_lie_within_the_calibration_bands(corpus):
    rest, seizures = [], []
    for case in corpus:
        rate, samples, ictal = case.patient.rate_hz, case.scalp, case.ictal_seconds()
        for start in range(0, len(ictal) - 29, 30):
            if not ictal[start : start + 30].any():
                rest.append(measures(samples[:, start * rate : (start + 30) * rate], rate))
        for event in whole_events(case.made.events, binary=False):
            length = event.offset_s - event.onset_s
            first = event.onset_s + (10.0 if length >= 20 else 0.0)
            last = min(event.offset_s, event.onset_s + 40.0)
            if length >= 10:
                seizures.append(measures(samples[:, int(first * rate) : int(last * rate)], rate))
    slope, near, far, rms_uv = np.median(rest, axis=0)
    assert 1.8 < slope < 2.8
    assert 0.50 < near < 0.70
    assert -0.40 < far < -0.20
    assert 10 < rms_uv < 30
    assert len(seizures) > 20
    assert 40 < np.median(seizures, axis=0)[3] < 135
