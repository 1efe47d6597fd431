"""Rules on the order of a turn: the reply grammar. PURE.

Each looks at its own stretch of a turn, so that one frame too few or too many is told once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.contract.checks.rules import Rule, Sights
from app.contract.chldo.frames import Exchange, Frame
from app.contract.chldo.reading import Evidence
from app.contract.chldo.rules.sights import breach, listed
from app.contract.chldo.words import R1, R2, R4, R6, R9, opening

_REPLY = frozenset({"token", "whole", "event", "voice_ready", "hotword_detected", "memory_dict"})
_TAIL = frozenset({"choices", "choices_end"})


def _spoken(seen: Evidence) -> Iterator[Exchange]:
    """Clear turns, without what belongs to no turn (a rule of its own tells of that)."""
    yield from seen.clear_turns


def _flow(turn: Exchange) -> list[Frame]:
    return [frame for frame in turn.frames if frame.kind not in ("unknown", "garbage", "binary", "status", "Forbidden")]


def start_is_first(seen: Evidence) -> Sights:
    for turn in (*_spoken(seen), *seen.greetings):
        flow = _flow(turn)
        if flow and flow[0].kind == "START":
            yield None
        elif flow:
            yield breach(turn, flow[0], "START first", flow[0].kind)


def opening_is_in_order(seen: Evidence) -> Sights:
    expected = list(opening(seen.revision))
    for turn in _spoken(seen):
        flow = _flow(turn)
        begun = flow[1:] if flow and flow[0].kind == "START" else flow
        stretch = _up_to_think(begun)
        if stretch is None:
            continue
        got = [frame.kind for frame in stretch]
        if got == expected:
            yield None
        else:
            odd = _first_odd(got, expected)
            yield breach(turn, stretch[min(odd, len(stretch) - 1)], listed(expected), listed(got))


def _up_to_think(frames: Sequence[Frame]) -> list[Frame] | None:
    """The frames before the reply; None if a tape ends before it."""
    stretch: list[Frame] = []
    for frame in frames:
        if frame.kind in _REPLY or frame.kind in ("error", "END"):
            return stretch or [frame]
        stretch.append(frame)
        if frame.kind == "think":
            return stretch
    return None


def _first_odd(got: Sequence[str], expected: Sequence[str]) -> int:
    for place, (one, other) in enumerate(zip(got, expected, strict=False)):
        if one != other:
            return place
    return min(len(got), len(expected))


def _stretches(turn: Exchange) -> tuple[list[Frame], list[Frame]]:
    """The reply (between the first think and the next) and the tail (from there on), END left out."""
    flow = [frame for frame in _flow(turn) if frame.kind != "END"]
    thinks = [place for place, frame in enumerate(flow) if frame.kind == "think"]
    begin = thinks[0] + 1 if thinks else _reply_begins(flow)
    last = thinks[-1] if len(thinks) > 1 else None
    if last is None:
        tail = next((place for place in range(begin, len(flow)) if flow[place].kind in _TAIL), len(flow))
        return flow[begin:tail], flow[tail:]
    return flow[begin:last], flow[last:]


def _reply_begins(flow: Sequence[Frame]) -> int:
    return next((place for place, frame in enumerate(flow) if frame.kind in _REPLY), len(flow))


def reply_has_its_frames(seen: Evidence) -> Sights:
    for turn in _spoken(seen):
        if not turn.over:
            continue
        reply, _ = _stretches(turn)
        odd = next((frame for frame in reply if frame.kind not in _REPLY and frame.kind != "error"), None)
        texts = seen.revision.raw and any(frame.get("event") == "on_chain_stream" for frame in reply)
        if odd is not None:
            yield breach(turn, odd, "tokens, their voices, and what belongs to them", odd.kind)
        elif turn.tokens or texts or turn.failed:
            yield None
        else:
            yield breach(turn, None, "at least one token", listed([frame.kind for frame in reply]))


def think_ends(seen: Evidence) -> Sights:
    for turn in _spoken(seen):
        if turn.failed or not turn.over:
            continue
        _, tail = _stretches(turn)
        kinds = [frame.kind for frame in tail]
        if kinds[:1] == ["think"] and set(kinds[1:]) <= _TAIL:
            yield None
        else:
            expected = "think, and then nothing but choices and END"
            yield breach(turn, tail[0] if tail else turn.frames[-1], expected, listed(kinds))


def end_is_last(seen: Evidence) -> Sights:
    for turn in (*_spoken(seen), *seen.greetings):
        if not seen.revision.enveloped:
            if turn.over:
                yield None
            elif _should_have_ended(seen, turn):
                yield breach(turn, turn.frames[-1], "the graph's own on_chain_end", f"nothing after {turn.kinds[-1]}")
            continue
        ends = turn.of("END")
        if len(ends) == 1 and _flow(turn)[-1] is ends[0]:
            yield None
        elif ends:
            odd = ends[1] if len(ends) > 1 else _flow(turn)[-1]
            yield breach(turn, odd, "one END, the last frame", listed(_flow_kinds(turn)[-3:]))
        elif _should_have_ended(seen, turn):
            yield breach(turn, turn.frames[-1], "END", f"nothing after {turn.frames[-1].kind}")


def _flow_kinds(turn: Exchange) -> list[str]:
    return [frame.kind for frame in _flow(turn)]


def _should_have_ended(seen: Evidence, turn: Exchange) -> bool:
    """A probe waited for it; or the tape has a later turn that came to its end. A close is another rule's."""
    home = next(one for one in seen.connections if any(exchange is turn for exchange in one.exchanges))
    if home.close is not None:
        return False
    later = [one for one in home.exchanges if one.request.number > turn.request.number]
    return home.watched or any(one.over and one.began for one in later)


def failure_ends_the_turn(seen: Evidence) -> Sights:
    for turn in _spoken(seen):
        if not turn.failed:
            continue
        flow = _flow(turn)
        place = next(place for place, frame in enumerate(flow) if frame.kind == "error")
        rest = [frame.kind for frame in flow[place + 1 :] if frame.kind != "END"]
        if rest == ["think"]:
            yield None
        else:
            yield breach(turn, flow[place], "think (end) and END after the error", listed(rest))


def choices_are_a_pair(seen: Evidence) -> Sights:
    for turn in _spoken(seen):
        asked = turn.request.get("use_choices")
        if not turn.over or turn.failed or not isinstance(asked, int) or asked <= 0:
            continue
        got = [frame.kind for frame in turn.frames if frame.kind in _TAIL]
        if got == ["choices", "choices_end"]:
            yield None
        else:
            frame = next(iter(turn.of("choices", "choices_end", "END")), None)
            yield breach(turn, frame, "two choices frames, start and end", listed(got))


def choices_are_asked_for(seen: Evidence) -> Sights:
    for turn in seen.clear_turns:
        if turn.request.get("use_choices") not in (None, 0) or not turn.request.shown:
            continue
        odd = turn.of("choices", "choices_end")
        if odd:
            yield breach(turn, odd[0], "no choices, as none were asked for", "choices")
        elif turn.over:
            yield None


def greeting_is_in_order(seen: Evidence) -> Sights:
    for greeting in seen.greetings:
        got = [frame.kind for frame in _flow(greeting) if frame.kind not in ("START", "END")]
        if not greeting.over:
            continue
        if got == ["greeting"] or got == ["greeting", "voice_ready"]:
            yield None
        else:
            frame = greeting.first("greeting") or greeting.frames[0]
            yield breach(greeting, frame, "START greeting [voice_ready] END", listed(_flow_kinds(greeting)))


_SECTION = "spec 5, reply grammar"

RULES: tuple[Rule[Evidence], ...] = (
    Rule("order.start", "A turn begins with START.", _SECTION, start_is_first, "there was no turn", R2),
    Rule(
        "order.opening",
        "Between START and the reply stand received, memory x3 and think (memory x2 in 2024-10-02), from 2024-10-06 on "
        "history x2, memory x2 and think.",
        _SECTION,
        opening_is_in_order,
        "there was no turn",
        R2,
    ),
    Rule(
        "order.reply",
        "Between the two think frames stand tokens, at least one, and what belongs to them, and nothing else.",
        _SECTION,
        reply_has_its_frames,
        "no turn came to its end",
        R2,
    ),
    Rule(
        "order.think",
        "think (end) follows the reply; after it come only choices and END.",
        _SECTION,
        think_ends,
        "no turn came to its end",
        R2,
    ),
    Rule(
        "order.end",
        "A turn ends with one END, its last frame; in 2024-07-01 with the graph's on_chain_end.",
        _SECTION,
        end_is_last,
        "there was no turn",
        R1,
    ),
    Rule(
        "order.failure",
        "A turn that fails sends the error frame inside the flow; think (end) and END follow.",
        "spec 0.4 and 7, in-flow errors",
        failure_ends_the_turn,
        "no turn failed (--failing-key names a key whose turns do)",
        R2,
    ),
    Rule(
        "order.choices",
        "With use_choices of 1 or more two choices frames stand between think (end) and END.",
        _SECTION,
        choices_are_a_pair,
        "no turn was asked for choices",
        R9,
    ),
    Rule(
        "choices.asked",
        "Without use_choices there are no choices.",
        "spec 3, use_choices",
        choices_are_asked_for,
        "every turn was asked for choices",
        R6,
    ),
    Rule(
        "greeting.order",
        "A greeting is START greeting [voice_ready] END, with no think and no stream.",
        _SECTION,
        greeting_is_in_order,
        "there was no greeting",
        R4,
    ),
)
