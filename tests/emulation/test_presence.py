"""Whether a client is still there is heard while nobody listens to it."""

from __future__ import annotations

import asyncio

import pytest

from app.emulation.presence import MOST_AHEAD, Event, LineGone, Presence

GONE: Event = {"type": "websocket.disconnect", "code": 1005}


def said(text: str) -> Event:
    return {"type": "websocket.receive", "text": text}


class Client:
    """A client whose events a test puts into a queue."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Event] = asyncio.Queue()
        self.heard: list[Event] = []
        self.presence = Presence(self.queue.get, self._hear)

    def _hear(self, event: Event) -> None:
        self.heard.append(event)
        if event is GONE:
            self.presence.leave()


async def forever() -> None:
    await asyncio.Event().wait()


async def left() -> int:
    """Tasks beside the test's own."""
    await asyncio.sleep(0)
    return len(asyncio.all_tasks()) - 1


async def test_a_pause_lasts_as_long_as_it_does() -> None:
    client = Client()
    await client.presence.outlast(asyncio.sleep(0.01))
    assert await left() == 0


async def test_a_client_that_leaves_ends_a_pause() -> None:
    client = Client()
    pause = asyncio.create_task(client.presence.outlast(forever()))
    client.queue.put_nowait(said("a"))
    client.queue.put_nowait(GONE)
    with pytest.raises(LineGone):
        await pause
    assert await left() == 0
    assert client.heard == [said("a"), GONE]
    assert [await client.presence.next() for _ in range(2)] == [said("a"), GONE]
    assert len(client.heard) == 2, "each is heard once"


async def test_what_is_read_ahead_comes_in_order_and_nothing_is_lost() -> None:
    client = Client()
    pause = asyncio.create_task(client.presence.outlast(asyncio.sleep(0.02)))
    for number in range(3):
        client.queue.put_nowait(said(str(number)))
    await pause
    for number in range(3, 6):
        client.queue.put_nowait(said(str(number)))
    assert [await client.presence.next() for _ in range(6)] == [said(str(number)) for number in range(6)]


async def test_who_listens_is_not_read_ahead_of() -> None:
    client = Client()
    listening = asyncio.create_task(client.presence.next())
    await asyncio.sleep(0)
    pause = asyncio.create_task(client.presence.outlast(forever()))
    await asyncio.sleep(0)
    client.queue.put_nowait(said("a"))
    assert await listening == said("a")
    client.queue.put_nowait(GONE)
    assert await client.presence.next() is GONE
    with pytest.raises(LineGone):
        await pause
    assert await left() == 0


async def test_who_begins_to_listen_takes_over() -> None:
    client = Client()
    pause = asyncio.create_task(client.presence.outlast(forever()))
    await asyncio.sleep(0.01)
    listening = asyncio.create_task(client.presence.next())
    await asyncio.sleep(0.01)
    client.queue.put_nowait(GONE)
    assert await listening is GONE
    with pytest.raises(LineGone):
        await pause
    assert await left() == 0


async def test_several_pauses_end_together() -> None:
    client = Client()
    pauses = [asyncio.create_task(client.presence.outlast(forever())) for _ in range(5)]
    short = asyncio.create_task(client.presence.outlast(asyncio.sleep(0.01)))
    await short
    client.queue.put_nowait(GONE)
    await asyncio.wait(pauses)
    assert all(isinstance(pause.exception(), LineGone) for pause in pauses)
    assert await left() == 0


async def test_no_more_is_read_ahead_than_can_be_kept() -> None:
    client = Client()
    pause = asyncio.create_task(client.presence.outlast(forever()))
    for number in range(MOST_AHEAD + 10):
        client.queue.put_nowait(said(str(number)))
    while client.queue.qsize() > 10:
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    assert client.queue.qsize() == 10
    client.presence.leave()
    with pytest.raises(LineGone):
        await pause


async def test_a_pause_that_is_given_up_leaves_nothing() -> None:
    client = Client()
    pause = asyncio.create_task(client.presence.outlast(forever()))
    await asyncio.sleep(0.01)
    pause.cancel()
    await asyncio.wait([pause])
    assert pause.cancelled()
    assert await left() == 0


async def test_what_a_pause_raises_is_raised() -> None:
    async def fails() -> None:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        await Client().presence.outlast(fails())
