"""Paths of the wire that lead nowhere, and methods that they do not take: errors in the wire's own shape."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

from app.hashee.refusals import Refused
from app.hashee.rest.routes import refusal_answer


class _Elsewhere(Route):
    """What comes after all `routes` and takes every path below their first segments."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        super().__init__("/{rest:path}", self._answer, methods=None, include_in_schema=False)
        self.methods = None
        self._routes = [route for route in routes if isinstance(route, Route)]
        self._segments = frozenset(route.path.split("/")[1] for route in self._routes)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        if match is not Match.FULL:
            return match, found
        rest = found["path_params"]["rest"]
        if rest.endswith("/") or rest.partition("/")[0] not in self._segments:
            return Match.NONE, {}  # with a slash too many, one is led to the path without it
        return match, found

    async def _answer(self, request: Request) -> Response:
        allowed = sorted(self._allowed(request.scope))
        if not allowed:
            return refusal_answer(Refused("NOT_FOUND", f"No such endpoint: {request.url.path}"))
        told = f"{request.url.path} takes {', '.join(allowed)}"
        answer = refusal_answer(Refused("METHOD_NOT_ALLOWED", told))
        answer.headers["Allow"] = ", ".join(allowed)
        return answer

    def _allowed(self, scope: Scope) -> set[str]:
        there = (route for route in self._routes if route.matches(scope)[0] is Match.PARTIAL)
        return {method for route in there for method in route.methods or ()}


def elsewhere(routers: Iterable[APIRouter]) -> APIRouter:
    """The route behind those of all routers."""
    return APIRouter(routes=[_Elsewhere([route for router in routers for route in router.routes])])
