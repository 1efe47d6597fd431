"""Tells when what a probe waits for has come. PURE."""

from __future__ import annotations

from app.contract.chldo.frames import TURN_KINDS, Frame


class FirstFrame:
    """The first frame, whatever it is, is enough."""

    def __call__(self, text: str | None) -> bool:
        return True


class Kind:
    """The first frame of a kind."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __call__(self, text: str | None) -> bool:
        return _frame(text).kind == self._kind


class Turns:
    """The end of so many turns or greetings, or their refusals.

    Ends are END; the graph's own end, or an error, where there was no START; Forbidden; and any error while no turn is
    under way.
    """

    def __init__(self, count: int = 1) -> None:
        self._left = count
        self._started = self._ended = 0
        self._enveloped = False

    def __call__(self, text: str | None) -> bool:
        frame = _frame(text)
        if frame.kind == "START":
            self._started += 1
            self._enveloped = True
        ends = frame.kind in ("END", "Forbidden")
        if frame.kind == "error":
            msg = str(frame.get("msg"))
            ends = self._started <= self._ended or msg.endswith((" is required", " is not exist", " is not usable"))
        if frame.kind == "event" and not self._enveloped:
            ends = frame.get("event") == "on_chain_end" and not frame.parents
        if ends:
            self._ended += frame.kind == "END"
            self._left -= 1
        return self._left <= 0


class FlatTurn:
    """The end of a turn of 2023-12-28, which has no mark: never by itself, unless it is refused.

    `waits`: whether some sentence still has no voice although voices were asked for.
    """

    def __init__(self, voices: bool) -> None:
        self._voices = voices
        self._texts: dict[object, None] = {}
        self._spoken: set[object] = set()

    @property
    def waits(self) -> bool:
        return self._voices and any(uid not in self._spoken for uid in self._texts)

    def __call__(self, text: str | None) -> bool:
        frame = _frame(text)
        if frame.kind == "message" and frame.get("voice_url"):
            self._spoken.add(frame.get("sent_uid"))
        elif frame.kind == "message":
            self._texts[frame.get("sent_uid")] = None
        return frame.kind in ("error", "Forbidden")


def _frame(text: str | None) -> Frame:
    return Frame.of(0, 0.0, text, b"" if text is None else None)


def speaks(text: str | None) -> bool:
    """Whether a frame is one of this wire's."""
    kind = _frame(text).kind
    return kind in TURN_KINDS or kind in ("status", "error", "Forbidden")
