"""`chldo-emulator chat` as a program of its own: pipes, signals, a terminal."""

from __future__ import annotations

import asyncio
import os
import signal

from websockets.asyncio.server import ServerConnection

from tests.chat.stage import (
    END,
    R6_TEXT,
    ROOM,
    START,
    Frame,
    Stage,
    Terminal,
    begin,
    error,
    finish,
    token,
    transcript,
)


async def test_one_shot_as_a_program(stage: Stage) -> None:
    stage.play = stage.plays(transcript("2024-10-06-sendmsg"))
    ran = await finish(await begin(stage.url(), "-m", "안녕"))
    assert (ran.code, ran.out) == (0, R6_TEXT + "\n")
    assert [line.split()[0] for line in ran.err.splitlines()] == [
        *("room", "START", "history", "history", "memory", "memory", "think"),
        *("voice_ready", "voice_ready", "voice_ready", "think", "END"),
    ]
    assert ran.err.splitlines()[0] == f"room         {ROOM}"
    assert stage.close_codes == [1000]


async def test_answer_and_statuses_in_one_stream_keep_to_lines_of_their_own(stage: Stage) -> None:
    voice = {**START, "status": "voice_ready", "voice_url": "http://v/", "voice_length": 3, "sent_uid": "u"}
    stage.play = stage.plays([START, token("네."), voice, token(" 응"), token("."), END])
    ran = await finish(await begin(stage.url(), "-m", "hi", stderr=asyncio.subprocess.STDOUT))
    assert ran.out.splitlines()[1:] == ["START", "네.", "voice_ready  3 s", "응.", "END"]


async def test_piped_lines_are_turns_of_one_conversation_until_quit(stage: Stage) -> None:
    async def play(socket: ServerConnection, request: Frame) -> None:
        refused = request["msg"] == "둘"
        await stage.plays([error("no")] if refused else [START, token(request["msg"] + "!"), END])(socket, request)

    stage.play = play
    ran = await finish(await begin(stage.url(), "-q"), "하나\n\n둘\n 셋 \n/quit\n넷\n")
    assert (ran.code, ran.out, ran.err) == (1, "하나!\n셋!\n", "error: no\n")
    assert len(stage.targets) == 1
    assert {request["room_uid"] for request in stage.requests} == {ROOM}


async def test_a_connection_closed_between_turns_is_opened_again(stage: Stage) -> None:
    async def play(socket: ServerConnection, request: Frame) -> None:
        await stage.plays([START, token(request["msg"]), END])(socket, request)
        await socket.close(1001, "idle")

    stage.play = play
    process = await begin(stage.url(), "-q")
    assert process.stdin is not None
    process.stdin.write(b"one\n")
    await stage.closed.wait()
    ran = await finish(process, "two\n")
    assert (ran.code, ran.out) == (0, "one\ntwo\n")
    assert len(stage.targets) == 2


async def test_ctrl_c_in_mid_turn_closes_the_socket_and_ends_with_130(stage: Stage) -> None:
    stage.play = stage.plays([START, token("기다")])
    process = await begin(stage.url(), "-m", "hi", "-q")
    assert process.stdout is not None
    assert await process.stdout.readexactly(6) == "기다".encode()
    process.send_signal(signal.SIGINT)
    ran = await finish(process)
    assert (ran.code, ran.out, ran.err) == (130, "\n", "")
    await stage.closed.wait()
    assert stage.close_codes == [1000]


async def test_ctrl_c_while_waiting_for_a_line_ends_with_130(stage: Stage) -> None:
    process = await begin(stage.url())
    assert process.stderr is not None
    assert (await process.stderr.readline()).startswith(b"room")
    process.send_signal(signal.SIGINT)
    await asyncio.wait_for(stage.closed.wait(), 30)
    assert (await finish(process)).code == 130


async def test_a_refused_connection_ends_with_3_and_says_how_to_start_a_server() -> None:
    ran = await finish(await begin("ws://127.0.0.1:1/v3/?api_key=x", "-m", "hi"))
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)
    assert ran.err.startswith("chldo-emulator: cannot connect to ws://127.0.0.1:1/v3/: Connection refused; ")
    assert "chldo-emulator serve" in ran.err


async def test_an_answer_that_nobody_reads_ends_quietly(stage: Stage) -> None:
    stage.play = stage.plays([START, token("아무도"), END])
    reading, writing = os.pipe()
    os.close(reading)
    process = await begin(stage.url(), "-m", "hi", "-q", stdout=writing)
    os.close(writing)
    ran = await finish(process)
    assert (ran.code, ran.err) == (141, "")


async def test_on_a_terminal_it_prompts_dims_the_statuses_and_ends_with_0(stage: Stage) -> None:
    async def play(socket: ServerConnection, request: Frame) -> None:
        voice = {**START, "status": "voice_ready", "voice_url": "http://v/", "voice_length": 3, "sent_uid": "u"}
        answer = [START, token("네\x1b[31m."), voice, token(" 응."), END]
        await stage.plays(answer if request["msg"] == "하나" else [error("no")])(socket, request)

    stage.play = play
    async with Terminal(stage.url()) as terminal:
        for typed in ("하나\n", "둘\n", "\x04"):
            await terminal.type(typed)
        assert await terminal.ended() == 0
    lines = terminal.lines
    first = lines.index("\x1b[2mSTART\x1b[0m")
    assert lines[first + 1 : first + 5] == ["네[31m.", "\x1b[2mvoice_ready  3 s\x1b[0m", "응.", "\x1b[2mEND\x1b[0m"]
    assert "error: no" in lines
