"""The page of one patient: which contacts the models put first, why to doubt it, and what it rests on (soz.md, 11)."""

from typing import Any

import pandas as pd

from pipeline.findings import CODES, REMEDIES
from pipeline.metrics.soz_contacts import BOTH
from pipeline.report.blocks import Block, Links, Note, Points, Section, Table, Text, cell, table_of, with_interval
from pipeline.report.page import Page
from pipeline.report.picture import plural
from pipeline.report.provenance import versions
from pipeline.report.scoreboard import REAL_LINE
from pipeline.report.soz_implant import implant_picture, label_words, shaft_picture
from pipeline.report.soz_left_out import left_out_picture, left_out_words
from pipeline.report.soz_links import arrows_picture, lift_picture, strength_table
from pipeline.report.soz_maps import maps_picture, profile_picture
from pipeline.report.soz_patient import CLIP_S, PatientResults
from pipeline.report.soz_seizures import agreement_table, clip_probabilities, clips_picture, onset_picture
from pipeline.report.soz_shown import Shown
from pipeline.report.tables import records

TOP = 10  # contacts of the first table
SYNTHETIC_LINE = (
    "SYNTHETIC DATA: nothing on this page was recorded from a person. It says how the software behaves, and nothing "
    "about how well it would do in a clinic. Research use only."
)
CAVEATS = [
    ("Use.", "Research use only; not a medical device. It is no advice on where to operate."),
    ("What p means.", "The probability that clinicians would mark a contact as seizure onset zone, as they did in the "
     "training patients: not that removing it would stop seizures."),
    ("Coverage.", "Only what a contact records can be judged. The zone may lie where no contact is; the ranking "
     "still has a first place."),
    ("Interval.", "Over clips and seeds of this patient; how patients differ, and how labels were made, is not "
     "in it."),
    ("Links.", "Attention is learned dependence between contacts, not effective connectivity; it names no cause."),
]  # fmt: skip
FACTS = {
    "implant": "implant", "engel": "Engel", "outcome": "outcome", "therapy": "therapy", "lesion": "lesion",
    "target": "target", "age": "age", "sex": "sex", "frame": "coordinate frame",
}  # fmt: skip


def patient_page(
    found: PatientResults, *, title: str, corpus: str, run: str, synthetic: bool, dpi: int
) -> tuple[Page, list[Shown]]:
    """The page, and its pictures with their tables. `synthetic`: whether the corpus is simulated."""
    look: dict[str, Any] = {"patient": found.patient, "synthetic": synthetic, "dpi": dpi}
    parts = [_answer(found)]
    shown: list[Shown] = []
    if len(found.channels):
        for make in (_implant, _seizures, _maps, _graphs, _left_out):
            section, pictures = make(found, look)
            parts.append(section)
            shown += pictures
    parts += [_quality(found), _files(found)]
    page = Page(
        title=f"{title}: {found.patient}",
        subtitle=f"Seizure onset zone, corpus “{corpus}”, run “{run}”",
        banner=SYNTHETIC_LINE if synthetic else REAL_LINE,
        synthetic=synthetic,
        sections=parts,
        caveats=CAVEATS,
        provenance=[*versions(), ("Corpus", corpus), ("Run", run), *_models(found)],
    )
    return page, shown


def _answer(found: PatientResults) -> Section:
    """Answer or abstention, and the contacts of the highest ranks."""
    own, said = found.channels, found.answer
    facts = [(f"{words}:", str(value)) for name, words in FACTS.items() if _known(value := found.facts.get(name))]
    if own.empty:
        words = "No contact of this patient was scored: no clip could be cut. What was found is below."
        return Section("answer", "What the models say", [Note(words), Points(facts)])
    if said.abstained:
        lead: Block = Note(f"{said.abstained[:1].upper()}{said.abstained[1:]}. The ranking below is no answer.")
    else:
        lead = Text(
            f"{plural(said.called, 'contact')} of {len(own)} reach the threshold {said.threshold:.3f}, chosen on "
            f"other patients (mean over {plural(said.n_models, 'model')}); the highest probability is "
            f"{said.highest:.3f}."
        )
    top = own.sort_values("rank", kind="stable").head(TOP)
    blocks: list[Block] = [lead, Text(f"{label_words(own)} {_hits(own)}"), _top_table(top), Points(facts)]
    return Section("answer", "What the models say", blocks)


def _hits(own: pd.DataFrame) -> str:
    """How many of the first contacts are marked; nothing where labels are of one class."""
    known = own["label_soz"].dropna()
    if known.nunique() < 2:
        return "" if known.empty else "All labels are of one class, so that no ranking score is defined."
    first = own[own["rank"] <= int(known.sum())]
    marked = int(first["label_soz"].fillna(False).sum())
    return f"Of the {plural(len(first), 'contact')} of the highest ranks, as many as are marked, {marked} are marked."


def _top_table(top: pd.DataFrame) -> Table:
    rows = [
        [cell(int(row["rank"])), row["channel"], row["line"],
         with_interval(row["p_cal"], row["ci_low"], row["ci_high"]), cell(row["p_ictal"]), cell(row["p_interictal"]),
         f"{cell(row['n_clips_ictal'], decimals=0)} / {cell(row['n_clips_interictal'], decimals=0)}",
         cell(row["seed_sd"]), _label(row["label_soz"]), _label(row["resected"]), row["region"] or "–",
         str(row["flags"]).replace(",", ", ") or "–"]
        for row in records(top)
    ]  # fmt: skip
    columns = ["rank", "contact", "shaft", "p [interval]", "p ictal", "p interictal", "clips", "sd of seeds", "SOZ",
               "resected", "region", "flags"]  # fmt: skip
    caption = "Highest ranks (clips: ictal / interictal)"
    return Table("top", caption, columns, rows, frozenset({3, 4, 5, 7}))


def _label(value: Any) -> str:
    return "unknown" if value is pd.NA or value is None else "yes" if value else "no"


def _known(value: Any) -> bool:
    return value is not None and not pd.isna(value) and str(value) != ""


def _implant(found: PatientResults, look: dict[str, Any]) -> tuple[Section, list[Shown]]:
    own = found.channels
    placed = implant_picture(own, **look)
    grid = shaft_picture(own, **look)
    blocks: list[Block] = []
    if placed is None:
        blocks.append(Note("No scored contact has coordinates: only the view shaft by shaft can be drawn."))
    else:
        blocks += placed.blocks(caption="Contacts in space")
    blocks += grid.blocks(caption="Contacts by shaft")
    columns = ["channel", "line", "rank", "p_cal", "ci_low", "ci_high", "p_ictal", "p_interictal", "flags"]
    ordered = own.sort_values("rank", kind="stable")[columns]
    blocks.append(table_of("all", "All scored contacts", ordered.astype({"rank": "Int64"}), folded=True))
    return Section("implant", "Where", blocks), [one for one in (placed, grid) if one is not None]


def _seizures(found: PatientResults, look: dict[str, Any]) -> tuple[Section, list[Shown]]:
    p = clip_probabilities(found.predictions)
    ictal = int((found.clips["phase"] == "ictal").sum())
    interictal = int((found.clips["phase"] == "interictal").sum())
    blocks: list[Block] = [
        Text(f"Judged by {plural(ictal, 'ictal clip')} and {plural(interictal, 'interictal clip')}.")
    ]
    judged = next((str(card["settings"]["finetuning"]["conditions"]) for card in found.cards), BOTH)
    missing = [name for name, count in (("ictal", ictal), ("interictal", interictal)) if not count]
    if judged != BOTH:
        blocks.append(Note(f"This run is trained on and judged by {judged} clips alone; others were not looked at."))
    elif missing:
        blocks.append(Note(f"There is no {missing[0]} clip: the ranking rests on the other condition alone."))
    onset = onset_picture(found.channels, found.clips, p, clip_s=CLIP_S, **look)
    if onset is not None:
        blocks += onset.blocks(caption="Probabilities around the onset")
    whole = clips_picture(found.channels, found.clips, p, **look)
    blocks += whole.blocks(caption="Probabilities clip by clip")
    if ictal:
        blocks.append(agreement_table(found.channels, found.clips, p))
    return Section("seizures", "Seizure by seizure", blocks), [one for one in (onset, whole) if one is not None]


def _maps(found: PatientResults, look: dict[str, Any]) -> tuple[Section, list[Shown]]:
    if found.shown_clip is None:
        return Section("maps", "Energy by band and second", [Note("No scored clip has a usable contact.")]), []
    made = [picture(found.channels, found.shown_clip, **look) for picture in (maps_picture, profile_picture)]
    blocks = [*made[0].blocks(caption="Maps"), *made[1].blocks(caption="Bands of every contact")]
    return Section("maps", "Energy by band and second", blocks), made


def _graphs(found: PatientResults, look: dict[str, Any]) -> tuple[Section, list[Shown]]:
    matrices, arrows = lift_picture(found.graphs, **look), arrows_picture(found.graphs, **look)
    if matrices is None:
        why = "The model has no layer over contacts, or the patient fewer than three of them: there is no graph."
        return Section("attention", "Attention", [Note(why)]), []
    blocks = matrices.blocks(caption="Lift of every pair")
    if arrows is not None:
        blocks += arrows.blocks(caption="The strongest links")
    looked_at = strength_table(found.graphs, found.channels).astype({"rank": "Int64"})
    blocks.append(table_of("strength", "How much each contact is looked at; chance is 1", looked_at, folded=True))
    return Section("attention", "Attention", blocks), [one for one in (matrices, arrows) if one is not None]


def _left_out(found: PatientResults, look: dict[str, Any]) -> tuple[Section, list[Shown]]:
    layers = min((card["settings"]["model"]["layers"] for card in found.cards), default=0)
    blocks: list[Block] = [*left_out_words(found.changes, layers=layers)]
    picture = left_out_picture(found.channels, found.changes, **look) if layers else None
    if picture is not None:
        blocks += picture.blocks(caption="Changes by shaft left out")
    return Section("shafts", "Without one shaft", blocks), [] if picture is None else [picture]


def _quality(found: PatientResults) -> Section:
    """What the checks say, what was left out, which bands and contacts are missing."""
    contacts, own = found.contacts, found.channels
    left_out = contacts[~contacts["channel"].isin(own["channel"])]
    bad = int((~left_out["good"].astype(bool)).sum()) if len(left_out) else 0
    blocks: list[Block] = [
        Text(f"Of {plural(len(contacts), 'channel')} in the side files {len(own)} are scored; of the others {bad} are "
             "no good intracranial contacts by status, type or name.")
    ]  # fmt: skip
    if found.findings.empty:
        return Section("quality", "Checks", [*blocks, Text("The checks found nothing to report.")])
    rows = [
        [row["code"], row["severity"], row["recording"], row["channel"] or "–", row["value"] or "–", row["message"]]
        for row in records(found.findings.fillna(""))
    ]
    codes = list(dict.fromkeys(found.findings["code"]))
    columns = ["check", "severity", "recording", "channel", "value", "what was found"]
    blocks += [
        Table("findings", "Findings", columns, rows),
        Points([(f"{code}:", f"{CODES[code]}. What to do: {REMEDIES[code]}.") for code in codes if code in CODES]),
    ]
    return Section("quality", "Checks", blocks)


def _files(found: PatientResults) -> Section:
    links = [("All patients: the cohort page", "../index.html"), ("All contacts as TSV", "../channel_soz.tsv")]
    if found.graphs:
        links.append(("Graphs as GraphML and TSV", f"../connectivity/{found.patient}.zip"))
    return Section("files", "Files", [Links(links)])


def _models(found: PatientResults) -> list[tuple[str, str]]:
    """Which models tested this patient."""
    return [
        (f"Model of fold {card['fold']}, seed {card['seed']}",
         f"weights {card['model_hash'][:16]}, folds {card['fold_hash'][:16]}, threshold {card['threshold']:.3f}")
        for card in found.cards
    ]  # fmt: skip
