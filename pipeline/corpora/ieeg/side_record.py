"""What the side files of one recording say: its channels table, its JSON, its condition (spec soz.md, section 8)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path
from typing import Any

from pipeline.corpora.ieeg.adapter import Adapter, Condition
from pipeline.corpora.ieeg.sidecars import SideFileError, number, read_json, read_tsv
from pipeline.corpora.ieeg.tree import BidsName, bids_name, side_files
from pipeline.corpora.records import RecordingFiles
from pipeline.findings import Findings
from pipeline.signals.edf_header import reject

INTRACRANIAL = ("SEEG", "ECOG", "DBS")  # types of BIDS that lie in the brain or on it
GOOD, BAD = "good", "bad"


@dataclass(frozen=True, kw_only=True)
class SideRecord:
    """The side files of one recording. `rows` are the lines of channels.tsv by name, in the order of the file."""

    files: RecordingFiles
    name: BidsName
    condition: Condition
    rows: Mapping[str, Mapping[str, str]]
    facts: Mapping[str, Any]  # ieeg.json, the files above it included
    marks: Mapping[str, Mapping[str, str]]  # path -> what was normalised

    @property
    def preference(self) -> tuple[bool, str, tuple[int, str], str]:
        """By which recordings of a patient are asked for labels: ictal before interictal, then session and run."""
        return (self.condition != "ictal", self.files.session, self.name.run, self.files.recording)

    def intracranial(self, label: str) -> bool:
        """Whether the table types a channel as intracranial."""
        return self.rows[label]["type"].upper() in INTRACRANIAL

    def good(self, label: str) -> bool:
        """Whether nobody marked the channel bad: a status of n/a, or no such column, is good."""
        return self.rows[label].get("status", "n/a").lower() != BAD

    def rate_hz(self, label: str) -> float:
        """Samples per second that the side files state; NaN where they do not."""
        rate = number(self.rows[label].get("sampling_frequency"))
        return number(self.facts.get("SamplingFrequency")) if isnan(rate) else rate

    @property
    def usual_rate_hz(self) -> float:
        """The rate of most intracranial channels; NaN where none is stated."""
        rates = Counter(self.rate_hz(label) for label in self.rows if self.intracranial(label))
        known = {rate: times for rate, times in rates.items() if not isnan(rate)}
        return max(known, key=lambda rate: (known[rate], rate)) if known else nan

    @property
    def stated_duration_s(self) -> float:
        """Seconds that ieeg.json states; NaN where it does not."""
        return number(self.facts.get("RecordingDuration"))

    @property
    def mains_hz(self) -> float:
        """Frequency of the power line; NaN where it is not known."""
        return number(self.facts.get("PowerLineFrequency"))

    @property
    def implant(self) -> str:
        """SEEG or ECOG, by the type of most intracranial channels; empty without any."""
        types = Counter(row["type"].upper() for label, row in self.rows.items() if self.intracranial(label))
        return min(types, key=lambda kind: (-types[kind], kind)) if types else ""


def read_side_record(root: Path, files: RecordingFiles, adapter: Adapter, findings: Findings) -> SideRecord:
    """Read the side files of a recording.

    Raises Rejected: `unknown_label` for a task that the adapter does not know, `side_file_missing` without a
    channels.tsv, `side_file_invalid` for one that cannot be used.
    """
    name = bids_name(files.edf)
    task = name.entities.get("task", "") if name is not None else ""
    condition = adapter.condition(task)
    if name is None or condition is None:
        known = ", ".join(task for tasks in adapter.conditions.values() for task in tasks)
        message = f"{files.edf}: task {task!r} is not in the adapter {adapter.corpus}, which knows {known}"
        raise reject("unknown_label", message, value=task)
    paths = side_files(files, "channels.tsv")
    if not paths:
        raise reject("side_file_missing", f"{files.edf}: no channels.tsv; which channels are in the brain is unknown")
    try:
        table = read_tsv(root / paths[-1]).require("name", "type")
        rows = table.by("name")
    except SideFileError as problem:
        raise reject("side_file_invalid", f"{problem}; correct it", value=paths[-1]) from None
    if "status" not in table.columns:
        message = f"{table.name}: no column status; all channels count as good"
        findings.add("side_file_missing", message, action="note", value="status")
    facts, marks = _facts(root, files, findings)
    marks |= _event_marks(root, files)
    return SideRecord(
        files=files, name=name, condition=condition, rows=rows, facts=facts, marks={paths[-1]: table.marks, **marks}
    )


def _facts(
    root: Path, files: RecordingFiles, findings: Findings
) -> tuple[dict[str, Any], dict[str, Mapping[str, str]]]:
    """The JSON files of a recording, merged from the general to the particular."""
    facts: dict[str, Any] = {}
    marks: dict[str, Mapping[str, str]] = {}
    paths = side_files(files, "ieeg.json")
    for path in paths:
        try:
            values, marks[path] = read_json(root / path)
            facts |= values
        except SideFileError as problem:
            findings.add("side_file_invalid", f"{problem}; what it says is unknown", value=path)
    if not paths:
        findings.add(
            "side_file_missing", f"{files.edf}: no ieeg.json; the power line's frequency is unknown", action="note"
        )
    return facts, marks


def _event_marks(root: Path, files: RecordingFiles) -> dict[str, Mapping[str, str]]:
    """What was normalised in events.tsv; whether it can be used is said where its events are read."""
    try:
        return {path: read_tsv(root / path).marks for path in side_files(files, "events.tsv")}
    except SideFileError:
        return {}
