"""All rules of the chldo wire, in the order in which they are listed. PURE."""

from __future__ import annotations

from app.contract.checks.rules import Rule
from app.contract.chldo.reading import Evidence
from app.contract.chldo.rules import answers, echoes, events, extras, ids, keys, order, replies, sockets, texts, voices

_GROUPS = [
    "wire",
    "status",
    "forbidden",
    "refusal",
    "order",
    "keys",
    "texts",
    "ids",
    "echo",
    "times",
    "events",
    "tokens",
    "sentences",
    "quirks",
    "voices",
    "greeting",
    "hotwords",
    "choices",
    "concurrency",
    "limits",
    "reconnection",
]

RULES: tuple[Rule[Evidence], ...] = tuple(
    sorted(
        (
            rule
            for module in (answers, order, keys, texts, ids, echoes, events, replies, voices, extras, sockets)
            for rule in module.RULES
        ),
        key=lambda rule: _GROUPS.index(rule.group),
    )
)
