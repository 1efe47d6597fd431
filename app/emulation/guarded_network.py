"""A network for httpcore that connects to judged addresses only. A name is looked up once, all its addresses are
judged, and only these are connected to: so a name that resolves to something else a moment later (DNS rebinding) gains
nothing, and neither does an odd spelling of an address (`http://2130706433/`, `127.1`).

Imports httpcore, when first used.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from app.addresses import literal_address, why_not_connect

if TYPE_CHECKING:
    import httpcore

Resolve = Callable[[str, int], Awaitable[list[str]]]
Judge = Callable[[str, int], Awaitable[list[str]]]

LOOKUP = 5.0
"""Seconds to find a host's addresses."""

CONNECT = 2.0
"""Seconds after which the next address of a host is tried."""

MOST_ADDRESSES = 8
"""Addresses of a host that are tried."""


class TargetRefused(OSError):
    """An address that may not be connected to."""


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


def guarded_network(judge: Judge, patience: float) -> httpcore.AsyncNetworkBackend:
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
