"""Artifacts: sent inside messages, updated by their agent, answered by people, over after a while.

What an artifact shows is in the encrypted payload; the server knows its id, its revision and when it is over. Commands
of the ledger. Imports SQLAlchemy.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

from sqlalchemy import ColumnElement, case, func, insert, select, update

from app.emulation.determinism import RESOLUTION
from app.hashee.access import Credential
from app.hashee.frames import ArtifactExpired, ArtifactResponse, ArtifactUpdate
from app.hashee.identifiers import AGENT, HUMAN, kind_of, principal
from app.hashee.ledger import Tx
from app.hashee.messages import Outgoing, Sent, send
from app.hashee.refusals import Refused
from app.hashee.rights import agent, human, message, speaking
from app.hashee.tables import artifacts, members, messages
from app.spaces.deadlines import ahead, is_ahead

MOST_BLOCKS = 16
MOST_BYTES = 64 * 1024
MOST_UPDATES = 100
EXPIRED_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class About:
    """What the server is told of an artifact in the clear. `life` in seconds, None for ever."""

    artifact_id: str | None
    subtype: str
    life: float | None


def send_artifact(
    tx: Tx, credential: Credential, agent_id: str, conversation_id: str, out: Outgoing, about: About
) -> tuple[Sent, str]:
    """A message with an artifact; gives the artifact's id too."""
    who = agent(tx, credential, agent_id)
    if about.artifact_id:
        known = tx.one(
            select(messages.c.sender, messages.c.client_id)
            .join(artifacts, artifacts.c.message_id == messages.c.id)
            .where(artifacts.c.id == about.artifact_id)
        )
        same = known is not None and (known.sender, known.client_id) == (who.principal, out.client_message_id)
        if known is not None and not (same and out.client_message_id is not None):
            raise Refused("ALREADY_EXISTS", "There is an artifact of this id")
    sent = send(tx, who, conversation_id, out)
    known = tx.value(select(artifacts.c.id).where(artifacts.c.message_id == sent.message_id))
    if known is not None:
        return sent, str(known)
    artifact_id = about.artifact_id or tx.ids.branch("artifact", sent.message_id).uuid4()
    tx.run(
        insert(artifacts).values(
            id=artifact_id,
            conversation_id=conversation_id,
            message_id=sent.message_id,
            agent_id=agent_id,
            subtype=about.subtype,
            revision=0,
            life=about.life,
            expires_at=None if about.life is None else tx.now + about.life,
            expired=False,
        )
    )
    return sent, artifact_id


def change(
    tx: Tx,
    credential: Credential,
    agent_id: str,
    artifact_id: str,
    payload: str,
    revision: int | None,
    based_on: int | None,
) -> dict[str, Any]:
    """A new state of an artifact. `revision` has to be above the current one, `based_on` has to be it."""
    who = agent(tx, credential, agent_id)
    row = tx.one(select(artifacts).where(artifacts.c.id == artifact_id).with_for_update())
    if row is None or row.agent_id != agent_id:
        raise Refused("NOT_FOUND", "No such artifact")
    at = tx.one(select(messages.c.seq, messages.c.recalled_at).where(messages.c.id == row.message_id))
    if at.recalled_at is not None or row.expired or _is_due(row, tx.now):
        raise Refused("ARTIFACT_EXPIRED")
    if row.updates >= MOST_UPDATES:
        raise Refused("ARTIFACT_LIMIT", f"An artifact takes {MOST_UPDATES} updates")
    if (revision is not None and revision <= row.revision) or (based_on is not None and based_on != row.revision):
        raise Refused("REVISION_CONFLICT", current_revision=row.revision)
    found = speaking(tx, who, row.conversation_id)
    now = row.revision + 1 if revision is None else revision
    tx.run(update(artifacts).where(artifacts.c.id == artifact_id).values(revision=now, updates=row.updates + 1))
    told = ArtifactUpdate(row.conversation_id, row.message_id, artifact_id, now, based_on, payload)
    tx.tell(told, *(name for name in found.seeing(at.seq) if kind_of(name) == HUMAN))
    return {"artifact_id": artifact_id, "revision": now}


def respond(
    tx: Tx, credential: Credential, message_id: str, action: str, based_on: int, values: dict[str, Any]
) -> dict[str, Any]:
    """A person answers an artifact; its agent hears of it."""
    who = human(tx, credential)
    row, found = message(tx, who, message_id)
    about = tx.one(select(artifacts).where(artifacts.c.message_id == message_id))
    if about is None:
        raise Refused("NOT_FOUND", "The message has no artifact")
    if row.recalled_at is not None or about.expired or _is_due(about, tx.now):
        raise Refused("ARTIFACT_EXPIRED")
    if based_on != about.revision:
        raise Refused("REVISION_CONFLICT", current_revision=about.revision)
    speaking(tx, who, found.id)
    told = ArtifactResponse(found.id, message_id, about.id, action, based_on, values)
    tx.tell(told, *(name for name in found.everyone if name == principal(AGENT, about.agent_id)))
    return {"message_id": message_id, "artifact_id": about.id, "revision": about.revision}


def expire(tx: Tx, artifact_id: str | None = None) -> int:
    """Ends the artifacts whose time is over, or the one that is named; how many."""
    due = ~_lives(tx.now + RESOLUTION) if artifact_id is None else artifacts.c.id == artifact_id
    rows = tx.run(
        select(artifacts).where(due, artifacts.c.expired.is_(False)).order_by(artifacts.c.id).limit(EXPIRED_AT_ONCE)
    ).fetchall()
    for row in rows:
        if not tx.run(
            update(artifacts).where(artifacts.c.id == row.id, artifacts.c.expired.is_(False)).values(expired=True)
        ).rowcount:
            continue  # another process was faster
        everyone = tx.connection.scalars(
            select(members.c.principal)
            .join(messages, messages.c.conversation_id == members.c.conversation_id)
            .where(messages.c.id == row.message_id, members.c.left_at.is_(None), members.c.joined_seq < messages.c.seq)
        )
        tx.tell(ArtifactExpired(row.conversation_id, row.message_id, row.id), *everyone)
    return len(rows)


def next_expiry(tx: Tx) -> float:
    """When the time of an artifact will next be over, or was; infinity while nothing waits for that."""
    ends_at = case((_lives(tx.now), artifacts.c.expires_at), else_=tx.now)
    soonest = select(func.min(ends_at)).where(artifacts.c.expired.is_(False), artifacts.c.expires_at.is_not(None))
    moment: float | None = tx.value(soonest)
    return inf if moment is None else moment


def _is_due(row: Any, now: float) -> bool:
    """Whether its time is over."""
    return row.expires_at is not None and not is_ahead(row.expires_at, now, row.life)


def _lives(now: float) -> ColumnElement[bool]:
    """The condition for an artifact whose time is not over; null for one without an end."""
    return ahead(artifacts.c.expires_at, now, artifacts.c.life)
