"""The EDF of an intracranial recording against its side file: channels by name, never by place (spec soz.md, 8).

Labels are read here as they stand, since contacts are known by them; those of names that nobody lists are shown only
where they look like contacts (docs/privacy.md).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from pipeline.corpora.ieeg.names import parse_name
from pipeline.corpora.ieeg.sidecars import named
from pipeline.findings import Finding, Findings, Rejected
from pipeline.signals.edf_annotations import stretches
from pipeline.signals.edf_header import FIXED_BYTES, EdfHeader, EdfSignal, read_header, reject
from pipeline.signals.labels import shown_label

LABEL_BYTES = 16
POINTER_BYTES = 32_768  # a pointer file of git-annex is one line of text; no recording is so short
_POINTERS = (b"/annex/objects/", b".git/annex/objects/", b"../.git/annex/objects/")
RATE_SLACK = 1e-3  # share by which the rate of the side file may differ from the EDF's


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What the EDF of a recording holds: its header, the labels as they stand, and its length with gaps."""

    header: EdfHeader
    labels: tuple[str, ...]  # of every signal; empty for annotations
    duration_s: float

    @property
    def listed(self) -> list[int]:
        """Places of the signals that are no annotations, among `header.signals`."""
        return [signal.index for signal in self.header.signals if not signal.is_annotation]

    def rate_hz(self, index: int) -> float:
        """Samples per second of one signal."""
        return float(self.header.rate_hz(self.header.signals[index]))


def read_recorded(root: Path, name: str, findings: Findings) -> Recorded:
    """Read the header of an EDF; `name` is its path below the tree's root.

    Raises Rejected: `annex_pointer` where only git-annex's pointer is there, `edf_header` for labels that stand twice,
    and what `read_header` raises.
    """
    path = root / name
    _refuse_pointer(path, name)
    header = read_header(path, findings)
    if all(signal.is_annotation for signal in header.signals):
        raise reject("not_eeg", f"{path.name}: annotations only, no signal")
    labels = _labels(header, findings)
    twice = sorted(label for label, times in Counter(labels).items() if times > 1 and label)
    if twice:
        message = f"{path.name}: {len(twice)} labels stand twice; channels cannot be told apart by name"
        raise _stop("edf_header", message, value=", ".join(_shown(label) for label in twice[:8]))
    last = stretches(header, Findings())[-1]
    return Recorded(
        header=header, labels=labels, duration_s=last.start_s + float((last.stop - last.first) * header.record_s)
    )


def _refuse_pointer(path: Path, name: str) -> None:
    pointer = path.is_symlink() and not path.exists()
    if not pointer and path.is_file() and path.stat().st_size < POINTER_BYTES:
        with open(path, "rb") as content:
            pointer = content.read(32).startswith(_POINTERS)
    if pointer:
        message = f"{name}: a pointer of git-annex, not the recording; in the tree's folder: datalad get {quote(name)}"
        raise _stop("annex_pointer", message)


def _stop(code: str, message: str, value: str = "") -> Rejected:
    return Rejected(Finding(code=code, severity="error", action="error", message=message, value=value))


def _labels(header: EdfHeader, findings: Findings) -> tuple[str, ...]:
    with open(header.path, "rb") as file:
        file.seek(FIXED_BYTES)
        raw = file.read(LABEL_BYTES * len(header.signals))
    try:
        raw.decode("utf-8")
        encoding = "utf-8"
    except UnicodeDecodeError:
        encoding = "latin-1"
        findings.add("edf_header", f"{header.path.name}: labels are no UTF-8; read as Latin-1", value="encoding")
    cells = [
        raw[LABEL_BYTES * i : LABEL_BYTES * (i + 1)].decode(encoding, "replace") for i in range(len(header.signals))
    ]
    return tuple("" if signal.is_annotation else cells[signal.index].strip(" \0") for signal in header.signals)


def _shown(label: str) -> str:
    return label if parse_name(label).contact is not None and label.isascii() else shown_label(label, -1)


def match_names(recorded: Recorded, names: Sequence[str], findings: Findings) -> dict[str, int]:
    """Place among `header.signals` of every channel that the side file names.

    Names are compared as they stand, else by shaft and number where that tells all of them apart. Where the order
    differs it is the name that counts (finding `name_order`). Raises Rejected (`name_order`) with the names that
    differ where the sets are not equal.
    """
    file = recorded.header.path.name
    labels = {recorded.labels[index]: index for index in recorded.listed}
    if set(labels) == set(names):
        found = {name: labels[name] for name in names}
    else:
        keys = {parse_name(label).key: index for label, index in labels.items()}
        wanted = {parse_name(name).key: name for name in names}
        if len(keys) < len(labels) or len(wanted) < len(names) or set(keys) != set(wanted):
            raise _differing(file, labels, names)
        found = {name: keys[key] for key, name in wanted.items()}
        message = f"{file}: {len(names)} labels are spelt otherwise in channels.tsv; matched by shaft and number"
        findings.add("name_order", message, value="spelling")
    order = [found[name] for name in names]
    if order != sorted(order):
        moved = sum(place != index for place, index in zip(recorded.listed, order, strict=True))
        message = f"{file}: {moved} of {len(order)} channels stand elsewhere than in channels.tsv; reordered by name"
        findings.add("name_order", message, value=moved, expected=0)
    return found


def _differing(file: str, labels: dict[str, int], names: Sequence[str]) -> Rejected:
    edf = ", ".join(named([_shown(label) for label in sorted(set(labels) - set(names))])) or "none"
    tsv = ", ".join(named(sorted(set(names) - set(labels)))) or "none"
    message = (
        f"{file}: its channels are not those of channels.tsv. Only in the EDF: {edf}. Only in channels.tsv: {tsv}. "
        "Correct the names in channels.tsv; nothing is renamed by position"
    )
    return _stop("name_order", message, value=edf[:80])


def empty_range(signal: EdfSignal) -> bool:
    """Whether a signal's limits do not say how much a digital step is."""
    limits = (signal.physical_min, signal.physical_max, signal.digital_min, signal.digital_max)
    return None in limits or signal.physical_min == signal.physical_max or signal.digital_min == signal.digital_max


def check_header(recorded: Recorded, used: dict[str, int], stated_hz: dict[str, float], findings: Findings) -> set[str]:
    """Rates and ranges of the contacts in use (name -> place); returns those whose range is empty.

    `stated_hz` is the rate of channels.tsv, NaN where it says none.
    """
    file = recorded.header.path.name
    rates = {name: recorded.rate_hz(index) for name, index in used.items()}
    if len(set(rates.values())) > 1:
        told = ", ".join(f"{rate:g}" for rate in sorted(set(rates.values())))
        findings.add("edf_header", f"{file}: contacts of several rates ({told} Hz); each is resampled", value="rates")
    off = [name for name, rate in rates.items() if abs(rate - stated_hz[name]) > RATE_SLACK * rate]
    if off:
        message = f"{file}: {len(off)} contacts have another rate than channels.tsv says; the EDF decides"
        findings.add("edf_header", message, action="note", value=stated_hz[off[0]], expected=rates[off[0]])
    empty = {name for name, index in used.items() if empty_range(recorded.header.signals[index])}
    if empty:
        message = (
            f"{file}: {len(empty)} contacts have an empty range and are left out: {', '.join(named(sorted(empty)))}"
        )
        findings.add("edf_header", message, action="skip", value="range")
    return empty
