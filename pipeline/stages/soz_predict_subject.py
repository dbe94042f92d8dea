"""Predict which contacts of one BIDS subject lie in the seizure onset zone, by a frozen bundle. Run by hand.

    python -m pipeline.stages.soz_predict_subject --bundle DIR --root BIDS --subject LABEL --out DIR

Labels and coordinates may be there or not, and are not looked at; without events only interictal recordings are judged.
A check that stops a recording stops the prediction. Out, in a folder: `channel_soz.tsv`, `.json` and
`dataset_description.json` (the columns of a run's table; n/a: one subject has none), `prediction.json` (answer or
abstention, warnings) and `findings.tsv`. No metrics: there is no truth to compare with (spec soz.md, 12).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from pipeline.corpora.ieeg.tree import find_recordings
from pipeline.corpora.records import RecordingFiles
from pipeline.corpora.shards import manifest_rows, write_manifest
from pipeline.metrics.soz_channels import COLUMNS as DERIVATIVE
from pipeline.metrics.soz_channels import SYNTHETIC, bids_cells, description, flagged, place_table
from pipeline.stages import command
from pipeline.store import read_table, read_tables, write_json, write_tsv
from pipeline.training.device import prepare_device
from pipeline.training.soz_bundle import SIMULATED, Bundle, UnfitBundle, open_bundle
from pipeline.training.soz_data import SozData, load_clips
from pipeline.training.soz_ensemble import Verdict, judge, warnings

CORPUS = "subject"
TOP = 5
COLUMNS = {name: told["Description"] for name, told in DERIVATIVE.items()} | {
    "p_raw": "Mean over models of the uncalibrated probability",
    "p_cal": "Mean over models of the calibrated probability",
    **dict.fromkeys(("ci_low", "ci_high", "seed_sd", "fold", "model_hash"), "n/a: the answer is of all models"),
    **dict.fromkeys(("label_soz", "resected"), "n/a: labels are not looked at"),
    "model_sd": "Standard deviation of p_cal over the models",
    "votes": "Models that call the contact",
}


def options() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--bundle", type=Path, required=True, metavar="DIR", help="made by soz_bundle")
    made.add_argument("--root", type=Path, required=True, metavar="DIR", help="the BIDS tree")
    made.add_argument("--subject", required=True, help="its label, with or without sub-")
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the results")
    made.add_argument("--adapter", default=None, help="names tasks and events; without, the bundle's")
    made.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    made.add_argument("--log", type=Path, default=None, help="also write the log to this file")
    return made


def main() -> None:
    """Read, prepare in a folder of its own, predict, write."""
    arguments = options().parse_args()
    log = command.start(arguments)
    try:
        bundle, models = open_bundle(arguments.bundle, torch.device("cpu"))
    except UnfitBundle as error:
        raise command.StageError(str(error)) from None
    device_settings = models[0].settings.device.model_copy(update={"device": arguments.device})
    device = prepare_device(device_settings)
    for trained in models:
        trained.model.to(device)
    recordings = recordings_of(arguments.root, arguments.subject)
    with tempfile.TemporaryDirectory(prefix="ictograph-soz-") as work:
        made = prepare(Path(work), arguments.root, recordings, bundle, adapter=arguments.adapter)
        stop_on_errors(made, arguments.out)
        patient = recordings[0].patient
        data = load_clips([made["tokens"]], [made["rows"]], patients=[patient], labels="soz", shifted=False)
        if not len(data.clips):
            raise command.StageError(
                f"{patient}: no clip of {bundle.made.clips.length_s} s in any recording that can be used"
            )
        verdict = judge(models, data, device=device, settings=device_settings)
        facts = read_table(made["recordings"])
        simulated = bool(facts["synthetic"].any())
        told = warnings(bundle, data, patient=patient, rates_hz=facts["rate_hz"].tolist())
        told += [f"{patient}: {SYNTHETIC}"] if simulated else []
        write(arguments.out, channel_table(verdict, data, made, patient), verdict, told, bundle, simulated=simulated)
    for line in told:
        log.warning("%s", line)
    log.info("%s", verdict.abstained or f"{patient}: {', '.join(verdict.top(TOP))}")


def recordings_of(root: Path, subject: str) -> list[RecordingFiles]:
    """The recordings of one subject, all as of the split `train`, as the stages expect. Raises StageError."""
    found = find_recordings(root)
    wanted = {subject, subject.removeprefix("sub-"), f"sub-{subject}"}
    own = [files for files in found if files.patient in wanted]
    if not own:
        there = ", ".join(sorted({files.patient for files in found})) or "nobody"
        raise command.StageError(f"{root}: no iEEG recording of {subject!r}; there are recordings of {there}")
    return own


def prepare(
    work: Path, root: Path, recordings: list[RecordingFiles], bundle: Bundle, *, adapter: str | None
) -> dict[str, Path]:
    """Index, signals, clips and tokens by the stages of the graph, as the bundle's training made them."""
    tables = ("recordings", "contacts", "patients", "seizures", "segments", "clips", "rows")
    made = {name: work / f"{name}.parquet" for name in (*tables, "index_findings", "signal_findings", "clip_findings")}
    made |= {name: work / f"{name}.zarr.zip" for name in ("signals", "tokens")} | {"manifest": work / "manifest.tsv"}
    write_manifest(made["manifest"], manifest_rows(root, recordings))
    told = bundle.made.model_dump(mode="json")
    reading = told["reading"] | ({} if adapter is None else {"adapter": adapter})
    clips = told["clips"] | {"shifts": 0}
    index = {"corpus": CORPUS, "reader": "ieeg_bids", "version": "auto"}

    def files(*names: str, **others: Path) -> dict[str, Path]:
        return {name: made[name] for name in names} | others

    _stage(
        "soz_index", {"index": index, "reading": reading},
        files("manifest", "recordings", "contacts", "patients", "seizures", root=root, findings=made["index_findings"]),
    )  # fmt: skip
    _stage(
        "soz_ingest", {"corpus": CORPUS, "reading": reading},
        files("recordings", "contacts", "signals", "segments", root=root, findings=made["signal_findings"]),
    )  # fmt: skip
    _stage(
        "soz_clips", {"corpus": CORPUS, "clips": clips},
        files("recordings", "segments", "seizures", "clips", findings=made["clip_findings"]),
    )  # fmt: skip
    tokens = {"tokens": told["tokens"], "clips": clips, "rate_hz": reading["rate_hz"]}
    _stage("soz_tokens", tokens, files("signals", "clips", "contacts", "recordings", "tokens", "rows"))
    return made


def _stage(name: str, settings: dict[str, Any], files: dict[str, Path]) -> None:
    """Run one stage of the graph. Raises StageError with its last word."""
    line = [sys.executable, "-m", f"pipeline.stages.{name}", "--settings", json.dumps(settings)]
    for option, path in files.items():
        line += [f"--{option}", str(path)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise command.StageError(f"{name}: {last}")


def findings_of(made: dict[str, Path]) -> pd.DataFrame:
    """All findings on the subject."""
    return read_tables([made[name] for name in ("index_findings", "signal_findings", "clip_findings")])


def stop_on_errors(made: dict[str, Path], out: Path) -> None:
    """Write the findings. Raises StageError where one of them is an error: nothing is then predicted."""
    findings = findings_of(made)
    write_tsv(out / "findings.tsv", findings)
    if len(errors := findings[findings["severity"] == "error"]):
        first = errors.iloc[0]
        raise command.StageError(
            f"{first['recording']}: {first['code']}: {first['message']} ({len(errors)} such findings in "
            f"{out / 'findings.tsv'}); mend them, or move the recordings away"
        )


def channel_table(verdict: Verdict, data: SozData, made: dict[str, Path], patient: str) -> pd.DataFrame:
    """channel_soz.tsv: columns COLUMNS, every used contact in canonical order; what is not known is NaN."""
    said = verdict.channels.assign(patient=patient)
    rows = read_table(made["rows"], columns=["patient", "channel", "flags"])
    table = place_table(read_table(made["contacts"]), said, rows).merge(said, on=["patient", "channel"], how="left")
    counted = data.rows[data.rows["phase"] != "pre"].groupby(["channel", "condition"]).size()
    for condition in ("ictal", "interictal"):
        table[f"n_clips_{condition}"] = [int(counted.get((name, condition), 0)) for name in table["channel"]]
    table = table.drop(columns="resected").assign(
        participant_id=f"sub-{patient.removeprefix('sub-')}",
        flags=[flagged(own, scored=scored) for own, scored in zip(table["flags"], table["scored"], strict=True)],
        implant=read_table(made["patients"])["implant"].iloc[0],
        **{axis: table[f"{axis}_mm"] for axis in "xyz"},
        **{name: table[name].astype("Int64") for name in ("rank", "votes")},
    )
    return table.reindex(columns=list(COLUMNS))


def write(
    out: Path, table: pd.DataFrame, verdict: Verdict, told: list[str], bundle: Bundle, *, simulated: bool
) -> None:
    """The files of the answer: a BIDS derivative and prediction.json. `simulated`: the subject is."""
    subject, taught = str(table["participant_id"].iloc[0]), f" {SIMULATED}." if bundle.synthetic else ""
    columns = COLUMNS | {name: f"{COLUMNS[name]}.{taught}" for name in ("p_raw", "p_cal") if taught}
    write_tsv(out / "channel_soz.tsv", bids_cells(table))
    write_json(out / "channel_soz.json", {name: {"Description": text} for name, text in columns.items()})
    what = f"{subject}, by the bundle of run {bundle.run} on {', '.join(bundle.made.corpora)}.{taught}"
    write_json(out / "dataset_description.json", description(what, synthetic=simulated))
    answer = {
        "use": bundle.use,
        "participant_id": subject,
        "abstained": verdict.abstained,
        "threshold": verdict.threshold,
        "highest_p_cal": float(table["p_cal"].max()),
        "top": [] if verdict.abstained else verdict.top(TOP),
        "warnings": told,
        "simulated_recordings": simulated,
        "trained_on_simulated_recordings": bundle.synthetic,
        "models": [member.model_hash for member in bundle.members],
        "fold_hashes": sorted({member.fold_hash for member in bundle.members}),
    }
    write_json(out / "prediction.json", answer)


if __name__ == "__main__":
    command.run(main)
