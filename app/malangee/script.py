"""What `malangee.yaml` says, as values: users, scenarios, sessions, scripted conversations. PURE.

Everything has a default, so that a folder without the file works.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

FILE = "malangee.yaml"

FIELDS = ("place", "partner", "goal")
"""What a scenario is made of, in the order in which it is asked for."""

VOICES: Mapping[str, str] = MappingProxyType(
    {
        "alloy": "en-us",
        "ash": "en-us+m3",
        "ballad": "en-gb-x-rp+m7",
        "coral": "en-us+f2",
        "echo": "en-us+m1",
        "fable": "en-gb-x-rp",
        "nova": "en-us+f4",
        "onyx": "en-us+m5",
        "sage": "en-gb-x-rp+f3",
        "shimmer": "en-us+f5",
        "verse": "en-gb-x-rp+m2",
    }
)
"""The service's voices, and the espeak-ng voice that speaks for each."""

DEFAULT_VOICE = "alloy"

PROMPT = (
    "You are a friendly partner for spoken English practice. Stay in your role, answer in one to three short "
    "sentences that are easy to say aloud, and end with a question."
)


@dataclass(frozen=True, slots=True)
class UserSeed:
    """A user that is there from the start. `password` as the user types it."""

    login_id: str
    nickname: str
    password: str
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class ScenarioSeed:
    """A scenario to choose from."""

    id: str
    title: str
    description: str = ""
    place: str = ""
    partner: str = ""
    goal: str = ""
    level: int = 1
    category: str = ""


@dataclass(frozen=True, slots=True)
class MessageSeed:
    """A message of an earlier conversation."""

    role: Literal["user", "assistant"]
    content: str
    duration_sec: float = 0.0


@dataclass(frozen=True, slots=True)
class SessionSeed:
    """A session that is there from the start; without `user` it is a guest's."""

    session_id: str
    user: str | None = None
    title: str = ""
    scenario: str | None = None
    place: str | None = None
    partner: str | None = None
    goal: str | None = None
    voice: str | None = None
    deleted: bool = False
    messages: tuple[MessageSeed, ...] = ()


@dataclass(frozen=True, slots=True)
class Where:
    """Which connections a conversation is for; None fits all. A guest's `user` is ""."""

    session: str | None = None
    scenario: str | None = None
    user: str | None = None

    def fits(self, session: str, scenario: str, user: str) -> bool:
        return all(
            wanted is None or wanted == there
            for wanted, there in ((self.session, session), (self.scenario, scenario), (self.user, user))
        )


TRANSCRIPTS = ("Hello, how are you today?", "That sounds good to me.", "Could you tell me more about it?")


@dataclass(frozen=True, slots=True)
class Conversation:
    """How a chat goes. `transcripts`: what the user is heard to say, in turn and from the front again, where no engine
    transcribes.
    """

    where: Where = Where()
    greeting: str = ""
    transcripts: tuple[str, ...] = TRANSCRIPTS
    hints: tuple[str, ...] = ("Could you say that again?", "I would like to know more.", "That is a good idea.")


@dataclass(frozen=True, slots=True)
class Builder:
    """How a scenario is talked out.

    `keywords`: for each field its values and the words that mean them. `given`: fields that are known without being
    said, null for one that is never understood. `upstream`: what the service behind does: `ok`, `unheard` (it fails,
    the user is asked to say it again) or `timeout` (it is never there). `save_fails`: the session cannot be saved.
    """

    where: Where = Where()
    greeting: str = ""
    questions: Mapping[str, str] = field(
        default_factory=lambda: {
            "place": "Where are you having this conversation?",
            "partner": "Who are you talking to?",
            "goal": "What do you want to achieve in this conversation?",
        }
    )
    transcripts: tuple[str, ...] = (
        "I am at the airport.",
        "I am talking to the check-in agent.",
        "I want to check in.",
    )
    keywords: Mapping[str, Mapping[str, tuple[str, ...]]] = field(
        default_factory=lambda: {
            "place": {"airport": ("airport", "plane"), "cafe": ("cafe", "coffee shop"), "hotel": ("hotel",)},
            "partner": {"receptionist": ("receptionist",), "barista": ("barista",), "check-in agent": ("agent",)},
            "goal": {"check in": ("check in", "checking in"), "order a coffee": ("order a coffee", "order coffee")},
        }
    )
    given: Mapping[str, str | None] = field(default_factory=dict)
    upstream: Literal["ok", "unheard", "timeout"] = "ok"
    save_fails: bool = False


@dataclass(frozen=True, slots=True)
class VoiceNamed:
    """Where the file names a voice, `engine`: of the engine, else of the service."""

    line: int
    key: str
    name: str
    engine: bool


@dataclass(frozen=True, slots=True)
class Script:
    """The whole file."""

    prompt: str = PROMPT
    unheard: str = "Sorry, I did not catch that. Could you say it again?"
    hello: str = "Hello! It is nice to talk with you. Shall we start?"
    voices: Mapping[str, str] = field(default_factory=lambda: VOICES)
    users: tuple[UserSeed, ...] = ()
    scenarios: tuple[ScenarioSeed, ...] = ()
    sessions: tuple[SessionSeed, ...] = ()
    conversations: tuple[Conversation, ...] = ()
    builders: tuple[Builder, ...] = ()
    voices_named: tuple[VoiceNamed, ...] = ()

    def missing_voices(self, lacking: Mapping[str, str]) -> Iterator[tuple[VoiceNamed, str]]:
        """Where the file names a voice that cannot be had, and what becomes of it. `lacking`: voices that the engine
        has not, and why.
        """
        for named in self.voices_named:
            if named.engine and named.name in lacking:
                yield named, lacking[named.name]
            elif not named.engine and named.name not in self.voices:
                yield named, f"no voice {named.name[:60]!r} here, it speaks like {DEFAULT_VOICE}"

    def conversation(self, session: str, scenario: str, user: str) -> Conversation:
        """The first conversation that fits."""
        fitting = (one for one in self.conversations if one.where.fits(session, scenario, user))
        return next(fitting, Conversation())

    def builder(self, user: str) -> Builder:
        """The first builder that fits."""
        return next((one for one in self.builders if one.where.fits("", "", user)), Builder())

    def voice(self, name: str | None) -> str:
        """The engine's voice for one of the service's; for an unknown one the default's."""
        return self.voices.get(name or DEFAULT_VOICE) or self.voices.get(DEFAULT_VOICE) or VOICES[DEFAULT_VOICE]
