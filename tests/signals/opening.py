"""What tests of EDFs share: a recording opened with the settings of config.yaml, and what became of it."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline.findings import Findings, Rejected
from pipeline.settings.config import parse_config
from pipeline.settings.signals import SignalCompat
from pipeline.signals.recording import open_recording

CONFIG = parse_config(yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text()))


def opened(path, *, channels=None, signals=None, quality=None, **compat):
    """The recording and its findings, with changes to the settings of config.yaml."""
    chosen = CONFIG.signals.model_copy(
        update={**(signals or {}), "quality": CONFIG.signals.quality.model_copy(update=quality or {})}
    )
    findings = Findings()
    recording = open_recording(
        path,
        channels=CONFIG.channels.model_copy(update=channels or {}),
        signals=chosen,
        compat=SignalCompat(**{"zero_unreadable": False, "resample_length": "seconds", **compat}),
        findings=findings,
    )
    return recording, [finding.code for finding in findings]


def samples(recording, segment=0):
    return np.concatenate([block for _, block in recording.blocks(recording.segments[segment])], axis=1)


def refused(path, **changes):
    with pytest.raises(Rejected) as caught:
        opened(path, **changes)
    return caught.value.finding
