"""Every switch of `compat:` has a test that shows published and correct behaviour apart; the default is correct.

Here: the register, and the switches whose tests have no better place (D4, D9, D10, and how switches reach a job).
"""

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from pipeline.graphs.electrodes import mirror_permutation
from pipeline.models import dcrnn
from pipeline.settings.config import CompatConfig
from pipeline.settings.model_dcrnn import InitSettings, ModelSettings

ROOT = Path(__file__).parents[1]
CORRECT = {
    "zero_unreadable": False, "resample_length": "seconds", "mirror_pairs": "all", "mirror_graph": "correct",
    "negative_seed": "run", "diffusion_recursion": "powers", "ssl_loss": "mae", "early_stopping": "best",
    "cnn_lstm_batch_axis": False, "padding": "after", "time_scaler": "own", "scale_zero_bins": False,
    "label_edge": "half_open", "clip_start_offset": False, "mysz_split": "patient", "threshold_strict": False,
}  # fmt: skip
PUBLISHED = {
    "zero_unreadable": True, "resample_length": "published", "mirror_pairs": "published", "mirror_graph": "published",
    "negative_seed": "published", "diffusion_recursion": "published", "ssl_loss": "rmse", "early_stopping": "published",
    "cnn_lstm_batch_axis": True, "padding": "before", "time_scaler": "fft", "scale_zero_bins": True,
    "label_edge": "touching", "clip_start_offset": True, "mysz_split": "published", "threshold_strict": True,
}  # fmt: skip
ROW = re.compile(r"^\| `([a-z_.]+)(?:: ([a-z]+))?`(?: \(([D0-9, ]+)\))? \|")
ELECTRODES = (
    "FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T3", "T4", "T5", "T6", "FZ", "CZ", "PZ",
)  # fmt: skip


def rows() -> list[tuple[str, list[str], list[tuple[str, str]]]]:
    """Of the table in docs/compat.md: switch, defect numbers, tests as (file, function)."""
    found = []
    for line in (ROOT / "docs/compat.md").read_text().splitlines():
        if match := ROW.match(line):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            tests = re.findall(r"`(tests/[a-z_/]+\.py)::(test_\w+)`", cells[-1])
            numbers = [number.strip() for number in (match.group(3) or "").split(",") if number.strip()]
            found.append((match.group(1), numbers, tests))
    return found


def functions(path: Path) -> set[str]:
    """Names of the functions at the top of a module."""
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


def configured(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / name).read_text())["compat"]


@pytest.mark.parametrize("switch", list(CompatConfig.model_fields))
def test_every_switch_is_documented_and_has_a_test(switch: str) -> None:
    mine = [(numbers, tests) for name, numbers, tests in rows() if name == switch]
    assert mine, f"docs/compat.md has no row of {switch}"
    for numbers, tests in mine:
        assert tests, f"docs/compat.md: the row of {switch} names no test"
        for file, function in tests:
            assert function in functions(ROOT / file), f"docs/compat.md: {file} has no {function}"
        wanted = [f"test_{number[0]}{int(number[1:]):02d}_" for number in numbers] or [f"test_{switch}_"]
        for prefix in wanted:
            assert any(function.startswith(prefix) for _, function in tests), f"{switch}: no test is called {prefix}…"


def test_every_row_is_of_a_switch_that_is_there() -> None:
    elsewhere = {"models.densecnn.allocate_unused", "init.gate_bias"}  # settings of a model, named in the same table
    assert {name for name, _, _ in rows()} == set(CompatConfig.model_fields) | elsewhere
    for name, _, tests in rows():
        assert tests, name
        assert all(function in functions(ROOT / file) for file, function in tests), name


def test_the_default_is_correct_and_the_preset_sets_all() -> None:
    assert set(CORRECT) == set(PUBLISHED) == set(CompatConfig.model_fields)
    assert configured("config.yaml") == CORRECT
    assert configured("workflow/presets/published-code.yaml") == PUBLISHED
    assert not [name for name in CORRECT if CORRECT[name] == PUBLISHED[name]]


def test_every_switch_reaches_a_job() -> None:
    """Turned alone, each changes what some job is told, or which files it reads."""
    from pipeline.settings.config import parse_config
    from workflow.lib import job_settings
    from workflow.lib.corpus import Corpora
    from workflow.lib.inputs import Inputs
    from workflow.lib.paths import Paths

    def told(compat: dict[str, Any]) -> list[str]:
        values = yaml.safe_load((ROOT / "config.yaml").read_text())
        values["compat"] = {**values["compat"], **compat}
        config = parse_config(values)
        runs = ("dist-ssl", "cnn-lstm", "densecnn")
        jobs = [
            job_settings.train(config, run, task, 12, 0) for run in runs for task in ("detection", "classification")
        ]
        jobs += [job_settings.clips(config, task, 12) for task in ("detection", "classification")]
        jobs += [job_settings.pretrain(config, "dcrnn-fft-distance", 12), job_settings.ingest(config, "synthetic")]
        jobs += [job_settings.predict(config, "detection", 12)]
        inputs = Inputs(config, Corpora(config, False), Paths("results"))
        return [job_settings.as_text(job) for job in jobs] + [inputs.scaled_as("synthetic", config.runs["dist-time"])]

    correct = told({})
    for switch, value in PUBLISHED.items():
        assert told({switch: value}) != correct, switch


def test_D04_published_mirror_leaves_P3_and_P4() -> None:
    """mirror_pairs: every electrode of the left goes to its place on the right, but not P3 as published."""
    swapped = {pairs: [ELECTRODES[n] for n in mirror_permutation(ELECTRODES, pairs)] for pairs in ("all", "published")}
    moved = [(name, other) for name, other in zip(ELECTRODES, swapped["all"], strict=True) if name != other]
    assert len(moved) == 16
    assert all(int(name[-1]) - int(other[-1]) in (1, -1) for name, other in moved)
    differ = [name for name, a, b in zip(ELECTRODES, *swapped.values(), strict=True) if a != b]
    assert differ == ["P3", "P4"]
    assert swapped["published"][ELECTRODES.index("P3")] == "P3"


def walks(rng: np.random.Generator) -> torch.Tensor:
    """Supports (2, n, n) of a random directed graph."""
    weights = rng.random((19, 19)) * (rng.random((19, 19)) < 0.2) + np.eye(19)
    return torch.from_numpy(dcrnn.supports(weights, "correlation", options("powers")))


def options(recursion: str, units: int = 64) -> ModelSettings:
    return ModelSettings.model_validate(
        {"units": units, "layers": 2, "pretraining_layers": 3, "diffusion_steps": 2, "decoder_tied": True,
         "init": InitSettings(gate_bias=0.0), "diffusion_recursion": recursion}
    )  # fmt: skip


def terms(S: torch.Tensor, recursion: str) -> torch.Tensor:
    """(n, m, n): each diffusion term as a matrix."""
    return dcrnn.diffusion_operator(S, steps=2, recursion=recursion).unflatten(-2, (19, -1))  # type: ignore[arg-type]


def test_D09_chebyshev_recursion_on_walks_spans_the_same_space() -> None:
    """Powers [x, S0 x, S0² x, S1 x, S1² x] (Eq. 1) against T2 = 2 S² x − x: other terms, the same span at K = 2."""
    S = walks(np.random.default_rng(0)).double()
    powers, chebyshev = (terms(S, name) for name in ("powers", "chebyshev"))
    I = torch.eye(19, dtype=torch.float64)
    for k, expected in enumerate([I, S[0], S[0] @ S[0], S[1], S[1] @ S[1]]):
        torch.testing.assert_close(powers[:, k], expected)
    for k, expected in enumerate([I, S[0], 2 * S[0] @ S[0] - I, S[1], 2 * S[1] @ S[1] - I]):
        torch.testing.assert_close(chebyshev[:, k], expected)
    assert not torch.allclose(powers, chebyshev, atol=0.1)
    both = torch.cat([powers, chebyshev], dim=1).transpose(0, 1).flatten(1)
    ranks = [int(torch.linalg.matrix_rank(block)) for block in (both[:5], both[5:], both)]
    assert ranks == [5, 5, 5]


def test_D10_published_recursion_starts_the_second_support_from_the_first() -> None:
    """[x, S0x, 2S0S0x-x, S1S0x, 2S1S1S0x-S0x]; with one support (the distance graph) nothing changes."""
    S = walks(np.random.default_rng(1)).double()
    I = torch.eye(19, dtype=torch.float64)
    first = S[0]
    wanted = [I, first, 2 * first @ first - I, S[1] @ first, 2 * S[1] @ S[1] @ first - first]
    torch.testing.assert_close(terms(S, "published"), torch.stack(wanted, dim=1))
    assert torch.equal(terms(S[:1], "published"), terms(S[:1], "powers"))  # one support: Chebyshev polynomials anyhow
    moved = [float((logit(S, "published", seed) - logit(S, "powers", seed)).abs().mean()) for seed in range(4)]
    assert 0.02 < float(np.mean(moved)) < 0.5  # the specification measured about 0.12 with random weights


def logit(S: torch.Tensor, recursion: str, seed: int) -> torch.Tensor:
    """Detection logits of 8 random clips by a network of random weights."""
    torch.manual_seed(seed)
    model = dcrnn.Classifier(options(recursion), n_features=100, n_classes=1, n_supports=2, dropout=0.0).eval()
    x = torch.randn(8, 12, 19, 100, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return model(x, torch.full((8,), 12), S.float())
