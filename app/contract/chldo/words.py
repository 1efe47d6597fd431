"""What the documents of the chldo wire say literally: revisions, key orders, texts, forms of ids. PURE.

"spec" in a rule's source is the project's description of the wire, made from the dated pages and their captures; its
sections are those that docs/verify.md names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

V1, R1, R2, R3, R4 = "2023-12-28", "2024-07-01", "2024-08-26", "2024-08-27", "2024-09-11"
R5, R6, R7, R8, R9 = "2024-10-02", "2024-10-06", "2024-10-07", "2024-11-03", "2024-11-13"
IDS = (V1, R1, R2, R3, R4, R5, R6, R7, R8, R9)

HOUR, WEEK = 3600, 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Revision:
    """One dated state of the wire, as far as it is more than the place in the order of dates."""

    id: str
    action: str = "sendmsg"
    requires: tuple[str, ...] = ("api_key", "room_uid", "user_id")
    sent_uid: int | None = 28
    """Characters of a sent_uid; None where tokens carry none."""
    scene: int | None = None
    """scene_number of a request that names none; None where frames carry none."""

    @property
    def flat(self) -> bool:
        """One frame for everything, no envelope."""
        return self.id == V1

    @property
    def enveloped(self) -> bool:
        """START … END around a turn."""
        return self.id >= R2

    @property
    def raw(self) -> bool:
        """LangGraph's own events."""
        return R1 <= self.id <= R4

    @property
    def rooms(self) -> bool:
        """room_uid, stream_uid and is_stream on the frames of a turn."""
        return self.id >= R6

    @property
    def voice_life(self) -> int:
        """Seconds from a voice to its Expires."""
        return WEEK if self.id >= R8 else HOUR


_MSG = ("api_key", "room_uid", "user_id", "msg")

REVISIONS: Mapping[str, Revision] = {
    revision.id: revision
    for revision in (
        Revision(V1, action="sendmessage", requires=("room_uid", "user_uid", "msg")),
        Revision(R1, requires=("org_id", "room_uid", "user_id", "msg"), sent_uid=None),
        Revision(R2, requires=_MSG, sent_uid=None),
        Revision(R3, requires=_MSG, sent_uid=26),
        Revision(R4, sent_uid=26),
        Revision(R5, sent_uid=None),
        Revision(R6),
        Revision(R7, scene=0),
        Revision(R8, scene=1),
        Revision(R9, scene=1),
    )
}

# -- key orders (spec 5) -----------------------------------------------------------------------------------------------

_SCENED = "status connection_id stream_uid scene_number room_uid"
_NOTICE_R2 = "status connection_id msg msgtype"
_NOTICE_R6 = "status connection_id stream_uid room_uid msg is_stream msgtype"
_NOTICE_R7 = f"{_SCENED} msg is_stream msgtype"
_MARKER_R2 = "status connection_id msg cAt return_voice msgtype"
_START_R6 = "status connection_id room_uid stream_uid msg is_stream cAt return_voice msgtype"
_START_R7 = "status connection_id room_uid stream_uid scene_number msg is_stream cAt return_voice msgtype"
_END_R6 = "status connection_id stream_uid room_uid msg cAt is_stream return_voice msgtype"
_END_R7 = f"{_SCENED} msg cAt is_stream return_voice msgtype"
_EVENT = "event data run_id parent_ids tags"
_TOKEN_R5 = "status event data connection_id msg is_stream msgtype"
_TOKEN_R6 = "status connection_id stream_uid room_uid sent_uid event data msg is_stream msgtype"
_TOKEN_R7 = f"{_SCENED} sent_uid event data msg is_stream msgtype"
_VOICE_R3 = "status connection_id voice_url sent_uid msgtype"
_VOICE_R6 = "status connection_id stream_uid room_uid msg voice_url voice_length sent_uid is_stream msgtype"
_VOICE_R7 = f"{_SCENED} msg voice_url voice_length sent_uid is_stream msgtype"
_VOICE_R8 = f"{_SCENED} sent_uid msg voice_url voice_length is_stream msgtype"
_HOTWORD_R5 = "status connection_id msg hotword hotword_uid msgtype"
_HOTWORD_R6 = "status connection_id stream_uid room_uid msg hotword hotword_uid is_stream msgtype"
_HOTWORD_R7 = f"{_SCENED} msg hotword hotword_uid is_stream msgtype"

_SINCE: Mapping[str, tuple[tuple[str, str], ...]] = {
    "START": ((R2, _MARKER_R2), (R6, _START_R6), (R7, _START_R7)),
    "END": ((R2, _MARKER_R2), (R6, _END_R6), (R7, _END_R7)),
    "received": ((R2, _NOTICE_R2), (R6, "")),
    "history": ((R6, _NOTICE_R6), (R7, _NOTICE_R7)),
    "memory": ((R2, _NOTICE_R2), (R6, _NOTICE_R6), (R7, _NOTICE_R7)),
    "think": ((R2, _NOTICE_R2), (R6, _NOTICE_R6), (R7, _NOTICE_R7)),
    "greeting": ((R4, _NOTICE_R2), (R6, _NOTICE_R6), (R7, _NOTICE_R7)),
    "event": ((R1, _EVENT), (R5, "")),
    "token": ((R1, _EVENT), (R3, f"{_EVENT} sent_uid"), (R5, _TOKEN_R5), (R6, _TOKEN_R6), (R7, _TOKEN_R7)),
    "whole": ((R5, _TOKEN_R5), (R6, _TOKEN_R6), (R7, _TOKEN_R7)),
    "voice_ready": ((R3, _VOICE_R3), (R6, _VOICE_R6), (R7, _VOICE_R7), (R8, _VOICE_R8)),
    "greeting_voice": (
        (
            R4,
            "status cAt room_uid connection_id questioner org_id msg voice_url voice_length sent_uid msgtype "
            "hotword_uids return_voice",
        ),
    ),
    "hotword_detected": ((R5, _HOTWORD_R5), (R6, _HOTWORD_R6), (R7, _HOTWORD_R7)),
    "memory_dict": ((R5, _HOTWORD_R5), (R6, _HOTWORD_R6), (R7, _HOTWORD_R7)),
    "choices": ((R9, _NOTICE_R7),),
    "choices_end": ((R9, "connection_id stream_uid choices room_uid is_stream status use_choices msg msgtype"),),
    "message": (
        (
            V1,
            "room_uid client_num connection_id msg stream_uid sent_uid cAt return_voice voice_url voice_length",
        ),
        (R1, ""),
    ),
    "error": ((V1, _NOTICE_R2),),
    "status": ((V1, "status connection_id msgtype"),),
    "Forbidden": ((V1, "message connectionId requestId"),),
}
"""By kind of frame: its keys in order, from a revision on until the next one named; "" where it is gone."""


def keys_of(kind: str, revision: str) -> tuple[str, ...]:
    """The keys of a kind of frame in order; none where the revision does not send it."""
    found = ""
    for since, keys in _SINCE.get(kind, ()):
        if since <= revision:
            found = keys
    return tuple(found.split())


KINDS = tuple(_SINCE)
CHUNK_KEYS = [
    "content",
    "additional_kwargs",
    "response_metadata",
    "type",
    "name",
    "id",
    "example",
    "tool_calls",
    "invalid_tool_calls",
    "usage_metadata",
    "tool_call_chunks",
]
"""Keys of `data.chunk` in R1 to R4; from R5 on it has `content` only."""

# -- literal texts (spec 5, 7) -----------------------------------------------------------------------------------------

SOM, EOM = "<SOM>", "<EOM>"
RECEIVED = ("메시지를 전달 받았습니다.",)
MEMORY_R2 = ("기억을 찾고 있습니다.", "기억에 연결하였습니다.", "기억을 재생 중입니다.")
HISTORY = ("대화 기억을 찾고 있습니다.", "대화 기억을 재생하였습니다.")
MEMORY_R6 = (
    "저장된 메모리를 찾고 있습니다.",
    "저장된 메모리를 찾았습니다. 핫워드 수신으로 설정된 메모리는 총 0개 입니다.",
)
THINK = ("생각을 시작합니다.", "생각이 끝났습니다.")
CHOICES = ("선택지 구성을 시작합니다.", "선택지 구성을 종료합니다.")
NO_CREDIT = re.compile(r"현재 크레딧은 -?[0-9]+ 입니다\. 크레딧이 100원 이상 필요합니다\.")
LLM_ERROR = re.compile(r"Error code: [0-9]{3} - .+", re.DOTALL)

KEY_UNKNOWN, KEY_UNUSABLE = "api_key is not exist", "api_key is not usable"
RETURN_VOICE = "return_voice must be a number (0, 1, '0', or '1')"
VOICE_FLAGS: Mapping[object, int] = {0: 0, 1: 1, "0": 0, "1": 1}

MSGTYPES: Mapping[str, str] = {
    **dict.fromkeys(("START", "END", "received", "history", "memory", "think", "greeting", "status"), "info"),
    **dict.fromkeys(("voice_ready", "greeting_voice", "hotword_detected", "choices"), "info"),
    **dict.fromkeys(("token", "whole"), "stream"),
    "memory_dict": "hotword",
    "choices_end": "info_choices",
    "error": "error",
}


def opening(revision: Revision) -> tuple[str, ...]:
    """The kinds of frame from after START up to think."""
    if revision.rooms:
        return ("history", "history", "memory", "memory", "think")
    return ("received", *["memory"] * (2 if revision.id == R5 else 3), "think")


def hotword_text(word: str) -> str:
    """The msg of hotword_detected, with the capture's particle (spec 8.4)."""
    return f'핫워드 "{word}"가 감지되었습니다.'


# -- forms (spec 4) ----------------------------------------------------------------------------------------------------

CONNECTION_ID = re.compile(r"[A-Za-z0-9_-]{14}[AEIMQUYcgkosw048]=")  # 11 bytes in URL-safe base64
STREAM_UID = re.compile(r"[0-9A-Za-z]{25}")
HOTWORD_UID = re.compile(r"[0-9a-f]{17}")
RUN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
C_AT = re.compile(r"[0-9]{10}(\.[0-9]{1,6})?")
VOICE_URL = re.compile(
    r"https?://[^/?#]+(?:/[^?#]*)?/room_uid_voice/(?P<room>[^/?#]+)/(?P<name>[^/?#]+)\.mp3"
    # A tape shortens the signature, and says so with an ellipsis.
    r"\?Expires=(?P<expires>[0-9]{1,12})&Signature=(?P<signature>[A-Za-z0-9~-]{341}[AQgw]__|[^&…]{0,8}…)&Key-Pair-Id=(?P<pair>[A-Z0-9]+)"
)
FRAME_LIMIT, MESSAGE_LIMIT = 32 * 1024, 128 * 1024
TOO_BIG = 1009
