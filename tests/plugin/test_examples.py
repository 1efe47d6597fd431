"""The examples in JavaScript, as they are, with the packages that they name."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin.test_guide import blocks

ROOT = Path(__file__).parent.parent.parent

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm"),
]

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PATIENCE = 300.0


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the folder, for npm to work in."""
    folder = tmp_path_factory.mktemp("copy") / "examples"
    shutil.copytree(ROOT / "examples", folder, ignore=shutil.ignore_patterns("node_modules", "package-lock.json"))
    return folder


def run(folder: Path, *command: str, code: int = 0, **env: str) -> str:
    """What a command prints; it must end with the exit code."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("CHLDO_", "OPENAI_", "EMULATOR_"))
    }
    program = Path(sys.executable).parent / "chldo-emulator"
    done = subprocess.run(
        command,
        cwd=folder,
        env={**kept, "CHLDO_EMULATOR": str(program), "NO_COLOR": "1", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def install(folder: Path) -> None:
    run(folder, "npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--silent")


def test_the_vitest_suite_passes_and_so_does_the_test_of_the_guide(examples: Path) -> None:
    folder = examples / "vitest"
    install(folder)
    (guide,) = (block for block in blocks("js") if "from 'vitest'" in block)
    (folder / "test" / "guide.test.js").write_text(guide, encoding="utf-8")
    printed = run(folder, "npm", "test", "--silent")
    written = (folder / "test" / "chat.test.js").read_text(encoding="utf-8").count("\ntest(")
    assert re.search(rf"Tests +{written + 1} passed \({written + 1}\)", printed), printed


def test_a_failed_test_of_the_vitest_suite_shows_the_last_frames(examples: Path) -> None:
    folder = examples / "vitest"
    if not (folder / "node_modules").exists():
        install(folder)
    (folder / "test" / "failing.test.js").write_text(
        "import { expect, test } from 'vitest'\n"
        "import { Chat } from '../client.js'\n"
        "import { emulator } from './setup.js'\n"
        "test('fails', async () => {\n"
        "  const chat = new Chat(emulator.wsUrl('FailingRoom1'), { apiKey: 'nobody' })\n"
        "  await expect(chat.ask('hi')).resolves.toBe('')\n"
        "})\n"
        "test('waits in vain', () => emulator.waitFor({ type: 'END' }, { seconds: 0.1 }))\n",
        encoding="utf-8",
    )
    printed = run(folder, "npx", "vitest", "run", "test/failing.test.js", code=1)
    assert re.search(r"^last frames:\n(.*\n)*?> sendmsg \[FailingRoom1\].*\n< error \[FailingRoom1\]", printed, re.M)
    assert 'waited 0.1 s for 1 of {"type":"END"}; 0 came' in printed
    assert "2 failed" in printed


@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="there is no Chromium")
def test_the_page_works_in_a_browser(examples: Path) -> None:
    folder = examples / "browser"
    install(folder)
    printed = run(folder, "npm", "test", "--silent", SCREENSHOT="page.png", CHROMIUM=CHROMIUM)
    written = (folder / "test" / "page.test.js").read_text(encoding="utf-8").count("\ntest(")
    assert re.search(rf"^# pass {written}$", printed, re.MULTILINE), printed
    picture = (folder / "page.png").read_bytes()
    width, height = struct.unpack(">II", picture[16:24])
    assert (width, height) == (760, 640)
    assert len(picture) > 10_000, "the picture is all but empty"
