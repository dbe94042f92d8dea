"""Values of config.yaml that are allowed each by itself and wrong beside others, or as the name of a file."""

import re
from collections.abc import Iterator, Sequence

from pipeline.settings.config import Config

FEATURES = re.compile(r"[a-z0-9_]+")  # as a wildcard of the rules, and between the hyphens of an encoder's name


def wrong_list(values: Sequence[object], what: str) -> list[str]:
    """What is wrong with a list of which each entry is built: that there is none, or one of them twice."""
    if not values:
        return [f"give at least one {what}"]
    return [f"{list(values)} names a {what} twice"] if len(set(values)) < len(values) else []


def wrong_values(config: Config) -> list[str]:
    """One sentence, with its key, for every two values that do not go together."""
    names = [
        f"features.{name}: features are named in small letters, digits and _"
        for name in config.features
        if not FEATURES.fullmatch(name)
    ]
    return [*names, *_too_long(config), *_resampled(config)]


def _too_long(config: Config) -> Iterator[str]:
    """What is predicted lies within a clip: beyond its end the frames are those of other clips or recordings."""
    ahead = config.clips.forecast_s
    for length in config.training.pretraining:
        if ahead > length:
            yield f"clips.forecast_s: {ahead}; but training.pretraining.{length} has clips of {length} s to predict"
    for length, task in config.training.auxiliary.items():
        if (last := task.seen_s + task.horizon_s) > length:
            yield f"training.auxiliary.{length}: seen_s and horizon_s make {last} s, a clip has {length}"


def _resampled(config: Config) -> Iterator[str]:
    """D2 is a property of the published resampling; a corpus's own switch brings it along (Config.of)."""
    if config.compat.resample_length == "published" and config.signals.resampling != "fft":
        yield f"compat.resample_length: published needs signals.resampling: fft; it is {config.signals.resampling}"
