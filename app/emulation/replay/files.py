"""A file over plain ASGI: GET and HEAD, whole or one range of it, for pages of any origin."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from app.emulation.tapes import SOUNDS

_RANGE = re.compile(rb"bytes=(\d{0,18})-(\d{0,18})")

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def serve_file(scope: MutableMapping[str, Any], send: Send, path: Path | None) -> None:
    """Answers a GET or HEAD with a file; 404 if there is none, 416 for a range outside of it."""
    content = None if path is None else await asyncio.to_thread(_read, path)
    if path is None or content is None:
        await _answer(send, 404, [])
        return
    kind = SOUNDS.get(path.suffix.lower(), "application/octet-stream")
    # A tape is somebody else's file, and this may be the origin of the control plane: never anything but sound.
    headers = [(b"content-type", kind.encode()), (b"accept-ranges", b"bytes"), (b"x-content-type-options", b"nosniff")]
    asked = next((value for name, value in scope["headers"] if name == b"range"), None)
    status, part = 200, content
    if asked is not None and (found := _RANGE.fullmatch(asked)) and found[0] != b"bytes=-":
        begin, end = _bounds(found[1], found[2], len(content))
        if begin >= end:
            await _answer(send, 416, [(b"content-range", b"bytes */%d" % len(content))])
            return
        status, part = 206, content[begin:end]
        headers.append((b"content-range", b"bytes %d-%d/%d" % (begin, end - 1, len(content))))
    await _answer(send, status, headers, part, head=scope["method"] == "HEAD")


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _bounds(first: bytes, last: bytes, size: int) -> tuple[int, int]:
    """Begin and end of a range; the begin is not before the end if nothing is in it."""
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1) if last else size


async def _answer(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b"", *, head: bool = False
) -> None:
    every = [(b"content-length", str(len(body)).encode()), (b"access-control-allow-origin", b"*")]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *every]})
    await send({"type": "http.response.body", "body": b"" if head else body})
