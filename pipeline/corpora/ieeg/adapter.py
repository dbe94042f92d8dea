"""Label adapters: which column and token of a corpus says SOZ, resected, a seizure, an outcome (spec soz.md, 9).

One YAML file a corpus in `adapters/`. `n/a` is negative only where an adapter lists it; a corpus whose rules are not
known is refused there in words.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline.corpora.ieeg.events import EventTokens
from pipeline.settings.base import Section, SettingsError, parse_section

FOLDER = Path(__file__).with_name("adapters")
Condition = Literal["ictal", "interictal"]


def _folded(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(text.casefold() for text in texts)


Tokens = Annotated[tuple[str, ...], AfterValidator(_folded)]


class LabelRule(Section):
    """Where a label of contacts stands, and which tokens mean yes and no; any other token is unknown."""

    table: Literal["channels", "electrodes"]
    column: str
    separator: str | None  # of several tokens in one cell; null: the cell is one token
    positive: Tokens = Field(min_length=1)
    negative: Tokens

    def label(self, cell: str) -> bool | None:
        """Yes, no, or None where the cell's tokens do not say."""
        parts = cell.split(self.separator) if self.separator else [cell]
        tokens = {part.strip().casefold() for part in parts}
        if tokens & set(self.positive):
            return True
        return False if tokens <= set(self.negative) else None


class EventRule(Section):
    """The column of events.tsv, and its texts for the begin and end of a seizure."""

    column: str
    onset: Tokens
    offset: Tokens

    @property
    def tokens(self) -> EventTokens:
        """The same for the reader of events."""
        return EventTokens(column=self.column, onset=self.onset, offset=self.offset)


class ValueMap(Section):
    """A column of participants.tsv, and what its cells are called here; null: as they stand."""

    column: str
    values: dict[str, str] | None

    def of(self, cell: str) -> str:
        """The value of a cell; empty where the map has none, or the cell is `n/a`."""
        if cell in ("", "n/a"):
            return ""
        if self.values is None:
            return cell
        return {key.casefold(): value for key, value in self.values.items()}.get(cell.casefold(), "")


class ParticipantRule(Section):
    """What participants.tsv is asked for; null: the corpus does not say."""

    engel: ValueMap | None  # to 1A … 4C, or the class alone
    outcome: ValueMap | None  # to good or poor; used where there is no Engel class
    implant: ValueMap | None  # to SEEG or ECOG
    therapy: ValueMap | None
    lesion: ValueMap | None  # to lesional or non-lesional
    target: ValueMap | None
    age: ValueMap | None
    sex: ValueMap | None


class Adapter(Section):
    """All that is particular to the side files of one corpus."""

    corpus: str
    note: str  # where the rules come from
    refuse: str | None  # why the corpus cannot be read yet; null: it can
    soz: LabelRule | None  # null: the corpus marks no SOZ
    resected: LabelRule | None
    region: str | None  # column of electrodes.tsv that names a contact's region
    conditions: dict[Condition, tuple[str, ...]]  # condition -> names of tasks
    events: EventRule | None  # null: events.tsv tells of no seizures
    participants: ParticipantRule
    shared_patients: dict[str, tuple[str, ...]]  # other corpus -> patients of this one who are in it, too

    def condition(self, task: str) -> Condition | None:
        """The condition of a task; None where the adapter does not know it."""
        return next((name for name, tasks in self.conditions.items() if task in tasks), None)


def adapter_file(name: str) -> Path:
    """The file of an adapter; an input of the rules that use it, since a job's digest of code does not cover it."""
    return FOLDER / f"{name}.yaml"


def adapter_names() -> list[str]:
    """Names of the adapters that there are, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_adapter(name: str) -> Adapter:
    """Read an adapter by name.

    Raises SettingsError for an unknown name, for a file that is no adapter, and for a corpus that is refused.
    """
    adapter = _read(name)
    if adapter.refuse is not None:
        raise SettingsError(f"soz.adapter: {name}: {adapter.refuse}")
    return adapter


def refusal(name: str) -> str | None:
    """Why the corpus of an adapter cannot be read yet; None where it can. Raises SettingsError as `load_adapter`."""
    return _read(name).refuse


def _read(name: str) -> Adapter:
    import yaml

    if name not in adapter_names():
        raise SettingsError(f"soz.adapter: no adapter {name!r}; there are {', '.join(adapter_names())}")
    try:
        values = yaml.safe_load(adapter_file(name).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name}.yaml: {error}") from None
    if not isinstance(values, Mapping):
        raise SettingsError(f"{name}.yaml: holds {type(values).__name__}; the keys of an adapter are needed")
    return parse_section(Adapter, dict(values), where=f"{name}.yaml")
