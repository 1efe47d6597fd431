"""Rules on keys: each frame has exactly the documented ones, in the documented order. PURE."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from app.contract.checks.rules import Rule, Sights
from app.contract.chldo.frames import Exchange, Frame
from app.contract.chldo.reading import Evidence
from app.contract.chldo.rules.sights import breach
from app.contract.chldo.words import CHUNK_KEYS, MSGTYPES, R1, R2, R3, R4, R5, R6, R9, V1, keys_of


def _frames(seen: Evidence, kind: str) -> Iterator[tuple[Exchange, Frame]]:
    greeting = kind == "greeting_voice"
    for exchange in seen.exchanges:
        greets = exchange.request.is_greeting(seen.revision)
        for frame in exchange.of("voice_ready" if greeting else kind):
            if greeting == greets or (kind != "voice_ready" and not greeting):
                yield exchange, frame


def _has_keys(kinds: Sequence[str]) -> Callable[[Evidence], Sights]:
    def check(seen: Evidence) -> Sights:
        for kind in kinds:
            expected = keys_of(kind, seen.revision.id)
            for exchange, frame in _frames(seen, kind) if expected else ():
                got = tuple(frame.body or ())
                yield None if got == expected else breach(exchange, frame, ",".join(expected), _told(got, expected))

    return check


def _told(got: Sequence[str], expected: Sequence[str]) -> str:
    missing = [key for key in expected if key not in got]
    extra = [key for key in got if key not in expected]
    told = [f"without {', '.join(missing)}"] if missing else []
    told += [f"with {', '.join(extra)}"] if extra else []
    return "; ".join(told) or f"in another order: {','.join(got)}"


def chunk_keys(seen: Evidence) -> Sights:
    expected = CHUNK_KEYS if seen.revision.raw else ["content"]
    for exchange in seen.exchanges:
        for frame in exchange.of("token"):
            data = frame.get("data")
            got = list(frame.chunk or ())
            if got == expected and isinstance(data, dict) and list(data) == ["chunk"]:
                yield None
            else:
                inside = _told(got, expected) if frame.chunk is not None else "no chunk"
                yield breach(exchange, frame, f"data.chunk with {','.join(expected)}", inside)


def msgtypes(seen: Evidence) -> Sights:
    for exchange in seen.exchanges:
        for frame in exchange.frames:
            expected = MSGTYPES.get(frame.kind)
            if expected is None or frame.kind == "status" or frame.get("msgtype") is None:
                continue
            got = frame.get("msgtype")
            yield None if got == expected else breach(exchange, frame, f"msgtype {expected}", str(got))


def _rule(name: str, kinds: Sequence[str], frame: str, since: str, until: str = "~", needs: str = "") -> Rule[Evidence]:
    return Rule(
        f"keys.{name}",
        f"{frame} has exactly the documented keys, in the documented order.",
        "spec 5, key orders",
        _has_keys(kinds),
        needs or f"no such frame came ({', '.join(kinds)})",
        since,
        until,
    )


RULES: tuple[Rule[Evidence], ...] = (
    _rule("start", ["START"], "START", R2),
    _rule("end", ["END"], "END", R2),
    _rule("received", ["received"], "received", R2, R5),
    _rule("history", ["history"], "history", R6),
    _rule("memory", ["memory"], "memory", R2),
    _rule("think", ["think"], "think", R2),
    _rule("event", ["event"], "A LangGraph event", R1, R4),
    _rule("token", ["token", "whole"], "A token", R1),
    _rule("voice", ["voice_ready"], "voice_ready", R3),
    _rule("greeting", ["greeting"], "greeting", R4),
    _rule("greeting-voice", ["greeting_voice"], "voice_ready of a greeting", R4),
    _rule("hotword", ["hotword_detected", "memory_dict"], "hotword_detected or memory_dict", R5),
    _rule("choices", ["choices", "choices_end"], "choices", R9),
    _rule("message", ["message"], "The flat frame", V1, V1),
    _rule("error", ["error"], "An error frame", R1),
    _rule("forbidden", ["Forbidden"], "A Forbidden frame", V1),
    Rule(
        "keys.chunk",
        "data.chunk of a token has the documented keys in order: LangChain's up to 2024-09-11, then content alone.",
        "spec 5, LangGraph details",
        chunk_keys,
        "no token came",
        R1,
    ),
    Rule(
        "keys.msgtype",
        "msgtype is info, stream, error, hotword or info_choices, as the frame's kind has it.",
        "spec 4, values",
        msgtypes,
        "no frame with msgtype came",
        R2,
    ),
)
