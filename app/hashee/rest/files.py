"""Files: announced, uploaded, confirmed by their SHA-256, fetched by those who take part in the conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from fastapi import APIRouter, Request
from pydantic import Field, StringConstraints
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, Response

from app.forwarding import base_url
from app.hashee import files
from app.hashee.access import Credential, same
from app.hashee.refusals import Refused
from app.hashee.rest.routes import Answer, Body, Doors, Uid, checked_id, data, refusal_answer, routes
from app.hashee.shelf import LARGEST
from app.stored_file import StoredFile

if TYPE_CHECKING:
    from app.hashee.post import Post


# `text/plain; charset=utf-8`: it is sent back as a header, so it is ASCII.
MediaType = Annotated[
    str,
    StringConstraints(
        max_length=200, pattern=r"^[A-Za-z0-9_.+-]+/[A-Za-z0-9_.+-]+( *; *[A-Za-z0-9_.+-]+=[A-Za-z0-9_.+-]+){0,5}$"
    ),
]


GONE = "The bytes of the file are gone"


class Announce(Body):
    filename: Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f/\\]+$")]
    content_type: MediaType
    size: Annotated[int, Field(ge=1)]
    conversation_id: Uid


class Confirm(Body):
    upload_id: Uid
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$")]


def file_routes(doors: Doors) -> APIRouter:
    """The routes."""
    router = routes("files")

    async def announced(request: Request, post: Post, who: Credential, agent_id: str | None, ask: Announce) -> Response:
        if ask.size > LARGEST:
            raise Refused("PAYLOAD_TOO_LARGE", f"At most {LARGEST} bytes")
        about = ask.model_dump(include={"filename", "content_type", "size"})
        now = post.limit_clock.monotonic()
        made = await post.ledger.do(
            lambda tx: files.announce(
                tx, who, agent_id, ask.conversation_id, about, age=lambda upload_id: post.uploads.of(upload_id, now)
            )
        )
        post.uploads.begin(made["upload_id"], now)
        base = base_url(request.scope)
        owner = "/files" if agent_id is None else f"/agents/{agent_id}/files"
        return data({**made, "upload_url": f"{base}{owner}/{made['upload_id']}/upload"})

    async def taken(request: Request, post: Post, who: Credential, agent_id: str | None, upload_id: str) -> Response:
        async with post.shelf.alone(upload_id):
            row = await post.ledger.see(lambda tx: files.own(tx, who, checked_id(upload_id), agent_id))
            if row.state == "confirmed":
                raise Refused("ALREADY_EXISTS", "The file is confirmed already")
            if _bare(request.headers.get("content-type", "")) != _bare(row.content_type):
                raise Refused("INVALID_REQUEST", f"Content-Type has to be {row.content_type}")
            try:
                await post.shelf.take(upload_id, row.size, request.stream())
            except ClientDisconnect:
                raise Refused("SIZE_MISMATCH", "The upload broke off") from None
            await post.ledger.do(lambda tx: files.uploaded(tx, upload_id))
            return data({"upload_id": upload_id})

    @router.post("/agents/{agent_id}/files", response_model=Answer, summary="An agent announces a file")
    async def announce(
        agent_id: str, ask: Announce, request: Request, post: Post = doors.Post, who: Credential = doors.Caller
    ) -> Response:
        return await announced(request, post, who, agent_id, ask)

    @router.put(
        "/agents/{agent_id}/files/{upload_id}/upload",
        response_model=Answer,
        summary="Its bytes, with its own Content-Type",
    )
    async def upload(
        agent_id: str, upload_id: str, request: Request, post: Post = doors.Post, who: Credential = doors.Caller
    ) -> Response:
        return await taken(request, post, who, agent_id, upload_id)

    @router.post("/files", response_model=Answer, summary="A person announces a file")
    async def announce_own(
        ask: Announce, request: Request, post: Post = doors.Post, who: Credential = doors.Caller
    ) -> Response:
        return await announced(request, post, who, None, ask)

    @router.put("/files/{upload_id}/upload", response_model=Answer, summary="Its bytes")
    async def upload_own(
        upload_id: str, request: Request, post: Post = doors.Post, who: Credential = doors.Caller
    ) -> Response:
        return await taken(request, post, who, None, upload_id)

    @router.post("/files/confirm", response_model=Answer, summary="The file is whole: its SHA-256")
    async def confirm(ask: Confirm, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        """400 `SHA256_MISMATCH` for another hash."""
        async with post.shelf.alone(ask.upload_id):
            row = await post.ledger.see(lambda tx: files.own(tx, who, checked_id(ask.upload_id)))
            if row.state == "announced" or not await post.shelf.has(row.id):
                raise Refused("INVALID_REQUEST", "Nothing was uploaded")
            if not same(await post.shelf.sha256(row.id), ask.sha256.lower()):
                raise Refused("SHA256_MISMATCH")
            return data(await post.ledger.do(lambda tx: files.confirmed(tx, who, row.id, ask.sha256.lower())))

    @router.get("/files/{file_id}", summary="The bytes of a file", response_class=FileResponse)
    async def fetch(file_id: str, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        row = await post.ledger.see(lambda tx: files.fetch(tx, who, checked_id(file_id)))
        if not await post.shelf.has(row.id):  # put back by a snapshot, after a reset that took the bytes
            raise Refused("NOT_FOUND", GONE)
        # Never shown in a page of this origin, whatever it is.
        named = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(row.filename)}"}
        safe = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
        return StoredFile(
            post.shelf.path(file_id),
            media_type=row.content_type,
            headers={**named, **safe},
            unsatisfiable=lambda: refusal_answer(Refused("RANGE_NOT_SATISFIABLE")),
            missing=lambda: refusal_answer(Refused("NOT_FOUND", GONE)),
        )

    return router


def _bare(media_type: str) -> str:
    """A media type without its parameters."""
    return media_type.partition(";")[0].strip().lower()
