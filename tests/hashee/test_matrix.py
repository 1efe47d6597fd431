"""Who may do what: every route and every event, against members and everybody else."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest

from app.hashee.identifiers import AGENT, principal
from app.hashee.peers import _known
from app.main import create_app
from app.settings import Settings
from tests.hashee.people import Person, Town
from tests.live import Json

SEALED = "U0VBTEVEIEZPUiBNRU1CRVJT"
"""A payload that nobody outside may ever see."""

PUBLIC = {
    *("POST /auth/send-code", "POST /auth/register", "POST /auth/login", "POST /auth/login-code"),
    *("POST /auth/refresh", "POST /auth/reset-password", "GET /health", "GET /share/{agent_id}"),
}
ANSWERS_501 = re.compile(r"/auth/passkey/")

OWN = {
    *("POST /auth/logout", "POST /auth/change-password", "POST /auth/change-protection-password", "GET /auth/me"),
    *("GET /users/me", "PATCH /users/me", "DELETE /users/me", "GET /users/me/sessions", "GET /users/search"),
    *("GET /users/{user_id}", "PATCH /users/contacts/{user_id}", "GET /conversations", "POST /conversations"),
    *("GET /agents", "POST /agents", "GET /agents/{agent_id}", "POST /agents/{agent_id}/relation"),
    *("DELETE /agents/{agent_id}/relation", "POST /groups", "POST /keys/backup", "PUT /keys/backup"),
    *("GET /keys/backup", "GET /keys/users/{user_id}/devices", "GET /keys/agents/{agent_id}"),
    *("POST /keys/rotation/request", "POST /keys/rotation/confirm"),
}
"""Routes that concern what is the caller's, or what everybody who is logged in may know."""

MESSAGE: Json = {"content_type": "text", "encrypted_payload": "x"}
FILE: Json = {"filename": "f", "content_type": "text/plain", "size": 1}


@dataclass
class Scene:
    """A group and an h2a conversation with something of everything in them, and the ids to get at it."""

    ids: dict[str, str]
    member: Person
    agent: Person

    def body(self, route: str) -> Json | None:
        """A body that a route would take from a member."""
        conversation = {"conversation_id": self.ids["conversation_id"]}
        bodies: dict[str, Json] = {
            "POST /conversations/{conversation_id}/messages": MESSAGE,
            "POST /conversations/{conversation_id}/read": {"seq": 1},
            "PATCH /conversations/{conversation_id}": {"muted": True},
            "POST /messages/{message_id}/reactions": {"emoji": "x"},
            "POST /messages/{message_id}/artifact-response": {"ref_action": "a"},
            "PATCH /groups/{group_id}": {"name": "taken"},
            "PATCH /agents/{agent_id}": {"display_name": "taken"},
            "POST /agents/{agent_id}/keys/register": {"public_key": "x"},
            "POST /agents/{agent_id}/messages": {**MESSAGE, **conversation},
            "PATCH /agents/{agent_id}/artifacts/{artifact_id}": {"encrypted_payload": "x"},
            "POST /agents/{agent_id}/typing": conversation,
            "POST /agents/{agent_id}/files": {**FILE, **conversation},
            "POST /files": {**FILE, **conversation},
            "POST /files/confirm": {"upload_id": self.ids["upload_id"], "sha256": "0" * 64},
            "POST /keys/groups/{group_id}/rotate": {"keys": {self.member.id: "k"}},
        }
        return bodies.get(route)

    async def ask(self, who: Any, route: str, headers: dict[str, str] | None = None) -> Any:
        """The answer of a route to somebody."""
        method, _, path = route.partition(" ")
        filled = re.sub(r"\{(\w+)\}", lambda found: self.ids.get(found[1], self.ids["session_id"]), path)
        return await who.request(method, filled, json=self.body(route), headers=headers)


def routes() -> list[str]:
    """Every route of the wire but those of the control plane."""
    described = create_app(Settings()).openapi()["paths"]
    return [
        f"{method.upper()} {path}"
        for path, methods in described.items()
        for method, about in methods.items()
        if any(tag.startswith("hashee") for tag in about.get("tags", ())) and not path.startswith("/_emulator")
    ]


ROUTES = routes()
PROTECTED = [route for route in ROUTES if route not in PUBLIC | OWN and not ANSWERS_501.search(route)]


async def scene(town: Town) -> Scene:
    member, other, agent = await town.person(), await town.person(), town.agent()
    conversation = await member.use(agent)
    group = (await member.call("POST", "/groups", {"name": "G", "member_ids": [other.id]}))["conversation_id"]
    sent = await member.send(group, payload=SEALED)
    sealed = await agent.send(conversation, payload=SEALED, content_type="artifact", artifact={})
    about = {**FILE, "conversation_id": conversation}
    upload = (await agent.call("POST", f"/agents/{agent.id}/files", about))["upload_id"]
    kind = {"content-type": "text/plain"}
    await agent.http.put(f"/agents/{agent.id}/files/{upload}/upload", content=b"S", headers=kind)
    session = (await member.call("GET", "/users/me/sessions"))[0]["session_id"]
    ids = {
        "conversation_id": conversation,
        "group_id": group,
        "message_id": sent["message_id"],
        "artifact_id": sealed["artifact_id"],
        "upload_id": upload,
        "file_id": upload,
        "agent_id": agent.id,
        "user_id": member.id,
        "session_id": session,
    }
    return Scene(ids, member, agent)


def test_every_route_is_judged() -> None:
    assert set(ROUTES) >= PUBLIC | OWN
    assert len(PROTECTED) >= 30


async def test_without_a_valid_token_nothing_is_answered(still: Town) -> None:
    stage = await scene(still)
    expired = (await still.person()).token
    await still.advance(301)
    client = still.client()
    tried = {
        "": "UNAUTHENTICATED",
        "Bearer nonsense": "INVALID_TOKEN",
        "Bearer hsk_nonsense": "INVALID_TOKEN",
        f"Bearer hsk_{'q' * 40}": "INVALID_TOKEN",
        f"Bearer {expired}": "TOKEN_EXPIRED",
    }
    for route in [*PROTECTED, *sorted(OWN)]:
        for header, code in tried.items():
            answer = await stage.ask(client, route, {"authorization": header} if header else {})
            wrong_body = route in OWN and answer.status_code == 400  # the body of its own is not filled in here
            assert wrong_body or (answer.status_code, answer.json()["error"]["code"]) == (401, code), (route, header)


@pytest.mark.parametrize("role", ["stranger", "other agent", "suspended agent"])
async def test_nobody_outside_gets_at_anything(town: Town, role: str) -> None:
    stage = await scene(town)
    who = await town.person() if role == "stranger" else town.agent()
    if role == "suspended agent":
        await who.call("POST", f"/_emulator/hashee/agents/{who.id}/govern", {"status": "suspended"})
    for route in PROTECTED:
        answer = await stage.ask(who.http, route)
        assert answer.status_code in (403, 404), (route, answer.status_code, answer.text)
        assert SEALED not in answer.text, route
    history = await stage.member.call("GET", f"/conversations/{stage.ids['group_id']}/messages")
    assert [(one["encrypted_payload"], one["reactions"], one["recalled"]) for one in history] == [(SEALED, [], False)]
    assert (await stage.member.call("GET", f"/conversations/{stage.ids['group_id']}"))["name"] == "G"


async def test_a_suspended_user_says_and_changes_nothing(town: Town) -> None:
    stage, owner = await scene(town), await town.owner()
    await owner.call("POST", f"/agents/{stage.agent.id}/users/{stage.member.id}/suspend")
    conversation = stage.ids["conversation_id"]
    assert await stage.member.refused("POST", f"/conversations/{conversation}/messages", MESSAGE) == (
        403,
        "RELATION_SUSPENDED",
    )
    body = {**MESSAGE, "conversation_id": conversation}
    assert await stage.agent.refused("POST", f"/agents/{stage.agent.id}/messages", body) == (403, "RELATION_SUSPENDED")
    typing = {"conversation_id": conversation}
    assert await stage.agent.refused("POST", f"/agents/{stage.agent.id}/typing", typing) == (403, "RELATION_SUSPENDED")
    path = f"/agents/{stage.agent.id}/artifacts/{stage.ids['artifact_id']}"
    assert await stage.agent.refused("PATCH", path, {"encrypted_payload": "x"}) == (403, "RELATION_SUSPENDED")


async def test_an_agent_gets_at_no_route_of_people_nor_the_other_way_round(town: Town) -> None:
    stage = await scene(town)
    body = {**MESSAGE, "conversation_id": stage.ids["conversation_id"]}
    assert await stage.member.refused("POST", f"/agents/{stage.agent.id}/messages", body) == (403, "FORBIDDEN")
    conversation = stage.ids["conversation_id"]
    assert await stage.agent.refused("POST", f"/conversations/{conversation}/messages", MESSAGE) == (403, "FORBIDDEN")
    for route in ("GET /users/me", "GET /auth/me", "GET /keys/backup", "GET /agents", "GET /users/me/sessions"):
        answer = await stage.ask(stage.agent.http, route)
        assert answer.status_code == 403, route


async def test_no_event_reaches_anybody_outside(town: Town) -> None:
    stage, owner = await scene(town), await town.owner()
    member, agent, ids = stage.member, stage.agent, stage.ids
    stranger, other_agent = await town.person(), town.agent()
    await stranger.use(other_agent)
    left = await town.person()
    await member.call("PATCH", f"/groups/{ids['group_id']}", {"add_member_ids": [left.id]})
    await left.call("DELETE", f"/conversations/{ids['group_id']}")
    stream = {"stream_id": "01J0000000000000000000000S", "conversation_id": ids["conversation_id"]}
    async with AsyncExitStack() as stack:
        outside = [await stack.enter_async_context(who.listening(profile="2026-05")) for who in (stranger, left)]
        machine = await stack.enter_async_context(other_agent.listening(profile="2026-05"))
        await outside[0].next("agent.status")
        inside = await stack.enter_async_context(member.listening(profile="2026-05"))
        ear = await stack.enter_async_context(agent.listening(profile="2026-05"))
        for one in (*outside, machine, inside):
            await one.quiet()
        await member.send(ids["group_id"], payload=SEALED)
        sent = await agent.send(ids["conversation_id"], payload=SEALED)
        await ear.say({"type": "stream.start", **stream})
        await ear.say({"type": "stream.delta", **stream, "encrypted_payload": SEALED})
        await ear.say({"type": "stream.done", **stream, "encrypted_payload": SEALED})
        await ear.say({"type": "typing", "conversation_id": ids["conversation_id"]})
        await member.call("POST", f"/conversations/{ids['conversation_id']}/read", {"seq": 2})
        await member.call("POST", f"/messages/{sent['message_id']}/reactions", {"emoji": "x"})
        await agent.call("POST", f"/messages/{sent['message_id']}/recall")
        await member.call("POST", f"/messages/{ids['message_id']}/pin")
        await member.call("PATCH", f"/groups/{ids['group_id']}", {"name": "H"})
        path = f"/agents/{agent.id}/artifacts/{ids['artifact_id']}"
        await agent.call("PATCH", path, {"encrypted_payload": SEALED})
        await member.call("POST", f"/_emulator/hashee/artifacts/{ids['artifact_id']}/expire")
        await owner.call("PATCH", f"/agents/{agent.id}", {"capability_manifest": {"a": 1}})
        members = [one["id"] for one in (await member.call("GET", f"/conversations/{ids['group_id']}"))["members"]]
        keys = {"keys": dict.fromkeys(members, "k")}
        await member.call("POST", f"/keys/groups/{ids['group_id']}/rotate", keys)
        await owner.call("POST", f"/agents/{agent.id}/users/{member.id}/suspend")
        await owner.call("POST", f"/agents/{agent.id}/users/{member.id}/restore")
        await member.call("DELETE", f"/agents/{agent.id}/relation")
        await owner.call("POST", f"/_emulator/hashee/agents/{agent.id}/govern", {"status": "banned"})
        await ear.closed()
        await member.call("POST", f"/_emulator/hashee/users/{member.id}/invalidate")
        await inside.closed()
        for one in (*outside, machine):
            assert await one.quiet() == []
    heard = {frame["type"] for frame in (*inside.heard, *ear.heard)}
    assert heard >= {
        *("message.new", "message.ack", "message.read", "message.recalled", "message.pinned", "stream.start"),
        *("message.status_updated", "stream.delta", "stream.done", "agent.typing", "reaction.update", "group.updated"),
        *("artifact_update", "artifact.expired", "agent.capability_changed", "system.group_key_rotated"),
        *("relation.suspended", "relation.restored", "relation.revoked", "agent.governance", "session.invalidated"),
    }


async def test_who_comes_late_gets_nothing_of_what_was_before(town: Town) -> None:
    member, late = await town.person(), await town.person()
    group = (await member.call("POST", "/groups", {"name": "G"}))["conversation_id"]
    upload = (await member.call("POST", "/files", {**FILE, "conversation_id": group}))["upload_id"]
    await member.http.put(f"/files/{upload}/upload", content=b"x", headers={"content-type": "text/plain"})
    await member.call("POST", "/files/confirm", {"upload_id": upload, "sha256": sha256(b"x").hexdigest()})
    before = (await member.send(group))["message_id"]
    await member.call("PATCH", f"/groups/{group}", {"add_member_ids": [late.id]})
    assert await late.refused("GET", f"/files/{upload}") == (404, "NOT_FOUND")
    async with late.listening() as ear:
        await member.call("POST", f"/messages/{before}/reactions", {"emoji": "x"})
        await member.call("POST", f"/messages/{before}/pin")
        await member.call("POST", f"/messages/{before}/recall")
        after = (await member.send(group))["message_id"]
        await member.call("POST", f"/messages/{after}/reactions", {"emoji": "x"})
        heard = [await ear.next(), await ear.next()]
        assert [frame["type"] for frame in heard] == ["message.new", "reaction.update"]
        assert heard[0]["message_id"] == heard[1]["payload"]["message_id"] == after


async def test_who_is_not_heard_cannot_make_themselves_heard_by_reactions(town: Town) -> None:
    person, blocked, agent = await town.person(), await town.person(), town.agent()
    pair, machine = await person.pair(blocked), await person.use(agent)
    sent = {one: (await person.send(one))["message_id"] for one in (pair, machine)}
    await person.call("PATCH", f"/users/contacts/{blocked.id}", {"blocked": True})
    await person.call("DELETE", f"/agents/{agent.id}/relation")
    reaction = {"emoji": "x"}
    refused = [await blocked.refused("POST", f"/messages/{sent[pair]}/reactions", reaction)]
    refused.append(await agent.refused("POST", f"/messages/{sent[machine]}/reactions", reaction))
    refused.append(await agent.refused("POST", f"/agents/{agent.id}/files", {**FILE, "conversation_id": machine}))
    assert refused == [(403, "FORBIDDEN"), (403, "RELATION_TERMINATED"), (403, "RELATION_TERMINATED")]
    async with person.listening() as ear:
        await blocked.call("POST", f"/conversations/{pair}/read", {"seq": 1})
        await agent.call("POST", f"/conversations/{machine}/read", {"seq": 1})
        note = (await person.call("POST", "/groups", {"name": "G"}))["conversation_id"]
        await person.send(note)
        assert (await ear.next())["type"] == "message.ack"


async def test_a_graph_is_told_what_its_agent_may_see(town: Town) -> None:
    person, agent = await town.person(), town.agent()
    await person.use(agent)
    group = (await person.call("POST", "/groups", {"name": "G"}))["conversation_id"]
    await person.send(group, payload=SEALED)
    await person.call("PATCH", f"/groups/{group}", {"add_agent_ids": [agent.id]})
    await person.send(group, payload="dG8geW91")
    await person.send(group, payload="YW5kIG5vdw==")
    post = town.wire._post
    assert post is not None
    told, _ = await town.server.run(post.ledger.see(lambda tx: _known(tx, principal(AGENT, agent.id), group)))
    assert told == [(False, "to you")]
