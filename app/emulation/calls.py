"""HTTP calls in the journal: what was asked, what was answered, how long it took. ASGI, for any application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from app.emulation.determinism import RealClock
from app.emulation.journal import Journal

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Event, Receive, Send], Awaitable[None]]

LONGEST_QUERY = 2_000
"""Characters of a query that are kept."""


class Calls:
    """Writes every call to the journal but those whose path begins with `except_under`."""

    def __init__(self, journal: Journal, *, except_under: str) -> None:
        self._journal = journal
        self._except = except_under
        self._machine = RealClock()

    async def __call__(self, app: App, scope: Event, receive: Receive, send: Send) -> None:
        """Lets `app` answer a call of type `http`."""
        path: str = scope["path"]
        if not self._journal.enabled or path.startswith(self._except):
            await app(scope, receive, send)
            return
        began = self._machine.monotonic()
        status = size = 0

        async def tapped(event: Event) -> None:
            nonlocal status, size
            if event["type"] == "http.response.start":
                status = event["status"]
            elif event["type"] == "http.response.body":
                size += len(event.get("body") or b"")
            await send(event)

        try:
            await app(scope, receive, tapped)
        finally:
            detail: dict[str, Any] = {
                "method": scope["method"],
                "path": path[:LONGEST_QUERY],
                "query": scope.get("query_string", b"").decode("ascii", "replace")[:LONGEST_QUERY],
                "status": status,
                "bytes": size,
                "seconds": round(self._machine.monotonic() - began, 6),
            }
            self._journal.write("http", detail=detail)
