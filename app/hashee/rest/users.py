"""`/users/…`: the caller, others, contacts, sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.hashee import accounts
from app.hashee.access import Credential
from app.hashee.rest.routes import Answer, Body, Doors, Line, Page, Url, Word, data, moments, page, routes

if TYPE_CHECKING:
    from app.hashee.post import Post


class UpdateMe(Body):
    display_name: Word | None = None
    avatar_url: Url | None = None
    language: Word | None = None


class UpdateContact(Body):
    alias: Line | None = None
    blocked: bool | None = None


def user_routes(doors: Doors) -> APIRouter:
    """The routes."""
    router = routes("users")

    @router.get("/users/me", response_model=Answer, summary="The caller")
    async def me(post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        return data(await post.ledger.see(lambda tx: accounts.me(tx, who)))

    @router.patch("/users/me", response_model=Answer, summary="Changes what others see of the caller")
    async def update_me(ask: UpdateMe, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        changes = ask.model_dump(exclude_none=True)
        return data(await post.ledger.do(lambda tx: accounts.update_me(tx, who, changes)))

    @router.delete("/users/me", response_model=Answer, summary="Ends the caller's account")
    async def delete_me(post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        await post.ledger.do(lambda tx: accounts.delete_me(tx, who))
        return data({})

    @router.get("/users/me/sessions", response_model=Page, summary="The caller's devices")
    async def sessions(post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        found = await post.ledger.see(lambda tx: accounts.list_sessions(tx, who))
        return page(moments(post, found), None)

    @router.delete("/users/me/sessions/{session_id}", response_model=Answer, summary="Removes a device")
    async def remove(session_id: str, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        """Its sockets get `session.invalidated` with reason `device_removed`, and are closed."""
        await post.ledger.do(lambda tx: accounts.remove_session(tx, who, session_id))
        return data({})

    @router.get("/users/search", response_model=Page, summary="Users by name or address")
    async def search(
        q: Annotated[str, Query(min_length=1, max_length=100)],
        limit: Annotated[int, Query(ge=1, le=50)] = 20,
        post: Post = doors.Post,
        who: Credential = doors.Caller,
    ) -> Response:
        return page(await post.ledger.see(lambda tx: accounts.search(tx, who, q, limit)), None)

    @router.patch("/users/contacts/{user_id}", response_model=Answer, summary="An alias for a user, or a block")
    async def contact(
        user_id: str, ask: UpdateContact, post: Post = doors.Post, who: Credential = doors.Caller
    ) -> Response:
        changes = ask.model_dump(exclude_none=True)
        return data(await post.ledger.do(lambda tx: accounts.update_contact(tx, who, user_id, changes)))

    @router.get("/users/{user_id}", response_model=Answer, summary="A user")
    async def user(user_id: str, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        return data(await post.ledger.see(lambda tx: accounts.user(tx, who, user_id)))

    return router
