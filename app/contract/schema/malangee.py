"""The MaLangEE wire, put together: one edition for each dialect. PURE."""

from __future__ import annotations

import json

from app.contract.schema.shapes import Items, Key, Number, OneOf, Record, Shape, Text, Whole, or_null
from app.contract.schema.wire import Channel, Edition, Exchange, Json, Message, Server, Wire
from app.malangee.dialects import BACKEND, BACKEND_CHAT, BACKEND_SCENARIO, GUIDE, GUIDE_CHAT, Dialect
from app.malangee.frames import (
    RATE,
    AudioDelta,
    AudioDone,
    Disconnected,
    ErrorFrame,
    Frame,
    Ready,
    Report,
    Said,
    ScenarioCompleted,
    SpeechStarted,
    SpeechStopped,
    TranscriptDone,
    UserTranscript,
)
from app.malangee.requests import LARGEST_TEXT, ROOT

_BASE64 = Text(pattern="^[A-Za-z0-9+/]*=?=?$")
_INSTANT = Text(
    pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}\+00:00$",
    examples=("2026-11-25T09:00:00.000000+00:00",),
)
_SECONDS = Number(least=0)
_SAID = Record(
    (
        Key("role", OneOf(("user", "assistant")), "who said it"),
        Key("content", Text(), "what was said"),
        Key("timestamp", _INSTANT, "when"),
        Key("duration_sec", _SECONDS, "how long it was spoken, in seconds"),
    )
)
_REPORT = Record(
    (
        Key("session_id", Text(), "the session"),
        Key("started_at", _INSTANT, "when the connection began"),
        Key("ended_at", _INSTANT, "when it ended"),
        Key("total_duration_sec", _SECONDS, "how long it lasted, in seconds"),
        Key("user_speech_duration_sec", _SECONDS, "how long the user spoke, in seconds"),
        Key("messages", Items(_SAID), "what was said on this connection"),
    )
)
_SCENARIO = Record(
    (
        Key("place", or_null(Text()), "where it happens"),
        Key("conversation_partner", or_null(Text()), "who the user talks to"),
        Key("conversation_goal", or_null(Text()), "what the user wants"),
        Key("sessionId", Text(), "the session to talk in"),
    )
)

_AT = "2026-11-25T09:00:00.000000+00:00"
_SAMPLES: dict[type, tuple[str, str, tuple[Frame, ...]]] = {
    Ready: ("Ready", "The conversation may begin.", (Ready(),)),
    SpeechStarted: ("SpeechStarted", "The user speaks; the sound of the AI is to stop.", (SpeechStarted(),)),
    SpeechStopped: ("SpeechStopped", "The user has been silent for the silence window.", (SpeechStopped(),)),
    UserTranscript: ("UserTranscript", "What the user has said.", (UserTranscript("Hello."), UserTranscript(""))),
    AudioDelta: ("AudioDelta", "A piece of the AI's speech.", (AudioDelta("AAABAA=="),)),
    TranscriptDone: ("TranscriptDone", "What the AI has said in the turn.", (TranscriptDone("Hello there."),)),
    AudioDone: ("AudioDone", "All speech of the turn has been sent.", (AudioDone(),)),
    ScenarioCompleted: (
        "ScenarioCompleted",
        "The scenario is known, or three questions have been answered.",
        (ScenarioCompleted("airport", "check-in agent", None, "5f0f4d5e-52d5-4a34-9d0c-0f5f3a0a7c11"),),
    ),
    ErrorFrame: ("Error", "Something could not be done.", (ErrorFrame("invalid_json", "the frame is no valid JSON"),)),
    Disconnected: (
        "Disconnected",
        "The last frame of a conversation.",
        (Disconnected(Report("demo", _AT, _AT, 3.81, 0.3, (Said("user", "Hello.", _AT, 0.3),))),),
    ),
}
"""Every frame: its name, when it is sent, and examples."""


def _keys(kind: type, dialect: Dialect, optional_code: bool) -> tuple[Key, ...]:
    """The keys after `type`."""
    told = Key("transcript", Text(), "the text")
    if kind in (UserTranscript, TranscriptDone):
        return (told,)
    if kind is AudioDelta:
        rate = (Key("sample_rate", OneOf((RATE,)), "samples a second"),) if dialect.sample_rate else ()
        return (Key("delta", _BASE64, "base64 of PCM16 little-endian, mono, 24 kHz"), *rate)
    if kind is ScenarioCompleted:
        return (Key("json", _SCENARIO, "the scenario"), Key("completed", OneOf((True,)), "always true"))
    if kind is ErrorFrame:
        code = Key("code", Text(), "what went wrong, for programs; on chat only", required=not optional_code)
        return (code, Key("message", Text(), "what went wrong"))
    if kind is Disconnected:
        return (Key("reason", OneOf(("Session ended",)), "always the same"), Key("report", _REPORT, "what it came to"))
    return ()


def _frames(dialect: Dialect, *, optional_code: bool = False, prefix: str = "") -> tuple[Message, ...]:
    found = []
    for kind, (name, told, samples) in _SAMPLES.items():
        if kind not in dialect.names:
            continue
        title = dialect.names[kind]
        examples: list[Json] = [json.loads(text) for one in samples if (text := dialect.write(one)) is not None]
        record = Record((Key("type", OneOf((title,)), "the kind"), *_keys(kind, dialect, optional_code)))
        found.append(Message(prefix + name, "Frame", title, told, record, tuple(examples)))
    return tuple(found)


def _request(name: str, title: str, told: str, keys: tuple[Key, ...] = (), **sample: object) -> Message:
    record = Record((Key("type", OneOf((title,)), "the kind"), *keys), ordered=False)
    return Message(name, "Request", title, told, record, ({"type": title, **sample},))


_AUDIO = Key("audio", _BASE64, "base64 of PCM16 little-endian, mono, 24 kHz")
_RATE: Shape = Whole(RATE, RATE)
_HEARING = Record(
    (
        Key("threshold", Number(0, 1), "how likely speech has to be", required=False),
        Key("prefix_padding_ms", Whole(0, 5_000), "milliseconds before the speech that belong to it", required=False),
        Key("silence_duration_ms", Whole(100, 10_000), "milliseconds of silence that end a turn", required=False),
    ),
    ordered=False,
)
_CONFIG = Record(
    (
        Key("voice", Text(least=1, most=64), "the AI's voice", required=False),
        Key("turn_detection", _HEARING, "how the user is heard", required=False),
    ),
    ordered=False,
)
_TEXT = (Key("text", Text(pattern=r"[^\s]", least=1, most=LARGEST_TEXT), "what is said"),)
_CHAT_REQUESTS = (
    _request(
        "InputAudioBufferAppend",
        "input_audio_buffer.append",
        "A piece of the microphone.",
        (_AUDIO,),
        audio="AAABAA==",
    ),
    _request("InputAudioBufferCommit", "input_audio_buffer.commit", "The user's turn ends here."),
    _request("ResponseCreate", "response.create", "The AI is to answer."),
    _request("Text", "text", "A turn of the user without sound.", _TEXT, text="Hello."),
    _request(
        "SessionUpdate",
        "session.update",
        "Changes the voice, or how the user is heard.",
        (Key("config", _CONFIG, "what changes"),),
        config={"voice": "nova"},
    ),
    _request("Disconnect", "disconnect", "The conversation is over."),
)
_BUILDER_REQUESTS = (
    _request(
        "InputAudioChunk",
        "input_audio_chunk",
        "A piece of the microphone, on scenario sockets.",
        (_AUDIO, Key("sample_rate", _RATE, "samples a second", required=False)),
        audio="AAABAA==",
        sample_rate=RATE,
    ),
)

SERVERS = (
    Server(
        "emulator",
        "127.0.0.1:{port}",
        "ws",
        "This emulator, where `chldo-emulator serve` puts it.",
        (("port", "8765", "the port it listens on"),),
    ),
)

_TOKEN = Key("token", Text(), "the JWT, where no header or subprotocol has it")
_TALK = (
    Key("voice", Text(), "the AI's voice", required=False),
    Key("show_text", OneOf(("true", "false")), "kept with the session", required=False),
)
_SESSION = (("session_id", "the session to talk in"),)


def _channels(scenario: str, chat: tuple[str, ...] | None, builder: tuple[str, ...] | None) -> tuple[Channel, ...]:
    """The four endpoints. `chat`, `builder`: names of messages on each; None: all."""
    asks = None if chat is None else tuple(one.name for one in _CHAT_REQUESTS)
    builds = None if builder is None else ("InputAudioChunk", "Text")
    chats, scenarios = f"{ROOT}/chat/ws", f"{ROOT}/{scenario}"
    free, needed = Record(_TALK, ordered=False), Record((*_TALK, _TOKEN), ordered=False)
    guest, member = Record(ordered=False), Record((_TOKEN,), ordered=False)
    talk, build = "Guests talk here.", "Guests make a scenario here."
    return (
        Channel("guestChat", f"{chats}/guest-chat/{{session_id}}", talk, free, _SESSION, chat, asks),
        Channel("chat", f"{chats}/chat/{{session_id}}", "Members talk here.", needed, _SESSION, chat, asks),
        Channel("guestScenario", f"{scenarios}/guest-scenario", build, guest, (), builder, builds),
        Channel("scenario", f"{scenarios}/scenario", "Members make a scenario here.", member, (), builder, builds),
    )


def editions() -> list[Edition]:
    """Both dialects, the guide first."""
    turn = ("SpeechStarted", "SpeechStopped", "UserTranscript", "AudioDelta", "TranscriptDone", "AudioDone", "Error")
    guide = Edition(
        wire="malangee",
        id=GUIDE,
        title="MaLangEE real-time voice, as the guide of 2026-01-17 has it",
        told="Frames have exactly these keys, in this order. The server closes with 1000 after `disconnected`.",
        frames=_frames(GUIDE_CHAT),
        requests=_CHAT_REQUESTS,
        marks=("type",),
        servers=SERVERS,
        channels=_channels("ws", None, None),
        exchanges=(
            Exchange("InputAudioBufferAppend", turn, "Nothing by itself; a turn, where speech begins and ends in it."),
            Exchange("InputAudioBufferCommit", turn[1:], "The turn of what has been heard so far."),
            Exchange("ResponseCreate", turn[3:], "An answer, if none is on its way."),
            Exchange("Text", turn[3:], "The answer."),
            Exchange("SessionUpdate", ("Error",), "Nothing, or why it cannot be."),
            Exchange("Disconnect", ("Disconnected",), "The report; then the socket is closed."),
        ),
        default=True,
    )
    chat = _frames(BACKEND_CHAT, optional_code=True)
    builder = tuple(one for one in _frames(BACKEND_SCENARIO, prefix="Scenario") if one.title != "error")
    spoken = ("AudioDelta", "AudioDone", "TranscriptDone")
    asked = tuple(f"Scenario{name}" for name in ("UserTranscript", *spoken, "ScenarioCompleted"))
    backend = Edition(
        wire="malangee",
        id=BACKEND,
        title="MaLangEE real-time voice, as the service's own backend speaks",
        told="Frames have exactly these keys, in this order; on scenario sockets an error has no code, and a failing "
        "service shows as a bare JSON string, which no schema describes. The socket stays open after `disconnected`.",
        frames=(*chat, *builder),
        requests=(*_CHAT_REQUESTS, *_BUILDER_REQUESTS),
        marks=("type",),
        servers=SERVERS,
        channels=_channels(
            "scenarios/ws",
            tuple(one.name for one in chat),
            (*(one.name for one in builder), "Error"),
        ),
        exchanges=(
            Exchange(
                "InputAudioBufferAppend",
                ("SpeechStarted", "SpeechStopped", *spoken[:1], "UserTranscript", *spoken[1:], "Error"),
                "Nothing by itself; a turn, where speech begins and ends in it.",
            ),
            Exchange("InputAudioBufferCommit", ("UserTranscript",), "The transcript, and no answer."),
            Exchange("SessionUpdate", spoken, "A new greeting, if the voice is a new one."),
            Exchange("Disconnect", ("Disconnected",), "The report."),
            Exchange("InputAudioChunk", asked, "Nothing by itself; the next question, or the scenario."),
        ),
    )
    return [guide, backend]


MALANGEE = Wire("malangee", "MaLangEE real-time voice", editions)
