"""What holds on corpora on which nothing was tuned: the answers over all of them, patients redrawn within each.

In: the tables of the stage `experiments`, one a corpus; localisation and metrics tables, one a corpus and run; maybe
the tables of the stage `record_split`. Out: the answers with patient intervals (JSON), and every metric's mean and
range over the corpora (Parquet).
"""

from pathlib import Path

from pipeline.explain.answers import classification_answers, detection_answers
from pipeline.explain.questions import read_corpus
from pipeline.explain.record_split import record_split_answer
from pipeline.explain.trial import localisation_answers, pooled_metrics
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.experiments import ExperimentSettings
from pipeline.stages import command
from pipeline.store import read_table, write_json, write_table


class Settings(Section):
    """What this stage uses."""

    experiments: ExperimentSettings


def main() -> None:
    """Read, pool, write."""
    parser = command.parser(__doc__)
    for name in ("experiments", "metrics"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    for name in ("localisations", "record-splits"):
        parser.add_argument(f"--{name}", type=Path, nargs="*", default=[])
    for name in ("out", "table"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings).experiments
    tables = [read_table(path) for path in arguments.experiments]
    answers = list(detection_answers([read_corpus(table, "detection") for table in tables], settings))
    if all((table["task"] == "classification").any() for table in tables):
        answers += classification_answers([read_corpus(table, "classification") for table in tables], settings)
    if arguments.localisations:
        answers += localisation_answers([read_table(path) for path in arguments.localisations], settings)
    if arguments.record_splits:
        answers.append(record_split_answer([read_table(path) for path in arguments.record_splits], settings))
    write_table(arguments.table, pooled_metrics([read_table(path) for path in arguments.metrics]))
    write_json(arguments.out, {"answers": answers, "n_corpora": len(tables)})
    for answer in answers:
        log.info("%s %s", answer["question"], answer["sentence"])


if __name__ == "__main__":
    command.run(main)
