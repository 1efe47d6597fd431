"""The command itself: lines in, turns out, an exit code.

The event loop lives in a thread of its own, so that the main thread is free for the prompt, the screen and Ctrl-C; it
asks the loop for one frame after the other. A slow screen thus slows the socket, and nothing piles up between them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from app.chat.address import Address, Asker, ChatMisuse, fresh_room
from app.chat.answer import Said, Told, Wrong
from app.chat.conversation import Conversation
from app.chat.outcome import Exit, Outcome
from app.chat.screen import Screen
from app.chat.voices import VoiceShelf
from app.emulation.determinism import Ids

T = TypeVar("T")
USER = "me"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says. None: not given. `timeout` in seconds."""

    url: str
    api_key: str | None = None
    org_id: str | None = None
    room: str | None = None
    user: str | None = None
    voice: bool | None = None
    voice_dir: Path | None = None
    timeout: float = 60.0


class LoopThread:
    """A running event loop beside the main thread."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._stay()), name="chat-loop", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    async def _stay(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._leave = asyncio.Event()
        self._ready.set()
        await self._leave.wait()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives. Ctrl-C meanwhile cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._leave.set)
        self._thread.join()


def talk(options: Options, lines: Iterable[str], screen: Screen, ids: Ids, *, forgiving: bool = False) -> Exit:
    """Sends each line as a turn and shows what comes back; the first failure of the connection ends it.

    An answer with an error frame makes the exit code `REFUSED`, unless `forgiving` (a person at a prompt has seen it).
    Raises ChatMisuse before anything is sent.
    """
    address = Address.of(options.url)
    if not (options.api_key or options.org_id or address.flat):
        raise ChatMisuse("no API key: give it with --api-key or in CHLDO_API_KEY")
    voices = _shelf(options, address)
    try:
        asker = Asker(
            room_uid=options.room or address.given("room_uid") or fresh_room(address) or ids.base62(12),
            user=options.user or address.given("user_uid") or USER,
            api_key=options.api_key or "",
            org_id=options.org_id or "",
            return_voice=_return_voice(options),
            flat=address.flat,
        )
        with LoopThread() as loop:
            conversation = Conversation(address, asker, timeout=options.timeout, voices=voices)
            try:
                if failure := loop.run(conversation.connect()):
                    screen.warned(failure.reason)
                    return failure.code
                screen.told("room", asker.room_uid)
                return _converse(loop, conversation, lines, screen, forgiving)
            finally:
                loop.run(conversation.close())
    except KeyboardInterrupt:
        screen.left()
        return Exit.INTERRUPTED
    finally:
        screen.close()


def _shelf(options: Options, address: Address) -> VoiceShelf | None:
    if options.voice_dir is None:
        return None
    if options.voice is False:
        raise ChatMisuse("--no-voice and --voice-dir exclude each other")
    try:
        options.voice_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ChatMisuse(f"cannot use the voice folder {options.voice_dir}: {error.strerror}") from None
    return VoiceShelf(options.voice_dir, proxies=not address.local)


def _return_voice(options: Options) -> int | None:
    if options.voice is None:
        return 1 if options.voice_dir else None
    return int(options.voice)


def _converse(
    loop: LoopThread, conversation: Conversation, lines: Iterable[str], screen: Screen, forgiving: bool
) -> Exit:
    refused = False
    for line in lines:
        outcome = _turn(loop, conversation, line, screen)
        screen.ended()
        for failure in loop.run(conversation.settle()):
            screen.warned(failure)
        if outcome.reason:
            screen.warned(outcome.reason)
        if outcome.code not in (Exit.OK, Exit.REFUSED):
            return outcome.code
        refused = refused or outcome.code is Exit.REFUSED
    return Exit.REFUSED if refused and not forgiving else Exit.OK


def _turn(loop: LoopThread, conversation: Conversation, line: str, screen: Screen) -> Outcome:
    if failure := loop.run(conversation.ask(line)):
        return failure
    while not isinstance(heard := loop.run(conversation.hear()), Outcome):
        screen.framed(heard.raw)
        for event in heard.events:
            match event:
                case Said(text):
                    screen.said(text)
                case Told(status, text):
                    screen.told(status, text)
                case Wrong(text):
                    screen.wronged(text)
        if screen.gone:
            return Outcome(
                Exit.UNREAD, "" if isinstance(screen.gone, BrokenPipeError) else f"cannot write: {screen.gone.strerror}"
            )
    return heard
