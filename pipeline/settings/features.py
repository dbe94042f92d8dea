"""Features of one second of one electrode."""

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from pipeline.settings.base import Count, Positive, Section
from pipeline.settings.wavelets import Wavelet

PACKETS = ("wavelet", "level")  # options of kind wpt alone: others neither have nor write them


class FeatureSettings(Section):
    """`fft`: log amplitude of the FFT bins below Nyquist; `time`: the raw samples (Table 4 of the paper); `wpt`: log
    amplitude of the 2 ** level wavelet-packet bands (docs/soz.md)."""

    kind: Literal["fft", "time", "wpt"]
    floor_amplitude: Positive  # an amplitude of exactly zero becomes this before the logarithm
    wavelet: Wavelet | None = None  # kind wpt
    level: Annotated[int, Field(ge=1, le=7)] | None = None  # kind wpt

    @model_validator(mode="after")
    def _packets_alone(self) -> "FeatureSettings":
        for name in PACKETS:
            if (getattr(self, name) is None) is (self.kind == "wpt"):
                raise ValueError(f"`{name}` belongs to kind wpt, and has to be given there; kind is {self.kind}")
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The other kinds are written as they were before there was kind wpt."""
        values = handler(self)
        return {name: value for name, value in values.items() if value is not None or name not in PACKETS}


class GraphSettings(Section):
    """Both electrode graphs (Tang et al. 2022, section 2.2)."""

    kappa: Positive
    top_neighbours: Count
    correlation_input: Literal["raw", "centred", "standardised"]
