"""The messages between the server and a worker: a JSON head and raw bytes, both with their length in front.

    4 bytes  length of the head, big-endian
    4 bytes  length of the body
    head     UTF-8 JSON object
    body     audio, or nothing

To the worker: {"do": "speak", "text", "voice", "format"} or {"do": "encode", "format"} with 24 kHz PCM as body,
or {"do": "check"} with a JSON list of voices as body.
From the worker: {"ready": engine name} once, then for every job {} with the audio as body (for a check: a JSON
object of the voices that cannot be had, and why), or {"refused": reason}.
"""

from __future__ import annotations

import json
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import StreamReader

Head = dict[str, str]

_LENGTHS = struct.Struct("!II")
_MAX_HEAD = 64 * 1024
_MAX_BODY = 8 * 1024 * 1024


class BadPacket(ValueError):
    """What came through the pipe is no packet."""


def pack(head: Head, body: bytes = b"") -> bytes:
    """One message as bytes."""
    text = json.dumps(head).encode()
    return _LENGTHS.pack(len(text), len(body)) + text + body


def read(source: int) -> tuple[Head, bytes]:
    """The next message from a file descriptor; blocks. Raises `EOFError` at its end, `BadPacket` for nonsense."""
    head, body = _lengths(_exactly(source, _LENGTHS.size))
    return _head(_exactly(source, head)), _exactly(source, body)


async def receive(source: StreamReader) -> tuple[Head, bytes]:
    """The next message from a stream. Raises `asyncio.IncompleteReadError` at its end, `BadPacket` for nonsense."""
    head, body = _lengths(await source.readexactly(_LENGTHS.size))
    return _head(await source.readexactly(head)), await source.readexactly(body)


def write(target: int, packet: bytes) -> None:
    """All of it to a file descriptor; blocks."""
    rest = memoryview(packet)
    while rest:
        rest = rest[os.write(target, rest) :]


def _lengths(raw: bytes) -> tuple[int, int]:
    head, body = _LENGTHS.unpack(raw)
    if head > _MAX_HEAD or body > _MAX_BODY:
        raise BadPacket(f"lengths {head} and {body}")
    return head, body


def _head(raw: bytes) -> Head:
    head = json.loads(raw)
    if not isinstance(head, dict):
        raise BadPacket("the head is no object")
    return head


def _exactly(source: int, length: int) -> bytes:
    parts = []
    while length:
        part = os.read(source, min(length, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
