"""Files: announced, uploaded, confirmed by their SHA-256. Commands of the ledger; the bytes are in `shelf.py`.

Imports SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from app.hashee.access import Credential
from app.hashee.ledger import Tx
from app.hashee.refusals import Refused
from app.hashee.rights import Actor, actor, agent, check_heard, place
from app.hashee.tables import files
from app.spaces.deadlines import ahead

AT_ONCE = 5
"""Uploads of one that are under way: announced, and not yet confirmed."""

MOST_LOOKED_AT = 100

UNDER_WAY = 3_600.0
"""Seconds for which an upload counts as under way; it can be confirmed for a day."""

PER_DAY = 1024 * 1024 * 1024
"""Bytes that one may send into a conversation in a day."""

DAY = 86_400.0
NEEDED = "NOT_CONVERSATION_MEMBER_UPLOAD"


def announce(
    tx: Tx,
    credential: Credential,
    agent_id: str | None,
    conversation_id: str,
    about: dict[str, Any],
    *,
    age: Callable[[str], float],
) -> dict[str, Any]:
    """A file that will be uploaded, by an agent or (without `agent_id`) by a person. `age`: of an upload, in seconds,
    by a clock that goes on while the emulated time stands still.
    """
    who = agent(tx, credential, agent_id) if agent_id is not None else actor(tx, credential)
    found = place(tx, who, conversation_id, code=NEEDED)
    check_heard(tx, who, found)
    own = files.c.owner == who.principal
    rows = tx.run(
        select(files.c.id, files.c.created_at)
        .where(own, files.c.state != "confirmed", ahead(files.c.created_at + UNDER_WAY, tx.now, UNDER_WAY))
        .order_by(files.c.created_at.desc())
        .limit(MOST_LOOKED_AT)
    ).fetchall()
    waiting = [row.created_at for row in rows if age(row.id) < UNDER_WAY][:AT_ONCE]
    if len(waiting) >= AT_ONCE:
        raise Refused("UPLOAD_LIMIT", retry_after=max(1, ceil(waiting[-1] + UNDER_WAY - tx.now)))
    sent = tx.value(
        select(func.coalesce(func.sum(files.c.size), 0)).where(
            own, files.c.conversation_id == conversation_id, ahead(files.c.created_at + DAY, tx.now, DAY)
        )
    )
    if sent + about["size"] > PER_DAY:
        raise Refused("PAYLOAD_TOO_LARGE", "More than 1 GB in a day in this conversation")
    upload_id = tx.ids.uuid4()
    tx.run(
        insert(files).values(
            id=upload_id,
            owner=who.principal,
            conversation_id=conversation_id,
            seq=found.last_seq,
            state="announced",
            created_at=tx.now,
            **about,
        )
    )
    return {"upload_id": upload_id}


def own(tx: Tx, credential: Credential, upload_id: str, agent_id: str | None = None) -> Any:
    """A file that the caller announced, while they take part in its conversation. Raises `Refused`."""
    who = agent(tx, credential, agent_id) if agent_id is not None else actor(tx, credential)
    row = tx.one(select(files).where(files.c.id == upload_id))
    if row is None or row.owner != who.principal:
        raise Refused("NOT_FOUND", "No such upload")
    place(tx, who, row.conversation_id, code=NEEDED)
    return row


def uploaded(tx: Tx, upload_id: str) -> None:
    """The bytes are there."""
    tx.run(update(files).where(files.c.id == upload_id, files.c.state != "confirmed").values(state="uploaded"))


def confirmed(tx: Tx, credential: Credential, upload_id: str, sha256: str) -> dict[str, Any]:
    """The hash was right: the file can be fetched."""
    row = own(tx, credential, upload_id)
    tx.run(update(files).where(files.c.id == upload_id).values(state="confirmed", sha256=sha256))
    return {
        "file_id": upload_id,
        "filename": row.filename,
        "content_type": row.content_type,
        "size": row.size,
        "sha256": sha256,
    }


def fetch(tx: Tx, credential: Credential, file_id: str) -> Any:
    """A confirmed file, for those who take part in its conversation. Raises `Refused`: NOT_FOUND for all others."""
    who: Actor = actor(tx, credential)
    row = tx.one(select(files).where(files.c.id == file_id, files.c.state == "confirmed"))
    if row is None:
        raise Refused("NOT_FOUND", "No such file")
    try:
        found = place(tx, who, row.conversation_id)
    except Refused:
        raise Refused("NOT_FOUND", "No such file") from None
    if row.seq < found.joined:  # it belongs to messages before they came
        raise Refused("NOT_FOUND", "No such file")
    return row


def abandoned(tx: Tx) -> list[str]:
    """Forgets uploads that nobody confirmed in a day; which."""
    old = files.c.state != "confirmed", files.c.created_at < tx.now - DAY
    found = list(tx.connection.scalars(select(files.c.id).where(*old)))
    tx.run(delete(files).where(*old))
    return found
