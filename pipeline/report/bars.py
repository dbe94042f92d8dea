"""One score of several runs side by side, with intervals, next to simple references such as line length."""

from dataclasses import dataclass

from pipeline.report.picture import MARKS, SERIES, Picture, drawing, finish, plural, tidy


@dataclass(frozen=True)
class Score:
    """A score and its interval; `reference`: not a model of ours (line length, majority guess)."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    published: float | None = None
    reference: bool = False


def bars_picture(
    name: str, title: str, scores: list[Score], *, metric: str, chance: float | None, n: str, synthetic: bool, dpi: int
) -> Picture:
    """Dots with intervals, one row a score; the published value as an open diamond."""
    with drawing(8.6, 1.3 + 0.42 * len(scores)) as figure:
        axes = figure.subplots()
        for row, score in enumerate(scores):
            colour = "#666666" if score.reference else SERIES[0]
            if score.low is not None and score.high is not None:
                axes.plot([score.low, score.high], [row, row], color=colour, linewidth=2.2, solid_capstyle="butt")
            axes.plot(score.value, row, MARKS[1] if score.reference else MARKS[0], color=colour, markersize=7)
            axes.text(score.value, row - 0.2, f"{score.value:.3f}", ha="center", va="bottom", fontsize=7.5)
            if score.published is not None:
                axes.plot(score.published, row, "D", markerfacecolor="none", markeredgecolor=SERIES[1], markersize=6)
        if chance is not None:
            axes.axvline(chance, color="#888888", linestyle=":", linewidth=1)
        axes.set_yticks(range(len(scores)), [score.label for score in scores])
        axes.set(ylim=(len(scores) - 0.4, -0.75), xlabel=metric, title=title)
        axes.grid(axis="x", color="#dddddd", linewidth=0.5)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    published = " Open diamond: published for TUSZ v1.5.2, context only." if any(s.published for s in scores) else ""
    caption = (
        f"{metric} with its patient interval where there is one; {plural(len(scores), 'row')}, n = {n}.{published}"
    )
    alt = "; ".join(f"{score.label} {score.value:.3f}" for score in scores)
    return Picture(
        name, title, caption, f"{metric} side by side: {alt}.", tidy({s.label: vars(s) for s in scores}), png
    )
