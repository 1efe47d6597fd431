"""Finds out that a peer is gone although its connection is not: a machine that was switched off sends no goodbye."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from app.emulation.determinism import Clock
from app.emulation.lines import PING, PONGS, RESET, Line

log = logging.getLogger("app.lines")

CODE, REASON = 1011, "keepalive ping timeout"
"""How websockets and uvicorn close then."""

GRACE = 5.0
"""Seconds that the peer may take to answer the close frame before the connection is reset."""


def pongs(scope: Mapping[str, Any]) -> int | None:
    """How many control pongs have come; None where the server does not count them."""
    counted = scope.get("extensions", {}).get(PONGS)
    return None if counted is None else int(counted["count"])


async def keep_alive(
    line: Line, scope: Mapping[str, Any], clock: Clock, *, interval: float, answer_within: float, grace: float = GRACE
) -> None:
    """Pings every `interval` seconds until cancelled; closes the socket when `answer_within` seconds bring no pong, and
    resets the connection `grace` seconds later. `clock`: the machine's, as this is about a real network.
    """
    if pongs(scope) is None:
        return
    try:
        while True:
            await clock.sleep(interval)
            before = pongs(scope)
            await line.asgi_send({"type": PING})
            await clock.sleep(answer_within)
            if pongs(scope) == before:
                break
        log.info("connection %s does not answer pings", line.id, extra={"connection_id": line.id})
        await line.close(CODE, REASON, "server")
        await clock.sleep(grace)
        await line.asgi_send({"type": RESET})
    except OSError as gone:
        log.debug("connection %s was gone: %s", line.id, gone)
