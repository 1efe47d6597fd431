"""REST of the info host: what a memory holds."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from app.chldo.gateway import STARTING
from app.spaces.failures import StoreFailure
from app.spaces.models import Memory

UNKNOWN = "memory is not exist"
UNREADABLE = "The store cannot be read, try again."

log = logging.getLogger("app.chldo")

_UID = re.compile(r"[0-9a-f]{17}")


class Memories(Protocol):
    """Who knows the memories; the store."""

    async def memory(self, uid: str) -> Memory | None: ...


def memory_routes(store: Callable[[], Awaitable[Memories | None]]) -> APIRouter:
    """The route. `store` gives the store once the program is ready, None if it is not in time."""
    routes = APIRouter()

    @routes.get("/v4/memory/{uid}", summary="What a memory holds", responses={404: {}, 503: {}})
    async def memory(uid: str) -> Response:
        """`{"uid", "name", "type", "value"}`. A text has type `text`, a dictionary `dict` and as value the list
        that the `memory_dict` frame carries.
        """
        memories = await store()
        if memories is None:
            return JSONResponse({"message": STARTING}, status_code=503)
        try:
            found = await memories.memory(uid) if _UID.fullmatch(uid) else None
        except StoreFailure as failure:
            log.error("memory %s cannot be read: %s", uid, failure)
            return JSONResponse({"message": UNREADABLE}, status_code=503)
        if found is None:
            return JSONResponse({"message": UNKNOWN}, status_code=404)
        return JSONResponse(_shown(found))

    return routes


def _shown(memory: Memory) -> dict[str, Any]:
    if memory.entries is None:
        return {"uid": memory.uid, "name": memory.name, "type": "text", "value": memory.text or ""}
    entries = [{"v": value, "k": key} for key, value in memory.entries]
    return {"uid": memory.uid, "name": memory.name, "type": "dict", "value": entries}
