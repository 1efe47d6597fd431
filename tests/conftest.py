"""What all tests share."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.live import LiveServer

# Shared machines are slow now and then; what counts is what is found, not how fast.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples in every run, so that what fails fails again; `--hypothesis-profile exploring` looks for others.
settings.register_profile("shared", PATIENT, derandomize=True)
settings.register_profile("exploring", PATIENT)
settings.load_profile("shared")

# Where the tests run in the background, Ctrl-C may be ignored, and every program that they start would ignore it, too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """The program as `make run` starts it: shipped fixtures, default settings."""
    with LiveServer(tmp_path_factory.mktemp("demo")) as server:
        yield server
