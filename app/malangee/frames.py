"""Every frame that the server sends, one class each; what each is called on the wire is a dialect's to say. PURE.

Source: the guide of 2026-01-17 and the backend as it is seen on the wire (docs/malangee.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RATE = 24_000
"""Samples a second of all audio, in both directions: signed 16-bit little-endian mono."""

CHUNK = 4_800
"""Bytes of an `audio.delta`: 100 ms. The last one of a sentence may be shorter."""

SESSION_ENDED = "Session ended"


@dataclass(frozen=True, slots=True)
class Ready:
    """The conversation may begin."""


@dataclass(frozen=True, slots=True)
class AudioDelta:
    """A piece of the AI's speech: base64 of PCM."""

    audio: str


@dataclass(frozen=True, slots=True)
class AudioDone:
    """All speech of the turn has been sent."""


@dataclass(frozen=True, slots=True)
class TranscriptDone:
    """What the AI has said in the turn."""

    transcript: str


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The user has begun to speak; the AI falls silent."""


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The user has been silent for as long as the silence window is."""


@dataclass(frozen=True, slots=True)
class UserTranscript:
    """What the user has said; may be empty."""

    transcript: str


@dataclass(frozen=True, slots=True)
class ScenarioCompleted:
    """The scenario that has been talked out; what was not said is None."""

    place: str | None
    partner: str | None
    goal: str | None
    session_id: str


@dataclass(frozen=True, slots=True)
class ErrorFrame:
    """Something could not be done; the connection goes on. Only chat tells the code."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Said:
    """A message of the report. `timestamp` is ISO 8601 with microseconds and offset; `duration_sec` of its speech."""

    role: str
    content: str
    timestamp: str
    duration_sec: float


@dataclass(frozen=True, slots=True)
class Report:
    """What a connection came to. Durations in seconds."""

    session_id: str
    started_at: str
    ended_at: str
    total_duration_sec: float
    user_speech_duration_sec: float
    messages: tuple[Said, ...]

    def plain(self) -> dict[str, Any]:
        """The report as it stands in the frame: exactly six keys."""
        return {
            "session_id": self.session_id,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "total_duration_sec": self.total_duration_sec,
            "user_speech_duration_sec": self.user_speech_duration_sec,
            "messages": [
                {"role": m.role, "content": m.content, "timestamp": m.timestamp, "duration_sec": m.duration_sec}
                for m in self.messages
            ],
        }


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The last frame of a conversation."""

    report: Report
    reason: str = SESSION_ENDED


@dataclass(frozen=True, slots=True)
class Bare:
    """A bare JSON string, which the scenario socket of the backend sends when its upstream fails."""

    text: str


Frame = (
    Ready
    | AudioDelta
    | AudioDone
    | TranscriptDone
    | SpeechStarted
    | SpeechStopped
    | UserTranscript
    | ScenarioCompleted
    | ErrorFrame
    | Disconnected
    | Bare
)

UNHEARD = "음성이 잘 들리지 않았어요. 다시 말해 주세요."
"""The bare string of the backend."""


def frame_type(body: Mapping[str, Any]) -> str:
    """What a frame, of either side, is called."""
    return str(body.get("type", ""))
