"""connections, push, close, revision."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from app.ctl.client import MISUSE, Client, client_of, fail, part
from app.ctl.lines import clock, say, show_json, table
from app.ctl.words import AsJson, value_of

Id = Annotated[
    str | None, typer.Option("--id", metavar="ID", help="The connection; not needed where only one is open.")
]
InRoom = Annotated[str | None, typer.Option("--room", help="The only connection in this room.")]


def add_socket_commands(group: typer.Typer) -> None:
    """Adds the commands."""
    group.command()(connections)
    group.command()(push)
    group.command()(close)
    group.command()(revision)


def connections(context: typer.Context, as_json: AsJson = False) -> None:
    """The open sockets."""
    told = client_of(context).get("/connections")
    if as_json:
        show_json(told)
        return
    table(
        ("id", "wire", "room", "user", "path", "since", "in", "out"),
        (
            (
                *(one["id"], one["wire"], one["room"], one["user"], one["path"]),
                *(clock(one["opened"]), one["frames_in"], one["frames_out"]),
            )
            for one in told["connections"]
        ),
    )


def push(
    context: typer.Context,
    text: Annotated[str | None, typer.Argument(help="The text of the frame, as it is.")] = None,
    frame: Annotated[str | None, typer.Option(metavar="JSON", help="The frame as JSON, sent without blanks.")] = None,
    uid: Id = None,
    room: InRoom = None,
) -> None:
    """Send a client a frame that it did not ask for.

    `ctl push '{"status":"maintenance"}' --room r1`
    """
    if (text is None) == (frame is None):
        fail("expected a TEXT or --frame, one of them", MISUSE)
    client = client_of(context)
    body = {"text": text} if frame is None else {"frame": value_of(frame)}
    found = _chosen(client, uid, room)
    client.ask("POST", f"/connections/{part(found)}/push", body)
    say(f"pushed to {found}")


def close(
    context: typer.Context,
    code: Annotated[int, typer.Option(help="1000 to 1014, or 3000 to 4999.")] = 1000,
    reason: Annotated[str, typer.Option(help="At most 123 bytes.")] = "",
    uid: Id = None,
    room: InRoom = None,
) -> None:
    """Close a client's socket with a code."""
    client = client_of(context)
    found = _chosen(client, uid, room)
    client.ask("POST", f"/connections/{part(found)}/close", {"code": code, "reason": reason})
    say(f"closed {found}")


def revision(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="REVISION", help="What to speak from now on; without it, it is told.")
    ] = None,
    wire: Annotated[str | None, typer.Option(help="Of this wire; the first one by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell or set the revision that new sockets speak which ask for none."""
    client = client_of(context)
    of: dict[str, Any] = {} if wire is None else {"wire": wire}
    body = {"revision": name, **of}
    told = client.get("/revision", **of) if name is None else client.ask("PUT", "/revision", body)
    if as_json:
        show_json(told)
    else:
        say(told["revision"])


def _chosen(client: Client, uid: str | None, room: str | None) -> str:
    """The id of the connection that is meant."""
    if uid is not None:
        return uid
    found = [one["id"] for one in client.get("/connections")["connections"] if room in (None, one["room"])]
    if len(found) != 1:
        where = "" if room is None else f" in room {room}"
        fail(f"{len(found)} connections are open{where}: say which with --id (`ctl connections` lists them)", MISUSE)
    return str(found[0])
