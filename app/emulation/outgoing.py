"""What the emulator sends to addresses that its clients name (webhooks): told apart by its User-Agent. PURE."""

from __future__ import annotations

from collections.abc import Mapping

AGENT = "chldo-emulator-outgoing"
"""How the User-Agent of such requests begins."""


def user_agent(what: str) -> str:
    """The User-Agent of requests of a kind."""
    return f"{AGENT}/1 ({what})"


def is_ours(headers: Mapping[str, str]) -> bool:
    """Whether a request was sent by an emulator on somebody's behalf: such a one may not ask for what needs trust."""
    return headers.get("user-agent", "").startswith(AGENT)
