"""The page of the planted graph: what the corpus holds, whether learning the graph helps, which edges were learned."""

from typing import Any

import pandas as pd

from pipeline.explain.planted_controls import CONTROLS
from pipeline.report.blocks import (
    Block,
    Figure,
    Links,
    Note,
    Points,
    Section,
    Table,
    Text,
    cell,
    table_of,
    with_interval,
)
from pipeline.report.page import Page
from pipeline.report.picture import Picture
from pipeline.report.provenance import versions
from pipeline.report.sglc_ablation import equal_budget
from pipeline.report.sglc_tables import ablation_table, grid_table
from pipeline.settings.driven import COUPLED_BEFORE_S, EVENT_S, DrivenSettings

Content = dict[str, Any]
BANNER = (
    "SYNTHETIC DATA: not even seizures are simulated here. The classes bear names of seizure types because the reader "
    "of the files knows these; a class is a graph of whose band power follows whose. No clinical claim."
)
CAVEATS = [
    ("Learned graphs.", "What training found useful for telling classes apart; not effective connectivity."),
    ("Both directions.", "The network sends messages along A and along its transpose: a pair that is joined the wrong "
     "way round can serve as well. Only the scores of a class and `all` know direction (rows `reversed`)."),
    ("One ranking.", "A head scores a pair by LeakyReLU(a1 z_i + a2 z_j): it ranks the senders alike for every "
     "receiver. A few common senders are what it expresses best; where receivers differ in whom they follow, weight "
     "falls on pairs that are not planted, too."),
    ("Few seeds.", "A random attention prefers some electrodes, and which ones differs from seed to seed. Intervals of "
     "edges are over patients and seeds, widened by Student's t for few seeds, and cut off where a score ends."),
    ("Use.", "Research use only; not a medical device."),
]  # fmt: skip
SCORES = (
    "Scored is the learner's own part of a graph, (A_t - λ A_0) / (1 - λ), mean over test clips, layers and seconds. "
    "For a class: less its mean over classes, against the edges of the class (`all`: the pairs of every class in one "
    "list). `any`: mean over classes, against the edges of any class. `drivers`: the same summed over receivers, "
    "against the electrodes that drive in any class. AUROC over ordered pairs of different electrodes. Untrained: the "
    "weights that the same seeds' trainings began with; the difference is paired by seed and patient."
)
COLUMNS = ["class", "direction", "auroc", "low", "high", "p", "untrained", "difference", "difference_low",
           "difference_high", "difference_p", "n_edges", "n_seeds"]  # fmt: skip
JUDGED = {"any": "pairs that are planted in any class", "all": "the pairs of each class, with their direction"}


def planted_page(
    ablation: Content, content: Content, compared: Picture, edges: Picture, made: DrivenSettings, *, title: str
) -> Page:
    """The whole page; `content`: rows of edges and of controls."""
    parts = [
        _corpus(content["controls"], made),
        _help(ablation, compared),
        _found(content["edges"], edges),
        Section("trained", "What was trained", [grid_table(ablation["grid"])]),
    ]
    return Page(
        title=f"{title}: a planted graph",
        subtitle=f"Learned and planted edges on corpus “{ablation['corpus']}”",
        banner=BANNER,
        synthetic=True,
        sections=parts,
        caveats=CAVEATS,
        provenance=[*versions(), ("Corpus", ablation["corpus"])],
    )


def _corpus(controls: list[dict[str, Any]], made: DrivenSettings) -> Section:
    """How the corpus is made, and what of it tells the classes without a model."""
    low, high = made.lag_s
    text = (
        f"Groups of electrodes share an envelope of their power in {made.band_hz[0]:g}-{made.band_hz[1]:g} Hz. During "
        f"an event of {EVENT_S:g} s the receiver's envelope follows its driver's, {low:g}-{high:g} s later, with a "
        f"correlation of {made.coupling:g}; outside events and along no edge envelopes are independent. Each "
        "electrode's spectrum, variance and autocorrelation are the same in every class. Receivers follow from "
        f"{COUPLED_BEFORE_S:g} s before the onset, so that no clip holds the switch."
    )
    planted = [
        (f"{name}:", ", ".join(f"{driver} drives {receiver}" for driver, receiver in edges))
        for name, edges in made.graphs.items()
    ]
    groups = [(f"{name}:", ", ".join(group.electrodes)) for name, group in made.groups.items()]
    body = [
        [CONTROLS[row["control"]], with_interval(row["accuracy"], row["low"], row["high"]), cell(row["majority"]),
         cell(row["n_clips"]), cell(row["n_patients"])]
        for row in controls
    ]  # fmt: skip
    heads = ["from", "accuracy [interval]", "most frequent class", "test clips", "patients"]
    table = Table("controls", "What tells the classes, without a network", heads, body, frozenset({2, 3, 4}))
    return Section("corpus", "The corpus", [Text(text), Points(planted), Points(groups), table])


def _help(ablation: Content, picture: Picture) -> Section:
    rows = ablation["rows"]
    even = "The runs differ in the graph alone" if equal_budget(ablation["budget"]) else "Settings that differ"
    varied = [
        (f"{row['setting']}:", ", ".join(f"{run} {value}" for run, value in row["values"].items()))
        for row in ablation["budget"]
    ]
    claims = [(f"{row['second']}.", row["claim"]) for row in rows]
    blocks: list[Block] = [Points(claims), Figure(picture), ablation_table(rows), Text(f"{even}:"), Points(varied)]
    links = Links([(f"graph_ablation.{kind}", f"graph_ablation.{kind}") for kind in ("csv", "parquet", "json")])
    return Section("help", "Does learning the graph help?", [*blocks, links])


def _found(rows: list[dict[str, Any]], picture: Picture) -> Section:
    table = table_of("edges", "AUROC of planted edges", pd.DataFrame(rows)[COLUMNS])
    links = Links([(f"planted_graph.{kind}", f"planted_graph.{kind}") for kind in ("csv", "parquet", "json")])
    blocks: list[Block] = [Text(SCORES), Note(verdict(rows)), Figure(picture), table, links]
    return Section("found", "Are the learned edges the planted ones?", blocks)


def verdict(rows: list[dict[str, Any]]) -> str:
    """What the two scores over all classes say, in words: found is above 0.5, and above the untrained networks."""
    told = []
    for name, words in JUDGED.items():
        row = next(row for row in rows if (row["class"], row["direction"]) == (name, "planted"))
        shown = with_interval(row["auroc"], row["low"], row["high"])
        gained = with_interval(row["difference"], row["difference_low"], row["difference_high"])
        told.append(f"{words[0].upper()}{words[1:]}: {_says(row)} (AUROC {shown}; trained less untrained {gained}).")
    return " ".join(told)


def _says(row: dict[str, Any]) -> str:
    if row["low"] is None or row["difference_low"] is None:
        return "no answer: of one patient there is no interval"
    if row["low"] <= 0.5:
        return "not found: the interval of the AUROC holds 0.5 or lies below"
    if row["difference_low"] <= 0:
        return "not found: above 0.5, but not above the same networks before training"
    return "found: above 0.5, and above the same networks before training"
