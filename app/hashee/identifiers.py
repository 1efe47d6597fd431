"""Identifiers of the wire: principals, ULIDs, UUIDv7, agent tokens, and the digests that are kept of secrets. PURE."""

from __future__ import annotations

import hashlib
import re
import uuid

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
AGENT_TOKEN = re.compile(r"hsk_[0-9A-Za-z]{40}")
TOKEN_PREFIX = "hsk_"

HUMAN = "human"
AGENT = "agent"


def principal(kind: str, uid: str) -> str:
    """Who takes part, in one text: `u:` and the id of a user, `a:` and the id of an agent."""
    return f"{'a' if kind == AGENT else 'u'}:{uid}"


def kind_of(name: str) -> str:
    """`human` or `agent`, of a principal."""
    return AGENT if name.startswith("a:") else HUMAN


def uid_of(name: str) -> str:
    """The id in a principal."""
    return name[2:]


def ulid(seconds: float, noise: bytes) -> str:
    """A ULID of a moment (epoch seconds) and 10 random bytes."""
    number = (int(seconds * 1000) & (2**48 - 1)) << 80 | int.from_bytes(noise[:10], "big")
    return "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def uuid7(seconds: float, noise: bytes) -> str:
    """A version 7 UUID (RFC 9562) of a moment (epoch seconds) and 10 random bytes."""
    number = (int(seconds * 1000) & (2**48 - 1)) << 80 | int.from_bytes(noise[:10], "big")
    number = number & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=number & ~(0b11 << 62) | 0b10 << 62))


def digest(secret: str) -> str:
    """What is kept of a secret that is random and long itself: SHA-256, in hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
