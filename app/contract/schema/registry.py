"""The wires that have schemas: a line each."""

from __future__ import annotations

from app.contract.schema.chldo.wire import CHLDO
from app.contract.schema.hashee import HASHEE
from app.contract.schema.malangee import MALANGEE
from app.contract.schema.wire import Wire

WIRES: tuple[Wire, ...] = (
    CHLDO,
    MALANGEE,
    HASHEE,
)
