"""A served project, a folder to fetch it into, and the command that does."""

import functools
import logging
import sys
from types import SimpleNamespace

import pytest

from pipeline.fetching.client import Manners
from pipeline.stages import fetch
from pipeline.stages.command import run
from tests.fetching.fetched_project import RECORDINGS
from tests.fetching.hostile_server import Site, serving


@pytest.fixture
def site():
    with serving(Site()) as one:
        one.add_project(RECORDINGS)
        yield one


@pytest.fixture
def target(tmp_path):
    return tmp_path / "chbmit"


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the stage in this process with short pauses; status and what it printed."""
    monkeypatch.setattr(fetch, "Manners", functools.partial(Manners, backoff_s=0.01))

    def call(*words: object) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["fetch", *[str(word) for word in words]])
        status = 0
        try:
            run(fetch.main)
        except SystemExit as end:
            status = int(end.code or 0)
        finally:
            logging.getLogger("ictograph").handlers.clear()
        said = capsys.readouterr()
        return SimpleNamespace(status=status, out=said.out, log=said.err)

    return call
