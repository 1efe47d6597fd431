"""Tells which frames of a recording answer which request. PURE.

From R6 on `stream_uid` says it; events of R1 to R4 say it by their outermost run. For other frames there is the order
in which things began, which is all a client has, too: where two turns run at once it does not suffice, and both are
`tangled`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.contract.checks.recordings import Downloads, Recording
from app.contract.chldo.frames import TURN_KINDS, UNSEEN, Connection, Exchange, Frame, Request, parsed
from app.contract.chldo.words import R1, REVISIONS, Revision


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the rules of the chldo wire judge."""

    revision: Revision
    connections: tuple[Connection, ...]
    downloads: Downloads = field(default_factory=dict)

    @property
    def exchanges(self) -> list[Exchange]:
        return [exchange for connection in self.connections for exchange in connection.exchanges]

    @property
    def turns(self) -> list[Exchange]:
        """What came of sendmsg, where a turn came of it."""
        return [one for one in self.exchanges if one.began and one.request.is_turn(self.revision)]

    @property
    def clear_turns(self) -> list[Exchange]:
        """Turns of which every frame is known to be theirs."""
        return [turn for turn in self.turns if not turn.tangled]

    @property
    def crowded_rooms(self) -> set[object]:
        """Rooms in which turns ran at the same time: what one of them knew of the others is left to chance."""
        found: set[object] = set()
        for connection in self.connections:
            busy: dict[object, int] = {}
            for turn in (one for one in connection.exchanges if one.began):
                if "at-once" in turn.request.marks or turn.request.number < busy.get(turn.room, 0):
                    found.add(turn.room)
                busy[turn.room] = max(busy.get(turn.room, 0), turn.frames[-1].number)
        return found

    @property
    def greetings(self) -> list[Exchange]:
        return [one for one in self.exchanges if one.began and one.request.is_greeting(self.revision)]


def gather(recordings: Sequence[Recording], revision: str, downloads: Downloads) -> Evidence:
    """The evidence in some recordings, read as `revision`."""
    read = REVISIONS[revision]
    return Evidence(read, tuple(connection_of(recording, read) for recording in recordings), downloads)


def frames_of(recording: Recording) -> list[Frame]:
    """The frames from the server, in order."""
    return [
        Frame.of(number, frame.at, frame.text, frame.data)
        for number, frame in enumerate(recording.tape.frames, 1)
        if frame.direction == "server"
    ]


def connection_of(recording: Recording, revision: Revision) -> Connection:
    """One recording, read."""
    reading = _Reading(recording.tape.name, revision)
    frames = recording.tape.frames
    if frames and all(frame.direction == "server" for frame in frames):
        reading.asked(_guessed(frames_of(recording), revision))
    for number, frame in enumerate(frames, 1):
        if frame.direction == "server":
            reading.heard(Frame.of(number, frame.at, frame.text, frame.data))
        else:
            shown = frame.text if frame.text is not None else f"<{len(frame.data or b'')} bytes of binary>"
            body = parsed(frame.text) if frame.text is not None else None
            reading.asked(Request(number, frame.at, shown, body, recording.marks.get(number - 1, frozenset())))
    exchanges = tuple(reading.exchanges)
    close = recording.tape.close
    return Connection(recording.tape.name, exchanges, tuple(reading.unasked), close, recording.watched)


def _guessed(frames: Sequence[Frame], revision: Revision) -> Request:
    """A request for a recording that has none: the action is all that its frames tell."""
    kinds = {frame.kind for frame in frames}
    whole = "START" in kinds or not revision.enveloped
    action = "greeting" if "greeting" in kinds else revision.action if whole and kinds & TURN_KINDS else None
    return Request(0, 0.0, "", {"action": action} if action else None, frozenset({UNSEEN}))


class _Reading:
    """Where the reading of a recording stands."""

    def __init__(self, place: str, revision: Revision) -> None:
        self._place = place
        self._revision = revision
        self.exchanges: list[Exchange] = []
        self.unasked: list[Frame] = []
        self._waiting: list[Exchange] = []  # asked, and nothing has come of it yet
        self._open: list[Exchange] = []  # turns under way
        self._owners: dict[str, Exchange] = {}  # by stream_uid or outermost run

    def asked(self, request: Request) -> None:
        exchange = Exchange(self._place, request)
        self.exchanges.append(exchange)
        self._waiting.append(exchange)

    def heard(self, frame: Frame) -> None:
        if not self.exchanges:
            self.unasked.append(frame)
        elif frame.kind == "status":
            self._answer(frame, [one for one in self._waiting if one.request.action == "status"])
        elif frame.kind == "Forbidden":
            unknown = [one for one in self._waiting if not self._known(one.request)]
            self._answer(frame, unknown or [one for one in self._waiting if one.request.action != "status"])
        elif frame.kind == "error":
            self._error(frame)
        elif frame.kind in TURN_KINDS:
            self._turn(frame)
        else:
            self._stray(frame)

    def _known(self, request: Request) -> bool:
        return request.action == "status" or request.is_turn(self._revision) or request.is_greeting(self._revision)

    def _asks(self, request: Request) -> bool:
        return request.is_turn(self._revision) or request.is_greeting(self._revision)

    def _answer(self, frame: Frame, candidates: list[Exchange]) -> None:
        """Gives an answer outside turns to the first that waits for one, else to the last that got such a one."""
        if candidates:
            self._settle(candidates[0], frame)
            return
        had = [one for one in self.exchanges if frame.kind in one.kinds]
        if had:
            had[-1].frames.append(frame)
        elif self._waiting:
            self._settle(self._waiting[0], frame)
        else:
            self._stray(frame)

    def _settle(self, exchange: Exchange, frame: Frame) -> None:
        exchange.frames.append(frame)
        exchange.over = True
        if exchange in self._waiting:
            self._waiting.remove(exchange)

    def _error(self, frame: Frame) -> None:
        """A refusal of what waits, or the failure of a turn: by its text, else by what there is."""
        msg = frame.get("msg")
        deserving = [one for one in self._waiting if msg in (one.request.failures(self._revision) or ())]
        deserving = deserving or [one for one in self._waiting if self._asks(one.request) and _lacks(one.request, msg)]
        if deserving:
            self._settle(deserving[0], frame)
            return
        again = [one for one in self.exchanges if one.over and not one.began and _said(one, msg)]
        waiting = [one for one in self._waiting if self._asks(one.request)]
        refused = [one for one in waiting if one.request.failures(self._revision) != []]
        if self._open and not refused:
            self._fail(self._open[-1], frame)
        elif again and not refused:
            again[-1].frames.append(frame)
        elif waiting or self._waiting:
            self._settle((refused or waiting or self._waiting)[0], frame)
        elif again:
            again[-1].frames.append(frame)
        else:
            self._stray(frame)

    def _fail(self, turn: Exchange, frame: Frame) -> None:
        if len(self._open) > 1:
            for one in self._open:
                one.tangled = True
        turn.frames.append(frame)
        if not self._revision.enveloped:  # nothing follows
            self._end(turn)

    def _turn(self, frame: Frame) -> None:
        owner = self._owner_of(frame)
        known = self._owners.get(owner) if owner else None
        if known is not None and known.over and frame.kind == "START":
            known = None  # a new turn with an old uid
        turn = known or self._begun(frame)
        if turn is None:
            turn = self._likely()
            if len(self._open) > 1 and not self._revision.flat:
                for one in self._open:
                    one.tangled = True
        if turn is None:
            self._stray(frame)
            return
        if owner is not None and (owner not in self._owners or frame.kind == "START"):
            self._owners[owner] = turn
        turn.frames.append(frame)
        ended = frame.kind == "END" or (
            not self._revision.enveloped and frame.get("event") == "on_chain_end" and not frame.parents
        )
        if ended:
            self._end(turn)

    def _owner_of(self, frame: Frame) -> str | None:
        if self._revision.flat or self._revision.rooms:
            stream_uid = frame.get("stream_uid")
            return stream_uid if isinstance(stream_uid, str) else None
        return frame.root

    def _begun(self, frame: Frame) -> Exchange | None:
        """The request that a frame begins the turn of."""
        waiting = [one for one in self._waiting if self._asks(one.request)]
        begins = frame.kind == "START" or not self._open or self._revision.flat
        if self._revision.id == R1:
            begins = begins or (frame.get("event") == "on_chain_start" and not frame.parents)
        if not waiting or not begins:
            return None
        same_room = [one for one in waiting if one.room == frame.get("room_uid")]
        turn = (same_room or waiting)[0]
        turn.began = True
        self._waiting.remove(turn)
        self._open.append(turn)
        return turn

    def _likely(self) -> Exchange | None:
        """The turn of a frame that names none: one under way, else the last that was."""
        if self._open:
            return self._open[-1 if self._revision.flat else 0]
        begun = [one for one in self.exchanges if one.began]
        return begun[-1] if begun else None

    def _end(self, turn: Exchange) -> None:
        turn.over = True
        if turn in self._open:
            self._open.remove(turn)

    def _stray(self, frame: Frame) -> None:
        """A frame that fits nothing: with the turn under way, what waits, or what was last."""
        turn = [*self._open[-1:], *self._waiting[:1], *self.exchanges[-1:]]
        turn[0].frames.append(frame)


def _lacks(request: Request, msg: object) -> bool:
    """Whether a refusal says that a field is required which the request does not have."""
    field, required, _ = str(msg).partition(" is required")
    return bool(required) and request.body is not None and field not in request.body


def _said(exchange: Exchange, msg: object) -> bool:
    return any(frame.kind == "error" and frame.get("msg") == msg for frame in exchange.frames)
