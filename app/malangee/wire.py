"""The MaLangEE wire, assembled: what `app/main.py` takes in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.params import Depends
from starlette.types import ASGIApp

from app.emulation.determinism import RealClock
from app.emulation.key_file import kept_key
from app.engine import Engine, Opened, Stage
from app.http_routes import UnusableEnvironment, check_route
from app.malangee.dialects import DIALECTS
from app.malangee.gateway import WIRE, Gateway, Open
from app.malangee.requests import PATHS, ROOT
from app.malangee.script import FILE, Script

if TYPE_CHECKING:
    from app.agent.upstream import Upstream
    from app.emulation.replay.library import Wire as TapedWire
    from app.malangee.rest import Desk
    from app.settings import MalangeeSettings
    from app.voice.listening import Ears
    from app.voice.speech import Speaker
    from app.voice.transcribing import Transcriber

log = logging.getLogger("app.malangee")


class MalangeeWire:
    """Spoken conversation over a WebSocket, and the REST endpoints beside it. A `Wire`."""

    name = WIRE

    def __init__(self, settings: MalangeeSettings, data: Path, stage: Stage, opened: Opened) -> None:
        self._settings = settings
        self._data = data
        self._stage = stage
        self._opened = opened
        self._open: Open | None = None
        self._desk: Desk | None = None
        self._script = Script()
        self._speaker: Speaker | None = None
        self._voices_named = asyncio.Event()
        self._ears: Ears | None = None
        self._transcriber: Transcriber | None = None
        self.revisions: Sequence[str] = DIALECTS
        self.credentialed: Sequence[str] = (f"{ROOT}/",)
        self.gateway = Gateway(settings=settings, stage=stage, opened=self._opening, dialect=settings.dialect)
        self.sockets: Mapping[str, ASGIApp] = {f"{ROOT}/*": self.gateway, **dict.fromkeys(PATHS, self.gateway)}

    @property
    def revision(self) -> str:
        return self.gateway.dialect

    @revision.setter
    def revision(self, name: str) -> None:
        self.gateway.dialect = name

    @property
    def running(self) -> int:
        return self.gateway.running

    def routers(self, guards: Sequence[Depends]) -> Sequence[APIRouter]:
        from app.malangee.rest import rest_routes

        world = self._stage.world
        ids = world.ids.branch(self.name, "http")
        return (rest_routes(self._at_desk, self._hints, clock=world.clock, ids=ids, settings=self._settings),)

    def tapes_at(self, path: str) -> TapedWire | None:
        from app.malangee.tape_reading import tapes_at

        return tapes_at(path, self._settings.frame_limit)

    async def open(self, engine: Engine) -> None:
        from app.emulation.fixtures import Fixtures
        from app.emulation.watching import NotAccepted
        from app.malangee.answers import Answers
        from app.malangee.parts import Parts
        from app.malangee.rest import Desk
        from app.malangee.seeds import seed
        from app.malangee.tokens import Tokens
        from app.spaces.failures import StoreFailure
        from app.spaces.passwords import FailedLogins, LoginTurns, Passwords
        from app.spaces.people import People
        from app.voice.listening import Ears, Hearing

        settings, world = self._settings, self._stage.world
        people, passwords = People(engine.database), Passwords()

        async def take(fixtures: Fixtures) -> None:
            script = fixtures.wires.get(FILE)
            if isinstance(script, Script):
                try:
                    await seed(script, people, passwords, at=world.clock.time())
                except StoreFailure as failure:
                    raise NotAccepted(str(failure)) from failure
                self._script = script
                self._speaker = engine.speaker
                self._voices_named.set()

        async def renew(room: str | None) -> None:
            await people.forget(None if room is None else [room])
            await seed(self._script, people, passwords, at=world.clock.time())

        engine.renewals.append(renew)
        engine.fixtures.heard.append(take)
        await take(engine.fixtures.current)
        self._ears = Ears()
        await asyncio.to_thread(engine.models.warm, settings.model)
        self._transcriber = await asyncio.to_thread(self._make_transcriber, engine.models.upstream)
        answers = Answers(
            engine.models,
            engine.graphs,
            graph=settings.graph,
            model=settings.model,
            timeout=settings.turn_timeout,
        )
        parts = Parts(
            settings=settings,
            people=people,
            answers=answers,
            speaker=engine.speaker,
            ears=self._ears,
            transcriber=self._transcriber,
            script=lambda: self._script,
            voices=lambda name: (name or "alloy") if engine.speaker.remote else self._script.voice(name),
            hearing=Hearing(settings.threshold, settings.prefix, settings.silence),
            history=20,
        )
        key = await self._key()
        tokens = Tokens(key, clock=world.clock, life=settings.token_life, lax=settings.tokens == "lax")
        failures = FailedLogins(RealClock(), most=settings.login_failures, pause=settings.login_pause)
        self._desk = Desk(people, tokens, passwords, LoginTurns(), failures)
        self._open = Open(parts, tokens)

    async def watch(self) -> None:
        """Says which voices cannot be had, whenever the file is read; ends the processes that hear with the server."""
        try:
            while True:
                await self._voices_named.wait()
                self._voices_named.clear()
                await self._check_voices()
        finally:
            for part in (self._ears, self._transcriber):
                if part is not None:
                    await part.close()

    async def _check_voices(self) -> None:
        script = self._script
        assert self._speaker is not None
        lacking = await self._speaker.lacking(script.voices.values())
        for name, voice in script.voices.items():
            if voice in lacking:
                log.warning("voice %s: %s", name, lacking[voice])
        for named, why in script.missing_voices({}):
            log.warning("%s:%d: %s: %s", FILE, named.line, named.key, why)

    async def _key(self) -> str:
        """The key that signs tokens: the setting's, the seeded world's, or the one in the data folder."""
        from app.malangee.tokens import FILE, SHORTEST_KEY

        ids = self._stage.world.ids.branch(self.name, "key")
        if self._settings.secret is not None:
            return self._settings.secret.get_secret_value()
        if self._stage.world.seed is not None:
            return ids.hexadecimal(64)
        key = await asyncio.to_thread(
            kept_key,
            self._data / FILE,
            lambda: ids.hexadecimal(64).encode(),
            fits=lambda key: len(key) >= SHORTEST_KEY and key.isascii(),
        )
        return key.decode("ascii")

    def _make_transcriber(self, upstream: Upstream) -> Transcriber | None:
        """Who transcribes; None: the script."""
        from app.voice.transcribing import OpenAITranscriber, SphinxTranscriber, pocketsphinx_there

        settings = self._settings
        chosen: str = settings.transcription
        if chosen == "auto":
            there = "pocketsphinx" if pocketsphinx_there() else "script"
            chosen = "openai" if settings.transcription_url else there
        if chosen == "openai":
            url = settings.transcription_url or upstream.url
            try:
                check_route(url, "malangee.transcription_url" if settings.transcription_url else "OPENAI_BASE_URL")
            except UnusableEnvironment as problem:
                log.warning("malangee.transcription openai hears nothing: %s", problem)
            return OpenAITranscriber(
                base_url=url,
                api_key=upstream.api_key or "not-needed",
                model=settings.transcription_model,
                timeout=settings.transcription_timeout,
            )
        if chosen == "pocketsphinx":
            return SphinxTranscriber(workers=1, timeout=settings.transcription_timeout, clock=RealClock())
        return None

    def _hints(self, session_id: str) -> list[str]:
        found = self.gateway.live(session_id)
        if found is None or not found[0].record.said:
            return []
        return list(found[1].hints)

    async def _opening(self) -> Open | None:
        if await self._opened() is None or self._open is None:
            return None
        if self._transcriber is not None:
            self._transcriber.warm()
        return self._open

    async def _at_desk(self) -> Desk | None:
        return self._desk if await self._opened() is not None else None
