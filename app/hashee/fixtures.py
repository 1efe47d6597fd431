"""Reads `fixtures/hashee.yaml`: who is there, who knows whom, and who answers by script.

docs/hashee.md describes every key; `KEYS` is what it is held to. Without the file there is a small default cast.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar
from unicodedata import normalize

from app.emulation.conditions import TEXT_KEYS, Condition, text_condition
from app.emulation.report import Item
from app.hashee.folding import fold_email
from app.hashee.identifiers import AGENT_TOKEN, UUID
from app.hashee.webhook_urls import check_url

T = TypeVar("T")

FILE = "hashee.yaml"

KEYS: dict[str, tuple[str, ...]] = {
    "hashee.yaml": ("users", "agents", "relations", "conversations", "groups"),
    "user": ("email", "id", "password", "display_name", "avatar_url", "language", "public_key", "script"),
    "agent": (
        *("name", "id", "owner", "display_name", "avatar_url", "description", "token", "connection_mode"),
        *("webhook_url", "webhook_secret", "public_key", "script", "answers"),
    ),
    "answers": ("graph", "model", "prompt", "space", "language"),
    "relation": ("user", "agent", "status"),
    "conversation": ("between",),
    "group": ("name", "id", "owner", "members", "agents"),
    "entry": ("when", "say", "payload", "react", "pause"),
    "text": TEXT_KEYS,
}
"""Every key of the file, by the mapping it stands in."""

PASSWORD = "hashee-demo"
NAMESPACE = uuid.UUID("5f0d7a54-6a0c-5a53-9c27-2d9a1f6f1c11")
LONGEST_PAUSE = 3600.0

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,200}")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Line:
    """An entry of a script: whom it answers, and what it does. `say` is text, `payload` is sent as it is."""

    when: Condition | None
    say: str | None = None
    payload: str | None = None
    react: str | None = None
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Brain:
    """The graph that answers for an agent, and what it is told."""

    graph: str = "companion"
    model: str = "scripted"
    prompt: str = ""
    space: str = "hashee"
    language: str = "en"


@dataclass(frozen=True, slots=True)
class CastUser:
    id: str
    email: str
    password: str
    display_name: str
    avatar_url: str = ""
    language: str = "en"
    public_key: str = ""
    script: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class CastAgent:
    id: str
    name: str
    owner_id: str
    display_name: str
    avatar_url: str = ""
    description: str = ""
    token: str = ""
    connection_mode: str = "websocket"
    webhook_url: str = ""
    webhook_secret: str = ""
    public_key: str = ""
    script: tuple[Line, ...] = ()
    brain: Brain | None = None


@dataclass(frozen=True, slots=True)
class CastGroup:
    id: str
    name: str
    owner_id: str
    member_ids: tuple[str, ...]
    agent_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody. `relations`: user, agent and status; `pairs`: two users."""

    users: tuple[CastUser, ...] = ()
    agents: tuple[CastAgent, ...] = ()
    relations: tuple[tuple[str, str, str], ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    groups: tuple[CastGroup, ...] = ()

    @property
    def graphs(self) -> frozenset[str]:
        """The graphs that answer for agents."""
        return frozenset(agent.brain.graph for agent in self.agents if agent.brain is not None)


def uid(kind: str, name: str) -> str:
    """The id of what is declared without one: always the same for the same name."""
    return str(uuid.uuid5(NAMESPACE, f"{kind}:{name}"))


def default_cast() -> Cast:
    """Two people and an agent that answers, for who has no file."""
    alice, bob, agent = uid("user", "alice@example.com"), uid("user", "bob@example.com"), uid("agent", "mint")
    return Cast(
        users=(
            CastUser(alice, "alice@example.com", PASSWORD, "Alice"),
            CastUser(bob, "bob@example.com", PASSWORD, "Bob", script=(Line(None, say="{{msg}}"),)),
        ),
        agents=(CastAgent(agent, "mint", bob, "Mint", token="hsk_" + "0" * 40, brain=Brain()),),
        relations=((alice, agent, "active"),),
        pairs=((alice, bob),),
    )


def read_cast(item: Item | None) -> Cast:
    """What the file says; None: there is no file."""
    return default_cast() if item is None else _Reader(item).cast()


class _Reader:
    """Reads the file, and knows what has been declared so far."""

    def __init__(self, item: Item) -> None:
        self._item = item
        self._users: dict[str, str] = {}
        self._agents: dict[str, str] = {}
        self._seen: dict[tuple[str, str], Item] = {}

    def cast(self) -> Cast:
        fields = self._item.fields(KEYS[FILE])

        def each(name: str, read: Callable[[Item], T]) -> tuple[T, ...]:
            return tuple(read(item) for item in fields[name].items(anew=True)) if name in fields else ()

        return Cast(
            each("users", self._user),
            each("agents", self._agent),
            each("relations", self._relation),
            each("conversations", self._pair),
            each("groups", self._group),
        )

    def _user(self, item: Item) -> CastUser:
        fields = item.fields(KEYS["user"], required=("email",), secret=True)
        email = self._once("email", fields, "email", _email)
        made = CastUser(
            self._id("user", email, fields),
            email,
            _get(fields, "password", PASSWORD, lambda one: one.one_line(secret=True)),
            _get(fields, "display_name", email.partition("@")[0], Item.one_line),
            _get(fields, "avatar_url", "", Item.any_text),
            _get(fields, "language", "en", Item.one_line),
            _get(fields, "public_key", "", Item.any_text),
            _get(fields, "script", (), _script),
        )
        if len(made.password) < 8 and made.password != "?":
            fields["password"].refuse("at least 8 characters", "fewer")
        self._users[email] = made.id
        return made

    def _agent(self, item: Item) -> CastAgent:
        fields = item.fields(KEYS["agent"], required=("name", "owner"), secret=True)
        name = self._once("name", fields, "name", lambda one: one.text("1 to 64 of A-Z a-z 0-9 _ . -", _NAME))
        made = CastAgent(
            self._id("agent", name, fields),
            name,
            self._who(fields, "owner", self._users),
            _get(fields, "display_name", name, Item.one_line),
            _get(fields, "avatar_url", "", Item.any_text),
            _get(fields, "description", "", Item.any_text),
            self._once("token", fields, "token", _token) if "token" in fields else "",
            _get(fields, "connection_mode", "websocket", _mode),
            _get(fields, "webhook_url", "", _webhook_url),
            _get(fields, "webhook_secret", "", lambda one: one.one_line(secret=True)),
            _get(fields, "public_key", "", Item.any_text),
            _get(fields, "script", (), _script),
            _get(fields, "answers", None, _brain),
        )
        if made.connection_mode == "webhook" and not made.webhook_url:
            item.refuse("a webhook_url beside connection_mode webhook", "none")
        if made.brain is not None and made.script:
            fields["script"].refuse("either script or answers", "both")
        self._agents[name] = made.id
        return made

    def _relation(self, item: Item) -> tuple[str, str, str]:
        fields = item.fields(KEYS["relation"], required=("user", "agent"))
        status = _get(fields, "status", "active", lambda one: one.one_of("active", "suspended", "terminated"))
        return self._who(fields, "user", self._users), self._who(fields, "agent", self._agents), status

    def _pair(self, item: Item) -> tuple[str, str]:
        fields = item.fields(KEYS["conversation"], required=("between",))
        if "between" not in fields:
            return "?", "?"
        both = [self._known(one, self._users) for one in fields["between"].items()]
        if len(both) != 2 or both[0] == both[1]:
            fields["between"].refuse("two different users")
            return "?", "?"
        return both[0], both[1]

    def _group(self, item: Item) -> CastGroup:
        fields = item.fields(KEYS["group"], required=("name", "owner"))
        name = self._once("group", fields, "name", Item.one_line)

        def ids(key: str, known: Mapping[str, str]) -> tuple[str, ...]:
            return tuple(self._known(one, known) for one in fields[key].items()) if key in fields else ()

        owner = self._who(fields, "owner", self._users)
        return CastGroup(
            self._id("group", name, fields), name, owner, ids("members", self._users), ids("agents", self._agents)
        )

    def _id(self, kind: str, name: str, fields: dict[str, Item]) -> str:
        if "id" not in fields:
            return uid(kind, name)
        return self._once("id", fields, "id", lambda one: one.text("a UUID in lower case", UUID))

    def _once(self, kind: str, fields: dict[str, Item], key: str, read: Callable[[Item], str]) -> str:
        if key not in fields:
            return "?"
        item = fields[key]
        value = read(item)
        first = self._seen.setdefault((kind, value), item)
        if first is not item and value != "?":
            item.refuse(f"each {kind} once", f"it again (first on line {first.line})")
        return value

    def _who(self, fields: dict[str, Item], key: str, known: Mapping[str, str]) -> str:
        return self._known(fields[key], known) if key in fields else "?"

    def _known(self, item: Item, known: Mapping[str, str]) -> str:
        name = item.one_line()
        found = known.get(fold_email(name)) or known.get(name)
        if found is None:
            item.refuse("one that is declared above")
            return "?"
        return found


def _get(fields: dict[str, Item], name: str, default: T, read: Callable[[Item], T]) -> T:
    return read(fields[name]) if name in fields else default


def _email(item: Item) -> str:
    return fold_email(item.text("an email address", _EMAIL))


def _webhook_url(item: Item) -> str:
    url = item.text("a URL")
    if url != "?" and (why := check_url(url, private=True)):
        item.refuse(f"a URL that a webhook can have ({why})")
    return url


def _mode(item: Item) -> str:
    return item.one_of("websocket", "webhook", "polling")


def _token(item: Item) -> str:
    return item.text("hsk_ and 40 characters of A-Z a-z 0-9", AGENT_TOKEN, secret=True)


def _brain(item: Item) -> Brain:
    fields = item.fields(KEYS["answers"])
    given = {name: one.any_text() if name == "prompt" else one.one_line() for name, one in fields.items()}
    return replace(Brain(), **given)


def _script(item: Item) -> tuple[Line, ...]:
    return tuple(_line(one) for one in item.items())


def _line(item: Item) -> Line:
    fields = item.fields(KEYS["entry"])
    if item.is_mapping and not {"say", "payload", "react"} & fields.keys():
        item.refuse("at least one of say, payload, react", "none of them")
    if {"say", "payload"} <= fields.keys():
        fields["payload"].refuse("either say or payload", "both")
    return Line(
        _get(fields, "when", None, text_condition),
        _get(fields, "say", None, Item.text),
        _get(fields, "payload", None, Item.text),
        _get(fields, "react", None, Item.one_line),
        _get(fields, "pause", 0.0, lambda one: one.number(0, LONGEST_PAUSE)),
    )


def answering(script: tuple[Line, ...], text: str | None) -> Line | None:
    """The first entry that answers a text; None stands for a payload that is no text."""
    asked = None if text is None else normalize("NFC", text)
    return next((line for line in script if line.when is None or line.when.holds(asked)), None)
