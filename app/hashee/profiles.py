"""The two documented states of the service: `2026-01` (the seed) and `2026-05`. PURE.

A profile says what a frame is called, which fields it has, how a moment is written, and which events leave by webhook
and long poll.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from app.hashee.frames import AgentTyping, Frame
from app.json_text import dumps

FIRST = "2026-01"
SECOND = "2026-05"

_DELIVERED = (
    *("message.new", "relation.established", "relation.terminated", "relation.suspended", "relation.restored"),
    *("artifact_response", "message.recalled"),
)


@dataclass(frozen=True, slots=True)
class Profile:
    """One state. `renamed`: frames that have another name than the seed's; `added`: those the seed does not have."""

    id: str
    delivered: frozenset[str]
    """Types (the seed's names) that go out by webhook and long poll."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    added: frozenset[str] = frozenset()
    milliseconds: bool = False
    typing_seconds: int = 120
    """How long an agent is believed to be typing that does not say so again."""

    def knows(self, kind: str) -> bool:
        """Whether frames of that type (the seed's name) are sent."""
        return not kind.startswith("!") and (kind in self.added or kind not in LATER)

    def name(self, kind: str) -> str:
        """What the type is called on the wire."""
        return self.renamed.get(kind, kind)

    def moment(self, seconds: float) -> str:
        """Epoch seconds as the profile writes them."""
        text = datetime.fromtimestamp(seconds, UTC)
        return text.isoformat(timespec="milliseconds" if self.milliseconds else "seconds").replace("+00:00", "Z")

    def body(self, frame: Frame) -> dict[str, Any]:
        """The frame as JSON."""
        later = frame.later if self.id == FIRST else ()
        shown: dict[str, Any] = {}
        for name, value in frame.values().items():
            if value is None or name in later:
                continue
            shown[name.rstrip("_")] = self.moment(value) if name == "created_at" else value
        if isinstance(frame, AgentTyping) and frame.typing:
            shown["expires_in_seconds"] = self.typing_seconds
        kind = self.name(frame.type)
        return {"type": kind, "payload": shown} if frame.nested else {"type": kind, **shown}

    def encode(self, frame: Frame) -> str:
        """The frame as it is sent."""
        return dumps(self.body(frame))


LATER = frozenset(("agent.capability_changed", "system.group_key_rotated"))
"""Types that only profile 2026-05 has."""

PROFILES: Mapping[str, Profile] = {
    FIRST: Profile(FIRST, frozenset(_DELIVERED)),
    SECOND: Profile(
        SECOND,
        frozenset((*_DELIVERED, "agent.capability_changed")),
        renamed={"relation.terminated": "relation.revoked"},
        added=LATER,
        milliseconds=True,
        typing_seconds=5,
    ),
}
"""Oldest first."""


def frame_type(body: Mapping[str, Any]) -> str:
    """What a frame of either side is called."""
    return str(body.get("type", ""))
