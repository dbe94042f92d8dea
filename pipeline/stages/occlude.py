"""Occlusion maps of one trained model (Tang et al. 2022, section 2.5, figures 3, 4 and 7).

In: model, card and predictions; features, clips and graphs of the test shards, the scaler. Out: for each chosen test
clip the fall of the logit when an electrode-second (detection) or an electrode (classification) is hidden.
"""

import logging
from pathlib import Path
from time import monotonic

import numpy as np
import pandas as pd
import torch
from torch import nn

from pipeline.explain.hiding import fill_value, graph_of_hidden
from pipeline.explain.map_store import OcclusionMaps, write_maps
from pipeline.explain.occlusion import Clip, Regraph, occlusion_map
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.evaluation import OcclusionSettings
from pipeline.settings.features import GraphSettings
from pipeline.settings.training import DeviceSettings
from pipeline.stages import command
from pipeline.store import read_json, read_table
from pipeline.training.clip_data import ClipData, load_clips
from pipeline.training.device import prepare_device
from pipeline.training.model_io import load_model

REPORT_EVERY_S = 10.0  # of the progress lines in the log


class Settings(Section):
    """What this stage uses; `graphs` only for occlusion.graph: recomputed."""

    device: DeviceSettings
    occlusion: OcclusionSettings
    graphs: GraphSettings | None = None


def chosen_clips(predictions: pd.DataFrame, settings: OcclusionSettings, *, task: str) -> pd.DataFrame:
    """Test clips to be explained: those with a seizure, and of these the correctly predicted or all."""
    chosen = predictions["split"] == "test"
    if task == "detection":
        chosen &= predictions["label"] == 1
    if settings.clips == "correct":
        chosen &= predictions["predicted"] == predictions["label"]
    return predictions[chosen]


def explain(
    model: nn.Module, data: ClipData, chosen: pd.DataFrame, *, fill: float, batch: int, regraph: Regraph | None
) -> OcclusionMaps:
    """Maps of the `chosen` rows of the predictions, in their order."""
    electrodes_only = data.settings.task == "classification"
    rows = pd.Index(data.table["clip"]).get_indexer(pd.Index(chosen["clip"]))
    targets = chosen["predicted"].to_numpy(dtype=np.int64) if electrodes_only else np.zeros(len(chosen), dtype=np.int64)
    length = 1 if electrodes_only else data.settings.length_s
    drops = np.zeros((len(chosen), len(data.settings.electrodes), length), dtype=np.float32)
    logits = np.zeros(len(chosen), dtype=np.float32)
    started = reported = monotonic()
    for k, (row, target) in enumerate(zip(rows, targets, strict=True)):
        found = data.batch(np.array([row]))
        supports = found.supports if found.supports.dim() == 3 else found.supports[0]
        clip = Clip(found.x[0], int(found.lengths[0]), supports, int(target))
        drop, logits[k] = occlusion_map(
            model, clip, fill=fill, batch=batch, electrodes_only=electrodes_only, regraph=regraph
        )
        drops[k, :, : drop.shape[1]] = drop.cpu().numpy()
        if monotonic() - reported > REPORT_EVERY_S:
            reported = monotonic()
            left_s = (reported - started) / (k + 1) * (len(chosen) - k - 1)
            logging.getLogger("ictograph").info("map %d of %d, about %.0f s left", k + 1, len(chosen), left_s)
    return OcclusionMaps(
        drops, logits, list(chosen["clip"]), targets.tolist(), list(data.settings.electrodes), data.settings.seed
    )


def main() -> None:
    """Read, explain, write."""
    parser = command.parser(__doc__)
    for name in ("model", "card", "predictions", "scaler", "maps"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name, number in (("features", "+"), ("clips", "+"), ("graphs", "*")):  # graphs: none for a model without
        parser.add_argument(f"--{name}", type=Path, nargs=number, required=True)
    command.memory_option(parser)
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    device, scaler = prepare_device(settings.device, alone=True), read_json(arguments.scaler)
    model, fit = load_model(arguments.model, read_json(arguments.card), device=device)
    fit = fit.model_copy(update={"device": settings.device})
    chosen = chosen_clips(read_table(arguments.predictions), settings.occlusion, task=fit.task)
    log.info("%d clips to explain on %s", len(chosen), device)
    data = load_clips(
        features=arguments.features,
        clips=arguments.clips,
        graphs=arguments.graphs,
        scaler=scaler,
        settings=fit,
        device=device,
        memory_gb=arguments.memory_gb,
    )
    with torch.no_grad():
        maps = explain(
            model,
            data,
            chosen,
            fill=fill_value(settings.occlusion, fit.features, scaler),
            batch=settings.occlusion.batch,
            regraph=graph_of_hidden(settings.occlusion, fit, settings.graphs, scaler),
        )
    write_maps(arguments.maps, maps)


if __name__ == "__main__":
    command.run(main)
