"""Events on their way to agents without a socket: rows, written with the event, gone when they have arrived.

An agent's cursor counts its own events, given out under the lock of its row: so cursors are in the order of commits,
and none appears below one that was already read. They go on through resets and restores. Within a lane (a conversation)
webhooks keep order.
Imports SQLAlchemy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, and_, case, delete, exists, func, insert, or_, select, update

from app.hashee.access import Credential
from app.hashee.agents import POLLING, WEBHOOK, mode_of
from app.hashee.frames import BY_TYPE, Frame, MessageNew, MessageRecalled
from app.hashee.identifiers import AGENT, kind_of, principal, uid_of, uuid7
from app.hashee.ledger import Event, Tx
from app.hashee.messages import Mark
from app.hashee.profiles import Profile
from app.hashee.refusals import Refused
from app.hashee.rights import ACTIVE, agent
from app.hashee.tables import agents, cursors, deliveries, members, upsert
from app.spaces.deadlines import ahead, is_ahead

PAUSES = (1.0, 5.0, 30.0, 120.0, 600.0)
"""Seconds before the second to sixth try."""

CLAIM = 60.0
"""Seconds that a process has for one try; then another may take it."""

KEPT = 86_400.0
"""Seconds that the log of ended deliveries goes back."""

ABANDONED = 7 * 86_400.0
"""Seconds that an event waits for an agent that does not fetch it."""

ROUNDING = 0.001
"""Seconds by which something may be early: sums of floats differ."""

GONE = "gone"
"""The state of a webhook that answered 410: nothing is kept for it until it has another address."""

PENDING = "pending"
DONE = "done"
FAILED = "failed"
WITHDRAWN = "withdrawn"
"""The state of a message that was recalled while it was being tried: that try ends it, whatever it comes to."""

RECALLED = "the message was recalled"


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery to try now."""

    agent_id: str
    cursor: int
    delivery_id: str
    frame: Frame
    created_at: float
    attempts: int
    seen: bool
    url: str
    secret: str


def store(profile: Profile, tx: Tx, told: Sequence[Event]) -> None:
    """Writes what of the events leaves by webhook and poll."""
    for event in told:
        frame = event.frame
        if frame.type not in profile.delivered:
            continue
        ids = {uid_of(name) for name in event.to if kind_of(name) == AGENT}
        if isinstance(frame, MessageRecalled):
            ids -= _withdraw(tx, frame)
        if ids:
            _store(tx, frame, sorted(ids))


def _withdraw(tx: Tx, recalled: MessageRecalled) -> set[str]:
    """Takes a message back from all deliveries: what it said is gone, and nobody gets it who has not. Gives the agents
    that cannot have it, and hear nothing of it at all.
    """
    there = select(members.c.principal).where(members.c.conversation_id == recalled.conversation_id)
    ids = [uid_of(name) for name in tx.connection.scalars(there) if kind_of(name) == AGENT]
    tx.run(select(agents.c.id).where(agents.c.id.in_(ids)).order_by(agents.c.id).with_for_update())
    rows = tx.run(
        select(deliveries)
        .where(
            deliveries.c.agent_id.in_(ids),
            deliveries.c.lane == recalled.conversation_id,
            deliveries.c.type == MessageNew.type,
            deliveries.c.body.contains(recalled.message_id, autoescape=True),
        )
        .with_for_update()
    ).fetchall()
    unseen = set()
    for row in rows:
        kept = orjson.loads(row.body)
        if kept["frame"]["message_id"] != recalled.message_id:
            continue  # it quotes the message
        kept["frame"]["encrypted_payload"] = ""
        values: dict[str, Any] = {"body": orjson.dumps(kept).decode()}
        if row.state == PENDING and _claimed(row, tx.now):
            values |= {"state": WITHDRAWN}
        elif row.state == PENDING:
            values |= {"state": FAILED, "error": RECALLED, "finished_at": tx.now}
        tx.run(update(deliveries).where(*_at(row.agent_id, row.cursor)).values(**values))
        if not row.seen:
            unseen.add(row.agent_id)
    return unseen


def _claimed(row: Any, now: float) -> bool:
    """Whether a process is trying it."""
    return is_ahead(row.claimed_until, now, CLAIM)


def _store(tx: Tx, frame: Frame, ids: Sequence[str]) -> None:
    # Agents first, as in everything that writes them and their deliveries: so nobody waits for one who waits.
    reached = (
        select(agents.c.id)
        .where(agents.c.id.in_(ids), agents.c.connection_mode.in_((WEBHOOK, POLLING)), agents.c.governance == ACTIVE)
        .where(agents.c.webhook_state != GONE)
        .order_by(agents.c.id)
        .with_for_update()
    )
    cursor_of = _next_cursors(tx, tx.connection.scalars(reached).all())
    if not cursor_of:
        return
    body = orjson.dumps({"type": frame.type, "frame": frame.values()}).decode()
    noise = tx.ids.branch("delivery")
    tx.run(
        insert(deliveries),
        [
            {
                "agent_id": agent_id,
                "cursor": cursor,
                "delivery_id": uuid7(tx.now, noise.branch(agent_id, cursor).seed_bytes(10)),
                "lane": frame.conversation,
                "type": frame.type,
                "body": body,
                "created_at": tx.now,
                "state": PENDING,
                "attempts": 0,
                "due_at": tx.now,
                "claimed_until": 0.0,
            }
            for agent_id, cursor in cursor_of.items()
        ],
    )


def _next_cursors(tx: Tx, agent_ids: Sequence[str]) -> dict[str, int]:
    """The next number of each agent, which is used up by that."""
    if not agent_ids:
        return {}
    rows = tx.run(
        upsert(tx.connection, cursors)
        .values([{"agent_id": agent_id, "last": 1} for agent_id in agent_ids])
        .on_conflict_do_update(index_elements=[cursors.c.agent_id], set_={"last": cursors.c.last + 1})
        .returning(cursors.c.agent_id, cursors.c.last)
    )
    return {row.agent_id: row.last for row in rows}


def renumber(connection: Connection) -> None:
    """After a restore: what waits again gets numbers that nobody was given, or a cursor from before the restore would
    take it away unseen.
    """
    known = {row.agent_id: row.last for row in connection.execute(select(cursors))}
    newest = select(deliveries.c.agent_id, func.max(deliveries.c.cursor).label("cursor"))
    for agent_id, cursor in connection.execute(newest.group_by(deliveries.c.agent_id)).fetchall():
        # Past both, so that no row takes the number that another has not left yet.
        shift = max(known.get(agent_id, 0), cursor)
        own = deliveries.c.agent_id == agent_id
        connection.execute(update(deliveries).where(own).values(cursor=deliveries.c.cursor + shift))
        last = {"last": cursor + shift}
        connection.execute(
            upsert(connection, cursors)
            .values(agent_id=agent_id, **last)
            .on_conflict_do_update(index_elements=[cursors.c.agent_id], set_=last)
        )


def frame_of(body: str) -> Frame:
    """The frame in a row."""
    kept = orjson.loads(body)
    return BY_TYPE[kept["type"]](**kept["frame"])


def arrived(tx: Tx, credential: Credential, agent_id: str, cursor: int) -> list[Mark]:
    """Events up to a cursor have arrived by poll, and are gone; gives the messages among them, as receipts."""
    _polling(tx, credential, agent_id)
    if cursor > (tx.value(select(cursors.c.last).where(cursors.c.agent_id == agent_id)) or 0):
        return []  # another store gave it: nothing that is here was seen
    rows = tx.run(
        delete(deliveries)
        .where(deliveries.c.agent_id == agent_id, deliveries.c.state == PENDING, deliveries.c.cursor <= cursor)
        .returning(deliveries.c.body)
    ).fetchall()
    return [mark for row in rows for mark in receipt(agent_id, frame_of(row.body))]


def receipt(agent_id: str, frame: Frame) -> list[Mark]:
    """That a message has reached an agent; nothing for other events."""
    if not isinstance(frame, MessageNew):
        return []
    return [(frame.conversation_id, principal(AGENT, agent_id), frame.conversation_seq)]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that waits for an agent that polls. `seen`: it was given before."""

    cursor: int
    frame: Frame
    seen: bool


def waiting(tx: Tx, credential: Credential, agent_id: str, limit: int) -> list[Waiting]:
    """Events that wait for an agent that polls, oldest first."""
    _polling(tx, credential, agent_id)
    rows = tx.run(
        select(deliveries.c.cursor, deliveries.c.body, deliveries.c.seen)
        .where(deliveries.c.agent_id == agent_id, deliveries.c.state == PENDING)
        .order_by(deliveries.c.cursor)
        .limit(limit)
    )
    return [Waiting(row.cursor, frame_of(row.body), row.seen) for row in rows]


def give(tx: Tx, credential: Credential, agent_id: str, limit: int) -> list[Waiting]:
    """As `waiting`, for an agent that gets them now: from then on it hears of recalls."""
    tx.run(select(agents.c.id).where(agents.c.id == agent_id).with_for_update())  # a recall waits for that, or this
    found = waiting(tx, credential, agent_id, limit)
    fresh = [event.cursor for event in found if not event.seen]
    if fresh:
        tx.run(
            update(deliveries)
            .where(deliveries.c.agent_id == agent_id, deliveries.c.cursor.in_(fresh))
            .values(seen=True)
        )
    return found


def _polling(tx: Tx, credential: Credential, agent_id: str) -> None:
    agent(tx, credential, agent_id)
    mode = mode_of(tx, agent_id)
    if mode != POLLING:
        raise Refused("WRONG_CONNECTION_MODE", f"The agent's connection_mode is {mode}, not {POLLING}")


def claim(tx: Tx, most: int, each: int, room: Mapping[str, int], trying: Sequence[str] = ()) -> list[Due]:
    """Takes deliveries that are due for this process: the first of each lane only, and `each` of an agent, or as many
    as it has `room` for. Those it is `trying` (their ids) are not taken twice, though the clock may have been advanced
    past their claim.
    """
    full = [agent_id for agent_id, count in room.items() if count <= 0]
    found = tx.run(
        select(deliveries, agents.c.webhook_url, agents.c.webhook_secret)
        .join(agents, agents.c.id == deliveries.c.agent_id)
        .where(
            deliveries.c.state == PENDING,
            ~_is_resting(tx.now + ROUNDING),
            ~_is_claimed(deliveries, tx.now + ROUNDING),
            agents.c.connection_mode == WEBHOOK,
            agents.c.governance == ACTIVE,
            agents.c.id.not_in(full),
            deliveries.c.delivery_id.not_in(trying),
            _first_of_lane(tx.now),
        )
        .order_by(deliveries.c.due_at, deliveries.c.cursor)
        .limit(most)
        .with_for_update(skip_locked=True, of=deliveries)
    ).fetchall()
    rows = []
    taken: Counter[str] = Counter()
    for row in found:
        if taken[row.agent_id] < room.get(row.agent_id, each):
            taken[row.agent_id] += 1
            rows.append(row)
    for row in rows:
        tx.run(update(deliveries).where(*_at(row.agent_id, row.cursor)).values(claimed_until=tx.now + CLAIM, seen=True))
    return [
        Due(
            row.agent_id,
            row.cursor,
            row.delivery_id,
            frame_of(row.body),
            row.created_at,
            row.attempts,
            row.seen,
            row.webhook_url,
            row.webhook_secret,
        )
        for row in rows
    ]


def next_due(tx: Tx, busy: Sequence[str] = (), trying: Sequence[str] = ()) -> float | None:
    """The moment at which something may be due that is not being tried, for others than the `busy` agents; None while
    nothing waits.
    """
    later = func.max if tx.connection.dialect.name == "sqlite" else func.greatest
    tried_at = case((_is_resting(tx.now), deliveries.c.due_at), else_=tx.now)
    free_at = case((_is_claimed(deliveries, tx.now), deliveries.c.claimed_until), else_=tx.now)
    waits = and_(deliveries.c.state == PENDING, _first_of_lane(tx.now))
    ends = and_(deliveries.c.state == WITHDRAWN, _is_claimed(deliveries, tx.now))
    found: float | None = tx.value(
        select(func.min(later(tried_at, free_at)))
        .join(agents, agents.c.id == deliveries.c.agent_id)
        .where(
            or_(waits, ends),
            agents.c.connection_mode == WEBHOOK,
            agents.c.governance == ACTIVE,
            agents.c.id.not_in(busy),
            deliveries.c.delivery_id.not_in(trying),
        )
    )
    return found


def _first_of_lane(now: float) -> ColumnElement[bool]:
    """The condition for what nothing earlier of its lane holds up."""
    earlier = deliveries.alias()
    return ~exists().where(
        earlier.c.agent_id == deliveries.c.agent_id,
        earlier.c.lane == deliveries.c.lane,
        or_(earlier.c.state == PENDING, and_(earlier.c.state == WITHDRAWN, _is_claimed(earlier, now))),
        earlier.c.cursor < deliveries.c.cursor,
    )


def _is_claimed(table: Any, now: float) -> ColumnElement[bool]:
    """The condition for what a process is trying."""
    return ahead(table.c.claimed_until, now, CLAIM)


def _is_resting(now: float) -> ColumnElement[bool]:
    """The condition for what failed a moment ago."""
    longest = case(dict(enumerate(PAUSES, 1)), value=deliveries.c.attempts, else_=0.0)
    return ahead(deliveries.c.due_at, now, longest)


def _at(agent_id: str, cursor: int) -> tuple[Any, Any]:
    return deliveries.c.agent_id == agent_id, deliveries.c.cursor == cursor


def settle(
    tx: Tx, due: Due, *, status: int | None, error: str, again: float | None, gone: bool = False, reached: bool = True
) -> list[Mark]:
    """What became of a try. `again`: seconds until the next, None for no more; `gone`: nor of any other; `reached`: the
    webhook may have got it. An agent that has another address or mode by now is not judged by it; a delivery that is
    settled already stays as it is. Gives the message as a receipt, if it is delivered by that.
    """
    # The agent first, as in everything that writes both: so nobody waits for one who waits.
    row = select(agents.c.webhook_url, agents.c.connection_mode).where(agents.c.id == due.agent_id).with_for_update()
    now = tx.one(row)
    judged = now is not None and (now.webhook_url, now.connection_mode) == (due.url, WEBHOOK)
    done = status is not None and 200 <= status < 300
    this = *_at(due.agent_id, due.cursor), deliveries.c.delivery_id == due.delivery_id
    was = tx.value(select(deliveries.c.state).where(*this).with_for_update())
    if was not in (PENDING, WITHDRAWN):
        return []
    over = (judged and (gone or again is None)) or was == WITHDRAWN
    state = DONE if done else FAILED if over else PENDING
    tx.run(
        update(deliveries)
        .where(*this)
        .values(
            state=state,
            attempts=due.attempts + 1,
            seen=due.seen or reached,
            due_at=tx.now + ((again or 0.0) if judged else 0.0),
            claimed_until=0.0,
            status=status,
            error=RECALLED if was == WITHDRAWN and not done else error,
            finished_at=None if state == PENDING else tx.now,
        )
    )
    if judged and gone:
        tx.run(
            update(deliveries)
            .where(deliveries.c.agent_id == due.agent_id, deliveries.c.state == PENDING)
            .values(state=FAILED, error="the webhook is gone (410)", finished_at=tx.now)
        )
    if judged and state != PENDING and (done or was == PENDING):
        health = "ok" if done else GONE if gone else "unreachable"
        tx.run(
            update(agents)
            .where(agents.c.id == due.agent_id, agents.c.webhook_state.not_in((health, GONE)))
            .values(webhook_state=health)
        )
    return receipt(due.agent_id, due.frame) if done else []


def log_of(tx: Tx, agent_id: str | None, limit: int) -> list[dict[str, Any]]:
    """What was delivered, and how; newest first."""
    asked = select(deliveries).order_by(deliveries.c.created_at.desc(), deliveries.c.cursor.desc()).limit(limit)
    if agent_id is not None:
        asked = asked.where(deliveries.c.agent_id == agent_id)
    names = ("delivery_id", "agent_id", "cursor", "type", "state", "attempts", "status", "error", "created_at")
    return [
        {**{name: getattr(row, name) for name in names}, "due_at": row.due_at, "finished_at": row.finished_at}
        for row in tx.run(asked)
    ]


def sweep(tx: Tx) -> None:
    """Forgets what ended long ago, and what nobody has fetched for a week."""
    unsettled = deliveries.c.state == WITHDRAWN, ~_is_claimed(deliveries, tx.now)  # its process is gone
    tx.run(update(deliveries).where(*unsettled).values(state=FAILED, error=RECALLED, finished_at=tx.now))
    tx.run(delete(deliveries).where(deliveries.c.state != PENDING, deliveries.c.finished_at < tx.now - KEPT))
    tx.run(delete(deliveries).where(deliveries.c.state == PENDING, deliveries.c.created_at < tx.now - ABANDONED))
