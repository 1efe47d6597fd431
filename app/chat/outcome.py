"""How a turn, or the attempt to connect, came out. What goes wrong on the way is a value, not an exception."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """What the command leaves to the shell; 2, wrong usage, is the command line's own."""

    OK = 0
    REFUSED = 1
    LOST = 3
    SILENT = 4
    INTERRUPTED = 130
    UNREAD = 141


@dataclass(frozen=True, slots=True)
class Outcome:
    """`reason` is one line for the person at the terminal, "" if all is said."""

    code: Exit = Exit.OK
    reason: str = ""
