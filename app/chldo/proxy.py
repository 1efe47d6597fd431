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
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

from fastapi import APIRouter, Path
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.chldo.bad_requests import BadRequest, Json, error_body
from app.chldo.chat_rendering import ChatRendering
from app.chldo.completion_answer import Answer, Delivery, Worked
from app.chldo.completion_shapes import model_body, model_names
from app.chldo.completions import COMPLETIONS, RESPONSES, SCRIPTED, CompletionAsk, parse_completion, parse_passed
from app.chldo.proxy_answers import item_page, json_answer, refusal
from app.chldo.renders import NO_CREDIT
from app.chldo.response_items import kept_item
from app.chldo.response_rendering import ResponseRendering
from app.chldo.response_store import KeptResponse, ResponseStore, SpaceResponses
from app.chldo.responses import in_own_words, parse_response
from app.emulation.determinism import Clock, Ids

if TYPE_CHECKING:
    from app.agent.models import ChatModels
    from app.chldo.completion_runs import CompletionRun
    from app.spaces.models import Space
    from app.spaces.store import SpaceStore

log = logging.getLogger("app.chldo.proxy")

T = TypeVar("T")

Make = Callable[[Scope, Receive, Send], Delivery]
"""Makes what answers a request."""

Choose = Callable[["Loaded", "Space", bytes, Mapping[str, str]], Awaitable[Make | BadRequest]]

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

    @routes.post("/v1//responses", include_in_schema=False)
    @routes.post(
        "/v1/responses",
        summary="A response",
        responses={200: {"content": {"application/json": {}, "text/event-stream": {}}}, 400: {}, 402: {}, **keyless},
    )
    async def response(request: Request) -> Response:
        """OpenAI's Responses, streamed or not, answered by the chat model of the space that the key opens."""
        return await proxy.respond(request)

    @routes.get("/v1/responses/{id}", summary="A response that was given", responses=keyless)
    async def kept(request: Request, uid: Annotated[str, Path(alias="id")]) -> Response:
        """One of the last responses of the space, unless it was asked for with `store: false`."""
        return await proxy.kept(request, uid, lambda found, _: json_answer(200, found.body))

    @routes.get("/v1/responses/{id}/input_items", summary="What led to a response", responses={400: {}, **keyless})
    async def input_items(request: Request, uid: Annotated[str, Path(alias="id")]) -> Response:
        """Its input, and what earlier responses had; the last items first unless `order` is `asc`."""
        return await proxy.kept(request, uid, lambda found, _: item_page(found, request.query_params))

    @routes.delete("/v1/responses/{id}", summary="Forget a response", responses=keyless)
    async def forget(request: Request, uid: Annotated[str, Path(alias="id")]) -> Response:
        """It cannot be asked for or referred to any more."""

        def gone(found: KeptResponse, responses: SpaceResponses) -> Response:
            responses.forget(found.body["id"])
            return json_answer(200, {"id": found.body["id"], "object": "response", "deleted": True})

        return await proxy.kept(request, uid, gone)

    @routes.post("/v1/responses/{id}/cancel", summary="Cancel a response", responses={400: {}, **keyless})
    async def cancel(request: Request, uid: Annotated[str, Path(alias="id")]) -> Response:
        """Always refused: none runs in the background."""
        return await proxy.kept(request, uid, lambda *_: refusal(400, "Cannot cancel a synchronous response."))

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
        self._responses = ResponseStore()

    async def models(self, request: Request, name: str | None) -> Response:
        """The list of models, or the one called `name`."""
        admitted = await self._admit(request)
        if isinstance(admitted, Response):
            return admitted
        names = model_names(admitted[1].model)
        if name is None:
            return json_answer(200, {"object": "list", "data": [model_body(known) for known in names]})
        if name in names:
            return json_answer(200, model_body(name))
        return refusal(404, f"The model '{name[:256]}' does not exist", "model", "model_not_found")

    async def complete(self, request: Request) -> Response:
        """One chat completion."""
        return await self._answered(request, self._completion)

    async def respond(self, request: Request) -> Response:
        """One response."""
        return await self._answered(request, self._response)

    async def kept(
        self, request: Request, uid: str, serve: Callable[[KeptResponse, SpaceResponses], Response]
    ) -> Response:
        """What `serve` makes of a response that is kept."""
        admitted = await self._admit(request)
        if isinstance(admitted, Response):
            return admitted
        responses = self._responses_of(*admitted)
        found = responses.find(uid)
        if found is None:
            return refusal(404, f"Response with id '{uid[:64]}' not found.")
        return serve(found, responses)

    def _responses_of(self, loaded: Loaded, space: Space) -> SpaceResponses:
        eras = loaded.store.eras
        return self._responses.of(space.uid, lambda era: eras.is_over(era, space.uid))

    async def _answered(self, request: Request, choose: Choose) -> Response:
        """What the one that `choose` gives for a request answers."""
        admitted = await self._admit(request)
        if isinstance(admitted, Response):
            return admitted
        hops = request.headers.get("via", "").count(VIA)
        if hops >= MOST_HOPS:
            message = "Emulators asked one another for this completion: does OPENAI_BASE_URL lead in a circle?"
            return refusal(508, message, code="proxy_loop", headers={"x-should-retry": "false"})
        body = await self._body(request)
        if isinstance(body, Response):
            return body
        loaded, space = admitted
        make = await choose(loaded, space, body, _onward(request, hops))
        if isinstance(make, BadRequest):
            return json_answer(make.status, make.body())

        async def work(scope: Scope, receive: Receive, send: Send) -> None:
            await self._serve(loaded.store, space, make(scope, receive, send))

        return Worked(work)

    async def _completion(
        self, loaded: Loaded, space: Space, body: bytes, headers: Mapping[str, str]
    ) -> Make | BadRequest:
        """Who answers with a chat completion, a model behind the upstream or the script; or why nobody does."""
        passed = await self._passed(loaded.models, space, body, headers, COMPLETIONS)
        if passed is not None:
            return passed
        ask = await _worked(body, parse_completion, body)
        if isinstance(ask, BadRequest):
            return ask
        run = await self._run(loaded.models, space, ask, body)
        if isinstance(run, BadRequest):
            return run
        uid, created = f"chatcmpl-{self._ids.base62(29)}", int(self._clock.time())
        counted = ask.stream and ask.include_usage
        return partial(Answer, run, ChatRendering(uid, created, ask.model, counted, ask.choices), ask.stream)

    async def _response(
        self, loaded: Loaded, space: Space, body: bytes, headers: Mapping[str, str]
    ) -> Make | BadRequest:
        """The same with a response."""
        passed = await self._passed(loaded.models, space, body, headers, RESPONSES)
        if passed is not None:
            return passed
        responses, era = self._responses_of(loaded, space), loaded.store.eras.now
        ask = await _worked(body, parse_response, body, responses)
        if isinstance(ask, BadRequest):
            return ask
        run = await self._run(loaded.models, space, ask.completion, body, in_own_words)
        if isinstance(run, BadRequest):
            return run

        def keep(told: Json) -> None:
            if ask.kept:
                items = tuple(kept_item(item, self._item_id) for item in ask.items)
                responses.keep(KeptResponse(told, items, ask.context, era, len(body)))

        rendering = ResponseRendering(ask, int(self._clock.time()), self._item_id, keep)
        return partial(Answer, run, rendering, ask.completion.stream)

    async def _passed(
        self, models: ChatModels, space: Space, body: bytes, headers: Mapping[str, str], path: str
    ) -> Make | BadRequest | None:
        """The model behind the upstream, or why it is not asked; None where the script is."""
        if not models.serves_upstream(space.model):
            return None
        passed = await _worked(body, parse_passed, body)
        if isinstance(passed, BadRequest):
            return passed
        if passed.model == SCRIPTED:
            return None
        from app.chldo.completion_upstream import PassedAnswer

        return partial(PassedAnswer, models, passed, headers, path=path)

    async def _run(
        self,
        models: ChatModels,
        space: Space,
        ask: CompletionAsk,
        body: bytes,
        words: Callable[[BadRequest], BadRequest] = lambda problem: problem,
    ) -> CompletionRun | BadRequest:
        """The script's answer to a completion, or why it has none. `words`: puts problems into those of the request."""
        from app.chldo.completion_runs import CompletionRun

        run = CompletionRun(models, space, ask, self._ids, words)
        refusal = await _worked(body, run.refusal)
        return run if refusal is None else words(refusal)

    def _item_id(self, prefix: str) -> str:
        return f"{prefix}_{self._ids.hexadecimal(48)}"

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
            return refusal(503, "The server is still starting, try again.")
        from app.spaces.store import StoreFailure

        given = request.headers.get("authorization", "").encode("latin-1").decode("utf-8", "replace")
        scheme, _, key = given.partition(" ")
        if scheme.lower() != "bearer":
            return json_answer(404, NO_KEY)
        try:
            found = await loaded.store.by_key(key.strip())
        except StoreFailure as failure:
            log.error("the key of a completion cannot be looked up: %s", failure)
            return refusal(503, "The store cannot be read, try again.")
        if found is None or not found[1].usable:
            return json_answer(404, NO_KEY)
        return loaded, found[0]

    async def _body(self, request: Request) -> bytes | Response:
        """The body, up to the limit; the server throws away what is beyond it."""
        limit = self._body_limit
        large = refusal(413, f"The body of a request has at most {limit} bytes.", code="request_too_large")
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
            return refusal(408, "The body of the request did not arrive in time.", headers={"connection": "close"})
        except ClientDisconnect:
            return Response(status_code=400)
        return bytes(body)


async def _worked(body: bytes, work: Callable[..., T], *given: Any) -> T:
    """What `work` gives; in a thread, if the body is a large one."""
    return await asyncio.to_thread(work, *given) if len(body) > LARGE else work(*given)


def _onward(request: Request, hops: int) -> Mapping[str, str]:
    """The headers with which an upstream is asked."""
    headers = {"via": ", ".join([VIA] * (hops + 1))}
    provider = request.headers.get(PROVIDER, "")
    if provider and provider.isascii() and provider.isprintable():
        headers[PROVIDER] = provider
    return headers
