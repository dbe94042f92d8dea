"""Bad channels: flat, saturated, nothing but mains; and recordings that do not look like EEG at all.

All is measured on the samples as recorded, block by block, before anything is resampled (faults.md, row 10). A bad
channel counts as a missing electrode.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.signal

from pipeline.settings.signals import QualitySettings
from pipeline.signals.edf_annotations import Stretch
from pipeline.signals.edf_header import EdfHeader, EdfSignal
from pipeline.signals.edf_samples import Scale, blocks, digital_parts

WINDOW_S = 2.0  # of the spectra; half a hertz resolves mains from EEG
MAINS_HZ = (50.0, 60.0)
MAINS_WIDTH_HZ = 1.5
WHITE_BANDS_HZ = ((2.0, 8.0), (8.0, 20.0), (20.0, 40.0))
WHITE_RATIO = 1.5  # the least EEG slope known here, 0.5 (simulator.md, section 9), gives 2.4 between outer bands
_CACHED = 32768  # samples of a pair that are subtracted at a time, so that they stay in the processor's cache


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
    header: EdfHeader,
    signals: Sequence[EdfSignal],
    scales: Sequence[Scale],
    stretches: Sequence[Stretch],
    *,
    block_s: float,
) -> list[ChannelQuality]:
    """Statistics of channels over all their samples, in one pass over the file and in bounded memory."""
    tallies = [_Tally(signal, float(header.rate_hz(signal))) for signal in signals]
    for stretch in stretches:
        for values in digital_parts(header, signals, stretch.first, stretch.stop, block_s=block_s):
            for tally, own in zip(tallies, values, strict=True):
                tally.add(own)
    return [tally.quality(scale) for tally, scale in zip(tallies, scales, strict=True)]


def difference_stds_uv(
    header: EdfHeader,
    pairs: Sequence[tuple[tuple[EdfSignal, Scale], tuple[EdfSignal, Scale]]],
    stretches: Sequence[Stretch],
    *,
    block_s: float,
) -> list[float]:
    """Standard deviation in µV of the first signal of each pair less the second, both of one rate.

    Over all their samples, in one pass over the file for all pairs and in bounded memory.
    """
    signals = list(dict.fromkeys(signal for pair in pairs for signal, _ in pair))
    row = {signal: i for i, signal in enumerate(signals)}
    tallies = [_DifferenceTally(plus[1].gain, minus[1].gain) for plus, minus in pairs]
    for stretch in stretches if pairs else ():
        for values in digital_parts(header, signals, stretch.first, stretch.stop, block_s=block_s):
            for tally, (plus, minus) in zip(tallies, pairs, strict=True):
                tally.add(values[row[plus[0]]], values[row[minus[0]]])
    return [tally.std_uv() for tally in tallies]


class _DifferenceTally:
    """Running sums over the difference of two channels in µV, taken relative to its first value."""

    def __init__(self, plus_gain: float, minus_gain: float) -> None:
        self.gains = np.float64(plus_gain), np.float64(minus_gain)
        self.count, self.total, self.squares = 0, 0.0, 0.0
        self.shift: np.float64 | None = None

    def add(self, plus: np.ndarray, minus: np.ndarray) -> None:
        """Take in the next digital values of both (s,)."""
        for low, high in blocks(0, len(plus), _CACHED):
            difference = plus[low:high] * self.gains[0]
            difference -= minus[low:high] * self.gains[1]
            self.shift = difference[0] if self.shift is None else self.shift
            difference -= self.shift
            self.count += len(difference)
            self.total += float(difference.sum())
            self.squares += float(np.dot(difference, difference))

    def std_uv(self) -> float:
        """Of what has been seen."""
        return float(np.sqrt(max(self.squares / self.count - (self.total / self.count) ** 2, 0.0)))


class _Tally:
    """Running sums over one channel's digital values, taken relative to the first of them for the sake of rounding."""

    def __init__(self, signal: EdfSignal, rate_hz: float) -> None:
        self.rate_hz, self.window = rate_hz, max(int(WINDOW_S * rate_hz), 1)
        self.rails = sorted((float(signal.digital_min or 0.0), float(signal.digital_max or 0.0)))
        self.power, self.windows = np.zeros(self.window // 2 + 1), 0
        self.count, self.total, self.squares, self.saturated = 0, 0.0, 0.0, 0
        self.shift: np.int16 | None = None

    def add(self, values: np.ndarray) -> None:
        """Take in the next values (s,)."""
        if not len(values):
            return
        self.shift = values[0] if self.shift is None else self.shift
        self.saturated += int(np.count_nonzero((values <= self.rails[0]) | (values >= self.rails[1])))
        centred = values.astype(np.float32) - np.float32(self.shift)
        self.count += len(centred)
        self.total += float(centred.sum(dtype=np.float64))
        self.squares += float(np.square(centred, dtype=np.float64).sum())
        power, n = _spectrum(centred, self.window)
        self.power, self.windows = self.power + power, self.windows + n

    def quality(self, scale: Scale) -> ChannelQuality:
        """What has been seen, in µV."""
        variance = max(self.squares / self.count - (self.total / self.count) ** 2, 0.0)
        taper = np.square(np.hanning(self.window)).sum()
        return ChannelQuality(
            std_uv=float(np.sqrt(variance)) * abs(scale.gain),
            saturated_share=self.saturated / self.count,
            power=self.power * scale.gain**2 / (max(self.windows, 1) * taper * self.window / 2),  # Parseval
            frequencies_hz=np.arange(len(self.power)) * self.rate_hz / self.window,
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
