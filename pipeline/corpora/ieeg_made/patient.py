"""What is constant in an invented intracranial patient: implant, focus, marked SOZ, surgery, amplifier, background.

The focus is what the signals show; the marked SOZ is what the side files say. They are one where surgery helped, and
differ by a few contacts where it did not. With `effect: 0` the marks are a random stretch of contacts that no signal
knows of: each contact is as likely as any other, so that every score that sees no label has an expected AUROC of 0.5.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from pipeline.corpora.ieeg_made.implants import TEMPORAL, Implant, draw_implant
from pipeline.corpora.ieeg_made.traps import planted
from pipeline.corpora.scalp.streams import generator
from pipeline.settings.ieeg_simulation import IeegSimulationSettings

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
LOW_RATE_HZ = 256
GOOD_SHARE = 36 / 57  # Engel I in ds004100
LESION_SHARE = 0.55
MARK_ERROR = 0.4  # share of the marked contacts that lie beside the focus where surgery failed
SILENT_SHARE = 0.15  # of the focus: seizures begin there, and nothing is seen between them
BAD_SHARE = 0.05  # of the contacts outside the SOZ
TARGETS = {"insula": "INSULAR", "parietal": "PARIETAL", "supplementary motor": "MFL", "anterior cingulate": "MFL"}


@dataclass(frozen=True)
class Person:
    """A line of participants.tsv."""

    age: int
    sex: str
    hand: str
    engel: str  # 1A … 4B
    therapy: str
    target: str
    lesion: str
    age_onset: int

    @property
    def outcome(self) -> str:
        """S: seizure freedom (Engel I); F: seizures go on."""
        return "S" if self.engel.startswith("1") else "F"


@dataclass(frozen=True)
class Background:
    """Resting activity: power falls as f ** -slope; lengths in mm, amplitudes in µV."""

    slope: float
    slope_spread: float  # between contacts
    rms_uv: float
    correlation_mm: float
    reference_uv: float  # of the common reference, in every channel
    floor_uv: float  # white noise of the amplifier
    mains_hz: int
    mains_uv: float


@dataclass(frozen=True)
class MadePatient:
    """One patient; bool arrays have one entry a contact, in the order of the implant."""

    patient: str
    number: int
    place: int
    traps: frozenset[str]
    implant: Implant
    rate_hz: int
    person: Person
    background: Background
    focus: Bools  # where seizures begin
    silent: Bools  # of the focus, without spikes and fast ripples
    marked: Bools  # the SOZ as the side files say
    resected: Bools
    bad: Bools  # status of the side files
    strength: float  # factor on the focus's interictal activity, by patient

    @property
    def participant(self) -> str:
        """The id as the tree has it."""
        return f"sub-{self.patient}"


def draw_patient(settings: IeegSimulationSettings, *, patient: str, number: int, place: int, kind: str) -> MadePatient:
    """Everything that the patient's recordings share; a function of (seed, number, place) and the settings."""
    streams = {name: generator(settings.seed, number, "ieeg", name) for name in ("implant", "soz", "person", "signal")}
    traps = planted(place, traps=settings.traps)
    implant = draw_implant(streams["implant"], kind, settings.implants)
    focus, marked, engel = _zones(streams["soz"], implant, settings)
    silent = focus & (streams["soz"].uniform(size=len(implant)) < SILENT_SHARE) & (np.cumsum(focus) > 1)
    return MadePatient(
        patient=patient,
        number=number,
        place=place,
        traps=traps,
        implant=implant,
        rate_hz=_rate(streams["signal"], settings, traps),
        person=_person(streams["person"], implant, focus, engel),
        background=_background(streams["signal"], settings),
        focus=focus,
        silent=silent,
        marked=marked,
        resected=_resected(streams["person"], implant, marked),
        bad=_bad(streams["person"], implant, marked, traps),
        strength=float(streams["signal"].uniform(0.6, 1.4)),
    )


def _zones(draw: np.random.Generator, implant: Implant, settings: IeegSimulationSettings) -> tuple[Bools, Bools, str]:
    """Focus, marked SOZ, Engel class."""
    good = draw.uniform() < GOOD_SHARE
    engel = f"1{'ABCD'[int(draw.integers(4))]}" if good else f"{int(draw.integers(2, 5))}{'AB'[int(draw.integers(2))]}"
    low, high = settings.implants.soz
    size = int(np.clip(round(draw.lognormal(np.log(np.sqrt(low * high)), 0.5)), low, min(high, len(implant) // 3)))
    focus, stretch = _focus(draw, implant, size, settings.effect), _stretch(draw, len(implant), size)
    if settings.effect == 0:
        return focus, stretch, engel
    return focus, focus if good else _misplaced(draw, implant, focus), engel


def _focus(draw: np.random.Generator, implant: Implant, size: int, effect: float) -> Bools:
    """The contacts nearest to a centre, counting those of other shafts as if they lay twice as far away."""
    likely = np.where(np.isin(implant.regions, TEMPORAL), 1 + 2 * min(effect, 1.0), 1.0)
    centre = int(draw.choice(len(implant), p=likely / likely.sum()))
    away = cdist(implant.xyz_mm[[centre]], implant.xyz_mm)[0]
    away *= np.where(np.array(implant.shafts) == implant.shafts[centre], 1.0, 2.0)
    return np.isin(np.arange(len(implant)), np.argsort(away, kind="stable")[:size])


def _stretch(draw: np.random.Generator, n: int, size: int) -> Bools:
    """`size` contacts in a row, the last followed by the first: each contact is in it with probability size / n."""
    return np.asarray((np.arange(n) - int(draw.integers(n))) % n < size)


def _misplaced(draw: np.random.Generator, implant: Implant, focus: Bools) -> Bools:
    """The focus with some contacts exchanged for the nearest ones beside it."""
    inside, outside = np.flatnonzero(focus), np.flatnonzero(~focus)
    wrong = draw.choice(inside, int(MARK_ERROR * len(inside)), replace=False)
    away = cdist(implant.xyz_mm[outside], implant.xyz_mm[inside]).min(1)
    marked = focus.copy()
    marked[wrong] = False
    marked[outside[np.argsort(away, kind="stable")[: len(wrong)]]] = True
    return marked


def _resected(draw: np.random.Generator, implant: Implant, marked: Bools) -> Bools:
    """Part of the marked SOZ (as large in both outcomes, as in ds004100) and tissue around it."""
    inside = np.flatnonzero(marked)
    kept = draw.choice(inside, max(1, round(draw.uniform(0.3, 0.95) * len(inside))), replace=False)
    near = cdist(implant.xyz_mm, implant.xyz_mm[kept]).min(1)
    beside = ~marked & (near < 12) & (draw.uniform(size=len(implant)) < 0.5)
    return beside | np.isin(np.arange(len(implant)), kept)


def _bad(draw: np.random.Generator, implant: Implant, marked: Bools, traps: frozenset[str]) -> Bools:
    """Contacts of bad status: none of the SOZ, but where that is the trap; then any third of it, and the rest stays."""
    bad = ~marked & (draw.uniform(size=len(implant)) < BAD_SHARE)
    if "soz_bad" in traps:
        inside = np.flatnonzero(marked)
        bad[draw.choice(inside, max(1, len(inside) // 3), replace=False)] = True
    return bad


def _person(draw: np.random.Generator, implant: Implant, focus: Bools, engel: str) -> Person:
    regions = [region for region, inside in zip(implant.regions, focus, strict=True) if inside]
    region = max(sorted(set(regions)), key=regions.count)
    target = "TEMPORAL" if region in TEMPORAL else TARGETS.get(region, "FRONTAL")
    age = int(draw.integers(18, 60))
    return Person(
        age=age,
        sex="FM"[int(draw.integers(2))],
        hand="R" if draw.uniform() < 0.85 else "L",
        engel=engel,
        therapy="RESECTION" if implant.kind == "ECOG" or draw.uniform() < 0.4 else "ABLATION",
        target=target,
        lesion="LESIONAL" if draw.uniform() < LESION_SHARE else "NON-LESIONAL",
        age_onset=int(draw.integers(1, age - 2)),
    )


def _rate(draw: np.random.Generator, settings: IeegSimulationSettings, traps: frozenset[str]) -> int:
    rates = sorted(settings.rates_hz)
    shares = np.array([settings.rates_hz[rate] for rate in rates])
    rate = int(draw.choice(rates, p=shares / shares.sum()))
    return LOW_RATE_HZ if "low_rate" in traps else rate


def _background(draw: np.random.Generator, settings: IeegSimulationSettings) -> Background:
    return Background(
        slope=float(draw.uniform(1.9, 2.6)),
        slope_spread=0.12,
        rms_uv=float(draw.uniform(35, 75)),
        correlation_mm=float(draw.uniform(7, 14)),
        reference_uv=float(draw.uniform(8, 20)),
        floor_uv=float(draw.uniform(1.0, 2.0)),
        mains_hz=50 if draw.uniform() < settings.fifty_hz_share else 60,
        mains_uv=float(draw.lognormal(np.log(2.0), 0.5)),
    )
