"""Every event: caused by what it tells of, in its documented shape, heard by whom it concerns."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from app.hashee.frames import BY_TYPE
from app.hashee.identifiers import UUID
from app.hashee.ledger import Tx
from app.hashee.profiles import PROFILES
from app.hashee.tables import conversations, messages
from tests.hashee.people import PAYLOAD, Ear, Person, Town
from tests.live import Json

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
MOMENT_B = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def test_a_message_reaches_everybody_in_its_documented_shape(town: Town) -> None:
    person, other = await town.person(), await town.person()
    conversation = await person.pair(other)
    async with person.listening() as sender, other.listening() as receiver:
        sent = await person.send(conversation, client_message_id="01J0000000000000000000000A")
        new = await receiver.next("message.new")
        assert new == {
            "type": "message.new",
            "conversation_id": conversation,
            "message_id": sent["message_id"],
            "sender_id": person.id,
            "sender_type": "human",
            "content_type": "text",
            "encrypted_payload": PAYLOAD,
            "conversation_seq": 1,
            "created_at": sent["created_at"],
        }
        assert MOMENT.fullmatch(new["created_at"])
        assert UUID.fullmatch(new["message_id"])
        assert await sender.next() == {
            "type": "message.ack",
            "client_message_id": "01J0000000000000000000000A",
            "message_id": sent["message_id"],
            "conversation_seq": 1,
        }
        told = await sender.next()
        assert told == {
            "type": "message.status_updated",
            "message_id": sent["message_id"],
            "conversation_id": conversation,
            "status": "delivered",
            "conversation_seq": 1,
        }
        await other.call("POST", f"/conversations/{conversation}/read", {"seq": 1})
        assert await sender.next() == {
            "type": "message.read",
            "conversation_id": conversation,
            "user_id": other.id,
            "seq": 1,
        }
        assert (await sender.next())["status"] == "read"
        await other.call("POST", f"/conversations/{conversation}/read", {"seq": 0})  # it never goes back
        await other.call("POST", f"/conversations/{conversation}/read", {"seq": 99})  # nor ahead
        assert await sender.quiet() == []


async def test_the_same_client_message_id_again_sends_nothing_twice(town: Town) -> None:
    person, other = await town.person(), await town.person()
    conversation = await person.pair(other)
    async with other.listening() as ear:
        first = await person.send(conversation, client_message_id="once")
        assert await person.send(conversation, client_message_id="once") == first
        assert [frame["type"] for frame in await ear.quiet()] == ["message.new"]
    elsewhere = await person.pair(await town.person())
    body = {"content_type": "text", "encrypted_payload": PAYLOAD, "client_message_id": "once"}
    refused = await person.refused("POST", f"/conversations/{elsewhere}/messages", body)
    assert refused == (409, "ALREADY_EXISTS")


async def test_recall_is_told_for_two_minutes(still: Town) -> None:
    person, other = await still.person(), await still.person()
    conversation = await person.pair(other)
    async with other.listening() as ear:
        sent = [await person.send(conversation) for _ in range(2)]
        for message in sent:
            assert (await ear.next())["message_id"] == message["message_id"]
        await still.pass_time(119)
        assert await other.refused("POST", f"/messages/{sent[0]['message_id']}/recall") == (403, "FORBIDDEN")
        await person.call("POST", f"/messages/{sent[0]['message_id']}/recall")
        assert await ear.next() == {
            "type": "message.recalled",
            "message_id": sent[0]["message_id"],
            "conversation_id": conversation,
            "recalled_by": person.id,
        }
        await still.advance(2)
        assert await person.refused("POST", f"/messages/{sent[1]['message_id']}/recall") == (409, "RECALL_EXPIRED")
    history = await other.call("GET", f"/conversations/{conversation}/messages")
    assert [(one["recalled"], one["encrypted_payload"]) for one in history] == [(False, PAYLOAD), (True, "")]


async def test_a_recalled_message_is_read_and_takes_nothing_more(town: Town) -> None:
    person, other = await town.person(), await town.person()
    made = await person.call("POST", "/groups", {"name": "G", "member_ids": [other.id]})
    group = made["conversation_id"]
    sent = [(await person.send(group))["message_id"] for _ in range(2)]
    gone = f"/messages/{sent[0]}"
    await other.call("POST", f"{gone}/reactions", {"emoji": "heart"})
    await other.call("POST", f"{gone}/pin")
    assert (await other.call("GET", f"/conversations/{group}"))["unread"] == 2
    await person.call("POST", f"{gone}/recall")

    assert (await other.call("GET", f"/conversations/{group}"))["unread"] == 1
    assert [one["unread"] for one in await other.call("GET", "/conversations")] == [1]
    (shown,) = await other.call("GET", f"/conversations/{group}/messages?before_seq=2")
    assert (shown["recalled"], shown["reactions"], shown["pinned"]) == (True, [], False)
    recalled = (409, "MESSAGE_RECALLED")
    for who in (person, other):
        for emoji in ("heart", "new"):
            assert await who.refused("POST", f"{gone}/reactions", {"emoji": emoji}) == recalled
        assert await who.refused("POST", f"{gone}/pin") == recalled
        body = {"content_type": "text", "encrypted_payload": PAYLOAD, "quote_id": sent[0]}
        assert await who.refused("POST", f"/conversations/{group}/messages", body) == recalled
    await person.call("POST", f"{gone}/recall")  # again changes nothing
    await other.send(group, quote_id=sent[1])
    async with person.listening() as ear:
        await other.call("POST", f"/conversations/{group}/read", {"seq": 2})
        heard = [frame["conversation_seq"] for frame in await ear.quiet() if frame.get("status") == "read"]
        assert heard == [2], "what was recalled is not to be read"


async def test_an_artifact_that_is_recalled_is_over_without_a_word(town: Town) -> None:
    person, agent = await town.person(), town.agent()
    conversation = await person.use(agent)
    sent = await agent.send(conversation, content_type="artifact", artifact={})
    await agent.call("POST", f"/messages/{sent['message_id']}/recall")
    path = f"/_emulator/hashee/artifacts/{sent['artifact_id']}/expire"
    assert await person.refused("POST", path) == (404, "NOT_FOUND")


@pytest.mark.parametrize("backlog", [260, 5_000])
async def test_all_of_a_backlog_is_marked_as_read(town: Town, backlog: int) -> None:
    """However long it is, and though the sender's socket takes only so much at once."""
    person, other = await town.person(), await town.person()
    conversation = await person.pair(other)
    await fill(town, conversation, person, backlog)
    async with person.listening() as ear:
        reading = asyncio.create_task(other.call("POST", f"/conversations/{conversation}/read", {"seq": backlog}))
        marked: dict[str, list[int]] = {"delivered": [], "read": []}
        while len(marked["read"]) < backlog:
            frame = await ear.next("message.status_updated")
            marked[frame["status"]].append(frame["conversation_seq"])
        assert await reading == {"conversation_id": conversation, "seq": backlog}
        assert marked == {"delivered": [*range(1, backlog + 1)], "read": [*range(1, backlog + 1)]}
        assert [frame["seq"] for frame in ear.heard if frame["type"] == "message.read"] == [backlog]
    assert (await other.call("GET", f"/conversations/{conversation}"))["unread"] == 0


async def fill(town: Town, conversation: str, sender: Person, count: int) -> None:
    """Messages that nobody has got yet."""
    post = town.wire._post
    assert post is not None

    def work(tx: Tx) -> None:
        row = {"conversation_id": conversation, "sender": f"u:{sender.id}", "content_type": "text", "payload": PAYLOAD}
        made = [{**row, "id": tx.ids.uuid4(), "seq": seq, "created_at": tx.now} for seq in range(1, count + 1)]
        tx.run(insert(messages), made)
        tx.run(update(conversations).where(conversations.c.id == conversation).values(last_seq=count))

    await town.server.run(post.ledger.do(work))


async def test_reactions_are_told_as_the_full_aggregate(town: Town) -> None:
    person, other = await town.person(), await town.person()
    sent = await person.send(await person.pair(other))
    path = f"/messages/{sent['message_id']}/reactions"
    async with person.listening() as ear:
        await person.call("POST", path, {"emoji": "thumbsup"})
        await other.call("POST", path, {"emoji": "thumbsup"})
        await other.call("POST", path, {"emoji": "heart"})
        await person.call("POST", path, {"emoji": "thumbsup"})
        seen = [await ear.next("reaction.update") for _ in range(4)]
    up = {"emoji": "thumbsup", "count": 2, "user_ids": [person.id, other.id]}
    assert seen[1] == {
        "type": "reaction.update",
        "payload": {"message_id": sent["message_id"], "reactions": [up]},
    }
    assert seen[3]["payload"]["reactions"] == [
        {"emoji": "thumbsup", "count": 1, "user_ids": [other.id]},
        {"emoji": "heart", "count": 1, "user_ids": [other.id]},
    ]


async def test_groups_tell_of_changes_pins_and_members(town: Town) -> None:
    person, other, third = await town.person(), await town.person(), await town.person()
    made = await person.call("POST", "/groups", {"name": "Old", "member_ids": [other.id]})
    group = made["conversation_id"]
    sent = await person.send(group)
    async with other.listening() as ear, third.listening() as outside:
        await person.call("PATCH", f"/groups/{group}", {"name": "New Group Name"})
        assert await ear.next() == {
            "type": "group.updated",
            "payload": {"conversation_id": group, "changes": {"name": "New Group Name"}},
        }
        await other.call("POST", f"/messages/{sent['message_id']}/pin")
        assert await ear.next() == {
            "type": "message.pinned",
            "message_id": sent["message_id"],
            "conversation_id": group,
            "pinned_by": other.id,
            "pinned": True,
        }
        assert await outside.quiet() == []
        await person.call("PATCH", f"/groups/{group}", {"add_member_ids": [third.id], "remove_member_ids": [other.id]})
        gone = await ear.next()
        assert gone["payload"]["changes"] == {"removed_members": [other.id]}
        joined = await outside.next()
        assert joined["payload"]["changes"] == {"added_members": [third.id], "removed_members": [other.id]}
        later = await person.send(group)
        assert (await outside.next())["message_id"] == later["message_id"]
        assert await ear.quiet() == []
    assert [one["conversation_seq"] for one in await third.call("GET", f"/conversations/{group}/messages")] == [2]
    assert await third.refused("POST", f"/messages/{sent['message_id']}/pin") == (404, "NOT_FOUND")


@pytest.mark.parametrize("profile", PROFILES)
async def test_relations_are_told_to_the_agent(town: Town, profile: str) -> None:
    owner, person, agent = await town.owner(), await town.person(), town.agent()
    await person.call("PATCH", "/users/me", {"avatar_url": "https://example.com/a.png", "language": "ko"})
    async with agent.listening(profile=profile) as ear:
        conversation = await person.use(agent)
        told = await ear.next()
        assert told["type"] == "relation.established"
        names = ["user_id", "display_name", "avatar_url", "language", "referral_source", "public_key"]
        assert list(told["payload"]) == names
        assert told["payload"] | {"display_name": ""} == {
            "user_id": person.id,
            "display_name": "",
            "avatar_url": "https://example.com/a.png",
            "language": "ko",
            "referral_source": "invite_link",
            "public_key": "",
        }
        for action, kind in (("suspend", "relation.suspended"), ("restore", "relation.restored")):
            await owner.call("POST", f"/agents/{agent.id}/users/{person.id}/{action}")
            assert await ear.next() == {"type": kind, "payload": {"user_id": person.id}}
            body = {"content_type": "text", "encrypted_payload": PAYLOAD}
            if action == "suspend":
                refused = await person.refused("POST", f"/conversations/{conversation}/messages", body)
                assert refused == (403, "RELATION_SUSPENDED")
        await person.call("DELETE", f"/agents/{agent.id}/relation")
        name = "relation.terminated" if profile == "2026-01" else "relation.revoked"
        assert await ear.next() == {"type": name, "payload": {"user_id": person.id}}
        assert await person.use(agent) == conversation


async def test_who_joins_later_has_not_got_what_was_said_before(town: Town) -> None:
    person, other, late = await town.person(), await town.person(), await town.person()
    group = (await person.call("POST", "/groups", {"name": "G", "member_ids": [other.id]}))["conversation_id"]
    async with person.listening() as ear:
        await person.send(group)
        await person.call("PATCH", f"/groups/{group}", {"add_member_ids": [late.id]})
        await other.call("POST", f"/conversations/{group}/read", {"seq": 1})
        told = [frame["status"] for frame in await ear.quiet() if frame["type"] == "message.status_updated"]
        assert told == ["delivered", "read"]


async def test_the_agents_of_an_account_hear_of_its_end(town: Town) -> None:
    person, agent, polling = await town.person(), town.agent(), town.agent()
    conversation = await person.use(agent)
    await (await town.owner()).call("PATCH", f"/agents/{polling.id}", {"connection_mode": "polling"})
    await person.use(polling)
    async with agent.listening() as machine:
        await person.call("DELETE", "/users/me")
        assert (await machine.next("relation.terminated"))["payload"] == {"user_id": person.id}
    told = (await polling.http.get(f"/agents/{polling.id}/messages/poll?wait=0")).json()["data"]
    assert [one["event"]["type"] for one in told] == ["relation.established", "relation.terminated"]
    body = {"conversation_id": conversation, "content_type": "text", "encrypted_payload": PAYLOAD}
    assert await agent.refused("POST", f"/agents/{agent.id}/messages", body) == (403, "RELATION_TERMINATED")


async def test_an_artifact_that_was_recalled_is_over(town: Town) -> None:
    person, agent = await town.person(), town.agent()
    conversation = await person.use(agent)
    sent = await agent.send(conversation, content_type="artifact", artifact={})
    await agent.call("POST", f"/messages/{sent['message_id']}/recall")
    path = f"/agents/{agent.id}/artifacts/{sent['artifact_id']}"
    assert await agent.refused("PATCH", path, {"encrypted_payload": PAYLOAD}) == (409, "ARTIFACT_EXPIRED")


async def test_artifacts_are_answered_updated_and_over(still: Town) -> None:
    person, agent = await still.person(), still.agent()
    conversation = await person.use(agent)
    async with person.listening() as human, agent.listening() as machine:
        await human.next("agent.status")
        sent = await agent.send(
            conversation, content_type="artifact", artifact={"subtype": "form", "expires_in_seconds": 60}
        )
        artifact = sent["artifact_id"]
        await human.next("message.new")
        await machine.next("message.status_updated")  # receipts are gathered: it would come between any two of the rest
        path = f"/agents/{agent.id}/artifacts/{artifact}"
        await agent.call("PATCH", path, {"encrypted_payload": PAYLOAD, "revision": 1})
        assert await human.next() == {
            "type": "artifact_update",
            "payload": {
                "conversation_id": conversation,
                "message_id": sent["message_id"],
                "ref_artifact": artifact,
                "revision": 1,
                "encrypted_payload": PAYLOAD,
            },
        }
        conflict = {"encrypted_payload": PAYLOAD, "revision": 1}
        assert await agent.refused("PATCH", path, conflict) == (409, "REVISION_CONFLICT")
        assert await agent.refused("PATCH", path, {"encrypted_payload": "x", "based_on_revision": 0}) == (
            409,
            "REVISION_CONFLICT",
        )
        answer = {"ref_action": "submit", "based_on_revision": 1, "values": {"name": "My Project"}}
        respond = f"/messages/{sent['message_id']}/artifact-response"
        await person.call("POST", respond, answer)
        assert await machine.next("artifact_response") == {
            "type": "artifact_response",
            "payload": {
                "conversation_id": conversation,
                "message_id": sent["message_id"],
                "ref_artifact": artifact,
                "ref_action": "submit",
                "based_on_revision": 1,
                "values": {"name": "My Project"},
            },
        }
        assert await person.refused("POST", respond, {**answer, "based_on_revision": 0}) == (409, "REVISION_CONFLICT")
        await still.advance(61)
        told = {
            "type": "artifact.expired",
            "payload": {
                "conversation_id": conversation,
                "message_id": sent["message_id"],
                "artifact_id": artifact,
            },
        }
        assert await human.next() == told
        assert await machine.next() == told
        assert await person.refused("POST", respond, answer) == (409, "ARTIFACT_EXPIRED")
        by_hand = (await agent.send(conversation, content_type="artifact"))["artifact_id"]
        await person.call("POST", f"/_emulator/hashee/artifacts/{by_hand}/expire")
        assert (await human.next("artifact.expired"))["payload"]["artifact_id"] == by_hand


async def test_an_artifact_has_limits(still: Town) -> None:
    person, agent = await still.person(), still.agent()
    conversation = await person.use(agent)
    body = {"conversation_id": conversation, "content_type": "artifact", "encrypted_payload": "x"}
    for about in ({"blocks": 17}, {"bytes": 64 * 1024 + 1}):
        refused = await agent.refused("POST", f"/agents/{agent.id}/messages", {**body, "artifact": about})
        assert refused == (422, "ARTIFACT_LIMIT")
    artifact = (await agent.send(conversation, content_type="artifact"))["artifact_id"]
    path = f"/agents/{agent.id}/artifacts/{artifact}"
    for _ in range(100):
        await agent.call("PATCH", path, {"encrypted_payload": "x"})
    assert await agent.refused("PATCH", path, {"encrypted_payload": "x"}) == (422, "ARTIFACT_LIMIT")


@pytest.mark.parametrize(("profile", "seconds"), [("2026-01", 120), ("2026-05", 5)])
async def test_an_agent_types_over_the_socket_and_rest(town: Town, profile: str, seconds: int) -> None:
    person, agent = await town.person(), town.agent()
    conversation = await person.use(agent)
    async with person.listening(profile=profile) as ear, agent.listening() as machine:
        await ear.next("agent.status")
        await machine.say({"type": "typing", "conversation_id": conversation})
        assert await ear.next() == {
            "type": "agent.typing",
            "payload": {
                "agent_id": agent.id,
                "conversation_id": conversation,
                "typing": True,
                "expires_in_seconds": seconds,
            },
        }
        await agent.call("POST", f"/agents/{agent.id}/typing", {"conversation_id": conversation, "typing": False})
        told = (await ear.next())["payload"]
        assert (told["typing"], told["expires_in_seconds"]) == (False, 0)


async def test_what_only_the_second_profile_has(town: Town) -> None:
    owner, person, agent = await town.owner(), await town.person(), town.agent()
    conversation = await person.use(agent)
    group = (await person.call("POST", "/groups", {"name": "G", "agent_ids": [agent.id]}))["conversation_id"]

    async def act() -> None:
        await person.send(conversation, mentions=["x"], hop_count=2)
        await owner.call("PATCH", f"/agents/{agent.id}", {"capability_manifest": {"schema_version": str(len(seen))}})
        keys = {agent.id: "k1", person.id: "k2"}
        await person.call("POST", f"/keys/groups/{group}/rotate", {"keys": keys})
        await person.send(group)

    seen: list[Json] = []
    async with agent.listening() as ear:
        await act()
        seen = await until(ear, 2)
        assert [frame["type"] for frame in seen] == ["message.new", "message.new"]
        assert all(len(frame) == 9 for frame in seen)
    async with agent.listening(profile="2026-05") as ear:
        await act()
        seen = await until(ear, 4)
    assert [frame["type"] for frame in seen] == [
        "message.new",
        "agent.capability_changed",
        "system.group_key_rotated",
        "message.new",
    ]
    first, changed, rotated, grouped = seen
    assert (first["mentions"], first["hop_count"], first["conversation_type"]) == (["x"], 2, "h2a")
    assert MOMENT_B.fullmatch(first["created_at"])
    assert changed["payload"]["capability_manifest_version"] == 2
    assert re.fullmatch(r"[0-9a-f]{64}", changed["payload"]["capability_manifest_hash"])
    assert rotated["payload"] == {"conversation_id": group, "group_key_version": 2}
    assert grouped["group_metadata"]["group_key_version"] == 2
    assert set(grouped["group_metadata"]["members"]) == {agent.id, person.id}


async def until(ear: Ear, count: int) -> list[Json]:
    """The frames that are no receipts."""
    seen: list[Json] = []
    while len(seen) < count:
        frame = await ear.next()
        if frame["type"] not in ("message.status_updated", "agent.status"):
            seen.append(frame)
    return seen


async def test_a_password_change_ends_the_other_sessions(town: Town) -> None:
    person = await town.person()
    number = int((await person.call("GET", "/users/me"))["email"].partition("@")[0].removeprefix("user"))
    other = await town.person(number)
    async with person.listening() as stays, other.listening() as goes:
        body = {"current_password": "hashee-demo", "new_password": "another-one"}
        await person.call("POST", "/auth/change-password", body)
        assert (await goes.next())["payload"]["reason"] == "password_changed"
        assert (await goes.closed())[0] == 4410
        assert await stays.quiet() == []


def test_every_documented_event_is_there() -> None:
    seed = Path(__file__).parents[2] / "docs" / "hashee.md"
    listed = set(re.findall(r"`((?:[a-z]+\.)?[a-z_]+)`", seed.read_text(encoding="utf-8").partition("## Events")[2]))
    kinds = {kind for kind in BY_TYPE if not kind.startswith("!")}
    assert kinds - {"auth.ok", "auth.error", "pong"} <= listed


def test_a_frame_is_flat_or_nested_as_the_seed_has_it() -> None:
    flat = ("auth", "message", "stream", "pong")
    for kind, frame in BY_TYPE.items():
        if not kind.startswith("!"):
            assert frame.nested is not kind.startswith(flat), kind


def test_optional_fields_are_left_out(tmp_path: Path) -> None:
    values: dict[str, Any] = {"client_message_id": None, "message_id": "m", "conversation_seq": 1}
    told = PROFILES["2026-01"].body(BY_TYPE["message.ack"](**values))
    assert told == {"type": "message.ack", "message_id": "m", "conversation_seq": 1}
