"""What the wire refuses, and how it says so: over HTTP and in frames. PURE.

A `Refused` ends a request; what has been written before it stays written (a failed login is counted).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STATUS: Mapping[str, tuple[int, str]] = {
    "INVALID_REQUEST": (400, "The request is not valid"),
    "INVALID_CODE": (400, "The verification code is wrong or has expired"),
    "WEAK_PASSWORD": (400, "The password is too short"),
    "WEBHOOK_URL_REFUSED": (400, "The webhook URL cannot be used"),
    "SHA256_MISMATCH": (400, "The file does not have this SHA-256"),
    "SIZE_MISMATCH": (400, "The file does not have the announced size"),
    "UNAUTHENTICATED": (401, "Authentication required"),
    "INVALID_TOKEN": (401, "The token is not valid"),
    "TOKEN_EXPIRED": (401, "Token expired"),
    "INVALID_CREDENTIALS": (401, "Email or password is wrong"),
    "REFRESH_REUSED": (401, "The refresh token was used before; the session is over"),
    "FORBIDDEN": (403, "Not allowed"),
    "TURNSTILE_FAILED": (403, "Turnstile verification failed"),
    "NOT_CONVERSATION_MEMBER": (403, "Not a member of the conversation"),
    "NOT_CONVERSATION_MEMBER_UPLOAD": (403, "Not a member of the conversation"),
    "RELATION_SUSPENDED": (403, "The relation is suspended"),
    "RELATION_TERMINATED": (403, "The relation has ended"),
    "AGENT_SUSPENDED": (403, "The agent is suspended"),
    "AGENT_BANNED": (403, "The agent is banned"),
    "NOT_FOUND": (404, "Not found"),
    "METHOD_NOT_ALLOWED": (405, "No such method here"),
    "EMAIL_TAKEN": (409, "The email address is registered already"),
    "RECALL_EXPIRED": (409, "The message can no longer be recalled"),
    "MESSAGE_RECALLED": (409, "The message was recalled"),
    "REVISION_CONFLICT": (409, "The artifact has another revision"),
    "ARTIFACT_EXPIRED": (409, "The artifact has expired"),
    "WRONG_CONNECTION_MODE": (409, "The agent has another connection mode"),
    "ALREADY_EXISTS": (409, "It exists already"),
    "PAYLOAD_TOO_LARGE": (413, "The payload is too large"),
    "RANGE_NOT_SATISFIABLE": (416, "The range lies outside of the file"),
    "GROUP_ONLY": (422, "Only in a group"),
    "ARTIFACT_LIMIT": (422, "The artifact is over a limit"),
    "ACCOUNT_LOCKED": (423, "Too many failed attempts"),
    "RATE_LIMITED": (429, "Too many requests"),
    "UPLOAD_LIMIT": (429, "Too many uploads at once"),
    "NOT_EMULATED": (501, "Not emulated"),
    "UNAVAILABLE": (503, "The store is not available"),
}
"""Every code of an error: its HTTP status and its text."""


class Refused(Exception):
    """A request that is not granted. `params` go into the answer, `retry_after` (seconds) also into its headers."""

    def __init__(self, code: str, message: str | None = None, *, retry_after: int | None = None, **params: Any) -> None:
        self.code = code
        self.status, text = STATUS[code]
        self.message = message or text
        self.retry_after = retry_after
        self.params = params if retry_after is None else {**params, "retry_after": retry_after}
        super().__init__(self.message)

    @property
    def i18n_key(self) -> str:
        return i18n_key(self.code)

    def body(self) -> dict[str, Any]:
        """The JSON of the answer."""
        return {"error": {"code": self.code, "message": self.message, "i18n_key": self.i18n_key, "params": self.params}}


def i18n_key(code: str) -> str:
    """The key under which clients find a text of their language: `error.rate_limited` for `RATE_LIMITED`."""
    return f"error.{code.lower()}"
