"""Ears: voice activity detection for many sounds at once, in one worker process.

    Ears.open() -> Ear.feed(24 kHz PCM) -> [Began | Ended] with the utterance's own PCM

The process starts with the first sound. If it dies, another takes its place and every sound goes on, with what the
detector knew of it forgotten.
"""

from __future__ import annotations

import asyncio
import logging
from array import array
from dataclasses import dataclass

from app.voice.endpoint import Began, Ended, Endpointer
from app.voice.failures import EngineFault, VoiceFailure, WorkerLost
from app.voice.process import Job, Worker

log = logging.getLogger("app.voice")

RATE = 24_000
BYTES = 2 * RATE
"""Bytes of a second of sound."""

ENGINE = "app.voice.detecting:Detector"
BOOT_SECONDS = 20.0
FEED_SECONDS = 10.0
PIECE = 2 * BYTES
"""Bytes that are judged at a time, so that a long frame of one speaker does not hold up the others."""

TAIL = 0.25
"""Seconds of quiet that an utterance keeps at its end."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was said: 24 kHz PCM with the prefix before it. Seconds from the beginning of the sound."""

    pcm: bytes
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long was spoken."""
        return self.ended - self.began


@dataclass(frozen=True, slots=True)
class Hearing:
    """How an ear listens. `prefix`, `silence`, `longest` in seconds."""

    threshold: float = 0.7
    prefix: float = 0.3
    silence: float = 1.5
    longest: float = 60.0


class Ears:
    """The detector's process, and who uses it. One for a program."""

    def __init__(self, *, engine: str = ENGINE) -> None:
        self._engine = engine
        self._worker: Worker | None = None
        self._turn = asyncio.Lock()
        self._count = 0
        self._open = True
        self._begun: asyncio.Task[None] | None = None

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids."""
        return (self._worker.pid,) if self._worker is not None and self._worker.alive else ()

    def open(self, hearing: Hearing) -> Ear:
        """An ear for one sound; close it."""
        self._count += 1
        if self._worker is None and self._begun is None:
            self._begun = asyncio.create_task(self._begin(), name="ears")
        return Ear(self, str(self._count), hearing)

    async def judge(self, uid: str, pcm: bytes) -> array[float]:
        """Probabilities of speech for the frames that are whole with this piece. Raises `VoiceFailure`."""
        judged = array("f")
        judged.frombytes(await self._do(Job({"do": "listen", "id": uid}, pcm)))
        return judged

    async def forget(self, uid: str) -> None:
        """A sound is over."""
        if self._worker is not None and self._worker.alive and self._open:
            await self._do(Job({"do": "forget", "id": uid}))

    async def close(self) -> None:
        """Ends the process."""
        self._open = False
        if self._begun is not None:
            await asyncio.gather(self._begun, return_exceptions=True)
        async with self._turn:
            await self._end()

    async def _begin(self) -> None:
        """Starts the process before anybody speaks."""
        try:
            async with self._turn:
                await self._ready()
        except WorkerLost as lost:
            log.warning("voice activity detection does not start: %s", lost)

    async def _do(self, job: Job) -> bytes:
        async with self._turn:
            for last in (False, True):
                if not self._open:
                    raise VoiceFailure("the ears are closed")
                try:
                    return await self._whole(job)
                except (EngineFault, TimeoutError) as fault:
                    log.warning("the voice activity detector is replaced: %s", fault or "no answer")
                    await self._end()
                    if last:
                        raise VoiceFailure(f"voice activity detection: {fault or 'no answer'}") from fault
        raise AssertionError("the last try returns or raises")

    async def _whole(self, job: Job) -> bytes:
        """One job to its end, also when the caller is cancelled: half an answer would be the next one's."""
        task = asyncio.ensure_future(self._ask(job))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.gather(task, return_exceptions=True)
            raise

    async def _ask(self, job: Job) -> bytes:
        worker = await self._ready()
        async with asyncio.timeout(FEED_SECONDS):
            return await worker.do(job)

    async def _ready(self) -> Worker:
        if self._worker is None:
            self._worker = await Worker.boot(self._engine, BOOT_SECONDS)
        return self._worker

    async def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            if not self._open:
                await worker.end()
                return
            worker.kill()
            await worker.end()


class Ear:
    """One sound as it comes in: says when somebody speaks, and keeps what they say."""

    def __init__(self, ears: Ears, uid: str, hearing: Hearing) -> None:
        self._ears = ears
        self._uid = uid
        self._hearing = hearing
        self._points = Endpointer(threshold=hearing.threshold, silence=hearing.silence, longest=hearing.longest)
        self._kept = bytearray()
        self._from = 0
        """Where in the sound `_kept` begins, in bytes."""
        self.bytes = 0
        """Bytes heard in all."""

    @property
    def speaking(self) -> bool:
        """Whether an utterance is under way."""
        return self._points.began is not None

    @property
    def hearing(self) -> Hearing:
        return self._hearing

    @hearing.setter
    def hearing(self, hearing: Hearing) -> None:
        self._hearing = hearing
        self._points.threshold, self._points.silence = hearing.threshold, hearing.silence

    @property
    def heard(self) -> float:
        """Where the sound ends that has been listened to."""
        return self._points.heard

    @property
    def quiet(self) -> tuple[float, float]:
        """Where speech was last heard, and for how many seconds there has been none since."""
        return self._points.last, self._points.heard - self._points.last

    def so_far(self) -> Utterance:
        """The utterance under way, as if it had ended where speech was last heard."""
        began, last = self._points.began or 0.0, self._points.last
        return Utterance(self._slice(began - self._hearing.prefix, min(last + TAIL, self._points.heard)), began, last)

    async def feed(self, pcm: bytes) -> list[Began | tuple[Ended, Utterance]]:
        """What the next piece of the sound brings, in order. Raises `VoiceFailure`."""
        found: list[Began | tuple[Ended, Utterance]] = []
        for at in range(0, len(pcm), PIECE):
            found += await self._piece(pcm[at : at + PIECE])
        return found

    async def _piece(self, pcm: bytes) -> list[Began | tuple[Ended, Utterance]]:
        self._kept += pcm
        self.bytes += len(pcm)
        found: list[Began | tuple[Ended, Utterance]] = []
        for point in self._points.feed(await self._ears.judge(self._uid, pcm)):
            found.append((point, self._utterance(point)) if isinstance(point, Ended) else point)
        if not self.speaking:
            self._trim()
        return found

    async def cut(self) -> tuple[Ended, Utterance] | None:
        """Ends the utterance under way by hand, with all that has come; None if nobody speaks."""
        ended = self._points.cut()
        if ended is None:
            return None
        # By hand nothing waits for silence: all that has come belongs to it.
        heard = self.bytes / BYTES
        utterance = Utterance(self._slice(ended.began - self._hearing.prefix, heard), ended.began, heard)
        await self.forget()
        return Ended(ended.began, heard, heard), utterance

    async def forget(self) -> None:
        """Throws away all that has come, and listens from the next piece on as to a new sound: what the detector knows
        of the old one would let it hear speech in the silence after it.
        """
        self._points.restart(self.bytes / BYTES)
        self._from += len(self._kept)
        self._kept.clear()
        await self._forget_sound()

    async def close(self) -> None:
        """The sound is over."""
        self._kept.clear()
        await self._forget_sound()

    async def _forget_sound(self) -> None:
        try:
            await self._ears.forget(self._uid)
        except VoiceFailure as failure:
            log.debug("a sound is not forgotten: %s", failure)

    def _utterance(self, ended: Ended) -> Utterance:
        pcm = self._slice(ended.began - self._hearing.prefix, min(ended.ended + TAIL, ended.at))
        return Utterance(pcm, ended.began, ended.ended)

    def _slice(self, began: float, ended: float) -> bytes:
        first = max(0, 2 * round(began * RATE) - self._from)
        return bytes(self._kept[first : max(first, 2 * round(ended * RATE) - self._from)])

    def _trim(self) -> None:
        """Keeps no more quiet than an utterance that begins now may want for its prefix."""
        wanted = 2 * round((self._hearing.prefix + 0.3) * RATE)
        spare = len(self._kept) - wanted
        if spare > 0:
            del self._kept[:spare]
            self._from += spare
