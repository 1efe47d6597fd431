"""The command line: thin. Parses, calls, prints."""

from __future__ import annotations

import gc
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from app.cli_tapes import add_tape_commands
from app.ctl import ctl_group
from app.standard_streams import run, typed, unread_output

if TYPE_CHECKING:
    from collections.abc import Iterable


class Program(TyperGroup):
    """All commands, each of which ends in the same way where its output cannot be written."""

    def make_context(self, *args: Any, **options: Any) -> Any:  # prints the help
        with unread_output():
            return super().make_context(*args, **options)

    def invoke(self, context: Any) -> Any:
        with unread_output():
            return super().invoke(context)


cli = typer.Typer(
    name="chldo-emulator",
    cls=Program,
    help="A self-hosted emulator of the chldo v3 WebSocket API: free, offline, deterministic.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
fixtures_group = typer.Typer(help="Look after fixture files.", no_args_is_help=True)
cli.add_typer(fixtures_group, name="fixtures")
cli.add_typer(ctl_group, name="ctl")


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


@cli.callback()
def about() -> None:
    """A self-hosted emulator of the chldo v3 WebSocket API: free, offline, deterministic.

    Start it with `chldo-emulator serve`, talk to it with `chldo-emulator chat`. Every option of `serve` is also
    an environment variable (CHLDO_PORT, CHLDO_DATA, …) and a key of a TOML file; docs/configuration.md lists them
    all.
    """


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; only this machine by default.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one, which is printed.")] = None,
    fixtures: Annotated[
        Path | None, typer.Option(help="Folder with spaces.yaml and replies/; the shipped demo by default.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder for the database, the voices and the signing key (./data).")
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="Dated revision of the wire: 2023-12-28 … 2024-11-13 (the default).")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Make ids, times, pauses and faults come out the same every time.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="NAME", help="Fault profiles in force from the start, comma separated.")
    ] = None,
    log_format: Annotated[LogFormat | None, typer.Option(help="Logs for people or for machines.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    tape: Annotated[
        Path | None, typer.Option(help="Tapes that answer in place of the script: a file or a folder of them.")
    ] = None,
    tape_speed: Annotated[
        float | None, typer.Option(help="How fast tapes play: 1 as recorded, 2 twice as fast, 0 at once.")
    ] = None,
    forwarded_allow_ips: Annotated[
        str | None,
        typer.Option(metavar="IPS", help="Proxies whose X-Forwarded headers count, comma separated; none by default."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file with settings.", envvar="CHLDO_CONFIG")] = None,
    until_eof: Annotated[
        bool, typer.Option("--until-eof", help="End when standard input ends: with whoever started it.")
    ] = False,
) -> None:
    """Start the server.

    Prints the addresses, the demo key and one line to paste. Ctrl-C ends it.
    """
    gc.disable()  # until all is loaded, for what is loaded stays: see `keep_loaded`
    from app.settings import SettingsError, load_settings
    from app.start import CannotStart, run_server

    try:
        settings = load_settings(
            config,
            host=host,
            port=port,
            fixtures=fixtures,
            data=data,
            revision=revision,
            seed=seed,
            profile=profile,
            log_format=log_format.value if log_format else None,
            log_level=log_level,
            tape=tape,
            tape_speed=tape_speed,
            forwarded_allow_ips=forwarded_allow_ips,
        )
    except SettingsError as error:
        fail(str(error))
    try:
        run_server(settings, until_eof=until_eof)
    except CannotStart as error:
        fail(str(error))


@cli.command()
def health(
    url: Annotated[str | None, typer.Argument(help="Base of the server; by default the one of these settings.")] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file with settings.", envvar="CHLDO_CONFIG")] = None,
) -> None:
    """Ask a running server whether it serves turns: exit code 0 if it does, 1 if not."""
    import urllib.error
    import urllib.request

    from app.settings import SettingsError, load_settings

    try:
        settings = load_settings(config)
    except SettingsError as error:
        fail(str(error))
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    base = url or f"http://{host}:{settings.port}"
    try:
        with urllib.request.urlopen(f"{base.rstrip('/')}/_emulator/health/ready", timeout=2):
            print("ready")
    except (urllib.error.URLError, OSError, ValueError) as error:
        print(f"not ready: {error}", file=sys.stderr)
        raise SystemExit(1) from None


@cli.command()
def chat(
    url: Annotated[str, typer.Argument(help="The server: ws://127.0.0.1:8765/v3/; /v3/ may be left out.")],
    api_key: Annotated[str | None, typer.Option(help="Key of the space.", envvar="CHLDO_API_KEY")] = None,
    message: Annotated[str | None, typer.Option("--message", "-m", help="Send this, print the answer, end.")] = None,
    greeting: Annotated[
        int | None,
        typer.Option(metavar="N", help="Ask for this greeting first; only for it if nothing is typed or given."),
    ] = None,
    choices: Annotated[
        int | None, typer.Option(metavar="N", help="Ask for so many choices; at the prompt, a number sends one.")
    ] = None,
    scene: Annotated[int | None, typer.Option(metavar="N", help="scene_number, 1 to 7.")] = None,
    language: Annotated[str | None, typer.Option(metavar="xx", help="Language of the answers: ko, en, id, …")] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Upload this image; every message is sent with it.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option(metavar="ID", help="Revision to speak, like 2024-10-06; the server's by default.")
    ] = None,
    room: Annotated[str | None, typer.Option(help="room_uid to talk in; a fresh one by default.")] = None,
    user: Annotated[str | None, typer.Option(help="user_id to talk as; `me` by default.")] = None,
    voice: Annotated[
        bool | None, typer.Option("--voice/--no-voice", help="Ask for voices or not; the space decides by default.")
    ] = None,
    voice_dir: Annotated[
        Path | None, typer.Option(file_okay=False, help="Save the voices in this folder; asks for them (--voice).")
    ] = None,
    json_lines: Annotated[bool, typer.Option("--json", help="Print every frame as a line of JSON instead.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Only the answer, its choices and what went wrong.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=0.01, help="Seconds without a frame before giving up.")] = 60.0,
    org_id: Annotated[str | None, typer.Option(help="Names the space in revision 2024-07-01.")] = None,
) -> None:
    """Talk to a chldo server in the terminal: this one, or any other.

    Without -m it reads lines, from the terminal or a pipe; Ctrl-D or /quit ends it. The answer goes to standard output,
    all else to standard error: statuses, choices, what went wrong.

    Exit codes: 0 all well; 1 the server answered with an error; 2 wrong usage; 3 no connection, or it was lost; 4 no
    frame in time; 130 Ctrl-C.
    """
    from app.chat import ChatMisuse, Options, Screen, talk, typed_lines
    from app.emulation.determinism import Ids

    options = Options(
        typed(url),
        api_key and typed(api_key),
        org_id and typed(org_id),
        room and typed(room),
        user and typed(user),
        voice,
        voice_dir,
        timeout,
        revision=revision,
        greeting=greeting,
        choices=choices,
        scene=scene,
        language=language and typed(language),
        file=file,
    )
    interactive = message is None and sys.stdin.isatty()
    screen = Screen(sys.stdout, sys.stderr, secret=api_key or "", frames=json_lines, quiet=quiet)
    if message is not None:
        lines: Iterable[str] = [typed(message)]
    else:
        lines = typed_lines(sys.stdin, screen) if interactive or greeting is None else []
    try:
        code = talk(options, lines, screen, Ids(), interactive=interactive)
    except ChatMisuse as error:
        fail(str(error))
    raise typer.Exit(code)


@cli.command()
def verify(
    url: Annotated[
        str | None, typer.Argument(help="The server: ws://127.0.0.1:8765/v3/; /v3/ may be left out.")
    ] = None,
    tape: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Check recordings instead: a tape, a folder of tapes, or a HAR.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(help="Key of the space; on hashee, token of an agent (hsk_…).", envvar="CHLDO_API_KEY")
    ] = None,
    login: Annotated[
        str | None,
        typer.Option(
            metavar="EMAIL:PASSWORD|TOKEN",
            help="On hashee: the person who talks with that agent, or an access token of theirs.",
            envvar="CHLDO_LOGIN",
        ),
    ] = None,
    org_id: Annotated[str | None, typer.Option(help="Names the space in revision 2024-07-01.")] = None,
    unusable_key: Annotated[str | None, typer.Option(metavar="KEY", help="A key that is switched off.")] = None,
    failing_key: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="A key whose turns fail (no credit, say); may be repeated.")
    ] = None,
    say: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Say this, too, in a turn of its own; may be repeated.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="Revision to judge by; by default the one that the frames tell.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="RULE|GROUP", help="Check nothing but this; may be repeated.")
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option(metavar="RULE|GROUP", help="Leave this out; may be repeated.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds of silence before giving up.")] = 20.0,
    wire: Annotated[
        str, typer.Option(help="The wire that the server should speak: chldo, malangee, hashee.")
    ] = "chldo",
    as_json: Annotated[str, typer.Option("--json", metavar="FILE|-", help="Write the report as JSON.")] = "",
    as_junit: Annotated[str, typer.Option("--junit", metavar="FILE|-", help="Write the report as JUnit XML.")] = "",
    only_list: Annotated[bool, typer.Option("--list", help="List the rules and end.")] = False,
) -> None:
    """Hold a server, or recordings of one, against the rules of the wire: this server, the real one, or any other.

    Exit codes: 0 no findings; 1 findings; 2 wrong usage; 3 no connection.
    """
    from app.contract.checks.command import Order, carry_out
    from app.contract.checks.rig import Misuse, Plan
    from app.contract.checks.run import Choice
    from app.emulation.determinism import Ids, RealClock

    plan = Plan(
        url or "",
        api_key or "",
        org_id or "",
        unusable_key or "",
        tuple(failing_key or ()),
        tuple(say or ()),
        timeout=timeout,
        login=login or "",
    )
    choice = Choice(tuple(only or ()), tuple(skip or ()), revision or "")
    order = Order(plan, tape, wire, choice, as_json, as_junit, only_list)
    try:
        code = carry_out(order, sys.stdout, clock=RealClock(), ids=Ids())
    except Misuse as error:
        fail(str(error))
    raise typer.Exit(code)


@fixtures_group.command()
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with spaces.yaml and replies/.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
) -> None:
    """Check a fixtures folder without starting a server.

    Errors keep a server from using the folder. Warnings name replies that can never answer, faults that can never
    strike, and voices and languages that cannot be had. Exit codes: 0 no errors; 1 errors; 2 wrong usage, or no such
    folder.
    """
    import json
    from dataclasses import asdict

    from app.emulation.lint import judge
    from app.fixture_voices import voice_remarks
    from app.wire_files import WIRE_FILES

    try:
        there = folder.is_dir()
    except OSError:
        there = False
    if not there:
        fail(f"{folder} is no folder that can be opened")
    verdict = judge(folder, WIRE_FILES, also=voice_remarks)
    errors, warnings = verdict.count("error"), verdict.count("warning")
    if as_json:
        read = {name: getattr(verdict, name) for name in ("spaces", "replies", "faults", "profiles")}
        counts = {"errors": errors, "warnings": warnings, **read}
        problems = [asdict(remark) for remark in verdict.remarks]
        print(json.dumps({"folder": str(folder), "ok": not errors, **counts, "problems": problems}, indent=2))
    else:
        for remark in verdict.remarks:
            print(remark)
        if verdict.more:
            print(f"and {verdict.more} more errors")
        holds = f"; {verdict.spaces} spaces, {verdict.replies} replies"
        if verdict.faults or verdict.profiles:
            holds += f", {verdict.faults} faults, {verdict.profiles} profiles"
        print(f"{errors} errors, {warnings} warnings{'' if errors else holds}")
    if errors:
        raise SystemExit(1)


@cli.command()
def schema(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder that they are written to.")],
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 naming the files that differ.")] = False,
) -> None:
    """Write the schemas of the wires: AsyncAPI, JSON Schema, TypeScript types and Python models.

    A folder a wire, a folder a revision. A running server has the same under /_emulator/schema/. Exit codes: 0 all
    well; 1 files differ (--check); 2 wrong usage, or the folder cannot be used.
    """
    from app.contract.schema.tree import differences, documents, write

    if check and not out.is_dir():
        fail(f"{out} is no folder that can be opened")
    wanted = documents()
    try:
        lines = differences(out, wanted) if check else write(out, wanted)
    except OSError as error:
        fail(f"cannot use {error.filename or out}: {error.strerror}")
    for line in lines:
        print(line if check else f"wrote {out / line}", file=sys.stderr if check else sys.stdout)
    print(f"{len(lines)} of {len(wanted)} files differ" if check else f"{len(wanted)} files, {len(lines)} written")
    if check and lines:
        raise SystemExit(1)


def fail(text: str) -> NoReturn:
    """One clear line on standard error, exit code 2."""
    from app.redaction import redact  # here: its expressions are compiled for failures only

    print(f"chldo-emulator: {redact(text)}", file=sys.stderr, flush=True)
    raise SystemExit(2)


add_tape_commands(cli, fixtures_group, fail)


def main() -> None:
    """The console script."""
    sys.exit(run(cli))


if __name__ == "__main__":
    main()
