"""Is it alive, is it ready: `/_emulator/health`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse


def health_routes(report: Callable[[], dict[str, Any]]) -> APIRouter:
    """The routes. `report` gives the facts, among them `ready`."""
    routes = APIRouter(prefix="/_emulator", tags=["emulator"])

    @routes.get("/health", summary="Facts; 200 as soon as the program listens")
    async def health() -> dict[str, Any]:
        """`ready` is false until the store, the graphs and the fixtures are loaded (a second or two after the
        start).
        """
        return {"status": "ok", **report()}

    @routes.get("/health/live", summary="200 while the program runs")
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @routes.get("/health/ready", summary="200 when turns are served, 503 before", responses={503: {}})
    async def ready() -> JSONResponse:
        facts = report()
        return JSONResponse(
            {"status": "ok" if facts["ready"] else "starting"}, status_code=200 if facts["ready"] else 503
        )

    return routes
