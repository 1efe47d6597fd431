"""The other side: people and agents who answer by themselves; the fixture file while the server runs; the examples."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from app.hashee.fixtures import PASSWORD, uid
from tests.hashee.conftest import STORES, store_of
from tests.hashee.people import Ear, Person, Town, write_cast
from tests.live import PATIENCE, Json, LiveServer

ROOT = Path(__file__).parents[2]

CAST = """
users:
  - {email: me@example.com}
  - email: bob@example.com
    display_name: Bob
    script:
      - {when: {contains: lunch}, say: At noon, react: thumbsup}
      - {when: later, say: done, pause: 20}
      - {when: sealed, payload: AAEC}
      - {say: "{{msg}}"}
agents:
  - {name: mint, owner: me@example.com, display_name: Mint, answers: {graph: companion, space: minty}}
  - {name: echo, owner: me@example.com, display_name: Echo, script: [{when: {regex: "^say "}, say: said}]}
relations:
  - {user: me@example.com, agent: mint}
  - {user: me@example.com, agent: echo}
conversations:
  - between: [me@example.com, bob@example.com]
groups:
  - {name: All, owner: me@example.com, members: [bob@example.com], agents: [mint, echo]}
"""
REPLIES = """
replies:
  - {when: {space: minty, msg: {contains: fail}}, error: {status: 500, body: no}}
  - {when: {space: minty}, tokens: [Hello, " ", there]}
"""


def write(folder: Path) -> Path:
    (folder / "replies").mkdir(parents=True)
    (folder / "spaces.yaml").write_text("spaces: [{uid: test, default: true}]", encoding="utf-8")
    (folder / "hashee.yaml").write_text(CAST, encoding="utf-8")
    (folder / "replies" / "minty.yaml").write_text(REPLIES, encoding="utf-8")
    return folder


@pytest.fixture(scope="module", params=STORES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("peers")
    fixtures, store = write(folder / "fixtures"), store_of(request)
    with LiveServer(folder / "data", fixtures=fixtures, seed=3, store=store) as running:
        yield running


CLIENTS: list[httpx.AsyncClient] = []


@pytest.fixture(autouse=True)
async def clients_are_closed() -> AsyncIterator[None]:
    yield
    while CLIENTS:
        await CLIENTS.pop().aclose()


def sealed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def me(server: LiveServer) -> Person:
    http = Town(server).client()
    CLIENTS.append(http)
    answer = await http.post("/auth/login", json={"email": "me@example.com", "account_password": PASSWORD})
    data = answer.json()["data"]
    http.headers["Authorization"] = f"Bearer {data['access_token']}"
    return Person(server, data["user_id"], data["access_token"], http)


async def place(person: Person, name: str) -> str:
    found = await person.call("GET", "/conversations")
    return str(next(one["conversation_id"] for one in found if one["name"] == name))


async def answer(ear: Ear, conversation: str) -> Json:
    """The next message of somebody else there."""
    while True:
        frame = await ear.next("message.new")
        if frame["conversation_id"] == conversation:
            return frame


async def test_a_person_answers_by_script(server: LiveServer) -> None:
    person = await me(server)
    bob = await place(person, "Bob")
    async with person.listening() as ear:
        await person.send(bob, payload=sealed("lunch?"))
        assert (await ear.next("reaction.update"))["payload"]["reactions"][0]["user_ids"] == [
            uid("user", "bob@example.com")
        ]
        assert (await answer(ear, bob))["encrypted_payload"] == sealed("At noon")
        await person.send(bob, payload=sealed("later"))
        assert (await answer(ear, bob))["encrypted_payload"] == sealed("done")
        await person.send(bob, payload="sealed")  # no base64: read as it is
        assert (await answer(ear, bob))["encrypted_payload"] == "AAEC"
        odd = base64.b64encode(b"\xff\xfe").decode()
        await person.send(bob, payload=odd)
        assert (await answer(ear, bob))["encrypted_payload"] == odd


async def test_a_graph_answers_as_a_stream(server: LiveServer) -> None:
    person = await me(server)
    mint = await place(person, "Mint")
    async with person.listening() as ear:
        await person.send(mint, payload=sealed("hello"))
        done = await ear.next("stream.done")
        kinds = [frame["type"] for frame in ear.heard if frame.get("stream_id") == done["stream_id"]]
        assert kinds[0] == "stream.start"
        assert kinds[-1] == "stream.done"
        deltas = [frame["encrypted_payload"] for frame in ear.heard if frame["type"] == "stream.delta"]
        assert "".join(base64.b64decode(one).decode() for one in deltas) == "Hello there"
        assert done["encrypted_payload"] == sealed("Hello there")
        typing = [frame["payload"]["typing"] for frame in ear.heard if frame["type"] == "agent.typing"]
        assert typing == [True, False]
    newest, _ = (await person.call("GET", f"/conversations/{mint}/messages"))[:2]
    assert newest["message_id"] == done["message_id"]


async def test_a_graph_that_fails_leaves_no_message_and_answers_the_next(server: LiveServer) -> None:
    person = await me(server)
    mint = await place(person, "Mint")
    async with person.listening() as ear:
        await person.send(mint, payload=sealed("fail"))
        while (await ear.next("agent.typing"))["payload"]["typing"]:
            pass
        await person.send(mint, payload=sealed("again"))
        assert (await ear.next("stream.done"))["encrypted_payload"] == sealed("Hello there")


async def test_in_a_group_who_is_named_answers_and_only_people_are_answered(server: LiveServer) -> None:
    person = await me(server)
    group = await place(person, "All")
    async with person.listening() as ear:
        await person.send(group, payload=sealed("say nothing"))
        await person.send(group, payload=sealed("say hi"), mentions=[uid("agent", "echo")])
        assert (await answer(ear, group))["sender_id"] == uid("agent", "echo")
        await person.send(group, payload=sealed("@Bob lunch"))
        assert (await answer(ear, group))["sender_id"] == uid("user", "bob@example.com")
        history = await person.call("GET", f"/conversations/{group}/messages")
        assert len(history) == 5


async def test_a_changed_file_is_taken_over_and_a_wrong_one_is_not(tmp_path: Path) -> None:
    folder = write(tmp_path / "fixtures")
    with LiveServer(tmp_path / "data", fixtures=folder) as server:
        person = await me(server)
        bob = await place(person, "Bob")

        async def says(text: str) -> str:
            async with person.listening() as ear:
                await person.send(bob, payload=sealed(text))
                got = base64.b64decode((await answer(ear, bob))["encrypted_payload"])
                return got.decode()

        assert await says("lunch") == "At noon"
        (folder / "hashee.yaml").write_text(CAST.replace("At noon", "At one"), encoding="utf-8")
        async with asyncio.timeout(PATIENCE):
            while await says("lunch") != "At one":
                await asyncio.sleep(0.05)
        (folder / "hashee.yaml").write_text(CAST.replace("At noon", "At two") + "nonsense: 1\n", encoding="utf-8")
        async with asyncio.timeout(PATIENCE):
            while "hashee.yaml" not in server.engine.fixtures.problem:
                await asyncio.sleep(0.05)
        assert await says("lunch") == "At one"


async def test_the_same_script_with_a_seed_gives_the_same_frames(tmp_path: Path) -> None:
    async def once(data: Path) -> list[Json]:
        with LiveServer(data, fixtures=tmp_path / "fixtures", watch=False, seed=11) as server:
            person = await me(server)
            mint = await place(person, "Mint")
            async with person.listening() as ear:
                await person.send(mint, payload=sealed("hello"), client_message_id="c1")
                await ear.next("stream.done")
                return [frame for frame in ear.heard if frame["type"] != "message.status_updated"]

    write(tmp_path / "fixtures")
    assert await once(tmp_path / "one") == await once(tmp_path / "two")


async def test_a_reset_of_everything_begins_anew(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data", fixtures=write(tmp_path / "fixtures"), watch=False) as server:
        person = await me(server)
        bob = await place(person, "Bob")
        async with person.listening() as ear:
            await person.send(bob, payload=sealed("lunch"))
            await answer(ear, bob)
            assert (await person.http.post("/_emulator/reset")).status_code == 200
            assert await ear.closed() == (4410, "reset")
        assert await person.refused("GET", "/users/me") == (401, "INVALID_TOKEN")
        again = await me(server)
        assert await again.call("GET", f"/conversations/{await place(again, 'Bob')}/messages") == []


async def test_the_control_plane_of_the_wire_is_guarded_like_the_rest(tmp_path: Path) -> None:
    fixtures = write(tmp_path / "fixtures")
    with LiveServer(tmp_path / "data", fixtures=fixtures, watch=False, control={"token": "s3cret"}) as server:
        person = await me(server)
        path = f"/_emulator/hashee/users/{person.id}/invalidate"
        assert (await person.http.post(path)).status_code == 401
        assert (await person.http.post(path, headers={"authorization": "Bearer s3cret"})).status_code == 200


def test_the_python_example_runs(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data", watch=False) as server:
        command = [sys.executable, str(ROOT / "examples" / "hashee" / "client.py"), server.http, "hello"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert "Hello, Alice!" in done.stdout


@pytest.mark.slow
async def test_the_javascript_example_answers(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data", fixtures=write_cast(tmp_path / "fixtures"), watch=False) as server:
        town = Town(server)
        person, agent = await town.person(), town.agent()
        conversation = await person.use(agent)
        command = ["node", "--experimental-websocket", str(ROOT / "examples" / "hashee" / "agent.mjs")]
        async with person.listening() as ear:
            process = await asyncio.create_subprocess_exec(
                *command, server.http, agent.token, agent.id, stdout=asyncio.subprocess.DEVNULL
            )
            try:
                assert (await ear.next("agent.status"))["payload"]["status"] == "online"
                await person.send(conversation, payload=sealed("hello"))
                done = await ear.next("stream.done")
                assert base64.b64decode(done["encrypted_payload"]).decode() == "You said: hello"
            finally:
                process.terminate()
                await process.wait()
        for client in town.clients:
            await client.aclose()


async def test_the_model_of_an_agent_fails_by_faults(server: LiveServer) -> None:
    person = await me(server)
    mint = await place(person, "Mint")
    http = person.http
    one = {"fault": "llm-error", "status": 429, "after_tokens": 2, "count": 1, "when": {"wire": "hashee", "room": mint}}
    two = {"fault": "llm-error", "status": 500, "when": {"message": sealed("not this one")}}
    assert (await http.post("/_emulator/faults", json={"faults": [one, two]})).status_code == 201
    async with person.listening() as ear:
        await person.send(mint, payload=sealed("hello"))
        aborted = await ear.next("stream.abort")
        deltas = [frame["encrypted_payload"] for frame in ear.heard if frame["type"] == "stream.delta"]
        assert [base64.b64decode(one).decode() for one in deltas] == ["Hello", " "]
        assert (
            aborted["stream_id"] == next(frame for frame in ear.heard if frame["type"] == "stream.start")["stream_id"]
        )
        await person.send(mint, payload=sealed("again"))
        assert (await ear.next("stream.done"))["encrypted_payload"] == sealed("Hello there")
    found = (await http.get("/_emulator/journal", params={"kind": "fault,match", "room": mint})).json()["entries"]
    assert [entry["kind"] for entry in found[-3:]] == ["fault", "match", "match"]
    assert {entry["wire"] for entry in found} == {"hashee"}
    assert (await http.delete("/_emulator/faults")).status_code == 200


async def hanging(person: Person, conversation: str) -> None:
    """The next answer there stops after its first token."""
    rule = {"fault": "hang", "after_tokens": 1, "count": 1, "when": {"wire": "hashee", "room": conversation}}
    assert (await person.http.post("/_emulator/faults", json={"faults": [rule]})).status_code == 201


async def test_an_answer_that_hangs_ends_by_its_time_out(server: LiveServer) -> None:
    person = await me(server)
    mint = await place(person, "Mint")
    await hanging(person, mint)
    async with person.listening() as ear:
        await person.send(mint, payload=sealed("hello"))
        await ear.next("stream.delta")
        await Town(server).advance(31)
        assert (await ear.next("stream.error"))["reason"] == "timeout"
        while (await ear.next("agent.typing"))["payload"]["typing"]:
            pass
        await person.send(mint, payload=sealed("again"))
        assert (await ear.next("stream.done"))["encrypted_payload"] == sealed("Hello there")


async def test_an_answer_that_hangs_goes_on_when_the_fault_is_deleted(server: LiveServer) -> None:
    person = await me(server)
    mint = await place(person, "Mint")
    await hanging(person, mint)
    async with person.listening() as ear:
        await person.send(mint, payload=sealed("hello"))
        await ear.next("stream.delta")
        assert (await person.http.delete("/_emulator/faults")).is_success
        assert (await ear.next("stream.done"))["encrypted_payload"] == sealed("Hello there")


async def test_who_has_left_hears_no_more_of_an_answer(server: LiveServer) -> None:
    person = await me(server)
    group = await place(person, "All")
    town = Town(server)
    http = town.client()
    CLIENTS.append(http)
    answered = await http.post("/auth/login", json={"email": "bob@example.com", "account_password": PASSWORD})
    data = answered.json()["data"]
    http.headers["Authorization"] = f"Bearer {data['access_token']}"
    bob = Person(server, data["user_id"], data["access_token"], http)
    await hanging(person, group)
    async with person.listening() as ear, bob.listening() as gone:
        await person.send(group, payload=sealed("hello"), mentions=[uid("agent", "mint")])
        await gone.next("stream.delta")
        await person.call("PATCH", f"/groups/{group}", {"remove_member_ids": [bob.id]})
        assert (await gone.next("group.updated"))["payload"]["changes"] == {"removed_members": [bob.id]}
        await town.advance(31)
        assert (await ear.next("stream.error"))["reason"] == "timeout"
        while (await ear.next("agent.typing"))["payload"]["typing"]:
            pass
        assert await gone.quiet() == []
    await person.call("PATCH", f"/groups/{group}", {"add_member_ids": [bob.id]})


async def test_who_is_not_meant_has_got_a_message_all_the_same(server: LiveServer) -> None:
    person = await me(server)
    group = await place(person, "All")
    async with person.listening() as ear:
        sent = await person.send(group, payload=sealed("to nobody"))
        told = await ear.next("message.status_updated")
        assert (told["message_id"], told["status"]) == (sent["message_id"], "delivered")


@pytest.mark.parametrize("back", ["/_emulator/reset", "/_emulator/snapshots/before/restore"])
async def test_an_answer_under_way_ends_with_a_reset_or_a_restore(server: LiveServer, back: str) -> None:
    person = await me(server)
    mint = await place(person, "Mint")
    assert (await person.http.post("/_emulator/snapshots", json={"name": "before"})).is_success
    await hanging(person, mint)
    async with person.listening() as ear:
        await person.send(mint, payload=sealed("hello"))
        await ear.next("stream.delta")
        assert (await person.http.post(back)).is_success
        if "restore" in back:
            assert (await ear.next("stream.error"))["reason"] == "refused"
            assert await ear.quiet() == []
        else:
            assert await ear.closed() == (4410, "reset")
    person = await me(server)
    async with person.listening() as ear:
        await Town(server).advance(31)
        assert await ear.quiet() == []
        await person.send(mint, payload=sealed("again"))
        assert (await ear.next("stream.done"))["encrypted_payload"] == sealed("Hello there")
    assert (await person.http.delete("/_emulator/faults")).is_success


@pytest.mark.parametrize("how", ["suspended", "removed"])
async def test_an_agent_that_is_cut_off_answers_no_more(server: LiveServer, how: str) -> None:
    person = await me(server)
    group, mint = await place(person, "All"), uid("agent", "mint")
    await hanging(person, group)
    async with person.listening() as ear:
        await person.send(group, payload=sealed("hello"), mentions=[mint])
        await ear.next("stream.delta")
        if how == "suspended":
            govern = f"/_emulator/hashee/agents/{mint}/govern"
            await person.call("POST", govern, {"status": "suspended"})
        else:
            await person.call("PATCH", f"/groups/{group}", {"remove_member_ids": [mint]})
        assert (await ear.next("stream.error"))["reason"] == "refused"
        while (await ear.next("agent.typing"))["payload"]["typing"]:
            pass
        if how == "suspended":
            await person.call("POST", govern, {"status": "active"})
        else:
            await person.call("PATCH", f"/groups/{group}", {"add_agent_ids": [mint]})


async def test_in_a_large_group_an_answer_is_a_plain_message(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.hashee.streams.LARGEST_GROUP", 2)
    person = await me(server)
    group = await place(person, "All")
    async with person.listening() as ear:
        await person.send(group, payload=sealed("hello"), mentions=[uid("agent", "mint")])
        assert (await answer(ear, group))["encrypted_payload"] == sealed("Hello there")
        assert not [frame for frame in ear.heard if frame["type"].startswith("stream.")]


async def test_after_a_reset_the_same_names_are_given_again(server: LiveServer) -> None:
    async def begun() -> list[str]:
        person = await me(server)
        assert (await person.http.post("/_emulator/reset")).is_success
        person = await me(server)
        claims = person.token.split(".")[1]
        session = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sid"]
        group = await person.call("POST", "/groups", {"name": "G"})
        return [session, group["conversation_id"], (await person.send(group["conversation_id"]))["message_id"]]

    assert await begun() == await begun()
