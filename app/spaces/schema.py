"""Brings a database to the schema of this program. Imports SQLAlchemy; Alembic only where it has something to do."""

from __future__ import annotations

import threading

from sqlalchemy import Connection, column, inspect, select, table

from app.spaces.failures import SchemaTooNew
from app.spaces.tables import HEAD

# Alembic keeps the running migration in module globals: two stores that are opened by two threads must take turns.
_ALEMBIC = threading.Lock()


def is_settled(connection: Connection) -> bool:
    """Whether the database already has the newest schema."""
    return _revision(connection) == HEAD


def settle(connection: Connection) -> None:
    """Migrates to `HEAD` inside the caller's transaction, which must hold the lock that keeps other processes out.

    Raises `SchemaTooNew` for a revision this program does not ship.
    """
    found = _revision(connection)
    if found == HEAD:
        return
    with _ALEMBIC:
        from alembic import command
        from alembic.config import Config
        from alembic.script import ScriptDirectory
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", "app.spaces:migrations")
        config.attributes["connection"] = connection
        if found is not None:
            try:
                ScriptDirectory.from_config(config).get_revision(found)
            except CommandError:
                raise SchemaTooNew(
                    f"the database {connection.engine.url.database} has schema {found}, made by a newer version of this"
                    f" program, which knows schemas up to {HEAD}: update the program or choose another data folder"
                ) from None
        command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(select(column("version_num")).select_from(table("alembic_version")))
    return found
