"""Rules on several turns, several sockets, large messages and coming back. PURE."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.contract.checks.rules import Rule, Sights
from app.contract.chldo.frames import Connection, Exchange
from app.contract.chldo.reading import Evidence
from app.contract.chldo.rules.sights import breach, shown
from app.contract.chldo.words import FRAME_LIMIT, MESSAGE_LIMIT, R1, R5, TOO_BIG


def turns_may_overlap(seen: Evidence) -> Sights:
    for connection in seen.connections:
        for turn in connection.exchanges:
            if "at-once" not in turn.request.marks or not turn.frames:
                continue
            refused = turn.frames[0].get("msg") == "msg is required"
            if refused or (turn.over and turn.began):
                yield None
            else:
                yield breach(turn, turn.frames[-1], "a turn of its own, to its end", f"nothing after {turn.kinds[-1]}")


def frames_go_to_who_asked(seen: Evidence) -> Sights:
    """No stream_uid, and before R6 no run, is seen on two sockets."""
    owners: dict[str, Connection] = {}
    several = len(seen.connections) > 1
    for connection in seen.connections:
        told: set[str] = set()
        for frame in connection.frames:
            owner = frame.get("stream_uid") if seen.revision.rooms else frame.root
            if not isinstance(owner, str) or not several:
                continue
            first = owners.setdefault(owner, connection)
            if first is not connection and owner not in told:
                expected = "frames of the socket's own turns only"
                yield breach(connection.name, frame, expected, f"a turn of {first.name} ({shown(owner)})")
            elif owner not in told:
                yield None
            told.add(owner)


def _sized(seen: Evidence, mark: str) -> Iterator[tuple[Connection, Exchange, int]]:
    for connection in seen.connections:
        for exchange in connection.exchanges:
            if mark in exchange.request.marks:
                yield connection, exchange, len(exchange.request.raw.encode("utf-8", "replace"))


def _taken(mark: str, limit: int) -> Callable[[Evidence], Sights]:
    def check(seen: Evidence) -> Sights:
        for connection, exchange, size in _sized(seen, mark):
            if size > limit:
                continue
            if exchange.frames:
                yield None
            elif connection.close:
                got = f"close {connection.close[0]}"
                yield breach(exchange, None, f"an answer to {size} bytes", got)

    return check


def _closed(mark: str, limit: int) -> Callable[[Evidence], Sights]:
    def check(seen: Evidence) -> Sights:
        for connection, exchange, size in _sized(seen, mark):
            if size <= limit:
                continue
            if connection.close and connection.close[0] == TOO_BIG:
                yield None
            else:
                got = f"close {connection.close[0]}" if connection.close else "no close"
                frame = exchange.frames[0] if exchange.frames else None
                yield breach(exchange, frame, f"close {TOO_BIG} for {size} bytes", got)

    return check


def a_room_can_be_entered_again(seen: Evidence) -> Sights:
    for connection in seen.connections:
        for turn in connection.exchanges:
            if "again" in turn.request.marks and turn.frames:
                good = turn.began and (turn.over or seen.revision.flat)
                frame = turn.frames[-1]
                yield None if good else breach(turn, frame, "a turn on the new socket, to its end", frame.kind)


RULES: tuple[Rule[Evidence], ...] = (
    Rule(
        "concurrency.one-socket",
        "Several turns may run on one socket at once; each comes to its end.",
        "spec 0.10",
        turns_may_overlap,
        "no two turns were asked for at once",
        R1,
    ),
    Rule(
        "concurrency.own-frames",
        "A room may be open on several sockets; frames go only to the socket that asked.",
        "spec 0.11",
        frames_go_to_who_asked,
        "there was one socket with turns only",
        R1,
        but=(R5,),
    ),
    Rule(
        "limits.frame-taken",
        "A message in one frame may have 32 KB.",
        "spec 2, frame quota",
        _taken("one-frame", FRAME_LIMIT),
        "no frame of that size was sent",
    ),
    Rule(
        "limits.frame",
        "A frame above 32 KB closes the socket with 1009.",
        "spec 2, frame quota",
        _closed("one-frame", FRAME_LIMIT),
        "no frame of that size was sent",
    ),
    Rule(
        "limits.message-taken",
        "A message in several frames may have 128 KB.",
        "spec 2, API Gateway",
        _taken("fragments", MESSAGE_LIMIT),
        "no message of that size was sent",
    ),
    Rule(
        "limits.message",
        "A message above 128 KB closes the socket with 1009.",
        "spec 2, API Gateway",
        _closed("fragments", MESSAGE_LIMIT),
        "no message of that size was sent",
    ),
    Rule(
        "reconnection.room",
        "A room can be entered again on a new socket.",
        "spec 2, new and existing rooms",
        a_room_can_be_entered_again,
        "no room was entered again",
    ),
)
