"""Which texts of annotations may stay: those that consist of listed words and of names of electrodes alone."""

import re
from pathlib import Path

from pipeline.findings import CorpusError
from pipeline.signals.labels import is_known_label

BUILT_IN = Path(__file__).with_name("words.txt")
_BREAKS = re.compile(r"[\s,;:/()+.\-]+")
_WORD = re.compile(r"[^\W\d][\w]*")


def listed_words(more: Path | None) -> frozenset[str]:
    """The built-in words, and those of the file `more`."""
    return read_words(BUILT_IN) | (read_words(more) if more else frozenset())


def read_words(path: Path | str) -> frozenset[str]:
    """The words of a list, in lower case; `#` starts a comment. Raises CorpusError for a number or a list of none."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: the list of words cannot be read: {error}") from None
    words = [word for line in lines for word in line.partition("#")[0].split()]
    wrong = [word for word in words if not _WORD.fullmatch(word)]
    if wrong or not words:
        raise CorpusError(f"{path}: {wrong[0] if wrong else 'nothing'!r} is no word; words start with a letter")
    return frozenset(word.casefold() for word in words)


def is_allowed(text: str, words: frozenset[str]) -> bool:
    """Whether nothing in a text can name a person, a place or a day. Numbers cannot stay: they may be dates."""
    parts = [part for part in _BREAKS.split(text) if part]
    return all(part.casefold() in words or (is_known_label(part) and not part.isdigit()) for part in parts)
