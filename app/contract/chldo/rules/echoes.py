"""Rules on what is sent back from the request, and on times. PURE."""

from __future__ import annotations

from itertools import pairwise

from app.contract.checks.rules import Rule, Sights
from app.contract.chldo.frames import Frame
from app.contract.chldo.reading import Evidence
from app.contract.chldo.rules.sights import breach, has_form, shown
from app.contract.chldo.words import C_AT, R2, R4, R5, R7, V1


def room_is_echoed(seen: Evidence) -> Sights:
    for exchange in (*seen.turns, *seen.greetings):
        for frame in exchange.frames:
            got = frame.get("room_uid")
            if got is None:
                continue
            if got == exchange.room:
                yield None
            else:
                yield breach(exchange, frame, f"room_uid {shown(exchange.room)}, the request's", shown(got))


def scene_is_echoed(seen: Evidence) -> Sights:
    for exchange in (*seen.turns, *seen.greetings):
        asked = exchange.request.get("scene_number")
        expected = seen.revision.scene if asked is None else asked
        for frame in exchange.frames if exchange.request.shown else ():
            got = frame.get("scene_number")
            if got is not None:
                fits = got == expected and not isinstance(got, bool)
                yield None if fits else breach(exchange, frame, f"scene_number {shown(expected)}", shown(got))


def is_stream_is_told(seen: Evidence) -> Sights:
    for exchange in (*seen.turns, *seen.greetings):
        stream = exchange.request.get("stream")
        expected = stream not in (0, "0")
        for frame in exchange.frames if exchange.request.shown else ():
            got = frame.get("is_stream")
            if got is not None:
                yield None if got is expected else breach(exchange, frame, f"is_stream {shown(expected)}", shown(got))


def return_voice_is_told(seen: Evidence) -> Sights:
    """A turn says 0 or 1, the request's if it had one; a greeting says what the request said, null if nothing."""
    for exchange in (*seen.turns, *seen.greetings):
        greets = exchange.request.is_greeting(seen.revision)
        asked = exchange.request.flag
        silent = exchange.request.shown and not exchange.request.has("return_voice")
        unsaid: list[int | None] = [None] if greets and silent else [0, 1] if exchange.request.shown else [0, 1, None]
        for frame in exchange.frames:
            if frame.body is None or "return_voice" not in frame.body:
                continue
            got = frame.body["return_voice"]
            allowed = [asked] if asked is not None else unsaid
            if any(got is one or (got == one and type(got) is int) for one in allowed):
                yield None
            else:
                expected = " or ".join(shown(one) for one in allowed)
                yield breach(exchange, frame, f"return_voice {expected}", shown(got))


def questioner_is_echoed(seen: Evidence) -> Sights:
    for greeting in seen.greetings:
        asked = greeting.request.get("questioner") or ""
        for frame in greeting.of("voice_ready") if greeting.request.shown else ():
            got = frame.get("questioner")
            fits = got == asked
            yield None if fits else breach(greeting, frame, f"questioner {shown(asked)}", shown(got))


def c_at_is_the_same(seen: Evidence) -> Sights:
    for turn in seen.clear_turns:
        start, end = turn.first("START"), turn.first("END")
        if start is None or end is None:
            continue
        expected, got = start.get("cAt"), end.get("cAt")
        yield None if got == expected else breach(turn, end, f"cAt {shown(expected)}, START's", shown(got))


def greeting_times(seen: Evidence) -> Sights:
    for greeting in seen.greetings:
        timed = [frame for frame in greeting.of("START", "voice_ready", "END") if _seconds(frame) is not None]
        for before, frame in pairwise(timed):
            then, now = _seconds(before), _seconds(frame)
            assert then is not None
            assert now is not None
            if now >= then:
                yield None
            else:
                got = f"{shown(frame.get('cAt'))}, earlier"
                yield breach(greeting, frame, f"a cAt of its own, not before {shown(before.get('cAt'))}", got)


def _seconds(frame: Frame) -> float | None:
    c_at = frame.get("cAt")
    return float(c_at) if isinstance(c_at, str) and C_AT.fullmatch(c_at) else None


RULES: tuple[Rule[Evidence], ...] = (
    Rule(
        "echo.room",
        "room_uid is the request's.",
        "spec 8.8",
        room_is_echoed,
        "no frame carried a room_uid",
        R4,
        also=(V1,),
    ),
    Rule(
        "echo.scene",
        "scene_number is the request's; without one it is 0 in 2024-10-07 and 1 from 2024-11-03 on.",
        "spec 3, scene_number",
        scene_is_echoed,
        "no frame carried a scene_number",
        R7,
    ),
    Rule(
        "echo.is-stream",
        "is_stream is true, on every frame of a turn asked for with stream 0 false.",
        "spec 5, key orders, and 0.8",
        is_stream_is_told,
        "no frame carried is_stream",
        R5,
    ),
    Rule(
        "echo.return-voice",
        "return_voice is 0 or 1, the request's if it had one; in a greeting null if it had none.",
        "spec 4, return_voice (echo)",
        return_voice_is_told,
        "no frame carried return_voice",
        R2,
        also=(V1,),
    ),
    Rule(
        "echo.questioner",
        "questioner of a greeting's voice_ready is the request's, or empty.",
        "spec 5, key orders",
        questioner_is_echoed,
        "no greeting had a voice",
        R4,
    ),
    Rule(
        "times.form",
        "cAt is text: epoch seconds of 10 digits with up to 6 decimals.",
        "spec 4, cAt",
        has_form("cAt", C_AT, "text of epoch seconds"),
        "no frame carried a cAt",
        R2,
        also=(V1,),
    ),
    Rule(
        "times.same",
        "START and END of a turn carry the same cAt.",
        "spec 0.13",
        c_at_is_the_same,
        "no turn had both START and END",
        R2,
    ),
    Rule(
        "times.greeting",
        "START, voice_ready and END of a greeting carry times of their own, none before the one in front of it.",
        "spec 4, cAt",
        greeting_times,
        "there was no greeting with times",
        R4,
    ),
)
