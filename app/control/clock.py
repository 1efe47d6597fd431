"""The emulated clock: `/_emulator/clock`."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.control.plane import Body, Plane, router
from app.control.refusals import Refused
from app.emulation.clock import CENTURY, shown_instant


class Clock(BaseModel):
    """The emulated clock. `frozen`: pauses wait until it is advanced or runs again. `virtual`: it moves by hand and by
    the pauses that are taken, never by itself.
    """

    time: float = Field(description="Epoch seconds.", examples=[1731456000.0])
    instant: str = Field(description="The same in ISO 8601.", examples=["2024-11-13T00:00:00+00:00"])
    frozen: bool
    virtual: bool
    seed: int | None


class Advance(Body):
    seconds: float = Field(ge=0, le=CENTURY, description="How far, in seconds.", examples=[3600])


class Instant(Body):
    instant: float | str = Field(
        description="ISO 8601, UTC where it names no zone; or epoch seconds.", examples=["2024-12-24T18:00:00Z"]
    )


def clock_routes(plane: Plane) -> APIRouter:
    """The routes."""
    routes = router(plane, "clock")
    clock = plane.stage.world.clock

    def now() -> Clock:
        time, world = clock.time(), plane.stage.world
        return Clock(
            time=time, instant=shown_instant(time), frozen=clock.frozen, virtual=clock.virtual, seed=world.seed
        )

    @routes.get("/clock", summary="What time it is")
    async def read() -> Clock:
        return now()

    @routes.post("/clock/freeze", summary="Stop time")
    async def freeze() -> Clock:
        """Every pause under way stops with it, until the clock is advanced or runs again."""
        clock.freeze()
        plane.note("clock freeze")
        return now()

    @routes.post("/clock/run", summary="Let a frozen clock go on from where it stands")
    async def run() -> Clock:
        clock.run()
        plane.note("clock run")
        return now()

    @routes.post("/clock/advance", summary="Move time forward")
    async def advance(body: Advance) -> Clock:
        """All that falls due on the way happens, in its order: pauses, idle limits, expiring URLs. Answered when it
        has happened.
        """
        try:
            done = clock.advance(body.seconds)
        except ValueError as error:
            raise Refused(400, f"seconds: {error}") from None
        plane.note("clock advance", seconds=body.seconds)
        await done
        return now()

    @routes.post("/clock/set", summary="Set the wall clock")
    async def put(body: Instant) -> Clock:
        """Either way; pauses under way are not touched."""
        instant = _instant(body.instant)
        try:
            clock.set(instant)
        except ValueError as error:
            raise Refused(400, f"instant: {error}, found {body.instant}") from None
        plane.note("clock set", instant=shown_instant(instant))
        return now()

    return routes


def _instant(given: float | str) -> float:
    """Epoch seconds. Raises `Refused`."""
    try:
        if isinstance(given, str):
            moment = datetime.fromisoformat(given)
            given = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise Refused(400, f"instant: expected a moment like 2024-12-24T18:00:00Z, found {given}") from None
    return given
