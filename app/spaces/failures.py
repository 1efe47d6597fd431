"""What can go wrong with the store. Every failure is the program's or its surroundings', never a client's, and its text
is one line that can be shown to the person who started the server; passwords and keys are not in it.

    StoreFailure
    ├── StoreUnreachable    the data folder cannot be used, no PostgreSQL answers, the address is wrong
    ├── NotADatabase        the file is there but is no SQLite database
    ├── SchemaTooNew        a newer version of the program has migrated the database
    ├── TransactionFailed   locked, full or lost, and still so after the last try
    ├── QueueFull           more writes wait than the queue holds
    ├── StoreClosed         used before it was opened or after it was closed
    └── NoSpaces            nothing has been seeded, so there is no default space
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is to go wrong with an operation on purpose, at so many `tries` of it (None: at all)."""

    kind: Literal["locked", "full"]
    tries: int | None = None


class StoreFailure(Exception):
    """Root of the tree."""


class StoreUnreachable(StoreFailure):
    """The data folder cannot be used, no PostgreSQL answers, or the address is wrong."""


class NotADatabase(StoreFailure):
    """The file exists but is no SQLite database."""


class SchemaTooNew(StoreFailure):
    """The database carries a schema revision that this program does not know."""


class TransactionFailed(StoreFailure):
    """A transaction failed for good; nothing of it is in the database (a commit in doubt is looked up first)."""


class QueueFull(StoreFailure):
    """More writes wait than the queue holds."""


class StoreClosed(StoreFailure):
    """Used before `open()` or after `close()`."""


class NoSpaces(StoreFailure):
    """No space has been seeded yet."""
