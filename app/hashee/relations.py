"""Relations of users with agents: established, terminated, suspended, restored. Commands of the ledger."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select, update

from app.hashee.access import Credential
from app.hashee.conversations import make, one
from app.hashee.frames import (
    MembersLeft,
    RelationEstablished,
    RelationRestored,
    RelationSuspended,
    RelationTerminated,
)
from app.hashee.identifiers import AGENT, HUMAN, principal
from app.hashee.ledger import Tx
from app.hashee.refusals import Refused
from app.hashee.rights import ACTIVE, human, owned_agent, relation_with
from app.hashee.tables import agents, relations, users

SUSPENDED = "suspended"
TERMINATED = "terminated"


def establish(tx: Tx, credential: Credential, agent_id: str, source: str) -> dict[str, Any]:
    """The caller begins to use an agent."""
    who = human(tx, credential)
    conversation_id = join(tx, who.id, agent_id, source)
    return {"agent_id": agent_id, "status": ACTIVE, "conversation": one(tx, who, conversation_id)}


def join(tx: Tx, user_id: str, agent_id: str, source: str) -> str:
    """A relation, told to the agent unless it is there; gives its conversation."""
    found = tx.one(select(agents.c.governance).where(agents.c.id == agent_id))
    if found is None:
        raise Refused("NOT_FOUND", "No such agent")
    if found.governance != ACTIVE:
        raise Refused("AGENT_BANNED" if found.governance == "banned" else "AGENT_SUSPENDED")
    known = tx.one(select(relations).where(relation_with(agent_id, user_id)).with_for_update())
    if known is not None and known.status == ACTIVE:
        return str(known.conversation_id)
    if known is not None and known.status == SUSPENDED:
        raise Refused("RELATION_SUSPENDED")
    both = (principal(HUMAN, user_id), principal(AGENT, agent_id))
    if known is None:
        conversation_id = make(tx, "h2a", both, pair="|".join(both))
        tx.run(
            insert(relations).values(
                agent_id=agent_id,
                user_id=user_id,
                status=ACTIVE,
                conversation_id=conversation_id,
                referral_source=source,
                created_at=tx.now,
            )
        )
    else:
        conversation_id = known.conversation_id
        tx.run(
            update(relations)
            .where(relation_with(agent_id, user_id))
            .values(status=ACTIVE, referral_source=source, created_at=tx.now)
        )
    user = tx.one(select(users).where(users.c.id == user_id))
    tx.tell(
        RelationEstablished(user_id, user.display_name, user.avatar_url, user.language, source, user.public_key),
        principal(AGENT, agent_id),
    )
    return conversation_id


def terminate(tx: Tx, credential: Credential, agent_id: str) -> None:
    """The caller no longer uses an agent."""
    who = human(tx, credential)
    if not _terminate(tx, agent_id, who.id):
        raise Refused("NOT_FOUND", "No relation with this agent")


def terminate_all(tx: Tx, user_id: str) -> None:
    """A user uses no agent any more."""
    using = select(relations.c.agent_id).where(relations.c.user_id == user_id, relations.c.status != TERMINATED)
    for agent_id in tx.connection.scalars(using.order_by(relations.c.agent_id)).all():
        _terminate(tx, agent_id, user_id)


def _terminate(tx: Tx, agent_id: str, user_id: str) -> bool:
    changed = tx.run(
        update(relations)
        .where(relation_with(agent_id, user_id), relations.c.status != TERMINATED)
        .values(status=TERMINATED)
    ).rowcount
    if changed:
        tx.tell(RelationTerminated(user_id), principal(AGENT, agent_id))
        _silence(tx, agent_id, user_id)
    return bool(changed)


def set_suspended(tx: Tx, agent_id: str, user_id: str, suspended: bool) -> dict[str, Any]:
    """Suspends a relation, or restores it; the agent hears of it."""
    row = tx.one(select(relations).where(relation_with(agent_id, user_id)).with_for_update())
    if row is None or row.status == TERMINATED:
        raise Refused("NOT_FOUND", "No such relation")
    wanted = SUSPENDED if suspended else ACTIVE
    if row.status != wanted:
        tx.run(update(relations).where(relation_with(agent_id, user_id)).values(status=wanted))
        told = RelationSuspended(user_id) if suspended else RelationRestored(user_id)
        tx.tell(told, principal(AGENT, agent_id))
        if suspended:
            _silence(tx, agent_id, user_id)
    return {"agent_id": agent_id, "user_id": user_id, "status": wanted}


def suspend_by_owner(tx: Tx, credential: Credential, agent_id: str, user_id: str, suspended: bool) -> dict[str, Any]:
    """As `set_suspended`, by the one who made the agent."""
    owned_agent(tx, human(tx, credential), agent_id)
    return set_suspended(tx, agent_id, user_id, suspended)


def _silence(tx: Tx, agent_id: str, user_id: str) -> None:
    """Streams of the agent in that conversation no longer reach the user."""
    conversation_id = tx.value(select(relations.c.conversation_id).where(relation_with(agent_id, user_id)))
    tx.tell(MembersLeft(conversation_id), principal(HUMAN, user_id))


def of_agent(tx: Tx, credential: Credential, agent_id: str) -> list[dict[str, Any]]:
    """Who uses an agent, for the one who made it."""
    owned_agent(tx, human(tx, credential), agent_id)
    found = tx.run(
        select(relations, users.c.display_name)
        .join(users, users.c.id == relations.c.user_id)
        .where(relations.c.agent_id == agent_id)
        .order_by(relations.c.created_at, relations.c.user_id)
    )
    return [
        {
            "user_id": row.user_id,
            "display_name": row.display_name,
            "status": row.status,
            "conversation_id": row.conversation_id,
            "referral_source": row.referral_source,
            "created_at": row.created_at,
        }
        for row in found
    ]


def users_of(tx: Tx, agent_id: str) -> list[str]:
    """The principals of those with an active relation."""
    found = tx.connection.scalars(
        select(relations.c.user_id).where(relations.c.agent_id == agent_id, relations.c.status == ACTIVE)
    )
    return [principal(HUMAN, user_id) for user_id in found]
