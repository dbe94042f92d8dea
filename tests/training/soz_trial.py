"""A cohort of made-up tokens with its folds, and trainings of one fold of it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from soz_files import DEVICE, FINETUNING, FOLDS, MODEL, PRETRAINING, Cohort, patient_facts, write_cohort

from pipeline.settings.soz import SozFolds
from pipeline.settings.soz_jobs import SozPretrainJob, SozTrainJob
from pipeline.store import read_tables, write_table
from pipeline.training.soz_fold import Inputs
from pipeline.training.soz_folds import deal_folds, patient_table
from pipeline.training.soz_job import Outputs, run_pretraining, run_training

FACTS = patient_facts(12)
JOB = {"fold": 0, "seed": 0, "labels": "soz", "model": MODEL, "device": DEVICE}


@dataclass(frozen=True)
class Trial:
    """A cohort with its folds, and where a fold of it is trained."""

    files: Cohort
    root: Path

    @property
    def inputs(self) -> Inputs:
        return Inputs(self.files.tokens, self.files.rows, self.root / "folds.parquet")

    def pretrain(self, out: Path, **changed: Any) -> Path:
        settings = SozPretrainJob.model_validate(JOB | {"pretraining": PRETRAINING} | changed)
        names = ("encoder.safetensors", "encoder.json", "pretraining.parquet")
        outputs = Outputs(*(out / name for name in names))
        run_pretraining(self.inputs, outputs, settings, code="", checkpoints=out / "checkpoints")
        return outputs.weights

    def train(self, out: Path, *, encoder: Path | None = None, **changed: Any) -> Path:
        settings = SozTrainJob.model_validate(JOB | {"finetuning": FINETUNING, "calibration": "temperature"} | changed)
        outputs = Outputs(*(out / name for name in ("model.safetensors", "card.json", "history.parquet")))
        inputs = replace(self.inputs, encoder=encoder)
        run_training(inputs, outputs, settings, code="", checkpoints=out / "checkpoints")
        return outputs.weights

    def both(self, out: Path, **changed: Any) -> list[bytes]:
        """All that both trainings write: encoder, model, their cards."""
        self.train(out, encoder=self.pretrain(out, **changed), **changed)
        return [(out / name).read_bytes() for name in RESULTS]


RESULTS = ("encoder.safetensors", "encoder.json", "pretraining.parquet", "model.safetensors", "card.json",
           "history.parquet")  # fmt: skip


def trial(root: Path, *, folds: dict[str, Any] | None = None, facts: Any = None, **changed: Any) -> Trial:
    root.mkdir(parents=True, exist_ok=True)
    files = write_cohort(root, FACTS if facts is None else facts, **changed)
    patients = patient_table(*(read_tables(paths) for paths in (files.recordings, files.contacts, files.patients)))
    table = deal_folds(patients, SozFolds.model_validate(FOLDS | (folds or {})))
    write_table(root / "folds.parquet", table)
    return Trial(files, root)
