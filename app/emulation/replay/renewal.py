"""Recorded answers, ready to be given again with other identifiers, times and addresses. PURE.

Once, when a tape is loaded, every message is cut at the values that have to be new. Giving an answer then means: make
the new values, once for the answer, and put the pieces together.

    what stands in a message                               what takes its place
    an identifier the client gave                          the one the client gives now
    an identifier of the server                            another of the same look; the same one for the same one,
                                                           in an answer or, where it says so, for a whole connection
    a time                                                 as long after the request now as it was then
    the signature in a URL                                 another one of its length
    the address of a voice that is kept beside the tape    this server

A value that several tapes have under the same name is no identifier of one connection and stays as it is.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from app.emulation.placeholders import PLACEHOLDER
from app.emulation.replay.exchanges import Exchange
from app.emulation.replay.identifiers import (
    Moment,
    Scalar,
    Source,
    is_id,
    moment,
    names_identity,
    names_session,
    names_time,
    renewed_id,
    signature,
)
from app.emulation.replay.leaves import Leaf, leaves
from app.emulation.replay.matching import Path, asked
from app.emulation.tapes import Tape

SHORTEST_INSIDE = 8
"""Characters of an identifier that is looked for inside other texts, a URL's path for example."""

DAY = 86_400.0

LONG = 50
"""Messages of an answer that are cut within 5 ms or so."""

_WORD = re.compile(rf"[A-Za-z0-9_-]{{{SHORTEST_INSIDE},}}=*")
_PARAMETER = re.compile(r"(?:[?&]|\\u0026)([A-Za-z0-9_.-]+)=([^&\s\"\\#]+)")
_HOST = re.compile(r"https?:(?://|\\/\\/)[^/\\?#\s\"]+")
_SIGNATURES = ("signature", "x-amz-signature", "sig")


@dataclass(frozen=True, slots=True)
class Echo:
    """What the client gives: at a path of its request, else the last it gave under that name. `whole`: the value with
    its quotes.
    """

    path: Path
    name: str
    recorded: Scalar
    whole: bool


@dataclass(frozen=True, slots=True)
class Fresh:
    """An identifier of the server. `lasting`: the name it has for the whole connection, None within one answer."""

    value: str
    lasting: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Shifted:
    """A time."""

    moment: Moment


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature of so many characters."""

    length: int
    value: str


@dataclass(frozen=True, slots=True)
class Here:
    """The address of this server."""


Slot = Echo | Fresh | Shifted | Signed | Here
Pieces = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One message of an answer, `after` seconds from the request: as it stands, or in pieces, whose numbers are those
    of slots. `voice`: the path in it to a URL, and the file that URL leads to.
    """

    after: float
    message: str | bytes | Pieces
    voice: tuple[Path, str] | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """An answer. `reference`: the epoch seconds that its times are counted from."""

    exchange: Exchange
    lines: tuple[Line, ...]
    slots: tuple[Slot, ...]
    reference: float
    close: tuple[int, str] | None
    close_after: float


@dataclass(slots=True)
class Known:
    """What a connection has for good: identifiers the client gave, by name, and those made for it."""

    given: dict[str, Scalar] = field(default_factory=dict)
    made: dict[tuple[str, ...], str] = field(default_factory=dict)
    here: str = ""


def values_of(script: Script, identity: Mapping[Path, Scalar], known: Known, source: Source, now: float) -> list[str]:
    """The new values of a script's slots, as they are written in JSON. `now` in epoch seconds."""
    made: dict[str, str] = {}
    by = now - script.reference
    values: list[str] = []
    for slot in script.slots:
        match slot:
            case Echo():
                value = identity.get(slot.path, known.given.get(slot.name, slot.recorded))
                text = json.dumps(value if slot.whole else str(value), ensure_ascii=False)
                values.append(text if slot.whole else text[1:-1])
            case Fresh(value=value, lasting=None):
                values.append(made.get(value) or made.setdefault(value, renewed_id(value, source)))
            case Fresh(value=value, lasting=name) if name is not None:
                values.append(known.made.get(name) or known.made.setdefault(name, renewed_id(value, source)))
            case Shifted():
                values.append(slot.moment.later(by))
            case Signed():
                values.append(made.get(slot.value) or made.setdefault(slot.value, signature(slot.length, source)))
            case Here():
                values.append(known.here)
    return values


def constants(tapes: Iterable[Sequence[Exchange]]) -> set[tuple[str, str]]:
    """Names and values that the servers of several tapes have in common: they are not of one connection."""
    count: Counter[tuple[str, str]] = Counter()
    for exchanges in tapes:
        named = {pair for exchange in exchanges for pair in chain.from_iterable(exchange.named)}
        count.update((name, value) for name, value in named if isinstance(value, str))
    return {pair for pair, times in count.items() if times > 1 and is_id(*pair)}


class Cutter:
    """Makes the scripts of one tape, each when it is first asked for."""

    def __init__(
        self,
        tape: Tape,
        exchanges: Sequence[Exchange],
        *,
        number: int,
        common: Collection[tuple[str, str]],
        kept: Collection[str],
        identities: Collection[str],
        given: Mapping[str, str],
    ) -> None:
        """`number`: which tape it is; `common`: see `constants`; `kept`: names whose values stay; `identities`: see
        `asked`; `given`: what the client gave in the URL.
        """
        self._tape = tape
        self._exchanges = exchanges
        self._number = number
        self._common = common
        self._kept = kept
        self._identities = identities
        self._given = self._all_given(given)
        self._ids = self._all_ids()
        self._ready: dict[int, Script] = {}

    def ready(self, number: int) -> Script | None:
        """The script of an exchange, if it was made before."""
        return self._ready.get(number)

    def script(self, number: int) -> Script:
        """The script of an exchange. Takes about 0.1 ms a message when it is made."""
        script = self._ready.get(number)
        if script is None:
            script = self._ready[number] = _Cut(self, self._exchanges[number]).script()
        return script

    def long(self, number: int) -> bool:
        """Whether making the script of an exchange takes long enough to hold others up."""
        return len(self._exchanges[number].frames) > LONG

    def _all_given(self, query: Mapping[str, str]) -> dict[Scalar, tuple[Path, str]]:
        """What the client gave first on this connection, and where it gave it last: what it only repeats is the
        server's.
        """
        found: dict[Scalar, tuple[Path, str]] = {
            value: ((), name)
            for name, value in query.items()
            if names_identity(name, value) or name in self._identities
        }
        servers: set[Scalar] = set()
        by_request = {id(exchange.request): exchange for exchange in self._exchanges}
        named = {
            id(frame): names
            for exchange in self._exchanges
            for frame, names in zip(exchange.frames, exchange.named, strict=True)
        }
        for frame in self._tape.frames:
            if frame.direction == "server":
                servers.update(value for _, value in named[id(frame)] if value not in found)
            else:
                given = given_by(by_request[id(frame)], self._identities)
                found |= {value: where for value, where in given.items() if value not in servers}
        return found

    def _all_ids(self) -> dict[str, Fresh]:
        """The identifiers of the server, and how long each lasts."""
        names: dict[str, str] = {}
        where: dict[str, set[int]] = {}
        by_name: dict[str, set[str]] = {}
        for exchange in self._exchanges:
            for name, value in dict.fromkeys(chain.from_iterable(exchange.named)):
                if isinstance(value, str) and is_id(name, value) and not self._stays(name, value):
                    names.setdefault(value, name)
                    where.setdefault(value, set()).add(exchange.number)
                    by_name.setdefault(name, set()).add(value)
        ids: dict[str, Fresh] = {}
        for value, name in names.items():
            lasting = names_session(name) or len(where[value]) > 1 or 0 in where[value]
            alone = len(by_name[name]) == 1
            own: tuple[str, ...] = (name,) if alone else (name, str(self._number), value)
            ids[value] = Fresh(value, own if lasting else None)
        return ids

    def _stays(self, name: str, value: str) -> bool:
        return (
            name in self._kept
            or (name, value) in self._common
            or value in self._given
            or PLACEHOLDER.fullmatch(value) is not None
        )

    def given_to(self, exchange: Exchange) -> dict[Scalar, tuple[Path, str]]:
        """What the client gave in a request, or else somewhere on the connection."""
        given = given_by(exchange, self._identities)
        return self._given | {value: where for value, where in given.items() if value in self._given}

    @property
    def ids(self) -> Mapping[str, Fresh]:
        return self._ids

    def file(self, url: str) -> str | None:
        """The file kept for a URL."""
        found = self._tape.files.get(url)
        return None if found is None else str(found)


def given_by(exchange: Exchange, identities: Collection[str]) -> dict[Scalar, tuple[Path, str]]:
    """The identities that a request gives, and where in it."""
    request = exchange.request
    if request is None or request.text is None or exchange.stream is not None:
        return {}
    identity = asked(request.text, identities).identity
    return {
        value: (path, next((str(p) for p in reversed(path) if isinstance(p, str)), ""))
        for path, value in identity.items()
    }


class _Cut:
    """The cutting of one exchange."""

    def __init__(self, cutter: Cutter, exchange: Exchange) -> None:
        self._cutter = cutter
        self._exchange = exchange
        self._given = cutter.given_to(exchange)
        self._slots: dict[Slot, int] = {}
        self._moments: list[float] = []

    def script(self) -> Script:
        exchange, tape = self._exchange, self._exchange.tape
        lines = []
        for frame in exchange.frames:
            after = max(0.0, frame.at - exchange.began)
            if frame.text is None:
                lines.append(Line(after, frame.data or b""))
            else:
                lines.append(self._line(after, frame.text, leaves(frame.text) or ()))
        began = None if tape.started is None else tape.started + exchange.began
        plausible = began is not None and any(abs(seconds - began) < DAY for seconds in self._moments)
        reference = began if began is not None and (plausible or not self._moments) else min(self._moments, default=0.0)
        last = max((line.after for line in lines), default=0.0)
        return Script(
            exchange,
            tuple(lines),
            tuple(self._slots),
            reference,
            exchange.close,
            max(last, tape.closed_at - exchange.began),
        )

    def _line(self, after: float, text: str, found: Sequence[Leaf]) -> Line:
        pieces: list[str | int] = []
        done = 0
        voice = None
        for leaf in found:
            if isinstance(leaf.value, str) and (file := self._cutter.file(leaf.value)) is not None:
                voice = (leaf.path, file)
            for start, end, slot in self._spans(leaf, text):
                if start < done:
                    continue
                pieces += [text[done:start], self._slots.setdefault(slot, len(self._slots))]
                done = end
        if not pieces:
            return Line(after, text, voice)
        pieces.append(text[done:])
        return Line(after, tuple(piece for piece in pieces if piece != ""), voice)

    def _spans(self, leaf: Leaf, text: str) -> list[tuple[int, int, Slot]]:
        """Where in the text of a leaf something new has to stand, from left to right."""
        value = leaf.value
        if isinstance(value, bool) or value is None or value == "":
            return []
        given = self._given.get(value)
        if given is not None and (leaf.key == given[1] or (isinstance(value, str) and len(value) >= SHORTEST_INSIDE)):
            return [(leaf.start, leaf.end, Echo(*given, value, whole=True))]
        if names_time(leaf.key) or isinstance(value, str):
            written = text[leaf.start : leaf.end] if not isinstance(value, str) else value
            when = moment(value, written)
            if when is not None and (names_time(leaf.key) or not when.scale):
                self._moments.append(when.seconds)
                quote = isinstance(value, str)
                return [(leaf.start + quote, leaf.end - quote, Shifted(when))]
        if not isinstance(value, str):
            return []
        made = self._cutter.ids.get(value)
        return self._inner(text, leaf) if made is None else [(leaf.start + 1, leaf.end - 1, made)]

    def _inner(self, text: str, leaf: Leaf) -> list[tuple[int, int, Slot]]:
        start, end = leaf.start + 1, leaf.end - 1
        spans: list[tuple[int, int, Slot]] = []
        for hit in _WORD.finditer(text, start, end):
            if (slot := self._named(hit[0])) is not None:
                spans.append((*hit.span(), slot))
        if text.startswith("http", start, end):
            spans += self._of_url(text, start, end, str(leaf.value))
        return sorted(spans, key=lambda span: span[:2])

    def _named(self, value: str) -> Slot | None:
        """What takes the place of an identifier inside a text."""
        given = self._given.get(value)
        return self._cutter.ids.get(value) if given is None else Echo(*given, value, whole=False)

    def _of_url(self, text: str, start: int, end: int, url: str) -> list[tuple[int, int, Slot]]:
        spans: list[tuple[int, int, Slot]] = []
        host = _HOST.match(text, start, end)
        if host is not None and self._cutter.file(url) is not None:
            spans.append((host.start(), host.end(), Here()))
        for hit in _PARAMETER.finditer(text, start, end):
            name, value = hit[1], hit[2]
            hidden = PLACEHOLDER.fullmatch(value)
            if hidden is not None and hidden[1]:
                spans.append((*hit.span(2), Signed(int(hidden[1]), value)))
            elif hidden is None and name.lower() in _SIGNATURES:
                spans.append((*hit.span(2), Signed(len(value), value)))
            elif names_time(name) and (when := moment(value)) is not None:
                spans.append((*hit.span(2), Shifted(when)))
        return spans
