"""Renders: functions from a step to the frames a family of revisions sends for it. PURE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.chldo.frames import ErrorFrame, Frame
from app.chldo.steps import Failed, TurnFacts

Frames = tuple[Frame, ...]
Render = Callable[[Any, TurnFacts], Frames]

RECEIVED = "메시지를 전달 받았습니다."
MEMORY_SOUGHT = "기억을 찾고 있습니다."
MEMORY_CONNECTED = "기억에 연결하였습니다."
MEMORY_REPLAYED = "기억을 재생 중입니다."
HISTORY_SOUGHT = "대화 기억을 찾고 있습니다."
HISTORY_REPLAYED = "대화 기억을 재생하였습니다."
STORED_SOUGHT = "저장된 메모리를 찾고 있습니다."
STORED_FOUND = "저장된 메모리를 찾았습니다. 핫워드 수신으로 설정된 메모리는 총 {count}개 입니다."
THINK_STARTED = "생각을 시작합니다."
THINK_ENDED = "생각이 끝났습니다."
NO_CREDIT = "현재 크레딧은 {balance} 입니다. 크레딧이 100원 이상 필요합니다."
HOTWORD = '핫워드 "{word}"가 감지되었습니다.'
CHOICES_STARTED = "선택지 구성을 시작합니다."
CHOICES_ENDED = "선택지 구성을 종료합니다."


def voice_length(seconds: float) -> int | float:
    """`voice_length` as the wire writes it: an integer when whole (`3`), else up to 3 decimals."""
    return int(seconds) if seconds == int(seconds) else round(seconds, 3)


def failed(step: Failed, facts: TurnFacts) -> Frames:
    return (ErrorFrame.of(facts.connection_id, step.msg),)
