"""What clients say over a socket: frames parsed and checked. PURE.

text -> parse -> Auth | Renew | Ping | StreamFrame | Typing | Invalid
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from app.hashee.identifiers import ULID
from app.json_text import loads

CONTENT_TYPE = re.compile(r"[a-z][a-z_]{0,31}")
LONGEST_ID = 64
LONGEST_TOKEN = 4096
LONGEST_PAYLOAD = 200 * 1024
"""Characters of an encrypted payload: what the service allows an artifact with its envelope."""


@dataclass(frozen=True, slots=True)
class Auth:
    """The first frame. `agent_id` is None on /ws/human."""

    token: str
    agent_id: str | None


@dataclass(frozen=True, slots=True)
class Renew:
    """A new access token for an open socket."""

    access_token: str


@dataclass(frozen=True, slots=True)
class Ping:
    """`{"type": "ping"}`."""


@dataclass(frozen=True, slots=True)
class PongBack:
    """`{"type": "pong"}`: taken as a sign of life."""


@dataclass(frozen=True, slots=True)
class StreamFrame:
    """A step of a stream: `start`, `delta`, `done` or `abort`. `encrypted_payload` is "" where there is none."""

    step: str
    stream_id: str
    conversation_id: str
    encrypted_payload: str
    client_message_id: str | None
    content_type: str


@dataclass(frozen=True, slots=True)
class Typing:
    """An agent is typing, or stops."""

    conversation_id: str
    typing: bool


@dataclass(frozen=True, slots=True)
class Invalid:
    """A frame that is none of these; the text says why."""

    why: str


Said = Auth | Renew | Ping | PongBack | StreamFrame | Typing | Invalid

_WITH_PAYLOAD = ("stream.delta", "stream.done")
_STREAM = ("stream.start", *_WITH_PAYLOAD, "stream.abort")


def parse(text: str) -> Said:
    """What a frame says."""
    try:
        body = loads(text)
    except ValueError:
        return Invalid("the frame is no JSON")
    if not isinstance(body, dict):
        return Invalid("the frame is no JSON object")
    kind = body.get("type")
    if kind == "ping":
        return Ping()
    if kind == "pong":
        return PongBack()
    if kind == "auth":
        token, agent_id = body.get("token"), body.get("agent_id")
        if not _text(token, LONGEST_TOKEN) or not (agent_id is None or _text(agent_id)):
            return Invalid("auth needs a token")
        return Auth(token, agent_id)
    if kind == "auth.renew":
        token = body.get("access_token")
        return Renew(token) if _text(token, LONGEST_TOKEN) else Invalid("auth.renew needs an access_token")
    if kind in _STREAM:
        return _stream(kind, body)
    if kind == "typing":
        conversation, typing = body.get("conversation_id"), body.get("typing", True)
        if not _text(conversation) or not isinstance(typing, bool):
            return Invalid("typing needs a conversation_id and true or false")
        return Typing(conversation, typing)
    return Invalid(f"unknown type {str(kind)[:40]!r}")


def _stream(kind: str, body: Mapping[str, Any]) -> StreamFrame | Invalid:
    stream_id, conversation = body.get("stream_id"), body.get("conversation_id")
    if not isinstance(stream_id, str) or not ULID.fullmatch(stream_id):
        return Invalid(f"{kind} needs a stream_id (a ULID)")
    if not _text(conversation):
        return Invalid(f"{kind} needs a conversation_id")
    payload = body.get("encrypted_payload", "")
    if not isinstance(payload, str) or "\0" in payload or (kind in _WITH_PAYLOAD and not payload):
        return Invalid(f"{kind} needs an encrypted_payload")
    client_id, content = body.get("client_message_id"), body.get("content_type", "text")
    if not (client_id is None or _text(client_id)):
        return Invalid(f"{kind} has a client_message_id that is no short text")
    if not isinstance(content, str) or not CONTENT_TYPE.fullmatch(content):
        return Invalid(f"{kind} has a content_type that is no word")
    return StreamFrame(kind.partition(".")[2], stream_id, conversation, payload, client_id, content)


def _text(value: object, longest: int = LONGEST_ID) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= longest and "\0" not in value
