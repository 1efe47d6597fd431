"""chldo WebSocket API, revision 2023-12-28 (v1).

What revision 2023-12-28 of the wire brought: The first one known, from clients only: one flat frame for texts
and voices, no envelope, no key. Frames have exactly these keys, in this order. Nothing is sent before a
request, and an unknown action is answered by the Forbidden frame. `msg` of a request must be there (the
setting `v3.require_msg` decides otherwise).

Generated from the frame classes by `chldo-emulator schema`; do not edit.
"""

# ruff: noqa: E501

from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, TypeAdapter

REVISION = "2023-12-28"
"""What these models describe."""

_MARKS = ("status", "event", "msgtype", "voice_url", "message", "action")


class _Message(BaseModel):
    """Exactly these keys, with values of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    def encode(self) -> str:
        """The message as compact JSON text, keys in the order of the wire; those that were left out stay out."""
        return self.model_dump_json(by_alias=True, exclude_unset=True)


def _in_steps_of(step: float) -> AfterValidator:
    """A check that a number is a whole multiple of `step`."""

    def check(value: float) -> float:
        if abs(value / step - round(value / step)) > 1e-6:
            raise ValueError(f"must be a multiple of {step}")
        return value

    return AfterValidator(check)


def _exactly(*types: type) -> BeforeValidator:
    """A check of the type itself: to Python, `True` is 1, to JSON it is not."""

    def check(value: object) -> object:
        if type(value) not in types:
            raise ValueError(f"must not be of type {type(value).__name__}")
        return value

    return BeforeValidator(check)


ConnectionId = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_-]{8}[oI]E0[AC][A-Za-z0-9]{2}[AQgw]=$", min_length=16, max_length=16),
]
"""A connection, as API Gateway names it."""


StreamUid = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{25}$", min_length=25, max_length=25)]
"""A turn."""


SentUid = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{28}$", min_length=28, max_length=28)]
"""A sentence of a reply."""


EpochText = Annotated[str, Field(pattern=r"^[0-9]{10}(\.[0-9]{1,6})?$")]
"""Epoch seconds as text, up to 6 decimals."""


VoiceUrl = Annotated[
    str,
    Field(
        pattern=r"^https?://[^?#]+/room_uid_voice/[^/?#]+/[0-9A-Za-z]{28}\.mp3\?Expires=[0-9]{10,}&Signature=[A-Za-z0-9~-]{341}[AQgw]__&Key-Pair-Id=[0-9A-Z]+$",
    ),
]
"""The signed address of a sentence's MP3."""


VoiceLength = Annotated[int | float, Field(ge=0.024), _in_steps_of(0.024)]
"""Seconds, a multiple of 0.024; an integer where it is whole."""


RequestId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        min_length=36,
        max_length=36,
    ),
]
"""A request, as API Gateway names it."""


class MessageTextFrame(_Message):
    """`message`: A piece of the reply. The whole reply at once (`stream: 0`) (in place of the tokens)."""

    room_uid: Annotated[str, Field(min_length=1)]
    """The room, as the request named it."""
    client_num: Annotated[int, Field(ge=1)]
    """How many sockets are open in the room."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    msg: Annotated[str, Field(min_length=1)]
    """A piece of the reply."""
    stream_uid: StreamUid
    """This turn, 25 characters; tells turns on one connection apart."""
    sent_uid: SentUid | None
    """The sentence: 26 characters from 2024-08-27 to 2024-10-02, else 28; may be null in v1."""
    cAt: EpochText
    """Epoch seconds as text; the same in START and END of a message, each its own in a greeting."""
    return_voice: Annotated[Literal[0, 1], _exactly(int)]
    """Whether sentences get a voice, 0 or 1; null in a greeting whose request left it out."""
    voice_url: None
    """Where the MP3 is, signed and for a limited time; null in a v1 text."""
    voice_length: None
    """Seconds, a multiple of 0.024; an integer where it is whole; null in a v1 text."""


class MessageVoiceFrame(_Message):
    """`message`: The voice of a sentence can be fetched (with `return_voice` 1)."""

    room_uid: Annotated[str, Field(min_length=1)]
    """The room, as the request named it."""
    client_num: Annotated[int, Field(ge=1)]
    """How many sockets are open in the room."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    msg: Literal[""]
    """Empty: this frame carries a voice."""
    stream_uid: StreamUid
    """This turn, 25 characters; tells turns on one connection apart."""
    sent_uid: SentUid | None
    """The sentence: 26 characters from 2024-08-27 to 2024-10-02, else 28; may be null in v1."""
    cAt: EpochText
    """Epoch seconds as text; the same in START and END of a message, each its own in a greeting."""
    return_voice: Annotated[Literal[0, 1], _exactly(int)]
    """Whether sentences get a voice, 0 or 1; null in a greeting whose request left it out."""
    voice_url: VoiceUrl
    """Where the MP3 is, signed and for a limited time; null in a v1 text."""
    voice_length: VoiceLength
    """Seconds, a multiple of 0.024; an integer where it is whole; null in a v1 text."""


class ErrorFrame(_Message):
    """`error`: The turn fails inside the flow. A request is refused."""

    status: Literal["connected"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    msg: str
    """What is wrong."""
    msgtype: Literal["error"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


class StatusFrame(_Message):
    """`connected`: Answer to the action `status`."""

    status: Literal["connected"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    msgtype: Literal["info"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


class ForbiddenFrame(_Message):
    """`Forbidden`: What API Gateway itself answers to an unknown action or to text that is no JSON object."""

    message: Literal["Forbidden"]
    """`Forbidden`."""
    connectionId: ConnectionId
    """This connection, in API Gateway's spelling."""
    requestId: RequestId
    """This request, UUIDv4."""


class StatusRequest(_Message):
    """`status`: Asks whether the connection is alive."""

    action: Literal["status"]
    """What is asked."""


class SendmessageRequest(_Message):
    """`sendmessage`: Says something to the agent of a space. A field that is null or "" counts as left out; one
    that is not listed is ignored by the server.
    """

    action: Literal["sendmessage"]
    """What is asked."""
    room_uid: Annotated[str, Field(min_length=1)]
    """The room; any text."""
    user_uid: Annotated[str, Field(min_length=1)]
    """Who speaks."""
    msg: Annotated[str, Field(min_length=1)]
    """What is said; without it, where it may be left out, the agent speaks first."""
    return_voice: Annotated[Literal[0, 1, "0", "1", None], _exactly(int, str, type(None))] = None
    """0, 1, "0" or "1": whether sentences get a voice; left out, the space decides."""
    stream: Annotated[Literal[0, 1, "0", "1", None], _exactly(int, str, type(None))] = None
    """0 or 1, default 1; 0: the whole reply in one frame (understood here, documented from 2024-10-02 on)."""
    no_save: Annotated[Literal[0, 1, "0", "1", None], _exactly(int, str, type(None))] = None
    """0 or 1, default 0; 1: the turn leaves no trace in the room (understood here, documented from 2024-10-02
    on).
    """
    no_history: Annotated[Literal[0, 1, "0", "1", None], _exactly(int, str, type(None))] = None
    """0 or 1, default 0; 1: the model sees no earlier turns (understood here, documented from 2024-10-02 on)."""
    model: str | None = None
    """Chooses among the models of the configured endpoint (understood here, documented from 2024-10-02 on)."""
    language: str | None = None
    """A code such as `ko`: language of the reply and of the voice (understood here, documented from 2024-11-03
    on).
    """
    questioner: str | None = None
    """A name, handed to the graph."""
    visitor_name: str | None = None
    """A name, for `{{visitor_name}}` in prompts and replies (understood here, documented from 2024-11-03 on)."""
    filename: str | None = None
    """An image uploaded before (understood here, documented from 2024-08-27 on)."""
    scene_number: Annotated[int, Field(ge=0, le=7)] | None = None
    """0 to 7 (understood here, documented from 2024-08-27 on)."""
    subject: str | None = None
    """What the talk is about; taken and not used."""
    receiver_uid: str | None = None
    """Who is spoken to; taken and not used."""


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


_FRAMES: tuple[type[BaseModel], ...] = (MessageTextFrame, MessageVoiceFrame, ErrorFrame, StatusFrame, ForbiddenFrame)


Frame = Annotated[
    Annotated[MessageTextFrame, Tag("MessageTextFrame")]
    | Annotated[MessageVoiceFrame, Tag("MessageVoiceFrame")]
    | Annotated[ErrorFrame, Tag("ErrorFrame")]
    | Annotated[StatusFrame, Tag("StatusFrame")]
    | Annotated[ForbiddenFrame, Tag("ForbiddenFrame")],
    Discriminator(lambda message: _kind_of(message, _FRAMES)),
]
"""Everything that the server sends."""

_Frame: TypeAdapter[Frame] = TypeAdapter(Frame)


_REQUESTS: tuple[type[BaseModel], ...] = (StatusRequest, SendmessageRequest)


ClientRequest = Annotated[
    Annotated[StatusRequest, Tag("StatusRequest")] | Annotated[SendmessageRequest, Tag("SendmessageRequest")],
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
