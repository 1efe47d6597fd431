"""Speech to text: pocketsphinx in a process of its own, or an OpenAI-compatible endpoint. Imports httpx when used.

A `Transcriber` gives the text of an utterance, "" where there is none. Whoever has no transcriber asks a script.
"""

from __future__ import annotations

import asyncio
import importlib.util
import io
import wave
from typing import TYPE_CHECKING, Protocol

from app.emulation.determinism import Clock
from app.voice.failures import EngineFault, VoiceFailure
from app.voice.process import Job
from app.voice.workers import Pool

if TYPE_CHECKING:
    import httpx

RATE = 24_000
ENGINE = "app.voice.sphinx:Sphinx"
ENGLISH = "en"


class Transcriber(Protocol):
    """Who writes down what was said."""

    name: str

    async def transcribe(self, pcm: bytes, language: str) -> str:
        """The text of 24 kHz PCM; `language` is a code such as `en`. Raises `VoiceFailure`."""
        ...

    def warm(self) -> None:
        """Begins to load what is heavy."""
        ...

    async def close(self) -> None:
        """Ends processes and connections."""
        ...


def pocketsphinx_there() -> bool:
    """Whether the extra `stt` is installed."""
    return importlib.util.find_spec("pocketsphinx") is not None


class SphinxTranscriber:
    """pocketsphinx, English only: any other language is heard as nothing."""

    name = "pocketsphinx"

    def __init__(self, *, workers: int, timeout: float, clock: Clock) -> None:
        self._pool = Pool(engine=ENGINE, size=workers, timeout=timeout, clock=clock)
        self._started = False

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers."""
        return self._pool.pids

    def warm(self) -> None:
        if not self._started:
            self._started = True
            self._pool.start()

    async def transcribe(self, pcm: bytes, language: str) -> str:
        self.warm()
        if language.partition("-")[0] != ENGLISH:
            return ""
        try:
            return (await self._pool.do(Job({"do": "transcribe"}, pcm))).decode()
        except EngineFault as fault:
            raise VoiceFailure(f"pocketsphinx: {fault}") from fault

    async def close(self) -> None:
        await self._pool.close()


class OpenAITranscriber:
    """`POST /audio/transcriptions` of an OpenAI-compatible endpoint."""

    name = "openai"

    def __init__(self, *, base_url: str, api_key: str, model: str, timeout: float) -> None:
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._model = model
        self._timeout = timeout
        self._client: httpx.AsyncClient | None = None

    def warm(self) -> None:
        if self._client is None:
            from app.http_clients import async_client  # httpx: a tenth of a second that others need not wait

            self._client = async_client(timeout=self._timeout)

    async def transcribe(self, pcm: bytes, language: str) -> str:
        import httpx

        self.warm()
        assert self._client is not None
        asking = self._client.post(
            f"{self._base_url}/audio/transcriptions",
            headers={"Authorization": f"Bearer {self._api_key}"},
            data={"model": self._model, "language": language.partition("-")[0], "response_format": "json"},
            files={"file": ("speech.wav", wav(pcm), "audio/wav")},
        )
        try:
            async with asyncio.timeout(self._timeout):  # httpx has one for each piece that comes, not for all of them
                answer = await asking
        except TimeoutError as error:
            raise VoiceFailure(f"transcription endpoint: no answer within {self._timeout:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise VoiceFailure(f"transcription endpoint: {error or type(error).__name__}") from error
        if answer.status_code != 200:
            raise VoiceFailure(f"transcription endpoint: HTTP {answer.status_code}")
        try:
            text = answer.json()["text"]
        except (ValueError, KeyError, TypeError) as error:
            raise VoiceFailure("transcription endpoint: no JSON with a text") from error
        return text.strip() if isinstance(text, str) else ""

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()


def wav(pcm: bytes) -> bytes:
    """24 kHz PCM as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(RATE)
        target.writeframes(pcm)
    return file.getvalue()
