"""What the store knows: spaces, their keys, and the turns of a room. Plain values; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Space:
    """One customer's place: who it belongs to, what a turn costs there and how its agent answers.

    `credit` is the running balance in won, `credit_per_turn` the price of one turn, `return_voice` (0 or 1) what holds
    where a request does not say. `graph` names an entry of langgraph.json, `model` the chat model.
    """

    uid: str
    org_id: str
    name: str
    credit: int
    credit_per_turn: int
    return_voice: int
    sentence_mode: bool
    language: str
    model: str
    graph: str
    prompt: str
    default: bool


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that opens a space. Its text is kept out of `repr`, so that no log shows it."""

    key: str = field(repr=False)
    usable: bool


@dataclass(frozen=True, slots=True)
class SpaceSeed:
    """A space as a fixture file declares it, with its keys. `space.credit` counts only when the space is new."""

    space: Space
    keys: tuple[ApiKey, ...]


@dataclass(frozen=True, slots=True)
class Charge:
    """What became of a charge: `ok`, and the space's balance in won after it (unchanged when refused)."""

    ok: bool
    balance: int


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer. `began`: nanoseconds since the epoch; `msg`: None where the agent spoke first."""

    began: int
    user_id: str
    msg: str | None
    reply: str
    visitor_name: str = ""
    language: str = "ko"
    filename: str | None = None
    scene_number: int | None = None
    revision: str = ""
    cost: int = 0


@dataclass(frozen=True, slots=True)
class RoomWindow:
    """The end of a room's history: its last turns, oldest first, and how many it has `saved` in all."""

    turns: tuple[Turn, ...]
    saved: int
