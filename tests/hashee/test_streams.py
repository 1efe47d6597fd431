"""Streams of agents: their steps, their message, their ends."""

from __future__ import annotations

import pytest

from tests.hashee.people import PAYLOAD, Town
from tests.live import Json

STREAM = "01J0000000000000000000000S"


def step(kind: str, conversation: str, **fields: str) -> Json:
    return {"type": f"stream.{kind}", "stream_id": STREAM, "conversation_id": conversation, **fields}


async def test_a_stream_is_heard_step_by_step_and_kept_as_a_message(town: Town) -> None:
    person, agent = await town.person(), town.agent()
    conversation = await person.use(agent)
    async with person.listening() as human, agent.listening() as machine:
        await human.next("agent.status")
        await machine.say(step("start", conversation))
        await machine.say(step("delta", conversation, encrypted_payload="YQ=="))
        await machine.say(step("delta", conversation, encrypted_payload="Yg=="))
        done = step("done", conversation, encrypted_payload="YWI=", client_message_id="c1")
        await machine.say(done)
        ack = await machine.next("message.ack")
        heard = [await human.next() for _ in range(4)]
        assert [frame["type"] for frame in heard] == ["stream.start", "stream.delta", "stream.delta", "stream.done"]
        assert all(frame["stream_id"] == STREAM for frame in heard)
        assert heard[1] == {
            "type": "stream.delta",
            "stream_id": STREAM,
            "conversation_id": conversation,
            "encrypted_payload": "YQ==",
        }
        assert (heard[3]["message_id"], heard[3]["conversation_seq"]) == (ack["message_id"], 1)
        assert heard[3]["encrypted_payload"] == "YWI="
        await machine.say(done)  # said again by one who did not see the ack
        assert await machine.next("message.ack") == ack
        assert await human.quiet() == []
    (kept,) = await person.call("GET", f"/conversations/{conversation}/messages")
    assert (kept["encrypted_payload"], kept["sender_type"]) == ("YWI=", "agent")


async def test_an_aborted_stream_is_not_kept(town: Town) -> None:
    person, agent = await town.person(), town.agent()
    conversation = await person.use(agent)
    async with person.listening() as human, agent.listening() as machine:
        await machine.say(step("start", conversation))
        await machine.say(step("abort", conversation))
        assert list(await human.next("stream.abort")) == ["type", "stream_id", "conversation_id"]
        await machine.say(step("delta", conversation, encrypted_payload="YQ=="))
        assert (await machine.next("error"))["payload"]["code"] == "UNKNOWN_STREAM"
    assert await person.call("GET", f"/conversations/{conversation}/messages") == []


@pytest.mark.parametrize(("deltas", "reason"), [(0, "timeout"), (10, "limit")])
async def test_a_stream_ends_by_silence_or_length(still: Town, deltas: int, reason: str) -> None:
    person, agent = await still.person(), still.agent()
    conversation = await person.use(agent)
    async with person.listening() as human, agent.listening() as machine:
        await machine.say(step("start", conversation))
        await human.next("stream.start")
        for _ in range(deltas):
            await still.pass_time(28)
            await machine.say(step("delta", conversation, encrypted_payload="YQ=="))
            await human.next("stream.delta")
        await still.pass_time(31 if not deltas else 21)
        told = {"type": "stream.error", "stream_id": STREAM, "conversation_id": conversation, "reason": reason}
        if not deltas:  # the access token of the other ends with the longest stream
            assert await human.next("stream.error") == told
        assert await machine.next("stream.error") == told
        assert len(await still.on_loop(lambda: list(still.wire._post.streams._open))) == 0  # type: ignore[union-attr]


async def test_who_is_suspended_hears_no_more_of_a_stream(town: Town) -> None:
    owner, person, agent = await town.owner(), await town.person(), town.agent()
    conversation = await person.use(agent)
    async with person.listening() as human, agent.listening() as machine:
        await machine.say(step("start", conversation))
        await human.next("stream.start")
        await owner.call("POST", f"/agents/{agent.id}/users/{person.id}/suspend")
        await machine.next("relation.suspended")
        await machine.say(step("delta", conversation, encrypted_payload="YQ=="))
        await machine.say(step("done", conversation, encrypted_payload="YQ=="))
        assert (await machine.next("error"))["payload"]["code"] == "RELATION_SUSPENDED"
        assert await human.quiet() == []


async def test_an_agent_streams_only_where_it_takes_part(town: Town) -> None:
    person, agent, other = await town.person(), town.agent(), town.agent()
    conversation = await person.use(agent)
    async with other.listening() as machine, person.listening() as human:
        await machine.say(step("start", conversation))
        assert (await machine.next("error"))["payload"]["code"] == "NOT_CONVERSATION_MEMBER"
        assert await human.quiet() == []


async def test_streams_have_limits(still: Town) -> None:
    person, agent = await still.person(), still.agent()
    conversation = await person.use(agent)
    async with agent.listening() as machine:
        for number in range(16):
            if number % 5 == 0:
                await machine.quiet()
                await still.advance(1)
            await machine.say({**step("start", conversation), "stream_id": f"01J000000000000000000000{number:02d}"})
        await machine.quiet()
        await still.advance(1)
        await machine.say(step("start", conversation))
        assert (await machine.next("stream.error"))["reason"] == "too_many"
        await still.advance(1)
        for number in range(6):
            await machine.say({**step("start", conversation), "stream_id": f"01J000000000000000000001{number:02d}"})
        codes = [await machine.next() for _ in range(6)]
        assert codes[-1]["payload"]["code"] == "RATE_LIMITED"


async def test_a_large_group_has_no_streams(still: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.hashee.streams.LARGEST_GROUP", 2)
    person, other, agent = await still.person(), await still.person(), still.agent()
    await person.use(agent)
    made = await person.call("POST", "/groups", {"name": "G", "member_ids": [other.id], "agent_ids": [agent.id]})
    async with agent.listening() as machine:
        await machine.say(step("start", made["conversation_id"]))
        assert (await machine.next("stream.error"))["reason"] == "disabled"
        await machine.say(step("done", made["conversation_id"], encrypted_payload=PAYLOAD))
        assert (await machine.next("error"))["payload"]["code"] == "UNKNOWN_STREAM"


async def test_only_what_was_started_is_ended(town: Town) -> None:
    person, agent = await town.person(), town.agent()
    conversation = await person.use(agent)
    async with agent.listening() as machine:
        for number in range(10):
            told = step("done", conversation, encrypted_payload="YQ==", client_message_id=f"c{number}")
            await machine.say(told)
            assert (await machine.next("error"))["payload"]["code"] == "UNKNOWN_STREAM"
        await machine.say(step("start", conversation))
        for kind in ("delta", "done"):
            await machine.say(step(kind, conversation, encrypted_payload="x" * 204_801))
            assert (await machine.next("error"))["payload"]["code"] == "PAYLOAD_TOO_LARGE"
        await machine.say(step("done", conversation, encrypted_payload="YQ==", content_type="No Word"))
        assert (await machine.next("error"))["payload"]["code"] == "INVALID_FRAME"
        await machine.say(step("done", conversation, encrypted_payload="YQ=="))
        await machine.next("message.ack")
    assert len(await person.call("GET", f"/conversations/{conversation}/messages")) == 1


async def test_a_stream_that_says_what_is_kept_already_ends_and_is_acknowledged(town: Town) -> None:
    person, agent = await town.person(), town.agent()
    conversation = await person.use(agent)
    async with person.listening() as human, agent.listening() as machine:
        acks = []
        for number in (1, 2):
            said = {"stream_id": f"01J000000000000000000000{number:02d}"}
            await machine.say(step("start", conversation) | said)
            await machine.say(step("done", conversation, encrypted_payload="YQ==", client_message_id="c1") | said)
            acks.append(await machine.next("message.ack"))
        assert acks[0] == acks[1]
        assert (await human.next("stream.abort"))["stream_id"].endswith("02")
        assert [frame["type"] for frame in human.heard].count("stream.done") == 1
    assert len(await person.call("GET", f"/conversations/{conversation}/messages")) == 1


async def test_an_agent_that_is_removed_says_no_more_and_people_hear_why(town: Town) -> None:
    person, agent = await town.person(), town.agent()
    await person.use(agent)
    made = await person.call("POST", "/groups", {"name": "G", "agent_ids": [agent.id]})
    group = made["conversation_id"]
    async with person.listening() as human, agent.listening() as machine:
        await machine.say(step("start", group))
        await human.next("stream.start")
        await person.call("PATCH", f"/groups/{group}", {"remove_member_ids": [agent.id]})
        told = {"type": "stream.error", "stream_id": STREAM, "conversation_id": group, "reason": "refused"}
        assert await human.next("stream.error") == told
        assert await machine.next("stream.error") == told
