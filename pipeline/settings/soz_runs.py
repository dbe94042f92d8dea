"""soz of config.yaml: the sections, and named runs that change some of them (docs/soz.md). Used while parsing alone."""

from typing import Any

from pydantic import Field

from pipeline.settings.base import Section, Seed, SettingsError, parse_section
from pipeline.settings.overlay import overlaid
from pipeline.settings.soz import (
    Calibration,
    SozAttention,
    SozEvaluation,
    SozFinetuning,
    SozFolds,
    SozModel,
    SozPretraining,
)
from pipeline.settings.soz_data import Adapter, ClipsConfig, ReadingConfig, SozReading, SozTokens


class SozRun(Section):
    """The sections that a run may change, as they hold for it."""

    tokens: SozTokens
    folds: SozFolds
    model: SozModel
    pretraining: SozPretraining
    finetuning: SozFinetuning
    calibration: Calibration


class SozConfig(SozRun):
    """soz: which corpus, how it is read, cut and learnt from, and how that is judged."""

    corpus: str
    beside: str | None  # the main corpus with which the target `all` builds the pages, too
    adapter: Adapter
    joined: dict[str, Adapter]  # other corpora whose patients take part, with their adapters
    reading: ReadingConfig
    clips: ClipsConfig
    attention: SozAttention
    evaluation: SozEvaluation
    runs: dict[str, dict[str, Any]] = Field(min_length=1)
    seeds: list[Seed]
    run: str  # whose pages are built
    compared: list[str]  # runs that stand beside it among the baselines; may be empty
    ablations: list[str]

    def of(self, run: str) -> SozRun:
        """The sections of a run. Raises SettingsError for a run, a section or a key that is not there."""
        if run not in self.runs:
            raise SettingsError(f"soz.runs: there is no run {run!r}; there are {', '.join(self.runs)}")
        base = self.model_dump(mode="json", include=set(SozRun.model_fields))
        return parse_section(SozRun, overlaid(base, self.runs[run] or {}), where=f"soz.runs.{run}")

    def reading_of(self, corpus: str) -> SozReading:
        """How a corpus is read: with its own adapter if it is one of `joined`, else with `adapter`."""
        adapter = self.joined.get(corpus, self.adapter)
        return SozReading(adapter=adapter, **self.reading.model_dump())

    @property
    def corpora(self) -> tuple[str, ...]:
        """The corpora whose patients take part, the one that names the results first."""
        return (self.corpus, *self.joined)
