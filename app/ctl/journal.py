"""journal, wait."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from app.ctl.client import NO_SERVER, REFUSED, client_of, fail
from app.ctl.lines import entry, say

Kind = Annotated[
    str | None,
    typer.Option(
        metavar="KINDS", help="open, refused, in, out, close, http, match, fault or control; several with commas."
    ),
]
Type = Annotated[str | None, typer.Option("--type", help="What the wire calls the frame, like END.")]
Room = Annotated[str | None, typer.Option(help="In this room.")]
Connection = Annotated[str | None, typer.Option(help="Of this connection.")]
Wire = Annotated[str | None, typer.Option(help="Of this wire.")]
Text = Annotated[str | None, typer.Option(help="With this text in the frame or the details.")]
Turn = Annotated[int | None, typer.Option(help="Of this request of the connection, from 1.")]
After = Annotated[int | None, typer.Option(metavar="SEQ", help="Newer than this entry.")]
Lines = Annotated[bool, typer.Option("--json", help="Print an entry as a line of JSON.")]


def add_journal_commands(group: typer.Typer) -> None:
    """Adds the commands."""
    group.command()(journal)
    group.command()(wait)


def journal(
    context: typer.Context,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print what happens from now on, until Ctrl-C.")
    ] = False,
    kind: Kind = None,
    frame: Type = None,
    room: Room = None,
    connection: Connection = None,
    wire: Wire = None,
    text: Text = None,
    turn: Turn = None,
    after: After = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=10_000, help="So many entries, the last ones.")
    ] = 100,
    clear: Annotated[bool, typer.Option("--clear", help="Forget what has happened instead.")] = False,
    as_json: Lines = False,
) -> None:
    """What has happened, an entry a line: number, emulated time, room, what, frame.

    → is a frame from a client, ← one to it. Keys are shortened. Filters hold all together.
    """
    client = client_of(context)
    if clear:
        say(f"removed {client.ask('DELETE', '/journal')['removed']}")
        return
    asked = _asked(
        kind=kind, type=frame, room=room, connection=connection, wire=wire, text=text, turn=turn, after=after
    )
    if not follow:
        for told in client.get("/journal", **asked, limit=limit, newest=True)["entries"]:
            _show(told, as_json)
        return
    try:
        for told in _events(client.lines("/journal/feed", **asked)):
            _show(told, as_json)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    fail("the server has ended the feed", NO_SERVER)


def wait(
    context: typer.Context,
    kind: Kind = None,
    frame: Type = None,
    room: Room = None,
    connection: Connection = None,
    wire: Wire = None,
    text: Text = None,
    turn: Turn = None,
    after: After = None,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many entries to wait for.")] = 1,
    timeout: Annotated[float, typer.Option(min=0, max=300, help="Seconds to wait at most.")] = 5.0,
    as_json: Lines = False,
) -> None:
    """Wait until something has happened, and print it: exit code 0 if it has, 1 if the time is over.

    `ctl wait --type END --room r1 --timeout 10`
    """
    asked = _asked(
        kind=kind, type=frame, room=room, connection=connection, wire=wire, text=text, turn=turn, after=after
    )
    params = {**asked, "count": count, "timeout": timeout}
    told = client_of(context).ask("GET", "/journal/wait", params=params, wait=timeout)
    for one in told["entries"]:
        _show(one, as_json)
    if not told["complete"]:
        fail(f"{len(told['entries'])} of {count} came within {timeout:g} seconds", REFUSED)


def _asked(**filters: Any) -> dict[str, Any]:
    return {name: value for name, value in filters.items() if value is not None}


def _events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The entries of a feed of server-sent events."""
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            told = json.loads(line.removeprefix("data: "))
            if name == "skipped":
                typer.echo(f"chldo-emulator: {told['entries']} entries were skipped", err=True)
            else:
                yield told
        elif not line:
            name = ""


def _show(told: dict[str, Any], as_json: bool) -> None:
    say(json.dumps(told, ensure_ascii=False) if as_json else entry(told))
