"""Which seconds form a sample, and its label."""

from typing import Literal

from pipeline.settings.base import Count, NotNegative, Section

Task = Literal["detection", "classification", "pretraining"]

MyoclonicSplit = Literal["patient", "published"]  # compat.mysz_split


class ClipSettings(Section):
    """Clip rules (Tang et al. 2022, section 3.1 and appendix)."""

    before_onset_s: NotNegative  # a classification clip starts this long before the onset
    forecast_s: Count  # pre-training predicts this many seconds of the next clip


class ClipCompat(Section):
    """Published edge rules (see docs/compat.md)."""

    label_edge: Literal["half_open", "touching"]
    clip_start_offset: bool
    mysz_split: MyoclonicSplit = "patient"  # told only where it is `published` and has an effect
