"""Voices over the wire: announced at the right place, of the announced length, behind a URL that plays and that
cannot be bent.
"""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from mutagen.mp3 import MP3

from tests.golden import VOICE_URL
from tests.live import DEMO_KEY, PATIENCE, Json, LiveServer, sendmsg, talk, write_fixtures

THREE = ["오늘은 날씨가 참 좋습니다.", " 산책하기에 딱 좋은 날이네요!", " 같이 나가실래요, 아니면 쉬실래요?"]
SLOW = {"when": {"msg": "slow"}, "tokens": ["이것은 첫 번째 문장입니다", ".", " 그리고", " 이것이 두 번째 문장입니다."]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("voice")
    replies: list[Json] = [
        {"when": {"msg": "셋"}, "reply": "".join(THREE)},
        {"when": {"msg": "이모지"}, "reply": "😀😀😀😀😀😀😀😀😀😀😀😀😀!"},
        {"when": {"msg": "하나"}, "reply": "하나의 문장만 있습니다."},
        {**SLOW, "pace": {"first": 0, "per_second": 20}},
    ]
    fixtures = write_fixtures(folder / "fixtures", replies=replies)
    with LiveServer(folder / "data", fixtures=fixtures) as live:
        yield live


async def spoken(server: LiveServer, msg: str = "셋", **fields: object) -> list[Json]:
    async with talk(server) as peer:
        return await peer.turn(sendmsg(msg, return_voice=1, **fields))


def voices(frames: list[Json]) -> list[Json]:
    return [frame for frame in frames if frame["status"] == "voice_ready"]


async def test_each_sentence_gets_a_voice_between_its_last_token_and_the_next_sentence(server: LiveServer) -> None:
    frames = await spoken(server)
    assert [voice["msg"] for voice in voices(frames)] == THREE
    flow = [(frame["status"], frame["sent_uid"]) for frame in frames if "sent_uid" in frame]
    order = list(dict.fromkeys(uid for _, uid in flow))
    assert flow == [
        step for uid in order for step in [*[("stream", uid)] * flow.count(("stream", uid)), ("voice_ready", uid)]
    ]


async def test_a_voice_url_plays_for_as_long_as_announced(server: LiveServer) -> None:
    async with httpx.AsyncClient() as client:
        for voice in voices(await spoken(server)):
            assert VOICE_URL.fullmatch(voice["voice_url"]), voice["voice_url"]
            assert voice["voice_url"].startswith(server.http)
            answer = await client.get(voice["voice_url"], headers={"Origin": "http://app.test"})
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "audio/mpeg"
            assert answer.headers["access-control-allow-origin"] == "*"
            assert answer.headers["accept-ranges"] == "bytes"
            info: Any = MP3(io.BytesIO(answer.content)).info  # type: ignore[no-untyped-call]
            assert info.sample_rate == 24000
            assert info.channels == 1
            assert info.length == pytest.approx(voice["voice_length"], abs=0.001)
            assert len(answer.content) == round(voice["voice_length"] / 0.024) * 144
            assert 1.0 < voice["voice_length"] < 10.0


async def test_a_part_of_a_voice_can_be_asked_for(server: LiveServer) -> None:
    url = voices(await spoken(server, "하나"))[0]["voice_url"]
    async with httpx.AsyncClient() as client:
        whole = (await client.get(url)).content
        part = await client.get(url, headers={"Range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, whole[100:200])
        assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
        beyond = await client.get(url, headers={"Range": f"bytes={len(whole) + 5}-"})
        assert beyond.status_code == 416
        assert beyond.headers["content-range"] == f"bytes */{len(whole)}"
        assert "<Code>InvalidRange</Code>" in beyond.text
        head = await client.head(url)
        assert int(head.headers["content-length"]) == len(whole)


@pytest.mark.parametrize(
    "odd", ["items=0-1", "bytes=abc", "bytes", "bytes=", "bytes=-", "bytes=5-2", "=0-1", "bytes=--1"]
)
async def test_a_range_that_cannot_be_read_is_ignored(server: LiveServer, odd: str) -> None:
    url = voices(await spoken(server, "하나"))[0]["voice_url"]
    async with httpx.AsyncClient() as client:
        whole = await client.get(url)
        answer = await client.get(url, headers={"Range": odd})
    assert (answer.status_code, answer.content) == (200, whole.content)


async def test_who_has_a_voice_does_not_get_it_again(server: LiveServer) -> None:
    url = voices(await spoken(server, "하나"))[0]["voice_url"]
    async with httpx.AsyncClient() as client:
        first = await client.get(url)
        tag, modified = first.headers["etag"], first.headers["last-modified"]
        assert parsedate_to_datetime(modified) <= parsedate_to_datetime(first.headers["date"])
        for known in ({"If-None-Match": tag}, {"If-None-Match": f'"x", W/{tag}'}, {"If-None-Match": "*"}):
            again = await client.get(url, headers=known)
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert (await client.get(url, headers={"If-Modified-Since": modified})).status_code == 304
        for other in ({"If-None-Match": '"x"'}, {"If-Modified-Since": "yesterday"}):
            assert (await client.get(url, headers=other)).content == first.content
        both = await client.get(url, headers={"If-None-Match": '"x"', "If-Modified-Since": modified})
        assert both.status_code == 200
        assert (await client.head(url, headers={"If-None-Match": tag})).status_code == 304


@pytest.mark.parametrize(
    "path", ["/v3/room/uid/", "/v1/models", "/_emulator/health", "/_emulator/", "/_emulator/journal/live", "/health"]
)
async def test_head_answers_wherever_get_does(server: LiveServer, path: str) -> None:
    headers = {"Authorization": f"Bearer {DEMO_KEY}", "Accept": "text/event-stream"}
    async with httpx.AsyncClient(base_url=server.http, headers=headers) as client, asyncio.timeout(PATIENCE):
        head = await client.head(path)
        async with client.stream("GET", path) as get:
            assert (head.status_code, head.content) == (get.status_code, b"")
            assert head.headers["content-type"] == get.headers["content-type"]
        assert (await client.head("/nowhere")).status_code == 404


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (r"Signature=.", "Signature=!"),
        (r"&Signature=[^&]*", ""),
        (r"Expires=\d", "Expires=9"),
        (r"Key-Pair-Id=K", "Key-Pair-Id=L"),
        (r"\?.*", ""),
    ],
)
async def test_a_bent_signature_is_denied(server: LiveServer, pattern: str, replacement: str) -> None:
    url = voices(await spoken(server, "하나"))[0]["voice_url"]
    bent = re.sub(pattern, replacement, url)
    assert bent != url
    async with httpx.AsyncClient() as client:
        answer = await client.get(bent)
    assert answer.status_code == 403
    assert "<Code>AccessDenied</Code>" in answer.text


async def test_a_signature_is_good_for_its_own_voice_only(server: LiveServer) -> None:
    one, two = (voice["voice_url"] for voice in voices(await spoken(server))[:2])
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{two.partition('?')[0]}?{one.partition('?')[2]}")).status_code == 403


@pytest.mark.parametrize("place", ["r/nothing.mp3", "r/nothing", "..%2f..%2fkey.mp3", "x.mp3", "%00/%00.mp3"])
async def test_what_is_no_voice_is_neither_served_nor_a_crash(server: LiveServer, place: str) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{server.http}/room_uid_voice/{place}")
    assert answer.status_code in (403, 404)


@pytest.mark.parametrize(("revision", "life"), [("2024-10-07", 3600), ("2024-11-13", 604800)])
async def test_a_voice_lasts_as_long_as_the_revision_says(server: LiveServer, revision: str, life: int) -> None:
    async with talk(server, revision=revision) as peer:
        frames = await peer.turn(sendmsg("하나", return_voice=1))
    expires = int(parse_qs(urlsplit(voices(frames)[0]["voice_url"]).query)["Expires"][0])
    assert life - 1 <= expires - float(frames[0]["cAt"]) <= life + 20


async def test_the_next_tokens_are_read_while_a_sentence_is_spoken(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaker = server.engine.speaker
    speak = speaker.say
    asked: list[str] = []
    second = asyncio.Event()

    async def say(text: str, *args: Any, **options: Any) -> Any:
        asked.append(text)
        if len(asked) == 2:
            second.set()
        async with asyncio.timeout(10):
            await second.wait()  # the first voice comes only when the second sentence has been read
        return await speak(text, *args, **options)

    monkeypatch.setattr(speaker, "say", say)
    frames = await spoken(server, "slow")
    assert [frame["msg"] for frame in frames if frame["status"] == "stream"] == SLOW["tokens"]
    assert len(voices(frames)) == 2
    assert frames.index(voices(frames)[0]) < next(n for n, f in enumerate(frames) if f.get("msg") == " 그리고")


async def test_a_sentence_without_words_gets_a_voice_too(server: LiveServer) -> None:
    assert voices(await spoken(server, "이모지"))[0]["voice_length"] > 0


@pytest.mark.parametrize("room_uid", ["방 하나", "a/b", "..", "x" * 3000, "%2e%2e", "a?b#c&d"])
async def test_any_room_name_has_voices_that_play(server: LiveServer, room_uid: str) -> None:
    frames = await spoken(server, "하나", room_uid=room_uid)
    async with httpx.AsyncClient() as client:
        assert (await client.get(voices(frames)[0]["voice_url"])).status_code == 200
    assert frames[0]["room_uid"] == room_uid


async def test_the_url_base_can_be_set(tmp_path: Path) -> None:
    with LiveServer(tmp_path, v3={"url_base": "https://voice.example.test/"}, voice={"engine": "tone"}) as server:
        frames = await spoken(server, "안녕 반가워요")
    assert all(
        voice["voice_url"].startswith("https://voice.example.test/room_uid_voice/51VPKp3F0yPX/")
        for voice in voices(frames)
    )


async def test_a_turn_goes_on_without_a_voice_that_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    voice = {"engine": "openai", "base_url": "http://127.0.0.1:9/v1", "fallback": False, "timeout": 2, "workers": 1}
    replies: list[Json] = [{"when": {"msg": "셋"}, "reply": "".join(THREE)}]
    fixtures = write_fixtures(tmp_path / "fixtures", replies=replies)
    with LiveServer(tmp_path / "data", fixtures=fixtures, voice=voice) as server:
        frames = await spoken(server)
    assert not voices(frames)
    assert "".join(frame["msg"] for frame in frames if frame["status"] == "stream") == "".join(THREE)
    assert [frame["status"] for frame in frames[-2:]] == ["think", "END"]
    told = [record for record in caplog.records if getattr(record, "event", "") == "voice_failed"]
    assert len(told) == 3
    assert {record.__dict__["sent_uid"] for record in told} == {f["sent_uid"] for f in frames if "sent_uid" in f}
    assert all(record.__dict__["reason"] for record in told)


async def test_a_language_chooses_the_voice(server: LiveServer) -> None:
    lengths = {
        language: voices(await spoken(server, "하나", language=language))[0]["voice_length"]
        for language in ("ko", "de")
    }
    assert lengths["ko"] != lengths["de"]
