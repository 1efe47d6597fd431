"""Which chat model serves a turn: the script by default, `ChatOpenAI` when the space asks for it and an endpoint is
configured.

A graph calls `turn_model(config)`; who runs the graph puts an opener under `config["configurable"][OPEN_MODEL]`.
Without one (the graph runs under LangGraph's own tools) the environment decides, by the same rule. Imports LangChain:
imported after the port is open.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from json import JSONDecodeError
from typing import TYPE_CHECKING, cast

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AnyMessage
from langchain_core.runnables import RunnableConfig

from app.agent.scripted import CannotAnswer, Matched, ScriptedChatModel, ScriptedFailure, Unanswered
from app.emulation.determinism import Clock, Ids, RealClock, aside
from app.emulation.replies import Choice, LiveBook, ReplyAsk, ReplyBook

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI

OPEN_MODEL = "chldo_open_model"
SCRIPTED = "scripted"
AGENT_LLM = "agent_llm"
OPENAI_URL = "https://api.openai.com/v1"

_CLIENTS = ("openai", "langchain_openai", "httpx")

Opener = Callable[[], Awaitable[BaseChatModel]]


@dataclass(frozen=True, slots=True)
class Upstream:
    """An OpenAI-compatible endpoint. `timeout` in seconds: for the connection, and between two chunks of a stream."""

    api_key: str | None = None
    base_url: str | None = None
    timeout: float = 30.0
    max_retries: int = 1

    @property
    def configured(self) -> bool:
        return bool(self.api_key or self.base_url)


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
        self._client: ChatOpenAI | None = None

    @property
    def book(self) -> ReplyBook:
        """The book in force, for a turn that wants one book from its beginning to its end."""
        return self._live.current

    def serves_upstream(self, space_model: str) -> bool:
        """Whether turns of a space with this model leave the machine."""
        return space_model != SCRIPTED and self._upstream.configured

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
        named = self._model or space_model
        if self.serves_upstream(named):
            return self._openai(asked_model or named)
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

        named = self._model or space_model
        if self.serves_upstream(named):
            return await suggest(self._openai(asked_model or named), conversation, count)
        scripted = (book or self.book).match(ask).choices
        return ALWAYS if scripted is None else scripted

    def warm(self) -> None:
        """Loads the client of the upstream, if there is one: most of a second, off the event loop."""
        if self._upstream.configured:
            self._first_client()

    def _openai(self, name: str) -> BaseChatModel:
        return self._first_client().model_copy(update={"model_name": name})  # shares the client's connections

    def _first_client(self) -> ChatOpenAI:
        if self._client is None:
            import httpx
            from langchain_openai import ChatOpenAI
            from pydantic import SecretStr

            upstream = self._upstream
            self._client = ChatOpenAI(
                model="any",
                api_key=SecretStr(upstream.api_key or "not-needed"),
                base_url=upstream.base_url or OPENAI_URL,  # or other variables could lead elsewhere
                stream_usage=True if upstream.base_url is None else None,
                output_version=None,
                timeout=httpx.Timeout(upstream.timeout),
                max_retries=upstream.max_retries,
                streaming=True,
                stream_chunk_timeout=upstream.timeout,
            )
        return self._client

    def is_upstream_error(self, error: Exception) -> bool:
        """Whether a model refused or failed (and not a graph or this program)."""
        if isinstance(error, ScriptedFailure | Unanswered | CannotAnswer | JSONDecodeError):
            return True
        return any(kind.__module__.partition(".")[0] in _CLIENTS for kind in type(error).__mro__)

    def tell(self, error: Exception) -> str:
        """The text of a failure as the wire words it, without the upstream key.

        An HTTP error of the upstream reads `Error code: 404 - {'status': …}`: the OpenAI client's wording at
        the time of the captures, with the whole body (later clients shorten it).
        """
        text = str(error)
        response = getattr(error, "response", None)
        if response is not None and self.is_upstream_error(error):
            try:
                text = f"Error code: {response.status_code} - {response.json()}"
            except ValueError:
                text = response.text.strip() or f"Error code: {response.status_code}"
        key = self._upstream.api_key
        return (text.replace(key, "***") if key else text) or type(error).__name__

    async def close(self) -> None:
        """Closes what connections the upstream client holds."""
        client, self._client = self._client, None
        if client is not None:
            await client.root_async_client.close()
            client.root_client.close()


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
