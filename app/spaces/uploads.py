"""Images that clients send before they ask about them, kept as S3 would keep a POST upload.

    <folder>/.signing-key            the secret key of the POST policies, mode 0600, made on first start
    <folder>/parts/<epoch>-*.part    uploads under way; the name tells when one began
    <folder>/images/<s>/<r>/<sha256> whole images, one for a key; <s> and <r> are digests of its space and its room

A key is `<space>/<room>/<filename>`. What is not plainly a file name (slashes, dots in front, other alphabets, over
100 characters) stands in it as `~` and its SHA-256; a plain one never begins with `~`, so two texts never share a key.
On disk an image is named by the SHA-256 of its key: no client text gets there, and a file system that ignores case
keeps `a.png` and `A.png` apart.

The policy is AWS Signature Version 4 for browser uploads; its exact conditions are the fields that `presign` gives, and
like S3 it allows no field more (but `x-ignore-…`).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import os
import re
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import orjson

from app.emulation.determinism import Clock, Ids
from app.emulation.key_file import kept_key
from app.spaces.s3 import (
    FORGED,
    NO_IMAGE,
    REGION,
    UNKNOWN_ID,
    Accepted,
    S3Error,
    against_policy,
    equal,
    missing,
    sign,
    too_large,
)

BUCKET = "coredotagent-bucket"

_ALGORITHM = "AWS4-HMAC-SHA256"
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_SECRET = re.compile(r"[0-9A-Za-z]{40}")
_DATE = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_UNCHECKED = {"policy", "x-amz-signature"}
_HEAD = 12
"""Bytes that tell an image type."""
_PIECE = 256 * 1024
"""Bytes that are gathered before they are written."""
_SLICE = 3 * 256 * 1024
"""Bytes turned into base64 in one go; a multiple of 3."""
_STALE_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Image:
    """A stored image. `media_type` is told from the content; `size` in bytes."""

    path: Path
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class _Permit:
    """What a policy allows: `least` to `most` bytes under `key`."""

    key: str
    least: int
    most: int


class Uploads:
    """Signs upload policies, checks and stores what comes with them, finds it again.

    limit: bytes of the largest image; life: seconds a policy lasts; total: bytes of all images together; at_once:
    uploads under way at a time. Each upload holds some 256 KB of memory. `ids` makes the secret key, once per folder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock,
        ids: Ids,
        limit: int = 20 * 1024 * 1024,
        life: float = 3600.0,
        total: int = 2 * 1024 * 1024 * 1024,
        at_once: int = 32,
    ) -> None:
        self.limit = limit
        self._images = folder / "images"
        self._parts = folder / "parts"
        self._key_file = folder / ".signing-key"
        self._clock = clock
        self._ids = ids
        self._life = life
        self._total = total
        self._at_once = at_once
        self._secret = ""
        self._used = 0  # bytes of whole images
        self._coming = 0  # bytes of uploads under way
        self._running = 0
        self._changing = threading.Lock()  # an image's size is counted as it takes its place

    async def open(self) -> None:
        """Makes folders and key where there are none. Raises `OSError` or `KeyFileError`."""
        self._secret = await asyncio.to_thread(self._load)

    async def close(self) -> None:
        """Forgets the key. Images stay; an upload under way belongs to its request."""
        self._secret = ""

    def presign(self, base: str, space_uid: str, room_uid: str, filename: str) -> dict[str, Any]:
        """`{"url": …, "fields": {…}}` for one multipart POST of the fields and then `file`, as boto3 shapes it.

        `base` is scheme and host, with a path in front if a proxy adds one.
        """
        now = self._clock.time()
        date = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        named = {
            "key": _key(space_uid, room_uid, filename),
            "x-amz-algorithm": _ALGORITHM,
            "x-amz-credential": self._credential(date),
            "x-amz-date": date,
        }
        expiration = datetime.fromtimestamp(now + self._life, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        conditions: list[Any] = [["content-length-range", 1, self.limit], {"bucket": BUCKET}]
        conditions += [{name: value} for name, value in named.items()]
        policy = base64.b64encode(orjson.dumps({"expiration": expiration, "conditions": conditions})).decode()
        fields = {**named, "policy": policy, "x-amz-signature": sign(self._opened(), date, policy)}
        return {"url": f"{base.rstrip('/')}/{BUCKET}", "fields": fields}

    async def accept(self, fields: Mapping[str, str], content: AsyncIterator[bytes | S3Error]) -> Accepted | S3Error:
        """Stores an upload, whole or not at all; the image before it under the same key goes.

        `fields` have lower-case names; `content` is not touched before they are found good, and may end with an
        error, which then is the answer. Raises `OSError` where the disk fails, and whatever `content` raises.
        """
        permit = self._judge(fields)
        if isinstance(permit, S3Error):
            return permit
        if self._running >= self._at_once:
            return S3Error(503, "SlowDown", "Please reduce your request rate.")
        part = _Part(self._parts, int(self._clock.time()))
        self._running += 1
        try:
            return await self._take(permit, content, part)
        finally:
            self._running -= 1
            self._coming -= part.counted
            await asyncio.shield(asyncio.to_thread(part.discard))

    async def find(self, space_uid: str, room_uid: str, filename: str) -> Image | None:
        """The image that was uploaded under this name to this room of this space."""
        return await asyncio.to_thread(_look, self._path(_key(space_uid, room_uid, filename)))

    async def data_url(self, image: Image) -> str:
        """`data:image/png;base64,…`, a third longer than the image. Raises `OSError` if it is gone."""
        return await asyncio.to_thread(_encode, image)

    async def sweep(self) -> int:
        """Deletes what crashed uploads left (after an hour) and counts the images anew. Returns how many it deleted."""
        return await asyncio.to_thread(self._sweep, self._clock.time())

    async def forget(self, space_uid: str | None = None, room_uid: str | None = None) -> int:
        """Deletes images: all, those of a space, of a room, or of the rooms of that name. How many."""
        return await asyncio.to_thread(self._forget, space_uid, room_uid)

    async def _take(self, permit: _Permit, content: AsyncIterator[bytes | S3Error], part: _Part) -> Accepted | S3Error:
        media_type: str | None = None
        size = 0
        held = bytearray()
        async for piece in content:
            if isinstance(piece, S3Error):
                return piece
            size += len(piece)
            self._coming += len(piece)
            part.counted += len(piece)
            if size > permit.most:
                return too_large(size, permit.most)
            if self._used + self._coming > self._total:
                return S3Error(503, "SlowDown", f"The uploads folder is full: it may hold {self._total} bytes.")
            held += piece
            if media_type is None and size >= _HEAD:
                media_type = sniff(held)
                if media_type is None:
                    return NO_IMAGE
            if len(held) >= _PIECE:
                await asyncio.to_thread(part.write, bytes(held))
                held.clear()
        if size < permit.least:
            details = (("ProposedSize", str(size)), ("MinSizeAllowed", str(permit.least)))
            return S3Error(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum size", details)
        if media_type is None:
            return NO_IMAGE
        await asyncio.to_thread(part.write, bytes(held))
        await asyncio.to_thread(self._commit, part, self._path(permit.key), size)
        return Accepted(permit.key, media_type, size, part.digest.hexdigest())

    def _judge(self, fields: Mapping[str, str]) -> _Permit | S3Error:
        """Signature first: after it the policy is known to be this program's own."""
        if "key" not in fields:
            return missing("key")
        if "policy" not in fields:
            return S3Error(403, "AccessDenied", "Access Denied")
        for name in ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"):
            if name not in fields:
                return missing(name)
        date = fields["x-amz-date"]
        if fields["x-amz-algorithm"] != _ALGORITHM:
            return S3Error(400, "InvalidArgument", f"X-Amz-Algorithm only supports {_ALGORITHM}")
        if not _DATE.fullmatch(date):
            return S3Error(400, "InvalidArgument", "X-Amz-Date must be formatted yyyymmddThhmmssZ")
        if not equal(fields["x-amz-credential"], self._credential(date)):
            return UNKNOWN_ID
        if not equal(fields["x-amz-signature"], sign(self._opened(), date, fields["policy"])):
            return FORGED
        return self._apply(orjson.loads(base64.b64decode(fields["policy"])), fields)

    def _apply(self, policy: Mapping[str, Any], fields: Mapping[str, str]) -> _Permit | S3Error:
        if self._clock.time() >= datetime.fromisoformat(policy["expiration"]).timestamp():
            return against_policy("Policy expired.")
        least, most = 0, self.limit
        unchecked = {name for name in fields if name not in _UNCHECKED and not name.startswith("x-ignore-")}
        given = {**fields, "bucket": BUCKET}
        for condition in policy["conditions"]:
            if isinstance(condition, list):
                _, least, most = condition
                continue
            for name, value in condition.items():
                if given.get(name) != value:
                    return against_policy(f'Policy Condition failed: ["eq", "${name}", "{value}"]')
                unchecked.discard(name)
        if unchecked:
            return against_policy(f"Extra input fields: {min(unchecked)[:100]}")
        return _Permit(fields["key"], least, min(most, self.limit))

    def _opened(self) -> str:
        if not self._secret:
            raise RuntimeError("the uploads are not open")
        return self._secret

    def _credential(self, date: str) -> str:
        """Access key id and scope. The id follows from the secret and tells nothing of it."""
        named = hmac.digest(self._opened().encode(), b"access key id", "sha256")
        access = "AKIA" + base64.b32encode(named).decode()[:16]
        return f"{access}/{date[:8]}/{REGION}/s3/aws4_request"

    def _path(self, key: str) -> Path:
        space, room, _ = key.split("/")
        return self._images / _digest(space) / _digest(room) / sha256(key.encode()).hexdigest()

    def _load(self) -> str:
        for folder in (self._images, self._parts):
            folder.mkdir(parents=True, exist_ok=True)
        self._count()
        key = kept_key(
            self._key_file,
            lambda: self._ids.base62(40).encode(),
            fits=lambda key: _SECRET.fullmatch(key.decode("ascii", "replace")) is not None,
        )
        return key.decode("ascii")

    def _commit(self, part: _Part, path: Path, size: int) -> None:
        with self._changing:
            path.parent.mkdir(parents=True, exist_ok=True)
            before = path.stat().st_size if path.exists() else 0
            part.move(path)
            self._used += size - before

    def _count(self) -> None:
        with self._changing:
            self._used = sum(image.stat().st_size for room in self._rooms() for image in _entries(room))

    def _rooms(self, space_uid: str | None = None, room_uid: str | None = None) -> Iterator[Path]:
        """The folders of rooms: of all, of a space's, of one, or of those of that name."""
        space = None if space_uid is None else _digest(_token(space_uid))
        room = None if room_uid is None else _digest(_token(room_uid))
        for shelf in _entries(self._images):
            for folder in _entries(Path(shelf.path)):
                if space in (None, shelf.name) and room in (None, folder.name):
                    yield Path(folder.path)

    def _forget(self, space_uid: str | None, room_uid: str | None) -> int:
        gone = 0
        for room in self._rooms(space_uid, room_uid):
            with self._changing:
                for image in _entries(room):
                    self._used -= image.stat().st_size
                    Path(image.path).unlink()
                    gone += 1
        return gone

    def _sweep(self, now: float) -> int:
        gone = 0
        for part in _entries(self._parts):
            born = part.name.partition("-")[0]
            if part.name.endswith(".part") and born.isdecimal() and int(born) <= now - _STALE_SECONDS:
                with contextlib.suppress(FileNotFoundError):
                    Path(part.path).unlink()
                    gone += 1
        self._count()
        return gone


class _Part:
    """The file of one upload under way. Its methods run in threads, one at a time."""

    def __init__(self, folder: Path, born: int) -> None:
        self.counted = 0
        """Bytes of it in the count of what is coming."""
        self.digest = md5(usedforsecurity=False)
        self._folder = folder
        self._born = born
        self._descriptor: int | None = None
        self._path: Path | None = None
        self._over = False
        self._using = threading.Lock()

    def write(self, data: bytes) -> None:
        """Appends; nothing happens after `discard`, which may overtake a write whose task was cancelled."""
        with self._using:
            if self._over:
                return
            if self._descriptor is None:
                self._descriptor, name = tempfile.mkstemp(".part", f"{self._born}-", self._folder)
                self._path = Path(name)
            self.digest.update(data)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def move(self, path: Path) -> None:
        """Takes its place under the final name, in one step."""
        with self._using:
            if self._path is not None:
                self._close()
                self._path.replace(path)
                self._path = None

    def discard(self) -> None:
        """Leaves nothing behind of what has not been moved."""
        with self._using:
            self._over = True
            self._close()
            if self._path is not None:
                self._path.unlink(missing_ok=True)
                self._path = None

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def sniff(head: bytes | bytearray) -> str | None:
    """The media type of an image that begins so (12 bytes are enough); None for anything else."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return None


def _key(space_uid: str, room_uid: str, filename: str) -> str:
    return "/".join(_token(text) for text in (space_uid, room_uid, filename))


def _digest(token: str) -> str:
    """A folder for a space or a room, on file systems that ignore case as well."""
    return sha256(token.encode()).hexdigest()[:16]


def _token(text: str) -> str:
    """A name without slashes for any text, another for every text."""
    if _PLAIN.fullmatch(text):
        return text
    return "~" + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _look(path: Path) -> Image | None:
    try:
        with path.open("rb") as stream:
            media_type = sniff(stream.read(_HEAD))
            size = os.fstat(stream.fileno()).st_size
    except FileNotFoundError:
        return None
    return Image(path, media_type, size) if media_type else None


def _encode(image: Image) -> str:
    """In slices, so that other threads get their turn; the type is that of what is there now."""
    parts: list[str] = []
    with image.path.open("rb") as stream:
        while piece := stream.read(_SLICE):
            if not parts:
                parts.append(f"data:{sniff(piece[:_HEAD]) or image.media_type};base64,")
            parts.append(base64.b64encode(piece).decode())
    return "".join(parts)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        yield from entries
