"""The Hashee wire, put together: one edition for each profile. PURE."""

from __future__ import annotations

from dataclasses import fields

from app.contract.schema.shapes import Flag, Items, Key, OneOf, Record, Shape, Text, Whole
from app.contract.schema.wire import Channel, Edition, Exchange, Message, Server, Wire
from app.hashee.frames import (
    AgentCapabilityChanged,
    AgentGovernance,
    AgentStatus,
    AgentTyping,
    ArtifactExpired,
    ArtifactResponse,
    ArtifactUpdate,
    AuthError,
    AuthExpiring,
    AuthOk,
    ErrorFrame,
    Frame,
    GroupKeyRotated,
    GroupUpdated,
    MessageAck,
    MessageNew,
    MessagePinned,
    MessageRead,
    MessageRecalled,
    MessageStatusUpdated,
    Pong,
    ReactionUpdate,
    RelationEstablished,
    RelationRestored,
    RelationSuspended,
    RelationTerminated,
    SessionInvalidated,
    StreamAbort,
    StreamDelta,
    StreamDone,
    StreamError,
    StreamStart,
)
from app.hashee.profiles import FIRST, PROFILES, Profile
from app.hashee.requests import LONGEST_ID, LONGEST_TOKEN

_ID = Text(least=1, most=LONGEST_ID)
_WORD = Text(least=1)
_ULID = Text(pattern="^[0-7][0-9A-HJKMNP-TV-Z]{25}$", examples=("01KB0000000000000000000000",))
_SEQ = Whole(1)
_OBJECT = Record(open=True)
_REACTION = Record(
    (
        Key("emoji", _WORD, "the reaction"),
        Key("count", Whole(0), "how many have it"),
        Key("user_ids", Items(Text()), "who has it"),
    ),
    open=True,
)

_KEYS: dict[str, tuple[Shape, str]] = {
    "reason": (_WORD, "why, for programs"),
    "message": (Text(), "why, for people, in English"),
    "i18n_key": (Text(pattern=r"^[a-z0-9_.]+$"), "the key of a translation"),
    "expires_in_seconds": (Whole(0), "how long it holds, in seconds"),
    "code": (Text(pattern="^[A-Z0-9_]+$"), "what went wrong, for programs"),
    "conversation_id": (_ID, "the conversation"),
    "message_id": (_ID, "the message"),
    "sender_id": (_ID, "who says it"),
    "sender_type": (OneOf(("human", "agent", "system")), "what they are"),
    "content_type": (_WORD, "what the payload is"),
    "encrypted_payload": (Text(), "opaque to the service"),
    "conversation_seq": (_SEQ, "the number of the message in its conversation"),
    "client_message_id": (_ID, "the sender's own id of the message"),
    "conversation_type": (_WORD, "direct, or group"),
    "sender_display_name": (Text(), "what the sender is called"),
    "quote_id": (_ID, "the message that it answers"),
    "mentions": (Items(Text()), "who is named"),
    "mention_all": (Flag(), "whether everybody is named"),
    "hop_count": (Whole(0), "how many agents it has passed"),
    "envelope_version": (Text(), "how the payload is wrapped"),
    "group_metadata": (_OBJECT, "about the group"),
    "user_id": (_ID, "the user"),
    "seq": (Whole(0), "up to which message"),
    "recalled_by": (_ID, "who takes it back"),
    "pinned_by": (_ID, "who pins it"),
    "pinned": (Flag(), "whether it is pinned now"),
    "stream_id": (_ULID, "the stream"),
    "display_name": (Text(), "what the user is called"),
    "avatar_url": (Text(), "a picture of the user"),
    "language": (Text(), "what the user speaks"),
    "referral_source": (Text(), "how the user came"),
    "public_key": (Text(), "the user's key"),
    "ref_artifact": (_ID, "the artifact"),
    "ref_action": (_WORD, "what the user does with it"),
    "values_": (_OBJECT, "what the user has filled in"),
    "artifact_id": (_ID, "the artifact"),
    "agent_template_id": (_ID, "the agent"),
    "governance_status": (_WORD, "whether it may go on"),
    "agent_id": (_ID, "the agent"),
    "typing": (Flag(), "whether it types"),
    "capability_manifest_version": (Whole(0), "the number of what the agent can do"),
    "capability_manifest_hash": (Text(), "its hash"),
    "group_key_version": (Whole(0), "the number of the key"),
    "reactions": (Items(_REACTION), "all reactions of the message, not what changed"),
    "changes": (_OBJECT, "what is new"),
    "revision": (Whole(0), "the number of the state"),
    "based_on_revision": (Whole(0), "the state that it is about"),
}
"""Fields: what they may be, and what they mean."""

_STATUS: dict[type[Frame], Shape] = {
    MessageStatusUpdated: OneOf(("delivered", "read")),
    AgentStatus: OneOf(("online", "offline")),
}

_MAY_LACK: dict[type[Frame], frozenset[str]] = {
    MessageNew: MessageNew.later - {"conversation_type"},
    MessageAck: frozenset(("client_message_id",)),
    ArtifactUpdate: frozenset(("revision", "based_on_revision")),
}
"""Fields that are not sent where there is nothing to say."""

_C, _M, _U, _A = (f"00000000-0000-4000-8000-00000000000{digit}" for digit in "1234")
_S = "01KB0000000000000000000000"
_AT = 1_795_600_000.0
_P = "c2VhbGVk"

_SAMPLES: tuple[tuple[Frame, str], ...] = (
    (AuthOk(), "The socket is authenticated."),
    (AuthError("invalid_token", "The token is not valid", "error.invalid_token"), "It is not; the socket is closed."),
    (AuthExpiring(60), "The access token is about to expire."),
    (Pong(), "The answer to ping."),
    (SessionInvalidated("logout"), "The session is over; the socket is closed."),
    (ErrorFrame("INVALID_REQUEST", "unknown type", "error.invalid_request"), "A frame could not be taken."),
    (MessageNew(_C, _M, _U, "human", "text", _P, 1, _AT, conversation_type="direct"), "Somebody has said something."),
    (MessageAck("m1", _M, 1), "The sender's message is accepted."),
    (MessageRead(_C, _U, 1), "Somebody has read up to a message."),
    (MessageRecalled(_M, _C, _U), "A message is taken back."),
    (MessageStatusUpdated(_M, _C, "delivered", 1), "A message has reached somebody, or is read."),
    (MessagePinned(_M, _C, _U, True), "A message is pinned, or no more."),
    (StreamStart(_S, _C, _A), "An agent begins to say something, piece by piece."),
    (StreamDelta(_S, _C, _P), "A piece of it."),
    (StreamDone(_S, _C, _M, 2, _P, _AT), "All of it, now a message."),
    (StreamAbort(_S, _C), "It will not be finished."),
    (StreamError(_S, _C, "timeout"), "A stream cannot go on; to the agent."),
    (RelationEstablished(_U, "Mina", "", "ko", "invite_link", ""), "A user has taken the agent up."),
    (RelationTerminated(_U), "A user has left the agent."),
    (RelationSuspended(_U), "A user may not write to the agent for now."),
    (RelationRestored(_U), "A user may write to the agent again."),
    (ArtifactResponse(_C, _M, _A, "submit", 1, {"name": "x"}), "A user has answered an artifact."),
    (ArtifactUpdate(_C, _M, _A, 2, None, _P), "An artifact has a new state."),
    (ArtifactExpired(_C, _M, _A), "An artifact cannot be answered any more."),
    (AgentGovernance(_A, "suspended", "review"), "The service has decided about an agent."),
    (AgentStatus(_A, "online"), "An agent has come, or gone."),
    (AgentTyping(_A, _C, True), "An agent types, or stops."),
    (AgentCapabilityChanged(_A, 2, "sha256:0"), "An agent can do something else than before."),
    (GroupKeyRotated(_C, 2), "A group has a new key."),
    (ReactionUpdate(_M, [{"emoji": "thumbsup", "count": 1, "user_ids": [_U]}]), "The reactions of a message."),
    (GroupUpdated(_C, {"name": "All"}), "A group has changed."),
)
"""An example of every frame, and when it is sent."""


def _key(kind: type[Frame], name: str, profile: Profile) -> Key:
    shape, meaning = _KEYS[name] if name in _KEYS else (Text(), "")
    if name == "status":
        shape, meaning = _STATUS[kind], "what it is now"
    elif kind is AgentGovernance and name == "reason":
        shape = Text()
    elif name == "created_at":
        milliseconds = r"\.[0-9]{3}" if profile.milliseconds else ""
        form = f"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}{milliseconds}Z$"
        shape, meaning = Text(pattern=form, examples=(profile.moment(_AT),)), "when it was accepted"
    return Key(name.rstrip("_"), shape, meaning, required=name not in _MAY_LACK.get(kind, ()))


def _frame(sample: Frame, told: str, profile: Profile) -> Message:
    kind = type(sample)
    left_out = kind.later if profile.id == FIRST else frozenset()
    keys = tuple(_key(kind, field.name, profile) for field in fields(kind) if field.name not in left_out)
    title = profile.name(kind.type)
    inner = (Key("payload", Record(keys), "what it says"),) if kind.nested else keys
    record = Record((Key("type", OneOf((title,)), "the kind"), *inner))
    return Message(kind.__name__.removesuffix("Frame"), "Frame", title, told, record, (profile.body(sample),))


def _request(title: str, told: str, keys: tuple[Key, ...] = (), **sample: object) -> Message:
    name = "".join(part.capitalize() for part in title.split("."))
    record = Record((Key("type", OneOf((title,)), "the kind"), *keys), ordered=False)
    return Message(name, "Request", title, told, record, ({"type": title, **sample},))


_TOKEN = Text(least=1, most=LONGEST_TOKEN)
_STREAM = (Key("stream_id", _ULID, "the stream, named by the agent"), Key("conversation_id", _ID, "the conversation"))
_PAYLOAD = Key("encrypted_payload", Text(least=1), "opaque to the service")
_OF_A_STREAM = {"stream_id": _S, "conversation_id": _C}
_REQUESTS = (
    _request(
        "auth",
        "The first frame of every socket, within 5 seconds.",
        (
            Key("token", _TOKEN, "an access token on /ws/human, an agent's token on /ws/agent"),
            Key("agent_id", _ID, "the agent, as in the address", required=False),
        ),
        token="hsk_0",
    ),
    _request(
        "auth.renew",
        "A new access token for the open socket of a person.",
        (Key("access_token", _TOKEN, "the new token"),),
        access_token="eyJ",
    ),
    _request("ping", "A sign of life."),
    _request("pong", "The answer to a ping."),
    _request("stream.start", "An agent begins to say something, piece by piece.", _STREAM, **_OF_A_STREAM),
    _request("stream.delta", "A piece of it.", (*_STREAM, _PAYLOAD), **_OF_A_STREAM, encrypted_payload=_P),
    _request(
        "stream.done",
        "All of it, to be kept as a message.",
        (
            *_STREAM,
            _PAYLOAD,
            Key("client_message_id", _ID, "the agent's own id of the message", required=False),
            Key("content_type", _ID, "what the payload is", required=False),
        ),
        **_OF_A_STREAM,
        encrypted_payload=_P,
    ),
    _request("stream.abort", "It will not be finished.", _STREAM, **_OF_A_STREAM),
    _request(
        "typing",
        "An agent types, or stops.",
        (Key("conversation_id", _ID, "the conversation"), Key("typing", Flag(), "true by default", required=False)),
        conversation_id=_C,
    ),
)

_SERVERS = (
    Server(
        "emulator",
        "127.0.0.1:{port}",
        "ws",
        "This emulator, where `chldo-emulator serve` puts it.",
        (("port", "8765", "the port it listens on"),),
    ),
)


def _edition(profile: Profile) -> Edition:
    frames = tuple(_frame(sample, told, profile) for sample, told in _SAMPLES if profile.knows(sample.type))
    asked = Key("profile", OneOf(tuple(PROFILES)), "the state to speak", required=False)
    agent = Key("agent_id", _ID, "the agent")
    of_people = ("Auth", "AuthRenew", "Ping", "Pong")
    of_agents = tuple(one.name for one in _REQUESTS if one.name != "AuthRenew")
    return Edition(
        wire="hashee",
        id=profile.id,
        title=f"Hashee messaging, as of {profile.id}",
        told="Message, stream and auth frames are flat, the others have their fields under `payload`. Keys stand in "
        "this order; those without a value are left out.",
        frames=frames,
        requests=_REQUESTS,
        marks=("type",),
        servers=_SERVERS,
        channels=(
            Channel("human", "/ws/human", "People listen here.", Record((asked,), ordered=False), (), None, of_people),
            Channel(
                "agent",
                "/ws/agent",
                "Agents listen and stream here.",
                Record((agent, asked), ordered=False),
                (),
                None,
                of_agents,
            ),
        ),
        exchanges=(
            Exchange("Auth", ("AuthOk", "AuthError"), "Whether the socket may stay."),
            Exchange("AuthRenew", ("AuthOk", "AuthError"), "Whether the token counts."),
            Exchange("Ping", ("Pong",), "The server is there."),
            Exchange("StreamStart", ("StreamError", "Error"), "Nothing to the agent, or why it cannot be."),
            Exchange("StreamDone", ("StreamError", "Error"), "Nothing to the agent, or why it cannot be."),
        ),
        default=profile.id == FIRST,
    )


def editions() -> list[Edition]:
    """Both profiles, the older first."""
    return [_edition(profile) for profile in PROFILES.values()]


HASHEE = Wire("hashee", "Hashee messaging", editions)
