"""Encoders that Tang et al. published (github tsy935/eeg-gnn-ssl), turned into ours: nothing of a file is executed.

A checkpoint is what torch wrote: a ZIP archive with a pickle, or in older files pickles one after another. Before torch
reads it (`weights_only=True`), its size is bounded, no entry may be compressed, and the instructions of its pickles are
counted and compared with a short list. It is read first in a child process of bounded memory and time (trial.py). Then
keys, shapes and dtypes must be those of published_checkpoints.csv, exactly.

The published layout (dcrnn.md, sections 4 and 5) is ours but for the names: rows feature * m + term, input features
first, gates [r | u]. Its decoder names layers 2 and 3 apart although they are one (D12): equal weights are stored once.
"""

import csv
import io
import pickletools
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch._weights_only_unpickler import UnpicklingError  # what torch.load raises; the class itself is the standard's

from pipeline.training.trial import Overrun, answer_of_child

Graph = Literal["distance", "correlation"]
TABLE = Path(__file__).with_name("published_checkpoints.csv")  # keys, shapes and dtypes of the four public files
MAX_BYTES = 64 << 20  # the largest public one, its optimiser's state included, has less than 20 MiB
MAX_ENTRIES = 10_000
MAX_INSTRUCTIONS = (
    20_000  # of all pickles of a file; a published one has some thousands, its optimiser's state included
)
NESTED = ("model_state", "state_dict", "model_state_dict", "model")  # keys below which weights are usually kept
CALLED = {  # everything that a checkpoint of plain tensors names in its pickles
    "collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter",
    *(f"torch {kind}Storage" for kind in ("Float", "Double", "Half", "Long", "Int", "Bool", "BFloat16", "Byte")),
}  # fmt: skip
OTHER_CALLS = {"STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"}  # torch writes none
CONTAINERS = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "LIST", "EMPTY_LIST", "DICT", "EMPTY_DICT"}
LEGACY_PICKLES = 5  # magic number, protocol, system, content, names of storages; then raw numbers
UNREADABLE = (
    UnpicklingError, RuntimeError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, EOFError,
    AssertionError, MemoryError, zipfile.BadZipFile,
)  # fmt: skip
UNREAD = "no checkpoint that torch can read"
_CELL = re.compile(r"(encoder\.encoding|decoder\.decoding)_cells\.(\d)\.dconv_(gate|candidate)\.(weight|biases)")


class RefusedCheckpoint(ValueError):
    """A file that is none of the published checkpoints; the message says what is wrong with it."""


@dataclass(frozen=True)
class Published:
    """One checkpoint under our names; `tied`: decoder layers 2 and 3 are one, as in every published file."""

    graph: Graph
    tied: bool
    weights: dict[str, Tensor]


def read_checkpoint(path: Path) -> Published:
    """The weights of a published checkpoint. Raises RefusedCheckpoint; OSError where the file cannot be read."""
    if not path.is_file():
        raise RefusedCheckpoint(f"{path}: no such file; give a checkpoint of tsy935/eeg-gnn-ssl (.pth, .pth.tar)")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise RefusedCheckpoint(f"{path}: more than {MAX_BYTES >> 20} MiB; no published checkpoint is so large")
    try:
        _check_pickles(data)
        if refusal := answer_of_child(_refusal, data):
            raise RefusedCheckpoint(refusal)
        return _read(data)
    except (RefusedCheckpoint, Overrun) as error:
        raise RefusedCheckpoint(f"{path}: {error}") from None
    except UNREADABLE as error:
        raise RefusedCheckpoint(f"{path}: {UNREAD}: {_short(error)}") from None


def _read(data: bytes) -> Published:
    """The weights in a file's bytes. Raises RefusedCheckpoint, and what `UNREADABLE` lists."""
    return _published(_state(torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)))


def _refusal(data: bytes) -> str:
    """Why `data` are refused; empty if they are not."""
    try:
        _read(data)
    except RefusedCheckpoint as error:
        return str(error)
    except UNREADABLE as error:
        return f"{UNREAD}: {_short(error)}"
    return ""


def published_shapes() -> dict[Graph, dict[str, tuple[int, ...]]]:
    """Shape of each key of a checkpoint, by graph; those of 12 and of 60 s agree. All are float32."""
    shapes: dict[Graph, dict[str, tuple[int, ...]]] = {"distance": {}, "correlation": {}}
    with TABLE.open(newline="") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            graph: Graph = "distance" if row["graph"] == "distance" else "correlation"
            shapes[graph][row["key"]] = tuple(int(size) for size in row["shape"].split("x"))
    return shapes


def our_name(key: str) -> str:
    """Name of a published weight in our networks, e.g. `encoder.layers.0.gate.bias`."""
    if (found := _CELL.fullmatch(key)) is None:
        return key.replace("decoder.projection_layer.", "projection.")
    side, depth, which, what = found.groups()
    layers = "encoder.layers" if side.startswith("encoder") else "decoder"
    return f"{layers}.{depth}.{which}.{what.replace('biases', 'bias')}"


def _check_pickles(data: bytes) -> None:
    """Raise RefusedCheckpoint where a file is compressed or its pickles do anything but make plain tensors."""
    left = MAX_INSTRUCTIONS
    for name, stream, count in _pickles(data):
        for _ in range(count):
            left -= _check_pickle(stream, name, left)


def _check_pickle(stream: io.BytesIO, name: str, most: int) -> int:
    """Number of instructions of one pickle, at most `most`; it is disassembled and not executed."""
    kinds: dict[Any, str] = {}  # what each number of the pickle's memory was stored after
    before, number = "", 0
    for number, (opcode, argument, _position) in enumerate(pickletools.genops(stream), start=1):
        if number > most:
            raise RefusedCheckpoint(
                f"{name}: more than {MAX_INSTRUCTIONS:,} instructions; no published file has so many"
            )
        if opcode.name == "GLOBAL" and argument not in CALLED:
            raise RefusedCheckpoint(f"{name} calls {str(argument)[:100]!r}, which makes no tensor; not loaded")
        if opcode.name in OTHER_CALLS:
            raise RefusedCheckpoint(f"{name} holds the instruction {opcode.name}; not loaded")
        if opcode.name.endswith("PUT"):
            kinds[argument] = before
        elif opcode.name.endswith("GET") and kinds.get(argument) in CONTAINERS:  # 25 pairs of pairs make 2^25 values
            raise RefusedCheckpoint(f"{name} uses one tuple, list or mapping twice; not loaded")
        before = opcode.name
    return number


def _pickles(data: bytes) -> Iterator[tuple[str, io.BytesIO, int]]:
    """(name, bytes, number of pickles in them) of the parts of a file that torch unpickles."""
    if not data.startswith(b"PK\x03\x04"):  # what torch itself goes by
        yield "the file", io.BytesIO(data), LEGACY_PICKLES
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > MAX_BYTES:
            raise RefusedCheckpoint(f"an archive of {len(entries)} entries, unpacked above {MAX_BYTES >> 20} MiB")
        for entry in entries:
            if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
                raise RefusedCheckpoint(f"entry {entry.filename[:100]!r} is compressed or encrypted; torch writes none")
        names = [entry.filename.lower() for entry in entries]  # torch finds A/DATA.PKL as well
        if len(set(names)) < len(names):
            raise RefusedCheckpoint("two entries of the archive have one name; torch writes none so")
        for entry in entries:
            if entry.filename.lower().endswith(".pkl"):
                yield f"entry {entry.filename[:100]!r}", io.BytesIO(archive.read(entry)), 1


def _state(content: object) -> dict[str, Any]:
    """The state dict itself, or the one below a usual key."""
    if not isinstance(content, dict):
        raise RefusedCheckpoint(f"holds one {type(content).__name__}; a mapping of names to tensors is needed")
    for key in NESTED:
        if isinstance(inner := dict.get(content, key), dict):
            return inner
    return content


def _published(state: dict[str, Any]) -> Published:
    """The checked weights under our names."""
    shapes = published_shapes()
    graph = _graph(state, shapes)
    weights = {our_name(key): _checked(key, state[key], shape) for key, shape in shapes[graph].items()}
    second, third = ({name for name in weights if name.startswith(f"decoder.{depth}.")} for depth in (1, 2))
    tied = all(torch.equal(weights[name], weights[name.replace("decoder.1.", "decoder.2.")]) for name in second)
    return Published(graph, tied, {name: weights[name] for name in weights if not (tied and name in third)})


def _graph(state: dict[str, Any], shapes: dict[Graph, dict[str, tuple[int, ...]]]) -> Graph:
    """Which graph the keys and the first weight's rows belong to."""
    wanted = set(shapes["distance"])  # both graphs have the same keys
    found = {key if isinstance(key, str) else f"(a {type(key).__name__}, no text)" for key in dict.keys(state)}
    for kind, keys in (("lacks", wanted - found), ("has the unknown key", found - wanted)):
        if keys:
            named = ", ".join(repr(key[:60]) for key in sorted(keys)[:3])
            more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
            raise RefusedCheckpoint(f"{kind} {named}{more}; only the published encoder-decoders are imported")
    first = next(iter(shapes["distance"]))
    for graph, own in shapes.items():
        if isinstance(state[first], Tensor) and tuple(state[first].shape) == own[first]:
            return graph
    rows = " or ".join(f"{own[first]} ({graph})" for graph, own in shapes.items())
    raise RefusedCheckpoint(f"{first}: {_described(state[first])}; needs the shape {rows}")


def _checked(key: str, value: object, shape: tuple[int, ...]) -> Tensor:
    """A copy of a tensor that has the shape, is float32 and finite; its shape is looked at before its numbers."""
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.device.type != "cpu":
        raise RefusedCheckpoint(f"{key}: {_described(value)}; a plain tensor is needed")
    if tuple(value.shape) != shape or value.dtype != torch.float32:
        raise RefusedCheckpoint(f"{key}: {_described(value)}; needs {shape}, torch.float32")
    copy = value.detach().clone(memory_format=torch.contiguous_format)
    if not bool(torch.isfinite(copy).all()):
        raise RefusedCheckpoint(f"{key}: holds numbers that are not finite")
    return copy


def _described(value: object) -> str:
    return f"{tuple(value.shape)}, {value.dtype}" if isinstance(value, Tensor) else f"a {type(value).__name__}"


def _short(error: BaseException) -> str:
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first[:200]}"
