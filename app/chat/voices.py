"""Voices, saved while the answer goes on."""

from __future__ import annotations

import asyncio
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.chat.answer import Spoken

if TYPE_CHECKING:
    import httpx

VOICE_TIMEOUT: Final = 30.0
"""Seconds for one voice, from the request to the last byte."""
VOICE_LIMIT: Final = 32 * 1024 * 1024
"""Bytes a voice may have."""
AT_ONCE: Final = 8


class VoiceShelf:
    """A folder of voices, NNN-<sent_uid>.mp3 in the order they were announced; at most `AT_ONCE` downloads under way.

    httpx comes in with the first voice.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._room = asyncio.Semaphore(AT_ONCE)
        self._fetching: set[asyncio.Task[None]] = set()
        self._failures: list[str] = []
        self._client: httpx.AsyncClient | None = None

    async def take(self, voice: Spoken) -> Path:
        """Begins to fetch a voice; where it will be. The name keeps only what cannot lead out of the folder."""
        self._count += 1
        path = self._folder / f"{self._count:03d}-{re.sub('[^0-9A-Za-z_-]', '', voice.sent_uid)[:64]}.mp3"
        await self._room.acquire()
        task = asyncio.create_task(self._save(voice.url, path))
        self._fetching.add(task)
        task.add_done_callback(self._done)
        return path

    def _done(self, task: asyncio.Task[None]) -> None:
        self._fetching.discard(task)
        self._room.release()

    async def settle(self) -> list[str]:
        """Waits for what is under way. What could not be saved, a line each."""
        await asyncio.gather(*self._fetching)
        failures, self._failures = self._failures, []
        return failures

    async def close(self) -> None:
        for task in self._fetching:
            task.cancel()
        await asyncio.gather(*self._fetching, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    async def _save(self, url: str, path: Path) -> None:
        await asyncio.to_thread(import_module, "app.http_clients")
        import httpx

        from app.http_clients import async_client

        if self._client is None:
            self._client = async_client(timeout=VOICE_TIMEOUT)
        try:
            async with asyncio.timeout(VOICE_TIMEOUT), self._client.stream("GET", url) as answer:
                answer.raise_for_status()
                sound = bytearray()
                async for part in answer.aiter_bytes():
                    sound += part
                    if len(sound) > VOICE_LIMIT:
                        raise ValueError(f"it has more than {VOICE_LIMIT} bytes")
            await asyncio.to_thread(_write, path, sound)
        except httpx.HTTPStatusError as error:
            self._failures.append(f"{path.name} was not saved: HTTP {error.response.status_code}")
        except TimeoutError:
            self._failures.append(f"{path.name} was not saved: it took longer than {VOICE_TIMEOUT:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            self._failures.append(f"{path.name} was not saved: {str(error) or type(error).__name__}")


def _write(path: Path, sound: bytearray) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(sound)
    part.replace(path)
