"""What a client may ask in a chldo revision, as messages. PURE.

Every request that these shapes accept is accepted by `app.chldo.requests.parse`; a test holds it so. They are narrower
in one point: a key that no document names is not allowed, where the server would ignore it.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.chldo.requests import LAST_SCENE, Greet, SendMsg
from app.chldo.revisions import V1, Revision
from app.contract.examples import Json, request_fields
from app.contract.meanings import FIELDS
from app.contract.schema.shapes import Key, OneOf, Record, Shape, Text, Whole, or_null
from app.contract.schema.wire import Message
from app.voice.languages import VOICES

LARGEST = 2**31 - 1

_FLAG = OneOf((0, 1, "0", "1"))
SHAPES: Mapping[str, Shape] = {
    "return_voice": _FLAG,
    "stream": _FLAG,
    "no_save": _FLAG,
    "no_history": _FLAG,
    "model": Text(examples=("gpt-4o-mini", "gpt-4o")),
    "language": Text(examples=tuple(VOICES)),
    "scene_number": Whole(0, LAST_SCENE),
    "use_choices": Whole(0, LARGEST),
    "greeting_number": Whole(1, LARGEST),
}
"""The fields that are no free text."""

VALUES: Json = {
    "api_key": "d4a3653a4ba72d6e04a293",
    "org_id": "org_2laPkMJTagQWnkOPpgISd2FJxFE",
    "room_uid": "51VPKp3F0yPX",
    "user_id": "s8dfkjsdf",
    "user_uid": "s8dfkjsdf",
    "msg": "안녕 반가워요",
    "return_voice": 1,
    "stream": 0,
    "no_save": 1,
    "no_history": 1,
    "model": "gpt-4o-mini",
    "language": "ko",
    "questioner": "김철수",
    "visitor_name": "김철수",
    "filename": "400x400.jpg",
    "scene_number": 1,
    "use_choices": 3,
    "greeting_number": 1,
    "subject": "인사",
    "receiver_uid": "agent",
}
"""What the examples say."""

_LEFT_OVER = {"2024-07-01": "api_key", "2024-08-26": "org_id", "2024-08-27": "org_id"}
"""Fields that clients of the time sent and that decide nothing (spec section 1, R1a and R3b)."""


def requests_of(revision: Revision) -> tuple[Message, ...]:
    """Every action of the revision."""
    status = Record((Key("action", OneOf(("status",)), "what is asked"),), ordered=False)
    found = [
        Message(
            "Status", "Request", "status", "Asks whether the connection is alive.", status, ({"action": "status"},)
        ),
        _request(SendMsg, revision),
    ]
    if revision.has_greeting:
        found.append(_request(Greet, revision))
    return tuple(found)


def _request(action: type, revision: Revision) -> Message:
    says = action is SendMsg
    name = revision.action if says else "greeting"
    fields = request_fields(action, revision)
    if says and revision.id in _LEFT_OVER:
        fields.append(_LEFT_OVER[revision.id])
    if says and revision.id == V1:
        fields += ["subject", "receiver_uid"]
    required = [key for key in revision.requires if says or key != "msg"]
    keys = [Key("action", OneOf((name,)), "what is asked"), *(_key(key, key in required, revision) for key in fields)]
    asks = "Says something to the agent of a space." if says else "Asks for one of the greetings of a space."
    told = f'{asks} A field that is null or "" counts as left out; one that is not listed is ignored by the server.'
    least = {"action": name, **{key: VALUES[key] for key in required}}
    most = {"action": name, **{key: VALUES[key] for key in fields}}
    return Message(name.capitalize(), "Request", name, told, Record(tuple(keys), ordered=False), (least, most))


def _key(name: str, required: bool, revision: Revision) -> Key:
    field = FIELDS[name]
    told = field.meaning
    if name == _LEFT_OVER.get(revision.id):
        told = "not looked at any more" if name == "org_id" else "not looked at yet"
    elif field.seen > revision.id:
        told += f" (understood here, documented from {field.seen} on)"
    if required:
        return Key(name, Text(least=1), told)
    return Key(name, or_null(SHAPES.get(name, Text())), told, required=False)
