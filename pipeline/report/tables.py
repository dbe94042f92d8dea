"""Tables beside the page, as CSV for people and Parquet for programs."""

from pathlib import Path

import pandas as pd

from pipeline.store import guarded, replacing, write_table


def write_both(folder: Path, name: str, frame: pd.DataFrame) -> None:
    """Write `<name>.csv` and `<name>.parquet`."""
    write_table(folder / f"{name}.parquet", frame)
    with replacing(folder / f"{name}.csv") as temporary:
        guarded(frame).to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
