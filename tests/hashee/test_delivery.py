"""Long poll and webhooks: what is delivered, how often, in which order, and to where."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.addresses import why_not_connect
from app.emulation.guarded_network import TargetRefused, allowed
from app.hashee import webhooks
from app.hashee.deliveries import CLAIM, PAUSES
from app.hashee.post import POLLERS
from app.hashee.targets import Outbound
from app.hashee.webhook_urls import check_url
from app.hashee.webhooks import pause_after
from tests.hashee.people import PAYLOAD, Person, Town, write_cast
from tests.live import PATIENCE, Json, LiveServer

SECRET = "c2VjcmV0" * 6
CUT = b"<cut>"
"""Ends an answer whose connection is then closed."""

BROKEN_BODIES = {
    "short": b"Content-Length: 50\r\n\r\n{}" + CUT,
    "bad chunk": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n" + CUT,
    "no last chunk": b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n" + CUT,
    "slow": b"Content-Length: 50\r\n\r\n{",
    "never ends": b"\r\n{",
}


@dataclass
class Hook:
    """A webhook's server: answers as told, 200 without orders; an order that is a future is waited for, bytes are sent
    as they are, and the connection stays open until the client closes it unless they end with `CUT`.
    """

    orders: list[int | str | bytes | asyncio.Future[int]] = field(default_factory=list)
    calls: asyncio.Queue[tuple[dict[str, str], bytes]] = field(default_factory=asyncio.Queue)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def next(self) -> tuple[dict[str, str], bytes]:
        async with asyncio.timeout(PATIENCE):
            return await self.calls.get()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers["content-length"]))
            self.calls.put_nowait((headers, body))
            order = self.orders.pop(0) if self.orders else 200
            if isinstance(order, asyncio.Future):
                order = await order
            if isinstance(order, bytes):
                writer.write(order.removesuffix(CUT))
                await writer.drain()
                if not order.endswith(CUT):
                    await reader.read()
                return
            more = f"Location: {order}\r\n" if isinstance(order, str) else ""
            status = 302 if isinstance(order, str) else order
            writer.write(f"HTTP/1.1 {status} X\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def hook(*orders: int | str | bytes | asyncio.Future[int]) -> AsyncIterator[Hook]:
    made = Hook(list(orders))
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()


async def webhook_agent(town: Town, url: str) -> Person:
    owner, agent = await town.owner(), town.agent()
    body = {"connection_mode": "webhook", "webhook_url": url, "webhook_secret": SECRET}
    await owner.call("PATCH", f"/agents/{agent.id}", body)
    return agent


async def polling_agent(town: Town) -> Person:
    owner, agent = await town.owner(), town.agent()
    await owner.call("PATCH", f"/agents/{agent.id}", {"connection_mode": "polling"})
    return agent


async def poll(agent: Person, **query: object) -> Json:
    asked = {"wait": 0, **query}
    answer = await agent.http.get(f"/agents/{agent.id}/messages/poll", params={k: str(v) for k, v in asked.items()})
    assert answer.status_code == 200, answer.text
    told: Json = answer.json()
    return told


async def delivered_to(person: Person, agent_id: str, until: Callable[[Json], bool]) -> Json:
    """The delivery log of an agent, once its newest entry is as wanted."""
    async with asyncio.timeout(PATIENCE):
        while True:
            log = await person.call("GET", f"/_emulator/hashee/deliveries?agent_id={agent_id}")
            if log and until(log[0]):
                return log[0]  # type: ignore[no-any-return]
            await asyncio.sleep(0.02)


async def test_a_poll_gives_events_again_until_a_later_cursor_is_asked_for(town: Town) -> None:
    person, agent = await town.person(), await polling_agent(town)
    conversation = await person.use(agent)
    await person.send(conversation)
    first = await poll(agent)
    assert [one["event"]["type"] for one in first["data"]] == ["relation.established", "message.new"]
    assert list(first["data"][0]) == ["cursor", "event"]
    assert await poll(agent) == first
    rest = await poll(agent, cursor=first["data"][0]["cursor"])
    assert rest["data"] == first["data"][1:]
    assert await poll(agent, cursor=rest["next_cursor"]) == {"data": [], "next_cursor": rest["next_cursor"]}
    sent = await person.send(conversation)
    (only,) = (await poll(agent, cursor=rest["next_cursor"], limit=1))["data"]
    assert only["event"]["message_id"] == sent["message_id"]


async def test_a_poll_waits_for_an_event(town: Town) -> None:
    person, agent = await town.person(), await polling_agent(town)
    waiting = asyncio.ensure_future(poll(agent, wait=25))
    conversation = await person.use(agent)
    async with asyncio.timeout(10):
        got = await waiting
    assert got["data"][0]["event"]["type"] == "relation.established"
    assert conversation


async def test_only_the_documented_events_are_polled(town: Town) -> None:
    owner, person, agent = await town.owner(), await town.person(), await polling_agent(town)
    conversation = await person.use(agent)
    sent = await person.send(conversation)
    await person.call("POST", f"/messages/{sent['message_id']}/reactions", {"emoji": "x"})
    await poll(agent)
    await person.call("POST", f"/messages/{(await person.send(conversation))['message_id']}/recall")  # never polled
    artifact = await agent.send(conversation, content_type="artifact", artifact={})
    path = f"/messages/{artifact['message_id']}/artifact-response"
    await person.call("POST", path, {"ref_action": "submit"})
    await person.call("POST", f"/_emulator/hashee/artifacts/{artifact['artifact_id']}/expire")
    await owner.call("POST", f"/agents/{agent.id}/users/{person.id}/suspend")
    await owner.call("POST", f"/agents/{agent.id}/users/{person.id}/restore")
    await person.call("DELETE", f"/agents/{agent.id}/relation")
    assert [one["event"]["type"] for one in (await poll(agent))["data"]] == [
        "relation.established",
        "message.new",
        "artifact_response",
        "relation.suspended",
        "relation.restored",
        "relation.terminated",
    ]


async def recall(person: Person, message: Json) -> None:
    await person.call("POST", f"/messages/{message['message_id']}/recall")


def recalled(person: Person, conversation: str, message: Json) -> Json:
    """The event."""
    return {
        "type": "message.recalled",
        "message_id": message["message_id"],
        "conversation_id": conversation,
        "recalled_by": person.id,
    }


async def test_a_poll_does_not_give_what_was_recalled_before(town: Town) -> None:
    person, agent = await town.person(), await polling_agent(town)
    conversation = await person.use(agent)
    sent, kept = await person.send(conversation, payload="c2VjcmV0"), await person.send(conversation)
    quoting = await person.send(conversation, quote_id=sent["message_id"])
    await recall(person, sent)
    events = [one["event"] for one in (await poll(agent))["data"]]
    assert [one.get("message_id") for one in events] == [None, kept["message_id"], quoting["message_id"]]
    assert "c2VjcmV0" not in str(events)


@pytest.mark.parametrize("fetched", [True, False])
async def test_an_agent_that_polled_a_message_hears_of_its_recall(town: Town, fetched: bool) -> None:
    """Whether or not it has asked for a later cursor already."""
    person, agent = await town.person(), await polling_agent(town)
    conversation = await person.use(agent)
    sent = await person.send(conversation)
    first = await poll(agent)
    if fetched:
        assert (await poll(agent, cursor=first["next_cursor"]))["data"] == []
    await recall(person, sent)
    (only,) = (await poll(agent, cursor=first["next_cursor"]))["data"]
    assert only["event"] == recalled(person, conversation, sent)
    if not fetched:
        assert PAYLOAD not in str(await poll(agent, cursor=0))


async def test_a_webhook_that_has_a_message_hears_of_its_recall(town: Town) -> None:
    async with hook() as listener:
        person, agent = await town.person(), await webhook_agent(town, listener.url)
        conversation = await person.use(agent)
        sent = await person.send(conversation)
        await listener.next(), await listener.next()
        await delivered_to(person, agent.id, lambda one: one["state"] == "done")
        await recall(person, sent)
        told = json.loads((await listener.next())[1])
        assert list(told) == ["type", "version", "payload", "metadata"]
        assert {"type": told["type"], **told["payload"]} == recalled(person, conversation, sent)
        log = await delivered_to(person, agent.id, lambda one: one["state"] == "done")
        assert log["type"] == "message.recalled"


async def test_a_webhook_gets_nothing_of_a_message_that_was_recalled_before(still: Town) -> None:
    """The first message fails, the second waits behind it in its conversation."""
    async with hook(200, 500) as listener:
        person, agent = await still.person(), await webhook_agent(still, listener.url)
        conversation = await person.use(agent)
        await listener.next()
        first = await person.send(conversation, payload="Zmlyc3Q=")
        await listener.next()
        await attempts(person, agent.id, 1)
        second, third = await person.send(conversation, payload="c2Vjb25k"), await person.send(conversation)
        await recall(person, second)
        await recall(person, first)
        calls = [await listener.next() for _ in range(2)]
        told = [json.loads(body) for _, body in calls]
        # The third was waiting for the first before that was recalled.
        assert told[0]["metadata"]["message_id"] == third["message_id"]
        assert told[1]["payload"]["message_id"] == first["message_id"]
        await still.advance(sum(PAUSES[:3]))
        await idle(still)
        assert listener.calls.empty()


@pytest.mark.parametrize("answer", [200, 500])
async def test_a_recall_waits_for_the_try_under_way_which_is_the_last(still: Town, answer: int) -> None:
    held = asyncio.get_running_loop().create_future()
    async with hook(200, held) as listener:
        person, agent = await still.person(), await webhook_agent(still, listener.url)
        conversation = await person.use(agent)
        await listener.next()
        sent = await person.send(conversation)
        assert json.loads((await listener.next())[1])["type"] == "message.new"
        await recall(person, sent)
        assert listener.calls.empty()
        held.set_result(answer)
        assert json.loads((await listener.next())[1])["type"] == "message.recalled"
        log = await delivered_to(person, agent.id, lambda one: one["state"] == "done")
        assert log["type"] == "message.recalled"
        await still.advance(PAUSES[0])
        await idle(still)
        assert listener.calls.empty()


async def test_a_webhook_that_was_not_reached_hears_nothing_of_a_recalled_message(still: Town) -> None:
    async with hook() as listener:
        person, agent = await still.person(), await webhook_agent(still, listener.url)
        conversation = await person.use(agent)
        await listener.next()
    sent = await person.send(conversation)
    await attempts(person, agent.id, 1)
    await recall(person, sent)
    async with hook() as listener:
        owner = await still.owner()
        await owner.call("PATCH", f"/agents/{agent.id}", {"webhook_url": listener.url})
        later = await person.send(conversation)
        assert json.loads((await listener.next())[1])["metadata"]["message_id"] == later["message_id"]
        await idle(still)
        assert listener.calls.empty()


async def test_an_agent_with_a_socket_does_not_poll(town: Town) -> None:
    agent = town.agent()
    assert await agent.refused("GET", f"/agents/{agent.id}/messages/poll") == (409, "WRONG_CONNECTION_MODE")


async def test_another_mode_closes_the_socket(town: Town) -> None:
    owner, agent = await town.owner(), town.agent()
    async with agent.listening() as ear:
        await owner.call("PATCH", f"/agents/{agent.id}", {"connection_mode": "polling"})
        assert await ear.closed() == (4409, "mode_switched")


async def test_a_webhook_is_signed(town: Town) -> None:
    async with hook() as listener:
        person, agent = await town.person(), await webhook_agent(town, listener.url)
        conversation = await person.use(agent)
        sent = await person.send(conversation)
        (_, established), (headers, body) = await listener.next(), await listener.next()
        assert json.loads(established)["type"] == "relation.established"
        assert json.loads(established)["payload"]["user_id"] == person.id
        told = json.loads(body)
        assert list(told) == ["type", "version", "wire_envelope", "metadata"]
        assert (told["type"], told["version"], told["wire_envelope"]) == ("message.new", "v1", PAYLOAD)
        assert told["metadata"]["conversation_id"] == conversation
        assert (told["metadata"]["message_id"], told["metadata"]["conversation_seq"]) == (sent["message_id"], 1)
        assert headers["content-type"] == "application/json"
        assert headers["x-hashee-agent-id"] == agent.id
        delivery, timestamp = headers["x-hashee-delivery-id"], headers["x-hashee-timestamp"]
        assert delivery[14] == "7"
        expected = hmac.new(SECRET.encode(), f"{timestamp}.{delivery}.".encode() + body, hashlib.sha256).hexdigest()
        assert headers["x-hashee-signature"] == expected
        log = await delivered_to(person, agent.id, lambda one: one["state"] == "done")
        assert (log["delivery_id"], log["status"], log["attempts"]) == (delivery, 200, 1)


async def test_a_failed_delivery_is_tried_again_under_the_same_id_and_holds_its_conversation(still: Town) -> None:
    async with hook(500, 503, 500, 500, 500) as listener:
        person, agent = await still.person(), await webhook_agent(still, listener.url)
        other = await still.person()
        listener.orders.insert(0, 200)  # the relation
        conversation = await person.use(agent)
        await listener.next()
        first, second = await person.send(conversation), await person.send(conversation)
        calls = [await listener.next()]
        for number, pause in enumerate(PAUSES, 1):
            await delivered_to(person, agent.id, lambda one: True)
            await attempts(person, agent.id, number)
            if number == 1:
                listener.orders.insert(0, 200)
                await other.use(agent)  # another lane does not wait
                assert json.loads((await listener.next())[1])["type"] == "relation.established"
            assert listener.calls.empty()
            await still.advance(pause)
            calls.append(await listener.next())
        ids = {headers["x-hashee-delivery-id"] for headers, _ in calls}
        stamps = [int(headers["x-hashee-timestamp"]) for headers, _ in calls]
        assert len(ids) == 1
        assert [later - earlier for earlier, later in pairwise(stamps)] == list(PAUSES)
        assert json.loads(calls[0][1])["metadata"]["message_id"] == first["message_id"]
        assert json.loads((await listener.next())[1])["metadata"]["message_id"] == second["message_id"]


async def attempts(person: Person, agent_id: str, count: int) -> None:
    """Waits until some delivery of the agent has been tried so often."""
    async with asyncio.timeout(PATIENCE):
        while True:
            log = await person.call("GET", f"/_emulator/hashee/deliveries?agent_id={agent_id}")
            if any(one["attempts"] == count and one["state"] == "pending" for one in log):
                return
            await asyncio.sleep(0.02)


async def test_after_the_last_try_it_is_given_up_and_the_agent_is_unreachable(still: Town) -> None:
    assert [pause_after(number) for number in range(1, 7)] == [*PAUSES, None]
    async with hook(*[500] * 6) as listener:
        person, agent = await still.person(), await webhook_agent(still, listener.url)
        owner = await still.owner()
        await person.use(agent)
        for number, pause in enumerate(PAUSES, 1):
            await listener.next()
            await attempts(person, agent.id, number)
            await still.advance(pause)
        await listener.next()
        owner = await still.owner()
        failed = await delivered_to(owner, agent.id, lambda one: one["state"] == "failed")
        assert (failed["attempts"], failed["status"]) == (6, 500)
        assert (await owner.call("GET", f"/agents/{agent.id}"))["webhook_state"] == "unreachable"


async def test_one_long_step_holds_all_the_tries_each_at_its_moment(still: Town) -> None:
    async with hook(*[500] * 6) as listener:
        person, agent = await still.person(), await webhook_agent(still, listener.url)
        await person.use(agent)
        await listener.next()
        await attempts(person, agent.id, 1)
        began = still.server.program.stage.world.clock.time()
        await still.advance(3600)
        stamps = [int((await listener.next())[0]["x-hashee-timestamp"]) for _ in PAUSES]
        assert stamps == [int(began + after) for after in accumulate(PAUSES)]
        failed = await delivered_to(await still.owner(), agent.id, lambda one: one["state"] == "failed")
        assert (failed["attempts"], failed["status"]) == (6, 500)


async def test_410_ends_all_deliveries(town: Town) -> None:
    async with hook(200, 410) as listener:
        person, agent = await town.person(), await webhook_agent(town, listener.url)
        conversation = await person.use(agent)
        await listener.next()
        for _ in range(3):
            await person.send(conversation)
        await listener.next()
        await delivered_to(person, agent.id, lambda one: one["state"] == "failed")
        owner = await town.owner()
        assert (await owner.call("GET", f"/agents/{agent.id}"))["webhook_state"] == "gone"
        assert listener.calls.empty()


async def test_a_try_that_was_under_way_does_not_undo_a_410(town: Town) -> None:
    held = asyncio.get_running_loop().create_future()
    async with hook(200, 200, held, 410) as listener:
        person, other, agent = await town.person(), await town.person(), await webhook_agent(town, listener.url)
        first, second = await person.use(agent), await other.use(agent)
        await listener.next(), await listener.next()
        await person.send(first)
        await listener.next()
        await other.send(second)
        await listener.next()
        await delivered_to(person, agent.id, lambda one: one["state"] == "failed")
        held.set_result(200)
        await idle(town)
        owner = await town.owner()
        assert (await owner.call("GET", f"/agents/{agent.id}"))["webhook_state"] == "gone"
        same = {"connection_mode": "webhook", "description": "still there"}
        assert (await owner.call("PATCH", f"/agents/{agent.id}", same))["webhook_state"] == "gone"
        await person.send(first)
        log = await person.call("GET", f"/_emulator/hashee/deliveries?agent_id={agent.id}")
        assert len(log) == 4
        again = {"webhook_url": listener.url}
        assert (await owner.call("PATCH", f"/agents/{agent.id}", again))["webhook_state"] == "ok"
        sent = await person.send(first)
        assert json.loads((await listener.next())[1])["metadata"]["message_id"] == sent["message_id"]


@pytest.mark.parametrize("broken", BROKEN_BODIES)
async def test_a_2xx_counts_at_its_header_whatever_becomes_of_the_body(still: Town, broken: str) -> None:
    """`202 Accepted` and then a body that breaks: the webhook has the event, and gets it once."""
    async with hook(b"HTTP/1.1 202 Accepted\r\n" + BROKEN_BODIES[broken]) as listener:
        person, agent = await still.person(), await webhook_agent(still, listener.url)
        conversation = await person.use(agent)
        first, _ = await listener.next()
        log = await delivered_to(person, agent.id, lambda one: one["attempts"] == 1)
        assert (log["state"], log["status"], log["error"]) == ("done", 202, "")
        await still.advance(PAUSES[0])
        sent = await person.send(conversation)
        headers, body = await listener.next()
        assert json.loads(body)["metadata"]["message_id"] == sent["message_id"]
        assert headers["x-hashee-delivery-id"] != first["x-hashee-delivery-id"]


async def test_a_410_counts_at_its_header_too(town: Town) -> None:
    async with hook(b"HTTP/1.1 410 Gone\r\n" + BROKEN_BODIES["short"]) as listener:
        person, agent = await town.person(), await webhook_agent(town, listener.url)
        await person.use(agent)
        await listener.next()
        log = await delivered_to(person, agent.id, lambda one: one["attempts"] == 1)
        assert (log["state"], log["status"]) == ("failed", 410)
        assert (await (await town.owner()).call("GET", f"/agents/{agent.id}"))["webhook_state"] == "gone"


async def idle(town: Town) -> None:
    """Waits until no try is under way."""
    webhooks_of = town.wire._webhooks
    assert webhooks_of is not None
    async with asyncio.timeout(PATIENCE):
        while await town.on_loop(lambda: len(webhooks_of._running)):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("answer", [410, 500])
async def test_what_an_old_address_answers_is_not_held_against_the_new_one(town: Town, answer: int) -> None:
    held = asyncio.get_running_loop().create_future()
    async with hook(200, held) as old, hook() as new:
        person, agent = await town.person(), await webhook_agent(town, old.url)
        conversation = await person.use(agent)
        await old.next()
        sent = await person.send(conversation)
        await old.next()
        owner = await town.owner()
        await owner.call("PATCH", f"/agents/{agent.id}", {"webhook_url": new.url})
        held.set_result(answer)
        assert json.loads((await new.next())[1])["metadata"]["message_id"] == sent["message_id"]
        log = await delivered_to(person, agent.id, lambda one: one["state"] == "done")
        assert log["attempts"] == 2
        assert (await owner.call("GET", f"/agents/{agent.id}"))["webhook_state"] == "ok"


async def test_what_waits_goes_to_a_new_address_at_once(still: Town) -> None:
    async with hook(500) as old, hook() as new:
        person, agent = await still.person(), await webhook_agent(still, old.url)
        await person.use(agent)
        await old.next()
        await attempts(person, agent.id, 1)
        await (await still.owner()).call("PATCH", f"/agents/{agent.id}", {"webhook_url": new.url})
        assert json.loads((await new.next())[1])["type"] == "relation.established"


async def test_a_cursor_from_before_a_reset_takes_nothing_away(town: Town) -> None:
    person, agent = await town.person(), await polling_agent(town)
    await person.use(agent)
    (only,) = (await poll(agent))["data"]
    assert (await poll(agent, cursor=int(only["cursor"]) + 40))["data"] == [only]
    assert (await poll(agent, cursor=only["cursor"]))["data"] == []


async def test_a_try_is_not_made_twice_when_the_clock_is_advanced(still: Town) -> None:
    held = asyncio.get_running_loop().create_future()
    async with hook(200, held) as listener:
        person, other, agent = await still.person(), await still.person(), await webhook_agent(still, listener.url)
        conversation = await person.use(agent)
        await listener.next()
        await person.send(conversation)
        await listener.next()
        await still.advance(CLAIM + 1)
        await other.use(agent)
        assert json.loads((await listener.next())[1])["type"] == "relation.established"
        held.set_result(200)
        await idle(still)
        assert listener.calls.empty()
        log = await person.call("GET", f"/_emulator/hashee/deliveries?agent_id={agent.id}")
        assert [(one["state"], one["attempts"]) for one in log] == [("done", 1)] * 3


async def test_messages_that_leave_by_poll_and_webhook_are_delivered(town: Town) -> None:
    async with hook() as listener:
        person, polling, called = (
            await town.person(),
            await polling_agent(town),
            await webhook_agent(town, listener.url),
        )
        async with person.listening() as ear:
            for agent in (polling, called):
                conversation = await person.use(agent)
                sent = [await person.send(conversation) for _ in range(2)]
                if agent is polling:
                    got = await poll(agent)
                    assert not [frame for frame in await ear.quiet() if frame["type"] == "message.status_updated"]
                    await poll(agent, cursor=got["next_cursor"])
                for seq, message in enumerate(sent, 1):
                    assert await ear.next("message.status_updated") == {
                        "type": "message.status_updated",
                        "message_id": message["message_id"],
                        "conversation_id": conversation,
                        "status": "delivered",
                        "conversation_seq": seq,
                    }


async def test_redirects_are_not_followed(town: Town) -> None:
    async with hook() as inner, hook(f"http://127.0.0.1:{inner.port}/metadata") as listener:
        person, agent = await town.person(), await webhook_agent(town, listener.url)
        await person.use(agent)
        await listener.next()
        await attempts(person, agent.id, 1)
        assert inner.calls.empty()


@pytest.mark.parametrize(
    ("url", "private", "ok"),
    [
        ("https://example.com/x", False, True),
        ("http://example.com/x", True, False),
        ("http://127.0.0.1/x", True, True),
        ("http://127.0.0.1/x", False, False),
        ("https://127.0.0.1/x", False, False),
        ("http://10.1.2.3/", True, True),
        ("http://8.8.8.8/", True, False),
        ("https://8.8.8.8/", False, True),
        ("http://169.254.169.254/latest", True, False),
        ("https://[::ffff:169.254.169.254]/", True, False),
        ("https://[::ffff:10.0.0.1]/", False, False),
        ("https://[64:ff9b::a00:1]/", False, False),
        ("https://0.0.0.0/", True, False),
        ("http://localhost:9/x", True, True),
        ("http://localhost.:9/x", True, True),
        ("http://[::1]:9/x", True, True),
        ("https://[::1]:9/x", True, True),
        ("https://[::1]:9/x", False, False),
        ("http://[::ffff:127.0.0.1]:9/x", True, True),
        ("http://agent:9/x", True, True),
        ("ftp://example.com/", True, False),
        ("https://user:secret@example.com/", True, False),
        ("https://", True, False),
        ("nonsense", True, False),
    ],
)
def test_a_webhook_url_is_judged(url: str, private: bool, ok: bool) -> None:
    assert (check_url(url, private=private) == "") is ok


UNDELIVERABLE = {
    "http://127.0.0.1:9/a b": "character 21 is %20",
    "http://127.0.0.1:9/hook\n": "character 24 is %0A",
    "http://127.0.0.1:9/a\tb": "control characters",
    " http://127.0.0.1:9/": "character 1 is %20",
    "http://127.0.0.1:9/\x7f": "control characters",
    "http://local host/": "no spaces",
    "https://example.com/훅": "ASCII is expected: write 훅 as %ED%9B%85",
    "https://bücher.example/": "a host in ASCII is expected: xn--bcher-kva.example",
    "http://１２７.0.0.1:9/": "a host in ASCII is expected: 127.0.0.1",
    "http://@127.0.0.1:9/": "no user name",
    "http://:@127.0.0.1:9/": "no user name",
    "http://127.0.0.1:0/": "port",
    "http://127.0.0.1:65536/": "port",
    "http://127.0.0.1:http/": "port",
    "http://127.0.0.1:+9/": "port",
    "file:///etc/hosts": "https://HOST/PATH",
    "ws://127.0.0.1:9/": "https://HOST/PATH",
    "http:127.0.0.1:9": "https://HOST/PATH",
    "127.0.0.1:9/hook": "https://HOST/PATH",
    "http:///hook": "https://HOST/PATH",
    "http://:9/": "https://HOST/PATH",
    "http://a..test/": "is no host",
    "http://-a.test/": "is no host",
    f"http://{'a' * 64}.test/": "is no host",
    "http://a*b.test/": "is no host",
    "http://{host}/": "is no host",
    "http://%6cocalhost/": "is no host",
    "https://256.0.0.1/": "is no address",
    "https://1.2.3/": "is no address",
    "http://2852039166/": "is no address",
    "http://[::1%25lo]:9/": "is no host",
    "http://[v1.x]/": "IPv6",
    "http://[127.0.0.1/": "https://HOST/PATH",
    f"https://example.com/{'a' * 2000}": "at most 2000 characters",
}


@pytest.mark.parametrize("url", UNDELIVERABLE)
def test_a_url_to_which_nothing_can_be_sent_is_refused_with_the_reason(url: str) -> None:
    assert UNDELIVERABLE[url] in check_url(url, private=True)


@given(st.text(st.characters(max_codepoint=0x10FFFF), max_size=40))
def test_whatever_is_typed_as_an_address_is_judged(text: str) -> None:
    for url in (text, f"http://{text}", f"https://localhost{text}", f"http://127.0.0.1/{text}"):
        assert isinstance(check_url(url, private=True), str)


async def test_a_webhook_can_have_whatever_url_is_taken() -> None:
    """What the judge lets through is sent as it is."""
    async with hook() as listener:
        outbound = Outbound(private=True, timeout=5)
        try:
            for path in ("", "?a=1", '/{id}|^`\\"<>', "/%zz", "/x#part", "/~a;b=c,d'!$&()*+@:"):
                url = f"http://127.0.0.1:{listener.port}{path}"
                assert (check_url(url, private=True), await outbound.post(url, {}, b"{}")) == ("", 200), url
        finally:
            await outbound.close()


def test_addresses_that_are_never_used() -> None:
    for text in ("224.0.0.1", "255.255.255.255", "fe80::1", "::", "ff02::1", "0.0.0.0", "169.254.1.1"):
        assert why_not_connect(ipaddress.ip_address(text), secure=True, private=True), text


async def test_every_address_of_a_host_is_judged() -> None:
    async def look(host: str, port: int) -> list[str]:
        return ["93.184.216.34", "10.0.0.1"]

    with pytest.raises(TargetRefused):
        await allowed("example.com", 443, secure=True, private=False, look=look)


async def test_a_webhook_on_localhost_is_reached_where_that_is_an_ipv6_address() -> None:
    async def look(host: str, port: int) -> list[str]:
        return ["::1", "127.0.0.1"]

    assert await allowed("localhost", 80, secure=False, private=True, look=look) == ["::1", "127.0.0.1"]
    with pytest.raises(TargetRefused, match="private network"):
        await allowed("localhost", 443, secure=True, private=False, look=look)


async def test_every_address_of_a_host_is_tried() -> None:
    """`localhost` on a machine where it is `::1` first, and the receiver listens on 127.0.0.1 only."""

    async def look(host: str, port: int) -> list[str]:
        return ["::1", "127.0.0.9", "127.0.0.1"]

    outbound = Outbound(private=True, timeout=PATIENCE, look=look)
    async with hook() as listener:
        assert await outbound.post(f"http://localhost:{listener.port}/hook", {}, b"{}") == 200
    with pytest.raises(OSError, match=r"connect|failed"):
        await outbound.post(f"http://localhost:{listener.port}/hook", {}, b"{}")
    await outbound.close()


async def test_a_name_that_is_rebound_leads_to_the_judged_address_or_nowhere() -> None:
    """The first lookup is harmless, the next are not: each connection goes where its own lookup leads."""
    answers = [["127.0.0.1"], ["169.254.169.254"], ["93.184.216.34"]]
    asked: list[str] = []

    async def look(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    async with hook() as listener:
        outbound = Outbound(private=True, timeout=5, look=look)
        try:
            url = f"http://rebinding.test:{listener.port}/"
            assert await outbound.post(url, {}, b"{}") == 200
            assert (await listener.next())[0]["host"] == f"rebinding.test:{listener.port}"
            with pytest.raises(OSError, match=r"169\.254"):
                await outbound.post(url, {}, b"{}")
            with pytest.raises(OSError, match="plain http"):  # public, and not by https
                await outbound.post(url, {}, b"{}")
        finally:
            await outbound.close()
        assert asked == ["rebinding.test"] * 3
        assert listener.calls.empty()


async def test_a_webhook_that_says_too_much_or_nothing_is_bounded() -> None:
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(1000):
                pass
        finally:
            writer.close()
            ended.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    outbound = Outbound(private=True, timeout=0.2)
    try:
        with pytest.raises(OSError):  # noqa: PT011 - a time-out is one
            await outbound.post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}, b"{}")
    finally:
        await outbound.close()
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
        server.close()
        await server.wait_closed()


async def test_a_refused_target_stops_the_change(town: Town) -> None:
    owner, agent = await town.owner(), town.agent()
    for name, url in (("webhook_url", "http://169.254.169.254/"), ("health_check_url", "http://127.0.0.1:9/a b")):
        body = {"connection_mode": "webhook", "webhook_url": "https://example.com/", name: url}
        answer = await owner.http.patch(f"/agents/{agent.id}", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "WEBHOOK_URL_REFUSED")
        assert answer.json()["error"]["params"] == {"field": name}
    assert "no spaces" in answer.json()["error"]["message"]
    assert await owner.refused("PATCH", f"/agents/{agent.id}", {"connection_mode": "webhook"}) == (
        400,
        "INVALID_REQUEST",
    )


async def test_an_agent_says_five_messages_a_second(still: Town) -> None:
    person, agent = await still.person(), still.agent()
    conversation = await person.use(agent)
    async with agent.listening() as ear:
        await still.advance(1)
        for _ in range(5):
            await agent.send(conversation)
        body = {"conversation_id": conversation, "content_type": "text", "encrypted_payload": PAYLOAD}
        answer = await agent.http.post(f"/agents/{agent.id}/messages", json=body)
        assert (answer.status_code, answer.headers["retry_after"]) == (429, "1")
        assert answer.json()["error"]["code"] == "RATE_LIMITED"
        assert (await ear.next("error"))["payload"] == {
            "code": "RATE_LIMITED",
            "message": "Too many requests",
            "i18n_key": "error.rate_limited",
        }
        await still.advance(1)
        await agent.send(conversation)


async def test_what_was_said_already_is_not_counted_again(still: Town) -> None:
    person, agent = await still.person(), still.agent()
    conversation = await person.use(agent)
    await still.advance(1)
    said = [await agent.send(conversation, client_message_id=f"m{number}") for number in range(5)]
    for number, sent in enumerate(said):  # by one who did not see the answers
        assert await agent.send(conversation, client_message_id=f"m{number}") == sent
    more = {"conversation_id": conversation, "content_type": "text", "encrypted_payload": PAYLOAD}
    path = f"/agents/{agent.id}/messages"
    assert await agent.refused("POST", path, {**more, "client_message_id": "m5"}) == (429, "RATE_LIMITED")


async def test_a_poll_ends_with_its_client(town: Town) -> None:
    agent = await polling_agent(town)
    polls = [asyncio.create_task(poll(agent, wait=60)) for _ in range(POLLERS)]
    path = f"/agents/{agent.id}/messages/poll?wait=0"
    post = town.wire._post
    assert post is not None
    async with asyncio.timeout(PATIENCE):
        while await town.on_loop(lambda: post._polls[agent.id]) < POLLERS:
            await asyncio.sleep(0.01)
    assert (await agent.http.get(path)).status_code == 429
    for one in polls:
        one.cancel()
    await asyncio.gather(*polls, return_exceptions=True)
    async with asyncio.timeout(PATIENCE):
        while (await agent.http.get(path)).status_code != 200:
            await asyncio.sleep(0.01)


async def test_a_poll_is_answered_when_the_server_stops(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = LiveServer(tmp_path / "data", fixtures=write_cast(tmp_path / "fixtures"), watch=False)
    await asyncio.to_thread(server.__enter__)
    town = Town(server)
    try:
        agent = await polling_agent(town)
        waiting = asyncio.create_task(poll(agent, wait=60))
        post = town.wire._post
        assert post is not None
        async with asyncio.timeout(PATIENCE):
            while not await town.on_loop(lambda: post._polls[agent.id]):
                await asyncio.sleep(0.01)
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)
    assert await waiting == {"data": [], "next_cursor": None}
    for client in town.clients:
        await client.aclose()
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_poll_ends_in_time_whatever_happens_meanwhile(town: Town) -> None:
    person, agent = await town.person(), await polling_agent(town)
    sent = await person.send(await person.use(agent))
    cursor = (await poll(agent))["next_cursor"]
    waiting = asyncio.create_task(poll(agent, cursor=cursor, wait=1))
    began = asyncio.get_running_loop().time()
    while not waiting.done():  # the agent is concerned, and nothing of it is polled
        await person.call("POST", f"/messages/{sent['message_id']}/reactions", {"emoji": "x"})
        assert asyncio.get_running_loop().time() - began < PATIENCE
    assert (await waiting)["data"] == []


async def test_a_webhook_that_hangs_holds_up_no_other_agent(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "AT_ONCE", 4)
    monkeypatch.setattr(webhooks, "AT_ONCE_EACH", 3)
    person, hanging = await town.person(), asyncio.Event()
    begun: asyncio.Queue[None] = asyncio.Queue()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun.put_nowait(None)
        await hanging.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    bad = await webhook_agent(town, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    try:
        await person.use(bad)
        for number in range(6):
            body = {"name": f"G{number}", "agent_ids": [bad.id]}
            await person.send((await person.call("POST", "/groups", body))["conversation_id"])
        for _ in range(3):
            async with asyncio.timeout(PATIENCE):
                await begun.get()
        async with hook() as honest:
            await person.use(await webhook_agent(town, honest.url))
            await honest.next()
            assert begun.empty(), "no more than three at once"
    finally:
        hanging.set()
        server.close()
        await server.wait_closed()


async def test_a_webhook_does_not_reach_the_control_plane(town: Town) -> None:
    person, victim = await town.person(), await town.person()
    agent = await webhook_agent(town, f"{town.server.http}/_emulator/hashee/users/{victim.id}/invalidate")
    await person.use(agent)
    log = await delivered_to(person, agent.id, lambda entry: entry["attempts"] > 0)
    assert (log["status"], log["error"]) == (403, "the webhook answered 403")
    assert (await victim.call("GET", "/users/me"))["user_id"] == victim.id
