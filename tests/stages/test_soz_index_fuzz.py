"""Damaged side files and headers: the index gives rows or findings with a code, never an untyped error."""

import numpy as np
import pytest

from pipeline.corpora.ieeg.adapter import load_adapter
from pipeline.corpora.ieeg.tables import Reading
from pipeline.corpora.ieeg_bids import find
from pipeline.findings import Findings
from pipeline.signals.edf_header import FIXED_BYTES
from pipeline.stages.soz_index import contacts_frame, index
from tests.corpora.ieeg_tree import CONTACTS, Made, write_participants

ROUNDS = 120
BYTES = (0, 9, 10, 13, 32, 34, 45, 46, 48, 92, 101, 233, 255)  # those that tables, numbers and encodings break at


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A tree of two runs, with a README that speaks of MNI."""
    root = tmp_path_factory.mktemp("fuzz") / "bids"
    root.mkdir()
    write_participants(root, "sub-01\t1A\tS\tSEEG", "sub-09\t3\tF\tECOG")
    (root / "README").write_text("MNI")
    Made(frame="fsaverage").write(root, ("ictal", 1), ("interictal", 1))
    return root


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes replaced, a piece doubled or taken out, or the end cut."""
    changed = bytearray(content)
    for place in rng.integers(0, max(1, len(changed)), rng.integers(0, 8)):
        changed[place : place + 1] = bytes([int(rng.choice(BYTES))])
    start, stop = sorted(int(place) for place in rng.integers(0, len(changed) + 1, 2))
    kind = rng.integers(4)
    if kind == 0:
        return bytes(changed[:start] + changed[stop:])
    if kind == 1:
        return bytes(changed[:stop] + changed[start:stop] + changed[stop:])
    return bytes(changed[:stop]) if kind == 2 else bytes(changed)


@pytest.mark.parametrize("adapter", ["ds004100", "ds003876", "ds005398", "swec"])
def test_damaged_files_end_as_rows_or_findings(tree, adapter):
    rng = np.random.default_rng([6, len(adapter)])
    listed = find(tree, "auto")
    reading = Reading(adapter=load_adapter(adapter), soz_bad="keep", low_rate_hz=500, signals=True)
    sides = sorted(path for path in tree.rglob("*") if path.is_file() and path.suffix != ".edf")
    header = FIXED_BYTES * (len(CONTACTS) + 1)
    outcomes = set()
    for _ in range(ROUNDS):
        path = sides[rng.integers(len(sides))] if rng.uniform() < 0.8 else tree / listed[0].edf
        before = path.read_bytes()
        size = len(before) if path.suffix != ".edf" else header
        path.write_bytes(mutated(before[:size], rng) + before[size:])
        findings = Findings()
        try:
            rows = index(tree, listed, {"01"}, reading, findings)
        finally:
            path.write_bytes(before)
        outcomes.add(len(rows.recordings))
        assert len(rows.recordings) == 2 or any(finding.severity == "error" for finding in findings)
        frame = contacts_frame(rows.contacts)
        assert not frame.duplicated(["recording", "channel"]).any()
        assert set(frame["recording"]) == {row["recording"] for row in rows.recordings}
        assert not (frame["used"] & ~frame["intracranial"]).any()
    if adapter == "ds004100":
        assert len(outcomes) > 1  # some damage costs a recording, some does not
