"""A folder of EDFs with a canary in every place that can hold personal data, and a search of what was made of it."""

import io
import socket
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from tests.signals.edf_builder import EdfFile, annotation_channel, eeg, scalp_channels

CANARY = "canary"  # in each planted text, in some case of letters; no word of the product has it
HOST = socket.gethostname().lower()  # in records of provenance; some machines are called so
IDENTITY = {
    "patient": "CANARYid7731 F 02-MAY-1951 Canary_Name",
    "recording": "Startdate 17-MAR-2009 CANARYadm CANARYtech CANARYmachine",
    "date": "17.03.09",
    "time": "13.45.07",
}
TEXTS = ("CANARY fell out of bed", "seizure CANARY nurse", "CANARYSZ")


def canary_file(rng: np.random.Generator, *, records: int = 16) -> EdfFile:
    """A sound EDF+ of 19 electrodes and two other channels, with canaries in every field that is text."""
    channels = scalp_channels(rng, records=records)
    others = scalp_channels(rng, records=records, labels=["CANARYaux", "EKG CanaryX"])
    others[1].unit = "canaryU"
    for channel in (*channels, *others):
        channel.transducer, channel.prefilter = "AgAgCl CANARYtransducer", "HP:0.1Hz CANARYfilter"
        channel.reserved = "CANARYreserved"
    lists = [f"+{i}\x14\x14\0" for i in range(records)]
    lists[1] += f"+1.25\x14{TEXTS[0]}\x14\0"
    lists[2] += f"+2.5\x153\x14{TEXTS[1]}\x14\0"
    lists[3] += f"+3\x151\x14{TEXTS[2]}\x14\0+3\x14Photic on\x14\0"
    lists[4] += "+4\x154\x14sz_foc_ia\x14\0"
    lists[5] += "CANARY no list at all\0"
    marks = annotation_channel(lists, size=60)
    marks.transducer = marks.reserved = "CANARYmarks"
    return EdfFile([*channels, *others, marks], reserved="EDF+C CANARYkind", fields=IDENTITY)


def write_canary_corpus(root: Path) -> list[Path]:
    """Fifteen recordings, most of them broken so that another message is made, events, and reports; their EDFs."""
    rng = np.random.default_rng(28)
    folder = root / "Canary Smith 1951"
    sound = canary_file(rng).write(folder / "canary_visit 17-03-2009.edf")
    (folder / "canary_session.txt").write_text("Report: Ms Canary Smith, CANARYreport, had a seizure.\n")
    (folder / "letter_canary.docx").write_bytes(b"CANARYletter")
    files = {
        "canary_bipolar": scalp_channels(rng, labels=["FP1-F7", "F7-CANARY", "CANARY-T5"]),
        "canary_no_eeg": scalp_channels(rng, labels=["CANARYone", "CANARYtwo"]),
        "canary_missing": [*scalp_channels(rng)[:-2], *scalp_channels(rng, labels=["PZ CANARY"])],
        "canary_unit": _changed(rng, unit="CANARYuV"),
        "canary_range": _changed(rng, pmin="CANARY,1"),
        "canary_samples": _changed(rng, per_record="CANARY"),
    }
    paths = [sound]
    for name, channels in files.items():
        paths.append(EdfFile(channels, fields=IDENTITY).write(root / f"canary_{name}" / f"{name}.edf"))
    for name in ("version", "header_bytes", "records", "record_s"):
        broken = EdfFile(scalp_channels(rng), fields={**IDENTITY, name: "CANARY"})
        paths.append(broken.write(root / "canary_other" / f"canary_{name}.edf"))
    cut = EdfFile(scalp_channels(rng), fields=IDENTITY).write(root / "canary_other" / "canary_cut.edf")
    cut.write_bytes(cut.read_bytes()[:-5000] + b"CANARYtail")
    head = "onset\tduration\teventType\tconfidence\tchannels\tCANARYcolumn\n"
    rows = (
        "2\t5\tsz_foc_ia\tn/a\tF7-T3,CANARYchan\tx\n9\t1\tCANARYtype\tn/a\tn/a\tx\nCANARYonset\t1\tbckg\tn/a\tn/a\tx\n"
    )
    cut.with_name("canary_cut_events.tsv").write_text(head + rows)
    table = EdfFile(scalp_channels(rng), fields=IDENTITY).write(root / "canary_other" / "canary_table.edf")
    table.with_suffix(".csv").write_text("CANARYa,CANARYb\n1,2\n")
    lines = (
        "channel,start_time,stop_time,label,confidence\nTERM,CANARY,2,seiz,1\nCANARYch,1,4,seiz,1\nTERM,5,6,canary,1\n"
    )
    tusz = EdfFile(scalp_channels(rng), fields=IDENTITY).write(root / "canary_other" / "canary_tusz.edf")
    tusz.with_suffix(".csv").write_text(lines)
    typed = EdfFile(scalp_channels(rng), fields=IDENTITY).write(root / "canary_other" / "canary_typed.edf")
    typed.with_name("canary_typed_events.tsv").write_text(head + rows[: rows.index("CANARYonset")])
    return [*paths, cut, table, tusz, typed]


def _changed(rng: np.random.Generator, **fields: str) -> list:
    channels = scalp_channels(rng)
    for name, text in fields.items():
        setattr(channels[3], name, text)
    return channels


def planted(root: Path) -> set[str]:
    """Names of files and folders, in lower case: none of them may come out either."""
    return {part.lower() for path in root.rglob("*") for part in (path.name, path.stem) if CANARY in part.lower()}


def texts_of(path: Path) -> str:
    """Everything that a result says: bytes as they are, and what Parquet and ZIP files hold."""
    raw = path.read_bytes()
    found = [str(path), raw.decode("latin-1")]
    if path.suffix == ".parquet":
        found.append(pd.read_parquet(io.BytesIO(raw)).to_json())
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            found += [name + archive.read(name).decode("latin-1") for name in archive.namelist()]
    return "\n".join(found).lower()


def canaries_in(folder: Path, *, but: tuple[str, ...] = ()) -> dict[str, str]:
    """File below `folder` -> what it gives away, and the text around it; `but`: top folders to pass over."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        name = path.relative_to(folder)
        if name.parts[0] in but:
            continue
        text = texts_of(path).replace(str(folder).lower(), "").replace(HOST, "")
        place = text.find(CANARY)
        if place >= 0:
            found[str(name)] = text[max(0, place - 60) : place + 60]
    return found


__all__ = ["CANARY", "canaries_in", "canary_file", "eeg", "planted", "write_canary_corpus"]
