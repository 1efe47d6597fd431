"""The journal on disk: lines, rotation, and disks that are slow or fail."""

from __future__ import annotations

import json
import logging
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from app.emulation import journal_file
from app.emulation.determinism import VirtualClock
from app.emulation.journal import Journal
from app.emulation.journal_file import FILE, JournalFile

KEY = "d4a3653a4ba72d6e04a293"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def opened(folder: Path, **bounds: int) -> tuple[Journal, JournalFile]:
    file = JournalFile(folder, **bounds)
    file.open()
    kept = Journal(clock=VirtualClock(), most=0)
    kept.sinks.append(file)
    return kept, file


def test_every_entry_is_a_line_as_it_is_shown(tmp_path: Path) -> None:
    kept, file = opened(tmp_path / "new" / "folder")
    kept.write("in", room="r", text=f'{{"api_key":"{KEY}","msg":"안녕"}}')
    kept.write("close", detail={"code": 1000, "reason": "half \ud83d"})
    file.close()
    first, second = lines(tmp_path / "new" / "folder" / FILE)
    assert (first["seq"], first["kind"], first["room"]) == (1, "in", "r")
    assert "안녕" in first["text"]
    assert KEY not in str(first)
    assert second["code"] == 1000
    assert stat.S_IMODE((tmp_path / "new" / "folder" / FILE).stat().st_mode) == 0o600


def test_a_later_run_goes_on_in_the_same_file(tmp_path: Path) -> None:
    for _ in range(2):
        kept, file = opened(tmp_path)
        kept.write("in", text="x")
        file.close()
    assert [line["seq"] for line in lines(tmp_path / FILE)] == [1, 1]


def test_files_rotate_by_size_and_the_oldest_go(tmp_path: Path) -> None:
    kept, file = opened(tmp_path, size=2000, files=2)
    for number in range(40):
        kept.write("in", text=f"{number} " + "x" * 300)
    file.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE, f"{FILE}.1", f"{FILE}.2"]
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
    seqs = [line["seq"] for name in (f"{FILE}.2", f"{FILE}.1", FILE) for line in lines(tmp_path / name)]
    assert seqs == list(range(seqs[0], 41))


def test_what_the_disk_cannot_keep_up_with_is_lost_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_file, "WAITING", 3)
    slow = threading.Event()
    write = journal_file._Lines.write

    def stuck(self: Any, line: str) -> None:
        slow.wait(30)
        write(self, line)

    monkeypatch.setattr(journal_file._Lines, "write", stuck)
    kept, file = opened(tmp_path)
    for _ in range(20):
        kept.write("in", text="x")
    slow.set()
    file.close()
    told = lines(tmp_path / FILE)
    assert len(told) < 20
    lost = sum(line["entries"] for line in told if line["kind"] == "lost")
    assert lost + sum(line["kind"] == "in" for line in told) == 20


def test_each_time_a_disk_fails_is_told_once_and_the_rest_is_written_when_it_works_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write = journal_file._Lines.write
    tries = 0
    written = threading.Event()

    def failing(self: Any, line: str) -> None:
        nonlocal tries
        tries += 1
        if tries in (2, 3, 6):
            raise OSError(28, "No space left on device")
        write(self, line)
        if json.loads(line).get("seq") == 6:
            written.set()

    monkeypatch.setattr(journal_file._Lines, "write", failing)
    kept, file = opened(tmp_path)
    with caplog.at_level(logging.ERROR, "app.journal"):
        for _ in range(6):
            kept.write("in", text="x")
        assert written.wait(30)
        file.close()
    assert [(line["kind"], line.get("seq", line.get("entries"))) for line in lines(tmp_path / FILE)] == [
        ("in", 1),
        ("lost", 2),
        ("in", 4),
        ("lost", 1),
        ("in", 6),
    ]
    told = f"the journal cannot be written to {tmp_path / FILE}: [Errno 28] No space left on device"
    assert [record.getMessage() for record in caplog.records] == [told, told]


def test_a_disk_that_hangs_does_not_hold_up_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_file, "WAITING", 1)
    free = threading.Event()
    monkeypatch.setattr(journal_file._Lines, "write", lambda self, line: free.wait(30))
    kept, file = opened(tmp_path)
    for _ in range(5):
        kept.write("in", text="x")
    file.close(patience=0.05)
    free.set()


def test_a_folder_that_cannot_be_made_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        JournalFile(tmp_path / "file" / "folder").open()


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    _, file = opened(tmp_path)
    file.close()
    file.close()
