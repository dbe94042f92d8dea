"""What the tests of the five formats share: one small corpus, written in each and read back by the library."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from simulated_corpus import REPOSITORY, simulation

from pipeline.clips import cut_clips, labelled_only
from pipeline.corpora.records import RecordingFiles
from pipeline.corpora.shards import deal
from pipeline.corpora.simulated_scalp import files_of, patients, write_patient, write_tree
from pipeline.findings import Findings
from pipeline.plugins import load_plugin
from pipeline.settings.clips import ClipCompat, ClipSettings
from pipeline.settings.corpora import IndexSettings, SplitSettings
from pipeline.settings.simulation import READER_OF, SimulationSettings
from pipeline.stages.index import RECORDINGS, SEIZURES, index
from pipeline.stages.ingest import SEGMENTS, Settings, ingest
from pipeline.store import reading_store, writing_store

VERSIONS = {"tusz_v1": "v1", "tusz_v2": "v2"}  # of the other readers: auto
SMALL = {
    "cohort": {"CF": {"train": 2}, "AB": {"validation": 1}, "GN": {"test": 1}},
    "minutes": 1.5,
    "recordings_per_patient": 2,
    "seizures": {"CF": [0, 1], "AB": [1, 2], "GN": [1]},
    "montages": {"01_tcp_ar": 0.4, "02_tcp_le": 0.3, "03_tcp_ar_a": 0.3},
    "traps": {"two_montages": 0.0, "missing_midline": 0.0, "one_hz_channel": 1.0, "dummy_channels": 0.5},
}
CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
SHARDS = {"train": 1, "validation": 1, "test": 1}
LENGTH_S = 12
Key = tuple[int, int]  # the patient's number and the session: the same in every format


@dataclass
class ReadBack:
    """One format, read back. Tables have the column `key`; `signals` by key and montage, each (n, s) in µV."""

    layout: str
    settings: SimulationSettings
    root: Path
    found: dict[Key, RecordingFiles]
    tables: dict[str, pd.DataFrame]
    signals: dict[str, dict[Key, np.ndarray]] = field(default_factory=dict)
    findings: dict[str, Findings] = field(default_factory=dict)

    def events(self, key: Key, *, whole: bool) -> list[tuple[float, float, str, str]]:
        """Onset, end, code and channel of a recording's seizures."""
        table = self.tables["seizures"]
        own = table[(table["key"] == key) & ((table["channel"] == "TERM") == whole)]
        return sorted(own[["onset_s", "offset_s", "code", "channel"]].itertuples(index=False, name=None))


def read_back(root: Path, layout: str, montages: tuple[str, ...]) -> ReadBack:
    """Write the corpus in one format, then find, deal, index, ingest (once for each montage) and cut it."""
    settings = simulation(**SMALL, format=layout)
    write_tree(root / "corpus", settings)
    keys: dict[str, Key] = {}
    for patient in patients(settings):
        write_patient(root / "corpus", root / "truth", settings, patient)
        for session in range(1, settings.recordings_per_patient + 1):
            keys[files_of(settings, patient, session).recording] = (patient.number, session)
    reader, version = READER_OF[settings.format], VERSIONS.get(layout, "auto")
    found = load_plugin("corpora", reader).find(root / "corpus", version)
    findings = Findings(corpus=layout)
    listed = _dealt(found, layout, root / "corpus")
    chosen = IndexSettings(corpus=layout, reader=reader, version=version)
    recordings, seizures = index(root / "corpus", listed, chosen, findings)
    tables = {"recordings": _table(recordings, RECORDINGS, keys), "seizures": _table(seizures, SEIZURES, keys)}
    made = ReadBack(layout, settings, root, {keys[files.recording]: files for files in found}, tables)
    made.findings["index"] = findings
    for montage in montages:
        _keep(made, montage, keys)
    for task in ("detection", "classification"):
        tables[task] = _clips(tables, task, keys)
    return made


def _dealt(found: list[RecordingFiles], layout: str, root: Path) -> list[RecordingFiles]:
    values: dict[str, Any] = {"validation_share": 0.0, "test_share": 0.0, "file": None, "seed": 0, "official": {}}
    if layout.startswith("tusz"):
        official = {"train": "train", "dev": "validation", "eval": "test"}
        official = official if layout == "tusz_v2" else {"train": "train", "dev": "test"}
        values.update(source="official", official=official)
    else:
        values.update(source="file", file=str(root / "splits.tsv"))
    dealt, findings = deal(found, SplitSettings(**values), SHARDS, layout)
    assert not list(findings)
    return [files for shard in dealt.values() for files in shard]


def _table(rows: list[dict[str, Any]], columns: dict[str, str], keys: dict[str, Key]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(columns)).astype(columns)
    return table.assign(key=[keys[name] for name in table["recording"]])


@dataclass
class Ingested:
    """What `ingest` made of one format in one montage."""

    rows: list[dict[str, Any]]
    findings: Findings
    store: Path


def ingested(made: ReadBack, montage: str) -> Ingested:
    """Ingest all recordings."""
    compat = {name: CONFIG["compat"][name] for name in ("zero_unreadable", "resample_length")}
    channels = {**CONFIG["channels"], "montage": montage}
    sections = {"corpus": made.layout, "channels": channels, "signals": CONFIG["signals"], "compat": compat}
    store, findings = made.root / f"{montage}.zarr.zip", Findings(corpus=made.layout)
    recordings = made.tables["recordings"].drop(columns="key")
    with writing_store(store) as group:
        settings = Settings.model_validate(sections)
        rows = ingest(made.root / "corpus", recordings, settings, findings, group, logging.getLogger("test"))
    return Ingested(rows, findings, store)


def _keep(made: ReadBack, montage: str, keys: dict[str, Key]) -> None:
    done = ingested(made, montage)
    made.findings[montage] = done.findings
    segments = _table(done.rows, SEGMENTS, keys)
    with reading_store(done.store) as group:
        names = zip(segments["key"], segments["recording"], segments["segment"], strict=True)
        made.signals[montage] = {key: group[f"{recording}/{segment}"][...] for key, recording, segment in names}
    made.tables.setdefault("segments", segments)  # of the first montage


def _clips(tables: dict[str, pd.DataFrame], task: str, keys: dict[str, Key]) -> pd.DataFrame:
    segments = labelled_only(tables["segments"].drop(columns="key"), Findings())
    clips = cut_clips(
        segments,
        tables["seizures"].drop(columns="key"),
        task=task,
        length_s=LENGTH_S,
        settings=ClipSettings(**CONFIG["clips"]),
        compat=ClipCompat(**{name: CONFIG["compat"][name] for name in ("label_edge", "clip_start_offset")}),
        findings=Findings(),
    )
    return clips.assign(key=[keys[name] for name in clips["recording"]])
