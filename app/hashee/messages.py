"""Messages: sent, read back, read, recalled, reacted to, pinned. Commands of the ledger. Imports SQLAlchemy.

Payloads are opaque: nothing here looks into them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import bindparam, delete, exists, func, insert, select, update

from app.hashee.access import Credential
from app.hashee.frames import (
    MessageAck,
    MessageNew,
    MessagePinned,
    MessageRead,
    MessageRecalled,
    MessageStatusUpdated,
    ReactionUpdate,
    StreamDone,
)
from app.hashee.identifiers import AGENT, HUMAN, kind_of, uid_of
from app.hashee.ledger import Tx
from app.hashee.refusals import Refused
from app.hashee.requests import LONGEST_PAYLOAD
from app.hashee.rights import Actor, Place, actor, agent, check_heard, heard, human, message, place, speaking
from app.hashee.tables import artifacts, conversations, members, messages, reactions

RECALL = 120.0
"""Seconds within which a message can be recalled."""

AT_ONCE = 200
"""Messages whose state one transaction changes; more of them are several transactions."""

CONTENT_TYPES = ("text", "image", "video", "audio", "file", "link", "contact_card", "artifact", "tool", "system")

MOST_EMOJI = 20
"""Different emoji of one message."""


_KNOWN = select(messages.c.id, messages.c.seq, messages.c.created_at, messages.c.conversation_id).where(
    messages.c.sender == bindparam("by"), messages.c.client_id == bindparam("client")
)
_NEXT = (
    update(conversations)
    .where(conversations.c.id == bindparam("conversation"))
    .values(last_seq=conversations.c.last_seq + 1)
    .returning(conversations.c.last_seq)
)
_ADD = insert(messages)
_DELIVERED = select(members.c.delivered_seq).where(
    members.c.conversation_id == bindparam("conversation"),
    members.c.principal == bindparam("who"),
    members.c.left_at.is_(None),
)
_DELIVER = (
    update(members)
    .where(members.c.conversation_id == bindparam("conversation"), members.c.principal == bindparam("who"))
    .values(delivered_seq=bindparam("seq"))
)


def _reached(column: Any) -> Any:
    """Messages of others that nobody else but `who` has got so far, in their order."""
    before = exists().where(
        members.c.conversation_id == bindparam("conversation"),
        members.c.principal != bindparam("who"),
        members.c.principal != messages.c.sender,
        members.c.joined_seq < messages.c.seq,  # who came later begins at what was said before
        column >= messages.c.seq,
    )
    return (
        select(messages.c.id, messages.c.seq, messages.c.sender)
        .where(
            messages.c.conversation_id == bindparam("conversation"),
            messages.c.seq > bindparam("after"),
            messages.c.seq <= bindparam("to"),
            messages.c.sender != bindparam("who"),
            messages.c.recalled_at.is_(None),
            ~before,
        )
        .order_by(messages.c.seq)
    )


_REACHED = {"delivered": _reached(members.c.delivered_seq), "read": _reached(members.c.read_seq)}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as its sender gives it. `extra`: fields in the clear that profile 2026-05 shows."""

    content_type: str
    encrypted_payload: str
    client_message_id: str | None = None
    quote_id: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    stream_id: str | None = None


Mark = tuple[str, str, int]
"""Up to which number messages have reached somebody: conversation, principal, number."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that is kept. `again`: it was before."""

    message_id: str
    conversation_seq: int
    created_at: float
    again: bool = False


def check_payload(payload: str) -> None:
    """Raises `Refused` for a payload that is too large."""
    if len(payload) > LONGEST_PAYLOAD:
        raise Refused("PAYLOAD_TOO_LARGE", f"At most {LONGEST_PAYLOAD} characters of encrypted_payload")


def known(tx: Tx, credential: Credential, agent_id: str, conversation_id: str, client_id: str) -> Sent | None:
    """What an agent has said under a `client_message_id` in a conversation that it is still in."""
    who = agent(tx, credential, agent_id)
    place(tx, who, conversation_id)
    row = tx.one(_KNOWN, {"by": who.principal, "client": client_id})
    if row is None or row.conversation_id != conversation_id:
        return None
    return Sent(row.id, row.seq, row.created_at, again=True)


def send_as_human(tx: Tx, credential: Credential, conversation_id: str, out: Outgoing) -> Sent:
    """A person says something."""
    return send(tx, human(tx, credential), conversation_id, out)


def send_as_agent(tx: Tx, credential: Credential, agent_id: str, conversation_id: str, out: Outgoing) -> Sent:
    """An agent says something."""
    return send(tx, agent(tx, credential, agent_id), conversation_id, out)


def send(tx: Tx, who: Actor, conversation_id: str, out: Outgoing) -> Sent:
    """Keeps a message and tells everybody; the same `client_message_id` again changes nothing."""
    if out.client_message_id is not None:
        known = tx.one(_KNOWN, {"by": who.principal, "client": out.client_message_id})
        if known is not None:
            if known.conversation_id != conversation_id:
                raise Refused("ALREADY_EXISTS", "The client_message_id belongs to another conversation")
            place(tx, who, conversation_id)
            return Sent(known.id, known.seq, known.created_at, again=True)
    found = speaking(tx, who, conversation_id)
    if out.quote_id is not None:
        _standing(tx, who, out.quote_id)
    seq = int(tx.value(_NEXT, {"conversation": conversation_id}))
    message_id = tx.ids.branch("message", conversation_id, seq).uuid4()
    row = {
        "id": message_id,
        "conversation_id": conversation_id,
        "seq": seq,
        "sender": who.principal,
        "content_type": out.content_type,
        "payload": out.encrypted_payload,
        "quote_id": out.quote_id,
        "client_id": out.client_message_id,
        "extra": orjson.dumps(out.extra).decode(),
        "created_at": tx.now,
    }
    tx.run(_ADD, row)
    if found.hidden:
        hidden = members.c.conversation_id == conversation_id, members.c.hidden
        tx.run(update(members).where(*hidden).values(hidden=False))
    sent = Sent(message_id, seq, tx.now)
    _announce(tx, who, found, out, sent)
    return sent


def _announce(tx: Tx, who: Actor, found: Place, out: Outgoing, sent: Sent) -> None:
    tx.tell(MessageAck(out.client_message_id, sent.message_id, sent.conversation_seq), who.principal)
    hears_new = found.others
    if out.stream_id is not None:
        hears_new = tuple(name for name in found.others if kind_of(name) == AGENT)
        done = StreamDone(
            out.stream_id,
            found.id,
            sent.message_id,
            sent.conversation_seq,
            out.encrypted_payload,
            sent.created_at,
        )
        tx.tell(done, *(name for name in found.others if kind_of(name) == HUMAN))
    new = MessageNew(
        conversation_id=found.id,
        message_id=sent.message_id,
        sender_id=who.id,
        sender_type=who.kind,
        content_type=out.content_type,
        encrypted_payload=out.encrypted_payload,
        conversation_seq=sent.conversation_seq,
        created_at=sent.created_at,
        client_message_id=out.client_message_id,
        conversation_type=found.kind,
        sender_display_name=who.name,
        quote_id=out.quote_id,
        mentions=out.extra.get("mentions", []),
        mention_all=bool(out.extra.get("mention_all", False)),
        hop_count=int(out.extra.get("hop_count", 0)),
        envelope_version=out.extra.get("envelope_version", "hashee-envelope-v1"),
        group_metadata=_group(tx, found) if found.kind == "group" else None,
    )
    tx.tell(new, *hears_new)


def _group(tx: Tx, found: Place) -> dict[str, Any]:
    version = tx.value(select(conversations.c.key_version).where(conversations.c.id == found.id))
    return {"group_id": found.id, "group_key_version": version, "members": [uid_of(name) for name in found.everyone]}


def shown(row: Any) -> dict[str, Any]:
    """A message of the history."""
    told = {
        "message_id": row.id,
        "conversation_id": row.conversation_id,
        "conversation_seq": row.seq,
        "sender_id": uid_of(row.sender),
        "sender_type": kind_of(row.sender),
        "content_type": row.content_type,
        "encrypted_payload": row.payload,
        "quote_id": row.quote_id,
        "client_message_id": row.client_id,
        "created_at": row.created_at,
        "recalled": row.recalled_at is not None,
        "pinned": row.pinned_by is not None,
    }
    return told | {key: value for key, value in orjson.loads(row.extra).items() if key not in told}


def history(
    tx: Tx,
    credential: Credential,
    conversation_id: str,
    *,
    before: int | None,
    after: int | None,
    cursor: str | None,
    limit: int,
) -> tuple[list[dict[str, Any]], str | None]:
    """Messages, newest first (with `after` oldest first), and the cursor that leads on; None at the end."""
    who = actor(tx, credential)
    found = place(tx, who, conversation_id)
    asked = select(messages).where(messages.c.conversation_id == conversation_id, messages.c.seq > found.joined)
    if cursor is not None:
        row, at = message(tx, who, cursor)
        if at.id != conversation_id:
            raise Refused("NOT_FOUND", "No such cursor in this conversation")
        before, after = (row.seq, None) if after is None else (None, row.seq)
    if before is not None:
        asked = asked.where(messages.c.seq < before)
    if after is not None:
        asked = asked.where(messages.c.seq > after)
    order = messages.c.seq.desc() if after is None else messages.c.seq
    rows = tx.run(asked.order_by(order).limit(limit + 1)).fetchall()
    more = rows[limit - 1].id if len(rows) > limit else None
    page = [shown(row) for row in rows[:limit]]
    collected = aggregate(tx, [one["message_id"] for one in page])
    for one in page:
        one["reactions"] = collected.get(one["message_id"], [])
    return page, more


def aggregate(tx: Tx, message_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """All reactions of messages: who, by emoji, in the order of their coming."""
    told: dict[str, dict[str, list[str]]] = {}
    rows = tx.run(
        select(reactions)
        .where(reactions.c.message_id.in_(message_ids))
        .order_by(reactions.c.at, reactions.c.emoji, reactions.c.principal)
    )
    for row in rows:
        told.setdefault(row.message_id, {}).setdefault(row.emoji, []).append(uid_of(row.principal))
    return {
        message_id: [{"emoji": emoji, "count": len(ids), "user_ids": ids} for emoji, ids in by_emoji.items()]
        for message_id, by_emoji in told.items()
    }


def _standing(tx: Tx, who: Actor, message_id: str) -> tuple[Any, Place]:
    """As `message`, for one that was not recalled. Raises `Refused`."""
    row, found = message(tx, who, message_id, lock=True)
    if row.recalled_at is not None:
        raise Refused("MESSAGE_RECALLED")
    return row, found


def react(tx: Tx, credential: Credential, message_id: str, emoji: str) -> list[dict[str, Any]]:
    """Gives a reaction, or takes it back; everybody gets all of them."""
    return react_as(tx, actor(tx, credential), message_id, emoji)


def react_as(tx: Tx, who: Actor, message_id: str, emoji: str) -> list[dict[str, Any]]:
    """As `react`, by one who is known."""
    row, found = _standing(tx, who, message_id)
    check_heard(tx, who, found)
    at = reactions.c.message_id == message_id, reactions.c.emoji == emoji, reactions.c.principal == who.principal
    if not tx.run(delete(reactions).where(*at)).rowcount:
        there = set(tx.connection.scalars(select(reactions.c.emoji).where(reactions.c.message_id == message_id)))
        if emoji not in there and len(there) >= MOST_EMOJI:
            raise Refused("INVALID_REQUEST", f"A message takes {MOST_EMOJI} different emoji")
        tx.run(insert(reactions).values(message_id=message_id, emoji=emoji, principal=who.principal, at=tx.now))
    told = aggregate(tx, [row.id]).get(row.id, [])
    tx.tell(ReactionUpdate(row.id, told), *found.seeing(row.seq))
    return told


def recall(tx: Tx, credential: Credential, message_id: str) -> dict[str, Any]:
    """Takes a message of one's own back, within two minutes; its payload, reactions and pin are gone."""
    who = actor(tx, credential)
    row, found = message(tx, who, message_id, lock=True)
    if row.sender != who.principal:
        raise Refused("FORBIDDEN", "Only the sender can recall a message")
    if row.recalled_at is None:
        if tx.now - row.created_at > RECALL:
            raise Refused("RECALL_EXPIRED")
        tx.run(
            update(messages)
            .where(messages.c.id == message_id)
            .values(recalled_at=tx.now, recalled_by=who.principal, payload="", pinned_by=None)
        )
        tx.run(delete(reactions).where(reactions.c.message_id == message_id))
        tx.run(update(artifacts).where(artifacts.c.message_id == message_id).values(expired=True))
        tx.tell(MessageRecalled(row.id, found.id, who.id), *found.seeing(row.seq))
    return {"message_id": row.id, "recalled": True}


def pin(tx: Tx, credential: Credential, message_id: str) -> dict[str, Any]:
    """Pins a message of a group, or takes the pin out."""
    who = actor(tx, credential)
    row, found = _standing(tx, who, message_id)
    if found.kind != "group":
        raise Refused("GROUP_ONLY", "Messages are pinned in groups only")
    pinned = row.pinned_by is None
    tx.run(update(messages).where(messages.c.id == message_id).values(pinned_by=who.principal if pinned else None))
    tx.tell(MessagePinned(row.id, found.id, who.id, pinned), *found.seeing(row.seq))
    return {"message_id": row.id, "pinned": pinned}


@dataclass(frozen=True, slots=True)
class ReadUpTo:
    """How far somebody has read. `more`: not as far as they said, which takes another transaction."""

    conversation_id: str
    seq: int
    more: bool


def read(tx: Tx, credential: Credential, conversation_id: str, seq: int) -> ReadUpTo:
    """The caller has read up to `seq`, or as much of it as goes at once; it never goes back. Others hear of it who hear
    the caller.
    """
    who = actor(tx, credential)
    found = place(tx, who, conversation_id, lock=True)
    seq = min(seq, found.last_seq)
    at = members.c.conversation_id == found.id, members.c.principal == who.principal
    was = int(tx.value(select(members.c.read_seq).where(*at)))
    if seq <= was:
        return ReadUpTo(found.id, was, False)
    if not heard(tx, who, found):
        tx.run(update(members).where(*at).values(read_seq=seq))
        tx.tell(MessageRead(found.id, who.id, seq), who.principal)
        return ReadUpTo(found.id, seq, False)
    now = min(seq, was + AT_ONCE)
    if not _delivered(tx, found.id, who.principal, now):
        return ReadUpTo(found.id, was, True)
    tx.run(update(members).where(*at).values(read_seq=now))
    if now == seq:
        tx.tell(MessageRead(found.id, who.id, seq), *found.everyone)
    _state(tx, found.id, who.principal, was, now, "read")
    return ReadUpTo(found.id, now, now < seq)


def delivered(tx: Tx, marks: Sequence[Mark]) -> list[Mark]:
    """Messages have reached somebody; gives the marks that take another transaction."""
    return [mark for mark in sorted(marks) if not _delivered(tx, *mark)]


def _delivered(tx: Tx, conversation_id: str, who: str, seq: int) -> bool:
    """Whether all of it is noted, which takes several times where it is much."""
    at = {"conversation": conversation_id, "who": who}
    was = tx.value(_DELIVERED, at)
    if was is None or seq <= was:
        return True
    now = min(seq, was + AT_ONCE)
    tx.run(_DELIVER, {**at, "seq": now})
    _state(tx, conversation_id, who, was, now, "delivered")
    return bool(now == seq)


def _state(tx: Tx, conversation_id: str, who: str, after: int, to: int, status: str) -> None:
    """Tells the senders whose messages reached that state now, by the first of the others."""
    at = {"conversation": conversation_id, "who": who, "after": after, "to": to}
    for row in tx.run(_REACHED[status], at).fetchall():
        tx.tell(MessageStatusUpdated(row.id, conversation_id, status, row.seq), row.sender)


def unread(tx: Tx, conversation_id: str, who: str, read_seq: int) -> int:
    """How many messages of others somebody has not read; what was recalled is not to be read any more."""
    return int(
        tx.value(
            select(func.count())
            .select_from(messages)
            .where(messages.c.conversation_id == conversation_id, messages.c.seq > read_seq, messages.c.sender != who)
            .where(messages.c.recalled_at.is_(None))
        )
    )
