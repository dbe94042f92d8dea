"""Attention graphs as GraphML and TSV, one ZIP file a patient (spec soz.md, section 11; docs/soz.md).

Every TSV has both conventions, each edge twice; a GraphML file has the edges query -> key.
Unknown numbers are n/a in a TSV and left out of GraphML. Equal graphs give equal bytes.
"""

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.explain.soz_attention import CONVENTIONS, Floats, asymmetry, key_strength, lift
from pipeline.explain.soz_graph_store import ORDER, PatientGraphs
from pipeline.explain.soz_graphs import distances
from pipeline.explain.soz_measures import betweenness, pagerank
from pipeline.sealing import archive_seal
from pipeline.store import ENTRY_DATE, guarded_cell, replacing

EDGE_NUMBERS = ("weight", "lift", "asymmetry", "null_p", "distance_mm")
NODE_NUMBERS = ("label", "p_cal", "c_j", "pagerank", "betweenness", "x_mm", "y_mm", "z_mm")
UNKNOWN = "n/a"
NO_GRAPH = "There is no graph: fewer than three contacts, or no clip of any condition, or a model without attention.\n"
README = f"""Attention between intracranial contacts: learned dependence, not effective connectivity. Research use only.

One pair of files for each condition, layer and head. Order of contacts: {ORDER}.
attention     {CONVENTIONS["attention"]}
information   {CONVENTIONS["information"]}
weight        mean over clips of the softmax, rows (queries) sum to 1 with the contact itself
lift          (C - 1) A_ij / (1 - A_ii): 1 is chance
asymmetry     (A_ij - A_ji) / (A_ij + A_ji)
null_p        share of an untrained network's edges of that layer whose lift is not smaller
distance_mm   between the contacts
label         1 in the clinically marked seizure onset zone, 0 not
p_cal         calibrated probability of that, from a model that did not see this patient
c_j           mean lift with which the others look at the contact
GraphML has the edges query -> key; reverse them for `information`.
"""


@dataclass(frozen=True)
class Origin:
    """Whose model made the graphs, what it answered (`p_cal` by channel), and whether recordings are simulated."""

    model_hash: str
    fold: int
    seed: int
    p_cal: Mapping[str, float]
    synthetic: bool

    @property
    def recordings(self) -> str:
        """For every file that is read alone."""
        return "SYNTHETIC: made by a simulator, of no person" if self.synthetic else "supplied by the user"


def write_graph_files(path: Path, graphs: list[PatientGraphs], origin: Origin | None) -> int:
    """Write the ZIP; how many graphs are in it. Without a graph it holds the README alone."""
    n = 0
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        told = "" if origin is None else f"Recordings: {origin.recordings}.\n"
        _put(archive, "README.txt", README + told if graphs and origin else f"{README}{told}\n{NO_GRAPH}")
        for one in graphs:
            n += 0 if origin is None else _put_condition(archive, one, origin)
        archive.comment = archive_seal(archive)
    return n


def _put_condition(archive: zipfile.ZipFile, graphs: PatientGraphs, origin: Origin) -> int:
    """Two files for each layer and head; how many graphs."""
    edges, heads = Edges.of(graphs), list(np.ndindex(*graphs.A.shape[:2]))
    for layer, head in heads:
        name = f"{graphs.patient}_{graphs.condition}_layer-{layer}_head-{head}"
        numbers = edges.numbers(graphs, layer, head)
        _put(archive, f"{name}.tsv", "".join(edges.tsv(numbers)))
        _put(archive, f"{name}.graphml", "".join(graphml(graphs, origin, edges, numbers, layer, head)))
    return len(heads)


@dataclass(frozen=True)
class Edges:
    """Ordered pairs of different contacts: query and key by number and name, and how far they are apart."""

    query: NDArray[np.int64]
    key: NDArray[np.int64]
    names: list[str]
    distance_mm: Floats

    @staticmethod
    def of(graphs: PatientGraphs) -> "Edges":
        """All of a graph, row by row."""
        n = len(graphs.contacts)
        query, key = np.nonzero(~np.eye(n, dtype=bool))
        return Edges(
            query, key, graphs.contacts["channel"].astype(str).tolist(), distances(graphs.contacts)[query, key]
        )

    def numbers(self, graphs: PatientGraphs, layer: int, head: int) -> list[list[str]]:
        """EDGE_NUMBERS as text, each (pairs,); unknown: n/a."""
        A = graphs.A[layer, head]
        found = (A, lift(A), asymmetry(A), graphs.null_p[layer, head])
        return [texts(values[self.query, self.key]) for values in found] + [texts(self.distance_mm)]

    def tsv(self, numbers: list[list[str]]) -> Iterator[str]:
        """Lines: source, target, convention, EDGE_NUMBERS; first all edges query -> key, then the same turned round."""
        yield "\t".join(("source", "target", "convention", *EDGE_NUMBERS)) + "\n"
        cells = [guarded_cell(name) for name in self.names]
        tails = ["\t".join(row) for row in zip(*numbers, strict=True)]
        for convention, source, target in (
            ("attention", self.query, self.key), ("information", self.key, self.query),
        ):  # fmt: skip
            for i, j, tail in zip(source.tolist(), target.tolist(), tails, strict=True):
                yield f"{cells[i]}\t{cells[j]}\t{convention}\t{tail}\n"


def graphml(
    graphs: PatientGraphs, origin: Origin, edges: Edges, numbers: list[list[str]], layer: int, head: int
) -> Iterator[str]:
    """The lines of a GraphML file; nodes are named by their channel."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    about = {
        "patient": graphs.patient, "condition": graphs.condition, "layer": layer, "head": head,
        "convention": f"attention: {CONVENTIONS['attention']}", "order": ORDER, "C": len(graphs.contacts),
        "n_clips": graphs.n_clips, "fold": origin.fold, "seed": origin.seed, "model_hash": origin.model_hash,
        "recordings": origin.recordings,
    }  # fmt: skip
    for name, value in about.items():
        yield _key("graph", name, "int" if isinstance(value, int) else "string")
    for name in ("shaft", "hemisphere"):
        yield _key("node", name, "string")
    yield from (_key("node", name, "double") for name in NODE_NUMBERS)
    yield from (_key("edge", name, "double") for name in EDGE_NUMBERS)
    yield '<graph edgedefault="directed">\n'
    yield from (_data("graph", name, escape(str(value))) + "\n" for name, value in about.items())
    yield from _nodes(node_table(graphs, origin, layer, head))
    names = [quoteattr(name) for name in edges.names]
    for i, j, *cells in zip(edges.query.tolist(), edges.key.tolist(), *numbers, strict=True):
        data = "".join(_data("edge", name, cell) for name, cell in zip(EDGE_NUMBERS, cells, strict=True))
        yield f"<edge source={names[i]} target={names[j]}>{data}</edge>\n"
    yield "</graph>\n</graphml>\n"


def node_table(graphs: PatientGraphs, origin: Origin, layer: int, head: int) -> pd.DataFrame:
    """One row a contact: channel, shaft, hemisphere, NODE_NUMBERS."""
    contacts, A = graphs.contacts, graphs.A[layer, head]
    p_cal = contacts["channel"].map(dict(origin.p_cal)).astype("Float64").fillna(np.nan).astype("float64")
    return contacts[["channel", "shaft", "hemisphere", "x_mm", "y_mm", "z_mm"]].assign(
        label=contacts["soz"].astype("Float64").astype("float64"),
        p_cal=p_cal,
        c_j=key_strength(lift(A)),
        pagerank=pagerank(A),
        betweenness=betweenness(A),
    )


def texts(values: Floats) -> list[str]:
    """Four digits, as float16 holds; unknown: n/a."""
    return [UNKNOWN if text == "nan" else text for text in np.char.mod("%.4g", values).tolist()]


def _nodes(table: pd.DataFrame) -> Iterator[str]:
    columns = {name: texts(table[name].to_numpy(dtype=np.float64)) for name in NODE_NUMBERS}
    for row, (channel, shaft, side) in enumerate(
        zip(table["channel"], table["shaft"], table["hemisphere"], strict=True)
    ):
        words = _data("node", "shaft", escape(shaft)) + _data("node", "hemisphere", escape(side))
        numbers = "".join(_data("node", name, column[row]) for name, column in columns.items())
        yield f"<node id={quoteattr(channel)}>{words}{numbers}</node>\n"


def _key(element: str, name: str, kind: str) -> str:
    return f'<key id="{element[0]}_{name}" for="{element}" attr.name="{name}" attr.type="{kind}"/>\n'


def _data(element: str, name: str, text: str) -> str:
    return "" if text == UNKNOWN else f'<data key="{element[0]}_{name}">{text}</data>'


def _put(archive: zipfile.ZipFile, name: str, text: str) -> None:
    entry = zipfile.ZipInfo(name, ENTRY_DATE)
    entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
    archive.writestr(entry, text.encode())
