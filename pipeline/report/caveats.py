"""What a reader must know before believing a number of the page (spec report.md, section 4)."""

from pipeline.settings.evaluation import OcclusionSettings

SYNTHETIC_LINE = (
    "SYNTHETIC DATA: recordings behind this page were made by a simulator. No clinical claim follows from them."
)
REAL_LINE = "Recordings supplied by the user. Research use only; not a medical device."
SAMPLES_LINE = "Real samples, scored for plausibility only: no sensitivity or specificity can be quoted from them."

_OCCLUDED = {"mean": "the training mean, which is zero after standardisation", "raw_zero": "zero microvolts"}
_GRAPH = {
    "held": "the graph stays that of the untouched clip",
    "recomputed": "a correlation graph is recomputed (the distance graph, which no signal enters, stays)",
}

_WHERE = {
    "electrode": [
        (
            "Bipolar differences are for display.",
            "Colour on a bipolar trace is the difference of its two electrodes' values. Sign and size have no physical "
            "meaning, and two electrodes that matter equally cancel out.",
        ),
        (
            "Electrode labels are derived.",
            "Annotations name derivations such as F7-T3. They cannot say which of the two electrodes is ictal, and FZ "
            "and PZ are in no derivation, so they carry no label.",
        ),
    ],
    "derivation": [
        (
            "A derivation is no place.",
            "The nodes of this model are derivations such as F7-T3. What it used there lies at either of the two "
            "electrodes or between them, and a source under both can cancel out.",
        ),
        (
            "Not every derivation can be annotated.",
            "FZ-CZ and CZ-PZ are in no annotation montage of the TUH corpora and carry no label; derivations that are "
            "annotated but are no nodes, such as T3-C3, are left out.",
        ),
        (
            "Published numbers are of electrodes.",
            "The published models had electrodes as nodes: numbers of theirs beside those measured here are no target.",
        ),
    ],
}


LEARNED = (
    "A learned graph is no wiring.",
    "Row i of a learned graph says to which channels i listens (a query that reads keys; rows of the corrected variant "
    "sum to one). It is a learned dependence, not effective connectivity: no influence of one part of the brain on "
    "another follows from it.",
)


def how_hidden(occlusion: OcclusionSettings) -> str:
    """What stands in for a hidden cell, and what becomes of the graph."""
    return f"What is hidden becomes {_OCCLUDED[occlusion.value]}, and {_GRAPH[occlusion.graph]}."


def caveats(
    *,
    synthetic: bool,
    occlusion: OcclusionSettings | None,
    samples: bool = False,
    node: str = "electrode",
    learned: bool = False,
) -> list[tuple[str, str]]:
    """Heads and texts. `occlusion`: how it was done; None: no maps. `samples`: single recordings, no corpus.

    `node`: what a row of a map is, `electrode` or `derivation`. `learned`: there are graphs that a model learned.
    """
    how = (
        "No occlusion map was computed here. Zero may mean zero after standardisation or zero microvolts."
        if occlusion is None
        else how_hidden(occlusion)
    )
    if samples:
        data = "Scores on a few samples speak of plausibility only."
    elif synthetic:
        data = "The data are synthetic: no clinical claim. Published numbers beside them were measured on other data."
    else:
        data = "Scores hold for this corpus and protocol; no clinical claim."
    return [
        (
            "Occlusion is about the model.",
            "Each map is scaled within itself, so maps cannot be compared with one another. A map shows what the model "
            "used, not where the seizure starts.",
        ),
        *_WHERE[node],
        ("What occlusion puts in.", how),
        *([LEARNED] if learned else []),
        ("Data.", data),
        ("Use.", "Research use only; not a medical device."),
    ]
