"""clock."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from app.ctl.client import client_of
from app.ctl.lines import say

CENTURY = 3_155_760_000.0
"""Seconds: as far as the server goes at a time."""

clock_group = typer.Typer(help="The emulated clock.", no_args_is_help=True)


@clock_group.command("show")
def show_clock(context: typer.Context) -> None:
    """What time it is."""
    _tell(client_of(context).get("/clock"))


@clock_group.command()
def freeze(context: typer.Context) -> None:
    """Stop time, and every pause with it."""
    _tell(client_of(context).ask("POST", "/clock/freeze"))


@clock_group.command()
def run(context: typer.Context) -> None:
    """Let a frozen clock go on from where it stands."""
    _tell(client_of(context).ask("POST", "/clock/run"))


@clock_group.command()
def advance(
    context: typer.Context,
    seconds: Annotated[float, typer.Argument(help="How far, in seconds.", min=0, max=CENTURY)],
) -> None:
    """Move time forward: idle limits, expiring URLs and pauses come to their end."""
    _tell(client_of(context).ask("POST", "/clock/advance", {"seconds": seconds}))


@clock_group.command("set")
def set_clock(
    context: typer.Context,
    instant: Annotated[str, typer.Argument(help="Like 2024-12-24T18:00:00Z; UTC where it names no zone.")],
) -> None:
    """Set the wall clock; pauses under way are not touched."""
    _tell(client_of(context).ask("POST", "/clock/set", {"instant": instant}))


def _tell(told: dict[str, Any]) -> None:
    state = ", ".join(name for name in ("frozen", "virtual") if told[name])
    say(told["instant"] + (f" ({state})" if state else ""))
