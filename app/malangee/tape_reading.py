"""What replay has to know of tapes of the MaLangEE wire. PURE.

Sound is a stream: its frames are compared by how much of it has come, never by what is in them. The session stands in
the path of a chat, and another one gets the same tape.
"""

from __future__ import annotations

import binascii
import re
from functools import cache

from app.emulation.replay.identifiers import Source
from app.emulation.replay.library import Wire
from app.emulation.replay.streams import StreamReading
from app.json_text import loads
from app.malangee.dialects import BACKEND, BACKEND_SCENARIO, GUIDE_CHAT
from app.malangee.frames import ErrorFrame, SpeechStarted, UserTranscript
from app.malangee.requests import ROOT, route

NOT_ON_TAPE = "not_on_tape"
"""The code of the error with which replay refuses a request."""

_APPENDS = frozenset((GUIDE_CHAT.append, BACKEND_SCENARIO.append))
_NOTICED = frozenset((GUIDE_CHAT.names[SpeechStarted], BACKEND_SCENARIO.names[UserTranscript]))
"""What the server sends first when somebody speaks: scenarios of the backend have nothing but the transcript."""

_CHAT = re.compile(rf"{ROOT}/chat/ws/(?:guest-)?chat/(?P<session_id>[^/]+)")


def tapes_at(path: str, limit: int) -> Wire | None:
    """The wire as replay sees it at a path; None if the path is not of this wire. `limit`: bytes of a message."""
    found = route(path)
    if found is None:
        return None
    return _wire(found.purpose == "scenario" and found.dialect == BACKEND, limit)


@cache
def _wire(spaced: bool, limit: int) -> Wire:
    """One for the scenario sockets of the backend, which have frames of their own, and one for all others."""
    dialect = BACKEND_SCENARIO if spaced else GUIDE_CHAT

    def refusal(connection_id: str, reason: str, source: Source) -> str:
        text = dialect.write(ErrorFrame(NOT_ON_TAPE, reason))
        assert text is not None
        return text

    return Wire(
        conversation=("session_id",),
        refusal=refusal,
        path=_CHAT,
        stream=StreamReading(_size, _noticed),
        limit=limit,
    )


def _size(text: str) -> int | None:
    """Bytes of the sound in a client's frame; None for another frame, and for one whose sound cannot be read."""
    if '"audio"' not in text:
        return None
    try:
        body = loads(text)
        if not isinstance(body, dict) or body.get("type") not in _APPENDS or not isinstance(body.get("audio"), str):
            return None
        return len(binascii.a2b_base64(body["audio"], strict_mode=True))
    except ValueError:
        return None


def _noticed(text: str) -> bool:
    if not any(name in text for name in _NOTICED):
        return False
    try:
        body = loads(text)
    except ValueError:
        return False
    return isinstance(body, dict) and body.get("type") in _NOTICED
