"""chldo WebSocket API, revision 2024-07-01 (R1).

What revision 2024-07-01 of the wire brought: A new API: LangGraph's own events and nothing around them;
`org_id` names the space. Frames have exactly these keys, in this order. Nothing is sent before a request, and
an unknown action is answered by the Forbidden frame. `msg` of a request must be there (the setting
`v3.require_msg` decides otherwise).

Generated from the frame classes by `chldo-emulator schema`; do not edit.
"""

# ruff: noqa: E501

from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, TypeAdapter

REVISION = "2024-07-01"
"""What these models describe."""

_MARKS = ("status", "event", "msgtype", "voice_url", "message", "action")


class _Message(BaseModel):
    """Exactly these keys, with values of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    def encode(self) -> str:
        """The message as compact JSON text, keys in the order of the wire; those that were left out stay out."""
        return self.model_dump_json(by_alias=True, exclude_unset=True)


def _exactly(*types: type) -> BeforeValidator:
    """A check of the type itself: to Python, `True` is 1, to JSON it is not."""

    def check(value: object) -> object:
        if type(value) not in types:
            raise ValueError(f"must not be of type {type(value).__name__}")
        return value

    return BeforeValidator(check)


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

    content: str
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


ConnectionId = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_-]{8}[oI]E0[AC][A-Za-z0-9]{2}[AQgw]=$", min_length=16, max_length=16),
]
"""A connection, as API Gateway names it."""


RequestId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        min_length=36,
        max_length=36,
    ),
]
"""A request, as API Gateway names it."""


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
    """`on_chat_model_stream`: A piece of the reply. The model calls a tool."""

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


class SendmsgRequest(_Message):
    """`sendmsg`: Says something to the agent of a space. A field that is null or "" counts as left out; one that
    is not listed is ignored by the server.
    """

    action: Literal["sendmsg"]
    """What is asked."""
    org_id: Annotated[str, Field(min_length=1)]
    """Names the space; an unknown one is served by the default space."""
    room_uid: Annotated[str, Field(min_length=1)]
    """The room; any text."""
    user_id: Annotated[str, Field(min_length=1)]
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
    api_key: str | None = None
    """Not looked at yet."""


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
    RunEventFrame,
    OnChatModelStreamFrame,
    OnChainStreamFrame,
    ErrorFrame,
    StatusFrame,
    ForbiddenFrame,
)


Frame = Annotated[
    Annotated[RunEventFrame, Tag("RunEventFrame")]
    | Annotated[OnChatModelStreamFrame, Tag("OnChatModelStreamFrame")]
    | Annotated[OnChainStreamFrame, Tag("OnChainStreamFrame")]
    | Annotated[ErrorFrame, Tag("ErrorFrame")]
    | Annotated[StatusFrame, Tag("StatusFrame")]
    | Annotated[ForbiddenFrame, Tag("ForbiddenFrame")],
    Discriminator(lambda message: _kind_of(message, _FRAMES)),
]
"""Everything that the server sends."""

_Frame: TypeAdapter[Frame] = TypeAdapter(Frame)


_REQUESTS: tuple[type[BaseModel], ...] = (StatusRequest, SendmsgRequest)


ClientRequest = Annotated[
    Annotated[StatusRequest, Tag("StatusRequest")] | Annotated[SendmsgRequest, Tag("SendmsgRequest")],
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
