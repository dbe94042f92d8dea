"""Tables beside the page, as CSV for people and Parquet for programs."""

from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.store import replacing, write_table

_RISKY = ("=", "+", "-", "@", "\t", "\r")


def write_both(folder: Path, name: str, frame: pd.DataFrame) -> None:
    """Write `<name>.csv` and `<name>.parquet`."""
    write_table(folder / f"{name}.parquet", frame)
    with replacing(folder / f"{name}.csv") as temporary:
        guarded(frame).to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")


def guarded(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with an apostrophe before text that a spreadsheet would run as a formula; numbers are left alone."""
    made = frame.copy()
    for column in made.columns:
        if not pd.api.types.is_numeric_dtype(made[column]):
            made[column] = made[column].map(_guard).astype(object)
    return made.rename(columns=_guard)


def _guard(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_RISKY) else value
