"""malangee.yaml is checked like every fixture file, and taken over when it changes."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest

from app.emulation.fixtures import FixtureError, load_fixtures
from app.malangee.fixtures import KEYS
from app.malangee.script import FILE, VOICES, Script
from app.settings import shipped
from app.wire_files import WIRE_FILES
from tests.live import LiveServer, write_fixtures
from tests.malangee.caller import GUEST, call
from tests.malangee.conftest import QUICK
from tests.voice.sound import is_speech

PAGE = Path(__file__).parent.parent.parent / "docs" / "malangee.md"


def load(folder: Path, text: str | None) -> Script:
    made = write_fixtures(folder, replies=[])
    if text is not None:
        (made / FILE).write_text(text, encoding="utf-8")
    script = load_fixtures(made, wires=WIRE_FILES).wires[FILE]
    assert isinstance(script, Script)
    return script


def test_without_the_file_there_are_defaults(tmp_path: Path) -> None:
    script = load(tmp_path / "f", None)
    assert script == Script()
    assert script.voice("nobody") == script.voice("alloy") == "en-us"


def test_the_shipped_file_is_good() -> None:
    script = load_fixtures(shipped("fixtures"), wires=WIRE_FILES).wires[FILE]
    assert isinstance(script, Script)
    assert {user.login_id for user in script.users} >= {"mina@example.com"}
    assert script.conversation("demo-airport", "", "").greeting.startswith("Welcome back")
    assert script.conversation("x", "cafe_order", "").greeting.startswith("Hi there")
    assert script.builder("").keywords["place"]["airport"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("users: 5", "malangee.yaml:1: users: expected a list, found"),
        ("users:\n  - {login_id: a}", "malangee.yaml:2: password: expected this key, found nothing"),
        ("users:\n  - {login_id: a, password: [x]}", "malangee.yaml:2: password: expected one line"),
        (
            "users:\n  - {login_id: a, password: b}\n  - {login_id: a, password: b}",
            "malangee.yaml:3: users[1]: expected",
        ),
        ("sessions:\n  - {session_id: a, user: nobody}", "malangee.yaml:2: user: expected the login_id of a user"),
        ("sessions:\n  - {session_id: a/b}", "malangee.yaml:2: session_id: expected text without a slash"),
        ("voices: {alloy: '; rm'}", "malangee.yaml:1: voices.alloy: expected an espeak-ng voice"),
        ("builders:\n  - upstream: sometimes", "malangee.yaml:2: upstream: expected one of ok, unheard, timeout"),
        ("conversations:\n  - when: {room: x}", "malangee.yaml:2: when.room: expected one of session, scenario, user"),
        ("colours: 1", "malangee.yaml:1: colours: expected one of prompt"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(FixtureError) as error:
        load(tmp_path / "f", text)
    assert any(line.startswith(problem) for line in str(error.value).splitlines()), str(error.value)


def test_a_password_is_not_quoted(tmp_path: Path) -> None:
    with pytest.raises(FixtureError) as error:
        load(tmp_path / "f", "users:\n  - {login_id: a, password: {hunter2: 1}}")
    assert "hunter2" not in str(error.value)


def test_every_key_is_documented() -> None:
    text = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", text)) | {name.strip("`") for name in re.findall(r"`[^`]+`", text)}
    missing = {key for keys in KEYS.values() for key in keys if key != FILE} - named
    assert not missing


async def test_a_changed_file_is_taken_over_and_a_bad_one_is_not(tmp_path: Path) -> None:
    folder = write_fixtures(tmp_path / "f", replies=[])
    file = folder / FILE
    file.write_text("conversations: [{greeting: First.}]", encoding="utf-8")
    settings = {**QUICK, "pace": "burst"}
    with LiveServer(tmp_path / "data", fixtures=folder, watch=False, malangee=settings) as server:

        async def greeting() -> str:
            async with call(server, f"{GUEST}/x") as caller:
                return str((await caller.until("transcript.done"))["transcript"])

        assert await greeting() == "First."
        file.write_text("conversations: [{greeting: 5}]", encoding="utf-8")
        assert not await server.run(server.engine.fixtures.reload())
        assert await greeting() == "First."
        file.write_text("conversations: [{greeting: Second.}]", encoding="utf-8")
        assert await server.run(server.engine.fixtures.reload())
        assert await greeting() == "Second."


async def test_a_reset_brings_sessions_and_users_back(tmp_path: Path) -> None:
    with LiveServer(tmp_path, malangee={**QUICK, "pace": "burst"}) as server:
        async with httpx.AsyncClient(base_url=server.http, timeout=60) as client:
            new = {"login_id": "x@example.com", "nickname": "x", "password": "secret12345"}
            assert (await client.post("/api/v1/auth/signup", json=new)).status_code == 200
            taken = await client.post("/_emulator/snapshots", json={"name": "with x"})
            assert taken.status_code < 300, taken.text
            assert (await client.post("/_emulator/reset")).status_code == 200
            asked = {"login_id": new["login_id"]}
            assert (await client.post("/api/v1/auth/check-login-id", json=asked)).json()["is_available"]
            listed = await client.get("/api/v1/scenarios")
            assert len(listed.json()) == 5
            put = await client.post(f"/_emulator/snapshots/{taken.json()['id']}/restore")
            assert put.status_code == 200, put.text
            login = {"username": new["login_id"], "password": new["password"]}
            assert (await client.post("/api/v1/auth/login", data=login)).status_code == 200
            other = {**new, "login_id": "y@example.com", "nickname": "y"}
            assert (await client.post("/api/v1/auth/signup", json=other)).status_code == 200


async def test_the_log_names_voices_that_cannot_be_had(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At the start, and when the file changes; a language of a space, too."""
    folder = write_fixtures(tmp_path / "f", replies=[], space={"language": "tlh"})
    file = folder / FILE
    file.write_text("voices: {sage: en-gb+f3}\nsessions: [{session_id: x, voice: sagee}]\n", encoding="utf-8")
    with LiveServer(tmp_path / "data", fixtures=folder, watch=False, malangee=QUICK) as server:
        first = {
            "voice sage: espeak-ng has no voice 'en-gb+f3': tones are used",
            "malangee.yaml:2: voice: no voice 'sagee' here, it speaks like alloy",
            "space test: no voice speaks 'tlh', tones are used",
        }
        await told(server, caplog, first)
        caplog.clear()
        file.write_text("voices: {echo: nobody}\n", encoding="utf-8")
        assert await server.run(server.engine.fixtures.reload())
        second = "voice echo: espeak-ng has no voice 'nobody': tones are used"
        await told(server, caplog, {second, "space test: no voice speaks 'tlh', tones are used"})


async def told(server: LiveServer, caplog: pytest.LogCaptureFixture, wanted: set[str]) -> None:
    """Returns once the log has said exactly that."""

    def said() -> set[str]:
        return {record.getMessage() for record in caplog.records if record.levelname == "WARNING"}

    async with asyncio.timeout(20):
        while not said() >= wanted:
            await server.run(asyncio.sleep(0))
    assert said() == wanted


async def test_every_voice_that_a_client_may_ask_for_speaks(burst: LiveServer) -> None:
    for name in VOICES:
        async with call(burst, f"{GUEST}/demo-guest?voice={name}") as caller:
            await caller.until("audio.done")
            assert is_speech(bytes(caller.audio)), name
