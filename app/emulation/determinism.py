"""The one place that draws randomness, and, with the clocks of `clock.py`, the one that reads the time.

Everything else is handed a `Clock` and an `Ids`. Contract 6 of the house: ruff's banned-api and import-linter keep it
so.

    World ── WorldClock (flows with the machine's, or is virtual; can be frozen, advanced and set)
          └─ Ids (the machine's randomness, or seeded)
    World.connection(wire, room) ── Strand (clock, ids) ── Strand.branch("turn", 1) ── …

A strand is one line of events. With a seed each has a stream of ids of its own, named by what it belongs to, and the
room's own time line: so what one client sees does not depend on who else is there.
"""

from __future__ import annotations

import random
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field

from shortuuid.main import int_to_string

from app.emulation.clock import (
    RESOLUTION,
    VIRTUAL_START,
    Clock,
    RealClock,
    Signal,
    VirtualClock,
    machine_monotonic,
)
from app.emulation.limit_clock import LimitClock
from app.emulation.world_clock import TimeLine, WorldClock, aside, working

__all__ = [
    "BASE62",
    "RESOLUTION",
    "VIRTUAL_START",
    "Clock",
    "Ids",
    "RealClock",
    "Signal",
    "Strand",
    "TimeLine",
    "VirtualClock",
    "World",
    "WorldClock",
    "aside",
    "machine_monotonic",
    "working",
]

BASE62 = list("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_URL64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

MOST_ROOMS = 65_536
"""Rooms whose time line and order are remembered; the one that was quiet for longest is forgotten first."""


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
    limits: LimitClock = field(init=False)
    """What rate limits and locks are counted on."""
    _rooms: OrderedDict[tuple[str, str], _Room] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self.limits = LimitClock(self.clock)

    def restart(self) -> None:
        """Time is at its beginning again, as `WorldClock.restart`."""
        self.clock.restart()
        self.limits.restart()

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
