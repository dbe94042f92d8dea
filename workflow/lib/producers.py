"""Which rule makes a file: looked up once a file, not once for every job that reads it.

Snakemake compares a file with the outputs of all rules each time that a job asks for it; at the size of TUSZ 7,300
files are asked for 110,000 times: a quarter of the time of a plan, or of a run with nothing to do.
"""

import functools

from snakemake.output_index import OutputIndex


def remember_producers() -> None:
    """Keep the answers of each index of outputs; Snakemake makes another index when its rules change."""
    if not hasattr(OutputIndex.match_producers, "cache_info"):
        OutputIndex.match_producers = functools.cache(OutputIndex.match_producers)  # type: ignore[method-assign]
