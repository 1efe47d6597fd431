"""Frame faults at work: what becomes of a frame on its way out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from app.emulation.determinism import Clock, Ids
from app.emulation.exchanges import Exchange
from app.emulation.faults.edits import broken, edited, padded, truncated
from app.emulation.faults.kinds import Place
from app.emulation.faults.rules import Rule
from app.emulation.journal import Reader

SWAP_PATIENCE = 1.0
"""Seconds that a frame waits for the one it changes places with."""

Out = Callable[[str | bytes, Exchange | None], Awaitable[None]]
Last = Callable[[Mapping[str, Any]], bool]
Struck = Callable[[Place, Exchange | None, str], tuple[Rule, ...]]


class FrameFaults:
    """Sends the frames of one connection as the faults in force will have it.

    `out` really sends; `strike` says which rules strike; `start` runs a task that ends with the connection.
    """

    def __init__(
        self,
        *,
        out: Out,
        strike: Struck,
        start: Callable[[Any], None],
        reader: Reader,
        clock: Clock,
        dice: Ids,
    ) -> None:
        self._out = out
        self._strike = strike
        self._start = start
        self._reader = reader
        self._clock = clock
        self._dice = dice
        self._held: tuple[str, Exchange | None] | None = None

    @property
    def holds(self) -> bool:
        """Whether a frame waits for another to change places with."""
        return self._held is not None

    async def send(self, text: str, exchange: Exchange | None, last: Last) -> None:
        """Sends a frame, or whatever becomes of it."""
        body = _object(text)
        frame = self._reader(body) if body is not None else ""
        rules = self._strike(Place.FRAME, exchange, frame)
        if exchange is not None and body is not None and last(body):
            rules += self._strike(Place.END, exchange, frame)
        outgoing: list[str | bytes] = [text]
        swap = False
        for rule in rules:
            name = rule.kind.name
            if name in ("delay", "jitter"):
                share = 1.0 if name == "delay" else (self._dice if exchange is None else exchange.dice).fraction()
                await (self._clock if exchange is None else exchange.strand.clock).sleep(rule["seconds"] * share)
            elif name == "swap":
                swap = True
            else:
                outgoing = _applied(rule, outgoing)
        if self._held is None and swap and outgoing == [text]:
            self._held = text, exchange
            self._start(self._release_later())
            return
        for one in outgoing:
            await self._out(one, exchange)
        await self.release()

    async def release(self) -> None:
        """Sends the frame that waits for another, if there is one."""
        held, self._held = self._held, None
        if held is not None:
            await self._out(*held)

    async def _release_later(self) -> None:
        await asyncio.sleep(SWAP_PATIENCE)
        await self.release()


def _object(text: str) -> dict[str, Any] | None:
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _applied(rule: Rule, outgoing: list[str | bytes]) -> list[str | bytes]:
    """What goes out after a fault has struck the last of `outgoing`, which is the frame itself."""
    if not outgoing:
        return []
    *before, text = outgoing
    name = rule.kind.name
    if name in ("drop", "no-end"):
        return before
    if name == "duplicate":
        return [*before, *[text] * (1 + rule["times"])]
    if name == "end-twice":
        return [*before, text, text]
    if name == "foreign":
        return [*before, rule["text"], text]
    if isinstance(text, bytes):
        return outgoing
    if name == "truncate":
        return [*before, truncated(text, rule["keep"])]
    if name == "break-utf8":
        return [*before, broken(text)]
    if name == "oversize":
        return [*before, padded(text, rule["bytes"])]
    if name == "edit":
        return [*before, edited(text, rule)]
    raise AssertionError(f"no frame fault: {name}")
