"""What each key of a chldo frame may hold in a revision. PURE.

The frame classes say which keys there are, in which order, and of what type; this says how the values look. Sources:
spec section 4 (identifiers and values) and the transcripts. A key that is missing here stops the generator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.chldo.renders import HOTWORD, STORED_FOUND
from app.chldo.requests import LAST_SCENE
from app.chldo.revisions import V1, Revision
from app.chldo.steps import EOM, SOM
from app.contract.schema.shapes import (
    NULL,
    Anything,
    Either,
    Flag,
    Items,
    Key,
    Named,
    Number,
    OneOf,
    Phrase,
    Record,
    Shape,
    Text,
    Whole,
    or_null,
)

MP3_FRAME = 0.024
"""Seconds: 576 samples at 24 kHz, so every voice is a multiple of it."""

_UUID4 = "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"


def _base62(length: int) -> Text:
    return Text(f"^[0-9A-Za-z]{{{length}}}$", length, length)


def _voice_url(name: str) -> Text:
    """`name`: the pattern of the file's name. Scheme, host and any path before `/room_uid_voice/` are `v3.url_base`."""
    query = r"\?Expires=[0-9]{10,}&Signature=[A-Za-z0-9~-]{341}[AQgw]__&Key-Pair-Id=[0-9A-Z]+"
    return Text(rf"^https?://[^?#]+/room_uid_voice/[^/?#]+/{name}\.mp3{query}$")


CONNECTION_ID = Named(
    "ConnectionId",
    Text("^[A-Za-z0-9_-]{8}[oI]E0[AC][A-Za-z0-9]{2}[AQgw]=$", 16, 16),
    "A connection, as API Gateway names it.",
)
RUN_ID = Named("RunId", Text(_UUID4, 36, 36), "A run of LangGraph: a UUID of version 4.")
STREAM_UID = Named("StreamUid", _base62(25), "A turn.")
HOTWORD_UID = Named("HotwordUid", Text("^[0-9a-f]{17}$", 17, 17), "A memory that listens for a hotword.")
EPOCH = Named("EpochText", Text(r"^[0-9]{10}(\.[0-9]{1,6})?$"), "Epoch seconds as text, up to 6 decimals.")
VOICE_LENGTH = Named(
    "VoiceLength", Number(MP3_FRAME, None, MP3_FRAME), "Seconds, a multiple of 0.024; an integer where it is whole."
)
GREETING_URL = Named("GreetingUrl", _voice_url("greeting_[0-9]+"), "The signed address of a greeting's MP3.")
CHOICE = Named(
    "Choice", Record((Key("text", Text(least=1)), Key("tone", Text()))), "Something that the user may say next."
)


def sent_uid(revision: Revision) -> Named:
    """A sentence: 26 characters or 28."""
    return Named("SentUid", _base62(revision.sent_uid_length or 28), "A sentence of a reply.")


def voice_url(revision: Revision) -> Named:
    """The voice of a sentence; the file has the sentence's name."""
    name = f"[0-9A-Za-z]{{{revision.sent_uid_length or 28}}}"
    return Named("VoiceUrl", _voice_url(name), "The signed address of a sentence's MP3.")


def _return_voice(revision: Revision) -> Shape:
    """A greeting echoes what was asked, null if nothing was; START and END are the same for both actions."""
    return OneOf((0, 1, None) if revision.has_greeting else (0, 1))


SHAPES: Mapping[str, Callable[[Revision], Shape]] = {
    "connection_id": lambda revision: CONNECTION_ID,
    "room_uid": lambda revision: Text(least=1),
    "stream_uid": lambda revision: STREAM_UID,
    "sent_uid": lambda revision: or_null(sent_uid(revision)) if revision.id == V1 else sent_uid(revision),
    "scene_number": lambda revision: Whole(0, LAST_SCENE),
    "cAt": lambda revision: EPOCH,
    "is_stream": lambda revision: Flag(),
    "return_voice": _return_voice,
    "run_id": lambda revision: RUN_ID,
    "parent_ids": lambda revision: Items(RUN_ID),
    "tags": lambda revision: Items(Text(least=1)),
    "voice_url": voice_url,
    "voice_length": lambda revision: VOICE_LENGTH,
    "questioner": lambda revision: Text(),
    "org_id": lambda revision: Text(),
    "hotword": lambda revision: Text(least=1),
    "hotword_uid": lambda revision: HOTWORD_UID,
    "hotword_uids": lambda revision: Items(HOTWORD_UID),
    "choices": lambda revision: Items(CHOICE),
    "use_choices": lambda revision: Whole(1),
    "client_num": lambda revision: Whole(1),
    "connectionId": lambda revision: CONNECTION_ID,
    "requestId": lambda revision: Named("RequestId", Text(_UUID4, 36, 36), "A request, as API Gateway names it."),
}

FIXED = ("status", "msgtype", "event", "message")
"""Keys whose values in the renders are all there are."""


def _filled(template: str, gap: str, kind: type[int] | type[str]) -> Phrase:
    before, _, after = template.partition(gap)
    return Phrase((before, kind, after))


STORED = _filled(STORED_FOUND, "{count}", int)
_DETECTED = Either((_filled(HOTWORD, "{word}", str), Phrase(("핫워드 '", str, "'이 감지되었습니다."))))

MSG: Mapping[str, tuple[Shape, str]] = {
    "Start": (OneOf((SOM, "")), 'the mark of the beginning; "" where the setting `v3.som_eom` is off'),
    "End": (OneOf((EOM, "")), 'the mark of the end; "" where the setting `v3.som_eom` is off'),
    "Stream": (Text(least=1), "a piece of the reply, the same as in `data.chunk.content`"),
    "StreamReply": (Text(least=1), "the whole reply, the same as in `data.chunk.messages`"),
    "VoiceReady": (Text(least=1), "the sentence that is spoken"),
    "Greeting": (Text(least=1), "the greeting"),
    "GreetingVoiceReady": (Text(least=1), "the greeting"),
    "HotwordDetected": (_DETECTED, "tells the word; the second form stands in one sample of the documents only"),
    "MemoryDict": (
        Text(r"^[\[{][\s\S]*[\]}]$", media="application/json"),
        'the dictionary: JSON as text, a list of `{"v": value, "k": key}`',
    ),
    "Error": (Text(), "what is wrong"),
    "MessageText": (Text(least=1), "a piece of the reply"),
    "MessageVoice": (OneOf(("",)), "empty: this frame carries a voice"),
}
"""The `msg` of the frames that have no fixed text, and what it is."""


def _chunk(name: str, content: Shape, calls: Items) -> Record:
    """A piece of the model's message as LangChain of that time dumped it."""
    none = Items(Anything(), most=0)
    values: dict[str, Shape] = {
        "content": content,
        "additional_kwargs": Record(),
        "response_metadata": Record(),
        "type": OneOf(("AIMessageChunk",)),
        "name": NULL,
        "id": NULL,
        "example": OneOf((False,)),
        "tool_calls": calls,
        "invalid_tool_calls": none,
        "usage_metadata": NULL,
        "tool_call_chunks": calls,
    }
    chunk = Record(tuple(Key(key, shape) for key, shape in values.items()))
    return _data(Named(name, chunk, "A piece of the model's message, as LangChain dumps it."))


def _data(chunk: Shape, meaning: str = "") -> Record:
    return Record((Key("chunk", chunk, meaning),))


_CALLS = Items(Record(open=True, ordered=False))
_NO_CALLS = Items(Record(open=True, ordered=False), most=0)
_REPLY = Named(
    "AssistantMessage",
    Record((Key("role", OneOf(("assistant",))), Key("content", Text(least=1)), Key("tool_calls", NULL))),
    "The reply as the graph keeps it.",
)
_UPDATE = "what was added to the state; in the shipped graphs `messages`, at the graph's end inside `model`"

DATA: Mapping[str, Shape] = {
    "Stream": _data(Record((Key("content", Text(least=1), "the token"),))),
    "StreamReply": _data(Record((Key("messages", Items(_REPLY, 1, 1), "the reply"),))),
    "OnChatModelStream": _chunk("MessageChunk", Text(), _CALLS),
    "OnChatModelStreamToken": _chunk("MessageChunk", Text(least=1), _NO_CALLS),
    "OnChatModelStreamToolCall": _chunk("ToolCallChunk", OneOf(("",)), _CALLS),
    "OnChainStream": _data(Anything(), _UPDATE),
}
"""The `data` of the events that carry some; that of all others is empty."""
