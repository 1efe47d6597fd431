"""The words of the Hashee wire: frames and their keys, codes, forms. Written out from the documents. PURE."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

FIRST, SECOND = "2026-01", "2026-05"
PROFILES = (FIRST, SECOND)


@dataclass(frozen=True, slots=True)
class Form:
    """A frame: whether its fields are under `payload`, which they are, in order, and which of them may be missing."""

    nested: bool
    keys: tuple[str, ...]
    optional: frozenset[str]


def _forms(nested: bool, told: Mapping[str, str]) -> dict[str, Form]:
    """Forms from their keys; one with `?` may be missing."""
    return {
        name: Form(
            nested,
            tuple(key.rstrip("?") for key in keys.split()),
            frozenset(key[:-1] for key in keys.split() if key.endswith("?")),
        )
        for name, keys in told.items()
    }


_NEW = "conversation_id message_id sender_id sender_type content_type encrypted_payload conversation_seq created_at"
_LATER = (
    "client_message_id? conversation_type sender_display_name? quote_id? mentions? mention_all? hop_count? "
    "envelope_version? group_metadata?"
)
_BOTH = {
    **_forms(
        False,
        {
            "auth.ok": "",
            "auth.error": "reason message i18n_key",
            "auth.expiring": "expires_in_seconds",
            "pong": "",
            "message.new": _NEW,
            "message.ack": "client_message_id? message_id conversation_seq",
            "message.read": "conversation_id user_id seq",
            "message.recalled": "message_id conversation_id recalled_by",
            "message.status_updated": "message_id conversation_id status conversation_seq",
            "message.pinned": "message_id conversation_id pinned_by pinned",
            "stream.start": "stream_id conversation_id sender_id",
            "stream.delta": "stream_id conversation_id encrypted_payload",
            "stream.done": "stream_id conversation_id message_id conversation_seq encrypted_payload created_at",
            "stream.abort": "stream_id conversation_id",
            "stream.error": "stream_id conversation_id reason",
        },
    ),
    **_forms(
        True,
        {
            "session.invalidated": "reason message i18n_key",
            "error": "code message i18n_key",
            "relation.established": "user_id display_name avatar_url language referral_source public_key",
            "relation.suspended": "user_id",
            "relation.restored": "user_id",
            "artifact_response": "conversation_id message_id ref_artifact ref_action based_on_revision values",
            "artifact_update": "conversation_id message_id ref_artifact revision? based_on_revision? encrypted_payload",
            "artifact.expired": "conversation_id message_id artifact_id",
            "agent.governance": "agent_template_id governance_status reason",
            "agent.status": "agent_id status",
            "agent.typing": "agent_id conversation_id typing expires_in_seconds",
            "reaction.update": "message_id reactions",
            "group.updated": "conversation_id changes",
        },
    ),
}
FORMS: Mapping[str, Mapping[str, Form]] = {
    FIRST: {**_BOTH, **_forms(True, {"relation.terminated": "user_id"})},
    SECOND: {
        **_BOTH,
        **_forms(False, {"message.new": f"{_NEW} {_LATER}"}),
        **_forms(
            True,
            {
                "relation.revoked": "user_id",
                "agent.capability_changed": "agent_id capability_manifest_version capability_manifest_hash",
                "system.group_key_rotated": "conversation_id group_key_version",
            },
        ),
    },
}
"""Every frame of a profile, by its type."""

ONLY_SECOND = frozenset(("relation.revoked", "agent.capability_changed", "system.group_key_rotated"))
LATER = frozenset(key.rstrip("?") for key in _LATER.split())
"""Fields of `message.new` that only 2026-05 has."""


def spelling(kind: str) -> str:
    """A type without what tells dots from underscores."""
    return kind.replace("_", ".")


SPELLINGS = {spelling(name): name for forms in FORMS.values() for name in forms}
"""How each type is written."""

KINDS: Mapping[str, type] = {
    **dict.fromkeys(
        ("conversation_seq", "seq", "expires_in_seconds", "hop_count", "based_on_revision", "revision"), int
    ),
    **dict.fromkeys(("capability_manifest_version", "group_key_version"), int),
    **dict.fromkeys(("typing", "pinned", "mention_all"), bool),
    **dict.fromkeys(("mentions", "reactions"), list),
    **dict.fromkeys(("values", "changes", "group_metadata"), dict),
}
"""What a field holds that is no text."""

VALUES: Mapping[tuple[str, str], frozenset[str]] = {
    ("message.new", "sender_type"): frozenset(("human", "agent", "system")),
    ("message.new", "conversation_type"): frozenset(("h2h", "h2a", "group")),
    ("message.status_updated", "status"): frozenset(("delivered", "read")),
    ("agent.status", "status"): frozenset(("online", "offline")),
}
"""Fields that have one of a few values."""

IDS = frozenset(
    (
        *("conversation_id", "message_id", "sender_id", "user_id", "recalled_by", "pinned_by", "agent_id"),
        *("agent_template_id", "artifact_id"),
    )
)
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
MOMENTS = {
    FIRST: re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    SECOND: re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
}

REASONS = ("invalid_token", "expired_token", "agent_mismatch", "auth_timeout", "already_authenticated")
"""Of `auth.error`."""

AUTH, GOVERNANCE, SILENT, REPLACED, INVALIDATED, TOO_BIG, FLOOD = 4401, 4403, 4408, 4409, 4410, 1009, 1008
CLOSES = frozenset((AUTH, GOVERNANCE, SILENT, REPLACED, INVALIDATED, TOO_BIG, FLOOD, 1001, 1012, 1013))
"""Codes that a server closes with; the last three are of a server that stops, or begins."""

AUTH_LIMIT = 5.0
"""Seconds that a client has for `auth`."""

FRAME_LIMIT = 256 * 1024
"""Bytes of the largest frame."""

STATUS: Mapping[str, int] = {
    **dict.fromkeys(("INVALID_REQUEST", "INVALID_CODE", "WEAK_PASSWORD", "WEBHOOK_URL_REFUSED"), 400),
    **dict.fromkeys(("SHA256_MISMATCH", "SIZE_MISMATCH"), 400),
    **dict.fromkeys(
        ("UNAUTHENTICATED", "INVALID_TOKEN", "TOKEN_EXPIRED", "INVALID_CREDENTIALS", "REFRESH_REUSED"), 401
    ),
    **dict.fromkeys(("FORBIDDEN", "TURNSTILE_FAILED", "NOT_CONVERSATION_MEMBER"), 403),
    **dict.fromkeys(("NOT_CONVERSATION_MEMBER_UPLOAD", "RELATION_SUSPENDED", "RELATION_TERMINATED"), 403),
    **dict.fromkeys(("AGENT_SUSPENDED", "AGENT_BANNED"), 403),
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    **dict.fromkeys(
        ("EMAIL_TAKEN", "RECALL_EXPIRED", "MESSAGE_RECALLED", "REVISION_CONFLICT", "ARTIFACT_EXPIRED"), 409
    ),
    **dict.fromkeys(("WRONG_CONNECTION_MODE", "ALREADY_EXISTS"), 409),
    "PAYLOAD_TOO_LARGE": 413,
    "RANGE_NOT_SATISFIABLE": 416,
    **dict.fromkeys(("GROUP_ONLY", "ARTIFACT_LIMIT"), 422),
    "ACCOUNT_LOCKED": 423,
    **dict.fromkeys(("RATE_LIMITED", "UPLOAD_LIMIT"), 429),
    "NOT_EMULATED": 501,
    "UNAVAILABLE": 503,
}
"""Codes of HTTP, and their status."""

CODES = frozenset((*STATUS, "INVALID_FRAME", "UNKNOWN_STREAM"))
"""Codes of `error` frames."""


def key_of(code: str) -> str:
    """The key of a translation: `error.rate_limited` for `RATE_LIMITED`."""
    return f"error.{code.lower()}"
