"""The chapter with questions and plain answers: experiments of this corpus and the trial over unseen corpora.

Both files are lists of answers (pipeline/stages/experiments.py, trial_summary.py): what was asked, what came out with
its patient interval, and the sentence that says so, also when the answer is no.
"""

from typing import Any

import pandas as pd

from pipeline.report.blocks import Block, Note, Section, Table, Text
from pipeline.report.inventory import Results
from pipeline.report.overview import Chapter
from pipeline.store import read_json


def answers_chapter(results: Results) -> Chapter:
    """Experiments, then trial."""
    blocks: list[Block] = []
    tables: dict[str, pd.DataFrame] = {}
    sources = {"experiments": results.inventory.experiments, "trial": results.inventory.trial}
    for name, path in sources.items():
        if path is None:
            continue
        blocks.append(Text(_LEADS[name]))
        added, frame = answer_blocks(name, read_json(path))
        blocks += added
        tables[name] = frame
    if not blocks:
        blocks = [Note("No experiment was part of this run: it needs 12-s detection, pre-trained and from scratch.")]
    return Chapter(Section("questions", "Questions and answers", blocks), tables)


_LEADS = {
    "experiments": "Questions put to the models of this corpus. Every answer has its interval, also when it is no.",
    "trial": "The same questions over corpora that were never looked at while tuning. AUROC and F1 are means over the "
    "corpora of each corpus's own value, localisation is the mean over all clips; for the intervals, patients are "
    "redrawn within each corpus.",
}


def answer_blocks(name: str, content: dict[str, Any]) -> tuple[list[Block], pd.DataFrame]:
    """Question, answer and the sentence that says how it was found, one row each."""
    frame = pd.DataFrame(content["answers"])
    if not len(frame):
        return [Note("None of the questions can be answered from what was planned.")], frame
    rows = [[one["question"], one["answer"], one["sentence"]] for one in content["answers"]]
    over = f" over {content['n_corpora']} unseen corpora" if "n_corpora" in content else ""
    caption = f"{name.capitalize()}{over}: value [patient interval]"
    return [Table(f"answers-{name}", caption, ["question", "answer", "how it was found"], rows)], frame
