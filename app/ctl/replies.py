"""replies, fixtures."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from app.ctl.client import MISUSE, client_of, fail, part
from app.ctl.lines import rule, say, show_json, table
from app.ctl.words import AsJson, File, When, conditions, content

replies_group = typer.Typer(help="Replies that answer before those of the files.", no_args_is_help=True)
fixtures_group = typer.Typer(help="The fixture files as they are in force.", no_args_is_help=True)


@replies_group.command("list")
def list_replies(context: typer.Context, as_json: AsJson = False) -> None:
    """What was added, in the order in which it is asked."""
    told = client_of(context).get("/replies")
    if as_json:
        show_json(told)
    else:
        _tell(told["replies"])


@replies_group.command("add")
def add_replies(
    context: typer.Context,
    reply: Annotated[
        str | None, typer.Option(help="What is said; may have {{msg}}, {{visitor_name}}, {{turn}}.")
    ] = None,
    msg: Annotated[str | None, typer.Option(help="Short for --when msg=TEXT.")] = None,
    when: When = None,
    file: File = None,
) -> None:
    """Add a reply, or those of a file: all of them, or none.

    `ctl replies add --msg 안녕 --reply "또 왔네요!"`

    `ctl replies add --when 'msg*=날씨' --when room_uid=r1 --reply 맑아요`

    `ctl replies add --file replies.yaml`
    """
    if (reply is None) == (file is None):
        fail("expected --reply or --file, one of them", MISUSE)
    if file is not None:
        body: Any = content(file)
    else:
        body = {"when": {**({} if msg is None else {"msg": msg}), **conditions(when)}, "reply": reply}
    _tell(client_of(context).ask("POST", "/replies", body)["replies"])


@replies_group.command("remove")
def remove_reply(context: typer.Context, uid: Annotated[str, typer.Argument(metavar="ID", help="Like r3.")]) -> None:
    """Remove one reply."""
    client_of(context).ask("DELETE", f"/replies/{part(uid)}")
    say(f"removed {uid}")


@replies_group.command("clear")
def clear_replies(context: typer.Context) -> None:
    """Remove all that were added; those of the files stay."""
    say(f"removed {client_of(context).ask('DELETE', '/replies')['removed']}")


@replies_group.command("explain")
def explain(
    context: typer.Context,
    msg: Annotated[str | None, typer.Argument(help="What the user says; without it the agent speaks first.")] = None,
    space: Annotated[str, typer.Option(help="In this space.")] = "",
    room: Annotated[str, typer.Option(help="In this room.")] = "",
    turn: Annotated[int, typer.Option(help="As this turn of the room.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Which reply would answer, and if none: which came nearest, and what they lacked."""
    asked = {"msg": msg, "space": space, "room_uid": room, "turn": turn}
    told = client_of(context).ask("POST", "/replies/explain", asked)
    if as_json:
        show_json(told)
        return
    if told["matched"]:
        say(f"{told['source']} answers")
        return
    say("no reply matches; " + (f"the default answers ({told['source']})" if told["source"] else "nothing answers"))
    for miss in told["nearest"] or ():
        lacks = "; ".join(f"{one['key']}: wanted {one['wanted']}, got {one['got']}" for one in miss["failed"])
        say(f"  {miss['source']}: {lacks}")


@fixtures_group.command("show")
def show_fixtures(context: typer.Context, as_json: AsJson = False) -> None:
    """What is in force, and what is wrong with the files if they are not."""
    told = client_of(context).get("/fixtures")
    if as_json:
        show_json(told)
        return
    say(f"{told['folder']}: {told['spaces']} spaces, {told['replies']} replies, {told['faults']} faults")
    for line in (told["problem"] or "").splitlines():
        say(f"  not in force: {line}")


@fixtures_group.command("reload")
def reload_fixtures(context: typer.Context) -> None:
    """Read the files again, for a server that does not watch them."""
    told = client_of(context).ask("POST", "/fixtures/reload")
    say(f"{told['spaces']} spaces, {told['replies']} replies, {told['faults']} faults")


def _tell(replies: list[dict[str, Any]]) -> None:
    table(("id", "reply"), ((one["id"], rule(one, "id")) for one in replies))
