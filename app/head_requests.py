"""HEAD wherever GET is: what a GET would say, without its body (RFC 9110, 9.3.2)."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


async def answer_head(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Lets `app` answer a HEAD as a GET. The answer ends with its headers, also one whose body would never end: the
    application then hears that its client has gone.
    """
    answered = asyncio.Event()

    async def headers_only(message: Message) -> None:
        if message["type"] == "http.response.start" and not answered.is_set():
            answered.set()
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def until_answered() -> Message:
        if answered.is_set():
            return {"type": "http.disconnect"}
        heard = asyncio.ensure_future(receive())
        done = asyncio.ensure_future(answered.wait())
        try:
            await asyncio.wait({heard, done}, return_when=asyncio.FIRST_COMPLETED)
            return {"type": "http.disconnect"} if not heard.done() else heard.result()
        finally:
            heard.cancel()
            done.cancel()

    await app({**scope, "method": "GET"}, until_answered, headers_only)
