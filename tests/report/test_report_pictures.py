"""Numbers of the pictures against plain counts made here, and what every picture must carry."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from report_inputs import ELECTRODES

from pipeline.graphs.distance import distance_weights
from pipeline.graphs.electrodes import coordinates
from pipeline.report.bars import Score, bars_picture
from pipeline.report.confusion import confusion_picture
from pipeline.report.curves import RunCurves, SeedCurves, curves_picture, on_grid
from pipeline.report.derivations import DERIVATIONS, bipolar, present, side
from pipeline.report.examples import ClipView, Span, for_display
from pipeline.report.head import edges, graph_picture, topomap_picture
from pipeline.report.histograms import histogram_picture
from pipeline.report.picture import Picture, slug, tidy
from pipeline.report.scalp import project
from pipeline.report.traces import CUT_ROWS, heights, sensitivity, trace_picture
from pipeline.report.training_curves import training_picture

LOOK = {"synthetic": True, "dpi": 40}


def view(**more: object) -> ClipView:
    """Five seconds in which T3 alone matters from second 2 on, and F7-T3 is annotated."""
    occlusion = np.zeros((len(ELECTRODES), 5))
    occlusion[ELECTRODES.index("T3"), 2:] = 0.9
    signal = np.random.default_rng(0).normal(scale=30, size=(len(ELECTRODES), 1000)).astype("float32")
    spans = [Span("TERM", 2.0, 9.0, "fnsz"), Span("F7-T3", 2.0, 5.0, "fnsz"), Span("T3-C3", 2.0, 5.0, "fnsz")]
    fields = {"clip": "r/000@0.000+5", "patient": "p", "signal": signal, "rate_hz": 200.0, "length_s": 5}
    return ClipView(**{**fields, "electrodes": ELECTRODES, "spans": spans, "occlusion": occlusion, **more})


def every_picture() -> list[Picture]:
    positions = coordinates(ELECTRODES)
    weights = np.exp(-np.linalg.norm(positions[:, None] - positions[None], axis=-1))
    values = np.arange(19) / 19
    seed = SeedCurves(
        0, [0, 0, 1], [0, 0.5, 1], [0.5, 1], [1, 0.5], {"fpr": 0, "tpr": 0.5, "recall": 0.5, "precision": 1}
    )
    scores = pd.DataFrame({
        "seed": 0, "clip": list("abcde"), "patient": list("ppqqq"), "focal": ["focal"] * 3 + ["generalised", "mixed"],
        "coverage": [0.1, 0.2, 0.3, 0.4, 0.5], "localisation": [0.85, 0.7, np.nan, 0.9, 0.9],
    })  # fmt: skip
    history = pd.DataFrame({"epoch": [1, 2], "train_loss": [2.0, 1.0], "validation_loss": [2.0, 1.5]})
    head = {"electrodes": ELECTRODES, "positions": positions}
    return [
        trace_picture(view(), **LOOK),
        graph_picture("graph", values, weights, graph="distance", what="value", **head, **LOOK),
        topomap_picture("map", [("a", values), ("b", values)], what="value", **head, **LOOK),
        curves_picture("curves", "Curves", [RunCurves("run", [seed], 4, 2, 2)], **LOOK),
        confusion_picture("conf", "Confusion", np.array([[[3, 1], [0, 0]]]), ["a", "b"], n_patients=2, **LOOK),
        histogram_picture("hist", "Histogram", scores, precise=0.8, **LOOK),
        training_picture("train", "Training", {"run": history}, **LOOK),
        bars_picture("bars", "Bars", [Score("run", 0.8, 0.7, 0.9)], metric="AUROC", chance=0.5, n="4 clips", **LOOK),
    ]


def test_every_picture_has_alt_text_states_n_and_is_equal_when_drawn_again() -> None:
    for first, second in zip(every_picture(), every_picture(), strict=True):
        assert first == second
        assert len(first.alt) > 20
        assert "n = " in first.caption or "n: " in first.caption or "measured at 19" in first.caption
        assert first.png.startswith(b"\x89PNG")
        assert b"Software" not in first.png
        assert b"tIME" not in first.png


def test_synthetic_pictures_bear_a_mark_and_others_do_not() -> None:
    with_mark, without = (trace_picture(view(), synthetic=flag, dpi=40).png for flag in (True, False))
    corners = [np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))[:20, -90:] for png in (with_mark, without)]
    yellow = [int(((pixels[..., 0] > 240) & (pixels[..., 2] < 215)).sum()) for pixels in corners]
    assert yellow[0] > 30  # letters take up most of so small a mark
    assert yellow[1] == 0


def test_the_double_banana_has_eighteen_derivations_and_subtracts() -> None:
    assert len(DERIVATIONS) == len(set(DERIVATIONS)) == 18
    assert present(ELECTRODES) == list(DERIVATIONS)
    assert [side(name) for name in ("FP1-F7", "CZ-PZ", "T6-O2")] == ["left", "midline", "right"]
    signal = np.random.default_rng(1).normal(size=(19, 50))
    made = bipolar(signal, ELECTRODES)
    for row, name in zip(made, DERIVATIONS, strict=True):
        first, second = name.split("-")
        np.testing.assert_allclose(row, signal[ELECTRODES.index(first)] - signal[ELECTRODES.index(second)])


def test_the_overlay_holds_the_differences_beyond_one_half_and_nothing_else() -> None:
    numbers = trace_picture(view(), **LOOK).numbers
    cells = {(cell["derivation"], cell["second"]): cell["difference"] for cell in numbers["overlay"]}
    assert cells == {("F7-T3", t): -0.9 for t in (2, 3, 4)} | {("T3-T5", t): 0.9 for t in (2, 3, 4)}


def test_an_annotated_derivation_outside_the_montage_is_named_in_the_caption() -> None:
    assert "not in this montage: T3-C3" in trace_picture(view(), **LOOK).caption


@pytest.mark.parametrize(
    "more", [{"occlusion": None}, {"spans": []}, {"signal": np.full((19, 1000), np.nan, "float32")}]
)
def test_traces_without_map_without_seizure_or_without_signal_are_drawn(more: dict[str, object]) -> None:
    assert trace_picture(view(**more), **LOOK).png


def test_one_derivation_is_enough_for_a_page() -> None:
    pair = {"electrodes": ["FP1", "F7"], "signal": np.ones((2, 1000), "float32"), "occlusion": np.eye(2, 5)}
    assert trace_picture(view(**pair), **LOOK).numbers["derivations"] == ["FP1-F7"]


def test_display_filter_keeps_ten_hertz_and_removes_the_offset() -> None:
    t = np.arange(4000) / 200
    wave = 50 * np.sin(2 * np.pi * 10 * t)
    shown = for_display((wave + 300)[None], 200.0)[0, 400:-400]
    np.testing.assert_allclose(shown, wave[400:-400], atol=1.5)


def test_sensitivity_grows_with_the_amplitude() -> None:
    steps = [sensitivity(np.full(18, peak)) for peak in (5, 50, 500, 5000)]
    assert steps == sorted(steps)
    assert len(set(steps)) == 4


def test_traces_are_drawn_negative_up_and_a_cut_is_told() -> None:
    made = heights(np.array([-16.0, 0.0, 8.0, -1e6]), 1.0)
    np.testing.assert_allclose(made, [2, 0, -1, CUT_ROWS])
    assert "negative up" in trace_picture(view(), **LOOK).caption
    assert "Cut at" not in trace_picture(view(), **LOOK).caption
    popped = view().signal.copy()
    popped[ELECTRODES.index("FP1"), 500:510] = 1e5  # in FP1-F7 and FP1-F3
    assert "Cut at 2.2 rows: 2 derivations" in trace_picture(view(signal=popped), **LOOK).caption


def test_projection_puts_the_vertex_in_the_middle_and_the_equator_on_the_outline() -> None:
    flat = dict(zip(ELECTRODES, project(coordinates(ELECTRODES)), strict=True))
    np.testing.assert_allclose(flat["CZ"], 0, atol=1e-9)
    for name in ("FP1", "T3", "O2", "F8"):
        assert np.hypot(*flat[name]) == pytest.approx(1, abs=1e-3)
    assert flat["FP1"][1] > 0 > flat["O1"][1]
    assert flat["T3"][0] < 0 < flat["T4"][0]


def test_edges_are_counted_once_when_symmetric_and_by_direction_otherwise() -> None:
    W = np.array([[1, 0.5, 0.2], [0.5, 1, 0], [0.2, 0, 1]])
    assert [(e["from"], e["to"], e["weight"]) for e in edges(W, list("abc"))] == [("a", "b", 0.5), ("a", "c", 0.2)]
    assert len(edges(W, list("abc"), share=0.5)) == 1
    W[0, 1] = 0.4
    assert {(e["from"], e["to"]) for e in edges(W, list("abc"))} == {("a", "b"), ("b", "a"), ("a", "c"), ("c", "a")}


def test_a_curve_is_read_off_by_interpolation_and_upper_at_steps() -> None:
    read = on_grid([0, 0, 0.5, 1], [0, 0.4, 0.4, 1])
    assert read[0] == pytest.approx(0.4)
    assert read[100] == pytest.approx(0.4)
    assert read[150] == pytest.approx(0.7)


def test_confusion_shares_are_those_of_each_row_and_absent_classes_have_none() -> None:
    made = confusion_picture("c", "C", np.array([[[3, 1], [0, 0]], [[1, 3], [0, 0]]]), ["a", "b"], n_patients=1, **LOOK)
    assert made.numbers["counts"] == [[2, 2], [0, 0]]
    assert made.numbers["shares"] == [[0.5, 0.5], [None, None]]


def test_histogram_counts_shares_and_undefined_scores() -> None:
    numbers = next(made for made in every_picture() if made.name == "hist").numbers
    assert numbers["focal"]["clips"] == 3
    assert numbers["focal"]["localisation"]["undefined"] == 1
    assert numbers["focal"]["localisation"]["share_precise"] == 0.5
    assert numbers["focal"]["localisation"]["counts"] == [0, 0, 0, 0, 0, 0, 0, 1, 1, 0]
    assert numbers["mixed_left_out"] == 1


def test_slugs_are_safe_and_distinct() -> None:
    names = ["aaa/000@1.0+60", "aaa/000@10+60", "../../etc/passwd", "AAA", "aaa"]
    made = [slug(name) for name in names]
    assert len(set(made)) == len(made)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for name in made)


def test_numbers_hold_no_nan() -> None:
    assert tidy({"a": np.array([1.0, np.nan]), "b": np.int64(3), "c": [float("inf")]}) == {
        "a": [1.0, None],
        "b": 3,
        "c": [None],
    }


def test_pictures_of_derivations_show_each_as_itself():
    """Traces and overlay are those of the nodes; no difference is taken twice, nothing is interpolated on the scalp."""
    nodes = list(DERIVATIONS)[::-1]
    rng = np.random.default_rng(1)
    occlusion = np.zeros((18, 5))
    occlusion[nodes.index("F7-T3"), 3] = 0.9
    signal = rng.normal(scale=30, size=(18, 1000)).astype("float32")
    np.testing.assert_array_equal(bipolar(signal, nodes), signal[::-1].astype("float64"))
    assert present(nodes) == list(DERIVATIONS)
    shown = trace_picture(view(signal=signal, electrodes=nodes, occlusion=occlusion), **LOOK)
    assert shown.numbers["overlay"] == [{"derivation": "F7-T3", "second": 3, "difference": 0.9}]
    assert "where the occlusion value is above 0.5" in shown.caption
    assert "electrode" not in shown.caption
    head = {"electrodes": nodes, "positions": coordinates(nodes)}
    values = np.arange(18) / 18
    weights = distance_weights(nodes, kappa=0.9)
    graph = graph_picture("graph", values, weights, graph="distance", what="value", **head, **LOOK)
    heads = topomap_picture("map", [("a", values), ("b", values)], what="value", **head, **LOOK)
    assert len(graph.numbers["sweep"][0]) == 33
    assert heads.numbers["panels"]["b"]["FP1-F7"] == pytest.approx(17 / 18)
    assert "spline" not in heads.caption
    for picture in (graph, heads):
        assert np.asarray(Image.open(io.BytesIO(picture.png)).convert("L")).std() > 5
