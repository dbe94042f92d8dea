"""Where no SLURM can be brought up the tests say why, before anything is installed. Needs no SLURM itself."""

import os
import shutil
from pathlib import Path

import cluster
import pytest


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A Linux with root and all programs, without a SLURM of its own."""
    monkeypatch.setattr(cluster.sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(cluster, "CONFIGURATION", tmp_path / "slurm.conf")
    monkeypatch.setattr(cluster, "CONFIGLESS", tmp_path / "conf")
    monkeypatch.delenv("SLURM_CONF", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name, **_: name)
    monkeypatch.setattr(os, "mknod", lambda path, *_: Path(path).touch())


def test_a_machine_that_can(able: None) -> None:
    assert cluster.why_not() == ""


def test_root_that_may_make_no_devices(able: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "mknod", refuse)
    assert "mknod" in cluster.why_not()


def test_a_slurm_of_the_machine_is_left_alone(able: None) -> None:
    cluster.CONFIGURATION.write_text("ClusterName=real\n")
    assert "of its own" in cluster.why_not()


def test_a_slurm_that_is_configured_elsewhere_is_left_alone(able: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", "/opt/slurm/etc/slurm.conf")
    assert "of its own (SLURM_CONF=/opt/slurm" in cluster.why_not()
    monkeypatch.delenv("SLURM_CONF")
    cluster.CONFIGLESS.mkdir()
    assert "of its own" in cluster.why_not()
