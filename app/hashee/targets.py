"""Where webhooks may lead: to judged addresses only. Redirects are never followed.

Imports httpcore, when first used.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.emulation.guarded_network import Resolve, allowed, guarded_network, resolve
from app.emulation.outgoing import user_agent
from app.hashee.webhook_urls import check_url

if TYPE_CHECKING:
    import httpcore

log = logging.getLogger("app.hashee.webhooks")

ANSWER_LIMIT = 64 * 1024
"""Bytes of an answer that are read."""

ANSWER_TIMEOUT = 1.0
"""Seconds that the body of an answer may take."""

MOST_CONNECTIONS = 64


class NotReached(OSError):
    """A webhook that was not called: its URL or address may not be used, or nobody is there."""


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

        Raises OSError with a text that says why, `NotReached` where nothing can have been received.
        """
        import httpcore

        why = check_url(url, private=self._private)
        if why:
            raise NotReached(why)
        pool = self._pool(urlsplit(url).scheme)
        given = [*headers.items(), ("Content-Length", str(len(body))), ("User-Agent", user_agent("hashee webhook"))]
        try:
            async with asyncio.timeout(self._timeout) as timeout:
                async with pool.stream("POST", url, headers=given, content=body) as answer:
                    timeout.reschedule(None)
                    await _read_away(answer)
                    return int(answer.status)
        except httpcore.ConnectError as error:
            raise NotReached(str(error) or "the connection failed") from error
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
                network_backend=guarded_network(judge, self._timeout),
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
