"""Runs pytest in a folder of its own, as somebody else would."""

from __future__ import annotations

import os

import pytest
from _pytest.pytester import RunResult

PATIENCE = 120.0


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """A test suite that is empty as yet."""
    for name in [name for name in os.environ if name.startswith(("CHLDO_", "PYTEST_ADDOPTS"))]:
        monkeypatch.delenv(name)
    # The plugins that come with other packages take seconds to load and are not what is tested.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return Suite(pytester)


class Suite:
    """A folder with tests."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester

    def write(self, **files: str) -> None:
        """Python files by their name without `.py`; the indentation of the first line is taken off."""
        self.pytester.makepyfile(**files)

    def run(self, *args: str, plugins: tuple[str, ...] = ()) -> RunResult:
        """Runs pytest in a process of its own."""
        loaded = [word for name in ("pytest_chldo.plugin", *plugins) for word in ("-p", name)]
        return self.pytester.runpytest_subprocess(*loaded, *args, timeout=PATIENCE)
