"""Agents: made and changed by their creators, their tokens, their manifest, governance. Commands of the ledger.

Imports SQLAlchemy.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import delete, insert, select, update

from app.hashee.access import Credential
from app.hashee.frames import MODE_SWITCHED, AgentCapabilityChanged, AgentGovernance, AgentStatus, AgentTyping, Replaced
from app.hashee.identifiers import AGENT, HUMAN, digest, kind_of, principal
from app.hashee.ledger import Tx
from app.hashee.refusals import Refused
from app.hashee.relations import users_of
from app.hashee.rights import ACTIVE, actor, agent, human, owned_agent, speaking
from app.hashee.tables import agents, deliveries, presence, tokens, upsert

WEBSOCKET = "websocket"
WEBHOOK = "webhook"
POLLING = "polling"
MODES = (WEBSOCKET, WEBHOOK, POLLING)

GOVERNANCE = (ACTIVE, "suspended", "banned")

MOST_AGENTS = 50
"""Agents of one creator."""


@dataclass(frozen=True, slots=True)
class Made:
    """An agent and what is shown once: its token and its webhook secret ("" where there is none)."""

    agent: dict[str, Any]
    token: str
    webhook_secret: str


def make(tx: Tx, credential: Credential, about: dict[str, Any]) -> Made:
    """A new agent of the caller's."""
    who = human(tx, credential)
    own = len(tx.run(select(agents.c.id).where(agents.c.owner_id == who.id)).fetchall())
    if own >= MOST_AGENTS:
        raise Refused("INVALID_REQUEST", f"A user has {MOST_AGENTS} agents at the most")
    agent_id = tx.ids.uuid4()
    about, told = _settled(tx, about, None)
    tx.run(
        insert(agents).values(
            id=agent_id, owner_id=who.id, created_at=tx.now, **{"connection_mode": WEBSOCKET, **about}
        )
    )
    row = tx.one(select(agents).where(agents.c.id == agent_id))
    return Made(shown(row, own=True), token(tx, agent_id), told)


def token(tx: Tx, agent_id: str) -> str:
    """A new token of an agent; only its digest is kept."""
    made = f"hsk_{tx.ids.base62(40)}"
    tx.run(insert(tokens).values(digest=digest(made), agent_id=agent_id, created_at=tx.now))
    return made


def mode_of(tx: Tx, agent_id: str) -> str:
    """How an agent hears of events: one of `MODES`."""
    return str(tx.value(select(agents.c.connection_mode).where(agents.c.id == agent_id)))


def rotate_token(tx: Tx, credential: Credential, agent_id: str) -> str:
    """A new token in place of all that were; sockets that came in with those are closed."""
    owned_agent(tx, human(tx, credential), agent_id)
    revoke(tx, agent_id)
    return token(tx, agent_id)


def revoke(tx: Tx, agent_id: str) -> None:
    """Every token of an agent is void, and its sockets with them."""
    tx.run(update(tokens).where(tokens.c.agent_id == agent_id, tokens.c.revoked_at.is_(None)).values(revoked_at=tx.now))
    tx.tell(Replaced("", "token_revoked"), principal(AGENT, agent_id))


def change(tx: Tx, credential: Credential, agent_id: str, about: dict[str, Any]) -> Made:
    """Changes an agent: what it is called, how it is reached, what it can do."""
    row = owned_agent(tx, human(tx, credential), agent_id)
    about, secret = _settled(tx, about, row)
    if about:
        tx.run(update(agents).where(agents.c.id == agent_id).values(**about))
    now = tx.one(select(agents).where(agents.c.id == agent_id))
    if now.webhook_url != row.webhook_url:  # what waits for the old address need not wait for the new one
        tx.run(
            update(deliveries)
            .where(deliveries.c.agent_id == agent_id, deliveries.c.state == "pending")
            .values(due_at=tx.now)
        )
    if now.connection_mode != row.connection_mode:
        # What waits for the one way goes the other; to a socket nothing is sent again.
        if now.connection_mode == WEBSOCKET:
            tx.run(
                update(deliveries)
                .where(deliveries.c.agent_id == agent_id, deliveries.c.state == "pending")
                .values(state="failed", error="the agent was switched to websocket", finished_at=tx.now)
            )
        tx.tell(Replaced("", MODE_SWITCHED), principal(AGENT, agent_id))
    if now.manifest_version != row.manifest_version:
        told = AgentCapabilityChanged(agent_id, now.manifest_version, now.manifest_hash)
        tx.tell(told, principal(AGENT, agent_id), *users_of(tx, agent_id))
    return Made(shown(now, own=True), "", secret)


def _settled(tx: Tx, about: dict[str, Any], row: Any) -> tuple[dict[str, Any], str]:
    """The columns to write, and the webhook secret if one was made."""
    values = dict(about)
    secret = ""
    if "capability_manifest" in values:
        manifest = values.pop("capability_manifest")
        text = orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS).decode()
        if row is None or text != row.manifest:
            values["manifest"] = text
            values["manifest_version"] = (row.manifest_version if row else 0) + 1
            values["manifest_hash"] = sha256(text.encode()).hexdigest()
    mode = values.get("connection_mode", row.connection_mode if row else WEBSOCKET)
    url = values.get("webhook_url", row.webhook_url if row else "")
    if mode == WEBHOOK and not url:
        raise Refused("INVALID_REQUEST", "connection_mode webhook needs a webhook_url")
    if mode == WEBHOOK and not values.get("webhook_secret") and not (row and row.webhook_secret):
        secret = values["webhook_secret"] = tx.ids.base62(44)
    if row is not None and ("webhook_url" in values or mode != row.connection_mode):
        values["webhook_state"] = "ok"  # what was found out concerns another address, or is said to be mended
    return values, secret


def shown(row: Any, *, own: bool = False) -> dict[str, Any]:
    """An agent for others, or for its creator."""
    told = {
        "agent_id": row.id,
        "display_name": row.display_name,
        "avatar_url": row.avatar_url,
        "description": row.description,
        "connection_mode": row.connection_mode,
        "governance_status": row.governance,
        "capability_manifest": orjson.loads(row.manifest),
        "capability_manifest_version": row.manifest_version,
        "capability_manifest_hash": row.manifest_hash,
        "public_key": row.public_key,
        "created_at": row.created_at,
    }
    if own:
        told |= {
            "owner_id": row.owner_id,
            "webhook_url": row.webhook_url,
            "webhook_state": row.webhook_state,
            "health_check_url": row.health_check_url,
        }
    return told


def get(tx: Tx, credential: Credential, agent_id: str) -> dict[str, Any]:
    """An agent; its creator sees more, and so does itself."""
    who = actor(tx, credential)
    row = tx.one(select(agents).where(agents.c.id == agent_id))
    if row is None:
        raise Refused("NOT_FOUND", "No such agent")
    return shown(row, own=who.id in (row.owner_id, row.id))


def shared(tx: Tx, agent_id: str) -> dict[str, Any]:
    """What everybody may know of an agent."""
    row = tx.one(select(agents).where(agents.c.id == agent_id, agents.c.governance == ACTIVE))
    if row is None:
        raise Refused("NOT_FOUND", "No such agent")
    return {"agent_id": row.id, **{key: getattr(row, key) for key in ("display_name", "avatar_url", "description")}}


def mine(tx: Tx, credential: Credential) -> list[dict[str, Any]]:
    """The caller's agents."""
    who = human(tx, credential)
    found = tx.run(select(agents).where(agents.c.owner_id == who.id).order_by(agents.c.created_at, agents.c.id))
    return [shown(row, own=True) for row in found]


def register_key(tx: Tx, credential: Credential, agent_id: str, public_key: str, signing_key: str) -> dict[str, Any]:
    """The agent's public keys."""
    agent(tx, credential, agent_id)
    tx.run(update(agents).where(agents.c.id == agent_id).values(public_key=public_key, signing_key=signing_key))
    return {"agent_id": agent_id, "public_key": public_key, "signing_public_key": signing_key}


def govern(tx: Tx, agent_id: str, status: str, reason: str) -> dict[str, Any]:
    """What the service decides about an agent; its sockets hear of it, and are closed unless it is active."""
    row = tx.one(select(agents).where(agents.c.id == agent_id))
    if row is None:
        raise Refused("NOT_FOUND", "No such agent")
    tx.run(update(agents).where(agents.c.id == agent_id).values(governance=status, governance_reason=reason))
    told = AgentGovernance(agent_id, status, reason)
    tx.tell(told, principal(AGENT, agent_id), principal(HUMAN, row.owner_id))
    return {"agent_id": agent_id, "governance_status": status, "reason": reason}


def came(tx: Tx, agent_id: str, connection: str, first: bool) -> None:
    """An agent has a new socket, of that id. Those who use it hear of it if it had none: as far as this process knows
    (`first`), or any other.
    """
    was = tx.value(select(presence.c.connection).where(presence.c.agent_id == agent_id))
    newest = {"connection": connection}
    tx.run(
        upsert(tx.connection, presence)
        .values(agent_id=agent_id, **newest)
        .on_conflict_do_update(index_elements=[presence.c.agent_id], set_=newest)
    )
    if first or was is None:
        tx.tell(AgentStatus(agent_id, "online"), *users_of(tx, agent_id))


def gone(tx: Tx, agent_id: str, connection: str) -> None:
    """A socket of an agent has ended. Those who use it hear of it if none has taken its place, here or elsewhere."""
    newest = presence.c.agent_id == agent_id, presence.c.connection == connection
    if tx.run(delete(presence).where(*newest)).rowcount:
        tx.tell(AgentStatus(agent_id, "offline"), *users_of(tx, agent_id))


def typing(tx: Tx, credential: Credential, agent_id: str, conversation_id: str, on: bool) -> None:
    """An agent is typing, or stops."""
    who = agent(tx, credential, agent_id)
    found = speaking(tx, who, conversation_id)
    told = AgentTyping(agent_id, conversation_id, on)
    tx.tell(told, *(name for name in found.others if kind_of(name) == HUMAN))
