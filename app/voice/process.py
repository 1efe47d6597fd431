"""One worker process as the server sees it: started, asked and ended.

It is a new program, never a fork, in a session of its own (Ctrl-C is not for it).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from pathlib import Path

from app.voice import packets
from app.voice.failures import EngineRefusal, WorkerLost

_END_SECONDS = 1.0
_LAST_WORDS = 2_000


@dataclass(frozen=True, slots=True)
class Job:
    """One thing for a worker to do; see `app.voice.packets` for the head."""

    head: packets.Head
    body: bytes = b""


class Worker:
    """One running worker process. Made by `boot`; whoever holds it calls `end`."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._input, self._output, self._errors = process.stdin, process.stdout, process.stderr
        self._last_words = b""
        self._listener = asyncio.create_task(self._listen(), name=f"voice-stderr-{process.pid}")
        self.pid = process.pid
        self.engine = ""
        self.jobs = 0

    @classmethod
    async def boot(cls, engine: str, seconds: float) -> Worker:
        """A process whose engine is ready to speak. Raises `WorkerLost` if it is not so within `seconds`."""
        # A start that is cancelled half-way would leave a process to nobody: it is finished first, then ended.
        start = asyncio.create_task(_start(engine), name="voice-start")
        try:
            worker = cls(await asyncio.shield(start))
        except asyncio.CancelledError:
            with contextlib.suppress(WorkerLost):
                await cls(await start)._discard()
            raise
        try:
            async with asyncio.timeout(seconds):
                head, _ = await worker._receive()
            worker.engine = head.get("ready", engine)
        except BaseException as error:
            await worker._discard()
            if isinstance(error, TimeoutError):
                raise WorkerLost(f"not ready within {seconds:g} s") from error
            raise
        return worker

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def do(self, job: Job) -> bytes:
        """Audio for a job. Raises `EngineRefusal`, or `WorkerLost`, after which the worker is of no use."""
        self.jobs += 1
        try:
            self._input.write(packets.pack(job.head, job.body))
            await self._input.drain()
        except (OSError, RuntimeError) as error:  # uvloop says RuntimeError
            raise WorkerLost(await self._obituary()) from error
        head, audio = await self._receive()
        if "refused" in head:
            raise EngineRefusal(head["refused"])
        return audio

    def kill(self) -> None:
        """Ends the process at once; `end` is still to be called."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> None:
        """Ends the process by closing its input, or by force if that does not help, and waits for it."""
        self._input.close()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
        # Both pipes are read to their end, or their transports would outlive the process.
        await self._output.read()
        await self._listener

    async def _discard(self) -> None:
        self.kill()
        await self.end()

    async def _receive(self) -> tuple[packets.Head, bytes]:
        try:
            return await packets.receive(self._output)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise WorkerLost(await self._obituary()) from error
        except ValueError as error:
            raise WorkerLost(f"spoke out of turn: {error}") from error

    async def _listen(self) -> None:
        while text := await self._errors.read(4_096):
            self._last_words = (self._last_words + text)[-_LAST_WORDS:]

    async def _obituary(self) -> str:
        """Why the process is gone: exit code and the last line it wrote to standard error."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                await asyncio.shield(self._listener)
                await self._process.wait()
        lines = self._last_words.decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing on standard error")
        return f"worker {self.pid} ended with {self._process.returncode}: {last[:300]}"


async def _start(engine: str) -> Process:
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "app.voice.worker", engine),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            limit=1 << 20,
            env=_environment(),
            start_new_session=True,
        )
    except OSError as error:
        raise WorkerLost(f"cannot start a process: {error}") from error


def _environment() -> dict[str, str]:
    """The server's, so that the worker imports from the same places, whatever folder it was started in."""
    folders = [str(Path(folder).absolute()) for folder in sys.path]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(folders),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
