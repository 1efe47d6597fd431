"""`tapes`, `fixtures from-tape` and `serve --tape` as a shell sees them."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import cli
from app.emulation.tapes import read_tapes, tape_lines
from tests.emulation.test_har import entry, har
from tests.live import DEMO_KEY, sendmsg
from tests.replay.sessions import tape
from tests.test_program import environment, program, refused

START: dict[str, Any] = {"status": "START", "connection_id": "c"}
END: dict[str, Any] = {"status": "END", "connection_id": "c"}


def token(text: str) -> dict[str, Any]:
    return {"status": "stream", "event": "on_chat_model_stream", "data": {"chunk": {"content": text}}, "msg": text}


def write(file: Path, **more: Any) -> Path:
    made = tape(
        (">", 0.5, sendmsg("안녕", api_key="redacted-key-1")),
        ("<", 0.75, START),
        ("<", 1.0, token("반가워요\n")),
        ("<", 1.5, token("!")),
        ("<", 2.0, END),
        ("<", 2.5, b"\0\1\2"),
        name=file.stem,
        close=(1000, "done"),
        closed_by="client",
        closed_at=3.0,
        **more,
    )
    file.write_text("".join(f"{line}\n" for line in tape_lines(made)), encoding="utf-8")
    return file


def run(*args: object) -> Result:
    return CliRunner().invoke(cli, [str(arg) for arg in args])


def test_show_is_one_line_a_message(tmp_path: Path) -> None:
    done = run("tapes", "show", write(tmp_path / "a.jsonl"))
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "a  ws://h/v3/?room_uid=ROOM0001  3.0 s, 1 sent, 5 received"
    assert lines[1].startswith('     0.500 -> {"action": "sendmsg", "room_uid": "51VPKp3F0yPX", ')
    assert lines[5:] == [
        '     2.000 <- {"status": "END", "connection_id": "c"}',
        "     2.500 <- (3 bytes, binary)",
        "     3.000 -- closed by the client with 1000 done",
    ]
    full = run("tapes", "show", tmp_path, "--full").stdout.splitlines()
    assert full[3] == f"     1.000 <- {json.dumps(token('반가워요' + chr(10)), ensure_ascii=False)}"


def test_show_cuts_long_messages_unless_told_not_to(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("".join(f"{line}\n" for line in tape_lines(tape(("<", 0, "x" * 1000)))), encoding="utf-8")
    assert run("tapes", "show", file).stdout.splitlines()[1] == f"     0.000 <- {'x' * 160}…"
    assert run("tapes", "show", file, "--full").stdout.splitlines()[1] == f"     0.000 <- {'x' * 1000}"


def test_a_tape_cannot_write_to_the_terminal_what_it_likes(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    made = tape(("<", 0, "\x1b[31mred\nnext"), url="ws://h/\x1b[0m", close=(1000, "\x07"), closed_by="server")
    file.write_text("".join(f"{line}\n" for line in tape_lines(made)), encoding="utf-8")
    done = run("tapes", "show", file)
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout
    assert len(done.stdout.splitlines()) == 3


def test_export_and_import_are_a_round(tmp_path: Path) -> None:
    folder = tmp_path / "tapes"
    folder.mkdir()
    write(folder / "a.jsonl", subprotocol="chat.v1")
    write(folder / "b.jsonl")
    exported = run("tapes", "export", folder, "--har", tmp_path / "all.har")
    assert (exported.exit_code, exported.stdout) == (0, f"2 tapes in {tmp_path / 'all.har'}\n")
    imported = run("tapes", "import", tmp_path / "all.har", "--out", tmp_path / "back")
    assert (imported.exit_code, imported.stdout) == (0, f"2 tapes in {tmp_path / 'back'}\n")
    for name in ("a.jsonl", "b.jsonl"):
        assert (tmp_path / "back" / name).read_text() == (folder / name).read_text()


def test_import_leaves_secrets_out_and_nothing_that_was_there(tmp_path: Path) -> None:
    text = json.dumps({"api_key": DEMO_KEY, "phrase": "open sesame 123"})
    messages = [
        {"type": "send", "time": 1731456001, "opcode": 1, "data": text},
        {"type": "receive", "time": 1731456002, "opcode": 1, "data": f"no such key: {DEMO_KEY}"},
    ]
    url = f"wss://h/v3/?api_key={DEMO_KEY}"
    (tmp_path / "s.har").write_bytes(har(entry(_webSocketMessages=messages, request={"url": url})))
    for _ in range(2):
        done = run("tapes", "import", tmp_path / "s.har", "--out", tmp_path / "out", "--redact", "phrase")
        assert done.exit_code == 0
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == ["s-1-2.jsonl", "s-1.jsonl"]
    for file in files:
        assert DEMO_KEY not in file.read_text()
        assert "sesame" not in file.read_text()
    (made, _) = read_tapes(tmp_path / "out")
    assert [frame.text for frame in made.frames] == [
        '{"api_key": "redacted-key-1", "phrase": "redacted-secret-1"}',
        "no such key: redacted-key-1",
    ]
    assert made.url == "wss://h/v3/?api_key=redacted-key-1"


def test_import_export_and_show_leave_tokens_out_however_they_come(tmp_path: Path) -> None:
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123"
    agent = "hsk_0123456789abcdefghij"
    messages = [
        {"type": "send", "time": 1731456001, "opcode": 1, "data": json.dumps({"type": "auth", "token": "t0p-s3cret"})},
        {"type": "receive", "time": 1731456002, "opcode": 1, "data": json.dumps({"msg": f"not {agent}"})},
        {"type": "send", "time": 1731456003, "opcode": 2, "data": base64.b64encode(b"\xff" + jwt.encode()).decode()},
    ]
    response = {"status": 101, "headers": [{"name": "Sec-WebSocket-Protocol", "value": jwt}]}
    one = entry(_webSocketMessages=messages, request={"url": f"wss://h/ws?token={jwt}"}, response=response)
    (tmp_path / "s.har").write_bytes(har(one))
    assert run("tapes", "import", tmp_path / "s.har", "--out", tmp_path / "out").exit_code == 0
    assert run("tapes", "export", tmp_path / "s.har", "--har", tmp_path / "again.har").exit_code == 0
    imported = (tmp_path / "out" / "s-1.jsonl").read_text()
    (made,) = read_tapes(tmp_path / "out")
    assert made.subprotocol == "redacted-token-1"
    assert [frame.text for frame in made.frames[:2]] == [
        '{"type": "auth", "token": "redacted-token-2"}',
        '{"msg": "not redacted-token-3"}',
    ]
    assert made.frames[2].data == b"\xffredacted-token-1"
    shown = run("tapes", "show", "--full", tmp_path / "s.har").stdout
    for text in (imported, (tmp_path / "again.har").read_text(), shown):
        for secret in (jwt, jwt[:30], "t0p-s3cret", agent):
            assert secret not in text


def test_from_tape_writes_replies_that_pass_the_check(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl")
    to_screen = run("fixtures", "from-tape", file)
    assert to_screen.exit_code == 0
    assert to_screen.stdout == (
        'replies:\n  # a:2\n  - when: {msg: "안녕"}\n    tokens: ["반가워요\\n", "!"]\n'
        "    pace: {first: 0.5, per_second: 2}\n"
    )
    folder = tmp_path / "fixtures"
    (folder / "replies").mkdir(parents=True)
    (folder / "spaces.yaml").write_text("spaces: [{uid: a, default: true}]")
    to_file = run("fixtures", "from-tape", file, tmp_path, "--out", folder / "replies" / "t.yaml")
    assert to_file.stdout == f"1 replies in {folder / 'replies' / 't.yaml'}\n", "what is there twice is written once"
    assert run("fixtures", "check", folder).stdout == "0 errors, 0 warnings; 1 spaces, 1 replies\n"


def test_from_tape_without_a_turn_ends_with_1_and_says_why(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    made = tape((">", 0, sendmsg("안녕")), ("<", 1, START), name="a")
    file.write_text("".join(f"{line}\n" for line in tape_lines(made)), encoding="utf-8")
    done = run("fixtures", "from-tape", file)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "left out: a:2: it has no end",
        "chldo-emulator: there is no turn on these tapes that can become a reply",
    ]


@pytest.mark.parametrize(
    "command", [("tapes", "show"), ("tapes", "export"), ("tapes", "import"), ("fixtures", "from-tape")]
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, command: tuple[str, str]) -> None:
    file = tmp_path / "broken.jsonl"
    file.write_text('{"tape":1,"url":"u"}\n{"from":"me"}\n')
    more = {"export": ["--har", tmp_path / "x"], "import": ["--out", tmp_path / "x"]}.get(command[1], [])
    done = run(*command, file, *more)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"chldo-emulator: {file}:2: from: expected client or server, found a text\n"
    assert run(*command, tmp_path / "none.har", *more).exit_code == 2


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl")
    for done in (
        run("tapes", "export", file, "--har", tmp_path / "no" / "x.har"),
        run("fixtures", "from-tape", file, "--out", tmp_path / "no" / "x.yaml"),
        run("tapes", "import", file, "--out", file / "x"),
    ):
        assert done.exit_code == 2
        assert done.stderr.startswith("chldo-emulator: cannot ")


def test_the_commands_load_no_server(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl")
    code = (
        "import sys; from app.cli import cli\n"
        f"try: cli(['tapes', 'show', {str(file)!r}])\n"
        "except SystemExit as ended: assert not ended.code\n"
        "print([name for name in ('fastapi', 'uvicorn', 'langchain_core', 'httpx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "tape: {place}: there is no such file or folder"),
        ("", "tape: {place}:1: expected a header"),
        ('{"tape":1,"url":"u"}\n[]\n', "tape: {place}:2: expected a JSON object, found a list"),
    ],
)
def test_serve_with_tapes_that_cannot_be_used_is_one_line(tmp_path: Path, content: str | None, said: str) -> None:
    place = tmp_path / "t.jsonl"
    if content is not None:
        place.write_text(content)
    assert said.format(place=place) in refused(tmp_path, "--port", "0", "--tape", str(place))


def test_serve_with_an_empty_folder_or_a_wrong_speed_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "there is no tape" in refused(tmp_path, "--port", "0", "--tape", str(tmp_path / "empty"))
    assert "--tape-speed" in refused(tmp_path, "--port", "0", "--tape-speed", "-1")


def test_serve_says_that_tapes_answer(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl")
    process = subprocess.Popen(
        program("serve", "--port", "0", "--data", str(tmp_path / "data"), "--tape", str(file), "--tape-speed", "2"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        env=environment(),
    )
    assert process.stdout is not None
    try:
        banner = [process.stdout.readline() for _ in range(5)]
    finally:
        process.kill()
        process.communicate()
    assert banner[-1] == f"  tapes       {file} answer, at speed 2\n"
