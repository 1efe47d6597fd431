"""People and their sessions: registration, login with its lock, refresh with rotation, the end of a session.

Commands of the ledger; passwords are hashed and checked elsewhere (`passwords.py`), for that takes a while.
Imports SQLAlchemy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from app.hashee.access import Credential, next_issue, same
from app.hashee.conversations import leave_groups
from app.hashee.folding import fold_email, fold_name
from app.hashee.frames import AccessLapsed, SessionInvalidated
from app.hashee.identifiers import HUMAN, digest, principal
from app.hashee.ledger import Tx
from app.hashee.refusals import Refused
from app.hashee.relations import terminate_all
from app.hashee.rights import Actor, human
from app.hashee.tables import codes, contacts, logins, refreshes, sessions, users
from app.spaces.deadlines import ahead, is_ahead

REFRESH_LIFE = 2_592_000.0
"""Seconds that a refresh token lasts: 30 days."""

CODE_LIFE = 600.0
FAILURES = 5
LOCKED = 900.0
CODE_TRIES = 5
SESSIONS = 20
"""Open sessions of a user; the oldest goes when one more begins."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A session and its secrets, shown once. `after`: the moment up to which its access tokens are over."""

    user_id: str
    session: str
    refresh_token: str
    after: float = 0.0


def send_code(tx: Tx, email: str, scene: str, fixed: str | None) -> str:
    """A code for an address, in place of an earlier one. `fixed` is it, if given."""
    code = fixed or f"{int(tx.ids.hexadecimal(8), 16) % 1_000_000:06d}"
    tx.run(delete(codes).where(codes.c.email == fold_email(email), codes.c.scene == scene))
    tx.run(
        insert(codes).values(email=fold_email(email), scene=scene, code=code, expires_at=tx.now + CODE_LIFE, tries=0)
    )
    return code


def use_code(tx: Tx, email: str, scene: str, code: str) -> None:
    """Uses a code up. Raises `Refused`; after some wrong ones it is void."""
    at = codes.c.email == fold_email(email), codes.c.scene == scene
    row = tx.one(select(codes).where(*at))
    if row is None or row.expires_at <= tx.now or row.tries >= CODE_TRIES:
        raise Refused("INVALID_CODE")
    if not same(row.code, code):
        tx.run(update(codes).where(*at).values(tries=codes.c.tries + 1))
        raise Refused("INVALID_CODE")
    tx.run(delete(codes).where(*at))


def register(tx: Tx, *, email: str, code: str, password: str, display_name: str, language: str) -> Begun:
    """A new user with a first session. `password` is its hash."""
    use_code(tx, email, "register", code)
    if tx.value(select(users.c.id).where(users.c.email == fold_email(email))) is not None:
        raise Refused("EMAIL_TAKEN")
    user_id = tx.ids.uuid4()
    tx.run(
        insert(users).values(
            id=user_id,
            email=fold_email(email),
            password=password,
            display_name=display_name,
            name_folded=fold_name(display_name),
            language=language,
            created_at=tx.now,
        )
    )
    return begin(tx, user_id)


def begin(tx: Tx, user_id: str, device: str = "") -> Begun:
    """A session of a user."""
    session = tx.ids.uuid4()
    open_ones = list(
        tx.connection.scalars(
            select(sessions.c.id)
            .where(sessions.c.user_id == user_id, sessions.c.ended_at.is_(None))
            # Those of a clock that was ahead are not younger than one that begins now.
            .order_by(sessions.c.created_at <= tx.now, sessions.c.created_at)
        )
    )
    for old in open_ones[: max(0, len(open_ones) - SESSIONS + 1)]:
        end(tx, user_id, old, "device_removed")
    tx.run(insert(sessions).values(id=session, user_id=user_id, device=device, created_at=tx.now))
    return Begun(user_id, session, _refresh(tx, session))


def _refresh(tx: Tx, session: str) -> str:
    token = f"{session}.{tx.ids.base62(43)}"
    tx.run(insert(refreshes).values(digest=digest(token), session_id=session, expires_at=tx.now + REFRESH_LIFE))
    return token


def locked(tx: Tx, email: str) -> None:
    """Raises `Refused` while an address is locked."""
    until = tx.value(select(logins.c.locked_until).where(logins.c.email == fold_email(email)))
    if until is not None and is_ahead(until, tx.limits_now, LOCKED):
        raise Refused("ACCOUNT_LOCKED", retry_after=max(1, round(until - tx.limits_now)))


def password_of(tx: Tx, email: str) -> tuple[str, str] | None:
    """The id and the password hash behind an address. Raises `Refused` while it is locked."""
    locked(tx, email)
    row = tx.one(
        select(users.c.id, users.c.password).where(users.c.email == fold_email(email), users.c.deleted_at.is_(None))
    )
    return None if row is None else (row.id, row.password)


def failed(tx: Tx, email: str) -> None:
    """Counts a failed login; the fifth locks the address. Raises `Refused` always."""
    at = logins.c.email == fold_email(email)
    row = tx.one(select(logins.c.failures, logins.c.failed_at, logins.c.locked_until).where(at).with_for_update())
    if row is not None and is_ahead(row.locked_until, tx.limits_now, LOCKED):  # another failure has locked it meanwhile
        raise Refused("ACCOUNT_LOCKED", retry_after=max(1, round(row.locked_until - tx.limits_now)))
    failures = 1
    if row is not None and is_ahead(row.failed_at + LOCKED, tx.limits_now, LOCKED) and row.failures < FAILURES:
        failures = row.failures + 1
    until = tx.limits_now + LOCKED if failures >= FAILURES else 0.0
    if row is None:
        tx.run(
            insert(logins).values(
                email=fold_email(email), failures=failures, failed_at=tx.limits_now, locked_until=until
            )
        )
    else:
        tx.run(update(logins).where(at).values(failures=failures, failed_at=tx.limits_now, locked_until=until))
    if until:
        raise Refused("ACCOUNT_LOCKED", retry_after=round(LOCKED))
    raise Refused("INVALID_CREDENTIALS")


def enter_by_password(tx: Tx, email: str, user_id: str, checked: str) -> Begun:
    """A session after a right password, whose hash was `checked`: it has to be the password still."""
    same_password(tx, user_id, checked)
    return enter(tx, email, user_id)


def same_password(tx: Tx, user_id: str, checked: str) -> None:
    """Raises `Refused` where the password is another since its hash was read: checking it takes a while."""
    row = tx.one(select(users.c.password).where(users.c.id == user_id, users.c.deleted_at.is_(None)).with_for_update())
    if row is None or not same(row.password, checked):
        raise Refused("INVALID_CREDENTIALS")


def enter(tx: Tx, email: str, user_id: str) -> Begun:
    """A session of one who has shown who they are. Raises `Refused` if the address was locked meanwhile."""
    locked(tx, email)
    tx.run(delete(logins).where(logins.c.email == fold_email(email)))
    return begin(tx, user_id)


def enter_by_code(tx: Tx, email: str, code: str) -> Begun:
    """A session after a right code."""
    locked(tx, email)
    use_code(tx, email, "login", code)
    found = tx.one(select(users.c.id).where(users.c.email == fold_email(email), users.c.deleted_at.is_(None)))
    if found is None:
        raise Refused("INVALID_CODE")
    return enter(tx, email, found.id)


def renew(tx: Tx, token: str) -> Begun:
    """A new pair for a refresh token, which is used up by that; one that was used before ends its session."""
    row = tx.one(
        select(refreshes, sessions.c.user_id, sessions.c.ended_at, sessions.c.lapsed_at)
        .join(sessions, sessions.c.id == refreshes.c.session_id)
        .where(refreshes.c.digest == digest(token))
        .with_for_update()
    )
    if row is None or row.ended_at is not None or row.expires_at <= tx.now:
        raise Refused("INVALID_TOKEN")
    if row.used_at is not None:
        end(tx, row.user_id, row.session_id, "refresh_reused")
        raise Refused("REFRESH_REUSED")
    tx.run(update(refreshes).where(refreshes.c.digest == row.digest).values(used_at=tx.now))
    return Begun(row.user_id, row.session_id, _refresh(tx, row.session_id), row.lapsed_at)


def end(tx: Tx, user_id: str, session: str, reason: str) -> bool:
    """Ends a session, and tells its sockets why."""
    ended = tx.run(
        update(sessions)
        .where(sessions.c.id == session, sessions.c.user_id == user_id, sessions.c.ended_at.is_(None))
        .values(ended_at=tx.now, end_reason=reason)
    ).rowcount
    if ended:
        tx.run(delete(refreshes).where(refreshes.c.session_id == session))
        tx.tell(SessionInvalidated(reason), principal(HUMAN, user_id), session=session)
    return bool(ended)


def end_all(tx: Tx, user_id: str, reason: str, but: str = "") -> int:
    """Ends every session of a user but one; how many."""
    found = tx.connection.scalars(
        select(sessions.c.id).where(sessions.c.user_id == user_id, sessions.c.ended_at.is_(None), sessions.c.id != but)
    )
    return sum(end(tx, user_id, session, reason) for session in list(found))


def lapse(tx: Tx, user_id: str) -> int:
    """Lets every access token of a user be over now; how many sessions that concerns."""
    of_user = sessions.c.user_id == user_id, sessions.c.ended_at.is_(None)
    found = tx.run(select(sessions.c.id, sessions.c.lapsed_at).where(*of_user)).fetchall()
    for row in found:
        at = next_issue(tx.now, row.lapsed_at)
        tx.run(update(sessions).where(sessions.c.id == row.id).values(lapsed_at=at))
        tx.tell(AccessLapsed(row.id, at), principal(HUMAN, user_id), session=row.id)
    return len(found)


def log_out(tx: Tx, credential: Credential) -> None:
    """Ends the caller's session."""
    who = human(tx, credential)
    end(tx, who.id, who.session, "logged_out")


def own_password(tx: Tx, credential: Credential) -> tuple[Actor, str]:
    """The caller, and their password's hash."""
    who = human(tx, credential)
    return who, str(tx.value(select(users.c.password).where(users.c.id == who.id)))


def change_password(tx: Tx, user_id: str, password: str, session: str) -> None:
    """Sets a password (its hash); every other session is over."""
    tx.run(update(users).where(users.c.id == user_id).values(password=password))
    end_all(tx, user_id, "password_changed", but=session)


def reset_password(tx: Tx, email: str, code: str, password: str) -> None:
    """Sets a password by a code of the scene login; every session is over."""
    use_code(tx, email, "login", code)
    found = tx.one(select(users.c.id).where(users.c.email == fold_email(email), users.c.deleted_at.is_(None)))
    if found is None:
        raise Refused("INVALID_CODE")
    tx.run(delete(logins).where(logins.c.email == fold_email(email)))
    change_password(tx, found.id, password, "")


def change_protection(tx: Tx, credential: Credential, password: str) -> None:
    """Sets the hash of the protection password, which the service keeps beside the backup."""
    who = human(tx, credential)
    tx.run(update(users).where(users.c.id == who.id).values(protection=password))


def shown(row: Any, *, own: bool = False) -> dict[str, Any]:
    """A user for others, or for themselves."""
    told = {
        "user_id": row.id,
        "display_name": row.display_name,
        "avatar_url": row.avatar_url,
        "language": row.language,
        "public_key": row.public_key,
        "signing_public_key": row.signing_key,
    }
    return {**told, "email": row.email} if own else told


def me(tx: Tx, credential: Credential) -> dict[str, Any]:
    """The caller."""
    who = human(tx, credential)
    return {**shown(tx.one(select(users).where(users.c.id == who.id)), own=True), "session_id": who.session}


def update_me(tx: Tx, credential: Credential, changes: dict[str, str]) -> dict[str, Any]:
    """Changes what others see of the caller."""
    who = human(tx, credential)
    if "display_name" in changes:
        changes = {**changes, "name_folded": fold_name(changes["display_name"])}
    if changes:
        tx.run(update(users).where(users.c.id == who.id).values(**changes))
    return shown(tx.one(select(users).where(users.c.id == who.id)), own=True)


def delete_me(tx: Tx, credential: Credential) -> None:
    """The caller's account is over; they leave their agents and groups, and what they said stays."""
    who = human(tx, credential)
    terminate_all(tx, who.id)
    leave_groups(tx, who)
    tx.run(update(users).where(users.c.id == who.id).values(deleted_at=tx.now, email=f"deleted:{who.id}", password=""))
    end_all(tx, who.id, "account_deleted")


def user(tx: Tx, credential: Credential, user_id: str) -> dict[str, Any]:
    """Another user."""
    human(tx, credential)
    row = tx.one(select(users).where(users.c.id == user_id, users.c.deleted_at.is_(None)))
    if row is None:
        raise Refused("NOT_FOUND", "No such user")
    return shown(row)


def search(tx: Tx, credential: Credential, text: str, limit: int) -> list[dict[str, Any]]:
    """Users whose name holds the text, in any case and spelling of its characters, or whose address it is."""
    human(tx, credential)
    in_name = users.c.name_folded.contains(fold_name(text), autoescape=True)
    # By code points on every database: that of a locale may be another order.
    by_name = users.c.name_folded if tx.connection.dialect.name == "sqlite" else users.c.name_folded.collate("C")
    found = tx.run(
        select(users)
        .where(users.c.deleted_at.is_(None), or_(in_name, users.c.email == fold_email(text)))
        .order_by(by_name, users.c.id)
        .limit(limit)
    )
    return [shown(row) for row in found]


def update_contact(tx: Tx, credential: Credential, contact_id: str, changes: dict[str, Any]) -> dict[str, Any]:
    """How the caller names another user, and whether they want to hear of them."""
    who = human(tx, credential)
    if tx.value(select(users.c.id).where(users.c.id == contact_id)) is None:
        raise Refused("NOT_FOUND", "No such user")
    at = contacts.c.user_id == who.id, contacts.c.contact_id == contact_id
    row = tx.one(select(contacts).where(*at))
    now = {"alias": row.alias if row else "", "blocked": bool(row.blocked) if row else False, **changes}
    if row is None:
        tx.run(insert(contacts).values(user_id=who.id, contact_id=contact_id, **now))
    else:
        tx.run(update(contacts).where(*at).values(**now))
    return {"user_id": contact_id, **now}


def list_sessions(tx: Tx, credential: Credential) -> list[dict[str, Any]]:
    """The caller's open sessions, which are their devices."""
    who = human(tx, credential)
    found = tx.run(
        select(sessions)
        .where(sessions.c.user_id == who.id, sessions.c.ended_at.is_(None))
        .order_by(sessions.c.created_at, sessions.c.id)
    )
    return [{"session_id": row.id, "created_at": row.created_at, "current": row.id == who.session} for row in found]


def remove_session(tx: Tx, credential: Credential, session: str) -> None:
    """Ends one of the caller's sessions: a device is removed."""
    who = human(tx, credential)
    if not end(tx, who.id, session, "device_removed"):
        raise Refused("NOT_FOUND", "No such session")


def sweep(tx: Tx) -> None:
    """Forgets what is over. A token or code of a clock that was ahead is good for its life from now."""
    for table, life in ((refreshes, REFRESH_LIFE), (codes, CODE_LIFE)):
        tx.run(delete(table).where(table.c.expires_at < tx.now))
        tx.run(update(table).where(table.c.expires_at > tx.now + life).values(expires_at=tx.now + life))
    tx.run(delete(logins).where(~ahead(logins.c.failed_at + LOCKED, tx.limits_now, LOCKED)))
