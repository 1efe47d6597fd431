from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.server import serve

from tests.chat.stage import Stage


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.delenv("CHLDO_API_KEY", raising=False)
    made = Stage()
    async with serve(made.serve, "127.0.0.1", 0, process_request=made.page, compression="deflate") as server:
        made.port = next(iter(server.sockets)).getsockname()[1]
        yield made
