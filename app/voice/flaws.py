"""What faults make of a voice between the engine and the client: late, gone, short, under a bad address. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.emulation.faults.live import LiveRule
from app.voice.encode import FRAME_SECONDS


@dataclass(frozen=True, slots=True)
class Flaws:
    """What is wrong with one voice. `late`: the rules that delay it; `factor`: the announced length over the true one;
    `keep`: the share of the bytes that is there.
    """

    late: tuple[LiveRule, ...] = ()
    failed: bool = False
    missing: bool = False
    expired: bool = False
    forbidden: bool = False
    factor: float | None = None
    keep: float | None = None

    def audio(self, whole: bytes) -> bytes:
        """The file: all of it, or its front, never all of that."""
        return whole if self.keep is None else whole[: min(int(len(whole) * self.keep), max(0, len(whole) - 1))]

    def seconds(self, true: float) -> float:
        """The length that is announced: the true one, or another multiple of a frame's."""
        if self.factor is None:
            return true
        frames = round(true / FRAME_SECONDS)
        told = max(1, round(frames * self.factor))
        return round((told if told != frames else frames + 1) * FRAME_SECONDS, 3)


NONE = Flaws()


def flaws_of(struck: Sequence[LiveRule]) -> Flaws:
    """What the faults that strike one voice make of it together: of several alike the last decides, delays add up."""
    if not struck:
        return NONE
    by_name = {live.rule.kind.name: live.rule for live in struck}
    wrong, cut = by_name.get("voice-wrong-length"), by_name.get("voice-truncated")
    return Flaws(
        late=tuple(live for live in struck if live.rule.kind.name == "voice-late"),
        failed="voice-failed" in by_name,
        missing="voice-missing" in by_name,
        expired="voice-expired" in by_name,
        forbidden="voice-forbidden" in by_name,
        factor=None if wrong is None else wrong["factor"],
        keep=None if cut is None else cut["keep"],
    )
