"""What `chldo-emulator verify` does: checks, then writes the report where it is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

from app.contract.checks.outputs import junit, listing, table
from app.contract.checks.report import Report
from app.contract.checks.rig import Misuse, Plan
from app.contract.checks.run import Choice, check_recordings, check_server, chosen
from app.contract.checks.wires import wires
from app.emulation.determinism import Clock, Ids
from app.standard_streams import ESCAPES, write_document

INTERRUPTED: Final = 130
OUTPUT = "-"
"""A file name that stands for standard output."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line asks for. Either `plan.url` or `tape`, unless only a list is wanted.

    `as_json`, `as_junit`: files to write, "-" for standard output, which then has nothing else; "" for none.
    """

    plan: Plan
    tape: Path | None = None
    wire: str = "chldo"
    choice: Choice = field(default_factory=Choice)
    as_json: str = ""
    as_junit: str = ""
    only_list: bool = False


def carry_out(order: Order, output: TextIO, *, clock: Clock, ids: Ids) -> int:
    """Does it, and returns the exit code: 0 no findings, 1 findings, 3 no connection. Raises `Misuse`."""
    known = wires()
    wire = known.get(order.wire)
    if wire is None:
        raise Misuse(f"unknown wire {order.wire!r}; known: {', '.join(known)}")
    if order.only_list:
        print(listing(chosen(wire, order.choice)), file=output)
        return 0
    if bool(order.plan.url) == (order.tape is not None):
        raise Misuse("give either the URL of a server or --tape PATH")
    if order.as_json == order.as_junit == OUTPUT:
        raise Misuse("standard output can be JSON or JUnit XML, not both; give one of them a file")
    for name in (order.as_json, order.as_junit):
        _check_writable(name)
    plan, choice = order.plan, order.choice
    if order.tape is not None:
        report = check_recordings(wire, order.tape, choice, clock=clock, secrets=plan.secrets)
    else:
        try:
            report = asyncio.run(check_server(wire, plan, choice, clock=clock, ids=ids))
        except KeyboardInterrupt:
            return INTERRUPTED
    _write(order, report, output)
    return report.exit_code


def _check_writable(name: str) -> None:
    """Finds out before the server is asked anything."""
    if name in ("", OUTPUT):
        return
    try:
        Path(name).open("a", encoding="utf-8").close()
    except OSError as error:
        raise Misuse(f"cannot write {name}: {error.strerror}") from None


def _write(order: Order, report: Report, output: TextIO) -> None:
    forms: list[tuple[str, Callable[[], str]]] = [
        (order.as_json, lambda: report.model_dump_json(indent=2) + "\n"),
        (order.as_junit, lambda: junit(report)),
    ]
    for name, text in forms:
        if name == OUTPUT:
            write_document(output, text())
        elif name:
            Path(name).write_text(text(), encoding="utf-8", errors=ESCAPES)
    if OUTPUT not in (order.as_json, order.as_junit):
        print(table(report), file=output)
    output.flush()
