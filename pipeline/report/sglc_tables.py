"""Tables of the learned graph's page: each column holds scores on one list of test clips, and says which."""

from collections.abc import Sequence
from typing import Any

from pipeline.report.blocks import Table, cell, with_interval
from pipeline.report.picture import plural
from pipeline.report.sglc_ablation import drawn_over
from pipeline.report.sglc_cells import as_published, published_lists
from pipeline.report.sglc_inventory import SHOWN, TRAINED

Row = dict[str, Any]
WORDS = {"weighted_f1": "weighted F1", "macro_f1": "macro F1", "recall": "recall", "auroc": "AUROC, one versus rest"}
GRID = {
    "labels_pct": "labels (%)", "encoder": "started from (digest)", "trained_epochs": "epochs trained",
    "learning_rate": "rate", "weight_decay": "decay", "pretraining_layers": "layers, pre-training",
    "ggnn_steps": "GGNN steps", "diffusion_steps": "diffusion steps",
}  # fmt: skip
NO_SUPPORT = "n/a"
COUNTED = "n_clips_"  # training clips of each class, by the names of their columns


def score_table(classes: int, rows: Sequence[Row], lists: Sequence[Row]) -> Table:
    """One row a model; columns: weighted and macro F1 on each list, then published ones with their list."""
    own = [row for row in rows if row["classes"] == classes]
    measured = [row for row in own if row["origin"] == "measured"]
    runs, names = _labels(measured), _distinct(measured, "list")
    published = [row for row in own if row["origin"] == "published"]
    columns = [(name, metric) for name in names for metric in ("weighted_f1", "macro_f1")]
    heads = [f"{WORDS[metric]}, list {name}\n{_size(name, classes, lists)}" for name, metric in columns]
    others = _distinct(published, "list")
    body = [
        [label, *(_score(_one(measured, run, name, metric)) for name, metric in columns),
         *(_printed(published, label, name) for name in others)]
        for run, label in runs.items()
    ]  # fmt: skip
    printed = [f"published, weighted F1, TUSZ v1.5.2\nlist: {name}" for name in others]
    caption = (
        f"{classes} classes: mean over seeds [patient interval] ± standard deviation over seeds; published: context"
    )
    return Table(f"scores-{classes}", caption, ["model", *heads, *printed], body)


def class_table(classes: int, name: str, metric: str, rows: Sequence[Row], lists: Sequence[Row]) -> Table:
    """One row a model, one column a class, all of them; `n/a` where the list holds no clip of it."""
    own = [row for row in rows if (row["classes"], row["list"], row["metric"]) == (classes, name, metric)]
    holds = next(row for row in lists if (row["classes"], row["list"]) == (classes, name))
    heads = [f"{about}\n{plural(count, 'clip')}" for about, count in holds["of_class"]]
    words = WORDS[metric][0].upper() + WORDS[metric][1:]
    lone = {about for about, _ in holds["of_class"] if holds["patients_of_class"].get(about) == 1}
    body = []
    for run, label in _labels(own).items():
        cells = {about: _one(own, run, name, metric, about) for about, _ in holds["of_class"]}
        body.append([label, *(_class_score(found, lone=about in lone) for about, found in cells.items())])
    missing = dict.fromkeys(row["reason"] for row in own if row["value"] is None and row["reason"])
    caption = f"{words} of each class, {classes} classes, list {name}"
    caption += f"; {NO_SUPPORT}: {', or '.join(missing)}" if missing else ""
    caption += f"; no interval: the clips of {', '.join(sorted(lone))} are of one patient" if lone else ""
    return Table(f"{metric}-{classes}-{name}", caption, ["model", *heads], body, folded=metric != "recall")


def list_table(lists: Sequence[Row]) -> Table:
    """What each list holds here, and the two published lists of TUSZ v1.5.2 for comparison."""
    seen = [row | {"where": "this corpus"} for row in lists]
    printed = [row | {"where": "TUSZ v1.5.2, published"} for row in published_lists()]
    body = [
        [f"{row['list']}, {row['classes']} classes", row["where"], cell(row["clips"]), cell(row["patients"]),
         _of_class(row), cell(row["majority_weighted_f1"])]
        for row in [*seen, *printed]
    ]  # fmt: skip
    heads = ["list", "counted in", "clips", "patients", "clips of each class", "weighted F1 of the majority guess"]
    return Table("lists", "Lists of test clips", heads, body, frozenset({2, 3, 5}))


def differing_lists(lists: Sequence[Row]) -> list[str]:
    """One sentence for each list that bears a published name and holds something else here."""
    known = {row["list"]: row for row in published_lists()}
    return [
        f"List {row['list']} holds {plural(row['clips'], 'clip')} of {plural(row['patients'], 'patient')} "
        f"({_of_class(row)}) here, published {known[row['list']]['clips']} of {known[row['list']]['patients']} "
        f"({_of_class(known[row['list']])}): scores on it are on other clips."
        for row in lists
        if as_published(row) is False
    ]


def absent_patients(lists: Sequence[Row]) -> list[str]:
    """One sentence for each list that leaves out patients who are not tested here: left out already, or misspelt."""
    absent = {row["list"]: row["absent"] for row in lists if row["absent"]}
    return [
        f"List {name}: of the patients to leave out, {', '.join(names)} {'is' if len(names) == 1 else 'are'} not among "
        "the test patients here: left out already, or written otherwise in this corpus."
        for name, names in absent.items()
    ]


def grid_table(grid: Sequence[Row]) -> Table:
    """What was trained, by the models' cards; columns in which nothing stands are left out."""
    names = ["seeds", "labels_pct", "encoder", *SHOWN, *TRAINED, "trained_epochs", "parameters"]
    kept = [name for name in names if any(row.get(name) is not None for row in grid)]
    body = [[row["run"], *(_plain(row.get(name)) for name in kept)] for row in grid]
    heads = ["run or encoder", *(GRID.get(name, name.replace("_", " ")) for name in kept)]
    return Table("grid", "What was trained, by the cards of the models", heads, body, folded=True)


def fraction_table(rows: Sequence[Row], lists: Sequence[Row]) -> Table:
    """One row a model and share; weighted and macro F1 on each list in a column of its own."""
    classes = [name for name, _ in lists[0]["of_class"]]
    mean = [row for row in rows if row["seed"] == -1]
    names, curves = _distinct(mean, "list"), dict.fromkeys((row["label"], row["fraction"]) for row in mean)
    columns = [(name, metric) for name in names for metric in ("weighted_f1", "macro_f1")]
    body = []
    for label, share in curves:
        own = {row["list"]: row for row in mean if (row["label"], row["fraction"]) == (label, share)}
        first = next(iter(own.values()))
        clips = ", ".join(f"{name} {_plain(first[COUNTED + name])}" for name in classes)
        scores = [_score(_of_metric(own[name], metric)) for name, metric in columns]
        body.append([f"{label}\n{share} %", _plain(first["n_patients"]), clips, *scores])
    heads = [f"{WORDS[metric]}, list {name}" for name, metric in columns]
    caption = f"Share of the labels: mean over seeds [interval over {drawn_over(mean)}] ± standard deviation over seeds"
    return Table("fractions", caption, ["model, share", "training patients", "training clips", *heads], body)


def ablation_table(rows: Sequence[Row]) -> Table:
    """One row a list and comparison, with what it says."""
    body = [
        [f"{row['first']} less {row['second']}", str(row["list"]), cell(row["value_first"]), cell(row["value_second"]),
         with_interval(row["difference"], row["low"], row["high"]), cell(row["p"]), cell(row["p_holm"]), row["claim"]]
        for row in rows
    ]  # fmt: skip
    heads = ["comparison", "list", "learned", "fixed graph", "difference [interval]", "p", "p, Holm", "in words"]
    caption = f"Weighted F1, paired; intervals over {drawn_over(rows)}"
    return Table("ablation", caption, heads, body, frozenset({2, 3, 5, 6}))


def _of_class(row: Row) -> str:
    return ", ".join(f"{name} {count}" for name, count in row["of_class"])


def _of_metric(row: Row, metric: str) -> Row:
    return {"value": row[metric], "n_seeds": row["n_seeds"], "reason": ""} | {
        part: row[f"{metric}_{part}"] for part in ("std", "low", "high")
    }


def _score(row: Row | None) -> str:
    if row is None:
        return ""
    if row["value"] is None:
        return NO_SUPPORT
    spread = f"\n±\u00a0{row['std']:.3f}" if row["std"] is not None else ""
    return with_interval(row["value"], row["low"], row["high"]) + spread


def _class_score(row: Row | None, *, lone: bool) -> str:
    """`lone`: all clips of the class are of one patient, whom a draw holds or not: there is nothing to vary."""
    return _score(row if row is None or not lone else row | {"low": None, "high": None})


def _printed(published: Sequence[Row], label: str, name: str) -> str:
    """A published value beside each variant of its model; the page says why (`MIXED`)."""
    start = label.rpartition(", ")[2]
    system = "SGLC" if label.startswith("SGLC") else label.split(", ")[0]
    row = next((one for one in published if one["list"] == name and one["label"] == f"{system}, {start}"), None)
    if row is None:
        return ""
    return f"{row['value']:.3f}" + (f"\u00a0±\u00a0{row['std']:.3f}" if row["std"] is not None else "")


def _labels(rows: Sequence[Row]) -> dict[str, str]:
    """Run -> label: two runs may be called alike, and have a row each."""
    return {str(row["run"]): str(row["label"]) for row in rows}


def _one(rows: Sequence[Row], run: str, name: str, metric: str, about: str = "") -> Row | None:
    wanted = (run, name, metric, about)
    return next((row for row in rows if (row["run"], row["list"], row["metric"], row["class"]) == wanted), None)


def _size(name: str, classes: int, lists: Sequence[Row]) -> str:
    row = next(one for one in lists if (one["list"], one["classes"]) == (name, classes))
    guess = cell(row["majority_weighted_f1"])
    return f"{plural(row['clips'], 'clip')}, {plural(row['patients'], 'patient')}; majority guess {guess}"


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return "–" if value is None else str(value)


def _distinct(rows: Sequence[Row], key: str) -> list[str]:
    return list(dict.fromkeys(str(row[key]) for row in rows))
