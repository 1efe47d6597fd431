"""The server that is recorded: where it is, how it is reached, and which headers go there and back."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from websockets.uri import WebSocketURI

CONNECT_TIMEOUT = 15.0
"""Seconds for a TCP connection and its TLS handshake."""

READ_AT_ONCE = 64 * 1024

_OF_ONE_HOP = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)
_OF_THE_HANDSHAKE = frozenset(
    f"sec-websocket-{name}" for name in ("key", "version", "extensions", "accept", "protocol")
)

Headers = list[tuple[str, str]]


class UpstreamError(Exception):
    """An upstream that cannot be used; the text is one line."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where requests go: `prefix` (without a slash at its end) stands before the client's path, `query` before its
    query. `tls` is None for ws://.
    """

    host: str
    port: int
    prefix: str
    query: str
    tls: ssl.SSLContext | None

    @property
    def authority(self) -> str:
        """Host and port as the header `Host` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    def target(self, asked: str) -> str:
        """Path and query there for what a client asked here."""
        path, _, query = asked.partition("?")
        both = "&".join(part for part in (self.query, query) if part)
        return (self.prefix + path) + (f"?{both}" if both else "")

    def url(self, asked: str, scheme: str = "ws") -> str:
        """The whole address there; `scheme` is `ws` or `http`."""
        return f"{scheme}{'s' if self.tls else ''}://{self.authority}{self.target(asked)}"

    def uri(self, asked: str) -> WebSocketURI:
        """The same, for a client's protocol."""
        path, _, query = self.target(asked).partition("?")
        return WebSocketURI(self.tls is not None, self.host, self.port, path, query, None, None)

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection. Raises OSError (TLS errors are such) or TimeoutError."""
        async with asyncio.timeout(CONNECT_TIMEOUT):
            return await asyncio.open_connection(
                self.host,
                self.port,
                ssl=self.tls,
                server_hostname=self.host if self.tls else None,
                limit=READ_AT_ONCE,
            )


def upstream_of(url: str, *, ca: Path | None = None, insecure: bool = False) -> Upstream:
    """The upstream at a ws:// or wss:// URL. `ca`: a PEM file whose authorities are trusted beside the system's;
    `insecure`: any certificate is. Raises `UpstreamError`.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # whose text may quote a password
        raise UpstreamError(f"no valid URL: {url!r}") from None
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise UpstreamError(f"expected wss://host[:port][/path] or ws://…, found {url!r}")
    if parts.username is not None or parts.password is not None:
        raise UpstreamError("a user and a password in the URL are not supported: the client's own headers go through")
    if parts.fragment:
        raise UpstreamError("a WebSocket URL has no fragment (#…)")
    if not url.isascii() or any(letter.isspace() for letter in url):
        raise UpstreamError("expected a URL of ASCII characters without blanks, the others percent-encoded")
    secure = parts.scheme == "wss"
    return Upstream(
        host=parts.hostname,
        port=port or (443 if secure else 80),
        prefix=parts.path.rstrip("/"),
        query=parts.query,
        tls=_context(ca, insecure=insecure) if secure else None,
    )


def _context(ca: Path | None, *, insecure: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except (OSError, ssl.SSLError) as error:
            why = "no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
            raise UpstreamError(f"cannot use the authorities in {ca}: {why}") from None
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def passed_on(headers: Iterable[tuple[str, str]], *, without: Iterable[str] = ()) -> Headers:
    """The headers of a request or an answer that are for the other end, in their order and as they were spelt."""
    given = list(headers)
    named = {
        option.strip().lower() for name, value in given if name.lower() == "connection" for option in value.split(",")
    }
    left_out = _OF_ONE_HOP | _OF_THE_HANDSHAKE | named | set(without)
    return [(name, value) for name, value in given if name.lower() not in left_out]


def why_not(error: Exception, upstream: Upstream) -> str:
    """A failure to reach the upstream, in one line."""
    at = upstream.authority
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {at} is not trusted ({error.verify_message}); --ca names an authority that is"
    if isinstance(error, TimeoutError):
        return f"{at} does not answer in time"
    if isinstance(error, OSError):
        return f"cannot reach {at}: {error.strerror or error}"
    return f"no valid answer from {at}: {error}"
