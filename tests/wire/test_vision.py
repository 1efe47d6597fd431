"""An uploaded image reaches the model; one that is not there is refused."""

from __future__ import annotations

import base64
from pathlib import Path

import httpx
import pytest

from tests.live import DEMO_KEY, Json, LiveServer, sendmsg, talk, write_fixtures
from tests.openai_server import OpenAIServer

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


async def upload(server: LiveServer, filename: str, room_uid: str = "51VPKp3F0yPX") -> None:
    """As the page's own snippet does it."""
    async with httpx.AsyncClient(timeout=30) as client:
        asked = {"api_key": DEMO_KEY, "filename": filename, "room_uid": room_uid}
        answer = await client.post(f"{server.http}/v3/files/presignedurl", json=asked)
        signed = answer.json()["presigned_url"]
        done = await client.post(signed["url"], data=signed["fields"], files={"file": ("local.png", PNG)})
        assert done.status_code == 204, done.text


async def test_the_image_is_a_part_of_the_models_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with OpenAIServer() as upstream:
        monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
        fixtures = write_fixtures(tmp_path / "fixtures", replies=[], space={"model": "gpt-4o"})
        with LiveServer(tmp_path / "data", fixtures=fixtures) as server:
            await upload(server, "사진.png")
            async with talk(server) as peer:
                await peer.turn(sendmsg("이 사진은 무엇인가요", filename="사진.png"))
                await peer.turn(sendmsg(None, filename="사진.png", no_history=1))
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    picture = {"type": "image_url", "image_url": {"url": url}}
    first, second = (asked["messages"][-1]["content"] for asked in upstream.requests)
    assert first == [{"type": "text", "text": "이 사진은 무엇인가요"}, picture]
    assert second == [picture]


async def test_the_script_matches_on_the_filename(tmp_path: Path) -> None:
    replies: list[Json] = [{"when": {"filename": "test.jpg"}, "reply": "고양이 사진이네요."}]
    fixtures = write_fixtures(tmp_path / "fixtures", replies=replies)
    with LiveServer(tmp_path / "data", fixtures=fixtures) as server:
        await upload(server, "test.jpg")
        async with talk(server) as peer:
            frames = await peer.turn(sendmsg("이 사진은 무엇인가요", filename="test.jpg"))
            assert "".join(f["msg"] for f in frames if f["status"] == "stream") == "고양이 사진이네요."
            for ask in (sendmsg(filename="other.jpg"), sendmsg(filename="test.jpg", room_uid="another")):
                frame = await peer.ask(ask)
                assert (frame["msg"], frame["msgtype"]) == ("filename is not exist", "error")


async def test_a_lenient_space_answers_without_an_image_that_was_never_uploaded(tmp_path: Path) -> None:
    """The service's viewer names presets of its own bucket. A space says which it is, a setting decides for all."""
    replies: list[Json] = [{"when": {"filename": "A.png"}, "reply": "A 사진이네요."}]
    space = {"uploads": "lenient"}
    strict = {"uid": "strict", "api_keys": ["a-key-of-a-strict-space"]}
    fixtures = write_fixtures(tmp_path / "fixtures", replies=replies, space=space, spaces=[strict])
    ask = sendmsg("이 사진은 무엇인가요", filename="A.png")
    with LiveServer(tmp_path / "data", fixtures=fixtures) as server:
        async with talk(server) as peer:
            frames = await peer.turn(ask)
            assert "".join(f["msg"] for f in frames if f["status"] == "stream") == "A 사진이네요."
            frame = await peer.ask({**ask, "api_key": "a-key-of-a-strict-space"})
            assert frame["msg"] == "filename is not exist"
            changed = {"uploads": "strict"}
            async with httpx.AsyncClient(base_url=server.http) as client:
                answer = await client.patch("/_emulator/spaces/test", json=changed)
                assert (answer.status_code, answer.json()["uploads"]) == (200, "strict")
                refused = await client.patch("/_emulator/spaces/test", json={"uploads": "lax"})
                assert refused.json()["message"].startswith("uploads: expected one of strict, lenient")
            assert (await peer.ask(ask))["msg"] == "filename is not exist"


async def test_the_viewers_presets_work_in_the_demo_space_unless_a_setting_says_no(tmp_path: Path) -> None:
    for uploads, refused in ((None, False), ("strict", True)):
        with LiveServer(tmp_path / str(uploads), v3={"uploads": uploads}, watch=False) as server:
            async with talk(server) as peer:
                frames = await peer.turn(sendmsg("이 사진은 무엇인가요", filename="A.png"))
        assert (frames[0].get("msg") == "filename is not exist") is refused
        assert (frames[-1]["status"] == "END") is not refused


@pytest.mark.parametrize("revision", ["2024-07-01", "2024-08-26"])
async def test_before_the_upload_existed_the_field_means_nothing(tmp_path: Path, revision: str) -> None:
    with LiveServer(tmp_path) as server:
        async with talk(server, revision=revision) as peer:
            frames = await peer.turn(sendmsg(filename="nowhere.jpg", org_id="x"))
    assert not any(frame.get("msgtype") == "error" for frame in frames)
