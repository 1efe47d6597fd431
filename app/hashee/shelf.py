"""The files that are sent along: bytes on disk, named by their upload. Work on them runs in threads.

A file is read back only when it is confirmed, and by those who take part in its conversation.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from app.emulation.determinism import RealClock
from app.hashee.refusals import Refused

LARGEST = 100 * 1024 * 1024
"""Bytes of a file."""

IDLE = 30.0
"""Seconds that an upload may pause."""

PART = 256 * 1024
LEFT = 3600.0
"""Seconds after which nobody goes on with half a file."""

PARTIAL = ".part"
"""What the name of a file ends with while it is written."""

_NAME = re.compile(r"[0-9a-f-]{36}")


class Shelf:
    """A folder of files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._busy: set[str] = set()

    async def open(self) -> None:
        """Makes the folder; what was left there half, long ago, is gone."""
        before = RealClock().time() - LEFT

        def make() -> None:
            self._folder.mkdir(parents=True, exist_ok=True)
            _delete([path for path in self._folder.glob(f"*{PARTIAL}") if path.stat().st_mtime < before])

        await asyncio.to_thread(make)

    def path(self, upload_id: str) -> Path:
        """Where a file is. Raises ValueError for what is no id."""
        if not _NAME.fullmatch(upload_id):
            raise ValueError(f"{upload_id!r} is no upload")
        return self._folder / upload_id

    @asynccontextmanager
    async def alone(self, upload_id: str) -> AsyncIterator[None]:
        """While the bytes of a file are written or judged, nobody else does either. Raises `Refused`."""
        if upload_id in self._busy:
            raise Refused("ALREADY_EXISTS", "The file is being uploaded or confirmed")
        self._busy.add(upload_id)
        try:
            yield
        finally:
            self._busy.discard(upload_id)

    async def take(self, upload_id: str, size: int, parts: AsyncIterator[bytes]) -> None:
        """Writes what comes, which has to be `size` bytes; nothing stays of another."""
        path, half = self.path(upload_id), self.path(upload_id).with_suffix(PARTIAL)
        taken = 0
        stream = await asyncio.to_thread(half.open, "wb")
        try:
            held: list[bytes] = []
            waiting = 0
            iterator = aiter(parts)
            while True:
                try:
                    async with asyncio.timeout(IDLE):
                        part = await anext(iterator)
                except StopAsyncIteration:
                    break
                except TimeoutError:
                    raise Refused("INVALID_REQUEST", "The upload paused for too long") from None
                taken += len(part)
                if taken > size:
                    raise Refused("SIZE_MISMATCH")
                held.append(part)
                waiting += len(part)
                if waiting >= PART:
                    await asyncio.to_thread(stream.writelines, held)
                    held, waiting = [], 0
            await asyncio.to_thread(stream.writelines, held)
            await asyncio.to_thread(stream.close)
            if taken != size:
                raise Refused("SIZE_MISMATCH")
            await asyncio.to_thread(half.replace, path)
        finally:
            await asyncio.to_thread(_clear, stream, half)

    async def sha256(self, upload_id: str) -> str:
        """The hash of a file, in hexadecimal."""
        return await asyncio.to_thread(_hash, self.path(upload_id))

    async def has(self, upload_id: str) -> bool:
        """Whether the bytes are there."""
        return await asyncio.to_thread(self.path(upload_id).is_file)

    async def clear(self) -> None:
        """Deletes all files."""
        await asyncio.to_thread(
            lambda: _delete([path for path in self._folder.iterdir() if _NAME.fullmatch(path.name)])
        )

    async def drop(self, upload_ids: list[str]) -> None:
        """Deletes files."""
        await asyncio.to_thread(_delete, [self.path(uid) for uid in upload_ids])


def _delete(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _clear(stream: object, half: Path) -> None:
    close = getattr(stream, "close", None)
    if close is not None:
        close()
    half.unlink(missing_ok=True)


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
