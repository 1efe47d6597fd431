"""The loaded tapes: every recorded request with the answer that is ready to be given again.

Loading blocks, and takes some 20 µs a message; an answer is cut when it is first given.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from app.emulation.replay.exchanges import Exchange, exchanges
from app.emulation.replay.identifiers import Scalar, Source, names_identity, renewed_id
from app.emulation.replay.matching import Recorded, RequestBook, asked, secret_names
from app.emulation.replay.renewal import Cutter, Known, constants
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

    `conversation`: fields of a request, or parameters of the URL, that name the conversation in which answers are
    counted (none: each connection is one). `identities`: further ones that only say who asks. `kept`: names whose
    values stay as recorded. `connection`: the name of the connection's identifier, which a refusal is given.
    """

    conversation: tuple[str, ...] = ()
    identities: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    connection: str = "connection_id"
    refusal: Refusal = _plain_refusal


@dataclass(frozen=True, slots=True)
class Reel:
    """A tape, and what cuts its answers: that upon opening is number 0, then one for each request."""

    tape: Tape
    number: int
    cutter: Cutter
    query: Mapping[str, Scalar]


@dataclass(slots=True)
class Opened:
    """The openings of a conversation so far."""

    used: set[int] = field(default_factory=set)
    last: dict[str, int] = field(default_factory=dict)


class TapeLibrary:
    """All tapes."""

    def __init__(self, tapes: Sequence[Tape], wire: Wire) -> None:
        self.wire = wire
        hidden = secret_names(
            frame.text for tape in tapes for frame in tape.frames if frame.direction == "client" and frame.text
        )
        self.identities: Collection[str] = wire.identities | hidden | set(wire.conversation)
        sorted_tapes = [exchanges(tape) for tape in tapes]
        common = constants(sorted_tapes)
        self.reels: list[Reel] = []
        recorded: list[Recorded] = []
        for number, (tape, found) in enumerate(zip(tapes, sorted_tapes, strict=True)):
            query = query_of(tape.asked)
            cutter = Cutter(
                tape,
                found,
                number=number,
                common=common,
                kept=wire.kept,
                identities=self.identities,
                given=query,
            )
            self.reels.append(Reel(tape, number, cutter, query))
            recorded += _recorded(found, number, self.identities)
        self.requests = RequestBook(recorded)
        made = (fresh for reel in self.reels for fresh in reel.cutter.ids.values())
        self._connection = next((fresh for fresh in made if fresh.lasting == (wire.connection,)), None)
        self._by_path: dict[str, list[Reel]] = {}
        for reel in self.reels:
            self._by_path.setdefault(path_of(reel.tape.asked), []).append(reel)

    @property
    def paths(self) -> list[str]:
        """The paths that were connected to."""
        return list(self._by_path)

    def connection(self, known: Known, source: Source) -> str:
        """The identifier of a connection, made if no answer has needed it yet; `""` where the tapes have none."""
        if self._connection is None:
            return ""
        lasting = self._connection.lasting
        assert lasting is not None
        return known.made.get(lasting) or known.made.setdefault(lasting, renewed_id(self._connection.value, source))

    def opening(self, path: str, query: Mapping[str, str], opened: Opened) -> Reel | None:
        """The tape whose opening a connection gets: the nth for the nth like it in its conversation, then the last one
        again. None if the path is on no tape.
        """
        reels = self._by_path.get(path)
        if not reels:
            return None
        alike = [reel for reel in reels if self._says(reel.query) == self._says(query)] or reels
        key = f"{path} {self._says(query)}"
        unused = [reel for reel in alike if reel.number not in opened.used]
        if unused:
            found = max(unused, key=lambda reel: (self._same(reel, query), -reel.number))
        else:
            last = opened.last.get(key, alike[-1].number)
            found = self.reels[last]
        opened.used.add(found.number)
        opened.last[key] = found.number
        return found

    def _says(self, query: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """A query without who asks."""
        return {
            name: value
            for name, value in query.items()
            if name not in self.identities and not names_identity(name, value)
        }

    @staticmethod
    def _same(reel: Reel, query: Mapping[str, str]) -> int:
        return sum(query.get(name) == value for name, value in reel.query.items())


def _recorded(found: Sequence[Exchange], number: int, identities: Collection[str]) -> Iterator[Recorded]:
    for exchange in found:
        request = exchange.request
        if request is not None:
            said = request.text or "" if request.data is None else request.data
            yield Recorded(asked(said, identities), exchange, number, exchange.number)


def path_of(asked_for: str) -> str:
    """The path a connection is known by: a slash at its end makes no difference."""
    return (urlsplit(asked_for).path or "/").rstrip("/") or "/"


def query_of(asked_for: str) -> dict[str, str]:
    """The parameters of a path with a query."""
    return dict(parse_qsl(asked_for.partition("?")[2], keep_blank_values=True))
