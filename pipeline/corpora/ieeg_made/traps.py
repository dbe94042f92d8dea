"""Which trap of soz.md, section 8, is planted in whom, and the list of all of them (truth/traps.tsv).

Hosts follow from a patient's place in the cohort alone, so that a larger cohort keeps them. Standard library only.
"""

from dataclasses import dataclass

PERIOD = 12  # places 8 to 11 of each dozen are free of traps
HOSTS: dict[int, tuple[str, ...]] = {
    0: ("coord_units", "coord_frame"),
    1: ("label_run_disagreement",),
    2: ("nonbrain_named", "soz_bad"),
    3: ("xyz_missing", "name_parse"),
    4: ("name_order", "name_order_stop"),
    5: ("low_rate", "annex_pointer"),
    6: ("ictal_missing", "duplicate_labels", "mixed_rates", "empty_range"),
    7: ("interictal_missing", "text_format", "label_text", "flat_signal"),
}
COLUMNS = ("participant", "file", "check", "detail")


@dataclass(frozen=True, order=True)
class Trap:
    """One planted fault: the name of the check that must find it, and where. `file` is relative to the corpus root."""

    participant: str  # sub-…
    file: str
    check: str
    detail: str


def planted(place: int, *, traps: bool) -> frozenset[str]:
    """Names of the traps (keys of this module, not of the checks) in the patient at a place of the cohort."""
    return frozenset(HOSTS.get(place % PERIOD, ())) if traps else frozenset()


def as_text(traps: list[Trap]) -> str:
    """The table, sorted, one line a trap."""
    rows = ["\t".join(COLUMNS), *(f"{t.participant}\t{t.file}\t{t.check}\t{t.detail}" for t in sorted(traps))]
    return "\n".join(rows) + "\n"
