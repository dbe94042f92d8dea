"""GPU jobs of a dry run, and their hours: from measured step times, and from what was published of training times.

Snakemake's plan says which jobs run; `workflow/lib/extent.py` how many clips each sees. Epochs are the most that
`training` allows, since nobody knows where early stopping ends; steps are those of the published sizes
(workflow/resources/step_times.csv). So the hours are an upper bound, but for reading the data.
"""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.settings.config import Config
from pipeline.settings.runs import RunSettings
from workflow.lib.corpus import Corpora
from workflow.lib.extent import Known, clips_of, extents
from workflow.lib.paths import encoder_run
from workflow.lib.soz import run_of_encoder
from workflow.lib.soz_extent import soz_extent
from workflow.lib.step_times import read

ELECTRODES_ONLY = "classification"  # its maps hide an electrode for all seconds at once
GUARDED = "dist-scratch"  # the run of the rule record_split, which has no wildcard for it
SOZ_CONTACTS, SOZ_CLIP_S = 120, 35  # of the clips that benchmarks/soz_training.py measures
SOZ_SIZES = {"width": 64, "layers": 2, "feedforward": 128}  # of the encoder that it measures
PUBLISHED = Path(__file__).parents[2] / "pipeline" / "report" / "published" / "figures.csv"
PUBLISHED_ON = "one NVIDIA Titan RTX"
HOURS = {"training_time_min": 1 / 60, "training_time_h": 1.0}
TASKS = {"detection": "detection", "classification_4": "classification", "ssl": "pretraining"}  # published -> ours


@dataclass(frozen=True)
class GpuJob:
    """One job that asks for a GPU: its rule and its wildcards."""

    rule: str
    wildcards: Mapping[str, str]


@dataclass
class Budget:
    """Numbers of jobs by rule, hours by device; `left_out`: jobs by rule for which there is no estimate."""

    jobs: Counter[str] = field(default_factory=Counter)
    hours: dict[str, Counter[str]] = field(default_factory=dict)  # device -> hours by rule
    published_hours: float = 0.0
    published_jobs: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def lines(self) -> list[str]:
        """The table in words."""
        rules = ", ".join(f"{number} {rule}" for rule, number in sorted(self.jobs.items()))
        lines = [f"GPU jobs: {sum(self.jobs.values())} ({rules})"]
        for device, hours in sorted(self.hours.items()):
            parts = ", ".join(f"{rule} {_said(value)}" for rule, value in sorted(hours.items()))
            lines.append(f"  {_said(sum(hours.values()))} h on {device}, at most: measured steps, all epochs ({parts})")
        if self.published_jobs:
            lines.append(
                f"  {_said(self.published_hours)} h on {PUBLISHED_ON}: published times of the DCRNN for "
                f"{self.published_jobs} trainings of any model"
            )
        if self.left_out:
            lines.append("  no estimate: " + ", ".join(f"{n} {rule}" for rule, n in sorted(self.left_out.items())))
        return lines


@dataclass
class Estimator:
    """Looks up step times and clips; each corpus is looked at once."""

    config: Config
    corpora: Corpora
    times: list[dict[str, Any]] = field(default_factory=read)

    def __post_init__(self) -> None:
        self._extents = Known(extents, self.config, self.corpora)
        self._soz = Known(soz_extent, self.config, self.corpora)
        self._times = {tuple(row[name] for name in _KEY): row for row in self.times}
        self._published = published_hours()

    def budget(self, jobs: Iterable[GpuJob]) -> Budget:
        """The sum over jobs."""
        made = Budget()
        devices = sorted({row["device"] for row in self.times})
        for job in jobs:
            made.jobs[job.rule] += 1
            task, length_s = _task(job)
            found = {device: seconds for device in devices if (seconds := self.seconds(job, device)) is not None}
            for device, seconds in found.items():
                made.hours.setdefault(device, Counter())[job.rule] += seconds / 3600  # type: ignore[assignment]
            if not found:
                made.left_out[job.rule] += 1
            if job.rule in ("pretrain", "train") and (task, length_s) in self._published:
                made.published_hours += self._published[task, length_s]
                made.published_jobs += 1
        return made

    def seconds(self, job: GpuJob, device: str) -> float | None:
        """Seconds of a job on a device; None where nothing was measured, or for a rule that is not known."""
        estimates: dict[str, Callable[[GpuJob, str], float | None]] = {
            "pretrain": self._fit_s, "train": self._fit_s, "record_split": self._fit_s, "occlude": self._maps_s,
            "soz_pretrain": self._soz_s, "soz_train": self._soz_s, "predict": self._pass_s,
            "learned_graphs": self._pass_s,
        }  # fmt: skip
        known = self._soz if job.rule.startswith("soz_") else self._extents
        if job.rule not in estimates or known.of(job.wildcards.get("corpus", "")) is None:
            return None
        return estimates[job.rule](job, device)

    def _row(self, run: RunSettings, task: str, length_s: int, device: str) -> dict[str, Any] | None:
        """A section of `models` that was measured by itself counts before its plug-in."""
        task, plugin = "detection" if task == "classification" else task, self.config.plugin_of(run.model)
        keys = [(device, model, task, run.graph, run.features, length_s) for model in (run.model, plugin)]
        return next((row for key in keys if (row := self._times.get(key)) is not None), None)

    def _fit_s(self, job: GpuJob, device: str) -> float | None:
        """All epochs: a step for each batch of training clips, a pass over the validation clips."""
        task, length_s = _task(job)
        run = self._run(job)
        row = self._row(run, "auxiliary" if run.auxiliary else task, length_s, device)
        if row is None:
            return None
        loop = getattr(self.config.training, task)[length_s]
        parts = self._extents.of(job.wildcards["corpus"]) or {}
        train, validation = (clips_of(parts[split], task, length_s) for split in ("train", "validation"))
        balanced = min(2 * parts["train"].positive[length_s], train) if task == "detection" else train
        per_epoch = balanced * run.label_fraction * row["step_s"] + validation * row["forward_s"]
        return loop.epochs * per_epoch / row["clips"]

    def _maps_s(self, job: GpuJob, device: str) -> float | None:
        """A map for every test clip with a seizure: the correct ones are not known yet."""
        task, length_s = _task(job)
        if (row := self._row(self._run(job), "occlusion", length_s, device)) is None:
            return None
        test = (self._extents.of(job.wildcards["corpus"]) or {})["test"]
        if task == ELECTRODES_ONLY:
            return clips_of(test, task, length_s) * row["step_s"] / length_s
        return test.positive[length_s] * row["step_s"]

    def _pass_s(self, job: GpuJob, device: str) -> float | None:
        """One pass over the validation and test clips, for rules that ask for no GPU (their minutes: needs.py)."""
        task, length_s = _task(job)
        if (row := self._row(self._run(job), task, length_s, device)) is None:
            return None
        parts = self._extents.of(job.wildcards["corpus"]) or {}
        seen = sum(clips_of(parts[split], task, length_s) for split in ("validation", "test"))
        return seen * row["forward_s"] / row["clips"]

    def _soz_s(self, job: GpuJob, device: str) -> float | None:
        """All epochs of one fold: each training clip once (or a copy of it), and in fine-tuning the inner clips judged.

        Measured for the default sizes, in seconds of a clip of SOZ_CONTACTS; None for a larger encoder.
        """
        pretrains = job.rule == "soz_pretrain"
        name = run_of_encoder(self.config, job.wildcards["pretrained"]) if pretrains else job.wildcards["run"]
        run = self.config.soz.of(name)
        row = self._times.get((device, "soz", "pretraining" if pretrains else "finetuning", "none", "wpt", SOZ_CLIP_S))
        if row is None or any(getattr(run.model, size) > most for size, most in SOZ_SIZES.items()):
            return None
        found = [known for corpus in self.config.soz.corpora if (known := self._soz.of(corpus)) is not None]
        clips = sum(one.rows for one in found) / SOZ_CONTACTS  # of that many contacts
        outer = 1 - 1 / run.folds.outer if run.folds.scheme == "grouped" else 1.0
        taught = clips * outer * (1 - run.folds.inner_share) * row["step_s"]
        if pretrains:
            return run.pretraining.epochs * taught / row["clips"]
        judged = clips * outer * run.folds.inner_share * row["forward_s"]
        return run.finetuning.epochs * (taught + judged) / row["clips"]

    def _run(self, job: GpuJob) -> RunSettings:
        if job.rule == "pretrain":
            return encoder_run(job.wildcards["encoder"])
        return self.config.runs[job.wildcards.get("run", GUARDED)]


_KEY = ("device", "model", "task", "graph", "features", "length_s")


def _said(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 9.5 else f"{hours:.1f}"


def _task(job: GpuJob) -> tuple[str, int]:
    """Task and clip length of a job; guard G5 (`record_split`) trains one 12-s detector."""
    default = "pretraining" if job.rule == "pretrain" else "detection"
    return job.wildcards.get("task", default), int(job.wildcards.get("len", 12))


def published_hours() -> dict[tuple[str, int], float]:
    """Hours of one training by task and clip length, as Tang et al. 2022 (appendix) state them."""
    with PUBLISHED.open(newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return {
        (TASKS[row["task"]], int(row["clip_s"])): float(row["mean"]) * HOURS[row["metric"]]
        for row in rows
        if row["metric"] in HOURS
    }


def gpu_jobs(dag: Any) -> list[GpuJob]:
    """The jobs of Snakemake's plan that ask for a GPU."""
    return [
        GpuJob(job.rule.name, {name: str(value) for name, value in job.wildcards_dict.items()})
        for job in dag.needrun_jobs(exclude_finished=False)  # a dry run finishes them all
        if job.resources.get("gpu", 0)
    ]


def report(dag: Any, config: Config, corpora: Corpora) -> list[str]:
    """What a dry run prints about its GPU jobs; nothing where there is none."""
    jobs = gpu_jobs(dag)
    return Estimator(config, corpora).budget(jobs).lines() if jobs else []
