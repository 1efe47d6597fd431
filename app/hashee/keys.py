"""Public keys, the encrypted backup, and the keys of groups. The server reads none of it. Commands of the ledger.

Imports SQLAlchemy.
"""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import delete, insert, select, update

from app.hashee.access import Credential
from app.hashee.frames import GroupKeyRotated
from app.hashee.identifiers import uid_of
from app.hashee.ledger import Tx
from app.hashee.refusals import Refused
from app.hashee.rights import actor, human, place
from app.hashee.tables import agents, backups, conversations, devices, group_keys, rotations, users

ROTATION_LIFE = 600.0
"""Seconds within which a rotation of keys has to be confirmed."""


def put_backup(tx: Tx, credential: Credential, body: dict[str, Any], *, anew: bool) -> dict[str, Any]:
    """Keeps the caller's backup, and the public keys in it. `anew`: there must be none yet."""
    who = human(tx, credential)
    known = tx.value(select(backups.c.user_id).where(backups.c.user_id == who.id)) is not None
    if known and anew:
        raise Refused("ALREADY_EXISTS", "There is a backup already: PUT replaces it")
    kept = {"body": orjson.dumps(body).decode(), "updated_at": tx.now}
    if known:
        tx.run(update(backups).where(backups.c.user_id == who.id).values(**kept))
    else:
        tx.run(insert(backups).values(user_id=who.id, **kept))
    signing = body.get("signing_public_key") or ""
    tx.run(update(users).where(users.c.id == who.id).values(public_key=body["public_key"], signing_key=signing))
    at = devices.c.user_id == who.id, devices.c.device_id == body["device_id"]
    tx.run(delete(devices).where(*at))
    tx.run(
        insert(devices).values(
            user_id=who.id,
            device_id=body["device_id"],
            public_key=body["public_key"],
            signing_key=signing,
            updated_at=tx.now,
        )
    )
    return {"updated_at": tx.now}


def backup(tx: Tx, credential: Credential) -> dict[str, Any]:
    """The caller's backup, as it was given."""
    who = human(tx, credential)
    row = tx.one(select(backups).where(backups.c.user_id == who.id))
    if row is None:
        raise Refused("NOT_FOUND", "No backup")
    body: dict[str, Any] = orjson.loads(row.body)
    return {**body, "updated_at": row.updated_at}


def devices_of(tx: Tx, credential: Credential, user_id: str) -> list[dict[str, Any]]:
    """The public keys of a user, by device."""
    actor(tx, credential)
    if tx.value(select(users.c.id).where(users.c.id == user_id, users.c.deleted_at.is_(None))) is None:
        raise Refused("NOT_FOUND", "No such user")
    rows = tx.run(select(devices).where(devices.c.user_id == user_id).order_by(devices.c.device_id))
    return [
        {"device_id": row.device_id, "public_key": row.public_key, "signing_public_key": row.signing_key}
        for row in rows
    ]


def of_agent(tx: Tx, credential: Credential, agent_id: str) -> dict[str, Any]:
    """The public keys of an agent."""
    actor(tx, credential)
    row = tx.one(select(agents.c.public_key, agents.c.signing_key).where(agents.c.id == agent_id))
    if row is None:
        raise Refused("NOT_FOUND", "No such agent")
    return {"agent_id": agent_id, "public_key": row.public_key, "signing_public_key": row.signing_key}


def of_group(tx: Tx, credential: Credential, group_id: str) -> dict[str, Any]:
    """The group's key as it was wrapped for the caller, and its version."""
    who = actor(tx, credential)
    found = place(tx, who, group_id)
    if found.kind != "group":
        raise Refused("GROUP_ONLY")
    version = tx.value(select(conversations.c.key_version).where(conversations.c.id == group_id))
    wrapped = tx.value(
        select(group_keys.c.wrapped).where(
            group_keys.c.conversation_id == group_id,
            group_keys.c.version == version,
            group_keys.c.principal == who.principal,
        )
    )
    return {"group_id": group_id, "group_key_version": version, "encrypted_key": wrapped}


def rotate_group(tx: Tx, credential: Credential, group_id: str, wrapped: dict[str, str]) -> dict[str, Any]:
    """A new key of a group, wrapped for each member by its id."""
    who = actor(tx, credential)
    found = place(tx, who, group_id, lock=True)
    if found.kind != "group":
        raise Refused("GROUP_ONLY")
    by_id = {uid_of(name): name for name in found.everyone}
    if set(wrapped) != set(by_id):
        raise Refused("INVALID_REQUEST", "keys has to hold one key for each member, and for nobody else")
    version = int(
        tx.value(
            update(conversations)
            .where(conversations.c.id == group_id)
            .values(key_version=conversations.c.key_version + 1)
            .returning(conversations.c.key_version)
        )
    )
    tx.run(
        insert(group_keys),
        [
            {"conversation_id": group_id, "version": version, "principal": by_id[uid], "wrapped": key}
            for uid, key in wrapped.items()
        ],
    )
    tx.tell(GroupKeyRotated(group_id, version), *found.everyone)
    return {"group_id": group_id, "group_key_version": version}


def request_rotation(tx: Tx, credential: Credential, public_key: str, signing_key: str) -> dict[str, Any]:
    """The caller wants other keys; they count once that is confirmed."""
    who = human(tx, credential)
    tx.run(delete(rotations).where(rotations.c.user_id == who.id))
    rotation_id = tx.ids.uuid4()
    tx.run(
        insert(rotations).values(
            user_id=who.id, id=rotation_id, public_key=public_key, signing_key=signing_key, requested_at=tx.now
        )
    )
    return {"rotation_id": rotation_id, "expires_in_seconds": int(ROTATION_LIFE)}


def confirm_rotation(tx: Tx, credential: Credential, rotation_id: str) -> dict[str, Any]:
    """The keys of a rotation count from now on."""
    who = human(tx, credential)
    row = tx.one(select(rotations).where(rotations.c.user_id == who.id, rotations.c.id == rotation_id))
    if row is None or row.requested_at + ROTATION_LIFE <= tx.now:
        raise Refused("NOT_FOUND", "No such rotation")
    tx.run(delete(rotations).where(rotations.c.user_id == who.id))
    tx.run(update(users).where(users.c.id == who.id).values(public_key=row.public_key, signing_key=row.signing_key))
    return {"public_key": row.public_key, "signing_public_key": row.signing_key}
