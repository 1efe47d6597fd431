"""chldo WebSocket API, revision 2024-11-13 (R9).

What revision 2024-11-13 of the wire brought: `use_choices` in requests, and two `choices` frames between
think and END. Frames have exactly these keys, in this order. Nothing is sent before a request, and an unknown
action is answered by the Forbidden frame. `msg` of a request may be left out (the setting `v3.require_msg`
decides otherwise).

Generated from the frame classes by `chldo-emulator schema`; do not edit.
"""

# ruff: noqa: E501

from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, TypeAdapter

REVISION = "2024-11-13"
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


EpochText = Annotated[str, Field(pattern=r"^[0-9]{10}(\.[0-9]{1,6})?$")]
"""Epoch seconds as text, up to 6 decimals."""


SentUid = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{28}$", min_length=28, max_length=28)]
"""A sentence of a reply."""


HotwordUid = Annotated[str, Field(pattern=r"^[0-9a-f]{17}$", min_length=17, max_length=17)]
"""A memory that listens for a hotword."""


VoiceUrl = Annotated[
    str,
    Field(
        pattern=r"^https?://[^?#]+/room_uid_voice/[^/?#]+/[0-9A-Za-z]{28}\.mp3\?Expires=[0-9]{10,}&Signature=[A-Za-z0-9~-]{341}[AQgw]__&Key-Pair-Id=[0-9A-Z]+$",
    ),
]
"""The signed address of a sentence's MP3."""


VoiceLength = Annotated[int | float, Field(ge=0.024), _in_steps_of(0.024)]
"""Seconds, a multiple of 0.024; an integer where it is whole."""


class Choice(_Message):
    """Something that the user may say next."""

    text: Annotated[str, Field(min_length=1)]
    tone: str


class AssistantMessage(_Message):
    """The reply as the graph keeps it."""

    role: Literal["assistant"]
    content: Annotated[str, Field(min_length=1)]
    tool_calls: None


GreetingUrl = Annotated[
    str,
    Field(
        pattern=r"^https?://[^?#]+/room_uid_voice/[^/?#]+/greeting_[0-9]+\.mp3\?Expires=[0-9]{10,}&Signature=[A-Za-z0-9~-]{341}[AQgw]__&Key-Pair-Id=[0-9A-Z]+$",
    ),
]
"""The signed address of a greeting's MP3."""


RequestId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        min_length=36,
        max_length=36,
    ),
]
"""A request, as API Gateway names it."""


class StartFrame(_Message):
    """`START`: The request is accepted. A greeting is accepted."""

    status: Literal["START"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    room_uid: Annotated[str, Field(min_length=1)]
    """The room, as the request named it."""
    stream_uid: StreamUid
    """This turn, 25 characters; tells turns on one connection apart."""
    scene_number: Annotated[int, Field(ge=0, le=7)]
    """The scene of the turn: the request's, else the revision's default."""
    msg: Literal["<SOM>", ""]
    """The mark of the beginning; "" where the setting `v3.som_eom` is off."""
    is_stream: bool
    """False on every frame of a turn that was asked for with `stream` 0."""
    cAt: EpochText
    """Epoch seconds as text; the same in START and END of a message, each its own in a greeting."""
    return_voice: Annotated[Literal[0, 1, None], _exactly(int, type(None))]
    """Whether sentences get a voice, 0 or 1; null in a greeting whose request left it out."""
    msgtype: Literal["info"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


class HistoryFrame(_Message):
    """`history`: The room's earlier turns are being read. The room's earlier turns stand in the model's input."""

    status: Literal["history"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    stream_uid: StreamUid
    """This turn, 25 characters; tells turns on one connection apart."""
    scene_number: Annotated[int, Field(ge=0, le=7)]
    """The scene of the turn: the request's, else the revision's default."""
    room_uid: Annotated[str, Field(min_length=1)]
    """The room, as the request named it."""
    msg: Literal["대화 기억을 찾고 있습니다.", "대화 기억을 재생하였습니다."]
    """One of these, in this order."""
    is_stream: bool
    """False on every frame of a turn that was asked for with `stream` 0."""
    msgtype: Literal["info"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


class MemoryFrame(_Message):
    """`memory`: The space's memories are being read. The space's memories are known."""

    status: Literal["memory"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    stream_uid: StreamUid
    """This turn, 25 characters; tells turns on one connection apart."""
    scene_number: Annotated[int, Field(ge=0, le=7)]
    """The scene of the turn: the request's, else the revision's default."""
    room_uid: Annotated[str, Field(min_length=1)]
    """The room, as the request named it."""
    msg: (
        Literal["저장된 메모리를 찾고 있습니다."]
        | Annotated[
            str,
            Field(pattern=r"^저장된 메모리를 찾았습니다\. 핫워드 수신으로 설정된 메모리는 총 -?[0-9]+개 입니다\.$"),
        ]
    )
    """The first, then the second: it counts who listens for hotwords."""
    is_stream: bool
    """False on every frame of a turn that was asked for with `stream` 0."""
    msgtype: Literal["info"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


class ThinkFrame(_Message):
    """`think`: The graph starts. The graph has ended, well or not."""

    status: Literal["think"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    stream_uid: StreamUid
    """This turn, 25 characters; tells turns on one connection apart."""
    scene_number: Annotated[int, Field(ge=0, le=7)]
    """The scene of the turn: the request's, else the revision's default."""
    room_uid: Annotated[str, Field(min_length=1)]
    """The room, as the request named it."""
    msg: Literal["생각을 시작합니다.", "생각이 끝났습니다."]
    """One of these, in this order."""
    is_stream: bool
    """False on every frame of a turn that was asked for with `stream` 0."""
    msgtype: Literal["info"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


class StreamFrameDataChunk(_Message):
    """Within `StreamFrameData`."""

    content: Annotated[str, Field(min_length=1)]
    """The token."""


class StreamFrameData(_Message):
    """Within `StreamFrame`."""

    chunk: StreamFrameDataChunk


class StreamFrame(_Message):
    """`stream`: A piece of the reply."""

    status: Literal["stream"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    stream_uid: StreamUid
    """This turn, 25 characters; tells turns on one connection apart."""
    scene_number: Annotated[int, Field(ge=0, le=7)]
    """The scene of the turn: the request's, else the revision's default."""
    room_uid: Annotated[str, Field(min_length=1)]
    """The room, as the request named it."""
    sent_uid: SentUid
    """The sentence: 26 characters from 2024-08-27 to 2024-10-02, else 28."""
    event: Literal["on_chat_model_stream"]
    """LangChain's name of the event."""
    data: StreamFrameData
    """What the event carries: `chunk.content` is the token, `chunk.messages` the whole reply."""
    msg: Annotated[str, Field(min_length=1)]
    """A piece of the reply, the same as in `data.chunk.content`."""
    is_stream: Annotated[Literal[True], _exactly(bool)]
    """False on every frame of a turn that was asked for with `stream` 0."""
    msgtype: Literal["stream"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


class HotwordDetectedFrame(_Message):
    """`hotword_detected`: The reply is about to say a word that a memory listens for (once for each memory in a
    room).
    """

    status: Literal["hotword_detected"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    stream_uid: StreamUid
    """This turn, 25 characters; tells turns on one connection apart."""
    scene_number: Annotated[int, Field(ge=0, le=7)]
    """The scene of the turn: the request's, else the revision's default."""
    room_uid: Annotated[str, Field(min_length=1)]
    """The room, as the request named it."""
    msg: (
        Annotated[str, Field(pattern=r'^핫워드 "[\s\S]+"가 감지되었습니다\.$')]
        | Annotated[str, Field(pattern=r"^핫워드 '[\s\S]+'이 감지되었습니다\.$")]
    )
    """Tells the word; the second form stands in one sample of the documents only."""
    hotword: Annotated[str, Field(min_length=1)]
    """The word that was heard."""
    hotword_uid: HotwordUid
    """The memory that listens for it, 17 hexadecimal digits."""
    is_stream: bool
    """False on every frame of a turn that was asked for with `stream` 0."""
    msgtype: Literal["info"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


class MemoryDictFrame(_Message):
    """`memory_dict`: The dictionary of the memory just detected, as JSON text (if it has one)."""

    status: Literal["memory_dict"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    stream_uid: StreamUid
    """This turn, 25 characters; tells turns on one connection apart."""
    scene_number: Annotated[int, Field(ge=0, le=7)]
    """The scene of the turn: the request's, else the revision's default."""
    room_uid: Annotated[str, Field(min_length=1)]
    """The room, as the request named it."""
    msg: Annotated[str, Field(pattern=r"^[\[{][\s\S]*[\]}]$")]
    """The dictionary: JSON as text, a list of `{"v": value, "k": key}`."""
    hotword: Annotated[str, Field(min_length=1)]
    """The word that was heard."""
    hotword_uid: HotwordUid
    """The memory that listens for it, 17 hexadecimal digits."""
    is_stream: bool
    """False on every frame of a turn that was asked for with `stream` 0."""
    msgtype: Literal["hotword"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


class VoiceReadyFrame(_Message):
    """`voice_ready`: The voice of a sentence can be fetched (with `return_voice` 1)."""

    status: Literal["voice_ready"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    stream_uid: StreamUid
    """This turn, 25 characters; tells turns on one connection apart."""
    scene_number: Annotated[int, Field(ge=0, le=7)]
    """The scene of the turn: the request's, else the revision's default."""
    room_uid: Annotated[str, Field(min_length=1)]
    """The room, as the request named it."""
    sent_uid: SentUid
    """The sentence: 26 characters from 2024-08-27 to 2024-10-02, else 28."""
    msg: Annotated[str, Field(min_length=1)]
    """The sentence that is spoken."""
    voice_url: VoiceUrl
    """Where the MP3 is, signed and for a limited time."""
    voice_length: VoiceLength
    """Seconds, a multiple of 0.024; an integer where it is whole."""
    is_stream: bool
    """False on every frame of a turn that was asked for with `stream` 0."""
    msgtype: Literal["info"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


class ChoicesStartFrame(_Message):
    """`choices`: What the user may say next is being put together (with `use_choices` 1 or more)."""

    status: Literal["choices"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    stream_uid: StreamUid
    """This turn, 25 characters; tells turns on one connection apart."""
    scene_number: Annotated[int, Field(ge=0, le=7)]
    """The scene of the turn: the request's, else the revision's default."""
    room_uid: Annotated[str, Field(min_length=1)]
    """The room, as the request named it."""
    msg: Literal["선택지 구성을 시작합니다."]
    """A fixed text."""
    is_stream: bool
    """False on every frame of a turn that was asked for with `stream` 0."""
    msgtype: Literal["info"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


class ChoicesEndFrame(_Message):
    """`choices`: What the user may say next is known (with `use_choices` 1 or more)."""

    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    stream_uid: StreamUid
    """This turn, 25 characters; tells turns on one connection apart."""
    choices: list[Choice]
    """What the user may say next: `text` and `tone` each."""
    room_uid: Annotated[str, Field(min_length=1)]
    """The room, as the request named it."""
    is_stream: bool
    """False on every frame of a turn that was asked for with `stream` 0."""
    status: Literal["choices"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    use_choices: Annotated[int, Field(ge=1)]
    """How many choices were asked for."""
    msg: Literal["선택지 구성을 종료합니다."]
    """A fixed text."""
    msgtype: Literal["info_choices"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


class EndFrame(_Message):
    """`END`: The turn is over."""

    status: Literal["END"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    stream_uid: StreamUid
    """This turn, 25 characters; tells turns on one connection apart."""
    scene_number: Annotated[int, Field(ge=0, le=7)]
    """The scene of the turn: the request's, else the revision's default."""
    room_uid: Annotated[str, Field(min_length=1)]
    """The room, as the request named it."""
    msg: Literal["<EOM>", ""]
    """The mark of the end; "" where the setting `v3.som_eom` is off."""
    cAt: EpochText
    """Epoch seconds as text; the same in START and END of a message, each its own in a greeting."""
    is_stream: bool
    """False on every frame of a turn that was asked for with `stream` 0."""
    return_voice: Annotated[Literal[0, 1, None], _exactly(int, type(None))]
    """Whether sentences get a voice, 0 or 1; null in a greeting whose request left it out."""
    msgtype: Literal["info"]
    """`info`, `stream`, `error`, `hotword` or `info_choices`."""


class StreamReplyFrameDataChunk(_Message):
    """Within `StreamReplyFrameData`."""

    messages: Annotated[list[AssistantMessage], Field(min_length=1, max_length=1)]
    """The reply."""


class StreamReplyFrameData(_Message):
    """Within `StreamReplyFrame`."""

    chunk: StreamReplyFrameDataChunk


class StreamReplyFrame(_Message):
    """`stream`: The whole reply at once (`stream: 0`) (in place of the tokens)."""

    status: Literal["stream"]
    """What kind of frame it is; `connected` for answers outside the flow and for every error."""
    connection_id: ConnectionId
    """This connection, 16 characters, the same as long as it is open."""
    stream_uid: StreamUid
    """This turn, 25 characters; tells turns on one connection apart."""
    scene_number: Annotated[int, Field(ge=0, le=7)]
    """The scene of the turn: the request's, else the revision's default."""
    room_uid: Annotated[str, Field(min_length=1)]
    """The room, as the request named it."""
    sent_uid: SentUid
    """The sentence: 26 characters from 2024-08-27 to 2024-10-02, else 28."""
    event: Literal["on_chain_stream"]
    """LangChain's name of the event."""
    data: StreamReplyFrameData
    """What the event carries: `chunk.content` is the token, `chunk.messages` the whole reply."""
    msg: Annotated[str, Field(min_length=1)]
    """The whole reply, the same as in `data.chunk.messages`."""
    is_stream: Annotated[Literal[False], _exactly(bool)]
    """False on every frame of a turn that was asked for with `stream` 0."""
    msgtype: Literal["stream"]
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
    stream_uid: StreamUid
    """This turn, 25 characters; tells turns on one connection apart."""
    scene_number: Annotated[int, Field(ge=0, le=7)]
    """The scene of the turn: the request's, else the revision's default."""
    room_uid: Annotated[str, Field(min_length=1)]
    """The room, as the request named it."""
    msg: Annotated[str, Field(min_length=1)]
    """The greeting."""
    is_stream: bool
    """False on every frame of a turn that was asked for with `stream` 0."""
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
    """0 or 1, default 1; 0: the whole reply in one frame."""
    no_save: Annotated[Literal[0, 1, "0", "1", None], _exactly(int, str, type(None))] = None
    """0 or 1, default 0; 1: the turn leaves no trace in the room."""
    no_history: Annotated[Literal[0, 1, "0", "1", None], _exactly(int, str, type(None))] = None
    """0 or 1, default 0; 1: the model sees no earlier turns."""
    model: str | None = None
    """Chooses among the models of the configured endpoint."""
    language: str | None = None
    """A code such as `ko`: language of the reply and of the voice."""
    questioner: str | None = None
    """A name, handed to the graph."""
    visitor_name: str | None = None
    """A name, for `{{visitor_name}}` in prompts and replies."""
    filename: str | None = None
    """An image uploaded before."""
    scene_number: Annotated[int, Field(ge=0, le=7)] | None = None
    """0 to 7."""
    use_choices: Annotated[int, Field(ge=0, le=2147483647)] | None = None
    """How many choices to offer, default 0."""


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
    """A code such as `ko`: language of the reply and of the voice."""
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
    HistoryFrame,
    MemoryFrame,
    ThinkFrame,
    StreamFrame,
    HotwordDetectedFrame,
    MemoryDictFrame,
    VoiceReadyFrame,
    ChoicesStartFrame,
    ChoicesEndFrame,
    EndFrame,
    StreamReplyFrame,
    ErrorFrame,
    GreetingFrame,
    GreetingVoiceReadyFrame,
    StatusFrame,
    ForbiddenFrame,
)


Frame = Annotated[
    Annotated[StartFrame, Tag("StartFrame")]
    | Annotated[HistoryFrame, Tag("HistoryFrame")]
    | Annotated[MemoryFrame, Tag("MemoryFrame")]
    | Annotated[ThinkFrame, Tag("ThinkFrame")]
    | Annotated[StreamFrame, Tag("StreamFrame")]
    | Annotated[HotwordDetectedFrame, Tag("HotwordDetectedFrame")]
    | Annotated[MemoryDictFrame, Tag("MemoryDictFrame")]
    | Annotated[VoiceReadyFrame, Tag("VoiceReadyFrame")]
    | Annotated[ChoicesStartFrame, Tag("ChoicesStartFrame")]
    | Annotated[ChoicesEndFrame, Tag("ChoicesEndFrame")]
    | Annotated[EndFrame, Tag("EndFrame")]
    | Annotated[StreamReplyFrame, Tag("StreamReplyFrame")]
    | Annotated[ErrorFrame, Tag("ErrorFrame")]
    | Annotated[GreetingFrame, Tag("GreetingFrame")]
    | Annotated[GreetingVoiceReadyFrame, Tag("GreetingVoiceReadyFrame")]
    | Annotated[StatusFrame, Tag("StatusFrame")]
    | Annotated[ForbiddenFrame, Tag("ForbiddenFrame")],
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
