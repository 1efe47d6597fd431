"""The start of a server: all that keeps it from starting is one line, and nothing else is printed then."""

from __future__ import annotations

import errno
import logging
import os
import shlex
import shutil
import signal
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from app.chldo.revisions import REVISIONS
from app.demo import DEMO_KEY, chat_command
from app.logs import HeldLogs, configure_logs
from app.main import create_app
from app.serving import keep_loaded, listen, server_of
from app.settings import Settings, SettingsError, serves_demo
from app.standard_streams import leave_unwritten, when_input_ends

if TYPE_CHECKING:
    from app.control.access import Access

FROM_HERE = "from this machine; through a proxy only with a token: set CHLDO_CONTROL_TOKEN"


log = logging.getLogger("app")


class CannotStart(Exception):
    """The server cannot come up, or stay up; the text is one line."""


def run_server(settings: Settings, *, until_eof: bool = False) -> None:
    """Serves until a signal or, with `until_eof`, the end of standard input. Prints the banner, and what was logged
    until then, once turns are answered. Raises `CannotStart`.
    """
    # What parts of the program say about a start that fails anyway (a worker that was told to end, a connection that
    # was given up) would bury the one line that says why. Whoever asks for debug lines wants to see them.
    held = configure_logs(settings.log_format, settings.log_level, hold=settings.log_level != "debug")
    try:
        _serve(settings, held, until_eof)
    except CannotStart:
        held.discard()
        raise
    held.show()


def _serve(settings: Settings, held: HeldLogs, until_eof: bool) -> None:
    problems: list[str] = []

    def fatal(text: str) -> None:
        problems.append(text)
        server.should_exit = True

    def ready() -> None:
        keep_loaded()
        held.show()
        print_banner(listener, settings, app.state.access)

    try:
        app = create_app(settings, fatal=fatal, ready=ready)
    except SettingsError as error:
        raise CannotStart(str(error)) from None
    check_folder(settings.data)
    try:
        listener = listen(settings.host, settings.port)
    except (OSError, ValueError) as error:
        raise CannotStart(_why_not_listen(settings, error)) from None
    server = server_of(app, settings)

    def stop(number: int, frame: FrameType | None) -> None:
        server.should_exit = True

    # uvicorn takes the signals over once it runs, and raises them again when it has ended in order: that is a success.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)

    def input_ended() -> None:
        log.info("standard input has ended, and the server ends with it")
        os.kill(os.getpid(), signal.SIGTERM)

    if until_eof and not when_input_ends(input_ended):
        log.warning("--until-eof: standard input is no pipe, so it never ends; a signal ends the server")
    try:
        server.run(sockets=[listener])
    finally:
        listener.close()
    if problems:
        raise CannotStart(problems[0])


def check_folder(folder: Path) -> None:
    """Raises `CannotStart` if the data folder cannot be used."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(
            f"cannot use the data folder {folder}: {error.strerror}; choose another with --data"
        ) from None
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise CannotStart(f"cannot use the data folder {folder}: permission denied; choose another with --data")


def print_banner(listener: socket.socket, settings: Settings, access: Access) -> None:
    """Tells where the server is, what to paste, and who may use the control plane."""
    host, port = listener.getsockname()[:2]
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    at = f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}"
    path = REVISIONS[settings.revision].path
    program = "chldo-emulator" if shutil.which("chldo-emulator") else shlex.quote(sys.argv[0])
    pasted = (
        f"  demo key    {DEMO_KEY}",
        f"  paste this  {chat_command(program, f'ws://{at}{path}')}",
    )
    endpoints = settings.control.enabled and settings.tape is None
    lines = (
        f"chldo emulator, revision {settings.revision}",
        f"  WebSocket   ws://{at}{path}?room_uid=ROOM&user_uid=USER",
        f"  new room    http://{at}/v3/room/uid/",
        f"  health      http://{at}/_emulator/health",
        *((f"  endpoints   http://{at}/_emulator/docs, of all wires",) if endpoints else ()),
        *((f"  control     http://{at}/_emulator/ with the token {access.made}",) if access.made else ()),
        *((f"  control     http://{at}/_emulator/ {FROM_HERE}",) if endpoints and access.token is None else ()),
        *(pasted if serves_demo(settings) else ()),
        *(
            ()
            if settings.tape is None
            else (f"  tapes       {settings.tape} answer, at speed {settings.tape_speed:g}",)
        ),
        "",
    )
    try:
        sys.stdout.write("\n".join(lines))
        sys.stdout.flush()
    except OSError:  # nobody reads it: no reason not to serve
        leave_unwritten(sys.stdout)


def _why_not_listen(settings: Settings, error: OSError | ValueError) -> str:
    at = f"{settings.host}:{settings.port}"
    if isinstance(error, ValueError):
        return f"cannot listen on {at}: {error}"
    if error.errno == errno.EADDRINUSE:
        return f"cannot listen on {at}: the port is in use; choose another with --port (0 takes a free one)"
    if error.errno == errno.EACCES:
        return f"cannot listen on {at}: permission denied; choose a port above 1023 with --port"
    return f"cannot listen on {at}: {error.strerror or error}"
