"""Memories over the wire: hotwords and their dictionaries in the reply, the count, the prompt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.golden import Json, Mask, tokens, transcript
from tests.live import LiveServer, sendmsg, talk, write_fixtures
from tests.openai_server import OpenAIServer

UID = "d3609c2758b7aa6b9"
PLAIN, LONG, BIG = "b" * 17, "c" * 17, "e" * 17
SAID = transcript("2024-10-02-use_memory.2")
ENTRIES = next(json.loads(frame["msg"]) for frame in SAID if frame["status"] == "memory_dict")
MEMORIES: list[Json] = [
    {"uid": UID, "name": "도손", "variants": ["도손"], "dictionary": [{"k": e["k"], "v": e["v"]} for e in ENTRIES]},
    {"uid": PLAIN, "name": "번지", "variants": ["34", "34번가"], "text": "서른네 번째 거리"},
    {"uid": LONG, "name": "주인", "hotword": False, "text": "김컴재", "long_term": True},
    {"uid": BIG, "name": "사전", "dictionary": [{"k": str(n), "v": "가" * 300} for n in range(60)]},
]
FRAME = {
    "2024-10-02": "status,connection_id,msg,hotword,hotword_uid,msgtype",
    "2024-10-06": "status,connection_id,stream_uid,room_uid,msg,hotword,hotword_uid,is_stream,msgtype",
    "2024-10-07": "status,connection_id,stream_uid,scene_number,room_uid,msg,hotword,hotword_uid,is_stream,msgtype",
    "2024-11-03": "status,connection_id,stream_uid,scene_number,room_uid,msg,hotword,hotword_uid,is_stream,msgtype",
    "2024-11-13": "status,connection_id,stream_uid,scene_number,room_uid,msg,hotword,hotword_uid,is_stream,msgtype",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("memories")
    replies: list[Json] = [
        {"when": {"msg": "향수"}, "tokens": tokens(SAID)},
        {"when": {"msg": "주소"}, "tokens": ["여기는 정말 좋은 곳입니다", ".", " 34", "번", "가", "입니다", "."]},
        {"when": {"msg": "사전"}, "tokens": ["사", "전", "입니다."]},
    ]
    fixtures = write_fixtures(folder / "fixtures", replies=replies, space={"memories": MEMORIES})
    with LiveServer(folder / "data", fixtures=fixtures, voice={"engine": "tone", "workers": 1}) as live:
        yield live


def of(frames: list[Json], *statuses: str) -> list[Json]:
    return [frame for frame in frames if frame.get("status") in statuses]


async def test_the_documented_conversation_is_reproduced(server: LiveServer) -> None:
    async with talk(server, revision="2024-10-02") as peer:
        frames = await peer.turn(sendmsg("향수", room_uid="golden"))
    one = SAID[0]["connection_id"]
    documented = [{**frame, "connection_id": one} for frame in SAID]  # the page put two captures together (spec 8.5)
    assert Mask().frames(frames) == Mask().frames(documented)


@pytest.mark.parametrize("revision", FRAME)
async def test_the_frames_come_before_the_token_that_completes_the_word(server: LiveServer, revision: str) -> None:
    async with talk(server, revision=revision) as peer:
        frames = await peer.turn(sendmsg("향수", room_uid=f"h{revision}"))
    told = of(frames, "hotword_detected", "memory_dict")
    assert [frame["status"] for frame in told] == ["hotword_detected", "memory_dict"]
    assert {",".join(frame) for frame in told} == {FRAME[revision]}
    assert told[0]["msg"] == '핫워드 "도손"가 감지되었습니다.'
    assert (told[0]["msgtype"], told[1]["msgtype"]) == ("info", "hotword")
    assert (told[0]["hotword"], told[0]["hotword_uid"]) == ("도손", UID)
    assert json.loads(told[1]["msg"]) == ENTRIES
    assert "\\u" in told[1]["msg"]
    place = frames.index(told[0])
    assert frames[place - 1]["msg"] == "도"
    assert frames[place + 2]["msg"] == "손"


@pytest.mark.parametrize("revision", ["2024-08-26", "2024-09-11"])
async def test_before_r5_nothing_is_told(server: LiveServer, revision: str) -> None:
    async with talk(server, revision=revision) as peer:
        frames = await peer.turn(sendmsg("향수", room_uid=f"h{revision}"))
    assert not of(frames, "hotword_detected", "memory_dict")


async def test_a_memory_fires_once_in_a_conversation_also_after_reconnecting(server: LiveServer) -> None:
    counts = []
    for _ in range(2):
        async with talk(server) as peer:
            for _ in range(2):
                frames = await peer.turn(sendmsg("향수", room_uid="once"))
                counts.append(len(of(frames, "hotword_detected")))
    assert counts == [1, 0, 0, 0]


async def test_no_save_does_not_use_a_memory_up(server: LiveServer) -> None:
    async with talk(server) as peer:
        for _ in range(2):
            frames = await peer.turn(sendmsg("향수", room_uid="unsaved", no_save=1))
            assert len(of(frames, "hotword_detected")) == 1


async def test_a_text_memory_tells_its_uid_only_and_its_first_complete_variant(server: LiveServer) -> None:
    async with talk(server) as peer:
        frames = await peer.turn(sendmsg("주소", room_uid="text", return_voice=1))
    told = of(frames, "hotword_detected", "memory_dict")
    assert [(frame["hotword"], frame["hotword_uid"]) for frame in told] == [("34", PLAIN)]
    place = frames.index(told[0])
    assert frames[place - 1]["status"] == "voice_ready"
    assert frames[place + 1]["msg"] == " 34"


async def test_a_dictionary_over_32_kb_is_not_sent(server: LiveServer) -> None:
    async with talk(server) as peer:
        frames = await peer.turn(sendmsg("사전", room_uid="big"))
    assert [frame["hotword_uid"] for frame in of(frames, "hotword_detected")] == [BIG]
    assert not of(frames, "memory_dict")


async def test_stream_0_tells_hotwords_before_the_reply(server: LiveServer) -> None:
    async with talk(server) as peer:
        frames = await peer.turn(sendmsg("향수", room_uid="whole", stream=0))
    statuses = [frame["status"] for frame in frames]
    assert statuses.index("hotword_detected") < statuses.index("stream")


async def test_the_memory_frame_counts_the_memories_that_listen(server: LiveServer) -> None:
    async with talk(server) as peer:
        frames = await peer.turn(sendmsg("?", room_uid="count"))
    assert of(frames, "memory")[1]["msg"].endswith("총 3개 입니다.")


async def test_long_term_memories_and_scenes_stand_in_the_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = {"model": "gpt-4o-mini", "prompt": "기본", "memories": MEMORIES, "scenes": {2: "둘째 장면"}}
    async with OpenAIServer() as upstream:
        monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
        fixtures = write_fixtures(tmp_path / "fixtures", replies=[], space=space)
        with LiveServer(tmp_path / "data", fixtures=fixtures) as server:
            async with talk(server) as peer:
                for scene in (None, 2, 5):
                    frames = await peer.turn(sendmsg("?", scene_number=scene, no_save=1))
                    assert frames[0]["scene_number"] == (1 if scene is None else scene)
                refused = await peer.ask(sendmsg("?", scene_number=8))
    prompts = [asked["messages"][0]["content"] for asked in upstream.requests]
    assert [prompt.split("\n")[0] for prompt in prompts] == ["기본", "둘째 장면", "기본"]
    assert all("주인: 김컴재" in prompt for prompt in prompts)
    assert refused["msg"] == "scene_number must be between 0 and 7"
