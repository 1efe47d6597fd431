"""The fixture files as they are in force: `/_emulator/fixtures`."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.control.plane import Plane, router
from app.control.refusals import Refused
from app.emulation.watching import LiveFixtures, fixture_files


class InForce(BaseModel):
    """What is in force of the files. `problem`: why what the files say now is not, a line a problem."""

    folder: str
    files: list[str] = Field(examples=[["spaces.yaml", "replies/demo.yaml"]])
    spaces: int
    replies: int
    faults: int
    profiles: list[str]
    problem: str | None


def fixture_routes(plane: Plane) -> APIRouter:
    """The routes."""
    routes = router(plane, "fixtures", 409, 503)

    @routes.get("/fixtures", summary="What is in force of the fixture files")
    async def read() -> InForce:
        return await _told((await plane.engine()).fixtures)

    @routes.post("/fixtures/reload", summary="Read the files again")
    async def reload() -> InForce:
        """For a server that does not watch them. Files that cannot be used are refused, and the old ones stay."""
        live = (await plane.engine()).fixtures
        async with plane.changing:
            taken = await live.reload()
        if not taken:
            raise Refused(409, *live.problem.splitlines())
        plane.note("fixtures reload")
        return await _told(live)

    return routes


async def _told(live: LiveFixtures) -> InForce:
    files = await asyncio.to_thread(_files, live)
    now = live.current
    return InForce(
        folder=str(live.folder),
        files=files,
        spaces=len(now.spaces),
        replies=len(now.replies.entries),
        faults=len(now.faults),
        profiles=list(now.profiles),
        problem=live.problem or None,
    )


def _files(live: LiveFixtures) -> list[str]:
    """Those that are there, by names that JSON can hold."""
    there = [name for name in fixture_files(live.folder, tuple(live.wires)) if (live.folder / name).exists()]
    return [name.encode("utf-8", "backslashreplace").decode() for name in there]
