"""What a fault, a journal entry or a wait can be about, in words that every wire has. PURE."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something that happens on a wire. What is not known is "" (None for `message` and `turn`).

    `key`: what the client identifies itself by. `action`: what it asks for. `turn`: which turn of the room it is, from
    1, counted since the start or the last reset. `frame`: the type of the frame, as the wire calls it.
    """

    wire: str = ""
    room: str = ""
    user: str = ""
    key: str = ""
    message: str | None = None
    action: str = ""
    turn: int | None = None
    frame: str = ""
