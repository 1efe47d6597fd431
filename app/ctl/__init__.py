"""`chldo-emulator ctl`: the control plane of a running server, from a shell.

client     asks the server, ends with the right exit code
words      key=value pairs, files, texts: from a command line to JSON
lines      answers as lines for people
the rest   the commands, a noun a file
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.ctl.client import Client
from app.ctl.clock import clock_group
from app.ctl.faults import faults_group, profile_group
from app.ctl.journal import add_journal_commands
from app.ctl.replies import fixtures_group, replies_group
from app.ctl.sockets import add_socket_commands
from app.ctl.spaces import add_space_commands, keys_group, spaces_group
from app.ctl.state import add_state_commands, snapshots_group

__all__ = ["ctl_group"]

ctl_group = typer.Typer(
    help="""Control a running server: its state, clock, faults, replies, journal and sockets.

    The server is the one at --url (CHLDO_URL); by default the one of these settings, on this machine. A token, where
    the server wants one, comes from --token, CHLDO_CONTROL_TOKEN or the settings file.

    Exit codes: 0 done; 1 the server refused, or what was waited for did not come; 2 wrong usage; 3 no server.

    Examples:

      chldo-emulator ctl reset --room r1

      chldo-emulator ctl faults add drop --when frame=END --count 1

      chldo-emulator ctl replies add --msg 안녕 --reply "또 왔네요!"

      chldo-emulator ctl wait --type END --room r1 --timeout 10

      chldo-emulator ctl journal --follow
    """,
    no_args_is_help=True,
)


@ctl_group.callback()
def server(
    context: typer.Context,
    url: Annotated[
        str | None, typer.Option(help="Base of the server, like http://127.0.0.1:8765.", envvar="CHLDO_URL")
    ] = None,
    token: Annotated[str | None, typer.Option(help="Token of its control plane.", envvar="CHLDO_CONTROL_TOKEN")] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file with settings.", envvar="CHLDO_CONFIG")] = None,
) -> None:
    context.obj = Client(url, token, config)


add_state_commands(ctl_group)
ctl_group.add_typer(snapshots_group, name="snapshots")
ctl_group.add_typer(spaces_group, name="spaces")
add_space_commands(ctl_group)
ctl_group.add_typer(keys_group, name="keys")
ctl_group.add_typer(clock_group, name="clock")
ctl_group.add_typer(faults_group, name="faults")
ctl_group.add_typer(profile_group, name="profile")
ctl_group.add_typer(replies_group, name="replies")
ctl_group.add_typer(fixtures_group, name="fixtures")
add_journal_commands(ctl_group)
add_socket_commands(ctl_group)
