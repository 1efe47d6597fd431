"""Sentences and comments for generated code. PURE."""

from __future__ import annotations

import textwrap

GENERATED = "Generated from the frame classes by `chldo-emulator schema`; do not edit."


def sentence(text: str) -> str:
    """`text` with a capital at its beginning and a full stop at its end."""
    closed = text if text.endswith((".", "!", "?")) else f"{text}."
    return closed[:1].upper() + closed[1:]


def wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` characters; blank lines stay."""
    return [
        line
        for part in text.split("\n")
        for line in textwrap.wrap(part, width, break_long_words=False, break_on_hyphens=False) or [""]
    ]


def pascal(key: str) -> str:
    """A key as part of a type's name: `voice_url` is `VoiceUrl`."""
    return "".join(part[:1].upper() + part[1:] for part in key.replace("-", "_").replace(".", "_").split("_"))
