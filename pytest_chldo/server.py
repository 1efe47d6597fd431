"""The emulator that the tests of a session talk to: one that runs already, or a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_chldo.control import Control, EmulatorError
from pytest_chldo.options import Options

STOP_TIMEOUT = 10.0
"""Seconds that the process has to end in order."""

POLL = 0.02
"""Seconds between two questions whether it is ready."""

DEFAULTS: Mapping[str, Any] = {"voice.engine": "tone", "voice.workers": 1, "watch": False}
"""Settings of a server for tests where nothing else is said: voices that cost nothing, fixtures that stay."""

_NOT_PASSED = ("CHLDO_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_", "LC_OUTPUT_VERSION", "PYTHONPATH", "COV_CORE_")
"""How the names of variables begin that the server does not get from the environment of the tests."""

_HOME = Path(__file__).resolve().parent.parent
"""Where this package and the program lie: nothing else may be taken for the program's package `app`."""

_ADDRESS = re.compile(r"(http://\S+)/_emulator/health")


@dataclass(frozen=True, slots=True)
class Server:
    """A running emulator. `log` and `process`: of one that was started here. `shared`: others use it at the same time,
    so that it may not be reset.
    """

    control: Control
    log: Path | None = None
    process: subprocess.Popen[str] | None = None
    shared: bool = False

    @property
    def http_url(self) -> str:
        """Where it answers, without a slash at the end: `http://127.0.0.1:40123`."""
        return self.control.url

    @property
    def log_size(self) -> int:
        """Bytes of its log by now."""
        return self.log.stat().st_size if self.log is not None else 0

    def log_since(self, size: int) -> str:
        """What it has logged since the log had that size; "" of a server that was not started here."""
        if self.log is None:
            return ""
        with self.log.open("rb") as file:
            file.seek(size)
            return file.read().decode("utf-8", "replace")


@contextmanager
def serving(options: Options, folder: Path, root: Path, *, worker: bool) -> Iterator[Server]:
    """The emulator that the options want, until the end of `with`.

    `folder`: for its data and log. `root`: what paths in its settings are relative to. `worker`: this is one of several
    processes that test at the same time. Raises `EmulatorError` if there is none to be had.
    """
    if options.url is not None:
        yield _running(options, shared=worker if options.reset is None else not options.reset)
        return
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            _command(options, folder),
            cwd=root,
            env=_environment(options),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            encoding="utf-8",
        )
    try:
        address = _wait(process, options, log)
        token = options.settings.get("control.token", options.token)
        control = Control(address, token=token, fate=lambda: _fate(process, log))
        yield Server(control, log, process, shared=options.reset is False)
    finally:
        _stop(process)


def _running(options: Options, *, shared: bool) -> Server:
    """A server that somebody else has started."""
    assert options.url is not None
    control = Control(options.url, token=options.token)
    facts = control.get("health", patience=options.start_timeout)
    if not isinstance(facts, dict) or "ready" not in facts:
        raise EmulatorError(f"{options.url} is no emulator: /_emulator/health answers {json.dumps(facts)[:80]}")
    return Server(control, shared=shared)


def _command(options: Options, folder: Path) -> list[str]:
    """The command line of a server of its own."""
    command = [sys.executable, "-P", "-m", "app.cli", "serve", "--host", "127.0.0.1", "--port", "0", "--until-eof"]
    command += ["--data", str(folder / "data"), "--config", str(_config(options, folder))]
    given = {"--fixtures": options.fixtures, "--revision": options.revision, "--seed": options.seed}
    for option, value in given.items():
        command += [] if value is None else [option, str(value)]
    return command


def _config(options: Options, folder: Path) -> Path:
    """A file with the settings, so that one which does not exist is refused by its name."""
    top: list[str] = []
    groups: dict[str, list[str]] = {}
    for path, value in {**DEFAULTS, **options.settings}.items():
        group, dot, key = path.rpartition(".")
        if not re.fullmatch(r"\w+(\.\w+)?", path):
            raise EmulatorError(f"no setting has the name {path!r}")
        shown = json.dumps(value if isinstance(value, bool | int | float) else str(value), ensure_ascii=False)
        (groups.setdefault(group, []) if dot else top).append(f"{key} = {shown}")
    lines = [*top, *(line for group, inner in groups.items() for line in (f"[{group}]", *inner))]
    file = folder / "settings.toml"
    file.write_text("\n".join((*lines, "")), encoding="utf-8")
    return file


def _environment(options: Options) -> dict[str, str]:
    """This environment without what would change the emulator behind the back of the tests, or cost money."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in options.pass_env or not name.startswith(_NOT_PASSED)
    }
    return {**kept, "PYTHONPATH": str(_HOME), "PYTHONUTF8": "1"}


def _wait(process: subprocess.Popen[str], options: Options, log: Path) -> str:
    """The address of a process that has just been started, once it serves turns."""
    late = threading.Event()

    def give_up() -> None:
        late.set()
        process.kill()

    patience = threading.Timer(options.start_timeout, give_up)
    patience.daemon = True
    patience.start()
    try:
        assert process.stdout is not None
        found = next((match for line in process.stdout if (match := _ADDRESS.search(line))), None)
        while found is not None and not _ends_within(process, POLL):
            if _is_ready(Control(found[1])):
                return found[1]
        process.wait()
    finally:
        patience.cancel()
    if late.is_set():
        raise EmulatorError(f"the emulator was not ready after {options.start_timeout:g} s{_last_words(log)}")
    raise EmulatorError(f"the emulator did not start{_last_words(log)}")


def _ends_within(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether a process has ended, after so many seconds at most.

    Reads no clock: `Popen.wait` does, and never ends where a test has frozen it (freezegun); a lock's time-out is the
    system's own.
    """
    pause = threading.Event()
    for _ in range(max(1, round(seconds / POLL))):
        if process.poll() is not None:
            return True
        pause.wait(POLL)
    return process.poll() is not None


def _is_ready(control: Control) -> bool:
    try:
        control.get("health", "ready", patience=5)
    except EmulatorError:
        return False
    return True


def _fate(process: subprocess.Popen[str], log: Path) -> str:
    """Why a process does not answer; "" if that is not known."""
    code = process.poll()
    return "" if code is None else f"the emulator has ended with exit code {code}{_last_words(log)}"


def _last_words(log: Path, most: int = 20) -> str:
    """Its own word for what is wrong, or the end of its log."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    own = [line for line in lines if line.startswith("chldo-emulator: ")]
    if own:
        return f": {own[-1].removeprefix('chldo-emulator: ')}"
    return "; the end of its log:\n" + "\n".join(lines[-most:]) if lines else "; its log is empty"


def _stop(process: subprocess.Popen[str]) -> None:
    """Ends a process: in order if it can, in any case if it cannot."""
    try:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            _ends_within(process, STOP_TIMEOUT)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
