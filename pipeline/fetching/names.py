"""Names from a server, which are hostile input, and the paths below the target folder that they may take.

Allowed: segments of `A-Z a-z 0-9 _ . + - =` that begin with a letter, a digit or `_`, joined by `/`; and `.bidsignore`.
So no `..`, no absolute or hidden path, no blank, no control character, no drive, nothing that a shell or a spreadsheet
reads as more than text. CHB-MIT has `chb02/chb02_16+.edf` and Siena `PN11/PN11-.edf`, hence `+` and `-`.
"""

import re
from pathlib import Path, PurePosixPath

from pipeline.findings import CorpusError

SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=-]*\Z")
HIDDEN = {".bidsignore"}  # the one hidden file that BIDS knows; `.git` or `.ssh` must never come from a server
LONGEST_SEGMENT = 180  # file systems allow 255 bytes; the name of the part file is longer than that of the file
LONGEST_NAME = 512
PART = ".part"  # suffix of a file that is not complete


class FetchError(CorpusError):
    """Something that stops a fetch; the message names the file or address, the value and the remedy."""


def refusal(name: str) -> str | None:
    """Why a name from a server may not be used, or None if it may."""
    if not name or len(name) > LONGEST_NAME:
        return f"a name of {len(name)} characters"
    for segment in name.split("/"):
        if len(segment) > LONGEST_SEGMENT:
            return f"a part of {len(segment)} characters"
        if segment not in HIDDEN and not SEGMENT.match(segment):
            return f"the part {segment!a} is not of the letters, digits and _ . + - = that are allowed"
    return f"it ends in {PART}, as unfinished files do" if name.endswith(PART) else None


def refused_names(names: list[str]) -> dict[str, str]:
    """Name -> why it is refused, for the names that are: unfit, listed twice, or below a name that is a file."""
    refused = {name: why for name in names if (why := refusal(name))}
    seen: set[str] = set()
    for name in names:
        if name in seen:
            refused.setdefault(name, "it is listed twice")
        seen.add(name)
    for name in seen - set(refused):
        if files := seen.intersection(str(folder) for folder in PurePosixPath(name).parents):
            refused[name] = f"{files.pop()} is a file of the same list"
    return refused


def place(root: Path, name: str) -> Path:
    """The path of `name` below `root`. Raises FetchError where a link on the way, or the file itself, leads out."""
    if why := refusal(name):
        raise FetchError(f"{name!a}: {why}")
    path, inside = root / name, root.resolve()
    try:
        stays = path.parent.resolve().is_relative_to(inside) and path.resolve().is_relative_to(inside)
    except (OSError, RuntimeError):  # links in a circle
        stays = False
    if not stays:
        raise FetchError(f"{path}: leads out of {root} through a symbolic link; remove the link")
    return path
