"""A small client of the chldo API: ask, and get the whole answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect


class ChldoError(Exception):
    """The server said no: to the request, or in the middle of a turn."""


class ConnectionLost(Exception):
    """The connection went away in every attempt."""


@dataclass
class Answer:
    """What a turn brought."""

    text: str = ""
    voices: list[str] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)


class Chat:
    """Talks in the room that `url` names. `attempts`: how often a turn is asked for when the connection is lost;
    `patience`: seconds without a frame before it is given up.
    """

    def __init__(self, url: str, api_key: str, *, attempts: int = 3, patience: float = 10.0) -> None:
        query = parse_qs(urlsplit(url).query)
        self._url = url
        self._about = {"api_key": api_key, "room_uid": query["room_uid"][0], "user_id": query["user_uid"][0]}
        self._attempts = attempts
        self._patience = patience
        self._socket: ClientConnection | None = None
        self._open = ExitStack()

    def __enter__(self) -> Chat:
        return self

    def __exit__(self, *error: object) -> None:
        self._drop()

    def ask(self, msg: str, *, on_token: Callable[[str], object] = lambda token: None, **more: Any) -> Answer:
        """The answer to a message. Raises `ChldoError`, `ConnectionLost`, TimeoutError."""
        for _ in range(self._attempts):
            try:
                return self._try({"action": "sendmsg", **self._about, "msg": msg, **more}, on_token)
            except TimeoutError:
                self._drop()
                raise
            except (WebSocketException, OSError):
                self._drop()  # a turn whose connection is lost has left no trace, so it may be asked for again
        raise ConnectionLost(f"{self._attempts} times")

    def _try(self, request: dict[str, Any], on_token: Callable[[str], object]) -> Answer:
        if self._socket is None:
            # Frames wait in memory without a limit: behind unread ones a close would not be seen.
            self._socket = self._open.enter_context(connect(self._url, compression=None, max_queue=None))
        self._socket.send(json.dumps(request))
        answer = Answer()
        while True:
            frame = _parse(self._socket.recv(self._patience))
            match frame:
                case {"msgtype": "error", "msg": said}:
                    self._drop()  # whatever still comes of this turn is not part of the next one
                    raise ChldoError(said)
                case {"status": "stream", "msg": token}:
                    on_token(token)
                    answer.text += token
                case {"status": "voice_ready", "voice_url": url}:
                    answer.voices.append(url)
                case {"status": "choices", "choices": offered}:
                    answer.choices = [choice["text"] for choice in offered]
                case {"status": "END"}:
                    return answer

    def _drop(self) -> None:
        self._open.close()
        self._socket = None


def _parse(text: str | bytes) -> object:
    """A frame; nothing for what is no JSON, which no part of an answer is."""
    try:
        return json.loads(text)
    except ValueError:
        return None
