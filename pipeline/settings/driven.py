"""The planted-graph corpus (pipeline/corpora/driven_scalp.py): a class is a graph of whose band power drives whose."""

from typing import Literal

from pydantic import Field, model_validator

from pipeline.settings.base import Count, NotNegative, Positive, Section, Seed, Share

Split = Literal["train", "validation", "test"]
ClassName = Literal["CF", "GN", "AB", "CT"]
Edge = tuple[str, str]  # (driver, receiver): names of groups
LEAD_S = 6.0  # before the first event
EVENT_S = 10.2  # a 12-s clip begins 2 s before its event and ends with it
COUPLED_BEFORE_S = 2.5  # receivers follow from so long before the onset: no clip may hold the switch, which tells them
SPACING_S = 16.5  # from one event's earliest onset to the next one's
LONGEST_LAG_S = SPACING_S - EVENT_S - COUPLED_BEFORE_S - 1.0  # onsets within a second: lags of two events never meet
SHORTEST_LAG_S = 1.0  # frames are of one second: what follows sooner is in the frame of its driver
KIND = "all classes"
CODE_OF: dict[ClassName, str] = {
    "CF": "fnsz",
    "GN": "gnsz",
    "AB": "absz",
    "CT": "tcsz",
}  # class names are lent, nothing of them is meant


class GroupSettings(Section):
    """Electrodes that share one band-power envelope, and the band that marks them in every class alike, if any."""

    electrodes: tuple[str, ...] = Field(min_length=1)
    mark_hz: tuple[Positive, Positive] | None


class DrivenSettings(Section):
    """One seed makes one corpus; a recording depends on (seed, patient, session) alone. Docs: docs/sglc.md."""

    generator: Literal["driven_scalp"]
    seed: Seed
    format: Literal["tusz_v1", "tusz_v2"]
    patients: dict[Split, Count]
    recordings_per_patient: Count
    events_per_class: Count  # in each recording, so that every patient has every class
    rate_hz: Count
    groups: dict[str, GroupSettings]
    graphs: dict[ClassName, tuple[Edge, ...]]  # class -> who drives whom during its events
    lag_s: tuple[Positive, Positive]  # from driver to receiver, drawn once a patient
    coupling: Share  # correlation of a receiver's envelope with its driver's, lagged
    shared: Share  # share of an electrode's envelope (variance) that is its group's
    correlation_s: Positive  # width (standard deviation) of the kernel that smooths the envelopes
    band_hz: tuple[Positive, Positive]  # whose power follows the envelope
    depth: Positive  # standard deviation of the envelope, in ln amplitude
    mark: NotNegative  # of a group's mark over the background, in ln amplitude
    gain: tuple[NotNegative, NotNegative]  # standard deviations of ln amplitude: by patient, by electrode and recording

    @model_validator(mode="after")
    def _graphs_of_groups(self) -> "DrivenSettings":
        """Every edge joins two groups, none is both driven and driving, no electrode is in two groups."""
        for name, edges in self.graphs.items():
            ends = [end for edge in edges for end in edge]
            if unknown := sorted(set(ends) - self.groups.keys()):
                raise ValueError(f"graphs.{name}: {unknown[0]!r} is not in groups; there are {', '.join(self.groups)}")
            if len(set(ends)) < len(ends):
                raise ValueError(f"graphs.{name}: a group stands in two edges; envelopes would differ between classes")
        electrodes = [one for group in self.groups.values() for one in group.electrodes]
        if twice := sorted({one for one in electrodes if electrodes.count(one) > 1}):
            raise ValueError(f"groups: {twice[0]} is in two groups")
        return self

    @model_validator(mode="after")
    def _within_reach(self) -> "DrivenSettings":
        """Lags rise from a frame's length and end before the event before, bands below half the sampling rate."""
        low, high = self.lag_s
        if not SHORTEST_LAG_S <= low <= high <= LONGEST_LAG_S:
            allowed = f"{SHORTEST_LAG_S:g} to {LONGEST_LAG_S:g} s"
            raise ValueError(f"lag_s: {low:g} to {high:g}; give a rising pair within {allowed}")
        bands = {f"groups.{name}.mark_hz": group.mark_hz for name, group in self.groups.items()}
        for key, band in {"band_hz": self.band_hz, **bands}.items():
            if band is not None and not band[0] < band[1] <= self.rate_hz / 2:
                raise ValueError(f"{key}: {list(band)}; give a rising pair of at most {self.rate_hz / 2:g} Hz")
        return self

    @property
    def minutes(self) -> float:
        """Length of a recording."""
        return self.total_s / 60

    @property
    def total_s(self) -> int:
        """Length of a recording in whole seconds."""
        return int(LEAD_S + self.events_per_class * len(self.graphs) * SPACING_S) + 1

    @property
    def cohort(self) -> dict[str, dict[Split, int]]:
        """Patients as the other simulator lists them; here all are of one kind."""
        return {KIND: self.patients}

    @property
    def seizures(self) -> dict[str, list[int]]:
        """Events of a recording by kind of patient."""
        return {KIND: [self.events_per_class * len(self.graphs)]}
