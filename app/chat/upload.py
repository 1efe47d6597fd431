"""An image on its way to the server: a place for it from the info host, then a form to the bucket, as a browser does.

httpx comes in with the upload.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.chat.address import Address, ChatMisuse
from app.chat.outcome import Exit, Outcome

if TYPE_CHECKING:
    import httpx

PICTURE_LIMIT: Final = 20 * 1024 * 1024
"""Bytes that a server takes."""
UPLOAD_TIMEOUT: Final = 600.0
"""Seconds for the whole upload, however steadily it goes on."""
ANSWER_LIMIT: Final = 64 * 1024
"""Bytes of an answer that are read."""

_KINDS = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A file to upload. `name` has no folder; `kind`: media type, by the suffix."""

    name: str
    kind: str
    content: bytes

    @classmethod
    def of(cls, path: Path) -> Picture:
        """Reads the file. Raises ChatMisuse where there is none, or one that no server would take."""
        try:
            if not path.exists():
                raise ChatMisuse(f"cannot send {path}: there is no such file")
            if not path.is_file():
                raise ChatMisuse(f"cannot send {path}: it is no file")
            with path.open("rb") as file:
                content = file.read(PICTURE_LIMIT + 1)
        except OSError as error:
            raise ChatMisuse(f"cannot send {path}: {error.strerror}") from None
        if not content:
            raise ChatMisuse(f"cannot send {path}: it is empty")
        if len(content) > PICTURE_LIMIT:
            raise ChatMisuse(f"cannot send {path}: it is larger than {PICTURE_LIMIT // 1024**2} MB")
        name = path.name.encode("utf-8", "replace").decode()
        return cls(name, _KINDS.get(path.suffix.lower(), "application/octet-stream"), content)


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: bytes

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    def why(self) -> str:
        """What a refusal says for itself: `Code: Message` of S3's XML, the `message` of JSON, else its status."""
        text = self.body.decode("utf-8", "replace")
        told = [found[1] for name in ("Code", "Message") if (found := re.search(f"<{name}>([^<]*)</{name}>", text))]
        message = _object(self.body).get("message")
        if isinstance(message, str) and message:
            told.append(message)
        return ": ".join(html.unescape(part) for part in told) or f"HTTP {self.status}"


async def upload(picture: Picture, address: Address, *, room_uid: str, api_key: str, patience: float) -> Outcome | None:
    """Leaves the picture with the server, under its name in the room; why not, if it cannot.

    `patience`: seconds the other side may do nothing.
    """
    await asyncio.to_thread(import_module, "app.http_clients")
    import httpx

    from app.http_clients import async_client

    try:
        async with (
            asyncio.timeout(UPLOAD_TIMEOUT),
            async_client(timeout=patience) as client,
        ):
            why_not = await _upload(client, picture, address, {"api_key": api_key, "room_uid": room_uid})
    except (TimeoutError, httpx.TimeoutException):
        return Outcome(Exit.SILENT, f"{picture.name} was not uploaded: it took too long; --timeout lets it take longer")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Outcome(Exit.LOST, f"{picture.name} was not uploaded: {str(error) or type(error).__name__}")
    return Outcome(Exit.REFUSED, f"{picture.name} was not uploaded: {why_not}") if why_not else None


async def _upload(client: httpx.AsyncClient, picture: Picture, address: Address, asker: Mapping[str, str]) -> str:
    """Why the server does not take it, "" if it does."""
    question = {**asker, "filename": picture.name}
    granted = await _post(client, f"{address.http}/v3/files/presignedurl", json=question)
    if not granted.good:
        return granted.why()
    place = _object(granted.body).get("presigned_url")
    url, fields = (place.get("url"), place.get("fields")) if isinstance(place, dict) else (None, None)
    if not isinstance(url, str) or not isinstance(fields, dict):
        return "the server names no place for it"
    form = {str(name): str(value) for name, value in fields.items()}
    file = picture.name, picture.content, picture.kind
    sent = await _post(client, url, data=form, files={"file": file})
    return "" if sent.good else sent.why()


async def _post(client: httpx.AsyncClient, url: str, **content: Any) -> _Reply:
    async with client.stream("POST", url, **content) as answer:
        body = bytearray()
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > ANSWER_LIMIT:
                break
        return _Reply(answer.status_code, bytes(body[:ANSWER_LIMIT]))


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
