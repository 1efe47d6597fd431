"""A fixture file as a tree that knows the line of everything in it.

Nothing in the file is believed before it is checked. `true`, `false`, `null` and decimal numbers are what they are in
JSON; everything else, such as `no`, `007`, `00e1` and `2024-10-06`, is text; tags are refused. A file is bounded in
bytes, in depth and in what its aliases stand for.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from app.emulation.nodes import LARGEST_FILE, Node, Problem

DEEPEST = 64
MOST_ALIASED = 100_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_JSON_ONLY = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_UNSPEAKABLE = re.compile("[\x00\ud800-\udfff]")
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FRACTION = re.compile(r"(?:\.[0-9]+|[-+]?[0-9]+\.[0-9]*)(?:[eE][-+][0-9]+)?")
_JSON_FRACTION = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def read_document(path: Path, file: str, *, loader: Any = _LOADER) -> tuple[Node | None, list[Problem]]:
    """The content of the file at `path`, which problems call `file`; None if it cannot be read at all.

    `loader` is the YAML scanner: libyaml's where PyYAML has it, else PyYAML's own, which is slower.
    """
    try:
        data = _read(path)
    except _Broken as broken:
        return None, [Problem(file, broken.line, "file", broken.expected, broken.found)]
    return read_data(data, file, json=path.suffix == ".json", loader=loader)


def read_data(data: bytes, file: str, *, json: bool, loader: Any = _LOADER) -> tuple[Node | None, list[Problem]]:
    """As `read_document`, for what such a file holds. `json`: it is JSON, not YAML."""
    tree = _Tree(_JSON_FRACTION if json else _FRACTION)
    text = ""
    try:
        text = _decoded(data, json=json)
        root = tree.grow(yaml.parse(text, Loader=loader))
    except _Broken as broken:
        return None, [Problem(file, broken.line, "file", broken.expected, broken.found)]
    except yaml.MarkedYAMLError as error:
        return None, [Problem(file, *_place(error, text, tree.unclosed))]
    except yaml.YAMLError as error:
        return None, [Problem(file, 1, "file", "valid YAML", str(error))]
    return root, [Problem(file, line, key, expected, found) for line, key, expected, found in tree.flaws]


class _Broken(Exception):
    """The rest of the file cannot be understood."""

    def __init__(self, line: int, expected: str, found: str) -> None:
        super().__init__(line, expected, found)
        self.line, self.expected, self.found = line, expected, found


def _read(path: Path) -> bytes:
    """What the file holds. Raises `_Broken`."""
    try:
        if not path.is_file():
            raise _Broken(1, "a readable file", "something else" if path.exists() else "nothing")
        with path.open("rb") as stream:
            return stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise _Broken(1, "a readable file", error.strerror or type(error).__name__) from None


def _decoded(data: bytes, *, json: bool) -> str:
    """The text, ready for a YAML scanner. Raises `_Broken`."""
    if len(data) > LARGEST_FILE:
        raise _Broken(1, f"at most {LARGEST_FILE} bytes", "more")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _Broken(line, "UTF-8 text", f"byte 0x{error.object[error.start]:02x}") from None
    if json:
        # JSON may indent by tabs, writes an emoji as two escapes and has no other line breaks than \r and \n.
        text = _PAIR.sub(_join_pair, text).replace("\t", " ")
        text = _JSON_ONLY.sub(lambda stray: f"\\u{ord(stray.group()):04x}", text)
    if stray := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, stray.start()) + 1
        raise _Broken(line, "printable text", f"the character U+{ord(stray.group()):04X}")
    return text


def _place(error: yaml.MarkedYAMLError, text: str, unclosed: int | None) -> tuple[int, str, str, str]:
    """Line, key, expected and found of a syntax error. `unclosed` is where the list or mapping around it began."""
    what = (error.problem or str(error)).removeprefix("found ").replace("did not find expected", "no")
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return 1, "file", "valid YAML", what
    lines = _BREAK.split(text)
    if mark.line >= len(lines) or not "".join([lines[mark.line][mark.column :], *lines[mark.line + 1 :]]).strip():
        if isinstance(error, yaml.scanner.ScannerError) and error.context_mark:
            unclosed = error.context_mark.line + 1
        began = f", after what began on line {unclosed}" if unclosed else ""
        return min(mark.line + 1, len(lines)), "file", "valid YAML", f"the end of the file{began}"
    if lines[mark.line].startswith("\t", mark.column):
        what = "a tab, which cannot indent"
    return mark.line + 1, "file", "valid YAML", f"{what} (column {mark.column + 1})"


def _join_pair(match: re.Match[str]) -> str:
    high, low = int(match[2], 16), int(match[3], 16)
    return f"{match[1]}\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been seen, and the key that waits for its value."""

    node: Node
    anchor: str | None
    name: str | None = None
    name_line: int = 0


@dataclass(slots=True)
class _Tree:
    """Builds nodes from parser events, without recursion. `flaws` are (line, key, expected, found)."""

    fraction: re.Pattern[str]
    flaws: list[tuple[int, str, str, str]] = field(default_factory=list)
    _anchors: dict[str, Node | None] = field(default_factory=dict)
    _open: list[_Open] = field(default_factory=list)
    _aliased: int = 0
    _root: Node | None = None

    @property
    def unclosed(self) -> int | None:
        """Where the innermost open list or mapping began."""
        return self._open[-1].node.line if self._open else None

    def grow(self, events: Iterator[Any]) -> Node:
        """The root node. Raises `_Broken`."""
        for event in events:
            line = event.start_mark.line + 1
            match event:
                case yaml.ScalarEvent():
                    node = Node(line, self._scalar(event, line))
                    if event.anchor:
                        self._anchors[event.anchor] = node
                    self._put(node)
                case yaml.AliasEvent():
                    self._put(self._alias(str(event.anchor), line))
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self._start(event, line)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    opened = self._open.pop()
                    if opened.anchor:
                        self._anchors[opened.anchor] = opened.node
                    self._put(opened.node)
                case yaml.DocumentStartEvent() if self._root:
                    raise _Broken(line, "one document", "a second one")
        return self._root or Node(1, None)

    def _start(self, event: Any, line: int) -> None:
        if len(self._open) >= DEEPEST:
            raise _Broken(line, f"at most {DEEPEST} levels", "more")
        if event.tag:
            self.flaws.append((line, "file", "values without tags", event.tag))
        if event.anchor:
            self._anchors[event.anchor] = None
        if self._open and isinstance(self._open[-1].node.value, dict) and self._open[-1].name is None:
            raise _Broken(line, "a key that is text", "a list or mapping")
        empty: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._open.append(_Open(Node(line, empty), event.anchor))

    def _alias(self, anchor: str, line: int) -> Node:
        node = self._anchors.get(anchor)
        if node is None:
            raise _Broken(line, "an alias of an earlier, complete value", f"*{anchor}")
        self._aliased += node.size
        if self._aliased > MOST_ALIASED:
            raise _Broken(line, f"aliases that stand for at most {MOST_ALIASED} values", "more")
        if len(self._open) + node.height > DEEPEST:
            raise _Broken(line, f"at most {DEEPEST} levels", "more")
        return node

    def _put(self, node: Node) -> None:
        """Gives a complete node to the list or mapping that is open."""
        if not self._open:
            self._root = node
            return
        opened = self._open[-1]
        parent = opened.node
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif isinstance(parent.value, dict) and opened.name is None:
            if isinstance(node.value, list | dict):
                raise _Broken(node.line, "a key that is text", "a list or mapping")
            opened.name = node.value if isinstance(node.value, str) else json.dumps(node.value)
            opened.name_line = node.line
            return
        elif isinstance(parent.value, dict) and opened.name is not None:
            name, opened.name = opened.name, None
            if name in parent.value:
                first = f"it again (first on line {parent.value[name][0]})"
                self.flaws.append((opened.name_line, name, "each key once", first))
            parent.value[name] = (opened.name_line, node)
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)

    def _scalar(self, event: Any, line: int) -> str | int | float | bool | None:
        value: str = event.value
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            self.flaws.append((line, "file", "values without tags", event.tag))
        if event.tag or not event.implicit[0]:
            if _UNSPEAKABLE.search(value):
                self.flaws.append((line, "file", "characters that text can have", "an escaped NUL or surrogate"))
            return value
        if value in _WORDS:
            return _WORDS[value]
        number: int | float
        if _WHOLE.fullmatch(value):
            number = int(value) if len(value) <= 20 else 2**63
            fits = -(2**63) <= number < 2**63
        elif self.fraction.fullmatch(value):
            number = float(value)
            fits = math.isfinite(number)
        else:
            return value
        if not fits:
            self.flaws.append((line, "file", "a number of 64 bits, or text in quotes", "a larger one"))
        return number
