"""Reads `malangee.yaml` of the fixtures folder. Every problem names its file and line."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, TypeVar

from app.emulation.report import Item
from app.malangee.script import (
    FIELDS,
    VOICES,
    Builder,
    Conversation,
    MessageSeed,
    ScenarioSeed,
    Script,
    SessionSeed,
    UserSeed,
    VoiceNamed,
    Where,
)

T = TypeVar("T")

KEYS: dict[str, tuple[str, ...]] = {
    "malangee.yaml": (
        *("prompt", "unheard", "hello", "voices", "users", "scenarios", "sessions", "conversations", "builders"),
    ),
    "user": ("login_id", "nickname", "password", "is_active"),
    "scenario": ("id", "title", "description", "place", "partner", "goal", "level", "category"),
    "session": (
        *("session_id", "user", "title", "scenario", "place", "partner", "goal", "voice", "deleted", "messages"),
    ),
    "message": ("role", "content", "duration_sec"),
    "conversation": ("when", "greeting", "transcripts", "hints"),
    "when": ("session", "scenario", "user"),
    "builder": (*("when", "greeting", "questions", "transcripts", "keywords", "given", "upstream", "save_fails"),),
    "field": FIELDS,
}
"""Every key of the file, by the mapping it stands in."""

_ID = re.compile(r"[^/\x00-\x1f]{1,128}")
_VOICE = re.compile(r"[A-Za-z0-9_/-]{1,40}(\+[A-Za-z0-9_]{1,20})?")
_ROLES = ("user", "assistant")
_UPSTREAMS = ("ok", "unheard", "timeout")

Fields = dict[str, Item]


def read_script(item: Item | None) -> Script:
    """What the file says; None: there is no file."""
    if item is None:
        return Script()
    fields = item.fields(KEYS["malangee.yaml"])
    plain = Script()
    voices = {name: one.text("an espeak-ng voice", _VOICE) for name, one in _members(fields, "voices")}
    named = [VoiceNamed(one.line, one.key, voices[name], True) for name, one in _members(fields, "voices")]
    users = tuple(_user(one) for one in _listed(fields, "users"))
    scenarios = tuple(_scenario(one) for one in _listed(fields, "scenarios"))
    logins = {user.login_id for user in users}
    ids = {scenario.id for scenario in scenarios}
    sessions = tuple(_session(one, logins, ids, named) for one in _listed(fields, "sessions"))
    for key, values in (
        ("users", [user.login_id for user in users]),
        ("scenarios", [scenario.id for scenario in scenarios]),
        ("sessions", [session.session_id for session in sessions]),
    ):
        for number, value in enumerate(values):
            if value in values[:number]:
                fields[key].items(anew=True)[number].refuse("each one once", f"{value[:60]!r} again")
    return Script(
        prompt=_read(fields, "prompt", plain.prompt, Item.any_text),
        unheard=_read(fields, "unheard", plain.unheard, Item.text),
        hello=_read(fields, "hello", plain.hello, Item.text),
        voices={**VOICES, **voices},
        users=users,
        scenarios=scenarios,
        sessions=sessions,
        conversations=tuple(_conversation(one) for one in _listed(fields, "conversations")),
        builders=tuple(_builder(one) for one in _listed(fields, "builders")),
        voices_named=tuple(named),
    )


def _read(fields: Fields, name: str, default: T, reader: Callable[[Item], T]) -> T:
    return reader(fields[name]) if name in fields else default


def _listed(fields: Fields, name: str) -> list[Item]:
    return fields[name].items(anew=True) if name in fields else []


def _members(fields: Fields, name: str) -> list[tuple[str, Item]]:
    return fields[name].members() if name in fields else []


def _user(item: Item) -> UserSeed:
    fields = item.fields(KEYS["user"], required=("login_id", "password"), secret=True)
    login = _read(fields, "login_id", "?", Item.one_line)
    return UserSeed(
        login_id=login,
        nickname=_read(fields, "nickname", login.partition("@")[0], Item.one_line),
        password=_read(fields, "password", "?", lambda one: one.one_line(secret=True)),
        is_active=_read(fields, "is_active", True, Item.flag),
    )


def _scenario(item: Item) -> ScenarioSeed:
    fields = item.fields(KEYS["scenario"], required=("id", "title"))
    return ScenarioSeed(
        id=_read(fields, "id", "?", Item.one_line),
        title=_read(fields, "title", "?", Item.one_line),
        description=_read(fields, "description", "", Item.any_text),
        place=_read(fields, "place", "", Item.any_text),
        partner=_read(fields, "partner", "", Item.any_text),
        goal=_read(fields, "goal", "", Item.any_text),
        level=_read(fields, "level", 1, lambda one: one.whole(1, 100)),
        category=_read(fields, "category", "", Item.any_text),
    )


def _session(item: Item, logins: set[str], scenarios: set[str], named: list[VoiceNamed]) -> SessionSeed:
    fields = item.fields(KEYS["session"], required=("session_id",))
    voice = _read(fields, "voice", None, Item.one_line)
    if voice is not None:
        named.append(VoiceNamed(fields["voice"].line, fields["voice"].key, voice, False))

    def known(name: str, there: set[str], what: str) -> str | None:
        if name not in fields or fields[name].is_null:
            return None
        value = fields[name].one_line()
        if value not in there and value != "?":
            fields[name].refuse(f"{what} of this file")
        return value

    return SessionSeed(
        session_id=_read(fields, "session_id", "?", lambda one: one.text("text without a slash", _ID)),
        user=known("user", logins, "the login_id of a user"),
        title=_read(fields, "title", "", Item.any_text),
        scenario=known("scenario", scenarios, "the id of a scenario"),
        place=_read(fields, "place", None, Item.one_line),
        partner=_read(fields, "partner", None, Item.one_line),
        goal=_read(fields, "goal", None, Item.one_line),
        voice=voice,
        deleted=_read(fields, "deleted", False, Item.flag),
        messages=tuple(_message(one) for one in _listed(fields, "messages")),
    )


def _message(item: Item) -> MessageSeed:
    fields = item.fields(KEYS["message"], required=("role", "content"))
    role: Literal["user", "assistant"] = "user"
    if "role" in fields:
        told = _word(fields["role"], _ROLES)
        role = "assistant" if told == "assistant" else "user"
    return MessageSeed(
        role,
        _read(fields, "content", "?", Item.text),
        _read(fields, "duration_sec", 0.0, lambda one: one.number(0, 3_600)),
    )


def _where(fields: Fields) -> Where:
    if "when" not in fields:
        return Where()
    inside = fields["when"].fields(KEYS["when"])
    return Where(*(_read(inside, name, None, Item.any_text) for name in KEYS["when"]))


def _texts(fields: Fields, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    if name not in fields:
        return default
    return tuple(one.any_text() for one in fields[name].items())


def _conversation(item: Item) -> Conversation:
    fields = item.fields(KEYS["conversation"])
    plain = Conversation()
    return Conversation(
        _where(fields),
        _read(fields, "greeting", "", Item.any_text),
        _texts(fields, "transcripts", plain.transcripts),
        _texts(fields, "hints", plain.hints),
    )


def _builder(item: Item) -> Builder:
    fields = item.fields(KEYS["builder"])
    plain = Builder()
    questions = dict(plain.questions)
    if "questions" in fields:
        questions |= {name: one.text() for name, one in fields["questions"].fields(FIELDS).items()}
    keywords = plain.keywords
    if "keywords" in fields:
        keywords = {
            name: {value: tuple(word.text() for word in words.items()) for value, words in one.members()}
            for name, one in fields["keywords"].fields(FIELDS).items()
        }
    given: dict[str, str | None] = {}
    if "given" in fields:
        for name, one in fields["given"].fields(FIELDS).items():
            given[name] = None if one.is_null else one.one_line()
    told = _word(fields["upstream"], _UPSTREAMS) if "upstream" in fields else "ok"
    upstream: Literal["ok", "unheard", "timeout"] = (
        "unheard" if told == "unheard" else "timeout" if told == "timeout" else "ok"
    )
    return Builder(
        _where(fields),
        _read(fields, "greeting", "", Item.any_text),
        questions,
        _texts(fields, "transcripts", plain.transcripts),
        keywords,
        given,
        upstream,
        _read(fields, "save_fails", False, Item.flag),
    )


def _word(item: Item, words: tuple[str, ...]) -> str:
    if item.node.value not in words:
        item.refuse(f"one of {', '.join(words)}")
        return words[0]
    return str(item.node.value)
