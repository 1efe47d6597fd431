"""Rules on ids, times and what is sent back from the request. PURE."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from app.contract.checks.rules import Rule, Sights
from app.contract.chldo.frames import Exchange, Frame
from app.contract.chldo.reading import Evidence
from app.contract.chldo.rules.sights import bodies, breach, has_form, shown
from app.contract.chldo.words import (
    CONNECTION_ID,
    HOTWORD_UID,
    R1,
    R3,
    R4,
    R5,
    R6,
    RUN_ID,
    STREAM_UID,
    V1,
)


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
    for exchange, frame in bodies(seen):
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
        has_form("connection_id", CONNECTION_ID, "15 characters of URL-safe base64 and ="),
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
        has_form("stream_uid", STREAM_UID, "25 of 0-9 A-Z a-z"),
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
        lambda seen: (sight for key in ("run_id", "parent_ids") for sight in has_form(key, RUN_ID, "UUIDv4")(seen)),
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
            for sight in has_form(key, HOTWORD_UID, "17 of 0-9 a-f")(seen)
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
)
