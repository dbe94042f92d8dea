"""The lowest scores of a run, patient by patient, with what is known about why (spec soz.md, section 11)."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.report.blocks import Block, Links, Note, Points, Section, Text, cell
from pipeline.report.picture import plural
from pipeline.report.soz_channels import of_patient
from pipeline.report.soz_cohort import CohortResults
from pipeline.report.soz_implant import shaft_picture
from pipeline.report.soz_shown import Shown
from pipeline.report.tables import records


def gallery(found: CohortResults, look: dict[str, Any]) -> tuple[Section, list[Shown]]:
    """The patients of the lowest AUROC, as cohort.json names them: implant shaft by shaft, and facts."""
    patients = found.of_patients().set_index("patient", drop=False)
    lowest = patients.loc[found.summary["worst"]]
    if lowest.empty:
        return Section("gallery", "The lowest scores", [Note("No patient has both classes: there is no score.")]), []
    blocks: list[Block] = [Text(f"The {plural(len(lowest), 'patient')} of the lowest AUROC, whatever it is.")]
    shown = []
    for row in records(lowest):
        own = of_patient(found.channels, row["patient"])
        title = f"{row['patient']}, AUROC {row['auroc']:.2f}"
        picture = shaft_picture(own, patient=row["patient"], title=title, **look)
        shown.append(picture)
        blocks += [*picture.blocks(caption=f"Contacts of {row['patient']}")[:1], Points(_facts(found, row, own)),
                   Links([(f"Page of {row['patient']}", f"pages/{row['patient']}.html")])]  # fmt: skip
    return Section("gallery", "The lowest scores", blocks), shown


def _facts(found: CohortResults, row: dict[str, Any], own: pd.DataFrame) -> list[tuple[str, str]]:
    """What the tables say of a patient: nothing here is an explanation."""
    first = own.sort_values("rank", kind="stable").iloc[0]
    marked = own[own["label_soz"].fillna(False).to_numpy(dtype=bool)].sort_values("rank", kind="stable")
    ranks = ", ".join(f"{name} #{rank:.0f}" for name, rank in zip(marked["channel"], marked["rank"], strict=True))
    clips = [f"{int(np.nanmax(own[f'n_clips_{name}']))} {name}" for name in ("ictal", "interictal")]
    flags = sorted({flag for text in own["flags"] for flag in str(text).split(",") if flag})
    facts = found.facts[found.facts["patient"] == row["patient"]]
    about = [str(facts[key].iloc[0]) for key in ("implant", "engel", "lesion") if key in facts and len(facts)]
    away = f"{cell(row['mm_to_soz'], decimals=0)} mm from a marked one"
    return [
        ("First:", f"{first['channel']} ({first['p_cal']:.2f}), {away}"),
        ("Ranks of the marked contacts:", f"{ranks} of {len(own)}"),
        ("Clips:", " and ".join(clips)),
        ("Patient:", ", ".join(text for text in about if text and text != "nan") or "nothing known"),
        ("Checks on contacts:", ", ".join(flags) or "none"),
        ("Answer:", found.abstained.get(row["patient"], "") or "given"),
    ]
