"""What the routers of the control plane are handed, and what they all answer with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from app.control.access import Access, guard
from app.control.refusals import PREFIX, ControlRoute, Problem, Refused, known_parameters
from app.engine import Engine, Opened, Stage, Wire

STARTING = "The server is still starting, try again."


@dataclass(slots=True)
class Plane:
    """The emulator as it runs. `profiles`: those of the settings; `data`: the data folder."""

    stage: Stage
    wires: Sequence[Wire]
    opened: Opened
    profiles: Sequence[str]
    data: Path
    access: Access
    revisions: Mapping[str, str] = field(init=False)
    """What each wire speaks by default from the start."""
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever changes the state as a whole."""

    def __post_init__(self) -> None:
        self.revisions = {wire.name: wire.revision for wire in self.wires}

    async def engine(self) -> Engine:
        """What answers. Raises `Refused` while it is still loading."""
        engine = await self.opened()
        if engine is None:
            raise Refused(503, STARTING)
        return engine

    def wire(self, name: str | None) -> Wire:
        """A wire by its name, the first without one. Raises `Refused`."""
        for wire in self.wires:
            if name in (None, wire.name):
                return wire
        known = ", ".join(wire.name for wire in self.wires)
        raise Refused(400, f"wire: expected one of {known}, found {name}")

    def note(self, action: str, room: str = "", wire: str | None = None, **detail: Any) -> None:
        """Writes to the journal what was done by hand. What is None is left out."""
        if self.stage.journal.enabled:
            told = {name: value for name, value in detail.items() if value is not None}
            self.stage.journal.write("control", wire=wire or "", room=room, detail={"action": action, **told})


class Body(BaseModel):
    """A request's body: no key that is not known, no text for a number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Removed(BaseModel):
    """How many there were."""

    removed: int = Field(examples=[1])


def router(plane: Plane, tag: str, *statuses: int) -> APIRouter:
    """A guarded router whose routes may refuse with the given statuses, and with those that every route has."""
    told = {
        400: "The request cannot be understood; the message names the place.",
        401: "A token is needed.",
        403: "A page or a host name that is not of this machine asks, and there is no token.",
        404: "There is no such thing.",
        409: "What is asked for contradicts what is there.",
        413: "The body is too large.",
        503: "The server is still starting, or its store fails.",
    }
    # By reference: a model of its own for each status of each route would take half a second of the start.
    problem = {"application/json": {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    responses: dict[int | str, dict[str, Any]] = {
        status: {"description": told[status], "content": problem} for status in sorted({400, 401, 403, *statuses})
    }
    return APIRouter(
        prefix=PREFIX,
        tags=[tag],
        route_class=ControlRoute,
        responses=responses,
        dependencies=[Depends(guard(plane.access)), Depends(known_parameters)],
    )
