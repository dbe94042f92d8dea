"""Counts of an indexed intracranial corpus, by which it is compared with what is published of it (docs/soz.md)."""

from collections import Counter
from collections.abc import Iterable
from math import isnan
from statistics import median
from typing import Any

from pipeline.corpora.ieeg.checks import SHORT_S
from pipeline.corpora.ieeg.tables import IndexRows, Row


def summary(rows: IndexRows) -> dict[str, Any]:
    """Counts by name. A contact counts once a patient, as the patient's first recording (ictal first) has it."""
    contacts = _of_first_recordings(rows)
    typed = [row for row in contacts if row["intracranial"]]
    brain = [row for row in typed if "nonbrain_named" not in row["flags"].split(",")]
    marked_good = [row for row in typed if row["status"] == "good"]
    soz = [row for row in brain if row["soz"]]
    lengths = [row["offset_s"] - row["onset_s"] for row in rows.seizures]
    return {
        "patients": len(rows.patients),
        "recordings": len(rows.recordings),
        "ictal recordings": sum(row["task"] == "ictal" for row in rows.recordings),
        "interictal recordings": sum(row["task"] == "interictal" for row in rows.recordings),
        "good contacts": len(marked_good),
        "good contacts dropped by name": sum("nonbrain_named" in row["flags"].split(",") for row in marked_good),
        "good contacts without coordinates": sum(isnan(row["x_mm"]) for row in marked_good),
        "good contacts a patient": _range([row["patient"] for row in marked_good]),
        "scalp and auxiliary channels dropped": len(typed) - len(brain),
        "SOZ contacts": len(soz),
        "SOZ contacts that are good": sum(row["good"] for row in soz),
        "SOZ contacts that are bad": sum(not row["good"] for row in soz),
        "SOZ contacts a patient": _range([row["patient"] for row in soz]),
        "resected contacts": sum(bool(row["resected"]) for row in brain),
        "contacts in use": sum(row["used"] for row in contacts),
        "seizures": len(lengths),
        f"seizures under {SHORT_S:g} s": sum(length < SHORT_S for length in lengths),
        "median seizure (s)": round(median(lengths), 1) if lengths else None,
        "implants": _counted(row["implant"] for row in rows.patients),
        "outcomes": _counted(row["outcome"] or "unknown" for row in rows.patients),
        "sampling rates (patients)": _counted(_rates(rows)),
    }


def _of_first_recordings(rows: IndexRows) -> list[Row]:
    """The contacts of each patient's first recording: ictal before interictal, then by name."""
    ordered = sorted(rows.recordings, key=lambda row: (row["task"] != "ictal", row["recording"]))
    first: dict[str, str] = {}
    for row in ordered:
        first.setdefault(row["patient"], row["recording"])
    chosen = set(first.values())
    return [row for row in rows.contacts if row["recording"] in chosen]


def _range(patients: list[str]) -> str:
    """`2-38, median 8`: how many of something the patients have who have any."""
    times = sorted(Counter(patients).values())
    return f"{times[0]}-{times[-1]}, median {median(times):g}" if times else "none"


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _rates(rows: IndexRows) -> list[str]:
    """The rate of each patient's first recording, as text."""
    rates: dict[str, str] = {}
    for row in rows.recordings:
        rates.setdefault(row["patient"], f"{row['rate_hz']:g}")
    return list(rates.values())
