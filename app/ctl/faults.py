"""faults, profile."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from app.ctl.client import MISUSE, client_of, fail, part
from app.ctl.lines import rule, say, show_json, table
from app.ctl.words import AsJson, File, When, conditions, content, pairs

faults_group = typer.Typer(help="Faults: what breaks, when, how often.", no_args_is_help=True)
profile_group = typer.Typer(help="Named sets of faults in the fixtures.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="Like f3.")]


@faults_group.command("list")
def list_faults(context: typer.Context, as_json: AsJson = False) -> None:
    """The rules in force, with their strikes."""
    told = client_of(context).get("/faults")
    if as_json:
        show_json(told)
    else:
        _tell(told["faults"])


@faults_group.command("add")
def add_faults(
    context: typer.Context,
    kind: Annotated[str | None, typer.Argument(help="What breaks; `ctl faults kinds` lists them.")] = None,
    parameters: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="What the kind takes, like seconds=2.")
    ] = None,
    when: When = None,
    count: Annotated[int | None, typer.Option(help="Strikes in a room, at most.")] = None,
    skip: Annotated[int | None, typer.Option(help="Occasions in a room that pass before the first strike.")] = None,
    probability: Annotated[float | None, typer.Option(help="0 to 1, by seeded dice.")] = None,
    file: File = None,
) -> None:
    """Add a rule, or those of a file: all of them, or none.

    `ctl faults add drop --when frame=END --count 1`

    `ctl faults add delay seconds=2 --when room=r1 --when frame=stream`

    `ctl faults add llm-error status=429 'body={"error": "slow down"}'`

    `ctl faults add --file bad-day.yaml`
    """
    if (kind is None) == (file is None):
        fail("expected a KIND or --file, one of them", MISUSE)
    body: Any
    if file is not None:
        body = content(file)
    else:
        chances = {"count": count, "skip": skip, "probability": probability}
        body = {"fault": kind, **{key: value for key, value in chances.items() if value is not None}}
        body |= pairs(parameters, "KEY=VALUE")
        if when:
            body["when"] = conditions(when)
    _tell(client_of(context).ask("POST", "/faults", body)["faults"])


@faults_group.command("remove")
def remove_fault(context: typer.Context, uid: Id) -> None:
    """Remove one rule."""
    client_of(context).ask("DELETE", f"/faults/{part(uid)}")
    say(f"removed {uid}")


@faults_group.command("clear")
def clear_faults(
    context: typer.Context,
    source: Annotated[
        str | None, typer.Option(help="Only those of control, fixtures, profile or profile:NAME.")
    ] = None,
) -> None:
    """Remove all rules but those of the fixtures."""
    told = client_of(context).ask("DELETE", "/faults", params={} if source is None else {"source": source})
    say(f"removed {told['removed']}")


@faults_group.command("kinds")
def kinds(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="KIND", help="Tell what this one takes.")] = None,
    as_json: AsJson = False,
) -> None:
    """Every kind of fault, or what one takes."""
    told = client_of(context).get("/faults/kinds")
    if as_json:
        show_json(told)
        return
    found = [kind for kind in told["kinds"] if name in (None, kind["name"])]
    if not found:
        fail(f"no fault is called {name}; `ctl faults kinds` lists them", MISUSE)
    if name is None:
        table(("kind", "place", "what it does"), ((kind["name"], kind["place"], kind["about"]) for kind in found))
        return
    (kind,) = found
    say(f"{kind['name']} ({kind['place']}): {kind['about']}")
    for key, takes in kind["takes"].items():
        rest = "required" if takes["required"] else f"default {takes['default']}"
        say(f"  {key}=…  {takes['about']}; {rest}")
    if kind["one_of"]:
        say(f"  at most one of {', '.join(kind['one_of'])}")
    say(f"  --when {', '.join(told['when'])}")


@profile_group.command("list")
def list_profiles(context: typer.Context, as_json: AsJson = False) -> None:
    """The profiles of the fixtures."""
    told = client_of(context).get("/profiles")
    if as_json:
        show_json(told)
        return
    table(("profile", "rules", "in force"), ((one["name"], one["rules"], one["in_force"]) for one in told["profiles"]))


@profile_group.command("use")
def use_profile(context: typer.Context, name: Annotated[str, typer.Argument(help="Its name.")]) -> None:
    """Put a profile in force."""
    _tell(client_of(context).ask("POST", f"/profiles/{part(name)}")["faults"])


@profile_group.command("drop")
def drop_profile(context: typer.Context, name: Annotated[str, typer.Argument(help="Its name.")]) -> None:
    """Take a profile out of force."""
    told = client_of(context).ask("DELETE", f"/profiles/{part(name)}")
    say(f"removed {told['removed']}")


def _tell(faults: list[dict[str, Any]]) -> None:
    table(
        ("id", "strikes", "source", "rule"),
        ((one["id"], one["strikes"], one["source"], rule(one, "id", "strikes", "source")) for one in faults),
    )
