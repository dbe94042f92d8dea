"""Tables beside the page, as CSV for people and Parquet for programs."""

from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.store import guarded, replacing, write_table


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as mappings from column to value."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def write_both(folder: Path, name: str, frame: pd.DataFrame) -> None:
    """Write `<name>.csv` and `<name>.parquet`."""
    write_table(folder / f"{name}.parquet", frame)
    with replacing(folder / f"{name}.csv") as temporary:
        guarded(frame).to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
