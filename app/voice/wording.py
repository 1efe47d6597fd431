"""What is spoken of a text: cleaned, judged and cut. Pure."""

from __future__ import annotations

import re

MAX_TEXT = 4_000
"""Characters of one text that are looked at. A minute of the fastest speech is about 1,200, and a minute is the cap."""

MAX_PIECE = 500
"""Characters given to an engine at once. pyttsx3 gathers its audio quadratically, so one long text is slow."""

_BLANKS = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\u3000]+")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_BREAK = re.compile(r".*[\s.,!?;:…。、！？；：،؟।]", re.DOTALL)


def clean(text: str) -> str:
    """One line of at most `MAX_TEXT` characters, without control characters, runs of blanks or lone surrogates."""
    return _BLANKS.sub(" ", _SURROGATES.sub("", text[:MAX_TEXT])).strip()


def speakable(text: str) -> bool:
    """Whether there is a letter or a digit in it; emoji and punctuation alone are silence."""
    return any(character.isalnum() for character in text)


def pieces(text: str, limit: int = MAX_PIECE) -> list[str]:
    """Cuts a text into parts of at most `limit` characters, after a blank or a mark where there is one.

    Joined, the parts are the text again.
    """
    parts = []
    while len(text) > limit:
        found = _BREAK.match(text[:limit])
        end = found.end() if found else limit
        parts.append(text[:end])
        text = text[end:]
    return [*parts, text] if text else parts
