"""Recently used room windows, kept in memory within two bounds."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections import OrderedDict
from operator import attrgetter

from app.spaces.models import RoomWindow, Turn

RoomKey = tuple[str, str]
"""space_uid, room_uid."""

_TURN_WEIGHT = 600
_ROOM_WEIGHT = 600
_HOTWORD_WEIGHT = 150


def follow(window: RoomWindow, turn: Turn, length: int) -> RoomWindow:
    """The window after one more turn: the last `length` by when they began, those of one moment as they were saved."""
    turns = window.turns
    place = bisect_right(turns, turn.began, key=attrgetter("began"))
    turns = (*turns[:place], turn, *turns[place:])
    fired = window.fired
    if not fired.issuperset(turn.hotwords):
        fired = fired.union(turn.hotwords)
    return RoomWindow(turns[max(0, len(turns) - length) :], window.saved + 1, fired)


def weigh(turn: Turn) -> int:
    """About how many bytes a turn takes in memory."""
    texts = sys.getsizeof(turn.reply) + (sys.getsizeof(turn.msg) if turn.msg else 0)
    return _TURN_WEIGHT + texts + _HOTWORD_WEIGHT * len(turn.hotwords)


class RoomWindows:
    """Windows by room, least recently used first out. At most `rooms` of them and about `size` bytes."""

    def __init__(self, *, rooms: int, size: int) -> None:
        self._rooms = rooms
        self._size = size
        self._kept: OrderedDict[RoomKey, tuple[RoomWindow, int]] = OrderedDict()
        self.weight = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: RoomKey) -> RoomWindow | None:
        """The window, which thereby becomes the most recently used."""
        entry = self._kept.get(key)
        if entry is None:
            return None
        self._kept.move_to_end(key)
        return entry[0]

    def put(self, key: RoomKey, window: RoomWindow) -> None:
        """Keeps a window and lets go of others where a bound is passed; one too large alone is not kept."""
        self._keep(key, window, _ROOM_WEIGHT + _HOTWORD_WEIGHT * len(window.fired) + sum(map(weigh, window.turns)))

    def follow(self, key: RoomKey, turn: Turn, length: int) -> None:
        """Brings the window of a room to what it is after one more turn, if it is kept. Only that turn is weighed."""
        entry = self._kept.get(key)
        if entry is None:
            return
        before, weight = entry
        after = follow(before, turn, length)
        weight += weigh(turn) + _HOTWORD_WEIGHT * (len(after.fired) - len(before.fired))
        if len(after.turns) <= len(before.turns):
            gone = min((*before.turns[:1], turn), key=attrgetter("began"))
            weight -= weigh(gone)
        self._keep(key, after, weight)

    def _keep(self, key: RoomKey, window: RoomWindow, weight: int) -> None:
        self.drop(key)
        self._kept[key] = window, weight
        self.weight += weight
        while len(self._kept) > self._rooms or self.weight > self._size:
            _, (_, gone) = self._kept.popitem(last=False)
            self.weight -= gone

    def drop(self, key: RoomKey) -> None:
        """Forgets a window."""
        entry = self._kept.pop(key, None)
        if entry is not None:
            self.weight -= entry[1]

    def forget(self, space_uid: str | None = None, room_uid: str | None = None) -> None:
        """Forgets the windows of a space, of a room, or all."""
        for key in [key for key in self._kept if space_uid in (None, key[0]) and room_uid in (None, key[1])]:
            self.drop(key)

    def clear(self) -> None:
        """Forgets all."""
        self._kept.clear()
        self.weight = 0
