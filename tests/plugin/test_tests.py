"""What tests that use the plugin see: isolation, and what a failed one shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_chldo import Emulator
from tests.plugin.conftest import Suite

pytest_plugins = ("pytester",)

ROOT = Path(__file__).parent.parent.parent

TALK = """
import json
from websockets.sync.client import connect
def turn(emulator, room, msg="hi", **fields):
    about = {"action": "sendmsg", "room_uid": room, "user_id": "u", "api_key": emulator.api_key, "msg": msg}
    with connect(emulator.ws_url(room)) as socket:
        socket.send(json.dumps({**about, **fields}))
        frames = [json.loads(socket.recv(20))]
        while frames[-1].get("status") != "END":
            frames.append(json.loads(socket.recv(20)))
    return frames
def answer(frames):
    return "".join(frame["msg"] for frame in frames if frame["status"] == "stream")
"""


def test_each_test_begins_anew_and_every_run_is_the_same(suite: Suite, emulator: Emulator) -> None:
    suite.write(
        talk=TALK,
        test_it="""
        import json, pathlib, pytest
        from talk import answer, turn
        @pytest.mark.parametrize("number", range(3))
        def test_anew(emulator, number):
            assert not emulator.journal(kind=["in", "out", "open", "close", "fault"])
            assert not emulator.control.get("faults")["faults"]
            assert emulator.clock.now().isoformat() == "2024-11-13T00:00:00+00:00"
            emulator.reply("hi", "The first turn.", turn=1)
            frames = turn(emulator, "SameRoom0001", return_voice=1)
            assert answer(frames) == "The first turn."
            emulator.fault("refuse")
            emulator.credit(emulator.space, 0)
            emulator.clock.advance(1000)
            with pathlib.Path("frames").open("a") as file:
                print(json.dumps([{k: v for k, v in f.items() if k != "voice_url"} for f in frames]), file=file)
        """,
    )
    suite.run().assert_outcomes(passed=3)
    suite.run(f"--emulator-url={emulator.http_url}").assert_outcomes(passed=3)
    lines = (suite.pytester.path / "frames").read_text().splitlines()
    assert len(lines) == 6
    assert len(set(lines)) == 1, "a run differs from the one before"


def test_a_failed_test_shows_the_last_frames_and_the_log_and_no_key(suite: Suite) -> None:
    suite.write(
        talk=TALK,
        test_it="""
        import pytest
        from talk import turn
        def test_passes(emulator):
            turn(emulator, "ThisRoom", "good")
        def test_fails(emulator):
            turn(emulator, "ThatRoom", "bad")
            assert 0
        @pytest.fixture
        def broken(emulator):
            turn(emulator, "SetupRoom")
            raise RuntimeError("no")
        def test_setup_fails(broken): pass
        def test_has_nothing_to_do_with_it():
            assert 0
        """,
    )
    result = suite.run("--emulator-set=log_level=info", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=2, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at setup of test_setup_fails*",
            "*- chldo emulator: last frames -*",
            "*> sendmsg [[]SetupRoom[]]*",
            "*_ test_fails _*",
            "*- chldo emulator: last frames -*",
            "*0.000  open [[]ThatRoom[]]*",
            "*> sendmsg [[]ThatRoom[]]*bad*",
            "*< START *",
            "*match *",
            "*… * more < stream",
            "*< END *",
            "*- chldo emulator: log (*server.log) -*",
            "*turn in room ThatRoom took*",
            "*_ test_has_nothing_to_do_with_it _*",
            "*short test summary*",
        ]
    )
    text = result.stdout.str()
    assert text.count("chldo emulator: last frames") == 2
    assert "ThisRoom" not in text, "frames of another test are shown"
    assert "d4a3653a4ba72d6e04a293" not in text


def test_a_wait_in_vain_points_at_the_test_and_not_at_the_plugin(suite: Suite, emulator: Emulator) -> None:
    suite.write(
        test_it="""
        def test_waits(emulator):
            emulator.wait_for(type="END", room="nowhere", timeout=0.05)
        """
    )
    result = suite.run(f"--emulator-url={emulator.http_url}")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '>*emulator.wait_for(type="END", room="nowhere", timeout=0.05)',
            "E*AssertionError: waited 0.05 s for an entry of the journal with type 'END', room 'nowhere'",
        ]
    )
    result.stdout.no_fnmatch_line("*def wait_for*")


def test_a_server_that_dies_is_told_with_its_last_words(suite: Suite) -> None:
    suite.write(
        test_it="""
        def test_kills(emulator):
            emulator.server.process.kill()
            emulator.server.process.wait()
            emulator.journal()
        def test_afterwards(emulator): pass
        """
    )
    result = suite.run()
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at setup of test_afterwards*",
            "the emulator has ended with exit code -9*",
            "E*has ended with exit code -9*",
        ]
    )
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


@pytest.mark.slow
def test_with_xdist_every_worker_has_a_server_of_its_own(suite: Suite) -> None:
    suite.write(
        talk=TALK,
        test_it="""
        import os, pathlib, pytest
        from talk import answer, turn
        @pytest.mark.parametrize("number", range(8))
        def test_apart(emulator, number):
            worker = os.environ["PYTEST_XDIST_WORKER"]
            emulator.reply("hi", f"From {worker}.")
            emulator.fault("drop", frame="think")
            frames = turn(emulator, "SameRoom0001")
            assert answer(frames) == f"From {worker}."
            assert len(emulator.frames(type="START")) == 1
            pathlib.Path(worker).write_text(str(emulator.server.process.pid))
        """,
    )
    suite.run("-n", "2", "--dist=each", "-p", "no:cacheprovider", plugins=("xdist",)).assert_outcomes(passed=16)
    pids = {(suite.pytester.path / worker).read_text() for worker in ("gw0", "gw1")}
    assert len(pids) == 2


def test_workers_that_share_a_server_leave_each_other_alone(suite: Suite, emulator: Emulator) -> None:
    emulator.reply("mine", "Of the outer test.")
    outer = emulator.fault("duplicate", room="OuterRoom")
    suite.write(
        talk=TALK,
        test_it="""
        import pytest
        from talk import answer, turn
        @pytest.mark.parametrize("number", range(6))
        def test_apart(emulator, number):
            room = emulator.room()
            assert not emulator.journal(room=room)
            assert answer(turn(emulator, room, "mine")) == "Of the outer test."
            emulator.reply("hi", f"{room} is mine.", room=room)
            fault = emulator.fault("drop", frame="START", room=room)
            assert answer(turn(emulator, room)) == f"{room} is mine."
            assert fault.strikes == 1
            assert len(emulator.wait_for(type="END", room=room, count=2)) == 2
        """,
    )
    for _ in range(2):
        result = suite.run("-n", "2", f"--emulator-url={emulator.http_url}", plugins=("xdist",))
        result.assert_outcomes(passed=6)
    assert [rule["id"] for rule in emulator.control.get("faults")["faults"]] == [outer.id]
    assert len(emulator.control.get("replies")["replies"]) == 1


def test_a_server_that_runs_already_is_reset_and_left_running(suite: Suite, emulator: Emulator) -> None:
    emulator.fault("refuse")
    suite.write(
        talk=TALK,
        test_it="""
        from talk import answer, turn
        def test_it(emulator):
            assert emulator.server.process is None
            emulator.reply("hi", "Found.")
            assert answer(turn(emulator, "Room")) == "Found."
            emulator.snapshot()
        """,
    )
    suite.run(f"--emulator-url={emulator.http_url}/").assert_outcomes(passed=1)
    assert not emulator.control.get("faults")["faults"]
    assert not emulator.control.get("replies")["replies"]
    assert not emulator.control.get("snapshots")["snapshots"]


@pytest.mark.slow
def test_a_token_is_shown_to_a_server_that_wants_one(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.write(
        test_it="""
        import os, pytest, subprocess, sys
        def test_it(emulator):
            run = [sys.executable, "-m", "pytest", "-p", "pytest_chldo.plugin", "inner.py"]
            run += ["--emulator-url", emulator.http_url]
            without = subprocess.run(run, capture_output=True, text=True)
            assert "token: expected the token of the control plane" in without.stdout
            assert "geheim" not in without.stdout
            shown = subprocess.run(run, env={**os.environ, "CHLDO_EMULATOR_TOKEN": "geheim-geheim"})
            assert shown.returncode == 0
        """,
        inner="def test_inner(emulator): pass",
    )
    suite.run("--emulator-set=control.token=geheim-geheim").assert_outcomes(passed=1)


def test_the_examples_pass(suite: Suite, emulator: Emulator) -> None:
    example = ROOT / "examples" / "pytest"
    for name in ("chldo_client.py", "test_chldo_client.py", "pytest.ini"):
        (suite.pytester.path / name).write_text((example / name).read_text(encoding="utf-8"), encoding="utf-8")
    written = (example / "test_chldo_client.py").read_text(encoding="utf-8")
    result = suite.run("-W", "error", f"--emulator-url={emulator.http_url}")
    result.assert_outcomes(passed=written.count("\ndef test_"))
