"""Connection faults at work: sockets that are closed, reset or fall silent, at once or later.

A rule waits for a connection, for a request of one, or for a frame, by what it asks (`Rule.about`). From there on
`after_frames` and `after_seconds` count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any

from app.emulation.determinism import Clock, Signal, Strand
from app.emulation.exchanges import Exchange
from app.emulation.faults.kinds import Place
from app.emulation.faults.live import Dice, Faults, LiveRule
from app.emulation.faults.rules import Rule
from app.emulation.occasions import Occasion

MOST_DUE = 1_000
"""Strikes that a connection may have before it; the oldest is forgotten first."""

Start = Callable[[Callable[[], Coroutine[Any, Any, None]]], "asyncio.Task[None]"]


@dataclass(slots=True, eq=False)
class _Due:
    """A strike that is to come: once `frames` more have been sent (on the connection, or for `exchange`), or at the
    moment `at` of the connection's clock.
    """

    live: LiveRule
    occasion: Occasion
    exchange: Exchange | None
    frames: int = 0
    at: float | None = None
    alarm: asyncio.Task[None] | None = None

    def concerns(self, exchange: Exchange | None) -> bool:
        """Whether a frame of that exchange counts."""
        return self.exchange is None or self.exchange is exchange

    def has_come(self, exchange: Exchange | None, now: float) -> bool:
        """Whether it strikes, now that a frame of that exchange is dealt with."""
        return self.at <= now if self.at is not None else self.frames <= 0 and self.concerns(exchange)


class ConnectionFaults:
    """Breaks one connection as the rules in force will have it.

    `strand`: the connection's; `clock`: the emulated one, which wakes what waits for a moment. `break_with` closes or
    resets the connection; `told` hears of a strike; `start` runs a task that ends with the connection.
    """

    def __init__(
        self,
        faults: Faults,
        *,
        occasion: Occasion,
        dice: Dice,
        strand: Strand,
        clock: Clock,
        break_with: Callable[[Rule], Awaitable[None]],
        told: Callable[[LiveRule, Exchange | None], None],
        start: Start,
    ) -> None:
        self._faults = faults
        self._occasion = occasion
        self._dice = dice
        self._strand = strand
        self._clock = clock
        self._break_with = break_with
        self._told = told
        self._start = start
        self._judged: set[str] = set()
        self._due: list[_Due] = []
        self._stalls: list[LiveRule] = []
        self._speaking = Signal()
        self._speaking.set()

    @property
    def silent(self) -> bool:
        """Whether nothing may be sent now."""
        return bool(self._stalls)

    async def silence(self) -> None:
        """Returns when frames may be sent."""
        while self._stalls:
            await self._clock.sleep(inf, unless=self._speaking)

    def plan(self) -> None:
        """The connection is open, or the rules are others: judges what it has not judged before."""
        rules = self._faults.at(Place.CONNECTION)
        for due in [due for due in self._due if due.live not in rules]:
            self._forget(due)
        for live in [live for live in self._stalls if live not in rules]:
            self._speak_again(live)
        self._judged &= {live.id for live in rules}
        for live in rules:
            if live.rule.about == "connection" and live.id not in self._judged:
                self._judged.add(live.id)
                self._judge(live, self._occasion, self._dice, None)

    def identify(self, occasion: Occasion) -> None:
        """It is known now whose the connection is: what asks for a user is judged again."""
        if occasion != self._occasion:
            self._occasion = occasion
            self._judged -= {live.id for live in self._faults.at(Place.CONNECTION) if "user" in live.rule.when}
            self.plan()

    def begin(self, exchange: Exchange) -> None:
        """A request has come."""
        for live in self._faults.at(Place.CONNECTION):
            if live.rule.about == "request":
                self._judge(live, exchange.occasion, exchange.dice, exchange)

    def went(self, exchange: Exchange | None) -> None:
        """A frame has gone out."""
        for due in self._due:
            if due.concerns(exchange):
                due.frames -= 1

    async def sent(self, exchange: Exchange | None, occasion: Occasion, *, last: bool) -> None:
        """A frame has been dealt with, whatever became of it. What waited for it strikes now."""
        now = self._strand.clock.monotonic()
        due = [one for one in self._due if one.has_come(exchange, now)]
        dice = self._dice if exchange is None else exchange.dice
        for live in self._faults.at(Place.CONNECTION):
            if live.rule.about == "frame" and (made := self._struck(live, occasion, dice, exchange)):
                due.append(made)
        for one in due:
            await self._strike(one)
        if last and exchange is not None:
            for one in [one for one in self._due if one.exchange is exchange and one.at is None]:
                self._forget(one)

    def end(self) -> None:
        """The connection is over: what has not struck yet never will."""
        for due in tuple(self._due):
            self._forget(due)
        self._stalls.clear()
        self._speaking.set()

    def _judge(self, live: LiveRule, occasion: Occasion, dice: Dice, exchange: Exchange | None) -> None:
        due = self._struck(live, occasion, dice, exchange)
        if due is not None:
            self._start(partial(self._strike, due))

    def _struck(self, live: LiveRule, occasion: Occasion, dice: Dice, exchange: Exchange | None) -> _Due | None:
        """A strike that is due now, if there is one; a later one is kept."""
        if not live.strike(occasion, dice.at(Place.CONNECTION)):
            return None
        seconds, frames = live.rule["after_seconds"], live.rule["after_frames"] or 0
        due = _Due(live, occasion, exchange, frames)
        if seconds is not None:
            due.at = self._strand.clock.monotonic() + seconds
            due.alarm = self._start(partial(self._ring, due, seconds))
        elif not frames:
            return due
        self._due.append(due)
        if len(self._due) > MOST_DUE:
            self._forget(self._due[0])
        return None

    async def _ring(self, due: _Due, seconds: float) -> None:
        await self._clock.sleep(seconds)
        due.alarm = None
        await self._strike(due)

    async def _strike(self, due: _Due) -> None:
        self._drop(due)
        live = due.live
        if self._faults.get(live.id) is not live:
            return  # taken out of force meanwhile
        self._told(live, due.exchange)
        if live.rule.kind.name != "stall":
            await self._break_with(live.rule)
            return
        self._stalls.append(live)
        self._speaking.clear()
        if live.rule["seconds"] is not None:
            self._start(partial(self._stall, live))

    async def _stall(self, live: LiveRule) -> None:
        await live.pause(self._strand.aside(), live.rule["seconds"])
        self._speak_again(live)

    def _speak_again(self, live: LiveRule) -> None:
        if live in self._stalls:
            self._stalls.remove(live)
        if not self._stalls:
            self._speaking.set()

    def _forget(self, due: _Due) -> None:
        """Lets a strike go that will not come about."""
        self._drop(due)
        due.live.take_back(due.occasion)

    def _drop(self, due: _Due) -> None:
        if due in self._due:
            self._due.remove(due)
        if due.alarm is not None:
            due.alarm.cancel()
            due.alarm = None
