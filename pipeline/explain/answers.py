"""From a measured difference to a plain answer, and the list of questions that one or several corpora can answer."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pipeline.explain.questions import (
    PRETRAINED,
    SCRATCH,
    Corpus,
    detection_auroc,
    gain_over_channel,
    gain_over_majority,
    permutation_loss,
    pooled,
    pretraining_gain,
)
from pipeline.settings.experiments import ExperimentSettings

AUROC_WANTED, AUROC_TRIVIAL = 0.85, 0.995  # issue 2, acceptance 7: good enough, and not a corpus that solves itself


def difference(question: str, found: dict[str, Any], *, what: str) -> dict[str, Any]:
    """An answer from a difference that would be 0 by chance: yes or no only where the interval leaves 0 out."""
    low, high = found["low"], found["high"]
    if found["value"] is None or low is None:
        answer = "undecided"
    else:
        answer = "yes" if low > 0 else "no" if high <= 0 else "undecided"
    return {"question": question, "answer": answer, **found, "sentence": f"{what} {_numbers(found, '+.3f')}: {answer}."}


def within(question: str, found: dict[str, Any], *, what: str, low: float, high: float) -> dict[str, Any]:
    """An answer from a value that must lie in [low, high)."""
    value = found["value"]
    answer = "undecided" if value is None else "yes" if low <= value < high else "no"
    asked = f"wanted at least {low:g} and less than {high:g}"
    return {
        "question": question,
        "answer": answer,
        **found,
        "sentence": f"{what} {_numbers(found, '.3f')}; {asked}: {answer}.",
    }


def _numbers(found: dict[str, Any], shape: str) -> str:
    if found["value"] is None:
        return "is undefined"
    interval = "no interval" if found["low"] is None else f"[{found['low']:{shape}}, {found['high']:{shape}}]"
    return f"is {found['value']:{shape}} {interval} ({found['n_patients']} patients, {found['n_clips']} clips)"


def detection_answers(corpora: Sequence[Corpus], settings: ExperimentSettings) -> Iterator[dict[str, Any]]:
    """Answers about the 12-s detection models; what a run that is absent would answer is left out."""
    rng = np.random.default_rng(settings.seed)
    runs = sorted(set.intersection(*(set(corpus.logit) for corpus in corpora)))
    for run in runs:
        yield within(
            f"Does {run} detect seizures, on a corpus that is not trivial?",
            pooled(detection_auroc(run), corpora, settings, rng),
            what=f"AUROC of {run} on 12-s clips",
            low=AUROC_WANTED,
            high=AUROC_TRIVIAL,
        )
    for run in runs:
        for column, chosen in (("line_length", "on validation clips"), ("line_length_best", "on the test clips")):
            yield difference(
                f"Is {run} better than the line length of the best single channel, chosen {chosen}?",
                pooled(gain_over_channel(run, column), corpora, settings, rng),
                what=f"AUROC of {run} less that of the channel",
            )
    if {PRETRAINED, SCRATCH} <= set(runs):
        yield difference(
            "Does pre-training help?",
            pooled(pretraining_gain, corpora, settings, rng),
            what="AUROC pre-trained less from scratch",
        )
    for run in runs:
        count = next(iter(corpora)).permuted[run].shape[1]
        yield difference(
            f"Does permuting the electrodes at test time hurt {run}?",
            pooled(permutation_loss(run), corpora, settings, rng),
            what=f"The loss of AUROC, mean over {count} permutations,",
        )


def classification_answers(corpora: Sequence[Corpus], settings: ExperimentSettings) -> Iterator[dict[str, Any]]:
    """Answers about the four-class models."""
    rng = np.random.default_rng(settings.seed)
    for run in sorted(set.intersection(*(set(corpus.predicted) for corpus in corpora))):
        yield difference(
            f"Does {run} name the seizure type better than the majority guess?",
            pooled(gain_over_majority(run), corpora, settings, rng),
            what="Weighted F1 less that of the majority guess",
        )
