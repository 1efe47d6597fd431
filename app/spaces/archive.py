"""Snapshots on disk: what the store held at some moment, a file each. Blocks: call it in a thread.

    <folder>/s1.jsonl    a line that says what it is, then a line for every table, then one for the graphs' threads

The files hold api keys: mode 0600.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.emulation.clock import FIRST_DATE, LAST_DATE
from app.spaces.contents import Holdings, Rows

MOST = 100
"""Snapshots that are kept."""

_NAME = re.compile(r"s([1-9][0-9]{0,8})\.jsonl")


class ArchiveFull(Exception):
    """No more snapshots can be kept."""


class NoSnapshot(Exception):
    """There is none of that id or name, or it cannot be read; the text says which."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of a snapshot without reading it. `at`: epoch seconds of the machine; `bytes` on disk."""

    id: str
    name: str
    at: float
    spaces: int
    rooms: int
    turns: int
    threads: int
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """What a snapshot holds. `strict`: which spaces were made strict, or not, by hand."""

    rows: Rows
    threads: list[list[str]]
    strict: dict[str, bool]


class _Header(BaseModel):
    """The first line of a file."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    schemas: dict[str, str]
    name: str
    at: float = Field(ge=FIRST_DATE, le=LAST_DATE)
    spaces: int
    rooms: int
    turns: int
    threads: int


class _Last(BaseModel):
    """The last line of a file."""

    model_config = ConfigDict(strict=True)

    threads: list[list[str]]
    strict: dict[str, bool]


class Archive:
    """The snapshots in a folder, which is made with the first. `holdings` says what rows they may hold."""

    def __init__(self, folder: Path, holdings: Holdings) -> None:
        self._folder = folder
        self._holdings = holdings

    def all(self) -> list[Snapshot]:
        """Oldest first."""
        return [found for number in self._numbers() if (found := self._look(number)) is not None]

    def find(self, which: str) -> Snapshot:
        """The snapshot of that id, else the newest of that name. Raises `NoSnapshot`."""
        found = [snapshot for snapshot in self.all() if which in (snapshot.id, snapshot.name)]
        if not found:
            raise NoSnapshot(f"there is no snapshot {which}")
        return next((snapshot for snapshot in found if snapshot.id == which), found[-1])

    def write(self, name: str, at: float, taken: Taken) -> Snapshot:
        """Keeps one, whole or not at all. Raises `ArchiveFull`, OSError."""
        numbers = self._numbers()
        if len(numbers) >= MOST:
            raise ArchiveFull(f"at most {MOST} snapshots are kept: delete one")
        self._folder.mkdir(parents=True, exist_ok=True)
        counts = {table: len(taken.rows[table]) for table in ("spaces", "rooms", "turns")}
        descriptor, part = tempfile.mkstemp(".part", dir=self._folder)  # mode 0600
        try:
            with os.fdopen(descriptor, "wb") as stream:
                header = {
                    "schemas": self._holdings.schemas,
                    "name": name,
                    "at": at,
                    **counts,
                    "threads": len(taken.threads),
                }
                stream.write(orjson.dumps(header) + b"\n")
                stream.writelines(
                    orjson.dumps({"table": key, "rows": rows}) + b"\n" for key, rows in taken.rows.items()
                )
                stream.write(orjson.dumps({"threads": taken.threads, "strict": taken.strict}) + b"\n")
            number = self._settle(Path(part), (numbers[-1] if numbers else 0) + 1)
        finally:
            Path(part).unlink(missing_ok=True)
        found = self._look(number)
        assert found is not None
        return found

    def read(self, snapshot: Snapshot) -> Taken:
        """What one holds. Raises `NoSnapshot`."""
        path = self._folder / f"{snapshot.id}.jsonl"
        try:
            with path.open("rb") as stream:
                header, *lines = stream.readlines()
            if dict(orjson.loads(header)).get("schemas") != self._holdings.schemas:
                raise NoSnapshot(f"snapshot {snapshot.id} was made by another version of this program")
            *tables, end = lines
            rows = {line["table"]: line["rows"] for line in map(orjson.loads, tables)}
            if problem := self._holdings.problem(rows):
                raise NoSnapshot(f"snapshot {snapshot.id} cannot be read: {problem}")
            last = _Last.model_validate_json(end)
            return Taken(rows, last.threads, last.strict)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NoSnapshot(f"snapshot {snapshot.id} cannot be read: {type(error).__name__}") from error

    def delete(self, snapshot: Snapshot) -> None:
        """Forgets one. Raises OSError."""
        (self._folder / f"{snapshot.id}.jsonl").unlink(missing_ok=True)

    def _settle(self, part: Path, number: int) -> int:
        """Gives the file its name; of two processes that want one number, the second takes the next."""
        while True:
            path = self._folder / f"s{number}.jsonl"
            try:
                path.touch(0o600, exist_ok=False)
            except FileExistsError:
                number += 1
                continue
            part.replace(path)
            return number

    def _numbers(self) -> list[int]:
        return sorted(self._found())

    def _found(self) -> Iterator[int]:
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if name := _NAME.fullmatch(path.name):
                    yield int(name[1])

    def _look(self, number: int) -> Snapshot | None:
        path = self._folder / f"s{number}.jsonl"
        try:
            with path.open("rb") as stream:
                header = _Header.model_validate_json(stream.readline())
            facts = header.model_dump(exclude={"schemas"})
            return Snapshot(id=f"s{number}", **facts, bytes=path.stat().st_size)
        except (OSError, ValidationError):
            return None
