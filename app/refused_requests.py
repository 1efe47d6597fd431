"""The log line of a request or handshake that is refused, the same for all doors."""

from __future__ import annotations

import logging

from app.redaction import redact

log = logging.getLogger("app.http")

LONGEST_SHOWN = 200
"""Characters of a path, an origin or a reason that are shown."""


def log_refused(what: str, path: str, status: int, reason: str, origin: str | None) -> None:
    """Says at INFO that something was refused. `what`: "handshake" or "request"."""
    path, reason, origin = shown(path), shown(reason), shown(origin or "")
    about = {"event": "refused", "what": what, "path": path, "status": status, "reason": reason, "origin": origin}
    log.info("%s %s refused: %d %s (origin: %s)", what, path or "-", status, reason, origin or "none", extra=about)


def shown(text: str) -> str:
    """The beginning of a text as one line, without secrets. Cut before it is searched: it may be of any length."""
    cut = text[: 2 * LONGEST_SHOWN]
    line = "".join(letter if letter.isprintable() else "?" for letter in redact(cut))
    return line if len(line) <= LONGEST_SHOWN else f"{line[:LONGEST_SHOWN]}…"
