"""Which pages may call the HTTP endpoints, and with what: CORS as the setting `cors` and the wires have it."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

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
