"""Recordings of Hashee's sockets are played to other people: with other tokens, payloads and conversations."""

from __future__ import annotations

import json
from typing import Any

from app.hashee.tape_reading import wire_of_tapes
from tests.replay.sessions import server_of, talking, tape

STREAM = {"stream_id": "01JD8Z6Q0V5X9T4N3M2K1H0GFE", "conversation_id": "conv-7hQ2kLm9"}


def step(kind: str, payload: str = "", **more: Any) -> dict[str, Any]:
    said = {"type": f"stream.{kind}", **STREAM, **more}
    return said | {"encrypted_payload": payload} if payload else said


TALK = tape(
    (">", 0.1, {"type": "auth", "token": "redacted-token-1", "agent_id": "agent-1"}),
    ("<", 0.2, {"type": "auth.ok"}),
    (">", 1.0, step("start")),
    (">", 1.1, step("delta", "SGVs")),
    (">", 1.2, step("delta", "bG8=")),
    (">", 1.3, step("done", "SGVsbG8=")),
    ("<", 1.4, {"type": "message.ack", "payload": {"conversation_id": STREAM["conversation_id"], "message_id": "m"}}),
    url="ws://h/ws/agent?agent_id=agent-1",
)


async def test_what_is_encrypted_only_has_to_be_there() -> None:
    server = server_of([TALK], wire=wire_of_tapes(262_144))
    other = {"stream_id": "01JD8Z6Q0V5X9T4N3M2K1H0ABC", "conversation_id": "conv-other1234"}
    async with talking(server, "/ws/agent?agent_id=agent-2") as client:
        limit = client.messages[0]
        assert limit == {"type": "emulator.limit", "bytes": 262_144}
        assert await client.ask({"type": "auth", "token": "another", "agent_id": "agent-2"}) == [{"type": "auth.ok"}]
        for kind, payload in (("start", ""), ("delta", "b3Ro"), ("delta", "ZXI=")):
            client.send(step(kind, payload, **other))
        (told,) = await client.ask(step("done", "b3RoZXI=", **other))
        assert told["type"] == "message.ack"
        assert told["payload"]["conversation_id"] == other["conversation_id"]


async def test_what_no_tape_answers_is_refused_as_an_error_of_the_wire() -> None:
    async with talking(server_of([TALK], wire=wire_of_tapes(1)), "/ws/agent?agent_id=agent-2") as client:
        (told,) = await client.ask({"type": "typing", "conversation_id": "c", "typing": True})
    assert list(told) == ["type", "payload"]
    assert (told["type"], told["payload"]["code"]) == ("error", "NOT_ON_TAPE")
    assert told["payload"]["i18n_key"] == "error.not_on_tape"
    assert told["payload"]["message"].startswith("no tape answers this request")
    assert json.dumps(told).isascii()
