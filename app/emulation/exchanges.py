"""One request and what it sets going: its time and ids, its faults, its place in the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.emulation.determinism import Strand
from app.emulation.faults.kinds import Place
from app.emulation.faults.live import Dice, Faults, LiveRule
from app.emulation.occasions import Occasion

Note = Callable[[str, "Exchange | None", Mapping[str, Any] | Callable[[], Mapping[str, Any]]], None]
"""Writes to the journal: the kind of entry, the exchange, the details."""


def nothing(kind: str, exchange: Exchange | None, detail: object) -> None:
    """Notes nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """An accepted request of a connection. `number` counts the connection's, from 1."""

    occasion: Occasion
    strand: Strand
    dice: Dice
    faults: Faults
    number: int = 0
    tell: Note = nothing

    def strike(self, place: Place, frame: str = "") -> tuple[LiveRule, ...]:
        """The faults that strike here and now, in their order; they are in the journal then."""
        if not self.faults.at(place):
            return ()
        occasion = replace(self.occasion, frame=frame) if frame else self.occasion
        struck = self.faults.strike(place, occasion, self.dice.at(place))
        for live in struck:
            self.note("fault", struck_detail(live, frame))
        return struck

    def note(self, kind: str, detail: Mapping[str, Any] | Callable[[], Mapping[str, Any]]) -> None:
        """Writes to the journal."""
        self.tell(kind, self, detail)


def struck_detail(live: LiveRule, frame: str = "") -> dict[str, Any]:
    """What the journal says of a strike."""
    told: dict[str, Any] = {"fault": live.rule.kind.name, "id": live.id, "source": live.rule.source}
    return {**told, "frame": frame} if frame else told
