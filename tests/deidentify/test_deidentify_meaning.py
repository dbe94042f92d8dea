"""A de-identified copy says the same about seizures as its source, or is not made (faults.md, row 28)."""

import numpy as np
import pytest

from pipeline.corpora import folder
from pipeline.deidentify.edf import Removed, clean_lists
from pipeline.findings import Findings, Rejected
from tests.deidentify.copies import WORDS, copied
from tests.signals.edf_builder import EdfFile, annotation_channel, scalp_channels

SECONDS = 60
CLOCK = [f"+{second}\x14\x14" for second in range(SECONDS)]


def written(path, entries, *, clock=True):
    """An EDF+ of a minute; `entries` all stand in record 0."""
    lists = [*CLOCK] if clock else [""] * SECONDS
    first = [CLOCK[0]] if clock else []
    lists[0] = "\0".join([*first, *entries])
    rng = np.random.default_rng(0)
    channels = [annotation_channel(lists, size=400), *scalp_channels(rng, records=SECONDS)]
    return EdfFile(channels, reserved="EDF+C").write(path)


def told(root):
    """Spans and codes that the reader of folders tells of the one EDF below `root`, or None, or `rejected`."""
    (files,) = folder.find(root, "auto")
    try:
        events = folder.read_events(root, files, float(SECONDS), Findings())
    except Rejected:
        return "rejected"
    return events if events is None else [(round(e.onset_s, 2), round(e.offset_s, 2), e.code) for e in events]


@pytest.mark.parametrize(
    "entries",
    [
        ["+0\x1560\x14bckg\x14", "+30\x1510\x14Krampfanfall Sz Mueller\x14"],
        ["+10\x1510\x14seizure\x14", "+30\x14Seizure onset Mueller\x14"],
        ["+10\x1510\x14seizure\x14", "+30\x155\x14Seizure onset Mueller\x14"],
        ["+10\x1510\x14seizure\x14", "+30\x15x\x14seizure Mueller\x14"],
    ],
)
def test_row28_a_doubt_that_a_name_goes_with_stays_a_doubt(tmp_path, entries):
    written(tmp_path / "in" / "P1" / "a.edf", entries)
    assert told(tmp_path / "in") is None
    _, (out,) = copied(tmp_path / "in", tmp_path / "out")
    assert told(tmp_path / "out") is None
    assert b"Mueller" not in out.read_bytes()


def test_row28_a_table_that_leaves_labels_open_leaves_them_open_in_the_copy(tmp_path):
    written(tmp_path / "in" / "P1" / "a.edf", ["+0\x1560\x14bckg\x14"])
    (tmp_path / "in" / "P1" / "a_events.tsv").write_text("onset\tduration\teventType\n10\tn/a\tsz\n")
    assert told(tmp_path / "in") is None
    copied(tmp_path / "in", tmp_path / "out")
    assert told(tmp_path / "out") is None


@pytest.mark.parametrize("first", ["+40\x14Mueller cries\x14", "+40\x14\x15Mueller\x14", "+40\x1530\x14Mueller\x14"])
def test_row28_what_goes_makes_no_onset_of_record_0(tmp_path, first):
    """Where record 0 tells no onset, a list that became empty would shift every seizure by its own time."""
    written(tmp_path / "in" / "P1" / "a.edf", [first, "+45\x1510\x14seizure\x14"], clock=False)
    wanted = told(tmp_path / "in")
    copied(tmp_path / "in", tmp_path / "out")
    assert told(tmp_path / "out") == wanted


def test_row28_no_later_list_becomes_the_onset():
    made = clean_lists(b"+40\x14Mueller\x14\0+50\x14\x14eyes open\x14\0", WORDS, Removed(), keeps_time=True)
    assert made == b"+50\x14eyes open\x14\0"


TEXTS = [
    "seizure", "sz_foc_ia", "bckg", "eyes open", "Mueller", "Seizure Mueller", "Anfall Anna", "postictal", "GTCS",
    "FNSZ", "sz 3", "Photic on", "interictal spike", "", "Aura, Frau Meier", "onset", "nesz",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_row28_a_copy_tells_what_its_source_tells(tmp_path, seed):
    rng = np.random.default_rng(seed)
    entries = []
    for _ in range(rng.integers(0, 6)):
        duration = rng.choice(["", "\x155", "\x150", "\x1512.345", "\x15?"])
        texts = "\x14".join(rng.choice(TEXTS, size=rng.integers(1, 3)))
        entries.append(f"+{rng.integers(0, 55)}{duration}\x14{texts}\x14")
    written(tmp_path / "in" / "P1" / "a.edf", entries, clock=bool(rng.integers(2)))
    if rng.random() < 0.3:
        rows = [
            f"{rng.integers(0, 50)}\t{rng.choice(['5', 'n/a', '0'])}\t{rng.choice(['sz', 'bckg', 'Sz Anna', 'n/a'])}\n"
            for _ in range(rng.integers(0, 3))
        ]
        (tmp_path / "in" / "P1" / "a_events.tsv").write_text("onset\tduration\teventType\n" + "".join(rows))
    wanted = told(tmp_path / "in")
    try:
        _, edfs = copied(tmp_path / "in", tmp_path / "out")
    except ValueError:
        assert wanted == "rejected" or wanted is not None
        return
    found = told(tmp_path / "out")
    assert found == wanted or (wanted == "rejected" and found is None), edfs
