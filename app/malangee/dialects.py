"""What differs between the guide of 2026-01-17 and the service's own backend, on each socket. PURE.

A dialect is data and one function that writes frames. Who talks (`conversation.py`) asks it, never its name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from app.json_text import dumps
from app.malangee.frames import (
    RATE,
    AudioDelta,
    AudioDone,
    Bare,
    Disconnected,
    ErrorFrame,
    Frame,
    Ready,
    ScenarioCompleted,
    SpeechStarted,
    SpeechStopped,
    TranscriptDone,
    UserTranscript,
)

GUIDE = "guide"
BACKEND = "backend"
DIALECTS = (GUIDE, BACKEND)
"""Oldest first: the guide, then the backend that came after it."""

Purpose = Literal["chat", "scenario"]
Pace = Literal["realtime", "burst"] | float
"""How fast the AI's sound is sent: as it is spoken, as fast as it goes, or a factor of real time."""

_CHAT: Mapping[type, str] = {
    AudioDelta: "audio.delta",
    AudioDone: "audio.done",
    TranscriptDone: "transcript.done",
    SpeechStarted: "speech.started",
    SpeechStopped: "speech.stopped",
    UserTranscript: "user.transcript",
    ErrorFrame: "error",
    Disconnected: "disconnected",
}
_BUILDER: Mapping[type, str] = {
    Ready: "ready",
    AudioDelta: "response.audio.delta",
    AudioDone: "response.audio.done",
    TranscriptDone: "response.audio_transcript.done",
    UserTranscript: "input_audio.transcript",
    ScenarioCompleted: "scenario.completed",
    ErrorFrame: "error",
    Bare: "",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """One socket's way of speaking. Frames whose type is not in `names` are not sent.

    `append`, `commit`, `clear`: what the client's audio frames are called ("" for none). `audio_first`: `audio.done`
    comes before `transcript.done`. `late_transcript`: the user's transcript does not hold up the answer. `closes`: the
    server closes the socket after `disconnected`. `forgiving`: a malformed frame is answered with `error` and the
    conversation goes on. `fatal`: what drops the connection (the backend's crashes). `greets`: the AI speaks first,
    fixture or not, and again after a change of voice. `assents`: `commit`, `text` and `response.create` are user turns
    and requests. `half_duplex`: what the user says while the AI speaks waits until it has finished. `told`: audio
    durations of the AI are in the report. `silence_counts`: the user's last until their silence is noticed, not until
    they fall silent. `blanks`: an empty transcript is sent, and answered. `pace`: of the AI's sound.
    """

    name: str
    purpose: Purpose
    names: Mapping[type, str]
    append: str
    commit: str
    clear: str = ""
    spaced: bool = False
    sample_rate: bool = False
    error_code: bool = True
    audio_first: bool = False
    late_transcript: bool = False
    closes: bool = True
    forgiving: bool = True
    fatal: frozenset[str] = frozenset()
    greets: bool = False
    assents: bool = True
    half_duplex: bool = False
    cut_is_told: bool = False
    told: bool = True
    silence_counts: bool = False
    blanks: bool = True
    pace: Pace = "realtime"

    @property
    def factor(self) -> float | None:
        """The pace as a factor of real time; None: as fast as it goes."""
        return 1.0 if self.pace == "realtime" else None if self.pace == "burst" else float(self.pace)

    def write(self, frame: Frame) -> str | None:
        """The frame as text; None if this dialect has no such frame."""
        name = self.names.get(type(frame))
        if name is None:
            return None
        if isinstance(frame, Bare):
            return json.dumps(frame.text)
        if isinstance(frame, AudioDelta):
            return self._delta(name, frame.audio)
        body = {"type": name, **self._fields(frame)}
        if self.spaced:
            return json.dumps(body)
        return dumps(body)

    def ends_turn(self, body: Mapping[str, Any]) -> bool:
        """Whether a frame is the last of an AI turn."""
        return body.get("type") == self.names[TranscriptDone if self.audio_first else AudioDone]

    def _delta(self, name: str, audio: str) -> str:
        """Written by hand: it is most of what is sent, and base64 needs no escapes."""
        if self.spaced:
            rate = f', "sample_rate": {RATE}' if self.sample_rate else ""
            return f'{{"type": "{name}", "delta": "{audio}"{rate}}}'
        return f'{{"type":"{name}","delta":"{audio}"}}'

    def _fields(self, frame: Frame) -> dict[str, Any]:
        match frame:
            case TranscriptDone(text) | UserTranscript(text):
                return {"transcript": text}
            case ErrorFrame(code, message):
                return {"code": code, "message": message} if self.error_code else {"message": message}
            case Disconnected(report, reason):
                return {"reason": reason, "report": report.plain()}
            case ScenarioCompleted(place, partner, goal, session_id):
                known = {"place": place, "conversation_partner": partner, "conversation_goal": goal}
                return {"json": {**known, "sessionId": session_id}, "completed": True}
            case _:
                return {}


_GUIDE_NAMES = {Ready: "ready", **_CHAT, ScenarioCompleted: "scenario.completed"}

GUIDE_CHAT = Dialect(
    GUIDE, "chat", _GUIDE_NAMES, "input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear"
)
GUIDE_SCENARIO = replace(GUIDE_CHAT, purpose="scenario")
BACKEND_CHAT = Dialect(
    BACKEND,
    "chat",
    _CHAT,
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    audio_first=True,
    late_transcript=True,
    closes=False,
    forgiving=False,
    greets=True,
    assents=False,
    cut_is_told=True,
    told=False,
    silence_counts=True,
    pace="burst",
)
BACKEND_SCENARIO = Dialect(
    BACKEND,
    "scenario",
    _BUILDER,
    "input_audio_chunk",
    "",
    spaced=True,
    sample_rate=True,
    error_code=False,
    audio_first=True,
    closes=False,
    forgiving=False,
    fatal=frozenset(("not an object", "binary", "response.create")),
    greets=True,
    assents=False,
    half_duplex=True,
    told=False,
    silence_counts=True,
    blanks=False,
)

_ALL = {(dialect.name, dialect.purpose): dialect for dialect in (GUIDE_CHAT, GUIDE_SCENARIO, BACKEND_CHAT)}
_ALL[BACKEND, "scenario"] = BACKEND_SCENARIO


def dialect_of(
    name: str,
    purpose: Purpose,
    *,
    ready: bool | None = None,
    order: str = "dialect",
    transcript: str = "dialect",
    pace: Literal["dialect"] | Pace = "dialect",
) -> Dialect:
    """A dialect, with the parts that documents disagree on as the settings want them.

    `ready`: whether a `ready` frame comes first; `order`: `transcript-first` or `audio-first`; `transcript`: `before`
    or `late`; None and `dialect` leave it as it is.
    """
    found = _ALL[name, purpose]
    if ready is not None:
        names = {Ready: "ready", **found.names}
        found = replace(found, names=names if ready else {k: v for k, v in names.items() if k is not Ready})
    if order != "dialect":
        found = replace(found, audio_first=order == "audio-first")
    if transcript != "dialect":
        found = replace(found, late_transcript=transcript == "late")
    if pace != "dialect":
        found = replace(found, pace=pace)
    return found
