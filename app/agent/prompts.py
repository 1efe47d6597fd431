"""Fills the variables of a space's prompt: `{{visitor_name}}` and `{{history}}`. PURE."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.spaces.models import Space

HISTORY = "{{history}}"
_VARIABLE = re.compile(r"\{\{(visitor_name|history)\}\}")


def fill(
    prompt: str,
    *,
    visitor_name: str,
    turns: Sequence[tuple[str | None, str]],
    language: str | None,
    long_term: str = "",
) -> tuple[str, bool]:
    """The prompt with its variables filled in, and whether the history now stands in it (and need not be sent again).

    `long_term` are the memories that always stand in the prompt. `turns` are (user text, reply), oldest first.
    `language` is the request's own choice; it asks the model to answer in it.
    """
    told = HISTORY in prompt
    values = {"visitor_name": visitor_name, "history": "\n".join(_lines(turns)) if told else ""}
    text = _VARIABLE.sub(lambda variable: values[variable[1]], prompt)
    if long_term:
        text = f"{text}\n\n{long_term}".lstrip()
    if language:
        text = f"{text}\n\nAnswer in the language with the ISO 639-1 code {language}.".lstrip()
    return text, told


def _lines(turns: Sequence[tuple[str | None, str]]) -> list[str]:
    lines: list[str] = []
    for said, reply in turns:
        if said is not None:
            lines.append(f"user: {said}")
        if reply.strip():
            lines.append(f"assistant: {reply}")
    return lines


def scene_prompt(space: Space, number: int) -> str:
    """The prompt of the scene, or the space's own where the space has no such scene."""
    return next((scene.prompt for scene in space.scenes if scene.number == number), space.prompt)
