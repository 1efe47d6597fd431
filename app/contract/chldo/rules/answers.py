"""Rules on answers outside turns: status, Forbidden, refusals, and that the socket stays open. PURE."""

from __future__ import annotations

from collections.abc import Callable

from app.contract.checks.recordings import UNANSWERED
from app.contract.checks.rules import Rule, Sights
from app.contract.chldo.frames import TURN_KINDS, UNSEEN, Connection, Exchange, Request
from app.contract.chldo.reading import Evidence
from app.contract.chldo.rules.sights import breach, listed, shown
from app.contract.chldo.words import (
    FRAME_LIMIT,
    KEY_UNKNOWN,
    KEY_UNUSABLE,
    R1,
    R2,
    R3,
    R4,
    RETURN_VOICE,
    TOO_BIG,
    keys_of,
)

_ORDINARY = (1000, 1001, 1005, 1006)
"""Closes of a tape that say nothing about the message before them: either side may just have left."""


LARGE = frozenset({"one-frame", "fragments"})
"""Marks of messages that are about size alone."""


def pushes_nothing(seen: Evidence) -> Sights:
    for connection in seen.connections:
        if connection.exchanges and connection.exchanges[0].request.shown and not connection.unasked:
            yield None
        for frame in connection.unasked[:1]:
            yield breach(connection.name, frame, "nothing before the first request", f"a frame ({frame.kind})")


def answers_in_time(seen: Evidence) -> Sights:
    for exchange in seen.exchanges:
        if exchange.frames:
            yield None
        elif UNANSWERED in exchange.request.marks:
            yield breach(exchange, None, "a frame within the time-out", "silence")


def stays_open(seen: Evidence) -> Sights:
    """After a refusal or Forbidden the connection goes on, or was at least not closed by the server."""
    for connection in seen.connections:
        answered = [one for one in connection.exchanges if one.frames]
        for exchange in answered:
            if exchange.began or exchange.frames[0].kind not in ("error", "Forbidden"):
                continue
            if LARGE & exchange.request.marks or _was_too_large(connection):
                continue
            if exchange is not connection.exchanges[-1] and exchange is not answered[-1]:
                yield None
            elif connection.close and (connection.watched or connection.close[0] not in _ORDINARY):
                code, reason = connection.close
                yield breach(exchange, exchange.frames[-1], "the socket stays open", f"close {code} {reason}".strip())
            elif connection.watched:
                yield None


def _was_too_large(connection: Connection) -> bool:
    """Whether it ended as it should after a message above the limit."""
    sizes = (len(one.request.raw.encode("utf-8", "replace")) for one in connection.exchanges[-1:])
    return connection.close is not None and connection.close[0] == TOO_BIG and any(n > FRAME_LIMIT for n in sizes)


def is_not_dropped(seen: Evidence) -> Sights:
    """The server does not close while it owes an answer."""
    for connection in seen.connections:
        limits = any(LARGE & one.request.marks for one in connection.exchanges)
        answered = [one for one in connection.exchanges if one.frames]
        refused = answered and not answered[-1].began and answered[-1].kinds[-1] in ("error", "Forbidden")
        if limits or refused or _was_too_large(connection) or not (connection.exchanges or connection.close):
            continue
        if connection.close is None or (connection.close[0] in _ORDINARY and not connection.watched):
            yield None
            continue
        code, reason = connection.close
        owing = [one for one in connection.exchanges if not one.over]
        if owing or not connection.exchanges:
            where = owing[0] if owing else connection.name
            last = owing[0].frames[-1] if owing and owing[0].frames else None
            yield breach(where, last, "an open socket until the answer is complete", f"close {code} {reason}".strip())


def status_reply(seen: Evidence) -> Sights:
    keys = keys_of("status", seen.revision.id)
    for exchange in seen.exchanges:
        if exchange.request.action != "status" or not exchange.frames:
            continue
        frame = exchange.frames[0]
        fits = tuple(frame.body or ()) == keys and (frame.get("status"), frame.get("msgtype")) == ("connected", "info")
        if not fits:
            yield breach(exchange, frame, f"{','.join(keys)} with connected and info", f"a frame ({frame.kind})")
        elif len(exchange.frames) > 1:
            yield breach(exchange, exchange.frames[1], "one frame", listed(exchange.kinds))
        else:
            yield None


def _forbids(deserves: Callable[[Request, Evidence], bool]) -> Callable[[Evidence], Sights]:
    def check(seen: Evidence) -> Sights:
        for exchange in seen.exchanges:
            big = (LARGE | {UNSEEN}) & exchange.request.marks
            if big or not exchange.frames or not deserves(exchange.request, seen):
                continue
            if exchange.kinds == ["Forbidden"]:
                yield None
            else:
                yield breach(exchange, exchange.frames[0], "one frame, Forbidden", listed(exchange.kinds))

    return check


def _unknown_action(request: Request, seen: Evidence) -> bool:
    if request.body is None or request.action == "status" or request.is_turn(seen.revision):
        return False
    return not request.is_greeting(seen.revision)


def _no_object(request: Request, seen: Evidence) -> bool:
    return request.body is None and not request.raw.endswith("bytes of binary>")


def forbidden_values(seen: Evidence) -> Sights:
    for connection in seen.connections:
        ids = {frame.get("connection_id") for frame in connection.frames if frame.get("connection_id")}
        for exchange in connection.exchanges:
            for frame in exchange.of("Forbidden"):
                if frame.get("message") != "Forbidden":
                    yield breach(exchange, frame, 'message "Forbidden"', shown(frame.get("message")))
                elif ids and frame.get("connectionId") not in ids:
                    yield breach(
                        exchange, frame, f"connectionId {shown(min(map(str, ids)))}", shown(frame.get("connectionId"))
                    )
                else:
                    yield None


def _refuses(msg: str) -> Callable[[Evidence], Sights]:
    """A request with this one fault gets this refusal."""

    def check(seen: Evidence) -> Sights:
        for exchange in seen.exchanges:
            if exchange.request.failures(seen.revision) == [msg] and exchange.frames:
                yield from _refused_with(exchange, msg)

    return check


def _refused_with(exchange: Exchange, msg: str) -> Sights:
    frame = exchange.frames[0]
    if frame.kind == "error" and frame.get("msg") == msg:
        yield None
    else:
        got = shown(frame.get("msg")) if frame.kind == "error" else f"a frame ({frame.kind})"
        yield breach(exchange, frame, f"an error frame with msg {shown(msg)}", got)


def refusal_order(seen: Evidence) -> Sights:
    for exchange in seen.exchanges:
        failures = exchange.request.failures(seen.revision)
        if failures and len(failures) > 1 and exchange.frames:
            yield from _refused_with(exchange, failures[0])


def refusal_is_alone(seen: Evidence) -> Sights:
    for exchange in seen.exchanges:
        if exchange.request.failures(seen.revision) and exchange.kinds[:1] == ["error"]:
            if len(exchange.frames) == 1:
                yield None
            else:
                yield breach(exchange, exchange.frames[1], "one error frame, alone", listed(exchange.kinds))


def msg_is_optional(seen: Evidence) -> Sights:
    for exchange in seen.exchanges:
        request = exchange.request
        if not request.is_turn(seen.revision) or request.body is None or "msg" in request.body:
            continue
        if request.failures(seen.revision) != [] or not exchange.frames:
            continue
        if exchange.began:
            yield None
        elif exchange.frames[0].get("msg") == "msg is required":
            yield breach(exchange, exchange.frames[0], "a turn", shown("msg is required"))


def good_requests_are_taken(seen: Evidence) -> Sights:
    """What a probe knows to be right begins a turn; of a tape's requests only those that did."""
    for exchange in seen.exchanges:
        if exchange.request.failures(seen.revision) != []:
            continue
        if exchange.began:
            yield None
        elif exchange.frames and ("good" in exchange.request.marks or exchange.frames[0].kind == "Forbidden"):
            frame = exchange.frames[0]
            if frame.get("msg") != "msg is required" or exchange.request.get("msg"):
                got = shown(frame.get("msg")) if frame.kind == "error" else f"a frame ({frame.kind})"
                yield breach(exchange, frame, "a turn" if exchange.request.action != "greeting" else "a greeting", got)


def frames_are_objects(seen: Evidence) -> Sights:
    for connection in seen.connections:
        for frame in connection.frames:
            if frame.body is None:
                got = "binary" if frame.kind == "binary" else "a text that is none"
                yield breach(connection.name, frame, "a text frame with one JSON object", got)
            else:
                yield None
        if connection.close and connection.close[0] == 1007:
            yield breach(connection.name, None, "text frames in UTF-8", "close 1007 (invalid UTF-8)")


def frames_are_known(seen: Evidence) -> Sights:
    for connection in seen.connections:
        for frame in connection.frames:
            if frame.body is None:
                continue
            known = frame.kind not in TURN_KINDS or keys_of(frame.kind, seen.revision.id)
            if frame.kind == "unknown" or not known:
                name = frame.get("status") or frame.get("event") or "no status"
                yield breach(connection.name, frame, f"a frame of {seen.revision.id}", f"another ({shown(name)})")
            else:
                yield None


def _requires(field: str, since: str, until: str = "~") -> Rule[Evidence]:
    return Rule(
        f"refusal.{field.replace('_', '-')}",
        f"A request without `{field}` is refused with `{field} is required`.",
        "spec 7, validation errors",
        _refuses(f"{field} is required"),
        f"no request lacked {field} alone",
        since,
        until,
    )


RULES: tuple[Rule[Evidence], ...] = (
    Rule(
        "wire.json",
        "Every frame from the server is text with one JSON object.",
        "spec 1 and 5, all captures",
        frames_are_objects,
        "the server sent nothing",
    ),
    Rule(
        "wire.known",
        "Every frame is one that the revision sends.",
        "spec 5, reply grammar",
        frames_are_known,
        "the server sent no JSON object",
    ),
    Rule(
        "wire.answers",
        "Every request is answered.",
        "spec 2 and 5",
        answers_in_time,
        "nothing was asked",
    ),
    Rule(
        "wire.open",
        "The server does not close a socket while it owes an answer.",
        "spec 2, close causes",
        is_not_dropped,
        "no socket shows it",
    ),
    Rule(
        "wire.silent",
        "Nothing is pushed on connect.",
        "spec 2",
        pushes_nothing,
        "no recording begins with a connect",
    ),
    Rule(
        "wire.accepts",
        "A complete request with a good key begins a turn or a greeting.",
        "spec 0.5",
        good_requests_are_taken,
        "no complete request was made",
    ),
    Rule(
        "status.reply",
        "The action `status` is answered by one frame: status `connected`, connection_id, msgtype `info`, and no msg.",
        "spec 2, status",
        status_reply,
        "no status was asked for",
    ),
    Rule(
        "forbidden.action",
        "An action that the revision does not know is answered by one frame, Forbidden.",
        "spec 0.12",
        _forbids(_unknown_action),
        "no unknown action was asked for",
    ),
    Rule(
        "forbidden.text",
        "A text that is no JSON object is answered by one frame, Forbidden.",
        "spec 0.12",
        _forbids(_no_object),
        "every request was a JSON object",
    ),
    Rule(
        "forbidden.values",
        "A Forbidden frame says `Forbidden` and the connection's id.",
        "spec 0.12",
        forbidden_values,
        "nothing was forbidden",
    ),
    _requires("api_key", R2),
    _requires("org_id", R1, R1),
    _requires("room_uid", R1),
    _requires("user_id", R1),
    _requires("msg", R1, R3),
    Rule(
        "refusal.msg-optional",
        "`msg` may be left out: the agent speaks first.",
        "spec 0.2",
        msg_is_optional,
        "no request lacked msg",
        R4,
    ),
    Rule(
        "refusal.return-voice",
        f"Any other return_voice than 0, 1, '0' and '1' is refused with `{RETURN_VOICE}`.",
        "spec 7, validation errors",
        _refuses(RETURN_VOICE),
        "no request had a wrong return_voice alone",
        R2,
    ),
    Rule(
        "refusal.key-unknown",
        f"A key that no space has is refused with `{KEY_UNKNOWN}`.",
        "spec 7, validation errors",
        _refuses(KEY_UNKNOWN),
        "no request had a key that is known to be unknown",
        R2,
    ),
    Rule(
        "refusal.key-unusable",
        f"A key that is switched off is refused with `{KEY_UNUSABLE}`.",
        "spec 7, validation errors",
        _refuses(KEY_UNUSABLE),
        "no unusable key was given (--unusable-key)",
        R2,
    ),
    Rule(
        "refusal.order",
        "Of several faults the first in the order of the checks answers: required fields (key, room_uid, user, msg), "
        "return_voice, key exists, key is usable.",
        "spec 0.5",
        refusal_order,
        "no request had two faults",
        R1,
    ),
    Rule(
        "refusal.alone",
        "A refusal is one error frame, alone.",
        "spec 0.5 and 7",
        refusal_is_alone,
        "nothing was refused",
        R1,
    ),
    Rule(
        "refusal.open",
        "The socket stays open after a refusal and after Forbidden.",
        "spec 0.5 and 0.12",
        stays_open,
        "nothing was refused",
    ),
)
