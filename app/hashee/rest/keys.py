"""`/keys/…`: public keys, the encrypted backup, keys of groups. Everything is opaque here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter
from pydantic import Field, StringConstraints
from starlette.responses import Response

from app.hashee import keys
from app.hashee.access import Credential, HumanCredential
from app.hashee.refusals import Refused
from app.hashee.rest.routes import Answer, Body, Doors, Key, Line, Page, Uid, Word, data, moments, page, routes

if TYPE_CHECKING:
    from app.hashee.post import Post

Blob = Annotated[str, StringConstraints(min_length=1, max_length=200_000)]


class Argon2Params(Body):
    m: Annotated[int, Field(ge=8, le=2**31 - 1)] = 65536
    t: Annotated[int, Field(ge=1, le=1000)] = 3
    p: Annotated[int, Field(ge=1, le=255)] = 4


class Backup(Body):
    backup_a: Blob
    backup_b: Blob | None = None
    argon2_salt: Word
    argon2_params: Argon2Params | None = None
    public_key: Key
    signing_public_key: Line | None = None
    device_id: Uid


class RotateGroup(Body):
    """`keys`: the new key as it is wrapped for each member, by the member's id."""

    keys: Annotated[dict[Uid, Key], Field(min_length=1, max_length=500)]


class RequestRotation(Body):
    public_key: Key
    signing_public_key: Line = ""


class ConfirmRotation(Body):
    rotation_id: Uid


def key_routes(doors: Doors) -> APIRouter:
    """The routes."""
    router = routes("keys")

    @router.post("/keys/backup", response_model=Answer, summary="Keeps the first backup")
    async def make_backup(ask: Backup, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        body = ask.model_dump(exclude_none=True)
        return data(moments(post, await post.ledger.do(lambda tx: keys.put_backup(tx, who, body, anew=True))))

    @router.put("/keys/backup", response_model=Answer, summary="Keeps a backup in place of another")
    async def put_backup(ask: Backup, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        body = ask.model_dump(exclude_none=True)
        return data(moments(post, await post.ledger.do(lambda tx: keys.put_backup(tx, who, body, anew=False))))

    @router.get("/keys/backup", response_model=Answer, summary="The backup")
    async def backup(post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        return data(moments(post, await post.ledger.see(lambda tx: keys.backup(tx, who))))

    @router.get("/keys/users/{user_id}/devices", response_model=Page, summary="The public keys of a user's devices")
    async def devices(user_id: str, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        """At most 60 a minute."""
        found = await post.ledger.see(lambda tx: keys.devices_of(tx, who, user_id))
        asker = who.user_id if isinstance(who, HumanCredential) else who.digest
        if wait := post.limits.key_lookups.take(asker, post.limit_clock.monotonic()):
            raise Refused("RATE_LIMITED", retry_after=wait)
        return page(found, None)

    @router.get("/keys/agents/{agent_id}", response_model=Answer, summary="The public keys of an agent")
    async def of_agent(agent_id: str, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        return data(await post.ledger.see(lambda tx: keys.of_agent(tx, who, agent_id)))

    @router.get("/keys/groups/{group_id}", response_model=Answer, summary="The group's key, wrapped for the caller")
    async def of_group(group_id: str, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        return data(await post.ledger.see(lambda tx: keys.of_group(tx, who, group_id)))

    @router.post("/keys/groups/{group_id}/rotate", response_model=Answer, summary="A new key of a group")
    async def rotate(
        group_id: str, ask: RotateGroup, post: Post = doors.Post, who: Credential = doors.Caller
    ) -> Response:
        """At most six an hour. Profile 2026-05: members get `system.group_key_rotated`."""
        await post.ledger.see(lambda tx: keys.of_group(tx, who, group_id))
        if wait := post.limits.key_rotations.take(group_id, post.limit_clock.monotonic()):
            raise Refused("RATE_LIMITED", retry_after=wait)
        return data(await post.ledger.do(lambda tx: keys.rotate_group(tx, who, group_id, ask.keys), order=group_id))

    @router.post("/keys/rotation/request", response_model=Answer, summary="The caller wants other keys")
    async def request(ask: RequestRotation, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        done = await post.ledger.do(lambda tx: keys.request_rotation(tx, who, ask.public_key, ask.signing_public_key))
        return data(done)

    @router.post("/keys/rotation/confirm", response_model=Answer, summary="The other keys count")
    async def confirm(ask: ConfirmRotation, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        return data(await post.ledger.do(lambda tx: keys.confirm_rotation(tx, who, ask.rotation_id)))

    return router
