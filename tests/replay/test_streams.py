"""Sound on a tape: pieces are never compared, what counts is how far the stream has come."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from app.emulation.replay.exchanges import exchanges, marks_of
from app.emulation.replay.library import Wire
from app.emulation.replay.streams import Mark, StreamPosition, StreamReading
from tests.replay.sessions import Client, server_of, talking, tape


def size(text: str) -> int | None:
    piece = json.loads(text).get("sound")
    return None if piece is None else len(piece)


SOUND = StreamReading(size, lambda text: "heard" in text)
WIRE = Wire(stream=SOUND)


def sound(count: int, letter: str = "a") -> dict[str, Any]:
    return {"sound": letter * count}


TALK = tape(
    ("<", 0.1, {"text": "hello"}),
    (">", 1.0, sound(10)),
    (">", 1.1, sound(10)),
    ("<", 1.2, {"text": "there"}),  # still of the opening: no sound has brought it about
    (">", 1.3, sound(10)),
    ("<", 1.4, {"event": "heard", "number": 1}),
    (">", 1.5, sound(10)),
    ("<", 1.6, {"text": "first answer"}),
    (">", 2.0, sound(10)),
    ("<", 2.1, {"event": "heard", "number": 2}),
    ("<", 2.2, {"text": "second answer"}),
    (">", 3.0, {"say": "bye"}),
    (">", 3.1, sound(10)),
    ("<", 3.2, {"text": "see you"}),
    close=(1000, ""),
    closed_by="server",
    closed_at=3.3,
)
OPENING = [{"text": "hello"}, {"text": "there"}]
FIRST = [{"event": "heard", "number": 1}, {"text": "first answer"}]
SECOND = [{"event": "heard", "number": 2}, {"text": "second answer"}]


def test_what_a_stream_brings_about_belongs_to_it_and_nothing_else() -> None:
    found = exchanges(TALK, SOUND)
    owned = {one.number: [json.loads(frame.text or "") for frame in one.frames] for one in found if one.frames}
    assert owned == {0: OPENING, 3: FIRST, 5: SECOND, 6: [{"text": "see you"}]}
    assert found[6].close == (1000, ""), "sound that comes after the last word owns nothing"
    assert marks_of(found) == [Mark(3, 0, 30), Mark(5, 0, 50)]
    assert [one.stream for one in found] == [None, 10, 10, 10, 10, 10, None, 10]


async def got(client: Client, count: int) -> list[Any]:
    return [await client.json() for _ in range(count)]


@pytest.mark.parametrize("sizes", [(10, 10, 10), (30,), (29, 1), (1,) * 30, (31,)])
async def test_other_sound_in_other_pieces_gets_what_came_there(sizes: tuple[int, ...]) -> None:
    async with talking(server_of([TALK], wire=WIRE)) as client:
        assert await got(client, 2) == OPENING
        for one in sizes:
            client.send(sound(one, "z"))
        assert await got(client, 2) == FIRST
        client.send(sound(20, "z"))
        assert await got(client, 2) == SECOND
        client.send(sound(1_000, "z"))  # more than there was: nothing comes of it
        assert await client.ask({"say": "bye"}) == [{"text": "see you"}]
        assert (await client.receive())["type"] == "websocket.close"


async def test_a_shorter_stream_that_stops_gets_its_answer_and_only_its_own() -> None:
    async with talking(server_of([TALK], wire=WIRE)) as client:
        assert await got(client, 2) == OPENING
        client.send(sound(5, "z"))
        assert await got(client, 2) == FIRST
        client.send(sound(5, "z"))
        assert await got(client, 2) == SECOND


async def test_a_request_ends_a_stream_and_what_it_has_reached_comes_first() -> None:
    async with talking(server_of([TALK], wire=WIRE)) as client:
        assert await got(client, 2) == OPENING
        client.send(sound(5, "z"))
        assert await client.ask({"say": "bye"}, 3) == [*FIRST, {"text": "see you"}]


async def test_without_sound_a_request_is_answered_all_the_same() -> None:
    async with talking(server_of([TALK], wire=WIRE)) as client:
        assert await got(client, 2) == OPENING
        assert await client.ask({"say": "bye"}) == [{"text": "see you"}]


async def test_a_refusal_does_not_speak_of_sound() -> None:
    async with talking(server_of([TALK], wire=WIRE)) as client:
        assert await got(client, 2) == OPENING
        (refused,) = await client.ask({"say": "goodbye"})
    assert 't:13 (say: wanted "bye", got "goodbye")' in refused["error"]["message"]
    assert "sound" not in refused["error"]["message"]


def test_a_position_gives_each_mark_once_and_begins_behind_a_request() -> None:
    position = StreamPosition([Mark(3, 0, 30), Mark(5, 0, 50), Mark(9, 6, 10)])
    position.come(29)
    assert position.take() is None
    position.come(100)
    assert [position.take(), position.take(), position.take()] == [3, 5, None]
    position.stopped()
    assert position.take() is None, "it has been noticed before it stopped"
    position.come(1)
    position.stopped()
    assert position.take() is None, "a request comes first on the tape"
    position.asked(6)
    position.come(10)
    assert position.take() == 9
    position.asked(6)
    position.come(3)
    position.stopped()
    assert position.take() == 9, "the same request again"
    position.stopped()
    assert position.take() is None


def test_identifiers_in_a_path_are_given_by_the_client() -> None:
    wire = Wire(path=re.compile("/chat/(?P<session_id>[^/]+)(?:/(?P<part>[^/]+))?"))
    assert wire.named_in("/chat/a%20b") == {"session_id": "a b"}
    assert wire.place("/chat/a%20b") == "/chat/{session_id}"
    assert wire.place("/chat/x/y") == "/chat/{session_id}/{part}"
    assert wire.place("/other/x") == "/other/x"
    assert wire.named_in("/other/x") == {}
