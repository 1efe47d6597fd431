"""Recordings of the MaLangEE wire, read as frames. PURE."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.contract.checks.recordings import Belief, Downloads, Recording
from app.contract.checks.rules import Breach

GUIDE = "guide"
BACKEND = "backend"
EDITIONS = (GUIDE, BACKEND)
MALFORMED = "malformed"
"""Mark of a frame that is no JSON."""

NOWHERE = "nowhere"
"""Name of the connection to a path that is none."""


@dataclass(frozen=True, slots=True)
class Told:
    """A frame of either side. `number` counts those of the recording from 1; `body` is None where it is no object."""

    number: int
    client: bool
    raw: str
    body: dict[str, Any] | None
    marks: frozenset[str] = frozenset()

    @property
    def type(self) -> str:
        """What it is called; "" if it says nothing."""
        return str(self.body.get("type", "")) if self.body is not None else ""


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

    def breach(self, frame: Told | None, expected: str, got: str) -> Breach:
        """What is wrong with a frame, or with the connection."""
        if frame is None:
            return Breach(self.name, "", expected, got)
        return Breach(f"{self.name}, frame {frame.number}", frame.raw[:400], expected, got)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the rules judge."""

    edition: str
    talks: tuple[Talk, ...]

    def chats(self) -> Iterator[Talk]:
        """Connections on which something was heard."""
        return (talk for talk in self.talks if talk.heard)


def gather(recordings: Sequence[Recording], edition: str, downloads: Downloads) -> Evidence:
    """The evidence in some recordings."""
    return Evidence(edition, tuple(talk_of(recording) for recording in recordings))


def talk_of(recording: Recording) -> Talk:
    """One recording, read."""
    frames = []
    for number, frame in enumerate(recording.tape.frames, 1):
        raw = frame.text if frame.text is not None else f"<{len(frame.data or b'')} bytes of binary>"
        marks = recording.marks.get(number - 1, frozenset())
        frames.append(Told(number, frame.direction == "client", raw, _object(frame.text), marks))
    return Talk(recording.tape.name, tuple(frames), recording.tape.close, recording.watched)


def believe(recordings: Sequence[Recording]) -> Belief:
    """The dialect that the frames tell."""
    types = {frame.type for recording in recordings for frame in talk_of(recording).heard}
    if types & {"response.audio.delta", "input_audio.transcript"}:
        return Belief(BACKEND, (), ("frames of the backend's scenario sockets",))
    if "ready" in types:
        return Belief(GUIDE, (), ("ready",))
    return Belief(BACKEND, (), ("no ready",)) if types else Belief()


def _object(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None
