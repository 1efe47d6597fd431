"""Keeps keys out of everything that is printed or written. PURE."""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from app.contract.checks.report import Redact
from app.logs import redact

MARK = "[key]"


def redactor(secrets: Iterable[str]) -> Redact:
    """Takes these secrets out of a text, however they are spelt in it, and whatever else looks like one."""
    spellings = {spelling for secret in secrets if secret for spelling in _spellings(secret)}
    longest_first = sorted(spellings, key=len, reverse=True)

    def without(text: str) -> str:
        for spelling in longest_first:
            text = text.replace(spelling, MARK)
        return redact(text)

    return without


def _spellings(secret: str) -> Iterable[str]:
    yield secret
    yield quote(secret, safe="")
    yield quote_plus(secret)
    for ascii_only in (False, True):
        written = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield written
        yield json.dumps(written)[1:-1]  # a frame quoted inside another text
