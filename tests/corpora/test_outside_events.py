"""An outside reader agrees: epilepsy2bids on the real lists of CHB-MIT and Siena, seizure by seizure."""

import re
import shutil
from pathlib import Path

import pytest

from pipeline.corpora import chbmit, siena
from pipeline.findings import Findings

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "real-eeg" / "headers_whitenoise"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="the folder real-eeg is not beside the repository")
DAY_S = 86_400.0  # longer than any of the recordings: nothing is clipped


def spans(reader, root: Path) -> dict[str, list[tuple[float, float]]]:
    """Our seizures of every recording in a tree."""
    found = {}
    for files in reader.find(root, "auto"):
        events = reader.read_events(root, files, DAY_S, Findings())
        found[Path(files.edf).name] = [(event.onset_s, event.offset_s) for event in events or []]
    return found


def tree(root: Path, folder: str, source: str, pattern: str, *, without: str = "") -> Path:
    """A list, and an empty EDF for every name in it: neither reader opens the EDF for the events."""
    (root / folder).mkdir(parents=True)
    shutil.copy(REAL / source, root / folder)
    for name in set(re.findall(pattern, (REAL / source).read_text(encoding="latin-1"))) - {without}:
        (root / folder / name).write_bytes(b"")
    return root


@pytest.mark.parametrize("case", ["chb05", "chb08"])
def test_the_real_summaries_of_chbmit(tmp_path: Path, case: str) -> None:
    outside = pytest.importorskip("epilepsy2bids.load_annotations.chbmit")
    root = tree(tmp_path, case, f"{case}-summary.txt", r"chb\d+_\d+\.edf")
    ours = spans(chbmit, root)
    assert ours == {name: outside._loadSeizures(str(root / case / name), case, name) for name in ours}
    assert len(ours) > 10
    assert sum(map(len, ours.values())) == 5  # both cases have five seizures


@pytest.mark.parametrize(("patient", "refused", "n"), [("PN00", "PN00-3.edf", 4), ("PN16", "", 2)])
def test_the_real_lists_of_siena(tmp_path: Path, patient: str, refused: str, n: int) -> None:
    """All but PN00-3, whose end the outside reader replaces by a time of its own and we refuse."""
    outside = pytest.importorskip("epilepsy2bids.load_annotations.siena")
    root = tree(tmp_path, patient, f"Seizures-list-{patient}.txt", r"PN\d+-\d+\.edf", without=refused)
    ours = spans(siena, root)
    assert ours == {name: outside._loadSeizures(str(root / patient / name)) for name in ours}
    assert sum(map(len, ours.values())) == n
