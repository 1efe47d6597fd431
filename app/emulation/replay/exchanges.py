"""A tape as exchanges: what the client asked, and what the server answered to it. PURE.

A message of the server belongs to

1. the request whose identifier it repeats (`{"id": 7}` asked, `{"id": 7}` answered), if only one request has it;
2. else the request to which an earlier message with the same turn identifier belongs. Which field that is, the tape
   shows: one of the server's with a new value for a request and never more values than requests (`stream_uid`,
   `response_id`);
3. else, if it begins a turn, the oldest request of the same kind that has no answer yet;
4. else the latest request.

What comes before the first request belongs to the opening. The pieces of a stream (see `streams`) are requests that own
nothing, until the server notices the stream: from there on its messages belong to the latest piece.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from app.emulation.replay.identifiers import Named, Scalar, identifiers
from app.emulation.replay.leaves import leaves
from app.emulation.replay.streams import Mark, StreamReading
from app.emulation.tapes import ABNORMAL, Tape, TapeFrame

ANSWERS_WITHIN = 10.0
"""Seconds after the last message in which a server's close still belongs to what went before; later it is the close of
an idle connection, and not replayed."""


@dataclass(slots=True)
class Exchange:
    """One request and its answer. `request` is None for what comes upon opening. `close`: the server then closed, with
    this code and reason, so many seconds after the opening. `stream`: the bytes of a stream that the request carries;
    None for any other.
    """

    tape: Tape
    number: int
    request: TapeFrame | None
    frames: list[TapeFrame] = field(default_factory=list)
    named: list[Named] = field(default_factory=list)
    """What identifies something in each of the frames."""
    close: tuple[int, str] | None = None
    stream: int | None = None

    @property
    def began(self) -> float:
        """Seconds from the opening to the request."""
        return 0.0 if self.request is None else self.request.at

    @property
    def source(self) -> str:
        """Where the request stands, for people."""
        line = 0 if self.request is None else self.request.line
        return f"{self.tape.name}:{line}" if line else self.tape.name


def exchanges(tape: Tape, reading: StreamReading | None = None) -> list[Exchange]:
    """The exchanges of a tape in the order of their requests; first the opening, whether anything came with it or
    not. `reading`: how streams are sent, if they are.
    """
    found = [Exchange(tape, 0, None)]
    latest, piece = found[0], None
    sorting = _Sorting(tape, reading)
    for frame in tape.frames:
        if frame.direction == "client":
            made = Exchange(tape, len(found), frame, stream=_stream(frame, reading))
            found.append(made)
            if made.stream is None:
                sorting.asked(made)
                latest = made
            else:
                piece = made
        else:
            if piece is not None and reading is not None and frame.text is not None and reading.noticed(frame.text):
                latest = piece
            owner, named = sorting.owner(frame, found, latest)
            owner.frames.append(frame)
            owner.named.append(named)
    if tape.close is not None and tape.closed_by == "server":
        last = tape.frames[-1].at if tape.frames else 0.0
        if tape.close[0] == ABNORMAL or tape.closed_at - last <= ANSWERS_WITHIN:
            latest.close = tape.close
    return found


def marks_of(found: Iterable[Exchange]) -> list[Mark]:
    """Where on a tape a stream was noticed."""
    marks = []
    base = sent = 0
    for exchange in found:
        if exchange.stream is None:
            base, sent = exchange.number, 0
            continue
        sent += exchange.stream
        if exchange.frames or exchange.close:
            marks.append(Mark(exchange.number, base, sent))
    return marks


def _stream(frame: TapeFrame, reading: StreamReading | None) -> int | None:
    return None if reading is None or frame.text is None else reading.size(frame.text)


class _Sorting:
    """Tells which exchange a message belongs to."""

    def __init__(self, tape: Tape, reading: StreamReading | None) -> None:
        frames = [frame for frame in tape.frames if frame.direction == "server" or _stream(frame, reading) is None]
        self._named = {id(frame): identifiers(frame.text) for frame in frames}
        requests = [frame for frame in frames if frame.direction == "client"]
        self._turn_key = self._find_turn_key(frames) if len(requests) > 1 else None
        self._asked_once = _once(pair for frame in requests for pair in set(self._named[id(frame)]))
        self._by_pair: dict[tuple[str, Scalar], Exchange] = {}
        self._by_turn: dict[Scalar, Exchange] = {}
        self._kinds: dict[int, frozenset[str]] = {}

    def asked(self, exchange: Exchange) -> None:
        """Takes note of a request."""
        assert exchange.request is not None
        for pair in self._named[id(exchange.request)]:
            if pair in self._asked_once:
                self._by_pair[pair] = exchange
        self._kinds[exchange.number] = _kind(exchange.request)

    def owner(self, frame: TapeFrame, found: Sequence[Exchange], latest: Exchange) -> tuple[Exchange, Named]:
        """Which of the exchanges so far a message belongs to, and what it names; `latest`: the one that was begun
        last.
        """
        named = self._named[id(frame)]
        return self._owner(named, found, latest) if len(found) > 1 else latest, named

    def _owner(self, named: Named, found: Sequence[Exchange], latest: Exchange) -> Exchange:
        for pair in named:
            if (exchange := self._by_pair.get(pair)) is not None:
                return exchange
        turn = next((value for key, value in named if key == self._turn_key), None)
        if turn is None:
            return latest
        exchange = self._by_turn.get(turn)
        if exchange is None:
            exchange = self._by_turn[turn] = self._unanswered(found, latest)
        return exchange

    def _unanswered(self, found: Sequence[Exchange], latest: Exchange) -> Exchange:
        """The oldest request of the kind of the latest that nothing answered."""
        kind = self._kinds.get(latest.number)
        alike = (one for one in found[1:] if not one.frames and self._kinds.get(one.number) == kind is not None)
        return next(alike, latest)

    def _find_turn_key(self, frames: Iterable[TapeFrame]) -> str | None:
        """The field that tells turns apart: with many values, in many messages."""
        values: dict[str, set[Scalar]] = {}
        carrying: Counter[str] = Counter()
        unfit: set[str] = set()
        requests = 0
        for frame in frames:
            if frame.direction == "client":
                requests += 1
                continue
            for key, value in self._named[id(frame)]:
                seen = values.setdefault(key, set())
                seen.add(value)
                if len(seen) > requests:
                    unfit.add(key)
            carrying.update({key for key, _ in self._named[id(frame)]})
        fit = [key for key, seen in values.items() if len(seen) > 1 and key not in unfit]
        return max(fit, key=lambda key: len(values[key]) * carrying[key], default=None)


def _once(pairs: Iterable[tuple[str, Scalar]]) -> set[tuple[str, Scalar]]:
    once: set[tuple[str, Scalar]] = set()
    more: set[tuple[str, Scalar]] = set()
    for pair in pairs:
        (more if pair in once else once).add(pair)
    return once - more


def _kind(frame: TapeFrame) -> frozenset[str]:
    """The names of a request's fields: requests with the same ones are of a kind."""
    found = leaves(frame.text) if frame.text is not None else None
    return frozenset() if found is None else frozenset(leaf.key for leaf in found)
