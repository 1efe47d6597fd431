"""Which chat model serves a turn: the script by default, `ChatOpenAI` when the space asks for it and an endpoint is
configured.

A graph calls `turn_model(config)`; who runs the graph puts an opener under `config["configurable"][OPEN_MODEL]`.
Without one (the graph runs under LangGraph's own tools) the environment decides, by the same rule. Imports LangChain:
imported after the port is open.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, cast

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AnyMessage
from langchain_core.runnables import RunnableConfig

from app.agent.scripted import CannotAnswer, Matched, ScriptedChatModel, ScriptedFailure, Unanswered
from app.agent.upstream import LONGEST_ERROR, Upstream, UpstreamError, excerpt, refusal_text
from app.emulation.determinism import Clock, Ids, RealClock, aside
from app.emulation.replies import Choice, LiveBook, ReplyAsk, ReplyBook
from app.http_routes import UnusableEnvironment, check_route

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI

    from app.agent.endpoint import Endpoint

__all__ = ["AGENT_LLM", "OPEN_MODEL", "SCRIPTED", "ChatModels", "Upstream", "turn_model"]

OPEN_MODEL = "chldo_open_model"
SCRIPTED = "scripted"
AGENT_LLM = "agent_llm"

_CLIENTS = ("openai", "langchain_openai", "httpx")
"""Packages whose exceptions mean that the upstream failed."""

_LATE = frozenset(("APITimeoutError", "ReadTimeout", "ConnectTimeout", "WriteTimeout", "PoolTimeout"))
_CUT = frozenset(("RemoteProtocolError", "LocalProtocolError", "ReadError", "WriteError", "DecodingError"))
"""Exceptions of httpx, whichever of its packages the OpenAI client uses."""

Opener = Callable[[], Awaitable[BaseChatModel]]


class ChatModels:
    """Makes the chat model of a turn. `model` stands in place of every space's own; `ids` are the script's dice.

    A model keeps the book that was in force when it was opened.
    """

    def __init__(
        self,
        *,
        book: ReplyBook | LiveBook,
        clock: Clock,
        upstream: Upstream,
        model: str | None = None,
        ids: Ids | None = None,
    ) -> None:
        self._live = book if isinstance(book, LiveBook) else LiveBook(book)
        self._model = model
        self._clock = clock
        self._ids = ids or Ids()
        self._upstream = upstream
        self._endpoint: Endpoint | None = None
        self._client: ChatOpenAI | None = None

    @property
    def book(self) -> ReplyBook:
        """The book in force, for a turn that wants one book from its beginning to its end."""
        return self._live.current

    @property
    def upstream(self) -> Upstream:
        """The upstream of all models that are not scripted."""
        return self._upstream

    def serves_upstream(self, space_model: str) -> bool:
        """Whether a model behind the upstream answers turns of a space with this model."""
        return (self._model or space_model) != SCRIPTED and self._upstream.configured

    def open(
        self,
        space_model: str,
        asked_model: str | None,
        ask: ReplyAsk,
        book: ReplyBook | None = None,
        clock: Clock | None = None,
        matched: Matched | None = None,
    ) -> BaseChatModel:
        """The model for one turn. `asked_model` (the request's `model`) chooses among upstream models only; `book`
        answers in place of the one in force; pauses are taken on `clock`, or without one on a time line of the model's
        own; `matched` hears which reply of the script answers.
        """
        if self.serves_upstream(space_model):
            return self._openai(asked_model or self._model or space_model)
        return self.scripted(ask, book, clock, matched)

    def scripted(
        self,
        ask: ReplyAsk,
        book: ReplyBook | None = None,
        clock: Clock | None = None,
        matched: Matched | None = None,
    ) -> ScriptedChatModel:
        """The model that answers `ask` from the script, as `open` has it."""
        clock = clock or aside(self._clock)
        return ScriptedChatModel(book=book or self.book, ask=ask, clock=clock, ids=self._ids, matched=matched)

    async def choices(
        self,
        space_model: str,
        asked_model: str | None,
        ask: ReplyAsk,
        conversation: Sequence[AnyMessage],
        count: int,
        book: ReplyBook | None = None,
    ) -> Sequence[Choice]:
        """What the user may say next, `count` at the most: from the reply's fixture or a real model. May raise."""
        from app.agent.choices import ALWAYS, suggest

        if self.serves_upstream(space_model):
            return await suggest(self._openai(asked_model or self._model or space_model), conversation, count)
        scripted = (book or self.book).match(ask).choices
        return ALWAYS if scripted is None else scripted

    def warm(self, *space_models: str) -> None:
        """Makes ready for turns of spaces with these models: loading the client of the upstream, where any of them
        needs it, takes most of a second. Raises `UnusableEnvironment` where it cannot be reached as the environment is.
        """
        if any(map(self.serves_upstream, space_models)):
            check_route(self._upstream.url, "OPENAI_BASE_URL")
            self._first_client()

    @property
    def endpoint(self) -> Endpoint:
        """The upstream, for whoever asks it without a chat model."""
        if self._endpoint is None:
            from app.agent.endpoint import Endpoint  # httpx: a tenth of a second that scripted turns need not wait

            self._endpoint = Endpoint(self._upstream)
        return self._endpoint

    def _openai(self, name: str) -> BaseChatModel:
        return self._first_client().model_copy(update={"model_name": name})  # shares the client's connections

    def _first_client(self) -> ChatOpenAI:
        if self._client is None:
            from pydantic import SecretStr

            from app.agent.upstream_model import UpstreamModel  # most of a second, as above

            upstream, endpoint = self._upstream, self.endpoint
            self._client = UpstreamModel(
                model="any",
                api_key=SecretStr(upstream.api_key or "not-needed"),
                base_url=upstream.url,  # always said, or variables of the shell would say it
                stream_usage=True if upstream.base_url is None else None,
                output_version=None,
                openai_proxy="",
                http_socket_options=(),  # the clients given below have their own
                http_async_client=endpoint.client,
                http_client=endpoint.sync_client,
                timeout=upstream.timeout,
                max_retries=upstream.max_retries,
                streaming=True,
                stream_chunk_timeout=None,  # the endpoint's own
            )
        return self._client

    def is_upstream_error(self, error: BaseException) -> bool:
        """Whether a model refused or failed (and not a graph or this program)."""
        if isinstance(error, ScriptedFailure | Unanswered | CannotAnswer | UpstreamError | UnusableEnvironment):
            return True
        return any(kind.__module__.partition(".")[0].rstrip("2") in _CLIENTS for kind in type(error).__mro__)

    def tell(self, error: Exception) -> str:
        """The text of a failure as the wire words it: of bounded length, without the upstream's key."""
        text = self._worded(error) if self.is_upstream_error(error) else str(error)
        text = self.veiled(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
        text = text or type(error).__name__
        return text if len(text) <= 2 * LONGEST_ERROR else f"{text[: 2 * LONGEST_ERROR]}…"

    def veiled(self, said: bytes) -> bytes:
        """What was said, without the upstream's key."""
        key = (self._upstream.api_key or "").encode()
        return said.replace(key, b"***") if key else said

    def tell_log(self, error: Exception) -> str:
        """The same for the log, which always says what upstream it was."""
        text, host = self.tell(error), self._upstream.host
        scripted = isinstance(error, ScriptedFailure | Unanswered | CannotAnswer)
        return text if scripted or host in text or not self.is_upstream_error(error) else f"{text} ({host})"

    def _worded(self, error: Exception) -> str:
        """What an upstream did, as the OpenAI client words it where it words it well."""
        host = self._upstream.host
        response = getattr(error, "response", None)
        if response is not None:
            location = response.headers.get("location", "")
            return refusal_text(host, response.status_code, response.content, location)
        causes = [error]
        while isinstance(causes[-1].__cause__, Exception):
            causes.append(causes[-1].__cause__)
        for cause in causes:
            if isinstance(cause, UpstreamError | UnusableEnvironment):
                return str(cause)
        kinds = {type(cause).__name__ for cause in causes}
        if kinds & _LATE:
            return f"{host} did not answer within {self._upstream.timeout:g} s"
        if "ConnectError" in kinds:
            return "Connection error."  # as the OpenAI client words it
        if type(causes[-1]).__name__ in _CUT:
            return f"Connection error: {host}: {excerpt(str(causes[-1])) or type(causes[-1]).__name__}"
        return str(error)

    async def close(self) -> None:
        """Closes what connections the upstream's clients hold."""
        endpoint, self._endpoint, self._client = self._endpoint, None, None
        if endpoint is not None:
            await endpoint.close()


async def turn_model(config: RunnableConfig) -> BaseChatModel:
    """The chat model for the turn that `config` belongs to. May raise what ends a turn (no credit)."""
    opener = config.get("configurable", {}).get(OPEN_MODEL)
    if opener is not None:
        return await cast(Opener, opener)()
    return _model_from_environment()


def _model_from_environment() -> BaseChatModel:
    """For LangGraph's own tools: `CHLDO_MODEL` names a model behind OPENAI_BASE_URL / OPENAI_API_KEY, else the
    shipped script.
    """
    from app.emulation.fixtures import load_fixtures
    from app.settings import shipped

    models = ChatModels(
        book=load_fixtures(shipped("fixtures")).replies,
        clock=RealClock(),
        upstream=Upstream(os.environ.get("OPENAI_API_KEY"), os.environ.get("OPENAI_BASE_URL")),
    )
    return models.open(os.environ.get("CHLDO_MODEL", SCRIPTED), None, ReplyAsk(msg=None))
