"""What wires are handed: the stage, which is there from the first moment, and the engine, which is loaded after that.

A wire is one emulated service with its own protocol. It lives in one package, which gives a class like `Wire`; a line
in `app/main.py` takes it in. Imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from app.emulation.determinism import World
from app.emulation.faults.live import Faults
from app.emulation.journal import Journal
from app.emulation.lines import Lines

if TYPE_CHECKING:
    from fastapi import APIRouter
    from fastapi.params import Depends
    from starlette.types import ASGIApp

    from app.agent.graphs import GraphShelf
    from app.agent.models import ChatModels
    from app.agent.threads import Threads
    from app.emulation.replay.library import Wire as TapedWire
    from app.emulation.replies import LiveBook
    from app.emulation.watching import LiveFixtures
    from app.spaces.contents import Contents
    from app.spaces.database import Database
    from app.spaces.history import History
    from app.spaces.registry import Registry
    from app.spaces.store import SpaceStore
    from app.spaces.uploads import Uploads
    from app.voice.library import VoiceLibrary
    from app.voice.speech import Speaker


@dataclass(slots=True)
class Stage:
    """What makes it an emulator, for all wires: time and dice, faults, the journal and the open sockets."""

    world: World
    journal: Journal
    faults: Faults = field(default_factory=Faults)
    lines: Lines = field(init=False)

    def __post_init__(self) -> None:
        self.lines = Lines(self.world, self.journal, self.faults)


@dataclass(slots=True)
class Engine:
    """What answers, for all wires, loaded and open."""

    database: Database
    store: SpaceStore
    history: History
    graphs: GraphShelf
    models: ChatModels
    book: LiveBook
    fixtures: LiveFixtures
    uploads: Uploads
    library: VoiceLibrary
    speaker: Speaker
    registry: Registry
    contents: Contents
    threads: Threads
    renewals: list[Callable[[str | None], Awaitable[None]]] = field(default_factory=list)
    """What wires do to have their part of the store as the files say: all of it, or a room."""
    stopping: list[Callable[[], None]] = field(default_factory=list)
    """Called when the server is about to stop: requests that wait for something are answered."""


Opened = Callable[[], Awaitable[Engine | None]]
"""The engine once it is loaded, wires and all; None if that takes too long or has failed."""


class Wire(Protocol):
    """One emulated service."""

    name: str
    sockets: Mapping[str, ASGIApp]
    """Its WebSocket applications, by path; `/api/*` stands for all below `/api/`."""
    revisions: Sequence[str]
    """The dated states of it that it can speak, oldest first."""
    revision: str
    """The one that a connection speaks which does not say; may be set while the server runs."""
    credentialed: Sequence[str]
    """Prefixes of HTTP paths to which pages of every origin that may call may also send credentials. Not for what
    identifies a caller by a cookie.
    """

    @property
    def running(self) -> int:
        """Turns under way."""
        ...

    def routers(self, guards: Sequence[Depends]) -> Sequence[APIRouter]:
        """Its HTTP endpoints. Called in a thread once the port is open, as what they need takes long to load. `guards`:
        dependencies of what it adds to the control plane.
        """
        ...

    def tapes_at(self, path: str) -> TapedWire | None:
        """What replay has to know of tapes of a path; None if the path is none of this wire's."""
        ...

    async def open(self, engine: Engine) -> None:
        """Loads what is heavy. Called once, before anything is answered."""
        ...

    async def watch(self) -> None:
        """Looks after its sockets until it is cancelled."""
        ...
