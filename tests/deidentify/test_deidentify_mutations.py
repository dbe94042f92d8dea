"""Damaged EDFs through de-identification: a typed refusal, or a copy without a trace of what was planted."""

import numpy as np

from pipeline.deidentify.edf import copy_edf
from pipeline.deidentify.words import BUILT_IN, read_words
from pipeline.findings import Findings, Rejected
from tests.faults.canaries import CANARY, canary_file

MUTATIONS = 300
FIELDS = [b"nan ", b"1e99", b"EDF+", b"\x14\x14\0+", b"-1  ", b"\xff\xfe\xb5V", b"Canary", b"EDF annotations"]


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """One to five changes, four in five of them in the header."""
    made = bytearray(content)
    header = int(content[184:192])
    for _ in range(rng.integers(1, 6)):
        at = int(rng.integers(0, header if rng.random() < 0.8 else len(made)))
        kind = rng.integers(0, 5)
        if kind == 0:
            made[at] = int(rng.integers(0, 256))
        elif kind == 1:
            made[at : at + 8] = b"%-8d" % rng.integers(-5, 10**7)
        elif kind == 2:
            del made[at : at + int(rng.integers(1, 50))]
        elif kind == 3:
            made[at:at] = bytes(rng.integers(0, 256, int(rng.integers(1, 20)), dtype=np.uint8))
        else:
            field, at = FIELDS[int(rng.integers(0, len(FIELDS)))], at % header  # text among samples: nobody can know
            made[at : at + len(field)] = field
    return bytes(made)


def test_row28_damaged_files_leave_no_canary(tmp_path):
    rng = np.random.default_rng(7)
    content, words = canary_file(rng, records=6).content(), read_words(BUILT_IN)
    copies, codes = 0, set()
    for number in range(MUTATIONS):
        source, target = tmp_path / "in.edf", tmp_path / f"{number}.edf"
        source.write_bytes(mutated(content, rng))
        try:
            copy_edf(source, target, shift_days=-400, words=words, findings=Findings())
        except Rejected as rejected:
            codes.add(rejected.finding.code)
            continue
        assert CANARY.encode() not in target.read_bytes().lower(), number
        copies += 1
        target.unlink()
    assert copies > MUTATIONS / 4
    assert codes <= {"header_invalid", "file_unreadable"}
    assert [path.name for path in tmp_path.iterdir()] == ["in.edf"]
