"""Hashee messaging, as of 2026-01.

Message, stream and auth frames are flat, the others have their fields under `payload`. Keys stand in this
order; those without a value are left out.

Generated from the frame classes by `chldo-emulator schema`; do not edit.
"""

# ruff: noqa: E501

from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, TypeAdapter

REVISION = "2026-01"
"""What these models describe."""

_MARKS = ("type",)


class _Message(BaseModel):
    """Exactly these keys, with values of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    def encode(self) -> str:
        """The message as compact JSON text, keys in the order of the wire; those that were left out stay out."""
        return self.model_dump_json(by_alias=True, exclude_unset=True)


def _not_null(value: object) -> object:
    """A check of what may be left out and yet must not be null."""
    if value is None:
        raise ValueError("must not be null; leave it out")
    return value


class AuthOkFrame(_Message):
    """`auth.ok`: The socket is authenticated."""

    type: Literal["auth.ok"]
    """The kind."""


class AuthErrorFrame(_Message):
    """`auth.error`: It is not; the socket is closed."""

    type: Literal["auth.error"]
    """The kind."""
    reason: Annotated[str, Field(min_length=1)]
    """Why, for programs."""
    message: str
    """Why, for people, in English."""
    i18n_key: Annotated[str, Field(pattern=r"^[a-z0-9_.]+$")]
    """The key of a translation."""


class AuthExpiringFrame(_Message):
    """`auth.expiring`: The access token is about to expire."""

    type: Literal["auth.expiring"]
    """The kind."""
    expires_in_seconds: Annotated[int, Field(ge=0)]
    """How long it holds, in seconds."""


class PongFrame(_Message):
    """`pong`: The answer to ping."""

    type: Literal["pong"]
    """The kind."""


class SessionInvalidatedFramePayload(_Message):
    """Within `SessionInvalidatedFrame`."""

    reason: Annotated[str, Field(min_length=1)]
    """Why, for programs."""
    message: str
    """Why, for people, in English."""
    i18n_key: Annotated[str, Field(pattern=r"^[a-z0-9_.]+$")]
    """The key of a translation."""


class SessionInvalidatedFrame(_Message):
    """`session.invalidated`: The session is over; the socket is closed."""

    type: Literal["session.invalidated"]
    """The kind."""
    payload: SessionInvalidatedFramePayload
    """What it says."""


class ErrorFramePayload(_Message):
    """Within `ErrorFrame`."""

    code: Annotated[str, Field(pattern=r"^[A-Z0-9_]+$")]
    """What went wrong, for programs."""
    message: str
    """Why, for people, in English."""
    i18n_key: Annotated[str, Field(pattern=r"^[a-z0-9_.]+$")]
    """The key of a translation."""


class ErrorFrame(_Message):
    """`error`: A frame could not be taken."""

    type: Literal["error"]
    """The kind."""
    payload: ErrorFramePayload
    """What it says."""


class MessageNewFrame(_Message):
    """`message.new`: Somebody has said something."""

    type: Literal["message.new"]
    """The kind."""
    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""
    message_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The message."""
    sender_id: Annotated[str, Field(min_length=1, max_length=64)]
    """Who says it."""
    sender_type: Literal["human", "agent", "system"]
    """What they are."""
    content_type: Annotated[str, Field(min_length=1)]
    """What the payload is."""
    encrypted_payload: str
    """Opaque to the service."""
    conversation_seq: Annotated[int, Field(ge=1)]
    """The number of the message in its conversation."""
    created_at: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]
    """When it was accepted."""


class MessageAckFrame(_Message):
    """`message.ack`: The sender's message is accepted."""

    type: Literal["message.ack"]
    """The kind."""
    client_message_id: Annotated[
        Annotated[str, Field(min_length=1, max_length=64)] | None,
        BeforeValidator(_not_null),
    ] = None
    """The sender's own id of the message."""
    message_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The message."""
    conversation_seq: Annotated[int, Field(ge=1)]
    """The number of the message in its conversation."""


class MessageReadFrame(_Message):
    """`message.read`: Somebody has read up to a message."""

    type: Literal["message.read"]
    """The kind."""
    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""
    user_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The user."""
    seq: Annotated[int, Field(ge=0)]
    """Up to which message."""


class MessageRecalledFrame(_Message):
    """`message.recalled`: A message is taken back."""

    type: Literal["message.recalled"]
    """The kind."""
    message_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The message."""
    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""
    recalled_by: Annotated[str, Field(min_length=1, max_length=64)]
    """Who takes it back."""


class MessageStatusUpdatedFrame(_Message):
    """`message.status_updated`: A message has reached somebody, or is read."""

    type: Literal["message.status_updated"]
    """The kind."""
    message_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The message."""
    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""
    status: Literal["delivered", "read"]
    """What it is now."""
    conversation_seq: Annotated[int, Field(ge=1)]
    """The number of the message in its conversation."""


class MessagePinnedFrame(_Message):
    """`message.pinned`: A message is pinned, or no more."""

    type: Literal["message.pinned"]
    """The kind."""
    message_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The message."""
    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""
    pinned_by: Annotated[str, Field(min_length=1, max_length=64)]
    """Who pins it."""
    pinned: bool
    """Whether it is pinned now."""


class StreamStartFrame(_Message):
    """`stream.start`: An agent begins to say something, piece by piece."""

    type: Literal["stream.start"]
    """The kind."""
    stream_id: Annotated[str, Field(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
    """The stream."""
    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""
    sender_id: Annotated[str, Field(min_length=1, max_length=64)]
    """Who says it."""


class StreamDeltaFrame(_Message):
    """`stream.delta`: A piece of it."""

    type: Literal["stream.delta"]
    """The kind."""
    stream_id: Annotated[str, Field(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
    """The stream."""
    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""
    encrypted_payload: str
    """Opaque to the service."""


class StreamDoneFrame(_Message):
    """`stream.done`: All of it, now a message."""

    type: Literal["stream.done"]
    """The kind."""
    stream_id: Annotated[str, Field(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
    """The stream."""
    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""
    message_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The message."""
    conversation_seq: Annotated[int, Field(ge=1)]
    """The number of the message in its conversation."""
    encrypted_payload: str
    """Opaque to the service."""
    created_at: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]
    """When it was accepted."""


class StreamAbortFrame(_Message):
    """`stream.abort`: It will not be finished."""

    type: Literal["stream.abort"]
    """The kind."""
    stream_id: Annotated[str, Field(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
    """The stream."""
    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""


class StreamErrorFrame(_Message):
    """`stream.error`: A stream cannot go on; to the agent."""

    type: Literal["stream.error"]
    """The kind."""
    stream_id: Annotated[str, Field(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
    """The stream."""
    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""
    reason: Annotated[str, Field(min_length=1)]
    """Why, for programs."""


class RelationEstablishedFramePayload(_Message):
    """Within `RelationEstablishedFrame`."""

    user_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The user."""
    display_name: str
    """What the user is called."""
    avatar_url: str
    """A picture of the user."""
    language: str
    """What the user speaks."""
    referral_source: str
    """How the user came."""
    public_key: str
    """The user's key."""


class RelationEstablishedFrame(_Message):
    """`relation.established`: A user has taken the agent up."""

    type: Literal["relation.established"]
    """The kind."""
    payload: RelationEstablishedFramePayload
    """What it says."""


class RelationTerminatedFramePayload(_Message):
    """Within `RelationTerminatedFrame`."""

    user_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The user."""


class RelationTerminatedFrame(_Message):
    """`relation.terminated`: A user has left the agent."""

    type: Literal["relation.terminated"]
    """The kind."""
    payload: RelationTerminatedFramePayload
    """What it says."""


class RelationSuspendedFramePayload(_Message):
    """Within `RelationSuspendedFrame`."""

    user_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The user."""


class RelationSuspendedFrame(_Message):
    """`relation.suspended`: A user may not write to the agent for now."""

    type: Literal["relation.suspended"]
    """The kind."""
    payload: RelationSuspendedFramePayload
    """What it says."""


class RelationRestoredFramePayload(_Message):
    """Within `RelationRestoredFrame`."""

    user_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The user."""


class RelationRestoredFrame(_Message):
    """`relation.restored`: A user may write to the agent again."""

    type: Literal["relation.restored"]
    """The kind."""
    payload: RelationRestoredFramePayload
    """What it says."""


class ArtifactResponseFramePayload(_Message):
    """Within `ArtifactResponseFrame`."""

    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""
    message_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The message."""
    ref_artifact: Annotated[str, Field(min_length=1, max_length=64)]
    """The artifact."""
    ref_action: Annotated[str, Field(min_length=1)]
    """What the user does with it."""
    based_on_revision: Annotated[int, Field(ge=0)]
    """The state that it is about."""
    values: dict[str, Any]
    """What the user has filled in."""


class ArtifactResponseFrame(_Message):
    """`artifact_response`: A user has answered an artifact."""

    type: Literal["artifact_response"]
    """The kind."""
    payload: ArtifactResponseFramePayload
    """What it says."""


class ArtifactUpdateFramePayload(_Message):
    """Within `ArtifactUpdateFrame`."""

    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""
    message_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The message."""
    ref_artifact: Annotated[str, Field(min_length=1, max_length=64)]
    """The artifact."""
    revision: Annotated[Annotated[int, Field(ge=0)] | None, BeforeValidator(_not_null)] = None
    """The number of the state."""
    based_on_revision: Annotated[Annotated[int, Field(ge=0)] | None, BeforeValidator(_not_null)] = None
    """The state that it is about."""
    encrypted_payload: str
    """Opaque to the service."""


class ArtifactUpdateFrame(_Message):
    """`artifact_update`: An artifact has a new state."""

    type: Literal["artifact_update"]
    """The kind."""
    payload: ArtifactUpdateFramePayload
    """What it says."""


class ArtifactExpiredFramePayload(_Message):
    """Within `ArtifactExpiredFrame`."""

    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""
    message_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The message."""
    artifact_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The artifact."""


class ArtifactExpiredFrame(_Message):
    """`artifact.expired`: An artifact cannot be answered any more."""

    type: Literal["artifact.expired"]
    """The kind."""
    payload: ArtifactExpiredFramePayload
    """What it says."""


class AgentGovernanceFramePayload(_Message):
    """Within `AgentGovernanceFrame`."""

    agent_template_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The agent."""
    governance_status: Annotated[str, Field(min_length=1)]
    """Whether it may go on."""
    reason: str
    """Why, for programs."""


class AgentGovernanceFrame(_Message):
    """`agent.governance`: The service has decided about an agent."""

    type: Literal["agent.governance"]
    """The kind."""
    payload: AgentGovernanceFramePayload
    """What it says."""


class AgentStatusFramePayload(_Message):
    """Within `AgentStatusFrame`."""

    agent_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The agent."""
    status: Literal["online", "offline"]
    """What it is now."""


class AgentStatusFrame(_Message):
    """`agent.status`: An agent has come, or gone."""

    type: Literal["agent.status"]
    """The kind."""
    payload: AgentStatusFramePayload
    """What it says."""


class AgentTypingFramePayload(_Message):
    """Within `AgentTypingFrame`."""

    agent_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The agent."""
    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""
    typing: bool
    """Whether it types."""
    expires_in_seconds: Annotated[int, Field(ge=0)]
    """How long it holds, in seconds."""


class AgentTypingFrame(_Message):
    """`agent.typing`: An agent types, or stops."""

    type: Literal["agent.typing"]
    """The kind."""
    payload: AgentTypingFramePayload
    """What it says."""


class ReactionUpdateFramePayloadReactionsItem(_Message):
    """Within `ReactionUpdateFramePayload`."""

    model_config = ConfigDict(extra="allow")

    emoji: Annotated[str, Field(min_length=1)]
    """The reaction."""
    count: Annotated[int, Field(ge=0)]
    """How many have it."""
    user_ids: list[str]
    """Who has it."""


class ReactionUpdateFramePayload(_Message):
    """Within `ReactionUpdateFrame`."""

    message_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The message."""
    reactions: list[ReactionUpdateFramePayloadReactionsItem]
    """All reactions of the message, not what changed."""


class ReactionUpdateFrame(_Message):
    """`reaction.update`: The reactions of a message."""

    type: Literal["reaction.update"]
    """The kind."""
    payload: ReactionUpdateFramePayload
    """What it says."""


class GroupUpdatedFramePayload(_Message):
    """Within `GroupUpdatedFrame`."""

    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""
    changes: dict[str, Any]
    """What is new."""


class GroupUpdatedFrame(_Message):
    """`group.updated`: A group has changed."""

    type: Literal["group.updated"]
    """The kind."""
    payload: GroupUpdatedFramePayload
    """What it says."""


class AuthRequest(_Message):
    """`auth`: The first frame of every socket, within 5 seconds."""

    type: Literal["auth"]
    """The kind."""
    token: Annotated[str, Field(min_length=1, max_length=4096)]
    """An access token on /ws/human, an agent's token on /ws/agent."""
    agent_id: Annotated[Annotated[str, Field(min_length=1, max_length=64)] | None, BeforeValidator(_not_null)] = None
    """The agent, as in the address."""


class AuthRenewRequest(_Message):
    """`auth.renew`: A new access token for the open socket of a person."""

    type: Literal["auth.renew"]
    """The kind."""
    access_token: Annotated[str, Field(min_length=1, max_length=4096)]
    """The new token."""


class PingRequest(_Message):
    """`ping`: A sign of life."""

    type: Literal["ping"]
    """The kind."""


class PongRequest(_Message):
    """`pong`: The answer to a ping."""

    type: Literal["pong"]
    """The kind."""


class StreamStartRequest(_Message):
    """`stream.start`: An agent begins to say something, piece by piece."""

    type: Literal["stream.start"]
    """The kind."""
    stream_id: Annotated[str, Field(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
    """The stream, named by the agent."""
    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""


class StreamDeltaRequest(_Message):
    """`stream.delta`: A piece of it."""

    type: Literal["stream.delta"]
    """The kind."""
    stream_id: Annotated[str, Field(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
    """The stream, named by the agent."""
    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""
    encrypted_payload: Annotated[str, Field(min_length=1)]
    """Opaque to the service."""


class StreamDoneRequest(_Message):
    """`stream.done`: All of it, to be kept as a message."""

    type: Literal["stream.done"]
    """The kind."""
    stream_id: Annotated[str, Field(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
    """The stream, named by the agent."""
    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""
    encrypted_payload: Annotated[str, Field(min_length=1)]
    """Opaque to the service."""
    client_message_id: Annotated[
        Annotated[str, Field(min_length=1, max_length=64)] | None,
        BeforeValidator(_not_null),
    ] = None
    """The agent's own id of the message."""
    content_type: Annotated[
        Annotated[str, Field(min_length=1, max_length=64)] | None,
        BeforeValidator(_not_null),
    ] = None
    """What the payload is."""


class StreamAbortRequest(_Message):
    """`stream.abort`: It will not be finished."""

    type: Literal["stream.abort"]
    """The kind."""
    stream_id: Annotated[str, Field(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
    """The stream, named by the agent."""
    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""


class TypingRequest(_Message):
    """`typing`: An agent types, or stops."""

    type: Literal["typing"]
    """The kind."""
    conversation_id: Annotated[str, Field(min_length=1, max_length=64)]
    """The conversation."""
    typing: Annotated[bool | None, BeforeValidator(_not_null)] = None
    """True by default."""


def _constants(annotation: Any) -> tuple[Any, ...]:
    """The values that a field may have, if there are only some."""
    if annotation is type(None):
        return (None,)
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _likeness(model: type[BaseModel], body: dict[str, Any]) -> tuple[int, int]:
    """How well a message fits a model: by the keys that tell messages apart, then by all keys."""
    marks = 0
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for key in _MARKS:
        field = fields.get(key)
        if (field is None) != (key not in body):
            marks -= 1
        elif field is not None and (wanted := _constants(field.annotation)):
            marks += 1 if body[key] in wanted else -1
    return marks, -len(fields.keys() ^ body.keys())


def _kind_of(message: Any, models: tuple[type[BaseModel], ...]) -> str:
    """The name of the model that a message is meant for."""
    body = message if isinstance(message, dict) else getattr(message, "__dict__", {})
    return max(models, key=lambda model: _likeness(model, body)).__name__


_FRAMES: tuple[type[BaseModel], ...] = (
    AuthOkFrame,
    AuthErrorFrame,
    AuthExpiringFrame,
    PongFrame,
    SessionInvalidatedFrame,
    ErrorFrame,
    MessageNewFrame,
    MessageAckFrame,
    MessageReadFrame,
    MessageRecalledFrame,
    MessageStatusUpdatedFrame,
    MessagePinnedFrame,
    StreamStartFrame,
    StreamDeltaFrame,
    StreamDoneFrame,
    StreamAbortFrame,
    StreamErrorFrame,
    RelationEstablishedFrame,
    RelationTerminatedFrame,
    RelationSuspendedFrame,
    RelationRestoredFrame,
    ArtifactResponseFrame,
    ArtifactUpdateFrame,
    ArtifactExpiredFrame,
    AgentGovernanceFrame,
    AgentStatusFrame,
    AgentTypingFrame,
    ReactionUpdateFrame,
    GroupUpdatedFrame,
)


Frame = Annotated[
    Annotated[AuthOkFrame, Tag("AuthOkFrame")]
    | Annotated[AuthErrorFrame, Tag("AuthErrorFrame")]
    | Annotated[AuthExpiringFrame, Tag("AuthExpiringFrame")]
    | Annotated[PongFrame, Tag("PongFrame")]
    | Annotated[SessionInvalidatedFrame, Tag("SessionInvalidatedFrame")]
    | Annotated[ErrorFrame, Tag("ErrorFrame")]
    | Annotated[MessageNewFrame, Tag("MessageNewFrame")]
    | Annotated[MessageAckFrame, Tag("MessageAckFrame")]
    | Annotated[MessageReadFrame, Tag("MessageReadFrame")]
    | Annotated[MessageRecalledFrame, Tag("MessageRecalledFrame")]
    | Annotated[MessageStatusUpdatedFrame, Tag("MessageStatusUpdatedFrame")]
    | Annotated[MessagePinnedFrame, Tag("MessagePinnedFrame")]
    | Annotated[StreamStartFrame, Tag("StreamStartFrame")]
    | Annotated[StreamDeltaFrame, Tag("StreamDeltaFrame")]
    | Annotated[StreamDoneFrame, Tag("StreamDoneFrame")]
    | Annotated[StreamAbortFrame, Tag("StreamAbortFrame")]
    | Annotated[StreamErrorFrame, Tag("StreamErrorFrame")]
    | Annotated[RelationEstablishedFrame, Tag("RelationEstablishedFrame")]
    | Annotated[RelationTerminatedFrame, Tag("RelationTerminatedFrame")]
    | Annotated[RelationSuspendedFrame, Tag("RelationSuspendedFrame")]
    | Annotated[RelationRestoredFrame, Tag("RelationRestoredFrame")]
    | Annotated[ArtifactResponseFrame, Tag("ArtifactResponseFrame")]
    | Annotated[ArtifactUpdateFrame, Tag("ArtifactUpdateFrame")]
    | Annotated[ArtifactExpiredFrame, Tag("ArtifactExpiredFrame")]
    | Annotated[AgentGovernanceFrame, Tag("AgentGovernanceFrame")]
    | Annotated[AgentStatusFrame, Tag("AgentStatusFrame")]
    | Annotated[AgentTypingFrame, Tag("AgentTypingFrame")]
    | Annotated[ReactionUpdateFrame, Tag("ReactionUpdateFrame")]
    | Annotated[GroupUpdatedFrame, Tag("GroupUpdatedFrame")],
    Discriminator(lambda message: _kind_of(message, _FRAMES)),
]
"""Everything that the server sends."""

_Frame: TypeAdapter[Frame] = TypeAdapter(Frame)


_REQUESTS: tuple[type[BaseModel], ...] = (
    AuthRequest,
    AuthRenewRequest,
    PingRequest,
    PongRequest,
    StreamStartRequest,
    StreamDeltaRequest,
    StreamDoneRequest,
    StreamAbortRequest,
    TypingRequest,
)


ClientRequest = Annotated[
    Annotated[AuthRequest, Tag("AuthRequest")]
    | Annotated[AuthRenewRequest, Tag("AuthRenewRequest")]
    | Annotated[PingRequest, Tag("PingRequest")]
    | Annotated[PongRequest, Tag("PongRequest")]
    | Annotated[StreamStartRequest, Tag("StreamStartRequest")]
    | Annotated[StreamDeltaRequest, Tag("StreamDeltaRequest")]
    | Annotated[StreamDoneRequest, Tag("StreamDoneRequest")]
    | Annotated[StreamAbortRequest, Tag("StreamAbortRequest")]
    | Annotated[TypingRequest, Tag("TypingRequest")],
    Discriminator(lambda message: _kind_of(message, _REQUESTS)),
]
"""Everything that a client may ask."""

_ClientRequest: TypeAdapter[ClientRequest] = TypeAdapter(ClientRequest)


def parse_frame(text: str | bytes) -> Frame:
    """The frame that a text from the server holds. Raises `pydantic.ValidationError`, a ValueError that says what is wrong."""
    return _Frame.validate_json(text)


def parse_request(text: str | bytes) -> ClientRequest:
    """The request that a text from a client holds. Raises `pydantic.ValidationError`, a ValueError that says what is wrong."""
    return _ClientRequest.validate_json(text)
