"""What pytest loads. Nothing more than this file and the options is imported until a test asks for an emulator."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

from pytest_chldo import options

if TYPE_CHECKING:
    from pytest_chldo.emulator import Emulator
    from pytest_chldo.options import Options
    from pytest_chldo.server import Server

_USED: pytest.StashKey[Emulator] = pytest.StashKey()
"""The emulator of a test that asked for one."""

_OPTIONS: pytest.StashKey[Options] = pytest.StashKey()

LOG_LINES = 30
"""Lines of the server's log that a failed test shows."""


def pytest_addoption(parser: pytest.Parser) -> None:
    options.declare(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_OPTIONS] = options.read(config)


@pytest.fixture(scope="session")
def emulator_options(pytestconfig: pytest.Config) -> Options:
    """How the emulator of this session is had, from command line, environment and configuration file. A conftest.py
    may put its own in place of it: `dataclasses.replace(emulator_options, fixtures=…)`.
    """
    return pytestconfig.stash[_OPTIONS]


@pytest.fixture(scope="session")
def emulator_server(
    emulator_options: Options, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The emulator of this session (of this worker, with pytest-xdist): started when it is first asked for."""
    from pytest_chldo.control import EmulatorError
    from pytest_chldo.server import serving

    folder = tmp_path_factory.mktemp("chldo-emulator")
    worker = int(getattr(pytestconfig, "workerinput", {}).get("workercount", 1)) > 1
    running = serving(emulator_options, folder, pytestconfig.rootpath, worker=worker)
    try:
        server = running.__enter__()
    except EmulatorError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    try:
        yield server
    finally:
        running.__exit__(None, None, None)


@pytest.fixture
def emulator(emulator_server: Server, request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """The emulator, as new for each test: what earlier tests said, scripted and broke is gone. What the test itself
    puts in is taken out at its end.
    """
    from pytest_chldo.control import EmulatorError
    from pytest_chldo.emulator import Emulator

    made = Emulator(emulator_server, name=request.node.nodeid)
    try:
        made.begin()
    except EmulatorError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    request.node.stash[_USED] = made
    yield made
    made.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test that used the emulator shows the last frames, and what the server logged."""
    report = yield
    used = item.stash.get(_USED, None)
    if used is not None and report.failed and call.when != "teardown":
        report.sections.append(("chldo emulator: last frames", "\n".join(used.last_frames())))
        logged = used.log().splitlines()
        if logged:
            shown = logged[-LOG_LINES:]
            report.sections.append((f"chldo emulator: log ({used.server.log})", "\n".join(shown)))
    return report
