"""Seeding: what the fixture files declare is brought into the database. Imports SQLAlchemy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from app.spaces.lore import FIELDS, Sealed
from app.spaces.models import ApiKey, Space, SpaceSeed
from app.spaces.tables import api_keys, lore, memories, spaces
from app.spaces.text import storable

_SEED_LOCK = 0x63686C6470
_RUNNING = ("credit", "default")
"""What a file does not decide for a space that is known: its balance runs, and the default is chosen among all."""

_PLAIN = tuple(field.name for field in fields(Space) if field.name not in (*_RUNNING, *FIELDS))
_DECLARED = (*_PLAIN, "lore")


def check_seeds(seeds: Sequence[SpaceSeed]) -> None:
    """Raises ValueError where two seeds contradict each other. Keys are not named in full."""
    uids = [seed.space.uid for seed in seeds]
    keys = [key.key for seed in seeds for key in seed.keys]
    defaults = [seed.space.uid for seed in seeds if seed.space.default]
    if len(set(uids)) < len(uids):
        raise ValueError("two spaces have the same uid")
    if len(set(keys)) < len(keys):
        raise ValueError("two spaces have the same api key")
    if len(defaults) > 1:
        raise ValueError(f"only one space can be the default, not {' and '.join(defaults)}")
    for seed in seeds:
        if len({storable(memory.uid) for memory in seed.space.memories}) < len(seed.space.memories):
            raise ValueError(f"two memories of space {seed.space.uid} have the same uid")


def write_seeds(connection: Connection, seeds: Sequence[SpaceSeed], sealed: Sequence[Sealed]) -> None:
    """Inserts what is new, changes what is declared otherwise, leaves balances and undeclared spaces and keys alone.

    `sealed` are the lores of `seeds`, one each. Exactly one space is the default afterwards: the declared one, else the
    one that was, else the first.
    """
    lock_seeds(connection)
    known = {row.uid: row._mapping for row in connection.execute(select(spaces))}
    declared = {
        storable(seed.space.uid): _declared(seed.space, one.digest) for seed, one in zip(seeds, sealed, strict=True)
    }

    was = next((uid for uid, row in known.items() if row["is_default"]), None)
    named = next((storable(seed.space.uid) for seed in seeds if seed.space.default), None)
    default = named or was or next(iter(declared), None)
    if was is not None and was != default:
        _set(connection, [{"of": was, "is_default": False}], "is_default")

    new = [
        {**row, "credit": seed.space.credit, "is_default": False, "version": 1}
        for (uid, row), seed in zip(declared.items(), seeds, strict=True)
        if uid not in known
    ]
    if new:
        connection.execute(insert(spaces), new)
    changed = [
        {"of": uid, **row}
        for uid, row in declared.items()
        if uid in known and any(known[uid][name] != value for name, value in row.items())
    ]
    if changed:
        _set(connection, changed, *_DECLARED)
    if default is not None and was != default:
        _set(connection, [{"of": default, "is_default": True}], "is_default")
    write_lore(
        connection,
        {
            uid: one
            for uid, one in zip(declared, sealed, strict=True)
            if one.digest != (known[uid]["lore"] if uid in known else "")
        },
    )
    _write_keys(connection, [(storable(seed.space.uid), key) for seed in seeds for key in seed.keys])


def lock_seeds(connection: Connection) -> None:
    """Keeps other processes from changing spaces and keys until the transaction ends; SQLite does so by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_SEED_LOCK)))


def _declared(space: Space, digest: str) -> dict[str, Any]:
    values = ((name, getattr(space, name)) for name in _PLAIN)
    return {**{name: storable(value) if isinstance(value, str) else value for name, value in values}, "lore": digest}


def _set(connection: Connection, rows: Sequence[dict[str, Any]], *names: str) -> None:
    statement = update(spaces).where(spaces.c.uid == bindparam("of"))
    connection.execute(
        statement.values(version=spaces.c.version + 1, **{name: bindparam(name) for name in names if name != "uid"}),
        [{name: value for name, value in row.items() if name != "uid"} for row in rows],
    )


def write_lore(connection: Connection, changed: Mapping[str, Sealed]) -> None:
    """Replaces the lore of these spaces, and where their memories are found."""
    if changed:
        for table in (lore, memories):
            of = [{"of": uid} for uid in changed]
            connection.execute(delete(table).where(table.c.space_uid == bindparam("of")), of)
    contents = [{"space_uid": uid, "content": one.content} for uid, one in changed.items() if one.digest]
    if contents:
        connection.execute(insert(lore), contents)
    found = [{"uid": memory, "space_uid": uid} for uid, one in changed.items() for memory in one.lore.known]
    if found:
        connection.execute(insert(memories), found)


def _write_keys(connection: Connection, keys: Sequence[tuple[str, ApiKey]]) -> None:
    known = {row.key: (row.space_uid, row.usable) for row in connection.execute(select(api_keys))}
    declared = {storable(key.key): (space_uid, key.usable) for space_uid, key in keys}
    new = [
        {"key": key, "space_uid": space_uid, "usable": usable}
        for key, (space_uid, usable) in declared.items()
        if key not in known
    ]
    if new:
        connection.execute(insert(api_keys), new)
    changed = [
        {"of": key, "to": space_uid, "now": usable}
        for key, (space_uid, usable) in declared.items()
        if key in known and known[key] != (space_uid, usable)
    ]
    if changed:
        connection.execute(
            update(api_keys)
            .where(api_keys.c.key == bindparam("of"))
            .values(space_uid=bindparam("to"), usable=bindparam("now")),
            changed,
        )
