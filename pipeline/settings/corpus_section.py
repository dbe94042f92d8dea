"""The section corpora.<name>: where recordings come from. No stage imports it: a simulator's key reruns its own."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from pipeline.settings.base import Section, parse_section
from pipeline.settings.corpora import FoldSettings, PathText, SplitSettings
from pipeline.settings.driven import DrivenSettings
from pipeline.settings.ieeg_simulation import IeegSimulationSettings
from pipeline.settings.simulation import READER_OF, SimulationSettings

READERS: dict[str, str] = {**dict(READER_OF.items()), "ieeg_bids": "ieeg_bids"}  # by simulate.format


def _of_its_generator(values: Any) -> Any:
    """The section `simulate` as the generator that it names reads it: an error is then about that one's keys."""
    if isinstance(values, dict) and values.get("generator") == "driven_scalp":
        return parse_section(DrivenSettings, values, where="simulate")
    if isinstance(values, dict) and values.get("generator") == "simulated_ieeg":
        return parse_section(IeegSimulationSettings, values, where="simulate")
    return SimulationSettings.model_validate(values) if isinstance(values, dict) else values


Simulated = Annotated[
    SimulationSettings | DrivenSettings | IeegSimulationSettings | None, BeforeValidator(_of_its_generator)
]


class CorpusSettings(Section):
    """One corpus: a plug-in of pipeline/corpora/ that reads it, and its folder (or the simulator that makes it)."""

    reader: str
    version: str  # of the corpus layout, e.g. auto, v1, v2; the reader says which it knows
    pseudonyms: Literal["auto", "always", "never"]  # auto: where the reader takes names that may say anything
    pseudonym_key: PathText | None  # file with a secret; None: made at random in results/<corpus>/private/key
    root: PathText | None  # None: made by `simulate` below results/<corpus>/corpus
    splits: SplitSettings
    simulate: Simulated  # not used where there is a root
    compat: dict[str, Any] = Field(default_factory=dict)  # switches of `compat`, for this corpus alone
    folds: FoldSettings | None = None  # None: a corpus of its own

    @property
    def simulated(self) -> bool:
        """Whether this program makes the recordings; those of a folder are real until their headers say otherwise."""
        return self.root is None and self.simulate is not None

    @model_validator(mode="after")
    def _reader_of_the_format(self) -> "CorpusSettings":
        """What is simulated in one corpus's format is not read as another's: its labels would be lost."""
        if self.root is None and self.simulate is not None and self.reader != READERS[self.simulate.format]:
            chosen, needed = self.simulate.format, READERS[self.simulate.format]
            raise ValueError(f"reader {self.reader!r} does not read simulate.format {chosen!r}; set reader: {needed}")
        return self
