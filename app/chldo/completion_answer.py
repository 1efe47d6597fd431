"""How a completion reaches its client over HTTP: in one piece, or as server-sent events. Knows no model."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.chldo.completion_shapes import Failure, Part, Usage, event
from app.json_text import dumps

if TYPE_CHECKING:
    from app.chldo.completion_runs import CompletionRun

log = logging.getLogger("app.chldo.proxy")

BREATH = 32
"""Events after which a reply that comes at once lets others have the event loop."""

FAIL_TIMEOUT = 5.0
"""Seconds in which a client has to take the news of a failure."""

_HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


class Worked(Response):
    """A response that is worked out while the client is listened to: one that leaves cancels the work."""

    def __init__(self, work: Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]) -> None:
        super().__init__()
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = asyncio.create_task(self._work(scope, receive, send), name="completion")
        gone = asyncio.create_task(_left(receive), name="completion-client")
        try:
            await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            work.cancel()
            gone.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)
        if not work.cancelled():
            work.result()


class Delivery(ABC):
    """An answer on its way to the client."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._asgi = scope, receive, send
        self._send = send
        self._events = 0

    @abstractmethod
    async def give(self, *, limit: float) -> None:
        """Answers. Raises what the model raises, and TimeoutError after `limit` seconds; then `fail` is due."""

    @abstractmethod
    def failure(self, error: Exception) -> Failure:
        """What `give` has raised, as the client is told it."""

    async def put(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        """An answer in one piece; bytes are JSON already."""
        content = body if isinstance(body, bytes) else dumps(body).encode()
        await Response(content, status, headers, media_type="application/json")(*self._asgi)

    async def fail(self, error: Exception) -> None:
        """Tells a failure: as an HTTP error, or as the last event where the answer has begun."""
        failure = self.failure(error)
        try:
            async with asyncio.timeout(FAIL_TIMEOUT):
                if self._events:
                    await self._event(self._broken(failure))
                    await self._end()
                else:
                    await self.put(failure.status, failure.body, failure.headers)
        except TimeoutError:
            log.warning("a client does not read why its completion failed")

    def _broken(self, failure: Failure) -> bytes:
        """What ends a stream that fails."""
        return event(failure.event())

    async def _start(self, headers: Mapping[str, str] | None = None) -> None:
        """Begins a stream."""
        more = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in (headers or {}).items()]
        await self._send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *more]})

    async def _event(self, data: bytes) -> None:
        self._events += 1
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        if self._events % BREATH == 0:
            await asyncio.sleep(0)

    async def _end(self) -> None:
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


class Rendering(Protocol):
    """The form of an answer. `begin`, each `part`, and `end` or `broken` give the events of a stream."""

    def begin(self) -> bytes: ...

    def part(self, part: Part) -> bytes: ...

    def end(self, finish: str, usage: Usage) -> bytes: ...

    def broken(self, failure: Failure) -> bytes: ...

    def whole(self, parts: Sequence[Part], finish: str, usage: Usage) -> Any: ...


class Answer(Delivery):
    """A completion by the script."""

    def __init__(
        self, run: CompletionRun, rendering: Rendering, streamed: bool, scope: Scope, receive: Receive, send: Send
    ) -> None:
        super().__init__(scope, receive, send)
        self._run = run
        self._rendering = rendering
        self._streamed = streamed

    async def give(self, *, limit: float) -> None:
        async with asyncio.timeout(limit):
            if self._streamed:
                await self._stream()
            else:
                await self.put(200, await self._whole())

    def failure(self, error: Exception) -> Failure:
        return self._run.fail(error)

    def _broken(self, failure: Failure) -> bytes:
        return self._rendering.broken(failure)

    async def _whole(self) -> Any:
        parts: list[Part] = []
        async with aclosing(self._run.parts()) as said:
            async for part in said:
                parts.append(part)
                if len(parts) % BREATH == 0:
                    await asyncio.sleep(0)
        usage = await asyncio.to_thread(self._run.usage)
        return self._rendering.whole(parts, self._run.finish, usage)

    async def _stream(self) -> None:
        async with aclosing(self._run.parts()) as said:
            async for part in said:
                await self._begin()
                await self._event(self._rendering.part(part))
        await self._begin()
        usage = await asyncio.to_thread(self._run.usage)
        await self._event(self._rendering.end(self._run.finish, usage))
        await self._end()

    async def _begin(self) -> None:
        """Status and first chunk, once the model has begun to speak: until then it may still fail with a status."""
        if not self._events:
            await self._start()
            await self._event(self._rendering.begin())


async def _left(receive: Receive) -> None:
    """Ends when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
