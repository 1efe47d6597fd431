"""The round: a live emulator is recorded, the tape answers in its place, and becomes fixtures that answer alike."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from app.chldo.revisions import REVISIONS
from app.chldo.tape_reading import read_turn
from app.emulation.lint import judge
from app.emulation.tape_fixtures import Draft, fixtures_of
from app.emulation.tapes import Refused, Tape, TapeFrame, read_tapes, tape_lines
from tests.golden import Json, Mask, request, tokens, transcript
from tests.live import DEMO_KEY, LiveServer, Peer, sendmsg, talk, write_fixtures
from tests.recording.upstream import recording

TOKENS = ["안녕", "하세요", " 반", "갑", "습니다", ".", " 오늘은", " 무엇을", " 도와드릴", "까요", "?"]
ERROR: Json = {"status": 404, "body": {"status": "failure", "message": "API_KEY does not exist."}}
REPLIES: list[Json] = [
    {"when": {"msg": "하나"}, "tokens": TOKENS, "choices": [{"text": "네", "tone": "공손한"}]},
    {"when": {"msg": "둘", "turn": 2}, "tokens": ["두", " 번째", " 대답", "입니다", "."]},
    {"when": {"msg": "둘"}, "tokens": ["다른", " 대답"]},
    {"when": {"msg": "오류"}, "error": ERROR},
    {"when": {"msg": None}, "tokens": ["제가", " 먼저", " 말할", "게요", "."]},
]
SPACE: Json = {
    "greetings": {1: "안녕하세요!"},
    "memories": [{"name": "오늘", "uid": "d3609c2758b7aa6b9", "dictionary": {"a": "b"}}],
}
TONE: Json = {"workers": 1, "engine": "tone"}


@asynccontextmanager
async def connected(ws: str, path: str = "/v3/", room_uid: str = "51VPKp3F0yPX", **query: str) -> AsyncIterator[Peer]:
    asked = "&".join(f"{key}={value}" for key, value in {"room_uid": room_uid, "user_uid": "u1", **query}.items())
    async with connect(f"{ws}{path}?{asked}", compression=None, max_size=None) as socket:
        yield Peer(socket)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("recorded")
    fixtures = write_fixtures(folder / "fixtures", replies=REPLIES, space=SPACE)
    with LiveServer(folder / "data", fixtures=fixtures, voice=TONE, v3={"require_msg": False}) as server:
        yield server


def asks(revision: str, room_uid: str) -> list[Json]:
    """What a client says in a recording."""
    entry = REVISIONS[revision]
    more: Json = {"room_uid": room_uid, "org_id": "org_test", "action": entry.action, "user_uid": "u"}
    voiced: Json = {"return_voice": 1, "use_choices": 1} if entry.has_choices else {"return_voice": 1}
    said = [sendmsg("하나", **more, **voiced), sendmsg("둘", **more), sendmsg("오류", **more), sendmsg("둘", **more)]
    if entry.has_greeting:
        said.append({**sendmsg(None), "action": "greeting", "room_uid": room_uid, "return_voice": 1})
    return [*said, {"action": "status"}, sendmsg("하나", **{**more, "api_key": "0" * 22, "org_id": "none"})]


async def answers(ws: str, revision: str, room_uid: str) -> list[list[Json]]:
    """All frames, by request."""
    found: list[list[Json]] = []
    async with connected(ws, room_uid=room_uid, revision=revision) as peer:
        for ask in asks(revision, room_uid):
            found.append([await peer.ask(ask)] if ask["action"] == "status" else await peer.turn(ask))
    return found


def masked(found: list[list[Json]], revision: str) -> list[Any]:
    """Frames with ids, times and signatures masked by their shapes; equal ones stay equal."""
    length = REVISIONS[revision].sent_uid_length or 28
    mask = Mask(sent_uid=length)
    frames = [dict(frame) for answer in found for frame in answer]
    for frame in frames:
        if frame.get("status") == "voice_ready" and "greeting_" in frame["voice_url"]:
            frame["voice_url"] = frame["voice_url"].replace("greeting_1.mp3", f"{'g' * length}.mp3")
        frame.pop("requestId", None)
        if "org_id" in frame:
            frame["org_id"] = ""  # a secret: a placeholder stands for it on the tape
    return mask.frames(frames)


@pytest.mark.parametrize("revision", ["2024-08-26", "2024-08-27", "2024-10-02", "2024-10-06", "2024-11-13"])
async def test_a_replayed_session_equals_the_recorded_one(recorded: LiveServer, tmp_path: Path, revision: str) -> None:
    folder = tmp_path / "tapes"
    folder.mkdir()
    room = f"A{revision.replace('-', '')}xyz"
    async with recording(recorded.ws, folder, voices=True) as at:
        original = await answers(at.ws, revision, room)
    with LiveServer(tmp_path / "data", tape=folder, tape_speed=0, voice=TONE) as server:
        again = await answers(server.ws, revision, room)
        other = await answers(server.ws, revision, "B" + room[1:])
        voices = [frame["voice_url"] for frame in _flat(other) if "voice_url" in frame]
        assert all(url.startswith(server.http) for url in voices)
        async with httpx.AsyncClient() as client:
            sounds = [(await client.get(url)).content for url in voices]
            part = await client.get(voices[0], headers={"Range": "bytes=5-9"}) if voices else None
            gone = await client.get(f"{server.http}/room_uid_voice/none/none.mp3")
    expected = masked(original, revision)
    assert masked(again, revision) == expected
    assert json.dumps(masked(other, revision)).replace("B" + room[1:], room) == json.dumps(expected)
    rooms = {frame["room_uid"] for frame in _flat(other) if "room_uid" in frame}
    assert rooms <= {"B" + room[1:]}
    for key in ("connection_id", "stream_uid", "sent_uid", "run_id", "cAt"):
        olds, news = ({frame[key] for frame in _flat(found) if key in frame} for found in (original, again))
        assert olds.isdisjoint(news), key
        assert len(olds) == len(news), key
    kept = {frame["hotword_uid"] for frame in _flat(again) if "hotword_uid" in frame}
    assert kept <= {"d3609c2758b7aa6b9"}
    if voices:
        files = [file.read_bytes() for file in read_tapes(folder)[0].files.values()]
        assert sorted(sounds) == sorted(files)
        assert part is not None
        assert (part.status_code, part.content) == (206, sounds[0][5:10])
        assert part.headers["access-control-allow-origin"] == "*"
        assert (part.headers["content-type"], part.headers["x-content-type-options"]) == ("audio/mpeg", "nosniff")
    assert gone.status_code in (403, 404)


def _flat(found: list[list[Json]]) -> list[Json]:
    return [frame for answer in found for frame in answer]


async def test_times_are_of_now(tmp_path: Path) -> None:
    frames = transcript("2024-11-03-use_voice-language-id")
    ask = request("2024-11-03-use_voice-language-id")
    (tmp_path / "t.jsonl").write_text("".join(f"{line}\n" for line in tape_lines(taped("t", ask, frames))))
    with LiveServer(tmp_path / "data", tape=tmp_path / "t.jsonl", tape_speed=0) as server:
        async with talk(server) as peer:
            before = time.time()
            again = await peer.turn(ask)
            after = time.time()
    assert before <= float(again[0]["cAt"]) <= after
    assert again[0]["cAt"] == again[-1]["cAt"]
    (url,) = [frame["voice_url"] for frame in again if "voice_url" in frame]
    expires = int(url.partition("Expires=")[2].partition("&")[0])
    assert before + 7 * 86_400 <= expires <= after + 7 * 86_400 + 10
    assert url.startswith("https://voice.chldo.com/"), "what is not on the tape is not served here"


async def test_replayed_sockets_are_in_the_journal_and_faults_strike_them(tmp_path: Path) -> None:
    frames = transcript("2024-11-03-use_voice-language-id")
    ask = request("2024-11-03-use_voice-language-id")
    (tmp_path / "t.jsonl").write_text("".join(f"{line}\n" for line in tape_lines(taped("t", ask, frames))))
    with LiveServer(tmp_path / "data", tape=tmp_path / "t.jsonl", tape_speed=0, voice=TONE) as server:
        body = {"fault": "drop", "when": {"wire": "tape", "frame": "think"}, "count": 1}
        async with httpx.AsyncClient(base_url=f"{server.http}/_emulator") as control:
            assert (await control.post("/faults", json=body)).is_success
            async with talk(server) as peer:
                await peer.send(ask)
                again = [await peer.receive() for _ in range(len(frames) - 1)]
            query = {"wire": "tape", "room": "51VPKp3F0yPX"}
            assert (await control.get("/journal/wait", params={**query, "kind": "close"})).json()["complete"]
            entries = (await control.get("/journal", params=query)).json()["entries"]
    assert again[-1]["status"] == "END"
    assert [frame["status"] for frame in again].count("think") == 1
    kinds = [entry["kind"] for entry in entries]
    assert (kinds[0], kinds.count("in"), kinds.count("fault")) == ("open", 1, 1)
    assert kinds.count("out") == len(again)


async def test_pauses_of_a_tape_take_no_time_with_a_seed(tmp_path: Path) -> None:
    frames = transcript("2024-11-03-use_voice-language-id")
    ask = request("2024-11-03-use_voice-language-id")
    slow = taped("t", ask, frames)
    slow = replace(slow, frames=tuple(replace(frame, at=frame.at * 10_000) for frame in slow.frames))
    (tmp_path / "t.jsonl").write_text("".join(f"{line}\n" for line in tape_lines(slow)))
    with LiveServer(tmp_path / "data", tape=tmp_path / "t.jsonl", seed=1, voice=TONE) as server:
        async with talk(server) as peer:
            assert len(await peer.turn(ask)) == len(frames)


async def test_interleaved_turns_replay_with_their_own_streams(recorded: LiveServer, tmp_path: Path) -> None:
    async def both(ws: str) -> dict[str, list[str]]:
        said: dict[str, list[str]] = {}
        async with connected(ws) as peer:
            await peer.send(sendmsg("하나"))
            await peer.send(sendmsg("둘"))
            ends = 0
            while ends < 2:
                frame = await peer.receive()
                said.setdefault(frame["stream_uid"], []).append(frame["msg"])
                ends += frame["status"] == "END"
        return said

    async with recording(recorded.ws, tmp_path) as at:
        original = await both(at.ws)
    with LiveServer(tmp_path / "data", tape=tmp_path, tape_speed=0) as server:
        again = await both(server.ws)
    assert sorted(again.values()) == sorted(original.values())
    assert original.keys().isdisjoint(again.keys())


async def test_what_no_tape_answers_is_an_error_frame_of_the_wire(recorded: LiveServer, tmp_path: Path) -> None:
    async with recording(recorded.ws, tmp_path) as at, connected(at.ws) as peer:
        await peer.turn(sendmsg("하나"))
    with LiveServer(tmp_path / "data", tape=tmp_path, tape_speed=0) as server:
        async with talk(server) as peer:
            refusal = await peer.ask(sendmsg("셋"))
            frames = await peer.turn(sendmsg("하나"))
    assert list(refusal) == ["status", "connection_id", "msg", "msgtype"]
    assert (refusal["status"], refusal["msgtype"]) == ("connected", "error")
    assert refusal["connection_id"] == frames[0]["connection_id"]
    assert refusal["msg"].startswith("no tape answers this request; nearest: ")
    assert refusal["msg"].endswith(':2 (msg: wanted "하나", got "셋")')


async def test_ends_refusals_and_subprotocols_over_a_real_socket(tmp_path: Path) -> None:
    def kept(name: str, path: str, *said: TapeFrame, **more: Any) -> None:
        made = Tape(name, f"ws://h{path}", said, **more)
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in tape_lines(made)))

    burst = [TapeFrame("server", 0.1, f"token {n}") for n in range(30)]
    end: Json = {"closed_by": "server", "closed_at": 0.2}
    kept("a", "/closed", TapeFrame("client", 0, "go"), *burst, close=(4001, "이유"), **end)
    kept("b", "/lost", TapeFrame("client", 0, "go"), *burst, close=(1006, ""), **end)
    kept("c", "/refused", refused=Refused(418, '{"message":"no"}', "application/json"))
    kept("d", "/spoken", TapeFrame("server", 0, data=b"\0\1"), subprotocol="chat.v1")
    with LiveServer(tmp_path / "data", tape=tmp_path, tape_speed=0) as server:
        for path, code, reason in (("/closed", 4001, "이유"), ("/lost", 1006, "")):
            async with connect(server.ws + path) as socket:
                await socket.send("go")
                said = []
                with contextlib.suppress(ConnectionClosed):
                    async for message in socket:
                        said.append(message)
            assert said == [f"token {n}" for n in range(30)]
            assert (socket.close_code, socket.close_reason) == (code, reason)
        with pytest.raises(InvalidStatus) as refused:
            await connect(server.ws + "/refused")
        assert refused.value.response.status_code == 418
        assert refused.value.response.body == b'{"message":"no"}'
        with pytest.raises(InvalidStatus, match="404"):
            await connect(server.ws + "/v3/")
        async with connect(server.ws + "/spoken", subprotocols=[Subprotocol("chat.v1")]) as socket:
            assert socket.subprotocol == "chat.v1"
            assert await socket.recv() == b"\0\1"


def drafted(*tapes: Tape) -> Draft:
    return fixtures_of(tapes, read_turn)


def taped(name: str, ask: Json, frames: list[Json]) -> Tape:
    """A documented transcript as a tape."""
    said = [TapeFrame("client", 0.0, json.dumps(ask, ensure_ascii=False))]
    said += [TapeFrame("server", 1.0 + n / 10, json.dumps(frame, ensure_ascii=False)) for n, frame in enumerate(frames)]
    return Tape(name, "wss://ws.api.chldo.com/v3/?room_uid=R", tuple(said))


def fixtures_from(folder: Path, draft: Draft, **space: Any) -> Path:
    """A folder of fixtures with the drafted replies, which passes the check."""
    made = write_fixtures(folder, replies=[], space=space)
    (made / "replies" / "test.yaml").write_text(draft.text, encoding="utf-8")
    verdict = judge(made)
    assert not verdict.remarks, [str(remark) for remark in verdict.remarks]
    assert verdict.replies == draft.entries
    return made


GOLDEN = {
    "2024-08-26-sendmsg": "2024-07-01",
    "2024-08-26-sendmsg.2": "2024-08-26",
    "2024-08-27-use_voice": "2024-08-27",
    "2024-10-06-sendmsg": "2024-10-06",
    "2024-11-03-use_voice-language-id": "2024-11-03",
}


@pytest.mark.parametrize("name", GOLDEN)
async def test_a_documented_turn_becomes_a_fixture_that_says_the_same(name: str, tmp_path: Path) -> None:
    documented, ask = transcript(name), request(name)
    ask["api_key"] = DEMO_KEY
    draft = drafted(taped(name, ask, documented))
    assert (draft.entries, draft.left_out) == (1, ())
    voiced = any(frame.get("status") == "voice_ready" for frame in documented)
    fixtures = fixtures_from(tmp_path / "fixtures", draft, org_id=ask.get("org_id", "org_x"), sentence_mode=voiced)
    with LiveServer(tmp_path / "data", fixtures=fixtures, revision=GOLDEN[name], voice=TONE) as server:
        async with talk(server, room_uid=ask["room_uid"]) as peer:
            frames = await peer.turn(ask)
    assert tokens(frames) == tokens(documented)
    sentences = ({frame.get("sent_uid") for frame in found} - {None} for found in (frames, documented))
    assert len(next(sentences)) == len(next(sentences)), "the full stops that R6 does not send are put back"


async def test_a_documented_failure_becomes_a_fixture_that_fails_alike(tmp_path: Path) -> None:
    documented = transcript("2024-08-26-sendmsg-llm-error")
    draft = drafted(taped("failure", sendmsg("안녕"), documented))
    assert draft.entries == 1
    fixtures = fixtures_from(tmp_path / "fixtures", draft)
    with LiveServer(tmp_path / "data", fixtures=fixtures, revision="2024-08-26") as server:
        async with talk(server) as peer:
            frames = await peer.turn(sendmsg("안녕"))
    said, expected = ([f["msg"] for f in found if f.get("msgtype") == "error"] for found in (frames, documented))
    assert said == expected


@pytest.mark.parametrize(
    "revision", ["2023-12-28", "2024-07-01", "2024-08-27", "2024-10-02", "2024-10-06", "2024-10-07", "2024-11-13"]
)
async def test_a_recording_becomes_fixtures_that_say_the_same(
    recorded: LiveServer, tmp_path: Path, revision: str
) -> None:
    room = f"C{revision.replace('-', '')}xyz"
    path = REVISIONS[revision].path
    more: Json = {"room_uid": room, "org_id": "org_test", "user_uid": "u", "action": REVISIONS[revision].action}
    said = [sendmsg(msg, **more, use_choices=1) for msg in ("하나", "둘", "둘", "오류")]

    async def talked(ws: str) -> list[list[Any]]:
        found = []
        async with connected(ws, path, room_uid=room, revision=revision) as peer:
            for ask in said:
                frames = await _turn_v1(peer, ask) if revision == "2023-12-28" else await peer.turn(ask)
                found.append([*_tokens(frames), *_errors(frames), *_choices(frames)])
        return found

    async with recording(recorded.ws, tmp_path) as at:
        original = await talked(at.ws)
    draft = drafted(*read_tapes(tmp_path))
    space: Json = {"org_id": "org_test", "memories": SPACE["memories"]}
    fixtures = fixtures_from(tmp_path / "fixtures", draft, **space)
    with LiveServer(tmp_path / "data", fixtures=fixtures, voice=TONE) as server:
        assert await talked(server.ws) == original
    assert original[1] != original[2], "the same message is answered by its turn"


async def _turn_v1(peer: Peer, ask: Json) -> list[Json]:
    """A turn of v1 has no end: its frames come until none comes any more."""
    await peer.send(ask)
    frames = [await peer.receive()]
    try:
        while frames[-1].get("msgtype") != "error":
            async with asyncio.timeout(0.5):
                frames.append(json.loads(await peer.socket.recv()))
    except TimeoutError:
        return frames
    return frames


def _tokens(frames: list[Json]) -> list[str]:
    return tokens(frames) or [frame["msg"] for frame in frames if "client_num" in frame]


def _errors(frames: list[Json]) -> list[str]:
    return [frame["msg"] for frame in frames if frame.get("msgtype") == "error"]


def _choices(frames: list[Json]) -> list[Any]:
    return [frame["choices"] for frame in frames if "choices" in frame]


def test_what_cannot_become_a_fixture_is_told() -> None:
    ask = sendmsg("안녕")
    start: Json = {"status": "START", "connection_id": "c"}
    error: Json = {"status": "connected", "connection_id": "c", "msgtype": "error"}
    cases: list[tuple[Json, list[Json], str]] = [
        ({**ask, "action": "greeting"}, [start], "a greeting: greetings stand in spaces.yaml"),
        (ask, [], "it has no answer"),
        (ask, [start], "it has no end"),
        (ask, [{**error, "msg": "msg is required"}], "it was refused: msg is required"),
        (ask, [start, {**error, "msg": "Request timed out."}], "it failed, and not in the model: Request timed out."),
        (ask, [start, {"status": "END"}], "it has no answer"),
    ]
    for asked, frames, reason in cases:
        draft = drafted(taped("t", asked, frames))
        assert (draft.entries, [str(one) for one in draft.left_out]) == (0, [f"t: {reason}"])
        assert draft.text == "replies: []\n"
    assert drafted(taped("t", {"action": "status"}, [start])) == Draft("replies: []\n", 0, ())


def test_the_pace_is_measured() -> None:
    tape = taped("t", sendmsg("안녕"), transcript("2024-11-03-use_voice-language-id"))
    draft = drafted(tape)
    # START and five notices come before the first token, at 1.0, 1.1, …; the others follow every 0.1 s
    assert "pace: {first: 1.6, per_second: 10}" in draft.text
    fast = replace(tape, frames=tuple(replace(frame, at=frame.at * 1e-6) for frame in tape.frames))
    assert "per_second: 1000000}" in drafted(fast).text, "1e+06 is no number in YAML"
    early = replace(tape, frames=tuple(replace(frame, at=0.0) for frame in tape.frames))
    assert "pace" not in drafted(early).text
