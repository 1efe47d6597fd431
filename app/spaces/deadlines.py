"""Deadlines that are kept in the store, where the clock may be another when they are read: it was set back, the server
was started again after it had been advanced, or a snapshot of later was restored.

So one is never trusted to lie in the future: what is further ahead than it can have been set is due.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_

SKEW = 2.0
"""Seconds by which the clocks of servers that share a store may differ."""


def is_ahead(deadline: float, now: float, longest: float) -> bool:
    """Whether a deadline is still to come, that was set `longest` seconds ahead at the most."""
    return now < deadline <= now + longest + SKEW


def ahead(deadline: ColumnElement[float], now: float, longest: Any) -> ColumnElement[bool]:
    """`is_ahead` as a condition; `longest` may be an expression too."""
    return and_(deadline > now, deadline <= now + longest + SKEW)
