"""What was recorded of a server, by probes or from tapes. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.emulation.tapes import Tape

UNANSWERED = "unanswered"
"""Mark of a request that the probe waited for in vain."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One connection. `marks`: by index into the tape's frames, what a probe knows of a request that it sent.

    `watched`: recorded by a probe, which waits for what should come; so what is not there did not come. A tape that
    ends in mid-turn may just have been stopped. The tape's `close` is then the server's, never the probe's own.
    """

    tape: Tape
    marks: Mapping[int, frozenset[str]] = field(default_factory=dict)
    watched: bool = False


@dataclass(frozen=True, slots=True)
class Download:
    """What a request gave. `problem` says why there is no answer at all, "" if there is one; `asked` is the JSON that
    went with it, where rules may know it.
    """

    url: str
    status: int = 0
    content_type: str = ""
    body: bytes = b""
    problem: str = ""
    asked: str = ""


Downloads = Mapping[tuple[str, str], Download]
"""By URL as announced, and variant: what was asked for in its place."""


@dataclass(frozen=True, slots=True)
class Belief:
    """The revision that a server seems to speak ("" if the frames do not tell), and why.

    `also`: other revisions that fit as well.
    """

    revision: str = ""
    also: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
