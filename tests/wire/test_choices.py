"""`use_choices`: what the user may say next, between think-end and END."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import Json, LiveServer, sendmsg, talk, write_fixtures
from tests.openai_server import OpenAIServer

OFFERED = [
    {"text": "오늘 날씨가 어떤가요?", "tone": "중립적"},
    {"text": "저에게 추천할 만한 책이 있나요?", "tone": "공손한"},
    {"text": "기분이 좋지 않은데, 기분 전환할 방법이 있을까요?", "tone": "긍정적"},
]
START = "status,connection_id,stream_uid,scene_number,room_uid,msg,is_stream,msgtype"
END = "connection_id,stream_uid,choices,room_uid,is_stream,status,use_choices,msg,msgtype"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("choices")
    replies: list[Json] = [
        {"when": {"msg": "고르기"}, "reply": "골라 보세요.", "choices": OFFERED},
        {"when": {"msg": "오류"}, "error": {"status": 500, "body": "x"}},
    ]
    fixtures = write_fixtures(folder / "fixtures", replies=replies)
    with LiveServer(folder / "data", fixtures=fixtures) as live:
        yield live


def choices(frames: list[Json]) -> list[Json]:
    return [frame for frame in frames if frame["status"] == "choices"]


async def test_the_script_offers_and_the_frames_are_as_documented(server: LiveServer) -> None:
    async with talk(server) as peer:
        frames = await peer.turn(sendmsg("고르기", use_choices=3))
    assert [frame["status"] for frame in frames[-4:]] == ["think", "choices", "choices", "END"]
    start, end = choices(frames)
    assert (",".join(start), ",".join(end)) == (START, END)
    assert (start["msg"], end["msg"]) == ("선택지 구성을 시작합니다.", "선택지 구성을 종료합니다.")
    assert (start["msgtype"], end["msgtype"]) == ("info", "info_choices")
    assert end["choices"] == OFFERED
    assert end["use_choices"] == 3


@pytest.mark.parametrize(("asked", "given"), [(1, 1), (2, 2), (5, 3), (100, 3)])
async def test_never_more_than_asked_and_fewer_if_there_are_fewer(server: LiveServer, asked: int, given: int) -> None:
    async with talk(server) as peer:
        frames = await peer.turn(sendmsg("고르기", use_choices=asked))
    assert choices(frames)[1]["choices"] == OFFERED[:given]
    assert choices(frames)[1]["use_choices"] == asked


async def test_without_a_script_the_same_few_are_offered(server: LiveServer) -> None:
    async with talk(server) as peer:
        offers = [choices(await peer.turn(sendmsg("?", use_choices=2)))[1]["choices"] for _ in range(2)]
    assert offers[0] == offers[1]
    assert len(offers[0]) == 2
    assert all(offer.keys() == {"text", "tone"} for offer in offers[0])


@pytest.mark.parametrize("asked", [0, None])
async def test_not_asked_for_there_are_none(server: LiveServer, asked: int | None) -> None:
    async with talk(server) as peer:
        assert not choices(await peer.turn(sendmsg("고르기", use_choices=asked)))


@pytest.mark.parametrize("wrong", ["3", -1, 1.5, True, [1]])
async def test_a_wrong_use_choices_is_refused(server: LiveServer, wrong: object) -> None:
    async with talk(server) as peer:
        assert (await peer.ask(sendmsg("?", use_choices=wrong)))["msg"] == "use_choices must be a number (0 or more)"


@pytest.mark.parametrize("revision", ["2024-08-27", "2024-10-06", "2024-11-03"])
async def test_before_r9_the_field_means_nothing(server: LiveServer, revision: str) -> None:
    async with talk(server, revision=revision) as peer:
        frames = await peer.turn(sendmsg("고르기", use_choices="x"))
    assert frames[-1]["status"] == "END"
    assert not any(frame.get("status") == "choices" for frame in frames)


async def test_a_failed_turn_offers_nothing(server: LiveServer) -> None:
    async with talk(server) as peer:
        frames = await peer.turn(sendmsg("오류", use_choices=3))
    assert not choices(frames)


@pytest.mark.parametrize(("model", "given"), [("suggests", 2), ("cannot-suggest", 0)])
async def test_a_real_model_is_asked_and_may_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, given: int
) -> None:
    async with OpenAIServer() as upstream:
        monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
        fixtures = write_fixtures(tmp_path / "fixtures", replies=[], space={"model": model})
        with LiveServer(tmp_path / "data", fixtures=fixtures, agent={"timeout": 2, "retries": 0}) as live:
            async with talk(live) as peer:
                frames = await peer.turn(sendmsg("안녕", use_choices=2))
    assert len(choices(frames)[1]["choices"]) == given
    assert frames[-1]["status"] == "END"
    assert upstream.requests[1]["tools"]


async def test_a_model_that_never_finishes_its_suggestions_does_not_keep_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with OpenAIServer() as upstream:
        monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
        fixtures = write_fixtures(tmp_path / "fixtures", replies=[], space={"model": "drips"})
        with LiveServer(tmp_path / "data", fixtures=fixtures, v3={"turn_timeout": 1.5}) as live:
            async with talk(live) as peer:
                frames = await peer.turn(sendmsg("안녕", use_choices=2))
    assert choices(frames)[1]["choices"] == []
    assert frames[-1]["status"] == "END"


async def test_a_graph_may_offer_its_own(tmp_path: Path) -> None:
    import json

    (tmp_path / "mine.py").write_text(
        "from typing import Any\n"
        "from langgraph.graph import END, START, StateGraph\n"
        "from langgraph.graph.message import MessagesState\n"
        "class State(MessagesState):\n    choices: Any\n"
        "def node(state):\n"
        "    return {'messages': [('ai', '네.')], 'choices': [{'text': '그래요', 'tone': '긍정적'}]}\n"
        "builder = StateGraph(State)\nbuilder.add_node('node', node)\n"
        "builder.add_edge(START, 'node')\nbuilder.add_edge('node', END)\ngraph = builder.compile()\n"
    )
    listing = tmp_path / "langgraph.json"
    listing.write_text(json.dumps({"graphs": {"mine": "./mine.py:graph"}}))
    fixtures = write_fixtures(tmp_path / "fixtures", replies=[], space={"graph": "mine"})
    with LiveServer(tmp_path / "data", fixtures=fixtures, agent={"graphs": listing}) as live:
        async with talk(live) as peer:
            frames = await peer.turn(sendmsg("안녕", use_choices=2))
    assert choices(frames)[1]["choices"] == [{"text": "그래요", "tone": "긍정적"}]
