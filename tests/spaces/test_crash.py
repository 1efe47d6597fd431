from __future__ import annotations

import asyncio
import sys
from urllib.parse import urlsplit, urlunsplit

from sqlalchemy import Connection, select

from app.emulation.determinism import VirtualClock
from app.spaces.database import Database
from app.spaces.history import History
from app.spaces.models import Charge
from app.spaces.store import SpaceStore
from app.spaces.tables import rooms, turns
from tests.spaces.conftest import World, command
from tests.spaces.cutting import Cutting
from tests.spaces.samples import count_turns, seed, turn


async def test_after_kill_9_every_acknowledged_turn_is_there_once(world: World) -> None:
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "tests.spaces.talking", world.address or "-", str(world.folder)],
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    lines = [await process.stdout.readline() for _ in range(300)]
    process.kill()
    # What was printed before the kill but not yet read; the last line may be cut short.
    lines += [line + b"\n" for line in (await process.stdout.read()).split(b"\n")[:-1]]
    await process.wait()
    acknowledged = [(room, int(began)) for room, began in (line.decode().split() for line in lines)]
    assert len(acknowledged) >= 300

    def read(connection: Connection) -> tuple[list[tuple[str, int]], int]:
        saved = [(row.room_uid, row.began) for row in connection.execute(select(turns.c.room_uid, turns.c.began))]
        return saved, sum(connection.scalars(select(rooms.c.saved)))

    saved, counted = await (await world.opened()).read(read)
    assert set(acknowledged) <= set(saved)
    assert len(saved) == len(set(saved)) == counted


async def test_a_connection_lost_during_commit_neither_loses_nor_repeats_anything(postgres: World) -> None:
    assert postgres.address is not None
    parts = urlsplit(postgres.address)
    relay = Cutting(parts.hostname or "127.0.0.1", parts.port or 5432)
    user = parts.netloc.rpartition("@")[0]
    database = Database(urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{await relay.start()}")))
    await database.open()
    try:
        store, history = SpaceStore(database, clock=VirtualClock()), History(database)
        await store.seed([seed("a", credit=1000)])
        await history.start()
        relay.armed = True
        await history.save("s", "r", turn())
        relay.armed = True
        assert await store.charge("a", 10) == Charge(True, 990)
        assert relay.cuts == 2
        assert (await history.window("s", "r")).saved == await count_turns(database) == 1
    finally:
        await database.close()
        await relay.close()
    assert await command(postgres.address, "SELECT credit FROM spaces") == [(990,)]
