"""Paths that a wire owns and does not serve, and methods that they do not take: errors in the wire's own shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

Refuse = Callable[[Request, Sequence[str]], Response]
"""Makes the answer to a request. The methods that its path takes are given, sorted; there are none for no path."""


class UnservedRoute(Route):
    """Comes after all `routes` and takes the paths that none of them serves, as far as `owned` says of a path."""

    def __init__(self, routes: Iterable[BaseRoute], owned: Callable[[str], bool], refuse: Refuse) -> None:
        super().__init__("/{rest:path}", self._answer, methods=None, include_in_schema=False)
        self.methods = None
        self._routes = [route for route in routes if isinstance(route, Route)]
        self._owned = owned
        self._refuse = refuse

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return (match, found) if match is Match.FULL and self._owned(scope["path"]) else (Match.NONE, {})

    async def _answer(self, request: Request) -> Response:
        there = (route for route in self._routes if route.matches(request.scope)[0] is Match.PARTIAL)
        methods = sorted({method for route in there for method in route.methods or ()})
        answer = self._refuse(request, methods)
        if methods:
            answer.headers["Allow"] = ", ".join(methods)
        return answer


def routes_of(routers: Iterable[APIRouter]) -> list[Route]:
    """The HTTP routes of some routers."""
    return [route for router in routers for route in router.routes if isinstance(route, Route)]
