"""What attention is held against: neighbourhood on a shaft, and dependence between signals (spec soz.md, section 6).

Each function gives weights (n, n) not below 0, row i the receiver and column j the source, as attention has the query
in the row; the diagonal is 0. Signals are (n, s) at `rate_hz`. Coherence and the phase lag index know no direction.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.signal import resample_poly

from pipeline.explain.soz_attention import Floats

LOWEST_HZ, HIGHEST_HZ = 1.0, 45.0  # below the mains, and the anti-alias filter of MODEL_HZ
WINDOW_S = 1.0  # Hann windows that overlap by half
MODEL_HZ = 128  # autoregressive models: five lags are 39 ms
LAGS = 5
RIDGE = 1e-3  # of the mean variance: 195 contacts have 975 lagged values in 4,480 samples


def signal_controls(signal: NDArray[np.floating], rate_hz: int) -> dict[str, Floats]:
    """Weights by name of all dependences between signals (n, s)."""
    slow = slowed(signal, rate_hz)
    spectra = windowed_spectra(slow)
    return {
        "coherence": coherence(spectra),
        "pli": phase_lag_index(spectra),
        "pdc": partial_directed_coherence(slow),
        "granger": granger(slow),
    }


def proximity(shafts: NDArray[np.str_], places: Floats) -> Floats:
    """1 / (1 + contacts between) on the same shaft, else 0: shafts (n,), numbers of the contacts (n,), NaN unknown."""
    same = (shafts[:, None] == shafts[None]) & (shafts != "")[:, None] & ~np.eye(len(shafts), dtype=bool)
    apart = np.maximum(np.abs(places[:, None] - places[None]), 1.0)
    return np.where(same, 1.0 / np.nan_to_num(apart, nan=1.0), 0.0)


def slowed(signal: NDArray[np.floating], rate_hz: int) -> Floats:
    """(n, s') at MODEL_HZ, each contact with mean 0 and variance 1 (a flat one stays 0)."""
    divisor = np.gcd(rate_hz, MODEL_HZ)
    x = resample_poly(np.asarray(signal, np.float64), MODEL_HZ // divisor, rate_hz // divisor, axis=-1)
    x = x - x.mean(axis=-1, keepdims=True)
    spread = x.std(axis=-1, keepdims=True)
    return np.divide(x, spread, out=np.zeros_like(x), where=spread > 0)


def windowed_spectra(x: Floats) -> NDArray[np.complex128]:
    """(f, w, n): Fourier coefficients of the windows of x (n, s) at MODEL_HZ, from LOWEST_HZ to below HIGHEST_HZ."""
    size = round(WINDOW_S * MODEL_HZ)
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=-1)[:, :: size // 2]  # n w s
    windows = windows - windows.mean(axis=-1, keepdims=True)
    hz = np.fft.rfftfreq(size, 1 / MODEL_HZ)
    chosen = (hz >= LOWEST_HZ) & (hz < HIGHEST_HZ)
    coefficients = np.fft.rfft(windows * np.hanning(size), axis=-1)[..., chosen]
    return np.ascontiguousarray(coefficients.transpose(2, 1, 0))  # n w f -> f w n


def coherence(spectra: NDArray[np.complex128]) -> Floats:
    """Magnitude-squared coherence, mean over frequencies, of spectra (f, w, n)."""
    S = spectra.transpose(0, 2, 1) @ spectra.conj()  # f i j
    power = np.einsum("fii->fi", S).real
    both = power[:, :, None] * power[:, None, :]
    squared = np.divide(np.abs(S) ** 2, both, out=np.zeros(both.shape), where=both > 0)
    return _hollow(squared.mean(axis=0))


def phase_lag_index(spectra: NDArray[np.complex128]) -> Floats:
    """|mean over windows of the sign of the phase difference|, mean over frequencies (Stam et al., Human Brain Mapping
    28, 2007): a common reference, which has no lag, does not count."""
    total = np.zeros((spectra.shape[2],) * 2)
    for one in spectra:  # w n
        lags = np.sign((one[:, :, None] * one[:, None, :].conj()).imag)
        total += np.abs(lags.mean(axis=0))
    return _hollow(total / len(spectra))


def autoregression(x: Floats, lags: int = LAGS) -> tuple[Floats, Floats]:
    """Coefficients (lag, i, j), j at that lag -> i, and residuals' variances (n,) of one model of all contacts of x
    (n, s), with RIDGE."""
    n, s = x.shape
    past = np.concatenate([x[:, lags - lag : s - lag] for lag in range(1, lags + 1)])  # (lag j), time
    now = x[:, lags:]
    gram = past @ past.T
    gram[np.diag_indices_from(gram)] += RIDGE * now.shape[1]
    B = cho_solve(cho_factor(gram), past @ now.T)  # (lag j), i
    return B.T.reshape(n, lags, n).transpose(1, 0, 2), (now - B.T @ past).var(axis=1)


def partial_directed_coherence(x: Floats) -> Floats:
    """|PDC_ij|^2 of x (n, s), j -> i, mean over frequencies (Baccala and Sameshima, Biol. Cybernetics 84, 2001)."""
    coefficients, _ = autoregression(x)
    hz = np.arange(LOWEST_HZ, HIGHEST_HZ)
    turn = np.exp(-2j * np.pi * np.outer(hz, np.arange(1, LAGS + 1)) / MODEL_HZ)  # f lag
    total = np.zeros((len(x), len(x)))
    for one in turn:
        power = np.abs(np.eye(len(x)) - np.tensordot(one, coefficients, axes=1)) ** 2
        total += power / power.sum(axis=0, keepdims=True)
    return _hollow(total / len(hz))


def granger(x: Floats) -> Floats:
    """Granger's log ratio (Geweke 1982) of each pair of contacts of x (n, s) by itself, j -> i, not below 0: how much
    the past of j lowers the variance of what the past of i leaves of i."""
    n, s = x.shape
    past: Floats = np.stack([x[:, LAGS - lag : s - lag] for lag in range(1, LAGS + 1)], axis=1).reshape(n * LAGS, -1)
    now, m = x[:, LAGS:], s - LAGS
    P = (past @ past.T / m).reshape(n, LAGS, n, LAGS).transpose(0, 2, 1, 3)  # i j lag lag
    Q = (past @ now.T / m).reshape(n, LAGS, n).transpose(0, 2, 1)  # of past j and now i: j i lag
    own = P[np.arange(n), np.arange(n)] + RIDGE * np.eye(LAGS)  # i lag lag
    V = np.einsum("it,it->i", now, now) / m
    alone = V - np.einsum("ia,ia->i", Q[np.arange(n), np.arange(n)], _solved(own, Q[np.arange(n), np.arange(n)]))
    weights = np.zeros((n, n))
    for i in range(n):  # receiver; all sources j at once
        top = np.concatenate([np.broadcast_to(own[i], (n, LAGS, LAGS)), P[i]], axis=2)
        low = np.concatenate([P[i].transpose(0, 2, 1), own], axis=2)
        gram = np.concatenate([top, low], axis=1)  # j 2lag 2lag
        gram[i] += np.eye(2 * LAGS)  # of i with itself: singular, and not used
        right = np.concatenate([np.broadcast_to(Q[i, i], (n, LAGS)), Q[:, i]], axis=1)  # j 2lag
        left = V[i] - np.einsum("ja,ja->j", right, _solved(gram, right))
        usable = (left > 0) & (alone[i] > 0)
        weights[i] = np.where(usable, np.log(np.divide(alone[i], left, out=np.ones(n), where=usable)), 0.0)
    return _hollow(np.maximum(weights, 0.0))


def as_attention(weights: Floats) -> Floats:
    """Rows made to sum to 1 (n, n), so that the measures of attention graphs can be taken; a row of zeros is even."""
    n = len(weights)
    rows = weights.sum(axis=1, keepdims=True)
    even = (1 - np.eye(n)) / max(1, n - 1)
    made: Floats = np.divide(weights, rows, out=even, where=rows > 0)
    return made


def _solved(gram: Floats, right: Floats) -> Floats:
    return np.asarray(np.linalg.solve(gram, right[..., None])[..., 0], dtype=np.float64)


def _hollow(weights: Floats) -> Floats:
    made = np.array(weights, dtype=np.float64)
    np.fill_diagonal(made, 0.0)
    return made
