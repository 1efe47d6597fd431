"""One frame, one request, and what comes back to it, as the rules look at them. PURE."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.contract.chldo.words import RETURN_VOICE, VOICE_FLAGS, Revision

Json = dict[str, Any]

TURN_KINDS = frozenset(
    [
        "START",
        "END",
        "received",
        "history",
        "memory",
        "think",
        "greeting",
        "event",
        "token",
        "whole",
        "voice_ready",
        "hotword_detected",
        "memory_dict",
        "choices",
        "choices_end",
        "message",
    ]
)
"""Kinds of frame that belong to a turn or a greeting."""

UNSEEN = "unseen"
"""Mark of a request that a recording does not show."""

_STATUSES = TURN_KINDS - {"event", "token", "whole", "choices_end", "message"}


@dataclass(frozen=True, slots=True)
class Frame:
    """A message from the server. `number`: its place in the recording, from 1. `body`: None if it is no JSON object."""

    number: int
    at: float
    raw: str
    body: Json | None
    kind: str

    @classmethod
    def of(cls, number: int, at: float, text: str | None, data: bytes | None) -> Frame:
        if text is None:
            return cls(number, at, f"<{len(data or b'')} bytes of binary>", None, "binary")
        body = parsed(text)
        return cls(number, at, text, body, "garbage" if body is None else kind_of(body))

    def get(self, key: str) -> Any:
        """A value of the frame, None if it has none."""
        return _value(self.body, key)

    @property
    def text(self) -> str:
        """The piece of the reply in it, of a token, a whole reply or a flat message."""
        chunk = self.chunk
        if chunk is not None:
            if isinstance(chunk.get("content"), str):
                return str(chunk["content"])
            if spoken := assistant_text(chunk):
                return spoken
        msg = self.get("msg")
        return msg if isinstance(msg, str) else ""

    @property
    def chunk(self) -> Json | None:
        """`data.chunk`."""
        data = self.get("data")
        chunk = data.get("chunk") if isinstance(data, dict) else None
        return chunk if isinstance(chunk, dict) else None

    @property
    def parents(self) -> list[str]:
        """The runs around it, outermost first."""
        parents = self.get("parent_ids")
        return [str(parent) for parent in parents] if isinstance(parents, list) else []

    @property
    def tags(self) -> list[str]:
        tags = self.get("tags")
        return [str(tag) for tag in tags] if isinstance(tags, list) else []

    @property
    def root(self) -> str | None:
        """The outermost run of a LangGraph event."""
        if self.body is None or "run_id" not in self.body:
            return None
        return self.parents[0] if self.parents else str(self.body["run_id"])


def _value(body: Json | None, key: str) -> Any:
    """A value; one that should be an id, and is a list or an object, as its JSON, so that ids can be looked up."""
    value = None if body is None else body.get(key)
    if key.endswith(("_uid", "_id")) and isinstance(value, list | dict):
        return json.dumps(value)
    return value


def parsed(text: str) -> Json | None:
    """The JSON object in a text; None if it is anything else."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def assistant_text(chunk: Json) -> str | None:
    """The content of the one assistant message of an `on_chain_stream` chunk, directly or under a node's name."""
    nested = (chunk, *(part for part in chunk.values() if isinstance(part, dict)))
    for part in nested:
        messages = part.get("messages")
        if isinstance(messages, list) and len(messages) == 1 and isinstance(messages[0], dict):
            content = messages[0].get("content")
            if messages[0].get("role") == "assistant" and isinstance(content, str):
                return content
    return None


def kind_of(body: Json) -> str:
    """What a frame is, by the wire's own name where it has one; `unknown` if it is nothing of this wire."""
    status = body.get("status")
    if "client_num" in body or (status is None and "stream_uid" in body and "voice_url" in body):
        return "message"
    if status is None and "event" in body:
        return "token" if body["event"] == "on_chat_model_stream" else "event"
    if status is None:
        return "Forbidden" if "connectionId" in body or body.get("message") == "Forbidden" else "unknown"
    if status == "connected":
        return "error" if "msg" in body else "status"
    if status == "stream":
        return "whole" if body.get("event") == "on_chain_stream" else "token"
    if status == "choices":
        return "choices_end" if "choices" in body or "use_choices" in body else "choices"
    return status if isinstance(status, str) and status in _STATUSES else "unknown"


@dataclass(frozen=True, slots=True)
class Request:
    """A message from the client. `body`: None if it is no JSON object. `marks`: what a probe knows of it."""

    number: int
    at: float
    raw: str
    body: Json | None
    marks: frozenset[str] = frozenset()

    @property
    def shown(self) -> bool:
        """Whether the recording has it. If not, its action is guessed, and nothing is known of its fields."""
        return UNSEEN not in self.marks

    @property
    def action(self) -> object:
        return None if self.body is None else self.body.get("action")

    def get(self, key: str) -> Any:
        """A field of the request, None if it has none."""
        return _value(self.body, key)

    def has(self, key: str) -> bool:
        """Whether it is there and says something; null and "" are neither there nor away (spec is silent)."""
        return self.get(key) not in (None, "")

    def is_turn(self, revision: Revision) -> bool:
        return self.action == revision.action

    def is_greeting(self, revision: Revision) -> bool:
        return self.action == "greeting" and revision.id >= "2024-09-11"

    @property
    def flag(self) -> int | None:
        """return_voice as a number; None if it was left out or is none of the four documented values."""
        value = self.get("return_voice")
        if isinstance(value, bool) or not isinstance(value, int | str):
            return None
        return VOICE_FLAGS.get(value)

    def failures(self, revision: Revision) -> list[str] | None:
        """The documented refusals that it deserves, in the order of the checks (spec 0.5); None where the documents
        do not say, as for a field that is null.
        """
        if self.body is None or not self.shown or not (self.is_turn(revision) or self.is_greeting(revision)):
            return None
        requires = [key for key in revision.requires if key != "msg" or self.action != "greeting"]
        asked = (*requires, "api_key", "msg")
        if any(key in self.body and not (isinstance(self.body[key], str) and self.body[key]) for key in asked):
            return None
        found = [f"{key} is required" for key in requires if key not in self.body]
        if "return_voice" in self.body and self.flag is None:
            if self.body["return_voice"] in (None, ""):
                return None
            found.append(RETURN_VOICE)
        if "unknown-key" in self.marks:
            found.append("api_key is not exist")
        if "unusable-key" in self.marks:
            found.append("api_key is not usable")
        return found


@dataclass(slots=True)
class Exchange:
    """A request and the frames that answer it.

    `began`: a turn came of it. `over`: what had to come has come. `tangled`: frames may belong to another turn that
    ran at the same time, because nothing in them tells.
    """

    place: str
    request: Request
    frames: list[Frame] = field(default_factory=list)
    began: bool = False
    over: bool = False
    tangled: bool = False

    def of(self, *kinds: str) -> list[Frame]:
        """Its frames of these kinds."""
        return [frame for frame in self.frames if frame.kind in kinds]

    def first(self, kind: str) -> Frame | None:
        return next((frame for frame in self.frames if frame.kind == kind), None)

    @property
    def kinds(self) -> list[str]:
        return [frame.kind for frame in self.frames]

    @property
    def failed(self) -> bool:
        """Whether a turn failed inside its flow."""
        return self.began and "error" in self.kinds

    @property
    def room(self) -> Any:
        """The request's room_uid; where the recording has no request, that of the first frame with one, or None."""
        if self.request.shown:
            return self.request.get("room_uid")
        return next((frame.get("room_uid") for frame in self.frames if frame.get("room_uid") is not None), None)

    @property
    def tokens(self) -> list[Frame]:
        """The frames that carry the reply: tokens, or the whole of it, or flat texts."""
        return [
            frame
            for frame in self.frames
            if frame.kind in ("token", "whole") or (frame.kind == "message" and not frame.get("voice_url"))
        ]

    @property
    def voices(self) -> list[Frame]:
        """The frames that announce a voice."""
        return [
            frame
            for frame in self.frames
            if frame.kind == "voice_ready" or (frame.kind == "message" and frame.get("voice_url"))
        ]


@dataclass(frozen=True, slots=True)
class Connection:
    """One socket. `unasked`: frames before any request. `close`: code and reason of the server's close."""

    name: str
    exchanges: tuple[Exchange, ...]
    unasked: tuple[Frame, ...] = ()
    close: tuple[int, str] | None = None
    watched: bool = False

    @property
    def frames(self) -> Iterator[Frame]:
        """All frames from the server, in the order of their requests."""
        yield from self.unasked
        for exchange in self.exchanges:
            yield from exchange.frames
