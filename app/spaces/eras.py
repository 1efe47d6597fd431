"""Eras: what was begun before a reset must not write after it. One for a store; imports nothing heavy."""

from __future__ import annotations

from collections import OrderedDict

MOST_ROOMS = 65_536
"""Rooms whose reset is remembered; the one whose reset is longest ago is forgotten first."""


class Eras:
    """Counts resets. Whoever begins something takes `now`, and asks before a write whether that is over.

    Read by the store's thread while the event loop counts: each question looks at plain numbers.
    """

    def __init__(self) -> None:
        self.now = 0
        """How many resets there have been."""
        self._all = 0
        self._spaces: dict[str, int] = {}
        self._rooms: OrderedDict[tuple[str | None, str], int] = OrderedDict()

    def end(self, space_uid: str | None = None, room_uid: str | None = None) -> None:
        """A new era: of everything, of one space, of one of its rooms, or of the rooms of that name."""
        self.now += 1
        if room_uid is not None:
            self._rooms[space_uid, room_uid] = self.now
            self._rooms.move_to_end((space_uid, room_uid))
            if len(self._rooms) > MOST_ROOMS:
                self._rooms.popitem(last=False)
        elif space_uid is not None:
            self._spaces[space_uid] = self.now
        else:
            self._all = self.now
            self._spaces.clear()
            self._rooms.clear()

    def is_over(self, era: int | None, space_uid: str, room_uid: str | None = None) -> bool:
        """Whether a space, or a room of it, has been reset since that era. None: nobody asked."""
        if era is None:
            return False
        if era < self._all or era < self._spaces.get(space_uid, 0):
            return True
        if room_uid is None:
            return False
        return era < max(self._rooms.get((space_uid, room_uid), 0), self._rooms.get((None, room_uid), 0))
