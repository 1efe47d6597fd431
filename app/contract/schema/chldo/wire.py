"""The chldo wire, put together: one edition for each dated revision."""

from __future__ import annotations

from app.chldo.revisions import DEFAULT, REVISIONS, V1, Revision
from app.contract.meanings import CHANGES
from app.contract.schema.chldo.frames import answers, frames_of
from app.contract.schema.chldo.requests import requests_of
from app.contract.schema.shapes import Key, OneOf, Record, Text
from app.contract.schema.wire import Channel, Edition, Exchange, Server, Wire

MARKS = ("status", "event", "msgtype", "voice_url", "message", "action")

SERVERS = (
    Server(
        "emulator",
        "127.0.0.1:{port}",
        "ws",
        "This emulator, where `chldo-emulator serve` puts it.",
        (("port", "8765", "the port it listens on"),),
    ),
    Server("chldo", "ws.api.chldo.com", "wss", "The service itself, as its public documents name it."),
)

FRAMES_OF_A_TURN = {
    "Status": "Answered at once, also while a turn runs.",
    "Greeting": "START, the greeting, its voice if one was asked for, END; or one error frame.",
}


def editions() -> list[Edition]:
    """All revisions, oldest first."""
    return [_edition(revision) for revision in REVISIONS.values()]


def _edition(revision: Revision) -> Edition:
    return Edition(
        wire="chldo",
        id=revision.id,
        title=f"chldo WebSocket API, revision {revision.id} ({revision.label})",
        told=_told(revision),
        frames=frames_of(revision),
        requests=requests_of(revision),
        marks=MARKS,
        servers=SERVERS,
        channels=_channels(revision),
        exchanges=tuple(
            Exchange(request, frames, FRAMES_OF_A_TURN.get(request, _turn(revision)))
            for request, frames in answers(revision).items()
        ),
        default=revision.id == DEFAULT,
    )


def _told(revision: Revision) -> str:
    required = "must be there" if "msg" in revision.requires else "may be left out"
    return (
        f"What revision {revision.id} of the wire brought: {CHANGES[revision.id]} Frames have exactly these keys, in "
        "this order. Nothing is sent before a request, and an unknown action is answered by the "
        f"Forbidden frame. `msg` of a request {required} (the setting `v3.require_msg` decides otherwise)."
    )


def _turn(revision: Revision) -> str:
    if revision.id == V1:
        return "The texts of the reply and the voices of its sentences; or one error frame. Nothing marks the end."
    if revision.raw_events and "Start" not in {message.name for message in frames_of(revision)}:
        return "LangGraph's events, until the graph itself ends (on_chain_end without parents); or one error frame."
    return "A turn from START to END; or one error frame and nothing else."


def _channels(revision: Revision) -> tuple[Channel, ...]:
    chosen = "chosen where the path does not say" if revision.id not in (DEFAULT, V1) else "may be left out here"
    query = Record(
        (
            Key("room_uid", Text(), "the room; the one that a request names counts", required=False),
            Key("user_uid", Text(), "who connects", required=False),
            Key("revision", OneOf((revision.id,)), f"this revision; {chosen}", required=False),
        ),
        ordered=False,
    )
    told = "Rooms are connected to here; there is no authentication before the first request."
    paths = ("v1",) if revision.id == V1 else ("v3", "v4")
    return tuple(Channel(path, f"/{path}/", told, query) for path in paths)


CHLDO = Wire("chldo", "chldo WebSocket API", editions)
