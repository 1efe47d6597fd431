"""What a fixture file should say, and what is wrong with what it says.

Whoever reads a file asks an `Item` for what should be there; what is not goes into a `Report`, and reading goes on with
a harmless stand-in, so that one run finds every problem. The owner of the report raises `FixtureError` at the end.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from app.emulation.nodes import Json, Node, Problem

MOST_PROBLEMS = 1_000
_LINE = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")


class FixtureError(Exception):
    """Fixtures that cannot be used: every problem of every file, one on a line."""

    def __init__(self, problems: Iterable[Problem], more: int = 0) -> None:
        self.problems = tuple(problems)
        self.more = more
        lines = [str(problem) for problem in self.problems]
        super().__init__("\n".join([*lines, f"and {more} more problems"] if more else lines))


class Report:
    """The problems found so far, at most `MOST_PROBLEMS` of them; the rest are counted."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._more = 0

    def note(self, *problems: Problem) -> None:
        """Keeps problems for the end."""
        room = MOST_PROBLEMS - len(self._problems)
        self._problems.extend(problems[:room])
        self._more += len(problems[room:])

    def close(self) -> None:
        """Raises `FixtureError` if anything was noted: files in the order read, each from its first line on."""
        if self._problems:
            order = list(dict.fromkeys(problem.file for problem in self._problems))
            raise FixtureError(sorted(self._problems, key=lambda one: (order.index(one.file), one.line)), self._more)


@dataclass(frozen=True, slots=True)
class Item:
    """A node, where it stands, and whom to tell if it is not what it should be.

    `key` is the path shown in problems; `prefix` goes before the keys of what is inside.
    """

    node: Node
    file: str
    line: int
    key: str
    prefix: str
    report: Report

    @classmethod
    def whole_file(cls, root: Node, file: str, report: Report) -> Item:
        """The outermost item of a file."""
        return cls(root, file, root.line, "file", "", report)

    @property
    def source(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}"

    @property
    def is_null(self) -> bool:
        return self.node.value is None

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.node.value, dict)

    def refuse(self, expected: str, found: str | None = None) -> None:
        """Notes that this is not what was expected."""
        self.report.note(Problem(self.file, self.line, self.key, expected, found or self.node.describe()))

    def text(
        self, expected: str = "text that is not empty", shape: re.Pattern[str] | None = None, *, secret: bool = False
    ) -> str:
        """Text that is not empty and has the given shape throughout. What is secret is not quoted in the problem."""
        value = self.node.value
        if isinstance(value, str) and value and (shape is None or shape.fullmatch(value)):
            return value
        expected = f"{expected}, in quotes" if isinstance(value, int | float) else expected
        self.refuse(expected, "something else" if secret else None)
        return "?"

    def one_line(self, *, secret: bool = False) -> str:
        """A name, a key, a word."""
        return self.text("one line of text, 1 to 200 characters", _LINE, secret=secret)

    def one_of(self, *known: str) -> str:
        """One of these words."""
        value = self.one_line()
        if value not in known:
            self.refuse(f"one of {', '.join(known)}")
            return known[0]
        return value

    def any_text(self) -> str:
        """Text that may be empty."""
        return "" if self.node.value == "" else self.text("text")

    def whole(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self.node.value
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.refuse(f"a whole number from {low} to {high}")
        return low

    def number(self, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        value = self.node.value
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        self.refuse(f"a number from {low:g} to {high:g}")
        return low

    def flag(self) -> bool:
        """`true` or `false`."""
        if isinstance(self.node.value, bool):
            return self.node.value
        self.refuse("true or false")
        return False

    def json(self) -> Json:
        """Any value, as `json.loads` would give it."""
        return self.node.plain()

    def items(self, *, anew: bool = False) -> list[Item]:
        """The members of a list. With `anew` what is inside them is named without the path that leads to them."""
        if not isinstance(self.node.value, list):
            self.refuse("a list")
            return []
        keys = [f"{self.key}[{number}]" for number in range(len(self.node.value))]
        return [
            Item(node, self.file, node.line, key, "" if anew else f"{key}.", self.report)
            for key, node in zip(keys, self.node.value, strict=True)
        ]

    def fields(
        self, known: Collection[str], required: Collection[str] = (), *, secret: bool = False
    ) -> dict[str, Item]:
        """The known entries of a mapping, after noting which are unknown and which of the required ones are missing.

        Where secrets are near, an unknown key is not quoted in the problem.
        """
        if not isinstance(self.node.value, dict):
            self.refuse(f"a mapping with {either(known)}")
            return {}
        fields: dict[str, Item] = {}
        for name, (line, node) in self.node.value.items():
            path = self.prefix + ("…" if secret and name not in known else name)
            item = Item(node, self.file, line, path, f"{path}.", self.report)
            if name in known:
                fields[name] = item
            else:
                item.refuse(either(known), "an unknown key")
        for name in required:
            if name not in self.node.value:
                self.report.note(Problem(self.file, self.line, self.prefix + name, "this key", "nothing"))
        return fields

    def members(self, expected: str = "a mapping") -> list[tuple[str, Item]]:
        """The entries of a mapping whose keys are free, in their order."""
        if not isinstance(self.node.value, dict):
            self.refuse(expected)
            return []
        return [
            (name, Item(node, self.file, line, path, f"{path}.", self.report))
            for name, (line, node) in self.node.value.items()
            for path in [f"{self.prefix}{name}"]
        ]

    def numbered(self, low: int, high: int) -> list[tuple[int, Item]]:
        """The entries of a mapping whose keys are whole numbers from `low` to `high`, in the order of the numbers."""
        found: list[tuple[int, Item]] = []
        for name, item in self.members("a mapping with numbers for keys"):
            if _NUMBER.fullmatch(name) and low <= int(name) <= high:
                found.append((int(name), item))
            else:
                item.refuse(f"a whole number from {low} to {high} for a key", f"{name[:20]}")
        return sorted(found, key=lambda entry: entry[0])


def either(names: Collection[str]) -> str:
    """`a`, or `one of a, b`."""
    return ("" if len(names) < 2 else "one of ") + ", ".join(names)
