"""Writes tapes while they are recorded: off the event loop, in order, never far behind.

What is recorded waits in a queue of bounded size; whoever records more has to wait until the disk has caught up. One
thread for all tapes takes secrets out and writes; every batch goes to the file at once, so that a crash costs nothing
that was written.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from app.emulation.determinism import Clock
from app.emulation.placeholders import Placeholders
from app.emulation.tapes import (
    ABNORMAL,
    SUFFIX,
    Closer,
    Direction,
    Refused,
    close_line,
    file_line,
    frame_line,
    header_line,
)

log = logging.getLogger("app.recording")

MOST_WAITING = 4 * 1024 * 1024
"""Bytes of one connection that may wait for the disk."""

OVERHEAD = 64
"""Bytes that a waiting message takes beside its own."""

VOICES = ".voices"
"""What the folder of a tape's files is called, after the tape's name."""

Line = Callable[[], str]


class TapeWriter:
    """A folder of tapes in the making."""

    def __init__(self, folder: Path, *, clock: Clock, placeholders: Placeholders) -> None:
        self.folder = folder
        self.clock = clock
        self.placeholders = placeholders
        self.written = 0
        self.messages = 0
        self.broken = 0
        self.open: set[FileIO] = set()
        self.closed = False
        self._thread = ThreadPoolExecutor(1, "tapes")

    async def begin(
        self,
        *,
        url: str,
        path: str,
        subprotocol: str | None = None,
        refused: Refused | None = None,
        headers: Mapping[str, list[tuple[str, str]]] | None = None,
    ) -> OpenTape:
        """A new tape with its header. Raises OSError if its file cannot be made."""
        started, opened = self.clock.time(), self.clock.monotonic()
        hide = self.placeholders

        def make() -> tuple[str, FileIO]:
            name, file = _create(self.folder, started)
            self.open.add(file)
            line = header_line(
                url=hide.text(url),
                path=hide.text(path),
                started=started,
                subprotocol=hide.subprotocol(subprotocol),
                refused=refused and Refused(refused.status, hide.text(refused.body), refused.content_type),
                headers={side: hide.headers(given) for side, given in (headers or {}).items()},
            )
            file.write(line.encode() + b"\n")
            return name, file

        name, file = await asyncio.get_running_loop().run_in_executor(self._thread, make)
        self.written += 1
        return OpenTape(self, name, file, opened)

    async def run(self, work: Callable[[], object]) -> None:
        """Does something in the thread that writes."""
        await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        """Ends the thread once it has done what it was given, and closes what was left open."""
        self.closed = True
        self._thread.shutdown()
        for file in self.open:
            file.close()


class OpenTape:
    """The tape of one connection."""

    def __init__(self, writer: TapeWriter, name: str, file: FileIO, opened: float) -> None:
        self.name = name
        self._writer = writer
        self._file = file
        self._opened = opened
        self._waiting: list[Line] = []
        self._size = 0
        self._room = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self._failed = False
        self._messages = 0
        self._end = "not opened"

    @property
    def summary(self) -> str:
        """What is on it, for the log."""
        return f"{self._messages} messages in {self._now():.1f} s, {self._end}"

    async def message(self, direction: Direction, message: str | bytes) -> None:
        """Records a message; waits while too much waits for the disk."""
        at = self._now()
        hide = self._writer.placeholders
        self._messages += 1
        self._writer.messages += 1

        def line() -> str:
            hidden = hide.data(message) if isinstance(message, bytes) else hide.text(message)
            return frame_line(direction, at, hidden)

        self._put(line, sys.getsizeof(message))
        while self._size > MOST_WAITING and not self._failed:
            self._room.clear()
            await self._room.wait()

    def ended(self, code: int, reason: str, by: Closer) -> None:
        """Records how the connection ended."""
        at = self._now()
        self._end = f"lost by the {by}" if code == ABNORMAL else f"closed by the {by} with {code}"
        self._put(lambda: close_line(at, code, self._writer.placeholders.text(reason), by), len(reason))

    async def keep(self, url: str, name: str, content: bytes) -> None:
        """Writes what a URL led to beside the tape, under a name like `name`. Raises OSError."""
        at = self._now()
        folder = self._writer.folder / f"{self.name}{VOICES}"

        def write() -> None:
            folder.mkdir(exist_ok=True)
            place = folder / name
            number = 1
            while place.exists():
                number += 1
                place = folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
            place.write_bytes(content)
            line = file_line(at, f"{folder.name}/{place.name}", self._writer.placeholders.text(url))
            self._put_line(line)

        await self._writer.run(write)

    async def close(self) -> None:
        """Waits until everything is written, and closes the file."""
        while self._writing is not None:
            await asyncio.wait({self._writing})
        await self._writer.run(self._close)

    def _close(self) -> None:
        self._file.close()
        self._writer.open.discard(self._file)

    def _now(self) -> float:
        return max(0.0, self._writer.clock.monotonic() - self._opened)

    def _put(self, line: Line, size: int) -> None:
        if self._failed:
            return
        self._waiting.append(line)
        self._size += size + OVERHEAD
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name=f"write {self.name}")

    async def _write(self) -> None:
        try:
            while self._waiting and not self._writer.closed:
                batch, self._waiting = self._waiting, []
                size = self._size
                await self._writer.run(lambda batch=batch: self._put_line(*(line() for line in batch)))  # type: ignore[misc]
                self._size -= size
                self._room.set()
        except OSError as error:
            self._failed = True
            self._waiting = []
            self._writer.broken += 1
            log.error("the tape %s ends here, it cannot be written: %s", self.name, error.strerror or error)
        finally:
            self._writing = None
            self._room.set()

    def _put_line(self, *lines: str) -> None:
        data = memoryview("".join(f"{line}\n" for line in lines).encode())
        while data:  # a raw file may take less than it is given
            data = data[self._file.write(data) or 0 :]


def _create(folder: Path, started: float) -> tuple[str, FileIO]:
    """A new file named after the time, such that names sort as the tapes began."""
    stamp = datetime.fromtimestamp(started, UTC).strftime("%Y%m%dT%H%M%S")
    for number in range(1, 1_000_000):
        name = f"{stamp}-{number:03d}"
        try:
            return name, FileIO(folder / f"{name}{SUFFIX}", "x")
        except FileExistsError:
            continue
    raise FileExistsError(f"no name left for a tape of {stamp}")
