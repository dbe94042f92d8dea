"""Files that are none of the published checkpoints: refused with a reason, nothing executed, little memory touched."""

import io
import os
import pickle
import re
import signal
import struct
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoint_files import as_published, imported, listed, made_up, saved

from pipeline.training import trial
from pipeline.training.published_weights import MAX_BYTES, RefusedCheckpoint, published_shapes, read_checkpoint


class Payload:
    """Unpickled, it leaves a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def with_payload(folder: Path, trace: Path) -> list[Path]:
    content = as_published(made_up("distance")) | {"best": Payload(trace)}
    zipped = saved(folder, content, "payload.pth")
    legacy = saved(folder, content, "old.pth", _use_new_zipfile_serialization=False)
    plain = folder / "plain.pth"
    plain.write_bytes(pickle.dumps(Payload(trace)))
    return [zipped, legacy, plain]


def test_code_in_a_file_is_refused_by_name_and_does_nothing(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    for path in with_payload(tmp_path, trace):
        with pytest.raises(RefusedCheckpoint, match=r"mkdir|STACK_GLOBAL"):
            read_checkpoint(path)
        assert not trace.exists()
    torch.load(path.parent / "payload.pth", weights_only=False)
    assert trace.exists()  # the payload works where somebody unpickles it


def changed(**changes: object) -> dict[str, object]:
    """The distance checkpoint with some weights replaced; None removes one."""
    state = dict(made_up("distance")) | changes
    return {key: value for key, value in state.items() if value is not None}


GATE, BIAS = "encoder.encoding_cells.0.dconv_gate.weight", "decoder.projection_layer.bias"
NAN = torch.full((100,), float("nan"))
WRONG = {
    "a missing key": (changed(**{BIAS: None}), re.escape(BIAS)),
    "an unknown key": (changed(extra=torch.zeros(3)), "extra"),
    "other keys": ({"fc.weight": torch.zeros(3, 3)}, "lacks .* more"),
    "a wrong first shape": (changed(**{GATE: torch.zeros(491, 128)}), r"dconv_gate.*\(491, 128\).*492.*820"),
    "rows of the other graph": (changed(**{GATE: torch.zeros(820, 128)}), "dconv_gate.biases|candidate.weight"),
    "a wrong shape": (changed(**{BIAS: torch.zeros(99)}), r"bias: \(99,\)"),
    "a transposed weight": (changed(**{GATE: torch.zeros(128, 492)}), r"\(128, 492\)"),
    "another dtype": (changed(**{BIAS: torch.zeros(100, dtype=torch.float64)}), "float64"),
    "whole numbers": (changed(**{BIAS: torch.zeros(100, dtype=torch.int64)}), "int64"),
    "no number": (changed(**{BIAS: NAN}), f"{re.escape(BIAS)}.*not finite"),
    "infinity": (changed(**{BIAS: NAN.nan_to_num(nan=float("inf"))}), "not finite"),
    "text for a weight": (changed(**{BIAS: "zeros"}), "a str"),
    "a list": ([1, 2], "one list"),
    "a tensor alone": (torch.zeros(3), "one Tensor"),
    "keys that are numbers": ({1: torch.zeros(3)}, "lacks"),
    "a whole network": (torch.nn.Linear(2, 2), "torch.nn"),
    "a sparse weight": (changed(**{BIAS: torch.zeros(100).to_sparse()}), "_rebuild_sparse_tensor"),
}


@pytest.mark.parametrize("kind", list(WRONG))
def test_wrong_content_is_refused_with_the_key(tmp_path: Path, kind: str) -> None:
    content, reason = WRONG[kind]
    with pytest.raises(RefusedCheckpoint, match=reason):
        read_checkpoint(saved(tmp_path, content))


def zip_of(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def claims(size: tuple[int, ...], stride: tuple[int, ...], numel: int) -> bytes:
    """A pickle of the protocol that torch writes: one float tensor of a claimed size on a storage of one number."""
    out = io.BytesIO()

    def number(value: int) -> bytes:
        return b"\x8a\x08" + struct.pack("<q", value)  # LONG1

    def several(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(map(number, values)) + b"t"

    out.write(b"\x80\x02}X\x01\x00\x00\x00xctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage")
    out.write(b"ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu" + number(numel) + b"tQK\x00")
    out.write(several(size) + several(stride) + b"\x89ccollections\nOrderedDict\n)RtRs.")
    return out.getvalue()


def test_broken_and_hostile_files_are_refused(tmp_path: Path) -> None:
    good = saved(tmp_path, as_published(made_up("distance"))).read_bytes()
    big = tmp_path / "big.pth"
    with big.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "text.pth").write_text("epoch,loss\n1,0.5\n")
    (tmp_path / "page.pth").write_text("<html>404</html>")
    (tmp_path / "half.pth").write_bytes(good[: len(good) // 2])
    os.mkfifo(tmp_path / "pipe.pth")
    nothing = {"a/data.pkl": b"\x80\x02}.", "a/version": b"3\n"}
    bomb = zip_of(tmp_path / "bomb.pth", nothing | {"a/data/0": bytes(MAX_BYTES)}, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 1 << 20
    small = zip_of(tmp_path / "deflated.pth", nothing, zipfile.ZIP_DEFLATED)
    many = zip_of(tmp_path / "many.pth", {f"a/data/{k}": b"" for k in range(10_001)})
    for path, reason in (
        (big, "64 MiB"), (tmp_path / "empty.pth", "no checkpoint"), (tmp_path / "text.pth", "no checkpoint|calls"),
        (tmp_path / "page.pth", "no checkpoint"), (tmp_path / "half.pth", "no checkpoint"), (tmp_path, "no such file"),
        (tmp_path / "absent.pth", "no such file"), (tmp_path / "pipe.pth", "no such file"), (bomb, "unpacked above"),
        (small, "compressed"), (many, "10001 entries"),
    ):  # fmt: skip
        with pytest.raises(RefusedCheckpoint, match=reason) as caught:
            read_checkpoint(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("size", "stride", "numel"),
    [((10**7, 10**7), (10**7, 1), 1), ((10**6, 10**6), (0, 0), 1), ((2**62,), (1,), 2**62), ((4,), (1,), 10**12)],
)
def test_a_claimed_size_costs_nothing(tmp_path: Path, size, stride, numel) -> None:
    """Sizes that the file does not hold: refused, with less than 64 MiB of memory touched."""
    entries = {
        "a/data.pkl": claims(size, stride, numel),
        "a/data/0": bytes(4),
        "a/version": b"3\n",
        "a/byteorder": b"little",
    }
    path = zip_of(tmp_path / "claim.pth", entries)
    load_once(tmp_path)
    before = resident_bytes()
    with pytest.raises(RefusedCheckpoint, match=r"no checkpoint|lacks"):
        read_checkpoint(path)
    assert resident_bytes() - before < 64 << 20


def growing(numbers: int, times: int) -> bytes:
    """Tensors that each ask for more of one storage than it has: torch makes it larger, and copies what it had."""
    out = b"\x80\x02}"
    for k in range(times):
        size = struct.pack("<q", numbers + k)
        out += b"X\x01\x00\x00\x00" + bytes([97 + k]) + b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage"
        out += (
            b"ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu\x8a\x08" + struct.pack("<q", 1) + b"tQK\x00"
        )
        out += b"\x8a\x08" + size + b"\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtRs"
    return out + b"."


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def laughing(depth: int) -> bytes:
    """All published keys, and one more: a pair of pairs of pairs, each the same one twice."""
    pairs = b"".join(b"q" + bytes([k]) + b"h" + bytes([k]) + b"\x86" for k in range(depth))
    return b"\x80\x02}" + b"".join(text(key) + b"K\x01s" for key in listed("distance", 12)) + b")" + pairs + b"K\x01s."


def shadowed(name: str) -> bytes:
    """An ordered mapping whose method `name` is a text."""
    return b"\x80\x02ccollections\nOrderedDict\n)R}" + text(name) + text("x") + b"sb."


TINY = {  # pickle, and why it is refused
    "a pair 25 levels deep": (laughing(25), "uses one tuple"),
    "a tuple 200,000 levels deep": (b"\x80\x02}" + b")" + b"\x85" * 200_000 + b"K\x01s.", "20,000 instructions"),
    "a tuple 19,000 levels deep": (b"\x80\x02}" + b")" + b"\x85" * 19_000 + b"K\x01s.", "not loaded|lacks"),
    "eight million mappings": (b"\x80\x02" + b"}" * (8 << 20) + b".", "20,000 instructions"),
    "a method that is a text": (shadowed("get"), "lacks"),
    "another": (shadowed("keys"), "lacks"),
    "a storage that grows": (growing(600_000_000, 3), "no checkpoint|not loaded"),
}


def test_a_storage_of_an_old_file_does_not_grow_into_memory(tmp_path: Path) -> None:
    """In the older format torch lets a tensor enlarge its storage, and copies what it claims to have had."""
    with_view = growing(600_000_000, 3).replace(b"tQK\x00", b"NtQK\x00")  # the older format names a view as well
    head = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {})]
    path = tmp_path / "old.pth"
    path.write_bytes(b"".join([*head, with_view, pickle.dumps(["0"], 2)]))
    with pytest.raises(RefusedCheckpoint, match=r"can't allocate|not loaded"):
        read_checkpoint(path)


@pytest.mark.parametrize("kind", list(TINY))
def test_tiny_files_neither_hang_nor_fill_memory_nor_crash(tmp_path: Path, kind: str) -> None:
    pickled, reason = TINY[kind]
    path = zip_of(tmp_path / "tiny.pth", {"a/data.pkl": pickled, "a/data/0": bytes(4), "a/version": b"3\n"})
    load_once(tmp_path)
    before, begin = resident_bytes(), time.perf_counter()
    with pytest.raises(RefusedCheckpoint, match=reason):
        read_checkpoint(path)
    assert time.perf_counter() - begin < trial.WAIT_S
    assert resident_bytes() - before < 64 << 20


def test_the_pickle_that_torch_takes_is_the_one_that_was_looked_at(tmp_path: Path) -> None:
    """torch finds entries without regard to case."""
    payload = b"\x80\x02cos\nmkdir\nX\x01\x00\x00\x00x\x85R."
    for names, reason in ((["a/DATA.PKL"], "mkdir"), (["a/data.pkl", "a/DATA.PKL"], "one name")):
        path = zip_of(tmp_path / "case.pth", dict.fromkeys(names, payload) | {"a/version": b"3\n"})
        with pytest.raises(RefusedCheckpoint, match=reason):
            read_checkpoint(path)


def test_a_child_that_dies_or_hangs_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trial.answer_of_child(lambda data: f"{len(data)} bytes", b"abc") == "3 bytes"
    with pytest.raises(trial.Overrun, match="crashes"):
        trial.answer_of_child(lambda data: str(os.kill(os.getpid(), signal.SIGKILL)), b"")
    with pytest.raises(trial.Overrun, match="crashes"):
        trial.answer_of_child(lambda data: str(len(bytearray(2 * trial.MEMORY))), b"")
    monkeypatch.setattr(trial, "WAIT_S", 0.5)
    with pytest.raises(trial.Overrun, match=r"0\.5 s"):
        trial.answer_of_child(lambda data: str(time.sleep(60)), b"")
    monkeypatch.setattr(trial, "WAIT_S", 300.0)
    monkeypatch.setattr(trial, "SECONDS", 1)
    with pytest.raises(trial.Overrun, match=r"(?<![\d.])1 s"):
        trial.answer_of_child(lambda data: str(all(True for _ in iter(int, 1))), b"")


def load_once(tmp_path: Path) -> None:
    """What torch imports and takes of memory at its first load is not what a file costs."""
    read_checkpoint(saved(tmp_path, made_up("distance")))


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_flipped_bytes_are_refused_or_still_fit(tmp_path: Path) -> None:
    """Seeded damage to the pickle and the table of entries: a typed refusal, or weights that pass every check."""
    whole = read_checkpoint(saved(tmp_path, made_up("distance"))).weights
    for zipped in (True, False):
        refused = 0
        good = saved(tmp_path, made_up("distance"), _use_new_zipfile_serialization=zipped).read_bytes()
        rng = np.random.default_rng(0)
        spots = [*range(0, 6000), *range(len(good) - 4000, len(good))]
        for _ in range(150):
            data = bytearray(good)
            for at in rng.choice(spots, rng.integers(1, 4), replace=False):
                data[at] = rng.integers(256)
            path = tmp_path / "damaged.pth"
            path.write_bytes(data)
            try:
                found = read_checkpoint(path)
            except RefusedCheckpoint:
                refused += 1
                continue
            assert all(value.shape == found.weights[name].shape for name, value in whole.items())
            assert all(bool(torch.isfinite(value).all()) for value in found.weights.values())
        assert refused > 20


def test_the_stage_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    done = imported(tmp_path / "out", saved(tmp_path, WRONG["a wrong shape"][0]))
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "decoder.projection_layer.bias" in done.stderr
    assert not (tmp_path / "out").exists()
    assert len(published_shapes()["distance"]) == 26
