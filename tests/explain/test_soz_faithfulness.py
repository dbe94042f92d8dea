"""Hidden contacts: what the model looks at is found, what it does not look at is written down as a failure."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from pipeline.explain import soz_faithfulness as faithfulness
from pipeline.explain.soz_attention import rollout
from pipeline.models.soz import SozEncoder, SozInputs
from tests.models.soz_inputs import inputs, small

N = 12
SHAFTS = np.array(["A"] * 5 + ["B"] * 6 + [""])


def model(**changes: Any) -> SozEncoder:
    """A small encoder whose attention is uneven."""
    torch.manual_seed(0)
    made = SozEncoder(small(**changes)).eval()
    with torch.no_grad():
        for block in made.blocks:
            block.qkv.weight.mul_(4)
    return made


def rows(encoder: SozEncoder, x: SozInputs, seed: int = 0) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return faithfulness.clip_faithfulness(encoder, x, SHAFTS[: x.valid.shape[1]], masks=99, rng=rng)


def test_effects_are_those_of_hiding_each_contact_by_itself() -> None:
    encoder, x = model(), inputs(1, N)
    found = {(row["kind"], row["name"]): row for row in rows(encoder, x)}
    assert list(found) == [("rollout", ""), ("largest", ""), ("shaft", "A"), ("shaft", "B")]
    with torch.inference_mode():
        p = encoder(x).sigmoid()[0].numpy()
        R = rollout(encoder.attention(x)[1][0].double().numpy())
        effects = np.zeros((N, N))
        for j in range(N):
            keys = torch.ones(1, N, dtype=torch.bool)
            keys[0, j] = False
            effects[:, j] = np.abs(encoder.masked_logits(x, keys).sigmoid()[0, 0].numpy() - p)
    off = ~np.eye(N, dtype=bool)
    rho = spearmanr(R[off], effects[off]).statistic
    assert found["rollout", ""]["value"] == pytest.approx(rho, abs=2e-3)
    received = (R.sum(axis=0) - np.diag(R)).argmax()
    others = np.arange(N) != received
    assert found["largest", ""]["n_hidden"] == 1
    assert found["largest", ""]["value"] == pytest.approx(effects[others, received].mean(), abs=1e-6)
    keys = torch.from_numpy(SHAFTS != "A")[None]
    with torch.inference_mode():
        without = encoder.masked_logits(x, keys).sigmoid()[0, 0].numpy()
    assert found["shaft", "A"]["value"] == pytest.approx(np.abs(without - p)[5:].mean(), abs=1e-6)
    assert found["shaft", "A"]["failed"] is None


def test_contacts_that_all_look_at_are_found() -> None:
    """Everyone looks at contact 11 most and at contact 0 least, and nothing else decides."""
    encoder, x = model(layers=1, heads=1), inputs(1, N)
    with torch.no_grad():
        block = encoder.blocks[0]
        u = block.norm_attention(encoder.embed(x))[0]
        block.qkv.weight[:32], block.qkv.bias[:32] = 0, 0
        block.qkv.bias[0] = 4  # of every query; scores are 4 k / sqrt(16)
        block.qkv.weight[16] = torch.linalg.pinv(u) @ torch.linspace(0, 6, N)
        block.out.weight.mul_(5)
    A = faithfulness.attention_of(encoder, x)
    assert (np.diff(A[0, 0], axis=1) > 0).all()
    found = {row["kind"]: row for row in rows(encoder, x)}
    assert found["rollout"]["failed"] is False
    assert found["rollout"]["value"] > 0.5
    assert found["largest"]["value"] > 2 * found["largest"]["null_mean"]


def test_the_null_of_noise_is_even() -> None:
    """Rollout and effects that have nothing to do with each other: p is anywhere."""
    rng = np.random.default_rng(0)
    p = []
    for _ in range(40):
        R, effects = rng.random((N, N)), rng.random((N, N))
        np.fill_diagonal(effects, 0)
        rho = faithfulness.pair_correlation(R, effects)
        null = faithfulness.permuted_correlations(R, effects, 99, rng)
        p.append((1 + (null >= rho).sum()) / 100)
    assert 0.35 < np.mean(p) < 0.65


def test_the_null_keeps_how_much_a_row_depends_on_anyone() -> None:
    """Rows that differ in scale alone correlate by that, and are no evidence: the null correlates as much."""
    rng = np.random.default_rng(0)
    scale = np.exp(2 * rng.standard_normal(N))[:, None]
    R, effects = scale * rng.random((N, N)), scale * rng.random((N, N))
    np.fill_diagonal(effects, 0)
    rho, null = faithfulness.pair_correlation(R, effects), faithfulness.permuted_correlations(R, effects, 99, rng)
    assert rho > 0.5
    assert abs(rho - null.mean()) < 0.15


def test_permuted_effects_never_hold_a_contacts_own() -> None:
    effects = np.arange(16.0).reshape(4, 4) + 1
    np.fill_diagonal(effects, 0.0)  # smallest of all: it must never be ranked
    R = np.arange(16.0).reshape(4, 4)
    null = faithfulness.permuted_correlations(R, effects, 50, np.random.default_rng(0))
    assert np.isfinite(null).all()
    assert null.min() > 0.7  # values of a row stay in their row, and rows differ by more


def test_no_graph_no_test() -> None:
    assert rows(model(), inputs(1, 2)) == []
    assert rows(model(layers=0), inputs(1, N)) == []


def test_equal_seeds_give_equal_rows() -> None:
    encoder, x = model(), inputs(1, N)
    assert repr(rows(encoder, x)) == repr(rows(encoder, x))
    assert repr(rows(encoder, x)) != repr(rows(encoder, x, seed=1))
