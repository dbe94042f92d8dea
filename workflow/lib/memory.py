"""Memory that a job asks for, by the size of what it reads."""

import os
from collections.abc import Callable, Iterable


def memory(least: int, times: int) -> Callable[[object, Iterable[str]], float]:
    """A resources function: MiB, `times` the size of the inputs, at least `least`.

    Not `input.size_mb`: in a dry run of the whole paper its way to look for each missing file takes a fifth of the
    time. The first file that is not there raises FileNotFoundError, which tells Snakemake to ask again later.
    """

    def megabytes(wildcards: object, input: Iterable[str]) -> float:
        return max(least, times * sum(os.stat(path).st_size for path in input) / 2**20)

    return megabytes
