"""The Hashee wire, as the checks see it."""

from __future__ import annotations

from app.contract.checks.wires import Wire
from app.contract.hashee.probes import probe
from app.contract.hashee.reading import Evidence, believe, gather
from app.contract.hashee.rules import RULES
from app.contract.hashee.words import PROFILES

HASHEE: Wire[Evidence] = Wire("hashee", PROFILES, RULES, believe, gather, probe)
