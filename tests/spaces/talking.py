"""A process that saves turns and names them on stdout: `python -m tests.spaces.talking ADDRESS|- FOLDER`."""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from app.spaces.database import Database
from app.spaces.history import History
from tests.spaces.samples import turn


async def talk(history: History, room: str) -> None:
    for began in itertools.count():
        await history.save("s", room, turn(began))
        print(room, began, flush=True)


async def main(address: str, folder: str) -> None:
    database = Database(None if address == "-" else address, folder=Path(folder))
    await database.open()
    history = History(database)
    await history.start()
    await asyncio.gather(*[talk(history, f"room{number}") for number in range(20)])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
