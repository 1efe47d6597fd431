"""A stored file over HTTP: whole or in ranges, and not again for who has it (RFC 9110, 13 and 14)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path

import anyio
from starlette.datastructures import Headers
from starlette.responses import FileResponse, MalformedRangeHeader, RangeNotSatisfiable, Response
from starlette.types import Receive, Scope, Send

NOT_MODIFIED_HEADERS = ("etag", "last-modified", "cache-control", "vary", "content-location", "expires")
"""What a 304 repeats of the 200 that it stands for."""


DATE_LAG = 2.0
"""Seconds that the Date of an answer may be behind, as uvicorn writes it once a second: nothing may be modified after
it.
"""

_RANGE = re.compile(r"[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18}")


class StoredFile(FileResponse):
    """Answers GET and HEAD with a file.

    A range of an unknown unit, or that cannot be read, is ignored. `unsatisfiable` makes the answer to one that lies
    outside of the file, `missing` that to a file that has just gone, in the words of the wire that serves it.
    """

    def __init__(
        self,
        path: Path,
        *,
        media_type: str,
        unsatisfiable: Callable[[], Response],
        missing: Callable[[], Response],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(path, media_type=media_type, headers=headers)
        self._unsatisfiable = unsatisfiable
        self._missing = missing

    def set_stat_headers(self, stat_result: os.stat_result) -> None:
        super().set_stat_headers(stat_result)
        # A voice is modified at the second it expires; when it was stored is what its inode says.
        stored = min(stat_result.st_mtime, stat_result.st_ctime) - DATE_LAG
        self.headers["last-modified"] = formatdate(stored, usegmt=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self.stat_result = await anyio.to_thread.run_sync(os.stat, self.path)
        except FileNotFoundError:
            await self._missing()(scope, receive, send)
            return
        self.set_stat_headers(self.stat_result)
        asked = Headers(scope=scope)
        if self._is_known(asked):
            kept = {name: self.headers[name] for name in NOT_MODIFIED_HEADERS if name in self.headers}
            await Response(status_code=304, headers=kept)(scope, receive, send)
            return
        given = asked.get("range")
        if given is not None:
            try:
                self._parse_range_header(given, self.stat_result.st_size)
            except RangeNotSatisfiable as outside:
                answer = self._unsatisfiable()
                answer.headers["content-range"] = f"bytes */{outside.max_size}"
                await answer(scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    def _is_known(self, asked: Headers) -> bool:
        """Whether the client says that it has the file as it is."""
        tags = asked.get("if-none-match")
        if tags is not None:
            known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
            return "*" in known or self.headers["etag"] in known
        since = asked.get("if-modified-since")
        if since is None:
            return False
        try:
            return parsedate_to_datetime(self.headers["last-modified"]) <= parsedate_to_datetime(since)
        except (ValueError, TypeError):
            return False

    @classmethod
    def _parse_range_header(cls, http_range: str, file_size: int) -> list[tuple[int, int]]:
        unit, _, ranges = http_range.partition("=")
        if unit.strip().lower() != "bytes" or not all(_RANGE.fullmatch(part.strip()) for part in ranges.split(",")):
            return []
        try:
            return super()._parse_range_header(http_range, file_size)
        except MalformedRangeHeader:
            return []
