"""A tape for people: one line about it, then one line a message. PURE."""

from __future__ import annotations

from collections.abc import Iterator

from app.emulation.tapes import ABNORMAL, NO_STATUS, Tape, TapeFrame

SHOWN = 160
"""Characters of a message that are shown, unless all of it is asked for."""


def listed(tape: Tape, *, full: bool = False) -> Iterator[str]:
    """The lines of a tape's listing: seconds, direction (`->` to the server), message. Each is one line whatever the
    message holds.
    """
    yield _shown(f"{tape.name}  {tape.url}  {_told(tape)}", None)
    for frame in tape.frames:
        arrow = "->" if frame.direction == "client" else "<-"
        yield f"{frame.at:10.3f} {arrow} {_message(frame, full=full)}"
    if tape.close is not None:
        yield f"{tape.closed_at:10.3f} -- {_ending(tape)}"


def _told(tape: Tape) -> str:
    if tape.refused is not None:
        return f"refused with {tape.refused.status}"
    sent = sum(frame.direction == "client" for frame in tape.frames)
    files = f", {len(tape.files)} files" if tape.files else ""
    return f"{tape.seconds:.1f} s, {sent} sent, {len(tape.frames) - sent} received{files}"


def _message(frame: TapeFrame, *, full: bool) -> str:
    if frame.data is not None:
        return f"({len(frame.data)} bytes, binary)"
    return _shown(frame.text or "", None if full else SHOWN)


def _ending(tape: Tape) -> str:
    code, reason = tape.close or (NO_STATUS, "")
    if code == ABNORMAL:
        return f"lost by the {tape.closed_by}"
    said = "without a code" if code == NO_STATUS else f"with {code}"
    return _shown(f"closed by the {tape.closed_by} {said} {reason}".rstrip(), None)


def _shown(text: str, longest: int | None) -> str:
    shown = text if longest is None or len(text) <= longest else f"{text[:longest]}…"
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in shown)
