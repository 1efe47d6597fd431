"""The journal: every frame in and out, every HTTP call, every fault and match, bounded in count and in bytes.

Writing is cheap, for it happens for every token: an entry keeps the text as it is. Whatever is shown (`Entry.plain`)
is redacted, parsed and explained when somebody asks. For the event loop's thread only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from app.emulation.determinism import Clock, machine_monotonic
from app.emulation.kept import Detail, Kept, Plain, Raw
from app.json_text import dumps, loads, sound
from app.redaction import SHORTENED, redact, redacted

KINDS = ("open", "refused", "in", "out", "close", "http", "match", "fault", "control", "note")
"""What an entry can be: a socket opened, refused or closed, a frame from or to the client, an HTTP call, which reply
matched, a fault that struck, something done by hand over the control plane, something that a wire has to say.
"""

MOST_FOLLOWERS = 64
"""Live feeds and waits at a time."""

BACKLOG = 2_000
"""Entries that a live feed may be behind; then it skips and says how many."""

SLICE = 200
"""Entries that are looked at before others get their turn."""

OVERHEAD = 200
"""Bytes that an entry takes beside its text."""

Reader = Callable[[Mapping[str, Any]], str]
"""What a wire calls a frame, by its JSON."""


class Entry:
    """One line of the journal. `seq` counts from 1; `at`: emulated time, `mono`: the machine's, both in seconds."""

    __slots__ = ("at", "connection", "detail", "kind", "mono", "reader", "room", "seq", "text", "turn", "wire")

    def __init__(self, raw: Raw, reader: Reader | None) -> None:
        self.seq, self.kind, self.at, self.mono, self.wire, self.connection, self.room, *rest = raw
        self.turn, self.text, self.detail = cast(tuple[int | None, str | None, Detail], tuple(rest))
        self.reader = reader

    @property
    def body(self) -> Any:
        """The frame as JSON; None where there is no frame or it is none."""
        if self.text is None:
            return None
        try:
            return loads(self.text)
        except ValueError:
            return None

    @property
    def type(self) -> str:
        """What the wire calls the frame (`START`, `sendmsg`); "" where there is none or it is no JSON object."""
        if self.reader is None:
            return ""
        body = self.body
        return self.reader(body) if isinstance(body, dict) else ""

    def plain(self) -> dict[str, Any]:
        """The entry for people and programs, with keys and signatures redacted."""
        told: dict[str, Any] = {
            "seq": self.seq,
            "kind": self.kind,
            "at": round(self.at, 6),
            "mono": round(self.mono, 6),
            "wire": self.wire,
            "connection": self.connection,
            "room": sound(self.room),
            "turn": self.turn,
        }
        if self.text is not None:
            told["type"] = sound(self.type)
            told["bytes"] = len(self.text.encode("utf-8", "surrogatepass"))
            told["text"] = redact(sound(self.text))
        detail = self.shown_detail
        return told if detail is None else {**told, **detail}

    @property
    def shown_detail(self) -> dict[str, Any] | None:
        """The details, redacted; None where there are none."""
        if self.detail is None:
            return None
        told: dict[str, Any] = redacted(self.detail() if callable(self.detail) else self.detail)
        return told


@dataclass(frozen=True, slots=True)
class Query:
    """Which entries are meant: those for which all that is given holds. `after` is a `seq`.

    `text` is searched in what is shown of an entry: the frame as it went over the wire, the same with its `\\u` escapes
    read, and the details.
    """

    kind: frozenset[str] = frozenset()
    connection: str | None = None
    room: str | None = None
    wire: str | None = None
    type: str | None = None
    text: str | None = None
    turn: int | None = None
    after: int = 0

    def holds(self, entry: Entry) -> bool:
        """Whether it is one of them. Cheap conditions first."""
        return (
            entry.seq > self.after
            and (not self.kind or entry.kind in self.kind)
            and (self.connection is None or entry.connection == self.connection)
            and (self.room is None or entry.room == self.room)
            and (self.wire is None or entry.wire == self.wire)
            and (self.turn is None or entry.turn == self.turn)
            and (self.type is None or entry.type == self.type)
            and (self.text is None or _says(entry, self.text))
        )


def _says(entry: Entry, wanted: str) -> bool:
    """Whether what is shown of an entry has a text in it."""
    text = entry.text
    if text is not None:
        # What is redacted only gets shorter: most entries need no more than this look.
        if (wanted in text or SHORTENED in wanted) and wanted in redact(text):
            return True
        if "\\u" in text and (body := entry.body) is not None and wanted in redact(dumps(body)):
            return True
    detail = entry.shown_detail
    return detail is not None and wanted in dumps(detail)


class Feed:
    """What has been written since it was opened, for one reader. `skipped` counts what it was too slow for."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._entries: deque[Entry] = deque()
        self._news = asyncio.Event()
        self.ended = False
        """Nothing more comes."""
        self.skipped = 0

    def offer(self, entry: Entry) -> None:
        """Called by the journal."""
        if len(self._entries) >= BACKLOG:
            self._entries.popleft()
            self.skipped += 1
        self._entries.append(entry)
        self._news.set()

    def end(self) -> None:
        """Called by the journal when it is closed."""
        self.ended = True
        self._news.set()

    async def news(self) -> None:
        """Returns when something has been written, or nothing more comes."""
        await self._news.wait()

    async def take(self) -> list[Entry]:
        """What has come since the last call, as far as the query means it. See it through: what is taken is gone."""
        if not self.ended:
            self._news.clear()
        taken, self._entries = self._entries, deque()
        return await _calmly(self._query, taken, None)


class TooManyFollowers(Exception):
    """No more live feeds and waits at a time."""


class Journal:
    """The last entries: at most `most` of them, and at most `size` bytes. `clock`: the emulated time.

    `sinks` are told every entry (a file, say); they must be quick.
    """

    def __init__(self, *, clock: Clock, most: int = 50_000, size: int = 64 * 1024 * 1024) -> None:
        self._clock = clock
        self._most = most
        self._room_for = size
        self._entries = Kept()
        self._feeds: set[Feed] = set()
        self.readers: dict[str, Reader] = {}
        """What each wire calls its frames."""
        self._closed = False
        self.sinks: list[Callable[[Entry], None]] = []
        self.last = 0
        """`seq` of the newest entry, also after `clear`."""
        self.dropped = 0
        """Entries that had to go for newer ones."""

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        """What the entries take."""
        return self._entries.bytes

    @property
    def enabled(self) -> bool:
        """Whether anything is kept or told."""
        return self._most > 0 or bool(self.sinks)

    def write(
        self,
        kind: str,
        *,
        wire: str = "",
        connection: str = "",
        room: str = "",
        turn: int | None = None,
        text: str | None = None,
        detail: Detail = None,
        clock: Clock | None = None,
    ) -> None:
        """Adds an entry. `detail` may be a function, which is asked when the entry is shown."""
        self.last = seq = self.last + 1
        at = (clock or self._clock).time()
        self._keep((seq, kind, at, machine_monotonic(), wire, connection, room, turn, text), detail)

    def frame_out(self, wire: str, connection: str, room: str, turn: int | None, text: str, at: float) -> None:
        """`write` of a frame to the client, at the cost that every token pays."""
        self.last = seq = self.last + 1
        self._keep((seq, "out", at, machine_monotonic(), wire, connection, room, turn, text), None)

    def _keep(self, plain: Plain, detail: Detail) -> None:
        entries = self._entries
        entries.append(plain, detail, _size(plain[8]))
        while entries.bytes > self._room_for or entries.count > self._most:
            entries.drop()
            self.dropped += 1
        if self.sinks or self._feeds:
            entry = self._entry((*plain, detail))
            for sink in self.sinks:
                sink(entry)
            for feed in self._feeds:
                feed.offer(entry)

    def _entry(self, raw: Raw) -> Entry:
        return Entry(raw, self.readers.get(raw[4]))

    def find(self, query: Query, *, limit: int | None = None, newest: bool = False) -> list[Entry]:
        """The entries that are meant, oldest first: the first `limit` of them, or the last with `newest`."""
        if newest:
            found = list(_some(query, map(self._entry, reversed(self._entries)), limit))
            return found[::-1]
        return list(_some(query, map(self._entry, self._entries), limit))

    async def search(self, query: Query, *, limit: int | None = None, newest: bool = False) -> list[Entry]:
        """As `find`, of the entries that there are now; others get their turn while many are looked at."""
        entries = reversed(self._entries) if newest else iter(self._entries)
        found = await _calmly(query, map(self._entry, entries), limit)
        return found[::-1] if newest else found

    def close(self) -> None:
        """The server stops: feeds and waits end. Entries are still written."""
        self._closed = True
        for feed in self._feeds:
            feed.end()

    def clear(self) -> int:
        """Forgets all entries; `seq` counts on. How many there were."""
        gone = len(self._entries)
        self._entries.clear()
        return gone

    @contextmanager
    def follow(self, query: Query) -> Iterator[Feed]:
        """A live feed. Raises `TooManyFollowers`."""
        if len(self._feeds) >= MOST_FOLLOWERS:
            raise TooManyFollowers(f"at most {MOST_FOLLOWERS} feeds and waits at a time")
        feed = Feed(query)
        if self._closed:
            feed.end()
        self._feeds.add(feed)
        try:
            yield feed
        finally:
            self._feeds.discard(feed)

    async def wait(self, query: Query, *, count: int, seconds: float) -> list[Entry]:
        """The first `count` entries that are meant, those already written included; fewer if so many `seconds` pass, or
        if the journal is closed.

        Raises `TooManyFollowers`.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        with self.follow(query) as feed:
            found = await self.search(query, limit=count)
            while len(found) < count and not feed.ended:
                try:
                    async with asyncio.timeout_at(deadline):
                        await feed.news()
                except TimeoutError:
                    break
                found += await feed.take()
        return found[:count]

    def missed_after(self, seq: int) -> int:
        """How many entries newer than `seq` are no longer here."""
        oldest = self._entries.first if self._entries else self.last + 1
        return max(0, oldest - 1 - seq)


async def _calmly(query: Query, entries: Iterable[Entry], limit: int | None) -> list[Entry]:
    """The first `limit` that are meant, with pauses in which others get their turn."""
    found: list[Entry] = []
    for number, entry in enumerate(entries, 1):
        if limit is not None and len(found) >= limit:
            break
        if query.holds(entry):
            found.append(entry)
        if number % SLICE == 0:
            await asyncio.sleep(0)
    return found


def _some(query: Query, entries: Iterable[Entry], limit: int | None) -> Iterator[Entry]:
    left = -1 if limit is None else limit
    for entry in entries:
        if left == 0:
            return
        if query.holds(entry):
            left -= 1
            yield entry


def _size(text: str | None) -> int:
    """Bytes that an entry takes, near enough: three for a character that is not ASCII."""
    if text is None:
        return OVERHEAD
    return OVERHEAD + (len(text) if text.isascii() else 3 * len(text))
