"""One patient clip by clip: probabilities before and at each onset, and whether seizures agree with one another."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pipeline.report.blocks import Table, cell
from pipeline.report.picture import MARKS, SERIES, VALUE_MAP, Picture, drawing, finish, plural, tidy
from pipeline.report.soz_shown import Shown, leave_room
from pipeline.report.tables import records

SHOWN = 5  # contacts with a line of their own
ROWS = 12  # contacts of the map over clips
PER_ROW = 3  # seizures beside one another
LABELS = {"ictal": "seizure", "pre": "before seizure", "interictal": "interictal"}


def clip_table(predictions: pd.DataFrame, seizures: pd.DataFrame, *, clip_s: float) -> pd.DataFrame:
    """One row a clip of a patient, in order: clip, recording, phase, start_s, seizure (1 …; 0: none), from_s, label.

    `from_s`: start against the onset (s), NaN of interictal clips. A pre-ictal clip belongs to the next ictal one of
    its recording and segment.
    """
    clips = predictions.drop_duplicates("clip")[["clip", "phase", "condition"]].reset_index(drop=True)
    names = [name.rpartition("@") for name in clips["clip"]]  # <recording>/<segment>@<start_s>
    places = [place.rpartition("/") for place, _, _ in names]
    clips = clips.assign(
        recording=[place[0] for place in places],
        segment=[place[2] for place in places],
        start_s=[float(name[2]) for name in names],
    )
    clips = clips.sort_values(["recording", "start_s"], kind="stable", ignore_index=True)
    ictal = clips[clips["phase"] == "ictal"]
    numbers = {row["clip"]: k for k, row in enumerate(records(ictal), start=1)}
    onsets = {row["clip"]: _onset(row, seizures, clip_s) for row in records(ictal)}
    home = [_ictal_of(row, ictal) for row in records(clips)]
    seizure = [numbers.get(name, 0) for name in home]
    from_s = [start - onsets.get(name, np.nan) for start, name in zip(clips["start_s"], home, strict=True)]
    interictal = (clips["phase"] == "interictal").astype("int64").cumsum()
    label = [
        f"{LABELS[phase]} {number if phase != 'interictal' else count}"
        for phase, number, count in zip(clips["phase"], seizure, interictal, strict=True)
    ]
    return clips.assign(seizure=seizure, from_s=from_s, label=label)


def _onset(clip: dict[str, Any], seizures: pd.DataFrame, clip_s: float) -> float:
    """The first onset within an ictal clip; NaN if the table has none there."""
    onsets = seizures.loc[seizures["recording"] == clip["recording"], "onset_s"].astype(float)
    inside = onsets[(onsets >= clip["start_s"] - 1e-6) & (onsets < clip["start_s"] + clip_s)]
    return float(inside.min()) if len(inside) else np.nan


def _ictal_of(clip: dict[str, Any], ictal: pd.DataFrame) -> str:
    if clip["phase"] == "interictal":
        return ""
    same = ictal[(ictal["recording"] == clip["recording"]) & (ictal["segment"] == clip["segment"])]
    later = same[same["start_s"] >= clip["start_s"]]
    return str(later["clip"].iloc[0]) if len(later) else ""


def clip_probabilities(predictions: pd.DataFrame) -> pd.DataFrame:
    """p_cal by channel (rows) and clip (columns): mean over models; NaN where a contact is not in a clip."""
    return predictions.pivot_table(index="channel", columns="clip", values="p_cal", aggfunc="mean")


def onset_picture(
    own: pd.DataFrame, clips: pd.DataFrame, p: pd.DataFrame, *, patient: str, clip_s: float, synthetic: bool, dpi: int
) -> Shown | None:
    """p of the first contacts before and at the onset, a panel a seizure; None without a seizure."""
    numbers = sorted(set(clips.loc[clips["phase"] == "ictal", "seizure"]) - {0})
    if not numbers:
        return None
    top = own[own["rank"] <= SHOWN].sort_values("rank", kind="stable")["channel"].tolist()
    wide, tall = min(len(numbers), PER_ROW), -(-len(numbers) // PER_ROW)
    table = _rows_of(clips, p, top)
    with drawing(1.4 + 3.3 * wide, 1.0 + 2.7 * tall) as figure:
        grid = figure.subplots(tall, wide, squeeze=False, sharey=True)
        for axes, number in zip(grid.flat, numbers, strict=False):
            _panel(axes, table[table["seizure"] == number], top, clip_s)
            axes.set(title=f"Seizure {number}", xlabel="s after the onset", ylim=(-0.02, 1.02))
        for axes in list(grid.flat)[len(numbers) :]:
            axes.set_axis_off()
        grid[0][0].set_ylabel("probability (calibrated)")
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=8)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    caption = (
        f"n = {plural(len(numbers), 'seizure')}. A bar is one clip of {clip_s:g} s, judged as a whole: nothing within "
        "a bar is resolved. The model is given the clip's phase if it was trained so, and pre-ictal clips count for no "
        f"score. Colours: the {len(top)} contacts of the highest ranks; grey: median of the others. Dotted: onset."
    )
    ictal = table[(table["phase"] == "ictal") & (table["channel"] == top[0])] if top else table.head(0)
    said = ", ".join(f"seizure {row['seizure']} {row['p_cal']:.2f}" for row in records(ictal))
    alt = f"Probabilities before and at each onset; {top[0] if top else 'no contact'}: {said or 'none'}."
    picture = Picture(
        f"{patient}-onset", "Probability around the onset", caption, alt, tidy({"rows": records(table)}), png
    )
    return Shown(picture, table)


def _rows_of(clips: pd.DataFrame, p: pd.DataFrame, top: list[str]) -> pd.DataFrame:
    """Rows of the onset picture: seizure, phase, from_s, channel (`others`: median of them), p_cal."""
    rows = []
    for clip in records(clips[clips["seizure"] > 0]):
        values = p[clip["clip"]]
        others = values.drop(top, errors="ignore").dropna()
        told = {name: values.get(name, np.nan) for name in top} | {"others": others.median() if len(others) else np.nan}
        about = {name: clip[name] for name in ("seizure", "phase", "from_s")}
        rows += [about | {"channel": name, "p_cal": float(value)} for name, value in told.items()]
    return pd.DataFrame(rows, columns=["seizure", "phase", "from_s", "channel", "p_cal"])


def _panel(axes: Axes, rows: pd.DataFrame, top: list[str], clip_s: float) -> None:
    names = [*top, "others"]
    for row in records(rows):
        k = names.index(row["channel"])
        colour = "#888888" if row["channel"] == "others" else SERIES[k % len(SERIES)]
        start = row["from_s"] if np.isfinite(row["from_s"]) else (0.0 if row["phase"] == "ictal" else -clip_s)
        label = row["channel"] if row["phase"] == "ictal" else None
        axes.plot([start, start + clip_s], [row["p_cal"]] * 2, color=colour, linewidth=2.2, label=label,
                  marker=MARKS[k % len(MARKS)], markersize=4)  # fmt: skip
    axes.axvline(0, color="#333333", linestyle=":", linewidth=1)
    axes.grid(axis="y", color="#dddddd", linewidth=0.5)


def clips_picture(
    own: pd.DataFrame, clips: pd.DataFrame, p: pd.DataFrame, *, patient: str, synthetic: bool, dpi: int
) -> Shown:
    """The first contacts by the scored clips: does every seizure, and every interictal clip, say the same?"""
    scored = pd.concat([clips[clips["phase"] == phase] for phase in ("ictal", "interictal")])
    top = own[own["rank"] <= ROWS].sort_values("rank", kind="stable")["channel"].tolist()
    values = p.reindex(index=top, columns=scored["clip"]).to_numpy(dtype=float)
    with drawing(2.4 + 0.5 * max(len(scored), 4), 1.9 + 0.26 * len(top)) as figure:
        axes = figure.subplots()
        image = axes.imshow(values, cmap=VALUE_MAP, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        axes.set_yticks(range(len(top)), top, fontsize=8)
        axes.set_xticks(range(len(scored)), scored["label"], rotation=60, ha="right", fontsize=7.5)
        figure.colorbar(image, ax=axes, pad=0.01, label="probability (calibrated)")
        leave_room(figure)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    table = pd.DataFrame(values, columns=scored["label"].tolist()).assign(channel=top)
    table = table[["channel", *scored["label"]]]
    caption = (
        f"n = {plural(len(scored), 'clip')}: rows are the {len(top)} contacts of the highest ranks over all clips, "
        "columns the clips that they are judged by. Blank: the contact is not in that clip."
    )
    alt = (
        f"Map of probabilities by contact and clip; {plural(len(scored), 'clip')}, first row {top[0] if top else '–'}."
    )
    numbers = tidy({"channels": top, "clips": scored["clip"].tolist(), "p_cal": values})
    return Shown(Picture(f"{patient}-clips", "Clip by clip", caption, alt, numbers, png), table)


def agreement_table(own: pd.DataFrame, clips: pd.DataFrame, p: pd.DataFrame) -> Table:
    """For each seizure: its first contact, its share of the first five over all clips, and its rank correlation with
    the mean of the other seizures (a dash where there is no other)."""
    ictal = clips[clips["phase"] == "ictal"]
    first = set(own.loc[own["rank"] <= SHOWN, "channel"])
    rows = []
    for row in records(ictal):
        values = p[row["clip"]].dropna().sort_values(ascending=False, kind="stable")
        others = p[[name for name in ictal["clip"] if name != row["clip"]]].mean(axis=1)
        both = pd.concat([values, others.rename("others")], axis=1).dropna()
        rho = _spearman(both.iloc[:, 0], both["others"])
        shared = len(first & set(values.index[:SHOWN]))
        highest = f"{values.index[0]} ({values.iloc[0]:.2f})" if len(values) else "–"
        rows.append([row["label"], row["recording"], highest, f"{shared} of {len(first)}", cell(rho, decimals=2)])
    columns = ["seizure", "recording", "highest", f"of the first {SHOWN} over all clips", "rank correlation"]
    return Table("agreement", "Do the seizures agree?", columns, rows, frozenset({4}))


def _spearman(first: pd.Series, second: pd.Series) -> float | None:
    if len(first) < 3 or first.nunique() < 2 or second.nunique() < 2:
        return None
    return float(np.corrcoef(first.rank(), second.rank())[0, 1])
