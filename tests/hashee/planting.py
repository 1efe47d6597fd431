"""Defects around a live server that the emulator's own faults cannot plant in it: what HTTP answers, how sockets close,
what a server makes of a frame.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Json = dict[str, Any]


@dataclass(frozen=True)
class Answers:
    """Answers to a method and path say something else; `status` in place of theirs."""

    method: str
    path: str
    edit: Callable[[Json], Json]
    status: int = 0


@dataclass(frozen=True)
class Closes:
    """Sockets that should close with that code and reason close with another code."""

    code: int
    instead: int
    reason: str


@dataclass(frozen=True)
class Hears:
    """A socket hears `instead` of what clients say in frames that fit."""

    what: str
    instead: str


@dataclass(frozen=True)
class Echoes:
    """A frame of that type is followed by what `make` makes of it."""

    type: str
    make: Callable[[Json], Json]


Defect = Answers | Closes | Hears | Echoes


class Planting:
    """Wraps an application; what is in `defects` happens."""

    def __init__(self) -> None:
        self.defects: list[Defect] = []
        self._app: ASGIApp

    def wrap(self, app: ASGIApp) -> ASGIApp:
        self._app = app
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and self.defects:
            await self._app(scope, self._heard(receive), self._said(send))
        elif scope["type"] == "http" and (found := self._answers(scope)):
            await self._app(scope, receive, _Answer(found, send).send)
        else:
            await self._app(scope, receive, send)

    def _answers(self, scope: Scope) -> list[Answers]:
        return [
            one
            for one in self.defects
            if isinstance(one, Answers) and one.method == scope["method"] and re.search(one.path, scope["path"])
        ]

    def _heard(self, receive: Receive) -> Receive:
        async def hear() -> Message:
            message = await receive()
            for one in self.defects:
                if isinstance(one, Hears) and one.what in (message.get("text") or ""):
                    return {**message, "text": one.instead}
            return message

        return hear

    def _said(self, send: Send) -> Send:
        async def say(message: Message) -> None:
            for one in self.defects:
                if isinstance(one, Closes) and _closes(message) == (one.code, one.reason):
                    message = {**message, "code": one.instead}
            await send(message)
            text = message.get("text")
            body = json.loads(text) if text else {}
            for one in self.defects:
                if isinstance(one, Echoes) and body.get("type") == one.type:
                    await send({"type": "websocket.send", "text": json.dumps(one.make(body))})

        return say


def _closes(message: Message) -> tuple[int, str]:
    return (message["code"], message.get("reason") or "") if message["type"] == "websocket.close" else (0, "")


class _Answer:
    """One answer, held back until its body is whole."""

    def __init__(self, found: list[Answers], send: Send) -> None:
        self._found = found
        self._send = send
        self._start: Message = {}
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        body = json.loads(self._body)
        for one in self._found:
            body = one.edit(body)
        told = json.dumps(body).encode()
        status = next((one.status for one in self._found if one.status), self._start["status"])
        headers = [(name, value) for name, value in self._start["headers"] if name.lower() != b"content-length"]
        headers.append((b"content-length", str(len(told)).encode()))
        await self._send({**self._start, "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": told})
