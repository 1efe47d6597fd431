"""What a webhook request carries: its body, its headers, its signature. PURE.

Source: the spec, 4.2 and 4.3; `message_id` and `conversation_seq` in the metadata are the emulator's.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Any

import orjson

from app.hashee.frames import Frame, MessageNew
from app.hashee.profiles import Profile


def body_of(frame: Frame, profile: Profile, created_at: float) -> bytes:
    """The JSON of an event, as webhooks get it."""
    kind = profile.name(frame.type)
    moment = profile.moment(created_at)
    told: dict[str, Any]
    if isinstance(frame, MessageNew):
        told = {
            "type": kind,
            "version": "v1",
            "wire_envelope": frame.encrypted_payload,
            "metadata": {
                "conversation_id": frame.conversation_id,
                "sender_id": frame.sender_id,
                "created_at": profile.moment(frame.created_at),
                "message_id": frame.message_id,
                "conversation_seq": frame.conversation_seq,
                "content_type": frame.content_type,
            },
        }
    else:
        body = profile.body(frame)
        payload = body["payload"] if frame.nested else {name: value for name, value in body.items() if name != "type"}
        told = {"type": kind, "version": "v1", "payload": payload, "metadata": {"created_at": moment}}
    return orjson.dumps(told)


def signature(secret: str, timestamp: str, delivery_id: str, body: bytes) -> str:
    """`hex(HMAC_SHA256(secret, timestamp + "." + delivery_id + "." + body))`, the secret as UTF-8 text."""
    return hmac.new(secret.encode(), f"{timestamp}.{delivery_id}.".encode() + body, sha256).hexdigest()


def headers_of(secret: str, agent_id: str, delivery_id: str, now: float, body: bytes) -> dict[str, str]:
    """The headers of a try at `now` (epoch seconds)."""
    timestamp = str(int(now))
    return {
        "Content-Type": "application/json",
        "X-Hashee-Signature": signature(secret, timestamp, delivery_id, body),
        "X-Hashee-Timestamp": timestamp,
        "X-Hashee-Delivery-Id": delivery_id,
        "X-Hashee-Agent-Id": agent_id,
    }
