"""A copy of the project in a scratch folder on which Snakemake is run for real, with the preset `tiny`.

The corpus is simulated once and then read back from disk, as a user's corpus would be: it is scanned while parsing.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

ROOT = Path(__file__).parents[2]
SUFFIXES = {".parquet", ".json", ".safetensors", ".csv", ".tsv", ".html", ".png"}
LONGEST_S = 1500  # of a run of `tiny`, five times what it takes; on a SLURM that has died Snakemake waits for ever
# By name: durations and clock times, and what only a dry run writes (docs/architecture.md, Equal).
EXEMPT = (
    "logs", "benchmarks", ".checkpoints", "extent.json", "provenance", "provenance.tsv", "provenance.parquet"
)  # fmt: skip


@dataclass(frozen=True)
class Planned:
    """What a dry run would do."""

    counts: dict[str, int]  # rule -> number of jobs
    text: str

    @property
    def rules(self) -> set[str]:
        return set(self.counts)


@dataclass(frozen=True)
class TinyProject:
    """A scratch copy of the repository with its own results."""

    folder: Path

    @property
    def corpus(self) -> Path:
        return self.folder / "corpus"

    def command(self, *arguments: str) -> list[str]:
        own = [] if "--configfile" in arguments else ["--configfile", "workflow/presets/tiny.yaml", "on-disk.yaml"]
        # benchmark files then hold what each job asked for, too (test_needs); --configfile swallows what follows
        return [sys.executable, "-m", "snakemake", "--cores", "2", "--benchmark-extended", *arguments, *own]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.folder)}

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        with open(self.folder / "run.log", "a") as log:
            return subprocess.Popen(
                self.command(*arguments), cwd=self.folder, env=self.environment(), stdout=log, stderr=log, text=True
            )

    def run(self, *arguments: str) -> str:
        """Run Snakemake to the end; a failure shows its output. Within LONGEST_S, else subprocess.TimeoutExpired."""
        answer = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
        )
        output = answer.stdout + answer.stderr
        assert answer.returncode == 0, output[-6000:]
        return output

    def plan(self, *arguments: str) -> Planned:
        """The rules that a run would execute now."""
        text = self.run("--dry-run", *arguments)
        table = re.search(r"^job\s+count\n[-\s]+\n(.*?)^total", text, re.MULTILINE | re.DOTALL)
        rows = re.findall(r"^(\S+)\s+(\d+)$", table.group(1), re.MULTILINE) if table else []
        return Planned({name: int(count) for name, count in rows if name not in {"all"}}, text)

    def overlay(self, settings: dict) -> list[str]:
        """Arguments, to be put last, that add an overlay to the configuration."""
        path = self.folder / "overlay.yaml"
        path.write_text(yaml.safe_dump(settings))
        return ["--configfile", "workflow/presets/tiny.yaml", "on-disk.yaml", "overlay.yaml"]

    def stage_process(self, stage: str) -> psutil.Process | None:
        """A running job of that stage in this project."""
        for process in psutil.process_iter(["cmdline", "cwd"]):
            words = process.info["cmdline"] or []
            here = process.info["cwd"] == str(self.folder)
            if here and f"pipeline.stages.{stage}" in words:  # the shell around it has the whole command as one word
                return process
        return None

    def digests(self) -> dict[str, str]:
        """Digest of every result that must be equal between two runs."""
        from pipeline.store import digest_result

        base = self.folder / "results"
        files = (path for path in sorted(base.rglob("*")) if path.is_file() and path.name != "README.md")
        wanted = (path for path in files if not set(path.relative_to(base).parts) & set(EXEMPT))
        return {
            str(path.relative_to(base)): digest_result(path)
            for path in wanted
            if path.suffix in SUFFIXES or path.name.endswith(".zarr.zip")
        }


def copy_project(folder: Path) -> TinyProject:
    """Copy what git tracks (and what is new and not ignored) into `folder`."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split("\n"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return TinyProject(folder)


def make_corpus(project: TinyProject) -> None:
    """Simulate the tiny corpus, move it out of results/, and point the configuration at it."""
    overlay = project.folder / "on-disk.yaml"
    overlay.write_text("{}\n")
    config = yaml.safe_load((project.folder / "workflow/presets/tiny.yaml").read_text())
    splits = [split for split in config["ingest"]["shards"] for _ in range(config["ingest"]["shards"][split])]
    names = [f"{split}-{splits[:position].count(split):02d}" for position, split in enumerate(splits)]
    project.run(*[f"results/tiny/manifests/{name}.tsv" for name in names])
    shutil.move(project.folder / "results/tiny/corpus", project.corpus)
    shutil.rmtree(project.folder / "results/tiny")
    overlay.write_text(yaml.safe_dump({"corpora": {"tiny": {"root": str(project.corpus), "simulate": None}}}))
