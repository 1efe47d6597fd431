"""Brings a database to the schema of this program. Imports SQLAlchemy; Alembic only where it has something to do.

The spaces have one schema; a wire that keeps things of its own has another beside it, with its own migrations.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from sqlalchemy import Connection, column, func, inspect, select, table

from app.spaces.failures import SchemaTooNew
from app.spaces.tables import HEAD


@dataclass(frozen=True, slots=True)
class Schema:
    """A set of tables with a history of their own: where its Alembic scripts are (`package:folder`), the newest of
    them, and the table that keeps which one a database has.
    """

    location: str
    head: str
    table: str


SPACES = Schema("app.spaces:migrations", HEAD, "alembic_version")

# Alembic keeps the running migration in module globals: two stores that are opened by two threads must take turns.
_ALEMBIC = threading.Lock()

_LOCK = 0x63686C6470
"""The advisory lock of PostgreSQL under which wires migrate."""


def is_settled(connection: Connection, schema: Schema = SPACES) -> bool:
    """Whether the database already has the newest schema."""
    return _revision(connection, schema) == schema.head


def settle_alone(connection: Connection, schema: Schema) -> None:
    """Migrates to the newest revision inside the caller's transaction, keeping other processes out."""
    if is_settled(connection, schema):
        return
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    settle(connection, schema)


def settle(connection: Connection, schema: Schema = SPACES) -> None:
    """Migrates to the newest revision inside the caller's transaction, which must hold the lock that keeps other
    processes out.

    Raises `SchemaTooNew` for a revision this program does not ship.
    """
    found = _revision(connection, schema)
    if found == schema.head:
        return
    with _ALEMBIC:
        from alembic import command
        from alembic.config import Config
        from alembic.script import ScriptDirectory
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", schema.location)
        config.attributes["connection"] = connection
        if found is not None:
            try:
                ScriptDirectory.from_config(config).get_revision(found)
            except CommandError:
                raise SchemaTooNew(
                    f"the database {connection.engine.url.database} has schema {found}, made by a newer version of this"
                    f" program, which knows schemas up to {schema.head}: update the program or choose another data"
                    " folder"
                ) from None
        command.upgrade(config, "head")


def _revision(connection: Connection, schema: Schema) -> str | None:
    if not inspect(connection).has_table(schema.table):
        return None
    found: str | None = connection.scalar(select(column("version_num")).select_from(table(schema.table)))
    return found
