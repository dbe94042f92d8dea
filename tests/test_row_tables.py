"""Rows written without pandas read back as the same DataFrame that pandas would have written."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from pipeline.findings import COLUMN_TYPES, Findings
from pipeline.store import read_table, write_rows, write_table

ROOT = Path(__file__).parents[1]
TYPES = {"name": "string", "x": "float64", "n": "int64", "yes": "bool", "labels": "object"}
ROWS = [
    {"name": "ü\t=1", "x": 0.1, "n": 2**40, "yes": True, "labels": ["a", "b"], "more": 1},
    {"name": "", "x": float("nan"), "n": -1, "yes": False, "labels": []},
]


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], []])
def test_rows_read_back_as_the_table_that_pandas_writes(tmp_path, rows):
    write_rows(tmp_path / "rows.parquet", rows, TYPES)
    write_table(tmp_path / "table.parquet", pd.DataFrame(rows, columns=list(TYPES)).astype(TYPES))
    one, two = read_table(tmp_path / "rows.parquet"), read_table(tmp_path / "table.parquet")
    assert_frame_equal(one, two)
    assert (one.dtypes == two.dtypes).all()


def test_equal_rows_give_equal_bytes(tmp_path):
    for name in ("one", "two"):
        write_rows(tmp_path / name, ROWS, TYPES)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_findings_either_way(tmp_path):
    findings = Findings(corpus="c", recording="r")
    findings.add("truncated", "cut", seconds_affected=3)
    write_rows(tmp_path / "rows.parquet", findings.to_rows(), COLUMN_TYPES)
    assert_frame_equal(read_table(tmp_path / "rows.parquet"), findings.to_frame())


def test_a_row_without_a_column_is_an_error(tmp_path):
    with pytest.raises(KeyError):
        write_rows(tmp_path / "rows.parquet", [{"name": "x"}], TYPES)
    assert not list(tmp_path.iterdir())


def test_indexing_never_imports_pandas(tmp_path):
    """64 shards are 64 processes: what they import is most of what they cost."""
    check = (
        "import sys; from pipeline.stages import index; from pipeline.store import write_rows;"
        "from pipeline.plugins import load_plugin; load_plugin('corpora', 'tusz');"
        "row = dict.fromkeys(index.RECORDINGS, 'x') | {'duration_s': 1.0, 'rate_hz': 2.0, 'n_signals': 3,"
        " 'labels': ['a'], 'labelled': True, 'synthetic': False};"
        f"write_rows({str(tmp_path / 'x.parquet')!r}, [row], index.RECORDINGS);"
        "print([m for m in ('pandas', 'scipy', 'zarr', 'torch', 'mne') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
