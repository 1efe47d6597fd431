"""`chldo-emulator schema` as a shell sees it, and the checked-in tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import cli

TREE = Path(__file__).parent.parent / "docs" / "schema"


def schema(*args: str) -> Result:
    return CliRunner().invoke(cli, ["schema", *args])


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TREE, tmp_path / "schema", ignore=shutil.ignore_patterns("__pycache__", ".*")))


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_checked_in_schemas_are_up_to_date() -> None:
    done = schema("--out", str(TREE), "--check")
    assert done.exit_code == 0, f"{done.stderr}run: chldo-emulator schema --out docs/schema"


def test_another_process_with_other_hashes_writes_the_same_bytes(tmp_path: Path, copy: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "schema", "--out", str(tmp_path / "new")],
        env={**os.environ, "PYTHONHASHSEED": "4711", "LC_ALL": "C", "TZ": "Asia/Seoul"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "new") == files(copy)
    said = done.stdout.splitlines()
    assert f"wrote {tmp_path / 'new' / 'index.json'}" in said
    assert said[-1] == f"{len(said) - 1} files, {len(said) - 1} written"


def test_only_what_differs_is_written(copy: Path) -> None:
    changed, gone = copy / "index.json", copy / "chldo" / "2024-11-13" / "asyncapi.json"
    changed.write_text("{}", encoding="utf-8")
    gone.unlink()
    kept = copy / "chldo" / "2024-11-13" / "frames.schema.json"
    before = kept.stat().st_mtime_ns
    done = schema("--out", str(copy))
    assert done.exit_code == 0
    assert done.stdout.splitlines()[:-1] == [f"wrote {gone}", f"wrote {changed}"]
    assert kept.stat().st_mtime_ns == before
    assert schema("--out", str(copy), "--check").exit_code == 0


def test_the_check_names_what_differs_and_writes_nothing(copy: Path) -> None:
    (copy / "index.json").write_text("{}", encoding="utf-8")
    (copy / "chldo" / "2024-11-13" / "asyncapi.json").unlink()
    (copy / "chldo" / "2024-11-13" / "frames" / "Old.schema.json").write_text("{}", encoding="utf-8")
    (copy / "README.md").write_text("mine", encoding="utf-8")
    before = files(copy)
    done = schema("--out", str(copy), "--check")
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "chldo/2024-11-13/asyncapi.json: missing",
        "chldo/2024-11-13/frames/Old.schema.json: not generated",
        "index.json: out of date",
    ]
    assert files(copy) == before


@pytest.mark.parametrize("check", [False, True])
def test_a_folder_that_cannot_be_used_is_named_in_one_line(tmp_path: Path, check: bool) -> None:
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    done = schema("--out", str(file), *(["--check"] if check else []))
    assert done.exit_code == 2
    assert done.stderr.startswith("chldo-emulator: ")
    assert str(file) in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_check_of_a_folder_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    done = schema("--out", str(tmp_path / "nowhere"), "--check")
    assert (done.exit_code, done.stderr) == (
        2,
        f"chldo-emulator: {tmp_path / 'nowhere'} is no folder that can be opened\n",
    )
    assert not (tmp_path / "nowhere").exists()


def test_without_a_folder_it_is_wrong_usage() -> None:
    assert schema().exit_code == 2
