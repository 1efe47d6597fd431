"""How often something may happen: sliding windows, bounded in number. PURE: the time is told."""

from __future__ import annotations

from collections import OrderedDict, deque
from math import ceil

MOST_KEYS = 20_000
"""Keys remembered; the one that was quiet for longest is forgotten first."""


class Window:
    """At most `most` times in `seconds`, for each key."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, key: str, now: float) -> int:
        """0 if it may happen (and has), else the whole seconds after which it may."""
        times = self._times.get(key)
        if times is None:
            times = self._times[key] = deque()
            if len(self._times) > MOST_KEYS:
                self._times.popitem(last=False)
        else:
            self._times.move_to_end(key)
        while times and (times[0] <= now - self._seconds or times[0] > now):
            times.popleft()
        if len(times) >= self._most:
            return max(1, ceil(times[0] + self._seconds - now))
        times.append(now)
        return 0

    def forget(self) -> None:
        """Begins anew."""
        self._times.clear()


class Ages:
    """How long ago things began that the store knows by their ids. What began before this was made began with it."""

    def __init__(self, now: float) -> None:
        self._began = now
        self._moments: OrderedDict[str, float] = OrderedDict()

    def begin(self, uid: str, now: float) -> None:
        """It begins now."""
        self._moments[uid] = now
        if len(self._moments) > MOST_KEYS:
            self._moments.popitem(last=False)

    def of(self, uid: str, now: float) -> float:
        """Its age in seconds."""
        return now - self._moments.get(uid, self._began)


class Limits:
    """All windows of the wire (source: the spec, section 5)."""

    def __init__(self, agent_messages: int = 5) -> None:
        self.agent_messages = Window(agent_messages, 1.0)
        self.register_address = Window(10, 600.0)
        self.register_email = Window(5, 600.0)
        self.key_lookups = Window(60, 60.0)
        self.key_rotations = Window(6, 3600.0)

    def forget(self) -> None:
        """Begins anew."""
        for window in vars(self).values():
            window.forget()
