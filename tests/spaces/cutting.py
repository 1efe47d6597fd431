"""A network that fails at the worst moment."""

from __future__ import annotations

import asyncio
import contextlib


class Cutting:
    """A TCP relay to PostgreSQL that, when armed, lets one COMMIT through and cuts the line before its answer."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._tasks: list[asyncio.Task[None]] = []
        self.armed = False
        self.cuts = 0

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.append(task)
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        back = asyncio.create_task(self._copy(server_reader, writer))
        try:
            while data := await reader.read(65536):
                server_writer.write(data)
                if self.armed and b"COMMIT;" in data:
                    self.armed = False
                    self.cuts += 1
                    back.cancel()
                    await asyncio.gather(back, return_exceptions=True)
                    await server_reader.read(65536)
                    break
        finally:
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
            for end in (writer, server_writer):
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()
