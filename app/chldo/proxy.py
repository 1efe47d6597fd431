"""The proxy host: OpenAI's chat completions, for whoever has a chldo api_key.

    key -> body -> CompletionAsk -> credit -> CompletionRun -> Answer          (the script)
                   PassedAsk     -> credit -> PassedAnswer                     (a model behind an upstream)

A streamed answer ends in one of three ways: a chunk with a finish_reason and `[DONE]`; an event `{"error": …}` where
the model fails on the way; nothing where the client has left, which cancels the model. What fails before the first
token is an HTTP error.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import orjson
from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.chldo.bad_requests import BadRequest, error_body
from app.chldo.chat_rendering import ChatRendering
from app.chldo.completion_answer import Answer, Delivery, Worked
from app.chldo.completion_shapes import model_body, model_names
from app.chldo.completions import SCRIPTED, parse_completion, parse_passed
from app.chldo.renders import NO_CREDIT
from app.emulation.determinism import Clock, Ids
from app.unserved import UnservedRoute, routes_of

if TYPE_CHECKING:
    from app.agent.models import ChatModels
    from app.spaces.models import Space
    from app.spaces.store import SpaceStore

log = logging.getLogger("app.chldo.proxy")

T = TypeVar("T")

NO_KEY = {"status": "failure", "message": "API_KEY does not exist."}

LARGEST_BODY = 20 * 1024 * 1024
READ_TIMEOUT = 60.0
"""Seconds in which the body of a request has to arrive."""

LARGE = 64 * 1024
"""Bytes from which a body is read and counted in a thread."""

VIA = "1.1 chldo-emulator"
MOST_HOPS = 4
"""Emulators that may ask one another in a row; one that is its own upstream would ask itself forever."""

PROVIDER = "x-coredot-provider"

ROOT = "/v1/"
LONGEST_PATH = 256
"""Characters of a path that an error repeats."""


class Loaded(Protocol):
    """What answers, once it is loaded."""

    @property
    def store(self) -> SpaceStore: ...

    @property
    def models(self) -> ChatModels: ...


def proxy_routes(
    opened: Callable[[], Awaitable[Loaded | None]],
    clock: Clock,
    ids: Ids,
    *,
    timeout: float = 300.0,
    body_limit: int = LARGEST_BODY,
) -> APIRouter:
    """The routes. `opened` gives what answers once the program is ready, None if it is not in time. `timeout`:
    seconds that a completion may take; `body_limit`: bytes of a request.
    """
    routes = APIRouter()
    proxy = _Proxy(opened, clock, ids, timeout, body_limit)
    keyless: dict[int | str, dict[str, Any]] = {404: {"description": "The api_key is missing, unknown or not usable."}}

    # A client that joins a base URL ending in a slash and a path beginning with one asks for `/v1//…`.
    @routes.post("/v1//chat/completions", include_in_schema=False)
    @routes.post(
        "/v1/chat/completions",
        summary="A chat completion",
        responses={200: {"content": {"application/json": {}, "text/event-stream": {}}}, 400: {}, 402: {}, **keyless},
    )
    async def completion(request: Request) -> Response:
        """OpenAI's chat completions, streamed or not, answered by the chat model of the space that the key opens."""
        return await proxy.complete(request)

    @routes.get("/v1//models", include_in_schema=False)
    @routes.get("/v1/models", summary="The models of the proxy", responses=keyless)
    async def models(request: Request) -> Response:
        """The list that OpenAI's clients know."""
        return await proxy.models(request, None)

    @routes.get("/v1//models/{model:path}", include_in_schema=False)
    @routes.get("/v1/models/{model:path}", summary="A model of the proxy", responses=keyless)
    async def model(request: Request, model: str) -> Response:
        """One entry of the list."""
        return await proxy.models(request, model)

    return routes


class _Proxy:
    """Serves the routes; holds no state of a request."""

    def __init__(
        self, opened: Callable[[], Awaitable[Loaded | None]], clock: Clock, ids: Ids, timeout: float, body_limit: int
    ) -> None:
        self._opened = opened
        self._clock = clock
        self._ids = ids
        self._timeout = timeout
        self._body_limit = body_limit

    async def models(self, request: Request, name: str | None) -> Response:
        """The list of models, or the one called `name`."""
        admitted = await self._admit(request)
        if isinstance(admitted, Response):
            return admitted
        names = model_names(admitted[1].model)
        if name is None:
            return _json(200, {"object": "list", "data": [model_body(known) for known in names]})
        if name in names:
            return _json(200, model_body(name))
        return _refuse(404, f"The model '{name[:256]}' does not exist", "model", "model_not_found")

    async def complete(self, request: Request) -> Response:
        """One chat completion."""
        admitted = await self._admit(request)
        if isinstance(admitted, Response):
            return admitted
        hops = request.headers.get("via", "").count(VIA)
        if hops >= MOST_HOPS:
            message = "Emulators asked one another for this completion: does OPENAI_BASE_URL lead in a circle?"
            return _refuse(508, message, code="proxy_loop", headers={"x-should-retry": "false"})
        body = await self._body(request)
        if isinstance(body, Response):
            return body
        loaded, space = admitted
        headers = _onward(request, hops)
        make = await self._choose(loaded.models, space, body, headers)
        if isinstance(make, BadRequest):
            return _json(make.status, make.body())

        async def work(scope: Scope, receive: Receive, send: Send) -> None:
            await self._serve(loaded.store, space, make(scope, receive, send))

        return Worked(work)

    async def _choose(
        self, models: ChatModels, space: Space, body: bytes, headers: Mapping[str, str]
    ) -> Callable[[Scope, Receive, Send], Delivery] | BadRequest:
        """Who answers a request, a model behind the upstream or the script; or why nobody does."""
        in_thread = asyncio.to_thread if len(body) > LARGE else _at_once
        if models.serves_upstream(space.model):
            passed = await in_thread(parse_passed, body)
            if isinstance(passed, BadRequest):
                return passed
            if passed.model != SCRIPTED:
                from app.chldo.completion_upstream import PassedAnswer

                return partial(PassedAnswer, models, passed, headers)
        ask = await in_thread(parse_completion, body)
        if isinstance(ask, BadRequest):
            return ask
        from app.chldo.completion_runs import CompletionRun

        run = CompletionRun(models, space, ask, self._ids)
        refusal = await in_thread(run.refusal)
        if refusal is not None:
            return refusal
        uid, created = f"chatcmpl-{self._ids.base62(29)}", int(self._clock.time())
        counted = ask.stream and ask.include_usage
        return partial(Answer, run, ChatRendering(uid, created, ask.model, counted, ask.choices), ask.stream)

    async def _serve(self, store: SpaceStore, space: Space, answer: Delivery) -> None:
        """Pays, runs, answers; gives back what was paid where the model fails."""
        from app.spaces.store import StoreFailure

        era = store.eras.now
        try:
            charge = await store.charge(space.uid, space.credit_per_turn, era=era)
        except StoreFailure as failure:
            log.error("credit of space %s cannot be charged: %s", space.uid, failure)
            await answer.put(503, error_body("The store cannot be written, try again.", "server_error"))
            return
        if not charge.ok:
            message = NO_CREDIT.format(balance=charge.balance)
            await answer.put(402, {"status": "failure", "message": message})
            return
        try:
            await answer.give(limit=self._timeout)
        except Exception as error:  # noqa: BLE001 - a model may raise anything; the client is told what it was
            await self._give_back(store, space, era)
            await answer.fail(error)

    async def _give_back(self, store: SpaceStore, space: Space, era: int) -> None:
        from app.spaces.store import StoreFailure

        try:
            await store.refund(space.uid, space.credit_per_turn, era=era)
        except StoreFailure as failure:
            log.error("credit of space %s cannot be given back: %s", space.uid, failure)

    async def _admit(self, request: Request) -> tuple[Loaded, Space] | Response:
        """What answers, and the space that the key of a request opens."""
        loaded = await self._opened()
        if loaded is None:
            return _refuse(503, "The server is still starting, try again.")
        from app.spaces.store import StoreFailure

        given = request.headers.get("authorization", "").encode("latin-1").decode("utf-8", "replace")
        scheme, _, key = given.partition(" ")
        if scheme.lower() != "bearer":
            return _json(404, NO_KEY)
        try:
            found = await loaded.store.by_key(key.strip())
        except StoreFailure as failure:
            log.error("the key of a completion cannot be looked up: %s", failure)
            return _refuse(503, "The store cannot be read, try again.")
        if found is None or not found[1].usable:
            return _json(404, NO_KEY)
        return loaded, found[0]

    async def _body(self, request: Request) -> bytes | Response:
        """The body, up to the limit; the server throws away what is beyond it."""
        limit = self._body_limit
        large = _refuse(413, f"The body of a request has at most {limit} bytes.", code="request_too_large")
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and len(declared) < 20 and int(declared) > limit:
            return large
        body = bytearray()
        try:
            async with asyncio.timeout(READ_TIMEOUT):
                async for piece in request.stream():
                    body += piece
                    if len(body) > limit:
                        return large
        except TimeoutError:
            return _refuse(408, "The body of the request did not arrive in time.", headers={"connection": "close"})
        except ClientDisconnect:
            return Response(status_code=400)
        return bytes(body)


def unserved(proxy: APIRouter, others: Sequence[APIRouter] = ()) -> APIRouter:
    """The route behind those of the proxy and of the others: what stands below `/v1/` and is not served, in OpenAI's
    form.
    """
    routes = routes_of([proxy, *others])
    served = [
        f"{method} {route.path.replace(':path', '')}"
        for route in routes_of([proxy])
        if route.include_in_schema
        for method in sorted(route.methods or ())
    ]

    def known(path: str) -> bool:
        return any(route.path_regex.match(path) for route in routes)

    def owned(path: str) -> bool:
        if not path.startswith(ROOT) or path == ROOT:
            return False  # the socket of the wire
        # Where there is a path with a slash more or less, Starlette leads the client to it.
        other = path[:-1] if path.endswith("/") else f"{path}/"
        return known(path) or not known(other)

    def refuse(request: Request, methods: Sequence[str]) -> Response:
        asked = f"{request.method} {request.url.path[:LONGEST_PATH]}"
        if methods:
            message = f"{asked}: this path takes {', '.join(methods)}."
            return _refuse(405, message, code="method_not_supported")
        return _refuse(404, f"Unknown request URL: {asked}. Served are {', '.join(served)}.", code="unknown_url")

    return APIRouter(routes=[UnservedRoute(routes, owned, refuse)])


async def _at_once(work: Callable[..., T], *given: Any) -> T:
    """What `asyncio.to_thread` does, without a thread."""
    return work(*given)


def _onward(request: Request, hops: int) -> Mapping[str, str]:
    """The headers with which an upstream is asked."""
    headers = {"via": ", ".join([VIA] * (hops + 1))}
    provider = request.headers.get(PROVIDER, "")
    if provider and provider.isascii() and provider.isprintable():
        headers[PROVIDER] = provider
    return headers


def _json(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def _refuse(
    status: int,
    message: str,
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error in OpenAI's form."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return _json(status, error_body(message, kind, param, code), headers)
