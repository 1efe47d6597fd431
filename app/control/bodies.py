"""Bodies that are read like fixture files: the same readers, the same words for what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from fastapi import Request

from app.bodies import OFF_LOOP
from app.control.refusals import Refused
from app.emulation.documents import read_data
from app.emulation.nodes import Problem
from app.emulation.report import FixtureError, Item, Report

T = TypeVar("T")

_YAML = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")


async def read_body(request: Request, read: Callable[[Item], T]) -> T:
    """What a reader makes of the body. Raises `Refused` with everything that is wrong with it."""
    data = await request.body()
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    json = kind not in _YAML
    if len(data) > OFF_LOOP:
        return await asyncio.to_thread(_read, data, json, read)
    return _read(data, json, read)


def _read(data: bytes, json: bool, read: Callable[[Item], T]) -> T:
    if json:
        try:
            orjson.loads(data)  # strictly: what a rule or a reply says is meant, and is used
        except orjson.JSONDecodeError as error:
            raise Refused(400, f"body: expected valid JSON, found an error at {error.pos}: {error.msg}") from None
    report = Report()
    root, problems = read_data(data, "body", json=json)
    report.note(*problems)
    found = read(Item.whole_file(root, "body", report)) if root is not None else None
    try:
        report.close()
    except FixtureError as error:
        more = [f"and {error.more} more problems"] if error.more else []
        raise Refused(400, *map(_line, error.problems), *more) from None
    assert found is not None
    return found


def _line(problem: Problem) -> str:
    place = {"file": "body", "": '""'}.get(problem.key, problem.key)
    return f"{place}: {problem.message}"


def body_of(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    """What OpenAPI is told of such a body; to be given to a route as `openapi_extra`."""
    content = {kind: {"schema": schema, "example": example} for kind in ("application/json", _YAML[0])}
    return {"requestBody": {"required": True, "content": content}}
