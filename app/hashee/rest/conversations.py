"""`/conversations/…`, `/messages/…`, `/groups/…`: for people, and for agents where they take part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field, StringConstraints
from starlette.responses import Response

from app.hashee import artifacts, conversations, messages
from app.hashee.access import Credential
from app.hashee.messages import Outgoing, Sent, check_payload
from app.hashee.requests import CONTENT_TYPE
from app.hashee.rest.routes import LARGEST, Answer, Body, Doors, Line, Page, Uid, Url, Word, data, moments, page, routes

if TYPE_CHECKING:
    from app.hashee.post import Post

Payload = Annotated[str, StringConstraints(min_length=1)]
ContentType = Annotated[str, StringConstraints(pattern=f"^{CONTENT_TYPE.pattern}$")]


class SendMessage(Body):
    """A message. `mentions`, `mention_all`, `hop_count` and `envelope_version` are in the clear; profile 2026-05 shows
    them.
    """

    client_message_id: Uid | None = None
    content_type: ContentType
    encrypted_payload: Payload
    quote_id: Uid | None = None
    mentions: Annotated[list[Uid], Field(max_length=100)] = Field(default_factory=list)
    mention_all: bool = False
    hop_count: Annotated[int, Field(ge=0, le=100)] = 0
    envelope_version: Word | None = None

    def outgoing(self) -> Outgoing:
        """The message, for the ledger. Raises `Refused` for one that is too large."""
        check_payload(self.encrypted_payload)
        extra = self.model_dump(include={"mentions", "mention_all", "hop_count", "envelope_version"})
        given = {name: value for name, value in extra.items() if value}
        return Outgoing(self.content_type, self.encrypted_payload, self.client_message_id, self.quote_id, given)


class OpenPair(Body):
    user_id: Uid


class Mark(Body):
    muted: bool | None = None


class Read(Body):
    seq: Annotated[int, Field(ge=0, le=LARGEST)]


class React(Body):
    emoji: Annotated[str, StringConstraints(min_length=1, max_length=32)]


class Respond(Body):
    ref_action: Word
    based_on_revision: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    values: dict[str, Any] = Field(default_factory=dict)


class MakeGroup(Body):
    name: Word
    member_ids: Annotated[list[Uid], Field(max_length=500)] = Field(default_factory=list)
    agent_ids: Annotated[list[Uid], Field(max_length=50)] = Field(default_factory=list)


class UpdateGroup(Body):
    name: Word | None = None
    avatar_url: Url | None = None
    settings: dict[str, Any] | None = None
    add_member_ids: Annotated[list[Uid], Field(max_length=500)] = Field(default_factory=list)
    add_agent_ids: Annotated[list[Uid], Field(max_length=50)] = Field(default_factory=list)
    remove_member_ids: Annotated[list[Uid], Field(max_length=500)] = Field(default_factory=list)


def sent_answer(post: Post, sent: Sent, **more: Any) -> Response:
    """What the sender of a message gets."""
    told = {
        "message_id": sent.message_id,
        "conversation_seq": sent.conversation_seq,
        "created_at": post.profile().moment(sent.created_at),
    }
    return data({**told, **more})


def conversation_routes(doors: Doors) -> APIRouter:
    """The routes."""
    router = routes("conversations")

    @router.get("/conversations", response_model=Page, summary="The caller's conversations")
    async def mine(
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        cursor: Line | None = None,
        post: Post = doors.Post,
        who: Credential = doors.Caller,
    ) -> Response:
        found, more = await post.ledger.see(lambda tx: conversations.mine(tx, who, limit, cursor))
        return page(moments(post, found), more)

    @router.post("/conversations", response_model=Answer, summary="The conversation with another user")
    async def open_pair(ask: OpenPair, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        """Made when there is none yet."""
        return data(moments(post, await post.ledger.do(lambda tx: conversations.open_pair(tx, who, ask.user_id))))

    @router.get("/conversations/{conversation_id}", response_model=Answer, summary="A conversation")
    async def get(conversation_id: str, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        return data(moments(post, await post.ledger.see(lambda tx: conversations.get(tx, who, conversation_id))))

    @router.patch("/conversations/{conversation_id}", response_model=Answer, summary="Mutes it for the caller")
    async def mark(
        conversation_id: str, ask: Mark, post: Post = doors.Post, who: Credential = doors.Caller
    ) -> Response:
        changes = ask.model_dump(exclude_none=True)
        done = await post.ledger.do(lambda tx: conversations.mark(tx, who, conversation_id, changes))
        return data(moments(post, done))

    @router.delete("/conversations/{conversation_id}", response_model=Answer, summary="Leaves a group, hides the rest")
    async def drop(conversation_id: str, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        await post.ledger.do(lambda tx: conversations.drop(tx, who, conversation_id), order=conversation_id)
        return data({})

    @router.post("/conversations/{conversation_id}/messages", response_model=Answer, summary="A person says something")
    async def send(
        conversation_id: str, ask: SendMessage, post: Post = doors.Post, who: Credential = doors.Caller
    ) -> Response:
        """Answered once it is kept; the sender's sockets get `message.ack`, everybody else's `message.new`."""
        out = ask.outgoing()
        sent = await post.ledger.do(
            lambda tx: messages.send_as_human(tx, who, conversation_id, out), order=conversation_id
        )
        return sent_answer(post, sent)

    @router.get("/conversations/{conversation_id}/messages", response_model=Page, summary="The history")
    async def history(
        conversation_id: str,
        before_seq: Annotated[int | None, Query(ge=0, le=LARGEST)] = None,
        after_seq: Annotated[int | None, Query(ge=0, le=LARGEST)] = None,
        cursor: Line | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        post: Post = doors.Post,
        who: Credential = doors.Caller,
    ) -> Response:
        """Newest first; with `after_seq` oldest first. `next_cursor` is a message's id."""
        found, more = await post.ledger.see(
            lambda tx: messages.history(
                tx, who, conversation_id, before=before_seq, after=after_seq, cursor=cursor, limit=limit
            )
        )
        return page(moments(post, found), more)

    @router.post("/conversations/{conversation_id}/read", response_model=Answer, summary="Read up to a number")
    async def read(
        conversation_id: str, ask: Read, post: Post = doors.Post, who: Credential = doors.Caller
    ) -> Response:
        done = await post.read(who, conversation_id, ask.seq)
        return data({"conversation_id": done.conversation_id, "seq": done.seq})

    _message_routes(router, doors)
    _group_routes(router, doors)
    return router


def _message_routes(router: APIRouter, doors: Doors) -> None:
    @router.post("/messages/{message_id}/recall", response_model=Answer, summary="Takes a message back")
    async def recall(message_id: str, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        """One's own, within two minutes."""
        return data(await post.ledger.do(lambda tx: messages.recall(tx, who, message_id)))

    @router.post(
        "/messages/{message_id}/reactions", response_model=Answer, summary="Gives a reaction, or takes it back"
    )
    async def react(message_id: str, ask: React, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        told = await post.ledger.do(lambda tx: messages.react(tx, who, message_id, ask.emoji))
        return data({"message_id": message_id, "reactions": told})

    @router.post("/messages/{message_id}/pin", response_model=Answer, summary="Pins a message of a group, or unpins it")
    async def pin(message_id: str, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        return data(await post.ledger.do(lambda tx: messages.pin(tx, who, message_id)))

    @router.post("/messages/{message_id}/artifact-response", response_model=Answer, summary="Answers an artifact")
    async def respond(
        message_id: str, ask: Respond, post: Post = doors.Post, who: Credential = doors.Caller
    ) -> Response:
        """Its agent gets `artifact_response`. 409 for an artifact that has another revision, or is over."""
        done = await post.ledger.do(
            lambda tx: artifacts.respond(tx, who, message_id, ask.ref_action, ask.based_on_revision, ask.values)
        )
        return data(done)


def _group_routes(router: APIRouter, doors: Doors) -> None:
    @router.post("/groups", response_model=Answer, summary="A group")
    async def make(ask: MakeGroup, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        made = await post.ledger.do(
            lambda tx: conversations.make_group(tx, who, ask.name, ask.member_ids, ask.agent_ids)
        )
        return data(moments(post, made))

    @router.patch("/groups/{group_id}", response_model=Answer, summary="Changes a group, and who is in it")
    async def update(
        group_id: str, ask: UpdateGroup, post: Post = doors.Post, who: Credential = doors.Caller
    ) -> Response:
        """Its owner alone may; everybody in it gets `group.updated`."""
        changes = ask.model_dump(include={"name", "avatar_url", "settings"}, exclude_none=True)
        done = await post.ledger.do(
            lambda tx: conversations.update_group(
                tx,
                who,
                group_id,
                changes,
                add=(ask.add_member_ids, ask.add_agent_ids),
                remove=ask.remove_member_ids,
            ),
            order=group_id,
        )
        return data(moments(post, done))
