"""Files that appear whole or not at all: zarr stores in one ZIP file, Parquet tables, JSON.

Each is written under a temporary name in the same folder, flushed, and moved in place; equal content gives equal bytes
(fixed entry dates, fixed order, no pickle). A killed writer leaves nothing under the final name. Each bears a checksum
of itself (pipeline/sealing.py); a reader raises DamagedFile where it does not fit.
"""

import hashlib
import io
import json
import os
import shutil
import socket
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.sealing import UNSEALED, DamagedFile, archive_seal, check_archive, checked_bytes, is_sealed, seal

if TYPE_CHECKING:
    import pandas as pd
    import zarr

_FORMULA = ("=", "+", "-", "@")  # a spreadsheet runs a cell that starts so
_ESCAPES = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})
CHECKSUM = "checksum"  # the key of a JSON file's seal
STALE_DAYS = 2  # longer than any file takes to be written
REMOVALS = 250  # tries to remove an abandoned folder, 20 ms apart
ENTRY_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest date a ZIP entry can bear: a store's bytes hold no clock


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is flushed and takes the name `path`, else it is removed.

    An OSError (disk full, no permission) says which file could not be written.
    """
    path = Path(path)
    with _naming(path):
        yield from _replacing(path)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise


def _replacing(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep_stale(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.{_writer()}.", suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _writer() -> str:
    """This process in the name of a temporary file: process id and machine, since nodes may share the folder."""
    return f"{os.getpid()}-{socket.gethostname().split('.')[0]}"


def _sweep_stale(path: Path) -> None:
    """Remove temporary files and folders for `path` whose writer no longer lives.

    Of a writer on another machine that cannot be seen: its files go when they are older than `STALE_DAYS`.
    """
    for stale in path.parent.glob(f".{path.name}.*.*"):
        writer, _, host = stale.name.removeprefix(f".{path.name}.").split(".")[0].partition("-")
        if writer.isdigit() and _is_dead(stale, int(writer), host):
            if stale.is_dir():
                shutil.rmtree(stale, ignore_errors=True)
            else:
                stale.unlink(missing_ok=True)


def _is_dead(stale: Path, writer: int, host: str) -> bool:
    if host in ("", _writer().partition("-")[2]):
        return Path("/proc/self").exists() and not Path(f"/proc/{writer}").exists()
    try:
        return time.time() - stale.stat().st_mtime > STALE_DAYS * 86400
    except FileNotFoundError:
        return False


def write_table(path: Path | str, table: "pd.DataFrame") -> None:
    """Write a tidy table as Parquet (index dropped)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pa.Table.from_pandas(table, preserve_index=False)
    arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), CHECKSUM: UNSEALED})
    with replacing(path) as temporary:
        pq.write_table(arrow, temporary, compression="zstd")
        seal(temporary)


def write_rows(path: Path | str, rows: Sequence[Mapping[str, Any]], types: Mapping[str, str]) -> None:
    """Write rows as Parquet with the columns `types` (name -> string, float64, int64, bool, or object: lists of text).

    Reads back as what `write_table` of the same DataFrame gives, without pandas: importing it takes longer than
    indexing a shard.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    named = {"string": "object", "object": "list[unicode]"}  # as pandas calls them in the schema
    columns = [
        {"name": name, "field_name": name, "pandas_type": named.get(kind, kind), "numpy_type": kind, "metadata": None}
        for name, kind in types.items()
    ]
    known = json.dumps({"index_columns": [], "column_indexes": [], "columns": columns})
    arrays = [_arrow_array([row[name] for row in rows], kind) for name, kind in types.items()]
    schema = pa.schema([(name, array.type) for name, array in zip(types, arrays, strict=True)])
    table = pa.Table.from_arrays(arrays, schema=schema.with_metadata({"pandas": known, CHECKSUM: UNSEALED}))
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
        seal(temporary)


def _arrow_array(values: Sequence[Any], kind: str) -> Any:
    """An Arrow array from its buffers: `pyarrow.array` would import pandas (measured: 0.2 s of 0.4)."""
    import numpy as np
    import pyarrow as pa

    def buffer(numbers: Any, dtype: str) -> Any:
        return pa.py_buffer(np.asarray(numbers, dtype))

    n = len(values)
    if kind in ("string", "object"):
        lengths = [len(value.encode()) if kind == "string" else len(value) for value in values]
        offsets = np.concatenate([[0], np.cumsum(lengths)]) if n else [0]
        if kind == "string":
            text = pa.py_buffer("".join(values).encode())
            return pa.Array.from_buffers(pa.large_string(), n, [None, buffer(offsets, "<i8"), text])
        inner = _arrow_array([text for value in values for text in value], "string").cast(pa.string())
        return pa.ListArray.from_arrays(pa.Array.from_buffers(pa.int32(), n + 1, [None, buffer(offsets, "<i4")]), inner)
    if kind == "bool":
        bits = np.packbits(np.asarray(values, bool), bitorder="little")
        return pa.Array.from_buffers(pa.bool_(), n, [None, pa.py_buffer(bits)])
    arrow, dtype = {"float64": (pa.float64(), "<f8"), "int64": (pa.int64(), "<i8")}[kind]
    return pa.Array.from_buffers(arrow, n, [None, buffer(values, dtype)])


def read_table(path: Path | str, columns: list[str] | None = None) -> "pd.DataFrame":
    """Read a Parquet table. Raises DamagedFile."""
    import pandas as pd
    import pyarrow as pa

    data = checked_bytes(path)
    try:
        return pd.read_parquet(io.BytesIO(data), columns=columns, engine="pyarrow")
    except (pa.ArrowException, OSError) as error:
        raise DamagedFile(path, f"no Parquet table: {str(error)[:200]}", sealed=is_sealed(data)) from None


def read_tables(paths: list[Path] | list[str], columns: list[str] | None = None) -> "pd.DataFrame":
    """Read several Parquet tables of one schema below one another, in the order given."""
    import pandas as pd

    frames = [read_table(path, columns) for path in paths]
    full = [frame for frame in frames if len(frame)]
    return pd.concat(full or frames[:1], ignore_index=True)


def write_tsv(path: Path | str, table: "pd.DataFrame") -> None:
    """Write a tidy table as tab-separated text for people and spreadsheets: text guarded, numbers with six digits."""
    with replacing(path) as temporary:
        guarded(table).to_csv(temporary, sep="\t", index=False, lineterminator="\n", float_format="%.6g")


def guarded(table: "pd.DataFrame") -> "pd.DataFrame":
    """The table with text that no spreadsheet runs and no line breaks (faults.md, row 26); numbers are left alone."""
    import pandas as pd

    made = table.copy()
    for column in made.columns:
        if not pd.api.types.is_numeric_dtype(made[column]):
            made[column] = made[column].astype(object).map(guarded_cell, na_action="ignore")
    return made.rename(columns=guarded_cell)


def guarded_cell(value: Any) -> Any:
    """Text with an apostrophe before a leading = + - @, with tabs and line breaks escaped; else the value."""
    if not isinstance(value, str):
        return value
    escaped = value.translate(_ESCAPES)
    return f"'{escaped}" if value.lstrip().startswith(_FORMULA) else escaped


def write_json(path: Path | str, content: Any) -> None:
    """Write JSON with sorted keys and a final newline; NaN and infinities are errors. A mapping gets a checksum."""
    sealed = {**content, CHECKSUM: UNSEALED} if isinstance(content, dict) else content
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(sealed, indent=1, sort_keys=True, allow_nan=False) + "\n")
        if isinstance(content, dict):
            seal(temporary)


def read_json(path: Path | str) -> Any:
    """Read JSON; the checksum of a mapping is verified and left out. Raises DamagedFile."""
    data = checked_bytes(path)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DamagedFile(path, f"no JSON: {error}", sealed=is_sealed(data)) from None
    if isinstance(content, dict):
        content.pop(CHECKSUM, None)
    return content


@contextmanager
def writing_store(path: Path | str, attributes: dict[str, Any] | None = None) -> Iterator["zarr.Group"]:
    """Yield a zarr v3 group; when the block ends it becomes the single file `path` (`….zarr.zip`).

    Create each array once, at its final shape, uncompressed (float32 EEG shrinks by 9-15 % only, and reads three times
    slower), and write it in whole chunks: `group.create_array(name, shape=…, chunks=…, dtype="float32",
    compressors=None)`.
    """
    import zarr

    path = Path(path)
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep_stale(path)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.{_writer()}.", suffix=".dir", dir=path.parent))
        try:
            yield zarr.create_group(store=str(folder), attributes=attributes or {}, zarr_format=3)
            with replacing(path) as temporary:
                _zip_folder(folder, temporary)
        except BaseException:
            _remove_abandoned(folder)
            raise
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove the folder of a store that failed: zarr's own threads may be writing, and make the folder anew."""
    gone = 0
    for _ in range(REMOVALS):
        shutil.rmtree(folder, ignore_errors=True)
        gone = 0 if folder.exists() else gone + 1
        if gone == 3:
            return
        time.sleep(0.02)


def _zip_folder(folder: Path, target: Path) -> None:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), ENTRY_DATE)
            entry.external_attr = 0o644 << 16
            entry.file_size = file.stat().st_size
            with archive.open(entry, "w") as inside, open(file, "rb") as content:
                shutil.copyfileobj(content, inside, 1 << 22)
            file.unlink()
        archive.comment = archive_seal(archive)


@contextmanager
def reading_store(path: Path | str) -> Iterator["zarr.Group"]:
    """Yield the zarr group in the file `path`, read-only. Read arrays inside the block: `group[name][...]`.

    Raises DamagedFile: at once where the table of entries is damaged, else where a damaged array is read.
    """
    import zarr

    check_archive(path)
    store = zarr.storage.ZipStore(str(path), mode="r")
    try:
        yield zarr.open_group(store, mode="r", zarr_format=3)
    except (zipfile.BadZipFile, EOFError) as error:
        raise DamagedFile(path, str(error), sealed=True) from None
    finally:
        store.close()


def digest_file(path: Path | str) -> str:
    """BLAKE2b digest (hex, 32 characters) of a file's bytes."""
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as content:
        while block := content.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def digest_result(path: Path | str) -> str:
    """Digest by which two results are compared: decoded arrays and attributes of a store, bytes of any other file."""
    if not str(path).endswith(".zarr.zip"):
        return digest_file(path)
    digest = hashlib.blake2b(digest_size=16)
    with reading_store(path) as group:
        digest.update(json.dumps(dict(group.attrs), sort_keys=True).encode())
        for name, array in sorted(_arrays(group)):
            head = (name, array.shape, str(array.dtype), json.dumps(dict(array.attrs), sort_keys=True))
            digest.update(repr(head).encode())
            digest.update(array[...].tobytes())
    return digest.hexdigest()


def _arrays(group: "zarr.Group", prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, array in group.arrays():
        yield f"{prefix}{name}", array
    for name, inner in group.groups():
        yield from _arrays(inner, f"{prefix}{name}/")
