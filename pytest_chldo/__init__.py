"""The emulator in test suites: a pytest plugin with the fixtures `emulator` and `emulator_server`.

A package of its own, beside `app`: it is loaded into other people's processes, whose own code may well live in a
package called `app`. It needs the standard library only, so that nothing is in the way of what a test replaces
(an HTTP client, say). docs/testing.md is its guide.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_chldo.clock import Clock as Clock
    from pytest_chldo.control import EmulatorError as EmulatorError
    from pytest_chldo.emulator import Connection as Connection
    from pytest_chldo.emulator import Emulator as Emulator
    from pytest_chldo.entries import Entry as Entry
    from pytest_chldo.handles import Fault as Fault
    from pytest_chldo.handles import Profile as Profile
    from pytest_chldo.handles import Reply as Reply
    from pytest_chldo.handles import Snapshot as Snapshot
    from pytest_chldo.options import Options as Options
    from pytest_chldo.server import Server as Server

_HOMES = {
    "Clock": "clock",
    "Connection": "emulator",
    "Emulator": "emulator",
    "EmulatorError": "control",
    "Entry": "entries",
    "Fault": "handles",
    "Options": "options",
    "Profile": "handles",
    "Reply": "handles",
    "Server": "server",
    "Snapshot": "handles",
}


def __getattr__(name: str) -> Any:
    # When they are asked for: pytest loads this package at every start, also where no test needs an emulator.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
