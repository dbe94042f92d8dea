"""One intracranial EDF as clean segments: any set of contacts, in the order asked for (spec soz.md, section 2).

As `open_recording` does for the scalp, but nothing is looked up by label and nothing is interpolated: rows of the EDF
are given. A contact whose unit or range is unknown, or without samples, is left out, each with a finding.
"""

from collections.abc import Mapping
from pathlib import Path

from pipeline.findings import Findings
from pipeline.settings.signals import SignalSettings
from pipeline.signals.edf_annotations import stretches
from pipeline.signals.edf_header import EdfHeader, read_header, reject
from pipeline.signals.edf_samples import scale_of
from pipeline.signals.recording import CleanRecording, clean_segments
from pipeline.signals.sources import Source


def open_contacts(
    path: Path, rows: Mapping[str, int], *, rate_hz: float, block_s: float, findings: Findings
) -> CleanRecording:  # fmt: skip
    """The contacts `rows` (name -> number of the EDF's signal, from 0), in that order, to be streamed at `rate_hz`.

    Raises Rejected where the header cannot be trusted, or no contact can be read.
    """
    header = read_header(path, findings)
    if not rows:
        raise reject("not_eeg", f"{path.name}: no contact is used; see its channels file")
    sources = _sources(header, rows, findings)
    if not sources:
        raise reject("scale_invalid", f"{path.name}: no contact has samples, a unit and a range")
    # the section `quality` is the scalp's: it is left out, so that it cannot be used here
    settings = SignalSettings.model_construct(rate_hz=rate_hz, resampling="polyphase", block_s=block_s, strict=False)
    return CleanRecording(
        header=header,
        settings=settings,
        electrodes=tuple(sources),
        sources=sources,
        montage=None,
        missing=(),
        zeroed=False,
        squeezed=False,
        segments=clean_segments(header, stretches(header, findings), rate_hz, findings, squeezed=False),
    )


def _sources(header: EdfHeader, rows: Mapping[str, int], findings: Findings) -> dict[str, Source]:
    """Contacts that have samples and a scale; different rates are reported, and each is resampled by itself."""
    name, sources = header.path.name, {}
    for contact, row in rows.items():
        if row >= len(header.signals):
            message = f"{name}: {contact} was matched to signal {row + 1} of {len(header.signals)}; index the file anew"
            raise reject("header_invalid", message, value=row + 1, expected=len(header.signals))
        signal = header.signals[row]
        if not signal.samples_per_record:
            message = f"{name}: contact {contact} has 0 samples a record; left out"
            findings.add("empty_channel", message, action="skip", channel=contact, value=0, expected="> 0")
            continue
        scale = scale_of(signal, name, findings)
        if scale is not None:
            sources[contact] = Source(signal=signal, scale=scale, rate_hz=header.rate_hz(signal))
    rates = sorted({float(source.rate_hz) for source in sources.values()})
    if len(rates) > 1:
        text = ", ".join(f"{rate:g}" for rate in rates)
        findings.add("mixed_rate", f"{name}: contacts at {text} Hz; each resampled by itself", value=text)
    return sources
