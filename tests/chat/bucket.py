"""The info host and the image bucket of one test, at the stage's own address: takes POSTs, passes all else to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

FIELDS = {"key": "a/b/c", "x-amz-algorithm": "AWS4-HMAC-SHA256", "policy": "e30=", "x-amz-signature": "0f"}


@dataclass
class Bucket:
    """`questions`: what was asked of the info host. `forms`: the uploads, their fields in order and the file last."""

    behind: int
    port: int = 0
    questions: list[dict[str, Any]] = field(default_factory=list)
    forms: list[list[tuple[str, str | tuple[str | None, str | None, bytes]]]] = field(default_factory=list)
    grant: tuple[int, bytes] | None = None
    receipt: tuple[int, bytes] = (204, b"")
    before: Callable[[], Awaitable[None]] | None = None

    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v3/"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            if line.startswith(b"POST "):
                await self._take(line.split()[1].decode(), reader, writer)
            else:
                await self._pass_on(line, reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _take(self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        headers = BytesHeaderParser().parsebytes(await reader.readuntil(b"\r\n\r\n"))
        body = await reader.readexactly(int(headers["Content-Length"]))
        if path == "/v3/files/presignedurl":
            self.questions.append(json.loads(body))
            place = {"url": f"http://127.0.0.1:{self.port}/bucket", "fields": FIELDS}
            status, said = self.grant or (200, json.dumps({"presigned_url": place}).encode())
        else:
            assert path == "/bucket"
            self.forms.append(await _form(headers["Content-Type"], body))
            status, said = self.receipt
        if self.before:
            await self.before()
        length = "" if status == 204 else f"Content-Length: {len(said)}\r\n"
        writer.write(f"HTTP/1.1 {status} Said\r\n{length}Connection: close\r\n\r\n".encode() + said)
        with suppress(OSError):
            await writer.drain()

    async def _pass_on(self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.behind)
        inner_writer.write(line)
        await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _form(kind: str, body: bytes) -> list[tuple[str, str | tuple[str | None, str | None, bytes]]]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", kind.encode())]}
    async with Request(scope, receive).form() as form:
        return [
            (name, (part.filename, part.content_type, await part.read()) if isinstance(part, UploadFile) else part)
            for name, part in form.multi_items()
        ]


@asynccontextmanager
async def open_bucket(behind: int) -> AsyncIterator[Bucket]:
    made = Bucket(behind)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    async with server:
        made.port = server.sockets[0].getsockname()[1]
        yield made
