"""Names in the pictures of an implant: none lies on another, and the highest rank always has its own."""

import pandas as pd

from pipeline.report.soz_implant import _apart


def contacts(x: list[float], y: list[float]) -> pd.DataFrame:
    names = [f"A{number}" for number in range(1, len(x) + 1)]
    return pd.DataFrame({"channel": names, "x": x, "y": y, "rank": range(1, len(x) + 1)})


def test_names_of_neighbours_give_way_to_the_higher_rank() -> None:
    shown = contacts([0.0, 3.0, 50.0, 52.0, 0.0], [0.0, 0.5, 0.0, 20.0, 40.0])
    assert [row["channel"] for row in _apart(shown, "x", "y")] == ["A1", "A3", "A4", "A5"]


def test_one_contact_and_contacts_at_one_place_keep_one_name() -> None:
    assert [row["channel"] for row in _apart(contacts([1.0], [1.0]), "x", "y")] == ["A1"]
    assert [row["channel"] for row in _apart(contacts([1.0, 1.0], [1.0, 1.0]), "x", "y")] == ["A1"]


def test_the_order_of_rows_does_not_matter() -> None:
    shown = contacts([0.0, 3.0, 50.0], [0.0, 0.5, 0.0])
    assert _apart(shown.iloc[::-1], "x", "y") == _apart(shown, "x", "y")
