"""What each dated revision of the wire sends, and in which key order. PURE.

A `Revision` is data plus one small render function per kind of step (`renders/`); adding one means adding an entry to
`REVISIONS` and nothing in `turn.py`. Sources: spec section 0 (decisions), 1 (revision table), 5 (key orders and literal
texts).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.chldo.reading import ends_graph, ends_turn, never
from app.chldo.renders import Frames, Render
from app.chldo.renders.first import R2, R3, R4, R5
from app.chldo.renders.flat import FLAT
from app.chldo.renders.raw import EVENTS
from app.chldo.renders.second import R6, R7, R8, R9
from app.chldo.steps import ChoicesEnded, Greeted, HotwordDetected, Step, TurnFacts, VoiceStep

HOUR = 3600.0
WEEK = 7 * 24 * HOUR


@dataclass(frozen=True, slots=True)
class Revision:
    """One dated state of the wire.

    `requires`: the request's fields that must be there, in the order they are checked.
    `account`: the field that names the space ("" = the default space answers).
    `sent_uid_length`: characters of a sent_uid; None where tokens carry none.
    `voice_life`: seconds a voice URL lasts.
    `closes`: whether a frame, by its JSON, is the last of a turn.
    """

    id: str
    label: str
    renders: Mapping[type[Step], Render]
    path: str = "/v3/"
    action: str = "sendmsg"
    account: str = "api_key"
    user: str = "user_id"
    requires: tuple[str, ...] = ("api_key", "room_uid", "user_id", "msg")
    raw_events: bool = False
    sent_uid_length: int | None = 28
    drops_full_stop: bool = False
    space_after_sentence: bool = False
    default_scene: int = 0
    voice_life: float = HOUR
    closes: Callable[[Mapping[str, Any]], bool] = ends_turn

    def render(self, step: Step, facts: TurnFacts) -> Frames:
        """The frames this revision sends for `step`, in order; none for a step it does not show."""
        show = self.renders.get(type(step))
        return () if show is None else show(step, facts)

    @property
    def has_voice(self) -> bool:
        """Whether this revision announces voices at all."""
        return VoiceStep in self.renders

    @property
    def has_greeting(self) -> bool:
        """Whether this revision has the action `greeting`."""
        return Greeted in self.renders

    @property
    def has_hotwords(self) -> bool:
        """Whether this revision tells what memories the reply touches."""
        return HotwordDetected in self.renders

    @property
    def has_choices(self) -> bool:
        """Whether this revision offers what to say next."""
        return ChoicesEnded in self.renders

    @property
    def has_files(self) -> bool:
        """Whether this revision takes uploaded images."""
        return self.id >= "2024-08-27"


_OPTIONAL_MSG = ("api_key", "room_uid", "user_id")

_TABLE = (
    Revision(
        "2023-12-28",
        "v1",
        FLAT,
        path="/v1/",
        action="sendmessage",
        account="",
        user="user_uid",
        requires=("room_uid", "user_uid", "msg"),
        closes=never,
    ),
    Revision(
        "2024-07-01",
        "R1",
        EVENTS,
        account="org_id",
        requires=("org_id", "room_uid", "user_id", "msg"),
        raw_events=True,
        sent_uid_length=None,
        closes=ends_graph,
    ),
    Revision("2024-08-26", "R2", R2, raw_events=True, sent_uid_length=None),
    Revision("2024-08-27", "R3", R3, raw_events=True, sent_uid_length=26),
    Revision("2024-09-11", "R4", R4, requires=_OPTIONAL_MSG, raw_events=True, sent_uid_length=26),
    Revision("2024-10-02", "R5", R5, requires=_OPTIONAL_MSG, sent_uid_length=26),
    Revision("2024-10-06", "R6", R6, requires=_OPTIONAL_MSG, drops_full_stop=True),
    Revision("2024-10-07", "R7", R7, requires=_OPTIONAL_MSG, space_after_sentence=True),
    Revision("2024-11-03", "R8", R8, requires=_OPTIONAL_MSG, default_scene=1, voice_life=WEEK),
    Revision("2024-11-13", "R9", R9, requires=_OPTIONAL_MSG, default_scene=1, voice_life=WEEK),
)

REVISIONS: Mapping[str, Revision] = {revision.id: revision for revision in _TABLE}
V1 = "2023-12-28"
DEFAULT = "2024-11-13"


def with_msg(revision: Revision, required: bool | None) -> Revision:
    """The revision with `msg` required or not; None keeps the revision's own rule (setting `require_msg`)."""
    if required is None or required == ("msg" in revision.requires):
        return revision
    rest = tuple(field for field in revision.requires if field != "msg")
    return replace(revision, requires=(*rest, "msg") if required else rest)
