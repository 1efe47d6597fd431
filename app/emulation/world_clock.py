"""Emulated time, which can be frozen, advanced and set.

    WorldClock   flows with the machine's, or is virtual and moves by hand
    TimeLine     a room's own time on a virtual WorldClock: ahead of it by the pauses taken there

A pause is over when its time has come. Where time is moved by hand (`WorldClock.advance`), all that falls due on the
way happens in its order, as with the fake timers of test libraries: the clock goes from one moment to the next, and
waits at each until what was woken there sleeps again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf

from app.emulation.clock import (
    EPOCH,
    LATEST,
    RESOLUTION,
    VIRTUAL_START,
    Clock,
    Signal,
    check_instant,
    machine_monotonic,
    shown_instant,
    wake,
)

TURNS = 40
"""Turns of the event loop in which what was woken has reached the socket, or its next pause, where nothing real is done
in between."""

BREATH = 0.001
SETTLE_TIMEOUT = 3.0
"""Machine seconds that an advance waits, in all, for what was woken and is busy with something real."""

ADVANCE_TIMEOUT = 20.0
"""Machine seconds after which an advance makes no more stops."""

_WORK: ContextVar[tuple[object, ...]] = ContextVar("work", default=())
"""What the running task is part of, outermost first."""


@dataclass(slots=True, eq=False)
class _Sleeper:
    """A task that waits for a moment of the world clock. `stop`: the moment at which an advance halts for it."""

    until: float
    done: asyncio.Future[None]
    task: asyncio.Task[object] | None
    number: int
    works: tuple[object, ...]
    """What it is part of."""
    stop: Callable[[], float] | None = None
    """For one that looks after something; any other sleeper has its own `until`."""
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
        self.advancing = False
        """Whether an advance is on its way: since its last stop, nobody outside has had time to react."""
        if start is not None:
            check_instant(start)
        self._start = VIRTUAL_START if virtual and start is None else start
        self._advanced = 0.0
        """Seconds put on top of the machine's monotonic time, or all there is of a virtual one."""
        self._moved = 0.0
        """Those of the advance under way."""
        self._still: float | None = 0.0 if virtual else None
        """Where the machine's monotonic time stood when this clock stopped following it; None while it follows."""
        self._sleepers: set[_Sleeper] = set()
        self._asleep: Counter[asyncio.Task[object] | None] = Counter()
        self._slept = 0
        self._works: set[object] = set()
        self._one_advance = asyncio.Lock()
        self._steps: set[asyncio.Task[None]] = set()
        self._set_to = self._set_at = 0.0
        """What the wall clock showed at a moment of the monotonic time."""
        self.set_by_hand: list[Callable[[], None]] = []
        """Called when the wall clock was set: what waits for a moment of it looks again."""
        self._begin()

    @property
    def flows(self) -> bool:
        """Whether time passes by itself."""
        return not (self.virtual or self.frozen)

    def time(self) -> float:
        return self._set_to + (self.monotonic() - self._set_at)

    def monotonic(self) -> float:
        base = machine_monotonic() if self._still is None else self._still
        return base + (self._advanced + self._moved)

    async def sleep(self, seconds: float, unless: Signal | None = None) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        await self._wait(self._sleeper(seconds), unless)

    async def look(self, every: float, due: Callable[[], float]) -> None:
        """The pause of a task that looks after something time and again: `every` so many seconds while time flows.

        An advance does not stop for each of those looks, only at the moment (of `monotonic`) that `due` tells then.
        """
        if every <= 0:
            await asyncio.sleep(0)
            return
        sleeper = self._sleeper(every)
        sleeper.stop = due
        await self._wait(sleeper, None)

    async def hold(self, seconds: float, unless: Signal | None = None) -> float:
        """Pauses the calling task while the clock is frozen, so many seconds at most. What is left of them."""
        if seconds <= 0 or not self.frozen:
            return max(0.0, seconds)
        until = self.monotonic() + seconds
        sleeper = self._sleeper(seconds)
        sleeper.held = True
        await self._wait(sleeper, unless)
        return max(0.0, until - self.monotonic())

    @contextmanager
    def working(self) -> Iterator[None]:
        """Meanwhile, something is being done that may take real time (a turn, a transaction, a sentence spoken): an
        advance goes on only when it has ended, or while it, or a task it has started, is in a pause of this clock.
        """
        work = object()
        before = _WORK.set((*_WORK.get(), work))
        self._works.add(work)
        try:
            yield
        finally:
            self._works.discard(work)
            _WORK.reset(before)

    def freeze(self) -> None:
        """Stops time."""
        if self.frozen:
            return
        if not self.virtual:
            self._still = machine_monotonic()
        self.frozen = True
        for sleeper in self._sleepers:
            self._disarm(sleeper)

    def run(self) -> None:
        """Lets a frozen clock go on from where it stands."""
        if not self.frozen:
            return
        if not self.virtual and self._still is not None:
            self._advanced -= machine_monotonic() - self._still
            self._still = None
        self.frozen = False
        for sleeper in self._sleepers:
            if sleeper.held:
                wake(sleeper.done)
            else:
                self._arm(sleeper)

    def advance(self, seconds: float) -> asyncio.Future[None]:
        """Moves both times forward, from one moment at which something is due to the next. The future is done when what
        was woken has come to rest. Raises ValueError for going back, and for going beyond the end of time.
        """
        if not seconds >= 0:
            raise ValueError("a clock can be advanced by 0 seconds or more, not turned back (set it instead)")
        if self.time() + seconds > LATEST:
            raise ValueError(f"time ends at {shown_instant(LATEST)}")
        patience = machine_monotonic() + SETTLE_TIMEOUT
        if self._steps or not self._rests() or self._next_stop() <= self.monotonic() + seconds + RESOLUTION:
            work = self._go(seconds, patience)
        else:
            work = self._settle(self._arrive(seconds), patience)  # nothing is due on the way
        step = asyncio.get_running_loop().create_task(work, name="clock-advance")
        self._steps.add(step)
        step.add_done_callback(self._steps.discard)
        return step

    async def _go(self, seconds: float, patience: float) -> None:
        """Makes the stops of an advance, after those of the ones before it."""
        async with self._one_advance:
            until = machine_monotonic() + ADVANCE_TIMEOUT
            self.advancing = True
            try:
                await self._settle([], patience)
                while machine_monotonic() < until:
                    ahead = self._next_stop() - self.monotonic()
                    if self._moved + ahead > seconds + RESOLUTION:
                        break
                    self._moved = min(seconds, self._moved + max(0.0, ahead))
                    await self._settle(self._wake(self._is_due), patience)
            finally:
                self.advancing = False
                woken = self._arrive(seconds)
            await self._settle(woken, patience)

    def _arrive(self, seconds: float) -> list[_Sleeper]:
        """The end of an advance: whoever looks after something looks."""
        self._advanced, self._moved = self._advanced + seconds, 0.0
        now = self.monotonic() + RESOLUTION
        woken = self._wake(lambda sleeper: sleeper.until <= now)
        for sleeper in self._sleepers:
            self._disarm(sleeper)
            self._arm(sleeper)
        return woken

    def set(self, instant: float) -> None:
        """Sets the wall clock, in epoch seconds, either way; pauses under way are not touched, but for those of tasks
        that look after something. Raises ValueError for a moment before the beginning of time or after its end.
        """
        check_instant(instant)
        self._set_to, self._set_at = instant, self.monotonic()
        self._wake(lambda sleeper: sleeper.stop is not None)
        for hear in self.set_by_hand:
            hear()

    def restart(self) -> None:
        """Runs again from where it started: a virtual clock from its beginning, any other as if nobody had touched it.
        Monotonic time goes on, pauses under way are not touched.
        """
        self.run()
        self._begin()

    def _begin(self) -> None:
        if self._start is not None:
            self._set_to, self._set_at = self._start, self.monotonic()
        else:
            self._set_to, self._set_at = EPOCH, self._advanced + self._moved

    # -- sleepers ------------------------------------------------------------------------------------------------------

    def _sleeper(self, seconds: float) -> _Sleeper:
        done = asyncio.get_running_loop().create_future()
        self._slept += 1
        return _Sleeper(self.monotonic() + seconds, done, asyncio.current_task(), self._slept, _WORK.get())

    async def _wait(self, sleeper: _Sleeper, unless: Signal | None) -> None:
        self._sleepers.add(sleeper)
        self._asleep[sleeper.task] += 1
        try:
            self._arm(sleeper)
            if unless is None:
                await sleeper.done
            else:
                with unless.ending(sleeper.done):
                    await sleeper.done
        finally:
            self._disarm(sleeper)
            self._sleepers.discard(sleeper)
            self._asleep[sleeper.task] -= 1
            if not self._asleep[sleeper.task]:
                del self._asleep[sleeper.task]

    def _next_stop(self) -> float:
        """The next moment at which something is due. What is overdue for one who looks after it was there to be seen at
        the last stop, and is not waited for again.
        """
        now = self.monotonic() + RESOLUTION
        moments = ((_stop(one), one.stop) for one in self._sleepers if not one.done.done())
        return min((moment for moment, looks in moments if looks is None or moment > now), default=inf)

    def _is_due(self, sleeper: _Sleeper) -> bool:
        return _stop(sleeper) <= self.monotonic() + RESOLUTION

    def _wake(self, due: Callable[[_Sleeper], bool]) -> list[_Sleeper]:
        """Wakes those who are due, in the order of their moments."""
        woken = [sleeper for sleeper in self._sleepers if not sleeper.done.done() and due(sleeper)]
        woken.sort(key=lambda sleeper: (sleeper.until, sleeper.number))
        for sleeper in woken:
            wake(sleeper.done)
        return woken

    async def _settle(self, woken: list[_Sleeper], deadline: float) -> None:
        """Lets what was woken go on until it sleeps again, has ended, or has used up its time."""
        tasks = [sleeper.task for sleeper in woken if sleeper.task is not None]
        if not woken and self._rests():
            return
        while True:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            if self._rests(tasks) or machine_monotonic() >= deadline:
                return
            while not self._rests(tasks) and machine_monotonic() < deadline:  # noqa: ASYNC110 - tasks end untold
                await asyncio.sleep(BREATH)
            # What has come to rest just now may have set something else going: it has its turns, too.

    def _rests(self, tasks: Sequence[asyncio.Task[object]] = ()) -> bool:
        """Whether these tasks, and all that is being done, have ended or are in a pause."""
        paused = {work for sleeper in self._sleepers for work in sleeper.works}
        return self._works <= paused and all(task.done() or task in self._asleep for task in tasks)

    def _arm(self, sleeper: _Sleeper) -> None:
        if self.flows and sleeper.until < inf:
            left = max(0.0, sleeper.until - self.monotonic())
            sleeper.alarm = sleeper.done.get_loop().call_later(left, wake, sleeper.done)

    @staticmethod
    def _disarm(sleeper: _Sleeper) -> None:
        if sleeper.alarm is not None:
            sleeper.alarm.cancel()
            sleeper.alarm = None


def _stop(sleeper: _Sleeper) -> float:
    return sleeper.until if sleeper.stop is None else sleeper.stop()


class TimeLine:
    """A room's own time on a virtual clock: it runs ahead by the pauses taken in that room, at once."""

    def __init__(self, world: WorldClock) -> None:
        self._world = world
        self.ahead = 0.0

    def time(self) -> float:
        return self._world.time() + self.ahead

    def monotonic(self) -> float:
        return self._world.monotonic() + self.ahead

    async def sleep(self, seconds: float, unless: Signal | None = None) -> None:
        if seconds == inf:
            await self._world.sleep(seconds, unless)  # even a time line does not come to the end of that
            return
        left = await self._world.hold(seconds, unless)
        if unless is None or not unless.is_set():
            self.ahead += left
        await asyncio.sleep(0)

    def working(self) -> AbstractContextManager[None]:
        """As `WorldClock.working`."""
        return self._world.working()

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


def working(clock: Clock) -> AbstractContextManager[None]:
    """As `WorldClock.working`, on whatever clock."""
    return clock.working() if isinstance(clock, WorldClock | TimeLine) else nullcontext()
