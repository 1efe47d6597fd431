"""The one place that builds HTTP clients. `app.http_routes` says which way they go. Imports httpx.

A client reads the environment when it first asks a server. What is wrong there is an `httpx.ConnectError`, so that
callers treat it as any server that cannot be reached; its cause is an `UnusableEnvironment`.
"""

from __future__ import annotations

from typing import Any

import httpx

from app.http_routes import Route, UnusableEnvironment, certificates, route_to

LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=5.0)


def async_client(*, limits: httpx.Limits = LIMITS, **options: Any) -> httpx.AsyncClient:
    """A client that goes the documented ways; `options` as `httpx.AsyncClient` has them."""
    return httpx.AsyncClient(transport=Routed(limits), trust_env=False, **options)


class Routed(httpx.AsyncBaseTransport):
    """Asks each server the way that leads to it."""

    def __init__(self, limits: httpx.Limits = LIMITS) -> None:
        self._limits = limits
        self._ways: dict[Route, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        route = _route(request)
        if route not in self._ways:
            self._ways[route] = httpx.AsyncHTTPTransport(limits=self._limits, **_options(route, request))
        return await self._ways[route].handle_async_request(request)

    async def aclose(self) -> None:
        for way in self._ways.values():
            await way.aclose()


class RoutedSync(httpx.BaseTransport):
    """The same for code that does not run in an event loop."""

    def __init__(self, limits: httpx.Limits = LIMITS) -> None:
        self._limits = limits
        self._ways: dict[Route, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        route = _route(request)
        if route not in self._ways:
            self._ways[route] = httpx.HTTPTransport(limits=self._limits, **_options(route, request))
        return self._ways[route].handle_request(request)

    def close(self) -> None:
        for way in self._ways.values():
            way.close()


def _route(request: httpx.Request) -> Route:
    try:
        return route_to(f"{request.url.scheme}://{request.url.netloc.decode('ascii')}")
    except UnusableEnvironment as problem:
        raise httpx.ConnectError(str(problem), request=request) from problem


def _options(route: Route, request: httpx.Request) -> dict[str, Any]:
    """The options of a transport for a route. Reading certificates takes longer than a local answer, and may fail."""
    try:
        trusted = certificates() if route.secure else None
    except UnusableEnvironment as problem:
        raise httpx.ConnectError(str(problem), request=request) from problem
    options = {"verify": trusted or False, "trust_env": False}
    if route.proxy is None:
        return options
    over_tls = trusted if route.proxy.startswith("https:") else None
    return {**options, "proxy": httpx.Proxy(route.proxy, ssl_context=over_tls)}
