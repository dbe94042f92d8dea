"""What all tests have in common: the same examples and the same random streams on every machine, in every order."""

import logging
import random
from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, settings

# `make test` says the same of one commit each time that it is run; other examples, and more of them, are sought with
# `make test ARGS=--hypothesis-profile=search`. How long an example takes says nothing on a busy machine.
settings.register_profile(
    "same", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", settings.get_profile("same"), derandomize=False, max_examples=1000)
settings.load_profile("same")


@pytest.fixture(autouse=True)
def _same_random_streams() -> None:
    """A test that draws from a global stream draws the same, whatever ran before it."""
    random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _no_log_of_another_test() -> Iterator[None]:
    """A stage that ran in this process leaves a handler, whose stream is closed with its test."""
    logger = logging.getLogger("ictograph")
    before = list(logger.handlers), logger.level, logger.propagate
    yield
    logger.handlers[:], logger.propagate = before[0], before[2]
    logger.setLevel(before[1])
