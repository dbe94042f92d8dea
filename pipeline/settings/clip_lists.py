"""Named lists of test clips: scores are given once for all test clips of a corpus and once for each list of it."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from pipeline.settings.base import Section
from pipeline.settings.corpora import PathText
from pipeline.settings.evaluation import ALL, EvaluationConfig

Scheme = Literal["four", "seven", "eight"]


class ClipList(Section):
    """One list, by one of three rules: markers of clips, patients to keep, or patients to leave out."""

    corpus: str | None = None  # null: the main corpus
    schemes: list[Scheme] = Field(default=["four", "seven", "eight"], min_length=1)  # runs that are scored on it
    clips: PathText | None = None  # file of markers, a line `file,label,seizure_index` each, as published
    labels: list[str] | None = None  # names of the markers' labels 0, 1, ...; null: labels are not compared
    patients: PathText | None = None  # file of patients whose clips are kept, one a line
    without: list[str] | None = Field(default=None, min_length=1)  # patients whose clips are left out

    @model_validator(mode="after")
    def _one_rule(self) -> "ClipList":
        given = [name for name in ("clips", "patients", "without") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of clips, patients, without; given: {', '.join(given) or 'none'}")
        if self.labels is not None and self.clips is None:
            raise ValueError("labels: only a list of clips has any")
        return self

    @property
    def files(self) -> list[str]:
        """The file that it is read from, if any."""
        return [path for path in (self.clips, self.patients) if path is not None]


class EvaluationSection(EvaluationConfig):
    """The section as it stands in config.yaml: how scores get their intervals, and the lists that they are of."""

    test_lists: dict[str, ClipList]

    @field_validator("test_lists")
    @classmethod
    def _not_all(cls, lists: dict[str, ClipList]) -> dict[str, ClipList]:
        if ALL in lists:
            raise ValueError(f"{ALL!r} is the name of the corpus's own test clips; take another")
        return lists
