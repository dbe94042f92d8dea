"""How the recordings of a finished SOZ run were read, cut and turned into tokens: from its evaluation to its bundle."""

from pipeline.settings.base import Section
from pipeline.settings.soz_data import SozClips, SozReading, SozTokens


class Made(Section):
    """Written into cohort.json, whose inputs were made with it; no card of a model knows it."""

    corpora: tuple[str, ...]
    reading: SozReading
    clips: SozClips
    tokens: SozTokens
