"""Indexing a tree of 6,000 EDFs in the layout of TUSZ v2: under 30 s on 2 cores (issue 3, acceptance 5).

Each EDF has a true header of 32 channels and one data record; each has its two annotation files, half of them with
seizures on several derivations. Four rows: the scan while Snakemake parses (names, sizes, dealing, manifests), the
library's indexing of all shards in one process, the stage `index` on 64 shards by two processes, and the whole target
as `snakemake --cores 2` runs it, process starts and all. `ratio` is limit over seconds; the seconds of processor time
stand in the name of a row, since on a machine that others use the wall clock says little.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from benchmarks.edf_reading import make_edf
from pipeline.corpora.shards import read_manifest, recordings_of
from pipeline.findings import Findings
from pipeline.settings.config import parse_config
from pipeline.stages.index import IndexSettings, index
from workflow.lib.corpus import Corpora

FILES, PER_PATIENT, CORES, LIMIT_S = 6000, 10, 2, 30.0
SHARDS = {"train": 48, "validation": 8, "test": 8}
REPOSITORY = Path(__file__).resolve().parents[1]
HEAD = "# version = csv_v1.0.0\n# bname = x\n# duration = 1.00 secs\n#\nchannel,start_time,stop_time,label,confidence\n"
CHANNELS = ["FP1-F7", "F7-T3", "T3-T5", "T5-O1", "FP2-F8", "F8-T4", "T4-T6", "T6-O2", "FP1-F3", "F3-C3", "C3-P3"]


def measure(files: int = FILES) -> list[dict[str, Any]]:
    """Rows {name, ours_s, reference_s, ratio, target, unit}; the reference is the limit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_tree(folder / "tusz", files)
        overlay = folder / "overlay.yaml"
        overlay.write_text(yaml.safe_dump(_overlay(folder)))
        shards: list[str] = []
        n, jobs = f"{files} EDFs", sum(SHARDS.values())
        return [
            row(f"scan of {n} while parsing", lambda: shards.extend(_scan(folder, overlay)), None),
            row(f"index of {n}, library, one process", lambda: _index_all(folder, shards, files), None),
            row(
                f"index of {n}, {jobs} jobs, {CORES} at a time",
                lambda: _run_stages(folder, shards),
                1.0,
            ),
            row(f"scan, index of {n}, snakemake --cores {CORES}", lambda: _run_snakemake(folder, overlay), 1.0),
        ]


def row(name: str, work: Callable[[], object], target: float | None) -> dict[str, Any]:
    """Do the work; one row of the table."""
    started, cpu_s = time.perf_counter(), _cpu_s()
    work()
    seconds, cpu_s = time.perf_counter() - started, _cpu_s() - cpu_s
    figures = {"ours_s": seconds, "reference_s": LIMIT_S, "ratio": LIMIT_S / seconds}
    return {"name": f"{name} (CPU {cpu_s:.1f} s)", **figures, "target": target, "unit": "tree"}


def _cpu_s() -> float:
    """Processor time of this process and of those it has waited for."""
    return sum(os.times()[:4])


def _index_all(folder: Path, shards: list[str], files: int) -> None:
    indexed = sum(_index(folder, shard) for shard in shards)
    assert indexed == files, f"{indexed} of {files} indexed"


def make_tree(root: Path, files: int) -> None:
    """Write the tree: each patient in one split, ten recordings each."""
    make_edf(root.with_suffix(".edf"), channels=32, rate_hz=256, seconds=1)
    edf = root.with_suffix(".edf").read_bytes()
    for number in range(files):
        patient = number // PER_PATIENT
        share = patient * PER_PATIENT / files
        split = "train" if share < 0.8 else "dev" if share < 0.9 else "eval"
        letters = "".join(chr(97 + patient // 26**place % 26) for place in range(8))
        session = f"s{number % PER_PATIENT + 1:03d}"
        place = root / "edf" / split / letters / f"{session}_2012" / "01_tcp_ar"
        place.mkdir(parents=True)
        stem = place / f"{letters}_{session}_t000"
        stem.with_suffix(".edf").write_bytes(edf)
        events = [f"{channel},0.1000,0.9000,fnsz,1.0000\n" for channel in CHANNELS] if number % 2 else []
        background = [f"{channel},0.0000,0.1000,bckg,1.0000\n" for channel in CHANNELS]
        stem.with_suffix(".csv").write_text(HEAD + "".join(background + events))
        whole = "TERM,0.1000,0.9000,seiz,1.0000\n" if events else "TERM,0.0000,1.0000,bckg,1.0000\n"
        stem.with_suffix(".csv_bi").write_text(HEAD + whole)


def _overlay(folder: Path) -> dict[str, Any]:
    official = {"source": "official", "official": {"train": "train", "dev": "validation", "eval": "test"}}
    corpus = {"like": "synthetic", "version": "v2", "root": str(folder / "tusz"), "simulate": None, "splits": official}
    results = str(folder / "results")
    return {"results": results, "corpus": "tree", "corpora": {"tree": corpus}, "ingest": {"shards": SHARDS}}


def _scan(folder: Path, overlay: Path) -> list[str]:
    """What parsing does for a corpus on disk; names of the shards."""
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    over = yaml.safe_load(overlay.read_text())
    values = {**config, **over, "corpora": {**config["corpora"], **over["corpora"]}}
    return Corpora(parse_config(values), main_process=True).shards("tree").of()


def _index(folder: Path, shard: str) -> int:
    listed = recordings_of(read_manifest(_manifest(folder, shard)))
    settings = IndexSettings(corpus="tree", reader="tusz", version="v2")
    return len(index(folder / "tusz", listed, settings, Findings())[0])


def _manifest(folder: Path, shard: str) -> Path:
    return folder / "results" / "tree" / "manifests" / f"{shard}.tsv"


def _run_stages(folder: Path, shards: list[str]) -> None:
    """The stage on every shard, each a process of its own, two at a time."""
    settings = json.dumps({"index": {"corpus": "tree", "reader": "tusz", "version": "v2"}})

    def one(shard: str) -> None:
        command = [sys.executable, "-m", "pipeline.stages.index", "--settings", settings]
        command += ["--manifest", str(_manifest(folder, shard)), "--root", str(folder / "tusz")]
        for name in ("recordings", "seizures", "findings"):
            command += [f"--{name}", str(folder / "stages" / f"{shard}.{name}.parquet")]
        subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)

    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(one, shards))


def _run_snakemake(folder: Path, overlay: Path) -> None:
    """Manifests are removed first: the scan counts, too."""
    manifests = folder / "results" / "tree" / "manifests"
    wanted = [f"results/tree/index/{path.stem}.recordings.parquet" for path in sorted(manifests.glob("*.tsv"))]
    for path in manifests.iterdir():
        path.unlink()
    overlay.write_text(yaml.safe_dump({**yaml.safe_load(overlay.read_text()), "results": "results"}))
    command = [sys.executable, "-m", "snakemake", "--cores", str(CORES), "--directory", str(folder), "--quiet"]
    command += ["--snakefile", str(REPOSITORY / "Snakefile"), *wanted]
    command += ["--configfile", str(REPOSITORY / "config.yaml"), str(overlay)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


if __name__ == "__main__":
    for line in measure():
        print(f"{line['name']:60} {line['ours_s']:8.2f} s")
