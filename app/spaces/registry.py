"""The spaces as whoever runs the emulator sees and changes them: whole, one by one, by hand. Imports SQLAlchemy.

Every change is one transaction, and counts up the `version` of its space, so that whoever has a copy in memory can
tell the newer one. Other server processes on the same database see it within `store.SHARED_LIFE`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from app.spaces.charges import held
from app.spaces.lore import FIELDS, NONE, Sealed, seal, unseal
from app.spaces.models import ApiKey, Space
from app.spaces.seeds import lock_seeds, write_lore
from app.spaces.store import SpaceStore
from app.spaces.tables import STATE_COLUMNS, api_keys, lore, memories, spaces
from app.spaces.text import storable


class NoSuch(Exception):
    """There is no space or key of that name; the text says which."""


class Taken(Exception):
    """What is asked for contradicts what is there; the text says what."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A space with its keys."""

    space: Space
    keys: tuple[ApiKey, ...]


class Registry:
    """Looks at spaces and changes them. One for a store."""

    def __init__(self, store: SpaceStore) -> None:
        self._store = store

    async def all(self) -> list[Listed]:
        """Every space, by uid."""
        return await self._store.look(_listed)

    async def get(self, uid: str) -> Listed:
        """One space. Raises `NoSuch`."""

        def work(connection: Connection) -> Listed:
            return _one(connection, uid)

        return await self._store.look(work)

    async def create(self, space: Space, keys: Sequence[ApiKey]) -> Listed:
        """A new space. Raises `Taken`."""
        sealed = seal(space)

        def work(connection: Connection) -> Listed:
            lock_seeds(connection)
            if connection.scalar(select(spaces.c.uid).where(spaces.c.uid == space.uid)) is not None:
                raise Taken(f"uid: there is a space {space.uid} already")
            _check_org(connection, space.org_id, space.uid)
            first = connection.scalar(select(func.count()).select_from(spaces)) == 0
            connection.execute(insert(spaces), [_row(replace(space, default=False), sealed, version=1)])
            write_lore(connection, {storable(space.uid): sealed})
            _set_keys(connection, space.uid, keys)
            if space.default or first:
                _make_default(connection, space.uid)
            return _one(connection, space.uid)

        return await self._store.change(work)

    async def change(self, uid: str, values: Mapping[str, Any], keys: Sequence[ApiKey] | None = None) -> Listed:
        """Sets fields of a space, by the names of `Space`; `keys` are all its keys then. Raises `NoSuch`, `Taken`."""

        def work(connection: Connection) -> Listed:
            lock_seeds(connection)
            before = _one(connection, uid)
            space = replace(before.space, **values)
            if space.org_id != before.space.org_id:
                _check_org(connection, space.org_id, uid)
            if before.space.default and not space.default:
                raise Taken("default: this space is the default; make another one the default instead")
            sealed = seal(space)
            row = _row(replace(space, default=before.space.default), sealed)
            if "credit" not in values:
                row.pop("credit")  # it runs while this is being changed
            connection.execute(
                update(spaces).where(spaces.c.uid == storable(uid)).values(**row, version=spaces.c.version + 1)
            )
            if any(name in values for name in FIELDS):
                write_lore(connection, {storable(uid): sealed})
            if keys is not None:
                _set_keys(connection, uid, keys)
            if space.default and not before.space.default:
                _make_default(connection, uid)
            return _one(connection, uid)

        return await self._store.change(work)

    async def delete(self, uid: str) -> None:
        """Takes a space away, with its keys; what was said in it stays. Raises `NoSuch`, `Taken` for the default."""

        def work(connection: Connection) -> None:
            lock_seeds(connection)
            if _one(connection, uid).space.default:
                raise Taken(f"{uid} is the default space; make another one the default first")
            remove_spaces(connection, [storable(uid)])

        await self._store.change(work)

    async def set_credit(self, uid: str, credit: int) -> Listed:
        """Sets a balance, in won. Raises `NoSuch`."""
        return await self.change(uid, {"credit": credit})

    async def add_key(self, uid: str, key: ApiKey) -> Listed:
        """Gives a space one more key. Raises `NoSuch`, `Taken` for a key that any space has."""

        def work(connection: Connection) -> Listed:
            lock_seeds(connection)
            _one(connection, uid)
            _check_keys(connection, [key])
            connection.execute(insert(api_keys), [{"key": key.key, "space_uid": storable(uid), "usable": key.usable}])
            return _one(connection, uid)

        return await self._store.change(work)

    async def set_usable(self, uid: str, key: str, usable: bool) -> Listed:
        """Revokes a key, or makes it usable again. Raises `NoSuch`."""

        def work(connection: Connection) -> Listed:
            _one(connection, uid)
            which = api_keys.c.space_uid == storable(uid), api_keys.c.key == storable(key)
            if not connection.execute(update(api_keys).where(*which).values(usable=usable)).rowcount:
                raise NoSuch(f"space {uid} has no such key")
            return _one(connection, uid)

        return await self._store.change(work)

    async def remove_key(self, uid: str, key: str) -> None:
        """Takes a key away. Raises `NoSuch`."""

        def work(connection: Connection) -> None:
            _one(connection, uid)
            which = api_keys.c.space_uid == storable(uid), api_keys.c.key == storable(key)
            if not connection.execute(delete(api_keys).where(*which)).rowcount:
                raise NoSuch(f"space {uid} has no such key")

        await self._store.change(work)


def remove_spaces(connection: Connection, uids: Sequence[str]) -> None:
    """Takes spaces away with their keys and what they know."""
    for table, column in ((api_keys, "space_uid"), (lore, "space_uid"), (memories, "space_uid"), (spaces, "uid")):
        if uids:
            connection.execute(
                delete(table).where(table.c[column] == bindparam("gone")), [{"gone": uid} for uid in uids]
            )


def _listed(connection: Connection) -> list[Listed]:
    return _read(connection, None)


def _one(connection: Connection, uid: str) -> Listed:
    found = _read(connection, storable(uid))
    if not found:
        raise NoSuch(f"there is no space {uid}")
    return found[0]


def _read(connection: Connection, uid: str | None) -> list[Listed]:
    """Every space, or the one of that uid."""
    chosen = select(lore.c.content, *STATE_COLUMNS).join_from(spaces, lore, isouter=True).order_by(spaces.c.uid)
    owned = select(api_keys.c.space_uid, api_keys.c.key, api_keys.c.usable).order_by(api_keys.c.key)
    if uid is not None:
        chosen = chosen.where(spaces.c.uid == uid)
        owned = owned.where(api_keys.c.space_uid == uid)
    keys: dict[str, list[ApiKey]] = {}
    for space_uid, key, usable in connection.execute(owned):
        keys.setdefault(space_uid, []).append(ApiKey(key, usable))
    found: list[Listed] = []
    for row in connection.execute(chosen):
        space = (unseal(row.content) if row.content else NONE).of(held(row).space)
        found.append(Listed(space, tuple(keys.get(space.uid, ()))))
    return found


def _row(space: Space, sealed: Sealed, **more: Any) -> dict[str, Any]:
    """A space as the database has it."""
    names = {field.name: field.name for field in fields(Space) if field.name not in FIELDS}
    names["default"] = "is_default"
    row = {column: getattr(space, name) for name, column in names.items()}
    clean = {column: storable(value) if isinstance(value, str) else value for column, value in row.items()}
    return {**clean, "lore": sealed.digest, **more}


def _make_default(connection: Connection, uid: str) -> None:
    """Makes a space the default in place of the one that is; never two at a time."""
    for which, default in ((spaces.c.is_default, False), (spaces.c.uid == uid, True)):
        connection.execute(update(spaces).where(which).values(is_default=default, version=spaces.c.version + 1))


def _check_org(connection: Connection, org_id: str, uid: str) -> None:
    has = connection.scalar(
        select(spaces.c.uid).where(spaces.c.org_id == storable(org_id), spaces.c.uid != uid).limit(1)
    )
    if has is not None:
        raise Taken(f"org_id: space {has} has it already")


def _set_keys(connection: Connection, uid: str, keys: Sequence[ApiKey]) -> None:
    """These are the keys of a space, and no others."""
    connection.execute(delete(api_keys).where(api_keys.c.space_uid == uid))
    _check_keys(connection, keys)
    if keys:
        connection.execute(
            insert(api_keys), [{"key": storable(key.key), "space_uid": uid, "usable": key.usable} for key in keys]
        )


def _check_keys(connection: Connection, keys: Sequence[ApiKey]) -> None:
    asked = [storable(key.key) for key in keys]
    has = connection.scalar(select(api_keys.c.space_uid).where(api_keys.c.key.in_(asked)).limit(1))
    if has is not None:
        raise Taken(f"api_keys: space {has} has one of these keys already")
    if len(set(asked)) < len(asked):
        raise Taken("api_keys: a key is there twice")
