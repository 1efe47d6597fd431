"""Connection faults at work: sockets that are closed, reset or fall silent, at once or later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from app.emulation.determinism import Clock, Ids
from app.emulation.faults.kinds import Place
from app.emulation.faults.live import Faults, LiveRule
from app.emulation.faults.rules import Rule
from app.emulation.occasions import Occasion


class ConnectionFaults:
    """Breaks one connection as the rules in force will have it.

    `sent`: frames sent so far. `break_with` closes or resets it; `told` hears of a strike; `start` runs a task that
    ends with the connection. `clock`: where `after_seconds` and a stall are counted.
    """

    def __init__(
        self,
        faults: Faults,
        *,
        occasion: Occasion,
        dice: Ids,
        clock: Clock,
        sent: Callable[[], int],
        break_with: Callable[[Rule], Awaitable[None]],
        told: Callable[[LiveRule], None],
        start: Callable[[Any], None],
    ) -> None:
        self._faults = faults
        self._occasion = occasion
        self._dice = dice
        self._clock = clock
        self._sent = sent
        self._break_with = break_with
        self._told = told
        self._start = start
        self._judged: set[str] = set()
        self._due: list[LiveRule] = []
        self._silence: asyncio.Event | None = None

    @property
    def waiting(self) -> bool:
        """Whether a rule waits for a number of frames."""
        return bool(self._due)

    @property
    def silent(self) -> bool:
        """Whether nothing may be sent now."""
        return self._silence is not None

    async def silence(self) -> None:
        """Returns when frames may be sent."""
        while self._silence is not None:
            await self._silence.wait()

    def end(self) -> None:
        """Nobody needs to wait any longer."""
        silence, self._silence = self._silence, None
        if silence is not None:
            silence.set()

    def plan(self) -> None:
        """Judges, once for each rule, whether it will break this connection, and when."""
        for live in self._faults.at(Place.CONNECTION):
            if live.id in self._judged:
                continue
            self._judged.add(live.id)
            if not live.strike(self._occasion, self._dice):
                continue
            seconds = live.rule["after_seconds"]
            if seconds is not None:
                self._start(self._break_after(seconds, live))
            elif self._sent() >= (live.rule["after_frames"] or 0):
                self._start(self._break(live))
            else:
                self._due.append(live)

    async def sent(self) -> None:
        """A frame has been sent: what waited for that many strikes now."""
        due = [live for live in self._due if self._sent() >= live.rule["after_frames"]]
        for live in due:
            self._due.remove(live)
            await self._break(live)

    async def _break_after(self, seconds: float, live: LiveRule) -> None:
        await self._clock.sleep(seconds)
        await self._break(live)

    async def _break(self, live: LiveRule) -> None:
        if self._faults.get(live.id) is not live:
            return  # taken out of force meanwhile
        self._told(live)
        if live.rule.kind.name == "stall":
            self._fall_silent(live.rule["seconds"])
        else:
            await self._break_with(live.rule)

    def _fall_silent(self, seconds: float | None) -> None:
        silence = self._silence = asyncio.Event()

        async def speak_again() -> None:
            await self._clock.sleep(seconds or 0.0)
            if self._silence is silence:
                self.end()

        if seconds is not None:
            self._start(speak_again())
