"""Random streams by name: what one part of the simulator draws never shifts what another draws.

Standard library only at import: patient ids are needed while Snakemake parses.
"""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def number(*key: object, below: int) -> int:
    """A number in [0, below) from the text of the key alone: equal in every process, on every machine."""
    text = "/".join(str(part) for part in key).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little") % below


def generator(*key: object) -> "np.random.Generator":
    """A generator seeded by the key, e.g. `generator(seed, patient, session, "background")`."""
    import numpy as np

    return np.random.default_rng(number(*key, below=2**128))
