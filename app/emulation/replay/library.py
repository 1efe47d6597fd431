"""The loaded tapes: every recorded request with the answer that is ready to be given again.

Loading blocks, and takes some 20 µs a message; an answer is cut when it is first given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from app.emulation.replay.exchanges import Exchange, exchanges, marks_of
from app.emulation.replay.identifiers import Scalar, Source, names_identity, renewed_id
from app.emulation.replay.matching import Recorded, RequestBook, asked, secret_names
from app.emulation.replay.renewal import Cutter, Fresh, Known, constants
from app.emulation.replay.streams import Mark, StreamReading
from app.emulation.tapes import Tape
from app.json_text import dumps

Refusal = Callable[[str, str, Source], str]
"""Gives the message that tells a client that no tape answers, from the connection's identifier (`""`: the tapes have
none), a reason in one line, and where identifiers come from.
"""


def _plain_refusal(connection: str, reason: str, source: Source) -> str:
    return dumps({"error": {"type": "not_on_tape", "message": reason}})


@dataclass(frozen=True, slots=True)
class Wire:
    """What a wire tells replay about itself; without it, replay goes by looks alone.

    `conversation`: fields of a request, or parameters of the URL or its path, that name the conversation in which
    answers are counted (none: each connection is one). `identities`: further ones that only say who asks. `kept`: names
    whose values stay as recorded. `connection`: the name of the connection's identifier, which a refusal is given.
    `user`: the parameter of the URL that names the user. `path`: paths with identifiers in them, each a named group.
    `stream`: how clients send one, if they do. `limit`: bytes of a client's largest message, None for the server's own.
    """

    conversation: tuple[str, ...] = ()
    identities: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    connection: str = "connection_id"
    user: str = ""
    refusal: Refusal = _plain_refusal
    path: re.Pattern[str] | None = None
    stream: StreamReading | None = None
    limit: int | None = None

    def named_in(self, path: str) -> dict[str, str]:
        """The identifiers in a path, by name."""
        found = self.path.fullmatch(path) if self.path is not None else None
        return {} if found is None else {name: unquote(value) for name, value in found.groupdict().items() if value}

    def place(self, path: str) -> str:
        """A path, whatever the identifiers in it are."""
        found = self.path.fullmatch(path) if self.path is not None else None
        if found is None:
            return path
        there = [name for name, value in found.groupdict().items() if value is not None]
        for name in sorted(there, key=found.start, reverse=True):
            path = f"{path[: found.start(name)]}{{{name}}}{path[found.end(name) :]}"
        return path


WireAt = Callable[[str], Wire]
"""Gives the wire whose sockets are at a path."""


@dataclass(frozen=True, slots=True)
class Reel:
    """A tape, and what cuts its answers: that upon opening is number 0, then one for each request. `query`: what the
    client gave in the URL; `marks`: where a stream was noticed.
    """

    tape: Tape
    number: int
    wire: Wire
    cutter: Cutter
    query: Mapping[str, Scalar]
    marks: Sequence[Mark]


@dataclass(slots=True)
class Opened:
    """The openings of a conversation so far."""

    used: set[int] = field(default_factory=set)
    last: dict[str, int] = field(default_factory=dict)


class TapeLibrary:
    """All tapes."""

    def __init__(self, tapes: Sequence[Tape], wires: Wire | WireAt) -> None:
        """`wires`: the wire of all tapes, or what tells it by the path that a client asked for."""
        self._wire_at: WireAt = (lambda path: wires) if isinstance(wires, Wire) else wires
        self._hidden = secret_names(
            frame.text for tape in tapes for frame in tape.frames if frame.direction == "client" and frame.text
        )
        of_tapes = [self.wire_at(path_of(tape.asked)) for tape in tapes]
        sorted_tapes = [exchanges(tape, wire.stream) for tape, wire in zip(tapes, of_tapes, strict=True)]
        common = constants(sorted_tapes)
        self.reels: list[Reel] = []
        recorded: dict[Wire, list[Recorded]] = {}
        for number, (tape, wire, found) in enumerate(zip(tapes, of_tapes, sorted_tapes, strict=True)):
            identities = self.identities(wire)
            query = query_of(tape.asked) | wire.named_in(path_of(tape.asked))
            cutter = Cutter(
                tape,
                found,
                number=number,
                common=common,
                kept=wire.kept,
                identities=identities,
                given=query,
            )
            self.reels.append(Reel(tape, number, wire, cutter, query, marks_of(found)))
            recorded.setdefault(wire, []).extend(_recorded(found, number, identities))
        self._requests = {wire: RequestBook(requests) for wire, requests in recorded.items()}
        self._connections: dict[Wire, Fresh] = {}
        for reel in self.reels:
            for fresh in reel.cutter.ids.values():
                if fresh.lasting == (reel.wire.connection,):
                    self._connections.setdefault(reel.wire, fresh)
        self._by_path: dict[str, list[Reel]] = {}
        for reel in self.reels:
            self._by_path.setdefault(reel.wire.place(path_of(reel.tape.asked)), []).append(reel)

    def wire_at(self, path: str) -> Wire:
        """The wire whose sockets are at a path."""
        return self._wire_at(path)

    def identities(self, wire: Wire) -> Collection[str]:
        """Names of fields that on a wire only say who asks."""
        return wire.identities | self._hidden | set(wire.conversation)

    def requests(self, wire: Wire) -> RequestBook:
        """The recorded requests of a wire."""
        return self._requests.setdefault(wire, RequestBook(()))

    @property
    def paths(self) -> list[str]:
        """The paths that were connected to."""
        return list(self._by_path)

    def connection(self, wire: Wire, known: Known, source: Source) -> str:
        """The identifier of a connection, made if no answer has needed it yet; `""` where the tapes have none."""
        found = self._connections.get(wire)
        if found is None or found.lasting is None:
            return ""
        return known.made.get(found.lasting) or known.made.setdefault(found.lasting, renewed_id(found.value, source))

    def opening(self, path: str, query: Mapping[str, str], opened: Opened) -> Reel | None:
        """The tape whose opening a connection gets: the nth for the nth like it in its conversation, then the last one
        again. None if the path is on no tape.
        """
        wire = self.wire_at(path)
        place = wire.place(path)
        reels = self._by_path.get(place)
        if not reels:
            return None
        identities = self.identities(wire)
        says = _says(query, identities)
        alike = [reel for reel in reels if _says(reel.query, identities) == says] or reels
        key = f"{place} {says}"
        unused = [reel for reel in alike if reel.number not in opened.used]
        if unused:
            found = max(unused, key=lambda reel: (self._same(reel, query), -reel.number))
        else:
            last = opened.last.get(key, alike[-1].number)
            found = self.reels[last]
        opened.used.add(found.number)
        opened.last[key] = found.number
        return found

    @staticmethod
    def _same(reel: Reel, query: Mapping[str, str]) -> int:
        return sum(query.get(name) == value for name, value in reel.query.items())


def _says(query: Mapping[str, Scalar], identities: Collection[str]) -> dict[str, Scalar]:
    """A query without who asks."""
    return {name: value for name, value in query.items() if name not in identities and not names_identity(name, value)}


def _recorded(found: Sequence[Exchange], number: int, identities: Collection[str]) -> Iterator[Recorded]:
    for exchange in found:
        request = exchange.request
        if request is not None and exchange.stream is None:
            said = request.text or "" if request.data is None else request.data
            yield Recorded(asked(said, identities), exchange, number, exchange.number)


def path_of(asked_for: str) -> str:
    """The path a connection is known by: a slash at its end makes no difference."""
    return (urlsplit(asked_for).path or "/").rstrip("/") or "/"


def query_of(asked_for: str) -> dict[str, str]:
    """The parameters of a path with a query."""
    return dict(parse_qsl(asked_for.partition("?")[2], keep_blank_values=True))
