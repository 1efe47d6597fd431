"""Sockets: who it is, how long it lasts, how it ends."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from app.emulation.faults.files import read_faults
from app.emulation.journal import Query
from app.emulation.lines import PONGS
from app.emulation.report import Report
from tests.hashee.people import Person, Town, agent_token, opened
from tests.live import PATIENCE


async def test_a_person_and_an_agent_are_let_in(town: Town) -> None:
    async with (await town.person()).listening(), town.agent().listening():
        pass


@pytest.mark.parametrize(
    ("path", "frame", "reason"),
    [
        ("/ws/human", {"token": "nonsense"}, "invalid_token"),
        ("/ws/human", {"token": agent_token(1)}, "invalid_token"),
        ("/ws/agent", {"token": "hsk_short"}, "invalid_token"),
        ("/ws/agent", {"token": "hsk_" + "z" * 40}, "invalid_token"),
        ("/ws/agent", {"token": agent_token(1), "agent_id": "somebody else"}, "agent_mismatch"),
        ("/ws/agent", {"token": agent_token(1)}, "agent_mismatch"),
    ],
)
async def test_who_is_not_let_in_hears_why(town: Town, path: str, frame: dict[str, str], reason: str) -> None:
    async with opened(town.server, path) as ear:
        await ear.say({"type": "auth", **frame})
        told = await ear.next("auth.error")
        assert list(told) == ["type", "reason", "message", "i18n_key"]
        assert told["reason"] == reason
        assert await ear.closed() == (4401, reason)


@pytest.mark.parametrize("frame", ["no json", "[]", '{"type": "ping"}', '{"type": "auth"}', b"\x00"])
async def test_the_first_frame_has_to_be_auth(town: Town, frame: str | bytes) -> None:
    async with opened(town.server, "/ws/human") as ear:
        await ear.say(frame)
        assert (await ear.closed())[0] == 4401
        assert ear.heard == []


async def test_without_auth_a_socket_ends_after_five_seconds(still: Town) -> None:
    async with opened(still.server, "/ws/human") as ear:
        await ear.socket.ping()
        await still.advance(4.5)
        assert ear.socket.close_code is None
        await still.advance(1)
        assert await ear.closed() == (4401, "auth_timeout")
        assert ear.heard[0]["reason"] == "auth_timeout"


async def test_an_expired_token_is_refused_over_the_socket_and_rest(still: Town) -> None:
    person = await still.person()
    await still.advance(301)
    assert await person.refused("GET", "/users/me") == (401, "TOKEN_EXPIRED")
    async with opened(still.server, "/ws/human") as ear:
        await ear.say({"type": "auth", "token": person.token})
        told = await ear.next("auth.error")
        assert told == {
            "type": "auth.error",
            "reason": "expired_token",
            "message": "Token expired",
            "i18n_key": "error.auth.expired",
        }
        assert (await ear.closed())[0] == 4401


async def test_a_token_is_announced_to_lapse_renewed_and_lapses(still: Town) -> None:
    person = await still.person()
    async with person.listening() as ear:
        await still.pass_time(241)
        assert await ear.next() == {"type": "auth.expiring", "expires_in_seconds": 59}
        answer = await person.http.post("/auth/refresh")
        await ear.say({"type": "auth.renew", "access_token": "nonsense"})
        assert (await ear.next())["type"] == "auth.error"
        await ear.say({"type": "auth.renew", "access_token": answer.json()["data"]["access_token"]})
        assert await ear.next() == {"type": "auth.ok"}
        await still.pass_time(100)  # the first token is over, the second is not
        assert await ear.quiet() == []
        await still.pass_time(300)
        told = await ear.next("session.invalidated")
        assert list(told["payload"]) == ["reason", "message", "i18n_key"]
        assert told["payload"]["reason"] == "token_expired"
        assert await ear.closed() == (4410, "token_expired")


async def test_the_renewal_has_to_be_of_the_same_session(town: Town) -> None:
    person, other = await town.person(), await town.person()
    async with person.listening() as ear:
        await ear.say({"type": "auth.renew", "access_token": other.token})
        assert (await ear.next())["reason"] == "invalid_token"
        assert await ear.quiet() == []


async def test_pings_are_answered_both_ways_and_a_silent_socket_ends(still: Town) -> None:
    agent = still.agent()
    async with agent.listening() as ear:
        await ear.say({"type": "ping"})
        assert await ear.next() == {"type": "pong"}
        (served,) = await still.on_loop(lambda: still.wire.gateway.hub.of(f"a:{agent.id}"))
        for count in range(1, 5):  # the client's library answers the server's control pings
            await still.advance(31)
            async with asyncio.timeout(PATIENCE):
                while await still.on_loop(lambda: served.websocket.scope["extensions"][PONGS]["count"]) < count:
                    await asyncio.sleep(0.01)
            await still.advance(0.5)  # a look at the sockets
        assert ear.socket.close_code is None


@asynccontextmanager
async def mute(town: Town, agent: Person) -> AsyncIterator[Callable[[Opcode], Awaitable[bytes]]]:
    """A socket of an agent that answers neither pings nor a close, and reads only what is asked for: gives the next
    frame of a kind.
    """
    protocol = ClientProtocol(parse_uri(f"{town.server.ws}/ws/agent?agent_id={agent.id}"))
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.connect(("127.0.0.1", town.server.port))
    reader, writer = await asyncio.open_connection(sock=plain)

    async def heard(kind: Opcode) -> bytes:
        """The next frame of a kind; what would be said to others is not."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for event in protocol.events_received():
                    if isinstance(event, Frame) and event.opcode is kind:
                        return bytes(event.data)
                protocol.receive_data(await reader.read(4096))

    try:
        protocol.send_request(protocol.connect())
        writer.write(b"".join(protocol.data_to_send()))
        while protocol.state is not State.OPEN:
            protocol.receive_data(await reader.read(4096))
        protocol.send_text(json.dumps({"type": "auth", "token": agent.token}).encode())
        writer.write(b"".join(protocol.data_to_send()))
        assert json.loads(await heard(Opcode.TEXT)) == {"type": "auth.ok"}
        yield heard
    finally:
        writer.close()


async def test_a_socket_that_answers_no_ping_ends(still: Town) -> None:
    async with mute(still, still.agent()) as heard:
        for _ in range(2):
            await still.advance(31)
            await heard(Opcode.PING)
        await still.advance(31)
        assert await heard(Opcode.CLOSE) == (4408).to_bytes(2, "big") + b"no sign of life"


async def test_whoever_answers_outlives_a_clock_that_is_advanced_at_once(still: Town) -> None:
    person = await still.person()
    async with person.listening() as ear:
        (served,) = await still.on_loop(lambda: still.wire.gateway.hub.of(f"u:{person.id}"))
        await still.advance(245)
        assert await ear.next("auth.expiring") == {"type": "auth.expiring", "expires_in_seconds": 55}
        async with asyncio.timeout(PATIENCE):
            while await still.on_loop(lambda: served.websocket.scope["extensions"][PONGS]["count"]) < 1:
                await asyncio.sleep(0.01)
        await still.advance(31)
        assert await ear.quiet() == []
        await still.advance(31)
        assert (await ear.next())["payload"]["reason"] == "token_expired"


async def test_what_is_no_frame_is_answered_and_the_socket_stays(town: Town) -> None:
    async with (await town.person()).listening() as ear:
        for frame in ("no json", "[]", '{"type": "unknown"}', '{"type": "typing", "conversation_id": "x"}', b"\x01"):
            await ear.say(frame)
            told = await ear.next()
            assert (told["type"], told["payload"]["code"]) == ("error", "INVALID_FRAME")
            assert list(told["payload"]) == ["code", "message", "i18n_key"]
        await ear.say({"type": "auth", "token": "x"})
        assert (await ear.next())["reason"] == "already_authenticated"


async def test_each_session_of_a_user_has_its_socket_and_a_second_one_replaces_it(town: Town) -> None:
    phone = await town.person()
    number = int((await phone.call("GET", "/users/me"))["email"].partition("@")[0].removeprefix("user"))
    laptop = await town.person(number)
    other = await town.person()
    conversation = await other.pair(phone)
    async with phone.listening() as one, laptop.listening() as two:
        await other.send(conversation)
        assert (await one.next())["type"] == (await two.next())["type"] == "message.new"
        async with phone.listening() as again:
            assert await one.closed() == (4409, "replaced")
            await other.send(conversation)
            assert (await again.next())["conversation_seq"] == (await two.next("message.new"))["conversation_seq"] == 2


async def test_an_agent_has_one_socket_and_users_hear_of_it_once(town: Town) -> None:
    person, agent = await town.person(), town.agent()
    await person.use(agent)
    async with person.listening() as ear:
        async with agent.listening() as first:
            told = await ear.next()
            assert told == {"type": "agent.status", "payload": {"agent_id": agent.id, "status": "online"}}
            async with agent.listening():
                assert await first.closed() == (4409, "replaced")
                assert await ear.quiet() == []
        assert (await ear.next())["payload"]["status"] == "offline"


async def test_a_replaced_socket_that_ends_last_is_not_taken_for_the_agent(town: Town) -> None:
    """A client that hangs keeps its socket, whose close waits behind what it does not read; another one takes over."""
    person, agent = await town.person(), town.agent()
    conversation = await person.use(agent)
    async with person.listening() as ear:

        async def told(status: str) -> None:
            told = (await ear.next("agent.status"))["payload"]
            assert told == {"agent_id": agent.id, "status": status}

        async with mute(town, agent):
            await told("online")
            for _ in range(16):
                await person.send(conversation, "A" * 200_000)
            async with agent.listening():
                assert "agent.status" not in str(await ear.quiet())
            await told("offline")
            async with agent.listening():
                await told("online")
            await told("offline")
        async with agent.listening():
            await told("online")
            assert "agent.status" not in str(await ear.quiet())


async def test_a_frame_that_is_too_large_ends_the_socket(town: Town) -> None:
    async with (await town.person()).listening() as ear:
        await ear.say(json.dumps({"type": "ping", "x": "y" * 200_000}))
        assert await ear.next() == {"type": "pong"}
        await ear.say(json.dumps({"type": "ping", "x": "y" * 300_000}))
        assert (await ear.closed())[0] == 1009


async def test_a_flood_is_refused_and_after_ten_seconds_ends_the_socket(still: Town) -> None:
    async with (await still.person()).listening() as ear:
        for _ in range(10):
            for _ in range(101):
                await ear.say({"type": "ping"})
            assert (await ear.next("error"))["payload"]["code"] == "RATE_LIMITED"
            await still.advance(1.0)
        for _ in range(101):
            await ear.say({"type": "ping"})
        assert await ear.closed() == (1008, "rate limit")


async def test_governance_cuts_an_agent_off(town: Town) -> None:
    agent = town.agent()
    async with agent.listening() as ear:
        await agent.call(
            "POST", f"/_emulator/hashee/agents/{agent.id}/govern", {"status": "suspended", "reason": "Policy violation"}
        )
        assert await ear.next() == {
            "type": "agent.governance",
            "payload": {
                "agent_template_id": agent.id,
                "governance_status": "suspended",
                "reason": "Policy violation",
            },
        }
        assert await ear.closed() == (4403, "suspended")
    assert await agent.refused("GET", "/conversations") == (403, "AGENT_SUSPENDED")
    async with opened(town.server, "/ws/agent", agent_id=agent.id) as ear:
        await ear.say({"type": "auth", "token": agent.token})
        assert (await ear.next())["type"] == "auth.error"
    await agent.call("POST", f"/_emulator/hashee/agents/{agent.id}/govern", {"status": "active"})
    async with agent.listening():
        pass


async def test_an_invalidated_session_ends_with_its_reason(town: Town) -> None:
    person = await town.person()
    async with person.listening() as ear:
        await person.call("POST", f"/_emulator/hashee/users/{person.id}/invalidate")
        assert await ear.next() == {
            "type": "session.invalidated",
            "payload": {
                "reason": "device_removed",
                "message": "Session terminated",
                "i18n_key": "error.session.invalidated",
            },
        }
        assert await ear.closed() == (4410, "device_removed")
    assert await person.refused("GET", "/users/me") == (401, "INVALID_TOKEN")


async def test_the_control_plane_lets_tokens_lapse(town: Town) -> None:
    person = await town.person()
    async with person.listening() as ear:
        await person.call("POST", f"/_emulator/hashee/users/{person.id}/expire")
        assert (await ear.next())["payload"]["reason"] == "token_expired"
        assert (await ear.closed())[0] == 4410
    assert await person.refused("GET", "/users/me") == (401, "TOKEN_EXPIRED")
    renewed = (await person.http.post("/auth/refresh")).json()["data"]["access_token"]
    person.http.headers["Authorization"] = f"Bearer {renewed}"
    assert (await person.call("GET", "/users/me"))["user_id"] == person.id


async def test_the_control_plane_and_the_journal_tell_whose_socket_it_is(town: Town) -> None:
    person, agent = await town.person(), town.agent()
    conversation = await person.use(agent)
    async with person.listening(), opened(town.server, "/ws/agent") as ear:
        await ear.say({"type": "auth", "token": agent.token, "agent_id": agent.id})
        await ear.next("auth.ok")
        found = (await person.http.get("/_emulator/connections")).json()["connections"]
        assert {person.id, agent.id} <= {one["user"] for one in found}
        await person.send(conversation)
        sent = await ear.next("message.new")
        asked = {"room": conversation, "kind": "out"}
        entries = (await person.http.get("/_emulator/journal", params=asked)).json()["entries"]
        assert sent in [json.loads(entry["text"]) for entry in entries]


async def test_a_fault_for_one_user_breaks_their_socket_alone(town: Town) -> None:
    person, other = await town.person(), await town.person()
    rule = {"fault": "close", "code": 4000, "after_seconds": 0.05, "when": {"wire": "hashee", "user": person.id}}
    assert (await person.http.post("/_emulator/faults", json={"faults": [rule]})).status_code == 201
    try:
        async with other.listening() as stays, person.listening() as goes:
            assert (await goes.closed())[0] == 4000
            assert await stays.quiet() == []
    finally:
        assert (await person.http.delete("/_emulator/faults")).status_code == 200


@pytest.mark.parametrize(("named", "told"), [("", "agent_id is missing"), ("nope", "another agent's")])
async def test_an_agent_that_is_not_named_rightly_hears_how(town: Town, named: str, told: str) -> None:
    agent = town.agent()
    async with opened(town.server, "/ws/agent", **({"agent_id": named} if named else {})) as ear:
        await ear.say({"type": "auth", "token": agent.token})
        heard = await ear.next()
        assert heard["reason"] == "agent_mismatch"
        assert told in heard["message"]


async def test_a_path_without_a_socket_hears_of_those_with_one(town: Town) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{town.server.ws}/ws/people")
    told = json.loads(refused.value.response.body or b"")["message"]
    assert told == "no WebSocket at /ws/people; known: /v1/, /v3/, /v4/, /api/v1/*, /ws/human, /ws/agent"


async def test_tokens_lapse_and_are_renewed_while_the_time_stands_still(still: Town) -> None:
    person, device = await still.person(), await still.person()
    async with person.listening() as ear, device.listening() as untouched:
        await person.call("POST", f"/_emulator/hashee/users/{person.id}/expire")
        assert (await ear.next())["payload"]["reason"] == "token_expired"
        assert (await ear.closed())[0] == 4410
        assert await untouched.quiet() == []
    for _ in range(2):
        assert await person.refused("GET", "/users/me") == (401, "TOKEN_EXPIRED")
        renewed = (await person.http.post("/auth/refresh")).json()["data"]["access_token"]
        person = dataclasses.replace(person, token=renewed)
        person.http.headers["Authorization"] = f"Bearer {renewed}"
        async with person.listening():
            assert (await person.call("GET", "/users/me"))["user_id"] == person.id
        await person.call("POST", f"/_emulator/hashee/users/{person.id}/expire")


async def test_an_unknown_profile_is_refused_before_the_handshake(town: Town) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{town.server.ws}/ws/human?profile=1999-01")
    assert refused.value.response.status_code == 400


async def test_a_closed_socket_leaves_nothing_behind(town: Town) -> None:
    async def counts() -> tuple[int, int, int]:
        found: tuple[int, int, int] = await town.on_loop(
            lambda: (len(town.wire.gateway.sockets), len(town.wire.gateway.hub), len(town.server.program.stage.lines))
        )
        return found

    person, agent = await town.person(), town.agent()
    before = await counts()
    async with person.listening(), agent.listening(), opened(town.server, "/ws/human"):
        assert (await counts())[0] == before[0] + 3
    async with asyncio.timeout(PATIENCE):
        while await counts() != before:
            await asyncio.sleep(0.01)


async def test_faults_know_the_frames_and_the_user(town: Town, tmp_path: Path) -> None:
    person, other = await town.person(), await town.person()
    conversation = await person.pair(other)
    when = f"{{wire: hashee, frame: message.new, user: {person.id}, room: {conversation}}}"
    (tmp_path / "faults.yaml").write_text(f"faults: [{{fault: drop, when: {when}}}]", encoding="utf-8")
    rules = read_faults(tmp_path, Report())
    faults = town.server.program.stage.faults
    await town.on_loop(lambda: faults.replace(rules, origin="test"))
    try:
        async with person.listening() as ear:
            await other.send(conversation)
            await other.call("POST", f"/conversations/{conversation}/read", {"seq": 1})
            assert [frame["type"] for frame in await ear.quiet()] == ["message.read"]
    finally:
        await town.on_loop(lambda: faults.replace((), origin="test"))


async def test_the_journal_shows_frames_by_their_type_and_no_token(town: Town) -> None:
    person = await town.person()
    async with person.listening() as ear:
        await ear.quiet()
    told = await town.on_loop(lambda: [entry.plain() for entry in town.server.program.stage.journal.find(Query())])
    mine = [entry for entry in told if entry["wire"] == "hashee"]
    assert {"auth", "auth.ok", "ping", "pong"} <= {entry.get("type") for entry in mine}
    assert person.token not in json.dumps(told)


async def test_a_socket_is_pinged_every_thirty_seconds_whatever_it_says(still: Town) -> None:
    person = await still.person()
    async with person.listening() as ear:
        (served,) = await still.on_loop(lambda: still.wire.gateway.hub.of(f"u:{person.id}"))
        for _ in range(2):
            await still.advance(20)
            await ear.quiet()
        async with asyncio.timeout(PATIENCE):
            while await still.on_loop(lambda: served.websocket.scope["extensions"][PONGS]["count"]) < 1:
                await asyncio.sleep(0.01)


async def test_seconds_of_silence_end_a_flood(still: Town) -> None:
    async with (await still.person()).listening() as ear:
        for _ in range(2):
            for _ in range(101):
                await ear.say({"type": "ping"})
            assert (await ear.next("error"))["payload"]["code"] == "RATE_LIMITED"
            await still.advance(11)
        assert await ear.quiet() == []


async def test_an_agent_of_another_mode_has_no_socket(town: Town) -> None:
    owner, agent = await town.owner(), town.agent()
    await owner.call("PATCH", f"/agents/{agent.id}", {"connection_mode": "polling"})
    async with opened(town.server, "/ws/agent", agent_id=agent.id) as ear:
        await ear.say({"type": "auth", "token": agent.token})
        assert await ear.closed() == (4409, "mode_switched")
        assert ear.heard == []
    await owner.call("PATCH", f"/agents/{agent.id}", {"connection_mode": "websocket"})
    async with agent.listening():
        pass


async def test_where_the_store_fails_nobody_is_told_that_a_token_is_wrong(town: Town) -> None:
    person = await town.person()
    fault = {"fault": "store-locked", "operation": "read"}
    async with opened(town.server, "/ws/human") as ear:
        assert (await person.http.post("/_emulator/faults", json={"faults": [fault]})).status_code == 201
        try:
            await ear.say({"type": "auth", "token": person.token})
            assert await ear.closed() == (1013, "the store does not answer")
            assert ear.heard == []
        finally:
            assert (await person.http.delete("/_emulator/faults")).status_code == 200


async def test_where_the_store_fails_after_auth_the_socket_ends_in_order(town: Town) -> None:
    agent, person = town.agent(), await town.person()
    fault = {"fault": "store-locked", "operation": "write"}
    async with opened(town.server, "/ws/agent", agent_id=agent.id) as ear:
        assert (await person.http.post("/_emulator/faults", json={"faults": [fault]})).status_code == 201
        try:
            await ear.say({"type": "auth", "token": agent.token})
            assert await ear.next() == {"type": "auth.ok"}
            assert await ear.closed() == (1013, "the store does not answer")
        finally:
            assert (await person.http.delete("/_emulator/faults")).status_code == 200
    async with agent.listening():
        pass
