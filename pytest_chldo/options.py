"""What the plugin can be told: command line, environment, pytest's configuration file, in this order."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SEED = 8
"""Of the first ten seeds the one whose signing key is found soonest: 0.2 s of the start, where 1 takes 1.9 s."""

_SINGLE = {
    "url": "use the emulator that runs at this address instead of starting one",
    "token": "token of that emulator's control plane",
    "fixtures": "fixtures folder (spaces.yaml and replies/); the shipped one by default",
    "seed": f"makes a run come out like the last one ({SEED} by default); `none`: real time and randomness",
    "revision": "dated revision of the wire, like 2024-10-06",
    "reset": "true or false: reset the emulator before each test (by default: unless several workers share it)",
}
_SEVERAL = {
    "settings": "settings of the emulator, each `voice.engine = pyttsx3`",
    "pass_env": "variables that the emulator gets from the environment (by default none of CHLDO_*, OPENAI_*, LANG*_*)",
}
_ON_THE_LINE = ("url", "fixtures", "seed", "revision", "reset")


@dataclass(frozen=True, slots=True)
class Options:
    """How the emulator of a session is had. `url`: one that runs already, where only `token` and `reset` matter.

    `settings`: settings of the program by their path (`voice.engine`), as docs/configuration.md lists them.
    `reset`: whether it is reset before each test; None: unless workers share it. `start_timeout`: seconds.
    """

    url: str | None = None
    token: str | None = None
    fixtures: Path | None = None
    seed: int | None = SEED
    revision: str | None = None
    reset: bool | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    pass_env: Sequence[str] = ()
    start_timeout: float = 60.0


def declare(parser: pytest.Parser) -> None:
    """Tells pytest what there is."""
    group = parser.getgroup("chldo emulator")
    for name, about in _SINGLE.items():
        parser.addini(f"emulator_{name}", about, type="string", default="")
        if name in _ON_THE_LINE:
            group.addoption(f"--emulator-{name}", default=None, metavar=name.upper(), help=about)
    for name, about in _SEVERAL.items():
        parser.addini(f"emulator_{name}", about, type="linelist", default=[])
    group.addoption(
        "--emulator-set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the emulator, repeatable"
    )


def read(config: pytest.Config) -> Options:
    """The options in force. Raises `pytest.UsageError`, one line that names the place."""
    fixtures, source = _given(config, "fixtures")
    seed, seed_source = _given(config, "seed")
    reset, reset_source = _given(config, "reset")
    return Options(
        url=_given(config, "url")[0] or None,
        token=_given(config, "token")[0] or None,
        fixtures=_path(config, fixtures, source) if fixtures else None,
        seed=_seed(seed, seed_source) if seed else SEED,
        revision=_given(config, "revision")[0] or None,
        reset=_switch(reset, reset_source) if reset else None,
        settings=_settings(config),
        pass_env=tuple(config.getini("emulator_pass_env")),
    )


def _given(config: pytest.Config, name: str) -> tuple[str, str]:
    """The text that was given for an option, and where."""
    line = config.getoption(f"--emulator-{name}", None) if name in _ON_THE_LINE else None
    if line is not None:
        return str(line).strip(), f"--emulator-{name}"
    variable = f"CHLDO_EMULATOR_{name.upper()}"
    if os.environ.get(variable):
        return os.environ[variable].strip(), variable
    return str(config.getini(f"emulator_{name}")).strip(), f"emulator_{name}"


def _path(config: pytest.Config, text: str, source: str) -> Path:
    """A path; one of the configuration file is relative to that file, any other to where pytest was started."""
    start = config.invocation_params.dir
    if not source.startswith(("--", "CHLDO_")):
        start = config.inipath.parent if config.inipath else config.rootpath
    return (start / Path(text).expanduser()).resolve()


def _seed(text: str, source: str) -> int | None:
    if text.lower() == "none":
        return None
    try:
        return int(text)
    except ValueError:
        raise pytest.UsageError(f"{source}: a whole number, or none (got {text!r})") from None


def _switch(text: str, source: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise pytest.UsageError(f"{source}: true or false (got {text!r})")
    return text.lower() == "true"


def _settings(config: pytest.Config) -> dict[str, Any]:
    """Later ones win: configuration file, environment, command line."""
    lines = [(line, "emulator_settings") for line in config.getini("emulator_settings")]
    more = os.environ.get("CHLDO_EMULATOR_SETTINGS", "").split(",")
    lines += [(line, "CHLDO_EMULATOR_SETTINGS") for line in more if line.strip()]
    lines += [(line, "--emulator-set") for line in config.getoption("--emulator-set", [])]
    found: dict[str, Any] = {}
    for line, source in lines:
        key, equals, value = line.partition("=")
        if not equals or not key.strip():
            raise pytest.UsageError(f"{source}: key = value (got {line!r})")
        found[key.strip()] = value.strip()
    return found
