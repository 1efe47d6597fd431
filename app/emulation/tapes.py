"""Tapes: what went over one WebSocket connection, as lines of JSON.

    {"tape": 1, "url": "wss://…", …}                                     the header, first
    {"from": "client", "at": 0.1, "text": "…"}                           a text message
    {"from": "server", "at": 0.2, "data": "…"}                           a binary one, base64
    {"at": 0.3, "file": "name.voices/a.mp3", "url": "https://…"}         a file that a message named
    {"at": 0.4, "close": 1000, "reason": "", "by": "client"}             the end

Times are seconds from the opening of the connection. A tape that was not ended (a crash, a power cut) can be read up
to its last whole line. docs/tapes.md describes every key. Reading blocks: call it in a thread.
"""

from __future__ import annotations

import base64
import binascii
import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson

from app.emulation.placeholders import Placeholders
from app.json_text import dumps, loads

VERSION = 1
SUFFIX = ".jsonl"
HAR_SUFFIX = ".har"

SOUNDS = {
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
    ".flac": "audio/flac",
    ".webm": "audio/webm",
}
"""The sound files that are kept beside a tape: how their names end, and their media types."""

LARGEST_FILE = 256 * 1024 * 1024
"""Bytes of a tape or HAR file that is read at all."""

LARGEST_FOLDER = 1024 * 1024 * 1024
MOST_FRAMES = 1_000_000
LONGEST_TIME = 10_000_000.0
"""Seconds that a tape may last: some four months."""

LATEST = 253_402_300_799.0
"""Epoch seconds of the end of the year 9999."""

NO_STATUS, ABNORMAL = 1005, 1006
"""Close codes that never go over a wire: closed without a code, and lost without a close frame (RFC 6455, 7.4.1)."""

Direction = Literal["client", "server"]
Closer = Literal["client", "server", "recorder"]
_SIDES: dict[str, Direction] = {"client": "client", "server": "server"}
_CLOSERS: dict[str, Closer] = {**_SIDES, "recorder": "recorder"}


class TapeError(Exception):
    """A tape that cannot be used; one line, `file:line: what is wrong`."""


@dataclass(frozen=True, slots=True)
class TapeFrame:
    """One WebSocket message: `text`, or `data` if it was binary. `at` in seconds from the opening; `line` is where it
    stands in its file, 0 for none.
    """

    direction: Direction
    at: float
    text: str | None = None
    data: bytes | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """What a server answered instead of opening the socket."""

    status: int
    body: str = ""
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Tape:
    """One connection.

    `url`: where the server was; `path`: what the client asked for, with its query (the path of the URL, if the client
    asked there). `close`: code and reason, None if the tape has no end; `closed_at` in seconds. `started`: epoch
    seconds of the opening, None if unknown. `files`: what the URLs in messages led to, where it was kept.
    """

    name: str
    url: str
    frames: tuple[TapeFrame, ...]
    close: tuple[int, str] | None = None
    closed_by: Closer | None = None
    closed_at: float = 0.0
    path: str = ""
    started: float | None = None
    subprotocol: str | None = None
    refused: Refused | None = None
    files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def asked(self) -> str:
        """Path and query that the client asked for."""
        if self.path:
            return self.path
        parts = urlsplit(self.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return max(self.closed_at, self.frames[-1].at if self.frames else 0.0)


def read_tapes(path: Path) -> list[Tape]:
    """The tapes of a `.jsonl` file, a `.har` file, or a folder of them in the order of their names. Raises
    `TapeError`.
    """
    try:
        if path.is_dir():
            return _folder(path)
        if not path.exists():
            raise TapeError(f"{path}: there is no such file or folder")
    except OSError as error:
        raise TapeError(f"{path}: cannot be read: {error.strerror or error}") from None
    if path.suffix == HAR_SUFFIX:
        from app.emulation.har import read_har

        return read_har(path)
    if path.suffix != SUFFIX:
        raise TapeError(f"{path}: a tape is a {SUFFIX} file, a {HAR_SUFFIX} file or a folder of them")
    return [read_tape(path)]


def _folder(path: Path) -> list[Tape]:
    files = sorted(
        file for file in path.iterdir() if file.suffix in (SUFFIX, HAR_SUFFIX) and not file.name.startswith(".")
    )
    if not files:
        raise TapeError(f"{path}: there is no tape (*{SUFFIX}, *{HAR_SUFFIX}) in this folder")
    if sum(file.stat().st_size for file in files) > LARGEST_FOLDER:
        raise TapeError(f"{path}: the tapes of this folder are larger than {LARGEST_FOLDER} bytes together")
    return [tape for file in files for tape in read_tapes(file)]


def read_bounded(path: Path) -> bytes:
    """The bytes of a file of a bearable size. Raises `TapeError`."""
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise TapeError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(data) > LARGEST_FILE:
        raise TapeError(f"{path}: is larger than {LARGEST_FILE} bytes")
    return data


def read_tape(path: Path) -> Tape:
    """The tape in a `.jsonl` file. Raises `TapeError`."""
    return parse_tape(read_bounded(path), path.stem, str(path), folder=path.parent)


def parse_tape(data: bytes, name: str, file: str, *, folder: Path | None = None) -> Tape:
    """The tape that `data` says. Errors call it `file`; the files it names are looked for in `folder`."""
    reading = _Reading(file, folder)
    for number, line in _lines(data, file):
        reading.line(number, line)
    return reading.tape(name)


def _lines(data: bytes, file: str) -> Iterator[tuple[int, dict[str, Any]]]:
    lines = data.removeprefix(codecs.BOM_UTF8).split(b"\n")
    torn = len(lines) if lines[-1] else 0  # its line break was never written: the recorder was killed while writing it
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = loads(line)
        except ValueError:
            if number == torn and number > 1:
                return
            raise TapeError(f"{file}:{number}: no valid JSON: {_flaw(line)}") from None
        if not isinstance(value, dict):
            raise TapeError(f"{file}:{number}: expected a JSON object, found {_kind(value)}")
        yield number, value


def _flaw(line: bytes) -> str:
    """What is wrong with a line that is no JSON."""
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"{error.msg} (column {error.colno})"
    return "nested too deeply"


class _Reading:
    """A tape as far as it has been read."""

    def __init__(self, file: str, folder: Path | None) -> None:
        self._file = file
        self._folder = folder
        self._number = 1
        self._header: dict[str, Any] | None = None
        self._frames: list[TapeFrame] = []
        self._files: dict[str, Path] = {}
        self._close: tuple[int, str] | None = None
        self._closed_by: Closer | None = None
        self._closed_at = 0.0

    def line(self, number: int, line: dict[str, Any]) -> None:
        self._number = number
        if self._header is None:
            self._header = self._checked_header(line)
        elif "from" in line:
            self._frame(line)
        elif "file" in line:
            self._kept(line)
        elif "close" in line:
            self._end(line)
        else:
            raise self._wrong("expected a line with one of from, file and close")

    def tape(self, name: str) -> Tape:
        header = self._header
        if header is None:
            raise self._wrong('expected a header, {"tape": 1, "url": …}, found nothing')
        refused = header.get("refused")
        return Tape(
            name=name,
            url=header["url"],
            frames=tuple(self._frames),
            close=self._close,
            closed_by=self._closed_by,
            closed_at=self._closed_at,
            path=header.get("path", ""),
            started=header.get("started"),
            subprotocol=header.get("subprotocol"),
            refused=None if refused is None else self._refused(refused),
            files=self._files,
        )

    def _checked_header(self, line: dict[str, Any]) -> dict[str, Any]:
        if line.get("tape") != VERSION:
            found = "none" if "tape" not in line else repr(line["tape"])[:40]
            raise self._wrong(f'expected a header, {{"tape": {VERSION}, "url": …}}; found tape: {found}')
        self._text(line, "url")
        for key in ("path", "subprotocol"):
            if line.get(key) is not None:
                self._text(line, key)
        if line.get("started") is not None:
            self._seconds(line, "started", LATEST)
        if not isinstance(line.get("refused", {}), dict):
            raise self._wrong(f"refused: expected an object, found {_kind(line['refused'])}")
        return {key: value for key, value in line.items() if value is not None}

    def _refused(self, refused: dict[str, Any]) -> Refused:
        self._number = 1
        status = self._whole(refused, "status", 100, 599)
        given = {key: self._text(refused, key) for key in ("body", "content_type") if refused.get(key) is not None}
        return Refused(status, **given)

    def _frame(self, line: dict[str, Any]) -> None:
        side = _SIDES.get(line["from"]) if isinstance(line["from"], str) else None
        if side is None:
            raise self._wrong(f"from: expected client or server, found {_kind(line['from'])}")
        if ("text" in line) == ("data" in line):
            raise self._wrong("expected one of text and data")
        if len(self._frames) >= MOST_FRAMES:
            raise self._wrong(f"expected at most {MOST_FRAMES} messages")
        at = self._seconds(line, "at")
        if "text" in line:
            self._frames.append(TapeFrame(side, at, text=self._text(line, "text"), line=self._number))
            return
        try:
            data = base64.b64decode(self._text(line, "data"), validate=True)
        except (binascii.Error, ValueError):
            raise self._wrong("data: expected base64") from None
        self._frames.append(TapeFrame(side, at, data=data, line=self._number))

    def _kept(self, line: dict[str, Any]) -> None:
        name = self._text(line, "file")
        place = Path(name)
        if place.is_absolute() or ".." in place.parts or "\0" in name or "\\" in name:
            raise self._wrong("file: expected a path inside the tape's folder")
        url = self._text(line, "url")
        if not is_sound_url(url) or place.suffix.lower() not in SOUNDS:
            raise self._wrong(f"file and url: expected a sound ({', '.join(SOUNDS)})")
        if self._folder is None:
            return
        try:
            real = (self._folder / place).resolve()
            inside = real.is_relative_to(self._folder.resolve()) and real.suffix.lower() in SOUNDS
        except (OSError, RuntimeError) as error:
            raise self._wrong(f"file: cannot be read: {error}") from None
        if not inside:
            raise self._wrong("file: leads out of the tape's folder, or not to a sound")
        if real.is_file():
            self._files[url] = real

    def _end(self, line: dict[str, Any]) -> None:
        code = self._whole(line, "close", 1000, 4999)
        reason = self._text(line, "reason") if "reason" in line else ""
        by = _CLOSERS.get(line["by"]) if isinstance(line.get("by"), str) else None
        if by is None:
            raise self._wrong("by: expected client, server or recorder")
        self._close, self._closed_by, self._closed_at = (code, reason), by, self._seconds(line, "at")

    def _text(self, line: dict[str, Any], key: str) -> str:
        value = line.get(key)
        if not isinstance(value, str):
            raise self._wrong(f"{key}: expected a text, found {_kind(value)}")
        return value

    def _whole(self, line: dict[str, Any], key: str, low: int, high: int) -> int:
        value = line.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self._wrong(f"{key}: expected a whole number from {low} to {high}, found {_kind(value)}")
        return value

    def _seconds(self, line: dict[str, Any], key: str, most: float = LONGEST_TIME) -> float:
        value = line.get(key)
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        if not numeric or not 0 <= value <= most:  # type: ignore[operator]
            raise self._wrong(f"{key}: expected seconds from 0 to {most:g}, found {_kind(value)}")
        return float(value)  # type: ignore[arg-type]

    def _wrong(self, what: str) -> TapeError:
        return TapeError(f"{self._file}:{self._number}: {what}")


def is_sound_url(text: str) -> bool:
    """Whether a text is the http or https URL of a sound file."""
    if not text.startswith(("http://", "https://")) or not text.isascii() or any(letter.isspace() for letter in text):
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.path.lower().endswith(tuple(SOUNDS)) and parts.port != 0
    except ValueError:
        return False


def _kind(value: object) -> str:
    """What a value is, for a message; nothing of what it says but numbers."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)[:40]
    return "a text" if isinstance(value, str) else "a list" if isinstance(value, list) else "an object"


def tape_lines(tape: Tape) -> Iterator[str]:
    """The lines of a tape's file, without line breaks. The files it keeps are not among them."""
    yield header_line(
        url=tape.url, path=tape.path, started=tape.started, subprotocol=tape.subprotocol, refused=tape.refused
    )
    for frame in tape.frames:
        yield frame_line(frame.direction, frame.at, frame.text if frame.data is None else frame.data)
    if tape.close is not None:
        yield close_line(tape.closed_at, *tape.close, tape.closed_by or "recorder")


def hidden(tape: Tape, placeholders: Placeholders) -> Tape:
    """The tape without the secrets in its messages, addresses, subprotocol and reasons."""
    text, data = placeholders.text, placeholders.data
    opened = replace(
        tape, url=text(tape.url), path=text(tape.path), subprotocol=placeholders.subprotocol(tape.subprotocol)
    )
    frames = tuple(
        replace(frame, text=None if frame.text is None else text(frame.text), data=frame.data and data(frame.data))
        for frame in tape.frames
    )
    return replace(
        opened,
        frames=frames,
        close=tape.close and (tape.close[0], text(tape.close[1])),
        refused=tape.refused and replace(tape.refused, body=text(tape.refused.body)),
        files={text(url): file for url, file in tape.files.items()},
    )


def header_line(
    *,
    url: str,
    path: str = "",
    started: float | None = None,
    subprotocol: str | None = None,
    refused: Refused | None = None,
    headers: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """The first line. `headers`: those of the handshake, by `request` and `response`, for people to read."""
    header: dict[str, Any] = {"tape": VERSION, "url": url}
    if path:
        header["path"] = path
    if started is not None:
        header["started"] = round(started, 6)
    if subprotocol is not None:
        header["subprotocol"] = subprotocol
    if refused is not None:
        header["refused"] = {"status": refused.status, "content_type": refused.content_type, "body": refused.body}
    if headers:
        header["headers"] = headers
    return dumps(header)


def frame_line(direction: Direction, at: float, message: str | bytes | None) -> str:
    """The line of one message."""
    if isinstance(message, bytes):
        return dumps({"from": direction, "at": round(at, 6), "data": base64.b64encode(message).decode()})
    return dumps({"from": direction, "at": round(at, 6), "text": message or ""})


def file_line(at: float, file: str, url: str) -> str:
    """The line of a file that was kept."""
    return dumps({"at": round(at, 6), "file": file, "url": url})


def close_line(at: float, code: int, reason: str, by: Closer) -> str:
    """The line of the end."""
    return dumps({"at": round(at, 6), "close": code, "reason": reason, "by": by})
