"""A small cache: bounded by number, by age where wanted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from app.emulation.determinism import Clock

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """The last `bound` entries that were used; none older than `life` seconds (None: of any age)."""

    def __init__(self, bound: int, *, clock: Clock, life: float | None) -> None:
        self._bound = bound
        self._clock = clock
        self._life = life
        self._kept: OrderedDict[Key, tuple[Value, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key) -> Value | None:
        """The value, or None if it is not kept or too old."""
        entry = self._kept.get(key)
        if entry is None:
            return None
        if self._life is not None and self._clock.monotonic() - entry[1] > self._life:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return entry[0]

    def put(self, key: Key, value: Value) -> None:
        """Keeps a value in place of an older one, and lets the least recently used go."""
        self._kept[key] = value, self._clock.monotonic() if self._life is not None else 0.0
        self._kept.move_to_end(key)
        if len(self._kept) > self._bound:
            self._kept.popitem(last=False)

    def drop(self, key: Key) -> None:
        """Forgets a value."""
        self._kept.pop(key, None)

    def clear(self) -> None:
        """Forgets all."""
        self._kept.clear()
