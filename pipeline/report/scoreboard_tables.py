"""Tables of the scoreboard: each cell of the paper with what was measured, what was published, and the marks."""

from collections.abc import Sequence
from typing import Any

from pipeline.report.blocks import Group, Links, Note, Points, Table, Text, cell, with_interval
from pipeline.report.picture import plural
from pipeline.report.protocol import MEANING

Cell = dict[str, Any]
GRAPHS = {"distance": "Dist-", "correlation": "Corr-", "": ""}
STARTS = {
    "none": "without pre-training", "ssl": "with pre-training", "transfer": "transferred",
    "auxiliary": "with auxiliary loss",
}  # fmt: skip
METRICS = {
    "auroc": "AUROC", "weighted_f1": "weighted F1", "f1": "F1", "aupr": "AUPR", "sensitivity": "sensitivity",
    "specificity": "specificity", "macro_f1": "macro F1",
}  # fmt: skip
COUNTS = {
    "eeg_files": "EEG files", "eeg_files_seizure_pct": "EEG files with a seizure (%)", "patients": "patients",
    "patients_seizure_pct": "patients with a seizure (%)", "duration_min": "duration (min)",
    "duration_seizure_pct": "of it seizure (%)", "seizures": "seizures", "patients_with_class": "patients with",
    "clips": "clips", "clips_seizure_pct": "clips with a seizure (%)", "clips_with_seizure": "clips with a seizure",
    "pairs": "pairs of a clip and its successor",
}  # fmt: skip
TASKS = {
    "": "", "detection": "detection", "ssl_and_detection": "detection and pre-training", "ssl": "pre-training",
    "classification": "classification",
    **{f"classification_{n}": f"classification, {n} classes" for n in (4, 7, 8)},
}  # fmt: skip
BESIDE = ("macro_f1", "majority_weighted_f1")  # shown within the cell, or above the column, of weighted F1


def score_table(name: str, caption: str, cells: Sequence[Cell]) -> Table:
    """One row a model, one column a (task, clip length, metric, class); the other way round where it would be wide."""
    printed = [one for one in cells if one["metric"] not in BESIDE]
    rows, columns = _distinct(printed, row_of), _distinct(printed, column_of)
    found = {(row_of(one), column_of(one), one["metric"]): one for one in cells}
    body = []
    for row in rows:
        texts = [_score_text(found, row, column, printed) for column in columns]
        body.append([row, *texts])
    heads = [_head(column, [one for one in cells if column_of(one) == column]) for column in columns]
    if len(columns) > len(rows):
        turned = [[head, *(row[1 + k] for row in body)] for k, head in enumerate(heads)]
        return Table(name, caption, ["score", *rows], turned)
    return Table(name, caption, ["model", *heads], body)


def row_of(one: Cell) -> str:
    """`Corr-DCRNN with pre-training`; a time-domain model says so."""
    if one["model"] != "DCRNN":
        return str(one["model"])
    text = f"{GRAPHS[one['graph']]}DCRNN {STARTS[one['pretraining']]}"
    return text + (", time domain" if one["input_domain"] == "time" else "")


def column_of(one: Cell) -> str:
    """`detection, 12 s: AUROC`; what stands beside weighted F1 is in its column."""
    metric = "weighted_f1" if one["metric"] in BESIDE else one["metric"]
    length = f", {one['clip_s']:.0f} s" if one["clip_s"] else ""
    klass = f" {one['class']}" if one["class"] not in {"", "all"} else ""
    over = f", {one['over']}" if one["over"] else ""
    return f"{TASKS.get(one['task'], one['task'])}{length}: {METRICS.get(metric, metric)}{klass}{over}"


def _distinct(cells: Sequence[Cell], name: Any) -> list[str]:
    return list(dict.fromkeys(name(one) for one in cells))


def _head(column: str, cells: Sequence[Cell]) -> str:
    """The column's name, its test set, and what guessing the most frequent class would give."""
    known = [one for one in cells if one["n_clips"]]
    lines = [column]
    if known:
        lines += sorted({_size(one) for one in known})
    guesses = {one["measured"] for one in cells if one["metric"] == "majority_weighted_f1" and one["measured"]}
    lines += [f"most frequent class always: {guess:.3f}" for guess in sorted(guesses)]
    return "\n".join(lines)


def _size(one: Cell) -> str:
    """`n = 60 clips, 9 patients`, of them those with a seizure; of classification every clip has one."""
    text = f"n = {plural(int(one['n_clips']), 'clip')}, {plural(int(one['n_patients']), 'patient')}"
    if one["n_seizure_clips"] is None:
        return text
    ictal = f"{plural(int(one['n_seizure_clips']), 'clip')} of {plural(int(one['n_seizure_patients']), 'patient')}"
    return f"{text}; with a seizure {ictal}"


def _score_text(found: dict[tuple[str, str, str], Cell], row: str, column: str, cells: Sequence[Cell]) -> str:
    metric = next(one["metric"] for one in cells if column_of(one) == column)
    one = found.get((row, column, metric))
    if one is None:
        return ""
    lines = [_measured(one)]
    if (other := found.get((row, column, "macro_f1"))) and other["measured"] is not None:
        lines.append(f"macro\u00a0F1 {with_interval(other['measured'], other['low'], other['high'])}")
    lines.append(f"published\u00a0{_with_spread(one['published'], one['published_std'])}")
    if one["difference"] is not None:
        lines.append(f"difference\u00a0{one['difference']:+.3f}")
    seeds = plural(int(one["n_seeds"]), "seed") if one["n_seeds"] else ""
    return "\n".join([*lines, " · ".join(filter(None, (seeds, one["protocol"])))]).rstrip()


def _measured(one: Cell) -> str:
    if one["measured"] is None:
        return "not measured"
    spread = f"\u00a0±\u00a0{one['std']:.3f}" if one["std"] is not None else ""
    bounds = with_interval(one["measured"], one["low"], one["high"])
    value, _, interval = bounds.partition(" ")
    return f"{value}{spread}" + (f" {interval}" if interval else "")


def _with_spread(value: float | None, spread: float | None) -> str:
    if value is None:
        return "not in our transcription"
    return f"{value:.3f}" + (f"\u00a0±\u00a0{spread:.3f}" if spread is not None else "")


def count_table(name: str, caption: str, cells: Sequence[Cell]) -> Table:
    """One row a quantity, one column a split."""
    rows = _distinct(cells, _quantity)
    splits = [split for split in ("train", "validation", "test", "") if any(one["split"] == split for one in cells)]
    found = {(_quantity(one), one["split"]): one for one in cells}
    body = [[row, *(_count_text(found.get((row, split))) for split in splits)] for row in rows]
    return Table(name, caption, ["", *(split or "all" for split in splits)], body)


def _quantity(one: Cell) -> str:
    length = f", {one['clip_s']:.0f} s" if one["clip_s"] else ""
    task = f"{TASKS.get(one['task'], one['task'])}{length}: " if one["task"] else ""
    klass = f" {one['class']}" if one["class"] not in {"", "all"} else ""
    return f"{task}{COUNTS.get(one['metric'], one['metric'])}{klass}"


def _count_text(one: Cell | None) -> str:
    if one is None:
        return ""
    lines = ["not measured" if one["measured"] is None else _number(one, one["measured"])]
    if one["published"] is not None:
        lines.append(f"published {_number(one, one['published'])}")
    if one["difference"] is not None:
        lines.append(f"difference\u00a0{_signed(one)}")
    return "\n".join([*lines, *filter(None, [one["protocol"] if one["measured"] is not None else ""])])


def _signed(one: Cell) -> str:
    """Of rounded numbers, as they stand above it."""
    decimals = 1 if one["metric"].endswith("_pct") else 0
    value = round(one["measured"], decimals) - round(one["published"], decimals)
    return f"{value + 0.0:+,.{decimals}f}"


def _number(one: Cell, value: float) -> str:
    return cell(float(value), decimals=1) if one["metric"].endswith("_pct") else cell(round(value))


def remarks(content: dict[str, Any]) -> list[Text | Note | Points | Group | Links]:
    """Below a table: meaning of the marks, why cells are empty, how lambda was chosen, doubts about print, files."""
    cells = content["cells"]
    blocks: list[Text | Note | Points | Group | Links] = []
    if content["marks"]:
        legend = "; ".join(f"{letter}: {text}" for letter, text in ordered(content["marks"]).items())
        blocks.append(Text(f"Marks where the protocol differs from the published one. {legend}."))
    reasons = dict.fromkeys(one["reason"] for one in cells if one["measured"] is None and one["reason"])
    blocks += [Note(f"Not measured: {reason}.") for reason in reasons]
    chosen = {column_of(one): f"{row_of(one)}: {one['note']}." for one in cells if "lambda" in one["note"]}
    blocks += [Points([(f"{column}.", text) for column, text in chosen.items()])] if chosen else []
    if inner := [table for table in (protocol_table(content), note_table(content)) if table.rows]:
        blocks.append(Group("Protocol of every run or count, and notes on the printed values", list(inner)))
    name = content["table"]
    blocks.append(Links([(f"{name}.csv: every value with its marks in words", f"{name}.csv"),
                         (f"{name}.parquet", f"{name}.parquet")]))  # fmt: skip
    return blocks


def ordered(marks: dict[str, str]) -> dict[str, str]:
    """Marks in the order in which cells name them (a JSON file sorts its keys)."""
    return {letter: marks[letter] for letter in MEANING if letter in marks}


def protocol_table(content: dict[str, Any]) -> Table:
    """One row a run, or a kind of counts: what differs from the published protocol, in words."""
    runs: dict[str, str] = {}
    for one in content["cells"]:
        if one["run"] or one["measured"] is not None:
            runs.setdefault(_concerned(one), one["marks"] or "none")
    rows = [[name, marks.replace("; ", "\n")] for name, marks in runs.items()]
    return Table(
        f"{content['table']}-protocol", "What differs from the published protocol", ["run or counts", "marks"], rows
    )


def _concerned(one: Cell) -> str:
    """`dist-ssl, detection, 12 s`; of counts `clips: detection and pre-training, 12 s`."""
    length = f"{one['clip_s']:.0f} s" if one["clip_s"] else ""
    kind = "clips" if length or one["metric"].startswith("clips") else "files, patients, seizures"
    of = ", ".join(filter(None, (TASKS.get(one["task"], one["task"]), length)))
    return f"{one['run']}, {of}" if one["run"] else ": ".join(filter(None, (kind, of)))


def note_table(content: dict[str, Any]) -> Table:
    """Notes on published values: inferred, displaced, printed otherwise elsewhere."""
    found: dict[str, list[str]] = {}
    for one in content["cells"]:
        note = one["note"].partition("split=")[0].strip("; ")
        if note and one["published"] is not None and "lambda" not in note:
            found.setdefault(note, []).append(f"{row_of(one)}, {column_of(one)}" if one["model"] else _quantity(one))
    rows = [[note, str(len(where)), where[0]] for note, where in found.items()]
    return Table(f"{content['table']}-notes", "Notes on published values", ["note", "values", "first of them"], rows)
