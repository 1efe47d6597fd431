"""The greeting action, in every revision that has it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.golden import FOLDER, VOICE_URL, Json, Mask, request, transcript
from tests.live import LiveServer, Peer, talk, write_fixtures

HELLO = "안녕하세요~ 저는 김컴재입니다. 오늘 행사에 와줘서 고마워요. 당신의 이름을 알려주세요"
KEY = "15b25d9729a6b3d196f2b5"
OTHER_KEY = "0f25d9729a6b3d196f2b5a"
ORG = "org_2laPkMJTagQWnkOPpgISd2FJxFE"
VOICE_KEYS = (
    "status,cAt,room_uid,connection_id,questioner,org_id,msg,voice_url,voice_length,sent_uid,msgtype,hotword_uids,"
    "return_voice"
)
GREETED = {
    "2024-09-11": "status,connection_id,msg,msgtype",
    "2024-10-02": "status,connection_id,msg,msgtype",
    "2024-10-06": "status,connection_id,stream_uid,room_uid,msg,is_stream,msgtype",
    "2024-10-07": "status,connection_id,stream_uid,scene_number,room_uid,msg,is_stream,msgtype",
    "2024-11-03": "status,connection_id,stream_uid,scene_number,room_uid,msg,is_stream,msgtype",
    "2024-11-13": "status,connection_id,stream_uid,scene_number,room_uid,msg,is_stream,msgtype",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("greeting")
    memory = {"uid": "a" * 17, "name": "행사", "hotword": True}
    space = {
        "api_keys": [KEY],
        "org_id": ORG,
        "greetings": {1: HELLO, 2: "또 오셨네요!"},
        "memories": [memory],
        "return_voice": 0,
    }
    other: Json = {"uid": "other", "name": "Other", "org_id": "org_other", "api_keys": [OTHER_KEY], "credit": 1000}
    other["greetings"] = {1: "어서 오세요. 다른 공간의 첫인사입니다."}
    fixtures = write_fixtures(folder / "fixtures", replies=[], space=space, spaces=[other])
    with LiveServer(folder / "data", fixtures=fixtures, voice={"engine": "tone", "workers": 1}) as live:
        yield live


def ask(**fields: object) -> Json:
    return {"action": "greeting", "room_uid": "51VPKp3F0yP3", "api_key": KEY, "user_id": "test", **fields}


async def greet(peer: Peer, **fields: object) -> list[Json]:
    return await peer.turn(ask(**fields))


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("2024-09-11-greeting", "2024-09-11-greeting.request"),
        ("2024-09-11-greeting-voice", "2024-09-11-greeting-voice.request.corrected"),
    ],
)
async def test_a_documented_greeting_is_reproduced(server: LiveServer, name: str, asked: str) -> None:
    documented = transcript(name)
    message = request(asked.removesuffix(".request")) if asked.endswith(".request") else corrected()
    async with talk(server, revision="2024-09-11") as peer:
        frames = await peer.turn(message)
    for frame in frames:
        if "hotword_uids" in frame:
            assert frame["hotword_uids"] == ["a" * 17]
            frame["hotword_uids"] = []
    assert masked(frames) == masked(documented)


def corrected() -> Json:
    import json

    found: Json = json.loads((FOLDER / "2024-09-11-greeting-voice.request.corrected.json").read_text(encoding="utf-8"))
    return found


def masked(frames: list[Json]) -> list[list[object]]:
    """Masked by shape; the voice file of a greeting is `greeting_<n>`, not the sent_uid."""
    shown = []
    for frame in frames:
        copy = dict(frame)
        if "voice_url" in copy:
            found = VOICE_URL.fullmatch(copy["voice_url"])
            assert found
            assert found["name"] == "greeting_1"
            copy["voice_url"] = copy["voice_url"].replace("greeting_1", copy["sent_uid"])
        shown.append(copy)
    return Mask(sent_uid=26).frames(shown)


@pytest.mark.parametrize("revision", GREETED)
async def test_sequence_keys_and_times(server: LiveServer, revision: str) -> None:
    async with talk(server, revision=revision) as peer:
        frames = await greet(peer, return_voice=1)
    assert [frame["status"] for frame in frames] == ["START", "greeting", "voice_ready", "END"]
    assert ",".join(frames[1]) == GREETED[revision]
    assert frames[1]["msg"] == HELLO
    assert ",".join(frames[2]) == VOICE_KEYS
    assert (frames[2]["org_id"], frames[2]["questioner"], frames[2]["return_voice"]) == (ORG, "", 1)
    times = [float(frame["cAt"]) for frame in frames if "cAt" in frame]
    assert times == sorted(times)
    assert len(set(times)) == 3
    assert (frames[0]["msg"], frames[-1]["msg"]) == ("<SOM>", "<EOM>")


async def test_without_return_voice_there_is_none_and_null_is_echoed(server: LiveServer) -> None:
    async with talk(server) as peer:
        frames = await greet(peer)
    assert [frame["status"] for frame in frames] == ["START", "greeting", "END"]
    assert frames[0]["return_voice"] is None
    assert frames[-1]["return_voice"] is None


async def test_the_number_chooses_and_the_questioner_is_echoed(server: LiveServer) -> None:
    async with talk(server) as peer:
        frames = await greet(peer, greeting_number=2, return_voice=1, questioner="김철수")
    assert frames[1]["msg"] == "또 오셨네요!"
    assert frames[2]["questioner"] == "김철수"
    assert "/greeting_2.mp3?" in frames[2]["voice_url"]
    async with httpx.AsyncClient() as client:
        assert (await client.get(frames[2]["voice_url"])).status_code == 200


async def test_two_spaces_greet_in_a_room_of_one_name_each_in_its_own_words(server: LiveServer) -> None:
    async with talk(server) as peer, httpx.AsyncClient() as client:
        urls = [(await greet(peer, api_key=key, return_voice=1))[2]["voice_url"] for key in (KEY, OTHER_KEY)]
        sounds = [(await client.get(url)).content for url in urls]
        again = (await client.get(urls[0])).content
    assert all("/greeting_1.mp3?" in url for url in urls)
    assert sounds[0] != sounds[1]
    assert again == sounds[0]


@pytest.mark.parametrize(
    ("fields", "msg"),
    [
        ({"greeting_number": 9}, "greeting_number is not exist"),
        ({"greeting_number": "1"}, "greeting_number must be a number"),
        ({"greeting_number": True}, "greeting_number must be a number"),
        ({"api_key": None}, "api_key is required"),
        ({"room_uid": ""}, "room_uid is required"),
        ({"user_id": 5}, "user_id must be a string"),
        ({"api_key": "f" * 22}, "api_key is not exist"),
        ({"return_voice": 2}, "return_voice must be a number (0, 1, '0', or '1')"),
    ],
)
async def test_a_wrong_greeting_gets_one_error_frame(server: LiveServer, fields: Json, msg: str) -> None:
    async with talk(server) as peer:
        frame = await peer.ask(ask(**fields))
        assert frame["msg"] == msg
        assert frame["msgtype"] == "error"
        assert (await peer.ask({"action": "status"}))["status"] == "connected"


@pytest.mark.parametrize("revision", ["2024-07-01", "2024-08-26", "2024-08-27"])
async def test_before_its_revision_there_is_no_greeting(server: LiveServer, revision: str) -> None:
    async with talk(server, revision=revision) as peer:
        assert (await peer.ask(ask()))["message"] == "Forbidden"


async def test_a_greeting_leaves_no_trace_in_the_room(server: LiveServer) -> None:
    async with talk(server) as peer:
        await greet(peer)
    window = await server.run(server.engine.history.window("test", "51VPKp3F0yP3"))
    assert window.saved == 0
