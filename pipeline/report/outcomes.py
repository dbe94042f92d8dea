"""What became of every EDF: used, used with findings, skipped or rejected; exactly one of the four (faults.md, 1).

Skipped: nothing in it can be used as the settings stand. Rejected: it can be read, but it contradicts itself, its
annotation or the model, so that numbers from it would be wrong (`pipeline.findings.CONTRADICTIONS`).
"""

from typing import Any

import pandas as pd

from pipeline.clips import seizure_events

USED, NOTED, SKIPPED, REJECTED = OUTCOMES = ("used", "used with findings", "skipped", "rejected")
COLUMNS = {
    "recording": "string", "patient": "string", "split": "string", "outcome": "string", "codes": "string",
    "duration_s": "float64", "used_s": "float64", "rate_hz": "float64", "n_signals": "Int64", "seizures": "Int64",
    "reason": "string",
}  # fmt: skip


def outcomes(
    found: pd.DataFrame,
    recordings: pd.DataFrame,
    seizures: pd.DataFrame,
    segments: pd.DataFrame,
    findings: pd.DataFrame,
) -> pd.DataFrame:
    """One row an EDF with the columns of COLUMNS, in the order of `found`.

    Parameters
    ----------
    found
        recording, patient, split of every EDF that the scan has found; split `none`: dealt into none.
    recordings, seizures, segments, findings
        What `index` and `ingest` made of them (docs/architecture.md).

    Raises
    ------
    ValueError
        For an EDF that is neither used nor explained by a finding: nothing may be lost in silence.
    """
    indexed = recordings.set_index("recording")
    used_s = segments.groupby("recording")["duration_s"].sum()
    events = seizure_events(seizures).groupby("recording").size() if len(seizures) else pd.Series(dtype="int64")
    notes = {str(name): rows for name, rows in findings.groupby("recording", sort=False)}
    made = []
    for entry in found.itertuples():
        name = str(entry.recording)
        outcome, reason = _outcome(name, name in used_s.index, notes.get(name))
        known = indexed.loc[name] if name in indexed.index else None
        made.append({
            "recording": name, "patient": entry.patient, "split": entry.split, "outcome": outcome, "reason": reason,
            "codes": ", ".join(dict.fromkeys(notes[name]["code"])) if name in notes else "",
            "used_s": float(used_s.get(name, 0.0)),
            **_from_index(known, int(events.get(name, 0))),
        })  # fmt: skip
    return pd.DataFrame(made, columns=list(COLUMNS)).astype(COLUMNS)


def _outcome(name: str, used: bool, notes: pd.DataFrame | None) -> tuple[str, str]:
    """The outcome of an EDF, and for one that is left out the message that says why."""
    if used:
        return (USED, "") if notes is None else (NOTED, "")
    if notes is not None:
        for kind in (notes[notes["severity"] == "error"], notes[notes["action"].isin(["error", "skip"])]):
            if len(kind):
                last = kind.iloc[-1]
                return (REJECTED if last["action"] == "error" else SKIPPED), str(last["message"])
    raise ValueError(f"{name} was found and is neither used nor explained by a finding")


def _from_index(known: Any, events: int) -> dict[str, Any]:
    if known is None:
        return {"duration_s": float("nan"), "rate_hz": float("nan"), "n_signals": pd.NA, "seizures": pd.NA}
    return {
        "duration_s": known["duration_s"],
        "rate_hz": known["rate_hz"],
        "n_signals": known["n_signals"],
        "seizures": events if known["labelled"] else pd.NA,
    }


def counted(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """One row a value of the column `by`: EDFs found, each outcome, usable hours, seizures in what is used."""
    rows = []
    for value, part in table.groupby(by, sort=False):
        count = part["outcome"].value_counts()
        rows.append({
            by: value, "EDFs found": len(part), **{outcome: int(count.get(outcome, 0)) for outcome in OUTCOMES},
            "usable hours": part["used_s"].sum() / 3600,
            "seizures": int(part.loc[part["outcome"].isin([USED, NOTED]), "seizures"].sum()),
        })  # fmt: skip
    return pd.DataFrame(rows)
