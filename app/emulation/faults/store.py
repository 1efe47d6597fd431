"""Store faults at work: which operations of the store go wrong."""

from __future__ import annotations

from typing import Literal

from app.emulation.determinism import Ids
from app.emulation.exchanges import struck_detail
from app.emulation.faults.kinds import Place
from app.emulation.faults.live import Dice, Faults
from app.emulation.journal import Journal
from app.emulation.occasions import Occasion
from app.spaces.failures import Trouble

NOWHERE = Occasion()
"""The store serves everybody at once: no wire, no room, no user."""


class StoreFaults:
    """Asked before every operation of the store what is to go wrong with it. Of several rules the first decides."""

    def __init__(self, faults: Faults, ids: Ids, journal: Journal) -> None:
        self._faults = faults
        self._dice = Dice(ids.branch("store"))
        self._journal = journal

    def __call__(self, operation: Literal["read", "write"]) -> Trouble | None:
        for live in self._faults.at(Place.STORE):
            if live.rule["operation"] in ("any", operation) and live.strike(NOWHERE, self._dice.at(Place.STORE)):
                if self._journal.enabled:
                    self._journal.write("fault", detail={**struck_detail(live), "operation": operation})
                return Trouble("locked" if live.rule.kind.name == "store-locked" else "full", live.rule["tries"])
        return None
