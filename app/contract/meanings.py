"""The words of `docs/wire/`: what each revision changed, what each key of a frame and each field of a request means.

PURE: values only. A key, a type or a field that is missing here stops the generator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.chldo import steps as s
from app.chldo.revisions import V1

CHANGES: Mapping[str, str] = {
    "2023-12-28": "The first one known, from clients only: one flat frame for texts and voices, no envelope, no key.",
    "2024-07-01": "A new API: LangGraph's own events and nothing around them; `org_id` names the space.",
    "2024-08-26": "An envelope: START, received, memory and think before the events, think and END after them; "
    "`api_key` replaces `org_id`; error frames, also inside a turn.",
    "2024-08-27": "Tokens say which sentence they belong to (`sent_uid`, last key); `voice_ready`; images and "
    "scenes in requests.",
    "2024-09-11": "The action `greeting`; `msg` may be left out.",
    "2024-10-02": "Tokens are short `stream` frames, the other events are gone, and so is the third memory frame; "
    "hotwords and their dictionaries.",
    "2024-10-06": "`room_uid`, `stream_uid` and `is_stream` on every frame of a turn; history frames; received is "
    'gone; the "." that ends a sentence is never sent.',
    "2024-10-07": '`scene_number` on every frame of a turn; "." is sent again, and a token `" "` after each sentence.',
    "2024-11-03": "`language` in requests; `sent_uid` before `msg` in `voice_ready`; no extra token after a sentence; "
    "scene 1 where none is named; voice URLs last 7 days.",
    "2024-11-13": "`use_choices` in requests, and two `choices` frames between think and END.",
}

KEYS: Mapping[str, str] = {
    "status": "what kind of frame it is; `connected` for answers outside the flow and for every error",
    "connection_id": "this connection, 16 characters, the same as long as it is open",
    "room_uid": "the room, as the request named it",
    "stream_uid": "this turn, 25 characters; tells turns on one connection apart",
    "scene_number": "the scene of the turn: the request's, else the revision's default",
    "sent_uid": "the sentence: 26 characters from 2024-08-27 to 2024-10-02, else 28; may be null in v1",
    "msg": "the text: a notice, a token, a sentence, a greeting, an error; in `memory_dict` JSON as text",
    "msgtype": "`info`, `stream`, `error`, `hotword` or `info_choices`",
    "is_stream": "false on every frame of a turn that was asked for with `stream` 0",
    "cAt": "epoch seconds as text; the same in START and END of a message, each its own in a greeting",
    "return_voice": "whether sentences get a voice, 0 or 1; null in a greeting whose request left it out",
    "event": "LangChain's name of the event",
    "data": "what the event carries: `chunk.content` is the token, `chunk.messages` the whole reply",
    "run_id": "the run that the event belongs to, UUIDv4",
    "parent_ids": "the runs around it, outermost first; empty for the graph itself",
    "tags": "LangChain's tags of the run; `graph:step:N` counts over the turns of the room",
    "voice_url": "where the MP3 is, signed and for a limited time; null in a v1 text",
    "voice_length": "seconds, a multiple of 0.024; an integer where it is whole; null in a v1 text",
    "questioner": 'the `questioner` of the request, else ""',
    "org_id": "the organisation that the space belongs to",
    "hotword": "the word that was heard",
    "hotword_uid": "the memory that listens for it, 17 hexadecimal digits",
    "hotword_uids": "the memories whose words the greeting says",
    "choices": "what the user may say next: `text` and `tone` each",
    "use_choices": "how many choices were asked for",
    "client_num": "how many sockets are open in the room",
    "message": "`Forbidden`",
    "connectionId": "this connection, in API Gateway's spelling",
    "requestId": "this request, UUIDv4",
}

TYPES: Mapping[str, str] = {
    "str": "text",
    "str | None": "text or null",
    "int": "integer",
    "int | None": "integer or null",
    "int | float": "number",
    "int | float | None": "number or null",
    "bool": "boolean",
    "dict[str, Any]": "object",
    "list[str]": "array of text",
    "list[dict[str, str]]": "array of objects",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a request: what it means, a value that is refused, and the first revision it is seen in."""

    meaning: str
    wrong: object = 0
    seen: str = V1


FIELDS: Mapping[str, Field] = {
    "org_id": Field("names the space; an unknown one is served by the default space"),
    "api_key": Field("names the space"),
    "room_uid": Field("the room; any text"),
    "user_id": Field("who speaks"),
    "user_uid": Field("who speaks"),
    "msg": Field("what is said; without it, where it may be left out, the agent speaks first"),
    "return_voice": Field('0, 1, "0" or "1": whether sentences get a voice; left out, the space decides', 2),
    "stream": Field("0 or 1, default 1; 0: the whole reply in one frame", 2, "2024-10-02"),
    "no_save": Field("0 or 1, default 0; 1: the turn leaves no trace in the room", 2, "2024-10-02"),
    "no_history": Field("0 or 1, default 0; 1: the model sees no earlier turns", 2, "2024-10-02"),
    "model": Field("chooses among the models of the configured endpoint", 0, "2024-10-02"),
    "language": Field("a code such as `ko`: language of the reply and of the voice", 0, "2024-11-03"),
    "questioner": Field("a name, handed to the graph"),
    "visitor_name": Field("a name, for `{{visitor_name}}` in prompts and replies", 0, "2024-11-03"),
    "filename": Field("an image uploaded before", 0, "2024-08-27"),
    "scene_number": Field("0 to 7", 8, "2024-08-27"),
    "use_choices": Field("how many choices to offer, default 0", -1, "2024-11-13"),
    "subject": Field("what the talk is about; taken and not used"),
    "receiver_uid": Field("who is spoken to; taken and not used"),
    "greeting_number": Field("which greeting of the space, default 1", "x", "2024-09-11"),
}

CONDITIONS: Mapping[type[s.Step], str] = {
    s.VoiceStep: "with `return_voice` 1",
    s.GreetingVoice: "with `return_voice` 1",
    s.HotwordDetected: "once for each memory in a room",
    s.MemoryDict: "if it has one",
    s.ReplyStep: "in place of the tokens",
    s.ChoicesStarted: "with `use_choices` 1 or more",
    s.ChoicesEnded: "with `use_choices` 1 or more",
}
"""When a step happens, where not always."""

INSTEAD: Mapping[type[s.Step], str] = {
    s.Ended: "The turn is over",
    s.ChoicesEnded: "What the user may say next is known",
}
"""Said in place of the docstring of a step, where that speaks of the program."""
