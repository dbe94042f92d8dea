"""soz_ingest, soz_clips and soz_tokens over a small tree of EDFs whose tables the test writes by their schema."""

import importlib
import json
import logging
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.features._soz_store import ROWS
from pipeline.findings import StrictError
from pipeline.settings.base import SettingsError
from pipeline.settings.soz_data import SozClips, SozTokens
from pipeline.stages.command import StageError
from pipeline.stages.soz_ingest import SOZ_SEGMENTS
from pipeline.store import digest_file, digest_result, reading_store, write_table
from tests.signals.edf_builder import Channel, EdfFile, annotation_channel, eeg

REPOSITORY = Path(__file__).resolve().parents[2]
SOZ = yaml.safe_load((REPOSITORY / "config.yaml").read_text())["soz"]
READING = {"soz_bad": "drop", "low_rate_hz": 511, "rate_hz": 512, "adapter": "ds004100"}
CLIPS = {name: SOZ["clips"][name] for name in SozClips.model_fields} | {"shifts": 1}
TOKENS = {name: SOZ["tokens"][name] for name in SozTokens.model_fields} | {"montage": "average", "source": "wpt"}
CONTACTS = ["A1", "A2", "A3", "B1", "B2"]  # in canonical order; in the EDFs they stand backwards, behind an ECG
RATES = {"p1/ictal": 512, "p1/inter": 1024, "p2/inter": 256}
DURATION_S = {"p1/ictal": 130, "p1/inter": 71, "p2/inter": 75}


def stage(name: str, settings: dict, *words: str, **options: Path) -> SimpleNamespace:
    """Run a stage within this process, as its command would: exit status and the error that stopped it."""
    module = importlib.import_module(f"pipeline.stages.{name}")
    words = [name, "--settings", json.dumps(settings), *words]
    for option, value in options.items():
        words += [f"--{option}", str(value)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", words)
        try:
            module.main()
        except (StageError, SettingsError, StrictError) as error:
            return SimpleNamespace(error=error)
        finally:
            logging.getLogger("ictograph").handlers.clear()
    return SimpleNamespace(error=None)


def write_edf(root: Path, recording: str, *, flat: str = "") -> None:
    """Five contacts in reverse order behind an ECG at a quarter of the rate."""
    rng = np.random.default_rng(len(recording) + RATES[recording])
    rate, seconds = RATES[recording], DURATION_S[recording]
    channels = [Channel("ECG", eeg(rng, records=seconds, per_record=rate // 4))]
    for name in reversed(CONTACTS):
        samples = eeg(rng, records=seconds, per_record=rate)
        channels.append(Channel(name, np.full_like(samples, 37) if name == flat else samples))
    EdfFile(channels).write(root / f"{recording}.edf")


def index_tables(folder: Path) -> dict[str, Path]:
    """recordings, contacts and seizures as `soz_index` writes them, as far as these stages read them."""
    recordings = pd.DataFrame(
        [
            {"corpus": "c", "recording": name, "patient": name[:2], "session": "", "split": "train", "montage": "",
             "path": f"{name}.edf", "duration_s": float(DURATION_S[name]), "rate_hz": float(rate), "labelled": True,
             "task": "ictal" if "ictal" in name else "interictal", "run": "01", "implant": "SEEG", "mains_hz": 60.0}
            for name, rate in RATES.items()
        ]
    )  # fmt: skip
    contacts = pd.DataFrame(
        [
            {"recording": recording, "patient": recording[:2], "channel": name, "label": name,
             "edf_row": len(CONTACTS) - i, "good": True, "used": name != "A3", "soz": name == "A1", "resected": False,
             "shaft": name[0], "contact": int(name[1]), "hemisphere": "L", "x_mm": float(i), "y_mm": 0.0,
             "z_mm": np.nan, "region": "", "flags": "xyz_missing", "order": i}
            for recording in RATES
            for i, name in enumerate(CONTACTS)
        ]
    ).astype({"soz": "boolean", "resected": "boolean", "contact": "Int64"})  # fmt: skip
    seizure = {"recording": "p1/ictal", "channel": "TERM", "onset_s": 60.0, "offset_s": 80.0, "code": "seiz"}
    seizures = pd.DataFrame([{**seizure, "confidence": 1.0}])
    tables = {"recordings": recordings, "contacts": contacts, "seizures": seizures}
    paths = {name: folder / f"{name}.parquet" for name in tables}
    for name, table in tables.items():
        write_table(paths[name], table)
    return paths


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A tree and its tables, ingested and cut; `make` runs the token stage with other settings."""
    root = tmp_path_factory.mktemp("corpus")
    for recording in RATES:
        write_edf(root, recording, flat="B2" if recording == "p2/inter" else "")
    return processed(root, tmp_path_factory.mktemp("results"))


def processed(root: Path, out: Path, *, block_s: float = 20, recordings: pd.DataFrame | None = None) -> SimpleNamespace:
    tables = index_tables(out)
    if recordings is not None:
        write_table(tables["recordings"], recordings)
    signals, segments, clips = out / "signals.zarr.zip", out / "segments.parquet", out / "clips.parquet"
    findings = [out / f"{name}.findings.parquet" for name in ("ingest", "clips")]
    done = stage(
        "soz_ingest", {"corpus": "c", "reading": {**READING, "block_s": block_s}}, root=root, signals=signals,
        segments=segments, findings=findings[0], **{name: tables[name] for name in ("recordings", "contacts")},
    )  # fmt: skip
    assert done.error is None
    done = stage(
        "soz_clips", {"corpus": "c", "clips": CLIPS}, segments=segments, clips=clips, findings=findings[1],
        **{name: tables[name] for name in ("recordings", "seizures")},
    )  # fmt: skip
    assert done.error is None

    def make(name: str = "wpt", **changes: object) -> SimpleNamespace:
        store, rows = out / f"{name}.zarr.zip", out / f"{name}.rows.parquet"
        settings = {"tokens": {**TOKENS, **changes}, "clips": CLIPS, "rate_hz": 512}
        inputs = {"signals": signals, "clips": clips} | {k: tables[k] for k in ("contacts", "recordings")}
        done = stage("soz_tokens", settings, tokens=store, rows=rows, **inputs)
        return SimpleNamespace(error=done.error, store=store, rows=rows)

    found = pd.concat([pd.read_parquet(path) for path in findings])
    return SimpleNamespace(
        root=root, signals=signals, segments=pd.read_parquet(segments), clips=pd.read_parquet(clips),
        findings=found, make=make, out=out, tables=tables,
    )  # fmt: skip


def arrays(path: Path) -> dict:
    with reading_store(path) as group:
        return {name: array[...] for name, array in group.arrays()} | {"attributes": dict(group.attrs)}


def test_rows_of_the_signals_are_the_used_contacts_in_canonical_order(shard):
    with reading_store(shard.signals) as store:
        for recording, seconds in DURATION_S.items():
            array = store[f"{recording}/000"]
            assert array.shape == (4, seconds * 512)
            assert array.attrs["channels"] == ["A1", "A2", "B1", "B2"]
            assert array.attrs["recorded_hz"] == [float(RATES[recording])] * 4
        ictal = store["p1/ictal/000"][...]
    rng = np.random.default_rng(len("p1/ictal") + 512)  # at 512 Hz nothing is resampled: the samples themselves
    eeg(rng, records=130, per_record=128)
    written = {name: eeg(rng, records=130, per_record=512).reshape(-1) for name in reversed(CONTACTS)}
    for row, name in zip(ictal, ["A1", "A2", "B1", "B2"], strict=True):
        np.testing.assert_allclose(row, written[name] * 0.1, atol=1e-3)


def test_segments_have_their_columns_and_a_flat_contact_is_found(shard):
    assert list(shard.segments) == list(SOZ_SEGMENTS)
    assert shard.segments["n_channels"].tolist() == [4, 4, 4]
    assert (shard.segments["rate_hz"] == 512).all()
    found = shard.findings[["code", "recording", "channel", "value"]].to_numpy().tolist()
    assert ["edf_header", "p2/inter", "B2", "flatline"] in found


def test_the_store_has_the_schema_and_rows_go_with_it(shard):
    made = shard.make()
    assert made.error is None
    store, rows = arrays(made.store), pd.read_parquet(made.rows)
    n = len(shard.clips) * 4
    assert store["tokens"].shape == (n, 32, 35)
    assert store["tokens"].dtype == store["level"].dtype == store["ratio"].dtype == np.float32
    assert store["level"].shape == store["ratio"].shape == (n, 32)
    assert store["valid"].shape == (n,)
    assert store["band_mask"].shape == (len(shard.clips), 32)
    assert store["attributes"]["clips"] == shard.clips["clip"].tolist()
    assert store["attributes"]["lengths"] == [4] * len(shard.clips)
    assert store["attributes"]["starts"] == list(range(0, n, 4))
    assert list(rows) == list(ROWS)
    assert rows["clip"].tolist() == np.repeat(shard.clips["clip"], 4).tolist()
    assert rows["channel"].tolist() == ["A1", "A2", "B1", "B2"] * len(shard.clips)
    assert rows["soz"].tolist() == [True, False, False, False] * len(shard.clips)
    measured = rows[rows["shift"] == 0][["line_length", "spike_rate", "hfo_rate"]]
    assert measured.notna().all(axis=None)
    assert rows[rows["shift"] > 0]["line_length"].isna().all()


def test_a_flat_contact_is_invalid_and_256_hz_is_masked(shard):
    made = shard.make()
    store, rows = arrays(made.store), pd.read_parquet(made.rows)
    flat = ((rows["recording"] == "p2/inter") & (rows["channel"] == "B2")).to_numpy()
    np.testing.assert_array_equal(store["valid"], ~flat)
    assert set(rows.loc[flat, "flags"]) == {"flat,xyz_missing"}
    assert set(rows.loc[~flat, "flags"]) == {"xyz_missing"}
    slow = (shard.clips["recording"] == "p2/inter").to_numpy()
    assert store["band_mask"][slow, :16].all()
    assert not store["band_mask"][slow, 16:].any()
    assert store["band_mask"][~slow].all()
    at_256 = (rows["recording"] == "p2/inter").to_numpy()
    assert not store["tokens"][at_256, 16:].any()
    assert store["tokens"][at_256 & store["valid"], :16].any(axis=2).all()


def test_the_ratio_is_the_level_less_that_of_the_baseline(shard):
    made = shard.make()
    store, rows = arrays(made.store), pd.read_parquet(made.rows)
    ictal = (rows["phase"] == "ictal").to_numpy()
    pre = (rows["phase"] == "pre").to_numpy()
    assert ictal.sum() == 8  # the clip and its copy
    for copy in (0, 1):
        own = ictal & (rows["shift"] == copy).to_numpy()
        np.testing.assert_allclose(store["ratio"][own], store["level"][own] - store["level"][pre], atol=1e-6)
    assert np.isnan(store["ratio"][~ictal]).all()


def test_the_same_again_and_other_settings_are_other_tokens(shard):
    made, again = shard.make(), shard.make("again")
    assert digest_result(made.store) == digest_result(again.store)
    assert digest_file(made.rows) == digest_file(again.rows)
    ours = arrays(made.store)["tokens"]
    for changes in ({"source": "bandpower"}, {"wavelet": "sym8"}, {"montage": "recorded"}, {"notch": True}):
        other = shard.make("other", **changes)
        assert other.error is None
        assert np.abs(arrays(other.store)["tokens"] - ours).max() > 0.1


def test_bipolar_rows_are_pairs(shard):
    made = shard.make("bipolar", montage="bipolar")
    rows = pd.read_parquet(made.rows)
    assert rows["channel"].unique().tolist() == ["A1-A2", "B1-B2"]
    assert rows["soz"].tolist() == [True, False] * len(shard.clips)


def test_a_unit_of_volts_gives_the_whole_store_again(shard, tmp_path):
    """EDFs that say V, with limits a million times smaller: the store holds µV, and everything is as before."""
    root = tmp_path / "volts"
    for recording in RATES:
        content = (shard.root / f"{recording}.edf").read_bytes()
        for written, volts in ((b"uV      ", b"V       "), (b"-3276.7 ", b"-.0032767"[:8]), (b"3276.7  ", b".0032767")):
            assert written in content
            content = content.replace(written, volts)
        target = root / f"{recording}.edf"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    other = processed(root, tmp_path / "out")
    ours, theirs = arrays(shard.make().store), arrays(other.make().store)
    np.testing.assert_array_equal(theirs["valid"], ours["valid"])
    np.testing.assert_allclose(theirs["ratio"], ours["ratio"], atol=1e-3)
    np.testing.assert_allclose(theirs["level"], ours["level"], atol=2e-3)  # the lower limit lost its last digit
    np.testing.assert_allclose(theirs["tokens"], ours["tokens"], atol=2e-3)


def test_a_recording_without_a_scale_or_samples_leaves_a_finding(tmp_path):
    root = tmp_path / "corpus"
    for recording in RATES:
        write_edf(root, recording)
    target = root / "p1/inter.edf"
    target.write_bytes(target.read_bytes().replace(b"uV      ", b"furlong "))
    (root / "p2/inter.edf").write_bytes(b"0       " + b" " * 300)
    made = processed(root, tmp_path / "out")
    assert made.segments["recording"].tolist() == ["p1/ictal"]
    skipped = made.findings.groupby("recording")["code"].apply(set).to_dict()
    assert {"unit_unknown", "scale_invalid"} <= skipped["p1/inter"]
    assert "header_invalid" in skipped["p2/inter"]
    assert made.make().error is None


def test_one_contact_without_a_scale_is_left_out(tmp_path):
    root = tmp_path / "corpus"
    for recording in RATES:
        write_edf(root, recording)
    content = (root / "p1/inter.edf").read_bytes()
    place = 256 + 6 * (16 + 80) + 8 * 5  # the unit of the last signal, A1
    (root / "p1/inter.edf").write_bytes(content[:place] + b"degC    " + content[place + 8 :])
    made = processed(root, tmp_path / "out")
    assert made.segments.set_index("recording")["n_channels"].to_dict() == {"p1/ictal": 4, "p1/inter": 3, "p2/inter": 4}
    rows = pd.read_parquet(made.make().rows)
    assert rows.loc[rows["recording"] == "p1/inter", "channel"].unique().tolist() == ["A2", "B1", "B2"]


def test_strict_stops_at_a_contact_that_is_left_out_and_at_a_seizure_without_a_clip(shard, tmp_path):
    """`signals.strict`, as in the index; a flat contact is a note: its recording is used as it is."""

    def ingested(root: Path) -> StrictError | None:
        options = {"signals": tmp_path / "s.zarr.zip", "segments": tmp_path / "s.parquet", "findings": tmp_path / "f"}
        settings = {"corpus": "c", "reading": {**READING, "block_s": 20}}
        tables = {name: shard.tables[name] for name in ("recordings", "contacts")}
        return stage("soz_ingest", settings, "--strict", root=root, **tables, **options).error

    assert ingested(shard.root) is None
    copied = tmp_path / "corpus"
    for recording in RATES:
        content = (shard.root / f"{recording}.edf").read_bytes()
        (copied / recording).parent.mkdir(parents=True, exist_ok=True)
        (copied / f"{recording}.edf").write_bytes(
            content.replace(b"uV      ", b"furlong ") if recording == "p1/inter" else content
        )
    assert re.search(r"signals.strict: p1/inter: unit_unknown: .*Remedy: write V", str(ingested(copied)))
    short = pd.read_parquet(shard.out / "segments.parquet").assign(n_samples=512 * 34, duration_s=34.0)
    write_table(tmp_path / "short.parquet", short)
    inputs = {name: shard.tables[name] for name in ("recordings", "seizures")} | {
        "segments": tmp_path / "short.parquet"
    }
    outputs = {name: tmp_path / f"{name}.parquet" for name in ("clips", "findings")}
    for words, stopped in (((), False), (("--strict",), True)):
        done = stage("soz_clips", {"corpus": "c", "clips": CLIPS}, *words, **inputs, **outputs)
        assert (done.error is not None) is stopped
    assert "seizure_not_cut" in str(done.error)


def test_a_notch_needs_the_mains_frequency(shard, tmp_path):
    recordings = pd.read_parquet(shard.tables["recordings"])
    write_table(shard.tables["recordings"], recordings.assign(mains_hz=np.nan))
    try:
        error = shard.make("notch", notch=True).error
    finally:
        write_table(shard.tables["recordings"], recordings)
    assert "tokens.notch: false" in str(error)
    assert not (shard.out / "notch.zarr.zip").exists()


def test_lengths_that_are_no_whole_coefficients_are_refused(shard):
    settings = {"tokens": TOKENS, "clips": {**CLIPS, "margin_s": 0.3}, "rate_hz": 512}
    nowhere = dict.fromkeys(("signals", "clips", "contacts", "recordings", "tokens", "rows"), shard.out / "x")
    assert "multiples of 32" in str(stage("soz_tokens", settings, **nowhere).error)


def test_how_long_a_block_is_changes_nothing(shard, tmp_path):
    other = processed(shard.root, tmp_path / "out", block_s=7)
    assert other.segments["digest"].tolist() == shard.segments["digest"].tolist()
    assert digest_result(other.make().store) == digest_result(shard.make().store)


def test_a_gap_cuts_a_recording_and_no_clip_crosses_it(tmp_path):
    """An EDF+D of 42 s, a gap of 8 s, and 80 s more; the onset at 60 s lies in the second part, on the file's clock."""
    root = tmp_path / "corpus"
    for recording in RATES:
        write_edf(root, recording)
    rng = np.random.default_rng(5)
    onsets = [*range(42), *range(50, 130)]
    contacts = [Channel(name, eeg(rng, records=122, per_record=512)) for name in ("ECG", *reversed(CONTACTS))]
    stamps = annotation_channel([f"+{onset}\x14\x14\x00" for onset in onsets])
    EdfFile([*contacts, stamps], reserved="EDF+D").write(root / "p1/ictal.edf")
    made = processed(root, tmp_path / "out")
    parts = made.segments[made.segments["recording"] == "p1/ictal"]
    assert parts[["start_s", "duration_s"]].to_numpy().tolist() == [[0.0, 42.0], [50.0, 80.0]]
    assert "discontinuous" in made.findings["code"].tolist()
    clips = made.clips[(made.clips["recording"] == "p1/ictal") & (made.clips["shift"] == 0)]
    assert clips[["phase", "segment", "start_s"]].to_numpy().tolist() == [["ictal", "001", 55.0]]
    assert "pre_ictal_missing" in made.findings["code"].tolist()
    tokens = made.make()
    assert tokens.error is None
    rows, ratio = pd.read_parquet(tokens.rows), arrays(tokens.store)["ratio"]
    assert np.isnan(ratio[(rows["recording"] == "p1/ictal").to_numpy()]).all()


def test_a_shard_without_a_clip_gives_an_empty_store(shard, tmp_path):
    whole = pd.read_parquet(shard.tables["recordings"])
    made = processed(tmp_path, tmp_path / "out", recordings=whole[:0])
    assert made.segments.empty
    assert made.clips.empty
    tokens = made.make()
    assert tokens.error is None
    store = arrays(tokens.store)
    assert store["tokens"].shape == (0, 32, 35)
    assert store["band_mask"].shape == (0, 32)
    assert pd.read_parquet(tokens.rows).dtypes.to_dict() == pd.read_parquet(shard.make().rows).dtypes.to_dict()
