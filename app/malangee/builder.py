"""Place, partner and goal, gathered over at most three questions. PURE.

Only what is said counts: a value of the fixture's keywords, or a phrase such as "at the bank", "with my boss" and "I
want to open an account". The first value of a field stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.malangee.script import FIELDS, Builder

MOST_QUESTIONS = 3
LONGEST = 80
"""Characters of a value."""

LONGEST_TITLE = 50

_EMPTY = frozenset(("ok", "okay", "thanks", "thank you", "yes", "no", "talk", "chat", "help", "practice", "it", "you"))
_STOP = r"(?=\s+(?:to|and|with|because|so|for|where|who|i|we|at|in)\b|[.,;!?]|$)"
_SAID = {
    "place": re.compile(rf"\b(?:at|in|inside|to)\s+(?:the|a|an|my)\s+([a-z][a-z' -]{{1,60}}?){_STOP}", re.IGNORECASE),
    "partner": re.compile(
        r"\b(?:with|talk(?:ing)? to|speak(?:ing)? (?:to|with)|meet(?:ing)?|ask(?:ing)?)\s+(?:the|a|an|my)\s+"
        rf"([a-z][a-z' -]{{1,60}}?){_STOP}",
        re.IGNORECASE,
    ),
    "goal": re.compile(
        r"\b(?:i|we)(?:'d like| want| need| would like| have|'m going| am going)\s+to\s+([^.,;!?]{2,80})", re.IGNORECASE
    ),
}
_GOING = re.compile(r"(?<!\s)\s+(?:at|in|with)\s+(?:the|a|an|my)\s.*$", re.IGNORECASE)


@dataclass(slots=True)
class Scenario:
    """A scenario that is being talked out."""

    builder: Builder
    values: dict[str, str | None] = field(default_factory=lambda: dict.fromkeys(FIELDS))
    asked: list[str] = field(default_factory=list)
    unanswered: bool = False
    """Whether the last question waits for an answer."""
    attempts: int = 0

    @property
    def missing(self) -> list[str]:
        """What is not known yet."""
        return [name for name in FIELDS if self.values[name] is None]

    @property
    def complete(self) -> bool:
        """Whether there is nothing more to ask: all is known, or three questions have been answered."""
        return not self.missing or len(self.asked) >= MOST_QUESTIONS

    def opening(self) -> str | None:
        """What the AI says first, if the fixture has it speak first; it asks for the place."""
        if not self.builder.greeting:
            return None
        self._ask(FIELDS[0])
        return self.builder.greeting

    def question(self) -> str:
        """The question that waits for an answer; else the next: for what is missing and was not asked for yet, else for
        what is missing.
        """
        if not self.unanswered:
            missing = self.missing or list(FIELDS)
            self._ask(next((one for one in missing if one not in self.asked), missing[0]))
        return self.builder.questions[self.asked[-1]]

    def _ask(self, name: str) -> None:
        self.asked.append(name)
        self.unanswered = True

    def hear(self, text: str, extracted: Mapping[str, str | None] | None = None) -> None:
        """Takes over what the user has said; `extracted`: what a model made of it, in place of the keywords."""
        self.attempts += 1
        self.unanswered = False
        found = extract(text, self.builder) if extracted is None else extracted
        for name in FIELDS:
            if self.values[name] is None:
                self.values[name] = usable(found.get(name))
        for name, value in self.builder.given.items():
            self.values[name] = value

    def title(self) -> str:
        """At most 50 characters that name it."""
        known = [value for name in FIELDS if (value := self.values[name])]
        return (" / ".join(known) or "Conversation")[:LONGEST_TITLE]

    def state(self) -> dict[str, object]:
        """What the store keeps of how it went."""
        return {**self.values, "attempts": self.attempts, "asked_fields": sorted(set(self.asked)), "completed": False}


def usable(value: str | None) -> str | None:
    """A value, if it says anything."""
    text = (value or "").strip(" .,;!?'\"")
    return text if text and len(text) <= LONGEST and text.lower() not in _EMPTY else None


def extract(text: str, builder: Builder) -> dict[str, str | None]:
    """Place, partner and goal as far as a sentence says them: by keyword, else by phrase."""
    lower = " ".join(text.lower().split())
    found: dict[str, str | None] = {}
    for name in FIELDS:
        found[name] = next(
            (
                value
                for value, words in builder.keywords.get(name, {}).items()
                if any(re.search(rf"\b{re.escape(word.lower())}\b", lower) for word in words)
            ),
            None,
        )
        if found[name] is None and (said := _SAID[name].search(text)):
            found[name] = _GOING.sub("", said[1]) if name == "goal" else said[1]
    if found["place"] is not None and found["place"] == found["partner"]:
        found["place"] = None
    return found
