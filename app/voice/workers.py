"""The pool of worker processes: hands out jobs, times them, replaces what dies or hangs.

Own processes over pipes, because a hung synthesis can only be ended by killing its process, and because a killed one
must cost no job but its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass

from app.emulation.determinism import Clock
from app.voice.failures import EngineDown, EngineFault, EngineRefusal, WorkerLost
from app.voice.process import Job, Worker

log = logging.getLogger("app.voice")

BOOT_SECONDS = 20.0
BOOT_TRIES = 3
TRIES = 2
JOBS_PER_WORKER = 5_000
ABANDONED_SECONDS = 0.5
"""How long a worker may go on with a job that nobody waits for any more before it is killed."""

_LONGEST_BACKOFF = 5.0


@dataclass(eq=False, slots=True)
class _Order:
    """A job on its way through the pool."""

    job: Job
    done: asyncio.Future[bytes]
    tries: int = 0
    deadline: asyncio.Timeout | None = None
    """Set while a worker is at it."""

    def fail(self, fault: EngineFault) -> None:
        if not self.done.done():
            self.done.set_exception(fault)


class Pool:
    """A few workers of one engine and the jobs waiting for them.

    A worker that dies or takes longer than `timeout` seconds is killed and replaced; its job is tried once more. When
    `BOOT_TRIES` starts in a row have failed and no worker lives, the engine is down for good. A worker is replaced
    after `recycle` jobs.
    """

    def __init__(self, *, engine: str, size: int, timeout: float, clock: Clock, recycle: int = JOBS_PER_WORKER) -> None:
        self._engine = engine
        self._size = size
        self._timeout = timeout
        self._clock = clock
        self._recycle = recycle
        self._waiting: deque[_Order] = deque()
        self._running: set[_Order] = set()
        self._live: set[Worker] = set()
        self._tenders: list[asyncio.Task[None]] = []
        self._work = asyncio.Event()
        self._misses = 0
        self.down: str | None = "not started"
        """Why no job is accepted, if so."""

    @property
    def pids(self) -> tuple[int, ...]:
        """Processes that are ready or at work."""
        return tuple(sorted(worker.pid for worker in self._live if worker.alive))

    @property
    def abandoned(self) -> int:
        """Jobs still running that nobody waits for."""
        return sum(order.done.cancelled() for order in self._running)

    def start(self) -> None:
        """Begins to start the workers and returns; jobs may be given at once."""
        self.down = None
        for number in range(self._size):
            tender = asyncio.create_task(self._tend(), name=f"voice-worker-{number}")
            tender.add_done_callback(self._on_tender_done)
            self._tenders.append(tender)

    async def close(self) -> None:
        """Fails every job and ends every process."""
        self._go_down("closed")
        for tender in self._tenders:
            tender.cancel()
        await asyncio.gather(*self._tenders, return_exceptions=True)
        self._tenders.clear()

    async def do(self, job: Job) -> bytes:
        """Audio for a job. Raises an `EngineFault`. Cancelling it drops the job, or what comes of it."""
        if self.down is not None:
            raise EngineDown(self.down)
        order = _Order(job, asyncio.get_running_loop().create_future())
        self._waiting.append(order)
        self._work.set()
        try:
            return await order.done
        except asyncio.CancelledError:
            self._abandon(order)
            raise

    def _abandon(self, order: _Order) -> None:
        if order.deadline is not None:
            when = asyncio.get_running_loop().time() + ABANDONED_SECONDS
            order.deadline.reschedule(min(when, order.deadline.when() or when))
        elif order in self._waiting:
            self._waiting.remove(order)

    async def _tend(self) -> None:
        """Keeps one worker at work, for as long as the engine is up."""
        worker: Worker | None = None
        try:
            while self.down is None:
                if worker is None:
                    worker = await self._boot()
                    continue
                order = await self._next()
                if not worker.alive:
                    self._put_back(order)
                elif await self._serve(worker, order) and worker.jobs < self._recycle:
                    continue
                await self._end(worker)
                worker = None
        finally:
            if worker is not None:
                await self._end(worker)

    async def _boot(self) -> Worker | None:
        try:
            worker = await Worker.boot(self._engine, BOOT_SECONDS)
        except WorkerLost as lost:
            self._misses += 1
            if self._misses >= BOOT_TRIES and not self.pids:
                if self.down is None:
                    log.error(
                        "speech engine %s is down: %d starts failed, the last one: %s", self._engine, self._misses, lost
                    )
                    self._go_down(str(lost))
                return None
            log.warning("speech engine %s did not start, trying again: %s", self._engine, lost)
            await self._clock.sleep(min(0.1 * 2**self._misses, _LONGEST_BACKOFF))
            return None
        self._misses = 0
        self._live.add(worker)
        log.debug("speech engine %s is ready in process %d", worker.engine, worker.pid)
        return worker

    async def _next(self) -> _Order:
        while not self._waiting:
            self._work.clear()
            await self._work.wait()
        return self._waiting.popleft()

    def _put_back(self, order: _Order) -> None:
        if not order.done.done():
            self._waiting.appendleft(order)
            self._work.set()

    async def _serve(self, worker: Worker, order: _Order) -> bool:
        """Has the job done. False if the worker cannot be used again."""
        if order.done.done():
            return True
        order.tries += 1
        self._running.add(order)
        try:
            async with asyncio.timeout(self._timeout) as order.deadline:
                audio = await worker.do(order.job)
            if not order.done.done():
                order.done.set_result(audio)
        except EngineRefusal as refusal:
            order.fail(refusal)
        except WorkerLost as lost:
            self._try_again(worker, order, lost)
            return False
        except TimeoutError:
            worker.kill()
            self._try_again(worker, order, WorkerLost(f"no answer within {self._timeout:g} s"))
            return False
        finally:
            order.deadline = None
            self._running.discard(order)
        return True

    def _try_again(self, worker: Worker, order: _Order, lost: WorkerLost) -> None:
        if order.done.done():
            return
        log.warning("speech worker %d is replaced: %s", worker.pid, lost)
        if order.tries < TRIES:
            self._put_back(order)
        else:
            order.fail(lost)

    async def _end(self, worker: Worker) -> None:
        self._live.discard(worker)
        await worker.end()

    def _go_down(self, reason: str) -> None:
        self.down = reason
        for order in (*self._waiting, *self._running):
            order.fail(EngineDown(reason))
        self._waiting.clear()

    def _on_tender_done(self, tender: asyncio.Task[None]) -> None:
        if not tender.cancelled() and (error := tender.exception()) is not None:
            log.error("speech engine %s is down: a fault in the program", self._engine, exc_info=error)
            self._go_down(repr(error))
