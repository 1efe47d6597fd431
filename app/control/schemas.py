"""The descriptions of the wires over HTTP: `/_emulator/schema/`.

They are rendered once, when first asked for, in a thread: nothing of it is imported before that.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

if TYPE_CHECKING:
    from app.contract.schema.tree import Document

INDEX = "index.json"
KINDS = ("application/schema+json", "application/vnd.aai.asyncapi+json", "application/typescript", "text/x-python")


@dataclass(frozen=True, slots=True)
class Served:
    """A document as it goes out."""

    body: bytes
    media_type: str
    etag: str


def render() -> Mapping[str, Document]:
    """Every document by its path."""
    from app.contract.schema.tree import documents

    return documents()


class Shelf:
    """The documents, rendered when first asked for, by one thread however many ask."""

    def __init__(self, render: Callable[[], Mapping[str, Document]]) -> None:
        self._render = render
        self._rendering = threading.Lock()
        self._served: dict[str, Served] = {}

    async def find(self, path: str) -> Served | None:
        """The document at `path`; None if there is none."""
        if not self._served:
            await asyncio.to_thread(self._fill)
        return self._served.get(path)

    def _fill(self) -> None:
        with self._rendering:
            self._served = self._served or {path: _served(document) for path, document in self._render().items()}


def _served(document: Document) -> Served:
    body = document.text.encode()
    return Served(body, document.media_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def schema_routes(render: Callable[[], Mapping[str, Document]] = render) -> APIRouter:
    """The routes. `render` gives the documents; it is called off the event loop, once."""
    routes = APIRouter(prefix="/_emulator/schema", tags=["emulator"])
    shelf = Shelf(render)

    async def answer(path: str, request: Request) -> Response:
        served = await shelf.find(path)
        if served is None:
            return JSONResponse({"message": f"no schema {path!r}; GET /_emulator/schema/ lists them"}, 404)
        headers = {"ETag": served.etag, "Cache-Control": "no-cache"}
        if _holds(request.headers.get("If-None-Match", ""), served.etag):
            return Response(status_code=304, headers=headers)
        return Response(served.body, media_type=served.media_type, headers=headers)

    @routes.get("/", summary="What schemas there are", response_class=JSONResponse, responses={304: {}})
    async def index(request: Request) -> Response:
        """Wires, their editions (dated revisions, for example), and their documents relative to this address."""
        return await answer(INDEX, request)

    @routes.get(
        "/{path:path}",
        summary="A schema: AsyncAPI, JSON Schema, TypeScript or Python",
        response_class=Response,
        responses={
            200: {"content": {kind: {} for kind in KINDS}},
            304: {"description": "Not modified: the `ETag` is the one that `If-None-Match` names"},
            404: {"description": "No such document"},
        },
    )
    async def document(path: str, request: Request) -> Response:
        """`path` as the index names it, such as `chldo/2024-11-13/asyncapi.json`."""
        return await answer(path, request)

    routes.add_api_route("/", index, methods=["HEAD"], include_in_schema=False)
    routes.add_api_route("/{path:path}", document, methods=["HEAD"], include_in_schema=False)
    return routes


def _holds(asked: str, etag: str) -> bool:
    """Whether an `If-None-Match` header names the document; weak tags are compared without their mark."""
    tags = {tag.strip().removeprefix("W/") for tag in asked.split(",")}
    return etag in tags or "*" in tags
