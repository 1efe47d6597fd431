"""What the REST endpoints take and give, as pydantic models with the service's own names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from app.malangee.records import iso
from app.spaces.people import Message, SessionRow, Topic, User

BLANK = "빈 값이나 공백만 입력할 수 없습니다."
"""The service's own words for a field that has only white space."""


def filled(text: str) -> str:
    """The text as it is. Raises ValueError, with the words that 422 tells, if there is nothing in it."""
    if not text.strip():
        raise ValueError(BLANK)
    return text


Word = Annotated[str, StringConstraints(max_length=200)]
Filled = Annotated[Word, AfterValidator(filled)]
Note = Annotated[str, StringConstraints(max_length=4_000)]


def naive(at: float) -> str:
    """A time as the service's SQLite gives it: no offset, whole seconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class SignUp(BaseModel):
    """A new user."""

    login_id: Filled
    nickname: Filled
    password: Filled
    is_active: bool | None = True


class LoginId(BaseModel):
    """A login that somebody would like to have."""

    login_id: Word


class Nickname(BaseModel):
    """A nickname that somebody would like to have."""

    nickname: Word


class UserChanges(BaseModel):
    """What changes of a user."""

    nickname: Word | None = None
    password: Word | None = None


class Available(BaseModel):
    """Whether nobody has it."""

    is_available: bool


class TokenOut(BaseModel):
    """A token for `Authorization: Bearer`."""

    access_token: str
    token_type: str = "bearer"


class UserOut(BaseModel):
    """A user."""

    login_id: str
    nickname: str
    is_active: bool
    id: int
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, user: User) -> UserOut:
        return cls(
            login_id=user.login_id,
            nickname=user.nickname,
            is_active=user.is_active,
            id=user.id,
            created_at=naive(user.created_at),
            updated_at=naive(user.updated_at),
        )


class ScenarioIn(BaseModel):
    """A new scenario."""

    id: Word
    title: Word
    description: Note | None = None
    place: Note | None = None
    partner: Note | None = None
    goal: Note | None = None
    level: int = Field(1, ge=-(2**31), lt=2**31)
    category: Note | None = None


class ScenarioOut(BaseModel):
    """A scenario to choose from."""

    id: str
    title: str
    description: str
    place: str
    partner: str
    goal: str
    level: int
    category: str
    created_at: str

    @classmethod
    def of(cls, topic: Topic) -> ScenarioOut:
        return cls(
            id=topic.id,
            title=topic.title,
            description=topic.description,
            place=topic.place,
            partner=topic.partner,
            goal=topic.goal,
            level=topic.level,
            category=topic.category,
            created_at=naive(topic.created_at),
        )


class SessionIn(BaseModel):
    """A new session; a known `scenario_id` decides place, partner, goal and title."""

    scenario_id: Note | None = None
    scenario_place: Note | None = None
    scenario_partner: Note | None = None
    scenario_goal: Note | None = None
    voice: Note | None = None
    show_text: bool | None = None


class MessageOut(BaseModel):
    """Something said in a session."""

    id: int
    role: str
    content: str
    timestamp: str
    duration_sec: float
    is_feedback: bool
    feedback: str | None
    reason: str | None

    @classmethod
    def of(cls, message: Message) -> MessageOut:
        return cls(
            id=message.id,
            role=message.role,
            content=message.content,
            timestamp=iso(message.at),
            duration_sec=message.seconds,
            is_feedback=message.feedback is not None,
            feedback=message.feedback,
            reason=message.reason,
        )


class AnalyticsOut(BaseModel):
    """The user's words in a session."""

    word_count: int
    unique_words_count: int
    richness_score: float
    created_at: str


class SessionOut(BaseModel):
    """A session with its messages. `scenario_id` is always null, as in the service."""

    session_id: str
    title: str
    started_at: str
    ended_at: str
    total_duration_sec: float
    user_speech_duration_sec: float
    scenario_summary: str | None
    messages: list[MessageOut]
    scenario_place: str | None
    scenario_partner: str | None
    scenario_goal: str | None
    scenario_state_json: dict[str, Any] | None
    scenario_completed_at: str | None
    scenario_id: str | None
    deleted: bool
    voice: str | None
    show_text: bool | None
    created_at: str
    updated_at: str
    analytics: AnalyticsOut | None

    @classmethod
    def of(cls, row: SessionRow, said: Sequence[Message]) -> SessionOut:
        return cls(
            session_id=row.uid,
            title=row.title,
            started_at=iso(row.started_at),
            ended_at=iso(row.ended_at),
            total_duration_sec=round(row.total_seconds, 2),
            user_speech_duration_sec=round(row.speech_seconds, 2),
            scenario_summary=row.summary,
            messages=[MessageOut.of(message) for message in said],
            scenario_place=row.place,
            scenario_partner=row.partner,
            scenario_goal=row.goal,
            scenario_state_json=json.loads(row.state) if row.state else None,
            scenario_completed_at=None if row.completed_at is None else iso(row.completed_at),
            scenario_id=None,
            deleted=row.deleted,
            voice=row.voice,
            show_text=row.show_text,
            created_at=naive(row.created_at),
            updated_at=naive(row.updated_at),
            analytics=AnalyticsOut(**json.loads(row.analytics)) if row.analytics else None,
        )


class SessionItem(BaseModel):
    """A session in a list."""

    session_id: str
    title: str
    started_at: str
    ended_at: str
    total_duration_sec: float
    user_speech_duration_sec: float
    scenario_summary: str | None
    created_at: str
    updated_at: str
    message_count: int

    @classmethod
    def of(cls, row: SessionRow, count: int) -> SessionItem:
        return cls(
            session_id=row.uid,
            title=row.title,
            started_at=iso(row.started_at),
            ended_at=iso(row.ended_at),
            total_duration_sec=round(row.total_seconds, 2),
            user_speech_duration_sec=round(row.speech_seconds, 2),
            scenario_summary=row.summary,
            created_at=naive(row.created_at),
            updated_at=naive(row.updated_at),
            message_count=count,
        )


class SessionList(BaseModel):
    """A page of a user's sessions, the last ended first."""

    total: int
    items: list[SessionItem]
    has_next: bool


class Synced(BaseModel):
    """The session is the user's now."""

    status: str = "success"
    session_id: str


class HintsOut(BaseModel):
    """What the user may say next: at most three sentences, none where nobody talks."""

    hints: list[str]
    session_id: str


class FeedbackDetail(BaseModel):
    """How a message could be better."""

    message_id: int
    fb_before: str
    fb_content: str
    fb_after: str


class FeedbackOut(BaseModel):
    """What there is to say about a session."""

    session_id: str
    scenario_summary: str | None
    message_count: int
    feedback_top3_ids: list[int]
    feedback_details: list[FeedbackDetail]


class ScenarioFigures(BaseModel):
    """How often a scenario was talked about."""

    scenario_id: str
    total_plays: int
    avg_turns: float
    top_keywords: dict[str, int]


class Detail(BaseModel):
    """An error."""

    detail: str
