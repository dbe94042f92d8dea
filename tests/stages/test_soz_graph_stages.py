"""Attention graphs by the command lines of the stages: store, measures, faithfulness, GraphML and TSV."""

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.explain.soz_attention import lift
from pipeline.explain.soz_graph_store import PatientGraphs, graphs_of, reading_graphs
from pipeline.models.soz import SozEncoder
from pipeline.settings.soz_jobs import SozTrainJob
from pipeline.stages import command, soz_attention, soz_connectivity
from pipeline.store import digest_result, read_table, write_json, write_table, writing_store
from pipeline.training.model_io import save_weights
from pipeline.training.soz_calibration import Calibrator
from pipeline.training.soz_card import weights_hash
from pipeline.training.soz_data import SozScaler
from pipeline.training.soz_folds import COLUMNS as FOLDS
from pipeline.training.soz_folds import fold_hash
from tests.training.soz_files import DEVICE, FINETUNING, MODEL, write_tokens

ATTENTION = {
    "permutations": 20, "masks": 10, "clips": 2, "conditions": ["ictal", "interictal"], "precision": "float32",
    "seed": 0,
}  # fmt: skip
CLIPS = {
    "length_s": 4, "margin_s": 0, "before_onset_s": 1, "pre_ictal_gap_s": 1, "interictal_step_s": 4, "shifts": 0,
    "max_interictal": 4, "seed": 0,
}  # fmt: skip
RATE_HZ, LENGTH_S = 256, 4
SETTINGS = {"attention": ATTENTION, "clips": CLIPS, "rate_hz": RATE_HZ, "device": DEVICE}
NAMES = ("P1", "P2", "P3")  # P1: 7 contacts, one of them flat in one clip; P2: interictal alone; P3: two contacts
SIZES = {"P1": 7, "P2": 5, "P3": 2}
PHASES = {"P1": ("interictal", "interictal", "pre", "ictal"), "P2": ("interictal",), "P3": ("interictal", "ictal")}


def call(patch: pytest.MonkeyPatch, stage: Any, settings: dict[str, Any], **options: Any) -> None:
    """Run a stage's `main` with the given options; lists become several values."""
    line = ["stage", "--settings", json.dumps(settings)]
    for name, value in options.items():
        line += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    patch.setattr(sys, "argv", line)
    stage.main()


def contacts_of(patient: str) -> pd.DataFrame:
    """Two shafts; the table is not in the order of the graphs."""
    n = SIZES[patient]
    names = [f"A&<{k + 1}" if k < 4 else f"B{k - 3}" for k in range(n)]
    table = pd.DataFrame(
        {
            "patient": patient, "recording": f"{patient}_r0", "channel": names, "shaft": [name[0] for name in names],
            "contact": [k + 1 if k < 4 else k - 3 for k in range(n)], "hemisphere": "L",
            "x_mm": [5.0 * k for k in range(n)], "y_mm": 0.0, "z_mm": [np.nan if k == 1 else 0.0 for k in range(n)],
            "soz": [k % 3 == 0 for k in range(n)], "resected": False, "order": range(n),
        }
    ).astype({"soz": "boolean", "resected": "boolean"})  # fmt: skip
    return table.iloc[::-1].reset_index(drop=True)


def clip_tables(patient: str) -> list[tuple[pd.DataFrame, dict[str, np.ndarray]]]:
    """The clips of a patient, as the token store has them."""
    found = []
    for number, phase in enumerate(PHASES[patient]):
        rng, n = np.random.default_rng([int(patient[1]), number]), SIZES[patient]
        condition = "interictal" if phase == "interictal" else "ictal"
        about = {"clip": f"{patient}_r0/0@{4 * number:.3f}", "phase": phase, "condition": condition, "shift": 0}
        valid = np.ones(n, bool)
        valid[n // 3] = (patient, number) != ("P1", 0)  # flat in one clip
        arrays = {
            "tokens": rng.standard_normal((n, 32, 35)), "level": rng.standard_normal((n, 32)),
            "ratio": np.full((n, 32), np.nan), "valid": valid, "band_mask": np.ones(32, bool),
        }  # fmt: skip
        found.append((contacts_of(patient).assign(**about), arrays))
    return found


class Made:
    """Inputs of the stages, and what they give."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.root = root
        tables = [one for patient in NAMES for one in clip_tables(patient)]
        self.given = {
            "tokens": root / "tokens.zarr.zip", "rows": root / "rows.parquet", "signals": root / "signals.zarr.zip",
            "clips": root / "clips.parquet", "folds": root / "folds.parquet", "model": root / "model.safetensors",
            "card": root / "card.json", "encoder": root / "encoder.safetensors",
        }  # fmt: skip
        write_tokens(self.given["tokens"], self.given["rows"], tables)
        self._signals(tables)
        row = {"fold": 1, "soz": True, "strict": True, "implant": "SEEG", "outcome": "good", "corpus": "made-up"}
        parts = {"P1": "test", "P2": "test", "P3": "test", "P8": "train", "P9": "inner"}
        folds = pd.DataFrame([row | {"patient": name, "part": part} for name, part in parts.items()])[list(FOLDS)]
        write_table(self.given["folds"], folds.astype(FOLDS))
        self._model(fold_hash(folds.astype(FOLDS)))
        self.out = {name: root / f"{name}.out" for name in ("attention", "measures", "faithfulness")}
        self.out["attention"] = root / "attention.zarr.zip"

    def _signals(self, tables: list[tuple[pd.DataFrame, Any]]) -> None:
        rng, clips = np.random.default_rng(0), []
        with writing_store(self.given["signals"]) as group:
            for patient in NAMES:
                channels = contacts_of(patient)["channel"].tolist()
                shape = (len(channels), 4 * LENGTH_S * RATE_HZ)
                told = {"channels": channels, "start_s": 10.0, "recorded_hz": [RATE_HZ] * len(channels)}
                array = group.create_array(f"{patient}_r0/0", shape=shape, dtype="float32", attributes=told)
                array[...] = rng.standard_normal(shape)
        for table, _ in tables:
            first = table.iloc[0]
            start_s = 10 + float(first["clip"].split("@")[1])
            clips.append({"clip": first["clip"], "recording": first["recording"], "segment": "0", "start_s": start_s})
        write_table(self.given["clips"], pd.DataFrame(clips))

    def _model(self, folds: str) -> None:
        job = {
            "fold": 1, "seed": 3, "labels": "soz", "model": MODEL | {"layers": 2}, "device": DEVICE,
            "finetuning": FINETUNING, "calibration": "temperature",
        }  # fmt: skip
        torch.manual_seed(1)
        encoder = SozEncoder(SozTrainJob(**job).model)
        with torch.no_grad():
            for block in encoder.blocks:
                block.qkv.weight.mul_(4)
        weights = encoder.state_dict()
        save_weights(self.given["model"], weights)
        save_weights(self.given["encoder"], {name: w for name, w in weights.items() if not name.startswith("head.")})
        scaler = SozScaler((0.0,) * 32, (1.0,) * 32, (0.0,) * 32, (1.0,) * 32, 1, 0)
        calibrator = Calibrator("temperature", "temperature", "", 1.0, 0.0, (), (), 1, 1, 1)
        card = {
            "settings": job, "scaler": scaler.to_json(), "calibrator": calibrator.to_json(), "threshold": 0.5,
            "model_hash": weights_hash(weights), "fold_hash": folds,
        }  # fmt: skip
        write_json(self.given["card"], card)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    one = Made(tmp_path_factory.mktemp("soz") / "graphs")
    with pytest.MonkeyPatch.context() as patch:
        call(patch, soz_attention, SETTINGS, **one.given, **one.out)
        table = pd.DataFrame({"participant_id": "sub-P1", "channel": contacts_of("P1")["channel"], "p_cal": 0.25})
        table.to_csv(one.root / "channel_soz.tsv", sep="\t", index=False)
        write_json(one.root / "cohort.json", {"synthetic": True})
        for patient in NAMES:
            call(
                patch, soz_connectivity, {}, patient=patient, attention=one.out["attention"],
                channels=one.root / "channel_soz.tsv", summary=one.root / "cohort.json",
                out=one.root / f"{patient}.zip",
            )  # fmt: skip
    return one


def graphs(made: Made, patient: str) -> list[PatientGraphs]:
    return graphs_of([made.out["attention"]], patient)[0]


def test_store(made: Made) -> None:
    with reading_graphs(made.out["attention"]) as store:
        assert (store.fold, store.seed, store.patients()) == (1, 3, ["P1", "P2"])  # P3: two contacts
    ictal, interictal = graphs(made, "P1")
    assert (ictal.condition, ictal.n_clips, interictal.n_clips) == ("ictal", 1, 2)  # pre-ictal clips do not count
    names = ["A&<1", "A&<2", "A&<3", "A&<4", "B1", "B2", "B3"]
    assert ictal.contacts["channel"].tolist() == interictal.contacts["channel"].tolist() == names
    assert ictal.A.shape == (2, 2, 7, 7)
    np.testing.assert_allclose(interictal.A.sum(axis=-1), 1, atol=1e-6)
    assert interictal.null_p.shape == ictal.A.shape
    off = ~np.eye(7, dtype=bool)
    assert ((ictal.null_p[..., off] > 0) & (ictal.null_p[..., off] <= 1)).all()


def test_the_graph_is_the_mean_of_the_clips_attention(made: Made) -> None:
    from pipeline.store import read_json
    from pipeline.training.soz_card import load_trained
    from pipeline.training.soz_data import SozBatches, load_clips

    trained = load_trained(made.given["model"], read_json(made.given["card"]), torch.device("cpu"))
    data = load_clips([made.given["tokens"]], [made.given["rows"]], patients=["P1"], labels="soz", shifted=False)
    inputs, _ = SozBatches(data, trained.scaler, torch.device("cpu")).batch(
        data.select(["P1"], conditions="ictal", scored=True)
    )
    with torch.inference_mode():
        A = trained.model.attention(inputs)[1][0].numpy()[..., ::-1, ::-1]  # the table is in reversed order
    np.testing.assert_allclose(graphs(made, "P1")[0].A, A, atol=1e-6)


def test_measures(made: Made) -> None:
    table = read_table(made.out["measures"])
    one = table[(table["patient"] == "P1") & (table["condition"] == "ictal")]
    assert set(one["graph"]) == {
        "attention", "untrained", "pretrained", "rollout", "proximity", "coherence", "pli", "pdc", "granger",
    }  # fmt: skip
    assert set(one.loc[one["graph"] == "attention", "layer"]) == {0, 1}
    assert set(one.loc[one["graph"] == "coherence", "layer"]) == {-1}
    assert (
        one[["n_contacts", "n_soz", "mixed_shafts", "fold", "seed"]].drop_duplicates().to_numpy() == [7, 3, 2, 1, 3]
    ).all()
    own = one[(one["graph"] == "attention") & (one["layer"] == 1) & (one["head"] == 0)].iloc[0]
    G, soz = lift(graphs(made, "P1")[0].A)[1, 0], graphs(made, "P1")[0].contacts["soz"].to_numpy(dtype=bool)
    assert own["lift_non_soz"] == pytest.approx(G[~soz][:, soz].mean(), rel=1e-5)
    assert own["rho_coherence"] == pytest.approx(own["rho_coherence"])
    same = one[one["graph"] == "pretrained"]["source_auroc"].to_numpy()  # the encoder is the model's here
    np.testing.assert_array_equal(same, one[one["graph"] == "attention"]["source_auroc"].to_numpy())
    assert not np.array_equal(same, one[one["graph"] == "untrained"]["source_auroc"].to_numpy())
    difference = table[table["condition"] == "ictal-interictal"]
    assert set(difference["patient"]) == {"P1"}
    both = [lift(one.A) for one in graphs(made, "P1")]
    wanted = (both[0] - both[1])[1, 0][~soz][:, soz].mean()
    chosen = difference[(difference["layer"] == 1) & (difference["head"] == 0)].iloc[0]
    assert chosen["lift_non_soz"] == pytest.approx(wanted, abs=1e-5)
    assert set(table["patient"]) == {"P1", "P2"}


def test_faithfulness(made: Made) -> None:
    table = read_table(made.out["faithfulness"])
    assert set(table["kind"]) == {"rollout", "largest", "shaft"}
    assert set(table[table["patient"] == "P1"]["clip"]) == {"P1_r0/0@0.000", "P1_r0/0@4.000", "P1_r0/0@12.000"}
    judged = table[table["kind"] != "shaft"]
    assert judged["failed"].notna().all()
    assert (judged["failed"] == (judged["p"] > 0.05)).all()
    shafts = table[(table["kind"] == "shaft") & (table["patient"] == "P1")]
    assert set(shafts["name"]) == {"L A", "L B"}


def test_tsv(made: Made) -> None:
    with zipfile.ZipFile(made.root / "P1.zip") as archive:
        names = archive.namelist()
        table = pd.read_csv(io.BytesIO(archive.read("P1_ictal_layer-1_head-0.tsv")), sep="\t")
    wanted = {f"P1_{c}_layer-{l}_head-{h}.{end}" for c in ("ictal", "interictal") for l in (0, 1) for h in (0, 1)
              for end in ("tsv", "graphml")}  # fmt: skip
    assert set(names) == wanted | {"README.txt"}
    assert list(table) == [
        "source", "target", "convention", "weight", "lift", "asymmetry", "null_p", "distance_mm",
    ]  # fmt: skip
    assert table["convention"].value_counts().to_dict() == {"attention": 42, "information": 42}
    A = graphs(made, "P1")[0].A[1, 0]
    edge = table[(table["source"] == "A&<1") & (table["target"] == "B1")].set_index("convention")
    assert edge.loc["attention", "weight"] == pytest.approx(A[0, 4], rel=1e-3)
    assert edge.loc["information", "weight"] == pytest.approx(A[4, 0], rel=1e-3)
    assert edge.loc["attention", "distance_mm"] == 20
    assert table[(table["source"] == "A&<2")]["distance_mm"].isna().all()
    back = table[(table["source"] == "B1") & (table["target"] == "A&<1") & (table["convention"] == "attention")]
    assert back["asymmetry"].iloc[0] == pytest.approx(-edge.loc["attention", "asymmetry"])


def test_graphml_is_read_by_networkx(made: Made) -> None:
    with zipfile.ZipFile(made.root / "P1.zip") as archive:
        graph = nx.read_graphml(io.BytesIO(archive.read("P1_interictal_layer-0_head-1.graphml")))
    assert graph.is_directed()
    assert (graph.number_of_nodes(), graph.number_of_edges()) == (7, 42)
    own = graphs(made, "P1")[1]
    G = lift(own.A[0, 1])
    edge = graph["B3"]["A&<1"]
    assert edge["lift"] == pytest.approx(G[6, 0], rel=1e-3)
    assert "distance_mm" not in graph["A&<2"]["B1"]
    node = graph.nodes["A&<1"]
    assert (node["label"], node["p_cal"], node["shaft"]) == (1, 0.25, "A")
    assert node["c_j"] == pytest.approx(np.nanmean(G[:, 0]), rel=1e-3)
    assert (graph.graph["C"], graph.graph["seed"], graph.graph["order"]) == (7, 3, "hemisphere, shaft, contact, name")
    assert len(graph.graph["model_hash"]) == 32
    assert list(graph.nodes) == own.contacts["channel"].tolist()


def test_simulated_recordings_are_marked_in_every_file_that_is_read_alone(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def marked(path: Path) -> set[bool]:
        with zipfile.ZipFile(path) as archive:
            alone = [name for name in archive.namelist() if name.endswith((".txt", ".graphml"))]
            assert len(alone) > 1
            return {"SYNTHETIC" in archive.read(name).decode() for name in alone}

    assert marked(made.root / "P1.zip") == {True}
    write_json(tmp_path / "cohort.json", {"synthetic": False})
    call(
        monkeypatch, soz_connectivity, {}, patient="P1", attention=made.out["attention"],
        channels=made.root / "channel_soz.tsv", summary=tmp_path / "cohort.json", out=tmp_path / "P1.zip",
    )  # fmt: skip
    assert marked(tmp_path / "P1.zip") == {False}


def test_a_patient_without_a_graph_gets_the_reason(made: Made) -> None:
    with zipfile.ZipFile(made.root / "P3.zip") as archive:
        assert archive.namelist() == ["README.txt"]
        assert "There is no graph" in archive.read("README.txt").decode()


def test_equal_inputs_give_equal_bytes(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = {name: tmp_path / path.name for name, path in made.out.items()}
    call(monkeypatch, soz_attention, SETTINGS, **made.given, **again)
    for name, path in made.out.items():
        assert digest_result(again[name]) == digest_result(path)
    call(
        monkeypatch, soz_connectivity, {}, patient="P1", attention=again["attention"],
        channels=made.root / "channel_soz.tsv", summary=made.root / "cohort.json", out=tmp_path / "P1.zip",
    )  # fmt: skip
    assert (tmp_path / "P1.zip").read_bytes() == (made.root / "P1.zip").read_bytes()


def test_other_folds_are_refused(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folds = read_table(made.given["folds"])
    folds.loc[folds["patient"] == "P9", "part"] = "train"
    write_table(tmp_path / "folds.parquet", folds)
    given = made.given | {"folds": tmp_path / "folds.parquet"}
    with pytest.raises(command.StageError, match=r"not the folds"):
        call(monkeypatch, soz_attention, SETTINGS, **given, **made.out)


def test_an_encoder_of_another_model_is_refused(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_weights(tmp_path / "other.safetensors", {"head.weight": torch.zeros(1, 99)})
    given = made.given | {"encoder": tmp_path / "other.safetensors"}
    with pytest.raises(command.StageError, match=r"head\.weight do not fit"):
        call(monkeypatch, soz_attention, SETTINGS, **given, **made.out)


def test_without_layers_there_are_no_graphs(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run without attention: no head, and no file of edges."""
    empty = Made(tmp_path / "none")
    job = json.loads(empty.given["card"].read_text())
    job.pop("checksum")
    job["settings"]["model"]["layers"] = 0
    weights = SozEncoder(SozTrainJob(**job["settings"]).model).state_dict()
    save_weights(empty.given["model"], weights)
    write_json(empty.given["card"], job | {"model_hash": weights_hash(weights)})
    given = {name: path for name, path in empty.given.items() if name != "encoder"}
    call(monkeypatch, soz_attention, SETTINGS, **given, **empty.out)
    assert len(read_table(empty.out["faithfulness"])) == 0
    assert "attention" not in set(read_table(empty.out["measures"])["graph"])
