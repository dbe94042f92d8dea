"""Features of one second of one electrode."""

from typing import Literal

from pipeline.settings.base import Count, Positive, Section


class FeatureSettings(Section):
    """`fft`: log amplitude of the FFT bins below Nyquist; `time`: the raw samples (Table 4 of the paper)."""

    kind: Literal["fft", "time"]
    floor_amplitude: Positive  # an amplitude of exactly zero becomes this before the logarithm


class GraphSettings(Section):
    """Both electrode graphs (Tang et al. 2022, section 2.2)."""

    kappa: Positive
    top_neighbours: Count
    correlation_input: Literal["raw", "centred", "standardised"]
