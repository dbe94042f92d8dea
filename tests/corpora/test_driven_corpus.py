"""The planted-graph corpus: nothing but who drives whom differs between its classes, and that can be found.

Oracles: nearest class mean on time-averaged log spectra and on zero-lag correlations must stay at chance, lagged
correlations of the groups' band power must be near perfect (docs/sglc.md, The planted graph).
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.corpora import driven_scalp, tusz
from pipeline.corpora.driven.envelopes import ENVELOPE_HZ, Planted, envelopes, planted_edges, smoothed
from pipeline.corpora.driven.frames import planted_frames
from pipeline.corpora.driven.recording import driven_recording
from pipeline.features.fft import frames as fft_frames
from pipeline.findings import Findings
from pipeline.settings.base import SettingsError, parse_section
from pipeline.settings.corpus_section import CorpusSettings
from pipeline.settings.driven import CODE_OF, EVENT_S
from pipeline.settings.features import FeatureSettings
from tests.corpora.driven_corpus import SCALP, driven

REPOSITORY = Path(__file__).parents[2]
CLIPS = 480
SMALL = {"patients": {"train": 1, "validation": 1, "test": 2}, "recordings_per_patient": 2, "events_per_class": 1}


@pytest.fixture(scope="module")
def clips():
    """Band power of each group (b, t, g), log spectra (b, n, f) averaged over time, band power (b, t, n), labels."""
    settings = driven()
    x, y = planted_frames(settings, SCALP, clips=CLIPS, length_s=12, seed=5)
    return settings, x, y


def band_power(settings, x):
    """Mean ln amplitude of the driven band (b, t, n), less its mean over the clip."""
    hz = np.arange(x.shape[-1])
    power = x[..., (hz >= settings.band_hz[0]) & (hz < settings.band_hz[1])].mean(-1)
    return power - power.mean(1, keepdims=True)


def by_group(settings, power):
    """Band power (b, t) of each group by name."""
    places = {name: [SCALP.index(one) for one in group.electrodes] for name, group in settings.groups.items()}
    return {name: power[:, :, own].mean(-1) for name, own in places.items()}


def lagged_scores(settings, groups, lag):
    """Sum of products (b, classes) of driver and receiver `lag` seconds later; the whole clip is coupled."""
    return np.stack(
        [
            sum((groups[d][:, :-lag] * groups[r][:, lag:]).sum(1) for d, r in edges)
            for edges in settings.graphs.values()
        ],
        axis=1,
    )


def cross_validated(features, labels):
    """Accuracy of a logistic regression on half of the clips, tested on the other half, mean of both."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    return cross_val_score(model, features, labels, cv=2).mean()


def test_time_averaged_spectra_tell_nothing(clips):
    settings, x, y = clips
    assert abs(cross_validated(x.mean(1).reshape(len(x), -1), y) - 1 / len(settings.graphs)) < 0.08


def test_zero_lag_correlations_tell_nothing(clips):
    settings, x, y = clips
    power = band_power(settings, x)
    correlation = np.einsum("bti,btj->bij", power, power)[:, *np.triu_indices(power.shape[2], 1)]
    assert abs(cross_validated(correlation, y) - 1 / len(settings.graphs)) < 0.08


def test_lagged_correlations_tell_the_class(clips):
    settings, x, y = clips
    groups = by_group(settings, band_power(settings, x))
    lags = range(int(settings.lag_s[0]), int(np.ceil(settings.lag_s[1])) + 1)
    score = np.max([lagged_scores(settings, groups, lag) for lag in lags], axis=0)
    assert (score.argmax(1) == y).mean() > 0.9


def test_every_electrode_has_one_law_in_all_classes(clips):
    """Mean, variance and autocorrelation of band power, each within the spread of their estimates."""
    settings, x, y = clips
    power = band_power(settings, x)
    for statistic in (power.var(1), (power[:, 1:] * power[:, :-1]).mean(1), (power[:, 2:] * power[:, :-2]).mean(1)):
        means = np.array([statistic[y == k].mean(0) for k in range(len(settings.graphs))])
        error = statistic.std(0) / np.sqrt(CLIPS / len(means))
        assert (np.abs(means - statistic.mean(0)) / error).max() < 4.5


def test_envelopes_are_those_of_the_docstring():
    """Unit variance, autocorrelation exp(-t^2 / 4 s^2), and c times it at the lag between driver and receiver."""
    settings, draw = driven(shared=1.0, coupling=0.8), np.random.default_rng(0)
    plain = smoothed(draw, 4, 40_000, settings.correlation_s)
    assert plain.std() == pytest.approx(1, abs=0.05)
    step = round(settings.correlation_s * ENVELOPE_HZ)
    measured = (plain[:, step:] * plain[:, :-step]).mean()
    assert measured == pytest.approx(np.exp(-((step / ENVELOPE_HZ / settings.correlation_s) ** 2) / 4), abs=0.05)
    found = envelopes(draw, settings, SCALP, [Planted("CF", 10, 1990, 2.0)], 2000)
    driver, receiver = settings.graphs["CF"][0]
    one, other = (SCALP.index(settings.groups[name].electrodes[0]) for name in (driver, receiver))
    inner, lag = slice(20 * ENVELOPE_HZ, 1980 * ENVELOPE_HZ), 2 * ENVELOPE_HZ
    assert found[[one, other], inner].std(1) == pytest.approx([1, 1], abs=0.06)
    assert np.corrcoef(np.roll(found[one], lag)[inner], found[other][inner])[0, 1] == pytest.approx(0.8, abs=0.05)
    assert abs(np.corrcoef(found[one][inner], found[other][inner])[0, 1]) < 0.07


def test_edges_are_receiver_by_driver():
    settings = driven()
    found = planted_edges(settings, SCALP)
    driver, receiver = settings.graphs["CF"][0]
    one, other = (SCALP.index(settings.groups[name].electrodes[0]) for name in (driver, receiver))
    assert found["CF"][other, one]
    assert not found["CF"][one, other]
    assert all(not edges.diagonal().any() for edges in found.values())
    sizes = {name: len(group.electrodes) for name, group in settings.groups.items()}
    assert found["CF"].sum() == sum(sizes[d] * sizes[r] for d, r in settings.graphs["CF"])


def test_files_hold_what_the_frames_hold():
    """The log-amplitude features of a written signal have the spectrum, the marks and the modulation of the frames."""
    settings = driven()
    made = driven_recording(np.random.default_rng(1), settings, lag_s=1.5, patient_gain=0.0)
    of_file = fft_frames(made.brain, settings.rate_hz, FeatureSettings(kind="fft", floor_amplitude=1e-8))
    direct, _ = planted_frames(settings, SCALP, clips=60, length_s=12, seed=2)
    spectrum = [x.reshape(-1, *x.shape[-2:]).mean(0) for x in (of_file, direct)]
    inner = slice(int(settings.band_hz[0]), settings.rate_hz // 2 - 2)  # below, marks leak into the bins beside them
    difference = (spectrum[0] - spectrum[1])[:, inner]
    assert (difference - difference.mean(1, keepdims=True)).std() < 0.2
    spread = [band_power(settings, x).std() for x in (of_file[None], direct)]
    assert spread[0] == pytest.approx(spread[1], rel=0.2)


def test_recordings_and_annotations_on_disk(tmp_path):
    settings = driven(**SMALL)
    driven_scalp.write_tree(tmp_path / "corpus", settings)
    who = driven_scalp.patients(settings)
    for one in who:
        driven_scalp.write_patient(tmp_path / "corpus", tmp_path / "truth", settings, one)
    found = tusz.find(tmp_path / "corpus", "auto")
    assert {files.recording for files in found} == {
        driven_scalp.files_of(settings, one, session).recording for one in who for session in (1, 2)
    }
    truth = json.loads(next((tmp_path / "truth").rglob("*.json")).read_text())
    assert truth["synthetic"]
    assert "Nothing of a seizure is simulated" in truth["note"]
    events = tusz.read_events(tmp_path / "corpus", found[0], float(settings.total_s), Findings())
    whole = [event for event in events if event.channel == "TERM"]
    assert sorted(event.code for event in whole) == sorted(CODE_OF[name] for name in settings.graphs)
    assert all(event.offset_s - event.onset_s == pytest.approx(EVENT_S, abs=1e-3) for event in whole)
    assert b"synthetic" in (tmp_path / "corpus" / found[0].edf).read_bytes()[:256]


def test_equal_seeds_give_equal_bytes(tmp_path):
    settings = driven(**SMALL)
    one = driven_scalp.patients(settings)[0]
    written = [driven_scalp.write_patient(tmp_path / name, tmp_path / "t", settings, one)[0] for name in "ab"]
    assert (tmp_path / "a" / written[0].edf).read_bytes() == (tmp_path / "b" / written[1].edf).read_bytes()


def test_a_larger_cohort_keeps_the_patients_it_had():
    few, many = (driven_scalp.patients(driven(patients={"train": n, "validation": 2, "test": 3})) for n in (4, 9))
    assert {one.patient for one in few} < {one.patient for one in many}
    assert len({one.patient for one in many}) == 14


def test_the_cohort_needs_only_the_standard_library():
    code = (
        "import sys, pipeline.corpora.driven_scalp; "
        "print([m for m in ('numpy', 'scipy', 'pandas', 'mne', 'torch') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"graphs": {"CF": [["left", "nowhere"]]}}, "'nowhere' is not in groups"),
        ({"graphs": {"CF": [["left", "right"], ["right", "front"]]}}, "stands in two edges"),
        ({"coupling": 1.5}, "coupling"),
        ({"lag_s": [1.0, 3.5]}, "lag_s: 1 to 3.5; give a rising pair within 1 to 2.8 s"),
        ({"lag_s": [0.5, 1.2]}, "lag_s: 0.5 to 1.2; give a rising pair within 1 to 2.8 s"),
        ({"band_hz": [5, 17]}, "band_hz: .* at most 16 Hz"),
    ],
)
def test_wrong_graphs_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        driven(**change)


def test_the_section_is_read_by_its_generator():
    """An unknown key of `simulate` is told as a key of the generator that it names."""
    values = {"reader": "tusz", "version": "v2", "pseudonyms": "auto", "pseudonym_key": None, "root": None,
              "splits": {"source": "official", "official": {}, "validation_share": 0, "test_share": 0, "file": None,
                         "seed": 0},
              "simulate": {**driven().model_dump(), "lagg_s": [1, 2]}}  # fmt: skip
    with pytest.raises(SettingsError, match=r"lagg_s: unknown key; did you mean 'lag_s'"):
        parse_section(CorpusSettings, values)
