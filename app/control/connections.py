"""The open sockets: `/_emulator/connections`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field, model_validator

from app.control.plane import Body, Plane, router
from app.control.refusals import Refused
from app.emulation.lines import Line, may_close_with
from app.json_text import dumps

LONGEST_REASON = 123
"""Bytes of a close frame's reason."""


class Connection(BaseModel):
    """An open socket. `opened`: epoch seconds of the emulated clock."""

    id: str = Field(description="The wire's own name for it.", examples=["Yx3kq9aBoE0CTcQ="])
    wire: str = Field(examples=["chldo"])
    room: str = Field(examples=["r1"])
    user: str = Field(examples=["u1"])
    path: str = Field(examples=["/v3/"])
    opened: float
    frames_in: int
    frames_out: int
    exchanges: int = Field(description="Requests that were accepted.")


class Connections(BaseModel):
    """All open sockets."""

    connections: list[Connection]


class Push(Body):
    """A frame: its text, or the JSON that it is to be."""

    text: str | None = Field(None, description="The text of the frame, as it is.")
    frame: Any = Field(None, description="Any JSON; sent without blanks.", examples=[{"status": "END"}])

    @model_validator(mode="after")
    def _one(self) -> Push:
        if (self.text is None) == ("frame" not in self.model_fields_set):
            raise ValueError("expected exactly one of text, frame")
        return self


class Close(Body):
    code: int = Field(
        1000,
        description="1000 to 1014 but for 1004, 1005 and 1006, which are never sent; or 3000 to 4999.",
        examples=[1001],
    )
    reason: str = Field("", description="At most 123 bytes of UTF-8.")


Id = Annotated[str, Path(alias="id", description="The connection's id.", examples=["Yx3kq9aBoE0CTcQ="])]


def connection_routes(plane: Plane) -> APIRouter:
    """The routes."""
    routes = router(plane, "connections", 404, 409, 413)
    lines = plane.stage.lines

    def find(uid: str) -> Line:
        line = lines.get(uid)
        if line is None:
            raise Refused(404, f"id: no connection {uid} is open")
        return line

    @routes.get("/connections", summary="The open sockets")
    async def all_of_them() -> Connections:
        return Connections(connections=[Connection(**line.plain()) for line in lines])

    @routes.get("/connections/{id}", summary="One open socket")
    async def one(uid: Id) -> Connection:
        return Connection(**find(uid).plain())

    @routes.post("/connections/{id}/push", summary="Send a frame that nobody asked for")
    async def push(uid: Id, body: Push) -> Connection:
        """It goes out as it is: no fault strikes it."""
        line = find(uid)
        text = body.text if body.text is not None else dumps(body.frame)
        try:
            await line.push(text)
        except OSError:
            raise Refused(409, f"id: the connection {uid} is not open (not yet, or no longer)") from None
        return Connection(**line.plain())

    @routes.post("/connections/{id}/close", summary="Close a socket with a code")
    async def close(uid: Id, body: Close | None = None) -> Connection:
        """Its turns end with it."""
        asked = body or Close(code=1000, reason="")
        line = find(uid)
        if not may_close_with(asked.code):
            raise Refused(
                400, f"code: expected 1000 to 1014 but for 1004, 1005, 1006, or 3000 to 4999, found {asked.code}"
            )
        if len(asked.reason.encode()) > LONGEST_REASON:
            raise Refused(400, f"reason: expected at most {LONGEST_REASON} bytes, found more")
        told = Connection(**line.plain())
        try:
            await line.close(asked.code, asked.reason)
        except OSError:
            raise Refused(409, f"id: the connection {uid} is not open (not yet, or no longer)") from None
        return told

    return routes
