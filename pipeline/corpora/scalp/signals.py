"""Signals of a simulated recording by electrode, and what other corpora than TUSZ make of them."""

from dataclasses import replace

from pipeline.corpora.scalp.edf import Channel
from pipeline.corpora.scalp.head import ELECTRODES
from pipeline.corpora.scalp.recording import Recording
from pipeline.signals.montages import electrodes_of

HEART = "EKG1"


def electrodes(made: Recording) -> dict[str, Channel]:
    """The scalp electrodes (and ears, where recorded) by name, in the recording's own reference."""
    named = {_name(channel): channel for channel in made.channels}
    return {name: named[name] for name in ELECTRODES if name in named}


def heart(made: Recording) -> Channel:
    """The electrocardiogram."""
    return next(channel for channel in made.channels if _name(channel) == HEART)


def _name(channel: Channel) -> str:
    """`EEG FP1-REF`, as the simulator labels it: `FP1`."""
    return channel.label.removeprefix("EEG ").partition("-")[0]


def derivation(present: dict[str, Channel], name: str) -> Channel:
    """The difference of two electrodes, named `name` (F7-T3), free of any reference."""
    plus, minus = (present[electrode] for electrode in electrodes_of(name))
    return replace(plus, label=name, samples=plus.samples - minus.samples)


def spelled(electrode: str) -> str:
    """`FP1` as the 10-20 system spells it: `Fp1`."""
    return electrode[0] + electrode[1:].lower()
