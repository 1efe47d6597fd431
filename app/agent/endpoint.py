"""Asks an upstream over HTTP, and lets nothing of its answers through but whole answers. Imports httpx.

    httpx client -> Guard -> app.http_clients -> upstream

`ChatOpenAI` and the proxy use the same guarded client: what goes wrong in an answer is an `UpstreamError` for either.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress

import httpx
import orjson

from app.agent.upstream import Answer, Upstream, UpstreamError, excerpt
from app.emulation.determinism import RealClock
from app.http_clients import Routed, RoutedSync

EXACT = "chldo_exact"
"""A request's extension: False where every field of the answer goes through, also those that no client could read."""

STREAMED = "chldo_streamed"
"""A request's extension: whether it asks for a stream. Without it the body tells."""

MOST_OF_A_FAILURE = 64 * 1024
"""Bytes of an answer with a status of failure that are read."""

_OF_THE_SHELL = ("openai-organization", "openai-project")
"""Headers that the OpenAI client takes from variables of the shell: they would go to whatever the upstream is."""

_OF_THE_BODY = ("content-encoding", "content-length", "transfer-encoding")
_RETRIED = frozenset((408, 409, 429))
_END = b""
"""Stands for the end of a body: pieces of one are never empty."""

_PAUSE = 0.5
"""Seconds before a request is sent again."""


class Endpoint:
    """An upstream, and the connections to it."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.client = httpx.AsyncClient(transport=Guard(upstream), timeout=upstream.timeout, trust_env=False)
        self.sync_client = httpx.Client(transport=SyncGuard(upstream), timeout=upstream.timeout, trust_env=False)
        self._clock = RealClock()

    async def close(self) -> None:
        """Closes the connections."""
        await self.client.aclose()
        self.sync_client.close()

    @asynccontextmanager
    async def post(
        self, path: str, body: bytes, *, streamed: bool, headers: Mapping[str, str]
    ) -> AsyncIterator[httpx.Response]:
        """The answer to a JSON body, which goes out as it is. `path` begins with a slash.

        The answer may have any status. Reading the body of a good one raises `UpstreamError` where it turns out to be
        no whole answer. Raises what httpx raises where there is no answer.
        """
        sent = {**headers, "content-type": "application/json"}
        sent["authorization"] = f"Bearer {self.upstream.api_key or 'not-needed'}"
        more = {EXACT: False, STREAMED: streamed}
        url = self.upstream.url + path
        for left in range(self.upstream.max_retries, -1, -1):
            request = self.client.build_request("POST", url, content=body, headers=sent, extensions=more)
            try:
                answer = await self.client.send(request, stream=True)
            except httpx.TransportError:
                if not left:
                    raise
            else:
                if left and _may_pass(answer):
                    await answer.aclose()
                else:
                    break
            await self._clock.sleep(_PAUSE)
        try:
            yield answer
        finally:
            await answer.aclose()


def _may_pass(answer: httpx.Response) -> bool:
    """Whether the same request may well succeed a moment later. One who says when to come back is taken at that word:
    the client is told.
    """
    status = answer.status_code
    return (status in _RETRIED or status >= 500) and "retry-after" not in answer.headers


class Guard(httpx.AsyncBaseTransport):
    """Gives answers of success only as far as they are sound, and the beginning of those that tell a failure."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._inner = Routed()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        _strip(request)
        timeout = self._upstream.timeout
        try:
            async with asyncio.timeout(timeout):  # httpx has no limit for headers that come drop by drop
                answer = await self._inner.handle_async_request(request)
        except TimeoutError:
            raise httpx.ReadTimeout(f"no answer within {timeout:g} s", request=request) from None
        return _judged(answer, _AsyncBody(answer, self._passed(request, answer)))

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _passed(self, request: httpx.Request, answer: httpx.Response) -> AsyncGenerator[bytes, None]:
        upstream = self._upstream
        pieces = answer.aiter_bytes()
        if answer.status_code >= 300:
            beginning = b""
            with suppress(TimeoutError):
                async with asyncio.timeout(upstream.timeout):
                    beginning = await _beginning(pieces)
            yield beginning
            return
        judge = _answer(upstream, request)
        loop = asyncio.get_running_loop()
        heard, due = 0, loop.time() + upstream.timeout
        try:
            while not judge.over:
                async with asyncio.timeout_at(due):
                    data = await anext(pieces, _END)
                if data is _END:
                    break
                for passed in judge.feed(data):
                    yield passed
                if judge.heard > heard:  # comments keep a connection alive, not an answer
                    heard, due = judge.heard, loop.time() + upstream.timeout
        except (httpx.HTTPError, TimeoutError) as error:
            raise _broken(upstream, answer, error) from error
        left = judge.close()
        if left:
            yield left


class SyncGuard(httpx.BaseTransport):
    """The same for code that does not run in an event loop."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._inner = RoutedSync()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        _strip(request)
        answer = self._inner.handle_request(request)
        return _judged(answer, _SyncBody(answer, self._passed(request, answer)))

    def close(self) -> None:
        self._inner.close()

    def _passed(self, request: httpx.Request, answer: httpx.Response) -> Generator[bytes, None, None]:
        if answer.status_code >= 300:
            yield _beginning_sync(answer.iter_bytes())
            return
        judge = _answer(self._upstream, request)
        try:
            for data in answer.iter_bytes():
                yield from judge.feed(data)
                if judge.over:
                    break
        except httpx.HTTPError as error:
            raise _broken(self._upstream, answer, error) from error
        yield judge.close()


class _AsyncBody(httpx.AsyncByteStream):
    """What is passed on of an answer; closing it closes the answer."""

    def __init__(self, answer: httpx.Response, passed: AsyncGenerator[bytes, None]) -> None:
        self._answer = answer
        self._passed = passed

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._passed

    async def aclose(self) -> None:
        await self._passed.aclose()
        await self._answer.aclose()


class _SyncBody(httpx.SyncByteStream):
    def __init__(self, answer: httpx.Response, passed: Generator[bytes, None, None]) -> None:
        self._answer = answer
        self._passed = passed

    def __iter__(self) -> Iterator[bytes]:
        return self._passed

    def close(self) -> None:
        self._passed.close()
        self._answer.close()


def _strip(request: httpx.Request) -> None:
    for name in _OF_THE_SHELL:
        request.headers.pop(name, None)


def _judged(answer: httpx.Response, body: httpx.AsyncByteStream | httpx.SyncByteStream) -> httpx.Response:
    """The answer with a body that is decoded already."""
    headers = [(name, value) for name, value in answer.headers.multi_items() if name not in _OF_THE_BODY]
    return httpx.Response(answer.status_code, headers=headers, stream=body, extensions=answer.extensions)


def _answer(upstream: Upstream, request: httpx.Request) -> Answer:
    streamed, exact = request.extensions.get(STREAMED), request.extensions.get(EXACT, True)
    if streamed is None:
        streamed = orjson.loads(request.content).get("stream") is True
    return Answer(upstream.host, streamed=streamed, exact=exact)


async def _beginning(pieces: AsyncIterator[bytes]) -> bytes:
    """As much as is read of a failure; an end before its time does no harm, as the status tells enough."""
    read = bytearray()
    with suppress(httpx.HTTPError):
        async for data in pieces:
            read += data
            if len(read) >= MOST_OF_A_FAILURE:
                break
    return bytes(read[:MOST_OF_A_FAILURE])


def _beginning_sync(pieces: Iterator[bytes]) -> bytes:
    read = bytearray()
    with suppress(httpx.HTTPError):
        for data in pieces:
            read += data
            if len(read) >= MOST_OF_A_FAILURE:
                break
    return bytes(read[:MOST_OF_A_FAILURE])


def _broken(upstream: Upstream, answer: httpx.Response, error: Exception) -> UpstreamError:
    """What is to be told where the body of an answer cannot be read to its end."""
    host = upstream.host
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return UpstreamError(f"{host} sent nothing for {upstream.timeout:g} s", late=True)
    if isinstance(error, httpx.DecodingError):
        encoding = excerpt(answer.headers.get("content-encoding", ""))
        return UpstreamError(f"{host} sent an answer that is not {encoding}, as it says")
    return UpstreamError(f"{host} broke off its answer ({excerpt(str(error)) or type(error).__name__})")
