"""Rules on LangGraph's events in R1 to R4. PURE.

Each event has a place: how deep its run is, whether it is hidden, and its name. A graph with tools has others; the
documents show none, so its turns are left alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from app.contract.checks.rules import Rule, Sights
from app.contract.chldo.frames import Exchange, Frame
from app.contract.chldo.reading import Evidence
from app.contract.chldo.rules.sights import breach, listed, shown
from app.contract.chldo.words import R1, R4

HIDDEN = "langsmith:hidden"

_BEFORE = (
    ("on_chain_start", 0, ()),
    ("on_chain_start", 1, ("graph", HIDDEN)),
    ("on_chain_end", 1, ("graph", HIDDEN)),
    ("on_chain_start", 1, ("graph",)),
    ("on_chat_model_start", 2, ("seq:step:1", "agent_llm")),
)
_AFTER = (
    ("on_chain_start", 2, ("seq:step:2", HIDDEN)),
    ("on_chain_end", 2, ("seq:step:2", HIDDEN)),
    ("on_chain_start", 2, ("seq:step:3",)),
    ("on_chain_end", 2, ("seq:step:3",)),
    ("on_chain_stream", 1, ("graph",)),
    ("on_chain_end", 1, ("graph",)),
    ("on_chain_stream", 0, ()),
    ("on_chain_end", 0, ()),
)
_TOKEN = ("on_chat_model_stream", 2, ("seq:step:1", "agent_llm"))
_STEP = re.compile(r"graph:step:([0-9]{1,9})")


def _turns(seen: Evidence) -> Iterator[tuple[Exchange, list[Frame]]]:
    for turn in seen.clear_turns:
        events = turn.of("event", "token")
        names = Counter(str(frame.get("event")) for frame in events)
        if events and names["on_chat_model_start"] <= 1 and not any("tool" in name for name in names):
            yield turn, events


def _name(frame: Frame) -> str:
    return f"{frame.get('event')}/{len(frame.parents)}"


def events_are_in_order(seen: Evidence) -> Sights:
    for turn, events in _turns(seen):
        if not turn.over:
            continue
        got = [_name(frame) for frame in events if frame.kind == "event"]
        tokens = [frame.number for frame in events if frame.kind == "token"]
        before = [f"{name}/{depth}" for name, depth, _ in _BEFORE]
        after = [f"{name}/{depth}" for name, depth, _ in _AFTER]
        if turn.failed:
            fits = got == before[: len(got)]
            expected = before
        else:
            early = [_name(frame) for frame in events if tokens and frame.number < tokens[0]]
            fits = got == before + after and (not tokens or early == before)
            expected = [*before, "tokens", *after]
        if fits:
            yield None
        else:
            place = next((n for n, (a, b) in enumerate(zip(got, before + after, strict=False)) if a != b), len(got) - 1)
            odd = [frame for frame in events if frame.kind == "event"]
            yield breach(turn, odd[place] if odd else events[0], listed(expected), listed(got))


def tags_are_as_documented(seen: Evidence) -> Sights:
    for turn, events in _turns(seen):
        for frame in events:
            allowed = [tags for name, depth, tags in (*_BEFORE, _TOKEN, *_AFTER) if _name(frame) == f"{name}/{depth}"]
            got = tuple("graph" if _STEP.fullmatch(tag) else tag for tag in frame.tags)
            if not allowed or got in allowed:
                yield None
            else:
                expected = " or ".join(shown(list(tags)) for tags in allowed)
                yield breach(turn, frame, f"tags {expected.replace('graph', 'graph:step:N')}", shown(frame.tags))


def runs_are_nested(seen: Evidence) -> Sights:
    for turn, events in _turns(seen):
        root = next((str(one.get("run_id")) for one in events if not one.parents), None)
        step = next(
            (str(one.get("run_id")) for one in events if len(one.parents) == 1 and HIDDEN not in one.tags), None
        )
        model = next((one.get("run_id") for one in events if one.get("event") == "on_chat_model_start"), None)
        for frame in events:
            expected = [one for one in (root, step) if one is not None][: len(frame.parents)]
            if frame.parents != expected:
                yield breach(turn, frame, f"parent_ids {shown(expected)}", shown(frame.parents))
            elif frame.kind == "token" and model is not None and frame.get("run_id") != model:
                yield breach(turn, frame, f"run_id {shown(model)}, the model's", shown(frame.get("run_id")))
            else:
                yield None


def steps_count_on(seen: Evidence) -> Sights:
    """Within a turn the hidden step is 3n and the model's 3n + 1; from turn to turn of a room n grows by one."""
    rooms: dict[object, int] = {}
    crowded = seen.crowded_rooms
    for turn, events in _turns(seen):
        steps = [(frame, int(found[1])) for frame in events for tag in frame.tags if (found := _STEP.fullmatch(tag))]
        if not steps:
            continue
        hidden = [number for frame, number in steps if HIDDEN in frame.tags]
        n = min(number for _, number in steps) // 3
        first = "fresh" in turn.request.marks
        alone = turn.room not in crowded
        if alone and (turn.room in rooms or first) and n != rooms.get(turn.room, 0):
            expected = f"graph:step:{3 * rooms.get(turn.room, 0)}, as the room had {rooms.get(turn.room, 0)} turns"
            yield breach(turn, steps[0][0], expected, f"graph:step:{min(number for _, number in steps)}")
        else:
            for frame, number in steps:
                wanted = 3 * n if HIDDEN in frame.tags else 3 * n + 1
                fits = number == wanted or not hidden
                yield None if fits else breach(turn, frame, f"graph:step:{wanted}", f"graph:step:{number}")
        kept = not turn.failed and turn.request.get("no_save") not in (1, "1") and turn.over
        if turn.room is not None:
            rooms[turn.room] = n + 1 if kept else n


_SECTION = "spec 5, LangGraph details"
_NEEDS = "no turn had LangGraph events"

RULES: tuple[Rule[Evidence], ...] = (
    Rule(
        "events.order",
        "LangGraph's events come in the captured order around the tokens; after a failure they just stop.",
        "spec 5, reply grammar, and 7",
        events_are_in_order,
        _NEEDS,
        R1,
        R4,
    ),
    Rule(
        "events.tags",
        "Each event has its tags: none for the graph, graph:step:N for a step, seq:step:N inside it.",
        _SECTION,
        tags_are_as_documented,
        _NEEDS,
        R1,
        R4,
    ),
    Rule(
        "events.runs",
        "parent_ids are the runs around an event, outermost first; tokens are of the model's run.",
        _SECTION,
        runs_are_nested,
        _NEEDS,
        R1,
        R4,
    ),
    Rule(
        "events.steps",
        "graph:step is 3n for the hidden step and 3n + 1 for the model's, n being the room's earlier turns.",
        _SECTION,
        steps_count_on,
        _NEEDS,
        R1,
        R4,
    ),
)
