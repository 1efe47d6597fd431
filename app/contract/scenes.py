"""Sample turns: the steps whose frames the pages of `docs/wire/` show. PURE."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping

from app.agent.sentences import SentenceSplitter
from app.chldo import steps as s
from app.chldo.renders import NO_CREDIT
from app.chldo.reply import ReplySteps, SentenceEnd
from app.chldo.revisions import Revision

TOKENS = ("만나서", " 정말", " 반가워요", ".")
TEXT = "".join(TOKENS)
HOTWORD = ("반가워", "d3609c2758b7aa6b9")
OFFER = [{"text": "오늘 날씨가 어떤가요?", "tone": "중립적"}, {"text": "책을 추천해 주세요.", "tone": "공손한"}]
SENT_UID = "PlzfrQZfQp6QLQoJtvgvNd1WwcVi"
CONNECTION = "ArIz-dpIoE0CEeg="
BEGAN = 1730644007
GRAPH, NODE = "674b2731-fda9-4660-b81e-39d2b2c76e16", "69430624-53d0-4269-b8f4-e919c36686fe"
RUNS = {
    "graph": GRAPH,
    "node": NODE,
    "model": "aa7ab05b-e1c9-4beb-9c9e-98c51bb918af",
    "edge": "c17c3fac-10e9-4067-af8a-5ce9a89a89d5",
    f"__start__:{GRAPH}": "9c6f5d4b-afee-41e7-a1d2-a9e2f51e27ab",
    f"writer:{NODE}": "e179a815-3b7b-43a0-b036-3dc4f8d4c535",
}


def sample_facts(revision: Revision, *, is_stream: bool = True) -> s.TurnFacts:
    """The facts that rendered examples carry."""
    return s.TurnFacts(
        connection_id=CONNECTION,
        room_uid="51VPKp3F0yPX",
        stream_uid="vMfnuFa1RxtiNtl5SuxrKDqSa",
        c_at=f"{BEGAN}.314614",
        return_voice=1,
        is_stream=is_stream,
        scene_number=revision.default_scene,
        som=s.SOM,
        eom=s.EOM,
        run_ids=RUNS,
    )


def _url(revision: Revision, name: str) -> str:
    expires = BEGAN + int(revision.voice_life)
    path = f"http://127.0.0.1:8765/room_uid_voice/51VPKp3F0yPX/{name}.mp3"
    return f"{path}?Expires={expires}&Signature={'Qm9v' * 85}Qg__&Key-Pair-Id=KX12RGNKWPA4Y"


def _before() -> tuple[s.Step, ...]:
    found = (s.HistorySought(), s.HistoryReplayed(), s.MemorySought(), s.MemoryFound(1))
    return (s.Started(), *found, s.ThinkStarted())


def message_turn(revision: Revision, *, stream: bool = True) -> Iterator[s.Step]:
    """A turn that goes well and has everything: run events, a hotword, a voice, choices."""
    splits = revision.sent_uid_length is not None or not revision.raw_events
    reply = ReplySteps(
        revision,
        sentences=SentenceSplitter(13) if splits else None,
        stream=stream,
        run_ids=RUNS,
        make_uid=lambda length: SENT_UID[:length],
    )
    root, inside = ["graph"], ["graph", "node"]
    message = {"messages": [{"role": "assistant", "content": TEXT, "tool_calls": None}]}

    def run(event: str, name: str, parents: list[str], *tags: str, chunk: object = None) -> s.Step:
        return reply.event(event, name, parents, list(tags), {} if chunk is None else {"chunk": chunk})

    def said(shown: Iterable[s.Step]) -> Iterator[s.Step]:
        for step in shown:
            if isinstance(step, SentenceEnd):
                yield s.VoiceStep(step.text, step.sent_uid, _url(revision, step.sent_uid), 1.848)
            else:
                yield step

    yield from _before()
    yield run("on_chain_start", "graph", [])
    yield run("on_chain_start", "node", root, "graph:step:1")
    yield run("on_chat_model_start", "model", inside, "seq:step:1", "agent_llm")
    for number, token in enumerate(TOKENS):
        if number == 2:
            yield s.HotwordDetected(*HOTWORD)
            yield s.MemoryDict(json.dumps([{"v": "인사", "k": "desc"}]), *HOTWORD)
        yield from said(reply.token(token, "model", inside, ["seq:step:1", "agent_llm"]))
    yield from said(reply.message_end())
    yield run("on_chat_model_end", "model", inside)
    yield run("on_chain_start", "edge", inside, "seq:step:3")
    yield run("on_chain_end", "edge", inside, "seq:step:3")
    yield run("on_chain_stream", "node", root, "graph:step:1", chunk=message)
    yield run("on_chain_end", "node", root, "graph:step:1")
    yield run("on_chain_stream", "graph", [], chunk={"model": message})
    yield from said(reply.end())
    yield run("on_chain_end", "graph", [])
    yield from (s.ThinkEnded(), s.ChoicesStarted(), s.ChoicesEnded(OFFER, 2), s.Ended())


def failed_turn(revision: Revision) -> Iterator[s.Step]:
    """A turn of a space that cannot pay."""
    yield from _before()
    yield s.RunStep("on_chain_start", {}, GRAPH, [], [])
    yield s.RunStep("on_chain_start", {}, NODE, [GRAPH], ["graph:step:1"])
    yield from (s.Failed(NO_CREDIT.format(balance=0)), s.ThinkEnded(), s.Ended())


def greeting(revision: Revision) -> Iterator[s.Step]:
    """A greeting with its voice; nothing where the revision has none."""
    if revision.has_greeting:
        uid = SENT_UID[: revision.sent_uid_length]
        url = _url(revision, "greeting_1")
        at = f"{BEGAN}.429305"
        yield from (s.GreetingStarted(), s.Greeted(TEXT))
        yield s.GreetingVoice(TEXT, uid, url, 1.848, at, "org_2laPkMJTagQWnkOPpgISd2FJxFE", "", [HOTWORD[1]])
        yield s.Ended()


SCENES: Mapping[str, Callable[[Revision], Iterator[s.Step]]] = {
    "A message": message_turn,
    "A message with `stream` 0": lambda revision: message_turn(revision, stream=False),
    "A message that fails": failed_turn,
    "A greeting": greeting,
}
