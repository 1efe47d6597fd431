"""Which pages may call the HTTP endpoints, and with what: CORS as the setting `cors` and the wires have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.addresses import is_loopback

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
EXPOSED = (
    *("Accept-Ranges", "Content-Disposition", "Content-Length", "Content-Range", "ETag", "Location"),
    *("Last-Modified", "Retry-After"),
)
"""Headers of an answer that a page of another origin may read."""


class Cors:
    """A middleware. `origins`: those of the setting; `credentialed`: the prefixes of paths to which any page that may
    call may also send credentials, its origin being echoed.
    """

    def __init__(self, app: ASGIApp, *, origins: Sequence[str], credentialed: Sequence[str]) -> None:
        def allowing(credentials: bool) -> CORSMiddleware:
            return CORSMiddleware(
                app,
                allow_origins=origins,
                allow_credentials=credentials,
                allow_methods=METHODS,
                allow_headers=["*"],
                expose_headers=EXPOSED,
            )

        # Cookies (of Hashee's refresh) are for pages that are named: with `*` browsers do not send them anywhere.
        self._plain = allowing("*" not in origins)
        self._credentialed = allowing(True)
        self._prefixes = tuple(credentialed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        chosen = self._credentialed if scope.get("path", "").startswith(self._prefixes) else self._plain
        await chosen(scope, receive, send)


@dataclass(frozen=True, slots=True)
class SocketOrigins:
    """Which pages may open WebSockets. Browsers do not ask before they do, and tell the origin only.

    With `*` all may. Otherwise those of the named origins, and the pages of this server itself under a name that is
    its own (`host`, or loopback): a name that somebody points at this machine later (DNS rebinding) is not. Programs
    that are no browser send no origin, and may.
    """

    origins: frozenset[str]
    host: str

    def admit(self, scope: Scope) -> bool:
        """Whether a socket may be opened."""
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is None or "*" in self.origins or origin in self.origins:
            return True
        page, asked = host_of(origin.partition("://")[2]), host_of(headers.get("host", ""))
        own = is_loopback(asked[0]) or asked[0] == self.host.lower()
        return own and page == asked and page[0] != ""


def host_of(netloc: str) -> tuple[str, int | None]:
    """Name, in lower case, and port of `host:port`; "" for what cannot be read."""
    try:
        parts = urlsplit(f"//{netloc}")
        return (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "", None
