"""What replay has to know of tapes of Hashee's sockets. PURE.

Payloads are encrypted, so the same message is never sent twice alike: they only have to be there.
"""

from __future__ import annotations

from functools import cache

from app.emulation.replay.identifiers import Source
from app.emulation.replay.library import Wire
from app.hashee.frames import ErrorFrame
from app.hashee.profiles import PROFILES
from app.hashee.refusals import i18n_key

NOT_ON_TAPE = "NOT_ON_TAPE"
"""The code of the error with which replay refuses a request."""


@cache
def wire_of_tapes(limit: int) -> Wire:
    """The wire as replay sees it. `limit`: bytes of a message."""
    return Wire(identities=frozenset(("encrypted_payload",)), refusal=_refusal, limit=limit)


def _refusal(connection_id: str, reason: str, source: Source) -> str:
    # An error is the same in every profile.
    return next(iter(PROFILES.values())).encode(ErrorFrame(NOT_ON_TAPE, reason, i18n_key(NOT_ON_TAPE)))
