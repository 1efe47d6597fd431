"""Plants defects around a live server that the emulator's own faults cannot plant in it.

The vocabulary is that of fault rules: `{fault: KIND, when: {…}, count: N, skip: N, …}`. `when.action`, `when.key` and
`when.message` are the last request's; `count` and `skip` are per socket. Beyond that vocabulary are `says` and `has` in
`when` (the frame's msg; which fields the request has), `voice` and `stream` (of the request), and the kinds of what no
fault does: what a server makes of a request (`ignore`, `rewrite`, `answer`, `too-big`), `push`, `binary`,
`close-after`, `voice-open`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.chldo.reading import frame_type

Json = dict[str, Any]


class Planting:
    """Wraps an application; what is in `faults` happens from the next socket or request on."""

    def __init__(self) -> None:
        self.faults: Sequence[Json] = ()
        self._app: ASGIApp

    def wrap(self, app: ASGIApp) -> ASGIApp:
        self._app = app
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            socket = _Socket(self.faults, receive, send)
            await self._app(scope, socket.receive, socket.send)
        elif scope["type"] == "http" and "/room_uid_voice/" in scope["path"]:
            await self._app(scope, receive, _Download(self.faults, send).send)
        else:
            await self._app(scope, receive, send)


class _Socket:
    def __init__(self, faults: Sequence[Json], receive: Receive, send: Send) -> None:
        self._faults = faults
        self._receive = receive
        self._send = send
        self._seen: Counter[int] = Counter()
        self._asked: Json = {}
        self._owed: list[str] = []
        self._closed = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.receive" and message.get("text"):
            body = _object(message["text"])
            self._asked = body
            for fault in self._faults:
                if not _fits(fault.get("when", {}), "", body):
                    continue
                match fault["fault"]:
                    case "ignore":
                        return await self.receive()
                    case "answer":
                        self._owed.append(fault["text"])
                        return await self.receive()
                    case "rewrite":
                        message = {**message, "text": json.dumps(body | fault["set"], ensure_ascii=False)}
                    case "too-big" if fault["above"] < len(message["text"]) <= fault["up_to"]:
                        self._closed = True
                        await self._send({"type": "websocket.close", "code": 1009})
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.accept":
            await self._send(message)
            for number, fault in enumerate(self._faults):
                if fault["fault"] == "push" and self._strikes(number, fault, "accept"):
                    await self._text(fault["text"])
            return
        if message["type"] != "websocket.send" or message.get("text") is None:
            if message["type"] == "websocket.close" and self._closed:
                return
            await self._send(message)
            return
        texts = [message["text"]]
        for number, fault in enumerate(self._faults):
            texts = [text for one in texts for text in await self._struck(number, fault, one)]
        for text in texts:
            await self._text(text)
        if own := _object(message["text"]).get("connection_id"):
            while self._owed:
                await self._text(self._owed.pop().replace("$ID", own))

    async def _text(self, text: str) -> None:
        if self._closed:
            return
        await self._send({"type": "websocket.send", "text": text})

    def _strikes(self, number: int, fault: Json, kind: str, msg: object = None) -> bool:
        when = fault.get("when", {})
        if not _fits(when, kind, self._asked) or when.get("says", msg) != msg:
            return False
        self._seen[number] += 1
        skip = fault.get("skip", 0)
        count: int = fault.get("count", 10**9)
        return bool(skip < self._seen[number] <= skip + count)

    async def _struck(self, number: int, fault: Json, text: str) -> list[str]:
        """What is sent in place of one frame."""
        body = _object(text)
        if not self._strikes(number, fault, frame_type(body), body.get("msg")):
            return [text]
        match fault["fault"]:
            case "edit":
                return [json.dumps(edited(body, fault), ensure_ascii=False)]
            case "drop":
                return []
            case "duplicate":
                return [text, text]
            case "binary":
                await self._send({"type": "websocket.send", "bytes": text.encode()})
                return []
            case "close-after":
                await self._text(text)
                self._closed = True
                await self._send({"type": "websocket.close", "code": fault["code"]})
                return []
            case _:
                return [text]


class _Download:
    """One GET of a voice."""

    def __init__(self, faults: Sequence[Json], send: Send) -> None:
        self._open = any(fault["fault"] == "voice-open" for fault in faults)
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self._open:
            message = {**message, "status": 200}
        await self._send(message)


def _object(text: str) -> Json:
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _fits(when: Json, kind: str, asked: Json) -> bool:
    frame = when.get("frame", kind)
    if not (re.search(frame["regex"], kind) if isinstance(frame, dict) else kind == frame):
        return False
    names = {"action": "action", "key": "api_key", "message": "msg", "stream": "stream", "voice": "return_voice"}
    return all(asked.get(field) == when[name] for name, field in names.items() if name in when) and all(
        (field in asked) is there for field, there in when.get("has", {}).items()
    )


def edited(body: Json, fault: Json) -> Json:
    """A frame after `edit`: rename, set, remove, then order. A dotted key reaches inside."""
    found = {fault.get("rename", {}).get(key, key): value for key, value in body.items()}
    for path, value in fault.get("set", {}).items():
        inner = found
        *way, last = path.split(".")
        for key in way:
            inner[key] = dict(inner[key])
            inner = inner[key]
        inner[last] = value
    for path in fault.get("remove", ()):
        inner = found
        *way, last = path.split(".")
        for key in way:
            inner[key] = dict(inner[key])
            inner = inner[key]
        inner.pop(last, None)
    order = fault.get("order", ())
    return {key: found[key] for key in order if key in found} | found
