"""The client against the emulator. Run with: pytest"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chldo_client import Chat, ChldoError, ConnectionLost

from pytest_chldo import Emulator


@pytest.fixture
def room(emulator: Emulator) -> str:
    return emulator.room()


@pytest.fixture
def chat(emulator: Emulator, room: str) -> Iterator[Chat]:
    with Chat(emulator.ws_url(room), emulator.api_key, patience=5) as chat:
        yield chat


def test_tokens_are_told_as_they_come(emulator: Emulator, chat: Chat) -> None:
    emulator.reply("hi", tokens=["Hello", ",", " you", "."])
    seen: list[str] = []
    assert chat.ask("hi", on_token=seen.append).text == "Hello, you."
    assert seen == ["Hello", ",", " you", "."]


def test_every_sentence_has_a_voice(emulator: Emulator, chat: Chat) -> None:
    emulator.reply("hi", "This is the first sentence. And here is the second one.", choices=[{"text": "Go on."}])
    answer = chat.ask("hi", return_voice=1, use_choices=1)
    assert len(answer.voices) == 2
    assert answer.choices == ["Go on."]


def test_a_lost_connection_is_made_again(emulator: Emulator, chat: Chat, room: str) -> None:
    fault = emulator.fault("close", code=1011, after_frames=6, room=room, count=1)
    assert chat.ask("안녕하세요").text
    assert fault.strikes == 1
    emulator.wait_for(type="sendmsg", room=room, count=2)


def test_a_connection_that_is_lost_every_time_is_given_up(emulator: Emulator, chat: Chat, room: str) -> None:
    emulator.fault("reset", after_frames=2, room=room)
    with pytest.raises(ConnectionLost, match="3 times"):
        chat.ask("안녕하세요")
    assert len(emulator.journal(kind="open", room=room)) == 3


def test_a_handshake_that_is_refused_at_first_is_tried_again(emulator: Emulator, chat: Chat, room: str) -> None:
    emulator.fault("refuse", status=503, room=room, count=2)
    assert chat.ask("안녕하세요").text
    assert [refused["status"] for refused in emulator.journal(kind="refused", room=room)] == [503, 503]


def test_the_end_of_the_credit_is_told(emulator: Emulator, chat: Chat) -> None:
    emulator.credit(emulator.space, 0)
    with pytest.raises(ChldoError, match="크레딧"):
        chat.ask("안녕하세요")


def test_after_a_failure_the_next_turn_is_answered(emulator: Emulator, chat: Chat) -> None:
    with emulator.fault("llm-error", status=503, after_tokens=2), pytest.raises(ChldoError, match="503"):
        chat.ask("안녕하세요")
    assert chat.ask("안녕하세요").text


def test_a_model_that_hangs_is_given_up(emulator: Emulator, room: str) -> None:
    emulator.fault("hang", after_tokens=2, room=room)
    with Chat(emulator.ws_url(room), emulator.api_key, patience=0.2) as chat, pytest.raises(TimeoutError):
        chat.ask("안녕하세요")


def test_frames_that_are_broken_or_unknown_are_ignored(emulator: Emulator, chat: Chat) -> None:
    emulator.reply("hi", "Still here.")
    emulator.fault("truncate", frame="memory")
    emulator.fault("foreign", frame="START")
    assert chat.ask("hi").text == "Still here."
