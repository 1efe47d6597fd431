"""Where webhooks may lead. A name is looked up once, all its addresses are judged, and only these are connected to: so
a name that resolves to something else a moment later (DNS rebinding) gains nothing. Redirects are never followed.

Imports httpcore, when first used.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from app.addresses import literal_address, why_not_connect
from app.emulation.outgoing import user_agent
from app.hashee.webhook_urls import check_url

if TYPE_CHECKING:
    import httpcore

log = logging.getLogger("app.hashee.webhooks")

Resolve = Callable[[str, int], Awaitable[list[str]]]

LOOKUP = 5.0
"""Seconds to find a host's addresses."""

CONNECT = 2.0
"""Seconds after which the next address of a host is tried."""

MOST_ADDRESSES = 8
"""Addresses of a host that are tried."""

ANSWER_LIMIT = 64 * 1024
"""Bytes of an answer that are read."""

ANSWER_TIMEOUT = 1.0
"""Seconds that the body of an answer may take."""

MOST_CONNECTIONS = 64


class TargetRefused(OSError):
    """An address that webhooks may not go to."""


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, by the system."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def allowed(host: str, port: int, *, secure: bool, private: bool, look: Resolve = resolve) -> list[str]:
    """The addresses to connect to, in the order to try them. Raises `TargetRefused` if one of them may not be."""
    try:
        async with asyncio.timeout(LOOKUP):
            addresses = await look(host, port)
    except (TimeoutError, OSError, UnicodeError) as error:
        raise TargetRefused(f"{host} cannot be found") from error
    if not addresses:
        raise TargetRefused(f"{host} has no address")
    for text in addresses:
        address = literal_address(text)
        why = f"{text} is no address" if address is None else why_not_connect(address, secure=secure, private=private)
        if why:
            raise TargetRefused(why)
    return addresses[:MOST_ADDRESSES]


class Outbound:
    """POSTs to where webhooks may lead, and nowhere else. `timeout` in seconds, for a whole try."""

    def __init__(self, *, private: bool, timeout: float, look: Resolve = resolve) -> None:
        self._private = private
        self._timeout = timeout
        self._look = look
        self._pools: dict[str, httpcore.AsyncConnectionPool] = {}

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer. It counts as soon as the header is there: the body is read and thrown away, and
        one that breaks, or does not end, changes nothing.

        Raises OSError (`TargetRefused`, a connection that fails, TimeoutError) with a text that says why.
        """
        import httpcore

        why = check_url(url, private=self._private)
        if why:
            raise TargetRefused(why)
        pool = self._pool(urlsplit(url).scheme)
        given = [*headers.items(), ("Content-Length", str(len(body))), ("User-Agent", user_agent("hashee webhook"))]
        try:
            async with asyncio.timeout(self._timeout) as timeout:
                async with pool.stream("POST", url, headers=given, content=body) as answer:
                    timeout.reschedule(None)
                    await _read_away(answer)
                    return int(answer.status)
        except httpcore.NetworkError as error:
            raise OSError(str(error) or "the connection failed") from error
        except (httpcore.ProtocolError, httpcore.TimeoutException, httpcore.UnsupportedProtocol) as error:
            raise OSError(f"{type(error).__name__}: {error}".strip(": ")) from error

    async def close(self) -> None:
        """Closes what is open."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.aclose()

    def _pool(self, scheme: str) -> httpcore.AsyncConnectionPool:
        known = self._pools.get(scheme)
        if known is None:
            import httpcore

            judge = partial(allowed, secure=scheme == "https", private=self._private, look=self._look)
            known = self._pools[scheme] = httpcore.AsyncConnectionPool(
                max_connections=MOST_CONNECTIONS,
                max_keepalive_connections=0,  # an address is judged for each try
                network_backend=_guarded(judge, self._timeout),
            )
        return known


async def _read_away(answer: httpcore.Response) -> None:
    """Reads a body within its limits: a server whose answer is not taken may log a broken connection."""
    import httpcore

    left = ANSWER_LIMIT
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            async for part in answer.aiter_stream():
                left -= len(part)
                if left < 0:
                    return
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
        log.debug("the body of a webhook's answer is not whole: %s", error or type(error).__name__)


def _guarded(judge: Callable[[str, int], Awaitable[list[str]]], patience: float) -> httpcore.AsyncNetworkBackend:
    """A network that connects to judged addresses only, one after the other until one takes the connection; TLS still
    asks for the host by its name. `patience`: seconds for all of it.
    """
    import httpcore

    class Guarded(httpcore.AsyncNetworkBackend):
        def __init__(self) -> None:
            self._inner = httpcore.AnyIOBackend()

        async def connect_tcp(
            self,
            host: str,
            port: int,
            timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
            local_address: str | None = None,
            socket_options: Iterable[Any] | None = None,
        ) -> httpcore.AsyncNetworkStream:
            try:
                *others, last = await judge(host, port)
            except TargetRefused as refused:
                raise httpcore.ConnectError(str(refused)) from refused
            within = min(CONNECT, patience / (len(others) + 1), timeout or CONNECT)
            for address in others:
                try:
                    return await self._inner.connect_tcp(address, port, within, local_address, socket_options)
                except (httpcore.ConnectError, httpcore.ConnectTimeout):
                    continue
            return await self._inner.connect_tcp(last, port, timeout, local_address, socket_options)

        async def sleep(self, seconds: float) -> None:
            await self._inner.sleep(seconds)

    return Guarded()
