"""Every frame the chldo server sends, one typed class each.

A class is a key order: orjson writes the fields of a dataclass in the order they are declared, so what stands here is
what goes over the wire. The suffix names the first revision that sends a class (R2 = 2024-08-26 … R9 = 2024-11-13, V1
= 2023-12-28); it holds until a later suffix replaces it. Source: spec section 5, "Key orders (exact)", and the
transcripts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.json_text import dumps


class Frame:
    """One WebSocket text message from the server."""

    __slots__ = ()

    def encode(self) -> str:
        """The frame as compact JSON text, keys in declared order."""
        return dumps(self)


# -- answers outside a turn ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class StatusFrame(Frame):
    """Answer to the action `status`."""

    status: str
    connection_id: str
    msgtype: str

    @classmethod
    def of(cls, connection_id: str) -> StatusFrame:
        return cls("connected", connection_id, "info")


@dataclass(slots=True)
class ErrorFrame(Frame):
    """Every refusal, and every failure inside a turn."""

    status: str
    connection_id: str
    msg: str
    msgtype: str

    @classmethod
    def of(cls, connection_id: str, msg: str) -> ErrorFrame:
        return cls("connected", connection_id, msg, "error")


@dataclass(slots=True)
class ForbiddenFrame(Frame):
    """What API Gateway itself answers to an unknown action or to text that is no JSON object."""

    message: str
    connectionId: str  # noqa: N815 - API Gateway's own spelling
    requestId: str  # noqa: N815 - API Gateway's own spelling


# -- R2 to R5: no room, no stream uid --------------------------------------------------------------------------------


@dataclass(slots=True)
class BoundaryR2(Frame):
    """START and END. A greeting echoes the request's return_voice, null when it had none."""

    status: str
    connection_id: str
    msg: str
    cAt: str  # noqa: N815
    return_voice: int | None
    msgtype: str


@dataclass(slots=True)
class NoticeR2(Frame):
    """received, memory and think."""

    status: str
    connection_id: str
    msg: str
    msgtype: str


@dataclass(slots=True)
class EventR1(Frame):
    """A LangChain event; also the token of R1 and R2."""

    event: str
    data: dict[str, Any]
    run_id: str
    parent_ids: list[str]
    tags: list[str]


@dataclass(slots=True)
class TokenR3(Frame):
    """A token event with the sentence it belongs to."""

    event: str
    data: dict[str, Any]
    run_id: str
    parent_ids: list[str]
    tags: list[str]
    sent_uid: str


@dataclass(slots=True)
class VoiceReadyR3(Frame):
    status: str
    connection_id: str
    voice_url: str
    sent_uid: str
    msgtype: str


@dataclass(slots=True)
class TokenR5(Frame):
    status: str
    event: str
    data: dict[str, Any]
    connection_id: str
    msg: str
    is_stream: bool
    msgtype: str


@dataclass(slots=True)
class VoiceReadyGreeting(Frame):
    """The voice of a greeting, in every revision from R4 on."""

    status: str
    cAt: str  # noqa: N815
    room_uid: str
    connection_id: str
    questioner: str
    org_id: str
    msg: str
    voice_url: str
    voice_length: int | float
    sent_uid: str
    msgtype: str
    hotword_uids: list[str]
    return_voice: int | None


@dataclass(slots=True)
class HotwordR5(Frame):
    """hotword_detected (msgtype info) and memory_dict (msgtype hotword)."""

    status: str
    connection_id: str
    msg: str
    hotword: str
    hotword_uid: str
    msgtype: str


# -- R6: room_uid, stream_uid and is_stream on every frame -----------------------------------------------------------


@dataclass(slots=True)
class StartR6(Frame):
    status: str
    connection_id: str
    room_uid: str
    stream_uid: str
    msg: str
    is_stream: bool
    cAt: str  # noqa: N815
    return_voice: int | None
    msgtype: str


@dataclass(slots=True)
class EndR6(Frame):
    status: str
    connection_id: str
    stream_uid: str
    room_uid: str
    msg: str
    cAt: str  # noqa: N815
    is_stream: bool
    return_voice: int | None
    msgtype: str


@dataclass(slots=True)
class NoticeR6(Frame):
    """history, memory and think."""

    status: str
    connection_id: str
    stream_uid: str
    room_uid: str
    msg: str
    is_stream: bool
    msgtype: str


@dataclass(slots=True)
class TokenR6(Frame):
    status: str
    connection_id: str
    stream_uid: str
    room_uid: str
    sent_uid: str
    event: str
    data: dict[str, Any]
    msg: str
    is_stream: bool
    msgtype: str


@dataclass(slots=True)
class VoiceReadyR6(Frame):
    status: str
    connection_id: str
    stream_uid: str
    room_uid: str
    msg: str
    voice_url: str
    voice_length: int | float
    sent_uid: str
    is_stream: bool
    msgtype: str


@dataclass(slots=True)
class HotwordR6(Frame):
    """hotword_detected and memory_dict."""

    status: str
    connection_id: str
    stream_uid: str
    room_uid: str
    msg: str
    hotword: str
    hotword_uid: str
    is_stream: bool
    msgtype: str


# -- R7: scene_number on every frame ---------------------------------------------------------------------------------


@dataclass(slots=True)
class StartR7(Frame):
    status: str
    connection_id: str
    room_uid: str
    stream_uid: str
    scene_number: int
    msg: str
    is_stream: bool
    cAt: str  # noqa: N815
    return_voice: int | None
    msgtype: str


@dataclass(slots=True)
class EndR7(Frame):
    status: str
    connection_id: str
    stream_uid: str
    scene_number: int
    room_uid: str
    msg: str
    cAt: str  # noqa: N815
    is_stream: bool
    return_voice: int | None
    msgtype: str


@dataclass(slots=True)
class NoticeR7(Frame):
    """history, memory and think."""

    status: str
    connection_id: str
    stream_uid: str
    scene_number: int
    room_uid: str
    msg: str
    is_stream: bool
    msgtype: str


@dataclass(slots=True)
class TokenR7(Frame):
    status: str
    connection_id: str
    stream_uid: str
    scene_number: int
    room_uid: str
    sent_uid: str
    event: str
    data: dict[str, Any]
    msg: str
    is_stream: bool
    msgtype: str


@dataclass(slots=True)
class VoiceReadyR7(Frame):
    status: str
    connection_id: str
    stream_uid: str
    scene_number: int
    room_uid: str
    msg: str
    voice_url: str
    voice_length: int | float
    sent_uid: str
    is_stream: bool
    msgtype: str


@dataclass(slots=True)
class VoiceReadyR8(Frame):
    """As R7, with sent_uid before msg."""

    status: str
    connection_id: str
    stream_uid: str
    scene_number: int
    room_uid: str
    sent_uid: str
    msg: str
    voice_url: str
    voice_length: int | float
    is_stream: bool
    msgtype: str


@dataclass(slots=True)
class HotwordR7(Frame):
    """hotword_detected and memory_dict."""

    status: str
    connection_id: str
    stream_uid: str
    scene_number: int
    room_uid: str
    msg: str
    hotword: str
    hotword_uid: str
    is_stream: bool
    msgtype: str


# -- R9 -------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class ChoicesR9(Frame):
    """The end of the choices. Its start is a notice; this one has no scene_number, as the capture shows it."""

    connection_id: str
    stream_uid: str
    choices: list[dict[str, str]]
    room_uid: str
    is_stream: bool
    status: str
    use_choices: int
    msg: str
    msgtype: str


# -- v1 --------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class MessageV1(Frame):
    """The one flat frame of v1: text (voice_url null) or the voice of a sentence (msg "")."""

    room_uid: str
    client_num: int
    connection_id: str
    msg: str
    stream_uid: str
    sent_uid: str | None
    cAt: str  # noqa: N815
    return_voice: int | None
    voice_url: str | None
    voice_length: int | float | None
