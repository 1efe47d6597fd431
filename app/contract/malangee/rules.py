"""The rules of the MaLangEE wire, as its documents have them. PURE."""

from __future__ import annotations

import binascii
from collections.abc import Iterator

from app.contract.checks.rules import Rule, Sights
from app.contract.malangee.reading import GUIDE, MALFORMED, NOWHERE, Evidence, Talk, Told

PAGE = "docs/malangee.md"

KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "ready": (("type",),),
    "speech.started": (("type",),),
    "speech.stopped": (("type",),),
    "user.transcript": (("type", "transcript"),),
    "audio.delta": (("type", "delta"),),
    "transcript.done": (("type", "transcript"),),
    "audio.done": (("type",),),
    "scenario.completed": (("type", "json", "completed"),),
    "disconnected": (("type", "reason", "report"),),
    "error": (("type", "code", "message"), ("type", "message")),
    "response.audio.delta": (("type", "delta", "sample_rate"),),
    "response.audio.done": (("type",),),
    "response.audio_transcript.done": (("type", "transcript"),),
    "input_audio.transcript": (("type", "transcript"),),
}
REPORT = ("session_id", "started_at", "ended_at", "total_duration_sec", "user_speech_duration_sec", "messages")
SAID = ("role", "content", "timestamp", "duration_sec")
SCENARIO = ("place", "conversation_partner", "conversation_goal", "sessionId")
DELTAS = ("audio.delta", "response.audio.delta")
ENDS = {
    "audio.done": "transcript.done",
    "response.audio.done": "response.audio_transcript.done",
}


def keys_in_order(seen: Evidence) -> Sights:
    for talk in seen.chats():
        for frame in talk.heard:
            if frame.body is None:
                continue
            known = KEYS.get(frame.type)
            if known is None:
                yield talk.breach(frame, f"one of {', '.join(KEYS)}", frame.type or "no type")
            elif tuple(frame.body) not in known:
                yield talk.breach(frame, " or ".join(map(str, known)), str(tuple(frame.body)))
            else:
                yield None


def ready_first(seen: Evidence) -> Sights:
    for talk in seen.chats():
        first = talk.heard[0]
        yield None if first.type == "ready" else talk.breach(first, "ready first", first.type)


def never_ready(seen: Evidence) -> Sights:
    for talk in seen.chats():
        if any(frame.type.startswith("response.") for frame in talk.heard):
            continue
        found = next((frame for frame in talk.heard if frame.type == "ready"), None)
        yield None if found is None else talk.breach(found, "no ready on chat", "ready")


def _turns(talk: Talk) -> Iterator[list[Told]]:
    """The AI's turns that came to their end: from the first delta to the frame after the first of the two ends."""
    turn: list[Told] = []
    ends = {*ENDS, *ENDS.values()}
    for frame in talk.heard:
        if frame.type in DELTAS or frame.type in ends:
            turn.append(frame)
            if sum(one.type in ends for one in turn) == 2:
                yield turn
                turn = []
        elif frame.type == "speech.started":
            turn = []


def ends_of_a_turn(seen: Evidence) -> Sights:
    for talk in seen.chats():
        for turn in _turns(talk):
            done, last = turn[-2:]
            told = next((pair for pair in ENDS.items() if set(pair) == {done.type, last.type}), None)
            wanted = None if told is None else told[::-1] if seen.edition == GUIDE else told
            if wanted == (done.type, last.type):
                yield None
            else:
                shown = "transcript.done, audio.done" if seen.edition == GUIDE else "audio.done, transcript.done"
                yield talk.breach(last, shown, f"{done.type}, {last.type}")


def sound_is_whole(seen: Evidence) -> Sights:
    for talk in seen.chats():
        for frame in talk.heard:
            if frame.type not in DELTAS or frame.body is None:
                continue
            delta = frame.body.get("delta")
            try:
                pcm = binascii.a2b_base64(delta, strict_mode=True) if isinstance(delta, str) else b""
            except ValueError:
                pcm = b""
            whole = bool(pcm) and len(pcm) % 2 == 0
            yield None if whole else talk.breach(frame, "base64 of whole samples", str(delta)[:60])


def transcript_before_answer(seen: Evidence) -> Sights:
    for talk in seen.chats():
        waiting = False
        for frame in talk.heard:
            if frame.type == "speech.stopped":
                waiting = True
            elif frame.type == "user.transcript" and waiting:
                waiting = False
                yield None
            elif frame.type == "audio.delta" and waiting:
                waiting = False
                yield talk.breach(frame, "user.transcript before the answer", frame.type)


def silent_when_interrupted(seen: Evidence) -> Sights:
    for talk in seen.chats():
        speaking = interrupted = False
        for frame in talk.heard:
            if frame.type == "speech.started":
                interrupted = speaking
                speaking = False
            elif frame.type == "audio.delta":
                speaking = True
                if interrupted:
                    interrupted = False
                    yield talk.breach(frame, "no audio.delta between speech.started and speech.stopped", frame.type)
            elif frame.type == "audio.done":
                speaking = False
            elif frame.type == "speech.stopped" and interrupted:
                interrupted = False
                yield None


def report_is_whole(seen: Evidence) -> Sights:
    for talk in seen.chats():
        for frame in talk.heard:
            if frame.type != "disconnected" or frame.body is None:
                continue
            report = frame.body.get("report")
            if not isinstance(report, dict) or tuple(report) != REPORT:
                yield talk.breach(frame, f"a report of {', '.join(REPORT)}", str(report)[:80])
                continue
            said = report["messages"]
            odd = [one for one in said if not isinstance(one, dict) or tuple(one) != SAID]
            yield talk.breach(frame, f"messages of {', '.join(SAID)}", str(odd[0])[:80]) if odd else None


def disconnect_is_answered(seen: Evidence) -> Sights:
    for talk in seen.chats():
        asked = next((frame for frame in talk.frames if frame.client and frame.type == "disconnect"), None)
        if asked is None or not talk.watched:
            continue
        found = any(frame.type == "disconnected" for frame in talk.heard)
        yield None if found else talk.breach(asked, "disconnected", "nothing")


def nothing_after_the_report(seen: Evidence) -> Sights:
    for talk in seen.chats():
        heard = talk.heard
        place = next((at for at, frame in enumerate(heard) if frame.type == "disconnected"), None)
        if place is not None:
            rest = heard[place + 1 :]
            yield talk.breach(rest[0], "nothing after disconnected", rest[0].type) if rest else None


def closes_after_the_report(seen: Evidence) -> Sights:
    for talk in seen.chats():
        if talk.watched and any(frame.type == "disconnected" for frame in talk.heard):
            closed = talk.close is not None and talk.close[0] == 1000
            yield None if closed else talk.breach(None, "close 1000 after disconnected", str(talk.close))


def malformed_is_an_error(seen: Evidence) -> Sights:
    for talk in seen.chats():
        for frame in talk.frames:
            if MALFORMED in frame.marks:
                wanted = "error" if seen.edition == GUIDE else "disconnected"
                answers = [one for one in talk.heard if one.number > frame.number and not one.type.startswith("audio.")]
                answer = next((one for one in answers if one.type in ("error", "disconnected")), None)
                got = "nothing" if answer is None else answer.type
                yield None if got == wanted else talk.breach(answer or frame, wanted, got)


def unknown_paths_are_403(seen: Evidence) -> Sights:
    for talk in seen.talks:
        if talk.name == NOWHERE:
            told = "" if talk.close is None else talk.close[1]
            yield None if "403" in told else talk.breach(None, "HTTP 403 on the handshake", told or "an open socket")


def scenario_is_whole(seen: Evidence) -> Sights:
    for talk in seen.chats():
        for frame in talk.heard:
            if frame.type == "scenario.completed" and frame.body is not None:
                told = frame.body.get("json")
                whole = isinstance(told, dict) and tuple(told) == SCENARIO and frame.body.get("completed") is True
                yield None if whole else talk.breach(frame, f"json of {', '.join(SCENARIO)}", str(told)[:80])


_FRAMES, _ONLY = f"{PAGE}, frames", GUIDE
RULES: tuple[Rule[Evidence], ...] = (
    Rule("keys.frames", "Every frame has its keys, in order.", _FRAMES, keys_in_order, "no frames"),
    Rule("keys.report", "The report has six keys, its messages four.", _FRAMES, report_is_whole, "no report"),
    Rule("keys.scenario", "A scenario has its four keys.", _FRAMES, scenario_is_whole, "no scenario"),
    Rule("order.ready", "`ready` comes first.", _FRAMES, ready_first, "no frames", _ONLY, _ONLY),
    Rule("order.no_ready", "Chat has no `ready`.", PAGE, never_ready, "no chat", "backend", "backend"),
    Rule("order.ends", "An AI turn ends with its two last frames in order.", PAGE, ends_of_a_turn, "no whole turn"),
    Rule(
        "order.transcript",
        "The user's transcript comes before the answer.",
        PAGE,
        transcript_before_answer,
        "nobody spoke",
        _ONLY,
        _ONLY,
    ),
    Rule(
        "order.interruption",
        "Nothing of the old turn is heard after `speech.started`.",
        _FRAMES,
        silent_when_interrupted,
        "nobody was interrupted",
    ),
    Rule("audio.whole", "`audio.delta` is base64 of whole samples.", _FRAMES, sound_is_whole, "no sound"),
    Rule("end.answered", "`disconnect` is answered.", _FRAMES, disconnect_is_answered, "nobody left"),
    Rule("end.last", "Nothing comes after `disconnected`.", _FRAMES, nothing_after_the_report, "no report"),
    Rule("end.close", "The server closes with 1000.", PAGE, closes_after_the_report, "no report", _ONLY, _ONLY),
    Rule("errors.malformed", "A malformed frame is answered.", PAGE, malformed_is_an_error, "none was sent"),
    Rule("sockets.unknown", "Unknown paths are refused with 403.", PAGE, unknown_paths_are_403, "not tried"),
)
