"""What the AI says, sentence by sentence: the LangGraph agent on what was said so far. Imports LangChain."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig

from app.agent.deadline import within
from app.agent.faults import struck
from app.agent.graphs import GraphShelf
from app.agent.inputs import conversation, enter
from app.agent.models import OPEN_MODEL, ChatModels
from app.agent.runner import AgentToken, run_graph
from app.agent.threads import thread_id
from app.emulation.exchanges import Exchange
from app.emulation.faults.kinds import Place
from app.emulation.replies import ReplyAsk
from app.malangee.script import FIELDS
from app.malangee.sentences import closed, splitter

LANGUAGE = "en"
"""What is practised."""

_READ = (
    "Read what a language learner says about a conversation they want to practise. Give the place, the partner and "
    "the goal only where they are said explicitly, each in a few words, and null otherwise."
)


class Answers:
    """Asks the agent. One for the program; holds nothing of a conversation."""

    def __init__(self, models: ChatModels, graphs: GraphShelf, *, graph: str, model: str, timeout: float) -> None:
        self._models = models
        self._graphs = graphs
        self._graph = graph
        self._model = model
        self._timeout = timeout

    async def sentences(
        self,
        text: str | None,
        *,
        prompt: str,
        earlier: Sequence[tuple[str, str]],
        session_id: str,
        user: str,
        turn: int,
        exchange: Exchange,
    ) -> AsyncGenerator[str, None]:
        """The sentences of the answer to `text` as they are complete. `earlier`: (role, text), oldest first.

        Raises what the graph and the model raise, `TimeUp` if a token takes too long.
        """
        ask = ReplyAsk(
            msg=text,
            room_uid=session_id,
            user_id=user,
            language=LANGUAGE,
            model=self._model,
            turn=turn,
        )

        async def open_model() -> Any:
            return self._models.open(
                self._model,
                None,
                ask,
                clock=exchange.strand.clock,
                matched=lambda explain: exchange.note("match", explain),
            )

        thread = thread_id("malangee", session_id)
        past: list[AnyMessage] = [HumanMessage(said) if role == "user" else AIMessage(said) for role, said in earlier]
        config: RunnableConfig = {
            "configurable": {
                OPEN_MODEL: open_model,
                "thread_id": thread,
                "turn": {"room_uid": session_id, "user_id": user, "language": LANGUAGE},
            }
        }
        graph = self._graphs.get(self._graph)
        cutter = splitter()
        entry = await enter(self._graphs, graph, thread, prompt=prompt, earlier=past, msg=text or "")
        running = run_graph(entry, config, events=False)
        running = struck(running, exchange.strike(Place.TURN), exchange.strand.clock)
        async with aclosing(running), aclosing(within(self._timeout, running)) as happenings:
            async for happening in happenings:
                pieces = cutter.feed(happening.text) if isinstance(happening, AgentToken) else cutter.close()
                for sentence in closed(pieces):
                    yield sentence
        await entry.keep()
        for sentence in closed(cutter.close()):
            yield sentence

    async def extract(self, text: str) -> Mapping[str, str | None] | None:
        """Place, partner and goal as a real model reads them; None where the script does. Raises what it raises."""
        if not self._models.serves_upstream(self._model):
            return None
        shape = {
            "title": "Scenario",
            "description": "What was said of the scenario.",
            "type": "object",
            "properties": {name: {"type": ["string", "null"]} for name in FIELDS},
            "required": list(FIELDS),
            "additionalProperties": False,
        }
        model = self._models.open(self._model, None, ReplyAsk(msg=text, language=LANGUAGE))
        found = await model.with_structured_output(shape).ainvoke(conversation(_READ, (), text))
        told = found if isinstance(found, dict) else {}
        return {name: told[name] if isinstance(told.get(name), str) else None for name in FIELDS}

    def tell(self, error: Exception) -> str:
        """The text of a failure, without keys."""
        return self._models.tell(error)

    def tell_log(self, error: Exception) -> str:
        """The same for the log."""
        return self._models.tell_log(error)
