"""A model server that answers with something else than an answer: every wire says so, and nothing of it is kept."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import httpx
import pytest

from app.agent.upstream import LONGEST_ERROR
from app.hashee.fixtures import PASSWORD
from app.hashee.peers import payload_of
from tests.broken_upstream import BROKEN, GOOD, BrokenUpstream, chunk, head, whole
from tests.hashee.people import Person
from tests.live import DEMO_KEY, PATIENCE, LiveServer, sendmsg, talk, write_fixtures
from tests.malangee.caller import GUEST, call

SECRET = "sk-test-0123456789abcdef"
LONGEST = 2 * LONGEST_ERROR + 1

CAST = """
users: [{email: me@example.com}]
agents: [{name: mint, owner: me@example.com, display_name: Mint, answers: {graph: companion, model: real}}]
relations: [{user: me@example.com, agent: mint}]
"""

WHOLE = {
    "an HTML page": BROKEN["an HTML page"],
    "an error with status 200": BROKEN["an error with status 200"],
    "an empty body": BROKEN["an empty body"],
    "another JSON": BROKEN["another JSON"],
    "no choices": whole(b'{"object": "chat.completion", "choices": []}'),
    "cut off": head("application/json", "200 OK", "Content-Length: 999") + b'{"object": "chat.completion", "cho',
    "half of it": whole(b'{"object": "chat.completion", "cho'),
    "another charset": whole('{"choices": ["안녕"]}'.encode("euc-kr"), "application/json; charset=euc-kr"),
    "garbage for gzip": whole(b"garbage", more=("Content-Encoding: gzip",)),
    "a stream": GOOD,
    "a page of 300 KB": BROKEN["a page of 300 KB"],
    "a redirect": BROKEN["a redirect"],
    "no HTTP": BROKEN["no HTTP"],
    "nothing": BROKEN["nothing"],
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[BrokenUpstream]:
    with BrokenUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def live(upstream: BrokenUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("failures")
    space = {"model": "real", "credit": 1_000_000, "credit_per_turn": 100}
    fixtures = write_fixtures(folder / "fixtures", replies=[], space=space)
    (fixtures / "hashee.yaml").write_text(CAST, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", upstream.base_url)
        patch.setenv("OPENAI_API_KEY", SECRET)
        agent = {"timeout": 1.0, "retries": 0}
        malangee = {"model": "real", "pace": "burst", "transcription": "script"}
        with LiveServer(folder / "data", fixtures=fixtures, agent=agent, malangee=malangee) as running:
            yield running


def quiet(caplog: pytest.LogCaptureFixture) -> bool:
    """Whether no traceback was logged."""
    return not [record for record in caplog.records if record.exc_info and record.levelno > logging.DEBUG]


async def balance(live: LiveServer) -> int:
    return (await live.run(live.engine.store.charge("test", 0))).balance


def judged(text: str, upstream: BrokenUpstream) -> None:
    """Whether an error is what a person can use."""
    assert upstream.host in text
    assert len(text) <= LONGEST
    assert not [secret for secret in (SECRET, "hush", "u:p") if secret in text]


@pytest.mark.parametrize("shape", BROKEN)
async def test_a_turn_says_what_the_model_server_did_and_keeps_nothing(
    live: LiveServer, upstream: BrokenUpstream, shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    before, asked = await balance(live), len(upstream.bodies)
    room = shape.replace(" ", "-")
    async with talk(live, room_uid=room) as peer:
        upstream.answer = BROKEN[shape]
        frames = await peer.turn(sendmsg("처음", room_uid=room))
        upstream.answer = GOOD
        good = await peer.turn(sendmsg("다음", room_uid=room))
    assert [frame["status"] for frame in frames[-2:]] == ["think", "END"]
    assert frames[-3]["msgtype"] == "error", frames
    judged(frames[-3]["msg"], upstream)
    assert "안녕하세요." in [frame["msg"] for frame in good if frame["status"] == "stream"]
    assert [message["content"] for message in upstream.requests[asked + 1]["messages"]] == ["다음"]
    assert await balance(live) == before - 100
    assert quiet(caplog)


@pytest.mark.parametrize(
    "shape", [shape for shape in BROKEN if shape != "choices that are none"]
)  # the client may know what to make of it
async def test_the_proxy_ends_a_stream_with_an_error(
    live: LiveServer, upstream: BrokenUpstream, shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = await balance(live)
    upstream.answer = BROKEN[shape]
    answer = await completion(live, stream=True)
    if answer.status_code == 200:
        events = answer.text.strip().split("\n\n")
        assert "[DONE]" not in answer.text
        error = json.loads(events[-1].removeprefix("data: "))["error"]
        assert len(events) > 1  # what the model has said before is not held back
    else:
        assert answer.status_code in (500, 502, 503)
        error = answer.json()["error"]
    assert set(error) >= {"message"}
    judged(error["message"], upstream)
    assert await balance(live) == before
    assert quiet(caplog)


@pytest.mark.parametrize("shape", WHOLE)
async def test_the_proxy_answers_an_error_in_openai_s_form(
    live: LiveServer, upstream: BrokenUpstream, shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = await balance(live)
    upstream.answer = WHOLE[shape]
    answer = await completion(live, stream=False)
    assert answer.status_code == 502
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    judged(answer.json()["error"]["message"], upstream)
    assert await balance(live) == before
    assert quiet(caplog)


async def test_headers_without_end_are_given_up(
    live: LiveServer, upstream: BrokenUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.endless = True
    try:
        async with talk(live) as peer:
            frames = await peer.turn(sendmsg())
        answer = await completion(live, stream=False)
    finally:
        upstream.endless = False
    assert frames[-3]["msg"] == f"{upstream.host} did not answer within 1 s"
    assert (answer.status_code, answer.json()["error"]["message"]) == (504, frames[-3]["msg"])
    assert quiet(caplog)


@pytest.mark.parametrize("nothing", ["", " \n"])
async def test_an_empty_answer_is_no_message_of_the_history(
    live: LiveServer, upstream: BrokenUpstream, nothing: str
) -> None:
    room = f"empty-{len(nothing)}"
    asked = len(upstream.bodies)
    async with talk(live, room_uid=room) as peer:
        upstream.answer = head() + chunk(nothing) + chunk(finish="stop")
        frames = await peer.turn(sendmsg("하나", room_uid=room))
        upstream.answer = GOOD
        await peer.turn(sendmsg("둘", room_uid=room))
        await peer.turn(sendmsg("셋", room_uid=room))
    assert not [frame for frame in frames if frame["msgtype"] == "error"]
    assert [(one["role"], one["content"]) for one in upstream.requests[asked + 2]["messages"]] == [
        ("user", "하나"),
        ("user", "둘"),
        ("assistant", "안녕하세요."),
        ("user", "셋"),
    ]


@pytest.mark.parametrize("extra", [b"event: ping\n\n", b": keep-alive\n\n", b"retry: 3000\n\n", b"id: 7\n\n", b"\n\n"])
async def test_what_only_keeps_a_connection_alive_does_no_harm(
    live: LiveServer, upstream: BrokenUpstream, extra: bytes
) -> None:
    upstream.answer = head() + extra + chunk("안녕하세요.") + extra + chunk(finish="stop") + extra
    async with talk(live, room_uid="alive") as peer:
        frames = await peer.turn(sendmsg(room_uid="alive"))
    answer = await completion(live, stream=True)
    assert "안녕하세요." in [frame["msg"] for frame in frames if frame["status"] == "stream"]
    assert '"안녕하세요."' in answer.text
    assert '"error"' not in answer.text


EMPTY = head() + chunk("") + chunk(finish="stop")
ON_OTHER_WIRES = ["an error event", "an HTML page", "a stream that just ends", "a page of 300 KB"]


@pytest.mark.parametrize("shape", ON_OTHER_WIRES)
async def test_malangee_says_it_and_keeps_nothing_of_a_cut_answer(
    live: LiveServer, upstream: BrokenUpstream, shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with call(live, f"{GUEST}/{shape.replace(' ', '-')}") as caller:
        upstream.answer = BROKEN[shape].replace("반쯤 ".encode(), b"This was half of it. And ")
        await caller.send({"type": "text", "text": "Hello?"})
        judged((await caller.until("error"))["message"], upstream)
        upstream.answer = GOOD
        asked = len(upstream.bodies)
        await caller.send({"type": "text", "text": "Again?"})
        while "안녕하세요." not in [frame.get("transcript") or frame.get("text") for frame in caller.frames]:
            await caller.until("transcript.done", caller.count("transcript.done") + 1)
    told = [message["content"] for message in upstream.requests[asked]["messages"]]
    assert told[-1] == "Again?"
    assert not [text for text in told if "half" in text]
    assert all(told)
    assert quiet(caplog)


@pytest.mark.parametrize("shape", ON_OTHER_WIRES)
async def test_hashee_keeps_no_message_of_it_and_says_why_in_its_log(
    live: LiveServer, upstream: BrokenUpstream, shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with httpx.AsyncClient(base_url=live.http, timeout=PATIENCE) as http:
        login = {"email": "me@example.com", "account_password": PASSWORD}
        data = (await http.post("/auth/login", json=login)).json()["data"]
        http.headers["Authorization"] = f"Bearer {data['access_token']}"
        me = Person(live, data["user_id"], data["access_token"], http)
        (mint,) = [one["conversation_id"] for one in await me.call("GET", "/conversations")]
        async with me.listening() as ear:
            upstream.answer = BROKEN[shape]
            await me.send(mint, payload_of("Hello?"))
            await ear.next("stream.abort")
            while (await ear.next("agent.typing"))["payload"]["typing"]:
                pass
            upstream.answer = GOOD
            asked = len(upstream.bodies)
            await me.send(mint, payload_of("Again?"))
            assert (await ear.next("stream.done"))["encrypted_payload"] == payload_of("안녕하세요.")
    assert not [one for one in upstream.requests[asked]["messages"] if "반쯤" in one["content"]]
    judged(next(one.message for one in caplog.records if "could not answer" in one.message), upstream)
    assert quiet(caplog)


async def completion(live: LiveServer, *, stream: bool) -> httpx.Response:
    async with httpx.AsyncClient(timeout=PATIENCE, headers={"authorization": f"Bearer {DEMO_KEY}"}) as client:
        body = {"model": "real", "messages": [{"role": "user", "content": "안녕"}], "stream": stream}
        return await client.post(f"{live.http}/v1/chat/completions", json=body)


async def test_an_empty_answer_is_no_message_in_malangee(live: LiveServer, upstream: BrokenUpstream) -> None:
    async with call(live, f"{GUEST}/empty") as caller:
        upstream.answer = EMPTY
        asked = len(upstream.bodies)
        await caller.send({"type": "text", "text": "Hello?"})
        while len(upstream.bodies) == asked:
            await caller.settled()
        upstream.answer = GOOD
        await caller.send({"type": "text", "text": "Again?"})
        while "안녕하세요." not in [frame.get("transcript") for frame in caller.frames]:
            await caller.until("transcript.done", caller.count("transcript.done") + 1)
    assert all(message["content"].strip() for request in upstream.requests[asked:] for message in request["messages"])
    assert upstream.requests[asked + 1]["messages"][-1]["content"] == "Again?"
