"""The command itself: lines in, turns out, an exit code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.chat.address import Address, Asker, ChatMisuse, fresh_room
from app.chat.conversation import Conversation
from app.chat.dialogue import Dialogue
from app.chat.loop import LoopThread
from app.chat.outcome import Exit
from app.chat.screen import Screen
from app.chat.upload import Picture, upload
from app.chat.voices import VoiceShelf
from app.emulation.determinism import Ids

USER = "me"
SINCE: Final = {"--file": "2024-08-27", "--greeting": "2024-09-11", "--choices": "2024-11-13"}
"""The first revision that can do it. One before refuses it, or, worse, does nothing."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says. None: not given. `timeout` in seconds; `choices`: how many; `file`: an image."""

    url: str
    api_key: str | None = None
    org_id: str | None = None
    room: str | None = None
    user: str | None = None
    voice: bool | None = None
    voice_dir: Path | None = None
    timeout: float = 60.0
    revision: str | None = None
    greeting: int | None = None
    choices: int | None = None
    scene: int | None = None
    language: str | None = None
    file: Path | None = None


def talk(options: Options, lines: Iterable[str], screen: Screen, ids: Ids, *, interactive: bool = False) -> Exit:
    """Greets if asked to, then sends each line as a turn; the first failure of the connection ends it.

    An answer with an error frame makes the exit code `REFUSED`, unless `interactive`: a person at a prompt has seen it.
    Such a person may also type the number of a choice. Raises ChatMisuse before anything is sent.
    """
    address = Address.of(options.url, options.revision)
    _check(options, address)
    voices = _shelf(options)
    picture = Picture.of(options.file) if options.file else None
    try:
        asker = Asker(
            room_uid=options.room or address.given("room_uid") or fresh_room(address) or ids.base62(12),
            user=options.user or address.given("user_uid") or USER,
            api_key=options.api_key or "",
            org_id=options.org_id or "",
            return_voice=_return_voice(options),
            scene=options.scene,
            language=options.language or None,
            choices=options.choices,
            filename=picture.name if picture else None,
            flat=address.flat,
        )
        with LoopThread() as loop:
            conversation = Conversation(address, asker, timeout=options.timeout, voices=voices)
            try:
                if failure := loop.run(conversation.connect()):
                    screen.warned(failure.reason)
                    return failure.code
                screen.told("room", asker.room_uid)
                if picture:
                    room, key, patience = asker.room_uid, asker.api_key, options.timeout
                    if failure := loop.run(upload(picture, address, room_uid=room, api_key=key, patience=patience)):
                        screen.warned(failure.reason)
                        return failure.code
                    screen.told("file", f"{picture.name}  {len(picture.content)} bytes")
                return _converse(Dialogue(loop, conversation, screen), asker, options.greeting, lines, interactive)
            finally:
                loop.run(conversation.close())
    except KeyboardInterrupt:
        screen.left()
        return Exit.INTERRUPTED
    finally:
        screen.close()


def _check(options: Options, address: Address) -> None:
    if not (options.api_key or options.org_id or address.flat):
        raise ChatMisuse("no API key: give it with --api-key or in CHLDO_API_KEY")
    wanted = {"--file": options.file, "--greeting": options.greeting, "--choices": options.choices}
    for option, since in SINCE.items():
        if wanted[option] is not None and "" < address.revision < since:
            raise ChatMisuse(f"{option} needs revision {since} or a later one, and {address.revision} is asked for")
    if options.file and not options.api_key:
        raise ChatMisuse("--file needs an API key: give it with --api-key or in CHLDO_API_KEY")


def _shelf(options: Options) -> VoiceShelf | None:
    if options.voice_dir is None:
        return None
    if options.voice is False:
        raise ChatMisuse("--no-voice and --voice-dir exclude each other")
    try:
        options.voice_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ChatMisuse(f"cannot use the voice folder {options.voice_dir}: {error.strerror}") from None
    return VoiceShelf(options.voice_dir)


def _return_voice(options: Options) -> int | None:
    if options.voice is None:
        return 1 if options.voice_dir else None
    return int(options.voice)


def _converse(dialogue: Dialogue, asker: Asker, greeting: int | None, lines: Iterable[str], interactive: bool) -> Exit:
    def requests() -> Iterator[str]:
        if greeting is not None:
            yield asker.greeting(greeting)
        for line in lines:
            yield asker.request(dialogue.meant(line) if interactive else line)

    refused = False
    for request in requests():
        code = dialogue.turn(request)
        if code not in (Exit.OK, Exit.REFUSED):
            return code
        refused = refused or code is Exit.REFUSED
    return Exit.REFUSED if refused and not interactive else Exit.OK
