"""Which labels of channels are words of the field. Anything else may be a name or a note and never leaves the reader.

A label is free text of 16 characters. Those that name electrodes, derivations, contacts or well-known auxiliary
channels are kept as they stand; any other becomes `ch NN`, its number in the file, by which the owner can look it up
(docs/privacy.md). Standard library only: readers of annotations need it at parse time.
"""

import functools
import re

ANNOTATIONS = "EDF Annotations"
# One signal for all electrodes: recorded, linked or computed ears, an average (docs/corpora.md, EDF).
REFERENCES = ("REF", "LE", "AVG", "AR", "AA", "CAR", "CLE", "AV", "MEAN", "VREF", "GND", "A1A2", "M1M2")
EARS = ("A1", "A2", "M1", "M2")  # one ear or mastoid alone: a reference of a whole recording, or one end of a chain
LAPLACIAN = "LAP"  # a mean of the neighbours, another one at each electrode: no reference
_AGAINST = "|".join((*REFERENCES, LAPLACIAN))
AUXILIARY = frozenset(
    ["EKG", "ECG", "EMG", "EOG", "VEOG", "HEOG", "ROC", "LOC", "PHOTIC", "PH", "IBI", "BURSTS", "SUPPR", "SPO2", "HR",
     "PR", "SAO2", "PULSE", "PLETH", "PLET", "RESP", "RR", "ABD", "ABDO", "THO", "CHEST", "FLOW", "NASAL", "SNORE",
     "TEMP", "MK", "MARK", "EVENT", "EVENTS", "STATUS", "TRIG", "TRIGGER", "STI", "DC", "DIF", "BP", "CO2", "ETCO2",
     "POS", "LIGHT", "OSAT", "VNS", "LUE", "RUE", "LLE", "RLE", "NC", "X", "E", "RAE", "LAE", "EEG", "POL", "SEEG",
     "ECOG", "IEEG"]
)  # fmt: skip
UNITS = frozenset(["mmhg", "degc", "deg c", "kohm", "ohm", "l/min", "beats", "none", "bool", "counts", "uvolt"])
_PREFIX = r"(?:EEG|POL|SEEG|ECOG|IEEG)"
_KNOWN_ELECTRODES = r"(?:NZ|IZ|FPZ?|AFZ|FZ|FCZ|CZ|CPZ|PZ|POZ|OZ|[CPFT][34]P|GND|REF)"
_CONTACT = r"[A-Z]{1,3}'?[0-9]{1,2}"  # of the 10-20 and 10-10 systems, of depth and subdural arrays: letters, a number
_NAME = rf"(?:{_KNOWN_ELECTRODES}|{_CONTACT})"
_LABEL = re.compile(
    rf"(?:{_PREFIX}\s+)?(?:{_NAME}(?:\s?-\s?(?:{_NAME}|{_AGAINST}))?(?:-[0-9]{{1,2}})?"
    rf"|[0-9]{{1,3}}(?:-(?:{_AGAINST}))?)"
)
_AUXILIARY_WORD = re.compile(rf"([A-Z]+2?)[_+-]?[0-9]{{0,2}}(?:-(?:DC|{_AGAINST}))?")
_NUMBER_LIKE = re.compile(r"[0-9+\-., ]{0,16}(?:e[+-]?[0-9]{1,6})?|[+-]?(?:nan|inf)", re.IGNORECASE)
_CODE_LIKE = re.compile(r"(?:sz|SZ|Sz)(?:_[A-Za-z0-9]{1,12}){0,4}|bckg|[a-z]{2}sz|[a-z]?")
_NO_WORD = re.compile(r"-*[0-9]{0,2}|\.*")  # dummies: `-`, `--0`, `.` (formats.md, T32)


@functools.cache
def is_known_label(label: str) -> bool:
    """Whether a channel's label is a word of the field: `EEG FP1-REF`, `T7-P7`, `LA'3`, `EKG1`, `DC1-DC`, `-`."""
    text = " ".join(label.upper().split())
    if label == ANNOTATIONS or _NO_WORD.fullmatch(text) or _LABEL.fullmatch(text):
        return True
    words = [_AUXILIARY_WORD.fullmatch(word) for word in text.split(" ")]
    return all(word is not None and word[1] in AUXILIARY for word in words)


def shown_label(label: str, index: int) -> str:
    """The label itself where it is a word of the field, else `ch NN`: the channel's number in the file, from 1."""
    return label if is_known_label(label) else f"ch {index + 1:02d}"


def shown_channel(name: str) -> str:
    """The channel that a row of an annotation file names, where it is a word of the field, else `?`."""
    return name if is_known_label(name) else "?"


def shown_number(raw: bytes | str) -> str:
    """What a field that ought to hold a number holds, for a message: as it stands if it looks like one."""
    text = (raw.decode("latin-1") if isinstance(raw, bytes) else raw).strip(" \0")
    return (text or "blank") if _NUMBER_LIKE.fullmatch(text) else f"text of {len(text)} characters"


def shown_unit(unit: str) -> str:
    """A unit as it stands where it is short or known, else `?`: eight characters may hold a name."""
    return unit if len(unit) <= 3 or unit.lower() in UNITS else "?"


def shown_code(text: str) -> str:
    """An event type for a message: as it stands if it is built like one (`sz_…`, `bckg`, `..sz`)."""
    return (text or "blank") if _CODE_LIKE.fullmatch(text) else f"text of {len(text)} characters"
