"""What only the service itself can do, by hand: `/_emulator/hashee/…`. Part of the control plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.params import Depends
from pydantic import ConfigDict, Field
from sqlalchemy import select
from starlette.responses import Response

from app.hashee import accounts, agents, artifacts, deliveries, relations
from app.hashee.ledger import Tx
from app.hashee.refusals import Refused
from app.hashee.rest.routes import ERRORS, Answer, Body, Doors, HasheeRoute, Line, Page, Uid, data, moments, page
from app.hashee.tables import codes, sessions, users

if TYPE_CHECKING:
    from app.hashee.post import Post


class Order(Body):
    """A body that says what is to be done: what is not known in it is refused, or it would be done differently."""

    model_config = ConfigDict(extra="forbid")


class Govern(Order):
    status: Literal["active", "suspended", "banned"]
    reason: Line = ""


class Suspend(Order):
    agent_id: Uid
    user_id: Uid
    suspended: bool = True


class Invalidate(Order):
    """Without a session: all of the user."""

    session_id: Uid | None = None
    reason: Annotated[str, Field(min_length=1, max_length=100)] = "device_removed"


def control_routes(doors: Doors, guards: Sequence[Depends]) -> APIRouter:
    """The routes, behind the guards of the control plane."""
    router = APIRouter(
        prefix="/_emulator/hashee",
        route_class=HasheeRoute,
        tags=["hashee: control"],
        responses=ERRORS,
        dependencies=guards,
    )

    @router.post("/agents/{agent_id}/govern", response_model=Answer, summary="Suspends, bans or frees an agent")
    async def govern(agent_id: str, ask: Govern, post: Post = doors.Post) -> Response:
        """Its socket gets `agent.governance`, and is closed with 4403 unless it is active."""
        return data(await post.ledger.do(lambda tx: agents.govern(tx, agent_id, ask.status, ask.reason)))

    @router.post(
        "/relations", response_model=Answer, summary="Suspends a user's relation with an agent, or restores it"
    )
    async def suspend(ask: Suspend, post: Post = doors.Post) -> Response:
        done = await post.ledger.do(lambda tx: relations.set_suspended(tx, ask.agent_id, ask.user_id, ask.suspended))
        return data(done)

    @router.post("/users/{user_id}/invalidate", response_model=Answer, summary="Ends sessions of a user")
    async def invalidate(user_id: str, ask: Invalidate | None = None, post: Post = doors.Post) -> Response:
        """Their sockets get `session.invalidated` with the reason, and are closed with 4410."""
        wanted = ask or Invalidate()

        def end(tx: Tx) -> int:
            _user(tx, user_id)
            if wanted.session_id is None:
                return accounts.end_all(tx, user_id, wanted.reason)
            return int(accounts.end(tx, user_id, wanted.session_id, wanted.reason))

        return data({"ended": await post.ledger.do(end)})

    @router.post("/users/{user_id}/expire", response_model=Answer, summary="Lets a user's access tokens lapse now")
    async def expire_tokens(user_id: str, post: Post = doors.Post) -> Response:
        def lapse(tx: Tx) -> int:
            _user(tx, user_id)
            return accounts.lapse(tx, user_id)

        return data({"sessions": await post.ledger.do(lapse)})

    @router.post("/artifacts/{artifact_id}/expire", response_model=Answer, summary="Ends an artifact's time")
    async def expire_artifact(artifact_id: str, post: Post = doors.Post) -> Response:
        """Everybody in the conversation gets `artifact.expired`."""
        if not await post.ledger.do(lambda tx: artifacts.expire(tx, artifact_id)):
            raise Refused("NOT_FOUND", "No such artifact, or it is over already")
        return data({"artifact_id": artifact_id})

    @router.get("/codes", response_model=Page, summary="The verification codes that were not mailed")
    async def sent_codes(post: Post = doors.Post) -> Response:
        found = await post.ledger.see(lambda tx: tx.run(select(codes).order_by(codes.c.email)).fetchall())
        told = [
            {"email": row.email, "scene": row.scene, "code": row.code, "expires_at": row.expires_at} for row in found
        ]
        return page(moments(post, told), None)

    @router.get("/deliveries", response_model=Page, summary="The delivery log, newest first")
    async def log(
        agent_id: Line | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        post: Post = doors.Post,
    ) -> Response:
        found = await post.ledger.see(lambda tx: deliveries.log_of(tx, agent_id, limit))
        return page(moments(post, found), None)

    @router.get("/sessions", response_model=Page, summary="The open sessions")
    async def open_sessions(post: Post = doors.Post) -> Response:
        def ask(tx: Tx) -> list[dict[str, object]]:
            rows = tx.run(
                select(sessions).where(sessions.c.ended_at.is_(None)).order_by(sessions.c.created_at).limit(1000)
            )
            return [{"session_id": row.id, "user_id": row.user_id, "created_at": row.created_at} for row in rows]

        return page(moments(post, await post.ledger.see(ask)), None)

    return router


def _user(tx: Tx, user_id: str) -> None:
    if tx.value(select(users.c.id).where(users.c.id == user_id)) is None:
        raise Refused("NOT_FOUND", "No such user")
