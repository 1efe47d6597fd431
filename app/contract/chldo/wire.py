"""The chldo wire, as the checks see it."""

from __future__ import annotations

from app.contract.checks.wires import Wire
from app.contract.chldo.believing import believe
from app.contract.chldo.probes import probe
from app.contract.chldo.reading import Evidence, gather
from app.contract.chldo.rules import RULES
from app.contract.chldo.words import IDS

CHLDO: Wire[Evidence] = Wire("chldo", IDS, RULES, believe, gather, probe)
