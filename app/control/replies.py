"""Replies while the program runs: `/_emulator/replies`. They answer before those of the files."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from app.control.bodies import body_of, read_body
from app.control.plane import Body, Plane, Removed, router
from app.control.refusals import Refused
from app.emulation.fixtures import KEYS, LARGEST_WHOLE, read_pace, read_reply
from app.emulation.nodes import Json
from app.emulation.replies import Entry, ReplyAsk, TooManyReplies
from app.emulation.report import Item

EXAMPLE = {"when": {"msg": {"contains": "날씨"}}, "reply": "오늘은 맑아요."}
_FILE = ("replies", "pace")
_ENTRY: dict[str, Any] = {
    "type": "object",
    "required": ["when"],
    "description": "An entry of a reply file: `when`; `reply`, `tokens`, `json` or `error`; and what is beside it.",
    "properties": {
        "when": {"type": "object", "minProperties": 1, "propertyNames": {"enum": list(KEYS["when"])}},
        **{name: {} for name in KEYS["reply"] if name != "when"},
    },
    "additionalProperties": False,
}
_SEVERAL = {
    "type": "object",
    "required": ["replies"],
    "properties": {"replies": {"type": "array", "items": _ENTRY}, "pace": {}},
    "additionalProperties": False,
}


class Added(BaseModel):
    """A reply that was added: its keys as they were written, and its id."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(examples=["r1"])


class Replies(BaseModel):
    """What was added, in the order in which it is asked: the last request first."""

    replies: list[Added]


class Asked(Body):
    """A question, as a reply can match on it."""

    msg: str | None = Field(None, description="What the user says; null: the agent speaks first.")
    space: str = ""
    room_uid: str = ""
    user_id: str = ""
    language: str = "ko"
    model: str = ""
    scene_number: int | None = Field(None, ge=0, le=LARGEST_WHOLE)
    filename: str | None = None
    visitor_name: str = ""
    turn: int = Field(1, ge=1, le=LARGEST_WHOLE, description="Which turn of the room it is, from 1.")
    response_format: Literal["json_object", "json_schema"] | None = Field(None, description="null: text.")
    json_schema: str | None = Field(None, description="The name of the schema that the answer has to satisfy.")
    tool_choice: str | None = Field(None, description="`none`, `auto`, `required`, or the name of a tool.")


class Failed(BaseModel):
    """A condition that did not hold."""

    key: str = Field(examples=["msg"])
    wanted: str = Field(examples=['"안녕"'])
    got: str = Field(examples=['"안뇽"'])


class Miss(BaseModel):
    """An entry that came near, and what it lacked."""

    source: str = Field(examples=["replies/test.yaml:3"])
    failed: list[Failed]


class Explained(BaseModel):
    """Which reply answers. `source`: its place in the files, `control:ID`, or null where nothing answers."""

    matched: bool
    source: str | None = Field(examples=["control:r1"])
    msg: str | None
    made: bool = Field(False, description="The reply has no JSON or no call, so one is made for the schema asked for.")
    nearest: list[Miss] | None = Field(None, description="Where no entry matched: those that came nearest.")


def reply_routes(plane: Plane) -> APIRouter:
    """The routes."""
    routes = router(plane, "replies", 404, 409, 413, 503)

    @routes.get("/replies", summary="What was added at runtime")
    async def all_of_them() -> Replies:
        book = (await plane.engine()).book
        return Replies(replies=[Added(id=one.id, **one.written) for one in book.added])

    @routes.post(
        "/replies",
        summary="Add one reply, or several",
        status_code=201,
        openapi_extra=body_of({"anyOf": [_ENTRY, _SEVERAL]}, EXAMPLE),
    )
    async def add(request: Request) -> Replies:
        """The body is an entry of a reply file, or `{"replies": [entry, …]}`. They are asked before all others, in
        their order. All of them are added, or none.
        """
        book = (await plane.engine()).book
        entries = await read_body(request, read_replies_body)
        try:
            added = book.add(entries)
        except TooManyReplies as many:
            raise Refused(409, f"replies: {many}") from None
        plane.note("replies add", ids=[one.id for one in added])
        return Replies(replies=[Added(id=one.id, **one.written) for one in added])

    @routes.delete("/replies", summary="Remove all that was added at runtime")
    async def clear() -> Removed:
        removed = (await plane.engine()).book.clear()
        plane.note("replies clear", removed=removed)
        return Removed(removed=removed)

    @routes.delete("/replies/{id}", summary="Remove one reply that was added at runtime")
    async def remove(uid: Annotated[str, Path(alias="id", description="Its id.", examples=["r1"])]) -> Removed:
        if not (await plane.engine()).book.remove(uid):
            raise Refused(404, f"id: no reply {uid} was added")
        plane.note("replies remove", ids=[uid])
        return Removed(removed=1)

    @routes.post("/replies/explain", summary="Which reply would answer, and why")
    async def explain(body: Asked) -> Explained:
        """Asks the replies in force without a turn. Where no entry matches, it tells what the nearest ones lacked."""
        book = (await plane.engine()).book
        return Explained(**book.current.explain(ReplyAsk(**body.model_dump())).plain())

    return routes


def read_replies_body(item: Item) -> list[tuple[Entry, dict[str, Json]]]:
    """One entry, or a mapping with `replies`; each with the JSON that says it."""
    if not (isinstance(item.node.value, dict) and "replies" in item.node.value):
        return [(read_reply(item), _written(item, None))]
    fields = item.fields(_FILE, required=("replies",))
    pace = read_pace(fields["pace"]) if "pace" in fields else None
    return [
        (read_reply(member, pace), _written(member, asdict(pace) if pace else None))
        for member in fields["replies"].items()
    ]


def _written(item: Item, pace: Json) -> dict[str, Json]:
    written = item.json()
    told = written if isinstance(written, dict) else {}
    return {**({} if pace is None else {"pace": pace}), **told}
