"""Data sections of the SOZ arm: reading, clips, tokens. Apart from `soz.py`: another option there reruns no data."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.settings.base import Count, NotNegative, Number, Positive, Section, Seed
from pipeline.settings.wavelets import Wavelet

Adapter = Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]  # a file pipeline/corpora/ieeg/adapters/<name>.yaml


class ReadingConfig(Section):
    """soz.reading: side files and signals."""

    soz_bad: Literal["drop", "keep"]  # contacts whose status is bad: all of them alike, the label decides nothing
    low_rate_hz: Positive  # a recording sampled at less is flagged, and bands above its Nyquist are masked
    rate_hz: Literal[512]  # bands are fractions of it: 32 of 8 Hz, as the encoder and every page take them
    block_s: Positive  # seconds that are decoded and resampled at a time


class SozReading(ReadingConfig):
    """What the stages are told of reading: the section and the adapter of the corpus's labels."""

    adapter: Adapter


class SozClips(Section):
    """soz.clips: which seconds are cut out."""

    length_s: Count
    margin_s: NotNegative  # read on either side, and cropped after the transform
    before_onset_s: NotNegative  # an ictal clip begins so long before the onset
    pre_ictal_gap_s: NotNegative  # between the end of the pre-ictal clip and the ictal one
    interictal_step_s: Positive
    shifts: Number  # shifted copies of each clip, for training alone
    max_interictal: Count  # clips of one recording
    seed: Seed


class ClipsConfig(SozClips):
    """soz.clips as config.yaml may have it: the encoder, the checks and the pages are of 35 s (spec soz.md, section 2).

    The stages themselves take any length.
    """

    length_s: Literal[35]
    interictal_step_s: Annotated[float, Field(ge=35)]  # clips of one recording do not overlap


class SozTokens(Section):
    """soz.tokens: from 35 s of signal to (32 bands, 35 frames) a channel."""

    montage: Literal["average", "bipolar", "recorded"]
    notch: bool
    wavelet: Wavelet
    level: Literal[5]  # 32 bands: the encoder's input
    frame_s: Literal[1]
    floor_share: Positive  # of the channel's median energy: never an absolute number
    source: Literal["wpt", "bandpower"]
