"""What tapes of the chldo wire mean: the turns on them, and what replay has to know of the wire. PURE.

All revisions are read. What a revision changes on the way from the model to the wire is undone: the full stop that R6
never sends, the space that R7 adds after a sentence.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from app.chldo.frames import ErrorFrame
from app.chldo.revisions import REVISIONS
from app.emulation.replay.exchanges import Exchange
from app.emulation.replay.identifiers import Source
from app.emulation.replay.library import Wire
from app.emulation.tape_fixtures import LeftOut, TapedTurn

_ACTIONS = frozenset(revision.action for revision in REVISIONS.values())
_ASKED: dict[str, type] = {"language": str, "model": str, "scene_number": int, "filename": str}
_MODEL_ERROR = re.compile(r"Error code: ([45]\d\d) - (.*)", re.DOTALL)
_TERMINATED = re.compile(r"[.?!。？！…؟।][\"'”’」』)\]]*\Z")

Json = dict[str, Any]


def _refusal(connection_id: str, reason: str, source: Source) -> str:
    return ErrorFrame.of(connection_id or source.connection_id(), reason).encode()


WIRE = Wire(
    conversation=("room_uid",),
    identities=frozenset(("user_id", "user_uid", "receiver_uid", "org_id", "api_key")),
    kept=frozenset(("hotword_uid", "hotword_uids", "org_id")),
    connection="connection_id",
    user="user_uid",
    refusal=_refusal,
)
"""What replay is told of this wire."""


@dataclass(slots=True)
class _Token:
    text: str
    at: float
    sent_uid: str
    frame: Json


def read_turn(exchange: Exchange) -> TapedTurn | LeftOut | None:
    """The turn that an exchange is; None if it is none of this wire's."""
    ask = _object(exchange.request.text if exchange.request else None)
    if ask is None or ask.get("action") not in _ACTIONS:
        if ask is not None and ask.get("action") == "greeting":
            return LeftOut(exchange.source, "a greeting: greetings stand in spaces.yaml")
        return None
    frames = [(frame.at - exchange.began, found) for frame in exchange.frames if (found := _object(frame.text))]
    if not frames:
        return LeftOut(exchange.source, "it has no answer")
    failure = next(((at, frame) for at, frame in frames if frame.get("msgtype") == "error"), None)
    begun = any(frame.get("status") == "START" or "event" in frame or "client_num" in frame for _, frame in frames)
    if failure is not None and not begun and not _MODEL_ERROR.fullmatch(str(failure[1].get("msg"))):
        return LeftOut(exchange.source, f"it was refused: {failure[1].get('msg')}")
    if failure is None and not _ended(frames):
        return LeftOut(exchange.source, "it has no end")
    msg = ask.get("msg")
    turn = TapedTurn(
        source=exchange.source,
        room=str(ask.get("room_uid", "")),
        msg=msg if isinstance(msg, str) and msg else None,
        asked={name: ask[name] for name, kind in _ASKED.items() if type(ask.get(name)) is kind and ask[name] != ""},
        saved=ask.get("no_save") not in (1, "1"),
    )
    if failure is not None:
        return _failed(turn, *failure)
    tokens = list(_said(frames))
    texts, at = tuple(token.text for token in tokens), tuple(max(0.0, token.at) for token in tokens)
    return replace(turn, tokens=texts, at=at, choices=_choices(frames))


def _failed(turn: TapedTurn, at: float, frame: Json) -> TapedTurn | LeftOut:
    found = _MODEL_ERROR.fullmatch(str(frame.get("msg")))
    if found is None:
        return LeftOut(turn.source, f"it failed, and not in the model: {frame.get('msg')}")
    return replace(turn, at=(max(0.0, at),), error=(int(found[1]), _body(found[2])))


def _object(text: str | None) -> Json | None:
    try:
        found = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _ended(frames: Sequence[tuple[float, Json]]) -> bool:
    """Whether the last frame of a turn is there. v1 has no such frame."""
    return any(
        frame.get("status") == "END"
        or (frame.get("event") == "on_chain_end" and frame.get("parent_ids") == [])
        or "client_num" in frame
        for _, frame in frames
    )


def _said(frames: Sequence[tuple[float, Json]]) -> Iterator[_Token]:
    """What the model said, token by token."""
    tokens = [token for at, frame in frames if (token := _token(at, frame)) is not None]
    if not tokens:
        tokens = [token for at, frame in frames if (token := _whole(at, frame)) is not None][-1:]
    sentences = [list(group) for _, group in groupby(tokens, key=lambda token: token.sent_uid)]
    spaced = _adds_spaces(sentences)
    for number, sentence in enumerate(sentences, 1):
        yield from sentence[:-1] if spaced and _ends_in_space(sentence) else sentence
        if number < len(sentences) and _drops_stop(sentence[-1]):
            last = sentence[-1]
            yield _Token(".", last.at, last.sent_uid, last.frame)


def _token(at: float, frame: Json) -> _Token | None:
    if frame.get("event") == "on_chat_model_stream":
        try:
            text = frame["data"]["chunk"]["content"]
        except (KeyError, TypeError):
            return None
    elif "client_num" in frame and frame.get("voice_url") is None:
        text = frame.get("msg")
    else:
        return None
    return _Token(text, at, str(frame.get("sent_uid", "")), frame) if isinstance(text, str) and text else None


def _whole(at: float, frame: Json) -> _Token | None:
    """The whole reply of a request with `stream: 0`."""
    if frame.get("event") != "on_chain_stream":
        return None
    try:
        text = frame["data"]["chunk"]["messages"][-1]["content"]
    except (KeyError, TypeError, IndexError):
        return None
    return _Token(text, at, "", frame) if isinstance(text, str) and text else None


def _adds_spaces(sentences: Sequence[Sequence[_Token]]) -> bool:
    """Whether every complete sentence ends with a space of its own, as R7 makes it."""
    marked = [_ends_in_space(sentence) for sentence in sentences if _is_complete(sentence)]
    return bool(marked) and all(marked) and "scene_number" in sentences[0][0].frame


def _is_complete(sentence: Sequence[_Token]) -> bool:
    text = "".join(token.text for token in sentence)
    return bool(_TERMINATED.search(text.removesuffix(" ")))


def _ends_in_space(sentence: Sequence[_Token]) -> bool:
    return len(sentence) > 1 and sentence[-1].text == " " and _is_complete(sentence)


def _drops_stop(token: _Token) -> bool:
    """Whether a sentence ended with the full stop that R6 does not send."""
    of_r6 = "stream_uid" in token.frame and "scene_number" not in token.frame and "client_num" not in token.frame
    return of_r6 and not _TERMINATED.search(token.text)


def _choices(frames: Sequence[tuple[float, Json]]) -> tuple[tuple[str, str], ...] | None:
    for _, frame in frames:
        offered = frame.get("choices")
        if isinstance(offered, list):
            return tuple(
                (one["text"], one["tone"])
                for one in offered
                if isinstance(one, dict) and isinstance(one.get("text"), str) and isinstance(one.get("tone"), str)
            )
    return None


def _body(text: str) -> Any:
    """The JSON body of a model's failure, which the wire tells as Python writes it."""
    try:
        body = ast.literal_eval(text)
        json.dumps(body)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return text
    return body
