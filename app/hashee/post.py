"""The wire's office: what routes and sockets ask for, over the ledger. One for a process, once the store is open."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from math import inf

from app.emulation.determinism import RESOLUTION, RealClock, Signal, WorldClock
from app.emulation.limit_clock import LimitClock
from app.hashee import accounts, deliveries, files
from app.hashee.access import AccessTokens, Credential
from app.hashee.agents import WEBSOCKET, came, gone, mode_of, typing
from app.hashee.artifacts import expire, next_expiry
from app.hashee.deliveries import Waiting, arrived, give, waiting
from app.hashee.frames import Replaced
from app.hashee.hub import Hub
from app.hashee.identifiers import AGENT, kind_of, uid_of
from app.hashee.ledger import Event, Ledger, Tx
from app.hashee.limits import Ages, Limits
from app.hashee.messages import Mark, ReadUpTo, delivered, read
from app.hashee.profiles import Profile
from app.hashee.refusals import Refused
from app.hashee.rights import Actor, actor
from app.hashee.shelf import Shelf
from app.hashee.streams import Streams
from app.spaces.passwords import LoginTurns, Passwords

log = logging.getLogger("app.hashee")

GATHER = 0.05
"""Seconds for which receipts are gathered before they are written."""

MOST_RECEIPTS = 50_000
LOOK = 0.5
HOUSEKEEPING = 60.0
POLLERS = 4
"""Long polls of one agent at a time."""


class Receipts:
    """Which messages have reached whom, written a moment later and together."""

    def __init__(self, ledger: Ledger, hub: Hub) -> None:
        self._ledger = ledger
        self._hub = hub
        self._marks: dict[tuple[str, str], int] = {}
        self._news = asyncio.Event()
        self._machine = RealClock()

    def add(self, *marks: Mark) -> None:
        """Messages have reached somebody."""
        for conversation, name, seq in marks:
            key = (conversation, name)
            if key in self._marks or len(self._marks) < MOST_RECEIPTS:
                self._marks[key] = max(seq, self._marks.get(key, 0))
                self._news.set()

    def arrived(self, conversation: str, name: str, seq: int) -> None:
        """A message has reached somebody."""
        self.add((conversation, name, seq))

    async def run(self) -> None:
        """Writes receipts until it is cancelled."""
        while True:
            await self._news.wait()
            await self._machine.sleep(GATHER)
            self._news.clear()
            marks = [(conversation, name, seq) for (conversation, name), seq in self._marks.items()]
            self._marks.clear()
            try:
                left, told = await self._ledger.do(lambda tx, marks=marks: (delivered(tx, marks), tx.told))  # type: ignore[misc]
            except Refused as refused:
                log.error("%d receipts are not written: %s", len(marks), refused)
                continue
            if left:
                self.add(*left)
                await self._hub.breathe(told)


class Post:
    """What answers. `profile` gives the state that is spoken now."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        hub: Hub,
        tokens: AccessTokens,
        shelf: Shelf,
        limits: Limits,
        limit_clock: LimitClock,
        clock: WorldClock,
        profile: Callable[[], Profile],
    ) -> None:
        self.ledger = ledger
        self.hub = hub
        self.tokens = tokens
        self.shelf = shelf
        self.limits = limits
        self.limit_clock = limit_clock
        self.uploads = Ages(limit_clock.monotonic())
        self.clock = clock
        self.profile = profile
        self.passwords = Passwords()
        self.logins = LoginTurns()
        self.receipts = Receipts(ledger, hub)
        self.streams = Streams(ledger, clock.monotonic)
        self.webhooks_due = Signal()
        clock.set_by_hand.append(self.webhooks_due.set)
        self._wakeups: dict[str, set[asyncio.Event]] = {}
        self._polls: Counter[str] = Counter()
        self._stopping = False
        self._next_expiry = inf
        hub.heard += [self.streams.heard, self._wake]

    # -- sockets -------------------------------------------------------------------------------------------------------

    async def who(self, credential: Credential) -> Actor:
        """Whose credential it is. Raises `Refused`."""
        return await self.ledger.see(lambda tx: actor(tx, credential))

    async def has_socket(self, agent_id: str) -> bool:
        """Whether an agent hears of events over its socket."""
        return await self.ledger.see(lambda tx: mode_of(tx, agent_id)) == WEBSOCKET

    async def announce(self, frame: Replaced, name: str, session: str) -> None:
        """A socket has taken the place of older ones of the same agent, or of the same session."""
        await self.ledger.tell(Event(frame, (name,), session))

    async def agent_came(self, agent_id: str, connection: str, first: bool) -> None:
        """An agent has opened a socket; `first`: it has no other in this process."""
        await self.ledger.do(lambda tx: came(tx, agent_id, connection, first), order=agent_id)

    async def agent_gone(self, agent_id: str, connection: str) -> None:
        """A socket of an agent is closed."""
        await self.ledger.do(lambda tx: gone(tx, agent_id, connection), order=agent_id)

    async def type(self, credential: Credential, agent_id: str, conversation: str, on: bool) -> None:
        """An agent is typing, or stops."""
        await self.ledger.do(lambda tx: typing(tx, credential, agent_id, conversation, on))

    async def read(self, credential: Credential, conversation: str, seq: int) -> ReadUpTo:
        """Somebody has read up to a number, of however much."""
        while True:
            done, told = await self.ledger.do(
                lambda tx: (read(tx, credential, conversation, seq), tx.told), order=conversation
            )
            if not done.more:
                return done
            await self.hub.breathe(told)

    # -- long poll -----------------------------------------------------------------------------------------------------

    async def poll(
        self, credential: Credential, agent_id: str, cursor: int | None, limit: int, wait: float
    ) -> list[Waiting]:
        """Events that wait for an agent; without any, those that come within `wait` seconds."""
        if cursor is not None:
            marks = await self.ledger.do(lambda tx: arrived(tx, credential, agent_id, cursor), order=agent_id)
            self.receipts.add(*marks)
        deadline = asyncio.get_running_loop().time() + wait
        if self._polls[agent_id] >= POLLERS:
            raise Refused("RATE_LIMITED", f"At most {POLLERS} polls at a time", retry_after=1)
        self._polls[agent_id] += 1
        news = asyncio.Event()
        self._wakeups.setdefault(agent_id, set()).add(news)
        try:
            while True:
                found = await self.ledger.see(lambda tx: waiting(tx, credential, agent_id, limit))
                if any(not event.seen for event in found):
                    found = await self.ledger.do(lambda tx: give(tx, credential, agent_id, limit), order=agent_id)
                if found or self._stopping or asyncio.get_running_loop().time() >= deadline:
                    return found
                with suppress(TimeoutError):  # a last look is taken when the time is over
                    async with asyncio.timeout_at(deadline):
                        await news.wait()
                news.clear()
        finally:
            self._polls[agent_id] -= 1
            self._wakeups[agent_id].discard(news)
            if not self._wakeups[agent_id]:
                del self._wakeups[agent_id], self._polls[agent_id]

    def _wake(self, event: Event) -> None:
        """Something may wait for agents without a socket."""
        for name in event.to:
            if kind_of(name) == AGENT:
                for news in self._wakeups.get(uid_of(name), ()):
                    news.set()
                self.webhooks_due.set()

    def look_again(self) -> None:
        """The store holds something else now: whoever waits for an event looks whether it is there."""
        for own in self._wakeups.values():
            for news in own:
                news.set()
        self.webhooks_due.set()

    def stop(self) -> None:
        """The server is about to stop: polls are answered with what there is."""
        self._stopping = True
        self.look_again()

    # -- what time brings ----------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Ends streams and artifacts whose time is over, and tidies up; runs until it is cancelled."""
        looked = tidied = self.clock.monotonic()
        while True:
            # From one look to the next, not from its end: the clock may be advanced while the store is asked.
            await self.clock.look(looked + LOOK - self.clock.monotonic(), self._next_end)
            looked = self.clock.monotonic()
            try:
                await self.streams.sweep()
                self._next_expiry = await self.ledger.see(next_expiry)
                if self._next_expiry <= self.clock.time() + RESOLUTION:
                    await self.ledger.do(lambda tx: expire(tx))
                if self.clock.monotonic() - tidied >= HOUSEKEEPING:
                    tidied = self.clock.monotonic()
                    await self.shelf.drop(await self.ledger.do(self._tidy))
            except Refused as refused:
                log.error("nothing is tidied: %s", refused)

    def artifact_sent(self, life: float | None) -> None:
        """An artifact has been sent that lives for so many seconds."""
        if life is not None:
            self._next_expiry = min(self._next_expiry, self.clock.time() + life)

    def _next_end(self) -> float:
        """When a stream or an artifact will next be over, as far as is known: a moment of the clock."""
        return min(self.streams.next_end(), self.clock.monotonic() + (self._next_expiry - self.clock.time()))

    def _tidy(self, tx: Tx) -> list[str]:
        accounts.sweep(tx)
        deliveries.sweep(tx)
        self.ledger.sweep(tx)
        return files.abandoned(tx)
