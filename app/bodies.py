"""Bodies of HTTP requests, for every door: bounded, and parsed off the event loop where they are large."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope

from app.json_text import loads

OFF_LOOP = 64 * 1024
"""Bytes above which a body is parsed in a thread."""


class BodyTooLarge(HTTPException):
    """More than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"expected at most {limit} bytes, found more", {"connection": "close"})


class BoundedRequest(Request):
    """A request whose body has at most `limit` bytes, and may be any JSON that Python reads. `body()` raises
    `BodyTooLarge`, before anything is read if the request says so itself.
    """

    def __init__(self, scope: Scope, receive: Receive, *, limit: int) -> None:
        super().__init__(scope, receive)
        self._limit = limit

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            declared = self.headers.get("content-length", "")
            if declared.isdecimal() and (len(declared) > 18 or int(declared) > self._limit):
                raise BodyTooLarge(self._limit)
            body = bytearray()
            async for piece in self.stream():
                body += piece
                if len(body) > self._limit:
                    raise BodyTooLarge(self._limit)
            self._body = bytes(body)
        return self._body

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            data = await self.body()
            self._json = await asyncio.to_thread(loads, data) if len(data) > OFF_LOOP else loads(data)
        return self._json
