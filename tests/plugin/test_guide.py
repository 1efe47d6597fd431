"""docs/testing.md says what there is, and its examples work as printed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import PREFIX
from pytest_chldo import Emulator, options
from tests.plugin.conftest import PATIENCE, Suite
from tests.plugin.talking import talking
from tests.test_docs import ROOT, SETTINGS, rows, section

pytest_plugins = ("pytester",)

GUIDE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
CLIENT = (ROOT / "examples" / "pytest" / "chldo_client.py").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    """The code blocks of one language."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


def snippets() -> dict[str, Any]:
    """The YAML of the guide, by its heading."""
    headings = ("GitHub Actions", "docker compose", "GitLab")
    (workflow, compose, gitlab) = blocks("yaml")
    return dict(zip(headings, (yaml.safe_load(text) for text in (workflow, compose, gitlab)), strict=True))


# -- Python -----------------------------------------------------------------------------------------------------------


def test_the_tests_of_the_guide_pass(suite: Suite, emulator: Emulator) -> None:
    tests = [block for block in blocks("python") if "def test_" in block]
    suite.write(chldo_client=CLIENT, **{f"test_{number}": block for number, block in enumerate(tests)})
    result = suite.run(f"--emulator-url={emulator.http_url}", plugins=("pytest_asyncio.plugin",))
    result.assert_outcomes(passed=sum(block.count("def test_") for block in tests))


def test_the_conftest_and_the_configuration_file_of_the_guide_are_taken(suite: Suite) -> None:
    (conftest,) = (block for block in blocks("python") if "def test_" not in block)
    (table,) = blocks("toml")
    assert tomllib.loads(table)["tool"]["pytest"]["ini_options"].keys() <= {f"emulator_{name}" for name in NAMES}
    suite.pytester.makepyprojecttoml(table)
    suite.pytester.mkpydir("unchanged")
    suite.pytester.mkpydir("changed").joinpath("conftest.py").write_text(conftest)
    (suite.pytester.path / "unchanged" / "test_it.py").write_text(
        "def test_it(emulator_options, pytestconfig):\n"
        "    assert emulator_options.fixtures == pytestconfig.rootpath / 'tests' / 'fixtures'\n"
        "    assert emulator_options.settings == {'v3.idle_limit': '2', 'voice.engine': 'pyttsx3'}\n"
    )
    (suite.pytester.path / "changed" / "test_it.py").write_text(
        "def test_it(emulator_options):\n"
        "    assert emulator_options.settings == {'v3.require_msg': True, 'agent.history': 3}\n"
        "    assert emulator_options.seed == 7\n"
    )
    suite.run().assert_outcomes(passed=2)


def test_the_settings_of_the_guide_are_settings() -> None:
    named = set(re.findall(r"\"((?:v3|voice|agent)\.\w+)[\" ]", "".join(blocks("python") + blocks("toml"))))
    assert named
    assert named <= SETTINGS.keys()


def test_a_failed_wait_is_shown_as_in_the_guide(emulator: Emulator) -> None:
    (shown,) = (block for block in blocks("text") if "nearest:" in block)
    with talking(emulator, "gQ0b3Wc4kT1x") as talker:
        talker.turn("hi", user_id="u1")
        with pytest.raises(AssertionError) as raised:
            emulator.wait_for(type="END", room="QWt9R3vQ0yJH", timeout=0)
    printed = f"AssertionError: {raised.value}".replace("waited 0 s", "waited 5 s").splitlines()
    for got, wanted in zip(printed, shown.splitlines(), strict=False):
        assert masked(got) == masked(wanted.removeprefix("E").strip()), wanted


def masked(line: str) -> str:
    """A line without what differs from run to run."""
    line = re.sub(r"\d+\.\d{3}|entry \d+|127\.0\.0\.1:\d+", "#", line.strip())
    return re.sub(r'("api_key"): ?"[^"]*"', r"\1:…", line).replace('": "', '":"').replace(', "', ',"')


NAMES = (*options._SINGLE, *options._SEVERAL)


def test_the_options_and_their_documentation_are_the_same(pytestconfig: pytest.Config) -> None:
    table = {row[0].strip("`"): row for row in rows(section(GUIDE, "### Options"))}
    assert list(table) == [f"emulator_{name}" for name in NAMES]
    for name in NAMES:
        _, variable, option, default, meaning = table[f"emulator_{name}"]
        assert meaning
        if name != "pass_env":
            assert variable.startswith(f"`CHLDO_EMULATOR_{name.upper()}`")
        for written in re.findall(r"`(--[\w-]+)`", option):
            pytestconfig.getoption(written)
        assert bool(option) == (name in (*options._ON_THE_LINE, "settings"))
        if name == "seed":
            assert default == f"`{options.SEED}`"


def test_the_helpers_and_their_documentation_are_the_same(emulator: Emulator) -> None:
    cells = " ".join(row[0] for row in rows(section(GUIDE, "### What `emulator` can do")))
    written = set(re.findall(r"`(?:clock)?\.?(\w+)", cells)) - {"control"}
    own = {name for name in vars(Emulator) if not name.startswith("_")} - {"begin", "end", "last_frames", "log"}
    clock = {name for name in vars(type(emulator.clock)) if not name.startswith("_")}
    assert written == own | clock


# -- continuous integration -------------------------------------------------------------------------------------------


def test_every_variable_of_the_snippets_is_one() -> None:
    known = {f"{PREFIX}{path.replace('.', '_').upper()}" for path in SETTINGS}
    known |= {f"CHLDO_EMULATOR_{name.upper()}" for name in NAMES} | {"EMULATOR_URL"}
    named = set(re.findall(r"\b((?:CHLDO|EMULATOR)_[A-Z0-9_]+)\b", "".join(blocks("yaml"))))
    assert len(named) > 6
    assert named <= known


def test_the_workflow_is_one_and_installs_what_there_is() -> None:
    workflow = snippets()["GitHub Actions"]
    assert workflow[True] == ["push", "pull_request"], "YAML reads `on` as true; GitHub does not"
    for job in workflow["jobs"].values():
        assert job["runs-on"] == "ubuntu-latest"
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step), step
            assert "uses" not in step or re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
            assert step.keys() <= {"uses", "with", "run", "env", "if", "name"}
    for path in set(re.findall(r"vendor/chldo-emulator/([\w./]+)", GUIDE)):
        assert (ROOT / path).is_file()


@pytest.mark.slow
def test_the_workflows_server_is_started_and_waited_for_as_printed(tmp_path: Path) -> None:
    steps = snippets()["GitHub Actions"]["jobs"]["vitest"]["steps"]
    (start,) = (step for step in steps if step.get("name") == "Start the emulator")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHLDO_", "OPENAI_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    step = subprocess.Popen(
        ["bash", "-e", "-c", f"{start['run']}\nread"],
        cwd=tmp_path,
        env={**kept, **start["env"], "CHLDO_PORT": port, "PATH": path, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )
    try:
        assert step.stdout is not None
        assert "ready\n" in iter(step.stdout.readline, ""), (tmp_path / "emulator.log").read_text()
        asked = [sys.executable, "-m", "app.cli", "health", f"http://127.0.0.1:{port}"]
        assert subprocess.run(asked, cwd=ROOT, timeout=PATIENCE).returncode == 0
    finally:
        os.killpg(step.pid, signal.SIGTERM)
        step.communicate(timeout=PATIENCE)


def test_the_compose_file_fits_the_image_and_the_plugin() -> None:
    compose = snippets()["docker compose"]
    own = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    exposed = re.search(r"^EXPOSE (\d+)$", dockerfile, re.MULTILINE)
    assert exposed
    assert re.search(r"^HEALTHCHECK ", dockerfile, re.MULTILINE), "service_healthy would never come"
    emulator, tests = compose["services"]["emulator"], compose["services"]["tests"]
    assert emulator["ports"][0].endswith(f":{exposed[1]}")
    assert emulator["ports"][0].startswith("127.0.0.1:")
    assert own["services"]["emulator"]["ports"][0].startswith("127.0.0.1:")
    assert tests["environment"]["CHLDO_EMULATOR_URL"] == f"http://emulator:{exposed[1]}"
    assert tests["environment"]["CHLDO_EMULATOR_TOKEN"] == emulator["environment"]["CHLDO_CONTROL_TOKEN"]
    assert tests["depends_on"]["emulator"] == {"condition": "service_healthy"}
    known = {"build", "image", "ports", "volumes", "environment", "command", "depends_on"}
    assert all(service.keys() <= known for service in compose["services"].values())
    (mounted,) = emulator["volumes"]
    assert mounted.split(":")[1] == emulator["environment"]["CHLDO_FIXTURES"]


def test_the_gitlab_job_is_one() -> None:
    (job,) = snippets()["GitLab"].values()
    assert job.keys() == {"image", "variables", "cache", "script", "artifacts"}
    assert all(isinstance(line, str) for line in job["script"])


def test_packages_of_the_examples_are_pinned_and_nothing_is_locked() -> None:
    for name in ("vitest", "browser"):
        folder = ROOT / "examples" / name
        package = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in package["devDependencies"].values())
        tracked = subprocess.run(["git", "ls-files", str(folder)], cwd=ROOT, capture_output=True, encoding="utf-8")
        assert "lock" not in tracked.stdout
