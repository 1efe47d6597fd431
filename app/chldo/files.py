"""Vision's way in: a signed upload policy from the info host, and the bucket that the policy opens.

The multipart body is parsed as it arrives and goes to disk in pieces; S3's own limits and error texts hold.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from html import escape
from typing import Any, Protocol

from fastapi import APIRouter
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from app.chldo.gateway import STARTING
from app.chldo.memory import UNREADABLE
from app.chldo.requests import KEY_UNKNOWN, KEY_UNUSABLE
from app.emulation.determinism import Ids
from app.forwarding import base_url, path_in_front
from app.json_text import loads
from app.spaces.failures import StoreFailure
from app.spaces.models import ApiKey, Space
from app.spaces.s3 import Accepted, S3Error, too_large
from app.spaces.uploads import BUCKET, Uploads

log = logging.getLogger("app.chldo")

QUESTION_LIMIT = 64 * 1024
"""Bytes of the largest presignedurl request."""

FIELDS_LIMIT = 20 * 1024
"""Bytes of everything before the file, as on S3."""

SLACK = 1024 * 1024
"""Bytes of an upload beside its image."""

DRAIN = 128 * 1024 * 1024
"""Bytes of a refused upload that are still read, so that the answer is too."""

PATIENCE = 30.0
"""Seconds between two pieces of a body."""

LONGEST = 600.0
"""Seconds an upload may take."""

_REQUIRED = ("api_key", "filename", "room_uid")
_MALFORMED = S3Error(
    400, "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data."
)
_TOO_MUCH = S3Error(
    400,
    "MaxPostPreDataLengthExceeded",
    "Your POST request fields preceding the upload file were too large.",
    (("MaxPostPreDataLengthBytes", str(FIELDS_LIMIT)),),
)
_ONE_FILE = S3Error(400, "InvalidArgument", "POST requires exactly one file upload per request.")
_NO_FORM = S3Error(
    412,
    "PreconditionFailed",
    "At least one of the pre-conditions you specified did not hold",
    (("Condition", "Bucket POST must be of the enclosure-type multipart/form-data"),),
)
_STALLED = S3Error(
    400,
    "RequestTimeout",
    "Your socket connection to the server was not read from or written to within the timeout period.",
)
_BROKEN = S3Error(500, "InternalError", "We encountered an internal error. Please try again.")
_STARTING = S3Error(503, "ServiceUnavailable", STARTING)


class Keys(Protocol):
    """Who opens which space; the store."""

    async def by_key(self, api_key: str) -> tuple[Space, ApiKey] | None: ...


def file_routes(
    ids: Ids,
    uploads: Callable[[], Awaitable[Uploads | None]],
    store: Callable[[], Awaitable[Keys | None]],
    *,
    url_base: str | None = None,
    patience: float = PATIENCE,
) -> APIRouter:
    """The routes. `uploads` and `store` give theirs once the program is ready, None if it is not in time.

    url_base: scheme and host of upload URLs, where it is not to be the address that the client used.
    """
    routes = APIRouter()

    @routes.post(
        "/v3/files/presignedurl",
        summary="Where and how to upload an image",
        responses={400: {}, 413: {}, 503: {}},
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": _QUESTION}}}},
    )
    async def presigned_url(request: Request) -> Response:
        """`{"presigned_url": {"url": …, "fields": {…}}}`: POST the fields and then `file` as multipart/form-data."""
        try:
            body = await _Body(request, QUESTION_LIMIT, patience).whole()
        except TimeoutError:
            return _says("Request Timeout", 408)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return _says("Request Too Long", 413)
        question = _question(body)
        if isinstance(question, str):
            return _says(question)
        keys, shelf = await store(), await uploads()
        if keys is None or shelf is None:
            return _says(STARTING, 503)
        try:
            found = await keys.by_key(question["api_key"])
        except StoreFailure as failure:
            log.error("the store cannot be read: %s", failure)
            return _says(UNREADABLE, 503)
        if found is None:
            return _says(KEY_UNKNOWN)
        space, key = found
        if not key.usable:
            return _says(KEY_UNUSABLE)
        base = url_base or base_url(request.scope)
        return JSONResponse(
            {"presigned_url": shelf.presign(base, space.uid, question["room_uid"], question["filename"])}
        )

    @routes.post(f"/{BUCKET}/", include_in_schema=False)
    @routes.post(
        f"/{BUCKET}",
        summary="Upload an image under a signed policy",
        status_code=204,
        response_class=Response,
        responses={status: {"content": {"application/xml": {}}} for status in (400, 403, 412, 500, 503)},
    )
    async def upload(request: Request) -> Response:
        """multipart/form-data: the fields of `presigned_url`, then `file`. 204, or an error as XML in S3's words."""
        shelf = await uploads()
        body = _Body(request, (shelf.limit if shelf else 0) + SLACK, patience)
        try:
            async with asyncio.timeout(LONGEST):
                outcome = await _receive(request, body, shelf) if shelf else _STARTING
                if isinstance(outcome, S3Error):
                    await body.drain(DRAIN)  # many clients read no answer before they have sent everything
        except TimeoutError:
            outcome = _STALLED
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except OSError:
            log.exception("an upload cannot be stored")
            outcome = _BROKEN
        if isinstance(outcome, Accepted):
            where = f"{path_in_front(request.scope)}{request.url.path.rstrip('/')}/{outcome.key}"
            return Response(status_code=204, headers={"ETag": f'"{outcome.etag}"', "Location": where})
        return _xml(outcome, ids.hexadecimal(16).upper(), close=not body.ended)

    return routes


_QUESTION = {
    "type": "object",
    "required": list(_REQUIRED),
    "properties": {key: {"type": "string"} for key in _REQUIRED},
}


class _Body:
    """A request's body in pieces. `limit`: bytes that are read at most; `patience`: seconds a piece may take."""

    def __init__(self, request: Request, limit: int, patience: float) -> None:
        self.ended = False
        self._pieces = request.stream()
        self._left = limit
        self._patience = patience
        length = request.headers.get("content-length", "")
        self.declared = int(length) if length.isdecimal() else 0
        """Bytes it has by its own account; 0 where it gives none."""

    async def piece(self) -> bytes | None:
        """The next bytes; none at its end, None where there is more than may be read.

        Raises TimeoutError, and starlette's ClientDisconnect.
        """
        if self._left < 0:
            return None
        async with asyncio.timeout(self._patience):
            data = await anext(self._pieces, b"")
        self.ended = not data
        self._left -= len(data)
        return data if self._left >= 0 else None

    async def whole(self) -> bytes | None:
        """All of it; None if it is over the limit."""
        pieces: list[bytes] = []
        while piece := await self.piece():
            pieces.append(piece)
        return b"".join(pieces) if self.ended else None

    async def drain(self, limit: int) -> None:
        """Reads the rest, at most `limit` bytes, and throws it away."""
        self._left = limit
        while not self.ended and await self.piece() is not None:
            pass


class _Form:
    """A multipart body as it arrives: small fields, then the file."""

    def __init__(self, boundary: bytes) -> None:
        self.fields: dict[str, str] = {}
        self.refused: S3Error | None = None
        self.at_file = False
        self.ended = False
        self._content: list[bytes] = []
        self._early = 0
        self._in_file = False
        self._header = b""
        self._header_value = b""
        self._name = ""
        self._value = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._on_header,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._named,
                "on_part_data": self._on_data,
                "on_part_end": self._finish,
                "on_end": self._end,
            },
        )

    def feed(self, data: bytes) -> None:
        """Reads on. What is wrong with the form stands in `refused`."""
        if not self.at_file:
            self._early += len(data)
        try:
            self._parser.write(data)
        except (FormParserError, UnicodeDecodeError):
            self.refused = self.refused or _MALFORMED
        if not self.at_file and self._early > FIELDS_LIMIT:
            self.refused = self.refused or _TOO_MUCH

    def take(self) -> bytes:
        """What has come of the file since the last call."""
        content = b"".join(self._content)
        self._content.clear()
        return content

    def _begin(self) -> None:
        self._name, self._value, self._in_file = "", b"", False

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._header_value)
            self._name = options.get(b"name", b"").decode().lower()
        self._header = self._header_value = b""

    def _named(self) -> None:
        if self._name == "file":
            if self.at_file:
                self.refused = self.refused or _ONE_FILE
            self.at_file = self._in_file = True

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._content.append(data[start:end])
        elif not self.at_file:  # fields behind the file are ignored
            self._value += data[start:end]
            if len(self._value) > FIELDS_LIMIT:
                self._value, self.refused = b"", _TOO_MUCH

    def _finish(self) -> None:
        if not self.at_file:
            self.fields[self._name] = self._value.decode()

    def _end(self) -> None:
        self.ended = True


async def _receive(request: Request, body: _Body, uploads: Uploads) -> Accepted | S3Error:
    """Reads the fields, then lets `uploads` judge them and read the file."""
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        return _NO_FORM
    boundary = options.get(b"boundary")
    if not boundary or len(boundary) > 70:  # as RFC 2046 has it
        return _MALFORMED
    form = _Form(boundary)
    while not form.at_file:
        piece = await body.piece()
        if not piece:
            return form.refused or (_ONE_FILE if form.ended else _MALFORMED)
        form.feed(piece)
        if form.refused:
            return form.refused
    async with aclosing(_content(form, body, uploads.limit)) as content:
        return await uploads.accept(form.fields, content)


async def _content(form: _Form, body: _Body, limit: int) -> AsyncGenerator[bytes | S3Error, None]:
    """The file of the form, ending with an error if the form turns out wrong."""
    if body.declared > limit + SLACK:
        yield too_large(body.declared, limit)
        return
    while True:
        if form.refused:
            yield form.refused
            return
        if data := form.take():
            yield data
        piece = await body.piece()
        if piece is None:
            yield too_large(limit + SLACK, limit)
            return
        if not piece:
            break
        form.feed(piece)
    if not form.ended:
        yield _MALFORMED


def _question(body: bytes) -> Mapping[str, str] | str:
    """What a presignedurl request asks, or what is wrong with it."""
    try:
        given: Any = loads(body)
    except ValueError:
        return "Invalid request body"
    if not isinstance(given, dict):
        return "Invalid request body"
    for key in _REQUIRED:
        if given.get(key) in (None, ""):
            return f"{key} is required"
    for key in _REQUIRED:
        if not isinstance(given[key], str):
            return f"{key} must be a string"
    return given


def _says(message: str, status: int = 400) -> Response:
    return JSONResponse({"message": message}, status_code=status)


def _xml(error: S3Error, request_id: str, *, close: bool) -> Response:
    """An error as S3 words it; `close` where the rest of the request will not be read."""
    parts = [("Code", error.code), ("Message", error.message), *error.details, ("RequestId", request_id)]
    inside = "".join(f"<{name}>{escape(_printable(text), quote=False)}</{name}>" for name, text in parts)
    headers = {"x-amz-request-id": request_id} | ({"Connection": "close"} if close else {})
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inside}</Error>'
    return Response(text, status_code=error.status, headers=headers, media_type="application/xml")


def _printable(text: str) -> str:
    """Without what XML cannot carry."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
