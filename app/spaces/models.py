"""What the store knows: spaces, their keys, and the turns of a room. Plain values; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field

UPLOADS = STRICT, LENIENT = "strict", "lenient"
"""What a space does about an image that is named and was never uploaded."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What the agent says when it is asked to greet. Numbers start at 1."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Scene:
    """A prompt of its own for a part of the story. Numbers are 1 to 7."""

    number: int
    prompt: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """Something the space knows. `uid`: 17 lower-case hexadecimal digits.

    With `hotword`, its `variants` (top to bottom) are listened for in replies. It holds either a `text` or `entries`,
    the (key, value) pairs of a dictionary in their order, or neither. `long_term`: it stands in the prompt of every
    turn.
    """

    uid: str
    name: str
    variants: tuple[str, ...] = ()
    hotword: bool = False
    text: str | None = None
    entries: tuple[tuple[str, str], ...] | None = None
    long_term: bool = False


@dataclass(frozen=True, slots=True)
class Space:
    """One customer's place: who it belongs to, what a turn costs there and how its agent answers.

    `credit` is the running balance in won, `credit_per_turn` the price of one turn, `return_voice` (0 or 1) what holds
    where a request does not say. `graph` names an entry of langgraph.json, `model` the chat model. `uploads`: `strict`
    refuses the name of an image that was never uploaded, `lenient` goes on without the image.
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
    uploads: str = STRICT
    greetings: tuple[Greeting, ...] = ()
    scenes: tuple[Scene, ...] = ()
    memories: tuple[Memory, ...] = ()


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
    """One question and its answer. `began`: nanoseconds since the epoch; `msg`: None where the agent spoke first.

    `hotwords`: uids of the memories that this turn's reply detected.
    """

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
    hotwords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoomWindow:
    """The end of a room's history: its last turns, oldest first, and how many it has `saved` in all.

    `fired`: uids of the memories that any saved turn of the room has detected.
    """

    turns: tuple[Turn, ...]
    saved: int
    fired: frozenset[str] = frozenset()

    def begin(self, now: int) -> int:
        """When a turn begins that follows these: later than they did, even if the clock was set back since."""
        return max(now, self.turns[-1].began + 1) if self.turns else now
