"""Input that means harm (faults.md, rows 23-27 and 29). Row 28 has files of its own: test_canaries, deidentify/."""

import ast
import contextlib
import csv
import io
import json
import os
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from pipeline.corpora import _tree, bids, chbmit, folder, siena, tusz
from pipeline.corpora.records import ManifestRow
from pipeline.corpora.shards import MANIFEST_COLUMNS, read_manifest, write_manifest
from pipeline.findings import CorpusError, Findings
from pipeline.report.blocks import Figure, Note, Points, Section, Text, table_of
from pipeline.report.page import Page, island, render
from pipeline.report.picture import Picture
from pipeline.report.tables import write_both
from pipeline.sealing import DamagedFile
from pipeline.settings.base import SettingsError, check_extent
from pipeline.settings.config import parse_config
from pipeline.signals.edf_header import read_header
from pipeline.store import guarded, write_tsv
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.model_io import load_weights
from tests.signals.edf_builder import EdfFile, scalp_channels
from workflow.lib.config_file import MAX_BYTES, check_config_file

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for top in ("pipeline", "workflow", "benchmarks") for path in sorted((ROOT / top).rglob("*.py"))]
READERS = {"folder": folder, "tusz": tusz, "bids": bids, "chbmit": chbmit, "siena": siena}


class Payload:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def malicious_files(folder: Path, trace: Path) -> list[Path]:
    """The payload as pickle, as torch writes it, and as an array file."""
    (folder / "plain.safetensors").write_bytes(pickle.dumps(Payload(trace)))
    torch.save({"weight": Payload(trace)}, folder / "torch.safetensors")
    np.save(folder / "array.npy", np.array([Payload(trace)], dtype=object), allow_pickle=True)
    (folder / "array.npy").rename(folder / "array.safetensors")
    return sorted(folder.glob("*.safetensors"))


def test_row23_a_checkpoint_with_a_payload_is_refused_and_does_nothing(tmp_path):
    trace = tmp_path / "trace"
    for path in malicious_files(tmp_path, trace):
        with pytest.raises(DamagedFile):
            load_weights(path)
        with Checkpoints(tmp_path / path.stem, {"settings": 1}) as checkpoints:
            checkpoints.state.write_bytes(path.read_bytes())
            with contextlib.suppress(DamagedFile):
                assert checkpoints.load() is None
        assert not trace.exists(), path.name
    pickle.loads((tmp_path / "plain.safetensors").read_bytes())
    assert trace.exists()  # the payload works where somebody unpickles it


def calls(path: Path) -> list[tuple[str, ast.Call]]:
    tree = ast.parse(path.read_text())
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_row23_row24_row29_nothing_unpickles_evaluates_or_unpacks(path):
    """No pickle of any kind, no YAML but safe_load, no archive unpacked but by filter="data" and a pinned digest."""
    assert not imported(path) & {"pickle", "cPickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
    for name, call in calls(path):
        keywords = {word.arg: ast.unparse(word.value) for word in call.keywords}
        if name == "torch.load":
            assert keywords.get("weights_only") == "True"
        assert keywords.get("allow_pickle", "False") == "False"
        assert name not in ("eval", "exec", "os.system", "yaml.load", "yaml.unsafe_load", "yaml.full_load")
        assert not (name.startswith("subprocess") and keywords.get("shell") == "True")
        assert name != "shutil.unpack_archive"
        if name.endswith((".extractall", ".extract")):
            assert keywords.get("filter") == "'data'"
            assert "sha256" in path.read_text()


BOMB = "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)
HOSTILE = {
    "an object tag": ('corpus: !!python/object/apply:os.mkdir ["TRACE"]\n', "no plain YAML"),
    "a bomb of aliases": (f"a: &a [1, 2]\n{BOMB}corpus: *j\n", "aliases"),
    "a value that holds itself": ("corpus: &a [*a]\n", "holds itself"),
    "depth": ("corpus: " + "[" * 60 + "]" * 60 + "\n", "levels deep"),
    "great depth": ("corpus: " + "[" * 100_000, "no plain YAML"),
    "a template": ('__use_yte__: true\ncorpus: ?__import__("os").mkdir("TRACE")\n', "would run Python"),
    "size": ("# " + "x" * MAX_BYTES, "bytes"),
    "no mapping": ("- 1\n", "keys with values"),
    "no text": (b"\xff\xfe\x00", "as text"),
}


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_row24_hostile_configuration_files(tmp_path, kind):
    text, match = HOSTILE[kind]
    trace, path = tmp_path / "trace", tmp_path / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.replace("TRACE", str(trace)).encode())
    begin = time.thread_time()
    with pytest.raises(SettingsError, match=match):
        check_config_file(path)
    assert time.thread_time() - begin < 5
    assert not trace.exists()


def test_row24_our_own_files_pass():
    for path in [ROOT / "config.yaml", *(ROOT / "workflow" / "presets").glob("*.yaml")]:
        check_config_file(path)


def test_row24_a_bomb_in_memory_is_not_filled_in():
    value: object = [1]
    for _ in range(30):
        value = [value] * 10
    with pytest.raises(SettingsError, match="aliases"):
        parse_config({"corpus": value})
    with pytest.raises(SettingsError, match="aliases"):
        check_extent({"a": [[0] * 1000] * 1000}, where="x")


def test_row24_an_unknown_key_is_told_with_the_nearest():
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["signals"]["strickt"] = True
    with pytest.raises(SettingsError, match="did you mean 'strict'"):
        parse_config(config)


@pytest.mark.slow
def test_row24_snakemake_stops_before_it_loads_a_hostile_config(tmp_path):
    """The project's own config.yaml with a template in it: nothing of it runs."""
    for name in ("Snakefile", "workflow", "pipeline", "profiles"):
        (tmp_path / name).symlink_to(ROOT / name)
    trace = tmp_path / "trace"
    text = (ROOT / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(f'__use_yte__: true\ntitle: ?__import__("os").mkdir("{trace}")\n{text}')
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "-n"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "__use_yte__ would run Python" in done.stdout + done.stderr
    assert not trace.exists()


NAMES = [
    "..",
    "a b",
    "x" * 200,
    "=cmd",
    "a\tb",
    "a\nb",
    "<b>",
    "ü",
    "-rf",
    "'; DROP",
    "%00",
    "a\\b",
    "\udcff",
    "CON",
    "a:b",
]
SAFE = re.compile(r"[A-Za-z0-9_.-]+")


@pytest.mark.parametrize("version", ["auto", "files", "stems"])
def test_row25_ids_of_a_plain_folder_are_safe_whatever_the_names(tmp_path, version):
    for k, name in enumerate(NAMES):
        place = tmp_path / (name if name != ".." else "..x")
        place.mkdir(exist_ok=True)
        (place / f"{name}_{k}.edf").write_bytes(b"")
    found = folder.find(tmp_path, version)
    assert len({files.recording for files in found}) == len(NAMES) - sum(name == ".." for name in NAMES)
    for files in found:
        for text in (files.recording, files.patient):
            assert SAFE.fullmatch(text)
            assert ".." not in (text, text[:2])
            assert len(text) < 130
        assert not os.path.isabs(files.edf)


def test_row25_a_patient_called_up_does_not_lead_up(tmp_path):
    assert _tree.safe_name("../../x", "p").strip("_") not in ("", "..")
    assert "/" not in _tree.safe_name("../../x", "p")
    assert SAFE.fullmatch(_tree.safe_name("\0" * 300, "p"))


TUSZ_PATHS = [
    "edf/train/01_tcp_ar/002/000 00002/s001_2003/x_s001_t000.edf",
    "edf/train/a$b/s001/01_tcp_ar/a_s001_t000.edf",
    "edf/train/aaaaaaaa/s001/01_tcp_ar/a b.edf",
    "edf/train/aaaaaaaa/s001/01_tcp_ar/a\nb.edf",
]


@pytest.mark.parametrize("path", TUSZ_PATHS)
def test_row25_tusz_ids_are_on_the_allow_list_or_refused(tmp_path, path):
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_bytes(b"")
    with pytest.raises(CorpusError):
        tusz.find(tmp_path, "auto")


@pytest.mark.parametrize("name", ["sub-../../x_eeg.edf", "sub-a b_eeg.edf", "sub-a\nb_task-x_eeg.edf"])
@pytest.mark.parametrize("reader", ["bids", "chbmit", "siena"])
def test_row25_other_readers_too(tmp_path, reader, name):
    path = tmp_path / "x" / name.replace("/", "_")
    path.parent.mkdir()
    path.write_bytes(b"")
    try:
        found = READERS[reader].find(tmp_path, "auto")
    except CorpusError:
        return
    for files in found:
        assert SAFE.fullmatch(files.recording)
        assert SAFE.fullmatch(files.patient)


@pytest.mark.parametrize("reader", list(READERS))
def test_row25_a_link_out_of_the_root_is_refused_and_a_loop_ends(tmp_path, reader):
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "secret.edf").write_bytes(b"")
    (root / "loop").symlink_to(root)
    (root / "again").symlink_to(root / "loop")
    assert READERS[reader].find(root, "auto") == []
    (root / "leads").symlink_to(outside)
    with pytest.raises(CorpusError, match="leads out of the corpus"):
        READERS[reader].find(root, "auto")
    (root / "leads").unlink()
    (root / "a.edf").symlink_to(outside / "secret.edf")
    with pytest.raises(CorpusError, match="leads out of the corpus"):
        READERS[reader].find(root, "auto")


def row(path: str) -> ManifestRow:
    return ManifestRow(recording="r", patient="p", session="", split="train", montage="", role="edf", path=path, size=1,
                       mtime_ns=1)  # fmt: skip


@pytest.mark.parametrize("path", ["../x.edf", "a/../../x.edf", "/etc/passwd"])
def test_row25_a_manifest_does_not_lead_out(tmp_path, path):
    write_manifest(tmp_path / "m.tsv", [row("a.edf")])
    (tmp_path / "m.tsv").write_text((tmp_path / "m.tsv").read_text().replace("a.edf", path))
    with pytest.raises(CorpusError, match="leaves the corpus folder"):
        read_manifest(tmp_path / "m.tsv")


@pytest.mark.parametrize("path", ["a\tb.edf", "a\nb.edf", "a\0b.edf", "a\rb.edf"])
def test_row25_a_manifest_has_no_name_that_breaks_it(tmp_path, path):
    with pytest.raises(CorpusError, match="rename the file"):
        write_manifest(tmp_path / "m.tsv", [row(path)])
    assert len(MANIFEST_COLUMNS) == 9


CELLS = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    " =1",
    "a\tb",
    "a\nb\r",
    "plain",
    "-12.5",
    "",
    "a\0b",
]


def test_row26_no_cell_of_text_is_run_or_breaks_a_row(tmp_path):
    table = pd.DataFrame({"text": CELLS, "number": np.linspace(-5.5, 5.5, len(CELLS)), "=head": CELLS})
    table["count"] = np.arange(len(CELLS)) - 4
    write_tsv(tmp_path / "t.tsv", table)
    lines = (tmp_path / "t.tsv").read_text().split("\n")
    assert len(lines) == len(CELLS) + 2
    assert {line.count("\t") for line in lines[:-1]} == {3}
    assert lines[0].split("\t") == ["text", "number", "'=head", "count"]
    for line, number, count in zip(lines[1:-1], table["number"], table["count"], strict=True):
        cells = line.split("\t")
        assert not [cell for cell in (cells[0], cells[2]) if cell.lstrip('" ').startswith(("=", "+", "-", "@"))]
        assert float(cells[1]) == pytest.approx(number, rel=1e-5)
        assert int(cells[3]) == count


def test_row26_tables_of_the_report_are_guarded(tmp_path):
    write_both(tmp_path, "t", pd.DataFrame({"text": CELLS, "number": -1.5}))
    rows = list(csv.reader(io.StringIO((tmp_path / "t.csv").read_text())))
    assert len(rows) == len(CELLS) + 1
    assert not [cell for cell, _ in rows[1:] if cell.lstrip().startswith(("=", "+", "-", "@"))]
    assert {number for _, number in rows[1:]} == {"-1.5"}
    assert guarded(pd.DataFrame({"a": ["=1"]}))["a"].tolist() == ["'=1"]


HTML = [
    "<script>alert(1)</script>",
    "</script><script>x",
    "<img src=x onerror=alert(1)>",
    '" onload="x',
    "<!--",
    "&lt;b>",
]


def hostile_page(texts: list[str]) -> str:
    frame = pd.DataFrame({"label": texts, texts[0]: texts})
    blocks = [Text(texts[0]), Note(texts[1]), Points([(texts[2], texts[3])]), table_of("t", texts[4], frame)]
    shown = {"title": texts[0], "subtitle": texts[1], "banner": texts[2], "stamp": texts[2]}
    pairs = [(texts[0], texts[1])]
    sections = [Section("a", texts[5], blocks)]
    page = Page(**shown, synthetic=False, caveats=pairs, sections=sections, provenance=pairs)
    return render(page, max_mb=5)


def test_row27_labels_and_annotations_are_text_on_a_page():
    page = hostile_page(HTML)
    plain = hostile_page(["a"] * len(HTML))
    for tag in ("<script", "</script>", "<img", "<!--", "<b>"):
        assert page.count(tag) == plain.count(tag), tag
    assert page.count("&lt;script&gt;alert(1)") > 5
    assert re.search(r'http-equiv="Content-Security-Policy" content="default-src (&#39;|\')none', page)


def test_row27_numbers_of_pictures_cannot_end_their_script():
    picture = Picture(name="a", title="A", caption="", alt="", png=b"", numbers={"label": HTML})
    figures = [Section("a", "A", [Figure(picture)])]
    text = island(Page(title="", subtitle="", banner="", synthetic=False, sections=figures, caveats=[]))
    assert "<" not in text
    assert "\\u003cscript" in text
    assert json.loads(text) == {"a": {"label": HTML}}


def test_row27_every_page_that_we_write_comes_from_the_one_template():
    """Nothing but pipeline/report/page.py makes HTML, and its template has the policy."""
    makers = [path for path in SOURCES if re.search(r"<html|<!doctype", path.read_text(), re.IGNORECASE)]
    assert [str(path.relative_to(ROOT)) for path in makers] == []
    templates = list((ROOT / "pipeline").rglob("*.html"))
    assert templates
    for path in templates:
        assert 'http-equiv="Content-Security-Policy"' in path.read_text()
        assert "|safe" not in path.read_text().replace(" ", "")


@pytest.mark.parametrize("label", ["<b>x</b>", "=cmd", "../../etc/x", "a\tb", "\x1b[31m"])
def test_row27_a_hostile_label_never_leaves_the_header(tmp_path, label):
    channels = scalp_channels(np.random.default_rng(0), records=2, labels=["EEG C3-REF", label])
    path = EdfFile(channels).write(tmp_path / "a.edf")
    assert [signal.label for signal in read_header(path, Findings()).signals] == ["EEG C3-REF", "ch 02"]
