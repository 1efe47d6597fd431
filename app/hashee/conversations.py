"""Conversations and groups: who takes part, what they are called. Commands of the ledger. Imports SQLAlchemy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import insert, select, update

from app.hashee.access import Credential
from app.hashee.frames import GroupUpdated, MembersLeft
from app.hashee.identifiers import AGENT, HUMAN, kind_of, principal, uid_of
from app.hashee.ledger import Tx
from app.hashee.messages import unread
from app.hashee.refusals import Refused
from app.hashee.rights import ACTIVE, Actor, Place, actor, display_name, human, place
from app.hashee.tables import agents, conversations, members, relations, users
from app.json_text import dumps

MOST_MEMBERS = 500

LONGEST_SETTINGS = 16_384
"""Characters of a group's settings as JSON: they are in every listing of its members."""
PAGE = 200


def make(tx: Tx, kind: str, everyone: Sequence[str], *, pair: str | None = None, **about: Any) -> str:
    """A conversation with its members, the first its owner."""
    conversation_id = tx.ids.uuid4()
    tx.run(
        insert(conversations).values(id=conversation_id, kind=kind, pair=pair, last_seq=0, created_at=tx.now, **about)
    )
    tx.run(
        insert(members),
        [
            {
                "conversation_id": conversation_id,
                "principal": name,
                "role": "owner" if number == 0 and kind == "group" else "member",
                "joined_seq": 0,
            }
            for number, name in enumerate(everyone)
        ],
    )
    return conversation_id


def open_pair(tx: Tx, credential: Credential, other_id: str) -> dict[str, Any]:
    """The conversation of the caller with another user; made when there is none."""
    who = human(tx, credential)
    if (
        other_id == who.id
        or tx.value(select(users.c.id).where(users.c.id == other_id, users.c.deleted_at.is_(None))) is None
    ):
        raise Refused("NOT_FOUND", "No such user")
    both = sorted((who.principal, principal(HUMAN, other_id)))
    pair = "|".join(both)
    known = tx.value(select(conversations.c.id).where(conversations.c.pair == pair))
    if known is None:
        known = make(tx, "h2h", both, pair=pair)
    tx.run(
        update(members)
        .where(members.c.conversation_id == known, members.c.principal == who.principal)
        .values(hidden=False)
    )
    return one(tx, who, known)


def make_group(
    tx: Tx, credential: Credential, name: str, member_ids: Sequence[str], agent_ids: Sequence[str]
) -> dict[str, Any]:
    """A group with the caller as its owner."""
    who = human(tx, credential)
    everyone = list(dict.fromkeys([who.principal, *_checked(tx, who, member_ids, agent_ids)]))
    if len(everyone) > MOST_MEMBERS:
        raise Refused("INVALID_REQUEST", f"A group has {MOST_MEMBERS} members at the most")
    conversation_id = make(tx, "group", everyone, name=name)
    others = [one for one in everyone if one != who.principal]
    tx.tell(GroupUpdated(conversation_id, {"name": name, "members": [uid_of(one) for one in everyone]}), *others)
    return one(tx, who, conversation_id)


def _checked(tx: Tx, who: Actor, member_ids: Sequence[str], agent_ids: Sequence[str]) -> list[str]:
    """The principals of users and agents that may be taken into a group."""
    wanted = list(dict.fromkeys(member_ids))
    known = set(tx.connection.scalars(select(users.c.id).where(users.c.id.in_(wanted), users.c.deleted_at.is_(None))))
    if missing := [uid for uid in wanted if uid not in known]:
        raise Refused("NOT_FOUND", f"No such user: {missing[0]}")
    related = set(
        tx.connection.scalars(
            select(relations.c.agent_id)
            .join(agents, agents.c.id == relations.c.agent_id)
            .where(
                relations.c.user_id == who.id,
                relations.c.agent_id.in_(list(agent_ids)),
                relations.c.status == ACTIVE,
                agents.c.governance == ACTIVE,
            )
        )
    )
    if missing := [uid for uid in agent_ids if uid not in related]:
        raise Refused("FORBIDDEN", f"No active relation with the agent {missing[0]}")
    return [principal(HUMAN, uid) for uid in wanted] + [principal(AGENT, uid) for uid in dict.fromkeys(agent_ids)]


def update_group(
    tx: Tx,
    credential: Credential,
    group_id: str,
    changes: dict[str, Any],
    *,
    add: tuple[Sequence[str], Sequence[str]] = ((), ()),
    remove: Sequence[str] = (),
) -> dict[str, Any]:
    """Changes what a group is called and who is in it; its owner alone does that."""
    who = human(tx, credential)
    found = place(tx, who, group_id, lock=True)
    if found.kind != "group":
        raise Refused("GROUP_ONLY")
    if found.role != "owner":
        raise Refused("FORBIDDEN", "Only the owner of the group may do this")
    added = [name for name in _checked(tx, who, *add) if name not in found.everyone]
    removed = [name for name in found.others if uid_of(name) in set(remove)]
    if len(found.everyone) + len(added) - len(removed) > MOST_MEMBERS:
        raise Refused("INVALID_REQUEST", f"A group has {MOST_MEMBERS} members at the most")
    told = dict(changes)
    if "settings" in changes:
        settings = dumps(changes["settings"])
        if len(settings) > LONGEST_SETTINGS:
            raise Refused(
                "PAYLOAD_TOO_LARGE", f"The settings of a group have {LONGEST_SETTINGS} characters at the most"
            )
        changes = {**changes, "settings": settings}
    if changes:
        tx.run(update(conversations).where(conversations.c.id == group_id).values(**changes))
    for name in added:
        _join(tx, group_id, name, found.last_seq)
    for name in removed:
        _leave(tx, group_id, name)
    if added:
        told["added_members"] = [uid_of(name) for name in added]
    if removed:
        told["removed_members"] = [uid_of(name) for name in removed]
    if told:
        # Those who leave hear that they do, and nothing else of the group.
        stay = [name for name in (*found.everyone, *added) if name not in removed]
        tx.tell(GroupUpdated(group_id, told), *stay)
        for name in removed:
            tx.tell(GroupUpdated(group_id, {"removed_members": [uid_of(name)]}), name)
    return one(tx, who, group_id)


def _join(tx: Tx, group_id: str, name: str, last_seq: int) -> None:
    fresh = {"role": "member", "joined_seq": last_seq, "read_seq": last_seq, "delivered_seq": last_seq}
    at = members.c.conversation_id == group_id, members.c.principal == name
    if tx.one(select(members.c.role).where(*at)) is None:
        tx.run(insert(members).values(conversation_id=group_id, principal=name, **fresh))
    else:
        tx.run(update(members).where(*at).values(**fresh, left_at=None, hidden=False))


def _leave(tx: Tx, group_id: str, name: str) -> None:
    tx.run(
        update(members).where(members.c.conversation_id == group_id, members.c.principal == name).values(left_at=tx.now)
    )
    tx.tell(MembersLeft(group_id), name)


def one(tx: Tx, who: Actor, conversation_id: str) -> dict[str, Any]:
    """A conversation as one who takes part sees it."""
    row = tx.one(
        select(
            conversations, members.c.role, members.c.muted, members.c.hidden, members.c.read_seq, members.c.joined_seq
        )
        .join(members, members.c.conversation_id == conversations.c.id)
        .where(conversations.c.id == conversation_id, members.c.principal == who.principal, members.c.left_at.is_(None))
    )
    if row is None:
        raise Refused("NOT_CONVERSATION_MEMBER")
    return _shown(tx, who, row)


def get(tx: Tx, credential: Credential, conversation_id: str) -> dict[str, Any]:
    """One of the caller's conversations."""
    return one(tx, actor(tx, credential), conversation_id)


def _shown(tx: Tx, who: Actor, row: Any) -> dict[str, Any]:
    everyone = list(
        tx.connection.scalars(
            select(members.c.principal)
            .where(members.c.conversation_id == row.id, members.c.left_at.is_(None))
            .order_by(members.c.principal)
        )
    )
    others = [name for name in everyone if name != who.principal]
    return {
        "conversation_id": row.id,
        "conversation_type": row.kind,
        "name": row.name or (display_name(tx, others[0]) if others and row.kind != "group" else ""),
        "avatar_url": row.avatar_url,
        "settings": orjson.loads(row.settings),
        "members": [{"id": uid_of(name), "type": kind_of(name)} for name in everyone],
        "role": row.role,
        "last_seq": row.last_seq,
        "read_seq": row.read_seq,
        "unread": unread(tx, row.id, who.principal, max(row.read_seq, row.joined_seq)),
        "muted": bool(row.muted),
        "group_key_version": row.key_version,
        "created_at": row.created_at,
    }


def mine(tx: Tx, credential: Credential, limit: int, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """The caller's conversations, in the order of their ids, and the cursor that leads on."""
    who = actor(tx, credential)
    asked = (
        select(
            conversations, members.c.role, members.c.muted, members.c.hidden, members.c.read_seq, members.c.joined_seq
        )
        .join(members, members.c.conversation_id == conversations.c.id)
        .where(members.c.principal == who.principal, members.c.left_at.is_(None), members.c.hidden.is_(False))
        .order_by(conversations.c.id)
        .limit(limit + 1)
    )
    if cursor:
        asked = asked.where(conversations.c.id > cursor)
    rows = tx.run(asked).fetchall()
    more = rows[limit - 1].id if len(rows) > limit else None
    return [_shown(tx, who, row) for row in rows[:limit]], more


def mark(tx: Tx, credential: Credential, conversation_id: str, changes: dict[str, bool]) -> dict[str, Any]:
    """What the caller wants of a conversation: muted, or not."""
    who = actor(tx, credential)
    place(tx, who, conversation_id)
    if changes:
        tx.run(
            update(members)
            .where(members.c.conversation_id == conversation_id, members.c.principal == who.principal)
            .values(**changes)
        )
    return one(tx, who, conversation_id)


def drop(tx: Tx, credential: Credential, conversation_id: str) -> None:
    """A group is left; another conversation is only hidden, until something happens in it that the caller opens."""
    who = actor(tx, credential)
    found = place(tx, who, conversation_id, lock=True)
    if found.kind != "group":
        tx.run(
            update(members)
            .where(members.c.conversation_id == conversation_id, members.c.principal == who.principal)
            .values(hidden=True)
        )
        return
    _depart(tx, found)


def leave_groups(tx: Tx, who: Actor) -> None:
    """Somebody leaves all groups."""
    own = members.c.principal == who.principal, members.c.left_at.is_(None), conversations.c.kind == "group"
    groups = select(conversations.c.id).join(members, members.c.conversation_id == conversations.c.id).where(*own)
    for group_id in tx.connection.scalars(groups.order_by(conversations.c.id)).all():
        _depart(tx, place(tx, who, group_id, lock=True))


def _depart(tx: Tx, found: Place) -> None:
    """Somebody leaves a group. An owner leaves it to the person who has been in it for longest; without people it ends:
    its agents leave it too.
    """
    _leave(tx, found.id, found.me)
    changes: dict[str, Any] = {"removed_members": [uid_of(found.me)]}
    people = [name for name in found.others if kind_of(name) == HUMAN]
    if not people:
        for name in found.others:
            _leave(tx, found.id, name)
            changes["removed_members"].append(uid_of(name))
    elif found.role == "owner":
        heir = min(people, key=lambda name: (found.since[name], name))
        at = members.c.conversation_id == found.id, members.c.principal == heir
        tx.run(update(members).where(*at).values(role="owner"))
        changes["owner_id"] = uid_of(heir)
    tx.tell(GroupUpdated(found.id, changes), *found.others)
