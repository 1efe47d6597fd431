"""`chldo-emulator chat` while captured turns are played, requests refused, connections lost and voices served."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from app.chat.answer import ACTION_HINT, Answer
from tests.chat.stage import (
    END,
    KEY,
    R6_TEXT,
    ROOM,
    START,
    Frame,
    Stage,
    begin,
    chat,
    error,
    finish,
    names,
    token,
    transcript,
)

R6_VOICES = [
    f"{n:03d}-{uid}.mp3"
    for n, uid in enumerate(
        ("2eWAooMd4e92hm5VQ0H6ifu27Mw3", "F9UHQ574RvamYegggP0nGzTCirEi", "51u8CEw88cixo28hW3lfAQ6Nqo3f"), 1
    )
]

# -- every revision's turn ---------------------------------------------------------------------------------------------

R2_TEXT = "안녕~ 또 만나서 반가워! 계속 인사하네. 뭔가 더 이야기해볼래?"
R3_TEXT = (
    "네, 아이유가 민트를 좋아하는 건 유명한 사실이죠! 민트의 상쾌함은 정말 매력적이에요!"
    " 고수님께서 좋아하는 향이나 느낌이 민트와 비슷한가요? 아니면 다른 향을 선호하시나요?"
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("2024-08-26-sendmsg", R2_TEXT),
        ("2024-08-26-sendmsg.2", R2_TEXT),
        ("2024-08-27-sendmsg", R2_TEXT),
        ("2024-08-27-use_voice", R3_TEXT),
        ("2024-10-02-use_memory", " 딥티크의 **도손**이 정말 잘 어울릴 것 같습니다"),
        ("2024-10-06-sendmsg", R6_TEXT),
        ("2024-11-03-use_voice-language-id", "Halo! Ada yang bisa saya bantu?"),
    ],
)
async def test_the_answer_of_every_captured_turn_is_printed_once(stage: Stage, name: str, text: str) -> None:
    stage.play = stage.plays(transcript(name))
    ran = await chat(stage.url(), "-m", "안녕")
    assert (ran.code, ran.out) == (0, text + "\n")


async def test_a_flat_turn_of_v1_ends_when_nothing_follows(stage: Stage) -> None:
    flat = {"room_uid": ROOM, "client_num": 1, "connection_id": "c", "stream_uid": "s", "sent_uid": "u", "cAt": "1.5"}
    voice = f"http://127.0.0.1:{stage.port}/a.mp3"
    texts = [{**flat, "msg": text, "return_voice": 1, "voice_url": None, "voice_length": None} for text in ("안", "녕")]
    stage.play = stage.plays([*texts, {**texts[0], "msg": "", "voice_url": voice, "voice_length": 1.2}])
    ran = await chat(stage.url("/v1"), "-m", "hi", key=None)
    assert (ran.code, ran.out) == (0, "안녕\n")
    assert "voice_ready  1.2 s" in ran.err
    (request,) = stage.requests
    assert request["action"] == "sendmessage"
    assert request["user_uid"] == "me"
    assert urlsplit(stage.targets[0]).path == "/v1/"
    assert stage.fetched == ["/v1/room/uid/"]


async def test_a_whole_answer_of_stream_0_is_printed_once_although_two_events_carry_it(stage: Stage) -> None:
    whole = [frame for frame in transcript("2024-08-26-sendmsg.2") if frame.get("event") != "on_chat_model_stream"]
    stage.play = stage.plays(whole)
    assert (await chat(stage.url(), "-m", "hi")).out == R2_TEXT + "\n"


async def test_choices_are_listed_and_unknown_frames_shown(stage: Stage) -> None:
    choices = {"choices": [{"text": "네", "tone": "공손한"}, {"text": "아니요", "tone": "공손한"}], "status": "choices"}
    stage.play = stage.plays(
        [START, token("응"), {**choices, "msg": "끝", "msgtype": "info_choices"}, '{"new":1}', "?", END]
    )
    ran = await chat(stage.url(), "-m", "hi")
    assert (ran.code, ran.out) == (0, "응\n")
    assert ran.err.splitlines()[2:] == [
        "choices      끝",
        'frame        {"new":1}',
        "frame        ?",
        "END",
        " 1. 네 (공손한)",
        " 2. 아니요 (공손한)",
    ]


_words = """status event msg msgtype data chunk content messages role choices text voice_url voice_length sent_uid
stream_uid parent_ids message connectionId START END stream voice_ready on_chain_stream on_chat_model_stream error"""
_keys = st.sampled_from(_words.split())
_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | _keys,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=6),
    max_leaves=12,
)


@given(_json | st.dictionaries(_keys, _json))
def test_no_frame_whatever_breaks_the_reading(frame: object) -> None:
    answer = Answer()
    for event in answer.read(json.dumps(frame)):
        assert event is not None


# -- what is asked -----------------------------------------------------------------------------------------------------


async def test_the_request_is_the_documented_one_in_a_fresh_room(stage: Stage) -> None:
    await chat(f"http://127.0.0.1:{stage.port}", "-m", "내 이름은 이세종이다")
    assert stage.requests == [
        {"action": "sendmsg", "room_uid": ROOM, "user_id": "me", "msg": "내 이름은 이세종이다", "api_key": KEY}
    ]
    assert stage.targets == [f"/v3/?room_uid={ROOM}&user_uid=me"]


async def test_options_go_into_the_request_and_the_urls_own_query_stays(stage: Stage) -> None:
    url = stage.url("/v4/?revision=2024-10-06&room_uid=Here")
    await chat(url, "-m", "hi", "--user", "이 세종", "--org-id", "org_1", "--no-voice")
    assert (
        stage.requests[0].items()
        >= {"room_uid": "Here", "user_id": "이 세종", "org_id": "org_1", "return_voice": 0}.items()
    )
    target = urlsplit(stage.targets[0])
    assert target.path == "/v4/"
    assert parse_qs(target.query) == {"revision": ["2024-10-06"], "room_uid": ["Here"], "user_uid": ["이 세종"]}
    assert stage.fetched == []


async def test_a_room_id_is_made_up_where_the_server_has_none_to_give(stage: Stage) -> None:
    stage.pages.clear()
    assert (await chat(stage.url(), "-m", "hi")).code == 0
    room = stage.requests[0]["room_uid"]
    assert room.isalnum()
    assert len(room) == 12


# -- what goes wrong ---------------------------------------------------------------------------------------------------


async def test_a_refusal_ends_the_turn_with_1(stage: Stage) -> None:
    stage.play = stage.plays(transcript("2024-08-26-error-api-key-is-not-usable"))
    ran = await chat(stage.url(), "-m", "hi", "--quiet")
    assert (ran.code, ran.out, ran.err) == (1, "", "error: api_key is not usable\n")


async def test_the_gateways_own_refusal_ends_the_turn_with_1(stage: Stage) -> None:
    stage.play = stage.plays([{"message": "Forbidden", "connectionId": "c", "requestId": "r"}])
    ran = await chat(stage.url(), "-m", "hi", "--quiet")
    assert (ran.code, ran.err) == (1, f"error: Forbidden{ACTION_HINT}\n")


@pytest.mark.parametrize("name", ["2024-08-26-sendmsg-no-credit", "2024-09-11-sendmsg-llm-error"])
async def test_a_failure_inside_the_flow_is_told_and_the_turn_read_to_its_end(stage: Stage, name: str) -> None:
    frames = transcript(name)
    stage.play = stage.plays(frames)
    ran = await chat(stage.url(), "-m", "hi")
    assert ran.code == 1
    assert [f"error: {frame['msg']}" for frame in frames if frame.get("msgtype") == "error"] == [
        line for line in ran.err.splitlines() if line.startswith("error")
    ]
    assert ran.err.endswith("END\n")


@pytest.mark.parametrize(
    ("code", "said"), [(1001, "in mid-turn (1001 bye); send the message again"), (1009, "too large for it (1009 bye)")]
)
async def test_a_connection_closed_in_mid_turn_ends_with_3(stage: Stage, code: int, said: str) -> None:
    async def play(socket: ServerConnection, _: Frame) -> None:
        await stage.plays([START, token("안")])(socket, {})
        await socket.close(code, "bye")

    stage.play = play
    ran = await chat(stage.url(), "-m", "hi")
    assert (ran.code, ran.out) == (3, "안\n")
    assert ran.err.splitlines()[-1].endswith(said)


async def test_a_connection_that_breaks_ends_with_3(stage: Stage) -> None:
    async def play(socket: ServerConnection, _: Frame) -> None:
        socket.transport.abort()

    stage.play = play
    ran = await chat(stage.url(), "-m", "hi", "--quiet")
    assert (ran.code, ran.err) == (
        3,
        "chldo-emulator: the connection broke in mid-turn; is the server still running?\n",
    )


async def test_a_silent_server_ends_with_4(stage: Stage) -> None:
    stage.play = stage.plays([START])
    ran = await chat(stage.url(), "-m", "hi", "--timeout", "0.1", "--quiet")
    assert (ran.code, ran.err) == (
        4,
        "chldo-emulator: no frame from the server for 0.1 s; --timeout lets it take longer\n",
    )


async def test_a_server_that_refuses_the_handshake_ends_with_3_and_its_words(stage: Stage) -> None:
    async def refuse(_: ServerConnection, __: Request) -> Response:
        body = b'{"message":"unknown revision"}'
        return Response(400, "Bad Request", Headers({"Content-Length": str(len(body)), "Connection": "close"}), body)

    async with serve(stage.serve, "127.0.0.1", 0, process_request=refuse) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        ran = await chat(f"ws://127.0.0.1:{port}/?revision=x", "-m", "hi", "--room", "r")
    assert ran.code == 3
    assert ran.err.endswith("HTTP 400 (unknown revision)\n")


@pytest.mark.parametrize(
    ("url", "args", "said"),
    [
        ("127.0.0.1:8765", [], "the URL must begin with ws:// or wss://"),
        ("ftp://host/v3/", [], "the URL must begin with ws:// or wss://"),
        ("ws://host:port/v3/", [], "the URL cannot be read"),
        ("ws://127.0.0.1:1/", ["--api-key", ""], "no API key: give it with --api-key or in CHLDO_API_KEY"),
        ("ws://127.0.0.1:1/", ["--voice-dir", "v", "--no-voice"], "--no-voice and --voice-dir exclude each other"),
        ("ws://127.0.0.1:1/", ["--voice-dir", "/dev/null/v"], "cannot use the voice folder"),
    ],
)
async def test_wrong_usage_is_one_line_and_2(url: str, args: list[str], said: str) -> None:
    ran = await chat(url, "-m", "hi", *args)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith(f"chldo-emulator: {said}")


# -- frames and voices -------------------------------------------------------------------------------------------------


async def test_json_prints_every_frame_as_a_line_and_nothing_else(stage: Stage) -> None:
    frames = transcript("2024-10-06-sendmsg")
    pretty = json.dumps(error(f"no {KEY}"), indent=2)
    stage.play = stage.plays([*frames[:-1], pretty, "no json\n", frames[-1]])
    ran = await finish(await begin(stage.url(), "--json", "-m", "hi"))
    *lines, odd, last = ran.out.splitlines()
    assert lines[:-1] == [stage.wire(frame) for frame in frames[:-1]]
    assert json.loads(lines[-1]) == error("no ***")
    assert json.loads(odd) == "no json\n"
    assert last == stage.wire(frames[-1])
    assert (ran.code, ran.err) == (1, "error: no ***\n")


async def test_voices_are_saved_while_the_answer_goes_on(stage: Stage, tmp_path: Path) -> None:
    frames = transcript("2024-10-06-sendmsg")
    paths = [urlsplit(frame["voice_url"]).path for frame in frames if frame["status"] == "voice_ready"]
    stage.pages |= {path: b"\xff\xf3" + path.encode() for path in paths}
    asked = asyncio.Semaphore(0)
    stage.on_fetch = lambda path: asked.release() if path in paths else None

    async def play(socket: ServerConnection, _: Frame) -> None:
        for frame in frames:
            await socket.send(stage.wire(frame))
            if frame["status"] == "voice_ready":
                await asked.acquire()

    stage.play = play
    ran = await chat(stage.url(), "-m", "hi", "--voice-dir", str(tmp_path / "new"), "--timeout", "30")
    assert (ran.code, ran.out) == (0, R6_TEXT + "\n")
    assert names(tmp_path / "new") == R6_VOICES
    for name, path in zip(R6_VOICES, paths, strict=True):
        assert (tmp_path / "new" / name).read_bytes() == stage.pages[path]
    assert f"voice_ready  2.688 s  {tmp_path / 'new' / R6_VOICES[0]}" in ran.err.splitlines()
    assert stage.requests[0]["return_voice"] == 1


async def test_a_voice_that_cannot_be_had_is_a_warning_and_names_stay_in_the_folder(
    stage: Stage, tmp_path: Path
) -> None:
    stage.pages["/x.mp3"] = b"sound"
    voice = {**START, "status": "voice_ready", "voice_length": 3}
    frames = [
        {**voice, "voice_url": "https://voice.chldo.com/none.mp3", "sent_uid": "none"},
        {**voice, "voice_url": "https://voice.chldo.com/x.mp3", "sent_uid": "../../x/.."},
        {**voice, "voice_url": "file:///etc/hostname", "sent_uid": "local"},
    ]
    stage.play = stage.plays([START, *frames, token("네"), END])
    ran = await chat(stage.url(), "-m", "hi", "--voice-dir", str(tmp_path), "--quiet")
    assert (ran.code, ran.out) == (0, "네\n")
    assert names(tmp_path) == ["002-x.mp3"]
    missing, scheme = sorted(ran.err.splitlines())
    assert missing == "chldo-emulator: 001-none.mp3 was not saved: HTTP 404"
    assert scheme.startswith("chldo-emulator: 003-local.mp3 was not saved: ")
