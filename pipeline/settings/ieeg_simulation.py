"""The built-in synthetic intracranial corpus (pipeline/corpora/simulated_ieeg.py; spec soz.md, section 10)."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pipeline.settings.base import Count, NotNegative, Positive, Section, Seed, Share

Implant = Literal["SEEG", "ECOG"]
RATES_HZ = (500, 512, 1024)  # a patient at 256 Hz is a trap of its own
FEWEST_WITH_TRAPS = 8  # patients: each trap has a host in every eight

RangeOfCounts = tuple[Count, Count]  # least and most, both included


def _recorded_rate(rate_hz: int) -> int:
    """As a number or, in the JSON of a job's settings, as the text of one."""
    if rate_hz not in RATES_HZ:
        raise ValueError(f"a rate is one of {', '.join(map(str, RATES_HZ))} Hz")
    return rate_hz


Rate = Annotated[int, AfterValidator(_recorded_rate)]
RangeOfSeconds = tuple[Positive, Positive]


class ImplantSettings(Section):
    """How many contacts a patient has, and on what."""

    ecog_share: Share  # share of the patients with a grid and strips; the others have depth electrodes
    shafts: RangeOfCounts
    contacts: RangeOfCounts  # of a shaft
    grids: Annotated[tuple[RangeOfCounts, ...], Field(min_length=1)]  # (rows, columns), all equally likely
    strips: RangeOfCounts  # beside a grid
    strip_contacts: RangeOfCounts
    soz: RangeOfCounts  # contacts in the seizure onset zone


class RunSettings(Section):
    """The recordings of a patient, and how long they last."""

    ictal: RangeOfCounts
    interictal: RangeOfCounts
    interictal_s: Count
    before_onset_s: Count
    seizure_s: RangeOfSeconds
    after_offset_s: Count


class IeegSimulationSettings(Section):
    """One seed makes one corpus; a recording depends on (seed, patient, run) alone. Docs: docs/soz.md."""

    generator: Literal["simulated_ieeg"]
    seed: Seed
    format: Literal["ieeg_bids"]
    patients: Count
    effect: NotNegative  # 0: contacts in and outside the SOZ do not differ at all; 1: they do, strongly
    rates_hz: dict[Rate, Share]  # share of the patients
    fifty_hz_share: Share  # of the patients; the others' mains have 60 Hz
    implants: ImplantSettings
    runs: RunSettings
    traps: bool  # plant every trap of soz.md, section 8, and list them in truth/traps.tsv

    @model_validator(mode="after")
    def _in_reach(self) -> Self:
        """Ranges rise, shares are not all nought, and every trap finds a host."""
        ranges: dict[str, tuple[float, float]] = {
            **{f"implants.{name}": getattr(self.implants, name) for name in _RANGES},
            **{f"runs.{name}": getattr(self.runs, name) for name in ("ictal", "interictal", "seizure_s")},
        }
        for key, (low, high) in ranges.items():
            if low > high:
                raise ValueError(f"{key}: {[low, high]}; give a rising pair")
        if not any(self.rates_hz.values()):
            raise ValueError("rates_hz: every share is 0; give at least one rate a share")
        if self.traps and self.patients < FEWEST_WITH_TRAPS:
            raise ValueError(f"patients: {self.patients}; with traps: true at least {FEWEST_WITH_TRAPS} are needed")
        return self

    @property
    def kinds(self) -> list[Implant]:
        """Implant of each patient, spread evenly over the cohort: a larger cohort keeps the others'."""
        share = self.implants.ecog_share
        return ["ECOG" if int((i + 1) * share) > int(i * share) else "SEEG" for i in range(self.patients)]

    @property
    def cohort(self) -> dict[str, dict[Literal["train", "validation", "test"], int]]:
        """Patients as the other simulators list them; folds decide who is tested."""
        return {kind: {"train": self.kinds.count(kind)} for kind in sorted(set(self.kinds))}

    @property
    def recordings_per_patient(self) -> int:
        """Expected number, rounded; for the extent that a dry run prints."""
        return round((sum(self.runs.ictal) + sum(self.runs.interictal)) / 2)

    @property
    def minutes(self) -> float:
        """Expected length of a recording."""
        ictal, interictal = sum(self.runs.ictal) / 2, sum(self.runs.interictal) / 2
        ictal_s = self.runs.before_onset_s + sum(self.runs.seizure_s) / 2 + self.runs.after_offset_s
        return (ictal * ictal_s + interictal * self.runs.interictal_s) / (ictal + interictal) / 60

    @property
    def seizures(self) -> dict[str, list[int]]:
        """Seizures of a recording by kind of patient: none between seizures, one in each ictal run."""
        ictal, interictal = sum(self.runs.ictal), sum(self.runs.interictal)
        return {kind: [1] * ictal + [0] * interictal for kind in self.cohort}


_RANGES = ("shafts", "contacts", "strips", "strip_contacts", "soz")
