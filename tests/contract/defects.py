"""Planted defects: for each rule of the chldo wire one that breaks it, as fault rules; most are faults of the emulator.

`beside` names the rules that break with it because the same frame cannot be wrong in one way alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from app.contract.chldo.probes import AGAIN, FIRST, WHOLE
from app.contract.chldo.rules.events import HIDDEN
from app.contract.chldo.words import R1, R3, R4, R6, R7, R9, RETURN_VOICE, V1
from app.emulation.faults.kinds import KINDS
from app.emulation.faults.rules import WHEN
from tests.live import DEMO_KEY

Json = dict[str, Any]

UNUSABLE, POOR, BROKEN = "0" * 20 + "e1", "0" * 20 + "e2", "0" * 20 + "e3"
HOTWORD = "향수"
OTHER_ID, OTHER_STREAM, OTHER_SENT = "ArIz-dpIoE0CEeg=", "vMfnuFa1RxtiNtl5SuxrKDqSa", "PlzfrQZfQp6QLQoJtvgvNd1WwcVi"
RUN = "674b2731-fda9-4660-b81e-39d2b2c76e16"
OF_A_TURN = ["START", "history", "memory", "think", "stream", "voice_ready", "END"]
ALL = [*OF_A_TURN, "choices", "greeting", "error", "connected", "hotword_detected", "memory_dict"]
OFFER = [{"text": "하나", "tone": "중립적"}, {"text": "둘", "tone": "공손한"}, {"text": "셋", "tone": "긍정적"}]
GONE = "1700000000.5"
CHOOSING = {"has": {"use_choices": True}}
BACK = {"message": AGAIN, "turn": 3}
"""The turn that comes back to the room of the first; in 2024-11-13 it is the only one that asks for choices."""


@dataclass(frozen=True)
class Defect:
    """`rule` breaks, and `beside`, and nothing else, when `faults` are planted. `settings`: of the server instead."""

    rule: str
    revision: str
    faults: tuple[Json, ...]
    beside: tuple[str, ...] = ()
    settings: Json = field(default_factory=dict)

    @property
    def is_faulty(self) -> bool:
        """Whether the emulator can be told to break so itself, by its own faults."""
        return bool(self.faults) and all(
            one["fault"] in KINDS and one.get("when", {}).keys() <= {*WHEN} for one in self.faults
        )

    @property
    def name(self) -> str:
        kinds = "+".join(fault["fault"] for fault in self.faults) or "settings"
        return f"{self.rule}-{self.revision}-{kinds}"


def fault(kind: str, frame: str | list[str] = "", *, when: Json | None = None, **parameters: Any) -> Json:
    of_those = {"regex": f"^({'|'.join(frame)})$"} if isinstance(frame, list) else frame
    return {"fault": kind, "when": {**({"frame": of_those} if frame else {}), **(when or {})}, **parameters}


def edit(frame: str | list[str], message: str | None = FIRST, *, when: Json | None = None, **parameters: Any) -> Json:
    asked = {} if message is None else {"message": message}
    return fault("edit", frame, when={**asked, **(when or {})}, **parameters)


def of(rule: str, *faults: Json, revision: str = R9, beside: tuple[str, ...] = (), **settings: Any) -> Defect:
    return Defect(rule, revision, faults, beside, settings)


def _lacks(field_name: str, /, **when: Any) -> Json:
    """A request with the real key that lacks one field."""
    has = {name: name != field_name for name in ("api_key", "room_uid", "user_id")}
    return {"has": has, "voice": 0, **when}


def _other(frame: str, *, when: Json) -> Json:
    """A Forbidden frame turned into an error frame."""
    return fault(
        "edit",
        frame,
        when=when,
        rename={"message": "msg", "connectionId": "connection_id"},
        set={"status": "connected", "msgtype": "error"},
        remove=["requestId"],
        order=["status", "connection_id", "msg", "msgtype"],
    )


SAID = {"data": {"chunk": {"messages": [{"role": "assistant", "content": "다른 말", "tool_calls": None}]}}}

DEFECTS: tuple[Defect, ...] = (
    # -- the socket
    of("wire.json", fault("foreign", "history", when={"message": FIRST}, text="안녕", count=1)),
    of("wire.json", fault("binary", "history", when={"message": FIRST}, count=1), beside=("order.opening",)),
    of(
        "wire.json", fault("truncate", "history", when={"message": FIRST}, keep=0.1, count=1), beside=("order.opening",)
    ),
    of("wire.known", fault("foreign", "history", when={"message": FIRST}, text='{"status":"surprise"}', count=1)),
    of("wire.answers", fault("ignore", when={"action": "status"})),
    of("wire.open", fault("close", "stream", when={"message": FIRST}, code=1011, skip=3)),
    of("wire.silent", fault("push", "accept", text='{"status":"connected","msgtype":"info"}')),
    of("wire.accepts", fault("rewrite", when={"stream": 0}, set={"return_voice": 2})),
    # -- answers
    of("status.reply", edit("connected", None, set={"msgtype": "status"})),
    of("status.reply", fault("duplicate", "connected", count=1)),
    of("forbidden.action", _other("Forbidden", when={"action": "dance", "has": {"action": True}})),
    of("forbidden.text", _other("Forbidden", when={"has": {"action": False, "msg": False}})),
    of("forbidden.values", edit("Forbidden", None, set={"message": "Go away"})),
    of("refusal.api-key", edit("error", None, when=_lacks("api_key"), set={"msg": "api_key is needed"})),
    of(
        "refusal.org-id",
        edit("error", WHOLE, when={"says": "org_id is required", "has": {"room_uid": True}}, set={"msg": "org_id?"}),
        revision=R1,
    ),
    of("refusal.room-uid", edit("error", None, when=_lacks("room_uid"), set={"msg": "room_uid?"})),
    of("refusal.user-id", edit("error", None, when=_lacks("user_id", key=DEMO_KEY), set={"msg": "user_id?"})),
    of(
        "refusal.msg",
        edit("error", None, when={"voice": 0, "key": DEMO_KEY, "says": "msg is required"}, set={"msg": "msg?"}),
        revision=R3,
    ),
    of(
        "refusal.msg-optional",
        fault(
            "answer",
            when={"has": {"msg": False, "room_uid": True}, "voice": "0"},
            text='{"status":"connected","connection_id":"$ID","msg":"msg is required","msgtype":"error"}',
        ),
    ),
    of(
        "refusal.return-voice",
        edit("error", None, when={"voice": 2, "key": DEMO_KEY, "has": {"user_id": True}}, set={"msg": "return_voice?"}),
    ),
    of("refusal.key-unknown", edit("error", None, when={"says": "api_key is not exist"}, set={"msg": "who?"})),
    of("refusal.key-unusable", edit("error", None, when={"says": "api_key is not usable"}, set={"msg": "no"})),
    of(
        "refusal.order",
        edit("error", None, when={"voice": 2, "has": {"user_id": False}}, set={"msg": RETURN_VOICE}),
    ),
    of("refusal.alone", fault("duplicate", "error", when=_lacks("room_uid"))),
    of("refusal.open", fault("close-after", "error", when=_lacks("user_id", key=DEMO_KEY), code=1000)),
    of("refusal.open", fault("close-after", "Forbidden", when={"action": "dance"}, code=1008)),
    # -- the order of a turn
    of("order.start", fault("drop", "START", when={"message": FIRST})),
    of("order.opening", fault("drop", "history", when={"message": FIRST}, skip=1, count=1)),
    of("order.opening", fault("drop", "received", when={"message": FIRST}), revision=R4),
    of(
        "order.opening",
        fault("duplicate", "memory", when={"message": FIRST}, skip=1, count=1),
        beside=("texts.memory",),
    ),
    of("order.reply", fault("drop", "stream", when={"message": AGAIN})),
    of("order.think", fault("drop", "think", when={"message": FIRST}, skip=1, count=1)),
    of("order.end", fault("no-end", "END", when={"message": FIRST})),
    of("order.end", fault("end-twice", "END", when={"message": FIRST})),
    of("order.end", fault("end-twice", "END", when={"message": FIRST}), revision=R4),
    of("order.failure", fault("drop", "think", when={"key": POOR}, skip=1, count=1)),
    of("order.choices", fault("drop", "choices", skip=1)),
    of("choices.asked", fault("rewrite", when={"message": FIRST}, set={"use_choices": 2})),
    of("greeting.order", fault("duplicate", "greeting", count=1)),
    # -- keys
    of("keys.start", edit("START", order=["msg"])),
    of("keys.start", edit("START", remove=["is_stream"])),
    of("keys.end", edit("END", order=["msg"])),
    of("keys.received", edit("received", order=["msg"]), revision=R4),
    of("keys.history", edit("history", set={"extra": 1})),
    of("keys.memory", edit("memory", order=["msg"])),
    of("keys.think", edit("think", order=["msg"])),
    of("keys.event", edit("on_chain_end", order=["data"]), revision=R4),
    of("keys.token", edit("stream", order=["msg"], count=1)),
    of("keys.token", edit("on_chat_model_stream", order=["sent_uid"], count=1), revision=R4),
    of("keys.voice", edit("voice_ready", order=["msg"])),
    of("keys.voice", edit("voice_ready", order=["msg"]), revision=R6),
    of("keys.greeting", edit("greeting", None, order=["msg"])),
    of("keys.greeting-voice", edit("voice_ready", None, when={"action": "greeting"}, order=["msg"])),
    of("keys.hotword", edit("memory_dict", None, rename={"hotword_uid": "uid"}), beside=("hotwords.pair",)),
    of("keys.choices", edit("choices", None, order=["msg"], count=1)),
    of("keys.choices", edit("choices", None, set={"scene_number": 3}, skip=1), beside=()),
    of("keys.message", edit("message", None, order=["msg"]), revision=V1),
    of("keys.error", edit("error", None, order=["msg"])),
    of("keys.forbidden", edit("Forbidden", None, order=["requestId"])),
    of("keys.chunk", edit("stream", set={"data.chunk.id": None}, count=1)),
    of("keys.chunk", edit("on_chat_model_stream", remove=["data.chunk.id"], count=1), revision=R4),
    of("keys.msgtype", edit("think", set={"msgtype": "stream"})),
    # -- texts
    of("texts.markers", edit("START", set={"msg": ""})),
    of("texts.received", edit("received", set={"msg": "받았습니다."}), revision=R4),
    of("texts.history", edit("history", set={"msg": "찾습니다."}, count=1)),
    of("texts.memory", edit("memory", set={"msg": "찾았습니다."}, skip=1, count=1)),
    of("texts.think", edit("think", set={"msg": "생각합니다."}, count=1)),
    of("texts.choices", edit("choices", None, set={"msg": "고르세요."}, count=1)),
    of("texts.failure", edit("error", None, when={"key": POOR}, set={"msg": "크레딧이 없습니다."})),
    # -- ids, echoes, times
    of("ids.connection", edit("history", set={"connection_id": "short"}), beside=("ids.connection-constant",)),
    of("ids.connection-constant", edit("history", set={"connection_id": OTHER_ID})),
    of(
        "ids.connection-own",
        edit(ALL, None, set={"connection_id": OTHER_ID}),
        edit("Forbidden", None, set={"connectionId": OTHER_ID}),
    ),
    of("ids.stream", edit(OF_A_TURN, set={"stream_uid": "short"})),
    of("ids.stream-one", edit("history", set={"stream_uid": OTHER_STREAM})),
    of(
        "ids.stream-own",
        edit(OF_A_TURN, set={"stream_uid": OTHER_STREAM}),
        edit(OF_A_TURN, None, when={"stream": 0}, set={"stream_uid": OTHER_STREAM}),
    ),
    of("ids.sent", edit("stream", None, when={"stream": 0}, set={"sent_uid": "short"})),
    of(
        "ids.sent-one",
        edit("stream", AGAIN, when=BACK, set={"sent_uid": OTHER_SENT}, count=1),
        edit("stream", AGAIN, when=BACK, set={"sent_uid": OTHER_SENT}, skip=7, count=1),
        beside=("sentences.cut",),
    ),
    of("ids.sent-own", edit("stream", WHOLE, set={"sent_uid": OTHER_SENT})),
    of("ids.run", edit("on_chain_start", set={"run_id": "run"}, skip=4, count=1), revision=R4),
    of("ids.hotword", edit(["hotword_detected", "memory_dict"], None, set={"hotword_uid": "XYZ"})),
    of("ids.client-num", edit("message", None, set={"client_num": 0}), revision=V1),
    of("echo.room", edit("history", set={"room_uid": "another00000"})),
    of("echo.scene", edit("history", set={"scene_number": 5})),
    of("echo.is-stream", edit("history", set={"is_stream": False})),
    of("echo.is-stream", edit("history", None, when={"stream": 0}, set={"is_stream": True})),
    of("echo.return-voice", edit("END", set={"return_voice": "1"})),
    of("echo.questioner", edit("voice_ready", None, when={"action": "greeting"}, set={"questioner": "누구"})),
    of("times.form", edit(["START", "END"], set={"cAt": "1700000000.1234567"})),
    of("times.same", edit("END", set={"cAt": GONE})),
    of("times.greeting", edit("END", None, when={"action": "greeting"}, set={"cAt": GONE})),
    # -- LangGraph's events
    of("events.order", fault("drop", "on_chain_end", when={"message": FIRST}, skip=1, count=1), revision=R4),
    of("events.order", fault("drop", "on_chat_model_start", when={"message": FIRST}), revision=R1),
    of("events.tags", edit("on_chat_model_start", set={"tags": ["seq:step:1"]}), revision=R4),
    of("events.runs", edit("on_chat_model_start", set={"parent_ids": [RUN, RUN]}), revision=R4),
    of("events.steps", edit("on_chain_stream", set={"tags": ["graph:step:9"]}, count=1), revision=R4),
    of(  # the room is entered again, and its first turn is forgotten
        "events.steps",
        edit("on_chain_start", AGAIN, when={"voice": 0}, set={"tags": ["graph:step:0", HIDDEN]}, skip=1, count=1),
        revision=R4,
    ),
    of("events.steps", fault("rewrite", when={"stream": 0}, set={"no_save": 0}), revision=R1),
    # -- the reply
    of("tokens.msg", edit("stream", set={"msg": "다른"}, count=1)),
    of("tokens.event", edit("stream", set={"event": "on_llm_stream"}, count=1)),
    of("tokens.whole", edit("on_chain_stream", set=SAID, count=1), revision=R4),
    of("tokens.stream-0", edit("stream", None, when={"stream": 0}, set={"data.chunk.messages": []})),
    of("sentences.cut", edit("stream", AGAIN, when=BACK, set={"sent_uid": OTHER_SENT})),
    of("sentences.voice-each", fault("voice-failed", when={"message": FIRST}, count=1)),
    of("sentences.voice-each", fault("voice-failed", when={"message": FIRST}, count=1), revision=R3),
    of(
        "sentences.voice-place",
        fault("swap", "voice_ready", when={"message": FIRST}, count=1),
        beside=("voices.name",),
    ),
    of("sentences.voice-uid", edit("voice_ready", set={"sent_uid": OTHER_SENT}, count=1)),
    of("sentences.voice-text", edit("voice_ready", set={"msg": "다른 말"}, count=1)),
    of(
        "quirks.full-stop",
        edit("stream", set={"msg": " 반갑습니다.", "data.chunk.content": " 반갑습니다."}, skip=4, count=1),
        revision=R6,
        beside=("sentences.voice-text",),
    ),
    of("quirks.space", fault("drop", "stream", when={"message": FIRST}, skip=6, count=1), revision=R7),
    of(
        "quirks.no-space",
        edit("stream", set={"msg": " 반갑습니다.", "data.chunk.content": " 반갑습니다."}, skip=4, count=1),
        edit("stream", set={"msg": " ", "data.chunk.content": " "}, skip=5, count=1),
        beside=("sentences.cut", "sentences.voice-text"),
    ),
    # -- voices
    of(
        "voices.none",
        fault("rewrite", when=CHOOSING, set={"return_voice": 1}),
        beside=("echo.return-voice",),
    ),
    of("voices.url", edit("voice_ready", set={"voice_url": "http://127.0.0.1:9/1.mp3"}), beside=("voices.fetch",)),
    of(
        "voices.name",
        fault("rewrite", when={"message": FIRST}, set={"room_uid": "another00000"}),
        beside=("echo.room",),
    ),
    of("voices.life", edit(["START", "END"], set={"cAt": GONE})),
    of("voices.step", edit("voice_ready", set={"voice_length": 1.23}, count=1), beside=("voices.length",)),
    of("voices.fetch", fault("voice-forbidden")),
    of("voices.mpeg", fault("voice-truncated", keep=0.509)),
    of("voices.length", fault("voice-wrong-length", when={"message": FIRST}, factor=2)),
    of("voices.signed", fault("voice-open")),
    # -- greeting, hotwords, choices
    of("greeting.text", edit("voice_ready", None, when={"action": "greeting"}, set={"msg": "다른 말"})),
    of("greeting.voice", fault("voice-failed", when={"action": "greeting"})),
    of("hotwords.text", edit("hotword_detected", None, set={"msg": "핫워드 '도손'이 감지되었습니다."})),
    of("hotwords.place", fault("drop", "memory_dict"), fault("swap", "hotword_detected")),
    of("hotwords.once", fault("duplicate", "hotword_detected")),
    of("hotwords.pair", edit("memory_dict", None, set={"hotword": "다른"})),
    of("hotwords.dictionary", edit("memory_dict", None, set={"msg": '{"memo":"다른"}'})),
    of("choices.count", edit("choices", None, set={"choices": OFFER}, skip=1)),
    of("choices.number", edit("choices", None, set={"use_choices": 9}, skip=1)),
    of("choices.form", edit("choices", None, set={"choices": [{"tone": "중립적", "text": "하나"}]}, skip=1)),
    # -- sockets
    of(
        "concurrency.one-socket",
        fault("drop", "END", when={"has": {"msg": False}, "voice": "0"}, count=1),
        beside=("order.end",),
    ),
    of(
        "concurrency.own-frames",
        edit(OF_A_TURN, set={"stream_uid": OTHER_STREAM}),
        edit([*OF_A_TURN, "hotword_detected", "memory_dict"], HOTWORD, set={"stream_uid": OTHER_STREAM}),
        beside=("ids.stream-own",),
    ),
    of("limits.frame-taken", fault("too-big", above=32 * 1024 - 1, up_to=32 * 1024)),
    of("limits.frame", v3={"frame_limit": 64 * 1024}),
    of("limits.message-taken", v3={"message_limit": 100 * 1024}),
    of("limits.message", v3={"message_limit": 256 * 1024}),
    of(
        "reconnection.room",
        fault("stall", "history", when=BACK),
        beside=("order.end", "wire.answers"),
    ),
)
