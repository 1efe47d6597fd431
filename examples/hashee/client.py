"""A person on Hashee: logs in, says something to an agent, prints the streamed answer.

Needs: pip install httpx websockets

python client.py http://localhost:8765 "hello"
"""

import asyncio
import base64
import json
import sys

import httpx
from websockets.asyncio.client import connect

EMAIL, PASSWORD = "alice@example.com", "hashee-demo"


async def talk(base: str, text: str) -> str:
    """Says `text` to Mint; gives the whole answer."""
    async with httpx.AsyncClient(base_url=base, timeout=30) as http:
        login = await http.post("/auth/login", json={"email": EMAIL, "account_password": PASSWORD})
        login.raise_for_status()
        token = login.json()["data"]["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        conversations = (await http.get("/conversations")).json()["data"]
        mint = next(one["conversation_id"] for one in conversations if one["name"] == "Mint")
        async with connect(f"{base.replace('http', 'ws', 1)}/ws/human") as socket:
            await socket.send(json.dumps({"type": "auth", "token": token}))
            assert json.loads(await socket.recv())["type"] == "auth.ok"
            body = {"content_type": "text", "encrypted_payload": base64.b64encode(text.encode()).decode()}
            (await http.post(f"/conversations/{mint}/messages", json=body)).raise_for_status()
            async for message in socket:
                frame = json.loads(message)
                if frame["type"] == "stream.delta":
                    print(base64.b64decode(frame["encrypted_payload"]).decode(), end="", flush=True)
                elif frame["type"] == "stream.done":
                    print()
                    return base64.b64decode(frame["encrypted_payload"]).decode()
    raise SystemExit("the socket was closed")


if __name__ == "__main__":
    asyncio.run(talk(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8765", " ".join(sys.argv[2:]) or "hello"))
