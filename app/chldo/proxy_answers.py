"""Answers of the proxy in one piece: JSON, errors in OpenAI's form, lists, and what is told of unserved paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.chldo.bad_requests import error_body
from app.chldo.response_store import KeptResponse
from app.json_text import dumps
from app.unserved import UnservedRoute, routes_of

ROOT = "/v1/"
LONGEST_PATH = 256
"""Characters of a path that an error repeats."""

MOST_LISTED = 100
"""Items on a page."""


def json_answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    return Response(dumps(body), status, headers, media_type="application/json")


def refusal(
    status: int,
    message: str,
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error in OpenAI's form."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return json_answer(status, error_body(message, kind, param, code), headers)


def item_page(response: KeptResponse, query: Mapping[str, str]) -> Response:
    """A page of what led to a response, as `limit`, `order` and `after` ask for it."""
    limit, order, after = query.get("limit", "20"), query.get("order", "desc"), query.get("after")
    if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit[:9]) <= MOST_LISTED):
        return refusal(400, f"Invalid 'limit': expected 1 to {MOST_LISTED}.", "limit", "invalid_value")
    if order not in ("asc", "desc"):
        return refusal(400, "Invalid value for 'order': 'asc' and 'desc' are supported.", "order", "invalid_value")
    items = [*response.context, *response.items]
    if order == "desc":
        items.reverse()
    names = [item["id"] for item in items]
    start = names.index(after) + 1 if after in names else 0
    page = items[start : start + int(limit)]
    ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {"first_id": None, "last_id": None}
    return json_answer(200, {"object": "list", "data": page, **ends, "has_more": start + len(page) < len(items)})


def unserved(proxy: APIRouter, others: Sequence[APIRouter] = ()) -> APIRouter:
    """The route behind those of the proxy and of the others: what stands below `/v1/` and is not served, in OpenAI's
    form.
    """
    routes = routes_of([proxy, *others])
    served = [
        f"{method} {route.path.replace(':path', '')}"
        for route in routes_of([proxy])
        if route.include_in_schema
        for method in sorted(route.methods or ())
    ]

    def known(path: str) -> bool:
        return any(route.path_regex.match(path) for route in routes)

    def owned(path: str) -> bool:
        if not path.startswith(ROOT) or path == ROOT:
            return False  # the socket of the wire
        # Where there is a path with a slash more or less, Starlette leads the client to it.
        other = path[:-1] if path.endswith("/") else f"{path}/"
        return known(path) or not known(other)

    def refuse(request: Request, methods: Sequence[str]) -> Response:
        asked = f"{request.method} {request.url.path[:LONGEST_PATH]}"
        if methods:
            message = f"{asked}: this path takes {', '.join(methods)}."
            return refusal(405, message, code="method_not_supported")
        return refusal(404, f"Unknown request URL: {asked}. Served are {', '.join(served)}.", code="unknown_url")

    return APIRouter(routes=[UnservedRoute(routes, owned, refuse)])
