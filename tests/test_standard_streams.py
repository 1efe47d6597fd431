"""Every command with the streams a shell may leave it: closed, in another encoding, a pipe that nobody reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.live import DEMO_KEY, LiveServer

ROOT = Path(__file__).parent.parent
NEEDS_MORE = "안녕 😀"
TAPE = (
    {"tape": 1, "url": "wss://api.example.com/v3/"},
    {"from": "client", "at": 0.1, "text": json.dumps({"action": "sendmsg", "msg": NEEDS_MORE}, ensure_ascii=False)},
    {"from": "server", "at": 0.2, "text": json.dumps({"status": "END", "msg": NEEDS_MORE}, ensure_ascii=False)},
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("server"), voice={"engine": "tone", "workers": 1}) as live:
        yield live


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    file = tmp_path / "one.jsonl"
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in TAPE), encoding="utf-8")
    return file


def ran(
    *args: str | bytes, shell: str = "", stdin: bytes | None = b"", **env: str
) -> subprocess.CompletedProcess[bytes]:
    """The program, in bash where `shell` has something to do to its streams."""
    command: list[str | bytes] = [sys.executable, "-m", "app.cli", *args]
    if shell:
        command = ["bash", "-c", f'"$@" {shell}; exit ${{PIPESTATUS[0]}}', "bash", *command]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHLDO_", "LC_", "PYTHONIO"))}
    return subprocess.run(
        command, env={**kept, "PYTHONPATH": str(ROOT), **env}, capture_output=True, input=stdin, timeout=60
    )


@pytest.mark.parametrize("encoding", ["latin-1", "euc-kr"])
def test_what_the_encoding_of_the_terminal_lacks_is_escaped(tape: Path, encoding: str) -> None:
    listed = ran("verify", "--list", PYTHONIOENCODING=encoding)
    assert (listed.returncode, listed.stderr) == (0, b"")
    shown = ran("tapes", "show", str(tape), PYTHONIOENCODING=encoding)
    assert (shown.returncode, shown.stderr) == (0, b"")
    line = shown.stdout.decode(encoding).splitlines()[-1]
    assert json.loads(line[line.index("{") :])["msg"] == NEEDS_MORE, "what is escaped can still be read as JSON"


def test_documents_are_utf_8_whatever_the_terminal(tape: Path) -> None:
    report = ran("verify", "--tape", str(tape), "--json", "-", PYTHONIOENCODING="latin-1")
    quoted = [finding["frame"] for rule in json.loads(report.stdout.decode())["rules"] for finding in rule["findings"]]
    assert any("안녕" in frame for frame in quoted)


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_streams_take_nothing_from_a_conversation(server: LiveServer, closed: str) -> None:
    said = ran("chat", f"{server.ws}/v3/", "--api-key", DEMO_KEY, "-m", "안녕", "-q", shell=closed)
    assert (said.returncode, said.stderr) == (0, b"")
    assert said.stdout == b""


@pytest.mark.parametrize("closed", ["<&-", ">&-"])
@pytest.mark.parametrize("command", [["tapes", "show", "TAPE"], ["ctl", "journal"]], ids=" ".join)
def test_closed_streams_stop_no_command(server: LiveServer, tape: Path, closed: str, command: list[str]) -> None:
    args = [str(tape) if word == "TAPE" else word for word in command]
    done = ran(*args, shell=closed, CHLDO_URL=server.http, CHLDO_PORT=str(server.port))
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("command", [["verify", "--list"], ["ctl", "journal", "--json"]], ids=" ".join)
def test_output_that_nobody_reads_ends_the_program_quietly(server: LiveServer, tape: Path, command: list[str]) -> None:
    args = [str(tape) if word == "TAPE" else word for word in command]
    done = ran(*args, shell="| true", CHLDO_URL=server.http)
    assert done.returncode in (0, 141), "0: all was written before the reader left"
    assert done.stderr == b""


def test_a_full_disk_is_one_line(tape: Path) -> None:
    done = ran("tapes", "show", str(tape), shell=">/dev/full")
    assert (done.returncode, done.stderr) == (141, b"chldo-emulator: cannot write: No space left on device\n")


@pytest.mark.parametrize(
    ("typed", "encoding"),
    [("안녕\n".encode("utf-8-sig"), "utf-8"), ("안녕\r\n".encode("utf-16"), "latin-1")],
    ids=["utf-8", "utf-16"],
)
def test_a_byte_order_mark_is_no_part_of_a_message(server: LiveServer, typed: bytes, encoding: str) -> None:
    chat = ("chat", f"{server.ws}/v3/", "--api-key", DEMO_KEY, "--room", f"bom-{encoding}")
    assert ran(*chat, stdin=typed, PYTHONIOENCODING=encoding).returncode == 0
    asked = httpx.get(f"{server.http}/_emulator/journal", params={"room": f"bom-{encoding}", "kind": "in"})
    (sent,) = asked.json()["entries"]
    assert json.loads(sent["text"])["msg"] == "안녕"


def test_arguments_are_utf_8_where_the_locale_has_ascii_only(server: LiveServer) -> None:
    def plain(*args: str, stdin: bytes = b"") -> bytes:
        env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "utf-8"}
        done = ran(*args, stdin=stdin, CHLDO_URL=server.http, **env)
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
        return done.stdout

    chat = ("chat", f"{server.ws}/v3/", "--api-key", DEMO_KEY, "--room", "방", "--user", "나")
    plain("ctl", "replies", "add", "--msg", "여보세요", "--reply", "네 😀")
    assert plain(*chat, "-m", "여보세요").decode() == "네 😀\n"
    assert plain(*chat, stdin="여보세요\n".encode()).decode() == "네 😀\n"


@pytest.mark.parametrize("stdin", ["</dev/null", "<&-"])
def test_a_server_starts_in_latin_1_and_without_input(tmp_path: Path, stdin: str) -> None:
    """Under systemd, cron or `nohup`, standard input is /dev/null: a server that ended with it would never listen."""
    serve = ("serve", "--port", "0", "--data", str(tmp_path), "--until-eof")
    command = [sys.executable, "-m", "app.cli", *serve]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "CHLDO_VOICE_ENGINE": "tone", "PYTHONIOENCODING": "latin-1"}
    with subprocess.Popen(
        ["bash", "-c", f'exec "$@" {stdin}', "bash", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"chldo emulator, revision")
        process.terminate()
        assert process.wait(30) == 0
        assert b"--until-eof: standard input is no pipe" in process.stderr.readline()
