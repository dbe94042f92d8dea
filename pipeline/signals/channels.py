"""From labels of an EDF to the electrodes of a recording (formats.md, section 9; faults.md, rows 7-9).

A label counts only if it is an electrode of the wanted list: never "every EEG channel" (T25). What is missing is left
missing here; `pipeline.signals.interpolation` or the skipping of the recording deals with it.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.findings import Findings
from pipeline.settings.signals import ChannelSettings
from pipeline.signals.edf_header import EdfHeader, EdfSignal, reject
from pipeline.signals.edf_samples import blocks, digital
from pipeline.signals.labels import EARS, LAPLACIAN, REFERENCES
from pipeline.signals.montages import ALIASES

_NUMBER = r"(?:-\d{1,2})?"  # by which some readers tell channels of one name apart: `EEG FP1-REF-0`
_REFERENTIAL = re.compile(
    rf"(?P<eeg>EEG )?(?P<name>[A-Z]{{1,3}}[0-9]{{0,2}}|0[12])(?:-(?P<reference>{'|'.join(REFERENCES)}){_NUMBER})?"
)
_BIPOLAR = re.compile(rf"(?:EEG )?([A-Z]{{1,3}}[0-9]{{0,2}})-([A-Z]{{1,3}}[0-9]{{0,2}}){_NUMBER}")
_SCALP = re.compile(r"(?:FP|AF|F|FT|FC|C|CP|T|TP|P|PO|O)(?:Z|[0-9]{1,2})")  # of the 10-20 and 10-10 systems
_TCP_TO_EARS = frozenset([("T3", "A1"), ("T4", "A2")])  # A1-T3 and T4-A2, in either polarity
_COMPARED_RECORDS = 600  # read at a time when two channels are compared


def _words(label: str) -> str:
    """A label in upper case, without needless blanks: `P3 -Ref` is P3-REF."""
    return re.sub(r" ?- ?", "-", " ".join(label.upper().split()))


def electrode_of(label: str) -> str | None:
    """The electrode that a referential label names, in upper case and by its older name; None for anything else.

    `EEG FP1-REF`, `Fp1-CAR`, `EEG Fp1` and `Fp1` are FP1; `EEG T7-REF` is T3; `EEG 01-REF` is O1, `01` is not. Labels
    against one ear need the other labels of the file: `electrodes_of_labels`.
    """
    found = _REFERENTIAL.fullmatch(_words(label))
    if found is None or (found["name"][0] == "0" and found["eeg"] is None):
        return None
    return ALIASES.get(found["name"], found["name"])


def electrodes_of_labels(labels: Sequence[str]) -> list[str | None]:
    """The electrode that each label of one file names, None for derivations and all else.

    `F3-A2` measures F3 against one ear (or mastoid), as `F3-REF` does against another place, and counts as F3 unless
    another label names F3 without an ear. A file whose only such labels are T3-A1 and T4-A2 has them as derivations of
    the TCP montage (formats.md, section 7).
    """
    named = [electrode_of(label) for label in labels]
    pairs = [derivation_of(label) for label in labels]
    to_ears = [
        pair for pair in pairs if pair and _SCALP.fullmatch(pair[0]) and pair[1] in EARS and pair[0] not in named
    ]
    if set(to_ears) <= _TCP_TO_EARS:
        return named
    return [pair[0] if pair and pair in to_ears else electrode for electrode, pair in zip(named, pairs, strict=True)]


def reference_of(label: str) -> str:
    """The reference that a label names (REF, LE, AVG, A1 …), or an empty text."""
    text = _words(label)
    if found := _REFERENTIAL.fullmatch(text):
        return found["reference"] or ""
    pair = derivation_of(text)
    return pair[1] if pair and pair[1] in EARS else ""


def derivation_of(label: str) -> tuple[str, str] | None:
    """The two electrodes of a bipolar label, None for anything else. `EEG F3-REF` is not bipolar."""
    text = _words(label)
    if _REFERENTIAL.fullmatch(text):
        return None
    found = _BIPOLAR.fullmatch(text)
    return (ALIASES.get(found[1], found[1]), ALIASES.get(found[2], found[2])) if found else None


def channel_pair(label: str) -> tuple[str, str] | None:
    """What a channel measures, against what: (`F7`, `REF`), (`F7`, `T3`), (`F7`, ``) without a named reference.

    A common second electrode that no list knows is a reference like any other: `F7-CS2` is (`F7`, `CS2`).
    """
    electrode = electrode_of(label)
    return derivation_of(label) if electrode is None else (electrode, reference_of(label))


def find_electrodes(header: EdfHeader, settings: ChannelSettings, findings: Findings) -> dict[str, EdfSignal]:
    """The signal of each wanted electrode that the file has; two of one name are settled by `duplicates`.

    Raises Rejected: `bipolar_only` for a file of derivations, `not_eeg` where no electrode is found, `duplicate_label`
    for two channels of one name with different samples unless the policy is `first`.
    """
    candidates: dict[str, list[EdfSignal]] = {}
    named = electrodes_of_labels([signal.label for signal in header.signals])
    for signal, electrode in zip(header.signals, named, strict=True):
        if electrode in settings.electrodes and signal.samples_per_record > 0 and not signal.is_annotation:
            candidates.setdefault(str(electrode), []).append(signal)
    if not candidates:
        raise _no_electrode(header, settings.electrodes)
    chosen = {
        electrode: settle_duplicates(header, electrode, signals, settings, findings)
        for electrode, signals in candidates.items()
    }
    references = sorted({reference_of(signal.label) for signal in chosen.values()})
    if len(references) > 1:
        names = " and ".join(reference or "none" for reference in references)
        message = f"{header.path.name}: electrodes with the references {names} in one file"
        findings.add("mixed_reference", message, action="note", value=names)
    return {electrode: chosen[electrode] for electrode in settings.electrodes if electrode in chosen}


def missing_electrodes(present: Iterable[str], settings: ChannelSettings) -> list[str]:
    """Wanted electrodes that are not present, in the wanted order."""
    there = set(present)
    return [electrode for electrode in settings.electrodes if electrode not in there]


def _no_electrode(header: EdfHeader, electrodes: Sequence[str]) -> Exception:
    name = header.path.name
    labels = ", ".join(signal.label for signal in header.signals if not signal.is_annotation) or "annotations only"
    pairs = [derivation_of(signal.label) for signal in header.signals]
    own = [pair for pair in pairs if pair is not None and set(pair) & set(electrodes)]
    if own:
        laplacian = all(reference == LAPLACIAN for _, reference in own)
        remedy = (
            "Export it against one reference: a Laplacian has another one at each electrode"
            if laplacian
            else "Set channels.montage: bipolar for a model of derivations (docs/montages.md)"
        )
        message = (
            f"{name}: derivations ({labels[:60]} …); a model of electrodes needs a referential recording. {remedy}"
        )
        return reject("bipolar_only", message, value=labels[:200])
    return reject("not_eeg", f"{name}: no electrode of the 10-20 system; has {labels[:120]}", value=labels[:200])


def settle_duplicates(
    header: EdfHeader, electrode: str, signals: list[EdfSignal], settings: ChannelSettings, findings: Findings
) -> EdfSignal:  # fmt: skip
    """One signal out of those that name the same electrode or derivation (faults.md, row 7; T31)."""
    first, *others = signals
    labels = ", ".join(signal.label for signal in signals)
    if others and settings.duplicates == "error" and not all(_same_samples(header, first, other) for other in others):
        message = (
            f"{header.path.name}: {electrode} is named by {labels}, with different samples; "
            "set channels.duplicates: first to take the first"
        )
        raise reject("duplicate_label", message, value=labels)
    if others:
        message = f"{header.path.name}: {electrode} is named by {labels}; the first is taken"
        findings.add("duplicate_label", message, channel=electrode, value=labels, expected=first.label)
    return first


def _same_samples(header: EdfHeader, one: EdfSignal, other: EdfSignal) -> bool:
    """Whether two signals hold the same digital samples on the same scale."""
    fields = ("unit", "physical_min", "physical_max", "digital_min", "digital_max", "samples_per_record")
    if any(getattr(one, field) != getattr(other, field) for field in fields):
        return False
    return all(
        np.array_equal(digital(header, one, first, stop), digital(header, other, first, stop))
        for first, stop in blocks(0, header.n_records, _COMPARED_RECORDS)
    )
