"""`/agents/…`: agents, their messages, artifacts, polls and relations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field, StringConstraints
from starlette.responses import Response

from app.hashee import agents, artifacts, messages, relations
from app.hashee.access import Credential
from app.hashee.artifacts import MOST_BLOCKS, MOST_BYTES, About
from app.hashee.frames import ErrorFrame
from app.hashee.identifiers import AGENT, principal
from app.hashee.ledger import Event, Tx
from app.hashee.messages import check_payload
from app.hashee.refusals import Refused
from app.hashee.rest.conversations import Payload, SendMessage, sent_answer
from app.hashee.rest.routes import (
    LARGEST,
    Answer,
    Body,
    Doors,
    Key,
    Line,
    Page,
    Uid,
    Url,
    Word,
    data,
    moments,
    page,
    routes,
    while_there,
)
from app.hashee.rights import agent as agent_of
from app.hashee.webhook_urls import check_url

if TYPE_CHECKING:
    from app.hashee.post import Post
    from app.settings import HasheeSettings

LONGEST_POLL = 60.0
LONGEST_LIFE = 30 * 86_400


class AgentBody(Body):
    """How an agent is called and reached. `webhook_secret` is shown once when the server makes it."""

    avatar_url: Url | None = None
    description: Annotated[str, StringConstraints(max_length=4000)] | None = None
    connection_mode: Literal["websocket", "webhook", "polling"] | None = None
    webhook_url: Url | None = None
    webhook_secret: Annotated[str, StringConstraints(min_length=32, max_length=200)] | None = None
    health_check_url: Url | None = None
    capability_manifest: dict[str, Any] | None = None

    def about(self, private: bool) -> dict[str, Any]:
        """The columns to write. Raises `Refused` for an address that webhooks may not go to."""
        given = self.model_dump(exclude_none=True)
        for name in ("webhook_url", "health_check_url"):
            url = given.get(name)
            if url and (why := check_url(url, private=private)):
                raise Refused("WEBHOOK_URL_REFUSED", f"{name}: {why}", field=name)
        return given


class MakeAgent(AgentBody):
    display_name: Word


class UpdateAgent(AgentBody):
    display_name: Word | None = None


class AboutArtifact(Body):
    """What the server is told of an artifact in the clear."""

    artifact_id: Uid | None = None
    subtype: Word = "form"
    blocks: Annotated[int, Field(ge=0)] | None = None
    bytes: Annotated[int, Field(ge=0)] | None = None
    expires_in_seconds: Annotated[float, Field(gt=0, le=LONGEST_LIFE)] | None = None


class SendAsAgent(SendMessage):
    conversation_id: Uid
    artifact: AboutArtifact | None = None


class UpdateArtifact(Body):
    """`revision` (profile 2026-01) has to be above the current one, `based_on_revision` (2026-05) has to be it."""

    encrypted_payload: Payload
    revision: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    based_on_revision: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None


class TypingBody(Body):
    conversation_id: Uid
    typing: bool = True


class RegisterKey(Body):
    public_key: Key
    signing_public_key: Line = ""


class Establish(Body):
    referral_source: Word = "invite_link"


def agent_routes(doors: Doors, settings: HasheeSettings) -> APIRouter:
    """The routes."""
    router = routes("agents")
    private = settings.webhook_private

    @router.get("/agents", response_model=Page, summary="The caller's agents")
    async def mine(post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        return page(moments(post, await post.ledger.see(lambda tx: agents.mine(tx, who))), None)

    @router.post("/agents", response_model=Answer, summary="A new agent")
    async def make(ask: MakeAgent, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        """Its token, and a webhook secret the server made, are in this answer and nowhere else."""
        about = ask.about(private)
        made = await post.ledger.do(lambda tx: agents.make(tx, who, about))
        secret = {"webhook_secret": made.webhook_secret} if made.webhook_secret else {}
        return data({**moments(post, made.agent), "token": made.token, **secret})

    @router.get("/agents/{agent_id}", response_model=Answer, summary="An agent")
    async def get(agent_id: str, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        return data(moments(post, await post.ledger.see(lambda tx: agents.get(tx, who, agent_id))))

    @router.patch("/agents/{agent_id}", response_model=Answer, summary="Changes an agent")
    async def update(
        agent_id: str, ask: UpdateAgent, post: Post = doors.Post, who: Credential = doors.Caller
    ) -> Response:
        """Its creator alone may. Another `connection_mode` closes its socket (4409)."""
        about = ask.about(private)
        made = await post.ledger.do(lambda tx: agents.change(tx, who, agent_id, about))
        post.webhooks_due.set()
        secret = {"webhook_secret": made.webhook_secret} if made.webhook_secret else {}
        return data({**moments(post, made.agent), **secret})

    @router.post("/agents/{agent_id}/token", response_model=Answer, summary="A new token in place of the old ones")
    async def token(agent_id: str, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        return data({"token": await post.ledger.do(lambda tx: agents.rotate_token(tx, who, agent_id))})

    @router.post("/agents/{agent_id}/keys/register", response_model=Answer, summary="The agent's public keys")
    async def register_key(
        agent_id: str, ask: RegisterKey, post: Post = doors.Post, who: Credential = doors.Caller
    ) -> Response:
        done = await post.ledger.do(
            lambda tx: agents.register_key(tx, who, agent_id, ask.public_key, ask.signing_public_key)
        )
        return data(done)

    @router.get("/share/{agent_id}", response_model=Answer, summary="What everybody may know of an agent")
    async def share(agent_id: str, post: Post = doors.Post) -> Response:
        return data(await post.ledger.see(lambda tx: agents.shared(tx, agent_id)))

    _speaking_routes(router, doors)
    _relation_routes(router, doors)
    return router


def _speaking_routes(router: APIRouter, doors: Doors) -> None:
    @router.post("/agents/{agent_id}/messages", response_model=Answer, summary="An agent says something")
    async def send(
        agent_id: str, ask: SendAsAgent, post: Post = doors.Post, who: Credential = doors.Caller
    ) -> Response:
        """At most five a second: then 429 with `retry_after`, and a `RATE_LIMITED` frame on its socket."""
        out = ask.outgoing()
        about = _about(ask)
        await _check_rate(post, who, agent_id, ask)
        if about is None:
            sent = await post.ledger.do(
                lambda tx: messages.send_as_agent(tx, who, agent_id, ask.conversation_id, out),
                order=ask.conversation_id,
            )
            return sent_answer(post, sent)
        sent, artifact_id = await post.ledger.do(
            lambda tx: artifacts.send_artifact(tx, who, agent_id, ask.conversation_id, out, about),
            order=ask.conversation_id,
        )
        post.artifact_sent(about.life)
        return sent_answer(post, sent, artifact_id=artifact_id)

    @router.patch("/agents/{agent_id}/artifacts/{artifact_id}", response_model=Answer, summary="Updates an artifact")
    async def update_artifact(
        agent_id: str,
        artifact_id: str,
        ask: UpdateArtifact,
        post: Post = doors.Post,
        who: Credential = doors.Caller,
    ) -> Response:
        """People in the conversation get `artifact_update`. 409 for a revision that does not fit, 422 after 100."""
        check_payload(ask.encrypted_payload)
        done = await post.ledger.do(
            lambda tx: artifacts.change(
                tx, who, agent_id, artifact_id, ask.encrypted_payload, ask.revision, ask.based_on_revision
            )
        )
        return data(done)

    @router.post("/agents/{agent_id}/typing", response_model=Answer, summary="An agent is typing, or stops")
    async def typing(
        agent_id: str, ask: TypingBody, post: Post = doors.Post, who: Credential = doors.Caller
    ) -> Response:
        await post.type(who, agent_id, ask.conversation_id, ask.typing)
        return data({})

    @router.get("/agents/{agent_id}/messages/poll", response_model=Page, summary="Events by long poll")
    async def poll(
        agent_id: str,
        cursor: Annotated[int | None, Query(ge=0, le=LARGEST)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        wait: Annotated[float, Query(ge=0, le=LONGEST_POLL)] = 25.0,
        *,
        request: Request,
        post: Post = doors.Post,
        who: Credential = doors.Caller,
    ) -> Response:
        """Waits for an event, at most `wait` seconds. An event comes again until a later cursor is asked for."""
        found = await while_there(request, post.poll(who, agent_id, cursor, limit, wait))
        profile = post.profile()
        told = [{"cursor": str(one.cursor), "event": profile.body(one.frame)} for one in found]
        last = str(found[-1].cursor) if found else None if cursor is None else str(cursor)
        return page(told, last)


async def _check_rate(post: Post, who: Credential, agent_id: str, ask: SendAsAgent) -> None:
    """Raises `Refused` for an agent that says too much; its socket hears of it too. What it has said before, under the
    same `client_message_id`, is not more.
    """

    def said(tx: Tx) -> bool:
        agent_of(tx, who, agent_id)
        client_id = ask.client_message_id
        return client_id is not None and (messages.known(tx, who, agent_id, ask.conversation_id, client_id) is not None)

    if await post.ledger.see(said):
        return
    wait = post.limits.agent_messages.take(agent_id, post.limit_clock.monotonic())
    if wait:
        told = ErrorFrame("RATE_LIMITED", "Too many requests", "error.rate_limited")
        await post.ledger.tell(Event(told, (principal(AGENT, agent_id),)))
        raise Refused("RATE_LIMITED", retry_after=wait)


def _about(ask: SendAsAgent) -> About | None:
    """What is told of an artifact. Raises `Refused` for one that is too large."""
    if ask.content_type != "artifact":
        return None
    given = ask.artifact or AboutArtifact()
    if (given.blocks or 0) > MOST_BLOCKS or (given.bytes or 0) > MOST_BYTES:
        raise Refused("ARTIFACT_LIMIT", f"At most {MOST_BLOCKS} blocks and {MOST_BYTES} bytes")
    return About(given.artifact_id, given.subtype, given.expires_in_seconds)


def _relation_routes(router: APIRouter, doors: Doors) -> None:
    @router.post("/agents/{agent_id}/relation", response_model=Answer, summary="The caller begins to use an agent")
    async def establish(
        agent_id: str, ask: Establish | None = None, post: Post = doors.Post, who: Credential = doors.Caller
    ) -> Response:
        """The agent gets `relation.established`."""
        source = (ask or Establish()).referral_source
        done = await post.ledger.do(lambda tx: relations.establish(tx, who, agent_id, source))
        return data(moments(post, done))

    @router.delete("/agents/{agent_id}/relation", response_model=Answer, summary="The caller no longer uses an agent")
    async def terminate(agent_id: str, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        """The agent gets `relation.terminated`, in profile 2026-05 `relation.revoked`."""
        await post.ledger.do(lambda tx: relations.terminate(tx, who, agent_id))
        return data({})

    @router.get("/agents/{agent_id}/users", response_model=Page, summary="Who uses an agent")
    async def users(agent_id: str, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        return page(moments(post, await post.ledger.see(lambda tx: relations.of_agent(tx, who, agent_id))), None)

    @router.post("/agents/{agent_id}/users/{user_id}/suspend", response_model=Answer, summary="Suspends a user")
    async def suspend(agent_id: str, user_id: str, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        """By the creator of the agent, which gets `relation.suspended`."""
        return data(await post.ledger.do(lambda tx: relations.suspend_by_owner(tx, who, agent_id, user_id, True)))

    @router.post("/agents/{agent_id}/users/{user_id}/restore", response_model=Answer, summary="Restores a user")
    async def restore(agent_id: str, user_id: str, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        return data(await post.ledger.do(lambda tx: relations.suspend_by_owner(tx, who, agent_id, user_id, False)))
