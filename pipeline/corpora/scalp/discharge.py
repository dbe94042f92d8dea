"""Rhythmic discharges by coupled noisy Stuart-Landau oscillators, one per source (spec simulator.md, section 5).

    dz = g [(a - |z|²) z + κ (Σ_j W_ij z_j - z_i)] dt + noise

a turns from negative to positive when a source is recruited. The frame rotates with the discharge's frequency, so that
slow envelopes are integrated at 25 Hz and only while a discharge lasts; each source's conduction lag τ is a phase of
2πfτ that is put in afterwards (a change of gauge, in which the coupling has no lag), so neighbours keep a constant lag.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.corpora.scalp.head import Head
from pipeline.corpora.scalp.recruitment import couplings
from pipeline.corpora.scalp.waves import phase_of, tapered

Array = NDArray[np.floating]
ENVELOPE_HZ = 25
COUPLING = 0.5  # κ
NOISE = 0.09  # per square root of a second
AFTER_S = 2.0  # seconds that are still integrated after the end
DEVELOPED = 0.25  # share of its duration after which a discharge's amplitude is measured
STRONGEST = 12  # electrodes over which that amplitude is taken
NOISE_EVERY = 4  # steps between two kicks of noise


@dataclass(frozen=True, kw_only=True)
class Component:
    """One rhythm of a discharge: seconds after the onset, frequencies at its begin and end, shape of a cycle."""

    start_s: float
    stop_s: float
    early_hz: float
    late_hz: float
    harmonics: tuple[float, ...]
    jitter_hz: float
    amplitude: float = 1.0
    growing: bool = False
    waning: float = 0.0  # depth of random slow changes of amplitude
    edge_s: float = 0.3


@dataclass(frozen=True, kw_only=True)
class Discharge:
    """A seizure or something like one. Arrays (400,) over sources."""

    code: str  # TUSZ code; empty: seizure-like, not a seizure
    onset_s: float
    duration_s: float
    arrival_s: Array
    lag_s: Array
    weights: Array
    growth: float  # g, per second
    components: tuple[Component, ...]
    amplitude_uv: float  # RMS over the strongest electrodes when developed
    electrodes: tuple[str, ...] = ()  # the focus, or the sites
    stays_focal: bool = False
    flattening: float = 0.0  # share of the background that vanishes in the first seconds
    suppression_s: float = 0.0  # the background is low for this long after the end
    muscle_ratio: float = 0.0  # muscle activity with the discharge, relative to its amplitude


def integrate(draw: np.random.Generator, head: Head, discharges: list[Discharge]) -> list[NDArray[np.complex64]]:
    """Envelopes (time at 25 Hz, 400) of the discharges, integrated side by side (one block each)."""
    lengths = [int((one.duration_s + AFTER_S) * ENVELOPE_HZ) + 2 for one in discharges]
    steps, blocks, n = max(lengths), len(discharges), len(head.sources)
    join = np.concatenate([one.arrival_s for one in discharges]) * ENVELOPE_HZ
    stop = np.repeat([one.duration_s * ENVELOPE_HZ for one in discharges], n)
    rate = np.repeat([one.growth / ENVELOPE_HZ for one in discharges], n).astype(np.float32)
    coupling = sparse.block_diag([couplings(head)] * blocks, format="csr").astype(np.complex64) * np.complex64(COUPLING)
    kicks = draw.standard_normal((steps // NOISE_EVERY + 1, blocks * n, 2), dtype=np.float32).view(np.complex64)[..., 0]
    kicks *= NOISE * np.sqrt(NOISE_EVERY / ENVELOPE_HZ)
    envelope = np.empty((steps, blocks * n), np.complex64)
    z = kicks[0].copy()
    for step in range(steps):
        envelope[step] = z
        drive = np.where((step >= join) & (step < stop), np.float32(1.0 - COUPLING), np.float32(-1.0 - COUPLING))
        z += rate * ((drive - (z.real**2 + z.imag**2)) * z + coupling @ z)
        if step % NOISE_EVERY == 0:
            z += kicks[step // NOISE_EVERY]
    return [envelope[:length, k * n : (k + 1) * n] for k, length in enumerate(lengths)]


def potentials(
    draw: np.random.Generator, head: Head, one: Discharge, envelope: NDArray[np.complex64], rate_hz: int
) -> Array:
    """Potentials (21, n) float32 in µV of one discharge from its onset on, unreferenced, scaled to its amplitude."""
    n = int((one.duration_s + AFTER_S) * rate_hz)
    total = np.zeros((len(head.positions), n), np.float32)
    lead = (head.lead * one.weights).astype(np.float32)
    for component in one.components:
        _add_component(draw, total, component, envelope, lead, one.lag_s, rate_hz)
    peak = _developed_amplitude(total, rate_hz)
    return total * np.float32(one.amplitude_uv / peak) if peak > 0 else total


def _add_component(
    draw: np.random.Generator,
    total: Array,
    component: Component,
    envelope: NDArray[np.complex64],
    lead: Array,
    lag_s: Array,
    rate_hz: int,
) -> None:
    """Add one rhythm: harmonic h of a source is |z| u^h, with u = z/|z| exp(-2πi f τ), times exp(i h φ)."""
    first, last = int(component.start_s * rate_hz), min(int(component.stop_s * rate_hz), total.shape[1])
    path = np.geomspace(component.early_hz, component.late_hz, last - first)
    carrier = np.exp(1j * phase_of(draw, path, rate_hz, jitter_hz=component.jitter_hz)).astype(np.complex64)
    gain = component.amplitude * _gain(draw, component, last - first, rate_hz)
    places = np.arange(first, last) * (ENVELOPE_HZ / rate_hz)
    low = places.astype(int)
    between = (places - low).astype(np.float32)
    used = slice(low[0], low[-1] + 2)
    z = envelope[used]
    size = np.abs(z) + np.float32(1e-9)
    slow_path = np.interp(np.arange(len(z)), (low - low[0])[[0, -1]], np.log(path[[0, -1]]))
    unit = z / size * np.exp(-2j * np.pi * np.exp(slow_path)[:, None] * lag_s).astype(np.complex64)
    source, wave = size.astype(np.complex64), np.ones(last - first, np.complex64)
    low = low - low[0]
    for strength in component.harmonics:
        source, wave = source * unit, wave * carrier
        slow = lead.astype(np.complex64) @ source.T  # n t
        fast = slow[:, low] + (slow[:, low + 1] - slow[:, low]) * between
        total[:, first:last] += (strength * gain).astype(np.float32) * (fast * wave).real


def _gain(draw: np.random.Generator, component: Component, n: int, rate_hz: int) -> Array:
    """Amplitude (n,) of a component over its time."""
    gain = tapered(n, rate_hz, component.edge_s)
    if component.growing:
        gain = gain * np.linspace(0.4, 1.0, n)
    if component.waning:
        knots = draw.uniform(1 - component.waning, 1.0, max(3, int(n / rate_hz) + 2))
        gain = gain * np.interp(np.arange(n) * (len(knots) - 1) / n, np.arange(len(knots)), knots)
    return gain


def _developed_amplitude(total: Array, rate_hz: int) -> float:
    """RMS in µV over the `STRONGEST` scalp electrodes, against the average, once the discharge has developed."""
    end = total.shape[1] - int(AFTER_S * rate_hz)
    developed = total[:19, int(DEVELOPED * end) : end]
    developed = developed - developed.mean(0)
    return float(np.sqrt(np.sort((developed**2).mean(1))[-STRONGEST:].mean()))
