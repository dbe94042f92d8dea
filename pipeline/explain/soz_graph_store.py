"""The store of one model's attention graphs: of every patient that it tests, and every condition (docs/soz.md).

`<patient>/<condition>/A` (l, h, n, n): mean over clips, row = query, column = key; `null_p` (l, h, n, n): share of an
untrained network's edges of that layer whose lift is not smaller; `rollout` (n, n). Attributes of the group: `n_clips`
and, contact by contact in one order (hemisphere, shaft, contact, name), the columns CONTACTS; unknown: null.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.explain.soz_attention import CONVENTIONS, Floats
from pipeline.store import reading_store, writing_store

ORDER = "hemisphere, shaft, contact, name"
CONTACTS = {
    "channel": "string", "shaft": "string", "contact": "Int64", "hemisphere": "string", "x_mm": "float64",
    "y_mm": "float64", "z_mm": "float64", "soz": "boolean", "resected": "boolean",
}  # fmt: skip


@dataclass(frozen=True)
class PatientGraphs:
    """Graphs of one patient and condition; `contacts`: CONTACTS, one row a contact, in the order of the graphs."""

    patient: str
    condition: str
    contacts: pd.DataFrame
    n_clips: int
    A: Floats
    null_p: Floats
    rollout: Floats


@dataclass(frozen=True)
class ModelGraphs:
    """An open store: whose model made the graphs, and which there are."""

    fold: int
    seed: int
    model_hash: str
    _group: Any

    def patients(self) -> list[str]:
        """Patients with a graph, by name."""
        return sorted(name for name, _ in self._group.groups())

    def of(self, patient: str) -> list[PatientGraphs]:
        """Graphs of a patient by condition; none of one that the store does not have."""
        if patient not in self._group:
            return []
        return [_read(patient, name, group) for name, group in sorted(self._group[patient].groups())]


def write_graphs(
    path: Path | str, graphs: Iterator[PatientGraphs], *, fold: int, seed: int, model_hash: str, precision: str
) -> None:
    """Write the store, graph by graph; `precision`: float16 or float32."""
    about = {"fold": fold, "seed": seed, "model_hash": model_hash, "order": ORDER, "row": "query", "column": "key"}
    with writing_store(path, about | {"conventions": CONVENTIONS}) as group:
        for one in graphs:
            own = group.create_group(f"{one.patient}/{one.condition}", attributes=_attributes(one))
            for name in ("A", "null_p", "rollout"):
                values: Floats = getattr(one, name)
                chunks = tuple(max(1, size) for size in values.shape)
                told: dict[str, Any] = {"channels": one.contacts["channel"].astype(str).tolist()}
                made = own.create_array(
                    name, shape=values.shape, chunks=chunks, dtype=precision, compressors=None, attributes=told
                )
                if values.size:
                    made[...] = values.astype(precision)


@contextmanager
def reading_graphs(path: Path | str) -> Iterator[ModelGraphs]:
    """Open a store; read inside the block. Raises DamagedFile."""
    with reading_store(path) as group:
        about: dict[str, Any] = dict(group.attrs)
        yield ModelGraphs(about["fold"], about["seed"], about["model_hash"], group)


def graphs_of(paths: Sequence[Path], patient: str) -> tuple[list[PatientGraphs], ModelGraphs | None]:
    """Graphs of a patient from the first of the stores that has any, and which model made them."""
    for path in paths:
        with reading_graphs(path) as store:
            if found := store.of(patient):
                return found, store
    return [], None


def _attributes(graphs: PatientGraphs) -> dict[str, Any]:
    table = graphs.contacts[list(CONTACTS)].astype(CONTACTS)
    columns = {name: table[name].astype(object).where(table[name].notna(), None).tolist() for name in CONTACTS}
    return {"n_clips": graphs.n_clips, **columns}


def _read(patient: str, condition: str, group: Any) -> PatientGraphs:
    about = dict(group.attrs)
    contacts = pd.DataFrame({name: about[name] for name in CONTACTS}).astype(CONTACTS)
    A, null_p, rollout = (np.asarray(group[name][...], np.float64) for name in ("A", "null_p", "rollout"))
    return PatientGraphs(patient, condition, contacts, int(about["n_clips"]), A, null_p, rollout)
