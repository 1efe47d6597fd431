"""spaces, credit, keys."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from app.ctl.client import MISUSE, client_of, fail, part
from app.ctl.lines import say, show_json, table
from app.ctl.words import AsJson, File, content, pairs

spaces_group = typer.Typer(help="Spaces: who may talk, and at what price.", no_args_is_help=True)
keys_group = typer.Typer(help="The keys of a space.", no_args_is_help=True)

Uid = Annotated[str, typer.Argument(metavar="SPACE", help="Its uid.")]
KeyText = Annotated[str, typer.Argument(help="The key.")]
Fields = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Keys of spaces.yaml; a value is JSON if it reads as such, else text."),
]


def add_space_commands(group: typer.Typer) -> None:
    """Adds the commands."""
    group.command()(credit)


@spaces_group.command("list")
def list_spaces(context: typer.Context, as_json: AsJson = False) -> None:
    """Every space, with its balance."""
    told = client_of(context).get("/spaces")
    if as_json:
        show_json(told)
        return
    table(
        ("uid", "name", "credit", "per turn", "model", "keys", "default"),
        (
            (
                *(one["uid"], one["name"], one["credit"], one["credit_per_turn"], one["model"]),
                *(len(one["api_keys"]), "*" if one["default"] else ""),
            )
            for one in told["spaces"]
        ),
    )


@spaces_group.command("show")
def show_space(context: typer.Context, uid: Uid) -> None:
    """One space as it would be written in spaces.yaml, as JSON."""
    show_json(client_of(context).get(f"/spaces/{part(uid)}"))


@spaces_group.command("add")
def add_space(context: typer.Context, fields: Fields = None, file: File = None) -> None:
    """Add a space: `ctl spaces add uid=second 'api_keys=["k2"]' credit=500`, or from a file.

    It lasts until a reset of everything.
    """
    made = client_of(context).ask("POST", "/spaces", _body(fields, file))
    say(f"added {made['uid']}")


@spaces_group.command("change")
def change_space(context: typer.Context, uid: Uid, fields: Fields = None, file: File = None) -> None:
    """Change what is named and leave the rest: `ctl spaces change demo language=en strict=true`."""
    client_of(context).ask("PATCH", f"/spaces/{part(uid)}", _body(fields, file))
    say(f"changed {uid}")


@spaces_group.command("remove")
def remove_space(context: typer.Context, uid: Uid) -> None:
    """Delete a space and its keys."""
    client_of(context).ask("DELETE", f"/spaces/{part(uid)}")
    say(f"removed {uid}")


def credit(
    context: typer.Context,
    uid: Uid,
    won: Annotated[
        int | None, typer.Argument(metavar="WON", help="The balance to set; without it, it is told.")
    ] = None,
) -> None:
    """Tell or set a balance."""
    path = f"/spaces/{part(uid)}"
    client = client_of(context)
    told = client.get(path) if won is None else client.ask("PUT", f"{path}/credit", {"credit": won})
    say(str(told["credit"]))


@keys_group.command("list")
def list_keys(context: typer.Context, uid: Uid, as_json: AsJson = False) -> None:
    """The keys of a space, in full."""
    told = client_of(context).get(f"/spaces/{part(uid)}")["api_keys"]
    if as_json:
        show_json(told)
    else:
        table(("key", "usable"), ((one["key"], one["usable"]) for one in told))


@keys_group.command("add")
def add_key(
    context: typer.Context,
    uid: Uid,
    key: Annotated[str | None, typer.Argument(help="The key; one is made if none is given.")] = None,
    unusable: Annotated[bool, typer.Option("--unusable", help="Known, and refused.")] = False,
) -> None:
    """Give a space one more key, and print it."""
    body: dict[str, Any] = {"usable": not unusable} if key is None else {"key": key, "usable": not unusable}
    say(client_of(context).ask("POST", f"/spaces/{part(uid)}/keys", body)["key"])


@keys_group.command("revoke")
def revoke_key(context: typer.Context, uid: Uid, key: KeyText) -> None:
    """Refuse a key from now on; it stays known."""
    client_of(context).ask("PATCH", f"/spaces/{part(uid)}/keys/{part(key)}", {"usable": False})
    say("revoked")


@keys_group.command("allow")
def allow_key(context: typer.Context, uid: Uid, key: KeyText) -> None:
    """Make a revoked key usable again."""
    client_of(context).ask("PATCH", f"/spaces/{part(uid)}/keys/{part(key)}", {"usable": True})
    say("allowed")


@keys_group.command("remove")
def remove_key(context: typer.Context, uid: Uid, key: KeyText) -> None:
    """Take a key away; it is unknown from now on."""
    client_of(context).ask("DELETE", f"/spaces/{part(uid)}/keys/{part(key)}")
    say("removed")


def _body(fields: list[str] | None, file: str | None) -> Any:
    if (file is None) == (not fields):
        fail("expected KEY=VALUE pairs or --file, one of them", MISUSE)
    return pairs(fields, "KEY=VALUE") if file is None else content(file)
