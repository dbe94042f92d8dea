"""Does the model look where the seizure is? (Tang et al. 2022, section 2.5 and figure 4)

In: occlusion maps and predictions, one file a seed; clips, seizures and segments of the test shards. Out: one row for
each seed, clip and way of counting (localisation.parquet), and their means, shares, nulls and intervals (JSON).
"""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.clips import SEIZURE_CODES
from pipeline.explain.annotation import annotate, has_channels
from pipeline.explain.localisation import Score, clip_generator, score_clip, unscored
from pipeline.explain.localisation_summary import COLUMNS, summarise
from pipeline.explain.map_store import read_maps
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.evaluation import LocalisationSettings
from pipeline.signals.montages import are_derivations
from pipeline.stages import command
from pipeline.store import read_table, read_tables, write_json, write_table

TEXT_COLUMNS = ["run", "clip", "patient", "focal", "rule", "fz_pz", "reason"]


class Settings(Section):
    """What this stage uses."""

    run: str
    task: str
    length_s: int
    localisation: LocalisationSettings


def located(clips: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """Clips, indexed by name, with the derivations of their segment's montage."""
    own = segments[["recording", "segment", "derivations"]]
    return clips.merge(own, on=["recording", "segment"], how="left", validate="many_to_one").set_index("clip")


def clip_scores(
    drop: np.ndarray, clip: Any, seizures: pd.DataFrame, nodes: list[str], settings: LocalisationSettings
) -> Iterator[Score]:
    """Scores of the map (n, t) of one row `clip` of `located`; `seizures` are those of its recording."""
    if not has_channels(seizures):
        return unscored("no derivation is annotated in this recording", direct=are_derivations(nodes))
    annotation = annotate(
        seizures,
        derivations=list(clip.derivations),
        nodes=nodes,
        start_s=float(clip.start_s),
        length_s=drop.shape[1],
        second_rule=settings.second_rule,
    )
    return score_clip(drop, annotation, settings, rng=clip_generator(settings.seed, str(clip.Index)))


def score_file(path: Path, clips: pd.DataFrame, seizures: pd.DataFrame, settings: Settings) -> list[dict[str, Any]]:
    """Rows of the table for one seed's maps."""
    maps = read_maps(path)
    known = seizures[seizures["code"].isin(SEIZURE_CODES)]
    by_recording = dict(list(known.groupby("recording")))
    rows = []
    for drop, clip in zip(maps.drop, clips.loc[maps.clips].itertuples(), strict=True):
        own = by_recording.get(str(clip.recording), known.iloc[:0])
        fixed = {
            "run": settings.run,
            "seed": maps.seed,
            "clip": str(clip.Index),
            "patient": clip.patient,
            "focal": clip.focal,
        }
        found = clip_scores(drop, clip, own, maps.electrodes, settings.localisation)
        rows += [{**fixed, **asdict(score)} for score in found]
    return rows


def prediction_counts(paths: list[Path], clips: pd.DataFrame) -> dict[str, int]:
    """Over all seeds: test clips with a seizure, and how many of them were predicted as such."""
    seizure = clips.index[clips["label"] == 1]
    tables = [read_table(path, ["clip", "label", "predicted"]) for path in paths]
    tables = [table[table["clip"].isin(seizure)] for table in tables]
    return {
        "n_seizure_clips": sum(len(table) for table in tables),
        "n_detected": sum(int((table["predicted"] == table["label"]).sum()) for table in tables),
    }


def main() -> None:
    """Read, score, write."""
    parser = command.parser(__doc__)
    for name in ("maps", "predictions", "clips", "seizures", "segments"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    for name in ("localisation", "summary"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    if settings.task != "detection":
        raise command.StageError(f"--settings: task {settings.task} has no annotated seconds; localise detection maps")
    clips = located(read_tables(arguments.clips), read_tables(arguments.segments))
    seizures = read_tables(arguments.seizures)
    rows = [row for path in arguments.maps for row in score_file(path, clips, seizures, settings)]
    table = pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(TEXT_COLUMNS, "string"))
    summary = summarise(table, settings.localisation) | prediction_counts(arguments.predictions, clips)
    write_table(arguments.localisation, table)
    write_json(arguments.summary, {"run": settings.run, "length_s": settings.length_s, **summary})
    log.info("%d maps of %d patients scored", summary["n_clips"], summary["n_patients"])


if __name__ == "__main__":
    command.run(main)
