"""What clients send: paths, queries and frames, parsed and judged. PURE.

Nothing that comes from outside is believed; what cannot be used becomes a `Malformed` with the text a client may get.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.json_text import loads
from app.malangee.dialects import BACKEND, GUIDE, Dialect, Purpose
from app.malangee.frames import RATE

ROOT = "/api/v1"

LARGEST_TEXT = 4_000
"""Characters of a `text` turn."""

_SESSION = re.compile(r"[^/\x00-\x1f]{1,128}")
_TRUE = frozenset(("true", "1", "yes", "on", "t", "y"))
_FALSE = frozenset(("false", "0", "no", "off", "f", "n"))


@dataclass(frozen=True, slots=True)
class Route:
    """Where a socket leads. `dialect` is None where a setting decides; `wrong`: a spelling that never worked."""

    purpose: Purpose
    member: bool
    dialect: str | None = None
    session_id: str = ""
    wrong: bool = False


_SCENARIO = {
    f"{ROOT}/ws/guest-scenario": Route("scenario", False, GUIDE),
    f"{ROOT}/ws/scenario": Route("scenario", True, GUIDE),
    f"{ROOT}/scenarios/ws/guest-scenario": Route("scenario", False, BACKEND),
    f"{ROOT}/scenarios/ws/scenario": Route("scenario", True, BACKEND),
    f"{ROOT}/scenario/ws/guest-scenario": Route("scenario", False, BACKEND, wrong=True),
    f"{ROOT}/scenario/ws/scenario": Route("scenario", True, BACKEND, wrong=True),
}
_CHAT = {f"{ROOT}/chat/ws/guest-chat/": False, f"{ROOT}/chat/ws/chat/": True}

PATHS = (*_SCENARIO, *(f"{prefix}{{session_id}}" for prefix in _CHAT))
"""Every path with a socket."""


def route(path: str) -> Route | None:
    """Where a path leads; None: nowhere."""
    if path in _SCENARIO:
        return _SCENARIO[path]
    for prefix, member in _CHAT.items():
        session_id = path.removeprefix(prefix)
        if session_id != path and _SESSION.fullmatch(session_id):
            return Route("chat", member, session_id=session_id)
    return None


def switch(text: str) -> bool | None:
    """A switch of the query; None if it is none."""
    lower = text.lower()
    return True if lower in _TRUE else False if lower in _FALSE else None


def bearer(headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
    """The token: of the `Authorization` header, else the first subprotocol, else the query."""
    scheme, _, told = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and told.strip():
        return told.strip()
    first = headers.get("sec-websocket-protocol", "").partition(",")[0].strip()
    return first or query.get("token") or None


@dataclass(frozen=True, slots=True)
class Audio:
    """PCM from the microphone, whole samples. `odd`: a byte too many was left out; `rate`: what the client says."""

    pcm: bytes
    odd: bool = False
    rate: int = RATE


@dataclass(frozen=True, slots=True)
class Commit:
    """The user has finished."""


@dataclass(frozen=True, slots=True)
class Clear:
    """What has been heard of the turn is to be forgotten."""


@dataclass(frozen=True, slots=True)
class Respond:
    """The AI is to speak."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A user turn without sound."""

    text: str


@dataclass(frozen=True, slots=True)
class Update:
    """Changes of the session. Seconds; None where nothing changes. `unknown`: keys that mean nothing here."""

    voice: str | None = None
    threshold: float | None = None
    prefix: float | None = None
    silence: float | None = None
    unknown: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Leave:
    """The conversation is over."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A type that the dialect has no use for."""

    type: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """What cannot be read. `kind` is one of `invalid json`, `not an object`, `binary`, `bad value`."""

    kind: str
    code: str
    message: str


Request = Audio | Commit | Clear | Respond | Typed | Update | Leave | Unknown | Malformed

BINARY = Malformed("binary", "invalid_frame", "binary frames are not supported")
NO_JSON = Malformed("invalid json", "invalid_json", "the frame is no valid JSON")
NO_OBJECT = Malformed("not an object", "invalid_frame", "the frame is no JSON object with a type")
BAD_BASE64 = Malformed("bad value", "invalid_audio", "audio is no valid base64")

KEYS = (
    *("modalities", "voice", "input_audio_format", "output_audio_format", "turn_detection", "instructions"),
    *("input_audio_transcription", "max_response_output_tokens"),
)
"""Keys of `session.update` that the service knows."""


def parse(text: str, dialect: Dialect) -> Request:
    """What a frame asks for."""
    try:
        body = loads(text)
    except ValueError:
        return NO_JSON
    if not isinstance(body, dict):
        return NO_OBJECT
    name = body.get("type")
    if not isinstance(name, str):
        return NO_OBJECT if dialect.forgiving else Unknown("")
    if name == dialect.append:
        return _audio(body)
    if name and name == dialect.commit:
        return Commit()
    if name and name == dialect.clear:
        return Clear()
    if name == "response.create":
        return Respond()
    if name == "text":
        return _typed(body)
    if name == "session.update" and dialect.purpose == "chat":
        return _update(body)
    if name == "session.update" and dialect.forgiving:
        return _update(body)
    if name == "disconnect" and (dialect.purpose == "chat" or dialect.forgiving):
        return Leave()
    return Unknown(name[:100])


def _audio(body: Mapping[str, Any]) -> Audio | Malformed:
    told = body.get("audio")
    if not isinstance(told, str):
        return BAD_BASE64
    try:
        pcm = binascii.a2b_base64(told, strict_mode=True)
    except (ValueError, binascii.Error):
        return BAD_BASE64
    odd = len(pcm) % 2 == 1
    return Audio(pcm[:-1] if odd else pcm, odd, _rate(body.get("sample_rate")))


def _rate(told: object) -> int:
    """Samples a second; JSON has one kind of number, so 24000.0 is 24000. 0: no rate."""
    if told is None:
        return RATE
    if isinstance(told, bool) or not isinstance(told, int | float) or not 0 < told < 1_000_000 or told != int(told):
        return 0
    return int(told)


def _typed(body: Mapping[str, Any]) -> Typed | Malformed:
    told = body.get("text")
    if not isinstance(told, str) or not told.strip():
        return Malformed("bad value", "invalid_text", "text is missing or empty")
    if len(told) > LARGEST_TEXT:
        return Malformed("bad value", "invalid_text", f"text is longer than {LARGEST_TEXT} characters")
    return Typed(told.strip())


def _update(body: Mapping[str, Any]) -> Update | Malformed:
    config = body.get("config")
    if config is None or config == {}:
        return Update()
    if not isinstance(config, dict):
        return Malformed("bad value", "invalid_config", "config is no JSON object")
    voice = config.get("voice")
    if voice is not None and (not isinstance(voice, str) or not 0 < len(voice) <= 64):
        return Malformed("bad value", "invalid_config", "config.voice is no name of a voice")
    hearing = config.get("turn_detection") or {}
    if not isinstance(hearing, dict):
        return Malformed("bad value", "invalid_config", "config.turn_detection is no JSON object")
    found: dict[str, float | None] = {}
    for key, low, high, unit in (
        ("threshold", 0.0, 1.0, 1),
        ("prefix_padding_ms", 0, 5_000, 1000),
        ("silence_duration_ms", 100, 10_000, 1000),
    ):
        value = hearing.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            return Malformed("bad value", "invalid_config", f"config.turn_detection.{key} is no number")
        if value is not None and not low <= value <= high:
            text = f"config.turn_detection.{key} must be from {low:g} to {high:g}"
            return Malformed("bad value", "invalid_config", text)
        found[key] = None if value is None else value / unit
    unknown = tuple(str(key)[:40] for key in config if key not in KEYS)[:10]
    return Update(voice, found["threshold"], found["prefix_padding_ms"], found["silence_duration_ms"], unknown)
