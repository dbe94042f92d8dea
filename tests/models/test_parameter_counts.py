"""Published numbers of parameters (Tang et al. 2022 and its code), counted by `python -m pipeline.models`."""

import subprocess
import sys
from pathlib import Path

import yaml

from pipeline.models.__main__ import configured, parameter_counts, published
from pipeline.settings.config import parse_config

ROOT = Path(__file__).parents[2]
DETECTION, FOUR = "detection", "classification, 4 classes"
COUNTS = {
    ("dcrnn", DETECTION, "distance", None): 168_641,
    ("dcrnn", FOUR, "distance", None): 168_836,
    ("dcrnn", "classification, 7 classes", "distance", None): 169_031,
    ("dcrnn", "classification, 8 classes", "distance", None): 169_096,
    ("dcrnn", "detection, raw samples", "distance", None): 226_241,
    ("dcrnn", "pre-training", "distance", None): 417_572,
    ("dcrnn", DETECTION, "correlation", None): 280_769,
    ("dcrnn", FOUR, "correlation", None): 280_964,
    ("dcrnn", "classification, 7 classes", "correlation", None): 281_159,
    ("dcrnn", "classification, 8 classes", "correlation", None): 281_224,
    ("dcrnn", "detection, raw samples", "correlation", None): 376_769,
    ("dcrnn", "pre-training", "correlation", None): 690_980,
    ("dcrnn", "encoder layer 1", "distance", None): 94_656,
    ("dcrnn", "encoder layer 2", "distance", None): 73_920,
    ("dcrnn", "encoder layer 1", "correlation", None): 157_632,
    ("dcrnn", "encoder layer 2", "correlation", None): 123_072,
    # the corrected variant; the published one beside it (specification sglc.md, section 6)
    ("sglc", "encoder layer 1", "correlation", None): 609_752,
    ("sglc", "encoder layer 2", "correlation", None): 393_248,
    ("sglc", DETECTION, "correlation", None): 1_003_065,
    ("sglc", FOUR, "correlation", None): 1_003_260,
    ("sglc_published", "encoder layer 1", "correlation", None): 525_532,
    ("sglc_published", "encoder layer 2", "correlation", None): 326_092,
    ("sglc_published", DETECTION, "correlation", None): 851_689,
    ("sglc_published", FOUR, "correlation", None): 851_884,
    ("lstm", DETECTION, "none", None): 536_641,
    ("lstm", FOUR, "none", None): 536_836,
    ("cnn_lstm", DETECTION, "none", None): 5_976_033,
    ("cnn_lstm", FOUR, "none", None): 5_976_420,
    ("densecnn", DETECTION, "none", 12): 10_926_763,
    ("densecnn", DETECTION, "none", 60): 17_055_403,
}


def test_published_sizes() -> None:
    counts = {row[:4]: row.parameters for row in parameter_counts(published())}
    assert {key: counts.get(key) for key in COUNTS} == COUNTS
    more = {key for key in counts if key not in COUNTS}
    wider = {"lstm", "cnn_lstm", "densecnn", "sglc", "sglc_published"}  # more classes, raw samples: no published count
    assert {key[0] for key in more} == wider


def test_dense_cnn_without_the_unused_blocks() -> None:
    settings = published()["densecnn"].model_copy(update={"allocate_unused": False})
    counts = {row.length_s: row.parameters for row in parameter_counts({"densecnn": settings}) if row.task == DETECTION}
    assert counts == {12: 7_749_043, 60: 13_877_683}


def test_config_yaml_has_the_published_sizes() -> None:
    config = parse_config(yaml.safe_load((ROOT / "config.yaml").read_text()))
    counts = {row[:4]: row.parameters for row in parameter_counts(configured(config))}
    printed = {row[:4]: row.parameters for row in parameter_counts(published())}
    assert {key: counts.get(key) for key in printed} == printed


def test_command_prints_both_counts() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.models"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["densecnn", "detection", "none", "60", "s", "17,055,403", "17,055,403"] in lines
    assert ["cnn_lstm", "detection", "none", "any", "5,976,033", "5,976,033"] in lines
    assert ["soz", "contacts", "attention", "35", "s", "104,450", "-"] in lines
    assert ["soz_large", "contacts", "attention", "35", "s", "909,058", "-"] in lines
