"""A completion that a model behind an upstream answers: what is sent goes there, and back, byte for byte.

Only the key is another. What turns out to be no answer fails as `app.agent.upstream` tells it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.types import Receive, Scope, Send

from app.agent.models import ChatModels
from app.agent.upstream import UpstreamError, is_json, refusal_text
from app.chldo.bad_requests import error_body
from app.chldo.completion_answer import Delivery
from app.chldo.completion_shapes import TIMED_OUT, Failure
from app.chldo.completions import RESPONSES, PassedAsk
from app.chldo.response_rendering import error_event
from app.json_text import loads

if TYPE_CHECKING:
    import httpx

log = logging.getLogger("app.chldo.proxy")

_NOT_THERE = (404, 405, 501)
_DATA = re.compile(rb"(?m)^data:")
_TOLD = ("retry-after", "retry-after-ms", "x-should-retry", "x-request-id")
"""Headers of an upstream that clients heed, beside those of its rate limits."""


class Refusal(Exception):
    """An answer of an upstream that has a status of failure."""

    def __init__(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.body = body
        self.headers = headers


class PassedAnswer(Delivery):
    """One such completion. `headers`: what the upstream is sent beside the body and the key."""

    def __init__(
        self,
        models: ChatModels,
        ask: PassedAsk,
        headers: Mapping[str, str],
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        path: str,
    ) -> None:
        super().__init__(scope, receive, send)
        self._models = models
        self._ask = ask
        self._headers = headers
        self._path = path
        self._passed = 0
        """Events that went through: the events of a response are numbered."""

    async def give(self, *, limit: float) -> None:
        asking = self._models.endpoint.post(
            self._path, self._ask.body, streamed=self._ask.stream, headers=self._headers
        )
        async with asyncio.timeout(limit), asking as answer:
            if answer.status_code >= 300:
                raise Refusal(answer.status_code, await answer.aread(), answer.headers)
            if self._ask.stream:
                await self._stream(answer)
            else:
                await self.put(200, await answer.aread(), _told(answer.headers))

    def failure(self, error: Exception) -> Failure:
        models = self._models
        if isinstance(error, Refusal):
            return self._refused(error)
        if isinstance(error, TimeoutError):
            return TIMED_OUT
        told = models.tell(error)
        late = (isinstance(error, UpstreamError) and error.late) or "Timeout" in type(error).__name__
        log.warning("completion failed: %s", models.tell_log(error), exc_info=not models.is_upstream_error(error))
        return Failure(504 if late else 502, error_body(told, "server_error", code="timeout" if late else None))

    def _broken(self, failure: Failure) -> bytes:
        return error_event(failure, self._passed) if self._path == RESPONSES else super()._broken(failure)

    async def _stream(self, answer: httpx.Response) -> None:
        async for events in answer.aiter_bytes():
            if not self._events:
                await self._start(_told(answer.headers))
            self._passed += len(_DATA.findall(events))
            await self._event(events)
        await self._end()

    def _refused(self, error: Refusal) -> Failure:
        """What the upstream has said, if it is JSON; a page of somebody on the way to it is told in a line."""
        status = error.status if 400 <= error.status <= 599 else 502
        body = self._models.veiled(error.body)
        headers = _told(error.headers)
        if self._path == RESPONSES and status in _NOT_THERE and not _in_openais_form(body):
            host = self._models.upstream.host
            message = f"{host} does not serve {RESPONSES} (status {status}): ask for chat completions instead."
            return Failure(status, error_body(message, "invalid_request_error", code="unknown_url"), headers)
        if error.status >= 400 and is_json(body):
            return Failure(status, body, headers)
        text = refusal_text(self._models.upstream.host, error.status, body, error.headers.get("location", ""))
        kind = "server_error" if status >= 500 else "invalid_request_error"
        return Failure(status, error_body(text, kind, code=str(error.status)), headers)


def _in_openais_form(body: bytes) -> bool:
    """Whether an error is one of an endpoint that is there, and not that there is none."""
    try:
        told = loads(body)
    except ValueError:
        return False
    return isinstance(told, dict) and isinstance(told.get("error"), dict) and told["error"].get("code") != "unknown_url"


def _told(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an answer that the client is told."""
    return {name: value for name, value in headers.items() if name in _TOLD or name.startswith("x-ratelimit-")}
