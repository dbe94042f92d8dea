"""The reliability picture: bins of several seeds pooled by their clips, and a run without a temperature."""

import numpy as np

from pipeline.metrics.calibration import reliability
from pipeline.report.reliability import reliability_numbers, reliability_picture


def run_of(n_seeds: int, *, scaled: bool) -> tuple[dict, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    p, positive = rng.random((n_seeds, 200)), rng.random((n_seeds, 200)) < 0.4
    seeds = [{"reliability": reliability(y, one, bins=5)} for y, one in zip(positive, p, strict=True)]
    if scaled:
        seeds = [one | {"reliability_scaled": one["reliability"]} for one in seeds]
    return {"n_clips": 200, "n_patients": 9, "seeds": seeds}, p.ravel(), positive.ravel()


def test_pooled_bins_are_those_of_all_clips_together() -> None:
    content, p, positive = run_of(3, scaled=True)
    found = reliability_numbers({"r": content})["r"]
    whole = reliability(positive, p, bins=5)
    assert found["reliability"]["n_clips"] == whole["n_clips"]
    np.testing.assert_allclose(found["reliability"]["observed"], whole["observed"], rtol=1e-5)
    np.testing.assert_allclose(found["reliability"]["predicted"], whole["predicted"], rtol=1e-5)
    assert found["reliability_scaled"] == found["reliability"]


def test_a_run_without_a_temperature_has_an_empty_panel() -> None:
    content, _, _ = run_of(1, scaled=False)
    picture = reliability_picture("r", "Reliability", {"one": content}, synthetic=True, dpi=50)
    assert picture.numbers["one"]["reliability_scaled"]["n_clips"] == []
    assert picture.png.startswith(b"\x89PNG")
    assert "200 test clips of 9 patients" in picture.caption
