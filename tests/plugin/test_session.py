"""The server of a test session: when it starts, what it is started with, and that it is gone afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.plugin.conftest import PATIENCE, Suite

pytest_plugins = ("pytester",)

ROOT = Path(__file__).parent.parent.parent

HEAVY = ("fastapi", "starlette", "pydantic", "httpx", "langchain_core", "langgraph", "sqlalchemy", "app", "graphs")


def test_a_suite_that_does_not_use_it_pays_nothing(suite: Suite) -> None:
    suite.write(
        test_it=f"""
        import sys
        def test_nothing_is_loaded():
            loaded = {{name.partition(".")[0] for name in sys.modules}}
            assert not loaded & set({HEAVY!r})
            assert {{name for name in sys.modules if name.startswith("pytest_chldo")}} == {{
                "pytest_chldo", "pytest_chldo.plugin", "pytest_chldo.options"}}
        def test_no_server_is_started():
            import os, pathlib
            children = pathlib.Path(f"/proc/{{os.getpid()}}/task/{{os.getpid()}}/children")
            assert not children.exists() or not children.read_text()
        """
    )
    suite.run().assert_outcomes(passed=2)


def test_pytest_finds_it_by_its_entry_point(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    result = suite.pytester.runpytest_subprocess("--fixtures", "-W", "ignore", timeout=PATIENCE)
    result.stdout.fnmatch_lines(["*fixtures defined from pytest_chldo.plugin*", "emulator *"])


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("pytest",), id="pytest"),
        pytest.param((sys.executable, "-m", "pytest"), id="python -m", marks=pytest.mark.slow),
    ],
)
def test_a_project_whose_own_package_is_called_app_is_not_disturbed(suite: Suite, command: tuple[str, ...]) -> None:
    suite.pytester.mkpydir("app").joinpath("main.py").write_text("MINE = True\n")
    suite.pytester.makeini("[pytest]\npythonpath = .")
    suite.write(
        test_it="""
        import app.main
        def test_mine(emulator_server):
            assert app.main.MINE
            assert emulator_server.control.get("health")["ready"]
        """
    )
    program = str(Path(sys.executable).parent / command[0]) if command == ("pytest",) else command[0]
    done = subprocess.run(
        [program, *command[1:], "-p", "pytest_chldo.plugin", "-q"],
        cwd=suite.pytester.path,
        env={**os.environ, "PYTHONPATH": str(suite.pytester.path)},
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    assert "1 passed" in done.stdout, done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_the_server_is_gone_when_pytest_is_interrupted(suite: Suite, number: signal.Signals) -> None:
    suite.write(
        test_it="""
        import signal, sys, threading
        signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may ignore it
        def test_long(emulator_server):
            print(emulator_server.process.pid, file=sys.__stdout__, flush=True)
            threading.Event().wait()
        """
    )
    outer = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "pytest_chldo.plugin", "-q", "-s"],
        cwd=suite.pytester.path,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )
    assert outer.stdout is not None
    with outer, outer.stdout as printed:
        server = psutil.Process(int(next(line for line in printed if line.strip().isdigit())))
        family = [server, *server.children(recursive=True)]
        outer.send_signal(number)
        try:
            assert outer.wait(PATIENCE) != 0
        finally:
            outer.kill()
        _, alive = psutil.wait_procs(family, timeout=15)
    assert not alive


@pytest.mark.slow
def test_two_sessions_at_once_have_a_server_each(suite: Suite) -> None:
    suite.write(
        test_it="""
        import os, pathlib, threading
        def test_two(emulator_server):
            mine, other = os.environ["MINE"], os.environ["OTHER"]
            pathlib.Path(mine).write_text(emulator_server.http_url)
            for _ in range(6000):
                if pathlib.Path(other).exists() and pathlib.Path(other).read_text():
                    break
                threading.Event().wait(0.01)
            assert pathlib.Path(other).read_text() != emulator_server.http_url
        """
    )
    command = [sys.executable, "-m", "pytest", "-p", "pytest_chldo.plugin", "-q", "-p", "no:cacheprovider"]
    sessions = [
        subprocess.Popen(
            command,
            cwd=suite.pytester.path,
            env={**os.environ, "MINE": mine, "OTHER": other},
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        for mine, other in (("one", "two"), ("two", "one"))
    ]
    for session in sessions:
        printed, _ = session.communicate(timeout=PATIENCE)
        assert session.returncode == 0, printed


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--emulator-revision", "2025-01-01"), "the emulator did not start: revision: must be one of 2023-12-28, *"),
        (("--emulator-set", "voice.egnine=tone"), "the emulator did not start: voice.egnine: unknown setting"),
        (("--emulator-fixtures", "nowhere"), "the emulator did not start: cannot start: *nowhere*"),
        (("--emulator-set", "voice-engine=tone"), "no setting has the name 'voice-engine'"),
        (("--emulator-url", "http://127.0.0.1:9"), "the emulator at http://127.0.0.1:9 does not answer: *refused*"),
        (("--emulator-url", "127.0.0.1:9"), "the address of an emulator begins with http:// or https://*"),
        (("--emulator-url", "http://127.0.0.1:x"), "the address of an emulator has no usable port*"),
    ],
)
def test_a_server_that_cannot_start_says_why_and_nothing_else(suite: Suite, args: tuple[str, ...], said: str) -> None:
    suite.write(test_it="def test_it(emulator): pass\ndef test_again(emulator): pass\n")
    result = suite.run(*args)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*ERROR at setup of test_it*", said])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*another exception*")
    result.stdout.no_fnmatch_line("*plugin.py*")


def test_a_server_that_is_not_ready_in_time_is_given_up(suite: Suite) -> None:
    suite.write(
        conftest="""
        import dataclasses, pytest
        @pytest.fixture(scope="session")
        def emulator_options(emulator_options):
            return dataclasses.replace(emulator_options, start_timeout=0.01)
        """,
        test_it="def test_it(emulator_server): pass",
    )
    result = suite.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["the emulator was not ready after 0.01 s*"])


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--emulator-seed", "one"), "--emulator-seed: a whole number, or none (got 'one')"),
        (("--emulator-set", "voice.engine"), "--emulator-set: key = value (got 'voice.engine')"),
        (("--emulator-reset", "maybe"), "--emulator-reset: true or false (got 'maybe')"),
    ],
)
def test_an_option_that_cannot_be_read_names_its_place(suite: Suite, args: tuple[str, ...], said: str) -> None:
    result = suite.run(*args)
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {said}"])


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.pytester.makeini(
        "[pytest]\nemulator_seed = 2\nemulator_revision = 2024-10-06\n"
        "emulator_settings =\n    log_level = warning\n    v3.idle_limit = 5\n    v3.age_limit = 50\n"
    )
    monkeypatch.setenv("CHLDO_EMULATOR_REVISION", "2024-10-07")
    monkeypatch.setenv("CHLDO_EMULATOR_SEED", "3")
    monkeypatch.setenv("CHLDO_EMULATOR_SETTINGS", "v3.idle_limit=6, v3.frame_limit=4096")
    suite.write(
        test_it="""
        def test_it(emulator_options):
            assert emulator_options.seed == 4
            assert emulator_options.revision == "2024-10-07"
            assert emulator_options.settings == {
                "log_level": "error", "v3.idle_limit": "6", "v3.age_limit": "50", "v3.frame_limit": "4096"}
        """
    )
    suite.run("--emulator-seed=4", "--emulator-set=log_level=error").assert_outcomes(passed=1)


def test_the_developers_own_settings_do_not_reach_the_server(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHLDO_REVISION", "2024-10-06")
    monkeypatch.setenv("CHLDO_PORT", "1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-costs-money")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2", "LC_OUTPUT_VERSION"):
        monkeypatch.setenv(name, "true")
    suite.pytester.makeini("[pytest]\nemulator_pass_env = OPENAI_BASE_URL")
    suite.write(
        test_it="""
        import pathlib, psutil
        def test_it(emulator_server):
            assert emulator_server.control.get("health")["revision"] == "2024-11-13"
            given = psutil.Process(emulator_server.process.pid).environ()
            own = ("CHLDO_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_", "LC_OUTPUT")
            assert [name for name in given if name.startswith(own)] == ["OPENAI_BASE_URL"]
            pathlib.Path("pid").write_text(str(emulator_server.process.pid))
        """
    )
    suite.run().assert_outcomes(passed=1)
    assert not psutil.pid_exists(int((suite.pytester.path / "pid").read_text())), "the server is still there"


def test_fixtures_and_paths_of_the_file_are_relative_to_it(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.pytester.mkdir("mine")
    suite.pytester.mkdir("deep")
    (suite.pytester.path / "mine" / "spaces.yaml").write_text("spaces: [{uid: mine, default: true, api_keys: 3}]")
    suite.pytester.makeini("[pytest]\nemulator_fixtures = mine")
    suite.write(test_it="def test_it(emulator_server): pass")
    monkeypatch.chdir(suite.pytester.path / "deep")
    result = suite.run("..")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["the emulator did not start: cannot start: spaces.yaml:1: *api_keys*"])


def test_a_session_whose_time_is_frozen_starts_it_and_stops_it(suite: Suite) -> None:
    """freezegun puts its clocks in place of the standard library's, `subprocess` included: no wait of the plugin may
    depend on one of them.
    """
    suite.pytester.makeini("[pytest]\nemulator_settings =\n    start_at = 2024-11-13T00:00:00Z")
    suite.pytester.makeconftest(
        """
        import time
        from freezegun import freeze_time
        def pytest_configure():
            freeze_time("2001-02-03").start()
        """
    )
    suite.write(
        test_it="""
        import datetime, subprocess, sys, time
        import pytest
        from pytest_chldo import server
        def test_time_is_frozen_here_and_not_there(emulator):
            assert time.monotonic() == time.monotonic() and subprocess._time() == subprocess._time()
            assert emulator.clock.now().isoformat() == "2024-11-13T00:00:00+00:00"
            emulator.clock.set(datetime.datetime.now())
            assert emulator.clock.now().isoformat() == "2001-02-03T00:00:00+00:00"
            emulator.clock.advance(60)
            assert emulator.clock.now().minute == 1
            assert not emulator.control.get("journal", "wait", kind="out", timeout=0.1)["complete"]
        def test_a_process_that_does_not_end_is_killed(monkeypatch):
            monkeypatch.setattr(server, "STOP_TIMEOUT", 0.2)
            deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
            process = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE, text=True)
            process.stdout.readline()
            server._stop(process)
            assert process.returncode == -9
        """
    )
    suite.run().assert_outcomes(passed=2)
