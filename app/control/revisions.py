"""The revision that a wire speaks by default: `/_emulator/revision`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.control.plane import Body, Plane, router
from app.control.refusals import Refused
from app.engine import Wire


class Spoken(BaseModel):
    """The revision that a connection speaks which does not ask for one."""

    wire: str = Field(examples=["chldo"])
    revision: str = Field(examples=["2024-11-13"])
    revisions: list[str] = Field(description="All that the wire can speak, oldest first.")
    wires: list[str] = Field(description="Every wire of this server.")


class Choice(Body):
    revision: str = Field(examples=["2024-10-07"])
    wire: str | None = Field(None, description="The first wire of the server without it.", examples=["chldo"])


def revision_routes(plane: Plane) -> APIRouter:
    """The routes."""
    routes = router(plane, "revision", 413)

    def told(wire: Wire) -> Spoken:
        names = [wire.name for wire in plane.wires]
        return Spoken(wire=wire.name, revision=wire.revision, revisions=list(wire.revisions), wires=names)

    @routes.get("/revision", summary="Which revision is spoken by default")
    async def read(
        wire: Annotated[str | None, Query(description="The first wire of the server without it.")] = None,
    ) -> Spoken:
        return told(plane.wire(wire))

    @routes.put("/revision", summary="Set which revision is spoken by default")
    async def put(body: Choice) -> Spoken:
        """For connections that are opened from now on; those that are open keep theirs."""
        wire = plane.wire(body.wire)
        if body.revision not in wire.revisions:
            raise Refused(400, f"revision: expected one of {', '.join(wire.revisions)}, found {body.revision}")
        wire.revision = body.revision
        plane.note("revision", wire=wire.name, revision=body.revision)
        return told(wire)

    return routes
