"""What needs no server: frames, identifiers, parsing, limits, the fixture file, the migration."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import uuid
from functools import partial
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.emulation.fixtures import load_fixtures
from app.emulation.report import FixtureError
from app.hashee.fixtures import FILE, KEYS, Cast, default_cast
from app.hashee.folding import fold_email
from app.hashee.frames import BY_TYPE, Frame, MessageNew
from app.hashee.identifiers import ULID, ulid, uuid7
from app.hashee.ledger import Event
from app.hashee.limits import Window
from app.hashee.peers import _means, _Peer, payload_of, text_of
from app.hashee.profiles import PROFILES
from app.hashee.requests import Auth, Invalid, Ping, Renew, StreamFrame, Typing, parse
from app.settings import shipped
from app.wire_files import WIRE_FILES

STREAM = "01J0000000000000000000000S"


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ({"type": "auth", "token": "t"}, Auth("t", None)),
        ({"type": "auth", "agent_id": "a", "token": "t"}, Auth("t", "a")),
        ({"type": "auth.renew", "access_token": "t"}, Renew("t")),
        ({"type": "ping", "more": 1}, Ping()),
        ({"type": "typing", "conversation_id": "c"}, Typing("c", True)),
        (
            {"type": "stream.delta", "stream_id": STREAM, "conversation_id": "c", "encrypted_payload": "p"},
            StreamFrame("delta", STREAM, "c", "p", None, "text"),
        ),
    ],
)
def test_a_frame_is_understood(frame: Any, said: object) -> None:
    assert parse(json.dumps(frame)) == said


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "auth"},
        {"type": "auth", "token": 1},
        {"type": "auth", "token": ""},
        {"type": "auth", "token": "t", "agent_id": 1},
        {"type": "auth.renew"},
        {"type": "stream.start", "stream_id": "no ulid", "conversation_id": "c"},
        {"type": "stream.start", "stream_id": STREAM},
        {"type": "stream.delta", "stream_id": STREAM, "conversation_id": "c"},
        {"type": "stream.done", "stream_id": STREAM, "conversation_id": "c", "encrypted_payload": 1},
        {"type": "stream.delta", "stream_id": STREAM, "conversation_id": "c", "encrypted_payload": "a\0b"},
        {"type": "typing", "conversation_id": "c\0d"},
        {"type": "typing", "conversation_id": "c", "typing": "yes"},
        {"type": "message.new"},
        {"type": ["auth"]},
    ],
)
def test_a_wrong_frame_is_invalid(frame: Any) -> None:
    assert isinstance(parse(json.dumps(frame)), Invalid)


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_no_text_breaks_the_parser(text: str) -> None:
    parse(text)


@given(
    st.dictionaries(
        st.sampled_from(["type", "token", "agent_id", "stream_id", "conversation_id", "encrypted_payload", "typing"]),
        st.sampled_from(["auth", "stream.start", "stream.done", "typing", STREAM, ""]) | st.integers() | st.none(),
    )
)
def test_no_object_breaks_the_parser(frame: dict[str, Any]) -> None:
    parse(json.dumps(frame))


@given(st.floats(0, 2**40 / 1000), st.binary(min_size=10, max_size=10))
def test_identifiers_have_their_form_and_sort_by_time(seconds: float, noise: bytes) -> None:
    assert ULID.fullmatch(ulid(seconds, noise))
    assert uuid.UUID(uuid7(seconds, noise)).version == 7
    assert uuid.UUID(uuid7(seconds, noise)).variant == uuid.RFC_4122
    assert ulid(seconds + 1, noise) > ulid(seconds, noise)
    assert uuid7(seconds + 1, noise) > uuid7(seconds, noise)


def test_a_window_slides() -> None:
    window = Window(2, 1.0)
    assert [window.take("a", now) for now in (0.0, 0.5, 0.9, 1.0, 1.4, 1.5)] == [0, 0, 1, 0, 1, 0]
    assert window.take("b", 1.5) == 0


def names_of(frame: type[Frame]) -> list[str]:
    return [field.name for field in dataclasses.fields(frame)]


def test_every_frame_survives_its_way_through_the_store() -> None:
    for kind, frame in BY_TYPE.items():
        values: dict[str, Any] = dict.fromkeys(names_of(frame), 1)
        made = Event(frame(**values), ("u:1", "a:2"), "s")
        again = Event.of(made.stored())
        assert (again.frame, again.to, again.session, again.own) == (made.frame, made.to, "s", False), kind


def test_the_second_profile_only_adds_and_renames() -> None:
    first, second = PROFILES["2026-01"], PROFILES["2026-05"]
    for kind, frame in BY_TYPE.items():
        if kind.startswith("!"):
            assert not first.knows(kind)
            assert not second.knows(kind)
            continue
        values: dict[str, Any] = dict.fromkeys(names_of(frame), 1.5)
        one, two = first.body(frame(**values)), second.body(frame(**values))
        assert set(one.get("payload", one)) <= set(two.get("payload", two))
    assert {kind for kind in BY_TYPE if second.knows(kind) and not first.knows(kind)} == {
        "agent.capability_changed",
        "system.group_key_rotated",
    }


@given(st.text())
def test_payloads_of_text_are_read_back(text: str) -> None:
    clean = text.encode("utf-8", "replace").decode()
    assert text_of(payload_of(text)) == clean


def cast_of(folder: Path) -> Cast:
    """What `hashee.yaml` of a fixtures folder says. Raises `FixtureError`."""
    if not (folder / "spaces.yaml").exists():
        (folder / "spaces.yaml").write_text("spaces: [{uid: test, default: true}]", encoding="utf-8")
    found = load_fixtures(folder, wires=WIRE_FILES).wires[FILE]
    assert isinstance(found, Cast)
    return found


def test_the_shipped_cast_is_right_and_uses_every_kind_of_key() -> None:
    cast = cast_of(shipped("fixtures"))
    assert len(cast.users) == 3
    assert [agent.name for agent in cast.agents] == ["mint", "desk", "poller"]
    assert len(KEYS) == 9


def test_without_a_file_there_is_a_small_cast(tmp_path: Path) -> None:
    assert cast_of(tmp_path) == default_cast()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("users: [{}]", "hashee.yaml:1"),
        ("users:\n  - email: nobody", "hashee.yaml:2"),
        ("users:\n  - {email: a@b, password: short}", "at least 8 characters"),
        ("users:\n  - {email: a@b}\n  - {email: a@b}", "hashee.yaml:3"),
        ("agents:\n  - {name: a, owner: x@y}", "declared above"),
        ("users: [{email: a@b}]\nagents:\n  - {name: a, owner: a@b, token: hsk_1}", "hsk_ and 40 characters"),
        ("users: [{email: a@b}]\nagents:\n  - {name: a, owner: a@b, connection_mode: webhook}", "webhook_url"),
        ("users: [{email: a@b}]\nagents:\n  - {name: a, owner: a@b, connection_mode: pigeon}", "one of websocket"),
        ("users: [{email: a@b}]\nagents:\n  - {name: a, owner: a@b, webhook_url: 'http://a b/'}", "no spaces"),
        ("users: [{email: a@b, script: [{when: x}]}]", "at least one of say"),
        ("users: [{email: a@b}]\nconversations: [{between: [a@b]}]", "two different users"),
        ("users: [{email: a@b, id: X}]", "a UUID"),
        ("nonsense: 1", "unknown key"),
        ("- 1", "hashee.yaml:1"),
    ],
)
def test_a_problem_of_the_file_is_named_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "hashee.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(FixtureError) as error:
        cast_of(tmp_path)
    assert problem in str(error.value)


def test_a_token_is_not_quoted_in_a_problem(tmp_path: Path) -> None:
    text = "users: [{email: a@b}]\nagents:\n  - {name: a, owner: a@b, token: hsk_secret}"
    (tmp_path / "hashee.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(FixtureError) as error:
        cast_of(tmp_path)
    assert "hsk_secret" not in str(error.value)


def test_an_address_of_the_file_is_looked_up_as_one_that_is_typed(tmp_path: Path) -> None:
    """`Straße@…` in the file and `strasse@…` at the login are one, as `lower` alone would not have it."""
    text = "users: [{email: Straße@Example.com}]\nagents: [{name: a, owner: STRASSE@example.com}]"
    (tmp_path / "hashee.yaml").write_text(text, encoding="utf-8")
    cast = cast_of(tmp_path)
    assert [user.email for user in cast.users] == [fold_email("straße@EXAMPLE.com")]
    assert cast.agents[0].owner_id == cast.users[0].id


@pytest.mark.parametrize("said", ["@ZOË, hi", normalize("NFD", "hey @zoë")])
def test_who_is_named_in_a_group_is_meant_in_any_case_and_spelling(said: str) -> None:
    peer = _Peer("u:1", "Zoë", (), None)
    new = MessageNew("c", "m", "u2", "human", "text", payload_of(said), 1, 0.0)
    assert _means(new, peer)
    assert not _means(dataclasses.replace(new, encrypted_payload=payload_of("@Zo")), peer)


async def test_names_of_before_are_folded_by_the_migration(tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, text

    engine = create_engine(f"sqlite:///{tmp_path / 'old.sqlite3'}")
    config = Config()
    config.set_main_option("script_location", "app.hashee:migrations")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "h0002")
        columns = "(id, email, password, display_name, created_at) VALUES (:id, :email, '', :name, 0)"
        rows = [("1", "straße@x", "Ünal"), ("2", "a@x", normalize("NFD", "민지")), ("3", "strasse@x", "Z")]
        for row in rows:
            connection.execute(
                text(f"INSERT INTO hashee_users {columns}"), dict(zip(("id", "email", "name"), row, strict=True))
            )
        command.upgrade(config, "head")
        found = connection.execute(text("SELECT email, name_folded FROM hashee_users ORDER BY id")).fetchall()
        assert [tuple(row) for row in found] == [("straße@x", "ünal"), ("a@x", "민지"), ("strasse@x", "z")]
    engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_the_migrations_make_the_tables(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import Connection

    from app.hashee.tables import SCHEMA, metadata
    from app.spaces.database import Database
    from app.spaces.schema import settle_alone

    address = request.getfixturevalue("empty_database")() if kind == "postgresql" else None
    database = Database(address, folder=tmp_path)
    await database.open()
    try:
        await database.write(partial(settle_alone, schema=SCHEMA))
        await database.write(partial(settle_alone, schema=SCHEMA))

        def differences(connection: Connection) -> list[Any]:
            options = {"include_name": lambda name, what, _: what != "table" or str(name).startswith("hashee_")}
            options["version_table"] = SCHEMA.table  # type: ignore[assignment]
            found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
            return [one for one in found if SCHEMA.table not in str(one)]

        assert await database.read(differences) == []
    finally:
        await database.close()
    await asyncio.sleep(0)
