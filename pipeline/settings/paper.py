"""What the tables and figures of the paper are measured on (targets table01 .. figure09 and paper)."""

from pipeline.settings.base import Count, Positive, Section, Seed
from pipeline.settings.clips import Task


class SeedRule(Section):
    """Seeds of the runs that fit every key given; a key that is null fits all."""

    model: str | None = None
    task: Task | None = None
    length_s: Count | None = None
    seeds: list[Seed]

    def fits(self, model: str, task: str, length_s: int) -> bool:
        """Whether the rule speaks of this model, task and clip length."""
        pairs = ((self.model, model), (self.task, task), (self.length_s, length_s))
        return all(wanted is None or wanted == given for wanted, given in pairs)


class PaperConfig(Section):
    """paper: seeds, clip lengths and the further corpora that tables 3, 7 and 8 need."""

    seeds: list[Seed]
    seeds_where: list[SeedRule]  # the first that fits a run counts in place of `seeds`
    lengths_s: list[Count]
    source_corpus: str | None  # tables 7 and 8: pre-trained there, fine-tuned here; None: not measured
    fold_corpora: list[str]  # table 3: folds of the main corpus; empty: not measured
    twin_corpus: str | None  # compat_report: the main corpus under the published defects
    max_mb: Positive  # of the scoreboard; pictures beyond it are named, not shown

    def seeds_of(self, model: str, task: str, length_s: int) -> list[int]:
        """Seeds of a run of this model: those of the first rule that fits, else `seeds`."""
        fitting = [rule.seeds for rule in self.seeds_where if rule.fits(model, task, length_s)]
        return fitting[0] if fitting else self.seeds


class ScoreboardSettings(Section):
    """What the stage `scoreboard` uses."""

    title: str
    max_mb: Positive
