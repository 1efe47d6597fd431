"""What a fault or a reply can ask of a text, as Python writes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Condition = str | int | None | re.Pattern[str] | Mapping[str, Any]
"""A text that must be equal; `re.compile(…)`, which must be found somewhere in it; `{"contains": …}` or
`{"regex": …}`, as in fixture files. For turns and scenes a number. None where a request has nothing.
"""

_FLAGS = ((re.ASCII, "a"), (re.IGNORECASE, "i"), (re.MULTILINE, "m"), (re.DOTALL, "s"), (re.VERBOSE, "x"))


def plain(condition: Condition) -> Any:
    """A condition as JSON."""
    if isinstance(condition, re.Pattern):
        flags = "".join(letter for flag, letter in _FLAGS if condition.flags & flag)
        return {"regex": f"(?{flags}){condition.pattern}" if flags else condition.pattern}
    return condition


def plain_all(conditions: Mapping[str, Condition]) -> dict[str, Any]:
    """A `when` as JSON."""
    return {key: plain(condition) for key, condition in conditions.items()}
