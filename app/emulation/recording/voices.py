"""Fetches the recordings of speech that the server's messages name, off the path of the messages.

Only http(s) URLs whose path ends like a sound file, each once, without the client's cookies and keys, without following
redirects, up to `LARGEST` bytes and `PATIENCE` seconds. One that cannot be had is a line in the log, nothing more.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import ssl
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import httpcore

from app.emulation.guarded_network import Resolve, allowed, guarded_network, resolve
from app.emulation.recording.upstream import Upstream
from app.emulation.recording.writer import OpenTape
from app.emulation.tapes import SOUNDS, is_sound_url

log = logging.getLogger("app.recording")

LARGEST = 16 * 1024 * 1024
PATIENCE = 30.0
AT_ONCE = 4
LAST_MOMENT = 10.0
"""Seconds that the voices of a connection may take after its end."""

MOST = 2_000
"""Voices of one connection."""

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


class Voices:
    """Fetches what connections hear of, a few at a time."""

    def __init__(self, upstream: Upstream, *, look: Resolve = resolve) -> None:
        self._host = upstream.host
        self._look = look
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=upstream.tls or ssl.create_default_context(),
            max_connections=AT_ONCE,
            network_backend=guarded_network(self._judge, PATIENCE),
        )
        self._turn = asyncio.Semaphore(AT_ONCE)
        self.kept = 0

    def of(self, tape: OpenTape) -> VoicesOfTape:
        """Those of one connection."""
        return VoicesOfTape(self, tape)

    async def close(self) -> None:
        """Lets go of the connections."""
        await self._pool.aclose()

    async def fetch(self, url: str, tape: OpenTape) -> None:
        """Fetches one and keeps it beside the tape."""
        try:
            async with self._turn, asyncio.timeout(PATIENCE):
                content = await self._content(url)
            await tape.keep(url, _name(url), content)
        except (OSError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, ValueError) as error:
            why = "it takes too long" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
            log.warning("%s: a voice cannot be kept: %s", tape.name, why)
            return
        self.kept += 1

    async def _content(self, url: str) -> bytes:
        content = bytearray()
        async with self._pool.stream("GET", url, headers=[("Host", urlsplit(url).netloc), ("Accept", "*/*")]) as answer:
            if answer.status != 200:
                raise ValueError(f"status {answer.status}")
            async for part in answer.aiter_stream():
                content += part
                if len(content) > LARGEST:
                    raise ValueError(f"it has more than {LARGEST} bytes")
        return bytes(content)

    async def _judge(self, host: str, port: int) -> list[str]:
        """Where a host that a server names may be asked: not at what only this machine or network can reach, unless
        the server is there itself.
        """
        if host == self._host:
            return await resolve(host, port)
        return await allowed(host, port, secure=True, private=False, look=self._look)


class VoicesOfTape:
    """What one connection hears of."""

    def __init__(self, voices: Voices, tape: OpenTape) -> None:
        self._voices = voices
        self._tape = tape
        self._seen: set[str] = set()
        self._fetching: set[asyncio.Task[None]] = set()

    def hear(self, text: str) -> None:
        """Looks for voices in a message of the server, and has them fetched."""
        if "http" not in text or not any(sound in text for sound in SOUNDS):
            return
        for url in sound_urls(text):
            if url in self._seen or len(self._seen) >= MOST:
                continue
            self._seen.add(url)
            task = asyncio.create_task(self._voices.fetch(url, self._tape), name="voice")
            self._fetching.add(task)
            task.add_done_callback(self._fetching.discard)

    async def finish(self) -> None:
        """Waits for those under way, at most `LAST_MOMENT` seconds."""
        if not self._fetching:
            return
        _, late = await asyncio.wait(self._fetching, timeout=LAST_MOMENT)
        for task in late:
            task.cancel()
        if late:
            log.warning("%s: %d voices were not fetched in time", self._tape.name, len(late))
            await asyncio.gather(*late, return_exceptions=True)


def sound_urls(text: str) -> list[str]:
    """The URLs of sound files among the texts of a JSON message."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [value for value in _texts(message) if is_sound_url(value)]


def _texts(value: object) -> Iterator[str]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting.extend(reversed(item.values()))
        elif isinstance(item, list):
            waiting.extend(reversed(item))


def _name(url: str) -> str:
    """A file name for what a URL leads to."""
    name = _UNFIT.sub("_", unquote(PurePosixPath(urlsplit(url).path).name)).lstrip(".")
    return name[-100:] or "voice.mp3"
