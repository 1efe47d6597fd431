"""The one place that reads the time and draws randomness.

Everything else is handed a `Clock` and an `Ids`. Contract 6 of the house: ruff's banned-api and import-linter keep it
so.

    World ── WorldClock (flows with the machine's, or is virtual; can be frozen, advanced and set)
          └─ Ids (the machine's randomness, or seeded)
    World.connection(wire, room) ── Strand (clock, ids) ── Strand.branch("turn", 1) ── …

A strand is one line of events. With a seed each has a stream of ids of its own, named by what it belongs to, and the
room's own time line: so what one client sees does not depend on who else is there.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Protocol

from shortuuid.main import int_to_string

BASE62 = list("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_URL64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

VIRTUAL_START = 1_731_456_000.0
"""Where a virtual clock starts by default: 2024-11-13 00:00 UTC, in epoch seconds."""

_EPOCH = time.time() - time.monotonic()
"""The machine's wall clock where its monotonic one was 0, as it was when the program started."""

RESOLUTION = 1e-6
"""Seconds below which two moments are one: an epoch time as a float has no more digits."""

MOST_ROOMS = 65_536
"""Rooms whose time line and order are remembered; the one that was quiet for longest is forgotten first."""


machine_monotonic = time.monotonic
"""The machine's monotonic seconds, for measuring what the emulator itself takes."""


class Clock(Protocol):
    """What the program knows of time. Seconds as floats throughout."""

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards; only differences mean something."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Pauses the calling task."""
        ...


class RealClock:
    """The machine's own clock."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class VirtualClock:
    """A clock that stands still but for the pauses the program takes."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._start = start
        self.elapsed = 0.0

    def time(self) -> float:
        return self._start + self.elapsed

    def monotonic(self) -> float:
        return self.elapsed

    async def sleep(self, seconds: float) -> None:
        self.elapsed += max(0.0, seconds)
        await asyncio.sleep(0)


@dataclass(slots=True, eq=False)
class _Sleeper:
    """A task that waits for a moment of the world clock."""

    until: float
    done: asyncio.Future[None]
    held: bool = False
    """Waits only while the clock is frozen."""
    alarm: asyncio.TimerHandle | None = None


class WorldClock:
    """The clock of what is emulated. It flows with the machine's, or is virtual and moves by hand only.

    A frozen one stands still, and every pause on it with it, until it is advanced or runs again. All methods are for
    the event loop's own thread.
    """

    def __init__(self, *, virtual: bool = False, start: float | None = None) -> None:
        self.virtual = virtual
        self.frozen = False
        self._start = VIRTUAL_START if virtual and start is None else start
        self._advanced = 0.0
        """Seconds put on top of the machine's monotonic time, or all there is of a virtual one."""
        self._still: float | None = 0.0 if virtual else None
        """Where the machine's monotonic time stood when this clock stopped following it; None while it follows."""
        self._sleepers: set[_Sleeper] = set()
        self._set_to = self._set_at = 0.0
        """What the wall clock showed at a moment of the monotonic time."""
        self._begin()

    @property
    def flows(self) -> bool:
        """Whether time passes by itself."""
        return not (self.virtual or self.frozen)

    def time(self) -> float:
        return self._set_to + (self.monotonic() - self._set_at)

    def monotonic(self) -> float:
        if self._still is None:
            return time.monotonic() + self._advanced
        return self._still + self._advanced

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        await self._wait(_Sleeper(self.monotonic() + seconds, asyncio.get_running_loop().create_future()))

    async def hold(self, seconds: float) -> float:
        """Pauses the calling task while the clock is frozen, so many seconds at most. What is left of them."""
        if seconds <= 0 or not self.frozen:
            return max(0.0, seconds)
        until = self.monotonic() + seconds
        await self._wait(_Sleeper(until, asyncio.get_running_loop().create_future(), held=True))
        return max(0.0, until - self.monotonic())

    def freeze(self) -> None:
        """Stops time."""
        if self.frozen:
            return
        if not self.virtual:
            self._still = time.monotonic()
        self.frozen = True
        for sleeper in self._sleepers:
            self._disarm(sleeper)

    def run(self) -> None:
        """Lets a frozen clock go on from where it stands."""
        if not self.frozen:
            return
        if not self.virtual and self._still is not None:
            self._advanced -= time.monotonic() - self._still
            self._still = None
        self.frozen = False
        for sleeper in self._sleepers:
            if sleeper.held:
                _wake(sleeper.done)
            else:
                self._arm(sleeper)

    def advance(self, seconds: float) -> None:
        """Moves both times forward, and wakes whoever has slept long enough. Raises ValueError for going back."""
        if seconds < 0:
            raise ValueError("a clock can be advanced by 0 seconds or more, not turned back (set it instead)")
        self._advanced += seconds
        now = self.monotonic()
        for sleeper in self._sleepers:
            if sleeper.until <= now + RESOLUTION:
                if not sleeper.done.done():
                    sleeper.done.set_result(None)
            else:
                self._disarm(sleeper)
                self._arm(sleeper)

    def set(self, instant: float) -> None:
        """Sets the wall clock, in epoch seconds, either way; pauses under way are not touched."""
        self._set_to, self._set_at = instant, self.monotonic()

    def restart(self) -> None:
        """Runs again from where it started: a virtual clock from its beginning, any other as if nobody had touched it.
        Monotonic time goes on, pauses under way are not touched.
        """
        self.run()
        self._begin()

    def _begin(self) -> None:
        if self._start is not None:
            self.set(self._start)
        else:
            self._set_to, self._set_at = _EPOCH, self._advanced

    async def _wait(self, sleeper: _Sleeper) -> None:
        self._sleepers.add(sleeper)
        try:
            self._arm(sleeper)
            await sleeper.done
        finally:
            self._disarm(sleeper)
            self._sleepers.discard(sleeper)

    def _arm(self, sleeper: _Sleeper) -> None:
        if self.flows:
            left = max(0.0, sleeper.until - self.monotonic())
            sleeper.alarm = sleeper.done.get_loop().call_later(left, _wake, sleeper.done)

    @staticmethod
    def _disarm(sleeper: _Sleeper) -> None:
        if sleeper.alarm is not None:
            sleeper.alarm.cancel()
            sleeper.alarm = None


def _wake(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


class TimeLine:
    """A room's own time on a virtual clock: it runs ahead by the pauses taken in that room, at once."""

    def __init__(self, world: WorldClock) -> None:
        self._world = world
        self.ahead = 0.0

    def time(self) -> float:
        return self._world.time() + self.ahead

    def monotonic(self) -> float:
        return self._world.monotonic() + self.ahead

    async def sleep(self, seconds: float) -> None:
        self.ahead += await self._world.hold(seconds)
        await asyncio.sleep(0)

    def aside(self) -> TimeLine:
        """Another line, from now on its own."""
        other = TimeLine(self._world)
        other.ahead = self.ahead
        return other


def aside(clock: Clock) -> Clock:
    """A time line of its own, from where `clock` stands: pauses on it move no other. A clock that is not virtual is
    everybody's.
    """
    if isinstance(clock, TimeLine):
        return clock.aside()
    if isinstance(clock, WorldClock) and clock.virtual:
        return TimeLine(clock)
    return clock


class Ids:
    """Every identifier the program makes, from one source of randomness.

    Shapes are those of the chldo captures (spec section 4); base62 text is made by shortuuid.
    """

    def __init__(self, source: random.Random | None = None, *, name: str | None = None) -> None:
        self._source = source or random.SystemRandom()
        self._name = name

    @classmethod
    def seeded(cls, seed: int) -> Ids:
        """Ids that come out the same for the same seed."""
        return cls._named(str(seed))

    @classmethod
    def _named(cls, name: str) -> Ids:
        return cls(random.Random(name), name=name)

    def branch(self, *key: str | int) -> Ids:
        """A stream of its own for `key`, the same for the same seed and key; this one where nothing is seeded."""
        if self._name is None:
            return self
        return self._named("/".join((self._name, *(str(part).replace("/", "//") for part in key))))

    def base62(self, length: int) -> str:
        """`length` characters of 0-9A-Za-z."""
        number = self._source.getrandbits(8 * length)
        return int_to_string(number, BASE62, padding=length)[-length:]

    def hexadecimal(self, length: int) -> str:
        """`length` lower-case hexadecimal digits."""
        return f"{self._source.getrandbits(4 * length):0{length}x}"

    def uuid4(self) -> str:
        """A version 4 UUID as text."""
        return str(uuid.UUID(int=self._source.getrandbits(128), version=4))

    def connection_id(self) -> str:
        """16 characters as API Gateway makes them: `^[A-Za-z0-9_-]{8}[oI]E0[AC][A-Za-z0-9]{2}[AQgw]=$`."""
        pick = self._source.choice
        head = "".join(pick(_URL64) for _ in range(8))
        tail = "".join(pick(BASE62) for _ in range(2))
        return f"{head}{pick('oI')}E0{pick('AC')}{tail}{pick('AQgw')}="

    def seed_bytes(self, length: int) -> bytes:
        """Raw random bytes."""
        return self._source.getrandbits(8 * length).to_bytes(length, "big")

    def fraction(self) -> float:
        """A throw of the dice: at least 0 and less than 1."""
        return self._source.random()


@dataclass(frozen=True, slots=True)
class Strand:
    """One line of events, with its time and its ids. `number`: which of its kind it is in its room, from 1; 0 where
    time itself tells them apart.
    """

    clock: Clock
    ids: Ids
    number: int = 0

    def branch(self, *key: str | int, number: int = 0) -> Strand:
        """A strand on the same time line with ids of its own."""
        return Strand(self.clock, self.ids.branch(*key), number)

    def aside(self) -> Clock:
        """A clock for what goes on beside: its pauses do not move a time line of the strand's own, so that the order in
        which the machine gets round to them cannot be seen in it.
        """
        return aside(self.clock)


@dataclass(slots=True)
class _Room:
    clock: Clock
    connections: int = 0
    turns: int = 0


@dataclass(slots=True)
class World:
    """The time and the dice of everything that is emulated. Real unless made by `seeded`."""

    clock: WorldClock = field(default_factory=WorldClock)
    ids: Ids = field(default_factory=Ids)
    seed: int | None = None
    _rooms: OrderedDict[tuple[str, str], _Room] = field(default_factory=OrderedDict)

    @classmethod
    def seeded(cls, seed: int, start: float | None = None) -> World:
        """A world that comes out the same for the same seed: virtual time from `start` (epoch seconds) on."""
        return cls(WorldClock(virtual=True, start=start), Ids.seeded(seed), seed)

    def connection(self, wire: str, room: str) -> Strand:
        """The strand of a connection that has just come into a room."""
        if self.seed is None:
            return Strand(self.clock, self.ids)
        known = self._room(wire, room)
        known.connections += 1
        return Strand(known.clock, self.ids.branch(wire, room, known.connections))

    def turn(self, wire: str, room: str) -> int:
        """Which turn of the room begins now, counted from the start or the last `forget`, from 1."""
        known = self._room(wire, room)
        known.turns += 1
        return known.turns

    def forget(self, wire: str | None = None, room: str | None = None) -> None:
        """Begins anew for one room, for all of a wire or for all: the same script gives the same frames again."""
        for key in [key for key in self._rooms if wire in (None, key[0]) and room in (None, key[1])]:
            del self._rooms[key]

    def _room(self, wire: str, room: str) -> _Room:
        known = self._rooms.get((wire, room))
        if known is None:
            known = self._rooms[wire, room] = _Room(aside(self.clock))
            if len(self._rooms) > MOST_ROOMS:
                self._rooms.popitem(last=False)
        else:
            self._rooms.move_to_end((wire, room))
        return known
