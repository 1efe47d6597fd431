"""What must not leave the program: keys, signatures and passwords, shortened wherever text is shown or stored. PURE."""

from __future__ import annotations

import re
from typing import Any

from app.json_text import sound

SHORTENED = "…"
"""Stands for what was left out."""

_KEYS = "api_key|org_id|authorization|token|access_token|refresh_token|account_password|password"

_SECRETS = (
    (re.compile(r"\b([0-9a-f]{4})[0-9a-f]{18}\b"), r"\1…"),  # a chldo api_key: 22 hexadecimal digits
    (re.compile(r"\b(hsk_[A-Za-z0-9]{2})[A-Za-z0-9]{6,}"), r"\1…"),
    (re.compile(r"\b(eyJ[\w-]{2})[\w-]+\.[\w-]+\.[\w-]+"), r"\1…"),  # a JWT
    (re.compile(r"\b(sk-[A-Za-z0-9]{2})[A-Za-z0-9_-]{6,}"), r"\1…"),
    (re.compile(r"(?i)(bearer\s+\S{2})\S+"), r"\1…"),
    (re.compile(r"(Signature=[^&\s\"]{4})[^&\s\"]+"), r"\1…"),
    (re.compile(r"(://[^:/@\s\"']+:)[^@\s/\"']+@"), r"\1…@"),
    (re.compile(rf"(?i)(\"(?:{_KEYS})\"\s*:\s*\"[^\"]{{2}})[^\"]*"), r"\1…"),
    (re.compile(r"(?i)((?:api_key|token)=[^&\s\"]{4})[^&\s\"]+"), r"\1…"),
)
_NAMES = frozenset(("api_key", "org_id", "authorization", "token", "password", "cookie", "set-cookie"))
"""Keys whose values are secret whatever they look like."""


def redact(text: str) -> str:
    """`text` with every key, signature and password shortened beyond use."""
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


def redacted(value: object) -> Any:
    """`value` as JSON can hold it, every text in it redacted."""
    if isinstance(value, dict):
        return {
            sound(str(key)): (
                f"{sound(item[:2])}…" if str(key).lower() in _NAMES and isinstance(item, str) else redacted(item)
            )
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else redact(sound(str(value)))
