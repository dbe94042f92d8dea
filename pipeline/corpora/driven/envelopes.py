"""Band-power envelopes: Gaussian, equal in law for every electrode and class, but for who follows whom, and when.

A group has one latent envelope u. During an event of a class with the edge (driver, receiver)

    u_receiver(t) = c u_driver(t - lag) + sqrt(1 - c^2) own_receiver(t),

where u_driver and own_receiver are independent with unit variance and one autocorrelation rho. So u_receiver has that
variance and that rho, too, and its correlation with the driver at lag zero is c rho(lag), which is 0 as soon as the
lag is longer than the kernel that smooths white noise into envelopes (rho(t) = exp(-t^2 / 4 s^2)).

At the switch from own_receiver to u_receiver an envelope breaks with its past. That would tell a receiver from its own
signal, so that the switch is COUPLED_BEFORE_S before the onset: a clip begins later and ends with the event.

Axes: g group, n electrode, s sample of the envelope (ENVELOPE_HZ).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from pipeline.settings.driven import COUPLED_BEFORE_S, ClassName, DrivenSettings

Array = NDArray[np.floating]
ENVELOPE_HZ = 20
KERNELS = 4.0  # the smoothing kernel ends after so many of its widths


@dataclass(frozen=True)
class Planted:
    """One event: its class, when it goes on, and how far its receivers lag behind their drivers."""

    name: ClassName
    onset_s: float
    offset_s: float
    lag_s: float


def smoothed(draw: np.random.Generator, rows: int, n: int, width_s: float) -> Array:
    """Gaussian noise (rows, n) of unit variance, with autocorrelation exp(-t^2 / 4 width^2)."""
    width = width_s * ENVELOPE_HZ
    margin = int(np.ceil(KERNELS * width))
    white = draw.standard_normal((rows, n + 2 * margin))
    kernel = gaussian_filter1d(np.eye(1, 4 * margin + 1, 2 * margin)[0], width, truncate=KERNELS)
    smooth = gaussian_filter1d(white, width, axis=1, truncate=KERNELS)
    found: Array = smooth[:, margin : margin + n] / np.sqrt((kernel**2).sum())
    return found


def envelopes(
    draw: np.random.Generator,
    settings: DrivenSettings,
    electrodes: Sequence[str],
    planted: Sequence[Planted],
    total_s: float,
) -> Array:
    """Envelopes (n, s) of unit variance. Events must be farther apart than their lags."""
    n = round(total_s * ENVELOPE_HZ)
    names = list(settings.groups)
    own = smoothed(draw, len(names), n, settings.correlation_s)
    latent = own.copy()
    for event in planted:
        first, last = round((event.onset_s - COUPLED_BEFORE_S) * ENVELOPE_HZ), round(event.offset_s * ENVELOPE_HZ)
        lag = round(event.lag_s * ENVELOPE_HZ)
        for driver, receiver in settings.graphs[event.name]:
            d, r = names.index(driver), names.index(receiver)
            c = settings.coupling
            latent[r, first:last] = c * own[d, first - lag : last - lag] + np.sqrt(1 - c**2) * own[r, first:last]
    found = smoothed(draw, len(electrodes), n, settings.correlation_s)
    for g, group in enumerate(settings.groups.values()):
        for name in group.electrodes:
            i = electrodes.index(name)
            found[i] = np.sqrt(settings.shared) * latent[g] + np.sqrt(1 - settings.shared) * found[i]
    return found


def planted_edges(settings: DrivenSettings, electrodes: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Of each class the planted edges (n, n) between electrodes, row = receiver, column = driver."""
    place = {name: [electrodes.index(one) for one in group.electrodes] for name, group in settings.groups.items()}
    found: dict[str, NDArray[np.bool_]] = {}
    for name, edges in settings.graphs.items():
        found[name] = np.zeros((len(electrodes), len(electrodes)), bool)
        for driver, receiver in edges:
            found[name][np.ix_(place[receiver], place[driver])] = True
    return found
