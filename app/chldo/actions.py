"""Who may act, and what an accepted request sets going. The gateway knows this and nothing behind it."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator

from app.chldo.frames import Frame
from app.chldo.greeting import Greetings
from app.chldo.requests import FILE_UNKNOWN, KEY_UNKNOWN, KEY_UNUSABLE, Greet, Refusal, SendMsg
from app.chldo.revisions import Revision
from app.chldo.steps import Caller
from app.chldo.turn import Turns
from app.emulation.faults.kinds import Place
from app.spaces.models import LENIENT, Space
from app.spaces.store import SpaceStore
from app.spaces.uploads import Uploads

log = logging.getLogger("app.chldo")


class Actions:
    """Turns requests into running answers. One for the whole program."""

    def __init__(
        self, *, store: SpaceStore, uploads: Uploads, turns: Turns, greetings: Greetings, unknown: str | None = None
    ) -> None:
        """`unknown`: what the name of an image that was never uploaded gets, in place of what its space says."""
        self._store = store
        self._uploads = uploads
        self._turns = turns
        self._greetings = greetings
        self._unknown = unknown

    async def begin(
        self, ask: SendMsg | Greet, revision: Revision, caller: Caller
    ) -> AsyncGenerator[Frame, None] | Refusal:
        """The frames that answer, not yet running, or the refusal. Last checks of spec section 0, decision 5."""
        if revision.account == "api_key":
            for live in caller.exchange.strike(Place.KEY):
                await self._store.set_key(ask.account, usable=None if live.rule["as"] == "unknown" else False)
        space = await self._space(ask.account, revision)
        if isinstance(space, Refusal):
            return space
        if isinstance(ask, Greet):
            greeting = self._greetings.find(ask, space)
            if isinstance(greeting, Refusal):
                return greeting
            return self._greetings.run(ask, greeting, space, revision, caller)
        image = None
        if ask.filename is not None and revision.has_files:
            image = await self._uploads.find(space.uid, ask.room_uid, ask.filename)
            if image is None:
                if (self._unknown or space.uploads) != LENIENT:
                    return Refusal(FILE_UNKNOWN)
                log.info("%r was never uploaded to room %s: the turn goes on without it", ask.filename, ask.room_uid)
        return self._turns.run(ask, space, revision, caller, image=image)

    async def _space(self, account: str, revision: Revision) -> Space | Refusal:
        if revision.account == "api_key":
            found = await self._store.by_key(account)
            if found is None:
                return Refusal(KEY_UNKNOWN)
            space, key = found
            return space if key.usable else Refusal(KEY_UNUSABLE)
        if revision.account == "org_id":
            named = await self._store.by_org(account)
            if named is not None:
                return named
        return await self._store.default()
