"""Back to the beginning: `/_emulator/reset`, of everything, of a space, of a room."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.control.plane import Body, Plane, router
from app.control.refusals import Refused
from app.emulation.faults.kinds import Place
from app.emulation.faults.live import TooManyFaults
from app.engine import Engine


class Scope(Body):
    """What to reset; nothing given: everything."""

    space: str | None = Field(None, description="Only this space, or with `room` the room in it.", examples=["demo"])
    room: str | None = Field(None, description="Only this room; without `space`, in every space.", examples=["r1"])
    wire: str | None = Field(None, description="Only what this wire counts: turns, strands, strikes, its revision.")


class Done(BaseModel):
    """What is gone."""

    rooms: int = Field(examples=[3])
    turns: int = Field(examples=[12])


def reset_routes(plane: Plane) -> APIRouter:
    """The routes."""
    routes = router(plane, "reset", 404, 413, 503)

    @routes.post("/reset", summary="Start anew: everything, a space or a room")
    async def reset(scope: Scope | None = None) -> Done:
        """Without a body, everything is as after a start with an empty store: spaces, keys and balances as the fixtures
        say, no rooms, no voices and images, no faults and replies but those of the files (and the profiles of the
        settings), counts and strands at their beginning, the clock too, the journal empty, the revision the default.

        A space: it is as the fixtures say, its rooms are gone. A room: its turns, images, voices, strands and counts
        are gone; nobody in another room notices.

        Sockets stay open. A turn under way goes on for its client, but it is not kept and moves no credit any more.
        """
        asked = scope or Scope(space=None, room=None, wire=None)
        engine = await plane.engine()
        async with plane.changing:
            with plane.stage.faults.sparing(Place.STORE):
                return await _reset(plane, engine, asked)

    return routes


async def _reset(plane: Plane, engine: Engine, asked: Scope) -> Done:
    if asked.room is not None:
        return await _room(plane, engine, asked.room, asked)
    if asked.space is not None:
        return await _space(plane, engine, asked.space, asked)
    if asked.wire is not None:
        return _wire(plane, asked.wire)
    return await _everything(plane, engine)


async def _room(plane: Plane, engine: Engine, room: str, asked: Scope) -> Done:
    """A room. Its strands and counts are those of the wire asked for, or of all."""
    wire = plane.wire(asked.wire).name if asked.wire is not None else None
    emptied = await engine.contents.reset_room(room, asked.space)
    await engine.threads.forget(asked.space, room)
    await engine.uploads.forget(asked.space, room)
    await engine.library.forget([room])
    for renew in engine.renewals:
        await renew(room)
    plane.stage.world.forget(wire, room)
    plane.stage.faults.forget(wire, room)
    plane.note("reset", room, space=asked.space, wire=wire)
    return Done(rooms=len(emptied.rooms), turns=emptied.turns)


async def _space(plane: Plane, engine: Engine, space: str, asked: Scope) -> Done:
    from app.spaces.registry import NoSuch

    wire = plane.wire(asked.wire).name if asked.wire is not None else None
    async with engine.fixtures.changing:
        try:
            emptied = await engine.contents.reset_space(space, engine.fixtures.current.spaces)
        except NoSuch as none:
            raise Refused(404, str(none)) from None
    await engine.threads.forget(space)
    await engine.uploads.forget(space)
    await engine.library.forget(emptied.rooms)
    engine.book.decide(space, None)
    for room in emptied.rooms:
        plane.stage.world.forget(wire, room)
        plane.stage.faults.forget(wire, room)
    plane.note("reset", space=space, wire=wire)
    return Done(rooms=len(emptied.rooms), turns=emptied.turns)


def _wire(plane: Plane, name: str) -> Done:
    """What a wire counts, and its revision; the store is everybody's."""
    wire = plane.wire(name)
    plane.stage.world.forget(wire.name)
    plane.stage.faults.forget(wire.name)
    wire.revision = plane.revisions[wire.name]
    plane.note("reset", wire=wire.name)
    return Done(rooms=0, turns=0)


async def _everything(plane: Plane, engine: Engine) -> Done:
    stage = plane.stage
    async with engine.fixtures.changing:
        emptied = await engine.contents.reset(engine.fixtures.current.spaces)
        engine.fixtures.take_faults(engine.fixtures.current)
        stage.world.forget()
        stage.world.restart()  # what the wires make anew is made at the beginning
        for renew in engine.renewals:
            await renew(None)
    await engine.threads.forget()
    await engine.uploads.forget()
    await engine.library.forget()
    engine.book.clear()
    engine.book.forget_decisions()
    stage.faults.keep("fixtures")
    for profile in plane.profiles:
        if profile in stage.faults.profiles:
            try:
                stage.faults.use(profile)
            except TooManyFaults as many:
                raise Refused(409, f"profile: {many}") from None
    stage.faults.forget()
    for wire in plane.wires:
        wire.revision = plane.revisions[wire.name]
    stage.journal.clear()
    return Done(rooms=len(emptied.rooms), turns=emptied.turns)
