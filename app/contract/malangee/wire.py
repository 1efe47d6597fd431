"""The MaLangEE wire, as the checks see it."""

from __future__ import annotations

from app.contract.checks.wires import Wire
from app.contract.malangee.probes import probe
from app.contract.malangee.reading import EDITIONS, Evidence, believe, gather
from app.contract.malangee.rules import RULES

MALANGEE: Wire[Evidence] = Wire("malangee", EDITIONS, RULES, believe, gather, probe)
