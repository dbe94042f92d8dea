"""One recording of the planted-graph corpus: 19 electrodes, events of every class in a drawn order, hidden truth."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from pipeline.corpora.driven.envelopes import ENVELOPE_HZ, Planted, envelopes
from pipeline.corpora.driven.spectra import LEVEL_UV, amplitude, gains, marks, within
from pipeline.corpora.records import Event
from pipeline.corpora.scalp.edf import Channel
from pipeline.corpora.scalp.head import ELECTRODES
from pipeline.corpora.scalp.recording import Recording
from pipeline.settings.driven import CODE_OF, EVENT_S, LEAD_S, SPACING_S, DrivenSettings
from pipeline.signals.montages import MONTAGES

Array = NDArray[np.floating]
SCALP = ELECTRODES[:19]
MONTAGE = "03_tcp_ar_a"
NOTE = (
    "Classes bear the names of seizure types because the reader knows these. Nothing of a seizure is simulated: a "
    "class is a graph of whose band power follows whose."
)


def draw_events(draw: np.random.Generator, settings: DrivenSettings, lag_s: float) -> list[Planted]:
    """`events_per_class` events of each class in a drawn order, their onsets off the grid of whole seconds."""
    names = [name for name in settings.graphs for _ in range(settings.events_per_class)]
    found = []
    for place, chosen in enumerate(draw.permutation(len(names))):
        onset_s = round(float(LEAD_S + place * SPACING_S + draw.uniform(0.0, 1.0)), 2)
        found.append(Planted(names[chosen], onset_s, round(onset_s + EVENT_S, 2), lag_s))
    return found


def electrode_signals(
    draw: np.random.Generator, settings: DrivenSettings, envelope: Array, gain: Array
) -> NDArray[np.float32]:
    """Signals (n, samples) in µV of envelopes (n, s) and gains (n,) in ln amplitude.

    Gaussian noise with the electrode's spectrum, in two parts: what lies in the driven band is multiplied by
    exp(depth envelope), the rest is stationary.
    """
    rate, n_samples = settings.rate_hz, settings.total_s * settings.rate_hz
    frequencies = fft.rfftfreq(n_samples, 1 / rate)
    shape = amplitude(frequencies) * np.exp(marks(settings, SCALP, frequencies)) * np.exp(gain)[:, None]
    shape[:, frequencies < 0.3] = 0.0  # as an amplifier cuts
    driven = within(frequencies, settings.band_hz)
    noise = draw.standard_normal((len(SCALP), len(frequencies), 2)).view(np.complex128)[..., 0]
    unit = LEVEL_UV * n_samples / np.sqrt(4 * (amplitude(frequencies[frequencies >= 0.3]) ** 2).sum())
    parts = [fft.irfft(noise * shape * keep * unit, n_samples, axis=1) for keep in (driven, ~driven)]
    times = np.arange(n_samples) / rate
    ticks = np.arange(envelope.shape[1]) / ENVELOPE_HZ
    gate = np.exp(settings.depth * np.array([np.interp(times, ticks, row) for row in envelope]))
    found: NDArray[np.float32] = (parts[0] * gate + parts[1]).astype(np.float32)
    return found


def driven_recording(
    draw: np.random.Generator, settings: DrivenSettings, *, lag_s: float, patient_gain: float
) -> Recording:
    """Simulate one recording of a patient with the given lag and gain (ln amplitude)."""
    events = draw_events(draw, settings, lag_s)
    envelope = envelopes(draw, settings, SCALP, events, settings.total_s)
    gain = patient_gain + gains(draw, settings, len(SCALP))
    signals = electrode_signals(draw, settings, envelope, gain)
    channels = [Channel(f"EEG {name}-REF", row, settings.rate_hz) for name, row in zip(SCALP, signals, strict=True)]
    derivations = MONTAGES[MONTAGE]
    return Recording(
        channels=channels,
        events=_annotated(events, derivations),
        derivations=derivations,
        reference="REF",
        duration_s=float(settings.total_s),
        truth=_truth(settings, events, lag_s),
        brain=signals,
        seizure=np.zeros_like(signals[:, :0]),
    )


def _annotated(events: Sequence[Planted], derivations: Sequence[str]) -> list[Event]:
    """Every event on every derivation: which electrodes take part is hidden."""
    return [
        Event(onset_s=event.onset_s, offset_s=event.offset_s, code=CODE_OF[event.name], channel=name)
        for event in events
        for name in sorted(derivations)
    ]


def _truth(settings: DrivenSettings, events: Sequence[Planted], lag_s: float) -> dict[str, Any]:
    return {
        "synthetic": True,
        "note": NOTE,
        "lag_s": round(lag_s, 3),
        "groups": {name: list(group.electrodes) for name, group in settings.groups.items()},
        "graphs": {name: [list(edge) for edge in edges] for name, edges in settings.graphs.items()},
        "events": [{"class": event.name, "onset_s": event.onset_s, "offset_s": event.offset_s} for event in events],
    }
