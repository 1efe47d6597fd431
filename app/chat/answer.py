"""What the frames of a turn say, in every revision of the wire. PURE.

How a turn ends: END; the root's `on_chain_end` where there was no START (2024-07-01); an error frame outside START and
END. The flat wire (2023-12-28) marks no end: `Answer.flat` says so, and whoever listens ends the turn after a pause.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

ACTION_HINT = (
    " (the server knows no such action: greetings came with revision 2024-09-11;"
    " revision 2023-12-28 is spoken at the path /v1/)"
)


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """A status, by the wire's name for it."""

    status: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A voice to fetch. `seconds` is None in the revisions that do not say how long it is."""

    url: str
    sent_uid: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Offered:
    """One choice of what to say next."""

    text: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What the server calls an error."""

    text: str


Event = Said | Told | Spoken | Offered | Wrong


class Answer:
    """Reads the frames of one turn. `over`: nothing more comes. `failed`: there was an error frame."""

    def __init__(self) -> None:
        self.over = self.failed = self.flat = False
        self._started = False
        self._streamed = False
        self._whole = ""

    def read(self, raw: str) -> list[Event]:
        """What one text message says; [] for the inner steps of the graph."""
        try:
            frame = json.loads(raw)
        except (ValueError, RecursionError):
            frame = None
        if not isinstance(frame, dict):
            return [Told("frame", raw)]
        if frame.get("msgtype") == "error":
            return self._wrong(_text(frame.get("msg")))
        if "connectionId" in frame and isinstance(frame.get("message"), str):
            return self._wrong(frame["message"] + (ACTION_HINT if frame["message"] == "Forbidden" else ""))
        if isinstance(frame.get("status"), str):
            return self._enveloped(frame["status"], frame)
        if isinstance(frame.get("event"), str):
            return self._graph(frame["event"], frame)
        if "stream_uid" in frame and "msg" in frame:
            self.flat = True
            return [_spoken(frame)] if frame.get("voice_url") else [Said(_text(frame["msg"]))]
        return [Told("frame", raw)]

    def _wrong(self, text: str) -> list[Event]:
        self.failed = True
        self.over = not self._started
        return [Wrong(text)]

    def _enveloped(self, status: str, frame: dict[str, Any]) -> list[Event]:
        msg = _text(frame.get("msg"))
        match status:
            case "START":
                self._started = True
                return [Told(status)]
            case "END":
                self.over = True
                return [Told(status)]
            case "greeting":
                return [Said(msg)]
            case "stream":
                return [Said(msg or _content(frame))]
            case "voice_ready":
                return [_spoken(frame)]
            case "choices":
                choices = [
                    Offered(text, _text(choice.get("tone")))
                    for choice in _dicts(frame.get("choices"))
                    if (text := _text(choice.get("text")))
                ]
                return [Told(status, msg), *choices]
            case "memory_dict":
                return [Told(status, _readable(msg) or _text(frame.get("hotword_uid")))]
            case _:
                return [Told(status, msg)]

    def _graph(self, event: str, frame: dict[str, Any]) -> list[Event]:
        """LangGraph's own events (until 2024-09-11): the text is in the tokens and, twice, in the chain's events."""
        text = _content(frame)
        if event == "on_chat_model_stream" and text:
            self._streamed = True
            return [Said(text)]
        if event == "on_chain_stream" and not self._streamed and text != self._whole:
            self._whole = text
            return [Said(text)]
        if event == "on_chain_end" and frame.get("parent_ids") == []:
            self.over = not self._started
        return []


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _readable(dictionary: str) -> str:
    """A memory's dictionary, which comes as JSON inside a text, without its escapes."""
    try:
        return json.dumps(json.loads(dictionary), ensure_ascii=False)
    except (ValueError, RecursionError):
        return dictionary


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _content(frame: dict[str, Any]) -> str:
    """The text of `data.chunk`: a token, or the assistant's messages in it, directly or below a node's name."""
    data = frame.get("data")
    chunk = data.get("chunk") if isinstance(data, dict) else None
    if not isinstance(chunk, dict):
        return ""
    if "content" in chunk:
        return _text(chunk["content"])
    messages = [message for step in (chunk, *_dicts([*chunk.values()])) for message in _dicts(step.get("messages"))]
    return "".join(_text(message.get("content")) for message in messages if message.get("role") == "assistant")


def _spoken(frame: dict[str, Any]) -> Spoken:
    seconds = frame.get("voice_length")
    known = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return Spoken(_text(frame.get("voice_url")), _text(frame.get("sent_uid")), seconds if known else None)
