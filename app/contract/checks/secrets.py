"""Makes texts of a server fit to be printed: keys are taken out, and what a terminal or a file cannot take. PURE."""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from app.contract.checks.report import Redact
from app.redaction import redact

MARK = "[key]"

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def redactor(secrets: Iterable[str]) -> Redact:
    """Takes these secrets out of a text, however they are spelt in it, and whatever else looks like one.

    Control characters, which could steer a terminal, are shown as `\\x1b`; halves of surrogate pairs, which have no
    UTF-8, as the replacement character.
    """
    spellings = {spelling for secret in secrets if secret for spelling in _spellings(secret)}
    longest_first = sorted(spellings, key=len, reverse=True)

    def without(text: str) -> str:
        for spelling in longest_first:
            text = text.replace(spelling, MARK)
        return redact(text).translate(_CONTROLS).encode("utf-8", "replace").decode()

    return without


def _spellings(secret: str) -> Iterable[str]:
    yield secret
    yield quote(secret, safe="")
    yield quote_plus(secret)
    for ascii_only in (False, True):
        written = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield written
        yield json.dumps(written)[1:-1]  # a frame quoted inside another text
