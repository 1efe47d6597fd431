"""The emulated clock: `/_emulator/clock`."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.control.plane import Body, Plane, router
from app.control.refusals import Refused

LATEST = datetime(9990, 1, 1, tzinfo=UTC).timestamp()
"""The end of time, in epoch seconds: what lasts a while from now on must still be a date."""

CENTURY = 3_155_760_000.0


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
        time = clock.time()
        shown = datetime.fromtimestamp(time, UTC).isoformat()
        return Clock(time=time, instant=shown, frozen=clock.frozen, virtual=clock.virtual, seed=plane.stage.world.seed)

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
        if clock.time() + body.seconds > LATEST:
            raise Refused(400, f"seconds: time ends at {_shown(LATEST)}")
        plane.note("clock advance", seconds=body.seconds)
        await clock.advance(body.seconds)
        return now()

    @routes.post("/clock/set", summary="Set the wall clock")
    async def put(body: Instant) -> Clock:
        """Either way; pauses under way are not touched."""
        instant = _instant(body.instant)
        clock.set(instant)
        plane.note("clock set", instant=_shown(instant))
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
    if not 0 <= given <= LATEST:
        raise Refused(400, f"instant: expected a moment from {_shown(0)} to {_shown(LATEST)}, found another")
    return given


def _shown(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).isoformat()
