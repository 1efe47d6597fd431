"""What a connection says and hears, kept: the report of the wire, and the session of the store. Imports SQLAlchemy."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from app.malangee.frames import Report, Said
from app.spaces.people import Message

MOST = 2_000
"""Messages of a connection that are kept."""


def iso(at: float) -> str:
    """Epoch seconds as ISO 8601 with microseconds and offset."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")


TALKED_MUCH = 10
"""Messages of a connection above which it gets a summary and corrections."""

_TWICE = re.compile(r"\b(\w+)(\s+)\1\b", re.IGNORECASE)
_LONE_I = re.compile(r"\bi\b")


@dataclass(slots=True)
class Record:
    """One connection. Times in epoch seconds, `speech` in seconds. `kept`: the store has it."""

    session_id: str
    began: float
    earlier: list[Message] = field(default_factory=list)
    said: list[Message] = field(default_factory=list)
    speech: float = 0.0
    kept: bool = False

    def add(self, role: str, content: str, at: float, seconds: float = 0.0) -> None:
        """Something was said; what is blank is not kept."""
        if role == "user":
            self.speech += seconds
        if content.strip() and len(self.said) < MOST:
            self.said.append(Message(role, content, at, round(seconds, 2)))

    def report(self, ended: float, *, told: bool) -> Report:
        """What it came to. `told`: how long the AI spoke is in it; the service's own backend says 0.0."""
        messages = tuple(
            Said(one.role, one.content, iso(one.at), one.seconds if told or one.role == "user" else 0.0)
            for one in self.said
        )
        total = round(max(0.0, ended - self.began), 2)
        return Report(self.session_id, iso(self.began), iso(ended), total, round(self.speech, 2), messages)

    def past(self, most: int) -> list[tuple[str, str]]:
        """What was said so far, here and earlier, as (role, text): the last `most` messages."""
        return [(one.role, one.content) for one in (*self.earlier, *self.said)][-most:] if most else []


def analytics(said: Sequence[Message], at: float) -> str | None:
    """Words of the user, for a session with at least three of their messages; JSON."""
    texts = [one.content for one in said if one.role == "user"]
    if len(texts) < 3:
        return None
    words = [word.strip(".,!?\"'").lower() for text in texts for word in text.split()]
    unique = len(set(words))
    figures = {
        "word_count": len(words),
        "unique_words_count": unique,
        "richness_score": round(100 * unique / max(1, len(words)), 2),
        "created_at": iso(at),
    }
    return json.dumps(figures)


def corrected(text: str) -> tuple[str, str] | None:
    """A better way to say it and the reason, by rule; None where no rule finds anything."""
    better, reasons = text.strip(), []
    if _TWICE.search(better):
        better = _TWICE.sub(r"\1", better)
        reasons.append("A word is said twice.")
    if _LONE_I.search(better):
        better = _LONE_I.sub("I", better)
        reasons.append('"I" is always a capital letter.')
    if better[:1].islower():
        better = better[:1].upper() + better[1:]
        reasons.append("A sentence begins with a capital letter.")
    if better[-1:].isalnum():
        better += "."
        reasons.append("A sentence ends with a full stop or a question mark.")
    return (better, " ".join(reasons)) if reasons else None


def reviewed(said: Sequence[Message]) -> tuple[list[Message], str | None]:
    """The messages with what is to be said about the user's, and a summary; for a talk of some length only."""
    if len(said) <= TALKED_MUCH:
        return list(said), None
    found = []
    for one in said:
        better = corrected(one.content) if one.role == "user" else None
        found.append(one if better is None else replace(one, feedback=better[0], reason=better[1]))
    mine = [one.content for one in said if one.role == "user"]
    summary = f"A conversation of {len(said)} messages. You began with: {mine[0]}" if mine else None
    return found, summary
