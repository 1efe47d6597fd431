"""Every frame that the server sends, one class each. PURE.

Message, stream and auth frames are flat, the others have their fields under `payload` (source: the seed). What a frame
is called, and which of its fields are sent, is the profile's (`profiles.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame. Fields that are None are not sent; those in `later` belong to profile 2026-05 only. `created_at` is in
    epoch seconds.
    """

    type: ClassVar[str] = ""
    nested: ClassVar[bool] = False
    later: ClassVar[frozenset[str]] = frozenset()

    def values(self) -> dict[str, Any]:
        """Its fields, in their order."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def conversation(self) -> str:
        """The conversation it belongs to, "" for none."""
        return str(getattr(self, "conversation_id", "") or "")


class Nested(Frame):
    """A frame whose fields are under `payload`."""

    __slots__ = ()
    nested: ClassVar[bool] = True


# -- the socket itself -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AuthOk(Frame):
    type: ClassVar[str] = "auth.ok"


@dataclass(frozen=True, slots=True)
class AuthError(Frame):
    type: ClassVar[str] = "auth.error"
    reason: str
    message: str
    i18n_key: str


@dataclass(frozen=True, slots=True)
class AuthExpiring(Frame):
    type: ClassVar[str] = "auth.expiring"
    expires_in_seconds: int


@dataclass(frozen=True, slots=True)
class Pong(Frame):
    type: ClassVar[str] = "pong"


@dataclass(frozen=True, slots=True)
class SessionInvalidated(Nested):
    type: ClassVar[str] = "session.invalidated"
    reason: str
    message: str = "Session terminated"
    i18n_key: str = "error.session.invalidated"


@dataclass(frozen=True, slots=True)
class ErrorFrame(Nested):
    type: ClassVar[str] = "error"
    code: str
    message: str
    i18n_key: str


# -- messages ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MessageNew(Frame):
    """The nine fields of the seed; what follows them is what profile 2026-05 adds."""

    type: ClassVar[str] = "message.new"
    later: ClassVar[frozenset[str]] = frozenset(
        (
            *("client_message_id", "conversation_type", "sender_display_name", "quote_id", "mentions", "mention_all"),
            *("hop_count", "envelope_version", "group_metadata"),
        )
    )
    conversation_id: str
    message_id: str
    sender_id: str
    sender_type: str
    content_type: str
    encrypted_payload: str
    conversation_seq: int
    created_at: float
    client_message_id: str | None = None
    conversation_type: str | None = None
    sender_display_name: str | None = None
    quote_id: str | None = None
    mentions: list[str] | None = None
    mention_all: bool | None = None
    hop_count: int | None = None
    envelope_version: str | None = None
    group_metadata: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class MessageAck(Frame):
    type: ClassVar[str] = "message.ack"
    client_message_id: str | None
    message_id: str
    conversation_seq: int


@dataclass(frozen=True, slots=True)
class MessageRead(Frame):
    type: ClassVar[str] = "message.read"
    conversation_id: str
    user_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class MessageRecalled(Frame):
    type: ClassVar[str] = "message.recalled"
    message_id: str
    conversation_id: str
    recalled_by: str


@dataclass(frozen=True, slots=True)
class MessageStatusUpdated(Frame):
    """`status`: `delivered` or `read` (`sent` is what message.ack says)."""

    type: ClassVar[str] = "message.status_updated"
    message_id: str
    conversation_id: str
    status: str
    conversation_seq: int


@dataclass(frozen=True, slots=True)
class MessagePinned(Frame):
    type: ClassVar[str] = "message.pinned"
    message_id: str
    conversation_id: str
    pinned_by: str
    pinned: bool


# -- streams -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StreamStart(Frame):
    type: ClassVar[str] = "stream.start"
    stream_id: str
    conversation_id: str
    sender_id: str


@dataclass(frozen=True, slots=True)
class StreamDelta(Frame):
    type: ClassVar[str] = "stream.delta"
    stream_id: str
    conversation_id: str
    encrypted_payload: str


@dataclass(frozen=True, slots=True)
class StreamDone(Frame):
    type: ClassVar[str] = "stream.done"
    stream_id: str
    conversation_id: str
    message_id: str
    conversation_seq: int
    encrypted_payload: str
    created_at: float


@dataclass(frozen=True, slots=True)
class StreamAbort(Frame):
    type: ClassVar[str] = "stream.abort"
    stream_id: str
    conversation_id: str


@dataclass(frozen=True, slots=True)
class StreamError(Frame):
    """`reason`: `timeout` (30 s without a delta), `limit` (5 minutes), `disabled`, `too_many` or `refused`."""

    type: ClassVar[str] = "stream.error"
    stream_id: str
    conversation_id: str
    reason: str


# -- relations ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RelationEstablished(Nested):
    type: ClassVar[str] = "relation.established"
    user_id: str
    display_name: str
    avatar_url: str
    language: str
    referral_source: str
    public_key: str


@dataclass(frozen=True, slots=True)
class RelationTerminated(Nested):
    type: ClassVar[str] = "relation.terminated"
    user_id: str


@dataclass(frozen=True, slots=True)
class RelationSuspended(Nested):
    type: ClassVar[str] = "relation.suspended"
    user_id: str


@dataclass(frozen=True, slots=True)
class RelationRestored(Nested):
    type: ClassVar[str] = "relation.restored"
    user_id: str


# -- artifacts ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ArtifactResponse(Nested):
    type: ClassVar[str] = "artifact_response"
    conversation_id: str
    message_id: str
    ref_artifact: str
    ref_action: str
    based_on_revision: int
    values_: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ArtifactUpdate(Nested):
    type: ClassVar[str] = "artifact_update"
    conversation_id: str
    message_id: str
    ref_artifact: str
    revision: int | None
    based_on_revision: int | None
    encrypted_payload: str


@dataclass(frozen=True, slots=True)
class ArtifactExpired(Nested):
    type: ClassVar[str] = "artifact.expired"
    conversation_id: str
    message_id: str
    artifact_id: str


# -- agents, reactions, groups -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AgentGovernance(Nested):
    type: ClassVar[str] = "agent.governance"
    agent_template_id: str
    governance_status: str
    reason: str


@dataclass(frozen=True, slots=True)
class AgentStatus(Nested):
    """`status`: `online` or `offline`."""

    type: ClassVar[str] = "agent.status"
    agent_id: str
    status: str


@dataclass(frozen=True, slots=True)
class AgentTyping(Nested):
    """For how long it is believed is the profile's to fill in."""

    type: ClassVar[str] = "agent.typing"
    agent_id: str
    conversation_id: str
    typing: bool
    expires_in_seconds: int = 0


@dataclass(frozen=True, slots=True)
class AgentCapabilityChanged(Nested):
    """Profile 2026-05 only."""

    type: ClassVar[str] = "agent.capability_changed"
    agent_id: str
    capability_manifest_version: int
    capability_manifest_hash: str


@dataclass(frozen=True, slots=True)
class GroupKeyRotated(Nested):
    """Profile 2026-05 only."""

    type: ClassVar[str] = "system.group_key_rotated"
    conversation_id: str
    group_key_version: int


@dataclass(frozen=True, slots=True)
class ReactionUpdate(Nested):
    type: ClassVar[str] = "reaction.update"
    message_id: str
    reactions: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class GroupUpdated(Nested):
    type: ClassVar[str] = "group.updated"
    conversation_id: str
    changes: dict[str, Any]


# -- between the processes of one service, never sent ------------------------------------------------------------------


MODE_SWITCHED = "mode_switched"
"""Why an agent has no socket: its `connection_mode` is another."""


@dataclass(frozen=True, slots=True)
class Replaced(Frame):
    """Sockets of the audience that are older than connection `by` have to go ("": all of them)."""

    type: ClassVar[str] = "!replaced"
    by: str
    reason: str
    session: str = ""


@dataclass(frozen=True, slots=True)
class MembersLeft(Frame):
    """The audience no longer takes part in the conversation."""

    type: ClassVar[str] = "!left"
    conversation_id: str


@dataclass(frozen=True, slots=True)
class AccessLapsed(Frame):
    """The access tokens of a session that were issued until `at` are over before their time."""

    type: ClassVar[str] = "!lapsed"
    session: str
    at: float


def _kinds(of: type[Frame]) -> list[type[Frame]]:
    return [found for kind in of.__subclasses__() for found in (kind, *_kinds(kind))]


BY_TYPE: dict[str, type[Frame]] = {kind.type: kind for kind in _kinds(Frame) if kind.type}
"""Every class of a frame by the type of the seed."""
