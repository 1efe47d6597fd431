"""A model server on a thread of its own that answers with the bytes it is given, sound or broken."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from tests.live import PATIENCE

Json = dict[str, Any]


def chunk(content: str | None = None, finish: str | None = None, **more: Any) -> bytes:
    """A chunk of a streamed completion, as an event."""
    delta = {} if content is None else {"content": content}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


def head(kind: str = "text/event-stream", status: str = "200 OK", *more: str) -> bytes:
    """Status and headers of an answer that lasts until the connection is closed."""
    return "\r\n".join((f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close", *more, "", "")).encode()


def whole(body: bytes, kind: str = "application/json", status: str = "200 OK", more: Sequence[str] = ()) -> bytes:
    """An answer in one piece."""
    return head(kind, status, f"Content-Length: {len(body)}", *more) + body


SAID = chunk("반쯤 ")
GOOD = head() + chunk("안녕하세요.") + chunk(finish="stop") + b"data: [DONE]\n\n"
COMPLETION = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "안녕하세요."}, "finish_reason": "stop"}],
}
PAGE = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>" + b"x" * 300_000 + b"</body></html>"

BROKEN: dict[str, bytes] = {
    "an event without data": head() + SAID + b"event: completion\n\n" + chunk(finish="stop"),
    "an event with empty data": head() + SAID + b"data:\n\n" + chunk(finish="stop"),
    "an error event": head() + SAID + b'event: error\ndata: {"error": {"message": "overloaded"}}\n\n',
    "an error event in plain text": head() + SAID + b"event: error\ndata: overloaded\n\n",
    "an error event without data": head() + SAID + b"event: error\n\n",
    "an error event that knows no form": head()
    + SAID
    + b'event: error\ndata: ["overloaded"]\n\n'
    + chunk(finish="stop"),
    "an error in a chunk": head() + SAID + chunk("", finish="error", error={"code": 502, "message": "overloaded"}),
    "an error as vLLM tells it": head()
    + SAID
    + b'data: {"object": "error", "message": "too long"}\n\ndata: [DONE]\n\n',
    "an error as llama.cpp tells it": head() + SAID + b'error: {"code": 500, "message": "out of memory"}\n\n',
    "an error as FastAPI tells it": head() + SAID + b'data: {"detail": "no"}\n\ndata: [DONE]\n\n',
    "an error as Gemini tells it": head() + SAID + b'data: [{"error": {"message": "quota"}}]\n\ndata: [DONE]\n\n',
    "a finish_reason error": head() + SAID + chunk("", finish="error") + b"data: [DONE]\n\n",
    "no JSON": head() + SAID + b"data: {oops\n\n",
    "a chunk that is none": head() + SAID + b"data: 5\n\n" + chunk(finish="stop"),
    "choices that are none": head() + SAID + chunk(finish="stop").replace(b'"delta": {}', b'"delta": {"content": 5}'),
    "an HTML page": whole(PAGE, "text/html"),
    "an HTML page as a stream": head() + PAGE,
    "an error with status 200": whole(b'{"error": {"message": "no such model", "code": 404}}'),
    "an error as a stream": head() + b'{"error": {"message": "no such model"}}',
    "an empty stream": head(),
    "an empty body": whole(b""),
    "only the end": head() + b"data: [DONE]\n\n",
    "only comments": head() + b": wait\n\n: wait\n\n",
    "no choices": head() + chunk().replace(b'[{"index": 0, "delta": {}, "finish_reason": null}]', b"[]") * 2,
    "a page of 300 KB": whole(PAGE, "text/html", "502 Bad Gateway"),
    "an error of 300 KB": whole(b'{"error": {"message": "%s"}}' % (b"x" * 300_000), status="500 Oops"),
    "a plain error": whole(b"upstream connect error", "text/plain", "503 Service Unavailable"),
    "an error without a body": whole(b"", "text/plain", "500 Internal Server Error"),
    "a stream that just ends": head() + SAID,
    "a stream cut in a chunk": head("text/event-stream", "200 OK", "Transfer-Encoding: chunked") + b"fff\r\n" + SAID,
    "a stream that is shorter than it says": head("text/event-stream", "200 OK", "Content-Length: 9999") + SAID,
    "garbage for gzip": head("text/event-stream", "200 OK", "Content-Encoding: gzip") + SAID,
    "gzip cut off": head("text/event-stream", "200 OK", "Content-Encoding: gzip") + gzip.compress(GOOD)[:-12],
    "another charset": head("text/event-stream; charset=euc-kr") + SAID.decode().encode("euc-kr"),
    "a redirect": head("text/html", "307 Temporary Redirect", "Location: http://u:p@127.0.0.1:9/v1?key=hush"),
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "nothing": b"",
    "an answer in one piece": whole(json.dumps(COMPLETION).encode()),
    "another JSON": whole(b'{"hello": "world"}'),
}
"""Answers to a request for a stream that are none."""


@dataclass
class BrokenUpstream:
    """Listens at 127.0.0.1. `answer`: what is answered, to all or by `model`; `endless`: header lines without end."""

    answer: bytes = GOOD
    by_model: dict[str, bytes] = field(default_factory=dict)
    endless: bool = False
    bodies: list[bytes] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return f"http://{self.host}/v1"

    @property
    def requests(self) -> list[Json]:
        return [json.loads(body) for body in self.bodies]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader:
            connection.settimeout(PATIENCE)
            lines = list(iter(reader.readline, b"\r\n"))
            if not lines or b"" in lines:
                return
            self.heads.append(b"".join(lines).decode())
            fields = dict(line.decode().lower().split(": ", 1) for line in lines[1:])
            body = reader.read(int(fields.get("content-length", 0)))
            self.bodies.append(body)
            answer = self.by_model.get(json.loads(body).get("model", ""), self.answer)
            try:
                for part in self._parts(answer):
                    connection.sendall(part)
                connection.shutdown(socket.SHUT_WR)
                reader.read()
            except OSError:
                return

    def _parts(self, answer: bytes) -> Iterable[bytes]:
        if not self.endless:
            yield answer
            return
        yield b"HTTP/1.1 200 OK\r\n"
        while threading.Event().wait(0.1) is False:
            yield b"X-More: more\r\n"
