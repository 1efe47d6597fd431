"""What a browser finds at `/`: what this server is, what to paste, where to go on. Programs get the same as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, JSONResponse, Response

from app.control.refusals import PREFIX
from app.demo import chat_command, console_snippet
from app.forwarding import base_url

PAGE = Path(__file__).parent / "pages" / "home.html"


class Home(BaseModel):
    """What this server is. `docs` and `openapi` are null where the control plane is switched off."""

    name: str = Field(examples=["chldo emulator"])
    version: str = Field(examples=["0.1.0"])
    revision: str = Field(examples=["2024-11-13"])
    ready: bool
    sockets: dict[str, str] = Field(
        description="Paths of its WebSockets, and their wires.", examples=[{"/v3/": "chldo"}]
    )
    health: str = Field(examples=[f"{PREFIX}/health"])
    docs: str | None = Field(examples=[f"{PREFIX}/docs"])
    openapi: str | None = Field(examples=[f"{PREFIX}/openapi.json"])


@dataclass(frozen=True, slots=True)
class HomeFacts:
    """What the page tells. `report`: the facts of the health page; `sockets`: paths and their wires; `demo`: the path
    at which the demo key is known, None where it is not; `control`: whether the control plane is there.
    """

    report: Callable[[], dict[str, Any]]
    sockets: Callable[[], Mapping[str, str]]
    demo: str | None
    control: bool


def home_routes(facts: HomeFacts) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["emulator"])

    @routes.get(
        "/",
        summary="What this server is: JSON, or a page for browsers",
        response_model=Home,
        responses={200: {"content": {"text/html": {}}}},
    )
    async def home(request: Request) -> Response:
        told = _home(facts)
        vary = {"Vary": "Accept"}
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse(told.model_dump(), headers=vary)
        return HTMLResponse(_page(told, base_url(request.scope), facts.demo), headers=vary)

    return routes


def _home(facts: HomeFacts) -> Home:
    report = facts.report()
    return Home(
        name="chldo emulator",
        version=report["version"],
        revision=report["revision"],
        ready=report["ready"],
        sockets=dict(facts.sockets()),
        health=f"{PREFIX}/health",
        docs=f"{PREFIX}/docs" if facts.control else None,
        openapi=f"{PREFIX}/openapi.json" if facts.control else None,
    )


def _page(home: Home, base: str, demo: str | None) -> str:
    """The page. Its links are relative, for a proxy may serve it under a path of its own."""
    socket = "ws" + base.removeprefix("http")
    links = [(home.health, "Health", "whether it serves turns, and facts")]
    if home.docs is not None:
        links = [
            (home.docs, "Endpoints", "of all wires and of the control plane, to read and to try"),
            (f"{PREFIX}/schema/", "Schemas", "AsyncAPI, JSON Schema, TypeScript and Python"),
            *links,
        ]
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        version=escape(home.version),
        revision=escape(home.revision),
        state="ready" if home.ready else "starting",
        paste="" if demo is None else _paste(f"{socket}{demo}"),
        links="\n".join(
            f'<tr><td><a href="{escape(path.lstrip("/"))}">{name}</a></td><td class="soft">{about}</td></tr>'
            for path, name, about in links
        ),
        sockets="\n".join(
            f'<tr><td><code>{escape(socket + path)}</code></td><td class="soft">{escape(wire)}</td></tr>'
            for path, wire in home.sockets.items()
        ),
    )


def _paste(socket: str) -> str:
    return (
        "<h2>Talk to it</h2>\n<p>In a terminal:</p>\n"
        f"<pre>{escape(chat_command('chldo-emulator', socket))}</pre>\n"
        "<p>Or in the console of this page (F12; the first time, Chrome wants you to type <code>allow pasting</code>):"
        f"</p>\n<pre>{escape(console_snippet(socket))}</pre>"
    )
