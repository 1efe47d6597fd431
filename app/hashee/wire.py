"""The wire Hashee, assembled: what the program takes in by one line."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.params import Depends
from starlette.types import ASGIApp

from app.engine import Engine, Opened, Stage
from app.hashee.gateway import AGENT_PATH, HUMAN_PATH, Gateway
from app.hashee.hub import INVALIDATED
from app.hashee.limits import Limits
from app.hashee.profiles import PROFILES, Profile
from app.http_routes import UnusableEnvironment

if TYPE_CHECKING:
    from app.emulation.fixtures import Fixtures
    from app.emulation.replay.library import Wire as TapedWire
    from app.hashee.fixtures import Cast
    from app.hashee.peers import Peers
    from app.hashee.post import Post
    from app.hashee.webhooks import Webhooks
    from app.settings import Settings

log = logging.getLogger("app.hashee")


class HasheeWire:
    """Hashee: messaging between people and agents. A `Wire`."""

    name = "hashee"

    def __init__(self, settings: Settings, stage: Stage, opened: Opened) -> None:
        self._settings = settings.hashee
        self._control = settings.control.enabled
        self._data = settings.data
        self._stage = stage
        self._opened = opened
        self._post: Post | None = None
        self._peers: Peers | None = None
        self._webhooks: Webhooks | None = None
        self._cast: Cast | None = None
        self.revisions: Sequence[str] = tuple(PROFILES)
        self.credentialed: Sequence[str] = ()
        self.gateway = Gateway(
            stage=stage,
            profile=self._settings.profile,
            rate=self._settings.frame_rate,
            limit=self._settings.frame_limit,
            post=self._posting,
        )
        self.sockets: Mapping[str, ASGIApp] = {HUMAN_PATH: self.gateway, AGENT_PATH: self.gateway}

    @property
    def revision(self) -> str:
        return self.gateway.profile

    @revision.setter
    def revision(self, name: str) -> None:
        self.gateway.profile = name

    @property
    def running(self) -> int:
        return self._peers.running if self._peers else 0

    def profile(self) -> Profile:
        """The state that is spoken where nobody asks for another."""
        return PROFILES[self.gateway.profile]

    def routers(self, guards: Sequence[Depends]) -> Sequence[APIRouter]:
        from app.hashee.rest.agents import agent_routes
        from app.hashee.rest.auth import auth_routes
        from app.hashee.rest.conversations import conversation_routes
        from app.hashee.rest.elsewhere import elsewhere
        from app.hashee.rest.files import file_routes
        from app.hashee.rest.keys import key_routes
        from app.hashee.rest.routes import Doors
        from app.hashee.rest.users import user_routes

        doors = Doors(self._posting)
        routers = [
            conversation_routes(doors),  # first: routes are tried one after the other, and these are asked most
            auth_routes(doors, self._settings),
            user_routes(doors),
            agent_routes(doors, self._settings),
            key_routes(doors),
            file_routes(doors),
        ]
        routers.append(elsewhere(routers))
        if self._control:
            from app.hashee.control import control_routes

            routers.append(control_routes(doors, guards))
        return routers

    def tapes_at(self, path: str) -> TapedWire | None:
        from app.hashee.tape_reading import wire_of_tapes

        return wire_of_tapes(self._settings.frame_limit) if path in self.sockets else None

    async def open(self, engine: Engine) -> None:
        await asyncio.to_thread(_load)
        from app.emulation.watching import NotAccepted
        from app.hashee.access import AccessTokens
        from app.hashee.deliveries import renumber, store
        from app.hashee.fixtures import FILE, Cast
        from app.hashee.ledger import Ledger
        from app.hashee.peers import Peers
        from app.hashee.post import Post
        from app.hashee.refusals import Refused
        from app.hashee.shelf import Shelf
        from app.hashee.tables import CONTENTS, SCHEMA
        from app.hashee.targets import Outbound
        from app.hashee.webhooks import Webhooks
        from app.spaces.contents import Part
        from app.spaces.schema import settle_alone

        await engine.database.write(partial(settle_alone, schema=SCHEMA))
        world = self._stage.world
        ledger = Ledger(
            engine.database,
            clock=world.clock,
            limits=world.limits,
            ids=world.ids.branch(self.name),
            store=lambda tx, told: store(self.profile(), tx, told),
            dispatch=self.gateway.hub.dispatch,
        )
        shelf = Shelf(self._data / "hashee")
        await shelf.open()
        key = await _key(ledger)
        post = Post(
            ledger=ledger,
            hub=self.gateway.hub,
            tokens=AccessTokens(key),
            shelf=shelf,
            limits=Limits(self._settings.agent_rate),
            limit_clock=world.limits,
            clock=world.clock,
            profile=self.profile,
        )
        peers = Peers(ledger, post.streams, post.receipts.arrived, self._stage, engine)

        async def take(fixtures: Fixtures) -> None:
            cast = fixtures.wires.get(FILE)
            if isinstance(cast, Cast):
                models = {one.brain.model for one in cast.agents if one.brain is not None}
                try:
                    await asyncio.to_thread(engine.models.warm, *models)
                    await _seed(post, cast)
                except (Refused, UnusableEnvironment) as refused:
                    raise NotAccepted(str(refused)) from refused
                peers.take(cast)
                self._cast = cast

        engine.renewals.append(self._renew)
        engine.stopping.append(post.stop)
        engine.fixtures.heard.append(take)
        await take(engine.fixtures.current)
        engine.contents.also(Part(self.name, SCHEMA.head, CONTENTS, renumber, self._restored))
        self.gateway.hub.heard.append(peers.heard)
        self._peers, self._post = peers, post
        self._webhooks = Webhooks(
            post, Outbound(private=self._settings.webhook_private, timeout=self._settings.webhook_timeout)
        )

    async def _renew(self, room: str | None) -> None:
        """Everything is as the file says, and nobody is connected; a room alone is not made anew."""
        post, cast = self._post, self._cast
        if post is None or cast is None or room is not None:
            return
        from app.hashee.seeds import clear

        for socket in self.gateway.sockets:
            socket.finish(INVALIDATED, "reset")
        await post.ledger.do(clear)
        post.ledger.name_anew(self._stage.world.ids.branch(self.name))
        post.streams.forget()
        await post.shelf.clear()
        post.limits.forget()
        await _seed(post, cast)
        post.look_again()

    async def _restored(self) -> None:
        """Other rows are in the tables: sockets of sessions and tokens that they do not know are closed."""
        from app.hashee.refusals import Refused

        post = self._post
        if post is None:
            return
        for socket in list(self.gateway.sockets):
            if socket.credential is not None and not socket.closing:
                try:
                    await post.who(socket.credential)
                except Refused:
                    socket.finish(INVALIDATED, "restore")
        post.streams.break_off()
        post.look_again()

    async def watch(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.gateway.watch())
            await self._opened()
            post, peers, webhooks = self._post, self._peers, self._webhooks
            if post is None or peers is None or webhooks is None:
                return
            for work in (post.ledger.watch(), post.receipts.run(), post.watch(), peers.run(), webhooks.run()):
                tasks.create_task(work)
            await post.ledger.listening()

    async def _posting(self) -> Post | None:
        return self._post if await self._opened() is not None else None


def _load() -> None:
    """Imports what the wire needs, in a thread."""
    for name in ("peers", "post", "seeds", "webhooks"):
        importlib.import_module(f"app.hashee.{name}")


async def _key(ledger: object) -> bytes:
    """The key of access tokens: the store's own, made once."""
    from sqlalchemy import insert, select

    from app.hashee.ledger import Ledger, Tx
    from app.hashee.tables import secrets

    assert isinstance(ledger, Ledger)

    def ask(tx: Tx) -> str:
        known: str | None = tx.value(select(secrets.c.value).where(secrets.c.name == "access"))
        if known is None:
            known = tx.ids.branch("access key").hexadecimal(64)
            tx.run(insert(secrets).values(name="access", value=known))
        return known

    return bytes.fromhex(await ledger.do(ask))


async def _seed(post: Post, cast: Cast) -> None:
    """Brings a cast into the store; equal passwords of the file share a hash, which keeps a large cast quick."""
    from app.hashee.seeds import seed

    passwords = {}
    for password in {user.password for user in cast.users}:
        passwords[password] = await post.passwords.hash(password)
    await post.ledger.do(lambda tx: seed(tx, cast, passwords))
    log.debug("cast of %d users and %d agents", len(cast.users), len(cast.agents))
