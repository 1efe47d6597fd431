"""What a wire brings along to be checked. A new wire is one module that makes a `Wire`, and one line in `WIRES`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from app.contract.checks.recordings import Belief, Downloads, Recording
from app.contract.checks.rules import Rule

if TYPE_CHECKING:
    from app.contract.checks.rig import Plan, Rig

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Wire(Generic[E]):
    """One wire, as the checks see it.

    `revisions`: oldest first. `believe`: the revision that recordings seem to speak. `gather`: what the rules judge,
    from recordings read as a revision. `probe`: asks a server, and leaves its recordings and downloads in the rig; it
    raises `NoConnection` if it cannot be reached at all and `Misuse` if what it was given does not suffice.
    """

    name: str
    revisions: tuple[str, ...]
    rules: tuple[Rule[E], ...]
    believe: Callable[[Sequence[Recording]], Belief]
    gather: Callable[[Sequence[Recording], str, Downloads], E]
    probe: Callable[[Rig, Plan], Awaitable[None]]


def wires() -> dict[str, Wire[Any]]:
    """All wires that can be checked, by name."""
    from app.contract.chldo.wire import CHLDO
    from app.contract.hashee.wire import HASHEE
    from app.contract.malangee.wire import MALANGEE

    return {wire.name: wire for wire in (CHLDO, MALANGEE, HASHEE)}
