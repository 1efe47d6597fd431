"""One line of the result."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result. `better` says how `value` must stand to `goal`."""

    what: str
    value: float
    goal: float
    better: str
    detail: str

    @property
    def met(self) -> bool:
        return self.value >= self.goal if self.better == ">=" else self.value <= self.goal
