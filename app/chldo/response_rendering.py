"""Answers of the script as OpenAI shapes Responses: in events, or in one piece. PURE.

    response.created  response.in_progress
      text:  output_item.added  content_part.added  output_text.delta…  output_text.done  content_part.done
             output_item.done
      call:  output_item.added  function_call_arguments.delta…  function_call_arguments.done  output_item.done
    response.completed | response.incomplete | error response.failed

Whoever wants it in one piece gets what the last of these events has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.chldo.bad_requests import Json
from app.chldo.completion_shapes import Failure, Part, Usage
from app.chldo.responses import ResponseAsk
from app.json_text import dumps

_TEXT, _CALL = "message", "function_call"


class ResponseRendering:
    """One response. `uid` makes an id with a prefix; `keep` is given the response once it has come to its end."""

    def __init__(self, ask: ResponseAsk, created: int, uid: Callable[[str], str], keep: Callable[[Json], None]) -> None:
        self._body = _body(ask, uid("resp"), created)
        self._uid = uid
        self._keep = keep
        self._number = 0
        self._output: list[Json] = []
        self._open: Json | None = None
        self._texts: list[str] = []
        self._logprobs: list[Json] = []
        self._call: object = None
        """The number of the call that is open."""

    def begin(self) -> bytes:
        """The response as it begins."""
        return self._whole_event("response.created") + self._whole_event("response.in_progress")

    def part(self, part: Part) -> bytes:
        """More of a text, or calls."""
        events = b"".join(self._call_piece(piece) for piece in part.calls)
        return self._text_piece(part) + events if part.text else events

    def end(self, finish: str, usage: Usage) -> bytes:
        """The end of what is open, and the response as it ends."""
        cut = finish == "length"
        begun = b"" if self._output or self._open else self._open_text()  # an answer without any text
        closed = begun + self._close("incomplete" if cut else "completed")
        self._body |= {"status": "incomplete" if cut else "completed", "output": self._output, "usage": _usage(usage)}
        if cut:
            self._body["incomplete_details"] = {"reason": "max_output_tokens"}
        else:
            self._body["completed_at"] = self._body["created_at"]
        self._keep(self._body)
        return closed + self._whole_event("response.incomplete" if cut else "response.completed")

    def broken(self, failure: Failure) -> bytes:
        """What ends a stream that fails."""
        number = self._number
        self._close("incomplete")  # what it would have said about that is not said any more
        self._number = number + 1
        error = {"code": "server_error", "message": str(failure.event()["error"].get("message"))}
        self._body |= {"status": "failed", "output": self._output, "error": error}
        return error_event(failure, number) + self._whole_event("response.failed")

    def whole(self, parts: Sequence[Part], finish: str, usage: Usage) -> Json:
        """The response in one piece."""
        for part in parts:
            self.part(part)
        self.end(finish, usage)
        return self._body

    def _text_piece(self, part: Part) -> bytes:
        opened = self._open_text()
        self._texts.append(part.text)
        logprobs = list(part.logprobs or ())
        self._logprobs += logprobs
        return opened + self._item_event(
            "response.output_text.delta", content_index=0, delta=part.text, logprobs=logprobs
        )

    def _open_text(self) -> bytes:
        if self._open is not None and self._open["type"] == _TEXT:
            return b""
        closed = self._close("completed")
        self._open = {
            "id": self._uid("msg"),
            "type": _TEXT,
            "status": "in_progress",
            "role": "assistant",
            "content": [],
        }
        added = self._event("response.output_item.added", output_index=len(self._output), item=self._open)
        return closed + added + self._item_event("response.content_part.added", content_index=0, part=_text("", []))

    def _call_piece(self, piece: Json) -> bytes:
        function = piece["function"]
        events = b""
        if self._open is None or self._open["type"] != _CALL or self._call != piece["index"]:
            events = self._close("completed")
            self._call = piece["index"]
            self._open = {
                "id": self._uid("fc"),
                "type": _CALL,
                "status": "in_progress",
                "arguments": "",
                "call_id": piece["id"],
                "name": function["name"],
            }
            events += self._event("response.output_item.added", output_index=len(self._output), item=self._open)
        self._texts.append(function["arguments"])
        return events + self._item_event("response.function_call_arguments.delta", delta=function["arguments"])

    def _close(self, status: str) -> bytes:
        """Ends the item that is open."""
        item = self._open
        if item is None:
            return b""
        text = "".join(self._texts)
        if item["type"] == _TEXT:
            content = _text(text, self._logprobs)
            done = {"content_index": 0, "text": text, "logprobs": self._logprobs}
            events = self._item_event("response.output_text.done", **done)
            events += self._item_event("response.content_part.done", content_index=0, part=content)
            item = {**item, "status": status, "content": [content]}
        else:
            events = self._item_event("response.function_call_arguments.done", name=item["name"], arguments=text)
            item = {**item, "status": status, "arguments": text}
        events += self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        self._open, self._texts, self._logprobs = None, [], []
        return events

    def _item_event(self, kind: str, **fields: Any) -> bytes:
        """An event about the item that is open."""
        uid = None if self._open is None else self._open["id"]
        return self._event(kind, item_id=uid, output_index=len(self._output), **fields)

    def _whole_event(self, kind: str) -> bytes:
        return self._event(kind, response=self._body)

    def _event(self, kind: str, **fields: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        return _encoded(kind, {"type": kind, "sequence_number": number, **fields})


def error_event(failure: Failure, number: int) -> bytes:
    """A failure as an event of a stream. The reference has its words beside the type, clients look for them in `error`:
    they are in both.
    """
    error = failure.event()["error"]
    words = {key: error.get(key) for key in ("code", "message", "param")}
    return _encoded("error", {"type": "error", "sequence_number": number, **words, "error": error})


def _encoded(kind: str, data: Mapping[str, Any]) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + dumps(data).encode() + b"\n\n"


def _text(text: str, logprobs: list[Json]) -> Json:
    return {"type": "output_text", "annotations": [], "logprobs": logprobs, "text": text}


def _usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt + usage.completion,
    }


def _body(ask: ResponseAsk, uid: str, created: int) -> Json:
    """A response that has just begun. It repeats the fields of the request, or tells what is usual."""
    given = ask.given
    reasoning, text = given.get("reasoning", {}), given.get("text", {})
    return {
        "id": uid,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "background": False,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "instructions": given.get("instructions"),
        "max_output_tokens": given.get("max_output_tokens"),
        "max_tool_calls": given.get("max_tool_calls"),
        "model": ask.completion.model,
        "output": [],
        "parallel_tool_calls": given.get("parallel_tool_calls", True),
        "previous_response_id": given.get("previous_response_id"),
        "prompt_cache_key": given.get("prompt_cache_key"),
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "safety_identifier": given.get("safety_identifier"),
        "service_tier": "default",
        "store": ask.kept,
        "temperature": given.get("temperature", 1.0),
        "text": {"format": text.get("format") or {"type": "text"}, "verbosity": text.get("verbosity") or "medium"},
        "tool_choice": given.get("tool_choice", "auto"),
        "tools": given.get("tools", []),
        "top_logprobs": given.get("top_logprobs", 0),
        "top_p": given.get("top_p", 1.0),
        "truncation": given.get("truncation", "disabled"),
        "usage": None,
        "user": given.get("user"),
        "metadata": given.get("metadata", {}),
    }
