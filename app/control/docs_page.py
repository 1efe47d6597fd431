"""The page that describes all endpoints: Swagger UI, from this server alone, so that it works offline."""

from __future__ import annotations

import gzip
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response

from app.control.refusals import PREFIX

FOLDER = Path(__file__).parent / "pages" / "swagger_ui"
FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
"""What the page loads, and their media types. They are kept compressed."""


def docs_routes() -> APIRouter:
    """The page and its files. Addresses are relative, for a proxy may serve them under a path of its own."""
    routes = APIRouter(prefix=PREFIX, include_in_schema=False)

    @routes.get("/docs")
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title="chldo emulator: endpoints",
            swagger_js_url="docs/swagger-ui-bundle.js",
            swagger_css_url="docs/swagger-ui.css",
            swagger_favicon_url="data:,",
            swagger_ui_parameters={"validatorUrl": None},  # or it asks a validator on the network
        )

    @routes.get("/docs/{name}")
    async def file(name: str, request: Request) -> Response:
        if name not in FILES:
            raise HTTPException(404, f"no such file; there are: {', '.join(FILES)}")
        packed = FOLDER / f"{name}.gz"
        headers = {"Vary": "Accept-Encoding", "Cache-Control": "max-age=3600"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return FileResponse(packed, media_type=FILES[name], headers={**headers, "Content-Encoding": "gzip"})
        return Response(gzip.decompress(packed.read_bytes()), media_type=FILES[name], headers=headers)

    return routes
