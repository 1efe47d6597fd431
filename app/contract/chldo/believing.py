"""Which revision a server seems to speak, from its frames. PURE.

Every observation is a sentence and the revisions it fits. Most votes win: so one defect does not hide a revision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from app.contract.checks.recordings import Belief, Recording
from app.contract.chldo.frames import Exchange, Frame
from app.contract.chldo.reading import connection_of, frames_of
from app.contract.chldo.words import C_AT, IDS, R1, R2, R3, R4, R5, R6, R7, R8, R9, REVISIONS, V1, VOICE_URL, keys_of

DAY = 24 * 3600

Observation = tuple[str, tuple[str, ...]]


def span(since: str, until: str = R9) -> tuple[str, ...]:
    """The revisions from one to another."""
    return tuple(revision for revision in IDS if since <= revision <= until)


def believe(recordings: Sequence[Recording]) -> Belief:
    """What the frames of some recordings tell."""
    seen: dict[str, tuple[str, ...]] = {}
    for recording in recordings:
        frames = frames_of(recording)
        for told, fits in _of_frames(frames):
            seen.setdefault(told, fits)
        for told, fits in _of_exchanges(recording, frames):
            seen.setdefault(told, fits)
    if not seen:
        return Belief()
    votes = Counter(revision for fits in seen.values() for revision in fits)
    most = max(votes.values())
    best = [revision for revision in IDS if votes[revision] == most]
    because = tuple(told for told, fits in seen.items() if set(best) & set(fits))
    return Belief(best[-1], tuple(best[:-1]), because)


def _of_frames(frames: Sequence[Frame]) -> Iterator[Observation]:
    kinds = {frame.kind for frame in frames}
    if "message" in kinds:
        yield "flat frames with client_num", (V1,)
    if "event" in kinds:
        yield "LangGraph events", span(R1, R4)
        if "START" not in kinds:
            yield "no START around the events", (R1,)
    if "START" in kinds:
        yield "START", span(R2)
    if "received" in kinds:
        yield "received", span(R2, R5)
    if "history" in kinds:
        yield "history", span(R6)
    if "greeting" in kinds:
        yield "a greeting", span(R4)
    if "choices" in kinds or "choices_end" in kinds:
        yield "choices", (R9,)
    yield from _of_tokens(frames)
    for frame in frames:
        if frame.kind in ("START", "END", "history", "memory", "think", "token", "whole"):
            if frame.get("stream_uid") is not None:
                yield "stream_uid on the frames of a turn", span(R6)
            if frame.get("scene_number") is not None:
                yield "scene_number on the frames of a turn", span(R7)
            elif frame.get("stream_uid") is not None:
                yield "no scene_number beside stream_uid", (R6,)
        if frame.kind == "START" and frame.get("stream_uid") is None:
            yield "no stream_uid on START", span(R2, R5)
        if frame.kind == "error" and frame.get("msg") == "org_id is required":
            yield "org_id is required", (R1,)
        if frame.kind == "voice_ready" and "questioner" not in (frame.body or {}):
            order = tuple(frame.body or {})
            fits = tuple(revision for revision in span(R3) if keys_of("voice_ready", revision) == order)
            if fits:
                yield "the key order of voice_ready", fits
    yield from _of_voices(frames)


def _of_tokens(frames: Sequence[Frame]) -> Iterator[Observation]:
    for frame in frames:
        if frame.kind not in ("token", "whole"):
            continue
        if frame.get("status") == "stream":
            yield "tokens with status stream", span(R5)
        else:
            yield "tokens that are LangGraph events", span(R1, R4)
            told = "sent_uid on tokens" if frame.get("sent_uid") else "no sent_uid on tokens"
            yield told, span(R3, R4) if frame.get("sent_uid") else span(R1, R2)


def _of_voices(frames: Sequence[Frame]) -> Iterator[Observation]:
    """How long voices last: an hour or a week, no matter from when exactly."""
    times = [float(frame.get("cAt")) for frame in frames if C_AT.fullmatch(str(frame.get("cAt")))]
    for frame in frames:
        found = VOICE_URL.fullmatch(str(frame.get("voice_url")))
        if found is not None and times and frame.kind == "voice_ready":
            long = int(found["expires"]) - times[0] > DAY
            yield ("voices for 7 days", span(R8)) if long else ("voices for an hour", span(R3, R7))


def _of_exchanges(recording: Recording, frames: Sequence[Frame]) -> Iterator[Observation]:
    """What only a request and its answer tell together."""
    if not any(frame.kind in ("START", "Forbidden", "error") for frame in frames):
        return
    for exchange in connection_of(recording, REVISIONS[R9]).exchanges:
        request = exchange.request
        if exchange.began:
            yield from _of_turn(exchange)
        elif request.action == "greeting" and exchange.kinds[:1] == ["Forbidden"]:
            yield "the action greeting is forbidden", span(V1, R3)
        elif request.action == "greeting" and exchange.kinds[:1] == ["error"]:
            yield "the action greeting is known", span(R4)
        elif request.action == "sendmsg" and exchange.kinds[:1] == ["Forbidden"]:
            yield "the action sendmsg is forbidden", (V1,)
        elif any(frame.get("msg") == "msg is required" for frame in exchange.of("error")):
            yield "msg is required", span(V1, R3)


def _of_turn(exchange: Exchange) -> Iterator[Observation]:
    start, request = exchange.first("START"), exchange.request
    if not request.shown:
        return
    if request.action == "sendmsg" and request.body is not None and "msg" not in request.body:
        yield "a message without msg is answered", span(R4)
    if start is None or start.get("scene_number") is None:
        return
    if request.body is not None and "scene_number" not in request.body and request.action == "sendmsg":
        scene = start.get("scene_number")
        if scene in (0, 1):
            yield f"scene_number {scene} where the request names none", (R7,) if scene == 0 else span(R8)
    choices = request.get("use_choices")
    if exchange.over and not exchange.failed and isinstance(choices, int) and choices > 0:
        told = "choices" if exchange.of("choices", "choices_end") else "no choices although asked for"
        yield told, (R9,) if told == "choices" else span(R7, R8)
