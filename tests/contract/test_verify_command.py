"""`chldo-emulator verify`: exit codes, files, and that no key is ever told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result
from websockets.sync.server import ServerConnection, serve

from app.cli import cli
from app.contract.checks.report import Report
from app.contract.chldo.rules import RULES
from app.contract.chldo.words import R6
from tests.contract.defects import BROKEN, HOTWORD, POOR, UNUSABLE
from tests.golden import FOLDER
from tests.live import DEMO_KEY, LiveServer

ROOT = Path(__file__).parent.parent.parent
EVERYTHING = ["--unusable-key", UNUSABLE, "--failing-key", POOR, "--failing-key", BROKEN, "--say", HOTWORD]


def verify(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(cli, ["verify", *arguments], env={"COLUMNS": "200", **environment})


def test_a_server_without_findings_is_exit_code_0_and_all_outputs_agree(stage: LiveServer, tmp_path: Path) -> None:
    files = [tmp_path / "report.json", tmp_path / "report.xml"]
    asked = ["--json", str(files[0]), "--junit", str(files[1])]
    result = verify(f"{stage.ws}/v3/", "--api-key", DEMO_KEY, *EVERYTHING, *asked)
    assert result.exit_code == 0, result.output
    report = Report.model_validate_json(files[0].read_text(encoding="utf-8"))
    root = ET.fromstring(files[1].read_text(encoding="utf-8"))
    assert (
        f"{report.counts.passed} rules kept, 0 broken, 0 skipped; 0 findings; turns and greetings asked for: 11;"
        in result.output
    )
    assert (report.counts.passed, report.turns) == (len(list(root.iter("testcase"))), 11)
    assert {one.id for one in report.rules} == {rule.id for rule in RULES if rule.holds_in("2024-11-13")}
    assert "speaks 2024-11-13; judged as 2024-11-13, as its frames tell" in result.output


def test_findings_are_exit_code_1_and_a_given_revision_is_told(stage: LiveServer) -> None:
    result = verify(f"{stage.ws}/v3/", "--revision", R6, "--only", "keys.start", CHLDO_API_KEY=DEMO_KEY)
    assert result.exit_code == 1
    assert "judged as 2024-10-06, as --revision says" in result.output
    assert "BROKEN keys.start" in result.output
    assert "with scene_number" in result.output
    assert '"status":"START"' in result.output


def test_json_and_junit_may_go_to_standard_output(stage: LiveServer) -> None:
    some = [f"{stage.ws}/v3/", "--only", "status", "--only", "limits", "--revision", "2024-11-13"]
    report = Report.model_validate_json(verify(*some, "--json", "-").stdout)
    assert {one.outcome for one in report.rules} == {"passed"}
    assert len(list(ET.fromstring(verify(*some, "--junit", "-").stdout).iter("testcase"))) == len(report.rules) == 5


def test_no_connection_is_exit_code_3_and_still_a_report(tmp_path: Path) -> None:
    result = verify("ws://127.0.0.1:9/", "--api-key", DEMO_KEY, "--junit", str(tmp_path / "report.xml"))
    assert result.exit_code == 3
    assert "nothing was checked: cannot connect to ws://127.0.0.1:9/: Connection refused" in result.output
    assert ET.parse(tmp_path / "report.xml").getroot().attrib["errors"] == "1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give either the URL of a server or --tape PATH"),
        (["ws://x/", "--tape", "x.jsonl"], "give either the URL of a server or --tape PATH"),
        (["ws://x/", "--only", "kyes"], "there is no rule and no group of rules 'kyes'"),
        (["ws://x/", "--skip", "keys.strat"], "'keys.strat'"),
        (["ws://x/", "--only", "keys", "--skip", "keys"], "no rule is left"),
        (["ws://x/", "--revision", "2025-01-01"], "unknown revision '2025-01-01'; known: 2023-12-28"),
        (["ws://x/", "--wire", "smtp"], "unknown wire 'smtp'; known: chldo"),
        (["ws://x/", "--json", "-", "--junit", "-"], "not both"),
        (["ws://x/", "--json", "no/such/folder/report.json"], "cannot write no/such/folder/report.json"),
        (["gopher://x/"], "the URL must begin with ws:// or wss://"),
        (["--tape", "no-such-tape.jsonl"], "no-such-tape.jsonl: no such file or folder"),
        (["ws://x/", "--timeout", "0"], ""),
    ],
)
def test_wrong_usage_is_exit_code_2_with_one_line(arguments: list[str], said: str) -> None:
    result = verify(*arguments)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert result.stdout == ""
    if said:
        assert len(result.stderr.splitlines()) == 1


def test_a_tape_that_cannot_be_read_names_the_line(tmp_path: Path) -> None:
    tape = tmp_path / "bad.jsonl"
    tape.write_text(
        '{"tape":1,"url":"ws://x/"}\n{"from":"client","at":0,"text":"{}"}\n{"from":"server"\n', encoding="utf-8"
    )
    result = verify("--tape", str(tape))
    assert result.exit_code == 2
    assert "bad.jsonl:3" in result.stderr


def test_a_server_that_wants_a_key_and_gets_none_is_wrong_usage(stage: LiveServer) -> None:
    result = verify(f"{stage.ws}/v3/")
    assert result.exit_code == 2
    assert "give one with --api-key or CHLDO_API_KEY" in result.stderr


def test_recordings_are_judged_without_a_server() -> None:
    result = verify("--tape", str(FOLDER / "2024-11-03-use_voice-language-id.jsonl"))
    assert result.exit_code == 0, result.output
    assert "speaks 2024-11-13 (or 2024-11-03)" in result.output
    assert verify("--tape", str(FOLDER / "2024-10-06-sendmsg.jsonl")).exit_code == 1


def test_the_list_names_every_rule() -> None:
    result = verify("--list")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == [rule.id for rule in RULES]
    assert len(verify("--list", "--only", "keys").stdout.splitlines()) == sum(rule.group == "keys" for rule in RULES)


def test_as_a_program_its_exit_code_and_streams_are_those_of_the_process() -> None:
    """Run as a program, once: the exit code and the two streams are the process's own."""
    made = subprocess.run(
        [sys.executable, "-m", "app.cli", "verify", "--tape", str(FOLDER), "--json", "-"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert made.returncode == 1
    assert json.loads(made.stdout)["mode"] == "passive"
    assert made.stderr == ""


KEYS = ["wrong-key-0123456789", 'quo"ted\\key-12345', "API 키 비밀번호 하나", "f" * 22]


def outputs(*arguments: str, folder: Path) -> str:
    """Everything that a check writes, in all its forms."""
    files = [folder / "report.json", folder / "report.xml"]
    result = verify(*arguments, "--timeout", "0.5", "--json", str(files[0]), "--junit", str(files[1]))
    written = "".join(file.read_text(encoding="utf-8") for file in files if file.exists())
    return result.output + result.stderr + written + verify(*arguments, "--timeout", "0.5", "--json", "-").output


@pytest.mark.parametrize("key", KEYS)
def test_a_wrong_key_is_told_as_such_and_not_named(stage: LiveServer, tmp_path: Path, key: str) -> None:
    text = outputs(f"{stage.ws}/v3/", "--api-key", key, folder=tmp_path)
    assert "BROKEN wire.accepts" in text
    assert "api_key is not exist" in text
    assert "no turn came of the first message, so no more were tried" in text
    assert_hidden(key, text)


@pytest.mark.parametrize("key", KEYS)
def test_a_server_that_gives_the_key_back_does_not_make_it_known(tmp_path: Path, key: str) -> None:
    def tells(socket: ServerConnection) -> None:
        for message in socket:
            body = json.loads(message) if message[:1] == "{" else {}
            frame = {"status": "connected", "connection_id": key, "msg": f"{key} or {message!r}", "msgtype": "error"}
            if body.get("action") == "status":
                frame = {"status": "connected", "connection_id": "ArIz-dpIoE0CEeg=", "msgtype": "info"}
            socket.send(json.dumps(frame, ensure_ascii=False))
            socket.send(message)

    import threading

    with serve(tells, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        secrets = ["--api-key", key, "--unusable-key", f"{key}-unusable", "--failing-key", f"{key}-failing"]
        text = outputs(f"ws://127.0.0.1:{port}/v3/", *secrets, folder=tmp_path)
        server.shutdown()
        thread.join()
    assert "BROKEN" in text
    assert "[key]" in text
    assert_hidden(key, text)


def test_a_key_in_the_url_or_in_a_tape_is_not_told(tmp_path: Path) -> None:
    key = KEYS[0]
    assert_hidden(key, outputs(f"ws://127.0.0.1:9/v3/?api_key={key}", "--api-key", key, folder=tmp_path))
    ask = json.dumps({"action": "sendmsg", "api_key": key, "room_uid": "r", "user_id": "u"})
    lines = [
        {"tape": 1, "url": "ws://x/"},
        {"from": "client", "at": 0, "text": ask},
        {"from": "server", "at": 1, "text": ask},
    ]
    (tmp_path / "tape.jsonl").write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    text = outputs("--tape", str(tmp_path / "tape.jsonl"), folder=tmp_path)
    assert "BROKEN" in text
    assert_hidden(key, text)


def assert_hidden(key: str, text: str) -> None:
    for spelling in (key, json.dumps(key)[1:-1], json.dumps(key, ensure_ascii=False)[1:-1]):
        assert spelling not in text
