"""How much an intracranial corpus holds, estimated while Snakemake parses: contacts, seconds, clips.

On disk contacts and seconds come from the first 256 bytes of each EDF, whether a recording is of a seizure from its
name; contacts that are bad or no iEEG are not known yet and count. Of a simulated corpus they follow from its settings.
"""

from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath

from pipeline.corpora.shards import read_manifest, recordings_of
from pipeline.settings.config import Config
from pipeline.settings.ieeg_simulation import IeegSimulationSettings
from pipeline.settings.soz_data import SozClips
from workflow.lib.corpus import Corpora
from workflow.lib.extent import header_of

BETWEEN = "interictal"  # the task of a recording between seizures, in BIDS names


@dataclass
class SozExtent:
    """Of one corpus or shard. A row is one contact of one clip, a copy one of a clip that only training sees."""

    patients: float = 0
    contacts: float = 0  # of all patients
    squares: float = 0  # of the number of contacts, summed over patients: edges of a graph
    contact_s: float = 0
    clips: float = 0
    rows: float = 0
    rows_copied: float = 0

    def add(self, duration_s: float, contacts: float, clips: SozClips, *, between: bool, number: float = 1) -> None:
        """`number` recordings of that length: a seizure's clip and its baseline, or as many clips as fit between."""
        whole = int(duration_s // clips.length_s)
        cut = min(whole, clips.max_interictal) if between else min(whole, 2)
        copied = clips.shifts * (cut if between else min(whole, 1))  # the baseline of a seizure has no copies
        self.contact_s += number * duration_s * contacts
        self.clips += number * cut
        self.rows += number * cut * contacts
        self.rows_copied += number * copied * contacts

    def of_patient(self, contacts: float, number: float = 1) -> None:
        """`number` more patients with so many contacts."""
        self.patients += number
        self.contacts += number * contacts
        self.squares += number * contacts**2

    def __add__(self, other: "SozExtent") -> "SozExtent":
        return SozExtent(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    def share(self, number: float) -> "SozExtent":
        """That part of it."""
        return SozExtent(*(number * getattr(self, one.name) for one in fields(self)))


def soz_extent(config: Config, corpora: Corpora, corpus: str) -> SozExtent:
    """Extent of an intracranial corpus. Raises CorpusError or OSError where a manifest is not there."""
    made = config.corpora[corpus].simulate
    if isinstance(made, IeegSimulationSettings) and config.corpora[corpus].root is None:
        return _simulated(made, config.soz.clips)
    return _on_disk(config, corpora, corpus)


def _on_disk(config: Config, corpora: Corpora, corpus: str) -> SozExtent:
    found, most = SozExtent(), dict[str, int]()
    root, folder = Path(corpora.root(corpus)), Path(config.results, corpus, "manifests")
    for shard in corpora.shards(corpus).of():
        for one in recordings_of(read_manifest(folder / f"{shard}.tsv")):
            try:
                duration_s, contacts = header_of(root / one.edf)
            except (OSError, ValueError):
                continue  # `soz_index` says why
            between = f"task-{BETWEEN}" in PurePosixPath(one.edf).name
            found.add(duration_s, contacts, config.soz.clips, between=between)
            most[one.patient] = max(contacts, most.get(one.patient, 0))
    for contacts in most.values():
        found.of_patient(contacts)
    return found


def _simulated(made: IeegSimulationSettings, clips: SozClips) -> SozExtent:
    """Expected numbers: what is drawn between two limits counts as their mean."""
    found, runs = SozExtent(), made.runs
    seizure_s = runs.before_onset_s + _mean(runs.seizure_s) + runs.after_offset_s
    for kind in made.kinds:
        contacts = _contacts(made, kind)
        found.of_patient(contacts)
        found.add(seizure_s, contacts, clips, between=False, number=_mean(runs.ictal))
        found.add(runs.interictal_s, contacts, clips, between=True, number=_mean(runs.interictal))
    return found


def _contacts(made: IeegSimulationSettings, kind: str) -> float:
    own = made.implants
    if kind == "SEEG":
        return _mean(own.shafts) * _mean(own.contacts)
    grid = sum(rows * columns for rows, columns in own.grids) / len(own.grids)
    return grid + _mean(own.strips) * _mean(own.strip_contacts)


def _mean(pair: tuple[float, float]) -> float:
    return sum(pair) / 2
