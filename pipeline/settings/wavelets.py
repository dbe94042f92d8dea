"""Names of wavelets that a setting may have: the orthogonal families of PyWavelets, which keep the signal's energy."""

import re
from typing import Annotated

from pydantic import AfterValidator

ORDERS = {"db": (1, 38), "sym": (2, 20), "coif": (1, 17)}  # first and last of each family; a test asks PyWavelets


def _known(name: str) -> str:
    found = re.fullmatch(r"(db|sym|coif)([1-9][0-9]?)", name)
    if found is None or not ORDERS[found[1]][0] <= int(found[2]) <= ORDERS[found[1]][1]:
        families = ", ".join(f"{family}{first} to {family}{last}" for family, (first, last) in ORDERS.items())
        raise ValueError(f"{name!r} is no wavelet that is known here; there are {families}")
    return name


Wavelet = Annotated[str, AfterValidator(_known)]
