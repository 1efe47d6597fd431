"""Rules on ids, times and what is sent back from the request. PURE."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from app.contract.checks.rules import Rule, Sights
from app.contract.chldo.frames import Exchange, Frame
from app.contract.chldo.reading import Evidence
from app.contract.chldo.rules.sights import breach, shown
from app.contract.chldo.words import (
    C_AT,
    CONNECTION_ID,
    HOTWORD_UID,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    RUN_ID,
    STREAM_UID,
    V1,
)


def _placed(seen: Evidence) -> Iterator[tuple[Exchange, Frame]]:
    for exchange in seen.exchanges:
        for frame in exchange.frames:
            if frame.body is not None:
                yield exchange, frame


def _has_form(key: str, form: re.Pattern[str], told: str) -> Callable[[Evidence], Sights]:
    def check(seen: Evidence) -> Sights:
        for exchange, frame in _placed(seen):
            if frame.body is None or key not in frame.body:
                continue
            values = frame.body[key] if isinstance(frame.body[key], list) else [frame.body[key]]
            odd = [value for value in values if not (isinstance(value, str) and form.fullmatch(value))]
            yield breach(exchange, frame, f"{key}: {told}", shown(odd[0])) if odd else None

    return check


def connection_is_constant(seen: Evidence) -> Sights:
    for connection in seen.connections:
        first: object = None
        for exchange in connection.exchanges:
            for frame in exchange.frames:
                got = frame.get("connection_id")
                if got is None:
                    continue
                first = first if first is not None else got
                if got == first:
                    yield None
                else:
                    yield breach(exchange, frame, f"connection_id {shown(first)}, as before", shown(got))


def connections_differ(seen: Evidence) -> Sights:
    owners: dict[object, str] = {}
    several = len(seen.connections) > 1
    for connection in seen.connections:
        frame = next((one for one in connection.frames if one.get("connection_id")), None)
        if frame is None or not several:
            continue
        other = owners.setdefault(frame.get("connection_id"), connection.name)
        if other == connection.name:
            yield None
        else:
            yield breach(connection.name, frame, "a connection_id of its own", f"that of {other}")


def one_stream_a_turn(seen: Evidence) -> Sights:
    for exchange in (*seen.clear_turns, *seen.greetings):
        first: object = None
        for frame in exchange.frames:
            got = frame.get("stream_uid")
            if got is None:
                continue
            first = first if first is not None else got
            if got == first:
                yield None
            else:
                yield breach(exchange, frame, f"stream_uid {shown(first)}, as before", shown(got))


def streams_differ(seen: Evidence) -> Sights:
    yield from _differ(seen, "stream_uid", lambda turn: [*turn.of("START"), *turn.of("message")][:1])


def sentences_differ(seen: Evidence) -> Sights:
    yield from _differ(seen, "sent_uid", lambda turn: turn.tokens)


def _differ(seen: Evidence, key: str, frames: Callable[[Exchange], Sequence[Frame]]) -> Sights:
    """No value of one turn comes again in another."""
    turns = [*seen.turns, *seen.greetings]
    owners: dict[str, Exchange] = {}
    for turn in turns:
        values = {str(frame.get(key)): frame for frame in reversed(frames(turn)) if frame.get(key)}
        for value, frame in values.items():
            other = owners.setdefault(value, turn)
            if other is not turn:
                yield breach(turn, frame, f"a {key} that no other turn has", f"that of {_name(other)}")
            elif len(turns) > 1:
                yield None


def _name(turn: Exchange) -> str:
    return f"{turn.place}, request {turn.request.number}"


def sent_uid_form(seen: Evidence) -> Sights:
    length = seen.revision.sent_uid or 26
    form = re.compile(f"[0-9A-Za-z]{{{length}}}")
    for exchange, frame in _placed(seen):
        got = None if frame.body is None else frame.body.get("sent_uid")
        if got is not None:
            fits = isinstance(got, str) and form.fullmatch(got)
            yield None if fits else breach(exchange, frame, f"sent_uid: {length} of 0-9 A-Z a-z", shown(got))


def one_sent_uid_a_sentence(seen: Evidence) -> Sights:
    """It changes from sentence to sentence and never comes back."""
    for turn in seen.clear_turns:
        done: set[object] = set()
        for before, frame in pairwise([None, *turn.tokens]):
            uid = None if frame is None else frame.get("sent_uid")
            if frame is None or uid is None:
                continue
            if before is not None and before.get("sent_uid") != uid:
                done.add(before.get("sent_uid"))
            if uid in done:
                yield breach(turn, frame, "a sent_uid that no earlier sentence had", shown(uid))
            else:
                yield None


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


def client_num_counts(seen: Evidence) -> Sights:
    for exchange in seen.turns:
        for frame in exchange.of("message"):
            got = frame.get("client_num")
            fits = isinstance(got, int) and not isinstance(got, bool) and got >= 1
            yield None if fits else breach(exchange, frame, "client_num: a whole number from 1 on", shown(got))


_SECTION = "spec 4, identifiers"

RULES: tuple[Rule[Evidence], ...] = (
    Rule(
        "ids.connection",
        "connection_id has 16 characters, 11 bytes in URL-safe base64.",
        _SECTION,
        _has_form("connection_id", CONNECTION_ID, "15 characters of URL-safe base64 and ="),
        "no frame carried a connection_id",
    ),
    Rule(
        "ids.connection-constant",
        "connection_id is the same as long as the socket is open.",
        _SECTION,
        connection_is_constant,
        "no frame carried a connection_id",
    ),
    Rule(
        "ids.connection-own",
        "Every socket has a connection_id of its own.",
        _SECTION,
        connections_differ,
        "there was one socket only",
    ),
    Rule(
        "ids.stream",
        "stream_uid has 25 characters of base62.",
        _SECTION,
        _has_form("stream_uid", STREAM_UID, "25 of 0-9 A-Z a-z"),
        "no frame carried a stream_uid",
        R6,
    ),
    Rule(
        "ids.stream-one",
        "All frames of a turn carry the same stream_uid.",
        _SECTION,
        one_stream_a_turn,
        "no frame carried a stream_uid",
        R6,
    ),
    Rule(
        "ids.stream-own",
        "Every turn has a stream_uid of its own.",
        _SECTION,
        streams_differ,
        "there was one turn only",
        R6,
    ),
    Rule(
        "ids.sent",
        "sent_uid is base62, of 26 characters up to 2024-10-02 and 28 from 2024-10-06 on.",
        _SECTION,
        sent_uid_form,
        "no frame carried a sent_uid",
        R3,
    ),
    Rule(
        "ids.sent-one",
        "Every sentence has one sent_uid, which does not come back after it.",
        _SECTION,
        one_sent_uid_a_sentence,
        "no token carried a sent_uid",
        R3,
        also=(V1,),
        but=(R5,),
    ),
    Rule(
        "ids.sent-own",
        "No sent_uid comes again in another turn.",
        _SECTION,
        sentences_differ,
        "there was one turn only, or no token carried a sent_uid",
        R3,
        also=(V1,),
        but=(R5,),
    ),
    Rule(
        "ids.run",
        "run_id and parent_ids are UUIDv4 texts.",
        _SECTION,
        lambda seen: (sight for key in ("run_id", "parent_ids") for sight in _has_form(key, RUN_ID, "UUIDv4")(seen)),
        "no event came",
        R1,
        R4,
    ),
    Rule(
        "ids.hotword",
        "hotword_uid has 17 lower-case hexadecimal digits.",
        _SECTION,
        lambda seen: (
            sight
            for key in ("hotword_uid", "hotword_uids")
            for sight in _has_form(key, HOTWORD_UID, "17 of 0-9 a-f")(seen)
        ),
        "no frame carried a hotword_uid",
        R4,
    ),
    Rule(
        "ids.client-num",
        "client_num is a whole number, 1 at the least.",
        "spec 0.15",
        client_num_counts,
        "no flat frame came",
        V1,
        V1,
    ),
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
        _has_form("cAt", C_AT, "text of epoch seconds"),
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
