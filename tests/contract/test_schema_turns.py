"""The schemas against the running program: every frame of live turns in every revision, and the same frames broken."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.chldo import frames as classes
from app.chldo.revisions import REVISIONS
from tests.contract.judges import judge_of
from tests.live import Json, LiveServer, Peer, sendmsg, talk, write_fixtures

V1 = "2023-12-28"
TALK = ["만나서", " 정말로", " 반", "가워요", ".", " 오늘은", " 무엇을", " 도와드릴까요", "?"]
MEMORY = {"uid": "d3609c2758b7aa6b9", "name": "반가워", "dictionary": [{"k": "desc", "v": "인사"}]}
REPLIES: list[Json] = [
    {"when": {"msg": "안녕"}, "tokens": TALK, "choices": [{"text": "날씨는?", "tone": "중립적"}]},
    {"when": {"msg": "계산"}, "tool_calls": [{"name": "add", "args": {"a": 2, "b": 3}}], "reply": "다섯입니다."},
    {"when": {"msg": "오류"}, "error": {"status": 404, "body": {"message": "API_KEY does not exist."}}},
]
SPACE: Json = {
    "graph": "arithmetic",
    "greetings": {1: "반가워요, 어서 오세요!"},
    "memories": [MEMORY],
    "credit": 100_000,
}
TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "str | None": (str, type(None)),
    "int": (int,),
    "int | None": (int, type(None)),
    "int | float": (int, float),
    "int | float | None": (int, float, type(None)),
    "bool": (bool,),
    "dict[str, Any]": (dict,),
    "list[str]": (list,),
    "list[dict[str, str]]": (list,),
}
OTHER_VALUES: tuple[object, ...] = (None, True, False, 0, 1, -7, 0.5, "\n", [7], {"x": 7})
CONSTANTS = ("status", "event", "msgtype", "message")
ANNOTATIONS = {
    tuple(field.name for field in dataclasses.fields(kind)): {f.name: str(f.type) for f in dataclasses.fields(kind)}
    for _, kind in inspect.getmembers(classes, dataclasses.is_dataclass)
}

Frames = dict[str, list[Json]]


async def said(peer: Peer, revision: str, msg: str, count: int, **fields: object) -> list[Json]:
    """The frames of a turn. v1 does not mark its end: there the turn has `count` frames."""
    ask = sendmsg(msg, org_id="org_test", **fields)
    if revision != V1:
        return await peer.turn(ask)
    await peer.send({**ask, "action": "sendmessage", "user_uid": "u"})
    return [await peer.receive() for _ in range(count)]


async def everything(server: LiveServer, revision: str) -> list[Json]:
    """All that a client can be sent in a revision."""
    found: list[Json] = []
    async with talk(server, revision=revision, room_uid=f"r{revision}") as peer:
        ask = {"room_uid": f"r{revision}"}
        found += await said(peer, revision, "안녕", len(TALK) + 2, **ask, return_voice=1, use_choices=2)
        found += await said(peer, revision, "안녕", len(TALK), **ask, return_voice=0)
        for stream in (0, 1):  # in rooms of their own, where the hotword is new
            room = f"r{revision}s{stream}"
            count = 2 if not stream else len(TALK) + 2
            found += await said(peer, revision, "안녕", count, room_uid=room, return_voice=1, stream=stream)
        found += await said(peer, revision, "계산", 1, **ask, stream=0, return_voice=0)
        found += await said(peer, revision, "오류", 1, **ask)
        if REVISIONS[revision].has_greeting:
            for fields in ({"return_voice": 1}, {"return_voice": 0}, {}):
                found += await peer.turn({**sendmsg(None), "action": "greeting", "greeting_number": 1, **ask, **fields})
            found.append(await peer.ask({**sendmsg(None), "action": "greeting", "greeting_number": 9}))
        action = REVISIONS[revision].action
        found.append(await peer.ask({"action": "status"}))
        found.append(await peer.ask({"action": action}))
        found.append(await peer.ask({**sendmsg(return_voice=2, org_id="o", user_uid="u"), "action": action}))
        found.append(await peer.ask({"action": "dance"}))
        found.append(await peer.ask("no JSON"))
    return found


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    """Everything that one server sends, by revision."""
    folder = tmp_path_factory.mktemp("schemas")
    listing = folder / "langgraph.json"
    root = Path(__file__).parents[2]
    listing.write_text(f'{{"graphs": {{"arithmetic": "{root}/graphs/arithmetic.py:graph"}}}}', encoding="utf-8")
    fixtures = write_fixtures(folder / "fixtures", replies=REPLIES, space=SPACE)
    settings: dict[str, Any] = {"voice": {"engine": "tone", "workers": 1}, "agent": {"graphs": listing}}
    with LiveServer(folder / "data", fixtures=fixtures, **settings) as server:
        return {revision: asyncio.run(everything(server, revision)) for revision in REVISIONS}


@pytest.mark.parametrize("revision", REVISIONS)
def test_whatever_the_server_sends_is_as_the_schemas_say(sent: Frames, revision: str) -> None:
    judge = judge_of(revision)
    assert [judge.why(frame) for frame in sent[revision] if not judge.accepts(frame)] == []


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_turns_show_every_kind_of_frame_that_has_a_schema(sent: Frames, revision: str) -> None:
    judge = judge_of(revision)
    assert {name for frame in sent[revision] for name in judge.names(frame)} == set(judge.schemas)


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_broken_frame_is_refused(sent: Frames, revision: str) -> None:
    judge = judge_of(revision)
    broken = [(told, frame) for frame in new_kinds(sent, revision) for told, frame in breakages(frame)]
    assert len(broken) > 100
    assert [told for told, frame in broken if judge.accepts(frame)] == []


def new_kinds(sent: Frames, revision: str) -> list[Json]:
    """The last frame of every kind whose schema is not the one of the revision before."""
    judge = judge_of(revision)
    older = [name for name in REVISIONS if name < revision]
    known = judge_of(older[-1]).schemas if older else {}
    kinds = {judge.names(frame)[0]: frame for frame in sent[revision]}
    return [frame for name, frame in kinds.items() if rules(known.get(name)) != rules(judge.schemas[name])]


def rules(schema: Json | None) -> Json | None:
    """What a schema asks for."""
    return schema and {key: value for key, value in schema.items() if key != "examples"}


def breakages(frame: Json) -> Iterator[tuple[str, Json]]:
    """A frame without each of its keys, with one more, with values of other types, with other constants."""
    kinds = ANNOTATIONS[tuple(frame)]
    yield "one key more", {**frame, "extra": "x"}
    for key, value in frame.items():
        yield f"without {key}", {name: kept for name, kept in frame.items() if name != key}
        yield f"{key} in capitals", {name.upper() if name == key else name: kept for name, kept in frame.items()}
        for other in OTHER_VALUES:
            if type(other) not in TYPES[kinds[key]]:
                yield f"{key} is {other!r}", {**frame, key: other}
        if key in CONSTANTS:
            yield f"another {key}", {**frame, key: f"{value}x"}
    yield from deeper(frame)


def deeper(frame: Json) -> Iterator[tuple[str, Json]]:
    """What is wrong inside: `data`, ids, addresses, lengths, choices."""
    wrong: dict[str, list[object]] = {
        "connection_id": ["ArIz-dpIoE0CEeg", "ArIz-dpIxE0CEeg=", "ArIz-dpIoE0CEeg=\n"],
        "stream_uid": ["short", "!" * 25],
        "sent_uid": ["a" * 27, "가" * 28],
        "hotword_uid": ["D3609C2758B7AA6B9"],
        "run_id": ["674b2731-fda9-1660-b81e-39d2b2c76e16"],
        "cAt": ["1724664268,5", "17246642", "1724664268.1234567"],
        "return_voice": [2, -1],
        "scene_number": [8, -1],
        "use_choices": [0],
        "client_num": [0],
        "room_uid": [""],
        "voice_length": [0, 0.023, 1.849, -0.024],
        "choices": [[{"text": "?"}], [{"text": "?", "tone": "", "more": ""}], [{"tone": "", "text": 1}]],
        "parent_ids": [["no uuid"]],
        "tags": [[""]],
        "data": [{"chunk": {}}, {"chunk": {"content": 1}}, {"chunk": {"content": "x", "more": 1}}],
    }
    if frame.get("event") in ("on_chain_stream", "on_tool_end") and "status" not in frame:
        wrong["data"] = [{"chunk": 1, "more": 2}]
    for key in frame.keys() & wrong.keys():
        for value in wrong[key]:
            yield f"{key} is {value!r}", {**frame, key: value}
    if frame.get("voice_url"):
        for old, new in (
            ("?Expires=", "?Expired="),
            ("&Signature=", "&Signature=x"),
            ("http", "ftp"),
            (".mp3", ".wav"),
        ):
            yield f"{old} of voice_url", {**frame, "voice_url": frame["voice_url"].replace(old, new, 1)}
    if "chunk" in frame.get("data", {}) and isinstance(frame["data"]["chunk"], dict) and "status" in frame:
        changed = copy.deepcopy(frame)
        changed["data"]["chunk"].popitem()
        yield "less data", changed
    if frame.get("status") in ("START", "END", "history", "memory", "think", "received"):
        yield "another text", {**frame, "msg": f"{frame['msg']}x"}


async def test_settings_that_change_frames_keep_them_valid(tmp_path: Path) -> None:
    fixtures = write_fixtures(tmp_path / "fixtures", replies=REPLIES)
    wire = {"som_eom": False, "url_base": "https://voices.example.com/behind/a/proxy", "url_life": 10**9}
    voice = {"engine": "tone", "workers": 1}
    with LiveServer(tmp_path / "data", fixtures=fixtures, v3=wire, voice=voice) as server:
        for revision in REVISIONS:
            async with talk(server, revision=revision) as peer:
                frames = await said(peer, revision, "안녕", len(TALK) + 2, return_voice=1)
            judge = judge_of(revision)
            assert [judge.why(frame) for frame in frames if not judge.accepts(frame)] == []
            assert {frame["msg"] for frame in frames if frame.get("status") in ("START", "END")} <= {""}
            urls = [frame["voice_url"] for frame in frames if frame.get("voice_url")]
            assert all(url.startswith("https://voices.example.com/behind/a/proxy/room_uid_voice/") for url in urls)
            assert bool(urls) == REVISIONS[revision].has_voice
