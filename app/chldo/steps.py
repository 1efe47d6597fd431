"""What happens in a turn, told without any wire format. A revision renders each step to the frames it sends for it.

PURE: values only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from app.emulation.exchanges import Exchange

SOM, EOM = "<SOM>", "<EOM>"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a turn runs for. `url_base` is where the client reaches this server; `client_num` counts the room's
    sockets.
    """

    connection_id: str
    url_base: str
    exchange: Exchange
    client_num: int = 1


@dataclass(frozen=True, slots=True)
class TurnRules:
    """The settings that turns and greetings obey. Seconds; `frame_limit` in bytes."""

    som_eom: bool = True
    min_sentence: int = 13
    turn_timeout: float = 300.0
    url_life: float | None = None
    frame_limit: int = 32 * 1024

    @property
    def som(self) -> str:
        """START's text."""
        return SOM if self.som_eom else ""

    @property
    def eom(self) -> str:
        """END's text."""
        return EOM if self.som_eom else ""


@dataclass(slots=True)
class TurnFacts:
    """What every frame of a turn may carry. `saved_turns` counts the room's turns before this one."""

    connection_id: str
    room_uid: str
    stream_uid: str
    c_at: str
    return_voice: int | None
    is_stream: bool
    scene_number: int
    som: str
    eom: str
    client_num: int = 1
    saved_turns: int = 0
    run_ids: dict[str, str] = field(default_factory=dict)


def epoch_text(seconds: float) -> str:
    """`cAt`: epoch seconds with up to 6 decimals, as Python's `str` writes them."""
    return str(round(seconds, 6))


class Step:
    """Something that happened in a turn."""

    __slots__ = ()


@dataclass(slots=True)
class Started(Step):
    """The request is accepted."""


@dataclass(slots=True)
class HistorySought(Step):
    """The room's earlier turns are being read."""


@dataclass(slots=True)
class HistoryReplayed(Step):
    """The room's earlier turns stand in the model's input."""


@dataclass(slots=True)
class MemorySought(Step):
    """The space's memories are being read."""


@dataclass(slots=True)
class MemoryFound(Step):
    """The space's memories are known; `count` of them listen for hotwords."""

    count: int


@dataclass(slots=True)
class ThinkStarted(Step):
    """The graph starts."""


@dataclass(slots=True)
class RunStep(Step):
    """A LangGraph event that is no token. Ids are already UUIDv4 text; `data` is JSON-ready."""

    event: str
    data: dict[str, Any]
    run_id: str
    parent_ids: list[str]
    tags: list[str]

    @property
    def closes_turn(self) -> bool:
        """Whether this is the end of the graph itself."""
        return self.event == "on_chain_end" and not self.parent_ids


@dataclass(slots=True)
class TokenStep(Step):
    """A piece of the reply. `run` says which model run it came from (None from a graph that does not stream)."""

    text: str
    sent_uid: str
    run_id: str
    parent_ids: list[str]
    tags: list[str]


@dataclass(slots=True)
class ReplyStep(Step):
    """The whole reply at once (`stream: 0`)."""

    text: str
    sent_uid: str


@dataclass(slots=True)
class VoiceStep(Step):
    """The voice of a sentence can be fetched. `seconds` is a multiple of 0.024."""

    text: str
    sent_uid: str
    url: str
    seconds: float


@dataclass(slots=True)
class HotwordDetected(Step):
    """The reply is about to say a word that a memory listens for."""

    word: str
    uid: str


@dataclass(slots=True)
class MemoryDict(Step):
    """The dictionary of the memory just detected, as JSON text."""

    text: str
    word: str
    uid: str


@dataclass(slots=True)
class ChoicesStarted(Step):
    """What the user may say next is being put together."""


@dataclass(slots=True)
class ChoicesEnded(Step):
    """What the user may say next: {text, tone} each, `asked` at the most."""

    choices: list[dict[str, str]]
    asked: int


@dataclass(slots=True)
class GreetingStarted(Step):
    """A greeting is accepted."""


@dataclass(slots=True)
class Greeted(Step):
    """The greeting itself."""

    text: str


@dataclass(slots=True)
class GreetingVoice(Step):
    """The voice of the greeting can be fetched."""

    text: str
    sent_uid: str
    url: str
    seconds: float
    c_at: str
    org_id: str
    questioner: str
    hotword_uids: list[str]


@dataclass(slots=True)
class Failed(Step):
    """The turn fails inside the flow; think-end and END still follow."""

    msg: str


@dataclass(slots=True)
class ThinkEnded(Step):
    """The graph has ended, well or not."""


@dataclass(slots=True)
class Ended(Step):
    """The turn is over and saved."""
