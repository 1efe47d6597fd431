"""What there is: `/_emulator/`; and all routes of the control plane together."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from app.control.clock import clock_routes
from app.control.connections import connection_routes
from app.control.faults import fault_routes
from app.control.fixtures import fixture_routes
from app.control.journal import journal_routes
from app.control.plane import Plane, router
from app.control.refusals import PREFIX
from app.control.replies import reply_routes
from app.control.reset import reset_routes
from app.control.revisions import revision_routes
from app.control.snapshots import snapshot_routes
from app.control.spaces import space_routes

_NOUNS = (
    *(reset_routes, snapshot_routes, space_routes, clock_routes, fault_routes, reply_routes, fixture_routes),
    *(journal_routes, connection_routes, revision_routes),
)


class Endpoint(BaseModel):
    """Something that can be asked."""

    method: str = Field(examples=["POST"])
    path: str = Field(examples=["/_emulator/reset"])
    about: str


class Index(BaseModel):
    """Every endpoint under `/_emulator`. `docs` explains them, `openapi` is for programs."""

    endpoints: list[Endpoint]
    docs: str = Field(examples=["/_emulator/docs"])
    openapi: str = Field(examples=["/_emulator/openapi.json"])


def control_routes(plane: Plane) -> list[BaseRoute]:
    """Every route of the control plane, behind its guard."""
    routes = router(plane, "index")

    @routes.get("/", summary="Every endpoint of the control plane")
    async def index(request: Request) -> Index:
        app: Any = request.app
        paths: dict[str, dict[str, Any]] = app.openapi()["paths"]
        found = [
            Endpoint(method=method.upper(), path=path, about=operation.get("summary", ""))
            for path, methods in paths.items()
            if path.startswith(PREFIX)
            for method, operation in methods.items()
        ]
        return Index(endpoints=found, docs=app.docs_url, openapi=app.openapi_url)

    return [route for part in (routes, *(noun(plane) for noun in _NOUNS)) for route in part.routes]
