"""What becomes of sockets: who is let in, what is refused, how they end. PURE."""

from __future__ import annotations

from app.contract.checks.rules import Breach, Sights
from app.contract.hashee.reading import (
    GOOD,
    INVALID,
    LARGEST,
    NEWER,
    NO_AUTH,
    NOT_AUTH,
    REFUSED,
    RENEWAL,
    STREAMLESS,
    TOO_LARGE,
    Evidence,
    Talk,
    Told,
)
from app.contract.hashee.words import AUTH, AUTH_LIMIT, CLOSES, FLOOD, INVALIDATED, REPLACED, TOO_BIG

EARLY = 0.5
"""Seconds by which clocks may differ."""

_ANSWERS = ("auth.ok", "auth.error", "error", "pong")


def _answered(talk: Talk, asked: Told, kind: str, key: str = "", value: str = "") -> Breach | None:
    """None where the next answer after a request is of that kind, and says so."""
    answer = talk.answer(asked, *_ANSWERS)
    wanted = f"{kind} with {key} {value}" if key else kind
    if answer is None:
        return talk.breach(asked, wanted, "nothing" if talk.close is None else f"close {talk.close[0]}")
    said = answer.inner.get(key) if key else ""
    right = answer.type == kind and said == value
    return None if right else talk.breach(answer, wanted, f"{answer.type} {said or ''}".strip())


def good_auth_is_ok(seen: Evidence) -> Sights:
    for talk in seen.talks:
        for asked in talk.marked(GOOD):
            yield _answered(talk, asked, "auth.ok")


def bad_auth_is_refused(seen: Evidence) -> Sights:
    for talk in seen.talks:
        for asked in talk.frames:
            for mark in asked.marks:
                if mark.startswith(REFUSED):
                    yield _answered(talk, asked, "auth.error", "reason", mark.removeprefix(REFUSED))


def refused_auth_closes(seen: Evidence) -> Sights:
    for talk in seen.talks:
        first = next(iter(talk.heard), None)
        if first is not None and first.type == "auth.error" and (talk.watched or talk.close is not None):
            yield talk.must_close(AUTH, first)


def auth_comes_first(seen: Evidence) -> Sights:
    for talk in seen.talks:
        for asked in talk.marked(NOT_AUTH):
            yield talk.must_close(AUTH, asked)


def auth_has_a_limit(seen: Evidence) -> Sights:
    for talk in seen.talks:
        if talk.name != NO_AUTH or not talk.watched:
            continue
        early = next((frame for frame in talk.heard if frame.at < AUTH_LIMIT - EARLY), None)
        if early is not None:
            yield talk.breach(early, f"nothing before {AUTH_LIMIT:g} s", f"{early.type} after {early.at:.1f} s")
        else:
            yield talk.must_close(AUTH)


def renewal_is_answered(seen: Evidence) -> Sights:
    for talk in seen.talks:
        for asked in talk.marked(RENEWAL):
            yield _answered(talk, asked, "auth.ok")


def auth_errors_leave_it_open(seen: Evidence) -> Sights:
    for talk in seen.talks:
        let_in = next(iter(talk.of("auth.ok")), None)
        for frame in talk.of("auth.error"):
            if let_in is not None and let_in.number < frame.number:
                yield _stays(talk, frame)


def errors_leave_it_open(seen: Evidence) -> Sights:
    for talk in seen.talks:
        for frame in talk.of("error"):
            yield _stays(talk, frame)


def _stays(talk: Talk, frame: Told) -> Breach | None:
    """None unless the frame is the last that came before the server closed."""
    if talk.close is None or talk.heard[-1] is not frame or talk.close[0] == FLOOD:
        return None
    return talk.breach(frame, "an open socket", f"close {talk.close[0]}")


def invalid_frames_are_refused(seen: Evidence) -> Sights:
    for talk in seen.talks:
        for asked in talk.marked(INVALID):
            yield _answered(talk, asked, "error", "code", "INVALID_FRAME")


def streams_have_to_be_there(seen: Evidence) -> Sights:
    for talk in seen.talks:
        for asked in talk.marked(STREAMLESS):
            yield _answered(talk, asked, "error", "code", "UNKNOWN_STREAM")


def pings_are_answered(seen: Evidence) -> Sights:
    """As many pongs as pings, on sockets that were let in."""
    for talk in seen.talks:
        let_in = next(iter(talk.of("auth.ok")), None)
        if let_in is None or not talk.watched:
            continue
        pings = [one for one in talk.frames if one.client and one.type == "ping" and one.number > let_in.number]
        pongs = talk.of("pong")
        for number, ping in enumerate(pings):
            yield None if number < len(pongs) else talk.breach(ping, "pong", "nothing")
        for extra in pongs[len(pings) :]:
            yield talk.breach(extra, "one pong for each ping", "another")


def newer_sockets_take_over(seen: Evidence) -> Sights:
    for name, newer in NEWER.items():
        old = seen.talk(name)
        if old is not None and seen.talk(newer) is not None:
            yield old.must_close(REPLACED)


def ended_sessions_close(seen: Evidence) -> Sights:
    for talk in seen.talks:
        for frame in talk.of("session.invalidated"):
            if talk.watched or talk.close is not None:
                yield talk.must_close(INVALIDATED, frame)


def logging_out_ends_the_session(seen: Evidence) -> Sights:
    for deed in seen.did("log out"):
        talk = seen.talk(deed.who)
        if talk is not None:
            told = talk.of("session.invalidated")
            yield None if len(told) == 1 else talk.breach(None, "session.invalidated, once", f"{len(told)} times")


def closes_are_known(seen: Evidence) -> Sights:
    for talk in seen.talks:
        if talk.close is not None and talk.close[0] >= 1000:
            known = talk.close[0] in CLOSES
            yield None if known else talk.breach(None, "a documented close code", str(talk.close[0]))


def largest_frames_are_taken(seen: Evidence) -> Sights:
    for talk in seen.talks:
        for asked in talk.marked(LARGEST):
            yield _answered(talk, asked, "pong")


def larger_frames_close(seen: Evidence) -> Sights:
    for talk in seen.talks:
        if any(talk.marked(TOO_LARGE)):
            yield talk.must_close(TOO_BIG)
