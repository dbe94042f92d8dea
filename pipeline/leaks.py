"""The same patient, or the same samples, where they must not be: in two splits, or twice (formats.md, T02, T46).

Works on the table `segments`: recording, segment, patient, split, digest of the samples.
"""

from typing import TYPE_CHECKING

from pipeline.findings import Findings

if TYPE_CHECKING:
    import pandas as pd


def leaks(segments: "pd.DataFrame") -> list[str]:
    """One sentence for each patient, and each set of equal samples, that is in more than one split."""
    problems = []
    for patient, group in segments.groupby("patient", sort=True):
        if group["split"].nunique() > 1:
            problems.append(f"patient {patient} is in {' and '.join(sorted(group['split'].unique()))}")
    for _, group in _repeated(segments):
        if group["split"].nunique() > 1:
            names = sorted(f"{row.recording}/{row.segment} ({row.split})" for row in group.itertuples())
            problems.append(f"the same samples are in {' and '.join(names)}")
    return problems


def leaks_between(learnt: "pd.DataFrame", tested: "pd.DataFrame") -> list[str]:
    """What the segments that a model learnt from share with those it is tested on: patients by name, equal samples."""
    problems = []
    if patients := sorted(set(learnt["patient"]) & set(tested["patient"])):
        problems.append(f"{len(patients)} patients are in both: {_named(patients)}")
    if digests := set(learnt["digest"]) & set(tested["digest"]):
        recordings = tested.loc[tested["digest"].isin(digests), "recording"]
        problems.append(f"the same samples are in both: {_named(sorted(recordings.unique()))}")
    return problems


def _named(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")


def report_duplicates(segments: "pd.DataFrame", findings: Findings) -> set[str]:
    """Recordings that repeat the samples of another; each is one finding (but not the first of a set)."""
    repeated: dict[str, str] = {}
    for _, group in _repeated(segments):
        names = sorted(group["recording"].unique())
        patients = ", ".join(sorted(group["patient"].unique()))
        if len(names) == 1:
            repeated.setdefault(names[0], f"{names[0]} holds the same samples in several segments")
        for name in names[1:]:
            repeated.setdefault(name, f"{name} has the same samples as {names[0]} (patients {patients})")
    for name, message in repeated.items():
        findings.for_recording(name).add("duplicate_samples", message, action="note", value=name)
    return set(repeated)


def _repeated(segments: "pd.DataFrame") -> list[tuple[str, "pd.DataFrame"]]:
    """Digest and rows of each set of segments with equal samples."""
    twice = segments[segments["digest"].duplicated(keep=False)]
    return [(str(digest), group) for digest, group in twice.groupby("digest", sort=True)]
