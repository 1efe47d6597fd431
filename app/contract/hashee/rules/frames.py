"""What holds of every frame: its name, its shape, its keys and what stands under them. PURE."""

from __future__ import annotations

from typing import Any

from app.contract.checks.rules import Sights
from app.contract.hashee.reading import AGENT, PERSON, Evidence
from app.contract.hashee.words import (
    CODES,
    FORMS,
    IDS,
    KINDS,
    MOMENTS,
    REASONS,
    SECOND,
    SPELLINGS,
    ULID,
    UUID,
    VALUES,
    Form,
    key_of,
    spelling,
)


def are_objects(seen: Evidence) -> Sights:
    for talk in seen.talks:
        for frame in talk.heard:
            yield None if frame.body is not None else talk.breach(frame, "a JSON object, as text", frame.raw[:80])


def are_known(seen: Evidence) -> Sights:
    known = FORMS[seen.profile]
    for talk, frame in seen.frames():
        if frame.type not in known and SPELLINGS.get(spelling(frame.type), frame.type) == frame.type:
            yield talk.breach(frame, f"a frame of {seen.profile}", frame.type or "no type")
        elif frame.type in known:
            yield None


def are_spelt(seen: Evidence) -> Sights:
    for talk, frame in seen.frames():
        wanted = SPELLINGS.get(spelling(frame.type))
        if wanted is not None:
            yield None if wanted == frame.type else talk.breach(frame, wanted, frame.type)


def _has_shape(form: Form, body: dict[str, Any]) -> bool:
    if form.nested:
        return tuple(body) == ("type", "payload") and isinstance(body["payload"], dict)
    return "payload" not in body and next(iter(body)) == "type"


def have_shape(seen: Evidence) -> Sights:
    for talk, frame in seen.frames():
        form = FORMS[seen.profile].get(frame.type)
        if form is not None and frame.body is not None:
            wanted = "type and payload" if form.nested else "type first, and no payload"
            kept = _has_shape(form, frame.body)
            yield None if kept else talk.breach(frame, wanted, ", ".join(frame.body))


def have_keys(seen: Evidence) -> Sights:
    for talk, frame in seen.frames():
        form = FORMS[seen.profile].get(frame.type)
        if form is None or frame.body is None or not _has_shape(form, frame.body):
            continue
        there = tuple(frame.inner)
        wanted = tuple(key for key in form.keys if key in there or key not in form.optional)
        yield None if there == wanted else talk.breach(frame, ", ".join(wanted) or "type alone", ", ".join(there))


def have_values(seen: Evidence) -> Sights:
    for talk, frame in seen.frames():
        form = FORMS[seen.profile].get(frame.type)
        if form is None:
            continue
        wrong = None
        for key, value in frame.inner.items():
            kind, few = KINDS.get(key, str), VALUES.get((frame.type, key))
            if key in form.keys and type(value) is not kind:
                wrong = talk.breach(frame, f"{key} as {kind.__name__}", str(value)[:80])
            elif few is not None and value not in few:
                wrong = talk.breach(frame, f"{key}: {', '.join(sorted(few))}", str(value)[:80])
        yield wrong


def ids_have_form(seen: Evidence) -> Sights:
    for talk, frame in seen.frames():
        for key in IDS & frame.inner.keys():
            value = frame.inner[key]
            if isinstance(value, str):
                right = UUID.fullmatch(value) or (seen.profile == SECOND and ULID.fullmatch(value))
                yield None if right else talk.breach(frame, f"{key} as UUID", value[:80])


def streams_have_ulids(seen: Evidence) -> Sights:
    for talk, frame in seen.frames():
        value = frame.inner.get("stream_id")
        if isinstance(value, str):
            yield None if ULID.fullmatch(value) else talk.breach(frame, "stream_id as ULID", value[:80])


def messages_have_own_ids(seen: Evidence) -> Sights:
    for talk in seen.talks:
        numbers: dict[object, object] = {}
        for frame in talk.of("message.new", "message.ack", "stream.done", "message.status_updated"):
            message, number = frame.inner.get("message_id"), frame.inner.get("conversation_seq")
            if not isinstance(message, str):
                continue
            known = numbers.setdefault(message, number)
            yield None if known == number else talk.breach(frame, f"number {known} of this message", str(number))


def times_have_form(seen: Evidence) -> Sights:
    form = MOMENTS[seen.profile]
    wanted = "ISO 8601 in UTC, with milliseconds" if seen.profile == SECOND else "ISO 8601 in UTC, whole seconds"
    for talk, frame in seen.frames():
        moment = frame.inner.get("created_at")
        if moment is not None:
            right = isinstance(moment, str) and form.fullmatch(moment)
            yield None if right else talk.breach(frame, wanted, str(moment)[:80])


def errors_have_codes(seen: Evidence) -> Sights:
    for talk, frame in seen.frames("error"):
        code = frame.inner.get("code")
        if not isinstance(code, str) or code not in CODES:
            yield talk.breach(frame, "a known code", str(code)[:80])
        elif frame.inner.get("i18n_key") != key_of(code):
            yield talk.breach(frame, f"i18n_key {key_of(code)}", str(frame.inner.get("i18n_key"))[:80])
        else:
            yield None


def auth_errors_have_reasons(seen: Evidence) -> Sights:
    for talk, frame in seen.frames("auth.error"):
        reason, key = frame.inner.get("reason"), frame.inner.get("i18n_key")
        if reason not in REASONS:
            yield talk.breach(frame, f"one of {', '.join(REASONS)}", str(reason)[:80])
        else:
            told = isinstance(key, str) and key.startswith("error.auth.")
            yield None if told else talk.breach(frame, "i18n_key error.auth.…", str(key)[:80])


def typing_is_told(seen: Evidence) -> Sights:
    """Every `typing` of the agent, in order, as `agent.typing` to the person. An agent that a server answers for may
    type in between.
    """
    agent = seen.talk(AGENT)
    person = seen.talk(PERSON)
    if agent is None or person is None or not agent.watched:
        return
    asked = [frame for frame in agent.frames if frame.client and frame.type == "typing"]
    places = {frame.inner.get("conversation_id") for frame in asked}
    told = iter([one for one in person.of("agent.typing") if one.inner.get("conversation_id") in places])
    for frame in asked:
        wanted = frame.inner.get("typing", True)
        found = any(one.inner.get("typing") is wanted for one in told)
        yield None if found else agent.breach(frame, f"agent.typing with typing {wanted}, to the person", "none")
