"""Who may talk, and at what price. Imports SQLAlchemy.

On an exclusive database (SQLite) spaces, keys and balances are kept in memory as long as nobody else writes: finding a
space and a charge of nothing touch no thread. On a shared one they are at most `SHARED_LIFE` old, and only a charge of
something is exact. What a space says and knows (its lore) is kept by its digest: it is read and parsed when it has
changed, not when a balance has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select

from app.emulation.determinism import Clock
from app.spaces.charges import Held, Order, Receipt, held, settle_orders
from app.spaces.database import Database, Work
from app.spaces.eras import Eras
from app.spaces.failures import NoSpaces, StoreFailure
from app.spaces.lore import NONE, Lore, Sealed, seal, unseal
from app.spaces.models import ApiKey, Charge, Memory, Space, SpaceSeed
from app.spaces.recent import Recent
from app.spaces.seeds import check_seeds, write_seeds
from app.spaces.tables import (
    DEFAULT_SPACE,
    DROP_KEY,
    SET_CREDIT,
    SET_KEY,
    SPACE_BY_KEY,
    SPACE_BY_MEMORY,
    SPACE_BY_ORG,
    SPACE_BY_UID,
    SPACE_WITH_LORE,
    SPACES_TO_CHARGE,
)
from app.spaces.text import storable

__all__ = ["SpaceStore", "StoreFailure"]

T = TypeVar("T")

SHARED_LIFE = 1.0
"""Seconds that a space or key of a shared database may be answered from memory."""

LONGEST = 256
"""Characters of the longest key or org_id whose absence is remembered."""

_Question = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Answer:
    """Which space a question leads to, and by which key; no uid: to none."""

    uid: str | None
    key: ApiKey | None = None


class SpaceStore:
    """Spaces, keys and credit. One for a database: its caches hear of its own charges and seeds only.

    bound: spaces, and questions about them, that are kept in memory; queue: charges that may wait to be written.
    """

    def __init__(
        self, database: Database, *, clock: Clock, bound: int = 4096, queue: int = 4096, eras: Eras | None = None
    ) -> None:
        self.eras = eras or Eras()
        self._database = database
        life = None if database.exclusive else SHARED_LIFE
        self._spaces: Recent[str, Held] = Recent(bound, clock=clock, life=life)
        self._answers: Recent[_Question, _Answer] = Recent(bound, clock=clock, life=life)
        # True whoever writes: the digest says what it is. Never expires.
        self._lores: Recent[str, Lore] = Recent(bound, clock=clock, life=None)
        self._generation = database.generation
        self._changes = 0
        self._orders = database.group(self._settle, bound=queue, ended=self._settled)

    async def seed(self, seeds: Sequence[SpaceSeed]) -> None:
        """Brings what the files declare into the database; a balance that runs already is never set back.

        Raises ValueError where seeds contradict each other: a uid or key twice, two defaults.
        """
        check_seeds(seeds)
        sealed = await asyncio.to_thread(lambda: [seal(seed.space) for seed in seeds])
        for one in sealed:
            # What is known already stays the same object: others have made it ready.
            if self._lore(one.digest) is None:
                self._lores.put(one.digest, one.lore)
        try:
            await self._database.write(partial(_seed, seeds=seeds, sealed=sealed), administers=True)
        finally:
            self._changed()

    async def look(self, work: Work[T]) -> T:
        """What `work` reads of spaces, keys and lore, past everything that is cached."""
        return await self._database.read(work)

    async def change(self, work: Work[T]) -> T:
        """Lets `work` change spaces, keys and lore by hand, in one transaction; what is cached of them is void then."""
        try:
            return await self._database.write(work, administers=True)
        finally:
            self._changed()
            self._spaces.clear()

    def _changed(self) -> None:
        # An answer still on its way may be of before: it is not kept where the count is seen to have changed.
        self._changes += 1
        self._answers.clear()

    async def by_key(self, api_key: str) -> tuple[Space, ApiKey] | None:
        """The space a key opens, and the key; None for a key that does not exist."""
        found = await self._find(("key", api_key), SPACE_BY_KEY)
        if found is None:
            return None
        space, key = found
        return (space, key) if key is not None else None

    async def by_org(self, org_id: str) -> Space | None:
        """The space of an organisation; of several the default, else the first by uid."""
        found = await self._find(("org_id", org_id), SPACE_BY_ORG)
        return found[0] if found else None

    async def default(self) -> Space:
        """The space that answers where a request names none. Raises `NoSpaces` before the first seed."""
        found = await self._find(("default", ""), DEFAULT_SPACE)
        if found is None:
            raise NoSpaces("the store has no space: the fixtures declare none")
        return found[0]

    async def memory(self, uid: str) -> Memory | None:
        """A memory of any space; of several spaces that have it the default one's, else the first by uid."""
        if storable(uid) != uid:
            return None
        row = await self._database.read(partial(_row, statement=SPACE_BY_MEMORY, value={"memory_uid": uid}))
        found = None if row is None else await self._filled(held(row))
        return None if found is None else found[1].known.get(uid)

    async def charge(self, space_uid: str, cost: int, *, minimum: int = 100, era: int | None = None) -> Charge:
        """Takes `cost` won from a space, or refuses where its balance is below `minimum` or `cost`.

        Charges that wait share a transaction, and the database decides: a balance never goes below 0, whoever else
        charges. A charge of 0 writes nothing, an unknown space has a balance of 0, a cancelled charge is given back.
        Where the space has been reset since the `era` the turn was begun in, nothing is taken and nothing refused.
        """
        if cost < 0:
            raise ValueError("a charge is not below 0")
        if cost == 0:
            balance = await self._balance(space_uid)
            return Charge(balance is not None and balance >= minimum, balance or 0)
        uid = storable(space_uid)
        now = self.eras.now
        receipt = await self._orders.add(
            Order(uid, cost, max(minimum, cost), era),
            undo=lambda made: Order(uid, -cost, None, now if era is None else era) if made.ok else None,
        )
        return Charge(receipt.ok, receipt.balance)

    async def refund(self, space_uid: str, amount: int, *, era: int | None = None) -> None:
        """Gives back `amount` won; nothing happens where the space is gone, or was reset since `era`."""
        if amount < 0:
            raise ValueError("a refund is not below 0")
        if amount:
            await self._orders.add(Order(storable(space_uid), -amount, None, era))

    async def set_credit(self, space_uid: str, credit: int) -> bool:
        """Sets the balance of a space, whatever it was, in won; whether there is such a space."""
        after = await self._database.write(
            partial(_set_credit, uid=storable(space_uid), credit=credit), administers=True
        )
        if after is not None:
            self._settled((), (Receipt(True, credit, after),))
        return after is not None

    async def set_key(self, key: str, usable: bool | None) -> bool:
        """Makes a key usable or unusable, or takes it away (None); whether there was such a key."""
        try:
            return await self._database.write(partial(_set_key, key=storable(key), usable=usable), administers=True)
        finally:
            self._changed()

    async def _balance(self, space_uid: str) -> int | None:
        self._renew()
        known = self._spaces.get(space_uid)
        if known is None:
            epoch = self._generation, self._changes
            read = await self._database.read(partial(_row, statement=SPACE_BY_UID, value={"uid": storable(space_uid)}))
            found = None if read is None else await self._filled(held(read))
            if found is None:
                return None
            known = self._keep(found[0], epoch)
        return known.space.credit

    async def _find(self, question: _Question, statement: Select[Any]) -> tuple[Space, ApiKey | None] | None:
        self._renew()
        answer = self._answers.get(question)
        if answer is not None:
            if answer.uid is None:
                return None
            known = self._spaces.get(answer.uid)
            if known is not None:
                return known.space, answer.key
        kind, value = question
        if storable(value) != value:
            return None
        epoch = self._generation, self._changes
        row = await self._database.read(
            partial(_row, statement=statement, value={} if kind == "default" else {kind: value})
        )
        found = None if row is None else await self._filled(held(row))
        self._renew()
        certain = epoch == (self._generation, self._changes)
        if row is None or found is None:
            if certain and len(value) <= LONGEST:
                self._answers.put(question, _Answer(None))
            return None
        key = ApiKey(value, row.usable) if kind == "key" else None
        known = self._keep(found[0], epoch)
        if certain:
            self._answers.put(question, _Answer(known.space.uid, key))
        return known.space, key

    async def _filled(self, read: Held) -> tuple[Held, Lore] | None:
        """What was read, with its lore, or what the space has become meanwhile; None if it is gone."""
        known = self._lore(read.lore)
        if known is not None:
            return replace(read, space=known.of(read.space)), known
        whole = await self._database.read(partial(_whole, uid=read.space.uid))
        if whole is None:
            return None
        now, content = whole
        lore = await asyncio.to_thread(unseal, content) if content else NONE
        self._lores.put(now.lore, lore)
        return replace(now, space=lore.of(now.space)), lore

    def _lore(self, digest: str) -> Lore | None:
        return self._lores.get(digest) if digest else NONE

    def _keep(self, read: Held, epoch: tuple[int, int]) -> Held:
        """The newer of what was read and what is known, kept unless doubtful. `epoch`: when it was read."""
        self._renew()
        known = self._spaces.get(read.space.uid)
        if known is not None and known.version >= read.version:
            return known
        if epoch == (self._generation, self._changes):
            self._spaces.put(read.space.uid, read)
        return read

    def _settle(self, connection: Connection, orders: Sequence[Order]) -> list[Receipt]:
        judged = [replace(order, over=self.eras.is_over(order.era, order.space_uid)) for order in orders]
        return settle_orders(connection, judged)

    def _settled(self, orders: Sequence[Order], receipts: Sequence[Receipt] | None) -> None:
        if receipts is None:
            return
        for found in {receipt.held.space.uid: receipt.held for receipt in receipts if receipt.held}.values():
            lore = self._lore(found.lore)
            if lore is not None:
                self._keep(replace(found, space=lore.of(found.space)), (self._generation, self._changes))
            else:
                # Another program has changed what it knows: the next question reads it.
                self._spaces.drop(found.space.uid)

    def _renew(self) -> None:
        """Forgets everything when another process has written to the file."""
        if self._generation != self._database.generation:
            self._generation = self._database.generation
            self._answers.clear()
            self._spaces.clear()


def _seed(connection: Connection, *, seeds: Sequence[SpaceSeed], sealed: Sequence[Sealed]) -> None:
    write_seeds(connection, seeds, sealed)


def _set_credit(connection: Connection, *, uid: str, credit: int) -> Held | None:
    row = connection.execute(SPACES_TO_CHARGE, {"uids": [uid]}).first()
    if row is None:
        return None
    before = held(row)
    after = replace(before, space=replace(before.space, credit=credit), version=before.version + 1)
    connection.execute(SET_CREDIT, {"charged": uid, "credit": credit, "version": after.version})
    return after


def _set_key(connection: Connection, *, key: str, usable: bool | None) -> bool:
    if usable is None:
        return bool(connection.execute(DROP_KEY, {"changed": key}).rowcount)
    return bool(connection.execute(SET_KEY, {"changed": key, "usable": usable}).rowcount)


def _row(connection: Connection, *, statement: Select[Any], value: dict[str, str]) -> Row[Any] | None:
    return connection.execute(statement, value).first()


def _whole(connection: Connection, *, uid: str) -> tuple[Held, str] | None:
    row = connection.execute(SPACE_WITH_LORE, {"uid": uid}).first()
    return None if row is None else (held(row), row.content or "")
