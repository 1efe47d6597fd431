"""What frames of the wire are called, read off their JSON. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def frame_type(body: Mapping[str, Any]) -> str:
    """The action of a request; the status of a frame, its LangChain event where it has none, `error` for an error."""
    if "action" in body:
        return str(body["action"])
    if body.get("msgtype") == "error":
        return "error"
    told = body.get("status") or body.get("event")
    if told:
        return str(told)
    return "message" if "client_num" in body else str(body.get("message", ""))


def ends_turn(body: Mapping[str, Any]) -> bool:
    """Whether a frame is END."""
    return body.get("status") == "END"


def ends_graph(body: Mapping[str, Any]) -> bool:
    """Whether a frame is the end of the graph itself, which ends a turn on R1."""
    return body.get("event") == "on_chain_end" and not body.get("parent_ids")


def never(body: Mapping[str, Any]) -> bool:
    """Nothing ends a turn on v1: its frames do not say."""
    return False
