"""Paths of the wire that lead nowhere, and methods that they do not take: errors in the wire's own shape."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.hashee.refusals import Refused
from app.hashee.rest.routes import refusal_answer
from app.unserved import UnservedRoute, routes_of


def elsewhere(routers: Iterable[APIRouter]) -> APIRouter:
    """The route behind those of all routers. It takes every path below their first segments."""
    routes = routes_of(routers)
    segments = frozenset(route.path.split("/")[1] for route in routes)

    def owned(path: str) -> bool:
        # With a slash too many, one is led to the path without it.
        return not path.endswith("/") and path[1:].partition("/")[0] in segments

    return APIRouter(routes=[UnservedRoute(routes, owned, _refuse)])


def _refuse(request: Request, methods: Sequence[str]) -> Response:
    path = request.url.path
    if not methods:
        return refusal_answer(Refused("NOT_FOUND", f"No such endpoint: {path}"))
    return refusal_answer(Refused("METHOD_NOT_ALLOWED", f"{path} takes {', '.join(methods)}"))
