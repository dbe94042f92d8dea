"""Graphs of a model as its training began: what a learner joins before it has learned anything.

Nothing is trained: the weights are drawn from the card's seed as its training drew them; every test clip passes once.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.explain.graph_store import GraphClips, reading_graphs
from pipeline.explain.learned_graphs import GraphLearner, graph_blocks
from pipeline.explain.planted_edges import OtherClips, PatientGraphs, SeedGraphs, read_graphs, summed
from pipeline.settings.base import parse_section
from pipeline.settings.training import DeviceSettings, FitSettings
from pipeline.store import read_json
from pipeline.training.clip_data import load_clips
from pipeline.training.device import prepare_device
from pipeline.training.start import FROM_SCRATCH, drawn_model


def seed_graphs(
    store: Path, card: Path, files: dict[str, Any], classes: Sequence[str], *, device: DeviceSettings, batch: int
) -> SeedGraphs:
    """A seed's graphs, trained from its `store`, untrained from its card; `files`: what its model reads of test shards.

    Raises OtherClips where the card is not of a training from scratch, or a clip of the store is in none of the tables.
    """
    content = read_json(card)
    if content["initial_weights"] != FROM_SCRATCH:
        raise OtherClips(f"{card}: starts from {content['initial_weights']}; name a run with init: scratch")
    mixing = float(content["settings"]["options"]["mixing"])
    with reading_graphs(store) as opened:
        about = opened.about
    before = untrained(content, about, files, classes, device=device, batch=batch, where=str(card))
    return SeedGraphs(read_graphs(store, classes, mixing=mixing), before)


def untrained(
    card: dict[str, Any],
    about: GraphClips,
    files: dict[str, Any],
    classes: Sequence[str],
    *,
    device: DeviceSettings,
    batch: int,
    where: str,
) -> PatientGraphs:
    """Sums over the clips of `about` of the graphs of the card's model with its first weights."""
    home = prepare_device(device)
    settings = parse_section(FitSettings, card["settings"], where=where).model_copy(update={"device": device})
    features, clips, graphs = ([Path(path) for path in files[name]] for name in ("features", "clips", "graphs"))
    data = load_clips(
        features=features,
        clips=clips,
        graphs=graphs,
        scaler=read_json(Path(files["scaler"])),
        settings=settings,
        device=home,
    )
    rows = pd.Index(data.table["clip"]).get_indexer(pd.Index(about.clips))
    if (rows < 0).any():
        raise OtherClips(f"{where}: a clip of its learned graphs is in none of the tables; export them anew")
    zero = -data.scaler.mean / data.scaler.std
    model = drawn_model(settings, n_features=data.frames.shape[-1], zero=zero).to(home)
    if not isinstance(model, GraphLearner):
        raise OtherClips(f"{where}: model {settings.model} learns no graph; name a run that does")
    blocks = graph_blocks(model, data, rows, batch=batch)
    return summed(about, blocks, classes, mixing=float(settings.options["mixing"]), where=where)
