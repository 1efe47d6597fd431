"""chldo WebSocket API, revision 2024-09-11 (R4).

What revision 2024-09-11 of the wire brought: The action `greeting`; `msg` may be left out. Frames have
exactly these keys, in this order. Nothing is sent before a request, and an unknown action is answered by the
Forbidden frame. `msg` of a request may be left out (the setting `v3.require_msg` decides otherwise).

Generated from the frame classes by `chldo-emulator schema`; do not edit.
"""

# ruff: noqa: E501

from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, TypeAdapter

REVISION = "2024-09-11"
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


EpochText = Annotated[str, Field(pattern=r"^[0-9]{10}(\.[0-9]{1,6})?$")]
"""Epoch seconds as text, up to 6 decimals."""


RunId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        min_length=36,
        max_length=36,
    ),
]
"""A run of LangGraph: a UUID of version 4."""


class MessageChunk(_Message):
    """A piece of the model's message, as LangChain dumps it."""

    content: Annotated[str, Field(min_length=1)]
    additional_kwargs: Annotated[dict[str, Any], Field(max_length=0)]
    response_metadata: Annotated[dict[str, Any], Field(max_length=0)]
    type: Literal["AIMessageChunk"]
    name: None
    id: None
    example: Annotated[Literal[False], _exactly(bool)]
    tool_calls: Annotated[list[dict[str, Any]], Field(max_length=0)]
    invalid_tool_calls: Annotated[list[Any], Field(max_length=0)]
    usage_metadata: None
    tool_call_chunks: Annotated[list[dict[str, Any]], Field(max_length=0)]


SentUid = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{26}$", min_length=26, max_length=26)]
"""A sentence of a reply."""


VoiceUrl = Annotated[
    str,
    Field(
        pattern=r"^https?://[^?#]+/room_uid_voice/[^/?#]+/[0-9A-Za-z]{26}\.mp3\?Expires=[0-9]{10,}&Signature=[A-Za-z0-9~-]{341}[AQgw]__&Key-Pair-Id=[0-9A-Z]+$",
    ),
]
"""The signed address of a sentence's MP3."""


GreetingUrl = Annotated[
    str,
    Field(
        pattern=r"^https?://[^?#]+/room_uid_voice/[^/?#]+/greeting_[0-9]+\.mp3\?Expires=[0-9]{10,}&Signature=[A-Za-z0-9~-]{341}[AQgw]__&Key-Pair-Id=[0-9A-Z]+$",
    ),
]
"""The signed address of a greeting's MP3."""


VoiceLength = Annotated[int | float, Field(ge=0.024), _in_steps_of(0.024)]
"""Seconds, a multiple of 0.024; an integer where it is whole."""


HotwordUid = Annotated[str, Field(pattern=r"^[0-9a-f]{17}$", min_length=17, max_length=17)]
"""A memory that listens for a hotword."""


RequestId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        min_length=36,
        max_length=36,
    ),
]
"""A request, as API Gateway names it."""


class ToolCallChunk(_Message):
    """A piece of the model's message, as LangChain dumps it."""

    content: Literal[""]
    additional_kwargs: Annotated[dict[str, Any], Field(max_length=0)]
    response_metadata: Annotated[dict[str, Any], Field(max_length=0)]
    type: Literal["AIMessageChunk"]
    name: None
    id: None
    example: Annotated[Literal[False], _exactly(bool)]
    tool_calls: list[dict[str, Any]]
    invalid_tool_calls: Annotated[list[Any], Field(max_length=0)]
    usage_metadata: None
    tool_call_chunks: list[dict[str, Any]]


class StartFrame(_Message):
    """`START`: The request is accepted. A greeting is accepted."""

    status: Literal["START"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    msg: Literal["<SOM>", ""]
    """The mark of the beginning; "" where the setting `v3.som_eom` is off."""
    cAt: EpochText
    """Epoch seconds as text; the same in START and END of a message, each its own in a greeting."""
    return_voice: Annotated[Literal[0, 1, None], _exactly(int, type(None))]
    """Whether sentences get a voice, 0 or 1; null in a greeting whose request left it out."""
    msgtype: Literal["info"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


class ReceivedFrame(_Message):
    """`received`: The request is accepted."""

    status: Literal["received"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    msg: Literal["메시지를 전달 받았습니다."]
    """A fixed text."""
    msgtype: Literal["info"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


class MemoryFrame(_Message):
    """`memory`: The room's earlier turns are being read. The room's earlier turns stand in the model's input.
    The space's memories are known.
    """

    status: Literal["memory"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    msg: Literal["기억을 찾고 있습니다.", "기억에 연결하였습니다.", "기억을 재생 중입니다."]
    """One of these, in this order."""
    msgtype: Literal["info"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


class ThinkFrame(_Message):
    """`think`: The graph starts. The graph has ended, well or not."""

    status: Literal["think"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    msg: Literal["생각을 시작합니다.", "생각이 끝났습니다."]
    """One of these, in this order."""
    msgtype: Literal["info"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


class RunEventFrame(_Message):
    """`run event`: A LangGraph event that is no token. Anything else that LangGraph runs."""

    event: Literal[
        "on_chain_start",
        "on_chain_end",
        "on_chat_model_start",
        "on_tool_start",
        "on_tool_end",
        "on_tool_error",
        "on_llm_start",
        "on_llm_stream",
        "on_llm_end",
        "on_retriever_start",
        "on_retriever_end",
        "on_prompt_start",
        "on_prompt_end",
        "on_parser_start",
        "on_parser_stream",
        "on_parser_end",
        "on_custom_event",
    ]
    """LangChain's name of the event."""
    data: Annotated[dict[str, Any], Field(max_length=0)]
    """What the event carries: `chunk.content` is the token, `chunk.messages` the whole reply."""
    run_id: RunId
    """The run that the event belongs to, UUIDv4."""
    parent_ids: list[RunId]
    """The runs around it, outermost first; empty for the graph itself."""
    tags: list[Annotated[str, Field(min_length=1)]]
    """LangChain's tags of the run; `graph:step:N` counts over the turns of the room."""


class OnChatModelStreamFrameData(_Message):
    """Within `OnChatModelStreamFrame`."""

    chunk: MessageChunk


class OnChatModelStreamFrame(_Message):
    """`on_chat_model_stream`: A piece of the reply."""

    event: Literal["on_chat_model_stream"]
    """LangChain's name of the event."""
    data: OnChatModelStreamFrameData
    """What the event carries: `chunk.content` is the token, `chunk.messages` the whole reply."""
    run_id: RunId
    """The run that the event belongs to, UUIDv4."""
    parent_ids: list[RunId]
    """The runs around it, outermost first; empty for the graph itself."""
    tags: list[Annotated[str, Field(min_length=1)]]
    """LangChain's tags of the run; `graph:step:N` counts over the turns of the room."""
    sent_uid: SentUid
    """The sentence: 26 characters from 2024-08-27 to 2024-10-02, else 28."""


class VoiceReadyFrame(_Message):
    """`voice_ready`: The voice of a sentence can be fetched (with `return_voice` 1)."""

    status: Literal["voice_ready"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    voice_url: VoiceUrl
    """Where the MP3 is, signed and for a limited time."""
    sent_uid: SentUid
    """The sentence: 26 characters from 2024-08-27 to 2024-10-02, else 28."""
    msgtype: Literal["info"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


class OnChainStreamFrameData(_Message):
    """Within `OnChainStreamFrame`."""

    chunk: Any
    """What was added to the state; in the shipped graphs `messages`, at the graph's end inside `model`."""


class OnChainStreamFrame(_Message):
    """`on_chain_stream`: A LangGraph event that is no token."""

    event: Literal["on_chain_stream"]
    """LangChain's name of the event."""
    data: OnChainStreamFrameData
    """What the event carries: `chunk.content` is the token, `chunk.messages` the whole reply."""
    run_id: RunId
    """The run that the event belongs to, UUIDv4."""
    parent_ids: list[RunId]
    """The runs around it, outermost first; empty for the graph itself."""
    tags: list[Annotated[str, Field(min_length=1)]]
    """LangChain's tags of the run; `graph:step:N` counts over the turns of the room."""


class EndFrame(_Message):
    """`END`: The turn is over."""

    status: Literal["END"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    msg: Literal["<EOM>", ""]
    """The mark of the end; "" where the setting `v3.som_eom` is off."""
    cAt: EpochText
    """Epoch seconds as text; the same in START and END of a message, each its own in a greeting."""
    return_voice: Annotated[Literal[0, 1, None], _exactly(int, type(None))]
    """Whether sentences get a voice, 0 or 1; null in a greeting whose request left it out."""
    msgtype: Literal["info"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


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


class GreetingFrame(_Message):
    """`greeting`: The greeting itself."""

    status: Literal["greeting"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    msg: Annotated[str, Field(min_length=1)]
    """The greeting."""
    msgtype: Literal["info"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


class GreetingVoiceReadyFrame(_Message):
    """`voice_ready`: The voice of the greeting can be fetched (with `return_voice` 1)."""

    status: Literal["voice_ready"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    cAt: EpochText
    """Epoch seconds as text; the same in START and END of a message, each its own in a greeting."""
    room_uid: Annotated[str, Field(min_length=1)]
    """The room, as the request named it."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    questioner: str
    """The `questioner` of the request, else ""."""
    org_id: str
    """The organisation that the space belongs to."""
    msg: Annotated[str, Field(min_length=1)]
    """The greeting."""
    voice_url: GreetingUrl
    """Where the MP3 is, signed and for a limited time."""
    voice_length: VoiceLength
    """Seconds, a multiple of 0.024; an integer where it is whole."""
    sent_uid: SentUid
    """The sentence: 26 characters from 2024-08-27 to 2024-10-02, else 28."""
    msgtype: Literal["info"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""
    hotword_uids: list[HotwordUid]
    """The memories whose words the greeting says."""
    return_voice: Annotated[Literal[0, 1, None], _exactly(int, type(None))]
    """Whether sentences get a voice, 0 or 1; null in a greeting whose request left it out."""


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


class OnChatModelStreamToolCallFrameData(_Message):
    """Within `OnChatModelStreamToolCallFrame`."""

    chunk: ToolCallChunk


class OnChatModelStreamToolCallFrame(_Message):
    """`on_chat_model_stream`: The model calls a tool."""

    event: Literal["on_chat_model_stream"]
    """LangChain's name of the event."""
    data: OnChatModelStreamToolCallFrameData
    """What the event carries: `chunk.content` is the token, `chunk.messages` the whole reply."""
    run_id: RunId
    """The run that the event belongs to, UUIDv4."""
    parent_ids: list[RunId]
    """The runs around it, outermost first; empty for the graph itself."""
    tags: list[Annotated[str, Field(min_length=1)]]
    """LangChain's tags of the run; `graph:step:N` counts over the turns of the room."""


class StatusRequest(_Message):
    """`status`: Asks whether the connection is alive."""

    action: Literal["status"]
    """What is asked."""


class SendmsgRequest(_Message):
    """`sendmsg`: Says something to the agent of a space. A field that is null or "" counts as left out; one that
    is not listed is ignored by the server.
    """

    action: Literal["sendmsg"]
    """What is asked."""
    api_key: Annotated[str, Field(min_length=1)]
    """Names the space."""
    room_uid: Annotated[str, Field(min_length=1)]
    """The room; any text."""
    user_id: Annotated[str, Field(min_length=1)]
    """Who speaks."""
    msg: str | None = None
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
    """An image uploaded before."""
    scene_number: Annotated[int, Field(ge=0, le=7)] | None = None
    """0 to 7."""


class GreetingRequest(_Message):
    """`greeting`: Asks for one of the greetings of a space. A field that is null or "" counts as left out; one
    that is not listed is ignored by the server.
    """

    action: Literal["greeting"]
    """What is asked."""
    api_key: Annotated[str, Field(min_length=1)]
    """Names the space."""
    room_uid: Annotated[str, Field(min_length=1)]
    """The room; any text."""
    user_id: Annotated[str, Field(min_length=1)]
    """Who speaks."""
    greeting_number: Annotated[int, Field(ge=1, le=2147483647)] | None = None
    """Which greeting of the space, default 1."""
    return_voice: Annotated[Literal[0, 1, "0", "1", None], _exactly(int, str, type(None))] = None
    """0, 1, "0" or "1": whether sentences get a voice; left out, the space decides."""
    language: str | None = None
    """A code such as `ko`: language of the reply and of the voice (understood here, documented from 2024-11-03
    on).
    """
    questioner: str | None = None
    """A name, handed to the graph."""
    scene_number: Annotated[int, Field(ge=0, le=7)] | None = None
    """0 to 7."""


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
    StartFrame,
    ReceivedFrame,
    MemoryFrame,
    ThinkFrame,
    RunEventFrame,
    OnChatModelStreamFrame,
    VoiceReadyFrame,
    OnChainStreamFrame,
    EndFrame,
    ErrorFrame,
    GreetingFrame,
    GreetingVoiceReadyFrame,
    StatusFrame,
    ForbiddenFrame,
    OnChatModelStreamToolCallFrame,
)


Frame = Annotated[
    Annotated[StartFrame, Tag("StartFrame")]
    | Annotated[ReceivedFrame, Tag("ReceivedFrame")]
    | Annotated[MemoryFrame, Tag("MemoryFrame")]
    | Annotated[ThinkFrame, Tag("ThinkFrame")]
    | Annotated[RunEventFrame, Tag("RunEventFrame")]
    | Annotated[OnChatModelStreamFrame, Tag("OnChatModelStreamFrame")]
    | Annotated[VoiceReadyFrame, Tag("VoiceReadyFrame")]
    | Annotated[OnChainStreamFrame, Tag("OnChainStreamFrame")]
    | Annotated[EndFrame, Tag("EndFrame")]
    | Annotated[ErrorFrame, Tag("ErrorFrame")]
    | Annotated[GreetingFrame, Tag("GreetingFrame")]
    | Annotated[GreetingVoiceReadyFrame, Tag("GreetingVoiceReadyFrame")]
    | Annotated[StatusFrame, Tag("StatusFrame")]
    | Annotated[ForbiddenFrame, Tag("ForbiddenFrame")]
    | Annotated[OnChatModelStreamToolCallFrame, Tag("OnChatModelStreamToolCallFrame")],
    Discriminator(lambda message: _kind_of(message, _FRAMES)),
]
"""Everything that the server sends."""

_Frame: TypeAdapter[Frame] = TypeAdapter(Frame)


_REQUESTS: tuple[type[BaseModel], ...] = (StatusRequest, SendmsgRequest, GreetingRequest)


ClientRequest = Annotated[
    Annotated[StatusRequest, Tag("StatusRequest")]
    | Annotated[SendmsgRequest, Tag("SendmsgRequest")]
    | Annotated[GreetingRequest, Tag("GreetingRequest")],
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
