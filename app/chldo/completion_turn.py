"""What of a conversation is asked of the script: the last user text, and what has happened since. PURE."""

from __future__ import annotations

from collections.abc import Sequence

from app.chldo.bad_requests import Json
from app.chldo.completions import CompletionAsk
from app.emulation.replies import ReplyAsk
from app.spaces.models import Space

LONGEST_NAME = 256
"""Characters of the name of a picture."""


def reply_ask(space: Space, ask: CompletionAsk) -> ReplyAsk:
    """What a scripted reply can match on: the conversation stands for the room."""
    messages = ask.messages
    spoken = _last_spoken(messages)
    return ReplyAsk(
        msg=None if spoken is None else text_of(messages[spoken]),
        space=space.uid,
        user_id=ask.user,
        language=space.language,
        model=ask.model,
        filename=_filename(messages[_first_of_turn(messages, spoken) :]),
        turn=sum(_is_answer(message) for message in messages[: _last_of_user(messages)]) + 1,
    )


def results_given(messages: Sequence[Json]) -> int:
    """How many results of tools have come since the last user text."""
    spoken = _last_spoken(messages)
    return sum(message["role"] == "tool" for message in messages[0 if spoken is None else spoken :])


def text_of(message: Json) -> str:
    """The texts of a message, without pictures, files and refusals."""
    content: str | list[Json] = message["content"]
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")


def _last_spoken(messages: Sequence[Json]) -> int | None:
    """Where the last user text is."""
    return next((at for at in reversed(range(len(messages))) if _is_user(messages[at]) and text_of(messages[at])), None)


def _last_of_user(messages: Sequence[Json]) -> int:
    """Where the last message of the user is, with a text or without; the end if there is none."""
    return next((at for at in reversed(range(len(messages))) if _is_user(messages[at])), len(messages))


def _first_of_turn(messages: Sequence[Json], spoken: int | None) -> int:
    """Where the turn begins that the last user text belongs to: after the answer before it."""
    before = range(0 if spoken is None else spoken)
    return next((at + 1 for at in reversed(before) if _is_answer(messages[at])), 0)


def _is_user(message: Json) -> bool:
    return bool(message["role"] == "user")


def _is_answer(message: Json) -> bool:
    return message["role"] == "assistant" and not message["tool_calls"]


def _filename(messages: Sequence[Json]) -> str | None:
    """A name for the user's last picture: the end of its URL, or `image.png` for the data of one."""
    parts = [part for message in messages if _is_user(message) for part in _parts(message)]
    url: str | None = next((part["image_url"]["url"] for part in reversed(parts) if part["type"] == "image_url"), None)
    if url is None:
        return None
    if url.startswith("data:"):
        kind = url[5:64].partition(";")[0].partition("/")[2]
        return f"image.{kind or 'bin'}"
    return url.partition("?")[0].rstrip("/").rpartition("/")[2][:LONGEST_NAME] or None


def _parts(message: Json) -> Sequence[Json]:
    content: str | list[Json] = message["content"]
    return () if isinstance(content, str) else content
