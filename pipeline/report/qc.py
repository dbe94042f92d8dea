"""The page of the first hour: what became of every EDF of a corpus, why, and what its owner can do (spec faults.md).

Written before anything is trained, and also where nothing can be used; the counts of the main report come from here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.findings import CODES, REMEDIES
from pipeline.report.blocks import Block, Figure, Group, Links, Note, Points, Section, Table, Text, cell, table_of
from pipeline.report.caveats import REAL_LINE, SYNTHETIC_LINE
from pipeline.report.outcomes import NOTED, OUTCOMES, REJECTED, SKIPPED, USED, counted
from pipeline.report.page import Page
from pipeline.report.picture import SERIES, Picture, drawing, finish, plural, tidy

TONES = {USED: "good", NOTED: "fair", SKIPPED: "poor", REJECTED: "bad"}
COLOURS = {USED: SERIES[2], NOTED: SERIES[4], SKIPPED: SERIES[5], REJECTED: SERIES[1]}
HATCHES = {USED: "", NOTED: "//", SKIPPED: "..", REJECTED: "xx"}  # never colour alone
SHOWN = 500  # rows of one table on the page; the files beside it have all
FOLDED = 40  # a longer table is shown on demand
CHANNELS = 3  # names of channels in one cell; more are counted
SEVERITIES = ("error", "warn", "info")
NAMES_LINE = (
    "Recordings and patients bear pseudonyms here: the table {names} leads from an id to its file. "
    "It is private; this page can be shared, that folder not."
)
CAVEATS = [
    (
        "Used does not mean good.",
        "It means that header, channels, units, rates and annotations were readable and agree with each other. "
        "Artefacts, drowsiness, medication and wrong annotations are not judged.",
    ),
    (
        "Skipped and rejected differ.",
        "Skipped: nothing in the file can be used as the settings stand; another setting or a new copy may help. "
        "Rejected: the file can be read, but it contradicts itself, its annotation or the model, so that every number "
        "from it would be wrong.",
    ),
    ("Seconds.", "Of signal or annotation that a finding concerns; a dash where that has no sense."),
    ("Use.", "Research use only; not a medical device."),
]


@dataclass(frozen=True)
class Checked:
    """table: one row an EDF (`pipeline.report.outcomes`); leaks: what is in two splits, in sentences.

    names: the file that leads from a pseudonym to an EDF; None where ids are those of the corpus.
    """

    corpus: str
    synthetic: bool
    table: pd.DataFrame
    findings: pd.DataFrame
    leaks: list[str]
    names: str | None = None


def qc_page(checked: Checked, *, title: str, dpi: int) -> Page:
    """The whole page."""
    return Page(
        title=f"{title}: quality control",
        subtitle=f"What became of every EDF of the corpus “{checked.corpus}”, and why",
        banner=SYNTHETIC_LINE if checked.synthetic else REAL_LINE,
        synthetic=checked.synthetic,
        sections=[
            Section("glance", "At a glance", _glance(checked, dpi)),
            Section("todo", "What to do", _remedies(checked)),
            Section("findings", "Findings by code", _by_code(checked.findings)),
            Section("recordings", "Recordings", _recordings(checked.table)),
            Section("patients", "Patients", _patients(checked.table)),
        ],
        caveats=CAVEATS,
    )


def summary(table: pd.DataFrame) -> str:
    """`60 EDFs were found: 20 used, 18 used with findings, 17 skipped, 5 rejected.`"""
    count = table["outcome"].value_counts()
    parts = ", ".join(f"{int(count.get(outcome, 0)):,} {outcome}" for outcome in OUTCOMES)
    return f"{plural(len(table), 'EDF')} {'was' if len(table) == 1 else 'were'} found: {parts}."


def splits_block(table: pd.DataFrame) -> Table:
    """Outcomes by split, with a last row for all."""
    rows = counted(table, "split")
    rows = pd.concat([rows, counted(table.assign(split="all"), "split")], ignore_index=True)
    return table_of("outcomes", "What became of the EDFs, by split", rows, decimals=2)


def _glance(checked: Checked, dpi: int) -> list[Block]:
    table = checked.table
    usable = table["outcome"].isin([USED, NOTED])
    patients = plural(table.loc[usable, "patient"].nunique(), "patient")
    hours = table["used_s"].sum() / 3600
    lead = f"{summary(table)} {hours:.2f} hours of {patients} can be used."
    blocks: list[Block] = [Text(lead)]
    if checked.names is not None:
        blocks.append(Text(NAMES_LINE.format(names=checked.names)))
    blocks += [
        Note(_sentence(text)) for text in checked.findings.loc[checked.findings["code"] == "not_read", "message"]
    ]
    if not usable.any():
        blocks.append(Note("No recording can be used, so nothing can be trained. The reasons stand below."))
    blocks += [Note(f"Stop: {leak}. No score comes out of such a corpus.") for leak in checked.leaks]
    blocks += [Figure(outcome_picture(table, synthetic=checked.synthetic, dpi=dpi)), splits_block(table)]
    files = [
        ("findings.tsv: every finding, one row each", "findings.tsv"),
        ("recordings.tsv: every EDF with its outcome and reason", "recordings.tsv"),
        ("findings.parquet: the same for programs", "findings.parquet"),
        ("recordings.parquet: the same for programs", "recordings.parquet"),
    ]
    return [*blocks, Links(files)]


def outcome_picture(table: pd.DataFrame, *, synthetic: bool, dpi: int) -> Picture:
    """One bar a split: the share of its EDFs that came to each outcome."""
    counts = counted(table, "split").set_index("split")[list(OUTCOMES)]
    with drawing(8.6, 1.35 + 0.42 * len(counts)) as figure:
        axes = figure.subplots()
        left = pd.Series(0, index=counts.index)
        for outcome in OUTCOMES:
            bars = axes.barh(
                counts.index, counts[outcome], left=left, color=COLOURS[outcome], hatch=HATCHES[outcome],
                edgecolor="#1a1a1a", linewidth=0.6, label=outcome,
            )  # fmt: skip
            labels = [str(n) if n else "" for n in counts[outcome]]
            box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"}
            for text in axes.bar_label(bars, labels, label_type="center", fontsize=8):
                text.set_bbox(box if text.get_text() else None)
            left = left + counts[outcome]
        axes.set(xlabel="EDFs", xlim=(0, max(int(left.max()), 1)), ylim=(len(counts) - 0.4, -1.1))
        axes.legend(ncols=4, loc="upper left", borderaxespad=0.0, fontsize=8)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    words = "; ".join(f"{split}: " + ", ".join(f"{row[o]} {o}" for o in OUTCOMES) for split, row in counts.iterrows())
    caption = f"Number of EDFs by split and outcome, n = {len(table)}."
    return Picture(
        "outcomes", "What became of the EDFs", caption, f"Bars by split. {words}.", tidy(counts.T.to_dict()), png
    )


def _remedies(checked: Checked) -> list[Block]:
    """For what is left out, the most frequent reason first: how often, what it means, what helps."""
    gone = checked.table[checked.table["outcome"].isin([SKIPPED, REJECTED])]
    if gone.empty:
        return [Text("Nothing was left out.")]
    reasons = _blocking(checked.findings, gone["recording"])
    count = reasons.groupby("code")["recording"].nunique().sort_values(ascending=False, kind="stable")
    points = [
        (f"{plural(int(number), 'recording')}, {code}:", f"{CODES[str(code)]}. Remedy: {REMEDIES[str(code)]}.")
        for code, number in count.items()
    ]
    lead = f"{plural(len(gone), 'EDF')} left out, by reason. A file that is fetched anew is noticed by the next run."
    return [Text(lead), Points(points)]


def _blocking(findings: pd.DataFrame, left_out: Iterable[str]) -> pd.DataFrame:
    """The finding of each recording that decided that it is left out."""
    own = findings[findings["recording"].isin(list(left_out)) & findings["action"].isin(["error", "skip"])]
    order = own.assign(rank=(own["severity"] == "error").astype(int)).sort_values("rank", kind="stable")
    return order.drop_duplicates("recording", keep="last")


def _by_code(findings: pd.DataFrame) -> list[Block]:
    if findings.empty:
        return [Text("Nothing was repaired, skipped or rejected (n = 0).")]
    overview = code_table(findings)
    blocks: list[Block] = [table_of("codes", "Findings by code", overview, decimals=1)]
    for code in dict.fromkeys(overview["code"]):
        rows = findings[findings["code"] == code]
        number = plural(_n_recordings(rows["recording"]), "recording")
        inner: list[Text | Note | Table] = [Text(f"{_sentence(CODES[code])} Remedy: {REMEDIES[code]}.")]
        files = files_of_code(rows)
        if len(files) > SHOWN:
            inner.append(Note(f"The first {SHOWN} of {len(files)} recordings; findings.tsv has all."))
        inner.append(table_of(f"code-{code}", f"{code}: recordings", files.head(SHOWN), decimals=1))
        blocks.append(Group(f"{code}: {plural(len(rows), 'finding')} on {number}", inner))
    return blocks


def code_table(findings: pd.DataFrame) -> pd.DataFrame:
    """One row a (code, severity, action): findings, recordings, seconds, meaning; the gravest first."""
    grouped = findings.groupby(["code", "severity", "action"], sort=True, observed=True)
    made = grouped.agg(
        findings=("message", "size"), recordings=("recording", _n_recordings), seconds=("seconds_affected", "sum")
    ).reset_index()
    made["seconds"] = made["seconds"].where(made["seconds"] != 0)
    made["meaning"] = [CODES[code] for code in made["code"]]
    rank = made["severity"].map(list(SEVERITIES).index)
    return (
        made.assign(rank=rank).sort_values(["rank", "code"], kind="stable").drop(columns="rank").reset_index(drop=True)
    )


def _n_recordings(names: pd.Series) -> int:
    """How many recordings; a finding of the whole corpus names none."""
    return int(names[names != ""].nunique())


def files_of_code(rows: pd.DataFrame) -> pd.DataFrame:
    """Findings of one code, one row a recording and action: how many, on which channels, the first message."""
    made = []
    for (recording, action), own in rows.groupby(["recording", "action"], sort=False):
        channels = list(dict.fromkeys(channel for channel in own["channel"] if channel))
        many = len(channels) > CHANNELS
        made.append({
            "recording": recording, "action": action, "findings": len(own),
            "channels": f"{len(channels)}\u00a0channels" if many else ", ".join(channels) or pd.NA,
            "seconds": own["seconds_affected"].sum() or float("nan"), "message": own["message"].iloc[0],
        })  # fmt: skip
    return pd.DataFrame(made).sort_values("recording", kind="stable", ignore_index=True)


def _recordings(table: pd.DataFrame) -> list[Block]:
    """One table an outcome, what is left out first."""
    blocks: list[Block] = []
    for outcome in reversed(OUTCOMES):
        rows = table[table["outcome"] == outcome]
        if len(rows) > SHOWN:
            blocks.append(Note(f"The first {SHOWN} of {len(rows)} recordings {outcome}; recordings.tsv has all."))
        if len(rows):
            blocks.append(_recording_table(rows.head(SHOWN), f"{outcome.capitalize()} ({len(rows)})"))
    return blocks


def _recording_table(rows: pd.DataFrame, caption: str) -> Table:
    columns = ["recording", "patient", "split", "outcome", "why", "seconds", "usable", "Hz", "channels", "seizures"]
    cells = [
        [
            str(row.recording), str(row.patient), str(row.split), str(row.outcome), _why(row.reason, row.codes),
            cell(row.duration_s, decimals=1), cell(row.used_s, decimals=0), cell(row.rate_hz, decimals=0),
            cell(row.n_signals), cell(row.seizures),
        ]
        for row in rows.itertuples()
    ]  # fmt: skip
    gone = rows["outcome"].isin([SKIPPED, REJECTED]).any()
    name = f"recordings-{caption.split(' (')[0].lower().replace(' ', '-')}"
    drop = {6} if gone else {4} if not any(row[4] for row in cells) else set()
    if all(row[0].startswith(row[1]) for row in cells):  # the id names the patient
        drop.add(1)
    kept = [i for i in range(len(columns)) if i not in drop]
    numeric = frozenset(position for position, i in enumerate(kept) if i >= 5)
    body = [[row[i] for i in kept] for row in cells]
    return Table(name, caption, [columns[i] for i in kept], body, numeric, len(body) > FOLDED, TONES)


def _why(reason: Any, codes: Any) -> str:
    """Why an EDF is left out, else what was noticed; long paths may break across lines."""
    return (str(reason) or str(codes)).replace("/", "/\u200b")


def _patients(table: pd.DataFrame) -> list[Block]:
    rows = counted(table.sort_values("patient", kind="stable"), "patient")
    bad = rows[SKIPPED] + rows[REJECTED]
    rows = rows.assign(bad=bad).sort_values("bad", ascending=False, kind="stable").drop(columns="bad")
    lost = int(((rows[USED] + rows[NOTED]) == 0).sum())
    lead = f"{plural(len(rows), 'patient')}, {lost:,} of them without a usable recording; those with most losses first."
    caption = "EDFs by patient" if len(rows) <= SHOWN else f"EDFs by patient, the first {SHOWN}"
    return [Text(lead), table_of("patients", caption, rows.head(SHOWN), decimals=2, folded=len(rows) > FOLDED)]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
