"""The synthetic intracranial corpus: its signals show the focus by `effect`, and nothing at all where that is 0."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from ieeg_corpus import ROOT, ieeg
from scipy.signal import butter, sosfilt, welch
from sklearn.metrics import roc_auc_score

from pipeline.corpora import simulated_ieeg
from pipeline.corpora.ieeg_made import patient as patients_made
from pipeline.corpora.ieeg_made.activity import BURST_HZ, add_bursts, decoy_rates, focus_rates
from pipeline.corpora.ieeg_made.background import background, channel_profiles
from pipeline.corpora.ieeg_made.patient import draw_patient
from pipeline.corpora.ieeg_made.recording import make_recording
from pipeline.corpora.ieeg_made.runs import Run
from pipeline.corpora.ieeg_made.seizure import START_S, draw_delays
from pipeline.corpora.ieeg_made.traps import HOSTS
from pipeline.settings.base import SettingsError, parse_section
from pipeline.settings.corpus_section import CorpusSettings
from pipeline.settings.ieeg_simulation import IeegSimulationSettings

BETWEEN, SEIZURE = Run("interictal", 1, 36), Run("ictal", 1, 40, onset_s=10.0, seizure_s=25.0)


def drawn(settings, count):
    """The first patients of a corpus."""
    return [
        draw_patient(settings, patient=one.patient, number=one.number, place=one.place, kind=one.kind)
        for one in simulated_ieeg.patients(settings)[:count]
    ]


def band_power(signal, rate_hz, low_hz, high_hz):
    """Mean power (contact,) of a band in µV² per Hz, against the mean of all contacts."""
    frequencies, power = welch(signal - signal.mean(0), rate_hz, nperseg=rate_hz, axis=1)
    return power[:, (frequencies >= low_hz) & (frequencies < high_hz)].mean(1)


def test_the_cohort_needs_only_the_standard_library():
    code = (
        "import sys, pipeline.corpora.simulated_ieeg as s; "
        "print([m for m in ('numpy', 'scipy', 'pandas', 'mne', 'torch') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_a_larger_cohort_keeps_the_patients_it_had():
    small, large = (simulated_ieeg.patients(ieeg(patients=number)) for number in (9, 14))
    assert large[:9] == small
    assert {one.kind for one in small} == {"SEEG", "ECOG"}
    assert drawn(ieeg(patients=9), 9)[8].person == drawn(ieeg(patients=14), 9)[8].person


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"patients": 7}, "patients: 7"),
        ({"rates_hz": {500: 0.0}}, "rates_hz"),
        ({"effect": -1.0}, "effect"),
        ({"effects": 1.0}, "did you mean 'effect'"),
    ],
)
def test_wrong_settings_are_named(changes, told):
    with pytest.raises(SettingsError, match=told):
        parse_section(IeegSimulationSettings, {**ieeg().model_dump(), **changes}, where="simulate")


def test_another_reader_does_not_read_it():
    import yaml

    corpus = yaml.safe_load((ROOT / "config.yaml").read_text())["corpora"]["synthetic-ieeg"]
    with pytest.raises(SettingsError, match="ieeg_bids"):
        parse_section(CorpusSettings, {**corpus, "reader": "bids"})


def test_the_large_size_is_what_the_specification_asks_for():
    settings = ieeg("full")
    people = drawn(settings, settings.patients)
    contacts = [len(one.implant) for one in people]
    assert 30 <= len(people) <= 40
    assert min(contacts) >= 60
    assert max(contacts) <= 120
    assert {512, 1024, 256} <= {one.rate_hz for one in people}
    assert all(2 <= one.marked.sum() <= len(one.implant) / 3 for one in people)
    assert {one.person.outcome for one in people} == {"S", "F"}
    assert all((one.marked & ~one.bad).any() and (~one.marked & ~one.bad).any() for one in people)


def test_shafts_are_straight_and_evenly_spaced():
    for one in drawn(ieeg(), 8):
        shafts = np.array(one.implant.shafts)
        for shaft in set(one.implant.shafts) - {"G", "LG", "RG"}:
            steps = np.diff(one.implant.xyz_mm[shafts == shaft], axis=0)
            assert np.allclose(steps, steps[0], atol=0.003), (one.patient, shaft)  # rounded to 0.001 mm
            assert 3.4 < np.linalg.norm(steps[0]) < 10.1


def test_resting_activity_falls_with_frequency_and_with_distance():
    slopes, near, far = [], [], []
    for one in drawn(ieeg("full"), 4):
        draw = np.random.default_rng(3)
        profile = channel_profiles(draw, one)
        profile["rhythm_depth"] = profile["rhythm_depth"] * 0
        signal = background(draw, one, profile, 20 * one.rate_hz)
        signal -= signal.mean(0)
        frequencies, power = welch(signal, one.rate_hz, nperseg=2 * one.rate_hz, axis=1)
        inside = (frequencies >= 4) & (frequencies <= 40)
        fit = np.polyfit(np.log(frequencies[inside]), np.log(power[:, inside]).mean(0), 1)
        slopes.append(-fit[0] - one.background.slope)
        away = np.linalg.norm(one.implant.xyz_mm[:, None] - one.implant.xyz_mm, axis=2)
        correlation = np.corrcoef(signal)
        near += list(correlation[(away > 1) & (away < 6)])
        far += list(correlation[away > 60])
        mains = one.background.mains_hz
        loud = [power[:, np.abs(frequencies - hz) < 1].mean() for hz in (mains, mains + 4)]
        assert loud[0] > 1.5 * loud[1], one.patient
        assert 15 < np.median(signal.std(1)) < 120
    assert np.abs(np.median(slopes)) < 0.15
    assert np.median(near) > 0.4
    assert abs(np.median(far)) < 0.15


def test_a_recording_without_reference_to_marks_is_the_same_whoever_is_marked():
    settings = ieeg(effect=0.0)
    one = drawn(settings, 1)[0]
    other = replace(one, marked=~one.marked, resected=~one.resected)
    for run in (BETWEEN, SEIZURE):
        made, again = (make_recording(settings, who, run, extra=2) for who in (one, other))
        assert np.array_equal(made.contacts, again.contacts)
        assert made.spikes == made.bursts == 0


def test_without_effect_every_contact_is_marked_as_often():
    """The expected AUROC of any score that sees no label is then 0.5: P(i marked, j not) = P(j marked, i not)."""

    class Dealt:
        """A stream that deals every start once."""

        def __init__(self):
            self.next = -1

        def integers(self, n):
            self.next += 1
            return self.next

    dealt = Dealt()
    marks = np.array([patients_made._stretch(dealt, 17, 5) for _ in range(17)])
    assert (marks.sum(0) == 5).all()
    assert (marks.sum(1) == 5).all()
    together = (marks[:, :, None] & ~marks[:, None, :]).sum(0)
    assert np.array_equal(together, together.T)


@pytest.mark.parametrize(("effect", "low", "high"), [(0.0, 0.38, 0.62), (1.0, 0.75, 1.01)])
def test_fast_bursts_tell_the_zone_only_with_effect(effect, low, high):
    """AUROC by patient of how much the strongest 1 % of 80-180 Hz stands out, between seizures."""
    settings = ieeg("full", effect=effect, traps=False, patients=12)
    scores = []
    for one in drawn(settings, 12):
        if effect and one.person.outcome == "F":
            continue  # their marks lie beside the focus
        signal = make_recording(settings, one, BETWEEN, extra=1).contacts[:, : 20 * one.rate_hz]
        filtered = sosfilt(butter(3, (80, 180), "bandpass", fs=one.rate_hz, output="sos"), signal - signal.mean(0))
        size = np.abs(filtered)
        standing_out = np.quantile(size, 0.99, axis=1) / np.median(size, axis=1)
        scores.append(roc_auc_score(one.marked[~one.bad], standing_out[~one.bad]))
    assert low < np.mean(scores) < high, np.round(scores, 2)


def test_line_length_alone_does_not_solve_it():
    """As guard G2 of the scalp simulator: the simplest score of one channel stays far from the ceiling."""
    settings = ieeg("full", traps=False, patients=8)
    scores = []
    for one in drawn(settings, 8):
        signal = make_recording(settings, one, BETWEEN, extra=1).contacts
        length = np.abs(np.diff(signal - signal.mean(0), axis=1)).mean(1)
        scores.append(roc_auc_score(one.marked[~one.bad], length[~one.bad]))
    assert np.mean(scores) < 0.8, np.round(scores, 2)


def test_rates_rise_with_effect_and_decoys_do_not():
    one = drawn(ieeg(), 1)[0]
    none, weak, strong = (focus_rates(one, effect) for effect in (0.0, 0.5, 1.0))
    assert not none.spikes.any()
    assert not none.bursts.any()
    assert np.allclose(2 * weak.spikes, strong.spikes)
    assert np.allclose(2 * weak.bursts, strong.bursts)
    assert (strong.bursts[one.focus & ~one.silent] > 0).all()
    assert not strong.bursts[~one.focus | one.silent].any()
    others = decoy_rates(one)
    assert (others.spikes > 0).all()
    assert others.spikes.max() > 5


def test_bursts_stay_below_the_amplifiers_filter():
    one = next(person for person in drawn(ieeg(), 8) if person.rate_hz == patients_made.LOW_RATE_HZ)
    signal = np.zeros((len(one.implant), 20 * one.rate_hz), np.float32)
    count = add_bursts(np.random.default_rng(0), signal, one, np.full(len(one.implant), 30.0), BURST_HZ)
    frequencies, power = welch(signal, one.rate_hz, nperseg=one.rate_hz, axis=1)
    assert count > 50
    assert power[:, frequencies > 0.47 * one.rate_hz].sum() < 0.01 * power.sum()
    assert power[:, frequencies < 60].sum() < 0.05 * power.sum()


def test_seizures_begin_in_the_focus_and_spread():
    settings = ieeg("full")
    early, late = [], []
    for one in drawn(settings, 10):
        delay_s = draw_delays(np.random.default_rng(one.number), one, 1.0)
        assert delay_s.min() == 0.0
        assert delay_s[one.focus].max() <= START_S
        assert one.focus[np.argmin(delay_s)]
        early += list(delay_s[one.focus])
        late += list(delay_s[~one.focus & np.isfinite(delay_s)])
    assert np.median(late) > np.median(early) + 2
    assert any(value > 10 for value in late)


def test_without_effect_seizures_begin_anywhere():
    one = drawn(ieeg("full"), 1)[0]
    origins = {int(np.argmin(draw_delays(np.random.default_rng(i), one, 0.0))) for i in range(40)}
    assert len(origins) > 20


def test_a_seizure_changes_nothing_before_its_onset():
    settings = ieeg()
    one = drawn(settings, 1)[0]
    with_seizure = make_recording(settings, one, SEIZURE, extra=1)
    without = make_recording(settings, one, replace(SEIZURE, seizure_s=0.0), extra=1)
    onset = int(SEIZURE.onset_s * one.rate_hz)
    assert np.array_equal(with_seizure.contacts[:, :onset], without.contacts[:, :onset])
    joined = with_seizure.delay_s < 5
    grown = with_seizure.contacts[:, onset + 12 * one.rate_hz : onset + 20 * one.rate_hz].std(1)
    rest = without.contacts[:, onset + 12 * one.rate_hz : onset + 20 * one.rate_hz].std(1)
    assert np.median((grown / rest)[joined & ~one.bad]) > 1.5


def test_fast_activity_begins_low_in_the_focus():
    """15-80 Hz in the first seconds, against the seconds before the onset."""
    settings = ieeg("full", traps=False)
    gains = {True: [], False: []}
    for one in drawn(settings, 5):
        made = make_recording(settings, one, SEIZURE, extra=1)
        rate, onset = one.rate_hz, int(SEIZURE.onset_s * one.rate_hz)
        before = band_power(made.contacts[:, onset - 5 * rate : onset], rate, 15, 80)
        after = band_power(made.contacts[:, onset + 2 * rate : onset + 6 * rate], rate, 15, 80)
        for inside in (True, False):
            chosen = (one.focus if inside else made.delay_s > 8) & ~one.bad
            gains[inside] += list(np.log(after / before)[chosen])
    assert np.median(gains[True]) > np.median(gains[False]) + 0.5


def test_any_third_of_the_zone_is_bad_where_that_is_the_trap():
    """Always the first contacts would leave a rule by which a rank in the order tells the mark."""
    places = []
    for seed in range(40):
        settings = ieeg("full", seed=seed, effect=0.0, patients=8)
        host = drawn(settings, 8)[next(place for place, traps in HOSTS.items() if "soz_bad" in traps)]
        inside = np.flatnonzero(host.marked)
        assert host.bad[inside].sum() == max(1, len(inside) // 3)
        places += (np.flatnonzero(host.bad[inside]) / (len(inside) - 1)).tolist()
    assert abs(np.mean(places) - 0.5) < 0.12  # sd of one about 0.33, of more than 40


def test_every_trap_has_a_host_among_the_first_eight():
    hosts = {trap for one in drawn(ieeg(), 8) for trap in one.traps}
    assert hosts == {trap for traps in HOSTS.values() for trap in traps}
    assert not any(one.traps for one in drawn(ieeg(traps=False), 8))
