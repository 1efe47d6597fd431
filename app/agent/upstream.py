"""An OpenAI-compatible endpoint, and what is to be thought of its answers. PURE.

A stream is whole once it has told why it ends (`finish_reason`) or has sent `[DONE]`; one that just ends was cut off.
What fails is told in one line of bounded length that names the host.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from app.json_text import loads

OPENAI = "https://api.openai.com/v1"

LONGEST_ERROR = 1_000
"""Characters of an error that an upstream has worded; what it has more is left out."""

LONGEST_EXCERPT = 200
"""Characters that are repeated of something else it has sent."""

LARGEST_ANSWER = 64 * 1024 * 1024
"""Bytes of an answer in one piece."""

LARGEST_EVENT = 16 * 1024 * 1024
"""Bytes of one event of a stream."""

_LAST = frozenset(("response.completed", "response.incomplete", "response.failed"))
"""Events of OpenAI's Responses that say how an answer has ended."""

_KEEP_ALIVE = frozenset(("ping", "heartbeat", "keepalive", "keep-alive"))
"""Names of events that say nothing but that the connection lives."""

_LINE_END = re.compile(r"\r\n|\r|\n")
_EVENT_END = re.compile(rb"(?>\r\n|\r|\n){2}")
_TITLE = re.compile(r"(?i)<title[^<>]{0,200}>([^<]{0,2000})</title>")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where the endpoint is. `timeout` in seconds: until an answer begins, and between two events of one."""

    api_key: str | None = None
    base_url: str | None = None
    timeout: float = 30.0
    max_retries: int = 1

    @property
    def configured(self) -> bool:
        return bool(self.api_key or self.base_url)

    @property
    def url(self) -> str:
        """The base of its addresses, without a slash at the end."""
        return (self.base_url or OPENAI).rstrip("/")

    @property
    def host(self) -> str:
        """Host and port, as errors name it: never a password."""
        return urlsplit(self.url).netloc.rpartition("@")[2]


class UpstreamError(Exception):
    """An answer that cannot be used; the text is a line that names the upstream. `late`: it did not come in time."""

    def __init__(self, text: str, *, late: bool = False) -> None:
        super().__init__(text)
        self.late = late


class Answer:
    """The body of an answer with a status of success, judged as it comes.

    `host` names the upstream; `streamed`: whether a stream was asked for. `exact`: what a completion has to be like is
    judged too; without it, what only some provider knows goes through.
    """

    def __init__(self, host: str, *, streamed: bool, exact: bool) -> None:
        self._host = host
        self._streamed = streamed
        self._events = EventStream(host, exact=exact)
        self._pieces = 0
        self._begun = False
        self._whole: bytearray | None = None
        self._held = bytearray()

    @property
    def heard(self) -> int:
        """Grows whenever something has come that is part of an answer, and no comment in a stream."""
        return self._events.heard + self._pieces

    @property
    def over(self) -> bool:
        """Whether nothing of what follows matters."""
        return self._events.done

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What is fit to be passed on by now. Raises `UpstreamError`, after what came before."""
        self._pieces += not self._streamed
        if not self._begun:
            self._held += data
            head = self._held.removeprefix(_BOM).lstrip()
            if not head:
                return
            self._begun = True
            self._whole = bytearray() if head[:1] in b'{[<"' else None
            data = bytes(self._held)
        if self._whole is None:
            yield from self._events.feed(data)
            return
        self._whole += data
        if len(self._whole) > LARGEST_ANSWER:
            raise UpstreamError(f"{self._host} sent an answer of more than {LARGEST_ANSWER} bytes")

    def close(self) -> bytes:
        """What is left at its end. Raises `UpstreamError` where it is no whole answer."""
        if self._whole is None:
            left = self._events.close()
            if not self._streamed:
                raise UpstreamError(f"{self._host} sent a stream where an answer in one piece was asked for")
            return left
        judge_whole(self._host, bytes(self._whole))
        if self._streamed:
            raise UpstreamError(f"{self._host} sent an answer in one piece where a stream was asked for")
        return bytes(self._whole)


class EventStream:
    """Judges server-sent events as they come, and gives those that are fit to be passed on, as they were sent."""

    def __init__(self, host: str, *, exact: bool) -> None:
        self._host = host
        self._exact = exact
        self._held = bytearray()
        self._searched = 0
        self._first = True
        self._answered = self._finished = self.done = False
        self.heard = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The events that are complete now. Raises `UpstreamError`, after what came before it."""
        self._held += data
        if self._first and len(self._held) >= len(_BOM):
            self._first = False
            if self._held.startswith(_BOM):
                del self._held[: len(_BOM)]
        passed = bytearray()
        start = 0
        try:
            while not self.done and (end := _EVENT_END.search(self._held, max(start, self._searched))):
                event = bytes(self._held[start : end.end()])
                start = self._searched = end.end()
                if self._fit(event):
                    passed += event
            if len(self._held) - start > LARGEST_EVENT:
                raise UpstreamError(f"{self._host} sent an event of more than {LARGEST_EVENT} bytes")
        finally:
            del self._held[:start]
            self._searched = max(0, len(self._held) - 3)
            if passed:
                yield bytes(passed)

    def close(self) -> bytes:
        """What is left at the end of the stream. Raises `UpstreamError` where it was cut off or has said nothing."""
        left = bytes(self._held)
        self._held.clear()
        passed = left + b"\n\n" if not self.done and left.strip() and self._fit(left) else b""
        if not self._answered:
            raise UpstreamError(f"{self._host} sent an empty answer")
        if not self._finished and not self.done:
            raise UpstreamError(f"{self._host} broke off its answer")
        return passed

    def _fit(self, event: bytes) -> bool:
        """Whether an event is passed on. Raises `UpstreamError`."""
        try:
            lines = _LINE_END.split(event.decode())
        except UnicodeDecodeError:
            raise UpstreamError(f"{self._host} sent text that is not UTF-8") from None
        fields = [line.partition(":") for line in lines if line and not line.startswith(":")]
        if not fields:
            return self.heard > 0  # a comment: before the first event it would have the client think all is well
        name = next((value.strip() for key, _, value in reversed(fields) if key == "event"), "")
        data = [value.removeprefix(" ") for key, _, value in fields if key == "data"]
        text = "\n".join(data).strip()
        failure = next((value for key, _, value in fields if key == "error"), None)
        if failure is not None:  # llama.cpp's own way
            self._judge("error", failure)
        if not text:
            if not data and (not name or name in _KEEP_ALIVE):
                return False
            raise UpstreamError(f"{self._host} sent an event without data" + (f" ({name[:40]})" if name else ""))
        self.heard += 1
        if text.startswith("[DONE]"):
            if not self._answered:
                raise UpstreamError(f"{self._host} sent an empty answer")
            self.done = True
            return True
        self._judge(name, text)
        return True

    def _judge(self, name: str, text: str) -> None:
        try:
            chunk = loads(text)
        except ValueError:
            what = "broke off its answer" if name == "error" else "sent something that is no JSON"
            raise UpstreamError(f"{self._host} {what}: {excerpt(text)}") from None
        if name == "error" or not isinstance(chunk, dict) or _tells_error(chunk):
            raise UpstreamError(f"{self._host} broke off its answer: {said_in(chunk) or excerpt(text)}")
        choices = chunk.get("choices")
        if isinstance(choices, list) and choices:
            self._answered = True
            reasons = [choice.get("finish_reason") for choice in choices if isinstance(choice, dict)]
            self._finished = self._finished or any(reasons)
            if "error" in reasons:
                raise UpstreamError(f"{self._host} broke off its answer with the finish_reason error")
        elif isinstance(chunk.get("type"), str) and chunk["type"].startswith("response."):
            self._answered = True
            self._finished = self._finished or chunk["type"] in _LAST
        if self._exact and not _is_chunk(chunk):
            raise UpstreamError(f"{self._host} sent something that is no part of a completion: {excerpt(text)}")


def judge_whole(host: str, body: bytes) -> None:
    """Raises `UpstreamError` where a body with a status of success is no completion."""
    if not body.strip():
        raise UpstreamError(f"{host} sent an empty answer")
    try:
        answer = loads(body)
    except ValueError:
        raise UpstreamError(f"{host} sent no JSON: {excerpt(body)}") from None
    if not isinstance(answer, dict) or answer.get("error"):
        raise UpstreamError(f"{host} failed: {said_in(answer) or excerpt(body)}")
    completed = isinstance(answer.get("choices"), list) and answer["choices"]
    if not completed and not isinstance(answer.get("output"), list):  # a response may have no more than thoughts
        raise UpstreamError(f"{host} sent no completion: {excerpt(body)}")


def refusal_text(host: str, status: int, body: bytes, location: str = "") -> str:
    """An answer with a status of failure, as the wire words it: `Error code: 404 - {'status': …}` was the OpenAI
    client's wording at the time of the captures, with the whole body (later clients shorten it). `location`: where a
    redirect leads.
    """
    if 300 <= status < 400:
        parts = urlsplit(location)
        there = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else parts.path
        return f"Error code: {status} - {host} redirects" + (f" to {excerpt(there)}" if there else "")
    try:
        text = f"Error code: {status} - {loads(body)}"
    except ValueError:
        return f"Error code: {status} - {host}: {excerpt(body)}" if body.strip() else f"Error code: {status} - {host}"
    if len(text) <= LONGEST_ERROR:
        return text
    return f"{text[:LONGEST_ERROR]}… ({len(body)} bytes from {host})"


def said_in(answer: object) -> str:
    """The error that a JSON answer tells, bounded; "" if it tells none."""
    told = answer.get("error") or answer if isinstance(answer, dict) else answer
    if isinstance(told, Mapping):
        told = next((told[key] for key in ("message", "detail", "error") if isinstance(told.get(key), str)), "")
    if not isinstance(told, str):
        return ""
    told = " ".join(told.split())
    return told if len(told) <= LONGEST_ERROR else told[:LONGEST_ERROR] + "…"


def excerpt(sent: str | bytes) -> str:
    """The beginning of what was sent, on one line; of an HTML page, its title."""
    text = sent[: 4 * LONGEST_ERROR].decode("utf-8", "replace") if isinstance(sent, bytes) else sent[:LONGEST_ERROR]
    page = text.lstrip().startswith("<")
    title = _TITLE.search(text) if page else None
    line = " ".join((title[1] if title else text).split())
    shown = line if len(line) <= LONGEST_EXCERPT else line[:LONGEST_EXCERPT] + "…"
    shown = "".join(letter if letter.isprintable() else "�" for letter in shown)
    return f"an HTML page ({shown})" if page else shown


def is_json(sent: bytes) -> bool:
    """Whether a body is JSON."""
    try:
        loads(sent)
    except ValueError:
        return False
    return True


def _tells_error(chunk: Mapping[str, Any]) -> bool:
    """Whether an event tells an error: in OpenAI's form, or in one of those that others have."""
    if chunk.get("error") or "error" in (chunk.get("object"), chunk.get("type")):
        return True
    return "choices" not in chunk and any(isinstance(chunk.get(key), str) for key in ("message", "detail"))


def _is_chunk(chunk: Mapping[str, Any]) -> bool:
    """Whether a client that makes messages of chunks can read one."""
    choices = chunk.get("choices", [])
    if not isinstance(choices, list) or not isinstance(chunk.get("usage"), dict | None):
        return False
    return all(isinstance(choice, dict) and _is_delta(choice) for choice in choices)


def _is_delta(choice: Mapping[str, Any]) -> bool:
    if "delta" not in choice:
        return False
    delta = choice["delta"]
    if delta is None:
        return True
    if not isinstance(delta, dict) or not isinstance(delta.get("content"), str | list | None):
        return False
    calls = delta.get("tool_calls") or []
    return isinstance(calls, list) and all(
        isinstance(call, dict)
        and isinstance(call.get("function") or {}, dict)
        and isinstance((call.get("function") or {}).get("arguments"), str | None)
        for call in calls
    )
