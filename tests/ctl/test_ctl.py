"""`ctl` against a live server: what it asks, what it prints, how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import cli
from tests.control.conftest import FAULTS, PROFILE, REPLIES, Control
from tests.control.test_reset import turn
from tests.live import DEMO_KEY, LiveServer, sendmsg, talk, write_fixtures

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-for-ctl"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("ctl")
    fixtures = write_fixtures(
        folder / "fixtures",
        replies=REPLIES,
        space={"credit_per_turn": 10},
        spaces=[{"uid": "second", "api_keys": ["k-second"], "credit": 500}],
    )
    (fixtures / "faults.yaml").write_text(FAULTS)
    (fixtures / "profiles").mkdir()
    (fixtures / "profiles" / "quiet.yaml").write_text(PROFILE)
    with LiveServer(folder / "data", fixtures=fixtures, watch=False, control={"token": TOKEN}) as live:
        yield live


class Shell:
    """Types `chldo-emulator ctl …` against a server."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.env = {"CHLDO_URL": server.http, "CHLDO_CONTROL_TOKEN": TOKEN}

    def run(self, *words: str, code: int = 0, typed: str | bytes | None = None, **env: str) -> Result:
        result = CliRunner().invoke(cli, ["ctl", *words], input=typed, env={**self.env, **env})
        assert result.exit_code == code, f"{result.output}\n{result.stderr}\n{result.exception!r}"
        assert "Traceback" not in result.stderr
        return result

    def __call__(self, *words: str, **options: Any) -> str:
        """What it prints."""
        return self.run(*words, **options).stdout

    def json(self, *words: str) -> Any:
        return json.loads(self(*words))

    def refused(self, *words: str, code: int = 1, **options: Any) -> str:
        """The one line with which it ends."""
        result = self.run(*words, code=code, **options)
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        return line.removeprefix("chldo-emulator: ")


@pytest.fixture
def shell(server: LiveServer) -> Iterator[Shell]:
    made = Shell(server)
    try:
        yield made
    finally:
        made("reset")


async def test_rooms_spaces_and_everything_are_reset(shell: Shell, server: LiveServer) -> None:
    for room in ("r1", "r2"):
        await turn(server, room)
    assert await asyncio.to_thread(shell, "reset", "--room", "r1") == "reset: 1 rooms with 1 turns are gone\n"
    assert await turn(server, "r1") == "turn 1"
    assert await turn(server, "r2") == "turn 2"
    assert await asyncio.to_thread(shell, "reset", "--space", "test") == "reset: 2 rooms with 3 turns are gone\n"
    assert shell("reset", "--wire", "chldo") == shell("reset") == "reset: 0 rooms with 0 turns are gone\n"
    assert shell.refused("reset", "--space", "nope") == "space: there is no space nope"


async def test_the_store_is_kept_listed_and_put_back(shell: Shell, server: LiveServer) -> None:
    await turn(server, "r1")
    uid = shell("snapshot", "before").partition(":")[0]
    assert shell("snapshots", "list").split()[:6] == ["ID", "NAME", "TAKEN", "SPACES", "ROOMS", "TURNS"]
    assert shell.json("snapshots", "list", "--json")["snapshots"][0]["name"] == "before"
    await turn(server, "r1")
    assert shell("restore", "before") == f"restored {uid}: 2 spaces, 1 rooms, 1 turns\n"
    assert await turn(server, "r1") == "turn 2"
    assert shell("snapshots", "remove", uid) == f"removed {uid}\n"
    assert shell("snapshots", "list") == ""
    assert shell.refused("restore", "before") == "id: there is no snapshot before"


def test_spaces_are_listed_shown_added_changed_and_removed(shell: Shell, tmp_path: Path) -> None:
    lines = shell("spaces", "list").splitlines()
    assert lines[0].split() == ["UID", "NAME", "CREDIT", "PER", "TURN", "MODEL", "KEYS", "DEFAULT"]
    assert [line.split()[0] for line in lines[1:]] == ["second", "test"]
    assert shell("spaces", "add", "uid=third", 'api_keys=["k3"]', "credit=5", "name=셋째 방") == "added third\n"
    shown = shell.json("spaces", "show", "third")
    assert (shown["credit"], shown["name"], shown["api_keys"]) == (5, "셋째 방", [{"key": "k3", "usable": True}])
    assert shell("spaces", "change", "third", "language=en", "strict=true") == "changed third\n"
    assert shell.json("spaces", "show", "third")["strict"] is True
    file = tmp_path / "space.yaml"
    file.write_text("uid: fourth\ngreetings: {1: 안녕}\n")
    assert shell("spaces", "add", "--file", str(file)) == "added fourth\n"
    assert shell.json("spaces", "show", "fourth")["greetings"] == {"1": "안녕"}
    again = json.dumps({**shell.json("spaces", "show", "fourth"), "uid": "fifth", "org_id": "o5"})
    assert shell("spaces", "add", "-f", "-", typed=again) == "added fifth\n"
    for uid in ("third", "fourth", "fifth"):
        assert shell("spaces", "remove", uid) == f"removed {uid}\n"
    assert len(shell.json("spaces", "list", "--json")["spaces"]) == 2
    assert shell.refused("spaces", "remove", "test").startswith("test is the default space")


def test_all_that_is_wrong_with_a_file_is_told_a_line_each(shell: Shell) -> None:
    result = shell.run("spaces", "add", "-f", "-", typed="uid: x\ncredit: -1\ngraph: 5\n", code=1)
    assert [line.split(": ")[1] for line in result.stderr.splitlines()] == ["credit", "graph"]


def test_a_balance_is_told_and_set(shell: Shell) -> None:
    assert shell("credit", "second") == "500\n"
    assert shell("credit", "second", "7") == shell("credit", "second") == "7\n"
    assert shell.refused("credit", "nope") == "uid: there is no space nope"


def test_keys_are_listed_added_revoked_allowed_and_removed(shell: Shell) -> None:
    assert shell("keys", "list", "test").split() == ["KEY", "USABLE", DEMO_KEY, "yes"]
    made = shell("keys", "add", "second").strip()
    assert len(made) == 22
    assert shell("keys", "add", "second", "한 글자", "--unusable") == "한 글자\n"
    assert shell("keys", "revoke", "second", made) == "revoked\n"
    keys = {one["key"]: one["usable"] for one in shell.json("keys", "list", "second", "--json")}
    assert keys == {"k-second": True, made: False, "한 글자": False}
    assert shell("keys", "allow", "second", "한 글자") == "allowed\n"
    assert shell("keys", "remove", "second", made) == "removed\n"
    assert shell.refused("keys", "revoke", "second", made) == "uid: space second has no such key"


def test_the_clock_is_shown_and_moved(shell: Shell) -> None:
    assert shell("clock", "freeze").endswith("+00:00 (frozen)\n")
    assert shell("clock", "set", "2024-12-24T18:00:00Z") == "2024-12-24T18:00:00+00:00 (frozen)\n"
    assert shell("clock", "advance", "90.5") == "2024-12-24T18:01:30.500000+00:00 (frozen)\n"
    assert shell("clock", "show") == "2024-12-24T18:01:30.500000+00:00 (frozen)\n"
    assert shell("clock", "run").startswith("2024-12-24T18:01:3")
    assert shell.refused("clock", "set", "yesterday").startswith("instant: expected a moment like")
    assert shell.refused("clock", "set", "2263-01-01").startswith("instant: expected a moment from 1970-01-01")


async def test_faults_are_added_from_words(shell: Shell, server: LiveServer) -> None:
    told = shell("faults", "add", "drop", "--when", "frame=END", "--when", "room=r1", "--count", "1")
    assert told.splitlines()[1].endswith('{"fault": "drop", "when": {"frame": "END", "room": "r1"}, "count": 1}')
    uid = told.splitlines()[1].split()[0]
    words = ("delay", "seconds=0", "--when", "message*=날씨", "--when", "user~=^u", "--when", "turn=2")
    shell("faults", "add", *words, "--skip", "3", "--probability", "0.5")
    shell("faults", "add", "llm-error", "status=429", 'body={"why": "많아요"}', "--when", "message=null")
    rules = shell.json("faults", "list", "--json")["faults"][1:]
    assert [{key: one[key] for key in one.keys() - {"id", "strikes", "source"}} for one in rules] == [
        {"fault": "drop", "when": {"frame": "END", "room": "r1"}, "count": 1},
        {
            "fault": "delay",
            "seconds": 0.0,
            "when": {"message": {"contains": "날씨"}, "user": {"regex": "^u"}, "turn": 2},
            "skip": 3,
            "probability": 0.5,
        },
        {"fault": "llm-error", "status": 429, "body": {"why": "많아요"}, "when": {"message": None}},
    ]
    async with talk(server, room_uid="r1") as peer:
        await peer.send(sendmsg("turn", room_uid="r1"))
        told = await asyncio.to_thread(shell, "wait", "--kind", "fault", "--room", "r1")
    assert f"fault=drop id={uid} source=control frame=END" in told
    assert shell("faults", "remove", uid) == f"removed {uid}\n"
    assert shell("faults", "clear") == "removed 2\n"
    assert shell("faults", "clear", "--source", "fixtures") == "removed 1\n"


def test_faults_are_added_from_files_and_pipes_whole_or_not_at_all(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "bad-day.yaml"
    file.write_text("faults:\n  - {fault: drop, when: {frame: never}}\n  - {fault: hang, when: {room: never}}\n")
    assert len(shell("faults", "add", "--file", str(file)).splitlines()) == 3
    assert shell("faults", "add", "-f", "-", typed='{"fault":"hang","when":{"room":"never"}}').count("\n") == 2
    wrong = "faults:\n  - {fault: drop}\n  - {fault: drop, when: {turn: x}}\n"
    assert shell.refused("faults", "add", "-f", "-", typed=wrong).startswith("faults[1].when.turn: expected a whole")
    assert len(shell.json("faults", "list", "--json")["faults"]) == 4


def test_kinds_of_faults_are_explained(shell: Shell) -> None:
    assert "close" in shell("faults", "kinds")
    one = shell("faults", "kinds", "close")
    assert one.startswith("close (connection): The server closes the socket.\n")
    assert "  code=…  close code; default 1011\n" in one
    assert "  at most one of after_frames, after_seconds\n" in one
    assert shell.refused("faults", "kinds", "nope", code=2).startswith("no fault is called nope")


def test_profiles_are_used_and_dropped(shell: Shell) -> None:
    assert shell("profile", "list").split() == ["PROFILE", "RULES", "IN", "FORCE", "quiet", "2", "no"]
    assert shell("profile", "use", "quiet").count("profile:quiet") == 2
    assert shell.json("profile", "list", "--json")["profiles"][0]["in_force"] is True
    assert shell("profile", "drop", "quiet") == "removed 2\n"
    assert shell.refused("profile", "use", "loud") == "name: no profile loud; known: quiet"


async def test_replies_are_added_explained_and_removed(shell: Shell, server: LiveServer, tmp_path: Path) -> None:
    told = shell("replies", "add", "--msg", "안녕", "--reply", "또 왔네요!", "--when", "room_uid=r1")
    uid = told.splitlines()[1].split()[0]
    assert await turn(server, "r1", "안녕") == "또 왔네요!"
    assert shell("replies", "explain", "안녕", "--room", "r1") == f"control:{uid} answers\n"
    missed = shell("replies", "explain", "안녕", "--room", "r2", "--space", "test")
    assert missed.startswith("no reply matches; the default answers (replies/test.yaml:1)\n")
    assert f'  control:{uid}: room_uid: wanted "r1", got "r2"\n' in missed
    assert shell.json("replies", "explain", "--json")["matched"] is False
    file = tmp_path / "replies.json"
    file.write_text('{"replies":\t[{"when": {"msg": "\\ud83d\\ude00"}, "reply": "웃네요"}]}')
    shell("replies", "add", "--file", str(file))
    assert await turn(server, "r1", "😀") == "웃네요"
    assert shell("replies", "list").splitlines()[1].endswith('{"when": {"msg": "😀"}, "reply": "웃네요"}')
    assert shell("replies", "remove", uid) == f"removed {uid}\n"
    assert shell("replies", "clear") == "removed 1\n"
    assert shell.json("replies", "list", "--json") == {"replies": []}


def test_the_fixtures_in_force_are_told_and_read_again(shell: Shell) -> None:
    assert shell("fixtures", "show").endswith("fixtures: 2 spaces, 2 replies, 1 faults\n")
    assert shell("fixtures", "reload") == "2 spaces, 2 replies, 1 faults\n"
    assert shell.json("fixtures", "show", "--json")["profiles"] == ["quiet"]


async def test_the_journal_is_a_line_an_entry(shell: Shell, server: LiveServer) -> None:
    await turn(server, "r1", "누구세요")
    await asyncio.to_thread(shell, "wait", "--kind", "close", "--room", "r1")
    lines = shell("journal", "--room", "r1", "--limit", "500").splitlines()
    assert " r1       open path=/v3/ query=" in lines[0]
    assert ' r1       → sendmsg {"action": "sendmsg", ' in lines[1]
    assert ' r1       ← #1 START {"status":"START",' in lines[2]
    assert lines[-1].endswith("close code=1000 reason= by=client") or "close code=1000" in lines[-1]
    assert DEMO_KEY not in "".join(lines)
    one = json.loads(shell("journal", "--type", "END", "--json"))
    assert (one["type"], one["room"], one["turn"]) == ("END", "r1", 1)
    assert shell("journal", "-n", "1").count("\n") == 1
    matched = shell("journal", "--kind", "match,fault", "--text", "test.yaml", "--turn", "1", "--wire", "chldo")
    assert "matched=yes source=replies/test.yaml:1" in matched
    assert shell("journal", "--after", str(one["seq"]), "--kind", "out") == ""
    assert shell("journal", "--connection", "nope") == ""
    assert shell("journal", "--clear").startswith("removed ")
    assert shell("journal") == ""
    assert shell.refused("journal", "--kind", "nope").startswith("kind: expected one of")


async def test_a_wait_ends_well_when_it_has_come_and_badly_when_not(shell: Shell, server: LiveServer) -> None:
    waiting = asyncio.ensure_future(
        asyncio.to_thread(shell, "wait", "--type", "END", "--count", "2", "--timeout", "60", "--json")
    )
    for room in ("r1", "r2"):
        await turn(server, room)
    assert [json.loads(line)["room"] for line in (await waiting).splitlines()] == ["r1", "r2"]
    result = await asyncio.to_thread(shell.run, "wait", "--type", "END", "--count", "3", "--timeout", "0.01", code=1)
    assert result.stdout.count("\n") == 2
    assert result.stderr == "chldo-emulator: 2 of 3 came within 0.01 seconds\n"


async def test_sockets_are_listed_pushed_to_and_closed(shell: Shell, server: LiveServer) -> None:
    assert await asyncio.to_thread(shell, "connections") == ""
    message = await asyncio.to_thread(shell.refused, "push", "x", code=2)
    assert message.startswith("0 connections are open: say which with --id")
    async with talk(server, room_uid="r1") as first:
        assert "pushed to " in await asyncio.to_thread(shell, "push", "그냥 글")
        assert await first.socket.recv() == "그냥 글"
        async with talk(server, room_uid="r2") as second:
            message = await asyncio.to_thread(shell.refused, "push", "x", code=2)
            assert message.startswith("2 connections are open: say which")
            await asyncio.to_thread(shell, "push", "--frame", '{"status": "점검"}', "--room", "r2")
            assert await second.socket.recv() == '{"status":"점검"}'
            listed = (await asyncio.to_thread(shell.json, "connections", "--json"))["connections"]
            uid = next(one["id"] for one in listed if one["room"] == "r2")
            words = ("close", f"--id={uid}", "--code", "4001", "--reason", "끝")
            assert await asyncio.to_thread(shell, *words) == f"closed {uid}\n"
            await second.socket.wait_closed()
            assert (second.socket.close_code, second.socket.close_reason) == (4001, "끝")
        table = (await asyncio.to_thread(shell, "connections")).splitlines()
        assert table[0].split() == ["ID", "WIRE", "ROOM", "USER", "PATH", "SINCE", "IN", "OUT"]
        assert table[1].split()[1:5] == ["chldo", "r1", "u1", "/v3/"]
        assert (await asyncio.to_thread(shell.refused, "close", "--code", "1005")).startswith("code: expected 1000")
        assert await asyncio.to_thread(shell.refused, "close", "--id", "nope") == "id: no connection nope is open"


def test_the_revision_is_told_and_set(shell: Shell) -> None:
    assert shell("revision") == "2024-11-13\n"
    assert shell("revision", "2024-10-06", "--wire", "chldo") == shell("revision") == "2024-10-06\n"
    assert shell.json("revision", "--json")["wire"] == "chldo"
    assert shell.refused("revision", "nope").startswith("revision: expected one of")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("faults", "add"), "expected a KIND or --file, one of them"),
        (("faults", "add", "drop", "--file", "x"), "expected a KIND or --file, one of them"),
        (("faults", "add", "--file", "no/such/file.yaml"), "cannot read no/such/file.yaml: No such file or directory"),
        (("faults", "add", "drop", "seconds"), "KEY=VALUE: expected KEY=VALUE, found 'seconds'"),
        (("faults", "add", "drop", "--when", "frame"), "--when: expected KEY=TEXT, KEY*=TEXT or KEY~=PATTERN, found"),
        (("replies", "add"), "expected --reply or --file, one of them"),
        (("spaces", "add"), "expected KEY=VALUE pairs or --file, one of them"),
        (("push", "--frame", "1", "text"), "expected a TEXT or --frame, one of them"),
        (("--config", "no/such.toml", "clock", "show"), "cannot read the settings file no/such.toml: No such file"),
    ],
)
def test_what_is_typed_wrong_is_told_in_one_line(shell: Shell, words: tuple[str, ...], message: str) -> None:
    env = {"CHLDO_CONTROL_TOKEN": ""} if "--config" in words else {}
    assert shell.refused(*words, code=2, **env).startswith(message)


def test_a_token_that_is_missing_or_wrong_is_told(shell: Shell) -> None:
    for token in ("", "wrong"):
        assert shell.refused("clock", "show", CHLDO_CONTROL_TOKEN=token).startswith("token: expected the token")
    assert shell("--token", TOKEN, "clock", "show", CHLDO_CONTROL_TOKEN="wrong")


def test_without_a_server_it_ends_with_3(shell: Shell) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        for url in (f"http://127.0.0.1:{port}", "http://no-such-host.invalid"):
            assert shell.refused("reset", code=3, CHLDO_URL=url).startswith(f"no server at {url}: ")
        assert shell.refused("journal", "-f", code=3, CHLDO_URL=f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("url", ["ftp://x", "nonsense", "http://[::1", "http://"])
def test_an_address_of_no_server_is_wrong_usage(shell: Shell, url: str) -> None:
    assert "is no address of a server" in shell.refused("reset", code=2, CHLDO_URL=url)


def test_a_server_that_has_no_control_plane_is_told(tmp_path: Path, shell: Shell) -> None:
    fixtures = write_fixtures(tmp_path / "fixtures", replies=[])
    with LiveServer(tmp_path / "data", fixtures=fixtures, control={"enabled": False}) as off:
        message = shell.refused("reset", CHLDO_URL=off.http)
    assert message == f"{off.http}/_emulator/reset answers with status 404: no control plane there?"


def test_the_settings_tell_where_the_server_is(server: LiveServer, tmp_path: Path) -> None:
    config = tmp_path / "chldo.toml"
    config.write_text(f'host = "0.0.0.0"\nport = {server.port}\n[control]\ntoken = "{TOKEN}"\n')
    result = CliRunner().invoke(cli, ["ctl", "--config", str(config), "clock", "show"])
    assert result.exit_code == 0, result.stderr


def program(server: LiveServer, *words: str) -> subprocess.Popen[str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith(("CHLDO_", "OPENAI_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli", "ctl", *words],
        cwd=ROOT,
        env={**env, "CHLDO_URL": server.http, "CHLDO_CONTROL_TOKEN": TOKEN},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


async def test_a_followed_journal_prints_what_happens_until_it_is_stopped(shell: Shell, server: LiveServer) -> None:
    with program(server, "journal", "--follow", "--type", "END", "--json") as following:
        assert following.stdout is not None
        control = Control(server, authorization=f"Bearer {TOKEN}")
        async with asyncio.timeout(60):
            while not server.program.stage.journal._feeds:
                await asyncio.sleep(0.01)
        await turn(server, "r1")
        line = await asyncio.to_thread(following.stdout.readline)
        assert json.loads(line)["room"] == "r1"
        following.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(following.wait, 30) == 130
        assert following.stderr is not None
        assert "Traceback" not in following.stderr.read()
        control.http.close()


def test_as_a_program_it_reads_pipes_prints_and_ends_with_its_codes(shell: Shell, server: LiveServer) -> None:
    done = program(server, "faults", "add", "--file", "-").communicate("fault: hang\nwhen: {room: never}\n", timeout=60)
    assert "hang" in done[0]
    for words, code in ((("restore", "nope"), 1), (("clock", "advance", "soon"), 2), (("nothing",), 2)):
        with program(server, *words) as ended:
            _, told = ended.communicate(timeout=60)
            assert ended.returncode == code, told
            assert "Traceback" not in told


async def test_a_feed_that_the_server_ends_is_told(tmp_path: Path) -> None:
    fixtures = write_fixtures(tmp_path / "fixtures", replies=[])
    with (
        LiveServer(tmp_path / "data", fixtures=fixtures, control={"token": TOKEN}) as server,
        program(server, "journal", "-f") as following,
    ):
        async with asyncio.timeout(60):
            while not server.program.stage.journal._feeds:
                await asyncio.sleep(0.01)
        await asyncio.to_thread(server.stop)
        _, told = await asyncio.to_thread(following.communicate, None, 30)
        assert following.returncode == 3
        assert told.splitlines()[-1] == "chldo-emulator: the server has ended the feed"
