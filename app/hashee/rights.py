"""Who may do what, asked in the transaction that does it. Imports SQLAlchemy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, select

from app.hashee.access import AgentCredential, Credential, HumanCredential, same
from app.hashee.identifiers import AGENT, HUMAN, principal, uid_of
from app.hashee.ledger import Tx
from app.hashee.refusals import Refused
from app.hashee.tables import agents, contacts, conversations, members, messages, relations, sessions, tokens, users

ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody whose credential holds now. `name`: what others see."""

    kind: str
    id: str
    name: str
    session: str = ""

    @property
    def principal(self) -> str:
        return principal(self.kind, self.id)

    @property
    def is_human(self) -> bool:
        return self.kind == HUMAN


# Made once: building a statement costs more than SQLite takes to run it.
_HUMAN = (
    select(users.c.display_name, sessions.c.lapsed_at)
    .join(sessions, sessions.c.user_id == users.c.id)
    .where(
        sessions.c.id == bindparam("session"),
        users.c.id == bindparam("user"),
        sessions.c.ended_at.is_(None),
        users.c.deleted_at.is_(None),
    )
)
_AGENT = (
    select(tokens.c.digest, agents.c.id, agents.c.display_name, agents.c.governance)
    .join(agents, agents.c.id == tokens.c.agent_id)
    .where(tokens.c.digest == bindparam("token"), tokens.c.revoked_at.is_(None))
)
_LOCK = select(conversations.c.id).where(conversations.c.id == bindparam("conversation")).with_for_update()
_PLACE = (
    select(
        conversations.c.kind,
        conversations.c.last_seq,
        members.c.principal,
        members.c.role,
        members.c.joined_seq,
        members.c.hidden,
    )
    .join(members, members.c.conversation_id == conversations.c.id)
    .where(conversations.c.id == bindparam("conversation"), members.c.left_at.is_(None))
)
_RELATION = (
    select(relations.c.status, agents.c.governance)
    .join(agents, agents.c.id == relations.c.agent_id)
    .where(relations.c.conversation_id == bindparam("conversation"))
)
_BLOCKED = select(contacts.c.user_id).where(
    contacts.c.user_id == bindparam("other"), contacts.c.contact_id == bindparam("me"), contacts.c.blocked
)


def actor(tx: Tx, credential: Credential) -> Actor:
    """Whose credential it is. Raises `Refused` where the session is over, the token revoked, the agent suspended."""
    if isinstance(credential, HumanCredential):
        return human(tx, credential)
    return agent(tx, credential)


def human(tx: Tx, credential: Credential) -> Actor:
    """As `actor`, for people only."""
    if not isinstance(credential, HumanCredential):
        agent(tx, credential)  # a token that is not valid is told so first
        raise Refused("FORBIDDEN", "Only people may do this")
    row = tx.one(_HUMAN, {"session": credential.session, "user": credential.user_id})
    if row is None:
        raise Refused("INVALID_TOKEN", "The session is over")
    if credential.issued <= row.lapsed_at or credential.expires <= tx.now:
        raise Refused("TOKEN_EXPIRED")
    return Actor(HUMAN, credential.user_id, row.display_name, credential.session)


def agent(tx: Tx, credential: Credential, agent_id: str | None = None) -> Actor:
    """As `actor`, for agents only, and for that one only."""
    if not isinstance(credential, AgentCredential):
        human(tx, credential)
        raise Refused("FORBIDDEN", "Only the agent itself may do this")
    row = tx.one(_AGENT, {"token": credential.digest})
    if row is None or not same(row.digest, credential.digest):
        raise Refused("INVALID_TOKEN")
    if agent_id is not None and row.id != agent_id:
        raise Refused("FORBIDDEN", "The token is another agent's")
    if row.governance != ACTIVE:
        raise Refused("AGENT_BANNED" if row.governance == "banned" else "AGENT_SUSPENDED")
    return Actor(AGENT, row.id, row.display_name)


@dataclass(frozen=True, slots=True)
class Place:
    """A conversation as one who takes part in it sees it. `others`: the principals beside them."""

    id: str
    kind: str
    role: str
    joined: int
    last_seq: int
    everyone: tuple[str, ...]
    me: str
    since: Mapping[str, int]
    """The last number before each of them came."""
    hidden: bool = False
    """Whether somebody has hidden it."""

    def seeing(self, seq: int) -> tuple[str, ...]:
        """Those who may see the message of that number."""
        return tuple(name for name in self.everyone if self.since[name] < seq)

    @property
    def others(self) -> tuple[str, ...]:
        return tuple(name for name in self.everyone if name != self.me)


def place(
    tx: Tx, who: Actor, conversation_id: str, *, code: str = "NOT_CONVERSATION_MEMBER", lock: bool = False
) -> Place:
    """The conversation, for one who takes part in it; with `lock` nobody else changes it in this transaction. Raises
    `Refused`, the same for one that does not exist.
    """
    if lock and tx.connection.dialect.name != "sqlite":
        tx.one(_LOCK, {"conversation": conversation_id})
    rows = tx.run(_PLACE, {"conversation": conversation_id}).fetchall()
    mine = next((row for row in rows if row.principal == who.principal), None)
    if mine is None:
        raise Refused(code)
    since = {row.principal: row.joined_seq for row in rows}
    return Place(
        conversation_id,
        mine.kind,
        mine.role,
        mine.joined_seq,
        mine.last_seq,
        tuple(since),
        who.principal,
        since,
        any(row.hidden for row in rows),
    )


def speaking(tx: Tx, who: Actor, conversation_id: str) -> Place:
    """As `place`, for one who wants to say something there."""
    found = place(tx, who, conversation_id, lock=True)
    check_heard(tx, who, found)
    return found


def check_heard(tx: Tx, who: Actor, found: Place) -> None:
    """Raises `Refused` where others do not hear somebody: the relation of an h2a has to be active, and in an h2h nobody
    may have blocked the other.
    """
    check_relation(tx, found)
    if found.kind == "h2h" and any(
        tx.one(_BLOCKED, {"other": uid_of(name), "me": who.id}) is not None for name in found.others
    ):
        raise Refused("FORBIDDEN", "The other user does not take messages from you")


def heard(tx: Tx, who: Actor, found: Place) -> bool:
    """Whether others hear somebody there."""
    try:
        check_heard(tx, who, found)
    except Refused:
        return False
    return True


def check_relation(tx: Tx, found: Place) -> None:
    """Raises `Refused` where the relation behind an h2a conversation is not active, or its agent is not."""
    if found.kind != "h2a":
        return
    row = tx.one(_RELATION, {"conversation": found.id})
    if row is None or row.status == "terminated":
        raise Refused("RELATION_TERMINATED")
    if row.status == "suspended":
        raise Refused("RELATION_SUSPENDED")
    if row.governance != ACTIVE:
        raise Refused("AGENT_BANNED" if row.governance == "banned" else "AGENT_SUSPENDED")


def message(tx: Tx, who: Actor, message_id: str, *, lock: bool = False) -> tuple[Any, Place]:
    """A message and its conversation, for one who may see it; with `lock` nobody else changes it in this transaction.
    Raises `Refused`: NOT_FOUND whatever the reason.
    """
    asked = select(messages).where(messages.c.id == message_id)
    row = tx.one(asked.with_for_update() if lock else asked)
    if row is None:
        raise Refused("NOT_FOUND", "No such message")
    try:
        found = place(tx, who, row.conversation_id)
    except Refused:
        raise Refused("NOT_FOUND", "No such message") from None
    if row.seq <= found.joined:
        raise Refused("NOT_FOUND", "No such message")
    return row, found


def owned_agent(tx: Tx, who: Actor, agent_id: str) -> Any:
    """An agent, for the one who made it. Raises `Refused`."""
    row = tx.one(select(agents).where(agents.c.id == agent_id))
    if row is None:
        raise Refused("NOT_FOUND", "No such agent")
    if not who.is_human or row.owner_id != who.id:
        raise Refused("FORBIDDEN", "Only the creator of the agent may do this")
    return row


def display_name(tx: Tx, who: str) -> str:
    """What others see of a principal."""
    table = agents if who.startswith("a:") else users
    return str(tx.value(select(table.c.display_name).where(table.c.id == uid_of(who))) or "")


def relation_with(agent_id: str, user_id: str) -> Any:
    """The condition for one relation."""
    return and_(relations.c.agent_id == agent_id, relations.c.user_id == user_id)
