"""Score a user's folder of EDFs with a trained detector: a held-out plausibility check, not an evaluation.

In: a folder (with sub-folders), an optional INDEX.csv in it (columns file, label), a trained detector with its card,
scaler and, for the distance graph, its graph. Out: predictions.parquet (one row a clip), segments.parquet (one row an
EDF: score, or why there is none), findings.parquet, occlusion.zarr.zip, summary.json (guard G8) and a page with the
traces of every scored EDF. The files go through the same code as a corpus: index, ingest, clips, features, graphs.
"""

import csv
import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from pipeline.clips import cut_clips
from pipeline.corpora import folder
from pipeline.corpora._pseudonyms import Pseudonyms, link_files, made_key
from pipeline.corpora.records import RecordingFiles
from pipeline.explain.hiding import fill_value, graph_of_hidden
from pipeline.explain.map_store import OcclusionMaps, write_maps
from pipeline.features._frame_store import reading_frames, write_frames
from pipeline.findings import Findings
from pipeline.graphs.correlation import correlation_weights
from pipeline.plugins import load_plugin
from pipeline.report.build import write
from pipeline.report.segments import Scored, answered, build_page, ranking, segment_views
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.clips import ClipCompat, ClipSettings
from pipeline.settings.corpora import IndexSettings
from pipeline.settings.evaluation import OcclusionSettings
from pipeline.settings.features import GraphSettings
from pipeline.settings.report import ReportSettings
from pipeline.settings.signals import ChannelSettings, SignalCompat, SignalSettings
from pipeline.settings.training import DeviceSettings, FitSettings
from pipeline.stages import command, features, index, ingest
from pipeline.stages.graph_correlation import clip_blocks
from pipeline.stages.occlude import explain
from pipeline.store import read_json, reading_store, write_json, write_table, writing_store
from pipeline.training.clip_data import ClipData, load_clips
from pipeline.training.device import prepare_device
from pipeline.training.model_io import load_model
from pipeline.training.predicting import NotFinite, prediction_table

FIXTURE = "header fixture"  # labels of INDEX.csv that begin so: the samples are no EEG


class Settings(Section):
    """What this stage uses; `corpus` and `synthetic` say what the detector was trained on."""

    corpus: str
    synthetic: bool
    channels: ChannelSettings
    signals: SignalSettings
    compat: SignalCompat
    clips: ClipSettings
    clip_compat: ClipCompat
    graphs: GraphSettings
    device: DeviceSettings
    occlusion: OcclusionSettings
    report: ReportSettings
    batch: int
    threshold_strict: bool  # compat.threshold_strict
    pseudonyms: bool


def read_labels(root: Path) -> dict[str, str]:
    """EDF (path below root) -> label, from INDEX.csv; empty without one."""
    path = root / "INDEX.csv"
    if not path.exists():
        return {}
    with path.open(encoding="utf-8-sig", newline="") as text:
        rows = list(csv.DictReader(text))
    if rows and not {"file", "label"} <= set(rows[0]):
        raise command.StageError(f"{path}: needs the columns file and label; has {', '.join(rows[0])}")
    return {row["file"]: row["label"] for row in rows if row["file"].lower().endswith(".edf")}


def find_files(root: Path, private: Path, *, pseudonyms: bool) -> tuple[Path, list[RecordingFiles], dict[str, str]]:
    """The EDFs below a folder, where they are to be read, and the labels of INDEX.csv.

    With `pseudonyms` they are read through links, and `private` holds the key and the way back (docs/privacy.md).
    """
    listed, labels = folder.find(root, "files"), read_labels(root)
    if not listed:
        raise command.StageError(f"{root}: no EDF file in this folder or below it")
    if not pseudonyms:
        return root, listed, labels
    names = Pseudonyms(made_key(private / "key"))
    hidden = [names.of(files) for files in listed]
    link_files(root, private, listed, hidden)
    known = {other.edf: labels.get(files.edf, "") for files, other in zip(listed, hidden, strict=True)}
    return private / "files", hidden, known


def read_folder(
    root: Path,
    listed: list[RecordingFiles],
    work: Path,
    labels: dict[str, str],
    settings: Settings,
    findings: Findings,
    log: logging.Logger,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """(files, seizures, segments); the signals go to work/signals.zarr.zip."""
    fields = IndexSettings(corpus="real-segments", reader="folder", version="files")
    recordings, seizures = index.index(root, listed, fields, findings)
    options = ingest.Settings(
        corpus="real-segments", channels=settings.channels, signals=settings.signals, compat=settings.compat
    )
    table = pd.DataFrame(recordings, columns=list(index.RECORDINGS))
    with writing_store(work / "signals.zarr.zip", {"electrodes": list(settings.channels.nodes)}) as store:
        segments = ingest.ingest(root, table, options, findings, store, log)
    files = pd.DataFrame({"recording": [one.recording for one in listed], "file": [one.edf for one in listed]})
    files["label"] = [labels.get(one.edf, "") for one in listed]
    synthetic = set(table.loc[table["synthetic"].astype(bool), "recording"])
    files["synthetic"] = files["recording"].isin(synthetic)
    known = {finding.recording for finding in findings if finding.code == "fixture"}
    for row in files[files["label"].str.startswith(FIXTURE) & ~files["recording"].isin(known)].itertuples():
        findings.for_recording(str(row.recording)).add("fixture", str(row.label), severity="info", action="note")
    return (
        files,
        pd.DataFrame(seizures, columns=list(index.SEIZURES)).astype(index.SEIZURES),
        pd.DataFrame(segments, columns=list(ingest.SEGMENTS)).astype(ingest.SEGMENTS),
    )


def prepare(
    work: Path,
    clips: pd.DataFrame,
    segments: pd.DataFrame,
    fit: FitSettings,
    settings: Settings,
    *,
    graph: Path | None,
    training_mean: float,
) -> list[Path]:
    """Write clips and features below `work`; return the detector's graphs: made here, or the distance graph given.

    There are none for a detector without a graph.
    """
    write_table(work / "clips.parquet", clips)
    options = features.Settings(features=fit.features, rate_hz=settings.signals.rate_hz)
    kind = load_plugin("features", fit.features.kind)
    items = features.grid_items(segments, round(options.rate_hz))
    nothing = np.zeros((len(fit.electrodes), 0), dtype=np.float32)
    shape = kind.frames(nothing, options.rate_hz, options.features).shape[1:]
    with reading_store(work / "signals.zarr.zip") as signals:
        frames = features.compute(signals, items, kind, options)
        names, seconds = items["item"].tolist(), items["seconds"].tolist()
        write_frames(work / "features.zarr.zip", names, seconds, frames, shape=shape)
    if fit.graph == "none":
        return []
    if fit.graph == "distance":
        if graph is None:
            raise command.StageError("--graphs: a detector on the distance graph needs it")
        return [graph]
    return [_correlation(work, clips, settings.graphs, training_mean=training_mean)]


def _correlation(work: Path, clips: pd.DataFrame, settings: GraphSettings, *, training_mean: float) -> Path:
    with reading_frames(work / "features.zarr.zip") as store:
        n = store.frames.shape[1]
        weights = np.zeros((len(clips), n, n), dtype=np.float32)
        for places, frames in clip_blocks(store, clips):
            weights[places] = correlation_weights(frames, settings, training_mean=training_mean)
    path = work / "graphs.zarr.zip"
    with writing_store(path, {"clips": clips["clip"].tolist()}) as group:
        stored = group.create_array("weights", shape=weights.shape, chunks=weights.shape, dtype="float32")
        stored[...] = weights
    return path


def score(
    model: torch.nn.Module, data: ClipData, card: dict[str, Any], settings: Settings
) -> tuple[pd.DataFrame, OcclusionMaps]:
    """Predictions and maps of every clip, whatever was predicted: nothing is known to be right here."""
    try:
        predictions = prediction_table(model, data, card, batch_size=settings.batch, strict=settings.threshold_strict)
    except NotFinite as error:
        raise command.StageError(str(error)) from None
    fill = fill_value(settings.occlusion, data.settings.features, card["scaler"])
    regraph = graph_of_hidden(settings.occlusion, data.settings, settings.graphs, card["scaler"])
    with torch.no_grad():
        maps = explain(model, data, predictions, fill=fill, batch=settings.occlusion.batch, regraph=regraph)
    return predictions, maps


def load_detector(
    model: Path, card: Path, scaler: Path, *, device: torch.device
) -> tuple[torch.nn.Module, FitSettings]:
    """The detector and what it was trained with. Raises StageError for another task or another model's scaler."""
    content = read_json(card)
    if read_json(scaler) != content["scaler"]:
        raise command.StageError(f"{scaler}: not the scaler that {model} was trained with")
    network, fit = load_model(model, content, device=device)
    if fit.task != "detection":
        raise command.StageError(f"{card}: a model for {fit.task}; segments are scored by a detector")
    return network, fit


def check_nodes(card: Path, fit: FitSettings, channels: ChannelSettings) -> None:
    """Stop where the detector's nodes are not what `channels` makes of a recording: 18 rows would pass for 19."""
    if fit.electrodes != channels.nodes:
        known, made = ", ".join(fit.electrodes[:3]), ", ".join(channels.nodes[:3])
        raise command.StageError(
            f"{card}: a model of the {len(fit.electrodes)} nodes {known} …, but channels.montage: {channels.montage} "
            f"makes {len(channels.nodes)} nodes {made} …; use the settings that the model was trained with"
        )


def write_tables(out: Path, scored: Scored, summary: dict[str, Any], findings: Findings) -> None:
    """Everything but the page."""
    write_table(out / "predictions.parquet", scored.predictions)
    write_table(out / "segments.parquet", scored.segments)
    write_table(out / "findings.parquet", findings.to_frame())
    write_maps(out / "occlusion.zarr.zip", scored.maps)
    write_json(out / "summary.json", summary)


def main() -> None:
    """Read, score, draw, write."""
    parser = command.parser(__doc__)
    for name in ("root", "model", "card", "scaler", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--graphs", type=Path, default=None, help="the distance graph, if the detector uses it")
    command.memory_option(parser)
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    device, card = prepare_device(settings.device, alone=True), read_json(arguments.card)
    model, fit = load_detector(arguments.model, arguments.card, arguments.scaler, device=device)
    check_nodes(arguments.card, fit, settings.channels)
    findings = Findings(corpus="real-segments")
    arguments.out.mkdir(parents=True, exist_ok=True)
    root, listed, labels = find_files(arguments.root, arguments.out / "private", pseudonyms=settings.pseudonyms)
    with tempfile.TemporaryDirectory(dir=arguments.out, prefix=".work.") as place:
        work = Path(place)
        files, seizures, segments = read_folder(root, listed, work, labels, settings, findings, log)
        length_s, compat = fit.length_s, settings.clip_compat
        clips = cut_clips(
            segments, seizures, task="detection", length_s=length_s, settings=settings.clips, compat=compat,
            findings=findings,
        )  # fmt: skip
        if clips.empty:
            raise command.StageError(f"real-segments: no EDF holds a whole clip of {length_s} s; see the log")
        graphs = prepare(
            work, clips, segments, fit, settings, graph=arguments.graphs, training_mean=card["scaler"]["mean"]
        )  # fmt: skip
        data = load_clips(
            features=[work / "features.zarr.zip"], clips=[work / "clips.parquet"], graphs=graphs,
            scaler=card["scaler"], settings=fit.model_copy(update={"device": settings.device}), device=device,
            memory_gb=arguments.memory_gb,
        )  # fmt: skip
        predictions, maps = score(model, data, card, settings)
        scored = Scored(files, answered(files, predictions, findings), predictions, maps)
        views = segment_views(scored, segments, seizures, work / "signals.zarr.zip", length_s=length_s)
    summary = ranking(scored.segments)
    write_tables(arguments.out, scored, summary, findings)
    built = build_page(
        scored, views, summary, findings=findings.to_frame(), card=card, settings=settings.report,
        occlusion=settings.occlusion, trained_on=settings.corpus, synthetic_training=settings.synthetic,
    )  # fmt: skip
    write(built, arguments.out, max_mb=settings.report.max_mb)
    log.info("%d of %d EDFs scored", len(views), len(files))


if __name__ == "__main__":
    command.run(main)
