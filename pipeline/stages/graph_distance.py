"""The distance graph (Tang et al. 2022, section 2.2.1): one matrix for every recording.

In: nothing but settings. Out: a store with `weights` (1, n, n) float32 and the names of the electrodes.
"""

from pathlib import Path

import numpy as np

from pipeline.graphs.distance import distance_weights
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.features import GraphSettings
from pipeline.stages import command
from pipeline.store import writing_store


class Settings(Section):
    """What this stage uses."""

    graphs: GraphSettings
    electrodes: tuple[str, ...]


def main() -> None:
    """Compute, write."""
    parser = command.parser(__doc__)
    parser.add_argument("--graphs", type=Path, required=True)
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    weights = distance_weights(settings.electrodes, kappa=settings.graphs.kappa)
    with writing_store(arguments.graphs, {"electrodes": list(settings.electrodes)}) as group:
        stored = group.create_array("weights", shape=(1, *weights.shape), dtype="float32", compressors=None)
        stored[...] = weights[None]
    log.info("%d edges at kappa %g", int(np.count_nonzero(np.triu(weights, 1))), settings.graphs.kappa)


if __name__ == "__main__":
    command.run(main)
