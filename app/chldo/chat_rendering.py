"""Answers of the script as OpenAI shapes chat completions: in chunks, or in one piece. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.chldo.bad_requests import Json
from app.chldo.completion_shapes import DONE, Failure, Part, Usage, event, joined_calls

FINGERPRINT = "fp_emulator"


@dataclass(frozen=True, slots=True)
class ChatRendering:
    """A chat completion. `counted`: whether a chunk with the counts ends a stream; `choices`: how often the answer is
    given, as choices that are all alike.
    """

    id: str
    created: int
    model: str
    counted: bool = False
    choices: int = 1

    def begin(self) -> bytes:
        """The chunk that names the role."""
        return self._delta({"role": "assistant", "content": ""})

    def part(self, part: Part) -> bytes:
        """A chunk with text or with tool calls."""
        delta: Json = {"content": part.text} if part.text else {}
        if part.calls:
            delta["tool_calls"] = list(part.calls)
        return self._delta(delta, logprobs=_told(part.logprobs))

    def end(self, finish: str, usage: Usage) -> bytes:
        """The chunk without content that says why the answer ends, the counts, and the end of the stream."""
        counts = event({**self._chunk([]), "usage": usage.body()}) if self.counted else b""
        return self._delta({}, finish) + counts + DONE

    def broken(self, failure: Failure) -> bytes:
        """What ends a stream that fails."""
        return event(failure.event())

    def whole(self, parts: Sequence[Part], finish: str, usage: Usage) -> Json:
        """The completion in one piece."""
        text = "".join(part.text for part in parts)
        calls = joined_calls(parts)
        message: Json = {"role": "assistant", "content": None if calls and not text else text, "refusal": None}
        if calls:
            message["tool_calls"] = calls
        entries = [entry for part in parts for entry in part.logprobs or ()]
        choice = {"message": message, "logprobs": _told(entries or None), "finish_reason": finish}
        choices = [{"index": index, **choice} for index in range(self.choices)]
        return {**self._head("chat.completion"), "choices": choices, "usage": usage.body()}

    def _head(self, kind: str) -> Json:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": FINGERPRINT,
        }

    def _chunk(self, choices: list[Json]) -> Json:
        chunk = {**self._head("chat.completion.chunk"), "choices": choices}
        return {**chunk, "usage": None} if self.counted else chunk

    def _delta(self, delta: Json, finish: str | None = None, logprobs: Json | None = None) -> bytes:
        """The chunks with a change of each choice."""
        choice = {"delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return b"".join(event(self._chunk([{"index": index, **choice}])) for index in range(self.choices))


def _told(entries: Sequence[Json] | None) -> Json | None:
    return None if entries is None else {"content": list(entries), "refusal": None}
