"""Each revision sends its own frames: keys in order, texts, sequence. The tables here are the spec's (section 5),
written out again by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import pytest

from app.chldo.revisions import REVISIONS
from tests.live import Json, LiveServer, sendmsg, talk, write_fixtures

SENTENCES = ["정말 만나서 반갑습니다.", " 오늘은 무엇을 도와드릴까요?"]
TOKENS = ["정말", " 만나서", " 반갑습니다", ".", " 오늘은", " 무엇을", " 도와드릴까요", "?"]

EVENT = "event,data,run_id,parent_ids,tags"
R2 = {
    "START": "status,connection_id,msg,cAt,return_voice,msgtype",
    "END": "status,connection_id,msg,cAt,return_voice,msgtype",
    "received": "status,connection_id,msg,msgtype",
    "memory": "status,connection_id,msg,msgtype",
    "think": "status,connection_id,msg,msgtype",
}
R3_VOICE = "status,connection_id,voice_url,sent_uid,msgtype"
R6 = {
    "START": "status,connection_id,room_uid,stream_uid,msg,is_stream,cAt,return_voice,msgtype",
    "END": "status,connection_id,stream_uid,room_uid,msg,cAt,is_stream,return_voice,msgtype",
    "history": "status,connection_id,stream_uid,room_uid,msg,is_stream,msgtype",
    "memory": "status,connection_id,stream_uid,room_uid,msg,is_stream,msgtype",
    "think": "status,connection_id,stream_uid,room_uid,msg,is_stream,msgtype",
    "stream": "status,connection_id,stream_uid,room_uid,sent_uid,event,data,msg,is_stream,msgtype",
    "voice_ready": "status,connection_id,stream_uid,room_uid,msg,voice_url,voice_length,sent_uid,is_stream,msgtype",
}
HEAD = "status,connection_id,stream_uid,scene_number"
NOTICE = f"{HEAD},room_uid,msg,is_stream,msgtype"
R7 = {
    "START": "status,connection_id,room_uid,stream_uid,scene_number,msg,is_stream,cAt,return_voice,msgtype",
    "END": "status,connection_id,stream_uid,scene_number,room_uid,msg,cAt,is_stream,return_voice,msgtype",
    "history": NOTICE,
    "memory": NOTICE,
    "think": NOTICE,
    "stream": "status,connection_id,stream_uid,scene_number,room_uid,sent_uid,event,data,msg,is_stream,msgtype",
    "voice_ready": f"{HEAD},room_uid,msg,voice_url,voice_length,sent_uid,is_stream,msgtype",
}
R8 = {
    **R7,
    "voice_ready": f"{HEAD},room_uid,sent_uid,msg,voice_url,voice_length,is_stream,msgtype",
}
V1 = "room_uid,client_num,connection_id,msg,stream_uid,sent_uid,cAt,return_voice,voice_url,voice_length"
KEYS: dict[str, dict[str, str]] = {
    "2023-12-28": {"": V1},
    "2024-07-01": {"event": EVENT, "token": EVENT},
    "2024-08-26": {**R2, "event": EVENT, "token": EVENT},
    "2024-08-27": {**R2, "event": EVENT, "token": f"{EVENT},sent_uid", "voice_ready": R3_VOICE},
    "2024-09-11": {**R2, "event": EVENT, "token": f"{EVENT},sent_uid", "voice_ready": R3_VOICE},
    "2024-10-02": {**R2, "stream": "status,event,data,connection_id,msg,is_stream,msgtype", "voice_ready": R3_VOICE},
    "2024-10-06": R6,
    "2024-10-07": R7,
    "2024-11-03": R8,
    "2024-11-13": R8,
}

RAW = ["event"] * 5
RAW_END = ["event"] * 8
VOICED = ["token", "voice_ready", "token", "voice_ready"]
FLOW: dict[str, list[str]] = {
    "2023-12-28": [""],
    "2024-07-01": [*RAW, "token", *RAW_END],
    "2024-08-26": ["START", "received", *["memory"] * 3, "think", *RAW, "token", *RAW_END, "think", "END"],
    "2024-08-27": ["START", "received", *["memory"] * 3, "think", *RAW, *VOICED, *RAW_END, "think", "END"],
    "2024-10-02": ["START", "received", *["memory"] * 2, "think", *["stream", "voice_ready"] * 2, "think", "END"],
    "2024-10-06": ["START", *["history"] * 2, *["memory"] * 2, "think", *["stream", "voice_ready"] * 2, "think", "END"],
}
FLOW["2024-09-11"] = FLOW["2024-08-27"]
FLOW["2024-10-07"] = FLOW["2024-11-03"] = FLOW["2024-11-13"] = FLOW["2024-10-06"]

FROM_R6 = [name for name in REVISIONS if name >= "2024-10-06"]
TEXTS = {
    "received": ["메시지를 전달 받았습니다."],
    "history": ["대화 기억을 찾고 있습니다.", "대화 기억을 재생하였습니다."],
    "think": ["생각을 시작합니다.", "생각이 끝났습니다."],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("revisions")
    replies: list[Json] = [{"when": {"msg": "둘"}, "tokens": TOKENS}]
    fixtures = write_fixtures(folder / "fixtures", replies=replies)
    with LiveServer(folder / "data", fixtures=fixtures, voice={"engine": "tone", "workers": 1}) as live:
        yield live


def kind(frame: Json) -> str:
    if frame.get("status"):
        return str(frame["status"])
    if "event" in frame:
        return "token" if frame["event"] == "on_chat_model_stream" else "event"
    return ""


def text(frames: list[Json]) -> str:
    """The reply as a client puts it together."""
    return "".join(frame["msg"] for frame in frames if kind(frame) == "stream")


async def turn(server: LiveServer, revision: str, **fields: object) -> list[Json]:
    ask = sendmsg("둘", **{"org_id": "org_test", "return_voice": 1, **fields})
    if revision == "2023-12-28":
        ask |= {"action": "sendmessage", "user_uid": "u"}
        async with talk(server, "/v1/") as peer:
            await peer.send(ask)
            count = len(TOKENS) + 2 if fields.get("return_voice", 1) else len(TOKENS)
            return [await peer.receive() for _ in range(count)]
    async with talk(server, revision=revision) as peer:
        return await peer.turn(ask)


@pytest.mark.parametrize("revision", REVISIONS)
async def test_keys_and_their_order(server: LiveServer, revision: str) -> None:
    frames = await turn(server, revision)
    for frame in frames:
        assert ",".join(frame) == KEYS[revision][kind(frame)], frame


@pytest.mark.parametrize("revision", REVISIONS)
async def test_the_sequence_of_a_turn(server: LiveServer, revision: str) -> None:
    frames = await turn(server, revision)
    seen = [
        name for name, group in groupby(frames, kind) for _ in ([0] if name in ("token", "stream", "") else list(group))
    ]
    assert seen == FLOW[revision]


@pytest.mark.parametrize("revision", [name for name in REVISIONS if name >= "2024-08-26"])
async def test_start_and_end_agree(server: LiveServer, revision: str) -> None:
    frames = await turn(server, revision)
    start, end = frames[0], frames[-1]
    assert (start["msg"], end["msg"]) == ("<SOM>", "<EOM>")
    assert start["cAt"] == end["cAt"]
    assert start["return_voice"] == end["return_voice"] == 1
    for key in ("stream_uid", "room_uid", "connection_id", "scene_number"):
        assert len({frame[key] for frame in frames if key in frame}) <= 1, key


@pytest.mark.parametrize("revision", FROM_R6)
async def test_texts_from_r6_on(server: LiveServer, revision: str) -> None:
    frames = await turn(server, revision)
    for status in ("history", "think"):
        assert [frame["msg"] for frame in frames if frame["status"] == status] == TEXTS[status]
    assert [frame["msg"] for frame in frames if frame["status"] == "memory"] == [
        "저장된 메모리를 찾고 있습니다.",
        "저장된 메모리를 찾았습니다. 핫워드 수신으로 설정된 메모리는 총 0개 입니다.",
    ]
    assert all(frame["msg"] == frame["data"]["chunk"]["content"] for frame in frames if frame["status"] == "stream")
    assert all(frame["is_stream"] is True for frame in frames)


async def test_r6_never_sends_the_full_stop_that_ends_a_sentence(server: LiveServer) -> None:
    frames = await turn(server, "2024-10-06")
    assert text(frames) == "정말 만나서 반갑습니다 오늘은 무엇을 도와드릴까요?"
    assert [frame["msg"] for frame in frames if kind(frame) == "voice_ready"] == [
        "정말 만나서 반갑습니다",
        " 오늘은 무엇을 도와드릴까요?",
    ]


async def test_r7_adds_a_space_after_each_sentence(server: LiveServer) -> None:
    frames = await turn(server, "2024-10-07")
    assert text(frames) == "정말 만나서 반갑습니다.  오늘은 무엇을 도와드릴까요? "
    voices = [place for place, frame in enumerate(frames) if kind(frame) == "voice_ready"]
    for place, sentence in zip(voices, SENTENCES, strict=True):
        assert frames[place]["msg"] == sentence
        assert frames[place - 1]["msg"] == " "
        assert frames[place - 1]["sent_uid"] == frames[place]["sent_uid"]


@pytest.mark.parametrize("revision", ["2024-11-03", "2024-11-13"])
async def test_r8_and_r9_send_the_text_as_it_is(server: LiveServer, revision: str) -> None:
    assert text(await turn(server, revision)) == "".join(SENTENCES)


@pytest.mark.parametrize(("revision", "scene"), [("2024-10-07", 0), ("2024-11-03", 1), ("2024-11-13", 1)])
async def test_the_scene_number_is_echoed_or_its_default_sent(server: LiveServer, revision: str, scene: int) -> None:
    assert {frame["scene_number"] for frame in await turn(server, revision)} == {scene}
    assert {frame["scene_number"] for frame in await turn(server, revision, scene_number=3)} == {3}


@pytest.mark.parametrize("revision", ["2024-07-01", "2024-08-26", "2024-08-27", "2024-09-11"])
async def test_graph_steps_count_the_rooms_saved_turns(server: LiveServer, revision: str) -> None:
    room = f"st{revision}"
    async with talk(server, revision=revision) as peer:
        for saved in range(3):
            frames = await peer.turn(sendmsg("둘", org_id="org_test", room_uid=room, return_voice=0))
            steps = [tag for frame in frames for tag in frame.get("tags", []) if tag.startswith("graph:step:")]
            assert set(steps) == {f"graph:step:{3 * saved}", f"graph:step:{3 * saved + 1}"}


@pytest.mark.parametrize("revision", ["2024-08-27", "2024-10-02", "2024-10-06", "2024-11-13"])
async def test_without_return_voice_there_is_no_voice(server: LiveServer, revision: str) -> None:
    frames = await turn(server, revision, return_voice="0")
    assert "voice_ready" not in {kind(frame) for frame in frames}
    assert frames[0]["return_voice"] == 0


@pytest.mark.parametrize("revision", [name for name in REVISIONS if name >= "2024-10-02"])
async def test_stream_0_sends_the_reply_in_one_frame(server: LiveServer, revision: str) -> None:
    frames = await turn(server, revision, stream=0)
    whole = [frame for frame in frames if kind(frame) == "stream"]
    assert len(whole) == 1
    said = "".join(SENTENCES)
    assert whole[0]["event"] == "on_chain_stream"
    assert whole[0]["data"] == {"chunk": {"messages": [{"role": "assistant", "content": said, "tool_calls": None}]}}
    assert whole[0]["msg"] == said
    assert all(frame["is_stream"] is False for frame in frames if "is_stream" in frame)
    assert [kind(frame) for frame in frames].count("voice_ready") == 1


@pytest.mark.parametrize("revision", ["2024-07-01", "2024-08-26", "2024-09-11"])
async def test_stream_0_leaves_the_token_events_out(server: LiveServer, revision: str) -> None:
    frames = await turn(server, revision, stream=0)
    assert "token" not in {kind(frame) for frame in frames}
    carried = [frame["data"]["chunk"] for frame in frames if frame.get("event") == "on_chain_stream"]
    message = {"role": "assistant", "content": "".join(SENTENCES), "tool_calls": None}
    assert carried == [{"messages": [message]}, {"model": {"messages": [message]}}]


async def test_v1_sends_texts_and_voices_in_frames_of_one_kind(server: LiveServer) -> None:
    frames = await turn(server, "2023-12-28")
    texts = [frame for frame in frames if frame["voice_url"] is None]
    voices = [frame for frame in frames if frame["voice_url"] is not None]
    assert [frame["msg"] for frame in texts] == TOKENS
    assert [frame["msg"] for frame in voices] == ["", ""]
    assert [frame["sent_uid"] for frame in voices] == list(dict.fromkeys(frame["sent_uid"] for frame in texts))
    assert all(frame["voice_length"] > 0 for frame in voices)
    assert all(frame["voice_length"] is None for frame in texts)


async def test_v1_counts_the_sockets_of_a_room(server: LiveServer) -> None:
    async with talk(server, "/v1/", room_uid="many00000001") as one, talk(server, "/v1/", room_uid="many00000001"):
        await one.send({"action": "sendmessage", "user_uid": "u", "room_uid": "many00000001", "msg": "둘"})
        assert (await one.receive())["client_num"] == 2


async def test_an_unknown_organisation_is_served_by_the_default_space(server: LiveServer) -> None:
    async with talk(server, revision="2024-07-01") as peer:
        frames = await peer.turn(
            {"action": "sendmsg", "org_id": "s8dfkjsdf", "room_uid": "r", "user_id": "u", "msg": "둘"}
        )
    assert frames[-1]["event"] == "on_chain_end"


async def test_som_eom_off_sends_empty_texts(tmp_path_factory: pytest.TempPathFactory) -> None:
    with LiveServer(tmp_path_factory.mktemp("som"), v3={"som_eom": False}) as server:
        async with talk(server) as peer:
            frames = await peer.turn(sendmsg(None))
    assert (frames[0]["msg"], frames[-1]["msg"]) == ("", "")
