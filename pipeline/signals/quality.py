"""Bad channels: flat, saturated, nothing but mains; and recordings that do not look like EEG at all.

All is measured on the samples as recorded, block by block, before anything is resampled (faults.md, row 10). A bad
channel counts as a missing electrode.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import scipy.fft
import scipy.signal

from pipeline.settings.signals import QualitySettings
from pipeline.signals.edf_annotations import Stretch
from pipeline.signals.edf_header import EdfHeader, EdfSignal
from pipeline.signals.edf_samples import Scale, blocks, digital

WINDOW_S = 2.0  # of the spectra; half a hertz resolves mains from EEG
MAINS_HZ = (50.0, 60.0)
MAINS_WIDTH_HZ = 1.5
WHITE_BANDS_HZ = ((2.0, 8.0), (8.0, 20.0), (20.0, 40.0))
WHITE_RATIO = 1.5  # the least EEG slope known here, 0.5 (simulator.md, section 9), gives 2.4 between outer bands


@dataclass(frozen=True, kw_only=True)
class ChannelQuality:
    """What one channel's samples show. `power` is the mean spectrum (f,) in µV² at `frequencies_hz`."""

    std_uv: float
    saturated_share: float
    power: np.ndarray
    frequencies_hz: np.ndarray

    def mains(self) -> tuple[float, float]:
        """Share of the power above 1 Hz that is mains (50 or 60 Hz and harmonics), and RMS in µV of the rest."""
        f = self.frequencies_hz
        above = f >= 1.0
        total = float(self.power[above].sum())
        if total <= 0.0:
            return 0.0, self.std_uv
        at_mains = [np.abs(f - mains * np.maximum(np.round(f / mains), 1.0)) <= MAINS_WIDTH_HZ for mains in MAINS_HZ]
        mains = max(float(self.power[above & near].sum()) for near in at_mains)
        return mains / total, float(np.sqrt(total - mains))


def measure(
    header: EdfHeader, signal: EdfSignal, scale: Scale, stretches: Sequence[Stretch], *, block_s: float
) -> ChannelQuality:  # fmt: skip
    """Statistics of one channel over all its samples, in one pass of bounded memory."""
    rate_hz = float(header.rate_hz(signal))
    window = max(int(WINDOW_S * rate_hz), 1)
    power, n_windows = np.zeros(window // 2 + 1), 0
    count, total, squares, saturated = 0, 0.0, 0.0, 0
    low_rail, high_rail = sorted((float(signal.digital_min or 0.0), float(signal.digital_max or 0.0)))
    records = max(int(Fraction(block_s) / header.record_s), 1)
    shift: np.int16 | None = None
    for stretch in stretches:
        for first, stop in blocks(stretch.first, stretch.stop, records):
            values = digital(header, signal, first, stop)
            shift = values[0] if shift is None else shift
            saturated += int(np.count_nonzero((values <= low_rail) | (values >= high_rail)))
            centred = values.astype(np.float32) - np.float32(shift)
            count += len(centred)
            total += float(centred.sum(dtype=np.float64))
            squares += float(np.square(centred, dtype=np.float64).sum())
            block_power, n = _spectrum(centred, window)
            power, n_windows = power + block_power, n_windows + n
    variance = max(squares / count - (total / count) ** 2, 0.0)
    return ChannelQuality(
        std_uv=float(np.sqrt(variance)) * abs(scale.gain),
        saturated_share=saturated / count,
        power=power
        * scale.gain**2
        / (max(n_windows, 1) * np.square(np.hanning(window)).sum() * window / 2),  # Parseval
        frequencies_hz=np.arange(len(power)) * rate_hz / window,
    )


def _taper(window: int) -> np.ndarray:
    return scipy.signal.windows.hann(window, sym=False).astype(np.float32)


def _spectrum(values: np.ndarray, window: int) -> tuple[np.ndarray, int]:
    """Sum (f,) of the Hann-tapered power spectra of the whole windows in `values` (s,), and their number."""
    n = len(values) // window
    cut = values[: n * window].reshape(n, window)
    tapered = (cut - cut.mean(axis=1, keepdims=True)) * _taper(window)
    return (np.abs(scipy.fft.rfft(tapered, axis=1)) ** 2).sum(axis=0, dtype=np.float64), n


def fault_of(quality: ChannelQuality, settings: QualitySettings) -> tuple[str, float, float] | None:
    """What makes a channel bad: (name, value, limit); None for a good one."""
    if quality.std_uv < settings.flat_uv:
        return "flat", quality.std_uv, settings.flat_uv
    if quality.saturated_share > settings.saturated_share:
        return "saturated", quality.saturated_share, settings.saturated_share
    share, residual_uv = quality.mains()
    if share > settings.mains_share and residual_uv < settings.mains_residual_uv:
        return "mains only", residual_uv, settings.mains_residual_uv
    return None


def looks_white(qualities: Sequence[ChannelQuality]) -> bool:
    """Whether the electrodes together have the flat spectrum of white noise from 2 to 40 Hz.

    Each electrode's mean density in three bands, as a share of their sum; the medians over the electrodes are compared.
    """
    shares = []
    for quality in qualities:
        f, power = quality.frequencies_hz, quality.power
        if f[-1] < WHITE_BANDS_HZ[-1][1] or not power.any():
            continue
        densities = np.array([power[(f >= low) & (f < high)].mean() for low, high in WHITE_BANDS_HZ])
        shares.append(densities / densities.sum())
    if not shares:
        return False
    medians = np.median(shares, axis=0)
    return bool(medians.max() < WHITE_RATIO * medians.min())
