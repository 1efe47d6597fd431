"""Recordings of the Hashee wire, read as frames, and what was asked over HTTP beside them. PURE."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.contract.checks.recordings import Belief, Downloads, Recording
from app.contract.checks.rules import Breach
from app.contract.hashee.words import FIRST, FORMS, LATER, MOMENTS, ONLY_SECOND, SECOND

Json = dict[str, Any]

PERSON, AGENT = "person", "agent"
"""Names of the two sockets that talk, and of who asks over HTTP."""

NEWER = {PERSON: "person again", AGENT: "agent again"}
"""Names of the sockets that take their places."""

NO_AUTH = "no auth"
LARGE = "a large frame"

GOOD, RENEWAL = "good", "renewal"
"""Marks of requests that should be granted: `auth`, `auth.renew`."""

REFUSED = "refused:"
"""Begins the mark of an `auth` that should be refused; the reason follows."""

NOT_AUTH, INVALID, STREAMLESS = "not auth", "invalid", "no such stream"
"""Marks of frames that cannot be taken: first on their socket, of no known form, of a stream that is none."""

LARGEST, TOO_LARGE = "largest", "too large"
"""Marks of frames of the greatest size, and of one byte more."""


@dataclass(frozen=True, slots=True)
class Told:
    """A frame of either side. `number` counts those of the recording from 1; `body` is None where it is no object;
    `at` in seconds from the opening.
    """

    number: int
    client: bool
    at: float
    raw: str
    body: Json | None
    marks: frozenset[str] = frozenset()

    @property
    def type(self) -> str:
        """What it is called; "" if it says nothing."""
        return str(self.body.get("type", "")) if self.body is not None else ""

    @property
    def inner(self) -> Json:
        """Its fields, wherever they stand."""
        body = self.body or {}
        payload = body.get("payload")
        return payload if isinstance(payload, dict) else {name: body[name] for name in body if name != "type"}


@dataclass(frozen=True, slots=True)
class Talk:
    """One connection. `close`: the server's."""

    name: str
    frames: tuple[Told, ...]
    close: tuple[int, str] | None
    watched: bool

    @property
    def heard(self) -> list[Told]:
        """The server's frames."""
        return [frame for frame in self.frames if not frame.client]

    def of(self, *types: str) -> list[Told]:
        """The server's frames of some types."""
        return [frame for frame in self.heard if frame.type in types]

    def marked(self, mark: str) -> list[Told]:
        """The requests that a probe has marked so."""
        return [frame for frame in self.frames if mark in frame.marks]

    def answer(self, asked: Told, *types: str) -> Told | None:
        """The first frame of some types after a request."""
        return next((frame for frame in self.of(*types) if frame.number > asked.number), None)

    def breach(self, frame: Told | None, expected: str, got: str) -> Breach:
        """What is wrong with a frame, or with the connection."""
        if frame is None:
            return Breach(self.name, "", expected, got)
        return Breach(f"{self.name}, frame {frame.number}", frame.raw[:400], expected, got)

    def must_close(self, code: int, frame: Told | None = None) -> Breach | None:
        """None where the server has closed with that code."""
        if self.close is not None and self.close[0] == code:
            return None
        return self.breach(frame, f"close {code}", f"close {self.close[0]}" if self.close else "an open socket")


@dataclass(frozen=True, slots=True)
class Deed:
    """What was asked over HTTP: by whom, as what, with which body, and what came of it. `body` is None for no JSON."""

    who: str
    name: str
    asked: Json
    status: int
    body: Json | None
    raw: str

    @property
    def done(self) -> bool:
        return 200 <= self.status < 300

    @property
    def data(self) -> Json:
        """What a success says."""
        told = (self.body or {}).get("data")
        return told if isinstance(told, dict) else {}

    def breach(self, expected: str, got: str) -> Breach:
        """What is wrong with the answer."""
        return Breach(f"{self.name}, by {self.who}", self.raw[:400], expected, got)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the rules judge. `places`: the conversations of messages, as far as something tells them."""

    profile: str
    talks: tuple[Talk, ...]
    deeds: tuple[Deed, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)

    def frames(self, *types: str) -> Iterator[tuple[Talk, Told]]:
        """The servers' frames that are JSON objects; of some types, or all."""
        for talk in self.talks:
            for frame in talk.heard:
                if frame.body is not None and (not types or frame.type in types):
                    yield talk, frame

    def talk(self, name: str) -> Talk | None:
        """The connection of that name, where somebody was let in on it."""
        return next((talk for talk in self.talks if talk.name == name and talk.of("auth.ok")), None)

    def both(self) -> list[tuple[str, Talk]]:
        """The connections of the person and the agent."""
        return [(name, talk) for name in (PERSON, AGENT) if (talk := self.talk(name)) is not None]

    def did(self, name: str) -> list[Deed]:
        """What was done over HTTP under a name (or its beginning), and granted."""
        return [deed for deed in self.deeds if deed.done and deed.name.startswith(name)]


def gather(recordings: Sequence[Recording], profile: str, downloads: Downloads) -> Evidence:
    """The evidence in some recordings."""
    talks = tuple(talk_of(recording) for recording in recordings)
    deeds = []
    for (name, who), answer in downloads.items():
        if answer.status:
            raw = answer.body.decode("utf-8", "replace")
            deeds.append(Deed(who, name, object_of(answer.asked) or {}, answer.status, object_of(raw), raw))
    places = {}
    for talk in talks:
        for frame in talk.heard:
            place, message = frame.inner.get("conversation_id"), frame.inner.get("message_id")
            if isinstance(place, str) and isinstance(message, str):
                places[message] = place
    for deed in deeds:
        place, message = deed.asked.get("conversation_id"), deed.data.get("message_id")
        if isinstance(place, str) and isinstance(message, str):
            places[message] = place
    return Evidence(profile, talks, tuple(deeds), places)


def talk_of(recording: Recording) -> Talk:
    """One recording, read. What shows who somebody is, is not kept."""
    frames = []
    for number, frame in enumerate(recording.tape.frames, 1):
        raw = frame.text if frame.text is not None else f"<{len(frame.data or b'')} bytes of binary>"
        client = frame.direction == "client"
        body = object_of(frame.text)
        marks = recording.marks.get(number - 1, frozenset())
        if client and body is not None and str(body.get("type", "")).startswith("auth"):
            raw = json.dumps({"type": body["type"], "…": "…"}, ensure_ascii=False)
        frames.append(Told(number, client, frame.at, raw, body, marks))
    closed = None if recording.tape.closed_by in ("client", "recorder") else recording.tape.close
    return Talk(recording.tape.name, tuple(frames), closed, recording.watched)


def believe(recordings: Sequence[Recording]) -> Belief:
    """The profile that most of the frames tell that tell one."""
    votes: Counter[str] = Counter()
    why: dict[str, str] = {}
    known = False
    for recording in recordings:
        for frame in talk_of(recording).heard:
            known = known or frame.type in FORMS[FIRST]
            for profile, reason in _tells(frame):
                votes[profile] += 1
                why.setdefault(profile, reason)
    if votes:
        # The older one where they are as many.
        profile = FIRST if votes[FIRST] >= votes[SECOND] else SECOND
        return Belief(profile, (), (why[profile],))
    return Belief(FIRST, (SECOND,), ("frames that both profiles have",)) if known else Belief()


def _tells(frame: Told) -> Iterator[tuple[str, str]]:
    if frame.type in ONLY_SECOND:
        yield SECOND, frame.type
    elif frame.type == "relation.terminated":
        yield FIRST, frame.type
    if frame.type == "message.new" and not frame.inner.keys().isdisjoint(LATER):
        yield SECOND, "what message.new has beside its nine fields"
    moment = frame.inner.get("created_at")
    if isinstance(moment, str):
        if MOMENTS[FIRST].fullmatch(moment):
            yield FIRST, "moments without milliseconds"
        elif MOMENTS[SECOND].fullmatch(moment):
            yield SECOND, "moments with milliseconds"


def object_of(text: str | None) -> Json | None:
    """The JSON object in a text."""
    if text is None:
        return None
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None
