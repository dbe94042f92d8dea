"""The simulator's physics against plain slow versions and known numbers."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy import signal
from simulated_corpus import head_of

from pipeline.corpora.scalp.background import mixing
from pipeline.corpora.scalp.discharge import (
    COUPLING,
    ENVELOPE_HZ,
    NOISE,
    NOISE_EVERY,
    STRONGEST,
    Component,
    Discharge,
    integrate,
    potentials,
)
from pipeline.corpora.scalp.head import ELECTRODES, build_head, electrode_index, nearest_source
from pipeline.corpora.scalp.patient import draw_patient
from pipeline.corpora.scalp.recruitment import couplings, scattered_sites, spread
from pipeline.corpora.scalp.seizures import draw_seizures
from pipeline.corpora.scalp.streams import generator
from pipeline.corpora.scalp.waves import pink_shape, shaped_noise
from pipeline.graphs.distance import distance_weights

SCALP = ELECTRODES[:19]


@pytest.fixture(scope="module")
def head():
    return build_head(radius_factor=1.0, skull_factor=1.0, jitter_m=np.zeros((21, 3)))


def discharge(head, **changes) -> Discharge:
    n = len(head.sources)
    rhythm = Component(start_s=0.0, stop_s=10.0, early_hz=5.0, late_hz=5.0, harmonics=(1.0,), jitter_hz=0.0)
    plain = Discharge(
        code="fnsz",
        onset_s=0.0,
        duration_s=10.0,
        arrival_s=np.where(head.distance[nearest_source(head, electrode_index("T3"))] < 0.015, 0.0, np.inf),
        lag_s=np.zeros(n),
        weights=np.ones(n),
        growth=2.0,
        components=(rhythm,),
        amplitude_uv=50.0,
    )
    return replace(plain, **changes)


def test_a_patch_of_30_nAm_gives_clinical_microvolts_at_the_electrode_above(head):
    source = nearest_source(head, electrode_index("T3"))
    field = 30.0 * head.lead @ (head.distance[source] < 0.020)
    assert SCALP[int(np.abs(field[:19]).argmax())] == "T3"
    assert 50 < np.abs(field).max() < 250


def test_a_worse_conducting_skull_blurs_and_weakens(head):
    worse = build_head(radius_factor=1.0, skull_factor=0.5, jitter_m=np.zeros((21, 3)))
    row, source = electrode_index("C3"), nearest_source(head, electrode_index("C3"))
    assert worse.lead[row, source] < head.lead[row, source]
    ratio = lambda one: one.lead[electrode_index("T3"), source] / one.lead[row, source]  # noqa: E731
    assert ratio(worse) > ratio(head)


def test_background_has_the_covariance_of_400_coupled_sources(head):
    factor = mixing(head, 0.03)
    covariance = np.zeros((21, 21))
    for one in range(21):
        for other in range(21):
            coupled = np.exp(-head.distance / 0.03)
            covariance[one, other] = head.lead[one] @ coupled @ head.lead[other]
    made = factor @ factor.T
    np.testing.assert_allclose(made / made[0, 0], covariance / covariance[0, 0], rtol=1e-9)
    centre = np.eye(21) - 1 / 21
    assert np.trace(centre @ made @ centre) / 21 == pytest.approx(1.0)


def test_noise_has_the_asked_slope_and_amplitude():
    noise = shaped_noise(np.random.default_rng(0), 8, 60 * 256, 256, pink_shape(60 * 256, 256, 1.15))
    visible = signal.sosfiltfilt(signal.butter(6, [0.5, 40], "band", fs=256, output="sos"), noise, axis=1)
    assert visible.std() == pytest.approx(1.0, rel=0.1)
    frequencies, power = signal.welch(noise, 256, nperseg=1024)
    used = (frequencies > 2) & (frequencies < 40)
    assert -np.polyfit(np.log(frequencies[used]), np.log(power.mean(0)[used]), 1)[0] == pytest.approx(2.3, abs=0.1)


def test_oscillators_equal_a_plain_loop(head):
    one, steps = discharge(head, duration_s=3.0), int(5.0 * ENVELOPE_HZ) + 2
    (fast,) = integrate(np.random.default_rng(3), head, [one])
    kicks = np.random.default_rng(3).standard_normal((steps // NOISE_EVERY + 1, 400, 2), dtype=np.float32)
    kicks = (kicks[..., 0] + 1j * kicks[..., 1]) * NOISE * np.sqrt(NOISE_EVERY / ENVELOPE_HZ)
    weights, z = couplings(head).toarray(), kicks[0].astype(complex)
    for step in range(steps):
        np.testing.assert_allclose(fast[step], z, atol=2e-4)
        on = (step >= one.arrival_s * ENVELOPE_HZ) & (step < 3.0 * ENVELOPE_HZ)
        a = np.where(on, 1.0, -1.0)
        z = z + one.growth / ENVELOPE_HZ * ((a - abs(z) ** 2) * z + COUPLING * (weights @ z - z))
        if step % NOISE_EVERY == 0:
            z = z + kicks[step // NOISE_EVERY]


def test_discharges_side_by_side_do_not_touch(head):
    quiet = discharge(head, arrival_s=np.full(400, np.inf))
    alone, beside = integrate(np.random.default_rng(0), head, [discharge(head), quiet])
    assert np.abs(alone[100:240]).max() > 0.7
    assert np.abs(beside).max() < 0.5


def test_a_discharge_is_largest_at_its_focus_and_of_the_asked_frequency(head):
    one = discharge(head)
    (envelope,) = integrate(np.random.default_rng(1), head, [one])
    wave = potentials(np.random.default_rng(1), head, one, envelope, 250)
    assert SCALP[int(wave[:19, 1250:2500].std(1).argmax())] == "T3"
    frequencies, power = signal.welch(wave[12, 750:2500], 250, nperseg=1000)
    assert frequencies[power.argmax()] == pytest.approx(5.0, abs=0.3)
    strongest = np.sort((wave[:19] - wave[:19].mean(0))[:, 625:2500].var(1))[-STRONGEST:]
    assert np.sqrt(strongest.mean()) == pytest.approx(50.0, rel=0.1)


def test_a_conduction_lag_delays_a_source_by_that_much(head):
    lag = np.where(head.distance[nearest_source(head, electrode_index("T3"))] < 0.015, 0.04, 0.0)
    waves = []
    for one in (discharge(head), discharge(head, lag_s=lag)):
        (envelope,) = integrate(np.random.default_rng(1), head, [one])
        waves.append(potentials(np.random.default_rng(1), head, one, envelope, 250)[12, 1000:2400])
    shifts = range(-20, 21)
    best = max(shifts, key=lambda s: np.dot(waves[0][100:-100], np.roll(waves[1], -s)[100:-100]))
    assert best == pytest.approx(0.04 * 250, abs=1)


def test_recruitment_goes_at_the_asked_speed_and_stops_at_a_barrier(head):
    focus = nearest_source(head, electrode_index("C3"))
    open_ = spread(np.random.default_rng(0), head, focus, speed_m_s=0.004, patch_m=0.012, barrier_m=None)
    near = (head.distance[focus] > 0.02) & (head.distance[focus] < 0.06)
    seconds = (head.distance[focus][near] - 0.012) / 0.004
    assert 0.6 < np.median(open_[near] / seconds) < 1.4
    closed = spread(np.random.default_rng(0), head, focus, speed_m_s=0.004, patch_m=0.012, barrier_m=0.035)
    assert np.isinf(closed[head.distance[focus] >= 0.035]).all()
    assert np.isfinite(closed[head.distance[focus] < 0.02]).all()


def test_sites_of_seizure_like_events_are_no_neighbours_in_the_published_graph(head):
    weights = distance_weights(SCALP, kappa=0.9)
    for seed in range(40):
        sites = scattered_sites(np.random.default_rng(seed), head, 6)
        assert len(sites) >= 3
        assert all(weights[a, b] == 0 for a in sites for b in sites if a != b)


@pytest.mark.parametrize("kind", ["CF", "GN", "AB", "CT"])
def test_seizures_fit_into_the_recording_and_apart(kind):
    codes = {"CF": {"fnsz", "cpsz", "spsz"}, "GN": {"gnsz", "mysz"}, "AB": {"absz"}, "CT": {"tcsz", "tnsz"}}[kind]
    patient = draw_patient(generator("fit", kind), kind, (0.8, 4.0))
    for seed in range(5):
        found = draw_seizures(generator("fit", kind, seed), patient, head_of(patient), [4], 150.0)
        assert {one.code for one in found} <= codes
        spans = [(one.onset_s, one.onset_s + one.duration_s) for one in found]
        assert all(later[0] - earlier[1] >= 10 for earlier, later in pairwise(spans))
        assert all(start > 0 and stop < 150.0 for start, stop in spans)


def test_a_patient_is_the_same_whatever_else_was_drawn():
    one, again = (draw_patient(generator(1, 5, "physiology"), "CF", (0.8, 4.0)) for _ in range(2))
    other = draw_patient(generator(1, 6, "physiology"), "CF", (0.8, 4.0))
    assert one.alpha_hz == again.alpha_hz != other.alpha_hz
    np.testing.assert_array_equal(one.jitter_m, again.jitter_m)
