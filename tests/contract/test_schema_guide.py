"""The Python examples of docs/schemas.md run, and print what the page says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.judges import TREE
from tests.live import LiveServer

GUIDE = (TREE.parent / "schemas.md").read_text(encoding="utf-8")
ASK, JUDGE = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a user has put the documents of the default revision."""
    for name in ("chldo_2024_11_13.py", "frames.schema.json"):
        shutil.copy(TREE / "chldo" / "2024-11-13" / name, tmp_path)
    return tmp_path


def run(code: str, folder: Path) -> str:
    (folder / "example.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "example.py"], cwd=folder, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_client_with_models_prints_what_the_page_says(folder: Path, demo: LiveServer) -> None:
    printed = re.search(r"this prints\n\n```text\n(.*?)```", GUIDE, re.DOTALL)
    assert printed
    assert "ws://127.0.0.1:8765" in ASK
    said = run(ASK.replace("ws://127.0.0.1:8765", demo.ws), folder)
    assert re.sub(r"[\d.]+ s", "N s", said) == re.sub(r"[\d.]+ s", "N s", printed[1])


def test_a_frame_is_judged_as_the_page_shows(folder: Path) -> None:
    assert run(JUDGE, folder) == ""
    with pytest.raises(AssertionError, match=r"ValidationError"):
        run(JUDGE.replace('"msgtype": "error"', '"msgtype": "errors"'), folder)
