"""How the control plane says no: one line that names the place, as `{"message": …}`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, get_args, get_origin

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Scope

from app.bodies import BoundedRequest
from app.emulation.nodes import LARGEST_FILE, one_line
from app.spaces.failures import StoreFailure

log = logging.getLogger("app.control")

PREFIX = "/_emulator"

LARGEST_BODY = LARGEST_FILE
"""Bytes of a request's body."""

_SHOWN_PROBLEMS = 100
_WHERE = ("body", "query", "path", "header")


class Problem(BaseModel):
    """Why a request was not done. Nothing has changed then."""

    message: str = Field(examples=['faults[0].when.turn: expected a whole number from 1 to 1000000000, found "x"'])
    problems: list[str] | None = Field(None, description="All that is wrong, where it is more than one thing.")


class Refused(HTTPException):
    """A request that is not done. `status` is HTTP's; `lines` say why, the first of them first."""

    def __init__(self, status: int, *lines: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, lines[0], headers)
        self.lines = lines


def refusal(status: int, *lines: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a request that is not done."""
    told = [one_line(line) for line in lines]
    body: dict[str, Any] = {"message": told[0]}
    if len(told) > 1:
        body["problems"] = told[:_SHOWN_PROBLEMS]
    return Response(orjson.dumps(body), status, headers, "application/json")


class ControlRoute(APIRoute):
    """A route that says no in the control plane's own way."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(BoundedRequest(_as_json(request.scope), request.receive, limit=LARGEST_BODY))
            except RequestValidationError as error:
                return refusal(400, *_lines(error.errors()))
            except Refused as no:
                return refusal(no.status_code, *no.lines, headers=no.headers)
            except HTTPException as no:
                return refusal(no.status_code, f"body: {no.detail}")
            except (StoreFailure, OSError) as failure:
                log.error("%s %s failed: %s", request.method, request.url.path, failure)
                return refusal(503, str(failure))

        return answer


async def known_parameters(request: Request) -> None:
    """A dependency of every route of the control plane, a wire's included. Raises `RequestValidationError`, which each
    words in its own way, for a query parameter that is not known, or that is given several times where one is meant.
    """
    lists = {"token": False, **_query_names(request.scope["route"].dependant)}
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in lists:
            others = ", ".join(sorted(lists.keys() - {"token"})) or "none"
            raise _wrong(name, "unknown_parameter", f"no such parameter; known: {others}")
        if name in seen and not lists[name]:
            raise _wrong(name, "several_values", "expected one value, found several")
        seen.add(name)


def _wrong(name: str, kind: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"type": kind, "loc": ("query", name), "msg": message}])


def _as_json(scope: Scope) -> Scope:
    """A body is JSON unless it says that it is YAML: `curl -d` calls it a form."""
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    if kinds and not kinds[0].startswith((b"application/x-www-form-urlencoded", b"text/plain")):
        return scope
    headers = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
    return {**scope, "headers": [*headers, (b"content-type", b"application/json")]}


def _query_names(dependant: Any) -> dict[str, bool]:
    """The query parameters of a route and of what it depends on, and whether each may be given several times; those of
    a model are its fields.
    """
    names: dict[str, bool] = {}
    for field in dependant.query_params:
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names |= {inner.alias or name: _is_list(inner.annotation) for name, inner in kind.model_fields.items()}
        else:
            names[field.alias] = _is_list(kind)
    for one in dependant.dependencies:
        names |= _query_names(one)
    return names


def _is_list(annotation: Any) -> bool:
    return any(get_origin(part) is list for part in (annotation, *get_args(annotation)))


def _lines(errors: Sequence[Any]) -> list[str]:
    return [_line(error) for error in errors] or ["body: cannot be read"]


def _line(error: dict[str, Any]) -> str:
    where = list(error["loc"])
    if where and where[0] in _WHERE:
        source, *where = where
        where = where if where and error["type"] != "json_invalid" else [source]
    key = ""
    for part in where:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else str(part)
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "json_invalid":
        message = f"expected valid JSON, found an error at {error['loc'][-1]}: {error.get('ctx', {}).get('error', '')}"
    elif error["type"] == "extra_forbidden":
        message = "no such key"
    return f"{key}: {message}"


def describe(schema: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with this way of saying no, and without FastAPI's own."""
    for path, methods in schema["paths"].items():
        if path.startswith(f"{PREFIX}/"):
            for operation in methods.values():
                operation["responses"].pop("422", None)
    schema.setdefault("components", {}).setdefault("schemas", {})[Problem.__name__] = Problem.model_json_schema()
    return schema


async def no_such_endpoint(request: Request, error: Exception) -> Response:
    """The answer to a path or a method that is not there; for the control plane in its own words."""
    from fastapi.exception_handlers import http_exception_handler

    assert isinstance(error, HTTPException)
    if not request.url.path.startswith(f"{PREFIX}/"):
        return await http_exception_handler(request, error)
    if error.status_code == 405:
        allowed = Headers(error.headers).get("allow", "")
        line = f"{request.method} {request.url.path}: no such method; allowed: {allowed}"
    elif error.status_code == 404:
        line = f"{request.method} {request.url.path}: no such endpoint; GET {PREFIX}/ lists them"
    else:
        line = str(error.detail)
    return refusal(error.status_code, line, headers=dict(error.headers or {}))
