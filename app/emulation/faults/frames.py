"""Frame faults at work: what becomes of a frame on its way out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from app.emulation.determinism import Strand
from app.emulation.exchanges import Exchange
from app.emulation.faults.connections import Start
from app.emulation.faults.edits import broken, edited, padded, truncated
from app.emulation.faults.kinds import Place
from app.emulation.faults.live import Dice, LiveRule
from app.emulation.faults.rules import Rule

Outgoing = list[str | bytes]
Out = Callable[[str | bytes, Exchange | None], Awaitable[None]]
Pause = Callable[[Awaitable[object]], Awaitable[None]]


@dataclass(slots=True, eq=False)
class _Held:
    """What waits for the next frame, because of a rule."""

    live: LiveRule
    outgoing: Outgoing
    exchange: Exchange | None
    patience: asyncio.Task[None] | None = None


class FrameFaults:
    """Sends the frames of one connection as the faults in force will have it.

    `out` really sends; `pause` waits, but for no client that is gone; `start` runs a task that ends with the
    connection. `strand` and `dice` are the connection's, for frames that belong to no request.
    """

    def __init__(self, *, out: Out, pause: Pause, start: Start, strand: Strand, dice: Dice) -> None:
        self._out = out
        self._pause = pause
        self._start = start
        self._strand = strand
        self._dice = dice
        self._held: _Held | None = None

    @property
    def holds_in_vain(self) -> bool:
        """Whether a frame waits for another to change places with, and the rule that wants it is not in force."""
        return self._held is not None and self._held.live.lifted.is_set()

    async def send(self, text: str, exchange: Exchange | None, rules: tuple[LiveRule, ...]) -> None:
        """Sends a frame that `rules` have struck, or whatever becomes of it. They work in their order, each on what the
        one before has left; only the bytes are broken last.
        """
        outgoing: Outgoing = [text]
        swap: LiveRule | None = None
        breaks = False
        for live in rules:
            name = live.rule.kind.name
            if name in ("delay", "jitter"):
                await self._delay(live, exchange)
            elif name == "swap":
                swap = live
            elif name == "break-utf8":
                breaks = True
            else:
                outgoing = _applied(live.rule, outgoing)
        if breaks and outgoing:
            outgoing[-1] = broken(str(outgoing[-1]))
        if swap is not None and not swap.lifted.is_set() and outgoing and self._held is None:
            held = self._held = _Held(swap, outgoing, exchange)
            held.patience = self._start(partial(self._release_later, held))
            return
        for one in outgoing:
            await self._out(one, exchange)
        if outgoing:
            await self.release()

    async def release(self) -> None:
        """Sends the frame that waits for another, if there is one."""
        held, self._held = self._held, None
        if held is None:
            return
        if held.patience is not None:
            held.patience.cancel()
        for one in held.outgoing:
            await self._out(one, held.exchange)

    async def _delay(self, live: LiveRule, exchange: Exchange | None) -> None:
        strand, dice = (self._strand, self._dice) if exchange is None else (exchange.strand, exchange.dice)
        share = dice.at(Place.FRAME).fraction() if live.rule.kind.name == "jitter" else 1.0
        await self._pause(live.pause(strand.aside(), live.rule["seconds"] * share))

    async def _release_later(self, held: _Held) -> None:
        await asyncio.sleep(
            held.live.rule["seconds"]
        )  # the machine's time, whatever the emulated one does: nothing else ends the wait
        held.patience = None
        if self._held is held:
            await self.release()


def _applied(rule: Rule, outgoing: Outgoing) -> Outgoing:
    """What goes out after a fault has struck the last of `outgoing`, which is the frame itself."""
    if not outgoing:
        return []
    *before, last = outgoing
    text = str(last)
    name = rule.kind.name
    if name in ("drop", "no-end"):
        return before
    if name == "duplicate":
        return [*outgoing, *[text] * rule["times"]]
    if name == "end-twice":
        return [*outgoing, text]
    if name == "foreign":
        return [*before, rule["text"], text]
    if name == "truncate":
        return [*before, truncated(text, rule["keep"])]
    if name == "oversize":
        return [*before, padded(text, rule["bytes"])]
    if name == "edit":
        return [*before, edited(text, rule)]
    raise AssertionError(f"no frame fault: {name}")
