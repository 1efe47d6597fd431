"""Every kind of fault: where it strikes and what it takes. PURE.

docs/faults.md describes them for people; a test holds it to this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.emulation.nodes import Json
from app.emulation.report import Item

LONGEST = 86_400.0
"""Seconds that a fault may take at most."""

MOST = 1_000_000_000


class Place(StrEnum):
    """Where in the real flow a fault strikes."""

    HANDSHAKE = "handshake"
    CONNECTION = "connection"
    FRAME = "frame"
    TURN = "turn"
    END = "end"
    VOICE = "voice"
    KEY = "key"
    CREDIT = "credit"
    STORE = "store"


_WHO = frozenset({"wire", "room", "user"})
_ASKED = _WHO | {"key", "message", "action", "turn"}
_ALL_OF_IT = _ASKED | {"frame"}

KNOWN: Mapping[Place, frozenset[str]] = {
    Place.HANDSHAKE: _WHO,
    Place.CONNECTION: _ALL_OF_IT,
    Place.FRAME: _ALL_OF_IT,
    Place.TURN: _ASKED,
    Place.END: _ALL_OF_IT,
    Place.VOICE: _ASKED,
    Place.KEY: _ASKED,
    Place.CREDIT: _ASKED,
    Place.STORE: frozenset(),
}
"""What of an occasion is known at a place; everything else is as `Occasion` leaves it."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a kind takes: how it is read, what holds without it, and what it is, in words."""

    read: Callable[[Item], Json]
    default: Json = None
    required: bool = False
    about: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """One way of breaking things. `one_of`: parameters of which at most one may be given; `counted_by`: the parameter
    that stands in place of `count`.
    """

    name: str
    place: Place
    about: str
    takes: Mapping[str, Parameter] = field(default_factory=dict)
    one_of: tuple[str, ...] = ()
    counted_by: str = ""


def _seconds(item: Item) -> Json:
    return item.number(0, LONGEST)


def _share(item: Item) -> Json:
    return item.number(0, 1)


def _whole(low: int, high: int) -> Callable[[Item], Json]:
    return lambda item: item.whole(low, high)


def _number(low: float, high: float) -> Callable[[Item], Json]:
    return lambda item: item.number(low, high)


def _close_code(item: Item) -> Json:
    code = item.whole(1000, 4999)
    if 1004 <= code <= 1006 or 1015 <= code < 3000:
        instead = " (1006 is what a client calls a reset)" if code == 1006 else ""
        item.refuse(f"a close code that can be sent: 1000 to 1003, 1007 to 1014, 3000 to 4999{instead}")
    return code


def _word(*words: str) -> Callable[[Item], Json]:
    def read(item: Item) -> Json:
        if item.node.value not in words:
            item.refuse(f"one of {', '.join(words)}")
            return words[0]
        return item.json()

    return read


def _mapping(item: Item) -> Json:
    return {name: member.json() for name, member in item.members()}


def _names(item: Item) -> Json:
    return [member.text() for member in item.items()]


def _renames(item: Item) -> Json:
    return {name: member.text() for name, member in item.members()}


_LATER = {
    "after_frames": Parameter(
        _whole(0, MOST),
        about="frames that come first: of the connection, or of the turn where `when` asks about requests or frames",
    ),
    "after_seconds": Parameter(
        _seconds,
        about="seconds that pass first: since the connection opened, or since the request or frame that `when` asks",
    ),
}
_SECONDS = {"seconds": Parameter(_seconds, required=True, about="how long, in seconds")}
_TOKENS = {"after_tokens": Parameter(_whole(0, MOST), 0, about="tokens of the turn that come first")}
_ERROR = {
    "status": Parameter(_whole(400, 599), 503, about="HTTP status"),
    "body": Parameter(Item.json, about="the JSON body; a message that names the fault by default"),
}
_TRIES = {"tries": Parameter(_whole(1, 100), about="tries of an operation that fail; all of them by default")}


def _operation(default: str) -> Parameter:
    return Parameter(_word("any", "read", "write"), default, about="what fails: `read`, `write` or `any`")


_ALL = (
    Kind("refuse", Place.HANDSHAKE, "The handshake is refused with an HTTP status.", _ERROR),
    Kind("handshake-delay", Place.HANDSHAKE, "The handshake is answered late.", _SECONDS),
    Kind(
        "flap",
        Place.HANDSHAKE,
        "The first connections of each room are refused, the next one gets through.",
        {"connections": Parameter(_whole(1, MOST), 1, about="how many are refused"), **_ERROR},
        counted_by="connections",
    ),
    Kind(
        "close",
        Place.CONNECTION,
        "The server closes the socket.",
        {
            "code": Parameter(_close_code, 1011, about="close code"),
            "reason": Parameter(Item.any_text, "", about="close reason, at most 123 bytes of UTF-8"),
            **_LATER,
        },
        one_of=tuple(_LATER),
    ),
    Kind("reset", Place.CONNECTION, "The TCP connection is reset, without a close frame.", _LATER, tuple(_LATER)),
    Kind(
        "stall",
        Place.CONNECTION,
        "The socket stays open, but nothing more comes.",
        {"seconds": Parameter(_seconds, about="how long, in seconds; for good by default"), **_LATER},
        tuple(_LATER),
    ),
    Kind("drop", Place.FRAME, "The frame is not sent."),
    Kind(
        "duplicate",
        Place.FRAME,
        "The frame is sent again.",
        {"times": Parameter(_whole(1, 100), 1, about="how many more times")},
    ),
    Kind(
        "swap",
        Place.FRAME,
        "The frame changes places with the next one of the connection.",
        {"seconds": Parameter(_seconds, 1.0, about="how long it waits for that one, in seconds")},
    ),
    Kind("delay", Place.FRAME, "The frame, and all of its turn after it, comes late.", _SECONDS),
    Kind("jitter", Place.FRAME, "The frame comes late by a random time from 0 to `seconds`.", _SECONDS),
    Kind(
        "truncate",
        Place.FRAME,
        "The frame ends early, so that it is no JSON.",
        {"keep": Parameter(_share, 0.5, about="the share of its characters that is sent")},
    ),
    Kind("break-utf8", Place.FRAME, "The frame has a byte in its middle that is no UTF-8."),
    Kind(
        "foreign",
        Place.FRAME,
        "A frame that the wire does not know comes before it.",
        {"text": Parameter(Item.any_text, '{"status":"foreign"}', about="that frame, as text")},
    ),
    Kind(
        "oversize",
        Place.FRAME,
        "The frame is padded with spaces to a size that no frame of the wire has.",
        {"bytes": Parameter(_whole(1, 64 * 1024 * 1024), 131_073, about="its size in bytes")},
    ),
    Kind(
        "edit",
        Place.FRAME,
        "The frame says something else: first `rename`, then `remove`, `set` and `order`.",
        {
            "set": Parameter(
                _mapping,
                about="keys and their new values; `a.b` is key `b` of the object under `a`, `a.0` the first of a list",
            ),
            "remove": Parameter(_names, about="keys that go, written likewise"),
            "rename": Parameter(_renames, about="outermost keys and what they are called instead, in their place"),
            "order": Parameter(_names, about="outermost keys that come first, in this order; the others follow"),
        },
    ),
    Kind("slow-first-token", Place.TURN, "The model is slow to begin.", _SECONDS),
    Kind(
        "slow-tokens",
        Place.TURN,
        "The model is slow to go on.",
        {"per_second": Parameter(_number(0.01, 1_000_000), required=True, about="tokens a second, at most")},
    ),
    Kind(
        "llm-error",
        Place.TURN,
        "The model fails with an HTTP error.",
        {
            "status": Parameter(_whole(400, 599), 500, about="HTTP status"),
            "body": Parameter(Item.json, {"error": {"message": "a fault of the emulator"}}, about="the JSON body"),
            **_TOKENS,
        },
    ),
    Kind("hang", Place.TURN, "The model never goes on; the time-out of the turn ends it.", _TOKENS),
    Kind("no-end", Place.END, "The turn stops without its last frame."),
    Kind("end-twice", Place.END, "The turn's last frame comes twice."),
    Kind("voice-late", Place.VOICE, "The voice of a sentence is ready late.", _SECONDS),
    Kind("voice-missing", Place.VOICE, "The voice is announced, but its URL answers 404."),
    Kind("voice-failed", Place.VOICE, "The sentence cannot be spoken, so no voice is announced."),
    Kind("voice-expired", Place.VOICE, "The URL of the voice has expired: it answers 403."),
    Kind("voice-forbidden", Place.VOICE, "The signature of the URL is wrong: it answers 403."),
    Kind(
        "voice-wrong-length",
        Place.VOICE,
        "The announced length is not the length of the voice.",
        {"factor": Parameter(_number(0.01, 100), 2, about="the announced length over the true one")},
    ),
    Kind(
        "voice-truncated",
        Place.VOICE,
        "The file of the voice ends early.",
        {"keep": Parameter(_share, 0.5, about="the share of its bytes that is there")},
    ),
    Kind(
        "no-credit",
        Place.CREDIT,
        "The credit runs out in mid-turn: the balance falls, and the turn fails.",
        {"balance": Parameter(_whole(0, 99), 0, about="the balance that is left, in won"), **_TOKENS},
    ),
    Kind(
        "key-revoked",
        Place.KEY,
        "The key of a request is revoked just before it is looked up.",
        {
            "as": Parameter(
                _word("unusable", "unknown"), "unusable", about="what it is from then on: `unusable`, `unknown`"
            )
        },
    ),
    Kind(
        "store-locked", Place.STORE, "The store is locked by somebody else.", {"operation": _operation("any"), **_TRIES}
    ),
    Kind("store-full", Place.STORE, "The disk of the store is full.", {"operation": _operation("write"), **_TRIES}),
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}
