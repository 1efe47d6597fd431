"""REST of the info host, and the voices: room ids and signed MP3 files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.emulation.determinism import Ids
from app.stored_file import StoredFile

if TYPE_CHECKING:
    from app.voice.library import VoiceLibrary

VOICES = "/room_uid_voice/"


def info_routes(ids: Ids, library: Callable[[], Awaitable[VoiceLibrary | None]]) -> APIRouter:
    """The routes. `library` gives the voices once the program is ready, None if it is not in time."""
    routes = APIRouter()

    @routes.get("/v3/room/uid/", summary="A new room_uid")
    @routes.get("/v1/room/uid/", summary="A new room_uid (v1)")
    async def room_uid() -> dict[str, str]:
        """12 characters of base62. A room needs no other creation."""
        return {"room_uid": ids.base62(12)}

    @routes.head(VOICES + "{place:path}", include_in_schema=False)
    @routes.get(
        VOICES + "{place:path}",
        summary="The voice of a sentence",
        responses={200: {"content": {"audio/mpeg": {}}}, 206: {}, 403: {}, 404: {}},
    )
    async def voice(request: Request, place: str) -> Response:
        """MP3, by a signed URL from `voice_ready`. Ranges are served; 403 for a bad or expired signature, 404 for
        an unknown voice.
        """
        from app.voice.library import Denied, Found

        voices = await library()
        if voices is None:
            return JSONResponse({"message": "The server is still starting, try again."}, status_code=503)
        raw = request.scope.get("raw_path", b"").decode("ascii", "replace").partition("?")[0]
        room, _, name = raw.removeprefix(VOICES).partition("/")
        if not name.endswith(".mp3"):
            return _no_such_key()
        found = voices.check(unquote(room), unquote(name.removesuffix(".mp3")), request.query_params)
        if isinstance(found, Found):
            return StoredFile(
                Path(found.path), media_type="audio/mpeg", unsatisfiable=_out_of_range, missing=_no_such_key
            )
        if isinstance(found, Denied):
            return _xml(403, "AccessDenied", found.reason)
        return _no_such_key()

    return routes


def _no_such_key() -> Response:
    return _xml(404, "NoSuchKey", "The specified key does not exist.")


def _out_of_range() -> Response:
    return _xml(416, "InvalidRange", "The requested range is not satisfiable")


def _xml(status: int, code: str, message: str) -> Response:
    """An error as CloudFront words it."""
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>\n'
    return Response(text, status_code=status, media_type="application/xml")
