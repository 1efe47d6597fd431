"""What all routes of the wire share: envelopes, the shape of errors, who asks, pages.

{"data": …}   {"data": […], "next_cursor": …}   {"error": {"code", "message", "i18n_key", "params"}}
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import orjson
from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.bodies import BodyTooLarge, BoundedRequest
from app.hashee.access import Credential, credential_of
from app.hashee.identifiers import UUID
from app.hashee.refusals import Refused

if TYPE_CHECKING:
    from app.hashee.post import Post

BODY_LIMIT = 1024 * 1024
"""Bytes of a request's body; files have a route and a limit of their own."""

LARGEST = 2**62
"""What a number of messages or events may be."""

DEEPEST = 64
"""Levels of lists and objects in a body."""

WAIT = 20.0
"""Seconds that a request may take, long polls and uploads apart."""

LONG = ("/messages/poll", "/upload", "/files/{file_id}")
"""Ends of paths that may take longer, and take more."""

T = TypeVar("T")

Getter = Callable[[], Awaitable["Post | None"]]

Uid = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Line = Annotated[str, StringConstraints(max_length=300)]
Url = Annotated[str, StringConstraints(max_length=2000)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Email = Annotated[str, StringConstraints(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


def storable(value: Any, depth: int = 0) -> Any:
    """`value` itself. Raises ValueError where something in it cannot be kept or sent on: PostgreSQL has no NUL, nothing
    has half a surrogate pair, numbers have 64 bits, and JSON is written to some depth only.
    """
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("text with a NUL in it is not taken")
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ValueError("text with half a surrogate pair in it is not taken") from None
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ValueError("numbers have at most 64 bits")
    elif isinstance(value, dict | list):
        if depth >= DEEPEST:
            raise ValueError(f"values may be nested {DEEPEST} deep")
        for item in value:
            storable(item, depth + 1)
        if isinstance(value, dict):
            for item in value.values():
                storable(item, depth + 1)
    return value


class Body(BaseModel):
    """A request's body: what is not known in it is passed over, as the service does."""

    model_config = ConfigDict(extra="ignore")

    _storable = model_validator(mode="before")(storable)


class ErrorDetail(BaseModel):
    code: str = Field(examples=["INVALID_TOKEN"])
    message: str
    i18n_key: str = Field(examples=["error.invalid_token"])
    params: dict[str, Any] = Field(default_factory=dict)


class ErrorAnswer(BaseModel):
    """Every error."""

    error: ErrorDetail


class Answer(BaseModel):
    """Every success."""

    data: Any


class Page(BaseModel):
    """A list; `next_cursor` is null at its end."""

    data: list[Any]
    next_cursor: str | None


ERRORS: dict[int | str, dict[str, Any]] = {"4XX": {"model": ErrorAnswer}, "5XX": {"model": ErrorAnswer}}
"""What every route may answer beside its success."""


def refusal_answer(refused: Refused) -> Response:
    """A refusal as an answer."""
    answer = Response(orjson.dumps(refused.body()), refused.status, media_type="application/json")
    if refused.retry_after is not None:
        # The page names a header with an underscore; the standard one is beside it.
        answer.headers["retry_after"] = answer.headers["Retry-After"] = str(refused.retry_after)
    return answer


class HasheeRoute(APIRoute):
    """A route whose errors have the wire's shape, and whose body has a limit."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        plain = super().get_route_handler()
        unlimited = self.path_format.endswith(LONG)

        async def handle(request: Request) -> Response:
            if not unlimited:
                request = BoundedRequest(request.scope, request.receive, limit=BODY_LIMIT)
            try:
                _check_address(request)
                if not unlimited:
                    _check_length(request)
                    async with asyncio.timeout(WAIT):
                        return await plain(request)
                return await plain(request)
            except Refused as refused:
                return refusal_answer(refused)
            except RequestValidationError as wrong:
                return refusal_answer(_invalid(wrong, request))
            except BodyTooLarge:
                return refusal_answer(Refused("PAYLOAD_TOO_LARGE", f"At most {BODY_LIMIT} bytes"))
            except HTTPException as wrong:
                if wrong.status_code != 400:
                    raise
                return refusal_answer(Refused("INVALID_REQUEST", f"body: {wrong.detail}", field="body"))
            except TimeoutError:
                return refusal_answer(Refused("UNAVAILABLE"))

        return handle


def _check_address(request: Request) -> None:
    """Raises `Refused` for an address that names what no store can hold."""
    if "\0" in request.scope["path"]:
        raise Refused("NOT_FOUND", "No such id")
    if b"%00" in request.scope["query_string"]:
        raise Refused("INVALID_REQUEST", "query: text with a NUL in it is not taken", field="query")


def _check_length(request: Request) -> None:
    """Raises `Refused` for a body that is too large, or of a length that is not told."""
    told = request.headers.get("content-length")
    if request.headers.get("transfer-encoding") is not None:
        raise Refused("PAYLOAD_TOO_LARGE", "Content-Length is required")
    if told is not None and (not told.isdigit() or int(told) > BODY_LIMIT):
        raise Refused("PAYLOAD_TOO_LARGE", f"At most {BODY_LIMIT} bytes")


def _invalid(wrong: RequestValidationError, request: Request) -> Refused:
    first = wrong.errors()[0]
    if first["loc"] == ("body",) and isinstance(wrong.body, bytes):
        kind = request.headers.get("content-type", "missing")
        return Refused("INVALID_REQUEST", f"Content-Type has to be application/json; it is {kind}", field="body")
    if first["type"] == "json_invalid":
        return Refused("INVALID_REQUEST", f"The body is no JSON: {first['ctx']['error']}", field="body")
    place = [str(part) for part in first["loc"] if part != "body"]
    name = ".".join(place) or "body"
    return Refused("INVALID_REQUEST", f"{name}: {first['msg']}", field=name)


def routes(tag: str) -> APIRouter:
    """A router of the wire. Its routes are described under `hashee: TAG`."""
    return APIRouter(
        route_class=HasheeRoute,
        tags=[f"hashee: {tag}"],
        responses=ERRORS,
    )


def data(value: Any, status: int = 200) -> Response:
    """A success."""
    return Response(orjson.dumps({"data": value}), status, media_type="application/json")


def page(values: Sequence[Any], cursor: str | None) -> Response:
    """A list."""
    return Response(orjson.dumps({"data": values, "next_cursor": cursor}), media_type="application/json")


OPAQUE = ("settings", "capability_manifest")
"""What users put there is theirs: nothing in it is read."""


def moments(post: Post, value: Any) -> Any:
    """`value` with the moments in it as the profile writes them: what is called `…_at` is one."""
    if isinstance(value, dict):
        return {
            key: item
            if key in OPAQUE
            else post.profile().moment(item)
            if key.endswith("_at") and isinstance(item, float)
            else moments(post, item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [moments(post, item) for item in value]
    return value


async def while_there(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives. It is cancelled when the client hangs up: `Refused`, which nobody reads."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(gone())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Refused("INVALID_REQUEST", "The client has hung up")
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


class Doors:
    """How routes find what answers, and who asks."""

    def __init__(self, post: Getter) -> None:
        self._get = post

    async def post(self) -> Post:
        """What answers. Raises `Refused` if it is not there in time."""
        post = await self._get()
        if post is None:
            raise Refused("UNAVAILABLE", "The server is still starting")
        return post

    async def caller(self, request: Request) -> Credential:
        """Who asks. Raises `Refused`."""
        post = await self.post()
        return credential_of(request.headers.get("authorization"), post.tokens, post.clock.time())

    @property
    def Post(self) -> Any:  # noqa: N802 - reads like the type that it gives
        return Depends(self.post)

    @property
    def Caller(self) -> Any:  # noqa: N802
        return Depends(self.caller)


def checked_id(uid: str) -> str:
    """An id of the wire as it is in a path. Raises `Refused`: NOT_FOUND."""
    if not UUID.fullmatch(uid):
        raise Refused("NOT_FOUND", "No such id")
    return uid
