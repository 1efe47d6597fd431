"""The journal: `/_emulator/journal`, to be asked, waited for and followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import replace
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.control.plane import Plane, Removed, router
from app.control.refusals import Refused, refusal
from app.emulation import journal
from app.emulation.journal import KINDS, Entry, Journal, TooManyFollowers
from app.json_text import dumps

T = TypeVar("T")

MOST = 10_000
"""Entries of one answer."""

LONGEST_WAIT = 300.0
"""Seconds that one request may wait."""

HEARTBEAT = 15.0
"""Seconds of silence after which a feed says that it is alive."""

LARGEST_SEQ = 2**63 - 1
_SLICE = 50


class Seen(BaseModel):
    """An entry. Beside these keys, those that its kind has (docs/journal.md)."""

    model_config = ConfigDict(extra="allow")

    seq: int = Field(examples=[17])
    kind: str = Field(description=", ".join(KINDS), examples=["out"])
    at: float = Field(description="Emulated time, in epoch seconds.")
    mono: float = Field(description="The machine's monotonic time, in seconds.")
    wire: str = Field(examples=["chldo"])
    connection: str
    room: str = Field(examples=["r1"])
    turn: int | None = Field(description="Which request of the connection it belongs to, from 1.")
    type: str | None = Field(None, description="What the wire calls the frame.", examples=["END"])
    bytes: int | None = None
    text: str | None = Field(None, description="The frame, with secrets shortened.")


class Entries(BaseModel):
    """Entries, oldest first. `last`: the `seq` of the newest that was ever written; `dropped`: how many had to go."""

    entries: list[Seen]
    last: int
    dropped: int


class Waited(BaseModel):
    """What has come. `complete`: as many as were waited for."""

    complete: bool
    entries: list[Seen]


def asked(
    kind: Annotated[
        list[str] | None, Query(description=f"Of these kinds: {', '.join(KINDS)}. Repeat it, or separate by commas.")
    ] = None,
    connection: Annotated[str | None, Query(description="Of this connection, by its id.")] = None,
    room: Annotated[str | None, Query(description="Of this room.")] = None,
    wire: Annotated[str | None, Query(description="Of this wire.", examples=["chldo"])] = None,
    type_: Annotated[
        str | None, Query(alias="type", description="Frames that the wire calls so.", examples=["END"])
    ] = None,
    text: Annotated[str | None, Query(description="With this text in the frame or the details.")] = None,
    turn: Annotated[
        int | None, Query(ge=1, le=LARGEST_SEQ, description="Of this request of the connection, from 1.")
    ] = None,
    after: Annotated[int, Query(ge=0, le=LARGEST_SEQ, description="Newer than this `seq`.")] = 0,
) -> journal.Query:
    """The filters, as they stand in a URL."""
    kinds = frozenset(part for one in kind or () for part in one.split(","))
    for name in kinds.difference(KINDS):
        raise Refused(400, f"kind: expected one of {', '.join(KINDS)}, found {name or 'nothing'}")
    return journal.Query(kinds, connection, room, wire, type_, text, turn, after)


Asked = Annotated[journal.Query, Depends(asked)]


def journal_routes(plane: Plane) -> APIRouter:
    """The routes."""
    routes = router(plane, "journal", 409)
    kept = plane.stage.journal

    @routes.get("/journal", summary="What has happened", response_model=Entries)
    async def read(
        query: Asked,
        limit: Annotated[int, Query(ge=1, le=MOST, description="Entries at most.")] = 1000,
        newest: Annotated[bool, Query(description="The last ones instead of the first ones.")] = False,
    ) -> Response:
        """Oldest first. To read on, give the `seq` of the last entry as `after`."""
        found = await kept.search(query, limit=limit, newest=newest)
        return await _json(found, last=kept.last, dropped=kept.dropped)

    @routes.delete("/journal", summary="Forget what has happened")
    async def clear() -> Removed:
        """Numbers count on. What is on disk stays."""
        return Removed(removed=kept.clear())

    @routes.get("/journal/wait", summary="Wait until something happens", response_model=Waited)
    async def wait(
        request: Request,
        query: Asked,
        count: Annotated[int, Query(ge=1, le=MOST, description="How many entries to wait for.")] = 1,
        timeout: Annotated[  # noqa: ASYNC109 - it is a part of the answer, not of the call
            float, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait at most, of the machine's time.")
        ] = 5.0,
    ) -> Response:
        """Answers as soon as so many entries are there, those already written included, or when the time is over: then
        `complete` is false. Always 200.
        """
        try:
            found = await _unless_gone(request, kept.wait(query, count=count, seconds=timeout))
        except TooManyFollowers as many:
            raise Refused(409, f"journal: {many}") from None
        return await _json(found or [], complete=found is not None and len(found) >= count)

    @routes.get(
        "/journal/feed",
        summary="Follow what happens (server-sent events)",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def feed(
        query: Asked,
        last: Annotated[
            int | None,
            Header(alias="Last-Event-ID", ge=0, le=LARGEST_SEQ, description="Go on after this one, as browsers do."),
        ] = None,
    ) -> Response:
        """An event an entry: `id` is its `seq`, `data` the entry. With `after` or `Last-Event-ID` it begins with what
        the journal still has after that one. A reader that is too slow, or comes back too late, gets an event `skipped`
        with the number of entries that it misses. A comment every 15 seconds shows that it is alive.
        """
        return _Feed(kept, query, last)

    return routes


class _Feed(Response):
    """A stream of events that ends when the client goes, or the server."""

    def __init__(self, kept: Journal, query: journal.Query, last: int | None) -> None:
        super().__init__(media_type="text/event-stream")
        self._journal = kept
        if last is not None and last > kept.last:
            last = 0  # it was told so by a server that has been started anew since
        after = max(query.after, last or 0)
        self._query = replace(query, after=kept.last if last is None and not query.after else after)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._journal.follow(self._query) as feed:
                headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
                stream = StreamingResponse(self._lines(feed), headers=headers, media_type=self.media_type)
                await stream(scope, receive, send)
        except TooManyFollowers as many:
            await refusal(409, f"journal: {many}")(scope, receive, send)

    async def _lines(self, feed: journal.Feed) -> AsyncIterator[bytes]:
        yield b": the journal of the emulator\n\n"
        missed = self._journal.missed_after(self._query.after)
        if missed:
            yield _skipped(missed)
        told = self._journal.last
        for entry in await self._journal.search(self._query):
            yield _event(entry)
        skipped = 0
        while not feed.ended:
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await feed.news()
            except TimeoutError:
                yield b": alive\n\n"
                continue
            found = await feed.take()
            if feed.skipped > skipped:
                yield _skipped(feed.skipped - skipped)
                skipped = feed.skipped
            for entry in found:
                if entry.seq > told:
                    yield _event(entry)


def _event(entry: Entry) -> bytes:
    return b"id: %d\ndata: %s\n\n" % (entry.seq, dumps(entry.plain()).encode())


def _skipped(entries: int) -> bytes:
    return b'event: skipped\ndata: {"entries":%d}\n\n' % entries


async def _json(entries: Sequence[Entry], **more: Any) -> Response:
    """Entries as JSON; others get their turn while many are made ready."""
    parts: list[bytes] = []
    for number, entry in enumerate(entries, 1):
        parts.append(dumps(entry.plain()).encode())
        if number % _SLICE == 0:
            await asyncio.sleep(0)
    rest = orjson.dumps(more)[1:]
    return Response(b'{"entries":[' + b",".join(parts) + b"]," + rest, media_type="application/json")


async def _unless_gone(request: Request, work: Awaitable[T]) -> T | None:
    """What `work` gives; None, and `work` is cancelled, if the client goes away before."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(gone())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)
