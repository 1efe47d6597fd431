"""The commands that deal in tapes: `record`, `tapes …`, `fixtures from-tape`. Thin, as all of the command line."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from app.addresses import is_loopback
from app.standard_streams import write_document

if TYPE_CHECKING:
    import socket

    from app.emulation.recording.recorder import Recorded, Recorder
    from app.emulation.recording.upstream import Upstream
    from app.emulation.tapes import Tape

Fail = Callable[[str], NoReturn]


def add_tape_commands(cli: typer.Typer, fixtures: typer.Typer, fail: Fail) -> None:
    """Puts the commands into the program. `fail` ends it with one line."""

    @cli.command()
    def record(
        upstream: Annotated[
            str, typer.Option(metavar="URL", help="The server to record, such as wss://api.example.com/v3/.")
        ],
        out: Annotated[Path, typer.Option(metavar="DIR", file_okay=False, help="Folder for the tapes.")],
        host: Annotated[str, typer.Option(help="Address to listen on; only this machine by default.")] = "127.0.0.1",
        port: Annotated[
            int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one, which is printed.")
        ] = 8766,
        voices: Annotated[bool, typer.Option("--voices", help="Keep the voices that messages name, too.")] = False,
        ca: Annotated[
            Path | None, typer.Option(metavar="FILE", help="Trust the authorities in this PEM file as well.")
        ] = None,
        insecure: Annotated[bool, typer.Option("--insecure", help="Trust any certificate.")] = False,
        redact: Annotated[
            list[str] | None, typer.Option(metavar="FIELD", help="A further field whose values are secret.")
        ] = None,
        log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    ) -> None:
        """Record what passes between clients and a WebSocket server, any server.

        Clients connect here instead of there, and notice no difference. Every connection becomes a tape in DIR. Keys,
        cookies and signatures are not written. Ctrl-C ends it. Exit codes: 0 all written; 1 a tape could not be; 2
        wrong usage.
        """
        from app.emulation.recording.upstream import UpstreamError, upstream_of
        from app.logs import configure_logs
        from app.serving import listen

        if log_level not in ("debug", "info", "warning", "error"):
            fail(f"--log-level: expected debug, info, warning or error, found {log_level!r}")
        configure_logs("text", log_level)
        try:
            there = upstream_of(upstream, ca=ca, insecure=insecure)
        except UpstreamError as error:
            fail(f"--upstream: {error}")
        _check_folder(out, fail)
        try:
            listener = listen(host, port)
        except OSError as error:
            fail(f"cannot listen on {host}:{port}: {error.strerror or error}; choose another port with --port")
        with listener:
            if not is_loopback(host):
                print(f"chldo-emulator: whoever can reach {host} can use the server through this", file=sys.stderr)
            done = _recorded(there, listener, out, voices, tuple(redact or ()))
        kept = f", {done.voices} voices" if voices else ""
        print(f"{done.tapes} tapes in {out}: {done.messages} messages{kept}", flush=True)
        if done.broken:
            print(f"chldo-emulator: {done.broken} of them end early: they could not be written", file=sys.stderr)
            raise SystemExit(1)

    tapes = typer.Typer(help="Look at tapes, and exchange them with HAR files.", no_args_is_help=True)
    cli.add_typer(tapes, name="tapes")

    @tapes.command()
    def show(
        place: Annotated[Path, typer.Argument(metavar="FILE", help="A tape, a HAR file or a folder of them.")],
        full: Annotated[bool, typer.Option("--full", help="Print messages whole, however long.")] = False,
    ) -> None:
        """Print tapes for people: seconds, direction, message."""
        from app.emulation.listing import listed

        for tape in _read(place, fail):
            for line in listed(tape, full=full):
                print(line)

    @tapes.command()
    def export(
        place: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of tapes, or one tape.")],
        har: Annotated[Path, typer.Option(metavar="FILE", dir_okay=False, help="The HAR file to write.")],
    ) -> None:
        """Write tapes as a HAR file, which browsers' developer tools open."""
        from importlib.metadata import version

        from app.emulation.har import exported

        read = _read(place, fail)
        _write(har, exported(read, version("chldo-emulator")), fail)
        print(f"{len(read)} tapes in {har}")

    @tapes.command(name="import")
    def import_(
        place: Annotated[Path, typer.Argument(metavar="FILE", help="A HAR file with WebSocket messages.")],
        out: Annotated[Path, typer.Option(metavar="DIR", file_okay=False, help="Folder for the tapes.")],
        redact: Annotated[
            list[str] | None, typer.Option(metavar="FIELD", help="A further field whose values are secret.")
        ] = None,
    ) -> None:
        """Make tapes out of a HAR file, without its keys, cookies and signatures."""
        from app.emulation.tapes import SUFFIX, tape_lines

        read = _read(place, fail, redact or ())
        _check_folder(out, fail)
        for tape in read:
            lines = tape_lines(tape)
            _write(_free(out, tape.name, SUFFIX), "".join(f"{line}\n" for line in lines).encode(), fail)
        print(f"{len(read)} tapes in {out}")

    @fixtures.command(name="from-tape")
    def from_tape(
        places: Annotated[list[Path], typer.Argument(metavar="TAPE…", help="Tapes, HAR files or folders of them.")],
        out: Annotated[
            Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Write here, not to standard output.")
        ] = None,
    ) -> None:
        """Make reply fixtures out of tapes of the chldo wire.

        What cannot become a reply is told on standard error. Exit codes: 0 at least one reply; 1 none; 2 wrong usage.
        """
        from app.chldo.tape_reading import read_turn
        from app.emulation.tape_fixtures import fixtures_of

        draft = fixtures_of([tape for place in places for tape in _read(place, fail)], read_turn)
        for one in draft.left_out:
            print(f"left out: {one}", file=sys.stderr)
        if not draft.entries:
            print("chldo-emulator: there is no turn on these tapes that can become a reply", file=sys.stderr)
            raise SystemExit(1)
        if out is None:
            write_document(sys.stdout, draft.text)
        else:
            _write(out, draft.text.encode(), fail)
            print(f"{draft.entries} replies in {out}")


def _read(place: Path, fail: Fail, fields: Sequence[str] = ()) -> list[Tape]:
    """Tapes without their secrets: whatever a command does with them, people see it. `fields`: as for `--redact`."""
    from app.emulation.placeholders import Placeholders
    from app.emulation.tapes import TapeError, hidden, read_tapes

    placeholders = Placeholders(fields)
    try:
        return [hidden(tape, placeholders) for tape in read_tapes(place)]
    except TapeError as error:
        fail(str(error))


def _write(file: Path, data: bytes, fail: Fail) -> None:
    try:
        file.write_bytes(data)
    except OSError as error:
        fail(f"cannot write {file}: {error.strerror or error}")


def _free(folder: Path, name: str, suffix: str) -> Path:
    """A file of that name in the folder that is not there yet."""
    place, number = folder / f"{name}{suffix}", 1
    while place.exists():
        number += 1
        place = folder / f"{name}-{number}{suffix}"
    return place


def _check_folder(folder: Path, fail: Fail) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"cannot use the folder {folder}: {error.strerror or error}")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        fail(f"cannot use the folder {folder}: permission denied")


def _banner(upstream: Upstream, listener: socket.socket, out: Path) -> None:
    host, port = listener.getsockname()[:2]
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    at = f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}"
    lines = (
        f"recording {upstream.url('')}",
        f"  WebSocket   ws://{at}/ stands for {upstream.url('/')}",
        f"  HTTP        http://{at}/ stands for {upstream.url('/', 'http')}",
        f"  tapes       {out}",
        "  Ctrl-C ends the recording",
        "",
    )
    print("\n".join(lines), flush=True)


def _recorded(
    upstream: Upstream, listener: socket.socket, out: Path, voices: bool, secret_fields: tuple[str, ...]
) -> Recorded:
    """Records until a signal."""
    import asyncio

    from app.emulation.determinism import RealClock
    from app.emulation.recording.recorder import Recorder
    from app.serving import SWITCH

    async def run() -> Recorded:
        recorder = Recorder(upstream, out, clock=RealClock(), voices=voices, secret_fields=secret_fields)
        _stop_on_signal(recorder)
        _banner(upstream, listener, out)
        return await recorder.run(listener)

    sys.setswitchinterval(SWITCH)  # the loop should not wait for the thread that writes
    try:
        import uvloop
    except ImportError:  # not on Windows
        return asyncio.run(run())
    return uvloop.run(run())


def _stop_on_signal(recorder: Recorder) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(recorder.stop))
