"""Entries of the journal, and how they are shown to people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_FIELDS = ("seq", "kind", "at", "mono", "wire", "connection", "room", "turn", "type", "text", "bytes")

WIDTH = 220
"""Characters of a line of a listing, near enough."""

ARROWS = {"in": ">", "out": "<"}
"""Frames of the client and of the server."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the emulator's journal, keys and signatures shortened.

    `seq` counts from 1. `kind`: `in` and `out` (a frame of the client, of the server), `open`, `refused`, `close`,
    `http`, `match`, `fault`, `control`. `at`: emulated time in epoch seconds, `mono`: the machine's, in seconds.
    `turn`: which of the connection's, None outside of turns. `type`: what the wire calls the frame. `text`: the frame.
    `detail`: what else there is to say, by kind.
    """

    seq: int
    kind: str
    at: float
    mono: float
    wire: str
    connection: str
    room: str
    turn: int | None
    type: str
    text: str | None
    detail: Mapping[str, Any]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Entry:
        """From what the control plane tells."""
        return cls(
            int(told["seq"]),
            str(told["kind"]),
            float(told["at"]),
            float(told["mono"]),
            str(told.get("wire") or ""),
            str(told.get("connection") or ""),
            str(told.get("room") or ""),
            told.get("turn"),
            str(told.get("type") or ""),
            told.get("text"),
            {key: value for key, value in told.items() if key not in _FIELDS},
        )

    @property
    def frame(self) -> dict[str, Any]:
        """The frame as the object it is. Raises ValueError where there is none, or none that is a JSON object."""
        body = json.loads(self.text) if self.text is not None else None
        if not isinstance(body, dict):
            raise ValueError(f"entry {self.seq} ({self.kind}) has no frame that is a JSON object")
        return body

    def __getitem__(self, key: str) -> Any:
        """A value of the frame, or of the details of an entry without one: `entry["msg"]`."""
        return self.detail[key] if self.text is None else self.frame[key]

    @property
    def about(self) -> str:
        """What it is about, in a word or two: `> sendmsg`, `close`."""
        arrow = ARROWS.get(self.kind)
        return self.kind if arrow is None else f"{arrow} {self.type or 'no JSON'}"

    @property
    def told(self) -> str:
        """The frame, or the details of an entry without one."""
        return self.text if self.text is not None else _json(self.detail)

    def line(self, began: float, before: Mapping[str, Any]) -> str:
        """One line for people. `began`: the `mono` from which seconds are counted; `before`: the frame before it, whose
        values are not told again.
        """
        said = self.values
        told = _json({key: value for key, value in said.items() if before.get(key) != value}) if said else self.told
        where = f" [{self.room}]" if self.room else ""
        return cut(f"{self.mono - began:8.3f}  {self.about}{where}  {told}")

    @property
    def values(self) -> Mapping[str, Any]:
        """The frame as an object; an empty one where there is none."""
        try:
            return self.frame
        except ValueError:
            return {}


def cut(text: str, width: int = WIDTH) -> str:
    """`text` on one line of bounded length."""
    flat = " ".join(text.split("\n"))
    return flat if len(flat) <= width else f"{flat[: width - 1]}…"


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), ensure_ascii=False, separators=(",", ":"))


def listing(entries: Sequence[Entry], most: int = 25) -> list[str]:
    """The last entries, oldest first, one a line: `>` from the client, `<` from the server, seconds since the first.

    Of a run of frames alike the first and the last are shown; of a frame the values that the one before it had not.
    """
    if not entries:
        return ["(nothing)"]
    lines = list(_lines(entries))
    return lines if len(lines) <= most else [f"   (earlier entries: {len(lines) - most})", *lines[-most:]]


def _lines(entries: Sequence[Entry]) -> Iterator[str]:
    began = entries[0].mono
    before: dict[tuple[str, str], Mapping[str, Any]] = {}
    start = 0
    while start < len(entries):
        end = start + 1
        while end < len(entries) and _alike(entries[start], entries[end]):
            end += 1
        run = entries[start:end]
        way = (run[0].connection, run[0].kind)
        yield run[0].line(began, before.get(way, {}))
        if len(run) > 2:
            yield f"          … {len(run) - 2} more {run[0].about}"
        if len(run) > 1:
            yield run[-1].line(began, run[-2].values)
        if values := run[-1].values:
            before[way] = values
        start = end


def _alike(one: Entry, other: Entry) -> bool:
    same = (one.kind, one.type, one.connection) == (other.kind, other.type, other.connection)
    return same and one.kind in ARROWS


def nearest(entries: Sequence[Entry], asked: Mapping[str, Any], most: int = 3) -> list[str]:
    """The entries that lack the fewest of the conditions, newest first, and what they lack."""
    lacks = [(entry, _lacks(entry, asked)) for entry in entries if entry.kind != "control"]
    some = [(entry, lack) for entry, lack in lacks if 0 < len(lack) < len(asked) or (lack and len(asked) == 1)]
    if len(asked) == 1 and asked.keys() <= {"type", "room", "kind", "connection"}:
        # With one condition everything is equally near: what there was instead is what helps.
        ((name, wanted),) = asked.items()
        there = dict.fromkeys(str(getattr(entry, name)) for entry, _ in some if getattr(entry, name))
        return [f"{name}: wanted {wanted!r}, there was {cut(', '.join(map(repr, there)))}"] if there else []
    some.sort(key=lambda pair: (len(pair[1]), -pair[0].seq))
    return [cut(f"entry {entry.seq} {entry.about}: {'; '.join(lack)}") for entry, lack in some[:most]]


def _lacks(entry: Entry, asked: Mapping[str, Any]) -> list[str]:
    lacks = []
    for name, wanted in asked.items():
        if name == "text":
            got: Any = entry.told
            holds = str(wanted) in got
        else:
            got = getattr(entry, name)
            holds = got in wanted if isinstance(wanted, list) else got == wanted
        if not holds:
            lacks.append(f"{name}: wanted {wanted!r}, got {cut(repr(got), 60)}")
    return lacks
