"""The documented transcripts as data, and the comparison of frames with ids, times, signatures and lengths masked
by their shape.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "fixtures" / "transcripts" / "chldo"

Json = dict[str, Any]

SHAPES = {
    "connection_id": re.compile(r"[A-Za-z0-9_-]{8}[oI]E0[AC][A-Za-z0-9]{2}[AQgw]="),
    "stream_uid": re.compile(r"[0-9A-Za-z]{25}"),
    "run_id": re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
    "cAt": re.compile(r"\d{10}(\.\d{1,6})?"),
}
SENT_UID = {26: re.compile(r"[0-9A-Za-z]{26}"), 28: re.compile(r"[0-9A-Za-z]{28}")}
VOICE_URL = re.compile(
    r"https?://[^/]+/room_uid_voice/(?P<room>[^/]+)/(?P<name>[^/.]+)\.mp3"
    r"\?Expires=(?P<expires>\d{10})&Signature=[A-Za-z0-9~-]{341}[AQgw]__&Key-Pair-Id=KX12RGNKWPA4Y"
)


def transcript(name: str) -> list[Json]:
    """The frames of a transcript, keys in documented order."""
    lines = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def request(name: str) -> Json:
    """The request that a page shows for a transcript."""
    found = json.loads((FOLDER / f"{name}.request.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def tokens(frames: list[Json]) -> list[str]:
    """The tokens of a transcript."""
    return [frame["data"]["chunk"]["content"] for frame in frames if frame.get("event") == "on_chat_model_stream"]


class Mask:
    """Replaces what differs from run to run by a name, after checking its shape; equal ids keep equal names."""

    def __init__(self, *, sent_uid: int = 28) -> None:
        self._names: dict[str, str] = {}
        self._sent_uid = SENT_UID[sent_uid]

    def frames(self, frames: list[Json]) -> list[list[Any]]:
        """Each frame as a list of (key, masked value), so that key order counts."""
        return [self._frame(frame) for frame in frames]

    def _frame(self, frame: Json) -> list[Any]:
        return [(key, self._value(key, value, frame)) for key, value in frame.items()]

    def _value(self, key: str, value: Any, frame: Json) -> Any:
        if key in SHAPES:
            return self._id(key, value, SHAPES[key])
        if key == "sent_uid":
            return self._id(key, value, self._sent_uid)
        if key == "parent_ids":
            return [self._id("run_id", parent, SHAPES["run_id"]) for parent in value]
        if key == "voice_url":
            found = VOICE_URL.fullmatch(value)
            assert found, f"voice_url of another shape: {value}"
            return ("voice_url", found["room"], self._id("sent_uid", found["name"], self._sent_uid))
        if key == "voice_length":
            assert value > 0, value
            assert abs(value / 0.024 - round(value / 0.024)) < 1e-6, f"no multiple of 0.024: {value}"
            assert isinstance(value, int) == (value == int(value))
            return "voice_length"
        return json.dumps(value, ensure_ascii=False)

    def _id(self, kind: str, value: Any, shape: re.Pattern[str]) -> str:
        assert isinstance(value, str), f"{kind} is {value!r}"
        assert shape.fullmatch(value), f"{kind} of another shape: {value!r}"
        return self._names.setdefault(f"{kind}:{value}", f"{kind}#{len(self._names)}")
