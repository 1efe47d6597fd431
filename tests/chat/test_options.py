"""Greetings, choices, scenes, languages and revisions, as the command line asks for them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection

from app.chat.answer import Answer, Told
from tests.chat.stage import (
    END,
    KEY,
    ROOM,
    START,
    Frame,
    Stage,
    Terminal,
    begin,
    chat,
    error,
    finish,
    token,
    transcript,
)
from tests.live import LiveServer

GREETING = "안녕하세요~ 저는 김컴재입니다. 오늘 행사에 와줘서 고마워요. 당신의 이름을 알려주세요"
CHOICES = {
    "choices": [{"text": "네", "tone": "공손한"}, {"text": "아니\n요", "tone": ""}, {"text": ""}, "?"],
    "status": "choices",
    "msg": "끝",
    "msgtype": "info_choices",
}


async def answer(socket: ServerConnection, request: Frame) -> None:
    """A greeting for a greeting; otherwise what was said, and choices if asked for."""
    frames: list[Frame] = [START, {**START, "status": "greeting", "msg": "어서 오세요."}, END]
    if request["action"] != "greeting":
        frames = [START, token(request["msg"] + "!"), *([CHOICES] if "use_choices" in request else []), END]
    for frame in frames:
        await socket.send(json.dumps(frame))


# -- greetings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["2024-09-11-greeting", "2024-09-11-greeting-voice"])
async def test_a_captured_greeting_is_printed_as_the_answer(stage: Stage, name: str) -> None:
    stage.play = stage.plays(transcript(name))
    ran = await chat(stage.url(), "--greeting", "1")
    assert (ran.code, ran.out) == (0, GREETING + "\n")
    assert stage.requests == [
        {"action": "greeting", "room_uid": ROOM, "user_id": "me", "greeting_number": 1, "api_key": KEY}
    ]


async def test_only_the_greeting_is_asked_for_where_nobody_types(stage: Stage) -> None:
    stage.play = answer
    process = await begin(stage.url(), "-q", "--greeting", "2")  # its standard input stays open and silent
    assert await asyncio.wait_for(process.wait(), 30) == 0
    assert [request["action"] for request in stage.requests] == ["greeting"]
    assert (await finish(process)).out == "어서 오세요.\n"


async def test_the_greeting_comes_before_the_message(stage: Stage) -> None:
    stage.play = answer
    ran = await chat(stage.url(), "-q", "--greeting", "2", "-m", "안녕")
    assert (ran.code, ran.out) == (0, "어서 오세요.\n안녕!\n")
    assert [request["action"] for request in stage.requests] == ["greeting", "sendmsg"]


async def test_a_greeting_is_asked_for_in_the_same_manner_as_an_answer(stage: Stage) -> None:
    stage.play = answer
    args = ("--scene", "3", "--language", "id", "--choices", "2", "--no-voice")
    await chat(stage.url(), "--greeting", "2", "-m", "hi", *args)
    manner = {"room_uid": ROOM, "user_id": "me", "api_key": KEY, "return_voice": 0}
    manner |= {"scene_number": 3, "language": "id"}
    assert stage.requests == [
        {"action": "greeting", "greeting_number": 2, **manner},
        {"action": "sendmsg", "msg": "hi", "use_choices": 2, **manner},
    ]


async def test_a_greeting_that_is_not_there_ends_with_1_and_the_message_is_still_sent(stage: Stage) -> None:
    async def play(socket: ServerConnection, request: Frame) -> None:
        refused = request["action"] == "greeting"
        await stage.plays([error("greeting_number is not exist")] if refused else [START, token("네"), END])(
            socket, request
        )

    stage.play = play
    ran = await chat(stage.url(), "-q", "--greeting", "9", "-m", "hi")
    assert (ran.code, ran.out, ran.err) == (1, "네\n", "error: greeting_number is not exist\n")


# -- choices and memories ----------------------------------------------------------------------------------------------


async def test_choices_are_listed_below_the_answer_even_if_quiet(stage: Stage) -> None:
    stage.play = answer
    ran = await chat(stage.url(), "-q", "-m", "응", "--choices", "3")
    assert (ran.code, ran.out, ran.err) == (0, "응!\n", " 1. 네 (공손한)\n 2. 아니 요\n")
    assert stage.requests[0]["use_choices"] == 3


async def test_choices_are_in_the_frames_only_where_frames_are_printed(stage: Stage) -> None:
    stage.play = answer
    ran = await chat(stage.url(), "--json", "-m", "응", "--choices", "3")
    assert [json.loads(line)["status"] for line in ran.out.splitlines()] == ["START", "stream", "choices", "END"]
    assert ran.err == ""


async def test_a_piped_number_is_a_message_like_any_other(stage: Stage) -> None:
    stage.play = answer
    await finish(await begin(stage.url(), "-q", "--choices", "2"), "하나\n1\n")
    assert [request["msg"] for request in stage.requests] == ["하나", "1"]


async def test_at_the_prompt_the_greeting_comes_first_and_a_number_sends_its_choice(stage: Stage) -> None:
    stage.play = answer
    async with Terminal(stage.url(), "-q", "--greeting", "1", "--choices", "2") as terminal:
        for typed in ("1\n", "2\n", "3\n", "\x04"):
            await terminal.type(typed)
        assert await terminal.ended() == 0
    assert [request.get("msg") for request in stage.requests] == [None, "1", "아니\n요", "3"]
    lines = terminal.lines
    assert lines.index("어서 오세요.") < lines.index("1!") < lines.index(" 1. 네 (공손한)")


def test_a_hotword_and_its_memory_are_statuses_people_can_read() -> None:
    told = [
        event
        for frame in transcript("2024-10-02-use_memory")
        for event in Answer().read(json.dumps(frame))
        if isinstance(event, Told) and event.status in ("hotword_detected", "memory_dict")
    ]
    assert [event.status for event in told] == ["hotword_detected", "memory_dict"]
    assert told[0].text == '핫워드 "도손"가 감지되었습니다.'
    assert "베스트 셀러" in told[1].text


@pytest.mark.parametrize(
    ("msg", "text"),
    [("", "d3609c2758b7aa6b9"), (None, "d3609c2758b7aa6b9"), ("x{", "x{"), ({"memo": "값"}, '{"memo": "값"}')],
)
def test_a_memory_without_a_dictionary_is_told_by_its_uid(msg: object, text: str) -> None:
    frame = {**START, "status": "memory_dict", "msg": msg, "hotword_uid": "d3609c2758b7aa6b9"}
    assert Answer().read(json.dumps(frame)) == [Told("memory_dict", text)]


# -- revisions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v3/", {"revision": ["2024-10-06"], "room_uid": [ROOM], "user_uid": ["me"]}),
        (
            "/v4/?x=1&revision=2024-08-26",
            {"x": ["1"], "revision": ["2024-10-06"], "room_uid": [ROOM], "user_uid": ["me"]},
        ),
    ],
)
async def test_the_revision_goes_into_the_url_in_place_of_the_one_that_is_there(
    stage: Stage, path: str, query: dict[str, list[str]]
) -> None:
    await chat(stage.url(path), "-m", "hi", "--revision", "2024-10-06")
    assert parse_qs(urlsplit(stage.targets[0]).query) == query


async def test_the_first_revision_is_spoken_flat_at_any_path(stage: Stage) -> None:
    flat = {"room_uid": ROOM, "stream_uid": "s", "msg": "네", "voice_url": None}
    stage.play = stage.plays([flat])
    ran = await chat(stage.url("/v3/"), "-m", "hi", "--revision", "2023-12-28", key=None)
    assert (ran.code, ran.out) == (0, "네\n")
    assert stage.requests[0]["action"] == "sendmessage"


@pytest.mark.parametrize(
    ("path", "args", "said"),
    [
        (
            "/v3/",
            ["--revision", "2024-08-27", "--greeting", "1"],
            "--greeting needs revision 2024-09-11 or a later one",
        ),
        ("/v3/", ["--revision", "2024-11-03", "--choices", "1"], "--choices needs revision 2024-11-13 or a later one"),
        ("/v3/?revision=2024-08-26", ["--file", "x.png"], "--file needs revision 2024-08-27 or a later one"),
        (
            "/v1/",
            ["--greeting", "1"],
            "--greeting needs revision 2024-09-11 or a later one, and 2023-12-28 is asked for",
        ),
    ],
)
async def test_what_the_revision_cannot_do_is_one_line_and_2(
    stage: Stage, path: str, args: list[str], said: str
) -> None:
    ran = await chat(stage.url(path), "-m", "hi", *args)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith(f"chldo-emulator: {said}")
    assert stage.targets == []


@pytest.mark.parametrize(
    ("revision", "option"), [("2024-08-27", "--scene"), ("2024-09-11", "--greeting"), ("2024-11-13", "--choices")]
)
async def test_the_first_revision_of_an_option_takes_it(stage: Stage, revision: str, option: str) -> None:
    stage.play = answer
    assert (await chat(stage.url(), "-m", "hi", "--revision", revision, option, "1")).code == 0


async def test_the_emulator_greets_and_offers_choices(tmp_path: Path) -> None:
    with LiveServer(tmp_path) as server:
        ran = await chat(f"{server.ws}/v3/", "-q", "--greeting", "1", "-m", "안녕", "--choices", "2", "--scene", "2")
        unknown = await chat(f"{server.ws}/v3/", "-q", "--greeting", "99")
    assert ran.code == 0
    assert ran.out.startswith(GREETING + "\n")
    assert [line[:3] for line in ran.err.splitlines()] == [" 1.", " 2."]
    assert (unknown.code, unknown.err) == (1, "error: greeting_number is not exist\n")
