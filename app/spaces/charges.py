"""Credit: what a batch of charges and refunds does to the balances, in one transaction. Imports SQLAlchemy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from app.spaces.models import Space
from app.spaces.tables import SET_CREDIT, SPACES_TO_CHARGE, STATE_COLUMNS


@dataclass(frozen=True, slots=True)
class Order:
    """A charge in won, or a refund (`cost` below 0). Refused where the balance is below `floor`; None: never.

    `era`: when what it pays for was begun. `over`: a reset came in between, so it moves nothing.
    """

    space_uid: str
    cost: int
    floor: int | None
    era: int | None = None
    over: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """A space as read, and the count of its row's changes: of two copies the one with the higher `version` is right.

    `lore` is the digest of its lore, which itself is not in the row: `space` is without it until it is filled in.
    """

    space: Space
    version: int
    lore: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an order, and the balance right after it. `held` is None where there is no such space."""

    ok: bool
    balance: int
    held: Held | None


def held(row: Any) -> Held:
    """From a row that ends with STATE_COLUMNS."""
    *columns, version, digest = row[-len(STATE_COLUMNS) :]
    return Held(Space(*columns), version, digest)


def settle_orders(connection: Connection, orders: Sequence[Order]) -> list[Receipt]:
    """Decides the orders one after the other on locked rows, then writes each balance once.

    A batch costs two statements, however many charges it holds. The rows stay locked from the reading to the commit
    (SQLite: the whole file), so two processes cannot both spend the same won.
    """
    uids = sorted({order.space_uid for order in orders})
    before = {row[0]: held(row) for row in connection.execute(SPACES_TO_CHARGE, {"uids": uids})}
    balances = {uid: found.space.credit for uid, found in before.items()}
    decided: list[tuple[bool, int]] = []
    for order in orders:
        balance = balances.get(order.space_uid)
        if balance is None:
            decided.append((False, 0))
            continue
        if order.over:
            decided.append((True, balance))
            continue
        ok = order.floor is None or balance >= order.floor
        if ok:
            balance = balances[order.space_uid] = balance - order.cost
        decided.append((ok, balance))
    after = {
        uid: Held(replace(found.space, credit=balances[uid]), found.version + 1, found.lore)
        if balances[uid] != found.space.credit
        else found
        for uid, found in before.items()
    }
    moved = [
        {"charged": uid, "credit": found.space.credit, "version": found.version}
        for uid, found in after.items()
        if found is not before[uid]
    ]
    if moved:
        connection.execute(SET_CREDIT, moved)
    return [
        Receipt(ok, balance, after.get(order.space_uid)) for order, (ok, balance) in zip(orders, decided, strict=True)
    ]
