"""Faults of the store, as turns tell them: locked or full, for good or for some tries, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.live import Json, LiveServer, Peer, write_fixtures
from tests.wire.faults.stage import NEWEST, REPLIES, TOKENS, WRAPPED, Faulty, asks, room, said, types, whole
from tests.wire.test_gateway import saved


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str | None:
    """Where a live server keeps its turns: in its folder, or on PostgreSQL."""
    if request.param == "sqlite":
        return None
    make: Callable[[], str] = request.getfixturevalue("empty_database")
    return make()


def live(tmp_path: Path, url: str | None = None) -> LiveServer:
    settings: dict[str, Any] = {"store": {"url": url}} if url else {}
    space = {"credit": 10_000, "credit_per_turn": 10}
    fixtures = write_fixtures(tmp_path / "fixtures", replies=REPLIES, space=space)
    return LiveServer(tmp_path / "data", fixtures=fixtures, voice={"engine": "tone", "workers": 1}, **settings)


async def failed(faulty: Faulty, peer: Peer, name: str) -> list[Json]:
    frames = await whole(faulty, peer, asks("세어", name))
    assert types(frames)[-3:] == ["error", "think", "END"]
    return frames


@pytest.mark.parametrize("fault", ["store-locked", "store-full"])
@pytest.mark.parametrize("revision", [NEWEST, WRAPPED])
async def test_a_turn_that_cannot_pay_or_be_saved_says_so_and_the_next_one_is_whole(
    tmp_path: Path, store_url: str | None, name: str, fault: str, revision: str
) -> None:
    with live(tmp_path, store_url) as server:
        faulty = Faulty(server)
        async with room(server, name, revision) as peer:
            await peer.turn(asks("세어", name))
            await faulty.add({"fault": fault, "operation": "write", "count": 1})
            frames = await failed(faulty, peer, name)
            assert (said(frames), frames[-3]["msg"]) == ("", "The turn could not be saved.")
            await faulty.add({"fault": fault, "operation": "write", "skip": 1, "count": 1})
            frames = await failed(faulty, peer, name)
            assert (said(frames), frames[-3]["msg"]) == ("".join(TOKENS), "The turn could not be saved.")
            assert said(await peer.turn(asks("세어", name))) == "".join(TOKENS)
            assert (await saved(server, name)).saved == 2
            assert (await server.run(server.engine.store.charge("test", 0))).balance == 10_000 - 2 * 10
        told = await faulty.told("", 2)
        assert [(one["fault"], one["operation"], one["connection"]) for one in told] == [(fault, "write", "")] * 2


async def test_a_room_whose_history_cannot_be_read_says_so(tmp_path: Path, name: str) -> None:
    with live(tmp_path) as server:
        faulty = Faulty(server)
        async with room(server, name) as peer, room(server, f"{name}x") as other:
            await other.turn(asks("세어", f"{name}x"))
            await faulty.add({"fault": "store-locked", "operation": "read", "count": 1})
            assert said(await other.turn(asks("세어", f"{name}x"))) == "".join(TOKENS), (
                "nothing is read for a warm room"
            )
            assert (await failed(faulty, peer, name))[-3]["msg"] == "The history of the room could not be read."
            assert said(await peer.turn(asks("세어", name))) == "".join(TOKENS)


async def test_a_lock_that_passes_is_not_noticed(tmp_path: Path, name: str) -> None:
    with live(tmp_path) as server:
        faulty = Faulty(server)
        await faulty.add({"fault": "store-locked", "tries": 2, "operation": "write"})
        async with room(server, name) as peer:
            for _ in range(2):
                assert said(await peer.turn(asks("세어", name))) == "".join(TOKENS)
        assert (await saved(server, name)).saved == 2
        assert await faulty.strikes("") == ["store-locked"] * 4


async def test_a_full_disk_is_still_read_from(tmp_path: Path, name: str) -> None:
    with live(tmp_path) as server:
        faulty = Faulty(server)
        await faulty.add({"fault": "store-full"})
        async with room(server, name) as peer:
            frames = await failed(faulty, peer, name)
        assert [frame["msg"] for frame in frames[1:3]] == [
            "대화 기억을 찾고 있습니다.",
            "대화 기억을 재생하였습니다.",
        ]
