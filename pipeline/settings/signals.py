"""From EDF bytes to clean arrays: electrodes, sampling rate, what happens to faults."""

from typing import Literal

from pipeline.settings.base import NotNegative, Number, Positive, Section, Share


class ChannelSettings(Section):
    """What forms a recording, in which order, and what to do where some of it is missing (docs/montages.md)."""

    montage: Literal["referential", "bipolar"]
    electrodes: tuple[str, ...]
    derivations: tuple[str, ...]  # of the bipolar montage, first electrode minus second
    missing: Literal["skip", "interpolate"]
    max_interpolated: Number
    duplicates: Literal["error", "first"]

    @property
    def nodes(self) -> tuple[str, ...]:
        """What a row of a signal stands for, and a node of every graph: electrodes, or derivations between two."""
        return self.electrodes if self.montage == "referential" else self.derivations


class QualitySettings(Section):
    """When a channel is bad, and when amplitudes or spectra do not look like scalp EEG."""

    flat_uv: NotNegative  # standard deviation
    saturated_share: Share  # of the samples, at the digital limits
    mains_share: Share  # of the power above 1 Hz, within 1.5 Hz of 50 or 60 Hz and of the harmonics
    mains_residual_uv: NotNegative  # RMS of the power above 1 Hz that is not mains
    rate_low_hz: Positive  # an electrode sampled at less cannot be EEG; it counts as missing
    rate_high_hz: Positive
    plausible_low_uv: NotNegative  # RMS, median over the electrodes
    plausible_high_uv: Positive
    white_noise: Literal["skip", "keep"]  # a recording whose every electrode has the spectrum of white noise


class SignalSettings(Section):
    """Resampling. `polyphase`: streamed, rational ratio; `fft`: the whole record at once, as published."""

    rate_hz: Positive
    resampling: Literal["polyphase", "fft"]
    block_s: Positive  # seconds that are decoded and resampled at a time (polyphase); bounds the memory
    strict: bool  # every repair is an error
    quality: QualitySettings


class SignalCompat(Section):
    """Published defects D1 and D2 (see docs/compat.md)."""

    zero_unreadable: bool
    resample_length: Literal["seconds", "published"]
