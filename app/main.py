"""The one place that wires parts together.

`create_app(settings)` gives the ASGI application. Its lifespan opens the port first: whatever imports LangGraph,
SQLAlchemy or speech is loaded in the background after that, and turns wait for it.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version
from math import inf
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from app.addresses import encoded_url
from app.chldo.reading import frame_type
from app.chldo.revisions import REVISIONS
from app.chldo.wire import ChldoWire
from app.control.access import Access, guard
from app.control.docs_page import docs_routes
from app.control.health import health_routes
from app.control.home import HomeFacts, home_routes
from app.control.refusals import describe, known_parameters, no_such_endpoint
from app.cors import Cors, SocketOrigins
from app.emulation.calls import Calls
from app.emulation.determinism import RealClock, World, WorldClock, aside
from app.emulation.journal import Journal
from app.engine import Engine, Stage, Wire
from app.forwarding import TrustedProxies
from app.hashee.wire import HasheeWire
from app.head_requests import answer_head
from app.http_routes import UnusableEnvironment, check_route
from app.malangee.wire import MalangeeWire
from app.settings import Settings, SettingsError, serves_demo, shipped
from app.socket_protocol import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from app.emulation.replay.server import TapeServer

log = logging.getLogger("app")

CONTROL = "/_emulator"
ANY = "*"
"""The path under which tapes answer all sockets."""

READY_TIMEOUT = 60.0
"""Seconds a request waits for the program to be ready."""

STOP_TIMEOUT = 2.5
"""Seconds that closing everything may take."""

SWEEP_PAUSE = 60.0
"""Seconds between two searches for expired voices."""

_HEAVY = (
    *("app.spaces.store", "app.spaces.history", "app.agent.models", "app.agent.graphs", "app.emulation.watching"),
    "app.spaces.contents",
    "app.chldo.actions",
    "app.agent.tracing",
)


class Program:
    """The running program: what is ready, and how to wait for it."""

    def __init__(
        self, settings: Settings, stage: Stage, fatal: Callable[[str], None], ready: Callable[[], None]
    ) -> None:
        self._ready = ready
        self.version = version("chldo-emulator")
        self.complete: Callable[[], Awaitable[None]]
        self.settings = settings
        self.stage = stage
        self._fatal = fatal
        self._engine: asyncio.Future[Engine] | None = None
        self.wires: Sequence[Wire] = (
            ChldoWire(settings.v3, settings.revision, stage, self.engine),
            MalangeeWire(settings.malangee, settings.data, stage, self.engine),
            HasheeWire(settings, stage, self.engine),
        )

    async def engine(self) -> Engine | None:
        """The engine, once it is loaded; None if that takes too long or has failed."""
        waiting = self._engine
        if waiting is None or waiting.done():
            return self.opened
        try:
            return await asyncio.wait_for(asyncio.shield(waiting), READY_TIMEOUT)
        except Exception:  # noqa: BLE001 - the boot task has told the reason; the caller learns that there is no engine
            return None

    @property
    def opened(self) -> Engine | None:
        """The engine if it is loaded now."""
        waiting = self._engine
        if waiting is None or not waiting.done() or waiting.cancelled() or waiting.exception():
            return None
        return waiting.result()

    @property
    def running(self) -> int:
        """Turns under way on all wires."""
        return sum(wire.running for wire in self.wires)

    def report(self) -> dict[str, Any]:
        """Facts for the health page."""
        return {
            "ready": self.opened is not None,
            "version": self.version,
            "revision": self.wires[0].revision,
            "connections": len(self.stage.lines),
            "turns": self.running,
            "voices": self.opened.speaker.busy if self.opened else 0,
            "tasks": len(asyncio.all_tasks()),
        }

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Opens everything in the background, closes it in reverse."""
        self._engine = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()
        boot = asyncio.create_task(self._live(self._engine, stop), name="engine")
        watches = [asyncio.create_task(wire.watch(), name=f"watch {wire.name}") for wire in self.wires]
        for watch in watches:
            watch.add_done_callback(self._watch_ended)
        try:
            yield
        finally:
            for watch in watches:
                watch.cancel()
            stop.set()
            if not self._engine.done():
                boot.cancel()  # a start that still waits for something (a database, say) is given up
            await asyncio.wait({boot, *watches}, timeout=STOP_TIMEOUT)

    def _break(self, engine: Engine) -> None:
        """Puts the faults of the files and the settings in force. Last: they strike what is served, not the start."""
        faults = self.stage.faults
        engine.fixtures.take_faults(engine.fixtures.current)
        for profile in profiles_of(self.settings):
            if profile not in faults.profiles:
                raise SettingsError(f"profile: no {profile!r}; known: {', '.join(faults.profiles) or 'none'}")
            faults.use(profile)

    def _watch_ended(self, watch: asyncio.Task[None]) -> None:
        if not watch.cancelled() and (error := watch.exception()) is not None:
            self._fatal(f"sockets are no longer watched: {error!r}")

    async def _live(self, opened: asyncio.Future[Engine], stop: asyncio.Event) -> None:
        """Loads the engine, keeps it until `stop`, closes it."""
        machine = RealClock()
        try:
            async with AsyncExitStack() as stack:
                began = machine.monotonic()
                engine = await open_engine(self.settings, self.stage, stack)
                for wire in self.wires:
                    await wire.open(engine)
                await self.complete()
                self._break(engine)
                self._ready()
                opened.set_result(engine)
                log.info("ready after %.2f s", machine.monotonic() - began)
                await stop.wait()
        except Exception as error:
            if opened.done():
                log.exception("closing failed")
                return
            log.debug("start failed", exc_info=True)
            opened.set_exception(error)
            opened.exception()
            self._fatal(f"cannot start: {error}")


async def open_engine(settings: Settings, stage: Stage, stack: AsyncExitStack) -> Engine:
    """Loads and opens everything a turn needs; `stack` closes it again. Raises with a one-line text if something
    is unusable.
    """
    await asyncio.to_thread(lambda: [importlib.import_module(name) for name in _HEAVY])
    from app.agent.graphs import GraphError, GraphShelf
    from app.agent.models import SCRIPTED, ChatModels, Upstream
    from app.agent.threads import Threads
    from app.agent.tracing import send_last_runs, set_tracing
    from app.emulation.faults.store import StoreFaults
    from app.emulation.fixtures import Fixtures, load_fixtures
    from app.emulation.replies import LiveBook
    from app.emulation.watching import FixtureWatch, LiveFixtures, NotAccepted, digest
    from app.spaces.contents import Contents
    from app.spaces.database import Database
    from app.spaces.history import History
    from app.spaces.registry import Registry
    from app.spaces.store import SpaceStore, StoreFailure
    from app.spaces.uploads import Uploads
    from app.voice.library import VoiceLibrary
    from app.voice.speech import OpenAISpeech, Speaker
    from app.wire_files import WIRE_FILES

    set_tracing(settings.agent.tracing)
    if settings.agent.tracing:
        stack.push_async_callback(asyncio.to_thread, send_last_runs)
    machine = RealClock()
    clock, ids = stage.world.clock, stage.world.ids
    folder = settings.fixtures or shipped("fixtures")
    seen = await asyncio.to_thread(digest, folder, tuple(WIRE_FILES))
    fixtures = await asyncio.to_thread(load_fixtures, folder, strict=settings.strict, wires=WIRE_FILES)
    book = LiveBook(fixtures.replies)
    await asyncio.to_thread(lambda: settings.data.mkdir(mode=0o700, parents=True, exist_ok=True))
    await _open_journal(settings, stage.journal, stack)

    library = VoiceLibrary(settings.data / "voices", clock=clock, key=await _signing_key(stage.world))
    stack.push_async_callback(library.close)
    await library.open()
    voice = settings.voice
    upstream = Upstream(
        api_key=os.environ.get("OPENAI_API_KEY", "").strip() or None,
        base_url=os.environ.get("OPENAI_BASE_URL", "").strip() or None,
        timeout=settings.agent.timeout,
        max_retries=settings.agent.retries,
    )
    if voice.engine == "openai":
        await asyncio.to_thread(_check_speech, voice.base_url, upstream.url)
    speaker = Speaker(
        engine=voice.engine,
        workers=voice.workers,
        timeout=voice.timeout,
        clock=machine,
        working=clock.working,
        fallback=voice.fallback,
        cache_bytes=voice.cache,
        openai=OpenAISpeech(
            base_url=voice.base_url or upstream.url,
            api_key=upstream.api_key or "not-needed",
            model=voice.model,
            voice=voice.name,
            timeout=voice.timeout,
        )
        if voice.engine == "openai"
        else None,
    )
    stack.push_async_callback(speaker.close)
    await speaker.start()

    uploads = Uploads(settings.data / "uploads", clock=clock, ids=ids.branch("uploads"))
    stack.push_async_callback(uploads.close)
    await uploads.open()

    url = encoded_url(settings.store.url.get_secret_value()) if settings.store.url else None
    troubles = StoreFaults(stage.faults, ids, stage.journal)
    database = Database(url, folder=settings.data, troubles=troubles, working=clock.working)
    stack.push_async_callback(database.close)
    await database.open()
    store = SpaceStore(database, clock=machine)
    await store.seed(fixtures.spaces)
    history = History(database, window=settings.agent.history, eras=store.eras)
    stack.push_async_callback(history.close)
    await history.start()

    models = ChatModels(book=book, clock=clock, upstream=upstream, model=settings.agent.model, ids=ids.branch("models"))
    stack.push_async_callback(models.close)
    listing = settings.agent.graphs or shipped("langgraph.json")
    graphs = await asyncio.to_thread(GraphShelf, listing)
    named = {seed.space.graph for seed in fixtures.spaces} | {settings.malangee.graph}
    for file in fixtures.wires.values():
        named.update(getattr(file, "graphs", ()))
    if await asyncio.to_thread(lambda: any(graphs.declares_checkpointer(name) for name in named)):
        from app.agent.savers import open_saver

        graphs = GraphShelf(listing, saver=await open_saver(url, settings.data, stack))

    async def check(found: Fixtures) -> None:
        await asyncio.to_thread(models.warm, *{seed.space.model for seed in found.spaces})
        for seed in found.spaces:
            await asyncio.to_thread(graphs.get, seed.space.graph)
            model = settings.agent.model or seed.space.model
            if model != SCRIPTED and not upstream.configured:
                log.warning(
                    "space %s names the model %s, but OPENAI_API_KEY and OPENAI_BASE_URL are unset: its script answers",
                    seed.space.uid,
                    model,
                )
            if (why := speaker.unspoken(seed.space.language)) is not None:
                log.warning("space %s: %s", seed.space.uid, why)

    async def accept(found: Fixtures) -> None:
        try:
            await check(found)
            await store.seed(found.spaces)
        except (GraphError, StoreFailure, UnusableEnvironment, ValueError) as error:
            raise NotAccepted(str(error)) from error

    await check(fixtures)
    live = LiveFixtures(folder, strict=settings.strict, book=book, faults=stage.faults, accept=accept, wires=WIRE_FILES)
    live.current = fixtures
    background = [asyncio.create_task(_sweep(library, uploads, clock), name="sweep")]
    if settings.watch:
        watch = FixtureWatch(folder, seen=seen, clock=machine, changed=live.reload, files=tuple(WIRE_FILES))
        background.append(asyncio.create_task(watch.run(), name="fixtures"))

    async def stop_background() -> None:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)

    stack.push_async_callback(stop_background)
    by_hand = Registry(store), Contents(database, store, history), Threads(graphs)
    return Engine(database, store, history, graphs, models, book, live, uploads, library, speaker, *by_hand)


def _check_speech(own: str | None, upstream: str) -> None:
    """Says at the start why the endpoint that speaks cannot be asked: what is said will be tones."""
    try:
        check_route(own or upstream, "voice.base_url" if own else "OPENAI_BASE_URL")
    except UnusableEnvironment as problem:
        log.warning("voice.engine openai cannot speak: %s", problem)


async def _open_journal(settings: Settings, journal: Journal, stack: AsyncExitStack) -> None:
    """Begins to write the journal to disk, where the settings say so."""
    if settings.journal.folder is None:
        return
    from app.emulation.journal_file import JournalFile

    file = JournalFile(settings.journal.folder, size=settings.journal.file, files=settings.journal.files)
    await asyncio.to_thread(file.open)
    stack.push_async_callback(asyncio.to_thread, file.close)
    journal.sinks.append(file)


async def _signing_key(world: World) -> bytes | None:
    """The key that signs voice URLs in a seeded world; None where the data folder keeps one."""
    if world.seed is None:
        return None
    from app.voice.signing import seeded_key

    return await asyncio.to_thread(seeded_key, world.ids.branch("signing").seed_bytes)


async def _sweep(library: Any, uploads: Any, clock: WorldClock) -> None:
    """Deletes expired voices now and then."""
    while True:
        try:
            gone = await library.sweep()
            await uploads.sweep()
            if gone:
                log.info("deleted %d expired voices", gone)
        except Exception:
            log.exception("expired voices cannot be deleted")
        await clock.look(SWEEP_PAUSE, lambda: inf)


class Application(FastAPI):
    """FastAPI for what is HTTP; sockets go straight to their wire, which spares each open one the frames of the
    middleware.
    """

    def __init__(self, calls: Calls, proxies: TrustedProxies, **options: Any) -> None:
        super().__init__(**options)
        self._calls = calls
        self._proxies = proxies
        self.sockets: dict[str, ASGIApp] = {}
        self.late: list[Callable[[], Sequence[BaseRoute]]] = []
        """HTTP endpoints that are loaded after the port is open, or with the first call before that. Routes are tried
        one after the other: those of the wires come before the many of the control plane.
        """
        self.origins = SocketOrigins(frozenset("*"), "")
        self.tapes: TapeServer | None = None
        """What answers in place of the wires."""

    def stopping(self) -> None:
        """The server is about to stop: what waits for the journal ends, and what waits in a wire."""
        program: Program = self.state.program
        program.stage.journal.close()
        for stop in program.opened.stopping if program.opened else ():
            stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            self._proxies.apply(scope)
        taped = self.tapes is not None and self.tapes.takes(scope)
        if scope["type"] == "http":
            if self.late and not scope["path"].startswith(f"{CONTROL}/health"):
                await self.complete()
            if self.openapi_schema is None and scope["path"] in (self.openapi_url, f"{CONTROL}/"):
                await asyncio.to_thread(self.openapi)  # a quarter of a second, once
            app = self.tapes if taped and self.tapes is not None else super().__call__
            if scope["method"] == "HEAD" and not taped:
                app = partial(answer_head, app)
            await self._calls(app, scope, receive, send)
        elif scope["type"] != "websocket":
            await super().__call__(scope, receive, send)
        elif not self.origins.admit(scope):
            message = "pages of this origin may not connect; name it in the setting cors (CHLDO_CORS)"
            await WebSocket(scope, receive, send).send_denial_response(JSONResponse({"message": message}, 403))
        elif (wire := self.sockets.get(ANY) if taped else self._wire_at(scope["path"])) is not None:
            await wire(scope, receive, send)
        else:
            message = f"no WebSocket at {scope['path']}; known: {', '.join(self._known())}"
            await WebSocket(scope, receive, send).send_denial_response(JSONResponse({"message": message}, 404))

    def _wire_at(self, path: str) -> ASGIApp | None:
        """Whose sockets are at a path: its own, or those under the longest prefix (`/api/*`)."""
        found = self.sockets.get(path)
        while found is None and path:
            path = path[:-1].rpartition("/")[0]
            found = self.sockets.get(f"{path}/*")
        return found

    def _known(self) -> list[str]:
        """Paths of sockets, each once: with its slash at the end, and what a prefix stands for left out."""
        below = tuple(path[:-1] for path in self.sockets if path.endswith("/*"))
        return [
            path
            for path in self.sockets
            if f"{path}/" not in self.sockets and (path.endswith("*") or not path.startswith(below))
        ]

    def wires_at(self) -> dict[str, str]:
        """The paths of sockets, and the wire or the tapes that speak there."""
        if self.tapes is not None:
            return dict.fromkeys(self.tapes.library.paths, "tape")
        program: Program = self.state.program
        return {path: wire.name for wire in program.wires for path in self._known() if path in wire.sockets}

    async def complete(self) -> None:
        """Loads the endpoints that are still missing."""
        while self.late:
            load = self.late[-1]
            routes = await asyncio.to_thread(load)
            if load in self.late:  # not while this waited
                self.late.remove(load)
                self.router.routes[:0] = routes

    def openapi(self) -> dict[str, Any]:
        while self.late:
            self.router.routes[:0] = self.late.pop()()
        return describe(super().openapi())


def wire_routes(wire: Wire, access: Access) -> Sequence[BaseRoute]:
    """What a wire serves over HTTP. What it adds to the control plane is guarded like the rest of it. As they are:
    `include_router` would build each route a second time, with the first request.
    """
    guards = Depends(guard(access)), Depends(known_parameters)
    return [route for router in wire.routers(guards) for route in router.routes]


def plane_routes(program: Program, access: Access) -> Sequence[BaseRoute]:
    """The control plane."""
    from app.control.index import control_routes
    from app.control.plane import Plane
    from app.control.schemas import schema_routes

    settings = program.settings
    plane = Plane(program.stage, program.wires, program.engine, profiles_of(settings), settings.data, access)
    return [*control_routes(plane), *schema_routes().routes]


async def for_sockets(request: Request) -> JSONResponse:
    """The answer to a GET where a WebSocket is meant (RFC 9110, 15.5.22)."""
    url = str(request.url.replace(scheme="wss" if request.url.scheme == "https" else "ws", query=""))
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": VERSION}
    return JSONResponse({"message": f"this is a WebSocket: connect to {url}"}, 426, headers)


def world_of(settings: Settings) -> World:
    """Time and dice as the settings want them."""
    start = None if settings.start_at is None else settings.start_at.timestamp()
    return World(WorldClock(start=start)) if settings.seed is None else World.seeded(settings.seed, start)


def create_app(
    settings: Settings,
    *,
    fatal: Callable[[str], None] | None = None,
    ready: Callable[[], None] | None = None,
) -> Application:
    """The application. `fatal` is told, in one line, when it cannot come up; `ready` is called when it has. Raises
    `SettingsError`.
    """
    world = world_of(settings)
    stage = Stage(world, Journal(clock=world.clock, most=settings.journal.entries, size=settings.journal.bytes))
    program = Program(settings, stage, fatal or log.critical, ready or (lambda: None))
    known = program.wires[0].revisions
    if settings.revision not in known:
        raise SettingsError(f"revision: must be one of {', '.join(known)} (got {settings.revision!r})")
    app = Application(
        Calls(stage.journal, except_under=CONTROL),
        TrustedProxies.of(settings.forwarded_allow_ips),
        title="chldo emulator",
        version=program.version,
        lifespan=program.lifespan,
        docs_url=None,  # FastAPI's own page loads its scripts from the network
        redoc_url=None,
        openapi_url=f"{CONTROL}/openapi.json" if settings.control.enabled else None,
    )
    app.state.program = program
    access = app.state.access = Access.of(settings)
    program.complete = app.complete
    origins = [origin.strip().rstrip("/") for origin in settings.cors.split(",") if origin.strip()]
    credentialed = [prefix for wire in program.wires for prefix in wire.credentialed]
    app.origins = SocketOrigins(frozenset(origins), settings.host)
    app.add_middleware(Cors, origins=origins, credentialed=credentialed)
    app.router.routes.extend(health_routes(program.report).routes)
    for wire in program.wires:
        app.late.append(partial(wire_routes, wire, access))
        app.sockets.update(wire.sockets)
        app.router.routes.extend(Route(path, for_sockets) for path in wire.sockets if not path.endswith("*"))
    if settings.control.enabled:
        app.docs_url = f"{CONTROL}/docs"
        app.router.routes.extend(docs_routes().routes)
        app.add_exception_handler(HTTPException, no_such_endpoint)
        app.late.append(partial(plane_routes, program, access))
    if settings.tape is not None:
        tapes = app.tapes = open_tapes(settings.tape, settings, world, program.wires)
        app.sockets[ANY] = stage.lines.around(tapes, wire="tape", reader=taped_frame_type, about=tapes.about)
    demo = REVISIONS[settings.revision].path if serves_demo(settings) else None
    home = HomeFacts(program.report, app.wires_at, demo, settings.control.enabled)
    app.router.routes.extend(home_routes(home).routes)
    return app


def profiles_of(settings: Settings) -> list[str]:
    """The fault profiles that are in force from the start."""
    return [name for name in (part.strip() for part in (settings.profile or "").split(",")) if name]


def taped_frame_type(body: Mapping[str, Any]) -> str:
    """What a frame on a tape is called: by its `type`, as most wires have one, else as on the chldo wire."""
    kind = body.get("type")
    return kind if isinstance(kind, str) and kind else frame_type(body)


def open_tapes(path: Path, settings: Settings, world: World, wires: Sequence[Wire]) -> TapeServer:
    """The tapes that answer in place of the wires. Raises `SettingsError`."""
    from app.emulation.replay.library import TapeLibrary
    from app.emulation.replay.library import Wire as TapedWire
    from app.emulation.replay.server import TapeServer
    from app.emulation.tapes import TapeError, read_tapes

    unknown = TapedWire()

    def wire_at(asked: str) -> TapedWire:
        return next((found for wire in wires if (found := wire.tapes_at(asked)) is not None), unknown)

    try:
        library = TapeLibrary(read_tapes(path), wire_at)
    except TapeError as error:
        raise SettingsError(f"tape: {error}") from None
    return TapeServer(
        library,
        clock=aside(world.clock),
        ids=world.ids.branch("tapes"),
        speed=settings.tape_speed,
        url_base=settings.v3.url_base,
    )
