"""Annotation files of both TUSZ generations, written from one event table (spec formats.md, sections 3-5).

Events come per derivation; the file-level rows are their union. Every writer returns the text of one file.
"""

from collections.abc import Iterator

from pipeline.corpora.records import WHOLE_RECORDING, Event
from pipeline.corpora.scalp.visibility import united
from pipeline.signals.montages import electrodes_of

SYMBOLS = (
    "(null)", "spsw", "gped", "pled", "eybl", "artf", "bckg", "seiz", "fnsz", "gnsz", "spsz", "cpsz", "absz", "tnsz",
    "cnsz", "tcsz", "atsz", "mysz", "nesz", "intr", "slow", "eyem", "chew", "shiv", "musc", "elpp", "elst",
)  # fmt: skip
ANY_SEIZURE = "seiz"
BACKGROUND = "bckg"


def annotation_text(
    extension: str, events: list[Event], *, stem: str, duration_s: float, derivations: tuple[str, ...], reference: str
) -> str:
    """The text of one annotation file; `extension` is tse, tse_bi, lbl, lbl_bi, csv or csv_bi."""
    kind, binary = extension.removesuffix("_bi"), extension.endswith("_bi")
    if kind == "tse":
        return _tse(events, duration_s, binary)
    if kind == "lbl":
        return _lbl(events, duration_s, binary, derivations, reference)
    return _csv(events, stem, duration_s, binary, reference)


def whole_events(events: list[Event], *, binary: bool) -> list[Event]:
    """File-level events: the union over derivations, for each code by itself or for all seizures as one."""
    codes = [ANY_SEIZURE] if binary else sorted({event.code for event in events})
    found = []
    for code in codes:
        spans = united([(event.onset_s, event.offset_s) for event in events if binary or event.code == code])
        found += [Event(onset_s=start, offset_s=stop, code=code) for start, stop in spans]
    return sorted(found, key=lambda event: event.onset_s)


def _covering(events: list[Event], duration_s: float) -> Iterator[tuple[float, float, str]]:
    """Rows that cover the file without a gap, background between the events."""
    time = 0.0
    for event in events:
        if event.onset_s > time:
            yield time, event.onset_s, BACKGROUND
        yield event.onset_s, event.offset_s, event.code
        time = event.offset_s
    if time < duration_s:
        yield time, duration_s, BACKGROUND


def _tse(events: list[Event], duration_s: float, binary: bool) -> str:
    rows = _covering(whole_events(events, binary=binary), duration_s)
    lines = [f"{start:.4f} {stop:.4f} {code} 1.0000" for start, stop, code in rows]
    return "\n".join(["version = tse_v1.0.0", "# synthetic", "", *lines]) + "\n"


def _lbl(events: list[Event], duration_s: float, binary: bool, derivations: tuple[str, ...], reference: str) -> str:
    lines = ["version = lbl_v1.0.0", "# synthetic", ""]
    for place, name in enumerate(derivations):
        plus, minus = electrodes_of(name)
        lines.append(f"montage =  {place}, {name}: EEG {plus}-{reference} --  EEG {minus}-{reference}")
    symbols = ", ".join(f"{place}: '{name}'" for place, name in enumerate(SYMBOLS))
    lines += ["", "number_of_levels = 1", "level[0] = 1", f"symbols[0] = {{{symbols}}}", ""]
    for place, name in enumerate(derivations):
        own = [event for event in events if event.channel == name]
        for start, stop, code in _covering(own, duration_s):
            shown = ANY_SEIZURE if binary and code != BACKGROUND else code
            vector = ", ".join("1.0" if symbol == shown else "0.0" for symbol in SYMBOLS)
            lines.append(f"label = {{0, 0, {start:.4f}, {stop:.4f}, {place}, [{vector}]}}")
    return "\n".join(lines) + "\n"


def _csv(events: list[Event], stem: str, duration_s: float, binary: bool, reference: str) -> str:
    rows = whole_events(events, binary=True) if binary else events
    if not rows:
        rows = [Event(onset_s=0.0, offset_s=duration_s, code=BACKGROUND, channel=WHOLE_RECORDING)]
    lines = [f"{row.channel},{row.onset_s:.4f},{row.offset_s:.4f},{row.code},1.0000" for row in rows]
    head = [
        "# version = csv_v1.0.0",
        f"# bname = {stem}",
        f"# duration = {duration_s:.2f} secs",
        f"# montage_file = synthetic, reference {reference}",
        "#",
        "channel,start_time,stop_time,label,confidence",
    ]
    return "\n".join(head + lines) + "\n"
