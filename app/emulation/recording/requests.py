"""Plain HTTP through to the server that is recorded: nothing changed, nothing recorded, nothing put together."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator

import h11
import httpcore

from app.emulation.recording.upstream import CONNECT_TIMEOUT, Upstream, passed_on, why_not

TIMEOUT = {"connect": CONNECT_TIMEOUT, "read": 300.0, "write": 60.0, "pool": 60.0}
CONNECTIONS = 64

Answer = h11.Response | h11.Data | h11.EndOfMessage


class Requests:
    """Sends requests on."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=upstream.tls or ssl.create_default_context(), max_connections=CONNECTIONS
        )

    async def close(self) -> None:
        """Lets go of the connections."""
        await self._pool.aclose()

    async def answer(self, request: h11.Request, body: AsyncIterator[bytes]) -> AsyncGenerator[Answer, None]:
        """What the server answers, as it comes. If it cannot be reached: 502 or 504 with a reason in JSON."""
        asked = request.target.decode("latin-1")
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw_items()]
        sent = [("Host", self._upstream.authority), *passed_on(headers, without=("host",))]
        if any(name.lower() == "transfer-encoding" for name, _ in headers):
            sent.append(("Transfer-Encoding", "chunked"))
        upstream = self._upstream
        url = httpcore.URL(
            scheme=b"https" if upstream.tls else b"http",
            host=upstream.host.encode(),
            port=upstream.port,
            target=upstream.target(asked).encode("latin-1"),
        )
        outgoing = httpcore.Request(request.method, url, headers=sent, content=body, extensions={"timeout": TIMEOUT})
        begun = False
        try:
            answer = await self._pool.handle_async_request(outgoing)
            try:
                kept = passed_on((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers)
                begun = True
                yield h11.Response(
                    status_code=answer.status, headers=kept, reason=answer.extensions.get("reason_phrase", b"")
                )
                async for part in answer.aiter_stream():
                    yield h11.Data(data=part)
                yield h11.EndOfMessage()
            finally:
                await answer.aclose()
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            if begun:
                raise OSError(f"the answer of {upstream.authority} broke off") from error
            late = isinstance(error, httpcore.TimeoutException)
            cause: Exception = TimeoutError() if late else error
            for event in refusal(504 if late else 502, why_not(_root(cause), upstream)):
                yield event


def refusal(status: int, message: str) -> list[Answer]:
    """An answer of the recorder's own."""
    body = json.dumps({"message": message}, ensure_ascii=False).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return [h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage()]


def _root(error: BaseException) -> Exception:
    """The operating system's own error behind one of httpcore's, if there is one."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError):
            return found
        found = found.__cause__ or found.__context__
    return error if isinstance(error, Exception) else OSError(str(error))
