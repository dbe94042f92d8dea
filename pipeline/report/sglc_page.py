"""The page of the learned graph's experiments: seizure types, shares of the labels, graphs that are not learned."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.report.blocks import Block, Figure, Links, Note, Points, Section, Text
from pipeline.report.page import Page
from pipeline.report.picture import Picture
from pipeline.report.provenance import versions
from pipeline.report.scoreboard import REAL_LINE, SYNTHETIC_LINE, read_picture
from pipeline.report.sglc_ablation import equal_budget
from pipeline.report.sglc_pictures import seeds_in_words
from pipeline.report.sglc_tables import (
    ablation_table,
    absent_patients,
    class_table,
    differing_lists,
    fraction_table,
    grid_table,
    list_table,
    score_table,
)
from pipeline.store import read_json

TARGETS = ("sglc_table", "label_fraction", "graph_ablation")
Content = dict[str, Any]
MIXED = (
    "Scores on two lists are scores on other patients: no column of this page holds two of them. The list behind the "
    "published numbers of SGLC is not stated, so that they are context for every column and the target of none. They "
    "were printed for the published model, and stand beside both variants as context, not as what the corrected one is "
    "to reach."
)
RARE = (
    "Macro F1 is the mean over classes with an F1. In a draw of patients that holds no clip of a class, and in which "
    "none is given it, the mean is over the others: where few patients hold a class, the interval of macro F1 is that "
    "of a score of changing classes."
)
UNITS = {
    "patient": "Whole training patients give their labels",
    "clip": "Every training patient gives a share of its clips' labels",
}
BOUNDED = (
    "The sentences below follow from the intervals by a rule. They hold for this corpus, these sizes and this "
    "training: a graph that does not help here may help where the class depends on who drives whom (docs/sglc.md)."
)
UNEVEN = "The runs differ in more than the graph; where they do, nothing is claimed"
CAVEATS = [
    ("Learned graphs.", "What training found useful for telling classes apart; not effective connectivity."),
    (
        "Intervals.",
        "Over patients, and for differences over seeds as well, where there are several: few make them wide.",
    ),
    ("Use.", "Research use only; not a medical device."),
]


def read_contents(folder: Path) -> dict[str, Content]:
    """What the three targets wrote for the page, by their names."""
    return {target: read_json(folder / f"{target}.json") for target in TARGETS}


def read_pictures(folder: Path) -> dict[str, Picture]:
    """Their pictures, by the same names."""
    return {target: read_picture(folder / "figures" / f"{target}.json") for target in TARGETS}


def sglc_page(
    contents: Mapping[str, Content], pictures: Mapping[str, Picture], *, title: str, graphs: Sequence[Section]
) -> Page:
    """The whole page; `graphs`: chapters on learned graphs, where some were exported."""
    first = contents["sglc_table"]
    parts = [
        _protocol(contents),
        _types(first, pictures["sglc_table"]),
        _fractions(contents["label_fraction"], pictures["label_fraction"]),
        _ablation(contents["graph_ablation"], pictures["graph_ablation"]),
        *graphs,
    ]
    return Page(
        title=f"{title}: SGLC",
        subtitle=f"The learned graph beside both DCRNNs on corpus “{first['corpus']}”",
        banner=SYNTHETIC_LINE if first["synthetic"] else REAL_LINE,
        synthetic=bool(first["synthetic"]),
        sections=parts,
        caveats=CAVEATS,
        provenance=[*versions(), ("Corpus", first["corpus"])],
    )


def _protocol(contents: Mapping[str, Content]) -> Section:
    grid = {row["run"]: row for content in contents.values() for row in content["grid"]}
    seeds = seeds_in_words(row["seeds"] for row in grid.values() if row["labels_pct"])
    shares = sorted({row["fraction"] for row in contents["label_fraction"]["rows"]})
    models = sum(row["seeds"] for row in grid.values() if row["labels_pct"])
    encoders = sum(not row["labels_pct"] for row in grid.values())
    text = (
        f"Grid that was run: {models} models of {len(grid) - encoders} runs with {seeds} "
        f"each, and {encoders} encoders; shares of the labels {', '.join(f'{share} %' for share in shares)}. Sizes, "
        "epochs and rates stand in the table, as the models' cards say them."
    )
    lists = contents["sglc_table"]["lists"]
    blocks: list[Block] = [Text(text), grid_table(list(grid.values())), Text(MIXED), list_table(lists)]
    notes = [Note(words) for words in (*differing_lists(lists), *absent_patients(lists))]
    return Section("protocol", "What was run, and on what", [*blocks, *notes])


def _types(content: Content, picture: Picture) -> Section:
    rows, lists = content["rows"], content["lists"]
    blocks: list[Block] = [score_table(classes, rows, lists) for classes in sorted({row["classes"] for row in lists})]
    for holds in lists:
        for metric in ("recall", "auroc"):
            blocks.append(class_table(holds["classes"], holds["list"], metric, rows, lists))
    return Section("types", "Seizure types", [Text(RARE), *blocks, Figure(picture), _links("sglc_table")])


def _fractions(content: Content, picture: Picture) -> Section:
    unit = next((row["label_unit"] for row in content["grid"] if row["label_unit"]), "patient")
    text = (
        f"{UNITS[unit]}, the smaller shares within the larger ones; pre-training, validation and test are the same for "
        "all. Each seed draws its own; numbers of patients and clips are means over seeds."
    )
    blocks: list[Block] = [
        Text(text),
        Figure(picture),
        fraction_table(content["rows"], content["lists"]),
        _links("label_fraction"),
    ]
    return Section("fractions", "Share of the labels", blocks)


def _ablation(content: Content, picture: Picture) -> Section:
    rows, budget = content["rows"], content["budget"]
    even = "The runs differ in the graph alone" if equal_budget(budget) else UNEVEN
    varied = [
        (f"{row['setting']}:", ", ".join(f"{run} {value}" for run, value in row["values"].items())) for row in budget
    ]
    claims = [(f"List {row['list']}.", row["claim"]) for row in rows]
    blocks: list[Block] = [
        Text(BOUNDED),
        Points(claims),
        Figure(picture),
        ablation_table(rows),
        Text(f"{even}:"),
        Points(varied),
    ]
    return Section("ablation", "Does learning the graph help?", [*blocks, _links("graph_ablation")])


def _links(target: str) -> Links:
    return Links([(f"{target}.{kind}", f"{target}.{kind}") for kind in ("csv", "parquet", "json")])
