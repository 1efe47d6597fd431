"""Voices on disk and their signed addresses.

    <folder>/.signing-key.pem                RSA private key, mode 0600, made on first start
    <folder>/<room>/<name>.<expires>.mp3     modified at the second it expires, which is how a later run knows

An address names the room, the voice and the second it expires (epoch seconds), and opens exactly what was stored under
these three. Two spaces, or two languages, may have a greeting of one number in rooms of one name: where different
sound would get the same address, the later one expires a second later.

A room or a name that is not plainly a file name (slashes, dots in front, other alphabets, over-long) is replaced by
`~` and its SHA-256, on disk and in the address alike; a plain one starts with neither `~` nor a dot, so the two kinds
and the key never meet.

What is signed is the path only, `/room_uid_voice/<room>/<name>.mp3`, where CloudFront signs the whole URL: so an
address stays good behind a proxy and under every name of the host.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import stat
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from app.emulation.determinism import Clock
from app.emulation.key_file import kept_key

if TYPE_CHECKING:
    from app.voice.signing import Signer

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_TOKEN = re.compile(r"~[0-9a-f]{64}")
_EXPIRES = re.compile(r"[1-9][0-9]{0,11}")
_KEY_FILE = ".signing-key.pem"
_STALE_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Found:
    """The voice may be sent."""

    path: Path
    size: int
    """Bytes."""
    expires: int
    """Epoch seconds, as signed."""


@dataclass(frozen=True, slots=True)
class Denied:
    """403: the query does not open this voice. `reason` is for a log."""

    reason: str


@dataclass(frozen=True, slots=True)
class Missing:
    """404: the query is good, the voice is not there."""


class VoiceLibrary:
    """Stores voices, signs and checks their addresses, deletes the expired.

    `key`: a PEM to sign with in place of the folder's own.
    """

    def __init__(
        self, folder: Path, *, clock: Clock, key_pair_id: str = "KX12RGNKWPA4Y", key: bytes | None = None
    ) -> None:
        self._folder = folder
        self._key = key
        self._clock = clock
        self._key_pair_id = key_pair_id
        self._signer: Signer | None = None
        self._changing = threading.Lock()  # a voice may be put again while the sweep looks at the one before

    async def open(self) -> None:
        """Makes folder and key where there are none. Raises `OSError` or `KeyFileError`."""
        self._signer = await asyncio.to_thread(self._load_signer)

    async def close(self) -> None:
        """Forgets the key; voices stay until they expire."""
        self._signer = None

    async def put(self, room_uid: str, name: str, audio: bytes, *, life: float, now: float | None = None) -> int:
        """Stores a voice, whole or not at all, for `life` seconds from `now` on (epoch seconds; the clock's by
        default). Returns when it expires, in epoch seconds; its address needs that number.
        """
        expires = int((self._clock.time() if now is None else now) + life)
        return await asyncio.to_thread(self._store, room_uid, name, audio, expires)

    async def remove(self, room_uid: str, name: str, expires: int) -> None:
        """Deletes a voice, if it is there."""
        await asyncio.to_thread(self._path(room_uid, name, expires).unlink, missing_ok=True)

    async def url(self, base: str, room_uid: str, name: str, expires: int, *, forged: bool = False) -> str:
        """The signed address; `base` is scheme and host, with a path in front if a proxy adds one.

        `forged`: with the signature of another one, as somebody makes it who has no key.
        """
        resource = _resource(room_uid, name)
        signature = self._sign().sign(f"{resource}/forged" if forged else resource, expires)
        return f"{base.rstrip('/')}{resource}?Expires={expires}&Signature={signature}&Key-Pair-Id={self._key_pair_id}"

    def check(self, room_uid: str, name: str, query: Mapping[str, str]) -> Found | Denied | Missing:
        """Judges a request for a voice; `room_uid` and `name` are as they stood in the path, decoded, without `.mp3`.

        The query is judged before the disk is looked at. Costs one signature check and one stat.
        """
        expires = query.get("Expires", "")
        if not _EXPIRES.fullmatch(expires):
            return Denied("Expires is missing or no number")
        if query.get("Key-Pair-Id") != self._key_pair_id:
            return Denied("Key-Pair-Id is missing or unknown")
        if not self._sign().holds(query.get("Signature", ""), _resource(room_uid, name), int(expires)):
            return Denied("Signature is missing or does not match")
        if self._clock.time() >= int(expires):
            return Denied("expired")
        path = self._path(room_uid, name, int(expires))
        try:
            info = path.lstat()
        except OSError:
            return Missing()
        if not stat.S_ISREG(info.st_mode):
            return Missing()
        return Found(path, info.st_size, int(expires))

    async def sweep(self) -> int:
        """Deletes voices past their time, also an earlier run's, and rooms left empty. Returns how many voices."""
        return await asyncio.to_thread(self._sweep, self._clock.time())

    async def forget(self, room_uids: Collection[str] | None = None) -> int:
        """Deletes the voices of some rooms, or all. Returns how many."""
        return await asyncio.to_thread(self._forget, room_uids)

    def _sign(self) -> Signer:
        if self._signer is None:
            raise RuntimeError("the voice library is not open")
        return self._signer

    def _path(self, room_uid: str, name: str, expires: int) -> Path:
        return self._folder / _token(room_uid) / f"{_token(name)}.{expires}.mp3"

    def _load_signer(self) -> Signer:
        from app.voice.signing import Signer, is_key, make_key

        self._folder.mkdir(parents=True, exist_ok=True)
        return Signer(self._key or kept_key(self._folder / _KEY_FILE, make_key, fits=is_key))

    def _store(self, room_uid: str, name: str, audio: bytes, expires: int) -> int:
        with self._changing:
            path = self._path(room_uid, name, expires)
            path.parent.mkdir(parents=True, exist_ok=True)
            while _holds_other(path, audio):
                expires += 1
                path = self._path(room_uid, name, expires)
            part = path.with_name(f".{path.stem}.{threading.get_ident()}.part")
            try:
                part.write_bytes(audio)
                os.utime(part, (expires, expires))
                part.replace(path)
            except OSError:
                part.unlink(missing_ok=True)
                raise
        return expires

    def _sweep(self, now: float) -> int:
        gone = 0
        for room in _entries(self._folder):
            if not room.is_dir(follow_symlinks=False) or room.name.startswith("."):
                continue
            for file in _entries(Path(room.path)):
                gone += self._delete_if_past(Path(file.path), now)
            with self._changing, contextlib.suppress(OSError):  # not empty: stays
                Path(room.path).rmdir()
        return gone

    def _forget(self, room_uids: Collection[str] | None) -> int:
        if room_uids is None:
            rooms = [Path(entry.path) for entry in _entries(self._folder) if entry.is_dir(follow_symlinks=False)]
        else:
            rooms = [self._folder / _token(room_uid) for room_uid in room_uids]
        gone = 0
        for room in rooms:
            for file in _entries(room):
                with self._changing, contextlib.suppress(FileNotFoundError):
                    if file.name.endswith(".mp3"):
                        Path(file.path).unlink()
                        gone += 1
        return gone

    def _delete_if_past(self, file: Path, now: float) -> bool:
        """Whether a voice was deleted; half-written files of a run that crashed go too, but do not count."""
        voice = file.suffix == ".mp3"
        if not voice and file.suffix != ".part":
            return False
        with self._changing, contextlib.suppress(FileNotFoundError):
            if file.lstat().st_mtime <= (now if voice else now - _STALE_SECONDS):
                file.unlink()
                return voice
        return False


def _holds_other(path: Path, audio: bytes) -> bool:
    """Whether there is a voice at a path that sounds different."""
    try:
        return path.stat().st_size != len(audio) or path.read_bytes() != audio
    except FileNotFoundError:
        return False


def _token(text: str) -> str:
    """A file name for any text; the same for a text and for its own token."""
    if _PLAIN.fullmatch(text) or _TOKEN.fullmatch(text):
        return text
    return "~" + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _resource(room_uid: str, name: str) -> str:
    return f"/room_uid_voice/{_token(room_uid)}/{_token(name)}.mp3"


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        yield from entries
