"""Entries of the journal as they are kept: packed, but for the newest.

Packed, because of where memory lies: tens of thousands of small objects that come and go in the order of their age
would spread whatever else the program makes over tens of megabytes. Measured, that was a tenth of a turn.
"""

from __future__ import annotations

import marshal
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

Detail = Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None
"""What an entry says beside a frame; a function is asked when the entry is shown."""

Plain = tuple[int, str, float, float, str, str, str, int | None, str | None]
"""An entry without its detail: `seq`, kind, the two times, wire, connection, room, turn, text."""

Raw = tuple[int, str, float, float, str, str, str, int | None, str | None, Detail]
"""The same with its detail."""

BATCH = 256
"""Entries that are packed together."""


class Kept:
    """A queue of entries whose `seq` counts on from one to the next, and the bytes that they take together.

    A look through it sees the entries that were there when it began.
    """

    def __init__(self) -> None:
        self._packed: deque[tuple[bytes, array[int]]] = deque()
        self._gone = 0  # entries of the oldest pack that are no longer meant
        self._new: list[Plain] = []
        self._sizes: array[int] = array("L")
        self._details: dict[int, Detail] = {}
        self.count = 0
        self.first = 1
        """`seq` of the oldest; of the next one if there is none."""
        self.bytes = 0

    def __len__(self) -> int:
        return self.count

    def append(self, plain: Plain, detail: Detail, size: int) -> None:
        """Adds the newest, which takes `size` bytes."""
        if not self.count:
            self.first = plain[0]
        self._new.append(plain)
        self._sizes.append(size)
        if detail is not None:
            self._details[plain[0]] = detail
        self.count += 1
        self.bytes += size
        if len(self._new) >= BATCH:
            self._packed.append((marshal.dumps(self._new), self._sizes))
            self._new.clear()
            self._sizes = array("L")

    def drop(self) -> None:
        """Forgets the oldest."""
        if self._packed:
            sizes = self._packed[0][1]
            self.bytes -= sizes[self._gone]
            self._gone += 1
            if self._gone == len(sizes):
                self._packed.popleft()
                self._gone = 0
        else:
            del self._new[0]
            self.bytes -= self._sizes.pop(0)
        self._details.pop(self.first, None)
        self.first += 1
        self.count -= 1

    def clear(self) -> None:
        """Forgets all."""
        self._packed.clear()
        self._new.clear()
        self._sizes = array("L")
        self._details.clear()
        self._gone = self.count = self.bytes = 0

    def __iter__(self) -> Iterator[Raw]:
        details = self._details.copy()
        return ((*plain, details.get(plain[0])) for part in self._parts() for plain in part())

    def __reversed__(self) -> Iterator[Raw]:
        details = self._details.copy()
        return ((*plain, details.get(plain[0])) for part in reversed(self._parts()) for plain in reversed(part()))

    def _parts(self) -> list[Callable[[], Sequence[Plain]]]:
        """What unpacks each part, oldest first."""
        parts = [partial(_unpacked, pack, 0) for pack, _ in self._packed]
        if parts:
            parts[0] = partial(_unpacked, self._packed[0][0], self._gone)
        return [*parts, partial(tuple, tuple(self._new))]


def _unpacked(pack: bytes, gone: int) -> Sequence[Plain]:
    plain: list[Plain] = marshal.loads(pack)
    return plain[gone:]
