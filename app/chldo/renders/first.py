"""R2 to R5: the first envelope, without room and stream. PURE."""

from __future__ import annotations

from typing import Any

from app.chldo import frames as f
from app.chldo.renders import (
    HOTWORD,
    MEMORY_CONNECTED,
    MEMORY_REPLAYED,
    MEMORY_SOUGHT,
    RECEIVED,
    THINK_ENDED,
    THINK_STARTED,
    Frames,
    Render,
    voice_length,
)
from app.chldo.renders.raw import EVENTS, token_r3
from app.chldo.steps import (
    Ended,
    Greeted,
    GreetingStarted,
    GreetingVoice,
    HistoryReplayed,
    HistorySought,
    HotwordDetected,
    MemoryDict,
    MemoryFound,
    ReplyStep,
    RunStep,
    Started,
    Step,
    ThinkEnded,
    ThinkStarted,
    TokenStep,
    TurnFacts,
    VoiceStep,
)


def _notice_r2(status: str, msg: str) -> Render:
    return lambda step, facts: (f.NoticeR2(status, facts.connection_id, msg, "info"),)


def start_r2(step: Started, facts: TurnFacts) -> Frames:
    return (
        f.BoundaryR2("START", facts.connection_id, facts.som, facts.c_at, facts.return_voice, "info"),
        f.NoticeR2("received", facts.connection_id, RECEIVED, "info"),
    )


def greeting_start_r4(step: GreetingStarted, facts: TurnFacts) -> Frames:
    return start_r2(Started(), facts)[:1]


def greeted_r4(step: Greeted, facts: TurnFacts) -> Frames:
    return (f.NoticeR2("greeting", facts.connection_id, step.text, "info"),)


def greeting_voice(step: GreetingVoice, facts: TurnFacts) -> Frames:
    return (
        f.VoiceReadyGreeting(
            "voice_ready",
            step.c_at,
            facts.room_uid,
            facts.connection_id,
            step.questioner,
            step.org_id,
            step.text,
            step.url,
            voice_length(step.seconds),
            step.sent_uid,
            "info",
            step.hotword_uids,
            facts.return_voice,
        ),
    )


def end_r2(step: Ended, facts: TurnFacts) -> Frames:
    return (f.BoundaryR2("END", facts.connection_id, facts.eom, facts.c_at, facts.return_voice, "info"),)


def voice_r3(step: VoiceStep, facts: TurnFacts) -> Frames:
    return (f.VoiceReadyR3("voice_ready", facts.connection_id, step.url, step.sent_uid, "info"),)


def token_r5(step: TokenStep, facts: TurnFacts) -> Frames:
    data = {"chunk": {"content": step.text}}
    return (
        f.TokenR5("stream", "on_chat_model_stream", data, facts.connection_id, step.text, facts.is_stream, "stream"),
    )


def hotword_r5(step: HotwordDetected, facts: TurnFacts) -> Frames:
    told = HOTWORD.format(word=step.word)
    return (f.HotwordR5("hotword_detected", facts.connection_id, told, step.word, step.uid, "info"),)


def memory_dict_r5(step: MemoryDict, facts: TurnFacts) -> Frames:
    return (f.HotwordR5("memory_dict", facts.connection_id, step.text, step.word, step.uid, "hotword"),)


def assistant(text: str) -> dict[str, Any]:
    return {"chunk": {"messages": [{"role": "assistant", "content": text, "tool_calls": None}]}}


def reply_r5(step: ReplyStep, facts: TurnFacts) -> Frames:
    return (
        f.TokenR5("stream", "on_chain_stream", assistant(step.text), facts.connection_id, step.text, False, "stream"),
    )


R2: dict[type[Step], Render] = {
    **EVENTS,
    Started: start_r2,
    HistorySought: _notice_r2("memory", MEMORY_SOUGHT),
    HistoryReplayed: _notice_r2("memory", MEMORY_CONNECTED),
    MemoryFound: _notice_r2("memory", MEMORY_REPLAYED),
    ThinkStarted: _notice_r2("think", THINK_STARTED),
    ThinkEnded: _notice_r2("think", THINK_ENDED),
    Ended: end_r2,
}
R3: dict[type[Step], Render] = {**R2, TokenStep: token_r3, VoiceStep: voice_r3}
R4: dict[type[Step], Render] = {
    **R3,
    GreetingStarted: greeting_start_r4,
    Greeted: greeted_r4,
    GreetingVoice: greeting_voice,
}
R5: dict[type[Step], Render] = {step: show for step, show in R4.items() if step not in (RunStep, MemoryFound)} | {
    TokenStep: token_r5,
    ReplyStep: reply_r5,
    HotwordDetected: hotword_r5,
    MemoryDict: memory_dict_r5,
}
