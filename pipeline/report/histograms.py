"""Picture 7: histograms of coverage and localisation, focal against generalised (Tang et al. 2022, figure 4)."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.report.picture import SERIES, Picture, drawing, finish, plural, tidy

BINS = np.arange(11) / 10  # exact tenths: 0.7 falls into 0.7-0.8
SCORES = ("coverage", "localisation")
GROUPS = ("focal", "generalised")
_HATCH = {"focal": "", "generalised": "///"}


def histogram_numbers(scores: pd.DataFrame, *, precise: float) -> dict[str, Any]:
    """scores: one row a clip and seed, with columns seed, clip, patient, focal, coverage, localisation.

    A score that is undefined (flat map, no cell marked or annotated) is left out and counted.
    """
    out: dict[str, Any] = {"bins": BINS, "precise_above": precise}
    for group in GROUPS:
        rows = scores[scores["focal"] == group]
        out[group] = {
            "clips": int(rows["clip"].nunique()),
            "patients": int(rows["patient"].nunique()),
            "rows": len(rows),
        }
        for score in SCORES:
            values = rows[score].dropna().to_numpy(dtype=np.float64)
            out[group][score] = {
                "counts": np.histogram(values, BINS)[0], "defined": len(values),
                "undefined": len(rows) - len(values), "mean": values.mean() if len(values) else None,
                "share_precise": float((values > precise).mean()) if len(values) else None,
            }  # fmt: skip
    out["mixed_left_out"] = int((~scores["focal"].isin(GROUPS)).sum())
    return tidy(out)


def histogram_picture(
    name: str, title: str, scores: pd.DataFrame, *, precise: float, synthetic: bool, dpi: int
) -> Picture:
    """Two panels, coverage and localisation; the share above `precise` stands in each legend."""
    numbers = histogram_numbers(scores, precise=precise)
    with drawing(10.0, 3.9) as figure:
        for axes, score in zip(figure.subplots(1, 2), SCORES, strict=True):
            for shift, group in enumerate(GROUPS):
                part = numbers[group][score]
                share = (
                    "none defined" if part["share_precise"] is None else f"{part['share_precise']:.1%} > {precise:g}"
                )
                axes.bar(
                    BINS[:-1] + 0.005 + 0.045 * shift, part["counts"], width=0.043, align="edge", color=SERIES[shift],
                    hatch=_HATCH[group], edgecolor="black", linewidth=0.5,
                    label=f"{group}: n = {part['defined']}, {share}",
                )  # fmt: skip
            axes.axvline(precise, color="black", linestyle="--", linewidth=0.9)
            axes.set(xlim=(0, 1), xlabel=score, ylabel="clips (all seeds)", title=score.capitalize())
            axes.margins(y=0.25)
            axes.legend(fontsize=8, loc="upper center")
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    return Picture(name, title, _caption(numbers, precise), _alt(numbers, precise), numbers, png)


def _caption(numbers: dict[str, Any], precise: float) -> str:
    groups = "; ".join(
        f"{group}: {plural(numbers[group]['clips'], 'clip')} of {plural(numbers[group]['patients'], 'patient')}, "
        f"{numbers[group]['localisation']['undefined']} undefined"
        for group in GROUPS
    )
    return (
        f"n: {groups}; mixed or untyped clips left out: {numbers['mixed_left_out']}. Dashed line: {precise:g}, beyond "
        "which the paper calls a clip precisely localised. Every clip counts once for each seed."
    )


def _alt(numbers: dict[str, Any], precise: float) -> str:
    parts = []
    for group in GROUPS:
        share = numbers[group]["localisation"]["share_precise"]
        parts.append(f"{group} {'none' if share is None else f'{share:.1%}'} above {precise:g}")
    return f"Histograms of coverage and localisation; localisation: {', '.join(parts)}."
