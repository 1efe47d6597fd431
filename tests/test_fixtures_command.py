"""`chldo-emulator fixtures check` as a shell sees it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import cli
from app.settings import shipped

SHADOWED = """replies:
  - {when: {msg: a}, reply: x}
  - {when: {msg: a, turn: 2}, reply: y}
"""
BROKEN = """replies:
  - {when: {msg: a}, reply: x, pace: {first: -1}}
  - {when: {turn: 0}, reply: y}
"""


def folder_with(folder: Path, replies: str) -> Path:
    (folder / "replies").mkdir()
    (folder / "spaces.yaml").write_text("spaces: [{uid: a, default: true}]", encoding="utf-8")
    (folder / "replies" / "r.yaml").write_text(replies, encoding="utf-8")
    return folder


def check(*args: str) -> Result:
    return CliRunner().invoke(cli, ["fixtures", "check", *args])


def test_a_folder_without_errors_ends_with_0() -> None:
    done = check(str(shipped("fixtures")))
    assert done.exit_code == 0
    assert re.fullmatch(r"0 errors, 0 warnings; 4 spaces, \d+ replies, \d+ faults, 3 profiles\n", done.stdout)


def test_a_warning_is_told_and_ends_with_0(tmp_path: Path) -> None:
    done = check(str(folder_with(tmp_path, SHADOWED)))
    assert done.exit_code == 0
    warning, counts = done.stdout.splitlines()
    assert warning == (
        "replies/r.yaml:3: warning: when: can never answer: replies/r.yaml:2 comes first and matches whatever this does"
    )
    assert counts == "0 errors, 1 warnings; 1 spaces, 2 replies"


def test_errors_are_told_with_their_lines_and_end_with_1(tmp_path: Path) -> None:
    done = check(str(folder_with(tmp_path, BROKEN)))
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "replies/r.yaml:2: error: pace.first: expected a number from 0 to 3600, found -1",
        f"replies/r.yaml:3: error: when.turn: expected a whole number from 1 to {2**63 - 1}, found 0",
        "2 errors, 0 warnings",
    ]


@pytest.mark.parametrize(("replies", "ok"), [(SHADOWED, True), (BROKEN, False)])
def test_json_says_the_same_to_programs(tmp_path: Path, replies: str, ok: bool) -> None:
    done = check(str(folder_with(tmp_path, replies)), "--json")
    told: dict[str, Any] = json.loads(done.stdout)
    assert (done.exit_code == 0, told["ok"], told["folder"]) == (ok, ok, str(tmp_path))
    assert (told["errors"], told["warnings"], told["replies"]) == ((0, 1, 2) if ok else (2, 0, 0))
    assert all(list(one) == ["severity", "file", "line", "key", "message"] for one in told["problems"])
    assert [one["line"] for one in told["problems"]] == ([3] if ok else [2, 3])


def test_errors_beyond_what_is_shown_are_counted(tmp_path: Path) -> None:
    many = "replies:\n" + "  - {when: {turn: 0}, reply: y}\n" * 1_500
    done = check(str(folder_with(tmp_path, many)))
    assert done.stdout.splitlines()[-2:] == ["and 500 more errors", "1500 errors, 0 warnings"]
    assert done.exit_code == 1


def test_what_a_file_quotes_cannot_begin_a_line_of_its_own(tmp_path: Path) -> None:
    done = check(str(folder_with(tmp_path, '"re\\nplies\\e[31m": []')))
    assert len(done.stdout.splitlines()) == 2
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("args", [[], ["nowhere"], ["--jason", "."]])
def test_wrong_usage_ends_with_2(args: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = check(*args)
    assert (done.exit_code, done.stdout) == (2, "")


def test_the_check_loads_no_server() -> None:
    code = (
        "import sys; from app.cli import cli\n"
        f"try: cli(['fixtures', 'check', {str(shipped('fixtures'))!r}])\n"
        "except SystemExit as ended: assert not ended.code\n"
        "print([name for name in ('fastapi', 'uvicorn', 'langchain_core', 'sqlalchemy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_faults_and_profiles_are_checked_and_counted(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "{}")
    (folder / "profiles").mkdir()
    (folder / "faults.yaml").write_text("faults:\n- {fault: hang, when: {frame: END}}\n", encoding="utf-8")
    (folder / "profiles" / "wet.yaml").write_text("about: 비\nfaults: [{fault: drop}, {fault: swap}]", encoding="utf-8")
    done = check(str(folder))
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "faults.yaml:2: warning: when.frame: can never strike: hang knows of no frame, "
        "only of action, key, message, room, turn, user, wire",
        "0 errors, 1 warnings; 1 spaces, 0 replies, 3 faults, 1 profiles",
    ]
    told = json.loads(check(str(folder), "--json").stdout)
    assert (told["faults"], told["profiles"]) == (3, 1)
    (folder / "profiles" / "wet.yaml").write_text("faults: [{fault: drop}, {fault: delay}]", encoding="utf-8")
    done = check(str(folder))
    assert done.exit_code == 1
    assert done.stdout.splitlines()[0] == "profiles/wet.yaml:1: error: seconds: expected this key, found nothing"


def test_the_file_of_a_wire_is_checked_too(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, SHADOWED)
    (folder / "hashee.yaml").write_text("users:\n  - {email: nobody}\n", encoding="utf-8")
    done = check(str(folder))
    assert done.exit_code == 1
    assert done.stdout.startswith("hashee.yaml:2: error: email: expected an email address")


def test_voices_and_languages_that_cannot_be_had_are_named(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "replies: []")
    (folder / "spaces.yaml").write_text("spaces:\n  - {uid: a, default: true,\n     language: tlh}", encoding="utf-8")
    (folder / "malangee.yaml").write_text(
        "voices:\n  sage: en-gb+f3\n  coral: en-us+f9\n  echo: en-us+m1\n"
        "sessions:\n  - {session_id: x, voice: echo}\n  - {session_id: y,\n     voice: sagee}\n",
        encoding="utf-8",
    )
    done = check(str(folder))
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "malangee.yaml:2: warning: voices.sage: espeak-ng has no voice 'en-gb+f3': tones are used",
        "malangee.yaml:3: warning: voices.coral: espeak-ng has no variant 'f9': it is left out",
        "malangee.yaml:8: warning: voice: no voice 'sagee' here, it speaks like alloy",
        "spaces.yaml:3: warning: language: no voice speaks 'tlh', tones are used",
        "0 errors, 4 warnings; 1 spaces, 0 replies",
    ]
