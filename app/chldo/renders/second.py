"""R6 to R9: room, stream and (from R7 on) scene on every frame. PURE."""

from __future__ import annotations

from typing import Any

from app.chldo import frames as f
from app.chldo.renders import (
    CHOICES_ENDED,
    CHOICES_STARTED,
    HISTORY_REPLAYED,
    HISTORY_SOUGHT,
    HOTWORD,
    STORED_FOUND,
    STORED_SOUGHT,
    THINK_ENDED,
    THINK_STARTED,
    Frames,
    Render,
    failed,
    voice_length,
)
from app.chldo.renders.first import assistant, greeting_voice
from app.chldo.steps import (
    ChoicesEnded,
    ChoicesStarted,
    Ended,
    Failed,
    Greeted,
    GreetingStarted,
    GreetingVoice,
    HistoryReplayed,
    HistorySought,
    HotwordDetected,
    MemoryDict,
    MemoryFound,
    MemorySought,
    ReplyStep,
    Started,
    Step,
    ThinkEnded,
    ThinkStarted,
    TokenStep,
    TurnFacts,
    VoiceStep,
)


def start_r6(step: Started | GreetingStarted, t: TurnFacts) -> Frames:
    return (
        f.StartR6(
            "START", t.connection_id, t.room_uid, t.stream_uid, t.som, t.is_stream, t.c_at, t.return_voice, "info"
        ),
    )


def end_r6(step: Ended, t: TurnFacts) -> Frames:
    return (
        f.EndR6("END", t.connection_id, t.stream_uid, t.room_uid, t.eom, t.c_at, t.is_stream, t.return_voice, "info"),
    )


def _notice_r6(status: str, msg: str) -> Render:
    return lambda step, t: (f.NoticeR6(status, t.connection_id, t.stream_uid, t.room_uid, msg, t.is_stream, "info"),)


def memory_found_r6(step: MemoryFound, t: TurnFacts) -> Frames:
    return _notice_r6("memory", STORED_FOUND.format(count=step.count))(step, t)


def token_r6(step: TokenStep, t: TurnFacts) -> Frames:
    data = {"chunk": {"content": step.text}}
    return (_stream_r6("on_chat_model_stream", data, step.text, step.sent_uid, t),)


def reply_r6(step: ReplyStep, t: TurnFacts) -> Frames:
    return (_stream_r6("on_chain_stream", assistant(step.text), step.text, step.sent_uid, t),)


def _stream_r6(event: str, data: dict[str, Any], text: str, sent_uid: str, t: TurnFacts) -> f.Frame:
    return f.TokenR6(
        "stream", t.connection_id, t.stream_uid, t.room_uid, sent_uid, event, data, text, t.is_stream, "stream"
    )


def voice_r6(step: VoiceStep, t: TurnFacts) -> Frames:
    return (
        f.VoiceReadyR6(
            "voice_ready",
            t.connection_id,
            t.stream_uid,
            t.room_uid,
            step.text,
            step.url,
            voice_length(step.seconds),
            step.sent_uid,
            t.is_stream,
            "info",
        ),
    )


def start_r7(step: Started | GreetingStarted, t: TurnFacts) -> Frames:
    return (
        f.StartR7(
            "START",
            t.connection_id,
            t.room_uid,
            t.stream_uid,
            t.scene_number,
            t.som,
            t.is_stream,
            t.c_at,
            t.return_voice,
            "info",
        ),
    )


def end_r7(step: Ended, t: TurnFacts) -> Frames:
    return (
        f.EndR7(
            "END",
            t.connection_id,
            t.stream_uid,
            t.scene_number,
            t.room_uid,
            t.eom,
            t.c_at,
            t.is_stream,
            t.return_voice,
            "info",
        ),
    )


def _notice_r7(status: str, msg: str) -> Render:
    return lambda step, t: (
        f.NoticeR7(status, t.connection_id, t.stream_uid, t.scene_number, t.room_uid, msg, t.is_stream, "info"),
    )


def memory_found_r7(step: MemoryFound, t: TurnFacts) -> Frames:
    return _notice_r7("memory", STORED_FOUND.format(count=step.count))(step, t)


def token_r7(step: TokenStep, t: TurnFacts) -> Frames:
    data = {"chunk": {"content": step.text}}
    return (_stream_r7("on_chat_model_stream", data, step.text, step.sent_uid, t),)


def reply_r7(step: ReplyStep, t: TurnFacts) -> Frames:
    return (_stream_r7("on_chain_stream", assistant(step.text), step.text, step.sent_uid, t),)


def _stream_r7(event: str, data: dict[str, Any], text: str, sent_uid: str, t: TurnFacts) -> f.Frame:
    return f.TokenR7(
        "stream",
        t.connection_id,
        t.stream_uid,
        t.scene_number,
        t.room_uid,
        sent_uid,
        event,
        data,
        text,
        t.is_stream,
        "stream",
    )


def voice_r7(step: VoiceStep, t: TurnFacts) -> Frames:
    return (
        f.VoiceReadyR7(
            "voice_ready",
            t.connection_id,
            t.stream_uid,
            t.scene_number,
            t.room_uid,
            step.text,
            step.url,
            voice_length(step.seconds),
            step.sent_uid,
            t.is_stream,
            "info",
        ),
    )


def voice_r8(step: VoiceStep, t: TurnFacts) -> Frames:
    return (
        f.VoiceReadyR8(
            "voice_ready",
            t.connection_id,
            t.stream_uid,
            t.scene_number,
            t.room_uid,
            step.sent_uid,
            step.text,
            step.url,
            voice_length(step.seconds),
            t.is_stream,
            "info",
        ),
    )


# -- hotwords, greeting, choices ---------------------------------------------------------------------------------------


def hotword_r6(step: HotwordDetected, t: TurnFacts) -> Frames:
    return (_hotword_r6("hotword_detected", HOTWORD.format(word=step.word), step.word, step.uid, "info", t),)


def memory_dict_r6(step: MemoryDict, t: TurnFacts) -> Frames:
    return (_hotword_r6("memory_dict", step.text, step.word, step.uid, "hotword", t),)


def _hotword_r6(status: str, msg: str, word: str, uid: str, msgtype: str, t: TurnFacts) -> f.Frame:
    return f.HotwordR6(status, t.connection_id, t.stream_uid, t.room_uid, msg, word, uid, t.is_stream, msgtype)


def hotword_r7(step: HotwordDetected, t: TurnFacts) -> Frames:
    return (_hotword_r7("hotword_detected", HOTWORD.format(word=step.word), step.word, step.uid, "info", t),)


def memory_dict_r7(step: MemoryDict, t: TurnFacts) -> Frames:
    return (_hotword_r7("memory_dict", step.text, step.word, step.uid, "hotword", t),)


def _hotword_r7(status: str, msg: str, word: str, uid: str, msgtype: str, t: TurnFacts) -> f.Frame:
    return f.HotwordR7(
        status, t.connection_id, t.stream_uid, t.scene_number, t.room_uid, msg, word, uid, t.is_stream, msgtype
    )


def greeted_r6(step: Greeted, t: TurnFacts) -> Frames:
    return _notice_r6("greeting", step.text)(step, t)


def greeted_r7(step: Greeted, t: TurnFacts) -> Frames:
    return _notice_r7("greeting", step.text)(step, t)


def choices_r9(step: ChoicesEnded, t: TurnFacts) -> Frames:
    return (
        f.ChoicesR9(
            t.connection_id,
            t.stream_uid,
            step.choices,
            t.room_uid,
            t.is_stream,
            "choices",
            step.asked,
            CHOICES_ENDED,
            "info_choices",
        ),
    )


R6: dict[type[Step], Render] = {
    Started: start_r6,
    HistorySought: _notice_r6("history", HISTORY_SOUGHT),
    HistoryReplayed: _notice_r6("history", HISTORY_REPLAYED),
    MemorySought: _notice_r6("memory", STORED_SOUGHT),
    MemoryFound: memory_found_r6,
    ThinkStarted: _notice_r6("think", THINK_STARTED),
    TokenStep: token_r6,
    ReplyStep: reply_r6,
    VoiceStep: voice_r6,
    HotwordDetected: hotword_r6,
    MemoryDict: memory_dict_r6,
    GreetingStarted: start_r6,
    Greeted: greeted_r6,
    GreetingVoice: greeting_voice,
    Failed: failed,
    ThinkEnded: _notice_r6("think", THINK_ENDED),
    Ended: end_r6,
}
R7: dict[type[Step], Render] = {
    Started: start_r7,
    HistorySought: _notice_r7("history", HISTORY_SOUGHT),
    HistoryReplayed: _notice_r7("history", HISTORY_REPLAYED),
    MemorySought: _notice_r7("memory", STORED_SOUGHT),
    MemoryFound: memory_found_r7,
    ThinkStarted: _notice_r7("think", THINK_STARTED),
    TokenStep: token_r7,
    ReplyStep: reply_r7,
    VoiceStep: voice_r7,
    HotwordDetected: hotword_r7,
    MemoryDict: memory_dict_r7,
    GreetingStarted: start_r7,
    Greeted: greeted_r7,
    GreetingVoice: greeting_voice,
    Failed: failed,
    ThinkEnded: _notice_r7("think", THINK_ENDED),
    Ended: end_r7,
}
R8: dict[type[Step], Render] = {**R7, VoiceStep: voice_r8}
R9: dict[type[Step], Render] = {
    **R8,
    ChoicesStarted: _notice_r7("choices", CHOICES_STARTED),
    ChoicesEnded: choices_r9,
}
