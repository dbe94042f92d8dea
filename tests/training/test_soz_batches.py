"""Clips of chosen patients from the stores, their standardisation, and the batches of an epoch."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from soz_files import BANDS, Cohort, patient_facts, write_cohort

from pipeline.sealing import DamagedFile
from pipeline.store import read_table, reading_store, write_table
from pipeline.training.soz_data import SozBatches, SozScaler, fit_scaler, load_clips
from pipeline.training.soz_schedule import epoch_batches

CPU = torch.device("cpu")
FACTS = patient_facts(6)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return write_cohort(tmp_path_factory.mktemp("cohort"), FACTS)


def stored(files: Cohort, clip: str, name: str) -> np.ndarray:
    """What the store holds of one clip."""
    for store in files.tokens:
        with reading_store(store) as group:
            names = list(group.attrs["clips"])
            if clip in names:
                start, length = (group.attrs[key][names.index(clip)] for key in ("starts", "lengths"))
                return np.asarray(group[name][start : start + length])
    raise KeyError(clip)


def test_only_the_wanted_patients_are_read_and_flat_channels_left_out(files: Cohort) -> None:
    data = load_clips(files.tokens, files.rows, patients=["P02", "P01"], labels="soz", shifted=False)
    assert list(data.clips["patient"].unique()) == ["P01", "P02"]
    assert (data.clips["shift"] == 0).all()
    n = {fact["patient"]: fact["n"] for fact in FACTS}
    assert set(data.clips.loc[data.clips["patient"] == "P02", "length"]) == {n["P02"] - 1}  # its last channel is flat
    for clip in data.clips.itertuples():
        rows = slice(clip.start, clip.start + clip.length)
        valid = stored(files, clip.clip, "valid")
        mask = np.arange(BANDS) < (16 if clip.patient == "P01" else BANDS)
        expected = stored(files, clip.clip, "tokens")[valid] * mask[None, :, None]
        np.testing.assert_array_equal(data.tokens[rows], expected)
        assert set(data.rows["clip"].iloc[rows]) == {clip.clip}
    assert data.labels.tolist() == data.rows["soz"].astype(int).tolist()


def test_strict_labels_want_resection_and_unknown_is_neither(files: Cohort, tmp_path: Path) -> None:
    rows = []
    for number, path in enumerate(files.rows):
        table = read_table(path)
        table.loc[table["channel"] == "A1", "resected"] = pd.NA
        table.loc[table["channel"] == "A2", "resected"] = False
        table.loc[table["channel"] == "A12", "soz"] = pd.NA
        rows.append(tmp_path / f"{number}.parquet")
        write_table(rows[-1], table)
    data = load_clips(files.tokens, rows, patients=["P00"], labels="strict", shifted=False)
    label = dict(zip(data.rows["channel"], data.labels, strict=True))
    n_soz = FACTS[0]["n_soz"]
    assert [label[f"A{k}"] for k in (1, 2, n_soz + 1)] == [-1, 0, 0]
    assert label["A12"] == 0 or bool(data.rows.loc[data.rows["channel"] == "A12", "resected"].isna().all())
    plain = load_clips(files.tokens, rows, patients=["P00"], labels="soz", shifted=False)
    assert dict(zip(plain.rows["channel"], plain.labels, strict=True))["A12"] == -1


def test_a_table_that_does_not_fit_its_store_is_refused(files: Cohort, tmp_path: Path) -> None:
    write_table(tmp_path / "short.parquet", read_table(files.rows[0]).iloc[1:])
    with pytest.raises(DamagedFile, match="do not fit the"):
        load_clips(files.tokens[:1], [tmp_path / "short.parquet"], patients=["P00"], labels="soz", shifted=True)


def test_the_scaler_is_the_mean_and_deviation_of_the_chosen_patients_usable_bands(files: Cohort) -> None:
    data = load_clips(files.tokens, files.rows, patients=["P00", "P01", "P02"], labels="soz", shifted=True)
    scaler = fit_scaler(data, ["P00", "P01"])
    unshifted = [c for c in data.clips.itertuples() if c.patient != "P02" and c.shift == 0]
    level = {c.clip: stored(files, c.clip, "level") for c in unshifted}
    low = np.concatenate([values[:, 3] for values in level.values()])
    high = np.concatenate([values[:, 20] for clip, values in level.items() if clip.startswith("P00")])
    assert (scaler.level_mean[3], scaler.level_std[3]) == pytest.approx((low.mean(), low.std()), rel=1e-5)
    assert (scaler.level_mean[20], scaler.level_std[20]) == pytest.approx((high.mean(), high.std()), rel=1e-5)
    ratio = np.concatenate([stored(files, c.clip, "ratio")[:, 3] for c in unshifted if c.phase == "ictal"])
    assert (scaler.ratio_mean[3], scaler.ratio_std[3]) == pytest.approx((ratio.mean(), ratio.std()), rel=1e-5)
    assert SozScaler.from_json(scaler.to_json()) == scaler


def test_a_band_that_no_training_patient_has_is_left_as_it_is(files: Cohort) -> None:
    data = load_clips(files.tokens, files.rows, patients=["P01"], labels="soz", shifted=False)
    scaler = fit_scaler(data, ["P01"])
    assert set(scaler.level_mean[16:]) == {0.0}
    assert set(scaler.level_std[16:]) == {1.0}


def test_a_batch_holds_the_clips_padded_with_nothing_known(files: Cohort) -> None:
    data = load_clips(files.tokens, files.rows, patients=["P00", "P01", "P03"], labels="soz", shifted=False)
    scaler = fit_scaler(data, ["P00", "P01", "P03"])
    batches = SozBatches(data, scaler, CPU)
    chosen = np.array([data.select([name])[place] for name, place in (("P03", 0), ("P00", 2), ("P01", 1))])
    inputs, labels = batches.batch(chosen)
    longest = int(data.clips["length"].iloc[chosen].max())
    assert inputs.tokens.shape == (3, longest, 32, 35)
    assert inputs.stats.shape == (3, longest, 64)
    for place, number in enumerate(chosen):
        clip = data.clips.iloc[number]
        n, rows = clip["length"], slice(clip["start"], clip["start"] + clip["length"])
        assert inputs.valid[place].sum() == n
        torch.testing.assert_close(inputs.tokens[place, :n], torch.from_numpy(data.tokens[rows]), rtol=0, atol=0)
        assert not inputs.tokens[place, n:].any()
        assert (labels[place, n:] == -1).all()
        assert ("interictal", "pre", "ictal")[int(inputs.phase[place])] == clip["phase"]
        ratio = inputs.stats[place, :n, 32:]
        assert bool(ratio.any()) == (clip["phase"] == "ictal")  # missing: 0, which is the mean
    assert not inputs.stats[2, :, 16:32].any()  # P01: bands that 256 Hz cannot hold
    assert not inputs.has_xyz.any()


def test_an_epoch_has_each_clip_or_one_of_its_copies_once_and_no_patient_twice_in_a_batch() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for patient, n_clips in enumerate((3, 17, 8, 8, 1, 5, 12)):
        length = int(rng.integers(30, 190))
        rows += [
            {"patient": f"P{patient}", "base": f"P{patient}@{k}", "length": length}
            for k in range(n_clips)
            for _ in range(3)
        ]
    clips = pd.DataFrame(rows)
    chosen = np.arange(len(clips))[3:]  # a clip that was not chosen is not there
    copies: Counter[int] = Counter()
    for epoch in range(30):
        batches = epoch_batches(clips, chosen, size=4, rng=np.random.default_rng(epoch))
        drawn = np.concatenate(batches)
        assert Counter(clips["base"].iloc[drawn]) == Counter(set(clips["base"].iloc[chosen]))
        for batch in batches:
            assert len(batch) <= 4
            assert clips["patient"].iloc[batch].is_unique
        copies.update(drawn % 3)
    assert min(copies.values()) > 0.8 * 53 * 30 / 3  # each copy in its turn


def test_batches_are_of_similar_numbers_of_channels() -> None:
    """Padding of bucketed batches, against batches of patients at random."""
    lengths = np.random.default_rng(1).integers(36, 196, 40)
    clips = pd.DataFrame(
        [{"patient": f"P{p}", "base": f"P{p}@{k}", "length": n} for p, n in enumerate(lengths) for k in range(6)]
    )

    def padding(batches: list[np.ndarray]) -> float:
        return (
            sum(len(batch) * clips["length"].iloc[batch].max() - clips["length"].iloc[batch].sum() for batch in batches)
            / clips["length"].sum()
        )

    bucketed = epoch_batches(clips, np.arange(len(clips)), size=8, rng=np.random.default_rng(0))
    mixed = np.array_split(np.random.default_rng(0).permutation(len(clips)), len(bucketed))
    assert padding(bucketed) < 0.15 < 0.4 < padding(mixed)
