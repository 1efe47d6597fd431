"""What the two READMEs print is the same, and works as printed.

Only what belongs to the machine is replaced: port, data folder, and `.venv/bin/chldo-emulator` by this interpreter.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings
from tests.live import PATIENCE, LiveServer, sendmsg, talk

ROOT = Path(__file__).parent.parent
ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
KOREAN = (ROOT / "README.ko.md").read_text(encoding="utf-8")
PROGRAM = ".venv/bin/chldo-emulator"
PRINTED_PORT = "8765"


def blocks(text: str, kind: str) -> list[str]:
    """The code blocks of one language."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands(text: str) -> list[str]:
    """The lines of all shell blocks."""
    return [line for block in blocks(text, "sh") for line in block.splitlines() if line and not line.startswith("#")]


def tables(text: str) -> list[list[str]]:
    """The code in the first cell of each row, by table."""
    found = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    return [["".join(re.findall(r"`[^`]*`", row.split("|")[1])) for row in table.splitlines()] for table in found]


COMMANDS = list(dict.fromkeys(commands(ENGLISH)))
MADE = [command for command in COMMANDS if "make " in command]


# -- the two are one --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sh", "js", "json", "yaml", "python"])
def test_both_readmes_print_the_same(kind: str) -> None:
    assert blocks(ENGLISH, kind)
    assert blocks(ENGLISH, kind) == blocks(KOREAN, kind)


def test_both_readmes_have_the_same_shape() -> None:
    assert tables(ENGLISH) == tables(KOREAN)
    for pattern in (r"^#+ ", r"^- ", r"^```\w+", r"^[A-Z_a-z]+  +"):
        counts = [len(re.findall(pattern, text, re.MULTILINE)) for text in (ENGLISH, KOREAN)]
        assert counts[0] == counts[1], pattern


def test_both_readmes_link_to_the_same_pages() -> None:
    english, korean = (set(re.findall(r"\]\(([^)]+)\)", text)) for text in (ENGLISH, KOREAN))
    assert english ^ korean == {"README.md", "README.ko.md"}


def test_both_readmes_mark_the_place_of_the_figures() -> None:
    for text in (ENGLISH, KOREAN):
        assert text.count("<!-- bench -->") == text.count("<!-- /bench -->") == 1
        assert text.index("<!-- bench -->") < text.index("<!-- /bench -->")


# -- every command ----------------------------------------------------------------------------------------------------


def test_every_command_is_run_by_a_test_below() -> None:
    known = ("make ", "docker compose ", "cp -r fixtures ", f"{PROGRAM} chat ")
    assert not [command for command in COMMANDS if command not in MADE and not command.startswith(known)]


def clean_environment(**more: str) -> dict[str, str]:
    """This environment without what an outer make or a user's settings would change."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHLDO_", "OPENAI_", "MAKE"))}
    for name in ("MFLAGS", "PORT", "ARGS", "PYTHON", "T"):
        kept.pop(name, None)
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **more}


def made(command: str) -> list[str]:
    """What make would run for a printed command, word by word, the recipe's last line only."""
    words = shlex.split(command)
    words = words[next(place for place, word in enumerate(words) if word == "make") :]
    dry = [words[0], "-n", *words[1:]]
    done = subprocess.run(dry, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return shlex.split(done.stdout.splitlines()[-1])


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_test_runs_the_tests() -> None:
    assert "make test" in COMMANDS
    assert made("make test")[-2:] == ["-m", "pytest"]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_run_takes_a_port() -> None:
    (command,) = (command for command in MADE if "PORT=" in command)
    words = made(command)
    assert words[words.index("--port") + 1] == command.partition("PORT=")[2]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
@pytest.mark.parametrize("command", [command for command in MADE if "make run" in command and "PORT=" not in command])
def test_make_run_starts_a_server(command: str, tmp_path: Path) -> None:
    words = made(command)
    assert words[:3] == ["exec", PROGRAM, "serve"]
    shutil.copytree(ROOT / "fixtures", tmp_path / "my-fixtures")
    variables = dict(word.split("=", 1) for word in shlex.split(command.partition("make ")[0]))
    server = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve", "--port", "0", "--data", "data", *words[3:]],
        cwd=tmp_path,
        env=clean_environment(**variables),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert server.stderr is not None
    with server, server.stderr as log:
        lines = []
        for line in log:
            lines.append(line)
            if "ready after" in line:
                break
        server.terminate()
        lines.extend(log)
    assert any("ready after" in line for line in lines), lines
    assert server.returncode in (0, -signal.SIGTERM), lines


CHATS = [command for command in COMMANDS if command.startswith(f"{PROGRAM} chat ")]


def chat(command: str, demo: LiveServer, folder: Path) -> str:
    """What a printed chat command prints."""
    words = shlex.split(command.replace(PRINTED_PORT, str(demo.port)))
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *words[1:]],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_chat_command_gets_an_answer(demo: LiveServer, tmp_path: Path) -> None:
    assert "반갑습니다" in chat(CHATS[0], demo, tmp_path)


def test_the_chat_command_with_options_gets_what_they_ask_for(demo: LiveServer, tmp_path: Path) -> None:
    (command,) = CHATS[1:]
    said = chat(command, demo, tmp_path)
    demo_space = yaml.safe_load((ROOT / "fixtures" / "spaces.yaml").read_text(encoding="utf-8"))["spaces"][0]
    words = shlex.split(command)
    greeting = demo_space["greetings"][int(words[words.index("--greeting") + 1])]
    assert greeting in said
    assert demo_space["scenes"].keys() >= {int(words[words.index("--scene") + 1])}
    assert "등대" in said
    choices = int(words[words.index("--choices") + 1])
    assert re.search(rf"^\W*{choices}\W", said, re.MULTILINE)
    assert not re.search(rf"^\W*{choices + 1}\W", said, re.MULTILINE)


def test_the_python_gets_the_answer_of_the_proxy(demo: LiveServer) -> None:
    (snippet,) = blocks(ENGLISH, "python")
    done = subprocess.run(
        [sys.executable, "-c", snippet.replace(PRINTED_PORT, str(demo.port))],
        env=clean_environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert "반갑습니다" in done.stdout


def test_the_options_of_chat_in_the_text_are_its_own(demo: LiveServer, tmp_path: Path) -> None:
    sentence = ENGLISH.partition("Without `-m`")[2].partition("\n\n")[0]
    options = shlex.split(" ".join(re.findall(r"`(--[^`]+)`", sentence)))
    assert options == ["--voice-dir", "heard", "--json"]
    url = f"ws://127.0.0.1:{demo.port}/v3/"
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "chat", url, "--api-key", sendmsg()["api_key"], "-m", "안녕", *options],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    frames = [json.loads(line) for line in done.stdout.splitlines()]
    voices = [frame for frame in frames if frame["status"] == "voice_ready"]
    assert len(list((tmp_path / "heard").glob("*.mp3"))) == len(voices) > 0


def test_compose_passes_token_seed_and_fixtures_to_every_emulator() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    emulators = [service for service in services.values() if service.get("build")]
    assert len(emulators) == 3
    for service in emulators:
        given = service["environment"]
        for name in ("CHLDO_CONTROL_TOKEN", "CHLDO_SEED"):
            assert given[name] is None, "from the shell, and unset where it is unset there"
        mounts = [mount.rsplit(":", 2) for mount in service["volumes"]]
        assert ["${FIXTURES:-./fixtures}", given["CHLDO_FIXTURES"], "ro"] in mounts
        passed_on = {name for name, value in given.items() if value is None}
        assert passed_on <= {f"CHLDO_{key.upper()}" for key in (*Settings.model_fields, "control_token")}


def test_every_emulator_of_compose_may_write_to_its_data_only() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    emulators = [service for name, service in services.items() if name.startswith("emulator")]
    assert len(emulators) == 3
    for service in emulators:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert [volume for volume in service["volumes"] if not volume.endswith(":ro")] == [service["volumes"][0]]
        assert service["volumes"][0].endswith(":/data")


def test_the_compose_profiles_and_ports_are_there() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    profiles = {profile for service in services.values() for profile in service.get("profiles", [])}
    named = {name for command in COMMANDS for name in re.findall(r"--profile (\w+)", command)}
    assert named == profiles
    section = ENGLISH.partition("\n## Docker\n")[2].partition("\n## ")[0]
    ports = set(re.findall(r":-(\d+)\}:8765", str(services)))
    assert ports == set(re.findall(r"port\s+(\d+)", section))


# -- the first conversation -------------------------------------------------------------------------------------------


def first_request() -> dict[str, Any]:
    (block,) = blocks(ENGLISH, "json")
    request: dict[str, Any] = json.loads(block)
    return request


async def test_the_request_is_answered_by_the_frames_that_are_listed(demo: LiveServer) -> None:
    (listed,) = blocks(ENGLISH, "text")
    async with talk(demo) as peer:
        frames = await peer.turn({**first_request(), "return_voice": 1})
    seen = [status for status, _ in groupby(frame["status"] for frame in frames)]
    sentences = seen.count("voice_ready")
    assert sentences > 0
    once = [line.split()[0] for line in listed.splitlines()]
    at = once.index("stream")
    assert seen == [*once[:at], *["stream", "voice_ready"] * sentences, *once[at + 2 :]]


def test_the_request_is_the_documented_one() -> None:
    documented = ROOT / "fixtures" / "transcripts" / "chldo" / "2024-08-26-sendmsg.2.request.json"
    assert first_request() == json.loads(documented.read_text(encoding="utf-8"))


def node() -> list[str] | None:
    """A Node that has WebSocket: 22, or 20.10 with a switch."""
    program = shutil.which("node")
    if program is None:
        return None
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=PATIENCE).stdout
    major, minor = (int(part) for part in said.strip().lstrip("v").split(".")[:2])
    if (major, minor) < (20, 10):
        return None
    return [program] if major >= 22 else [program, "--experimental-websocket"]


def test_the_javascript_gets_an_answer_and_voices(demo: LiveServer) -> None:
    program = node()
    if program is None:
        pytest.skip("there is no Node with WebSocket")
    (snippet,) = blocks(ENGLISH, "js")
    done = subprocess.run(
        [*program, "-e", snippet.replace(PRINTED_PORT, str(demo.port))],
        env=clean_environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    *voices, answer = done.stdout.splitlines()
    assert voices
    assert all(re.match(rf"\d+(\.\d+)? http://127\.0\.0\.1:{demo.port}/room_uid_voice/", voice) for voice in voices)
    assert len(answer) > 10


# -- the rest ---------------------------------------------------------------------------------------------------------


def failures() -> list[tuple[str, str]]:
    section = ENGLISH.partition("\n## Failures on purpose\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\| (.+?) \| (.+) \|$", section, re.MULTILINE)
    return [row for row in found[1:] if "`" in row[0]]


@pytest.mark.parametrize(("cause", "effect"), failures())
async def test_a_failure_on_purpose_comes_as_listed(demo: LiveServer, cause: str, effect: str) -> None:
    (code,) = re.findall(r"`(.+?)`", cause)
    changed = {"api_key": code} if cause.startswith("key") else json.loads(f"{{{code}}}")
    async with talk(demo) as peer:
        await peer.send(sendmsg(**changed))
        frames = [await peer.receive()]
        while frames[0].get("status") == "START" and frames[-1]["status"] != "END":
            frames.append(await peer.receive())
    said = [frame.get("message", frame.get("msg")) for frame in frames if frame.get("msgtype", "error") == "error"]
    expected = re.findall(r"`(.+?)`", effect)
    assert said == expected if expected else len(said) == 1 and frames[-1]["status"] == "END"


def test_the_failures_with_a_key_are_all_there() -> None:
    assert [code for code, _ in failures()][:3] == [f"key `00000000000000000000e{number}`" for number in (1, 2, 3)]


@pytest.fixture
def my_fixtures(tmp_path: Path) -> Path:
    """The folder that the printed copy command and the printed example make."""
    copy = next(command for command in COMMANDS if command.startswith("cp "))
    shutil.copytree(ROOT / "fixtures", tmp_path / "fixtures")
    subprocess.run(shlex.split(copy), cwd=tmp_path, check=True, timeout=PATIENCE)
    file = re.search(r"`(my-fixtures/replies/\S+\.yaml)`", ENGLISH)
    assert file
    (example,) = blocks(ENGLISH, "yaml")
    (tmp_path / file[1]).write_text(example, encoding="utf-8")
    return tmp_path / "my-fixtures"


async def test_the_replies_of_ones_own_answer(my_fixtures: Path, tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data", fixtures=my_fixtures, voice={"engine": "tone"}) as server:
        async with talk(server) as peer:
            said = []
            for msg, name in (("민트 좋아해?", "수아"), ("민트!", ""), ("느리게 말해 줘", "")):
                frames = await peer.turn(sendmsg(msg, visitor_name=name))
                said.append("".join(frame["msg"] for frame in frames if frame["status"] == "stream"))
    assert said == ["수아님도 민트를 좋아하세요?", "친구님도 민트를 좋아하세요?", "네, 천천히 말할게요."]
