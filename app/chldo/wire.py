"""The chldo wire, assembled: what `app/main.py` takes in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from fastapi import APIRouter
from fastapi.params import Depends
from starlette.types import ASGIApp

from app.chldo.gateway import Gateway
from app.chldo.revisions import REVISIONS
from app.engine import Engine, Opened, Stage

if TYPE_CHECKING:
    from app.chldo.actions import Actions
    from app.emulation.replay.library import Wire as TapedWire
    from app.settings import V3Settings

T = TypeVar("T")

PATHS = ("/v1", "/v1/", "/v3", "/v3/", "/v4", "/v4/")


class ChldoWire:
    """The chldo v3 WebSocket API with its info, upload, voice and proxy hosts. A `Wire`."""

    name = "chldo"

    def __init__(self, settings: V3Settings, revision: str, stage: Stage, opened: Opened) -> None:
        self._settings = settings
        self._stage = stage
        self._opened = opened
        self._actions: Actions | None = None
        self.revisions: Sequence[str] = tuple(REVISIONS)
        self.credentialed: Sequence[str] = ()
        self.gateway = Gateway(revision=revision, settings=settings, stage=stage, actions=self._acting)
        self.sockets: Mapping[str, ASGIApp] = dict.fromkeys(PATHS, self.gateway)

    @property
    def revision(self) -> str:
        return self.gateway.revision

    @revision.setter
    def revision(self, name: str) -> None:
        self.gateway.revision = name

    @property
    def running(self) -> int:
        return self.gateway.running

    def routers(self, guards: Sequence[Depends]) -> Sequence[APIRouter]:
        from app.chldo.files import file_routes
        from app.chldo.info import info_routes
        from app.chldo.memory import memory_routes
        from app.chldo.proxy import proxy_routes
        from app.chldo.proxy_answers import unserved

        clock, ids = self._stage.world.clock, self._stage.world.ids.branch(self.name, "http")
        store = self._part(lambda engine: engine.store)
        uploads = self._part(lambda engine: engine.uploads)
        proxy = proxy_routes(self._opened, clock, ids, timeout=self._settings.turn_timeout)
        others = (
            info_routes(ids, self._part(lambda engine: engine.library)),
            file_routes(ids, uploads, store, url_base=self._settings.url_base),
            memory_routes(store),
        )
        return (*others, proxy, unserved(proxy, others))

    def tapes_at(self, path: str) -> TapedWire | None:
        from app.chldo.tape_reading import WIRE

        return WIRE if path.endswith(PATHS) else None

    async def open(self, engine: Engine) -> None:
        from app.chldo.actions import Actions
        from app.chldo.greeting import Greetings
        from app.chldo.memories import MemoryShelf
        from app.chldo.steps import TurnRules
        from app.chldo.turn import TurnParts, Turns
        from app.chldo.voices import Voices

        v3 = self._settings
        rules = TurnRules(
            som_eom=v3.som_eom,
            min_sentence=v3.min_sentence,
            turn_timeout=v3.turn_timeout,
            url_life=v3.url_life,
            frame_limit=v3.frame_limit,
        )
        voices = Voices(engine.speaker, engine.library)
        memories = MemoryShelf(v3.frame_limit)
        turns = Turns(
            TurnParts(
                store=engine.store,
                history=engine.history,
                graphs=engine.graphs,
                models=engine.models,
                voices=voices,
                memories=memories,
                uploads=engine.uploads,
                rules=rules,
            )
        )
        greetings = Greetings(voices=voices, memories=memories, rules=rules)
        self._actions = Actions(
            store=engine.store, uploads=engine.uploads, turns=turns, greetings=greetings, unknown=v3.uploads
        )

    async def watch(self) -> None:
        await self.gateway.watch()

    async def _acting(self) -> Actions | None:
        return self._actions if await self._opened() is not None else None

    def _part(self, pick: Callable[[Engine], T]) -> Callable[[], Awaitable[T | None]]:
        """A way to ask for one part of the engine: the part once it is loaded, None if that takes too long."""

        async def get() -> T | None:
            engine = await self._opened()
            return None if engine is None else pick(engine)

        return get
