"""HAR files: what browsers' developer tools save, and other tools open.

HAR 1.2 with the entries' field `_webSocketMessages` as Chrome writes it: `type` (`send`, `receive`; `error` for a lost
connection), `time` (epoch seconds), `opcode` (1 text, 2 binary) and `data` (base64 for opcode 2). What HAR has no place
for goes into the entry's `_tape`, which others ignore.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from app.emulation.tapes import (
    ABNORMAL,
    LATEST,
    LONGEST_TIME,
    MOST_FRAMES,
    Closer,
    Direction,
    Refused,
    Tape,
    TapeError,
    TapeFrame,
    read_bounded,
)

MESSAGES = "_webSocketMessages"
BEYOND = "_tape"
TEXT, BINARY = 1, 2

_DIRECTIONS: dict[object, Direction] = {"send": "client", "receive": "server"}
_CLOSERS: dict[object, Closer] = {"client": "client", "server": "server", "recorder": "recorder"}


def read_har(path: Path) -> list[Tape]:
    """The WebSocket connections of a HAR file, in its order. Raises `TapeError`."""
    return parse_har(read_bounded(path), path.stem, str(path))


def parse_har(data: bytes, name: str, file: str) -> list[Tape]:
    """The connections that `data` tells of, named `name-1`, `name-2`, …; errors call it `file`."""
    entries = _entries(_json(data, file), file)
    tapes: list[Tape] = []
    for number, entry in enumerate(entries):
        if isinstance(entry, dict) and isinstance(entry.get(MESSAGES), list):
            tapes.append(_Entry(f"{file}: entries[{number}]", entry).tape(f"{name}-{len(tapes) + 1}"))
        elif isinstance(entry, dict) and MESSAGES in entry:
            raise TapeError(f"{file}: entries[{number}].{MESSAGES}: expected a list")
    if not tapes:
        raise TapeError(
            f"{file}: no entry has {MESSAGES}: save it with the WebSocket open in the developer tools' network panel"
        )
    return tapes


def _json(data: bytes, file: str) -> Any:
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as first:
        try:
            return json.loads(data)  # takes what orjson does not: half of a surrogate pair
        except json.JSONDecodeError as error:
            raise TapeError(f"{file}:{error.lineno}: no valid JSON: {error.msg} (column {error.colno})") from None
        except (UnicodeDecodeError, RecursionError, ValueError):
            raise TapeError(f"{file}:{first.lineno}: no valid JSON: {first.msg}") from None


def _entries(har: Any, file: str) -> list[Any]:
    log = har.get("log") if isinstance(har, dict) else None
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        raise TapeError(f"{file}: expected a HAR file, an object with log.entries")
    return entries


class _Entry:
    """One entry with WebSocket messages."""

    def __init__(self, place: str, entry: dict[str, Any]) -> None:
        self._place = place
        self._entry = entry

    def tape(self, name: str) -> Tape:
        messages: list[Any] = self._entry[MESSAGES]
        if len(messages) > MOST_FRAMES:
            raise self._wrong(MESSAGES, f"expected at most {MOST_FRAMES} messages")
        url = self._url()
        started = self._started(messages)
        frames: list[TapeFrame] = []
        lost: tuple[float, str] | None = None
        for number, message in enumerate(messages):
            read = self._message(number, message, started)
            if isinstance(read, TapeFrame):
                frames.append(read)
            elif read is not None:
                lost = read
        beyond = self._beyond()
        close, closed_by, closed_at = beyond["close"], beyond["by"], beyond["at"]
        if close is None and lost is not None:
            close, closed_by, closed_at = (ABNORMAL, lost[1][:100]), "server", lost[0]
        return Tape(
            name=beyond["name"] or name,
            url=url,
            frames=tuple(frames),
            close=close,
            closed_by=closed_by,
            closed_at=closed_at,
            path=beyond["path"],
            started=started,
            subprotocol=beyond["subprotocol"] or self._subprotocol(),
            refused=self._refused(),
        )

    def _url(self) -> str:
        request = self._entry.get("request")
        url = request.get("url") if isinstance(request, dict) else None
        if not isinstance(url, str):
            raise self._wrong("request.url", "expected a text")
        try:
            urlsplit(url)
        except ValueError as error:
            raise self._wrong("request.url", f"expected a URL ({error})") from None
        return url

    def _started(self, messages: Sequence[Any]) -> float:
        """Epoch seconds of the opening: those of the entry, unless its messages came before."""
        times = (_time(message.get("time")) for message in messages if isinstance(message, dict))
        first = next((time for time in times if time is not None), None)
        given = self._entry.get("startedDateTime")
        if not isinstance(given, str):
            return first or 0.0
        try:
            moment = datetime.fromisoformat(given)
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            raise self._wrong("startedDateTime", "expected a date and time as ISO 8601 has it") from None
        return max(0.0, seconds if first is None else min(seconds, first))

    def _message(self, number: int, message: Any, started: float) -> TapeFrame | tuple[float, str] | None:
        """A message; when and why the connection was lost; or None for what is neither."""
        place = f"{MESSAGES}[{number}]"
        if not isinstance(message, dict):
            raise self._wrong(place, "expected an object")
        time = _time(message.get("time"))
        if time is None:
            raise self._wrong(f"{place}.time", "expected epoch seconds")
        at = round(max(0.0, time - started), 6)
        if at > LONGEST_TIME:
            raise self._wrong(f"{place}.time", f"expected at most {LONGEST_TIME:g} seconds after the entry's start")
        data = message.get("data", "")
        if not isinstance(data, str):
            raise self._wrong(f"{place}.data", "expected a text")
        kind = message.get("type")
        if kind == "error":
            return at, data
        direction = _DIRECTIONS.get(kind) if isinstance(kind, str) else None
        if direction is None:
            raise self._wrong(f"{place}.type", "expected send, receive or error")
        opcode = message.get("opcode", TEXT)
        if opcode == TEXT and not isinstance(opcode, bool):
            return TapeFrame(direction, at, text=data.encode("utf-8", "replace").decode(), line=number + 1)
        if opcode == BINARY:
            try:
                return TapeFrame(direction, at, data=base64.b64decode(data, validate=True), line=number + 1)
            except (binascii.Error, ValueError):
                raise self._wrong(f"{place}.data", "expected base64 (opcode 2)") from None
        if opcode in (8, 9, 10):
            return None
        raise self._wrong(f"{place}.opcode", "expected 1 (text) or 2 (binary)")

    def _beyond(self) -> dict[str, Any]:
        """What HAR has no place for, as `exported` wrote it."""
        given = self._entry.get(BEYOND)
        given = given if isinstance(given, dict) else {}
        code, reason, at = given.get("close"), given.get("reason", ""), given.get("closedAt")
        by = _CLOSERS.get(given["by"]) if isinstance(given.get("by"), str) else None
        found: dict[str, Any] = {"close": None, "by": None, "at": 0.0}
        if isinstance(code, int) and 1000 <= code <= 4999 and isinstance(reason, str) and by:
            found = {"close": (code, reason), "by": by, "at": _time(at) or 0.0}
        for key in ("name", "path", "subprotocol"):
            value = given.get(key)
            found[key] = value if isinstance(value, str) else ""
        return found

    def _subprotocol(self) -> str | None:
        for header in self._part("response", "headers", list):
            if isinstance(header, dict) and str(header.get("name", "")).lower() == "sec-websocket-protocol":
                value = header.get("value")
                return value if isinstance(value, str) and value else None
        return None

    def _refused(self) -> Refused | None:
        """The refusal, if the server's answer was one. Some tools write status 0 or 200 for an open socket."""
        status = self._part("response", "status", int)
        if isinstance(status, bool) or not 300 <= status <= 599 or self._entry[MESSAGES]:
            return None
        content = self._part("response", "content", dict)
        body, kind = content.get("text", ""), content.get("mimeType", "")
        return Refused(status, body if isinstance(body, str) else "", kind if isinstance(kind, str) else "")

    def _part(self, outer: str, inner: str, kind: type) -> Any:
        """A part of the entry, or what is empty of its kind."""
        whole = self._entry.get(outer)
        part = whole.get(inner) if isinstance(whole, dict) else None
        return part if isinstance(part, kind) else kind()

    def _wrong(self, where: str, what: str) -> TapeError:
        return TapeError(f"{self._place}.{where}: {what}")


def _time(value: object) -> float | None:
    """Epoch seconds, or None for what is none. Some tools write milliseconds."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    if 0 <= value <= LATEST:
        return float(value)
    return value / 1000 if LATEST < value <= 1000 * LATEST else None


def exported(tapes: Iterable[Tape], version: str) -> bytes:
    """A HAR 1.2 file with one entry for each tape. `version` is this program's."""
    log = {
        "version": "1.2",
        "creator": {"name": "chldo-emulator", "version": version},
        "pages": [],
        "entries": [_exported(tape) for tape in tapes],
    }
    return orjson.dumps({"log": log}, option=orjson.OPT_INDENT_2)


def _exported(tape: Tape) -> dict[str, Any]:
    started = tape.started or 0.0
    refused = tape.refused
    protocol = [] if tape.subprotocol is None else [{"name": "Sec-WebSocket-Protocol", "value": tape.subprotocol}]
    beyond: dict[str, Any] = {"name": tape.name, "path": tape.path, "subprotocol": tape.subprotocol}
    if tape.close is not None:
        beyond |= {"close": tape.close[0], "reason": tape.close[1], "by": tape.closed_by, "closedAt": tape.closed_at}
    milliseconds = round(tape.seconds * 1000, 3)
    query = parse_qsl(urlsplit(tape.url).query, keep_blank_values=True)
    return {
        "startedDateTime": datetime.fromtimestamp(started, UTC).isoformat(timespec="microseconds"),
        "time": milliseconds,
        "request": {
            "method": "GET",
            "url": tape.url,
            "httpVersion": "HTTP/1.1",
            "headers": [],
            "queryString": [{"name": name, "value": value} for name, value in query],
            "cookies": [],
            "headersSize": -1,
            "bodySize": 0,
        },
        "response": {
            "status": 101 if refused is None else refused.status,
            "statusText": "Switching Protocols" if refused is None else "",
            "httpVersion": "HTTP/1.1",
            "headers": protocol,
            "cookies": [],
            "content": {
                "size": 0 if refused is None else len(refused.body.encode()),
                "mimeType": "x-unknown" if refused is None else refused.content_type,
                **({} if refused is None else {"text": refused.body}),
            },
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
        },
        "cache": {},
        "timings": {"send": 0, "wait": 0, "receive": milliseconds},
        "_resourceType": "websocket",
        MESSAGES: [_message(frame, started) for frame in tape.frames],
        BEYOND: beyond,
    }


def _message(frame: TapeFrame, started: float) -> dict[str, Any]:
    binary = frame.data is not None
    return {
        "type": "send" if frame.direction == "client" else "receive",
        "time": round(started + frame.at, 6),
        "opcode": BINARY if binary else TEXT,
        "data": base64.b64encode(frame.data or b"").decode() if binary else frame.text or "",
    }
