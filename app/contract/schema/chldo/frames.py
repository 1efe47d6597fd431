"""The frames of a chldo revision as messages: keys and types from the frame classes, fixed values and examples from
what the revision's renders give for the sample turns. PURE.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from app.chldo import frames as f
from app.chldo import steps as s
from app.chldo.renders.raw import chunk
from app.chldo.revisions import V1, Revision
from app.contract.examples import Json, Shown, all_frames, body_of, frame_label, scene_frames
from app.contract.meanings import KEYS
from app.contract.scenes import GRAPH, NODE, RUNS, SCENES, sample_facts
from app.contract.schema.chldo.keys import DATA, FIXED, GREETING_URL, MSG, SHAPES, STORED
from app.contract.schema.shapes import NULL, Either, Key, OneOf, Record, Shape, Value
from app.contract.schema.wire import Message

OTHER_EVENTS = (
    *("on_chain_start", "on_chain_end", "on_chat_model_start"),
    *("on_tool_start", "on_tool_end", "on_tool_error"),
    *("on_llm_start", "on_llm_stream", "on_llm_end"),
    *("on_retriever_start", "on_retriever_end"),
    *("on_prompt_start", "on_prompt_end"),
    *("on_parser_start", "on_parser_stream", "on_parser_end"),
    "on_custom_event",
)
"""LangChain's events (astream_events, version 2) that reach the wire without data."""

MOST_EXAMPLES = 3


def frames_of(revision: Revision) -> tuple[Message, ...]:
    """Every kind of frame that the revision sends, in the order in which a turn has them."""
    groups: dict[str, list[Shown]] = {}
    for shown in (*all_frames(revision), *_tool_frames(revision)):
        groups.setdefault(frame_name(shown, revision), []).append(shown)
    return tuple(_message(name, shown, revision) for name, shown in groups.items())


def answers(revision: Revision) -> dict[str, tuple[str, ...]]:
    """The names of the frames that may answer a request, by the name of the request."""
    found = {"Status": ("Status",), _pascal(revision.action): _names(revision, [k for k in SCENES if "greet" not in k])}
    greeting = _names(revision, ["A greeting"])
    return {**found, "Greeting": greeting} if revision.has_greeting else found


def _names(revision: Revision, scenes: list[str]) -> tuple[str, ...]:
    shown = [shown for scene in scenes for shown in scene_frames(revision, scene)]
    if "A message" in scenes:
        shown += _tool_frames(revision)
    return tuple(dict.fromkeys([*(frame_name(each, revision) for each in shown), "Error"]))


def frame_name(shown: Shown, revision: Revision) -> str:
    """What a kind of frame is called in types: `Start`, `OnChainStream`. Where one status or event stands for frames
    that differ in their keys, each has a name of its own.
    """
    kind, body = shown.kind, shown.body
    if kind is f.MessageV1:
        return "MessageText" if body["voice_url"] is None else "MessageVoice"
    if kind in (f.ForbiddenFrame, f.ErrorFrame, f.StatusFrame):
        return kind.__name__.removesuffix("Frame")
    if kind is f.VoiceReadyGreeting:
        return "GreetingVoiceReady"
    if kind is f.EventR1 and "chunk" not in body["data"]:
        return "RunEvent"
    if revision.sent_uid_length and kind is f.EventR1 and body["event"] == "on_chat_model_stream":
        return "OnChatModelStreamToolCall"
    status = str(body.get("status") or body["event"])
    if status == "choices":
        return "ChoicesEnd" if kind is f.ChoicesR9 else "ChoicesStart"
    if status == "stream" and body["event"] == "on_chain_stream":
        return "StreamReply"
    return _pascal(status)


def _pascal(name: str) -> str:
    return "".join(part[:1].upper() + part[1:].lower() for part in name.split("_"))


def _message(name: str, shown: list[Shown], revision: Revision) -> Message:
    kinds = {each.kind for each in shown}
    if len(kinds) > 1:
        raise TypeError(f"{name} of {revision.id} is of several classes: {', '.join(k.__name__ for k in kinds)}")
    bodies = [each.body for each in shown]
    names = [field.name for field in dataclasses.fields(kinds.pop())]  # type: ignore[arg-type]
    keys = tuple(_key(key, name, bodies, revision) for key in names)
    told = ". ".join(dict.fromkeys(when for each in shown for when in each.when))
    label = frame_label(bodies[0]).partition(" (")[0] if name != "RunEvent" else "run event"
    return Message(name, "Frame", label, f"{told}.", Record(keys), tuple(bodies[:MOST_EXAMPLES]))


def _key(key: str, name: str, bodies: list[Json], revision: Revision) -> Key:
    if key == "msg":
        return _msg(name, bodies)
    told = (part for part in KEYS[key].split("; ") if revision.id == V1 or "v1" not in part)
    return Key(key, _shape(key, name, bodies, revision), "; ".join(told))


def _shape(key: str, name: str, bodies: list[Json], revision: Revision) -> Shape:
    if key == "data":
        carries_sent_uid = name == "OnChatModelStream" and "sent_uid" in bodies[0]
        return DATA.get("OnChatModelStreamToken" if carries_sent_uid else name, Record())
    if key == "event" and name == "RunEvent":
        return OneOf(OTHER_EVENTS)
    if key in FIXED:
        return OneOf(tuple(dict.fromkeys(body[key] for body in bodies)))
    if key == "is_stream" and name in ("Stream", "StreamReply"):
        return OneOf((name == "Stream",))
    if key.startswith("voice_") and name == "MessageText":
        return NULL
    if key == "voice_url" and name == "GreetingVoiceReady":
        return GREETING_URL
    return SHAPES[key](revision)


def _msg(name: str, bodies: list[Json]) -> Key:
    """A text of its own kind, or the fixed ones that the renders give."""
    if name in MSG:
        return Key("msg", *MSG[name])
    told: tuple[Value, ...] = tuple(dict.fromkeys(body["msg"] for body in bodies))
    plain = tuple(text for text in told if not re.search(STORED.pattern, str(text)))
    if plain == told:
        return Key("msg", OneOf(told), "a fixed text" if len(told) == 1 else "one of these, in this order")
    return Key("msg", Either((OneOf(plain), STORED)), "the first, then the second: it counts who listens for hotwords")


def _tool_frames(revision: Revision) -> list[Shown]:
    """What a graph that calls a tool adds, in the revisions that show LangGraph's events."""
    return [
        Shown(type(frame), body_of(frame), [told])
        for step, told in _tool_steps()
        for frame in (revision.render(step, sample_facts(revision)) if revision.raw_events else ())
    ]


def _tool_steps() -> Iterator[tuple[s.RunStep, str]]:
    call = {"name": "add", "args": '{"a": 2, "b": 3}', "id": "call_1", "index": 0, "type": "tool_call_chunk"}
    made = {"name": "add", "args": {"a": 2, "b": 3}, "id": "call_1", "type": "tool_call"}
    data = chunk("")
    data["chunk"] |= {"tool_calls": [made], "tool_call_chunks": [call]}
    yield (
        s.RunStep("on_chat_model_stream", data, RUNS["model"], [GRAPH, NODE], ["seq:step:1"]),
        "The model calls a tool",
    )
    yield (
        s.RunStep("on_tool_start", {}, RUNS["edge"], [GRAPH, NODE], ["seq:step:1"]),
        "Anything else that LangGraph runs",
    )
