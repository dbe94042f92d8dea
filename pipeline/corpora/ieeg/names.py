"""Names of intracranial contacts: shaft and number, and what is no contact of the brain (spec soz.md, section 8).

`EEG LG 23-Ref` is contact 23 of LG, `AMFG-A1` contact 1 of AMFG-A (no derivation), `LC01` contact 1 of LC. Names that
are taken for no contact are auxiliary channels and 10-20 electrodes; a depth electrode called O or LOC is none of them,
for it has contacts that no such channel has. Standard library only.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pipeline.signals.labels import REFERENCES

_DECORATED = re.compile(
    rf"(?P<prefix>(?:EEG|SEEG|ECOG|IEEG|POL)\s+)?(?P<core>.*?)(?P<suffix>\s?-\s?(?:{'|'.join(REFERENCES)}))?",
    re.IGNORECASE,
)
_CONTACT = re.compile(r"(?P<shaft>[^\W\d_].*?)(?:(?<=[^\d _-])|[ _-])(?P<number>[0-9]{1,3})")
_DERIVATION = re.compile(r"[^\W\d_]+'?\s?[0-9]+\s?-\s?[^\W\d_]+'?\s?[0-9]+")
_ALWAYS = frozenset(["EKG", "ECG", "EMG", "EOG", "VEOG", "HEOG", "TRIG", "TRIGGER", "STI", "STATUS", "EVENT", "SPO2"])
_ALONE = frozenset(  # up to two of each: LOC1 to LOC8 are contacts
    ["LOC", "ROC", "REF", "GND", "DC", "RESP", "RR", "RATE", "HR", "OSAT", "PULSE", "PHOTIC", "MARK"]
)
_MIDLINE = frozenset(["FZ", "CZ", "PZ", "OZ", "FPZ", "NZ", "IZ"])
_SCALP = {
    "FP": {1, 2}, "F": {3, 4, 7, 8}, "C": {3, 4}, "P": {3, 4, 7, 8}, "O": {1, 2}, "T": {3, 4, 5, 6, 7, 8},
    "A": {1, 2}, "M": {1, 2},
}  # fmt: skip
HEMISPHERES = ("L", "R", "")


@dataclass(frozen=True, kw_only=True)
class ContactName:
    """A label taken apart. `shaft` is empty and `contact` None where it cannot be; `styles` say what was met."""

    label: str
    name: str  # without prefix, reference and blanks; unique within a patient
    shaft: str
    contact: int | None
    styles: tuple[str, ...] = ()  # prefix | hyphen | padded | unparsed

    @property
    def key(self) -> tuple[str, int]:
        """What two spellings of one name have in common: `LC1`, `lc01` and `EEG LC 01-Ref`."""
        return (self.shaft.upper(), self.contact) if self.contact is not None else (self.name.upper(), -1)


def parse_name(label: str) -> ContactName:
    """Take one label apart."""
    text = " ".join(label.split())
    decorated = _DECORATED.fullmatch(text)
    core = (decorated["core"] if decorated else "") or text
    styles = ["prefix"] if core != text else []
    name = core.replace(" ", "")
    found = None if _DERIVATION.fullmatch(core) else _CONTACT.fullmatch(core)
    if found is None:
        return ContactName(label=label, name=name, shaft="", contact=None, styles=(*styles, "unparsed"))
    if "-" in core:
        styles.append("hyphen")
    if found["number"].startswith("0") and len(found["number"]) > 1:
        styles.append("padded")
    shaft = found["shaft"].replace(" ", "")
    return ContactName(label=label, name=name, shaft=shaft, contact=int(found["number"]), styles=tuple(styles))


def parse_names(labels: Iterable[str]) -> dict[str, ContactName]:
    """The labels of one patient taken apart; a name that two labels would share stays the label itself."""
    parsed = {label: parse_name(label) for label in labels}
    times: dict[str, int] = {}
    for one in parsed.values():
        times[one.name] = times.get(one.name, 0) + 1
    return {label: one if times[one.name] == 1 else replace(one, name=label) for label, one in parsed.items()}


def nonbrain(names: Mapping[str, ContactName]) -> set[str]:
    """Labels of one patient that name a scalp electrode or an auxiliary channel."""
    numbers: dict[str, set[int]] = {}
    for one in names.values():
        if one.contact is not None:
            numbers.setdefault(one.shaft.upper(), set()).add(one.contact)
    return {label for label, one in names.items() if _is_nonbrain(one, numbers)}


def _is_nonbrain(one: ContactName, numbers: Mapping[str, set[int]]) -> bool:
    word = one.shaft.upper() or one.name.upper()
    if word in _ALWAYS or (one.contact is None and word in _ALONE | _MIDLINE):
        return True
    if word in _ALONE:
        return numbers[word] <= {1, 2}
    # `O1` and `O2` alone are scalp electrodes; with O3 beside them, or written O01, they are a depth electrode's
    return one.contact is not None and "padded" not in one.styles and numbers[word] <= _SCALP.get(word, set())


def side_by_name(shaft: str) -> str:
    """`L` or `R` where a shaft's name begins so and goes on with a letter, else empty."""
    return shaft[0] if re.match(r"[LR][A-Z]", shaft) else ""


def canonical_key(hemisphere: str, name: ContactName) -> tuple[int, bool, str, int, str]:
    """By which contacts are ordered everywhere: hemisphere, shaft, contact, name; contacts without a shaft last."""
    contact = -1 if name.contact is None else name.contact
    return HEMISPHERES.index(hemisphere), name.contact is None, name.shaft, contact, name.name
