"""Brings what the file declares into the store. What exists stays as it is, but for what it is called.

Imports SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select, update

from app.hashee.fixtures import Cast, CastAgent, CastGroup, CastUser
from app.hashee.folding import fold_name
from app.hashee.identifiers import AGENT, HUMAN, digest, principal
from app.hashee.ledger import Tx
from app.hashee.tables import CONTENTS, agents, conversations, members, relations, tokens, users


def seed(tx: Tx, cast: Cast, passwords: Mapping[str, str]) -> None:
    """Everybody of the cast; `passwords` are the hashes of the declared ones."""
    for user in cast.users:
        _user(tx, user, passwords[user.password])
    for agent in cast.agents:
        _agent(tx, agent)
    for user_id, agent_id, status in cast.relations:
        _relation(tx, user_id, agent_id, status)
    for pair in cast.pairs:
        both = sorted(principal(HUMAN, uid) for uid in pair)
        _conversation(tx, None, "h2h", both, "|".join(both))
    for group in cast.groups:
        _group(tx, group)


def clear(tx: Tx) -> None:
    """Everything but the keys of the service is gone."""
    for table in reversed(CONTENTS):
        tx.run(delete(table))


def _there(tx: Tx, table: Any, uid: str) -> bool:
    return tx.value(select(table.c.id).where(table.c.id == uid)) is not None


def _user(tx: Tx, user: CastUser, password: str) -> None:
    told = {
        "display_name": user.display_name,
        "name_folded": fold_name(user.display_name),
        "avatar_url": user.avatar_url,
        "language": user.language,
    }
    if _there(tx, users, user.id):
        tx.run(update(users).where(users.c.id == user.id).values(**told))
        return
    tx.run(
        insert(users).values(
            id=user.id, email=user.email, password=password, public_key=user.public_key, created_at=tx.now, **told
        )
    )


def _agent(tx: Tx, agent: CastAgent) -> None:
    told = {
        "display_name": agent.display_name,
        "avatar_url": agent.avatar_url,
        "description": agent.description,
    }
    if _there(tx, agents, agent.id):
        tx.run(update(agents).where(agents.c.id == agent.id).values(**told))
    else:
        tx.run(
            insert(agents).values(
                id=agent.id,
                owner_id=agent.owner_id,
                connection_mode=agent.connection_mode,
                webhook_url=agent.webhook_url,
                webhook_secret=agent.webhook_secret or tx.ids.base62(44),
                public_key=agent.public_key,
                created_at=tx.now,
                **told,
            )
        )
    kept = digest(agent.token)
    if agent.token and tx.value(select(tokens.c.digest).where(tokens.c.digest == kept)) is None:
        tx.run(insert(tokens).values(digest=kept, agent_id=agent.id, created_at=tx.now))


def _relation(tx: Tx, user_id: str, agent_id: str, status: str) -> None:
    at = relations.c.agent_id == agent_id, relations.c.user_id == user_id
    if tx.value(select(relations.c.status).where(*at)) is not None:
        return
    both = [principal(HUMAN, user_id), principal(AGENT, agent_id)]
    conversation_id = _conversation(tx, None, "h2a", both, "|".join(both))
    tx.run(
        insert(relations).values(
            agent_id=agent_id,
            user_id=user_id,
            status=status,
            conversation_id=conversation_id,
            referral_source="fixture",
            created_at=tx.now,
        )
    )


def _group(tx: Tx, group: CastGroup) -> None:
    if _there(tx, conversations, group.id):
        return
    people = [group.owner_id, *group.member_ids]
    everyone = [*(principal(HUMAN, uid) for uid in people), *(principal(AGENT, uid) for uid in group.agent_ids)]
    _conversation(tx, group.id, "group", list(dict.fromkeys(everyone)), None, name=group.name)


def _conversation(
    tx: Tx, conversation_id: str | None, kind: str, everyone: list[str], pair: str | None, **about: Any
) -> str:
    if pair is not None and (known := tx.value(select(conversations.c.id).where(conversations.c.pair == pair))):
        return str(known)
    made = conversation_id or tx.ids.branch("conversation", pair or "").uuid4()
    tx.run(insert(conversations).values(id=made, kind=kind, pair=pair, last_seq=0, created_at=tx.now, **about))
    rows = [
        {
            "conversation_id": made,
            "principal": name,
            "role": "owner" if number == 0 and kind == "group" else "member",
            "joined_seq": 0,
        }
        for number, name in enumerate(everyone)
    ]
    tx.run(insert(members), rows)
    return made
