"""Where and when a run happens changes nothing (faults.md, row 34): time zone, locale, paths, dates of the header."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.corpora.folder import find
from pipeline.corpora.records import path_to_text, text_to_path
from pipeline.corpora.shards import deal, manifest_rows, read_manifest, write_manifest
from pipeline.findings import Findings
from pipeline.settings.corpora import IndexSettings, SplitSettings
from pipeline.stages.index import index
from pipeline.store import digest_result, reading_store
from tests.signals.edf_builder import EdfFile, annotation_channel, scalp_channels
from tests.signals.opening import opened, samples

REPOSITORY = Path(__file__).parents[2]
CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
SPLITS = SplitSettings(source="hash", official={}, validation_share=0.0, test_share=0.0, file=None, seed=0)
OUTPUTS = ("recordings.parquet", "seizures.parquet", "segments.parquet", "index.findings.parquet",
           "ingest.findings.parquet", "signals.zarr.zip")  # fmt: skip


def recording(seed=0, **fields):
    """Twelve seconds with a seizure annotated inside the EDF+."""
    lists = [f"+{i}\x14\x14\0" for i in range(12)]
    lists[2] += "+2.5\x153\x14sz_foc\x14\0"
    channels = [*scalp_channels(np.random.default_rng(seed), records=12), annotation_channel(lists)]
    return EdfFile(channels, reserved="EDF+C", fields=fields)


def stage(name, settings, options, environment):
    words = [sys.executable, "-m", f"pipeline.stages.{name}", "--settings", json.dumps(settings)]
    words += [word for option, value in options.items() for word in (f"--{option}", os.fspath(value))]
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "TZ", "PYTHON"))}
    done = subprocess.run(
        words, cwd=REPOSITORY, capture_output=True, env={**clean, "OMP_NUM_THREADS": "1", **environment}, check=False
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")


def process(root, out, **environment):
    """Index and ingest the EDFs below `root` in processes of their own; the paths of what came out, by name."""
    dealt, _ = deal(find(root, "auto"), SPLITS, {"train": 1, "validation": 1, "test": 1}, "c")
    write_manifest(out / "manifest.tsv", manifest_rows(root, dealt["train-00"]))
    made = {name: out / name for name in OUTPUTS}
    tables = {name: made[f"{name}.parquet"] for name in ("recordings", "seizures")} | {"root": root}
    reader = {"index": {"corpus": "c", "reader": "folder", "version": "auto"}}
    first = {"manifest": out / "manifest.tsv", "findings": made["index.findings.parquet"], "log": out / "a.log"}
    stage("index", reader, tables | first, environment)
    compat = {name: CONFIG["compat"][name] for name in ("zero_unreadable", "resample_length")}
    ingest = {"corpus": "c", "channels": CONFIG["channels"], "signals": CONFIG["signals"], "compat": compat}
    second = {"findings": made["ingest.findings.parquet"], "signals": made["signals.zarr.zip"],
              "segments": made["segments.parquet"], "log": out / "b.log"}  # fmt: skip
    stage("ingest", ingest, tables | second, environment)
    return made


def digests(made):
    return {name: digest_result(path) for name, path in made.items()}


NAMES = [
    b"with blanks", "größe-東京".encode(), b"latin-1 gr\xf6\xdfe", b"\xff\xfe", b"100%FF", b"quote's \"x\" $(id)",
    b"-rf",
]  # fmt: skip


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """A corpus whose names hold any bytes, in the root, in folders and files, and its results in UTC and UTF-8.

    Each recording has a fault to report, so that its name meets a message.
    """
    root = tmp_path_factory.mktemp("places") / os.fsdecode(b"root gr\xf6\xdfe")
    for number, name in enumerate(map(os.fsdecode, NAMES)):
        recording(number, records="-1").write(root / name / f"{name}.edf")
    recording(99, header_bytes="7").write(root / os.fsdecode(NAMES[2]) / "broken.edf")
    out = root.parent / "out"
    return root, out, process(root, out, TZ="UTC", LC_ALL="C.UTF-8")


@pytest.mark.parametrize(
    "environment",
    [
        {"TZ": "Asia/Kathmandu", "LC_ALL": "de_DE.UTF-8"},
        {"TZ": "America/St_Johns", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ],
    ids=["kathmandu-german", "newfoundland-ascii"],
)
def test_row34_time_zone_and_locale_change_no_byte(usual, tmp_path, environment):
    root, _, expected = usual
    assert digests(process(root, tmp_path, **environment)) == digests(expected)


def test_row34_names_of_any_bytes_are_read(usual):
    """The names change neither samples nor findings, and no table, id or log stumbles over them."""
    _, out, made = usual
    recordings, segments, findings = (
        pd.read_parquet(made[name]) for name in ("recordings.parquet", "segments.parquet", "index.findings.parquet")
    )
    assert len(recordings) == segments["recording"].nunique() == len(NAMES)
    assert recordings["recording"].is_unique
    assert recordings["recording"].str.fullmatch(r"[A-Za-z0-9_.-]+").all()
    assert sorted(findings["code"]) == ["header_invalid", *["nrec_unknown"] * len(NAMES)]
    assert findings["message"].str.contains("größe-東京.edf").sum() == 1
    for number, name in enumerate(NAMES):
        alone = recording(number, records="-1").write(out / "plain" / str(number) / "a.edf")
        clean, _ = opened(alone)
        shown = path_to_text(os.fsdecode(name + b"/" + name + b".edf"))
        row = recordings.loc[recordings["path"] == shown, "recording"]
        with reading_store(made["signals.zarr.zip"]) as store:
            np.testing.assert_array_equal(store[f"{row.item()}/000"][...], samples(clean))
    assert "Traceback" not in (out / "a.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [*NAMES, b"a/%41/%%.edf", b"\x80%80"])
def test_row34_a_path_survives_as_text(path):
    name = os.fsdecode(path)
    text = path_to_text(name)
    assert text_to_path(text) == name
    assert text.encode("utf-8")  # which a path of other bytes cannot
    if b"%" not in path and name.isprintable() and name.isascii():
        assert text == name


@pytest.mark.parametrize(
    ("date", "time"),
    [
        ("01.01.85", "00.00.00"), ("31.12.99", "23.59.59"), ("01.01.00", "00.00.00"), ("31.12.84", "12.00.00"),
        ("29.02.01", "24.61.61"), ("01:01:85", "00:00:00"), ("00.00.00", "        "), ("32.13.99", "xx.yy.zz"),
        ("", ""),
    ],
)  # fmt: skip
def test_row34_T29_no_date_changes_any_output(tmp_path, date, time):
    """Two-digit years, 85-99 as well as 00-84, decide nothing because nothing reads them; nor does the file's time."""
    one = recording(date="02.03.90", time="04.05.06").write(tmp_path / "one" / "p" / "a.edf")
    other = recording(date=date, time=time).write(tmp_path / "other" / "p" / "a.edf")
    os.utime(other, (0, 0))
    assert one.read_bytes() != other.read_bytes()
    expected, found = ({name: read(path) for name, path in in_process(tmp_path / root).items()}
                       for root in ("one", "other"))  # fmt: skip
    for name, table in expected.items():
        pd.testing.assert_frame_equal(found[name], table)


def read(path):
    return pd.read_parquet(path)


def in_process(root):
    """Like `process`, within this process and without the signals."""
    dealt, _ = deal(find(root, "auto"), SPLITS, {"train": 1, "validation": 1, "test": 1}, "c")
    findings = Findings()
    settings = IndexSettings(corpus="c", reader="folder", version="auto")
    recordings, seizures = index(root, dealt["train-00"], settings, findings)
    clean, codes = opened(root / recordings[0]["path"])
    tables = {"recordings": pd.DataFrame(recordings), "seizures": pd.DataFrame(seizures),
              "findings": findings.to_frame(), "codes": pd.DataFrame({"code": codes}),
              "signal": pd.DataFrame(samples(clean).T)}  # fmt: skip
    made = {}
    for name, table in tables.items():
        made[name] = root / f"{name}.parquet"
        table.columns = table.columns.astype(str)
        table.to_parquet(made[name])
    return made


def test_row34_a_manifest_keeps_names_of_any_bytes(tmp_path):
    name = os.fsdecode(b"gr\xf6\xdfe %41")
    recording().write(tmp_path / "root" / name / f"{name}.edf")
    rows = manifest_rows(tmp_path / "root", find(tmp_path / "root", "auto"))
    write_manifest(tmp_path / "m.tsv", rows)
    assert read_manifest(tmp_path / "m.tsv") == rows
