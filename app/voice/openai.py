"""The engine `openai`: any server with an OpenAI-compatible `POST /audio/speech`."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from app.http_routes import UnusableEnvironment
from app.voice.encode import MAX_SECONDS, RATE, capped
from app.voice.failures import EngineFault, EngineRefusal

if TYPE_CHECKING:
    import httpx

log = logging.getLogger("app.voice")

_AT_ONCE = 8
_MAX_BYTES = 2 * RATE * MAX_SECONDS
_WORTH_A_RETRY = frozenset({408, 409, 425, 429})


class OpenAISpeech:
    """Asks for raw PCM (24 kHz, 16 bit, mono), so that lengths stay multiples of the MP3 frame made here.

    `base_url` ends before `/audio/speech`; `timeout` is in seconds, for one whole request. Without `api_key` no
    Authorization is sent. httpx is imported when first needed.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str | None,
        model: str = "tts-1",
        voice: str = "alloy",
        timeout: float = 10.0,
    ) -> None:
        self._url = base_url.rstrip("/") + "/audio/speech"
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._model = model
        self._timeout = timeout
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._client: httpx.AsyncClient | None = None
        self.voice = voice

    @property
    def version(self) -> str:
        """What the sound depends on beside voice and text."""
        return f"{self._url} {self._model}"

    async def speak(self, text: str, voice: str) -> bytes:
        """At most a minute of PCM. Tries twice where that may help. Raises `EngineFault`."""
        async with self._turns:
            try:
                return await self._ask(text, voice)
            except EngineRefusal:
                raise
            except EngineFault as fault:
                log.warning("speech over HTTP failed, trying again: %s", fault)
            return await self._ask(text, voice)

    async def close(self) -> None:
        """Closes the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _ask(self, text: str, voice: str) -> bytes:
        import httpx  # a tenth of a second that other engines need not wait

        if self._client is None:
            from app.http_clients import async_client

            self._client = async_client(limits=httpx.Limits(max_connections=_AT_ONCE), timeout=self._timeout)
        body = {"model": self._model, "voice": voice, "input": text, "response_format": "pcm"}
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream("POST", self._url, json=body, headers=self._headers) as response,
            ):
                _check(response)
                return capped(await _read(response))
        except TimeoutError as error:
            raise EngineFault(f"no answer within {self._timeout:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if isinstance(error.__cause__, UnusableEnvironment):
                raise EngineRefusal(str(error.__cause__)) from error
            raise EngineFault(f"{type(error).__name__}: {error}") from error


def _check(response: httpx.Response) -> None:
    status = response.status_code
    if status >= 500 or status in _WORTH_A_RETRY:
        raise EngineFault(f"HTTP {status}")
    if status != 200:
        raise EngineRefusal(f"HTTP {status}")
    kind = response.headers.get("content-type", "")
    if kind.startswith(("application/json", "text/")):
        raise EngineFault(f"{kind} instead of audio")


async def _read(response: httpx.Response) -> bytes:
    """The body, but no more of it than a minute of sound."""
    audio = bytearray()
    async for part in response.aiter_bytes():
        audio += part
        if len(audio) >= _MAX_BYTES:
            break
    if len(audio) < 2:
        raise EngineFault("an empty answer")
    return bytes(audio)
