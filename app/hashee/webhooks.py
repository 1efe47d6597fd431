"""Delivers events to webhooks: claims what is due, tries, notes what became of it. What waits is in the store, so it
outlives the process; when the next try is due is tenacity's arithmetic.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from functools import partial
from math import inf
from typing import Any, cast

from tenacity import RetryCallState, stop_after_attempt, wait_chain, wait_fixed

from app.emulation.determinism import RealClock
from app.hashee.deliveries import PAUSES, ROUNDING, Due, claim, next_due, settle
from app.hashee.post import Post
from app.hashee.refusals import Refused
from app.hashee.signatures import body_of, headers_of
from app.hashee.targets import NotReached, Outbound

log = logging.getLogger("app.hashee.webhooks")

AT_ONCE = 32
"""Tries under way in this process."""

AT_ONCE_EACH = 8
"""Those of one agent: one whose webhook hangs holds up no other."""

GONE = 410
BUSY = 0.1
"""Machine seconds before another look where another process was faster."""

RECOVERY = 5.0
"""Machine seconds before the store is asked again after it failed."""

_wait = wait_chain(*(wait_fixed(pause) for pause in PAUSES))
_stop = stop_after_attempt(len(PAUSES) + 1)


def pause_after(attempts: int) -> float | None:
    """Seconds until the next try after so many; None for no more."""
    state = RetryCallState(cast(Any, None), None, (), {})
    state.attempt_number = attempts
    return None if _stop(state) else float(_wait(state))


class Webhooks:
    """The deliveries of this process."""

    def __init__(self, post: Post, outbound: Outbound) -> None:
        self._post = post
        self._outbound = outbound
        self._machine = RealClock()
        self._running: dict[asyncio.Task[None], str] = {}
        """Tries under way: the id of what each delivers."""
        self._of: Counter[str] = Counter()
        """Tries under way, by agent."""

    async def run(self) -> None:
        """Delivers until it is cancelled."""
        news, clock = self._post.webhooks_due, self._post.clock
        try:
            while True:
                news.clear()
                try:
                    due = await self._round()
                except Refused as refused:
                    log.error("no webhook is called: %s", refused)
                    await self._machine.sleep(RECOVERY, unless=news)
                    continue
                if due is None:
                    await self._machine.sleep(BUSY, unless=news)
                else:
                    await clock.sleep(due - clock.time(), unless=news)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
            await self._outbound.close()

    async def _round(self) -> float | None:
        """Starts what is due. When more may be: a moment of the clock, infinity if only news can change that, None
        where another process was faster.
        """
        ledger, clock = self._post.ledger, self._post.clock
        free = AT_ONCE - len(self._running)
        if free <= 0:
            return inf
        busy = [agent_id for agent_id, count in self._of.items() if count >= AT_ONCE_EACH]
        trying = list(self._running.values())
        due = await ledger.see(lambda tx: next_due(tx, busy, trying))
        if due is None:
            return inf
        if due > clock.time() + ROUNDING:
            return due
        room = {agent_id: AT_ONCE_EACH - count for agent_id, count in self._of.items()}
        claimed = await ledger.do(lambda tx: claim(tx, free, AT_ONCE_EACH, room, trying))
        for one in claimed:
            task = asyncio.create_task(self._try(one))
            self._running[task] = one.delivery_id
            self._of[one.agent_id] += 1
            task.add_done_callback(partial(self._done, one.agent_id))
        return clock.time() if claimed else None

    def _done(self, agent_id: str, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._of -= Counter((agent_id,))
        self._post.webhooks_due.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a delivery broke", exc_info=error)

    async def _try(self, due: Due) -> None:
        with self._post.clock.working():
            await self._deliver(due)

    async def _deliver(self, due: Due) -> None:
        body = body_of(due.frame, self._post.profile(), due.created_at)
        headers = headers_of(due.secret, due.agent_id, due.delivery_id, self._post.clock.time(), body)
        status: int | None = None
        error, reached = "", True
        try:
            status = await self._outbound.post(due.url, headers, body)
        except OSError as failure:
            error, reached = str(failure) or type(failure).__name__, not isinstance(failure, NotReached)
        done = status is not None and 200 <= status < 300
        if not done:
            error = error or f"the webhook answered {status}"
            log.info("delivery %s, try %d: %s", due.delivery_id, due.attempts + 1, error)
        again = None if done else pause_after(due.attempts + 1)
        try:
            marks = await self._post.ledger.do(
                lambda tx: settle(
                    tx, due, status=status, error=error[:300], again=again, gone=status == GONE, reached=reached
                ),
                order=due.agent_id,
            )
            self._post.receipts.add(*marks)
        except Refused as refused:  # the claim runs out, and it is tried again
            log.error("delivery %s is not noted: %s", due.delivery_id, refused)
