"""reset, snapshot, restore, snapshots."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from app.ctl.client import client_of, part
from app.ctl.lines import say, show_json, table
from app.ctl.words import AsJson

snapshots_group = typer.Typer(help="The snapshots that are kept.", no_args_is_help=True)


def add_state_commands(group: typer.Typer) -> None:
    """Adds the commands."""
    group.command()(reset)
    group.command()(snapshot)
    group.command()(restore)


def reset(
    context: typer.Context,
    space: Annotated[str | None, typer.Option(help="Only this space, or with --room the room in it.")] = None,
    room: Annotated[str | None, typer.Option(help="Only this room; nobody in another room notices.")] = None,
    wire: Annotated[str | None, typer.Option(help="Only what this wire counts.")] = None,
) -> None:
    """Start anew: everything as the fixtures say, or only a space or a room.

    Sockets stay open. A turn under way goes on for its client, but it is not kept.
    """
    scope = {key: value for key, value in (("space", space), ("room", room), ("wire", wire)) if value is not None}
    told = client_of(context).ask("POST", "/reset", scope or None)
    say(f"reset: {told['rooms']} rooms with {told['turns']} turns are gone")


def snapshot(context: typer.Context, name: Annotated[str, typer.Argument(help="A name to find it by.")] = "") -> None:
    """Keep what the store holds now: spaces, keys, balances, rooms and turns."""
    told = client_of(context).ask("POST", "/snapshots", {"name": name})
    say(f"{told['id']}: {told['spaces']} spaces, {told['rooms']} rooms, {told['turns']} turns")


def restore(
    context: typer.Context, which: Annotated[str, typer.Argument(metavar="ID", help="Its id, or its name.")]
) -> None:
    """Put the store back to a snapshot, all or nothing."""
    told = client_of(context).ask("POST", f"/snapshots/{part(which)}/restore")
    say(f"restored {told['id']}: {told['spaces']} spaces, {told['rooms']} rooms, {told['turns']} turns")


@snapshots_group.command("list")
def list_snapshots(context: typer.Context, as_json: AsJson = False) -> None:
    """What snapshots there are, oldest first."""
    told = client_of(context).get("/snapshots")
    if as_json:
        show_json(told)
        return
    table(
        ("id", "name", "taken", "spaces", "rooms", "turns"),
        (
            (one["id"], one["name"], _date(one["at"]), one["spaces"], one["rooms"], one["turns"])
            for one in told["snapshots"]
        ),
    )


@snapshots_group.command("remove")
def remove_snapshot(
    context: typer.Context, which: Annotated[str, typer.Argument(metavar="ID", help="Its id, or its name.")]
) -> None:
    """Forget a snapshot."""
    client_of(context).ask("DELETE", f"/snapshots/{part(which)}")
    say(f"removed {which}")


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
