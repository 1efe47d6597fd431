"""What a fixture file holds: values that know their lines, and what is wrong with them. Loads nothing, unlike the
reader (`documents.py`): the port is open before YAML is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

LARGEST_FILE = 8 * 1024 * 1024
"""Bytes."""

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """What cannot be used in a fixture file. `file` is relative to the fixtures folder, `line` counts from 1."""

    file: str
    line: int
    key: str
    expected: str
    found: str

    @property
    def message(self) -> str:
        """What is wrong, without the place."""
        return f"expected {self.expected}, found {self.found}"

    def __str__(self) -> str:
        return one_line(f"{self.file}:{self.line}: {self.key}: {self.message}")


def one_line(text: str) -> str:
    """A message as one line of at most 600 characters, whatever the file holds that it quotes."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text[:600])
    return shown if len(text) <= 600 else f"{shown}…"


@dataclass(slots=True)
class Node:
    """A value, or a list or mapping of nodes. `size` and `height` count what aliases stand for.

    A mapping keeps each key's line beside its node.
    """

    line: int
    value: str | int | float | bool | list[Node] | dict[str, tuple[int, Node]] | None
    size: int = 1
    height: int = 1

    def describe(self) -> str:
        """What it is, in words for a message."""
        value = self.value
        if value is None:
            return "nothing"
        if isinstance(value, list):
            return f"a list of {len(value)}"
        if isinstance(value, dict):
            return f"a mapping of {len(value)}"
        shown = json.dumps(value[: _SHOWN + 1] if isinstance(value, str) else value, ensure_ascii=False)
        return f'{shown[:_SHOWN]}…"' if len(shown) > _SHOWN else shown

    def plain(self) -> Json:
        """The value as `json.loads` would give it."""
        if isinstance(self.value, list):
            return [member.plain() for member in self.value]
        if isinstance(self.value, dict):
            return {name: member.plain() for name, (_, member) in self.value.items()}
        return self.value
