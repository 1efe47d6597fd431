"""What graphs of one's own say, once and in order; and how they ask the user something."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.hashee.fixtures import PASSWORD
from app.hashee.peers import payload_of, text_of
from tests.hashee.people import Person
from tests.live import PATIENCE, Json, LiveServer, Peer, sendmsg, talk, write_fixtures
from tests.malangee.caller import GUEST, call
from tests.wire import own_graphs

GRAPHS = [name for name, found in vars(own_graphs).items() if hasattr(found, "nodes")]
REPLY = "네, 알겠습니다."
CAST = """
users: [{email: me@example.com}]
agents:
  - {name: mint, owner: me@example.com, display_name: Mint, answers: {graph: asking_inside}}
  - {name: echo, owner: me@example.com, display_name: Echo, answers: {graph: after_stream, space: after_stream}}
relations: [{user: me@example.com, agent: mint}, {user: me@example.com, agent: echo}]
"""


def key(graph: str) -> str:
    return f"{GRAPHS.index(graph):022x}"


def fixtures(folder: Path) -> Path:
    first, *others = [
        {"uid": name, "name": name, "org_id": f"org_{name}", "api_keys": [key(name)], "graph": name, "credit": 10_000}
        for name in GRAPHS
    ]
    return write_fixtures(folder, replies=[], space=first, spaces=others)


def listing(folder: Path) -> Path:
    file = folder / "langgraph.json"
    file.write_text(json.dumps({"graphs": {name: f"tests.wire.own_graphs:{name}" for name in GRAPHS}}))
    return file


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("own")
    files = fixtures(folder / "fixtures")
    (files / "hashee.yaml").write_text(CAST, encoding="utf-8")
    malangee = {"graph": "asking", "pace": "burst", "transcription": "script"}
    with LiveServer(folder / "data", fixtures=files, agent={"graphs": listing(folder)}, malangee=malangee) as running:
        yield running


def room_of(graph: str, room: str = "room") -> str:
    return f"{graph}-{room}"


def open_room(live: LiveServer, graph: str, room: str = "room", **query: str) -> AbstractAsyncContextManager[Peer]:
    return talk(live, room_uid=room_of(graph, room), **query)


async def say(peer: Peer, graph: str, msg: str | None = "안녕", room: str = "room", **fields: Any) -> list[Json]:
    asked = sendmsg(msg, room_uid=room_of(graph, room), org_id=f"org_{graph}", **fields)
    return await peer.turn({**asked, "api_key": key(graph)})


def text(frames: list[Json]) -> str:
    return "".join(frame["msg"] for frame in frames if frame.get("status") == "stream" and frame["msgtype"] != "error")


def error(frames: list[Json]) -> str | None:
    return next((frame["msg"] for frame in frames if frame.get("msgtype") == "error"), None)


def history(live: LiveServer, graph: str, room: str = "room") -> Any:
    return live.run(live.engine.history.window(graph, room_of(graph, room)))


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        ("quiet", ""),
        ("after_stream", f"{REPLY}덧붙입니다."),
        ("before_stream", f"잠시만요. {REPLY}"),
        ("several", "하나. 둘. 셋."),
        ("twice_alike", "네.네."),
        ("given_as_dicts", "첫째. 둘째. 첫째. 둘째. "),
        ("made_of_streamed", f"{REPLY} (끝)"),
        ("not_streamed", REPLY),
        ("by_command", "명령입니다."),
        ("one_of_parts", "하나둘"),
        ("nested", f"안에서. {REPLY}안에서. 안에서. "),
        ("working", "결과: 2"),
        ("tool_result", "나무: 뜻입니다."),
        ("tool_after_words", "찾아볼게요."),
    ],
)
async def test_what_a_graph_says_is_said_in_order_and_once(live: LiveServer, graph: str, said: str) -> None:
    async with open_room(live, graph) as peer:
        first = await say(peer, graph)
        second = await say(peer, graph)
        whole = await say(peer, graph, stream=0)
    assert error([*first, *second, *whole]) is None
    assert (text(first), text(second), text(whole)) == (said, said, said)
    window = await history(live, graph)
    assert [turn.reply for turn in window.turns] == [said] * 3


@pytest.mark.parametrize("graph", ["silent_after", "silent_own_saver", "editing", "trimming"])
async def test_what_an_earlier_turn_has_said_is_not_said_again(live: LiveServer, graph: str) -> None:
    async with open_room(live, graph) as peer:
        told = [text(await say(peer, graph)) for _ in range(3)]
    assert told == ["처음입니다.", "", ""]


async def test_choices_of_an_earlier_turn_are_not_offered_again(live: LiveServer) -> None:
    async with open_room(live, "offering") as peer:
        first = await say(peer, "offering", use_choices=2)
        second = await say(peer, "offering", use_choices=2)
    offered = [[frame["choices"] for frame in frames if frame.get("choices")] for frames in (first, second)]
    assert [one["text"] for one in offered[0][0]] == ["하나"]
    assert "하나" not in [one["text"] for one in offered[1][0]]


@pytest.mark.parametrize(
    "revision", ["2024-07-01", "2024-08-26", "2024-08-27", "2024-09-11", "2024-10-02", "2024-11-13"]
)
async def test_a_question_is_the_reply_and_the_next_message_its_answer(live: LiveServer, revision: str) -> None:
    def told(frames: list[Json]) -> str:
        tokens = [frame["data"]["chunk"] for frame in frames if frame.get("event") == "on_chat_model_stream"]
        return "".join(token["content"] for token in tokens) if tokens else text(frames)

    async with open_room(live, "asking", revision, revision=revision) as peer:
        asked = await say(peer, "asking", "안녕", revision)
        answered = await say(peer, "asking", "철수", revision)
        again = await say(peer, "asking", "안녕", revision)
    assert told(asked) == "안녕하세요. 이름이 뭐예요?"
    assert told(answered) == "철수 반가워요."
    assert told(again) == "안녕하세요. 이름이 뭐예요?"
    chunks = [frame["data"].get("chunk") for frame in asked if frame.get("event") == "on_chain_stream"]
    if revision < "2024-10":
        (question,) = next(chunk["__interrupt__"] for chunk in chunks if "__interrupt__" in chunk)
        assert question["value"] == "이름이 뭐예요?"
    window = await history(live, "asking", revision)
    assert [(turn.msg, turn.reply) for turn in window.turns[:2]] == [
        ("안녕", "안녕하세요. 이름이 뭐예요?"),
        ("철수", "철수 반가워요."),
    ]


@pytest.mark.parametrize(
    ("graph", "answers", "questions"),
    [
        ("asking_own_saver", ["철수"], ["이름이 뭐예요?", "철수"]),
        ("asking_twice", ["철수", "9", "응"], ["이름?", "나이?", "철수/97", "응"]),
        ("asking_inside", ["철수", "9", "응"], ["이름?", "나이?", "철수/9끝?", "응"]),
        ("asking_at_once", ["하나", "둘"], None),
    ],
)
async def test_several_questions_are_asked_one_after_the_other(
    live: LiveServer, graph: str, answers: list[str], questions: list[str] | None
) -> None:
    async with open_room(live, graph) as peer:
        told = [text(await say(peer, graph, msg)) for msg in ["안녕", *answers]]
    if questions is not None:
        assert told == questions
    else:
        # Which of two nodes that run at the same time asks first is not said; each is asked once, and answered.
        assert sorted([told[0], told[1].removeprefix("하나")]) == ["오른쪽?", "왼쪽?"]
        assert told[2] == "둘"


async def test_a_message_without_text_answers_with_none(live: LiveServer) -> None:
    async with open_room(live, "asking_own_saver", "blank") as peer:
        await say(peer, "asking_own_saver", room="blank")
        frames = await say(peer, "asking_own_saver", "", room="blank")
        after = await say(peer, "asking_own_saver", room="blank")
    assert (error(frames), text(frames)) == (None, "")
    assert text(after) == "이름이 뭐예요?"


async def test_an_answer_that_is_not_to_be_saved_leaves_the_question_open(live: LiveServer) -> None:
    async with open_room(live, "asking", "trial") as peer:
        await say(peer, "asking", room="trial")
        trial = await say(peer, "asking", "몰래", room="trial", no_save=1)
        apart = await say(peer, "asking", "따로", room="trial", no_history=1)
        answered = await say(peer, "asking", "철수", room="trial")
    assert text(trial) == "몰래 반가워요."
    assert text(apart) == "안녕하세요. 이름이 뭐예요?"
    assert text(answered) == "철수 반가워요."


async def test_a_reset_forgets_the_question_and_a_snapshot_keeps_it(live: LiveServer) -> None:
    async with httpx.AsyncClient(base_url=f"{live.http}/_emulator", timeout=PATIENCE) as control:
        async with open_room(live, "asking_inside", "kept") as peer:
            await say(peer, "asking_inside", room="kept")
            await say(peer, "asking_inside", "철수", room="kept")
        kept = (await control.post("/snapshots", json={"name": "asked"})).raise_for_status()
        (await control.post("/reset", json={"room": room_of("asking_inside", "kept")})).raise_for_status()
        async with open_room(live, "asking_inside", "kept") as peer:
            anew = await say(peer, "asking_inside", "9", room="kept")
        (await control.post("/snapshots/asked/restore")).raise_for_status()
        async with open_room(live, "asking_inside", "kept") as peer:
            on = await say(peer, "asking_inside", "9", room="kept")
    assert kept
    assert (text(anew), text(on)) == ("이름?", "철수/9끝?")


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        ("asking_nobody", "the graph asks a question (interrupt), but nobody could answer it: compile it with"),
        ("stopping", "the graph stops at a node (interrupt_before, interrupt_after)"),
    ],
)
async def test_a_question_that_nobody_could_answer_fails_the_turn(
    live: LiveServer, graph: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_room(live, graph) as peer:
        frames = await say(peer, graph)
    assert (error(frames) or "").startswith(said)
    assert frames[-1]["status"] == "END"
    assert not (await history(live, graph)).turns
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("graph", ["asking", "asking_inside"])
async def test_a_question_stays_open_over_a_restart(tmp_path: Path, graph: str) -> None:
    data, listed = tmp_path / "data", listing(tmp_path)
    with LiveServer(data, fixtures=fixtures(tmp_path / "a"), agent={"graphs": listed}) as live:
        async with open_room(live, graph) as peer:
            await say(peer, graph)
    with LiveServer(data, fixtures=fixtures(tmp_path / "b"), agent={"graphs": listed}) as live:
        async with open_room(live, graph) as peer:
            answered = await say(peer, graph, "철수")
    assert text(answered) == {"asking": "철수 반가워요.", "asking_inside": "나이?"}[graph]


async def test_a_spoken_question_is_answered_by_what_is_said_next(live: LiveServer) -> None:
    async with call(live, f"{GUEST}/asked") as caller:
        for number, text in enumerate(("Hello", "Chulsoo", "Hello again"), 1):
            await caller.send({"type": "text", "text": text})
            await caller.until("transcript.done", number)
    told = [frame["transcript"] for frame in caller.frames if frame["type"] == "transcript.done"]
    assert [one.split() for one in told] == [
        ["안녕하세요.", "이름이", "뭐예요?"],
        ["Chulsoo", "반가워요."],
        ["안녕하세요.", "이름이", "뭐예요?"],
    ]


async def test_an_agent_of_hashee_asks_and_says_all_it_has_to_say(live: LiveServer) -> None:
    async with httpx.AsyncClient(base_url=live.http, timeout=PATIENCE) as http:
        login = {"email": "me@example.com", "account_password": PASSWORD}
        data = (await http.post("/auth/login", json=login)).json()["data"]
        http.headers["Authorization"] = f"Bearer {data['access_token']}"
        me = Person(live, data["user_id"], data["access_token"], http)
        rooms = {one["name"]: one["conversation_id"] for one in await me.call("GET", "/conversations")}
        async with me.listening() as ear:

            async def told(name: str, msg: str) -> str:
                await me.send(rooms[name], payload_of(msg))
                return text_of((await ear.next("stream.done"))["encrypted_payload"]) or ""

            asked = [await told("Mint", msg) for msg in ("Hello", "Chulsoo", "9", "yes")]
            assert await told("Echo", "안녕") == f"{REPLY}덧붙입니다."
    assert asked == ["이름?", "나이?", "Chulsoo/9끝?", "yes"]
