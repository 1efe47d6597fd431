"""A process that opens a database when told to on stdin: `python -m tests.spaces.opening ADDRESS|- FOLDER`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from app.spaces.database import Database


async def main(address: str, folder: str) -> None:
    database = Database(None if address == "-" else address, folder=Path(folder))
    print("waiting", flush=True)
    sys.stdin.readline()
    await database.open()
    print("opened", "alembic" in sys.modules, flush=True)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
