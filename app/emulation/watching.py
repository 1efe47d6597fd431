"""Watches a fixtures folder and tells when what it holds has changed.

The operating system's events are hints only: a digest of the files decides, so that editors that save by rename,
a folder that is replaced, and noise beside it all come to the same. Imports watchfiles.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import aclosing, suppress
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from watchfiles import Change, awatch

from app.emulation.determinism import Clock
from app.emulation.faults.files import FILE as FAULTS
from app.emulation.faults.files import FOLDER as PROFILES
from app.emulation.faults.files import profile_files
from app.emulation.faults.kinds import Place
from app.emulation.faults.live import Faults
from app.emulation.fixtures import FixtureError, Fixtures, WireFiles, is_reply_file, load_fixtures
from app.emulation.nodes import LARGEST_FILE
from app.emulation.replies import LiveBook

log = logging.getLogger("app.fixtures")

DEBOUNCE = 400
"""Milliseconds that changes in a row may hold up the one reading that follows them."""

QUIET = 50
"""Milliseconds without a change that end such a row; also how long closing may wait for the watcher."""

RETRY = 0.5
"""Seconds before a folder that vanished under the watcher is looked for again."""

ATTEMPTS = 20
"""Times in a row that watching may fail before it is given up."""

FOREVER = 3_600_000
"""Milliseconds between two wake-ups of a watcher that sees nothing."""

T = TypeVar("T")

_Places = dict[Path, tuple[int, int]]


class NotAccepted(Exception):
    """Fixtures that are right in themselves but cannot be used here; the text says why."""


class FixtureWatch:
    """Calls `changed` whenever the files are others than at its last call; `seen` is their digest before the first
    reading, so that a change meanwhile is not missed. It is owned by whoever runs it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seen: bytes,
        clock: Clock,
        changed: Callable[[], Awaitable[object]],
        files: Collection[str] = (),
    ) -> None:
        self._folder = folder
        self._files = files
        self._seen = seen
        self._clock = clock
        self._changed = changed

    async def run(self) -> None:
        """Watches until it is cancelled, or until the system will not let it: then the log says so."""
        folder = await asyncio.to_thread(_absolute, self._folder)
        failures = 0
        while failures < ATTEMPTS:
            began = self._clock.monotonic()
            try:
                await self._round(folder)
                continue
            except FileNotFoundError as error:
                failures = failures + 1 if self._clock.monotonic() - began < RETRY else 1
                log.debug("%s vanished: %s", folder, error)
            except (OSError, RuntimeError) as error:
                log.warning("the fixtures in %s are not watched, a change needs a restart: %s", folder, error)
                return
            await self._clock.sleep(RETRY)
        log.warning("the fixtures in %s are no longer watched, a change needs a restart", folder)

    async def _round(self, folder: Path) -> None:
        """Watches the folders that there are, until they are others."""
        places = await asyncio.to_thread(_places, folder)
        names = {folder.name, (await asyncio.to_thread(folder.resolve)).name}

        def concerns(change: Change, path: str) -> bool:
            return not names.isdisjoint(Path(path).parts)

        stop = asyncio.Event()
        watcher = awatch(
            *places,
            stop_event=stop,
            watch_filter=concerns,
            debounce=DEBOUNCE,
            step=QUIET,
            rust_timeout=FOREVER,
            recursive=False,
            ignore_permission_denied=True,
        )
        async with aclosing(watcher):
            waiting = asyncio.ensure_future(anext(watcher))
            try:
                await asyncio.sleep(0)  # from here on the system collects events: whatever happens now is not missed
                while True:
                    await self._look(folder)
                    if await asyncio.to_thread(_places, folder) != places:
                        return
                    await asyncio.wait({waiting})
                    waiting.result()
                    waiting = asyncio.ensure_future(anext(watcher))
            finally:
                # A cancelled watcher would leave its thread running: told to stop, it ends with it.
                stop.set()
                await asyncio.gather(waiting, return_exceptions=True)

    async def _look(self, folder: Path) -> None:
        seen = await asyncio.to_thread(digest, folder, self._files)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            await self._changed()
        except Exception:
            log.exception("the changed fixtures cannot be taken over, the old ones stay")


class LiveFixtures:
    """Takes a changed folder over: read and checked whole, accepted (or refused by `NotAccepted`), then swapped."""

    def __init__(
        self,
        folder: Path,
        *,
        strict: bool,
        book: LiveBook,
        faults: Faults,
        accept: Callable[[Fixtures], Awaitable[None]],
        wires: WireFiles = MappingProxyType({}),
    ) -> None:
        self.wires = wires
        self.heard: list[Callable[[Fixtures], Awaitable[None]]] = []
        """Called with fixtures that are accepted, before they are in force; may refuse them by `NotAccepted`."""
        self.folder = folder
        self._strict = strict
        self._book = book
        self._faults = faults
        self._accept = accept
        self.changing = asyncio.Lock()
        """Held while the files are taken over."""
        self.current = Fixtures((), book.files)
        """What is in force."""
        self.problem = ""
        """What is wrong with the files as they are now, a line a problem; "" if they are in force."""

    async def reload(self) -> bool:
        """Whether the files are in force now. What is wrong with them is in the log, and the old ones stay."""
        async with self.changing:
            return await self._reload()

    async def _reload(self) -> bool:
        try:
            fixtures = await asyncio.to_thread(load_fixtures, self.folder, strict=self._strict, wires=self.wires)
        except FixtureError as error:
            self.problem = str(error)
            log.error("the changed fixtures are not taken over, the old ones stay:")
            for line in str(error).splitlines():
                log.error("  %s", line)
            return False
        try:
            with self._faults.sparing(Place.STORE):  # or a rule could keep itself from being taken out
                await self._accept(fixtures)
                for hear in self.heard:
                    await hear(fixtures)
        except NotAccepted as error:
            self.problem = str(error)
            log.error("the changed fixtures are not taken over, the old ones stay: %s", error)
            return False
        self.problem = ""
        self._book.files = fixtures.replies
        self.take_faults(fixtures)
        log.info("fixtures read again: %d spaces, %d replies", len(fixtures.spaces), len(fixtures.replies.entries))
        return True

    def take_faults(self, fixtures: Fixtures) -> None:
        """Puts the faults and profiles of the files in place of those that were; what else is in force stays."""
        self.current = fixtures
        self._faults.take(fixtures.faults, fixtures.profiles)


def fixture_files(folder: Path, files: Collection[str] = ()) -> list[str]:
    """The files of a folder that are read, those of wires (`files`) too, relative to it, whether or not they can be.
    Blocks.
    """
    names = [Path("spaces.yaml"), *map(Path, files), Path(FAULTS)]
    with suppress(OSError):
        names += [Path(PROFILES, path.name) for path in profile_files(folder)]
    with suppress(OSError):
        names += sorted(Path("replies", path.name) for path in (folder / "replies").iterdir() if is_reply_file(path))
    with suppress(OSError):  # those of the wires
        names += sorted({Path(path.name) for path in folder.iterdir() if is_reply_file(path)} - set(names))
    return [str(name) for name in names]


def digest(folder: Path, files: Collection[str] = ()) -> bytes:
    """What the fixture files of a folder hold, those of wires (`files`) too, in 16 bytes. Blocks; raises nothing for
    what cannot be read.
    """
    total = blake2b(digest_size=16)
    for name in fixture_files(folder, files):
        content = b"nothing that can be read"
        with suppress(OSError):
            path = folder / name
            if path.is_file():
                with path.open("rb") as stream:
                    content = blake2b(stream.read(LARGEST_FILE + 1)).digest()
        total.update(f"{name}\n{len(content)}\n".encode("utf-8", "surrogateescape") + content)
    return total.digest()


def _absolute(folder: Path) -> Path:
    """The folder by a path whose last part is its own name, so that a link is seen to lead elsewhere."""
    return folder.resolve() if folder.name in ("", "..") else folder.parent.resolve() / folder.name


def _places(folder: Path) -> _Places:
    """The folders to watch and what they are: the fixtures', its replies', and the one around them."""
    around = next(parent for parent in folder.parents if parent.is_dir())
    places: _Places = {}
    for place in (around, folder, folder / "replies", folder / PROFILES):
        with suppress(OSError):
            if place.is_dir():
                facts = place.stat()
                places[place] = facts.st_dev, facts.st_ino
    return places
