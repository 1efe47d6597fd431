"""Clients that vanish without a goodbye: a machine that is switched off, a network that is gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from tests.live import PATIENCE, LiveServer


async def test_a_client_that_answers_pings_stays_and_one_that_stops_answering_is_closed(tmp_path: Path) -> None:
    pings = {"ping_interval": 0.05, "ping_timeout": 0.5}
    with LiveServer(tmp_path, malangee=pings, voice={"engine": "tone", "workers": 1}) as server:
        protocol = ClientProtocol(parse_uri(f"{server.ws}/api/v1/chat/ws/guest-chat/gone"))
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

        async def next_of(kind: Opcode) -> bytes:
            """The next frame of a kind, others left out."""
            async with asyncio.timeout(PATIENCE):
                while True:
                    for event in protocol.events_received():
                        if isinstance(event, Frame) and event.opcode is kind:
                            return bytes(event.data)
                    data = await reader.read(4096)
                    assert data, "the server ended the connection"
                    protocol.receive_data(data)

        try:
            protocol.send_request(protocol.connect())
            writer.write(b"".join(protocol.data_to_send()))
            while protocol.state is not State.OPEN:
                protocol.receive_data(await reader.read(4096))
            for _ in range(3):
                await next_of(Opcode.PING)
                writer.write(b"".join(protocol.data_to_send()))  # the pong, and nothing else
            await next_of(Opcode.PING)
            assert await next_of(Opcode.CLOSE) == (1011).to_bytes(2, "big") + b"keepalive ping timeout"
        finally:
            writer.close()
