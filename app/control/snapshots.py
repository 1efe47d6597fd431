"""Snapshots of the store: `/_emulator/snapshots`."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from app.control.plane import Body, Plane, Removed, router
from app.control.refusals import Refused
from app.emulation.determinism import RealClock

if TYPE_CHECKING:
    from app.engine import Engine
    from app.spaces.archive import Archive


class Snapshot(BaseModel):
    """What the store held at some moment. `at`: epoch seconds of the machine."""

    id: str = Field(examples=["s1"])
    name: str = Field(examples=["before"])
    at: float
    spaces: int
    rooms: int
    turns: int
    threads: int = Field(description="Rooms that a graph remembers by itself.")
    bytes: int = Field(description="Its size on disk.")


class Snapshots(BaseModel):
    """All of them, oldest first."""

    snapshots: list[Snapshot]


class Named(Body):
    name: str = Field("", max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["before"])


Which = Annotated[str, Path(alias="id", description="Its id, or its name: the newest of that name.", examples=["s1"])]


def snapshot_routes(plane: Plane) -> APIRouter:
    """The routes."""
    routes = router(plane, "snapshots", 404, 409, 413, 503)
    machine = RealClock()

    def archive(engine: Engine) -> Archive:
        from app.spaces.archive import Archive

        return Archive(plane.data / "snapshots", engine.contents.holdings)

    @routes.get("/snapshots", summary="Every snapshot")
    async def all_of_them() -> Snapshots:
        found = await asyncio.to_thread(archive(await plane.engine()).all)
        return Snapshots(snapshots=[Snapshot(**asdict(one)) for one in found])

    @routes.post("/snapshots", summary="Keep what the store holds now", status_code=201)
    async def take(body: Named | None = None) -> Snapshot:
        """Spaces, keys, balances, rooms, turns, fired hotwords, what the other wires keep (but for the bytes of files),
        and the threads of graphs that keep their own memory: as they are at one moment, in a file in the data folder.
        Turns may run meanwhile.
        """
        from app.spaces.archive import ArchiveFull, Taken

        engine = await plane.engine()
        name = "" if body is None else body.name
        async with plane.changing:
            taken = Taken(await engine.contents.take(), await engine.threads.take(), dict(engine.book.decided))
            try:
                made = await asyncio.to_thread(archive(engine).write, name, machine.time(), taken)
            except ArchiveFull as full:
                raise Refused(409, f"snapshots: {full}") from None
        plane.note("snapshot", id=made.id)
        return Snapshot(**asdict(made))

    @routes.post("/snapshots/{id}/restore", summary="Put the store back to a snapshot")
    async def restore(which: Which) -> Snapshot:
        """All or nothing. Sockets stay open, but for those that came in with a login or a token that the snapshot does
        not have; a turn under way goes on for its client, but it is not kept. Faults, replies, the clock and the
        journal stay as they are.
        """
        from app.agent.threads import BadThread
        from app.spaces.archive import NoSnapshot
        from app.spaces.contents import NotRestorable

        engine = await plane.engine()
        async with plane.changing:
            try:
                found = await asyncio.to_thread(archive(engine).find, which)
                taken = await asyncio.to_thread(archive(engine).read, found)
                threads = await asyncio.to_thread(engine.threads.read, taken.threads)
                await engine.contents.put(taken.rows)
            except NoSnapshot as none:
                raise Refused(404, f"id: {none}") from None
            except (BadThread, NotRestorable) as bad:
                raise Refused(409, f"id: snapshot {found.id} cannot be restored: {bad}") from None
            await engine.threads.put(threads)
            engine.book.forget_decisions()
            for space, strict in taken.strict.items():
                engine.book.decide(space, strict)
        plane.note("restore", id=found.id)
        return Snapshot(**asdict(found))

    @routes.delete("/snapshots/{id}", summary="Forget a snapshot")
    async def delete(which: Which) -> Removed:
        from app.spaces.archive import NoSnapshot

        engine = await plane.engine()
        async with plane.changing:
            try:
                found = await asyncio.to_thread(archive(engine).find, which)
            except NoSnapshot as none:
                raise Refused(404, f"id: {none}") from None
            await asyncio.to_thread(archive(engine).delete, found)
        return Removed(removed=1)

    return routes
