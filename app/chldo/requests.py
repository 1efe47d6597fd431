"""What a client may ask, and the documented answer to each way of asking wrongly. PURE.

`parse` turns a text message into an action or into a `Refusal`; a refusal is a value that knows its frame. Order of
the checks (spec section 0, decision 5): a JSON object, a known action, the required fields present, their types,
`return_voice`, the other fields. Whether the key exists and is usable comes after that and is the gateway's to ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.chldo.frames import ErrorFrame, ForbiddenFrame, Frame
from app.chldo.revisions import Revision

KEY_UNKNOWN = "api_key is not exist"
KEY_UNUSABLE = "api_key is not usable"
RETURN_VOICE = "return_voice must be a number (0, 1, '0', or '1')"

_FLAGS = {0: 0, 1: 1, "0": 0, "1": 1}
_TEXTS = (
    "model",
    "language",
    "questioner",
    "visitor_name",
    "filename",
    "org_id",
    "subject",
    "receiver_uid",
    "user_uid",
)
_LARGEST = 2**31 - 1
_SWITCHES = ("stream", "no_save", "no_history")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that is answered with one error frame and nothing else."""

    msg: str

    def frame(self, connection_id: str) -> Frame:
        return ErrorFrame.of(connection_id, self.msg)


@dataclass(frozen=True, slots=True)
class Forbidden:
    """No action of this API: API Gateway itself answers."""

    def frame(self, connection_id: str, request_id: str) -> Frame:
        return ForbiddenFrame("Forbidden", connection_id, request_id)


@dataclass(frozen=True, slots=True)
class Status:
    """Action `status`."""


@dataclass(frozen=True, slots=True)
class SendMsg:
    """Action `sendmsg` (`sendmessage` on v1). `None` means the client left the field out (null and "" count as
    left out).
    """

    room_uid: str
    user_id: str
    account: str
    msg: str | None
    return_voice: int | None
    stream: bool
    no_save: bool
    no_history: bool
    model: str | None
    language: str | None
    questioner: str
    visitor_name: str
    filename: str | None
    scene_number: int | None


Request = Status | SendMsg


def parse(text: str, revision: Revision) -> Request | Refusal | Forbidden:
    """One text message from a client, judged by the rules of `revision`."""
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        return Forbidden()
    if not isinstance(body, dict):
        return Forbidden()
    action = body.get("action")
    if action == "status":
        return Status()
    if action == revision.action:
        return _sendmsg(body, revision)
    return Forbidden()


def _sendmsg(body: Mapping[str, Any], revision: Revision) -> SendMsg | Refusal:
    given = {key: value for key, value in body.items() if value is not None and value != ""}
    for key in revision.requires:
        if key not in given:
            return Refusal(f"{key} is required")
    for key in (revision.account, "room_uid", revision.user, "msg"):
        if key in given and not isinstance(given[key], str):
            return Refusal(f"{key} must be a string")
    return_voice = _flag(given.get("return_voice"))
    if return_voice is _WRONG:
        return Refusal(RETURN_VOICE)
    switches: dict[str, int | None] = {}
    for key in _SWITCHES:
        switches[key] = _flag(given.get(key))
        if switches[key] is _WRONG:
            return Refusal(f"{key} must be a number (0, 1, '0', or '1')")
    for key in _TEXTS:
        if key in given and not isinstance(given[key], str):
            return Refusal(f"{key} must be a string")
    scene = given.get("scene_number")
    if scene is not None and (isinstance(scene, bool) or not isinstance(scene, int) or abs(scene) > _LARGEST):
        return Refusal("scene_number must be a number")
    return SendMsg(
        room_uid=given["room_uid"],
        user_id=given[revision.user],
        account=given.get(revision.account, ""),
        msg=given.get("msg"),
        return_voice=return_voice,
        stream=switches["stream"] != 0,
        no_save=switches["no_save"] == 1,
        no_history=switches["no_history"] == 1,
        model=given.get("model"),
        language=given.get("language"),
        questioner=given.get("questioner", ""),
        visitor_name=given.get("visitor_name", ""),
        filename=given.get("filename"),
        scene_number=scene,
    )


_WRONG = -1


def _flag(value: object) -> int | None:
    """0 or 1; None when left out; `_WRONG` for anything else. `true` is no number."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str):
        return _WRONG
    return _FLAGS.get(value, _WRONG)
