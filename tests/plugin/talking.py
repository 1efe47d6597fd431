"""A client on a socket, for tests that need no event loop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from pytest_chldo import Emulator

PATIENCE = 30.0

Json = dict[str, Any]


class Talker:
    """One socket in one room."""

    def __init__(self, socket: ClientConnection, room: str, api_key: str) -> None:
        self.socket = socket
        self.room = room
        self._about = {"action": "sendmsg", "room_uid": room, "user_id": "tester", "api_key": api_key}

    def send(self, msg: str | None, **fields: Any) -> None:
        said = {} if msg is None else {"msg": msg}
        self.socket.send(json.dumps({**self._about, **said, **fields}))

    def receive(self) -> Json:
        frame = json.loads(self.socket.recv(PATIENCE))
        assert isinstance(frame, dict)
        return frame

    def turn(self, msg: str | None, **fields: Any) -> list[Json]:
        """Sends, and gives the frames up to END or the one refusal."""
        self.send(msg, **fields)
        frames = [self.receive()]
        while frames[-1].get("status") != "END" and frames[0].get("msgtype") != "error":
            frames.append(self.receive())
        return frames

    def ask(self, msg: str | None, **fields: Any) -> str:
        """The text of the answer."""
        return "".join(frame["msg"] for frame in self.turn(msg, **fields) if frame["status"] == "stream")


@contextmanager
def talking(emulator: Emulator, room: str | None = None, **query: str) -> Iterator[Talker]:
    """A socket in a room, a fresh one by default."""
    chosen = room or emulator.room()
    with connect(emulator.ws_url(chosen, **query), compression=None, max_queue=None) as socket:
        yield Talker(socket, chosen, emulator.api_key)


@pytest.fixture
def talker(emulator: Emulator) -> Iterator[Talker]:
    """A socket in a fresh room."""
    with talking(emulator) as talker:
        yield talker
