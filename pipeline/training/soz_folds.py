"""Outer and inner folds of the SOZ arm: who is tested, who stops and calibrates, who trains (spec soz.md, section 7).

Folds are of patients, never of clips or contacts. Dealing looks at implant and outcome alone, never at SOZ labels: a
test patient's labels move nobody. A patient whose labels cannot teach (none, or of one class) is dealt like any other,
and marked.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from pipeline.corpora.shards import stable_share
from pipeline.findings import CorpusError
from pipeline.settings.soz import SozFolds

PARTS = ("train", "inner", "test")
LABELS = ("soz", "strict")  # columns of the table: whether the patient's contacts teach under these labels
COLUMNS = {
    "fold": "int64", "patient": "string", "part": "string", "soz": "bool", "strict": "bool", "implant": "string",
    "outcome": "string", "corpus": "string",
}  # fmt: skip


class Leak(CorpusError):
    """A patient in two parts of one fold. Never a matter of settings: no fold is written."""


def patient_table(recordings: pd.DataFrame, contacts: pd.DataFrame, patients: pd.DataFrame) -> pd.DataFrame:
    """One row a patient with recordings, by name: patient, corpus, implant, outcome, soz, strict, shared.

    `soz`: its used contacts hold both classes. `strict`: Engel I, and both classes where a contact is positive if it is
    SOZ and resected (a SOZ contact of which nothing says whether it was resected counts as neither). `shared`: the
    corpus's adapter says that the patient is in another corpus, too.
    """
    corpora = recordings.groupby("patient")["corpus"].agg(lambda own: ",".join(sorted(set(own))))
    facts = patients.drop_duplicates("patient").set_index("patient")
    shared = set(patients.loc[patients["shared_with"].fillna("") != "", "patient"])
    known = contacts[contacts["used"]].drop_duplicates(["patient", "channel"])
    teaches = {kind: _both_classes(known, strict_soz(known) if kind == "strict" else known["soz"]) for kind in LABELS}
    rows = []
    for name in sorted(corpora.index):
        implant, outcome = (str(facts.at[name, key]) if name in facts.index else "" for key in ("implant", "outcome"))
        soz, strict = (name in teaches[kind] for kind in LABELS)
        rows.append((name, corpora[name], implant, outcome, soz, strict and outcome == "good", name in shared))
    return pd.DataFrame(rows, columns=["patient", "corpus", "implant", "outcome", "soz", "strict", "shared"])


def strict_soz(table: pd.DataFrame) -> pd.Series:
    """SOZ and resected, of the columns `soz` and `resected`, in three-valued logic: False and unknown is False."""
    return table["soz"].astype("boolean") & table["resected"].astype("boolean")


def _both_classes(contacts: pd.DataFrame, labels: pd.Series) -> set[str]:
    known = labels.astype("boolean").dropna().astype(bool)
    counts = known.groupby(contacts.loc[known.index, "patient"]).nunique()
    return set(counts.index[counts == 2])


def deal_folds(patients: pd.DataFrame, settings: SozFolds, *, listed: Sequence[str] = ()) -> pd.DataFrame:
    """All folds, columns COLUMNS: in each of them every patient is of one part, or (scheme corpora) left out.

    `listed`: the patients, or corpora, for each of which a fold was planned by what lies on disk (schemes patients and
    corpora). Raises CorpusError where one of them cannot be tested, there are too few patients, or none that teach.
    """
    tests = _outer(patients, settings)
    _check_planned(patients, tests, settings, listed)
    rows = [row for fold, tested in enumerate(tests) for row in _fold(patients, tested, fold, settings)]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    check_disjoint(table)
    return table


def _outer(patients: pd.DataFrame, settings: SozFolds) -> list[set[str]]:
    """The patients that each fold tests."""
    names = _stratified(patients, "outer", settings.seed)
    if settings.scheme == "corpora":
        return _by_corpus(patients)
    count = len(names) if settings.scheme == "patients" else settings.outer
    if len(names) < max(count, 2):
        raise CorpusError(f"{len(names)} patients for {count} folds; set soz.folds.outer lower, or add patients")
    if settings.scheme == "patients":
        return [{name} for name in sorted(names)]
    return [set(names[fold::count]) for fold in range(count)]


def _check_planned(
    patients: pd.DataFrame, tests: Sequence[set[str]], settings: SozFolds, listed: Sequence[str]
) -> None:
    """Raise CorpusError for a fold that was planned and has nobody to test: its models would never come to be."""
    of = {"patients": "patient", "corpora": "corpus"}.get(settings.scheme)
    if of is None or not listed:
        return
    tested = patients[patients["patient"].isin(set().union(*tests))]
    if missing := sorted(set(listed) - set(tested[of])):
        why = "no recording of it can be used" if of == "patient" else "no patient of it alone has a usable recording"
        raise CorpusError(
            f"{of} {missing[0]}: {why}, and soz.folds.scheme: {settings.scheme} plans a fold for each {of} "
            f"({len(missing)} such: {', '.join(missing[:8])}); mend the recordings (see the findings of soz_index), or "
            + ("move its folder away" if of == "patient" else "take it out of soz.joined")
        )


def _by_corpus(patients: pd.DataFrame) -> list[set[str]]:
    """Each corpus is tested once; a patient of two corpora (spec, section 9: pt1-3, jh103, jh105) in no test."""
    own = patients[~patients["corpus"].str.contains(",") & ~patients["shared"]]
    tests = [set(own.loc[own["corpus"] == corpus, "patient"]) for corpus in sorted(set(own["corpus"]))]
    if len(tests) < 2:
        raise CorpusError("soz.folds.scheme: corpora needs two corpora; name another under soz.joined")
    return tests


def _fold(patients: pd.DataFrame, tested: set[str], fold: int, settings: SozFolds) -> list[tuple[Any, ...]]:
    """Rows of one fold: the tested, then an inner part dealt among those of the others that teach."""
    others = patients[~patients["patient"].isin(tested)]
    if settings.scheme == "corpora":
        others = _elsewhere(others, patients[patients["patient"].isin(tested)])
    teaching = others[others["soz"]]
    if len(teaching) < 2:
        raise CorpusError(
            f"fold {fold}: {len(teaching)} of {len(others)} patients outside the test have contacts of both classes; "
            "one has to train and another to stop the training: add labelled patients, or set soz.folds.outer lower"
        )
    inner = _inner(teaching, fold, settings)
    part = dict.fromkeys(tested, "test") | {name: "inner" if name in inner else "train" for name in others["patient"]}
    return [
        (fold, row.patient, part[row.patient], row.soz, row.strict, row.implant, row.outcome, row.corpus)
        for row in patients.itertuples()
        if row.patient in part
    ]


def _elsewhere(others: pd.DataFrame, tested: pd.DataFrame) -> pd.DataFrame:
    """Patients that have no recording in the tested corpus."""
    corpora = set(tested["corpus"])
    return others[[not corpora & set(names.split(",")) for names in others["corpus"]]]


def _inner(teaching: pd.DataFrame, fold: int, settings: SozFolds) -> set[str]:
    """A share of the patients, at least one and never all, evenly spaced in their stratified order.

    One of them teaches under strict labels, too, if another such patient is left to train: the folds are the same.
    """
    names = _stratified(teaching, "inner", settings.seed, fold)
    wanted = min(len(names) - 1, max(1, round(len(names) * settings.inner_share)))
    chosen = [names[(2 * k + 1) * len(names) // (2 * wanted)] for k in range(wanted)]
    able = set(teaching.loc[teaching["strict"], "patient"])
    if len(able) > 1 and not able & set(chosen):
        chosen[-1] = next(name for name in names if name in able)
    return set(chosen)


def _stratified(patients: pd.DataFrame, *salt: object) -> list[str]:
    """Patients by implant x outcome, the rarest stratum first, within one by a seeded hash."""
    strata = list(zip(patients["implant"], patients["outcome"], strict=True))
    size = Counter(strata)
    order = sorted(
        zip(patients["patient"], strata, strict=True),
        key=lambda item: (size[item[1]], item[1], stable_share("soz", *salt, item[0]), item[0]),
    )
    return [name for name, _ in order]


def check_disjoint(table: pd.DataFrame) -> None:
    """Raise Leak where a patient has two rows in one fold, or a part that is none."""
    twice = table[table.duplicated(["fold", "patient"])]
    if len(twice):
        raise Leak(f"fold {twice['fold'].iloc[0]}: patient {twice['patient'].iloc[0]} is in two parts")
    if strange := sorted(set(table["part"]) - set(PARTS)):
        raise Leak(f"a fold has the part {strange[0]!r}; there are {', '.join(PARTS)}")


def fold_hash(table: pd.DataFrame) -> str:
    """Digest of who is of which part: of one fold, or of all. Labels do not enter it."""
    rows = sorted(zip(table["fold"].tolist(), table["patient"], table["part"], strict=True))
    text = "\n".join(f"{fold}\t{patient}\t{part}" for fold, patient, part in rows)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def members(table: pd.DataFrame, fold: int) -> dict[str, list[str]]:
    """The patients of each part of one fold, by name. Raises CorpusError for a fold that is not there."""
    own = table[table["fold"] == fold]
    if own.empty:
        there = ", ".join(str(number) for number in sorted(set(table["fold"])))
        raise CorpusError(f"there is no fold {fold}; folds.parquet has {there}")
    check_disjoint(own)
    return {part: sorted(own.loc[own["part"] == part, "patient"]) for part in PARTS}


def teachers(table: pd.DataFrame, fold: int, part: str, labels: str) -> list[str]:
    """The patients of a part whose contacts enter a loss, a calibrator or a threshold under these labels."""
    own = table[(table["fold"] == fold) & (table["part"] == part) & table[labels]]
    return sorted(own["patient"])


def summary(table: pd.DataFrame, settings: SozFolds, patients: pd.DataFrame) -> dict[str, Any]:
    """folds.json: the scheme, hashes, and how many patients there are, by part and by whether they teach."""
    folds: Sequence[int] = sorted(set(table["fold"].tolist()))
    return {
        "settings": settings.model_dump(mode="json", exclude={"labels"}),
        "hash": fold_hash(table),
        "patients": len(patients),
        "not_teaching": {kind: sorted(patients.loc[~patients[kind], "patient"]) for kind in LABELS},
        "folds": [_counts(table[table["fold"] == fold], fold) for fold in folds],
    }


def _counts(own: pd.DataFrame, fold: int) -> dict[str, Any]:
    counts = own["part"].value_counts()
    teaching = {kind: {part: int((own[kind] & (own["part"] == part)).sum()) for part in PARTS} for kind in LABELS}
    columns = [own[name].replace("", "unknown") for name in ("part", "implant", "outcome")]
    strata = Counter(" ".join(words) for words in zip(*columns, strict=True))
    return {
        "fold": fold,
        "hash": fold_hash(own),
        "parts": {part: int(counts.get(part, 0)) for part in PARTS},
        "teaching": teaching,
        "strata": dict(sorted(strata.items())),
    }
