"""R2 to R5: the first envelope, without room and stream. PURE."""

from __future__ import annotations

from typing import Any

from app.chldo import frames as f
from app.chldo.renders import (
    MEMORY_CONNECTED,
    MEMORY_REPLAYED,
    MEMORY_SOUGHT,
    RECEIVED,
    THINK_ENDED,
    THINK_STARTED,
    Frames,
    Render,
)
from app.chldo.renders.raw import EVENTS, token_r3
from app.chldo.steps import (
    Ended,
    HistoryReplayed,
    HistorySought,
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


def end_r2(step: Ended, facts: TurnFacts) -> Frames:
    return (f.BoundaryR2("END", facts.connection_id, facts.eom, facts.c_at, facts.return_voice, "info"),)


def voice_r3(step: VoiceStep, facts: TurnFacts) -> Frames:
    return (f.VoiceReadyR3("voice_ready", facts.connection_id, step.url, step.sent_uid, "info"),)


def token_r5(step: TokenStep, facts: TurnFacts) -> Frames:
    data = {"chunk": {"content": step.text}}
    return (
        f.TokenR5("stream", "on_chat_model_stream", data, facts.connection_id, step.text, facts.is_stream, "stream"),
    )


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
R5: dict[type[Step], Render] = {step: show for step, show in R3.items() if step not in (RunStep, MemoryFound)} | {
    TokenStep: token_r5,
    ReplyStep: reply_r5,
}
