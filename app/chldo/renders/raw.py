"""R1 to R4: LangGraph's own events, with the pairs that today's LangGraph no longer emits. PURE."""

from __future__ import annotations

from typing import Any

from app.chldo import frames as f
from app.chldo.renders import Frames, Render, failed
from app.chldo.steps import Failed, RunStep, Step, TokenStep, TurnFacts

HIDDEN = "langsmith:hidden"


def renumber(tags: list[str], saved_turns: int) -> list[str]:
    """`graph:step:N` counted over the room's life: LangGraph starts every turn at 1, a room's turn n at 3n + 1."""
    return [f"graph:step:{3 * saved_turns + int(tag[11:])}" if tag.startswith("graph:step:") else tag for tag in tags]


def run_event(step: RunStep, facts: TurnFacts) -> Frames:
    """The event itself, and the two hidden pairs that today's LangGraph no longer emits."""
    if step.event == "on_chat_model_end":
        return _hidden_pair("writer", step.parent_ids, "seq:step:2", facts)
    tags = renumber(step.tags, facts.saved_turns)
    event = f.EventR1(step.event, step.data, step.run_id, step.parent_ids, tags)
    if step.event == "on_chain_start" and not step.parent_ids:
        entry = f"graph:step:{3 * facts.saved_turns}"
        return (event, *_hidden_pair("__start__", [step.run_id], entry, facts))
    return (event,)


def _hidden_pair(name: str, parent_ids: list[str], tag: str, facts: TurnFacts) -> Frames:
    run_id = facts.run_ids[f"{name}:{parent_ids[-1]}"]
    return tuple(
        f.EventR1(event, {}, run_id, list(parent_ids), [tag, HIDDEN]) for event in ("on_chain_start", "on_chain_end")
    )


def chunk(text: str) -> dict[str, Any]:
    """A token as LangChain of that time dumped it."""
    return {
        "chunk": {
            "content": text,
            "additional_kwargs": {},
            "response_metadata": {},
            "type": "AIMessageChunk",
            "name": None,
            "id": None,
            "example": False,
            "tool_calls": [],
            "invalid_tool_calls": [],
            "usage_metadata": None,
            "tool_call_chunks": [],
        }
    }


def token_r1(step: TokenStep, facts: TurnFacts) -> Frames:
    return (f.EventR1("on_chat_model_stream", chunk(step.text), step.run_id, step.parent_ids, step.tags),)


def token_r3(step: TokenStep, facts: TurnFacts) -> Frames:
    return (
        f.TokenR3("on_chat_model_stream", chunk(step.text), step.run_id, step.parent_ids, step.tags, step.sent_uid),
    )


EVENTS: dict[type[Step], Render] = {RunStep: run_event, TokenStep: token_r1, Failed: failed}
