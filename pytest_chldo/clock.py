"""The clock of what is emulated, by hand."""

from __future__ import annotations

from datetime import UTC, datetime

from pytest_chldo.control import Control


class Clock:
    """Freezes, advances and sets the emulated time. With a seed it moves by the pauses that turns take, and by hand;
    without one it flows like the machine's.
    """

    def __init__(self, control: Control) -> None:
        self._control = control

    def now(self) -> datetime:
        """What time it is, in UTC."""
        return datetime.fromisoformat(self._control.get("clock")["instant"])

    def freeze(self) -> None:
        """Stops time, and every pause that is under way with it."""
        self._control.ask("POST", "clock", "freeze")

    def run(self) -> None:
        """Lets a frozen clock go on."""
        self._control.ask("POST", "clock", "run")

    def advance(self, seconds: float) -> None:
        """Moves time forward, and wakes what has waited long enough."""
        self._control.ask("POST", "clock", "advance", body={"seconds": seconds})

    def set(self, instant: datetime | str) -> None:
        """Sets the wall clock, either way. A time without a zone is in UTC."""
        if isinstance(instant, datetime):
            instant = (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).isoformat()
        self._control.ask("POST", "clock", "set", body={"instant": instant})
