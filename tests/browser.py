"""Headless Chromium with a fake microphone, over its own debugging protocol: no driver to install."""

from __future__ import annotations

import asyncio
import base64
import functools
import http.server
import itertools
import json
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

PROGRAM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
PATIENCE = 60.0


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection, session: str) -> None:
        self._socket = socket
        self._session = session
        self._numbers = itertools.count(1)

    async def do(self, method: str, **params: Any) -> dict[str, Any]:
        """A command and its result."""
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": params, "sessionId": self._session}
        await self._socket.send(json.dumps(command))
        async with asyncio.timeout(PATIENCE):
            while True:
                answer = json.loads(await self._socket.recv())
                if answer.get("id") == number:
                    assert "error" not in answer, answer
                    result = answer["result"]
                    assert isinstance(result, dict)
                    return result

    async def run(self, script: str) -> Any:
        """The value of an expression; promises are awaited."""
        told = await self.do("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def until(self, script: str) -> None:
        """Returns when an expression is true; the page itself waits for it, frame by frame."""
        wait = f"new Promise(done => {{ const look = () => ({script}) ? done(true) : setTimeout(look, 20); look(); }})"
        async with asyncio.timeout(PATIENCE):
            await self.run(wait)

    async def picture(self, file: Path) -> None:
        """A screenshot."""
        told = await self.do("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        await asyncio.to_thread(file.write_bytes, base64.b64decode(told["data"]))


@asynccontextmanager
async def browser(profile: Path, microphone: Path | None = None) -> AsyncIterator[Page]:
    """A tab of a fresh browser whose microphone is a WAV file, played once, if there is one."""
    assert PROGRAM is not None
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        *((f"--use-file-for-fake-audio-capture={microphone}%noloop",) if microphone else ()),
        "--autoplay-policy=no-user-gesture-required",
        "--window-size=900,1000",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        address = ""
        async with asyncio.timeout(PATIENCE):
            while not address:
                line = (await process.stderr.readline()).decode()
                assert line, "the browser has ended"
                address = line.partition("listening on ")[2].strip()
        reading = asyncio.create_task(process.stderr.read())
        async with connect(address, max_size=None, compression=None) as socket:
            root = Page(socket, "")
            made = await _plain(socket, root, "Target.createTarget", url="about:blank")
            told = await _plain(socket, root, "Target.attachToTarget", targetId=made["targetId"], flatten=True)
            yield Page(socket, told["sessionId"])
            await socket.send(json.dumps({"id": 0, "method": "Browser.close"}))
            await process.wait()
        await reading
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _plain(socket: ClientConnection, page: Page, method: str, **params: Any) -> dict[str, Any]:
    number = next(page._numbers) + 1_000_000
    await socket.send(json.dumps({"id": number, "method": method, "params": params}))
    while True:
        answer = json.loads(await socket.recv())
        if answer.get("id") == number:
            result = answer["result"]
            assert isinstance(result, dict)
            return result


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder over HTTP on a free port of localhost."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
