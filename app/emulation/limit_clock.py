"""The time of rate limits and locks, which goes on while the emulated time stands still."""

from __future__ import annotations

from app.emulation.clock import machine_monotonic
from app.emulation.world_clock import WorldClock


class LimitClock:
    """Passes as the emulated time does, and, while that does not flow (frozen, or virtual), as the machine's at least.

    So a client that waits for as long as a limit says is served again, whatever becomes of the emulated time, and a
    test that advances it need not wait. Kept in seconds; for one event loop.
    """

    def __init__(self, clock: WorldClock) -> None:
        self._clock = clock
        self._emulated, self._machine = clock.monotonic(), machine_monotonic()
        self._ahead = 0.0
        """By how much it is ahead of the emulated time."""

    def monotonic(self) -> float:
        """Seconds that never run backwards; only differences mean something."""
        emulated, machine = self._clock.monotonic(), machine_monotonic()
        if not self._clock.flows:
            self._ahead += max(0.0, (machine - self._machine) - (emulated - self._emulated))
        self._emulated, self._machine = emulated, machine
        return emulated + self._ahead

    def time(self) -> float:
        """Seconds since the epoch: the emulated wall time, and what has passed while it stood still."""
        self.monotonic()
        return self._clock.time() + self._ahead

    def restart(self) -> None:
        """The emulated time is at its beginning again."""
        self._emulated, self._machine, self._ahead = self._clock.monotonic(), machine_monotonic(), 0.0
