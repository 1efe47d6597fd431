"""What a client may ask, and the documented answer to each way of asking wrongly. PURE.

`parse` turns a text message into an action or into a `Refusal`; a refusal is a value that knows its frame. Order of
the checks (spec section 0, decision 5): a JSON object, a known action, the required fields present, their types,
`return_voice`, the other fields. Whether the key exists and is usable comes after that and is the gateway's to ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.chldo.frames import ErrorFrame, ForbiddenFrame, Frame
from app.chldo.revisions import Revision
from app.json_text import loads

KEY_UNKNOWN = "api_key is not exist"
KEY_UNUSABLE = "api_key is not usable"
GREETING_UNKNOWN = "greeting_number is not exist"
FILE_UNKNOWN = "filename is not exist"
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
LAST_SCENE = 7
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
    use_choices: int = 0


@dataclass(frozen=True, slots=True)
class Greet:
    """Action `greeting`."""

    room_uid: str
    user_id: str
    account: str
    number: int
    return_voice: int | None
    language: str | None
    questioner: str
    scene_number: int | None


Request = Status | SendMsg | Greet


def parse(text: str, revision: Revision) -> Request | Refusal | Forbidden:
    """One text message from a client, judged by the rules of `revision`."""
    try:
        body = loads(text)
    except ValueError:
        return Forbidden()
    if not isinstance(body, dict):
        return Forbidden()
    action = body.get("action")
    if action == "status":
        return Status()
    if action == revision.action:
        return _sendmsg(_given(body), revision)
    if action == "greeting" and revision.has_greeting:
        return _greet(_given(body), revision)
    return Forbidden()


def _given(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if value is not None and value != ""}


def _common(given: Mapping[str, Any], revision: Revision, requires: tuple[str, ...]) -> Refusal | None:
    """What is wrong with the fields that every action has."""
    for key in requires:
        if key not in given:
            return Refusal(f"{key} is required")
    for key in (revision.account, "room_uid", revision.user, "msg"):
        if key and key in given and not isinstance(given[key], str):
            return Refusal(f"{key} must be a string")
    if _flag(given.get("return_voice")) is _WRONG:
        return Refusal(RETURN_VOICE)
    for key in _TEXTS:
        if key in given and not isinstance(given[key], str):
            return Refusal(f"{key} must be a string")
    scene = given.get("scene_number")
    if scene is not None and not _whole(scene):
        return Refusal("scene_number must be a number")
    if scene is not None and not 0 <= scene <= LAST_SCENE:
        return Refusal(f"scene_number must be between 0 and {LAST_SCENE}")
    return None


def _greet(given: Mapping[str, Any], revision: Revision) -> Greet | Refusal:
    refusal = _common(given, revision, tuple(key for key in revision.requires if key != "msg"))
    if refusal is not None:
        return refusal
    number = given.get("greeting_number", 1)
    if not _whole(number):
        return Refusal("greeting_number must be a number")
    return Greet(
        room_uid=given["room_uid"],
        user_id=given[revision.user],
        account=given.get(revision.account, ""),
        number=number,
        return_voice=_flag(given.get("return_voice")),
        language=given.get("language"),
        questioner=given.get("questioner", ""),
        scene_number=given.get("scene_number"),
    )


def _sendmsg(given: Mapping[str, Any], revision: Revision) -> SendMsg | Refusal:
    refusal = _common(given, revision, revision.requires)
    if refusal is not None:
        return refusal
    switches: dict[str, int | None] = {}
    for key in _SWITCHES:
        switches[key] = _flag(given.get(key))
        if switches[key] is _WRONG:
            return Refusal(f"{key} must be a number (0, 1, '0', or '1')")
    asked = given.get("use_choices", 0)
    if revision.has_choices and (not _whole(asked) or asked < 0):
        return Refusal("use_choices must be a number (0 or more)")
    return SendMsg(
        room_uid=given["room_uid"],
        user_id=given[revision.user],
        account=given.get(revision.account, ""),
        msg=given.get("msg"),
        return_voice=_flag(given.get("return_voice")),
        stream=switches["stream"] != 0,
        no_save=switches["no_save"] == 1,
        no_history=switches["no_history"] == 1,
        model=given.get("model"),
        language=given.get("language"),
        questioner=given.get("questioner", ""),
        visitor_name=given.get("visitor_name", ""),
        filename=given.get("filename"),
        scene_number=given.get("scene_number"),
        use_choices=asked if revision.has_choices else 0,
    )


_WRONG = -1


def _flag(value: object) -> int | None:
    """0 or 1; None when left out; `_WRONG` for anything else. `true` is no number."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str):
        return _WRONG
    return _FLAGS.get(value, _WRONG)


def _whole(value: object) -> bool:
    """Whether `value` is an integer of a sensible size; `true` is none."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST
