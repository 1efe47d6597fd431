"""MaLangEE real-time voice, as the guide of 2026-01-17 has it.

Frames have exactly these keys, in this order. The server closes with 1000 after `disconnected`.

Generated from the frame classes by `chldo-emulator schema`; do not edit.
"""

# ruff: noqa: E501

from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, TypeAdapter

REVISION = "guide"
"""What these models describe."""

_MARKS = ("type",)


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


def _not_null(value: object) -> object:
    """A check of what may be left out and yet must not be null."""
    if value is None:
        raise ValueError("must not be null; leave it out")
    return value


class ReadyFrame(_Message):
    """`ready`: The conversation may begin."""

    type: Literal["ready"]
    """The kind."""


class SpeechStartedFrame(_Message):
    """`speech.started`: The user speaks; the sound of the AI is to stop."""

    type: Literal["speech.started"]
    """The kind."""


class SpeechStoppedFrame(_Message):
    """`speech.stopped`: The user has been silent for the silence window."""

    type: Literal["speech.stopped"]
    """The kind."""


class UserTranscriptFrame(_Message):
    """`user.transcript`: What the user has said."""

    type: Literal["user.transcript"]
    """The kind."""
    transcript: str
    """The text."""


class AudioDeltaFrame(_Message):
    """`audio.delta`: A piece of the AI's speech."""

    type: Literal["audio.delta"]
    """The kind."""
    delta: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]*=?=?$")]
    """Base64 of PCM16 little-endian, mono, 24 kHz."""


class TranscriptDoneFrame(_Message):
    """`transcript.done`: What the AI has said in the turn."""

    type: Literal["transcript.done"]
    """The kind."""
    transcript: str
    """The text."""


class AudioDoneFrame(_Message):
    """`audio.done`: All speech of the turn has been sent."""

    type: Literal["audio.done"]
    """The kind."""


class ScenarioCompletedFrameJson(_Message):
    """Within `ScenarioCompletedFrame`."""

    place: str | None
    """Where it happens."""
    conversation_partner: str | None
    """Who the user talks to."""
    conversation_goal: str | None
    """What the user wants."""
    sessionId: str
    """The session to talk in."""


class ScenarioCompletedFrame(_Message):
    """`scenario.completed`: The scenario is known, or three questions have been answered."""

    type: Literal["scenario.completed"]
    """The kind."""
    json_: ScenarioCompletedFrameJson = Field(alias="json")
    """The scenario."""
    completed: Annotated[Literal[True], _exactly(bool)]
    """Always true."""


class ErrorFrame(_Message):
    """`error`: Something could not be done."""

    type: Literal["error"]
    """The kind."""
    code: str
    """What went wrong, for programs; on chat only."""
    message: str
    """What went wrong."""


class DisconnectedFrameReportMessagesItem(_Message):
    """Within `DisconnectedFrameReport`."""

    role: Literal["user", "assistant"]
    """Who said it."""
    content: str
    """What was said."""
    timestamp: Annotated[
        str,
        Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}\+00:00$"),
    ]
    """When."""
    duration_sec: Annotated[int | float, Field(ge=0)]
    """How long it was spoken, in seconds."""


class DisconnectedFrameReport(_Message):
    """Within `DisconnectedFrame`."""

    session_id: str
    """The session."""
    started_at: Annotated[
        str,
        Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}\+00:00$"),
    ]
    """When the connection began."""
    ended_at: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}\+00:00$")]
    """When it ended."""
    total_duration_sec: Annotated[int | float, Field(ge=0)]
    """How long it lasted, in seconds."""
    user_speech_duration_sec: Annotated[int | float, Field(ge=0)]
    """How long the user spoke, in seconds."""
    messages: list[DisconnectedFrameReportMessagesItem]
    """What was said on this connection."""


class DisconnectedFrame(_Message):
    """`disconnected`: The last frame of a conversation."""

    type: Literal["disconnected"]
    """The kind."""
    reason: Literal["Session ended"]
    """Always the same."""
    report: DisconnectedFrameReport
    """What it came to."""


class InputAudioBufferAppendRequest(_Message):
    """`input_audio_buffer.append`: A piece of the microphone."""

    type: Literal["input_audio_buffer.append"]
    """The kind."""
    audio: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]*=?=?$")]
    """Base64 of PCM16 little-endian, mono, 24 kHz."""


class InputAudioBufferCommitRequest(_Message):
    """`input_audio_buffer.commit`: The user's turn ends here."""

    type: Literal["input_audio_buffer.commit"]
    """The kind."""


class ResponseCreateRequest(_Message):
    """`response.create`: The AI is to answer."""

    type: Literal["response.create"]
    """The kind."""


class TextRequest(_Message):
    """`text`: A turn of the user without sound."""

    type: Literal["text"]
    """The kind."""
    text: Annotated[str, Field(pattern=r"[^\s]", min_length=1, max_length=4000)]
    """What is said."""


class SessionUpdateRequestConfigTurnDetection(_Message):
    """Within `SessionUpdateRequestConfig`."""

    threshold: Annotated[Annotated[int | float, Field(ge=0, le=1)] | None, BeforeValidator(_not_null)] = None
    """How likely speech has to be."""
    prefix_padding_ms: Annotated[Annotated[int, Field(ge=0, le=5000)] | None, BeforeValidator(_not_null)] = None
    """Milliseconds before the speech that belong to it."""
    silence_duration_ms: Annotated[Annotated[int, Field(ge=100, le=10000)] | None, BeforeValidator(_not_null)] = None
    """Milliseconds of silence that end a turn."""


class SessionUpdateRequestConfig(_Message):
    """Within `SessionUpdateRequest`."""

    voice: Annotated[Annotated[str, Field(min_length=1, max_length=64)] | None, BeforeValidator(_not_null)] = None
    """The AI's voice."""
    turn_detection: Annotated[SessionUpdateRequestConfigTurnDetection | None, BeforeValidator(_not_null)] = None
    """How the user is heard."""


class SessionUpdateRequest(_Message):
    """`session.update`: Changes the voice, or how the user is heard."""

    type: Literal["session.update"]
    """The kind."""
    config: SessionUpdateRequestConfig
    """What changes."""


class DisconnectRequest(_Message):
    """`disconnect`: The conversation is over."""

    type: Literal["disconnect"]
    """The kind."""


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
    ReadyFrame,
    SpeechStartedFrame,
    SpeechStoppedFrame,
    UserTranscriptFrame,
    AudioDeltaFrame,
    TranscriptDoneFrame,
    AudioDoneFrame,
    ScenarioCompletedFrame,
    ErrorFrame,
    DisconnectedFrame,
)


Frame = Annotated[
    Annotated[ReadyFrame, Tag("ReadyFrame")]
    | Annotated[SpeechStartedFrame, Tag("SpeechStartedFrame")]
    | Annotated[SpeechStoppedFrame, Tag("SpeechStoppedFrame")]
    | Annotated[UserTranscriptFrame, Tag("UserTranscriptFrame")]
    | Annotated[AudioDeltaFrame, Tag("AudioDeltaFrame")]
    | Annotated[TranscriptDoneFrame, Tag("TranscriptDoneFrame")]
    | Annotated[AudioDoneFrame, Tag("AudioDoneFrame")]
    | Annotated[ScenarioCompletedFrame, Tag("ScenarioCompletedFrame")]
    | Annotated[ErrorFrame, Tag("ErrorFrame")]
    | Annotated[DisconnectedFrame, Tag("DisconnectedFrame")],
    Discriminator(lambda message: _kind_of(message, _FRAMES)),
]
"""Everything that the server sends."""

_Frame: TypeAdapter[Frame] = TypeAdapter(Frame)


_REQUESTS: tuple[type[BaseModel], ...] = (
    InputAudioBufferAppendRequest,
    InputAudioBufferCommitRequest,
    ResponseCreateRequest,
    TextRequest,
    SessionUpdateRequest,
    DisconnectRequest,
)


ClientRequest = Annotated[
    Annotated[InputAudioBufferAppendRequest, Tag("InputAudioBufferAppendRequest")]
    | Annotated[InputAudioBufferCommitRequest, Tag("InputAudioBufferCommitRequest")]
    | Annotated[ResponseCreateRequest, Tag("ResponseCreateRequest")]
    | Annotated[TextRequest, Tag("TextRequest")]
    | Annotated[SessionUpdateRequest, Tag("SessionUpdateRequest")]
    | Annotated[DisconnectRequest, Tag("DisconnectRequest")],
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
